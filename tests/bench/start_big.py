#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long `ha_stub serve` takes to start on a log of some size: from before it is launched until /v1/status
answers with the log's end. 1 KiB messages in four queues of one topic, segments of 1 GiB.

  start_big.py BUILD DIRECTORY [--gib 1,4,8] [--runs 3] [--program FILE,FILE]

After SIGTERM and after kill -9 (with a message just put), with a warm page cache and with a cold one. The latter
needs root: it drops the machine's caches. DIRECTORY should be on a disk; the store is built there and removed.
32 MiB more than the size are written, since digests cover 64 MiB each, so that half of one is read as ever.
Size 0 is a store with one message. With several programs they take turns.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import struct
import subprocess
import tempfile
import time
import urllib.request
import zlib

GIB = 1 << 30
HALF_DIGEST = 32 << 20
BODY = b"x" * 1024
TOPIC = b"bench"
DROP_CACHES = pathlib.Path("/proc/sys/vm/drop_caches")
CAUSES = {"SIGTERM": signal.SIGTERM, "kill -9": signal.SIGKILL}


def record():
    """A message as RocketMQ stores it; QUEUEID at 12, QUEUEOFFSET at 20, PHYSICALOFFSET at 28."""
    size = 91 + len(BODY) + len(TOPIC)
    host = b"\x7f\0\0\1" + bytes(4)
    return bytearray(struct.pack(">iIIiiqqi", size, 0xDAA320A7, zlib.crc32(BODY) & 0x7FFFFFFF, 0, 0, 0, 0, 0) +
                     struct.pack(">q", 1) + host + struct.pack(">q", 1) + host + struct.pack(">iq", 0, 0) +
                     struct.pack(">i", len(BODY)) + BODY + bytes([len(TOPIC)]) + TOPIC + bytes(2))


def write_store(store, size):
    """Segments alone, as of a broker that keeps no commit mark: the first start scans them."""
    log = store / "commitlog"
    log.mkdir(parents=True)
    one, number = record(), 0
    for base in range(0, size, GIB):
        with open(log / f"{base:020}", "wb") as file:
            at = 0
            while at + len(one) + 8 <= GIB and base + at < size:
                struct.pack_into(">i", one, 12, number % 4)
                struct.pack_into(">qq", one, 20, number // 4, base + at)
                file.write(one)
                at += len(one)
                number += 1
            if base + at < size:
                file.write(struct.pack(">iI", GIB - at, 0xCBD43194))
            file.truncate(GIB)


class Server:
    def __init__(self, program, build, store):
        began = time.monotonic()
        self.process = subprocess.Popen(
            [program, "serve", "--role", "master", "--store", store, "--http", "127.0.0.1:0", "--ha-listen",
             "127.0.0.1:0", "--log-level", "warn", "--segment-size", "1G", "--plugin", build / "libha_plugin.so"],
            stdout=subprocess.PIPE, text=True)
        try:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError("ha_stub serve ended")
            self.url = "http://" + json.loads(line)["http"]
            self.end = self.log_end()
            self.took_ms = (time.monotonic() - began) * 1000
        except BaseException:
            self.stop(signal.SIGKILL)
            raise

    def log_end(self):
        with urllib.request.urlopen(self.url + "/v1/status") as answer:
            return json.load(answer)["bounds"]["end"]

    def put(self):
        urllib.request.urlopen(urllib.request.Request(
            f"{self.url}/v1/topics/bench/messages?acks=1", BODY,
            {"Content-Type": "application/octet-stream"})).close()

    def stop(self, cause):
        self.process.send_signal(cause)
        self.process.wait()
        self.process.stdout.close()


def drop_caches():
    os.sync()
    DROP_CACHES.write_text("3")


def starts(arguments, programs, store, cause, cold):
    """Milliseconds by program."""
    took = {program: [] for program in programs}
    for _ in range(arguments.runs):
        for program in programs:
            before = Server(program, arguments.build, store)
            before.put()
            end = before.log_end()
            before.stop(CAUSES[cause])
            if cold:
                drop_caches()
            after = Server(program, arguments.build, store)
            if after.end != end:
                raise RuntimeError(f"the log ends at {after.end}, not at {end}")
            took[program].append(after.took_ms)
            after.stop(signal.SIGTERM)
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--gib", default="0,1,4,8")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--program", help="default: BUILD/ha_stub")
    arguments = parser.parse_args()
    programs = arguments.program.split(",") if arguments.program else [str(arguments.build / "ha_stub")]
    can_drop = os.access(DROP_CACHES, os.W_OK)
    for gib in [int(size) for size in arguments.gib.split(",")]:
        directory = pathlib.Path(tempfile.mkdtemp(prefix="start_big.", dir=arguments.directory))
        try:
            store = directory / "store"
            write_store(store, gib * GIB + HALF_DIGEST if gib > 0 else 0)
            first = Server(programs[-1], arguments.build, store)
            first.stop(signal.SIGTERM)
            print(json.dumps({"gib": gib, "start": "first", "ms": round(first.took_ms)}), flush=True)
            for cause in CAUSES:
                for cold in [False, True] if can_drop else [False]:
                    for program, took in starts(arguments, programs, store, cause, cold).items():
                        print(json.dumps({"gib": gib, "start": f"after {cause}", "cache": "cold" if cold else "warm",
                                          "program": program, "ms": round(statistics.median(took)),
                                          "worst_ms": round(max(took))}), flush=True)
        finally:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
