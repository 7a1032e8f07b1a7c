# SPDX-License-Identifier: Apache-2.0
"""Our stub broker through its HTTP API as a contender: `ha_stub serve` as a master and its slaves,
puts that wait for one of these, stores on tmpfs or on a disk, and the client ours/http_put.c. Started anew for
each run, which takes milliseconds, so that no run finds another one's log."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from client_load import WARM_UP_S, ClientLoad, cpu_s
from runner import Missing, Program, launch

PATIENCE_S = 120
LOOK_S = .01  # how often a node is asked how far it is


def port_of(address):
    return int(address.rsplit(":", 1)[1])


def need(settings, *programs):
    for program in programs:
        if not (settings.build / program).exists():
            raise Missing(f"{program} is not built")


class Server:
    def __init__(self, settings, directory, name, role, *more):
        self.store = f"{directory}/{name}"
        self.errors = open(f"{directory}/{name}.err", "w+")
        self.process = launch(
            [settings.build / "ha_stub", "serve", "--role", role, "--store", self.store, "--http",
             "127.0.0.1:0", "--ha-listen", "127.0.0.1:0", "--log-level", "error", *more],
            stdout=subprocess.PIPE, stderr=self.errors, text=True)
        line = self.process.stdout.readline()  # it says so when it is ready
        if not line:
            self.errors.seek(0)
            raise RuntimeError(f"ha_stub serve ended: {self.errors.read().strip()[:500]}")
        ready = json.loads(line)
        self.http, self.ha = port_of(ready["http"]), ready["ha"]

    def url(self, path):
        return f"http://127.0.0.1:{self.http}/v1/{path}"

    def status(self):
        with urllib.request.urlopen(self.url("status"), timeout=PATIENCE_S) as answer:
            return json.load(answer)

    def end(self):
        return self.status()["bounds"]["end"]

    def wait_for_end(self, end):
        deadline = time.monotonic() + PATIENCE_S
        while self.end() < end:
            if time.monotonic() > deadline:
                raise RuntimeError(f"ha_stub: {self.store} has not got {end} bytes in {PATIENCE_S} s")
            time.sleep(LOOK_S)

    def put(self, topic, copies):
        """One message to a topic, which is made thereby. Waits until there are enough slaves."""
        message = urllib.request.Request(
            self.url(f"topics/{topic}/messages?acks={copies}&queue=0"), b"x",
            {"Content-Type": "application/octet-stream"})
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                urllib.request.urlopen(message, timeout=5).close()
                return
            except urllib.error.HTTPError as refused:
                if refused.code not in (503, 504) or time.monotonic() > deadline:
                    raise RuntimeError(f"ha_stub: {refused.read().decode()[:500]}") from refused
                time.sleep(.01)

    def fill(self, settings, mib, copies, *more):
        Program(settings, "ha_http_put", "--port", self.http, "--producers", 4, "--body", 1 << 20,
                "--count", mib, "--acks", copies, *more).run()
        os.sync()  # no part of what follows

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()


class Nodes:
    """A master and its slaves. Their stores go away with them."""

    def __init__(self, settings, directory=None, segment=None):
        self.settings = settings
        self.directory = tempfile.mkdtemp(prefix="http.", dir=directory or settings.scratch)
        # A new slave gets the whole log, and not only what is newest.
        self.options = ("--segment-size", segment or settings.pick("1G", "256M"), "--option",
                        "bootstrap=earliest")
        self.servers = []

    def __enter__(self):
        return self

    def add(self, *more):
        """The first one is the master."""
        role = ("slave", "--master", self.servers[0].ha) if self.servers else ("master",)
        self.servers.append(Server(self.settings, self.directory, f"node{len(self.servers)}", *role,
                                   *self.options, *more))
        return self.servers[-1]

    def __exit__(self, *_):
        for server in reversed(self.servers):
            server.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


class Put(ClientLoad):
    """stopped: so many of the slaves are in SIGSTOP meanwhile, and connected all the same.
    directory: where the stores lie. More is kept for prepare() and meanwhile()."""

    def __init__(self, settings, producers, pinned=False, body=1024, slaves=1, stopped=0,
                 directory=None, segment=None, load=(), seconds=None):
        super().__init__(settings, "ha_http_put", producers, pinned, "--body", body, *load,
                         seconds=seconds)
        self.slaves = slaves
        self.stopped = stopped
        self.stores = (directory, segment)

    def start(self):
        need(self.settings, "ha_stub", self.program)

    def prepare(self, master):
        pass

    def meanwhile(self, nodes, client):
        """While the client runs. Returns more figures."""
        return {}

    def run(self):
        with Nodes(self.settings, *self.stores) as nodes:
            # Not even a slow run may end the connection of a slave that is stopped.
            master = nodes.add("--option", "native_housekeeping_ms=60000")
            slaves = [nodes.add() for _ in range(self.slaves)]
            master.put("bench", 1 + self.slaves)
            self.prepare(master)
            for slave in slaves[self.slaves - self.stopped:]:
                slave.process.send_signal(signal.SIGSTOP)
            result = self.measure(master.http, master.process, slaves[0].process,
                                  lambda client: self.meanwhile(nodes, client))
            connected = sum(one["connected"] for one in master.status()["ha"]["replicas"])
            if connected != len(nodes.servers) - 1:
                raise RuntimeError(f"ha_stub: only {connected} slaves are still connected")
            return result


class PutBesideCatchUp(Put):
    """A second slave comes and has to get so many MiB. When it has, the client ends."""

    def __init__(self, settings, producers, mib, **more):
        super().__init__(settings, producers, **more)
        self.mib = mib

    def prepare(self, master):
        master.fill(self.settings, self.mib, 2)

    def meanwhile(self, nodes, client):
        time.sleep(WARM_UP_S)
        end = nodes.servers[0].end()
        begun = time.monotonic()
        nodes.add().wait_for_end(end)
        took = time.monotonic() - begun
        client.terminate()
        return {"catch_up_s": took}


class CatchUp:
    """A slave with an empty store behind a master whose log was just written."""

    def __init__(self, settings, mib, directory):
        self.settings = settings
        self.mib = mib
        self.directory = directory

    def start(self):
        need(self.settings, "ha_stub", "ha_http_put")

    def run(self):
        with Nodes(self.settings, self.directory, "1G") as nodes:
            master = nodes.add()
            master.put("bench", 1)
            master.fill(self.settings, self.mib, 1)
            end = master.end()
            slave = nodes.add()  # it says that it is ready when it begins to connect
            begun = time.monotonic()
            before = [cpu_s(node.process) for node in nodes.servers]
            slave.wait_for_end(end)
            took = time.monotonic() - begun
            used = [cpu_s(node.process) - was for node, was in zip(nodes.servers, before)]
            gib = end / (1 << 30)
            return {"gb_per_s": end / took / 1e9, "master_cpu_s_per_gib": used[0] / gib,
                    "slave_cpu_s_per_gib": used[1] / gib}

    def stop(self):
        pass


def puts(settings, producers, **more):
    """Anywhere first: the master has several threads, and one CPU with the client is too little."""
    return [("ours", "pinned" if pinned else "anywhere", Put(settings, producers, pinned, **more))
            for pinned in settings.pick((False, True), (False,))]
