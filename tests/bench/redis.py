# SPDX-License-Identifier: Apache-2.0
"""Redis with one replica as a contender: SET and WAIT 1, the replicated write that people would
otherwise reach for. Debian's redis-server, nothing kept on disk unless a row says so; the client
(redis/put.c) is a process of its own, so its socket is part of every figure."""
import atexit
import dataclasses
import pathlib
import shutil
import socket
import tempfile
import time

from client_load import WARM_UP_S, ClientLoad
from rocketmq import free_port
from runner import Missing, launch

PATIENCE_S = 120


@dataclasses.dataclass(frozen=True)
class Kept:
    """What its servers keep. disk: where append-only files lie; None = nothing is kept."""
    disk: pathlib.Path = None
    fsync: str = "everysec"
    mib: int = 0  # in the master before its replica comes


class Servers:
    running = {}  # by what they keep

    def __init__(self, settings, kept):
        if shutil.which("redis-server") is None:
            raise Missing("no redis-server (Debian's package of that name)")
        self.settings = settings
        self.kept = kept
        self.directory = tempfile.mkdtemp(prefix="redis.", dir=kept.disk or settings.scratch)
        self.processes = {}  # and where its files are
        self.port = free_port()
        try:
            self.master = self.launch(self.port)
            self.wait_until("its master answers", lambda: "role:master" in self.ask(self.port))
            if kept.mib:
                # Not for what the append-only file costs: a full copy needs no such file.
                self.ask(self.port, f"DEBUG POPULATE {kept.mib} fill {1 << 20}")
            self.replica = self.add_replica()
        except Exception:
            self.kill()
            raise

    @classmethod
    def get(cls, settings, kept):
        if kept not in cls.running:
            cls.running[kept] = cls(settings, kept)
        return cls.running[kept]

    @classmethod
    def drop(cls, kept):
        if kept in cls.running:
            cls.running.pop(kept).kill()

    @classmethod
    def stop(cls):
        for kept in list(cls.running):
            cls.drop(kept)

    def kill(self):
        for process in list(self.processes):
            self.end(process)
        shutil.rmtree(self.directory, ignore_errors=True)

    def end(self, process):
        process.kill()
        process.wait()
        shutil.rmtree(self.processes.pop(process), ignore_errors=True)

    def add_replica(self):
        """Returns when it has a copy of everything."""
        port = free_port()
        replica = self.launch(port, "--replicaof", "127.0.0.1", self.port)
        self.wait_until("a replica finds its master",
                        lambda: "master_link_status:up" in self.ask(port))
        return replica

    def launch(self, port, *more):
        directory = pathlib.Path(self.directory, str(port))
        directory.mkdir()
        out = open(self.settings.scratch / f"redis.{port}.log", "w")
        # Uncompressed: what DEBUG POPULATE fills in would shrink to nothing.
        process = launch(
            ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", directory,
             "--appendonly", "yes" if self.kept.disk else "no", "--appendfsync", self.kept.fsync,
             "--rdbcompression", "no", "--enable-debug-command", "yes",
             "--repl-diskless-sync-delay", "0", *more], stdout=out, stderr=out)
        out.close()
        self.processes[process] = directory
        return process

    def wait_until(self, what, condition):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if any(process.poll() is not None for process in self.processes):
                raise RuntimeError("Redis: a server ended")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Redis: {what}: not within {PATIENCE_S} s")
            time.sleep(.02)

    @staticmethod
    def ask(port, command="INFO replication"):
        try:
            with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as link:
                link.sendall(command.encode() + b"\r\n")
                said = link.recv(65536).decode()
        except ConnectionError:
            return ""
        if said.startswith("-") and not said.startswith("-LOADING"):
            raise RuntimeError(f"Redis: {command}: {said.strip()}")
        return said


atexit.register(Servers.stop)


class Put(ClientLoad):
    """kept.mib: beside a second replica that comes meanwhile and has to get all of that."""

    def __init__(self, settings, producers, window=1, body=1024, pinned=False, kept=Kept(), load=(),
                 seconds=None):
        super().__init__(settings, "ha_redis_put", producers, pinned, "--window", window, "--body",
                         body, *load, seconds=seconds)
        self.kept = kept

    def start(self):
        Servers.get(self.settings, self.kept)

    def run(self):
        servers = Servers.get(self.settings, self.kept)

        def second_replica(client):
            time.sleep(WARM_UP_S)
            begun = time.monotonic()
            replica = servers.add_replica()
            took = time.monotonic() - begun
            client.terminate()
            servers.end(replica)
            return {"catch_up_s": took}
        return self.measure(servers.port, servers.master, servers.replica,
                            second_replica if self.kept.mib else None)

    def stop(self):
        if self.kept != Kept():  # the others live from row to row
            Servers.drop(self.kept)


def puts(settings, producers, window=1, body=1024, **more):
    """The client beside the master on one CPU, or everybody anywhere: the best one counts. Pinned,
    one producer is faster and many are not; quick does without the slower of the two."""
    return [("Redis", "pinned" if pinned else "anywhere",
             Put(settings, producers, window, body, pinned, **more))
            for pinned in settings.pick((True, False), (producers == 1,))]
