# SPDX-License-Identifier: Apache-2.0
"""Rows with a client's socket before them: puts over HTTP."""
import redis
import stub_http
from row import Aim, Measure, Row


def put(connections, body=1024):
    """One connection pinned or not, many not: with it nobody was faster."""
    def contenders(s):
        if connections == 1:
            return [*stub_http.puts(s, 1), *redis.puts(s, 1)]
        # Small segments: tmpfs has no room for many large bodies.
        segment, seconds = (None, None) if body <= 1024 else ("256M", 1)
        return [("ours", "", stub_http.Put(s, connections, body=body, segment=segment,
                                           seconds=seconds)),
                ("Redis", "", redis.Put(s, connections, body=body, seconds=seconds))]
    name = "1 connection" if connections == 1 else f"{connections} connections"
    size = {64: "64 B", 1024: "", 16 << 10: "16 KiB", 1 << 20: "1 MiB"}[body]
    return Row(f"sync put over HTTP, {name}" + (f", {size}" if size else ""), contenders, [
        Measure("per_s", "/s", [Aim(">=", 1, "Redis")]), Measure("p50_us", "us p50"),
        Measure("p99_us", "us p99", [Aim("<", 1, "Redis")]),
        Measure("master_cpu_us_per_message", "CPU us/message master"),
        Measure("slave_cpu_us_per_message", "CPU us/message slave")])


def stopped_process(producers):
    def contenders(s):
        return [("none stopped", "two slaves", stub_http.Put(s, producers, slaves=2)),
                ("one slave", "", stub_http.Put(s, producers)),
                ("ours", "one of two stopped", stub_http.Put(s, producers, slaves=2, stopped=1))]
    name = "1 connection" if producers == 1 else f"{producers} connections"
    return Row(f"one of two slave processes stopped, {name}", contenders, [
        Measure("p99_us", "us p99", [Aim("<=", 1.1, "none stopped"), Aim("<=", 1.1, "one slave")]),
        Measure("p50_us", "us p50", [Aim("<=", 1.1, "none stopped"), Aim("<=", 1.1, "one slave")])])


def rows():
    return [put(1), put(8), put(64), put(512), put(64, 64), put(64, 16 << 10), put(64, 1 << 20),
            stopped_process(1), stopped_process(64)]
