#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every #include keeps to the table of layers.

layers.py ROOT: reads tests/lint/layers.txt, whose head says how, and every source.
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(<[^>]+>|"[^"]+")', re.M)
# What begins like this comes from outside; the longest match names the group.
OUTSIDE = {
    "boost/": "boost", "boost/asio": "asio", "boost/beast": "beast", "boost/json": "json", "boost/url": "url",
    "boost/dll": "dll", "boost/system": "system", "fmt/": "fmt", "spdlog/": "spdlog",
    "prometheus/": "prometheus", "CLI/": "cli", "toml++/": "toml", "libdeflate.h": "deflate", "zlib.h": "deflate",
    "xxhash.h": "xxhash", "jni.h": "jni", "openssl/": "ssl", "gtest/": "gtest", "gmock/": "gtest", "benchmark/": "benchmark",
}
OS = re.compile(r"^(arpa|linux|net|netinet|sys)/|"
                r"^(cxxabi|dirent|dlfcn|elf|fcntl|grp|ifaddrs|link|netdb|poll|pthread|pwd|sched|"
                r"semaphore|signal|spawn|termios|ucontext|unistd|utime|wait)\.h$")
ROOTS = ("", "plugin_api/include", "host_stub", "tests")


def read_table(path):
    rows = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        folder, colon, names = line.partition(":")
        folder = folder.strip()
        if not colon or folder in rows:
            raise SystemExit(f"{path}:{number}: '{line}' is not a row, or its folder has one already")
        rows[folder] = names.split()
    return rows


def circle(rows):
    """A circle among the rows, or None."""
    state = {}

    def visit(folder, way):
        if state.get(folder) == "done" or folder not in rows:
            return None
        if state.get(folder) == "open":
            return way[way.index(folder):] + [folder]
        state[folder] = "open"
        for name in rows[folder]:
            if name != folder and (found := visit(name, way + [folder])):
                return found
        state[folder] = "done"
        return None

    for folder in rows:
        if found := visit(folder, []):
            return found
    return None


def row_of(rows, file):
    for folder in file.parents:
        if str(folder) in rows:
            return str(folder)
    return None


def target(root, file, name):
    """The file of this repository that the name stands for, or None."""
    for place in [file.parent] + [pathlib.Path(base) for base in ROOTS]:
        path = place / name
        if (root / path).is_file() or (root / (str(path) + ".in")).is_file():
            return pathlib.Path(*path.parts)
    return None


def group(name):
    if OS.search(name):
        return "os"
    known = [prefix for prefix in OUTSIDE if name.startswith(prefix)]
    if known:
        return OUTSIDE[max(known, key=len)]
    return "std" if re.fullmatch(r"[a-z_0-9]+(\.h)?", name) else name


def main(root):
    rows = read_table(root / "tests/lint/layers.txt")
    wrong = []
    if found := circle(rows):
        wrong.append("layers.txt goes in a circle: " + " > ".join(found))
    files = sorted(str(path.relative_to(root)) for path in root.rglob("*")
                   if path.suffix in (".h", ".hpp", ".cc", ".c")
                   and path.relative_to(root).parts[0] not in ("build", ".git", ".cache"))
    arrows = set()
    for name in files:
        file = pathlib.Path(name)
        row = row_of(rows, file)
        if row is None:
            wrong.append(f"{name}: no row of layers.txt is for this folder")
            continue
        for include in INCLUDE.findall((root / file).read_text()):
            inner = include[1:-1]
            found = target(root, file, inner)
            to = row_of(rows, found) if found else group(inner)
            if to == row:
                continue
            arrows.add((row, to))
            if to not in rows[row] and not (found is None and "outside" in rows[row]):
                wrong.append(f"{name} includes {inner}: {row} may not include {to}")
    for row, names in rows.items():
        for unused in [n for n in names if n != "outside" and (row, n) not in arrows]:
            wrong.append(f"layers.txt: {row} may include {unused}, but nothing there does")
    print(*wrong, f"{len(files)} files, {len(rows)} folders, {len(arrows)} arrows", sep="\n")
    return 1 if wrong or not files else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve()))
