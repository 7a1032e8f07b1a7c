#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the declarations of the C headers with the committed ones, or writes them again.

usage: golden.py check|update CC INCLUDE_DIR GOLDEN

Comments, blank lines, line breaks and include guards do not count; every declaration (as C++17 sees
it, so that noexcept counts) and every
macro does.
"""
import difflib
import pathlib
import re
import subprocess
import sys

NOT_PART_OF_IT = re.compile(r"#define HA_\w+_H$|#define HA_NOEXCEPT\b")


def declarations(cc, include):
    headers = sorted(str(p.relative_to(include)) for p in include.glob("ha/**/*.h"))
    source = "".join(f'#include "{h}"\n' for h in headers)
    text = subprocess.run([cc, "-std=c++17", "-E", "-dD", "-x", "c++", "-I", str(include), "-"],
                          input=source, check=True, capture_output=True, text=True).stdout
    macros, code, ours = [], [], ""
    for line in text.splitlines():
        marker = re.match(r'# \d+ "([^"]*)"', line)
        if marker:
            path = pathlib.Path(marker.group(1))
            ours = str(path.relative_to(include)) if include in path.parents else ""
        elif ours and line.startswith("#define"):
            line = " ".join(line.split())
            if not NOT_PART_OF_IT.match(line):
                macros.append(line)
        elif ours and not line.startswith("#"):
            code.append(line)
    one_line = " ".join(" ".join(code).split())
    one_line = re.sub(r" ?([*(),]) ?", r"\1", one_line)
    return sorted(macros) + re.sub(r"([;{]) ?", r"\1\n", one_line).splitlines()


def main():
    verb, cc, include, golden = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]).resolve(), sys.argv[4]
    now = declarations(cc, include)
    if verb == "update":
        pathlib.Path(golden).write_text("\n".join(now) + "\n")
        return
    committed = pathlib.Path(golden).read_text().splitlines()
    diff = list(difflib.unified_diff(committed, now, golden, "the headers now", lineterm="", n=1))
    if diff:
        print("\n".join(diff))
        sys.exit("FAILED: the declarations of the plugin interface have changed.\n"
                 "Allowed within a major version: members at the end of a table or of a request or "
                 "report struct,\nnew constants, new extensions. If this is one of those, say so in "
                 "plugin_api/CHANGELOG.md, raise\nHA_ABI_MINOR, and accept it with\n"
                 f"  {sys.argv[0]} update {cc} {include} {golden}\n"
                 "Anything else needs a new major version and a new entry name.")
    print(f"{len(now)} lines of declarations, unchanged")


if __name__ == "__main__":
    main()
