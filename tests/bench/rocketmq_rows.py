# SPDX-License-Identifier: Apache-2.0
"""Rows in RocketMQ's own store: the plugin in the place of Java's HA service."""
import rocketmq
from row import Aim, Measure, Row


def put_in_rocketmq(producers, p50):
    """The same store, driver and files, with Java's HA service and with the plugin as it."""
    def contenders(s):
        ours = rocketmq.puts(s, producers, plugin=True)
        # Callbacks first, where there are any, as in the other rows.
        return [*rocketmq.puts(s, producers), *(reversed(ours) if producers > 1 else ours)]
    return Row(f"put in RocketMQ's store, {producers} producer" + "s" * (producers > 1), contenders, [
        Measure("per_s", "/s", [Aim(">=", 1, "RocketMQ")]),
        Measure("p50_us", "us p50", [Aim("<=", p50, "RocketMQ")]),
        Measure("p99_us", "us p99", [Aim("<=", 1, "RocketMQ")])])


def catch_up_in_rocketmq(mib):
    """The same stores and files. RocketMQ's own with the batch that suits it best."""
    def contenders(s):
        size = s.pick(mib, 256)
        return [*(("RocketMQ", way, rocketmq.CatchUp(s, size, batch, True))
                  for way, batch in rocketmq.batches(s)),
                ("ours", "", rocketmq.CatchUp(s, size, rocketmq.BATCH, True, plugin=True))]
    return Row("catch-up in RocketMQ's store", contenders, [
        Measure("gb_per_s", "GB/s", [Aim(">=", 1.5, "RocketMQ")]),
        Measure("master_cpu_s_per_gib", "CPU s/GiB master"),
        Measure("slave_cpu_s_per_gib", "CPU s/GiB slave")])


def idle_in_rocketmq():
    def contenders(s):
        seconds = s.pick(15, 2)
        return [("RocketMQ", "", rocketmq.Idle(s, seconds)),
                ("ours", "", rocketmq.Idle(s, seconds, plugin=True))]
    return Row("idle pair in RocketMQ's store", contenders, [
        Measure("master_ms_per_s", "CPU ms a second master", [Aim("<=", 1, "RocketMQ")]),
        Measure("slave_ms_per_s", "CPU ms a second slave", [Aim("<=", 1, "RocketMQ")])])
