# SPDX-License-Identifier: Apache-2.0
"""Rows with a client's socket before them: puts over HTTP."""
import redis
import stub_http
from row import Aim, Measure, Row


def http():
    return Row("sync put over HTTP, 64 connections",
               lambda s: [*stub_http.puts(s, 64), *redis.puts(s, 64)], [
                   Measure("per_s", "/s"), Measure("p50_us", "us p50"), Measure("p99_us", "us p99"),
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
