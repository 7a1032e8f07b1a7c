#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long producers wait when a master is gone and nobody is there to promote another one.

Starts three etcd members and three ha_stub nodes, each in a network namespace of its own, and four
producers. Breaks one thing after the other, and measures the longest time without an acknowledgement.
At the end every acknowledged message must be there, once. Needs root, etcd and ip.

Usage: failover.py [--rounds N] [--faults NAME,...] [--ttl-ms N] [--bad-network-s N] [--loss PERCENT]
                   [--jitter-ms N] [--seed N] [--haproxy] [--dir DIR] [--json FILE]
"""

import argparse
import base64
import ctypes
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("HA_BIN_DIR", ROOT / "build"))
NAMES = ("a", "b", "c")
# The rules want that long between two changes of master where no process is known to be gone.
BETWEEN_TAKEOVERS_S = 10.5
# This process's own address, from which producers send.
OWN_IP = "10.77.0.1"


class Failed(Exception):
    pass


def run(*command, check=True):
    done = subprocess.run(command, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def wait_for(what, holds, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = holds()
        if found:
            return found
        time.sleep(0.02)
    raise Failed(f"not within {seconds} s: {what}")


def enter(space):
    """Moves this thread into a network namespace, and with it the threads that it starts from here on."""
    with open(f"/run/netns/{space}", "rb") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0x40000000) != 0:
            raise Failed(f"setns: {os.strerror(ctypes.get_errno())}")


class Lan:
    """One switch, this process's own end of it, and a cable for each host."""

    def __init__(self):
        self.tag = f"hafo{os.getpid()}"
        self.hosts = {}
        self.processes = []
        self.rough = None

    def open(self):
        run("ip", "netns", "add", self.space("sw"))
        enter(self.space("sw"))
        self.inside("sw", "ip", "link", "add", "switch", "type", "bridge")
        self.inside("sw", "ip", "addr", "add", f"{OWN_IP}/24", "dev", "switch")
        for link in ("lo", "switch"):
            self.inside("sw", "ip", "link", "set", link, "up")

    def space(self, name):
        return f"{self.tag}-{name}"

    def inside(self, name, *command):
        return run("ip", "netns", "exec", self.space(name), *command)

    def add(self, name):
        ip = f"10.77.0.{10 + len(self.hosts)}"
        run("ip", "netns", "add", self.space(name))
        self.inside("sw", "ip", "link", "add", f"p{name}", "type", "veth", "peer", "name", "eth", "netns",
                    self.space(name))
        self.inside("sw", "ip", "link", "set", f"p{name}", "master", "switch", "up")
        self.inside(name, "ip", "addr", "add", f"{ip}/24", "dev", "eth")
        for link in ("lo", "eth"):
            self.inside(name, "ip", "link", "set", link, "up")
        self.hosts[name] = ip
        return ip

    def cut(self, name):
        self.inside("sw", "ip", "link", "set", f"p{name}", "down")

    def heal(self, name):
        self.inside("sw", "ip", "link", "set", f"p{name}", "up")

    def lose(self, names, percent):
        # A BPF program on the way out that draws a number for each packet; a kernel may lack netem.
        program = f"4,32 0 0 4294963256,53 0 1 {42949672 * percent},6 0 0 0,6 0 0 2"
        for name in names:
            self.inside(name, "tc", "qdisc", "replace", "dev", "eth", "clsact")
            self.inside(name, "tc", "filter", "replace", "dev", "eth", "egress", "prio", "1", "handle", "1",
                        "protocol", "all", "bpf", "da", "bytecode", program)

    def mend(self, names):
        for name in names:
            self.inside(name, "tc", "qdisc", "del", "dev", "eth", "clsact")

    def roughen(self, names, loss, jitter_ms, seed):
        """Puts rough_network.py between the switch and the cables of these hosts."""
        run("ip", "netns", "add", self.space("rough"))
        for name in names:
            self.inside("sw", "ip", "link", "add", f"q{name}", "type", "veth", "peer", "name", f"r{name}",
                        "netns", self.space("rough"))
            self.inside("sw", "ip", "link", "set", f"q{name}", "master", "switch", "up")
            self.inside("sw", "ip", "link", "set", f"p{name}", "netns", self.space("rough"))
            for link in ("p", "r"):
                self.inside("rough", "ip", "link", "set", f"{link}{name}", "up")
        self.rough = subprocess.Popen(
            ["ip", "netns", "exec", self.space("rough"), sys.executable,
             str(pathlib.Path(__file__).with_name("rough_network.py")), "--loss", str(loss),
             "--jitter-ms", str(jitter_ms), "--seed", str(seed), "--spare", OWN_IP,
             "--nodes", ",".join(self.hosts[name] for name in names), *(f"p{name}:r{name}" for name in names)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.rough.stdout.readline() != "ready\n":
            raise Failed("rough_network.py did not start")

    def smooth(self, names):
        """Returns what it did."""
        said, _ = self.rough.communicate()
        if self.rough.returncode != 0:
            raise Failed(f"rough_network.py ended with {self.rough.returncode}")
        for name in names:
            self.inside("rough", "ip", "link", "set", f"p{name}", "netns", self.space("sw"))
            self.inside("sw", "ip", "link", "set", f"p{name}", "master", "switch", "up")
            self.inside("sw", "ip", "link", "del", f"q{name}")
        run("ip", "netns", "del", self.space("rough"))
        self.rough = None
        return json.loads(said)

    def socket_at(self, name):
        """A socket for datagrams in that host's namespace, for this process to use."""
        made = []

        def make():
            enter(self.space(name))
            made.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        return made[0]

    def close(self):
        for process in self.processes:
            process.signal(signal.SIGCONT)
            process.kill()
        if self.rough is not None:
            self.rough.kill()
            self.rough.wait()
        for name in (*self.hosts, "rough", "sw"):
            run("ip", "netns", "del", self.space(name), check=False)


class Process:
    def __init__(self, lan, name, log, command):
        self.command = ["ip", "netns", "exec", lan.space(name), *command]
        self.log = open(log, "ab")
        self.process = None
        lan.processes.append(self)
        self.start()

    def start(self):
        # etcd wants to be told so where it is not supported.
        arch = os.uname().machine.replace("aarch64", "arm64")
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log,
                                        env={**os.environ, "ETCD_UNSUPPORTED_ARCH": arch})

    def signal(self, number):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()


class Etcd:
    def __init__(self, lan, folder):
        self.ips = [lan.add(f"e{i}") for i in range(3)]
        cluster = ",".join(f"e{i}=http://{ip}:2380" for i, ip in enumerate(self.ips))
        self.members = []
        for i, ip in enumerate(self.ips):
            self.members.append(Process(lan, f"e{i}", folder / f"etcd{i}.log", [
                "etcd", "--name", f"e{i}", "--data-dir", str(folder / f"etcd{i}"),
                "--listen-client-urls", f"http://{ip}:2379", "--advertise-client-urls", f"http://{ip}:2379",
                "--listen-peer-urls", f"http://{ip}:2380", "--initial-advertise-peer-urls", f"http://{ip}:2380",
                "--initial-cluster", cluster, "--initial-cluster-state", "new", "--logger", "zap"]))
        wait_for("etcd answers", self.leader)

    def endpoints(self):
        return "etcd:" + ",".join(f"http://{ip}:2379" for ip in self.ips)

    def ask(self, i, path, body):
        connection = http.client.HTTPConnection(self.ips[i], 2379, timeout=1)
        try:
            connection.request("POST", path, json.dumps(body))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def leader(self):
        for i in range(3):
            try:
                status = self.ask(i, "/v3/maintenance/status", {})
                if status["leader"] == status["header"]["member_id"]:
                    return i + 1
            except (OSError, KeyError, ValueError, http.client.HTTPException):
                continue
        return None

    def holder(self):
        key = base64.b64encode(b"/ha/failover/leader").decode()
        for i in range(3):
            try:
                found = self.ask(i, "/v3/kv/range", {"key": key}).get("kvs", [])
                return base64.b64decode(found[0]["value"]).decode() if found else None
            except (OSError, KeyError, ValueError, http.client.HTTPException):
                continue
        return None


class Node:
    def __init__(self, lan, name, ip, replicas, coordinator, folder, ttl_ms):
        self.name = name
        self.ip, self.port = ip, 8080
        self.process = Process(lan, name, folder / f"{name}.log", [
            str(BIN / "ha_stub"), "serve", "--role", "slave", "--store", str(folder / name),
            "--segment-size", "16M", "--http", f"{ip}:8080", "--ha-listen", f"{ip}:10912",
            "--replica-id", name, "--replicas", replicas, "--cluster-id", "failover",
            "--control-token-file", str(folder / "token"),
            "--option", "tls=off", "--option", f"coordinator={coordinator}",
            "--option", f"coordinator_ttl_ms={ttl_ms}"])

    def status(self):
        try:
            connection = http.client.HTTPConnection(self.ip, 8080, timeout=1)
            connection.request("GET", "/v1/status")
            status = json.loads(connection.getresponse().read())
            connection.close()
            return status
        except (OSError, ValueError, http.client.HTTPException):
            return None


class Haproxy:
    """HAProxy with the configuration that the runbook has, its addresses replaced."""

    PORT = 8090

    def __init__(self, lan, ips, folder):
        self.ip, self.port = OWN_IP, self.PORT
        page = (ROOT / "docs" / "operate.md").read_text()
        text = re.search(r"```\n(frontend producers\n.*?)```", page, re.DOTALL).group(1)
        for i, ip in enumerate(ips, 1):
            text = text.replace(f"10.0.0.{i}:", f"{ip}:")
        config = folder / "haproxy.cfg"
        config.write_text("defaults\n  timeout connect 1s\n  timeout client 30s\n  timeout server 30s\n\n" + text)
        self.process = Process(lan, "sw", folder / "haproxy.log", ["haproxy", "-db", "-f", str(config)])


class Producers:
    """Each sends one message after the other to whoever takes it, and never one twice."""

    PATIENCE_S = 0.25

    def __init__(self, nodes, count=4):
        self.nodes = nodes
        self.patience_s = self.PATIENCE_S
        self.lock = threading.Lock()
        self.acknowledged = {}  # id: when
        self.times = []
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(i,), daemon=True) for i in range(count)]
        for thread in self.threads:
            thread.start()

    def work(self, index):
        at, connection, n = 0, None, 0
        while not self.stop.is_set():
            node = self.nodes[at % len(self.nodes)]
            message = f"{index}-{n}"
            n += 1
            try:
                if connection is None:
                    connection = http.client.HTTPConnection(node.ip, node.port, timeout=self.PATIENCE_S)
                    connection.connect()
                    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.sock.settimeout(self.patience_s)
                timeout_ms = round(1600 * self.patience_s)
                connection.request("POST", f"/v1/topics/t/messages?timeout_ms={timeout_ms}", message,
                                   {"Content-Type": "text/plain"})
                response = connection.getresponse()
                response.read()
                if response.status == 200:
                    with self.lock:
                        self.acknowledged[message] = time.monotonic()
                        self.times.append(time.monotonic())
                    continue
            except (OSError, http.client.HTTPException):
                pass
            if connection is not None:
                connection.close()
            connection = None
            at += 1
            self.stop.wait(0.005)

    def longest_gap(self, since, until):
        with self.lock:
            times = [t for t in self.times if t <= until]
        gaps = [b - a for a, b in zip(times, times[1:]) if b >= since]
        return max(gaps, default=until - since)

    def first_after(self, when):
        with self.lock:
            return bool(self.times) and self.times[-1] > when

    def close(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()


class Probe:
    """Sends datagrams from one host to another one, and looks at what comes of them and when."""

    EACH_S = 0.05

    def __init__(self, lan, source, target):
        self.out, self.into = lan.socket_at(source), lan.socket_at(target)
        self.to = (lan.hosts[target], 9999)
        self.into.bind(self.to)
        self.into.settimeout(1)
        self.sent, self.delays = 0, []
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self.send, self.receive)]
        for thread in self.threads:
            thread.start()

    def send(self):
        while not self.stop.wait(self.EACH_S):
            self.out.sendto(str(time.monotonic()).encode(), self.to)
            self.sent += 1

    def receive(self):
        while True:
            try:
                sent = float(self.into.recv(100))
                self.delays.append(time.monotonic() - sent)
            except TimeoutError:
                if self.stop.is_set():
                    return

    def close(self):
        """Returns how many per cent were lost, and the mean and the longest delay in milliseconds."""
        self.stop.set()
        for thread in self.threads:
            thread.join()
        self.out.close()
        self.into.close()
        delays = self.delays or [0.0]
        return 100 * (1 - len(self.delays) / self.sent), 1000 * statistics.mean(delays), 1000 * max(delays)


class World:
    def __init__(self, args, folder):
        self.folder = folder
        self.lan = Lan()
        self.args = args
        self.notes = []

    def start(self):
        args, folder = self.args, self.folder
        self.lan.open()
        (folder / "token").write_text("t" * 32 + "\n")
        os.chmod(folder / "token", 0o600)
        self.etcd = Etcd(self.lan, folder)
        ips = {name: self.lan.add(name) for name in NAMES}
        replicas = ",".join(f"{name}@{ip}:10912" for name, ip in ips.items())
        self.nodes = {name: self.node(name, ip, replicas) for name, ip in ips.items()}
        self.replicas = replicas
        self.spare = None
        self.changed_at = time.monotonic()
        self.settle()
        to = list(self.nodes.values())
        if args.haproxy:
            to = [Haproxy(self.lan, ips.values(), folder)]
        self.producers = Producers(to)
        wait_for("an acknowledgement", lambda: self.producers.first_after(0))

    def node(self, name, ip, replicas):
        return Node(self.lan, name, ip, replicas, self.etcd.endpoints(), self.folder, self.args.ttl_ms)

    def start_spare(self):
        """A node d that no other node has among its options."""
        if self.spare is None:
            ip = self.lan.add("d")
            self.spare = self.node("d", ip, f"{self.replicas},d@{ip}:10912")
        elif self.spare.process.process.poll() is not None:
            self.spare.process.start()
        return f"d@{self.spare.ip}:10912"

    def stub(self, *verb):
        return run("ip", "netns", "exec", self.lan.space("sw"), str(BIN / "ha_stub"), *verb, "--token-file",
                   str(self.folder / "token"))

    def members(self, *order):
        """Returns once the set is changed."""
        self.stub("members", "--broker", f"http://{self.nodes[self.current].ip}:8080", *order)

    def set(self):
        name = self.master()
        return name and self.nodes[name].status()["ha"]["coordinator"]["set"]

    def master(self):
        found = [name for name, node in self.nodes.items()
                 if (status := node.status()) and status["ha"]["role"] == "master"]
        return found[0] if len(found) == 1 else None

    def settle(self):
        def settled():
            name = self.master()
            if name is None or self.etcd.holder() != name:
                return None
            replicas = self.nodes[name].status()["ha"]["replicas"]
            there = [r for r in replicas if r["connected"] and r["in_sync"]]
            return name if len(there) == len(NAMES) - 1 else None
        return wait_for("a master, its key and two slaves in sync", settled)

    def calm_down(self):
        """Long enough since the last change of master that another one is allowed."""
        name = self.settle()
        time.sleep(max(0.0, BETWEEN_TAKEOVERS_S - (time.monotonic() - self.changed_at)))
        return name

    def close(self):
        self.lan.close()


# ---- faults: each returns how long no producer heard OK ---------------------------------------


def until_acknowledged(world, since, allow=60):
    """The gap that began with the fault: from the last acknowledgement to the next by a new master."""
    old = world.current
    wait_for("a new master", lambda: (now := world.master()) and now != old, allow)
    became = time.monotonic()
    wait_for("an acknowledgement", lambda: world.producers.first_after(became), allow)
    world.changed_at = became
    return world.producers.longest_gap(since, time.monotonic())


def until_mended(world, break_it, mend):
    since = time.monotonic()
    break_it()
    gap = until_acknowledged(world, since)
    mend()
    return gap


def kill(world):
    process = world.nodes[world.current].process
    return until_mended(world, process.kill, process.start)


def stop(world):
    process = world.nodes[world.current].process
    return until_mended(world, lambda: process.signal(signal.SIGSTOP), lambda: process.signal(signal.SIGCONT))


def cut(world):
    name = world.current
    return until_mended(world, lambda: world.lan.cut(name), lambda: world.lan.heal(name))


def stop_and_etcd(world):
    leader = world.etcd.members[world.etcd.leader() - 1]
    process = world.nodes[world.current].process

    def break_both():
        leader.kill()
        process.signal(signal.SIGSTOP)

    def mend_both():
        process.signal(signal.SIGCONT)
        leader.start()
        wait_for("etcd has a leader", world.etcd.leader)

    return until_mended(world, break_both, mend_both)


def no_etcd(world):
    since = time.monotonic()
    for member in world.etcd.members:
        member.signal(signal.SIGSTOP)
    time.sleep(8)
    for member in world.etcd.members:
        member.signal(signal.SIGCONT)
    wait_for("etcd has a leader", world.etcd.leader)
    gap = world.producers.longest_gap(since, time.monotonic())
    if world.settle() != world.current:
        raise Failed("etcd was away, and the master changed")
    return gap


def switchover(world):
    target = next(name for name in NAMES if name != world.current)
    since = time.monotonic()
    world.stub("switchover", "--to", target, "--broker", f"http://{world.nodes[world.current].ip}:8080")
    return until_acknowledged(world, since)


def change_set(world):
    """One node more, another one less, and back."""
    since = time.monotonic()
    spare = world.start_spare()
    other = next(name for name in NAMES if name != world.current)
    world.members("add", spare)
    world.members("remove", other)
    world.members("add", f"{other}@{world.nodes[other].ip}:10912")
    world.members("remove", "d")
    world.spare.process.kill()
    if world.settle() != world.current:
        raise Failed("the set was changed, and the master with it")
    return world.producers.longest_gap(since, time.monotonic())


def change_set_and_kill(world):
    """The master dies while a node joins. The next master brings that to its end."""
    spare = world.start_spare()
    wait_for("node d answers", lambda: world.spare.status())
    order = threading.Thread(target=run, kwargs={"check": False}, args=(
        "ip", "netns", "exec", world.lan.space("sw"), str(BIN / "ha_stub"), "members", "--token-file",
        str(world.folder / "token"), "--broker", f"http://{world.nodes[world.current].ip}:8080", "add", spare))
    order.start()
    before = world.set()["version"]
    wait_for("a change of the set", lambda: (now := world.set()) and now["version"] > before)
    gap = kill(world)
    order.join()
    world.current = world.master()
    ended = wait_for("the change ends", lambda: (now := world.set()) and not now["changing"] and now)
    if "d" not in ended["nodes"]:
        raise Failed(f"node d was not added: {ended}")
    world.members("remove", "d")
    world.spare.process.kill()
    return gap


def bad_network(world):
    before = world.nodes[world.current].status()["ha"]["epoch"]
    hosts = (*NAMES, "e0", "e1", "e2")
    since = time.monotonic()
    world.lan.lose(hosts, 30)
    time.sleep(world.args.bad_network_s)
    world.lan.mend(hosts)
    world.settle()
    after = world.nodes[world.master()].status()["ha"]["epoch"]
    world.notes.append(f"bad network, {world.args.bad_network_s} s: {after - before} changes of master")
    return world.producers.longest_gap(since, time.monotonic())


def loss_and_jitter(world):
    """Between nodes, and between nodes and etcd. Producers and etcd's members among themselves are spared."""
    args, epoch = world.args, world.nodes[world.current].status()["ha"]["epoch"]
    other = next(name for name in NAMES if name != world.current)
    since, acknowledged = time.monotonic(), len(world.producers.acknowledged)
    world.producers.patience_s = 5.0  # a round trip between nodes may take that long
    world.lan.roughen(NAMES, args.loss, args.jitter_ms, args.seed)
    probe = Probe(world.lan, world.current, other)
    masters, now = [(0.0, world.current)], world.current
    while (at := time.monotonic() - since) < args.bad_network_s:
        found = sorted(name for name, node in world.nodes.items()
                       if (status := node.status()) and status["ha"]["role"] == "master")
        if (found := "+".join(found) or "nobody") != now:
            now = found
            masters.append((at, now))
        time.sleep(0.1)
    lost, mean, longest = probe.close()
    acknowledged = len(world.producers.acknowledged) - acknowledged
    did = world.lan.smooth(NAMES)
    world.producers.patience_s = Producers.PATIENCE_S
    gap = world.producers.longest_gap(since, time.monotonic())
    world.settle()
    rose = world.nodes[world.master()].status()["ha"]["epoch"] - epoch
    world.notes += [
        f"loss and jitter, {args.bad_network_s} s, seed {args.seed}: the epoch rose by {rose} (each change of "
        f"master is one or more), {acknowledged} messages acknowledged meanwhile",
        "masters: " + ", ".join(f"{name} from {at:.1f} s" for at, name in masters),
        f"{probe.sent} datagrams from {world.current} to {other}: {lost:.1f} % lost, "
        f"delayed by {mean:.0f} ms in the mean, {longest:.0f} ms at the most",
        *(f"IP packets {way}: {json.dumps(what)}" for way, what in did.items())]
    if lost < args.loss - 10 or mean < 0.4 * args.jitter_ms:
        raise Failed("the network was not that bad: " + world.notes[-3])
    return max(gap, world.producers.longest_gap(since, time.monotonic()))


FAULTS = {
    "kill -9": kill,
    "SIGSTOP": stop,
    "cut cable": cut,
    "SIGSTOP and etcd leader killed": stop_and_etcd,
    "no etcd for 8 s": no_etcd,
    "switchover": switchover,
    "node added and removed": change_set,
    "kill -9 while a node is added": change_set_and_kill,
    "bad network": bad_network,
    "loss and jitter": loss_and_jitter,
}
BY_DEFAULT = [name for name in FAULTS if name not in ("bad network", "loss and jitter")]


# ---- the end ----------------------------------------------------------------------------------


def check(world):
    name = world.settle()
    connection = http.client.HTTPConnection(world.nodes[name].ip, 8080, timeout=30)
    seen, cursor = {}, 0
    while True:
        connection.request("GET", f"/v1/topics/t/messages?from={cursor}&max=10000")
        answer = json.loads(connection.getresponse().read())
        for message in answer["messages"]:
            seen[message["body"]] = seen.get(message["body"], 0) + 1
        if answer["next"] == cursor:
            break
        cursor = answer["next"]
    lost = [m for m in world.producers.acknowledged if m not in seen]
    doubled = [m for m, times in seen.items() if times > 1]
    return len(world.producers.acknowledged), len(lost), len(doubled)


def percentile(values, percent):
    values = sorted(values)
    return values[min(len(values) - 1, round(percent / 100 * (len(values) - 1)))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--faults", default=",".join(BY_DEFAULT), help=", ".join(FAULTS))
    parser.add_argument("--ttl-ms", type=int, default=2000)
    parser.add_argument("--bad-network-s", type=int, default=600)
    parser.add_argument("--loss", type=float, default=30, help="per cent, of 'loss and jitter'")
    parser.add_argument("--jitter-ms", type=float, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--haproxy", action="store_true", help="producers know HAProxy, and no node")
    parser.add_argument("--dir", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    faults = args.faults.split(",")
    unknown = [name for name in faults if name not in FAULTS]
    if unknown:
        parser.error(f"--faults: {', '.join(unknown)} is not one of: {', '.join(FAULTS)}")
    needed = {"etcd": "etcd-server", "ip": "iproute2"} | ({"haproxy": "haproxy"} if args.haproxy else {})
    missing = [f"{name} (package {package})" for name, package in needed.items() if not shutil.which(name)]
    if os.geteuid() != 0 or missing:
        print(f"failover: needs {', '.join(missing) or 'root'}", file=sys.stderr)
        return 1 if os.environ.get("HA_REQUIRE_NETNS") == "1" else 77
    folder = args.dir or pathlib.Path(tempfile.mkdtemp(prefix="ha-failover-"))
    folder.mkdir(exist_ok=True)
    world = World(args, folder)
    gaps = {name: [] for name in faults}
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        world.start()
        for round_ in range(args.rounds):
            for name in faults:
                world.current = world.calm_down()
                gap = FAULTS[name](world)
                gaps[name].append(gap)
                print(f"round {round_ + 1}, {name}: {gap:.2f} s", file=sys.stderr, flush=True)
        world.producers.close()
        acknowledged, lost, doubled = check(world)
    except (Failed, KeyboardInterrupt) as failure:
        print(f"failover: {str(failure) or 'interrupted'}; logs are in {folder}", file=sys.stderr)
        return 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        world.close()
    print(f"\n| fault | times | longest time without an acknowledgement, p50 | max |\n|---|---|---|---|")
    for name, values in gaps.items():
        print(f"| {name} | {len(values)} | {statistics.median(values):.2f} s | {max(values):.2f} s |")
    for note in world.notes:
        print(f"\n{note}")
    print(f"\nacknowledged {acknowledged}, lost {lost}, twice {doubled}")
    if args.json:
        args.json.write_text(json.dumps({"gaps_s": gaps, "acknowledged": acknowledged, "lost": lost,
                                         "twice": doubled, "ttl_ms": args.ttl_ms}, indent=1))
    if lost or doubled:
        print(f"failover: logs are in {folder}", file=sys.stderr)
        return 1
    if not args.dir:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
