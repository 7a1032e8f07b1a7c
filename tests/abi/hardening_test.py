#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: hardening_test.py FILE:FUNCTION...

Each FILE was compiled and linked as what parses foreign bytes should be, and its line numbers stand in
a file of their own. FUNCTION is one that it defines.
"""
import pathlib
import platform
import re
import subprocess
import sys


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def faults(file, function):
    elf = output("readelf", "-W", "-h", "-l", "-d", "-S", "--dyn-syms", file)
    wanted = {
        "may be loaded at any address": r"Type:\s+DYN",
        "relocations become read-only": r"GNU_RELRO",
        "everything is bound at the start": r"FLAGS_1.*\bNOW\b",
        "the stack is not executable": r"GNU_STACK(\s+0x\w+){5} RW\s",
        "frames are protected": r"UND __stack_chk_fail",
        "functions of the C library check sizes": r"UND __(?!stack)\w+_chk\b",
        "says where its line numbers are": r"\.gnu_debuglink",
    }
    for what, pattern in wanted.items():
        if not re.search(pattern, elf):
            yield what
    if re.search(r"\.debug_info", elf):
        yield "carries no line numbers itself"
    debug = file + ".debug"
    if not pathlib.Path(debug).exists() or ".debug_line" not in output("readelf", "-W", "-S", debug):
        yield f"has its line numbers in {debug}"
    if platform.machine() == "x86_64":
        # Debian's start files carry no note of it, so the linker leaves none in ours.
        code = output("objdump", "-d", f"--disassemble={function}", file)
        if not re.search(rf"<{function}>:\n[^\n]*\bendbr64", code):
            yield "indirect branches have their landing places"


if __name__ == "__main__":
    failed = [f"{file}: not true: {fault}" for file, function in (arg.rsplit(":", 1) for arg in sys.argv[1:])
              for fault in faults(file, function)]
    print(*failed, sep="\n")
    sys.exit(1 if failed or len(sys.argv) < 2 else 0)
