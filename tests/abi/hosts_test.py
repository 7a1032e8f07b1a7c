#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a pair of the minimal hosts against the real plugin over loopback and compares the bytes.

usage: hosts_test.py PLUGIN MASTER... -- SLAVE...     (each a command that takes PLUGIN role where)
"""
import subprocess
import sys
import threading

RECORDS = 300
DEADLINE_S = 60  # generous: for a machine that builds at the same time


def fail(what, *hosts):
    for host in hosts:
        host.kill()
    sys.exit("FAILED: " + what)


def start(command, plugin, role, where):
    process = subprocess.Popen(command + [plugin, role, where], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    # Killed at the deadline, so that no read below can hang: it then sees the end of the output.
    timer = threading.Timer(DEADLINE_S, process.kill)
    timer.daemon = True
    timer.start()
    first = process.stdout.readline().decode().split()
    if len(first) != 2 or first[0] != "listening":
        fail(f"{role} {command}: said {first}, not 'listening ADDR:PORT'", process)
    return process, first[1]


def main():
    plugin, rest = sys.argv[1], sys.argv[2:]
    split = rest.index("--")
    # Lengths from 1 byte to 20,000; bytes that are no UTF-8 too.
    lines = [bytes([33 + i % 90, 128 + i % 128]) * (1 + i * i % 10007) + b"\n"
             for i in range(RECORDS)]
    master, address = start(rest[:split], plugin, "master", "0")
    slave, _ = start(rest[split + 1:], plugin, "slave", address)
    said, _ = master.communicate(b"".join(lines))
    if master.returncode != 0 or said.decode().split() != ["acknowledged", str(RECORDS)]:
        fail(f"master exit {master.returncode}, said {said!r}", slave)
    held, _ = slave.communicate(b"")
    if slave.returncode != 0:
        fail(f"slave exit {slave.returncode}")
    if held != b"".join(lines):
        fail(f"the slave holds {len(held)} bytes, which are not the {sum(map(len, lines))} produced")
    print(f"{RECORDS} records acknowledged by two copies, {len(held)} bytes equal")


if __name__ == "__main__":
    main()
