# SPDX-License-Identifier: Apache-2.0
"""Rows whose stores lie on a disk, the build directory's."""
import redis
import rocketmq
import stub_http
from row import CPUS, Aim, Measure, Row
from runner import Program


def put_many():
    def contenders(s):
        load = ("--producers", 64, "--seconds", s.pick(2, 1), "--segment-mib", s.pick(1024, 512),
                "--dir", s.disk, *CPUS)
        return [("ours", "callbacks", Program(s, "ha_bench_put", *load, "--callbacks")),
                *s.pick([("ours", "threads", Program(s, "ha_bench_put", *load))], []),
                # Callbacks. A pair of JVMs of its own takes too long for quick.
                *s.pick(rocketmq.puts(s, 64, disk=s.disk)[-2:], []),
                ("Redis", "", redis.Put(s, 64, kept=redis.Kept(s.disk)))]
    return Row("sync put, 64 producers, on disk", contenders, [
        Measure("per_s", "/s", [Aim(">=", 1, "RocketMQ"), Aim(">=", 1, "Redis")]),
        Measure("p50_us", "us p50"),
        Measure("p99_us", "us p99", [Aim("<", 1, "RocketMQ"), Aim("<", 1, "Redis")])])


def catch_up():
    def contenders(s):
        mib = s.pick(960, 512)
        return [("limit", "", Program(s, "ha_limit_catch_up", "--mib", mib, "--dir", s.disk)),
                ("ours", "", stub_http.CatchUp(s, mib, s.disk)),
                ("RocketMQ", "batch 1M", rocketmq.CatchUp(s, mib, 1 << 20, False, s.disk))]
    return Row("catch-up, fresh segments, on disk", contenders, [
        Measure("gb_per_s", "GB/s", [Aim(">=", .85, "limit"), Aim(">=", 1, "RocketMQ")]),
        Measure("master_cpu_s_per_gib", "CPU s/GiB master", [Aim("<=", 1, "RocketMQ")]),
        Measure("slave_cpu_s_per_gib", "CPU s/GiB slave", [Aim("<=", 1, "RocketMQ")])])


def durable():
    def contenders(s):
        load = ("--producers", 64, "--seconds", s.pick(3, 1), "--segment-mib", 256)
        ours = (*load, "--option", "ack_durable=true")
        return [("limit", "", Program(s, "ha_limit_group_fsync", *load[:4], "--dir", s.disk)),
                ("ours", "", Program(s, "ha_bench_put", *ours, "--slave-dir", s.disk)),
                ("ours", "callbacks", Program(s, "ha_bench_put", *ours, "--slave-dir", s.disk,
                                              "--callbacks")),
                ("ours", "both durable", Program(s, "ha_bench_put", *ours, "--dir", s.disk,
                                                 "--sync-flush")),
                ("alone", "no replication", Program(s, "ha_bench_put", *load, "--copies", 1,
                                                    "--sync-flush", "--dir", s.disk)),
                *s.pick(rocketmq.puts(s, 64, disk=s.disk, flush="SYNC")[-2:], []),
                ("Redis", "", redis.Put(s, 64, kept=redis.Kept(s.disk, "always")))]
    return Row("durable acks, 64 producers", contenders, [
        Measure("per_s", "/s", [Aim(">=", .8, "limit"), Aim(">=", 1, "RocketMQ"),
                                Aim(">=", 1, "Redis")]),
        Measure("p50_us", "us p50"),
        Measure("p99_us", "us p99", [Aim("<", 1, "RocketMQ"), Aim("<", 1, "Redis")])])


def open_loop(name, p99_us, ours, peer, seconds):
    """Puts at a fixed rate; latency counts from when each was due."""
    def contenders(s):
        load = {"load": ("--rate", 10000), "seconds": s.pick(*seconds)}
        return [("ours", "", ours(s, load)),
                *([("Redis", "append-only file", peer(s, load))] if peer else [])]
    return Row(f"puts at 10,000/s on disk, {name}", contenders, [
        Measure("p50_us", "us p50"),
        Measure("p99_us", "us p99", [Aim("<", p99_us), *([Aim("<", 1, "Redis")] if peer else [])]),
        Measure("p999_us", "us p99.9"), Measure("max_us", "us, slowest"),
        *([Measure("catch_up_s", "s, catch-up")] if "catch" in name else [])])


def open_loops():
    def mib(s):
        return s.pick(2048, 256)
    return [
        open_loop("steady", 1000, lambda s, load: stub_http.Put(s, 64, directory=s.disk, **load),
                  lambda s, load: redis.Put(s, 64, kept=redis.Kept(s.disk), **load), (15, 2)),
        open_loop("segments roll", 1000, lambda s, load: stub_http.Put(
            s, 64, directory=s.disk, segment=s.pick("64M", "16M"), **load), None, (15, 2)),
        # The longest that the catch-up may take.
        open_loop("beside a catch-up", 2000, lambda s, load: stub_http.PutBesideCatchUp(
            s, 64, mib(s), directory=s.disk, **load),
                  lambda s, load: redis.Put(s, 64, kept=redis.Kept(s.disk, mib=mib(s)), **load),
                  (60, 60))]


def rows():
    return [put_many(), catch_up(), durable(), *open_loops()]
