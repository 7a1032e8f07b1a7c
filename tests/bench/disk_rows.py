# SPDX-License-Identifier: Apache-2.0
"""Rows whose stores lie on a disk, the build directory's."""
import redis
import stub_http
from row import Aim, Measure, Row
from runner import Program


def open_loop():
    def contenders(s):
        load = {"load": ("--rate", 10000), "seconds": s.pick(20, 3)}
        return [("ours", "", stub_http.Put(s, 64, directory=s.disk, **load)),
                ("Redis", "append-only file", redis.Put(s, 64, kept=redis.Kept(s.disk), **load))]
    return Row("open loop over HTTP, 10,000/s, on a disk", contenders, [
        Measure("p50_us", "us p50"), Measure("p99_us", "us p99", [Aim("<=", 2000)]),
        Measure("p999_us", "us p99.9")])


def durable():
    def contenders(s):
        load = ("--producers", 64, "--seconds", s.pick(3, 1))
        return [("limit", "", Program(s, "ha_limit_group_fsync", *load, "--dir", s.disk)),
                ("ours", "", Program(s, "ha_bench_put", *load, "--segment-mib", 256, "--slave-dir",
                                     s.disk, "--option", "ack_durable=true")),
                ("alone", "no replication", Program(s, "ha_bench_put", *load, "--segment-mib", 256,
                                                    "--copies", 1, "--sync-flush", "--dir", s.disk))]
    return Row("durable acks, 64 producers", contenders, [
        Measure("per_s", "/s", [Aim(">=", .8, "limit")]),
        Measure("p50_us", "us p50"), Measure("p99_us", "us p99")])
