#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles the layout assertions with gcc and clang as every supported standard of C and C++.

usage: compile_matrix.py INCLUDE_DIR LAYOUT_C

A missing clang is said and skipped (exit 77), unless HA_REQUIRE_CLANG=1.
"""
import os
import shutil
import subprocess
import sys

COMPILERS = {"gcc": "c", "g++": "c++", "clang": "c", "clang++": "c++"}
STANDARDS = {"c": ["c11", "c17"], "c++": ["c++11", "c++14", "c++17", "c++20"]}
FLAGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]
SKIPPED = 77


def main():
    include, layout = sys.argv[1:]
    failed, done, missing = [], 0, []
    for compiler, language in COMPILERS.items():
        if shutil.which(compiler) is None:
            missing.append(compiler)
            continue
        for standard in STANDARDS[language]:
            command = [compiler, f"-std={standard}", *FLAGS, "-I", include, "-x", language, layout]
            result = subprocess.run(command, capture_output=True, text=True)
            done += 1
            if result.returncode != 0:
                failed.append(" ".join(command))
                print(result.stderr)
    for command in failed:
        print("FAILED:", command)
    print(f"{done - len(failed)} of {done} combinations compile")
    if failed:
        sys.exit(1)
    if missing:
        print("not installed, so not tried:", ", ".join(missing))
        gnu = [name for name in missing if not name.startswith("clang")]
        sys.exit(1 if gnu or os.environ.get("HA_REQUIRE_CLANG") == "1" else SKIPPED)


if __name__ == "__main__":
    main()
