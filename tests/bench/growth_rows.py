# SPDX-License-Identifier: Apache-2.0
"""Rows that ask whether a cost grows with what is not touched."""
import growth
from row import CPUS, Aim, Measure, Row
from runner import Program

PAIRS = {10: "us_10", 1000: "us_1000", 10000: "us_10000"}
WAITS = growth.points((1000, 32768, 1 << 20), "us")


def offsets():
    def contenders(s):
        load = ("--commits", s.pick(2000, 500))
        ways = [("", ()), *s.pick([("on disk", ("--dir", s.disk))], [])]
        return [("ours", way, growth.Fitted(Program(s, "ha_bench_offsets", *load, *flags), PAIRS))
                for way, flags in ways]
    return Row("commit of one offset, by pairs", contenders, [
        Measure("us_10000", "us p50, 10,000 pairs", [Aim("<=", 20)]),
        growth.measure("us p50", PAIRS),
        Measure("create_10000_us", "us for a new pair, up to 10,000", [Aim("<=", 20)])])


def waits():
    return Row("a burst of waits ends, by waits", lambda s: [
        ("ours", "", growth.Fitted(Program(s, "ha_bench_waits", *CPUS), WAITS))], [
            growth.measure("us a wait", WAITS),
            Measure(f"first_us_{1 << 20}", "us to the first of 1,048,576",
                    [Aim("<=", 1000)]),
            Measure(f"longest_us_{1 << 20}", "us, longest pause between two")])


def by_size(name, sizes, contender, **measures):
    """contender: settings, n -> contender. measures: key -> unit, or unit and aim."""
    return Row(name, lambda s: [
        ("ours", "", growth.Each({n: contender(s, n) for n in sizes}, *measures))], [
            growth.measure(unit, growth.points(sizes, key), aim)
            for key, (unit, aim) in measures.items()])


def replicas():
    """Producers that need one of them."""
    def contender(s, n):
        return Program(s, "ha_bench_put", "--pause-us", 1000, "--seconds", s.pick(3, 1),
                       "--segment-mib", 128, "--bare-slaves", n - 1, "--option",
                       "connections_per_address=0", *CPUS)
    return by_size("a put each millisecond, by slaves", (1, 8, 64), contender,
                   p50_us=("us p50", growth.FLAT), p99_us=("us p99", growth.FLAT))


def topics():
    def contender(s, n):
        return growth.PutBesideStatus(s, 8, n, load=("--rate", 1000), seconds=s.pick(3, 1))
    return by_size("puts beside /v1/status, by topics", (10, 300, 9999), contender,
                   p99_us=("us p99", growth.FLAT), status_us=("us a status", None))


def long_polls():
    def contender(s, n):
        return growth.PutBesidePolls(s, 8, n, load=("--rate", 2000), seconds=s.pick(3, 1))
    return by_size("puts beside long polls of other queues, by polls", (250, 1000, 4000), contender,
                   master_cpu_us_per_message=("CPU us a message", growth.FLAT),
                   p50_us=("us p50", growth.FLAT))


def restart():
    """Quick: a quarter of the log."""
    sizes = (1, 4, 16)
    return Row("start after kill -9, on disk, by log", lambda s: [
        ("ours", "", growth.Restart(s, sizes, s.pick(256, 64)))], [
            Measure("ms_empty", "ms, almost empty", [Aim("<=", 100)]),
            growth.measure("ms of n x 256 MiB", growth.points(sizes, "ms")),
            Measure("ms_16", "ms, 4 GiB", [Aim("<=", 1000)])])


def rows():
    return [offsets(), topics(), long_polls(), waits(), replicas(), restart()]
