# SPDX-License-Identifier: Apache-2.0
"""Runs contenders in turn and keeps what they measured.

A contender has start(), run() and stop(); run() gives a dict of numbers, or {"variants": {name:
dict}} when one run tries several ways. Missing means that it cannot be had here, and why.
"""
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNKNOWN_OPTION = 3  # exit code of our programs


class Missing(Exception):
    pass


class Settings:
    def __init__(self, quick, rounds, scratch, disk):
        self.quick = quick
        self.rounds = rounds
        self.scratch = scratch  # a folder on tmpfs that goes away at the end
        self.build = ROOT / "build"
        self.disk = disk  # the same on a disk

    def pick(self, full, quick):
        return quick if self.quick else full


def launch(command, pinned_to=None, **more):
    """A child that ends with us and runs on the given CPUs."""
    def prepare():
        import ctypes
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if pinned_to is not None:
            os.sched_setaffinity(0, pinned_to)
    return subprocess.Popen([str(part) for part in command], preexec_fn=prepare, **more)


class Program:
    """One program, run once a round; it prints one JSON object."""

    def __init__(self, settings, name, *arguments):
        self.command = [settings.build / name, *arguments]
        self.scratch = settings.scratch

    def start(self):
        if not self.command[0].exists():
            raise Missing(f"{self.command[0].name} is not built")

    def run(self):
        return self.finish(self.begin())

    def begin(self):
        return launch(self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self, process):
        try:
            out, err = process.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise RuntimeError(f"{self.describe()}: not done within 300 s")
        if process.returncode == UNKNOWN_OPTION:
            raise Missing("not in this version: " + err.strip().splitlines()[-1])
        if process.returncode != 0:
            raise RuntimeError(f"{self.describe()}: exit code {process.returncode}: {err.strip()}")
        return json.loads(out)

    def describe(self):
        return " ".join(str(part) for part in self.command)

    def stop(self):
        pass


class Micro(Program):
    """A program of Google Benchmark's; the median of each of its cases in nanoseconds."""

    def __init__(self, settings, name):
        super().__init__(settings, name, "--benchmark_format=json", "--benchmark_repetitions=5",
                         "--benchmark_report_aggregates_only=true",
                         f"--benchmark_min_time={settings.pick(.1, .01)}")

    def run(self):
        return {case["run_name"]: case["real_time"] for case in super().run()["benchmarks"]
                if case["aggregate_name"] == "median"}


class Result:
    """What one way of one contender gave, a list for each number."""

    def __init__(self, way):
        self.way = way
        self.runs = []

    def values(self, key):
        return [run[key] for run in self.runs if key in run]

    def median(self, key):
        values = self.values(key)
        return statistics.median(values) if values else None


class RowResult:
    def __init__(self, row):
        self.row = row
        self.results = {}  # contender -> {way: Result}
        self.missing = {}  # contender -> why
        self.failed = False  # a contender that is there did not work
        self.took_s = 0

    def add(self, who, way, run):
        ways = self.results.setdefault(who, {})
        for name, numbers in (run["variants"].items() if "variants" in run else [(way, run)]):
            ways.setdefault(name, Result(name)).runs.append(numbers)

    def best(self, who, measure):
        """The result of the contender's best way; ours is always the way it is shipped."""
        ways = [way for way in self.results.get(who, {}).values() if way.values(measure.key)]
        if not ways:
            return None
        if who == "ours":
            return ways[0]
        pick = max if measure.more_is_better else min
        return pick(ways, key=lambda way: way.median(measure.key))


def run_row(row, settings, say):
    """Every contender once a round: A B A B."""
    result = RowResult(row)
    begun = time.monotonic()
    running = []

    def attempt(step, who, way, contender):
        """Whether it worked. One contender's fault must not cost the others their turns."""
        try:
            step()
            return True
        except Missing as why:
            result.missing.setdefault(who, str(why))
            say(f"  {who} ({way}) is missing: {why}")
        except Exception as error:
            result.missing.setdefault(who, f"failed: {error}")
            result.failed = True
            say("".join(traceback.format_exception_only(type(error), error)).rstrip())
        contender.stop()
        return False

    try:
        running = [one for one in row.contenders(settings) if attempt(one[2].start, *one)]
        for number in range(settings.rounds):
            for who, way, contender in list(running):
                say(f"  round {number + 1}/{settings.rounds}: {who} ({way})")
                if not attempt(lambda: result.add(who, way, contender.run()), who, way, contender):
                    running.remove((who, way, contender))
    finally:
        for _, _, contender in running:
            contender.stop()
    result.took_s = round(time.monotonic() - begun, 1)
    return result


def to_stderr(text):
    print(text, file=sys.stderr, flush=True)
