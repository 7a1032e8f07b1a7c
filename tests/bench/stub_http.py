"""Our stub broker through its HTTP API as a contender: `ha_stub serve` twice, a master whose puts
wait for its slave, stores on tmpfs, and the client ours/http_put.c. Started anew for each run,
which takes milliseconds, so that no run finds another one's log."""
import json
import shutil
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
    def __init__(self, settings, directory, role, *more):
        self.store = f"{directory}/{role}"
        self.errors = open(f"{directory}/{role}.err", "w+")
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


def wait_until_replicated(port):
    """A first message: the slave is there, and the topic."""
    message = urllib.request.Request(f"http://127.0.0.1:{port}/v1/topics/bench/messages?acks=2",
                                     b"x", {"Content-Type": "application/octet-stream"})
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            urllib.request.urlopen(message, timeout=5).close()
            return
        except urllib.error.HTTPError as refused:
            if refused.code != 503 or time.monotonic() > deadline:
                raise RuntimeError(f"ha_stub: {refused.read().decode()[:500]}") from refused
            time.sleep(.01)


class Put(ClientLoad):
    def __init__(self, settings, producers, pinned):
        super().__init__(settings, "ha_http_put", producers, pinned)

    def start(self):
        for program in ("ha_stub", self.program):
            if not (self.settings.build / program).exists():
                raise Missing(f"{program} is not built")

    def run(self):
        directory = tempfile.mkdtemp(prefix="http.", dir=self.settings.scratch)
        servers = []
        try:
            servers.append(Server(self.settings, directory, "master"))
            servers.append(Server(self.settings, directory, "slave", "--master", servers[0].ha))
            wait_until_replicated(servers[0].http)
            return self.measure(servers[0].http, *(server.process for server in servers))
        finally:
            for server in reversed(servers):
                server.stop()
            shutil.rmtree(directory, ignore_errors=True)


def puts(settings, producers):
    """Anywhere first: the master has several threads, and one CPU with the client is too little."""
    return [("ours", "pinned" if pinned else "anywhere", Put(settings, producers, pinned))
            for pinned in settings.pick((False, True), (False,))]
