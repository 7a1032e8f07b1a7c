# SPDX-License-Identifier: Apache-2.0
"""Our stub broker through its HTTP API as a contender: `ha_stub serve` as a master and its slaves,
puts that wait for one of these, stores on tmpfs or on a disk, and the client ours/http_put.c. Started anew for
each run, which takes milliseconds, so that no run finds another one's log."""
import json
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from client_load import ClientLoad
from runner import Missing, launch

PATIENCE_S = 30


def port_of(address):
    return int(address.rsplit(":", 1)[1])


class Server:
    def __init__(self, settings, directory, name, role, *more):
        self.store = f"{directory}/{name}"
        self.errors = open(f"{directory}/{name}.err", "w+")
        self.process = launch(
            [settings.build / "ha_stub", "serve", "--role", role, "--store", self.store, "--http",
             "127.0.0.1:0", "--ha-listen", "127.0.0.1:0", "--log-level", "error", "--segment-size",
             settings.pick("1G", "256M"), *more],
            stdout=subprocess.PIPE, stderr=self.errors, text=True)
        line = self.process.stdout.readline()  # it says so when it is ready
        if not line:
            self.errors.seek(0)
            raise RuntimeError(f"ha_stub serve ended: {self.errors.read().strip()[:500]}")
        ready = json.loads(line)
        self.http, self.ha = port_of(ready["http"]), ready["ha"]

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()


def wait_until_replicated(port, copies):
    """A first message: the slaves are there, and the topic."""
    message = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/topics/bench/messages?acks={copies}", b"x",
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


def connected_slaves(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/status", timeout=5) as answer:
        return sum(one["connected"] for one in json.load(answer)["ha"]["replicas"])


class Put(ClientLoad):
    """stopped: so many of the slaves are in SIGSTOP meanwhile, and connected all the same.
    directory: where the stores lie."""

    def __init__(self, settings, producers, pinned=False, slaves=1, stopped=0, directory=None,
                 load=(), seconds=None):
        super().__init__(settings, "ha_http_put", producers, pinned, *load, seconds=seconds)
        self.slaves = slaves
        self.stopped = stopped
        self.directory = directory or settings.scratch

    def start(self):
        for program in ("ha_stub", self.program):
            if not (self.settings.build / program).exists():
                raise Missing(f"{program} is not built")

    def run(self):
        directory = tempfile.mkdtemp(prefix="http.", dir=self.directory)
        servers = []
        try:
            # Not even a slow run shall end the connection of a slave that is stopped.
            servers.append(Server(self.settings, directory, "master", "master", "--option",
                                  "native_housekeeping_ms=60000"))
            for number in range(self.slaves):
                servers.append(Server(self.settings, directory, f"slave{number}", "slave",
                                      "--master", servers[0].ha))
            master, first = servers[:2]
            wait_until_replicated(master.http, 1 + self.slaves)
            for server in servers[len(servers) - self.stopped:]:
                server.process.send_signal(signal.SIGSTOP)
            result = self.measure(master.http, master.process, first.process)
            if connected_slaves(master.http) != self.slaves:
                raise RuntimeError(f"ha_stub: not all of {self.slaves} slaves are still connected")
            return result
        finally:
            for server in servers[len(servers) - self.stopped:]:
                server.process.send_signal(signal.SIGCONT)
            for server in reversed(servers):
                server.stop()
            shutil.rmtree(directory, ignore_errors=True)


def puts(settings, producers):
    """Anywhere first: the master has several threads, and one CPU with the client is too little."""
    return [("ours", "pinned" if pinned else "anywhere", Put(settings, producers, pinned))
            for pinned in settings.pick((False, True), (False,))]
