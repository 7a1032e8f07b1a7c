# SPDX-License-Identifier: Apache-2.0
"""Redis with one replica as a contender: SET and WAIT 1, the replicated write that people would
otherwise reach for. Debian's redis-server, nothing kept on disk unless a row says so; the client
(redis/put.c) is a process of its own, so its socket is part of every figure."""
import atexit
import shutil
import socket
import time

from client_load import ClientLoad
from rocketmq import free_port
from runner import Missing, launch


class Servers:
    running = {}  # by disk

    def __init__(self, settings, disk):
        """disk: a directory for append-only files, synced once a second; None = nothing is kept."""
        self.disk = disk
        if shutil.which("redis-server") is None:
            raise Missing("no redis-server (Debian's package of that name)")
        self.port, replica_port = free_port(), free_port()
        self.master = self.launch(settings, self.port)
        self.replica = self.launch(settings, replica_port, "--replicaof", "127.0.0.1", self.port)
        deadline = time.monotonic() + 30
        while "master_link_status:up" not in self.info(replica_port):
            if time.monotonic() > deadline:
                self.kill()
                raise RuntimeError("Redis' replica did not find its master within 30 s")
            time.sleep(.05)

    @classmethod
    def get(cls, settings, disk=None):
        if disk not in cls.running:
            cls.running[disk] = cls(settings, disk)
        return cls.running[disk]

    @classmethod
    def stop(cls):
        for servers in cls.running.values():
            servers.kill()
        cls.running = {}

    def kill(self):
        for process in (self.replica, self.master):
            process.kill()
            process.wait()
        if self.disk:
            shutil.rmtree(self.disk, ignore_errors=True)

    def launch(self, settings, port, *more):
        out = open(settings.scratch / f"redis.{port}.log", "w")
        directory = settings.scratch
        if self.disk:
            directory = self.disk / str(port)
            directory.mkdir(parents=True)
        return launch(["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
                       "--appendonly", "yes" if self.disk else "no", "--dir", directory,
                       "--repl-diskless-sync-delay", "0", *more], stdout=out, stderr=out)

    @staticmethod
    def info(port):
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as link:
                link.sendall(b"INFO replication\r\n")
                return link.recv(65536).decode()
        except OSError:
            return ""


atexit.register(Servers.stop)


class Put(ClientLoad):
    def __init__(self, settings, producers, window, body, pinned, disk=None, load=(), seconds=None):
        super().__init__(settings, "ha_redis_put", producers, pinned, "--window", window, "--body",
                         body, *load, seconds=seconds)
        self.disk = disk

    def start(self):
        Servers.get(self.settings, self.disk)

    def run(self):
        servers = Servers.get(self.settings, self.disk)
        return self.measure(servers.port, servers.master, servers.replica)


def puts(settings, producers, window=1, body=1024):
    """The client beside the master on one CPU, or everybody anywhere: the best one counts. Pinned,
    one producer is faster and many are not; quick does without the slower of the two."""
    return [("Redis", "pinned" if pinned else "anywhere",
             Put(settings, producers, window, body, pinned))
            for pinned in settings.pick((True, False), (producers == 1,))]
