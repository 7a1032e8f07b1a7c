#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures us beside the bare kernel, RocketMQ and Redis, and prints one table (README.md).

bench.py [quick] [--rows REGEX] [--rounds N]
bench.py --plots-from results.json          draws again what was measured before

Fails when a contender that is there does not work; one that cannot be had is named as missing.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

import plots
import report
import rocketmq
import rows
import runner


def machine():
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if "model name" in line), "?")
    return {"cpus": os.cpu_count(), "cpu": model, "load_before": os.getloadavg()[0]}


def disk(path):
    """What of it decides how fast a mapped file is: the file system, and how far it reads ahead."""
    mounts = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    device = os.stat(path).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    kind = next((line.split(" - ")[1].split()[0] for line in mounts if line.split()[2] == number), "?")
    ahead = pathlib.Path(f"/sys/class/bdi/{number}/read_ahead_kb")
    return {"file_system": kind,
            "read_ahead_kb": int(ahead.read_text()) if ahead.exists() else "?"}


def peers():
    """Their versions."""
    found = {"RocketMQ": rocketmq.VERSION}
    if shutil.which("redis-server"):
        said = subprocess.run(["redis-server", "--version"], capture_output=True, text=True).stdout
        found["Redis"] = next((word[2:] for word in said.split() if word.startswith("v=")), "?")
    return found


def draw(results, folder):
    for drawn in plots.draw_all(results, folder):
        print(drawn.relative_to(runner.ROOT))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mode", nargs="?", choices=["quick"], help="one round, small sizes: about 4 minutes")
    parser.add_argument("--rows", default="", metavar="REGEX", help="only rows whose name matches")
    parser.add_argument("--rounds", type=int, help="default 3, quick 1")
    parser.add_argument("--list", action="store_true", help="name the rows and do nothing")
    parser.add_argument("--plots-from", type=pathlib.Path, metavar="RESULTS.json",
                        help="draw these and measure nothing")
    arguments = parser.parse_args()
    out = runner.ROOT / "build/bench"
    out.mkdir(parents=True, exist_ok=True)
    if arguments.plots_from:
        return draw(json.loads(arguments.plots_from.read_text()), out)
    chosen = [row for row in rows.all_rows() if row.matches(arguments.rows)]
    if arguments.list:
        print(*(row.name for row in chosen), sep="\n")
        return 0
    if not chosen:
        sys.exit(f"bench: no row matches '{arguments.rows}'; --list names them")
    quick = arguments.mode == "quick"
    about = machine()
    if about["cpus"] < 2:
        sys.exit("bench: needs 2 CPUs, one for the master and one for the slave")
    if about["load_before"] > 0.5:
        runner.to_stderr(f"bench: the machine is busy (load {about['load_before']:.1f}): "
                         "the figures will not mean much")
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="ha_bench.", dir="/dev/shm"))
    stores = pathlib.Path(tempfile.mkdtemp(prefix="stores.", dir=out))
    settings = runner.Settings(quick, arguments.rounds or (1 if quick else 3), scratch, stores)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: told to end"))
    done = []
    try:
        for number, row in enumerate(chosen, 1):
            runner.to_stderr(f"[{number}/{len(chosen)}] {row.name}")
            done.append(runner.run_row(row, settings, runner.to_stderr))
            runner.to_stderr(f"  {done[-1].took_s:.0f} s")
    except KeyboardInterrupt:
        runner.to_stderr("bench: interrupted; what is done follows")
    finally:
        rows.stop_peers()
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(stores, ignore_errors=True)
    print(report.table(done))
    print(report.verdict(done))
    about["peers"] = peers()
    about["disk"] = disk(out)
    on_disk = "on disk: {file_system}, read_ahead_kb {read_ahead_kb}".format(**about["disk"])
    print(on_disk)
    print("beside " + ", ".join(" ".join(peer) for peer in about["peers"].items()))
    results = report.document(done, settings, about)
    if arguments.rows:  # a part does not take the place of the whole
        report.write_json(out / "rows.json", results)
        (out / "rows.md").write_text(report.markdown(done) + f"\n{on_disk}\n")
    else:
        report.write_json(out / "results.json", results)
        (out / "table.md").write_text(report.markdown(done) + f"\n{on_disk}\n")
        draw(results, out)
    return 1 if any(one.failed for one in done) else 0


if __name__ == "__main__":
    sys.exit(main())
