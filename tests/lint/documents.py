#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the Markdown files point at exists.

documents.py ROOT HA_STUB follows every link, #anchors included, and looks up what stands in backticks and
in code blocks: flags in the help of HA_STUB's commands, verbs of ./run in its usage, options in the table
of docs/options.md, metrics in those of metrics/README.md (both are generated from the code), and every
other snake_case or HA_ name in the sources. In SECURITY.md also tests, by suite and name. Paths are
readme_paths.py's job.
"""
import functools
import pathlib
import re
import subprocess
import sys
import urllib.parse

LINK = re.compile(r"!?\[[^\]\[]*\]\(([^)\s]+)\)")
NAME = re.compile(r"\b(?:HA_[A-Z0-9_]+|[a-z0-9]+(?:_[a-z0-9]+)+)\b")
FLAG = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")
TABLE_NAME = re.compile(r"^\| `(\w+)` \|", re.M)
FOREIGN = {"read_ahead_kb"}  # the kernel's
OURS = re.compile(r"^(?:\$ )?(?:\./run|(?:build/)?ha_\w+|tests/\S+\.py)\b")
COMMAND = re.compile(r"^(?:\$ )?(?:build/)?ha_stub +([a-z]+)(.*)", re.S)
TEST = re.compile(r"^TEST(?:_[FP])?\(\s*(\w+),\s*(\w+)\)", re.M)
TEST_NAME = re.compile(r"[A-Z]\w*\.[A-Z]\w*")
SOURCES = (".h", ".hpp", ".cc", ".c", ".py", ".txt", ".cmake", ".in", ".yml", ".json", ".java", ".sh")


def slug(heading):
    """The anchor that GitHub makes of a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


@functools.lru_cache(maxsize=None)
def anchors(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.S | re.M)
    seen, found = {}, set()
    for heading in re.findall(r"^#+ +(.*)$", text, re.M):
        name = slug(heading)
        found.add(name if name not in seen else f"{name}-{seen[name]}")
        seen[name] = seen.get(name, 0) + 1
    return found


def broken_links(root, page, text):
    for target in LINK.findall(re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.S | re.M)):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = urllib.parse.unquote(target).partition("#")
        to = (page.parent / path).resolve() if path else page
        if not to.exists() or not to.is_relative_to(root):
            yield f"link to '{target}', which does not exist"
        elif anchor and (to.suffix != ".md" or anchor not in anchors(to)):
            yield f"link to '{target}', but {to.relative_to(root)} has no such heading"


class Known:
    """What there is, read from the code, from generated tables and from the programs' own help."""

    def __init__(self, root, stub):
        files = [p for p in root.rglob("*") if p.is_file() and not is_built(root, p) and
                 (p.suffix in SOURCES or p.name in ("run", "CMakeLists.txt"))]
        code = "\n".join(p.read_text(errors="replace") for p in files)
        self.words = set(re.findall(r"\w+", code)) | {p.stem for p in files} | {p.name for p in files}
        # What logs and labels make of HA_REASON_SET_DIFFERS.
        self.words |= {name.lower() for name in re.findall(r"\bHA_(?:REASON_|STATE_|REPLICA_)?([A-Z_]+)\b", code)}
        self.flags = set(FLAG.findall(code))
        self.tests = {".".join(found) for found in TEST.findall(code)}
        self.options = set(TABLE_NAME.findall((root / "docs/options.md").read_text()))
        self.metrics = {name for name in TABLE_NAME.findall((root / "metrics/README.md").read_text())
                        if name.startswith("ha_")}
        self.verbs = set(re.findall(r"^  ([a-z]+)\b", said(root / "run"), re.M))
        self.commands = {name: set(FLAG.findall(said(stub, name, "--help"))) | {"help"}
                         for name in re.findall(r"^  ([a-z]+) ", said(stub, "--help").partition("Subcommands:")[2], re.M)}


def said(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60).stdout


def is_built(root, path):
    return path.relative_to(root).parts[0] in ("build", ".git", ".cache")


def code_pieces(text):
    """Commands and names that a document shows: the lines of its code blocks, joined at a final backslash, and
    what stands in backticks."""
    for block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.S | re.M):
        if block[0] in ("", "sh", "bash", "console"):
            yield from ((True, line.strip()) for line in block[1].replace("\\\n", " ").splitlines())
    prose = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    yield from ((False, piece) for piece in re.findall(r"`([^`\n]+)`", prose))
    yield from ((True, line.strip()) for line in re.findall(r"^    (\S.*)$", prose, re.M))


def unknown_names(known, text):
    for is_line, piece in code_pieces(text):
        for verb in re.findall(r"(?<![\w/])\./run +([a-z]+)", piece):
            if verb not in known.verbs:
                yield f"`./run {verb}`, which is not a verb of ./run"
        command = COMMAND.match(piece)
        if command and command[1] not in known.commands:
            yield f"`ha_stub {command[1]}`, which is not a command"
        elif command:
            arguments = command[2].split(" | ")[0].split(" #")[0]
            for flag in set(FLAG.findall(arguments)) - known.commands[command[1]]:
                yield f"`ha_stub {command[1]} --{flag}`, which is not a flag of it"
        elif not is_line or OURS.match(piece):
            for flag in set(FLAG.findall(piece)) - known.flags - {f for of in known.commands.values() for f in of}:
                yield f"flag `--{flag}`, which nothing takes"
        for option in re.findall(r"--option (\w+)=", piece) + re.findall(r"ha_stub set (?:--broker \S+ )?(\w+)=", piece):
            if option not in known.options | {"KEY"}:
                yield f"option `{option}`, which does not exist"
        if is_line:
            continue
        for name in NAME.findall(piece):
            if name in FOREIGN:
                continue
            if name.startswith("ha_") and not name.startswith("ha_stub_") and re.search(r"_(total|bytes|seconds|info)$", name) and name not in known.metrics:
                yield f"metric `{name}`, which does not exist"
            elif name not in known.words:
                yield f"`{name}`, which nothing in the sources is called"
    for option in re.findall(r"[Oo]ptions? `(\w+)`", text):
        if option not in known.options:
            yield f"option `{option}`, which does not exist"


def unknown_tests(known, text):
    for is_line, piece in code_pieces(text):
        if not is_line and TEST_NAME.fullmatch(piece) and piece not in known.tests:
            yield f"test `{piece}`, which does not exist"


def main(root, stub):
    pages = [page for page in sorted(root.rglob("*.md")) if not is_built(root, page)]
    known = Known(root, stub)
    wrong = []
    texts = {page: page.read_text() for page in pages}
    everything = "\n".join(texts.values())
    wrong += [f"run: no page names `./run {verb}`" for verb in sorted(known.verbs)
              if not re.search(rf"\./run {verb}\b", everything)]
    commands = (root / "host_stub/README.md").read_text()
    wrong += [f"host_stub/README.md: nothing on `{name}`" for name in sorted(known.commands)
              if not re.search(rf"(`|ha_stub ){name}\b", commands)]
    for page, text in texts.items():
        named = [] if page.name == "CHANGELOG.md" else unknown_names(known, text)  # it names what has gone
        if page == root / "SECURITY.md":
            named = [*named, *unknown_tests(known, text)]
        for fault in sorted({*broken_links(root, page, text), *named}):
            wrong.append(f"{page.relative_to(root)}: {fault}")
    print(*wrong, f"{len(pages)} pages, {len(known.options)} options, {len(known.metrics)} metrics, "
          f"{len(known.commands)} commands, {len(known.verbs)} verbs", sep="\n")
    return bool(wrong) or not all((pages, known.options, known.metrics, known.commands, known.verbs))


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]))
