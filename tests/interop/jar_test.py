#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The classes of ha-rocketmq.jar are those of Java 8.

jar_test.py JAR: looks at each class file's version, and that the jar was compiled with --release 8, which
knows no class and no method of the JDK that came later. Without a jar 77 is the exit code, and 1 with
HA_REQUIRE_INTEROP.
"""
import os
import struct
import sys
import zipfile

JAVA_8 = 52

jar = sys.argv[1]
if not os.path.exists(jar):
    print(f"no {jar}: hosts/rocketmq/build.sh makes it")
    sys.exit(1 if "HA_REQUIRE_INTEROP" in os.environ else 77)
faults, classes = [], 0
with zipfile.ZipFile(jar) as files:
    for name in files.namelist():
        if name.endswith(".class"):
            classes += 1
            magic, _, version = struct.unpack_from(">IHH", files.read(name))
            if (magic, version) != (0xCAFEBABE, JAVA_8):
                faults.append(f"{name} has class file version {version}, and Java 8 has {JAVA_8}")
        if name.endswith("/pom.xml") and b"<maven.compiler.release>8<" not in files.read(name):
            faults.append(f"{name} does not ask for --release 8")
if classes == 0:
    faults.append(f"no class in {jar}")
print("\n".join(faults) or f"{classes} classes of Java 8")
sys.exit(1 if faults else 0)
