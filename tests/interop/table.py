#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints ctest's JUnit results of the interop tests as a table of cases and RocketMQ versions."""
import re
import sys
import xml.etree.ElementTree as xml

cells, versions = {}, set()
for case in xml.parse(sys.argv[1]).getroot().iter("testcase"):
    # ctest appends a comment to the names of parametrised tests.
    name = re.match(r"RocketMQ/(Case\d+)(\w+)\.(\w+)/v(\w+)(?:\s+#.*)?$", case.get("name"))
    if not name:
        sys.exit(f"{sys.argv[1]}: '{case.get('name')}' is no name of a case")
    number, suite, test, version = name.groups()
    version = version.replace("_", ".")
    versions.add(version)
    status = {"run": "ok", "notrun": "skipped"}.get(case.get("status"), "FAILED")
    if case.find("skipped") is not None:
        status = "skipped"
    cells[(int(number[4:]), suite, test, version)] = f"{status} {float(case.get('time')):.0f} s"

rows = sorted({key[:3] for key in cells})
order = sorted(versions, key=lambda v: [int(n) for n in v.split(".")])
words = lambda text: re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
table = [["case", *order]]
for number, suite, test in rows:
    row = [f"{number} {words(suite)}: {words(test)}"]
    table.append(row + [cells.get((number, suite, test, version), "-") for version in order])
widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
for row in table:
    print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
