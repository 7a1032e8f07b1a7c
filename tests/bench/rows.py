# SPDX-License-Identifier: Apache-2.0
"""The rows of the table. README.md says what each one measures and what it leaves out."""
import disk_rows
import growth_rows
import http_rows
import redis
import rocketmq
import rocketmq_rows
from row import CPUS, ROCKETMQ_WIRE, Aim, Measure, Row
from runner import Micro, Program


def drain():
    def contenders(s):
        mib = ("--mib", s.pick(2048, 256))
        return [("limit", "", Program(s, "ha_limit_drain", *mib)),
                ("ours", "writev", Program(s, "ha_bench_drain", *mib, "--truncate")),
                ("ours", "writev, reader copies", Program(s, "ha_bench_drain", *mib)),
                ("ours", "sendfile", Program(s, "ha_bench_drain", *mib, "--truncate", "--sendfile")),
                *(("RocketMQ", way, rocketmq.Drain(s, mib[1] // 2, batch))
                  for way, batch in rocketmq.batches(s))]
    return Row("drain", contenders, [
        Measure("gb_per_s", "GB/s", [Aim(">=", .9, "limit")]),
        Measure("master_cpu_s_per_gib", "CPU s/GiB master", [Aim("<=", 1.3, "limit"),
                                                         Aim("<=", .4, "RocketMQ")])])


def catch_up(name, prefault):
    flags = ("--prefault",) if prefault else ()

    def contenders(s):
        mib = ("--mib", s.pick(2048, 256))
        return [("limit", "", Program(s, "ha_limit_catch_up", *mib, *flags)),
                ("ours", "append-reserve", Program(s, "ha_bench_catch_up", *mib, *flags)),
                ("ours", "append", Program(s, "ha_bench_catch_up", *mib, *flags, "--append")),
                ("ours", "RocketMQ wire", Program(s, "ha_bench_catch_up", *mib, *flags,
                                                  *ROCKETMQ_WIRE)),
                *(("RocketMQ", way, rocketmq.CatchUp(s, mib[1], batch, prefault))
                  for way, batch in rocketmq.batches(s))]
    return Row(name, contenders, [
        Measure("gb_per_s", "GB/s", [Aim(">=", .85, "limit"), Aim(">=", 3, "RocketMQ")]),
        Measure("master_cpu_s_per_gib", "CPU s/GiB master", [Aim("<=", 1.3, "limit"),
                                                         Aim("<=", .4, "RocketMQ")]),
        Measure("slave_cpu_s_per_gib", "CPU s/GiB slave", [Aim("<=", 1.3, "limit"),
                                                       Aim("<=", .4, "RocketMQ")])])


def put_one():
    def contenders(s):
        seconds = ("--seconds", s.pick(2, 1))
        return [("limit", "ping-pong", Program(s, "ha_limit_ping_pong", "--count",
                                               s.pick(20000, 5000), *CPUS)),
                ("I/O thread", "epoll", Program(s, "ha_limit_group", *seconds, *CPUS)),
                ("ours", "", Program(s, "ha_bench_put", "--segment-mib", 256, *seconds, *CPUS)),
                ("ours", "busy_poll_us=0", Program(s, "ha_bench_put", "--segment-mib", 256, *seconds,
                                                   "--option", "busy_poll_us=0", *CPUS)),
                ("ours", "RocketMQ wire", Program(s, "ha_bench_put", "--segment-mib", 256, *seconds,
                                                  *ROCKETMQ_WIRE, *CPUS)),
                *rocketmq.puts(s, 1), *redis.puts(s, 1)]
    return Row("sync put, 1 producer", contenders, [
        Measure("p50_us", "us p50", [Aim("<=", 1.25, "limit"), Aim("<", 1, "RocketMQ"),
                                     Aim("<", 1, "Redis")]),
        Measure("p99_us", "us p99", [Aim("<=", 1.4, "limit"), Aim("<", 1, "RocketMQ"),
                                     Aim("<", 1, "Redis")])], plot="1 producer")


def put_busy_poll():
    def contenders(s):
        return [("limit", "spinning", Program(s, "ha_limit_ping_pong", "--spin", "--count",
                                              s.pick(200000, 20000), *CPUS)),
                ("ours", "", Program(s, "ha_bench_put", "--segment-mib", 128, "--seconds",
                                     s.pick(2, 1), "--option", "busy_poll_us=100", *CPUS))]
    return Row("sync put, 1 producer, busy_poll_us", contenders, [
        Measure("p50_us", "us p50", [Aim("<=", 3, "limit")]), Measure("p99_us", "us p99")])


def drain_tls():
    def contenders(s):
        mib = ("--mib", s.pick(2048, 256))
        return [("limit", "", Program(s, "ha_limit_drain", *mib, "--tls")),
                ("in the clear", "", Program(s, "ha_bench_drain", *mib)),
                ("ours", "", Program(s, "ha_bench_drain", *mib, "--tls"))]
    return Row("drain under TLS", contenders, [
        Measure("gb_per_s", "GB/s", [Aim(">=", .9, "limit")]),
        Measure("master_cpu_s_per_gib", "CPU s/GiB master", [Aim("<=", 1.3, "limit")])])


def put_tls():
    def contenders(s):
        load = ("--segment-mib", 256, "--seconds", s.pick(2, 1), *CPUS)
        return [("in the clear", "", Program(s, "ha_bench_put", *load)),
                ("ours", "", Program(s, "ha_bench_put", *load, "--tls"))]
    return Row("sync put under TLS, 1 producer", contenders, [
        Measure("p50_us", "us p50", [Aim("<=", 1, "in the clear", plus=8)]),
        Measure("p99_us", "us p99")])


def handshake(name, *flags):
    return Row(f"TLS handshake, {name}",
               lambda s: [("ours", "", Program(s, "ha_bench_handshake", *flags, *CPUS))],
               [Measure("p50_us", "us p50", [Aim("<=", 1500)]), Measure("p99_us", "us p99")])


def put_many(producers, times_rocketmq, times_redis, p99):
    def contenders(s):
        seconds = ("--seconds", s.pick(2, 1))
        segment = ("--segment-mib", s.pick(1024, 512))
        many = ("--producers", producers)
        return [("I/O thread", "epoll", Program(s, "ha_limit_group", *many, *seconds, *CPUS)),
                *(("ours", way, Program(s, "ha_bench_put", *many, *segment, *seconds, *flags, *CPUS))
                  for way, flags in (("callbacks", ("--callbacks",)),
                                     *s.pick((("threads", ()),
                                              ("callbacks, RocketMQ wire",
                                               ("--callbacks", *ROCKETMQ_WIRE))), ()))),
                *rocketmq.puts(s, producers), *redis.puts(s, producers)]
    return Row(f"sync put, {producers} producers", contenders, [
        Measure("per_s", "/s", [Aim(">=", times_rocketmq, "RocketMQ"), Aim(">=", times_redis, "Redis")]),
        Measure("p50_us", "us p50"), Measure("p99_us", "us p99", p99)],
        plot=f"{producers} producers")


def pipelined():
    def contenders(s):
        load = ("--producers", 2, "--window", 512, "--seconds", 1, "--warm-up-ms", 100,
                "--segment-mib", s.pick(1024, 512))
        return [("alone", "no replication", Program(s, "ha_bench_put", *load, "--copies", 1)),
                ("ours", "", Program(s, "ha_bench_put", *load)),
                *s.pick([("ours", "pinned", Program(s, "ha_bench_put", *load, *CPUS)),
                         ("ours", "RocketMQ wire", Program(s, "ha_bench_put", *load,
                                                           *ROCKETMQ_WIRE))], []),
                *rocketmq.puts(s, 2, 512), *redis.puts(s, 2, 512)]
    return Row("pipelined sync put", contenders, [
        Measure("per_s", "/s", [Aim(">=", 3, "RocketMQ"), Aim(">=", .7, "alone")]),
        Measure("p50_us", "us p50"), Measure("p99_us", "us p99"),
        Measure("master_cpu_us_per_message", "CPU us/message master"),
        Measure("slave_cpu_us_per_message", "CPU us/message slave")])


def lag():
    def contenders(s):
        load = ("--count", s.pick(100, 20), "--idle-us", 50000, *CPUS)
        return [("limit", "ping-pong", Program(s, "ha_limit_ping_pong", *load)),
                ("ours", "", Program(s, "ha_bench_lag", *load)),
                ("RocketMQ", "", rocketmq.Lag(s, s.pick(20, 5), 200))]
    return Row("idle, then one message", contenders, [
        Measure("p50_us", "us p50", [Aim("<=", 1.5, "limit"), Aim("<", 1, "RocketMQ")]),
        Measure("p99_us", "us p99")])


def memory():
    def contenders(s):
        return [("ours", "", Program(s, "ha_bench_memory", "--large-mib", s.pick(1024, 256)))]

    def kib(replicas):
        return [Aim("<=", 2048 + 64 * replicas)]
    return Row("memory", contenders, [
        Measure("kib_1", "KiB, 1 replica", kib(1)), Measure("kib_8", "KiB, 8 replicas", kib(8)),
        Measure("kib_64", "KiB, 64 replicas", kib(64)),
        Measure("kib_8_large_log", "KiB, 8 replicas, larger log", kib(8)),
        Measure("kib_per_replica", "KiB for one more replica", [Aim("<=", 64)])])


def many_replicas():
    def contenders(s):
        def readers(count, passes):
            return ("--replicas", count, "--passes", passes, "--mib", s.pick(256, 64), *CPUS)
        return [("1 replica", "", Program(s, "ha_bench_drain_many", *readers(1, 8))),
                ("8 replicas", "", Program(s, "ha_bench_drain_many", *readers(8, 1))),
                ("limit", "64 replicas", Program(s, "ha_limit_drain_many", *readers(64, 1))),
                ("ours", "64 replicas", Program(s, "ha_bench_drain_many", *readers(64, 1))),
                ("RocketMQ", "64 replicas", rocketmq.Threads(s, 64))]
    return Row("64 replicas drain at once", contenders, [
        Measure("gb_per_s", "GB/s, all together", [Aim(">=", .8, "1 replica"),
                                                   Aim(">=", .8, "limit")]),
        Measure("master_cpu_s_per_gib", "CPU s/GiB master", [Aim("<=", 1.2, "1 replica"),
                                                             Aim("<=", 1.3, "limit")]),
        Measure("threads", "threads of the process", [Aim("<=", 1, "1 replica")])])


def stopped_replica(producers):
    def contenders(s):
        load = ("--producers", producers, "--seconds", s.pick(2, 1), "--segment-mib",
                s.pick(1024, 256), *CPUS)
        return [("none stopped", "", Program(s, "ha_bench_put", *load)),
                ("ours", "one stopped", Program(s, "ha_bench_put", *load, "--stopped-replicas", 1))]
    name = "1 producer" if producers == 1 else f"{producers} producers"
    return Row(f"one stopped slave, {name}", contenders, [
        Measure("p99_us", "us p99", [Aim("<=", 1.1, "none stopped")]),
        Measure("p50_us", "us p50")])


def put_beside(slaves):
    """One producer that waits for one copy and pauses after each put, beside slaves it does not need."""
    def contenders(s):
        load = ("--pause-us", 1000, "--seconds", s.pick(5, 1), "--segment-mib", 128, *CPUS)
        return [("alone", "one slave", Program(s, "ha_bench_put", *load)),
                ("ours", f"{slaves} more", Program(s, "ha_bench_put", *load, "--bare-slaves", slaves,
                                                     "--option", "connections_per_address=0"))]
    return Row(f"a put each millisecond beside {slaves} more slaves", contenders, [
        Measure("p50_us", "us p50", [Aim("<=", 100)]), Measure("p99_us", "us p99"),
        Measure("master_cpu_us_per_message", "CPU us/message master")])


SIZES = (64, 256, 1024, 4096, 16384, 65536, 262144, 1048576)


def message_size(body):
    def contenders(s):
        return [("ours", "", Program(s, "ha_bench_put", "--producers", 2, "--window", 512, "--body",
                                     body, "--seconds", 1, "--segment-mib",
                                     s.pick(1024, 512 if body > 4096 else 256),
                                     "--warm-up-ms", 100)),
                *(peers(s) if not s.quick else [])]

    def peers(s):
        window = min(512, (64 << 20) // body)  # ours holds as few bytes in flight
        # The last way is ours': warmed files, any CPU.
        return [rocketmq.puts(s, 2, window, body)[-1], redis.puts(s, 2, window, body)[-1]]
    return Row(f"messages of {body} B", contenders,
               [Measure("mb_per_s", "MB/s"), Measure("per_s", "/s")], plot=f"size {body}")


def abi():
    def contenders(s):
        return [("ours", "", Program(s, "ha_bench_abi", *CPUS))]
    return Row("ABI cost", contenders, [
        Measure("notify_ns", "ns notify_appended, in a burst", [Aim("<=", 50)]),
        Measure("notify_awake_ns", "ns, I/O thread answers", [Aim("<=", 50)]),
        Measure("notify_wake_ns", "ns, I/O thread sleeps"),
        Measure("wait_ns", "ns wait_replicated, pending", [Aim("<=", 200)]),
        Measure("wait_done_ns", "ns wait_replicated, held", [Aim("<=", 200)]),
        Measure("check_ns", "ns check_acks")])


def micro():
    cases = ("wait_queue/1", "wait_queue/64", "wait_queue/4096", "wait_queue/65536",
             "wait_queue_group/64", "wait_queue_group/4096", "wait_queue_shuffled/64",
             "wait_queue_shuffled/4096", "ack_tracker/1", "ack_tracker/8", "ack_tracker/64",
             "frame_header", "report", "autoswitch_header")
    return Row("micro", lambda s: [("ours", "", Micro(s, "ha_bench_micro"))],
               [Measure(case, f"ns {case}") for case in cases])


def start():
    def contenders(s):
        return [("ours", "", Program(s, "ha_bench_start", "--resumes", 0)),
                ("RocketMQ", "", rocketmq.Start(s))]
    return Row("start to first replicated byte", contenders, [
        Measure("start_ms", "ms", [Aim("<=", 20), Aim("<", 1, "RocketMQ")]),
        Measure("start_max_ms", "ms, slowest")])


def resume(name, down_ms, times):
    def contenders(s):
        load = ("--starts", 0, "--resumes", times, "--down-ms", down_ms)
        return [("ours", "", Program(s, "ha_bench_start", *load)),
                ("ours", "reconnect_max_ms=50", Program(s, "ha_bench_start", *load, "--option",
                                                        "reconnect_max_ms=50")),
                *([("RocketMQ", "connection lost", rocketmq.Start(s))]
                  if down_ms == 0 and not s.quick else [])]
    return Row(f"peer back to resumed, {name}", contenders, [
        Measure("resume_ms", "ms", [Aim("<=", 50), Aim("<", 1, "RocketMQ")]),
        Measure("resume_max_ms", "ms, slowest")])


def stop_peers():
    """Those that live from row to row."""
    rocketmq.Pair.stop_all()
    redis.Servers.stop()


def all_rows():
    half = [Aim("<", .5, "RocketMQ"), Aim("<", .5, "Redis")]
    # RocketMQ's pairs on tmpfs stay once they are there and take much memory, so these are first.
    return [
        *disk_rows.rows(),
        *http_rows.rows(),
        drain(),
        catch_up("catch-up, pre-faulted segments", True),
        catch_up("catch-up, fresh segments", False),
        put_one(),
        put_busy_poll(),
        drain_tls(),
        put_tls(),
        handshake("key file"),
        handshake("certificates", "--certificates"),
        put_many(8, 2.5, 2, []),
        put_many(64, 5, 3, half),
        pipelined(),
        rocketmq_rows.put_in_rocketmq(1, .7),
        rocketmq_rows.put_in_rocketmq(8, 1),
        rocketmq_rows.put_in_rocketmq(64, 1),
        rocketmq_rows.catch_up_in_rocketmq(960),
        rocketmq_rows.idle_in_rocketmq(),
        lag(),
        memory(),
        many_replicas(),
        put_beside(8),
        put_beside(64),
        stopped_replica(1),
        stopped_replica(64),
        *(message_size(body) for body in SIZES),
        abi(),
        *growth_rows.rows(),
        micro(),
        start(),
        resume("restarted at once", 0, 20),
        resume("away for 1 s", 1000, 3),
    ]
