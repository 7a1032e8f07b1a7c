# SPDX-License-Identifier: Apache-2.0
"""RocketMQ's own HA as a contender: its message store and HA service in two JVMs
(rocketmq/Node.java).

Nothing of a broker or a client is around them: as ours, the master is driven in its process. A pair
that takes puts is started once and kept for all rows, since a JVM needs half a minute until its
code is compiled; between its turns it is stopped with SIGSTOP. 5.x waits for a slave only with
inSyncReplicas=2.
"""
import atexit
import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from client_load import ANYWHERE, cpu_s, pin
from runner import ROOT, Missing, Program, launch

VERSION = "5.3.3"
CLASSES = ROOT / "build/bench/rocketmq"
SOURCES = ROOT / "tests/bench/rocketmq"
SEGMENT = 1 << 30
BATCH = 32 << 10  # haTransferBatchSize's default
# As its own start script: without the export a file cannot be warmed.
JAVA = ("java", "-Xms1g", "-Xmx1g", "-XX:+UseG1GC",
        "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED")


def class_path(plugin=False):
    """plugin: its HA service is hosts/rocketmq's."""
    jar = ROOT / "build/rocketmq_host/ha-rocketmq.jar"
    if plugin and not jar.exists():
        raise Missing("no build/rocketmq_host/ha-rocketmq.jar")
    jars = ROOT / f"build/interop/{VERSION}/classpath"
    why = os.environ.get("HA_INTEROP_SKIP")
    if why or not jars.exists():
        raise Missing(why or f"no RocketMQ {VERSION} from Maven Central")
    everything = (f"{jar}:" if plugin else "") + f"{CLASSES}:{jars.read_text().strip()}"
    if not (CLASSES / "bench/Node.class").exists() or any(
            source.stat().st_mtime > (CLASSES / "bench/Node.class").stat().st_mtime
            for source in SOURCES.iterdir()):
        CLASSES.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["javac", "-nowarn", "-d", CLASSES, "-cp", everything,
                               *SOURCES.glob("*.java")], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"javac: {done.stderr.strip()}")
        shutil.copy(SOURCES / "rmq.logback.xml", CLASSES)
    return everything


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Node:
    """One JVM. Its store is removed with it."""

    def __init__(self, settings, role, master=None, batch=BATCH, warm=False, started=True,
                 cpus=ANYWHERE, plugin=False, disk=None, flush="ASYNC"):
        self.ha = free_port()
        self.store = (disk or settings.scratch) / f"rocketmq.{role}.{self.ha}"
        arguments = {"role": role, "store": self.store, "ha": self.ha, "segment": SEGMENT,
                     "batch": batch, "flush": flush, "warm": str(warm).lower(),
                     "started": str(started).lower()}
        if master:
            arguments["master"] = master.ha
        self.errors = open(settings.scratch / f"rocketmq.{self.ha}.err", "w+")
        self.process = launch(
            [*JAVA, f"-Duser.home={settings.scratch}", "-cp", class_path(plugin), "bench.Node",
             *(f"{key}={value}" for key, value in arguments.items())],
            pinned_to=cpus, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            text=True)
        self.hear()

    def hear(self):
        line = self.process.stdout.readline()
        while line and not line.startswith("{"):
            line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise RuntimeError(f"RocketMQ's JVM ended: {self.errors.read().strip()[:500]}")
        return json.loads(line)

    def say(self, command, **arguments):
        words = [command, *(f"{key}={value}" for key, value in arguments.items())]
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()

    def ask(self, command, **arguments):
        self.say(command, **arguments)
        return self.hear()

    def wait_for_connections(self, count):
        """A slave's client looks for its master every 5 s."""
        deadline = time.monotonic() + 30
        while self.ask("connections")["connections"] < count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"RocketMQ's master did not have {count} slaves within 30 s")
            time.sleep(.1)

    def signal(self, number):
        os.kill(self.process.pid, number)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.errors.close()
        shutil.rmtree(self.store, ignore_errors=True)


@dataclasses.dataclass(frozen=True)
class Kind:
    """Of a pair. plugin: with our HA service. disk: a directory for its stores, else tmpfs. flush:
    SYNC = the master's copy has to be durable too."""
    warm: bool
    plugin: bool = False
    disk: pathlib.Path = None
    flush: str = "ASYNC"


class Pair:
    """A master whose puts wait for its slave."""

    pairs = {}

    def __init__(self, settings, kind):
        kept = dataclasses.asdict(kind)
        self.master = Node(settings, "SYNC_MASTER", **kept)
        self.slave = Node(settings, "SLAVE", master=self.master, **kept)
        try:
            self.master.wait_for_connections(1)
            self.master.ask("prime", seconds=60)
            self.warm_up(settings.pick(4, .75))
        except Exception:
            self.stop()
            raise
        self.pause()

    def warm_up(self, seconds):
        """Until the compiler has been through everything that a put touches. Twice: after one pass,
        however long, the first pipelined run had half the rate of the later ones."""
        for load in 2 * ((2, 512, "threads"), (64, 0, "callbacks"), (8, 0, "threads"),
                         (1, 0, "threads")):
            self.put(seconds, 0, *load, 1024)

    @classmethod
    def get(cls, settings, kind):
        if kind not in cls.pairs:
            cls.pairs[kind] = cls(settings, kind)
        return cls.pairs[kind]

    @classmethod
    def stop_all(cls):
        for kind in list(cls.pairs):
            cls.drop(kind)

    @classmethod
    def drop(cls, kind):
        if kind in cls.pairs:
            cls.pairs.pop(kind).stop()

    def stop(self):
        self.master.stop()
        self.slave.stop()

    def pause(self):
        for node in (self.master, self.slave):
            node.signal(signal.SIGSTOP)

    def resume(self):
        for node in (self.master, self.slave):
            node.signal(signal.SIGCONT)

    def put(self, seconds, warmup, producers, window, mode, body):
        before = self.slave.ask("cpu")["cpu"]
        result = self.master.ask("put", producers=producers, window=window, mode=mode,
                                 seconds=seconds, warmup=warmup, body=body)
        if "error" in result:
            raise RuntimeError(f"RocketMQ: {result['error']}")
        used = self.slave.ask("cpu")["cpu"] - before
        result["slave_cpu_us_per_message"] = used * 1e6 / result.pop("all")
        for node in (self.master, self.slave):
            node.ask("clean")
        return result


atexit.register(Pair.stop_all)


class Put:
    def __init__(self, settings, load, kind, pinned):
        self.settings = settings
        self.load = load  # producers, window, mode, body
        self.kind = kind  # of its Pair
        # Only now, not from the start: while code is compiled, the compiler needs the other CPU.
        self.cpus = ({0}, {1}) if pinned else (ANYWHERE, ANYWHERE)

    def start(self):
        class_path(self.kind.plugin)

    def run(self):
        pair = Pair.get(self.settings, self.kind)
        pair.resume()
        try:
            for node, cpus in zip((pair.master, pair.slave), self.cpus):
                pin(node.process, cpus)
            result = pair.put(self.settings.pick(2, 1), 1, *self.load)
        except Exception:
            Pair.drop(self.kind)  # the next row starts another one
            raise
        pair.pause()
        return result

    def stop(self):
        if self.kind.disk:  # the others live from row to row
            Pair.drop(self.kind)


def puts(settings, producers, window=0, body=1024, plugin=False, **kept):
    """The ways in which RocketMQ can be asked for the same thing: the best one counts. Pinned, one
    producer is faster and many are not; quick does without the slower of the two. Its files are
    warmed up, which was the faster way in every row. plugin: the same store with our HA service. kept:
    of its Kind."""
    modes = ("threads", "callbacks") if window == 0 and producers > 1 else ("threads",)
    pins = settings.pick((True, False), (producers == 1,))
    return [("ours" if plugin else "RocketMQ",
             ", ".join((mode, *["pinned"] * pinned, *["warmed"] * warm)),
             Put(settings, (producers, window, mode, body), Kind(warm, plugin, **kept), pinned))
            for mode in modes for pinned in pins for warm in settings.pick((True,), (False,))]


class OneShot:
    """A contender that starts its JVMs for each run. plugin: with our HA service."""

    def __init__(self, settings, *arguments, plugin=False):
        self.settings = settings
        self.arguments = arguments
        self.plugin = plugin
        self.nodes = []

    def start(self):
        class_path(self.plugin)

    def node(self, *arguments, **more):
        self.nodes.append(Node(self.settings, *arguments, plugin=self.plugin, **more))
        return self.nodes[-1]

    def run(self):
        try:
            return self.measure(*self.arguments)
        finally:
            self.stop()

    def stop(self):
        while self.nodes:
            self.nodes.pop().stop()


def batches(settings):
    """haTransferBatchSize: as it comes, and what suits a catch-up best."""
    return settings.pick((("batch 32K", BATCH), ("batch 1M", 1 << 20)), (("batch 1M", 1 << 20),))


class Drain(OneShot):
    """A master that lies in the page cache, and a bare reader."""

    def measure(self, mib, batch):
        master = self.node("ASYNC_MASTER", batch=batch)
        end = master.ask("fill", bytes=mib << 20, body=64 << 10)["end"]
        before = master.ask("cpu")["cpu"]
        # From 1: to 0 the master would answer with its last file's start.
        result = Program(self.settings, "ha_limit_reader", "--port", master.ha, "--from", 1,
                         "--bytes", end - 1).run()
        result["master_cpu_s_per_gib"] = (master.ask("cpu")["cpu"] - before) / (end / (1 << 30))
        return result


class CatchUp(OneShot):
    """Within one file, since an empty slave gets no other, and one file is at most 1 GiB: a larger
    one is not warmed before RocketMQ gives up waiting for it."""

    def measure(self, mib, batch, warm, disk=None):
        master = self.node("ASYNC_MASTER", batch=batch, disk=disk)
        end = master.ask("fill", bytes=min(mib << 20, SEGMENT - (64 << 20)), body=64 << 10)["end"]
        if disk:
            os.sync()
        slave = self.node("SLAVE", master=master, batch=batch, warm=warm, started=False, disk=disk)
        slave.say("follow", to=end, start="true")
        slave.hear()  # the first bytes are there
        before = master.ask("cpu")["cpu"]
        done = slave.hear()
        used = master.ask("cpu")["cpu"] - before
        size = end - done["from"]
        gib = size / (1 << 30)
        return {"gb_per_s": size / (done["last"] - done["first"]),
                "master_cpu_s_per_gib": used / gib, "slave_cpu_s_per_gib": done["cpu"] / gib}


class Idle(OneShot):
    """A synchronous pair to which nobody puts."""

    def measure(self, seconds):
        master = self.node("SYNC_MASTER")
        slave = self.node("SLAVE", master=master)
        master.wait_for_connections(1)
        master.ask("prime", seconds=60)
        time.sleep(seconds)  # until the compiler has done with the start
        before = [cpu_s(node.process) for node in (master, slave)]
        time.sleep(seconds)
        used = [cpu_s(node.process) - was for node, was in zip((master, slave), before)]
        return {"master_ms_per_s": used[0] * 1e3 / seconds, "slave_ms_per_s": used[1] * 1e3 / seconds}


class Lag(OneShot):
    """An idle asynchronous pair: from the put to the byte in the slave's log."""

    def measure(self, count, idle_ms):
        master = self.node("ASYNC_MASTER", cpus={0})
        slave = self.node("SLAVE", master=master, cpus={1})
        master.ask("send", count=1, idle_ms=0)
        slave.ask("reach", to=master.ask("end")["end"])
        slave.say("follow", count=count)
        slave.hear()
        sent = master.ask("send", count=count, idle_ms=idle_ms)["times"]
        seen = slave.hear()["times"]
        lags = sorted((there - here) / 1e3 for here, there in zip(sent, seen))
        return {"p50_us": lags[len(lags) // 2], "p99_us": lags[int((len(lags) - 1) * .99)],
                "max_us": lags[-1]}


class Start(OneShot):
    """From the start of a slave's store, or the loss of its connection, to the next byte in its
    log."""

    def measure(self):
        master = self.node("ASYNC_MASTER")
        master.ask("fill", bytes=1 << 20, body=1024)
        slave = self.node("SLAVE", master=master, started=False)
        slave.say("follow", count=1, start="true")
        begun = slave.hear()["at"]
        started = (slave.hear()["times"][0] - begun) / 1e6
        end = master.ask("end")["end"]
        slave.ask("reach", to=end)
        slave.say("follow", count=1, reconnect="true")
        begun = slave.hear()["at"]
        master.ask("send", count=1, idle_ms=0)
        return {"start_ms": started, "resume_ms": (slave.hear()["times"][0] - begun) / 1e6}


class Threads(OneShot):
    """What so many slaves cost in threads. They have nothing to get, so plain sockets will do."""

    def measure(self, replicas):
        master = self.node("ASYNC_MASTER")
        before = master.ask("threads")["threads"]
        with contextlib.ExitStack() as links:
            for _ in range(replicas):
                link = links.enter_context(socket.create_connection(("127.0.0.1", master.ha), 5))
                link.sendall(bytes(8))  # as a slave whose log is empty
            master.wait_for_connections(replicas)
            threads = master.ask("threads")["threads"]
        return {"threads": threads, "threads_per_replica": (threads - before) / replicas}
