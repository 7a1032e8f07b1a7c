"""Redis with one replica as a contender: SET and WAIT 1, the replicated write that people would otherwise
reach for. Debian's redis-server, nothing kept on disk; the client (redis/put.c) is a process of its own,
so its socket is part of every figure."""
import atexit
import os
import pathlib
import shutil
import socket
import time

from rocketmq import ANYWHERE, free_port
from runner import Missing, Program, launch


def cpu_s(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Servers:
    running = None

    def __init__(self, settings):
        if shutil.which("redis-server") is None:
            raise Missing("no redis-server (Debian's package of that name)")
        self.port, replica_port = free_port(), free_port()
        self.master = self.launch(settings, self.port)
        self.replica = self.launch(settings, replica_port, "--replicaof", "127.0.0.1", self.port)
        deadline = time.monotonic() + 30
        while "master_link_status:up" not in self.info(replica_port):
            if time.monotonic() > deadline:
                raise RuntimeError("Redis' replica did not find its master within 30 s")
            time.sleep(.05)

    @classmethod
    def get(cls, settings):
        cls.running = cls.running or cls(settings)
        return cls.running

    @classmethod
    def stop(cls):
        if cls.running:
            for process in (cls.running.replica, cls.running.master):
                process.kill()
                process.wait()
        cls.running = None

    @staticmethod
    def launch(settings, port, *more):
        out = open(settings.scratch / f"redis.{port}.log", "w")
        return launch(["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
                       "--appendonly", "no", "--dir", settings.scratch,
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


class Put:
    def __init__(self, settings, producers, window, body, pinned):
        self.settings = settings
        self.load = ("--producers", producers, "--window", window, "--body", body, "--seconds",
                     settings.pick(2, 1), *(("--cpus", "0,-1") if pinned else ()))
        self.cpus = ({0}, {1}) if pinned else (ANYWHERE, ANYWHERE)

    def start(self):
        Servers.get(self.settings)

    def run(self):
        servers = Servers.get(self.settings)
        for process, cpus in zip((servers.master, servers.replica), self.cpus):
            for thread in os.listdir(f"/proc/{process.pid}/task"):
                os.sched_setaffinity(int(thread), cpus)
        client = Program(self.settings, "ha_redis_put", "--port", servers.port, *self.load)
        before = [cpu_s(process) for process in (servers.master, servers.replica)]
        result = client.run()
        used = [cpu_s(process) - was
                for process, was in zip((servers.master, servers.replica), before)]
        messages = result.pop("all")
        result["master_cpu_us_per_message"] = used[0] * 1e6 / messages
        result["slave_cpu_us_per_message"] = used[1] * 1e6 / messages
        return result

    def stop(self):
        pass


def puts(settings, producers, window=1, body=1024):
    """The client beside the master on one CPU, or everybody anywhere: the best one counts."""
    return [("Redis", way, Put(settings, producers, window, body, pinned))
            for way, pinned in (("pinned", True), ("anywhere", False))]
