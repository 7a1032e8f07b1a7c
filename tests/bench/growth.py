# SPDX-License-Identifier: Apache-2.0
"""What grows with what is there: a figure at several sizes, and the x of the n^x that fits best."""
import contextlib
import http.client
import math
import resource
import select
import socket
import statistics
import time

import stub_http
from row import Aim, Measure

FLAT = .2  # of an exponent: a cost that is paid for each item and ought not to grow


def measure(unit, points, aim=FLAT):
    """points: n -> key. The figure is the exponent, and the report names the points beside it."""
    return Measure(exponent_key(points), f"{unit} grows like n^x",
                   [Aim("<=", aim)] if aim is not None else [], points)


def exponent_key(points):
    return "exponent_" + next(iter(points.values()))


def exponent(points):
    """[(n, figure)]: least squares over the logarithms."""
    logs = [(math.log(n), math.log(max(value, 1e-3))) for n, value in points]  # noise may give 0
    n_mean, mean = (statistics.mean(column) for column in zip(*logs))
    return (sum((n - n_mean) * (value - mean) for n, value in logs) /
            sum((n - n_mean) ** 2 for n, _ in logs))


def fit(result, points):
    result[exponent_key(points)] = exponent([(n, result[key]) for n, key in points.items()])


def points(sizes, key):
    return {n: f"{key}_{n}" for n in sizes}


class Fitted:
    """A contender that measures at several sizes by itself."""

    def __init__(self, contender, points):
        self.contender = contender
        self.points = points
        self.start, self.stop = contender.start, contender.stop

    def run(self):
        result = self.contender.run()
        fit(result, self.points)
        return result


class Each:
    """A contender for each size."""

    def __init__(self, contenders, *keys):
        self.contenders = contenders  # n -> contender
        self.keys = keys

    def start(self):
        for contender in self.contenders.values():
            contender.start()

    def run(self):
        result = {}
        for n, contender in self.contenders.items():
            run = contender.run()
            result.update({f"{key}_{n}": run[key] for key in self.keys})
        for key in self.keys:
            fit(result, points(self.contenders, key))
        return result

    def stop(self):
        for contender in self.contenders.values():
            contender.stop()


class PutBesideStatus(stub_http.Put):
    """Asks a master with that many topics for /v1/status every 100 ms."""

    def __init__(self, settings, producers, topics, **more):
        super().__init__(settings, producers, **more)
        self.topics = topics

    def prepare(self, master):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", master.http)) as link:
            for number in range(self.topics - 1):  # one is there
                link.request("POST", f"/v1/topics/topic-{number}/messages?acks=1", b"x")
                answer = link.getresponse()
                if answer.status != 200:
                    raise RuntimeError(f"ha_stub: {answer.read().decode()[:500]}")
                answer.read()

    def meanwhile(self, nodes, client):
        took = []
        while client.poll() is None:
            begun = time.monotonic()
            with socket.create_connection(("127.0.0.1", nodes.servers[0].http)) as link:
                link.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                while link.recv(1 << 20):
                    pass
            took.append(time.monotonic() - begun)
            time.sleep(.1)
        return {"status_us": statistics.median(took) * 1e6}


class PutBesidePolls(stub_http.Put):
    """That many consumers wait for other queues of the same topic, each on its own connection."""

    def __init__(self, settings, producers, polls, **more):
        load = ("--queue", 0, *more.pop("load", ()))
        super().__init__(settings, producers, load=load, **more)
        self.polls = polls
        self.links = contextlib.ExitStack()

    def prepare(self, master):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self.poll = select.poll()
        for number in range(self.polls):
            link = self.links.enter_context(socket.create_connection(("127.0.0.1", master.http)))
            link.sendall(b"GET /v1/topics/bench/messages?queue=%d&from=0&wait_ms=60000 HTTP/1.1\r\n"
                         b"Host: x\r\n\r\n" % (1 + number % 3))
            self.poll.register(link, select.POLLIN)
        # One thread takes and reads its connections in order, so it has read all of them by then.
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", master.http)) as last:
            last.request("GET", "/healthz")
            last.getresponse().read()

    def run(self):
        with self.links:
            return super().run()

    def meanwhile(self, nodes, client):
        client.wait(timeout=300)
        if self.poll.poll(0):
            raise RuntimeError("ha_stub: a consumer of another queue was answered")
        return {}


class Restart:
    """A node that was killed starts again, with logs of 1 KiB messages of growing size."""

    def __init__(self, settings, sizes, mib):
        self.settings = settings
        self.sizes = sizes  # each times mib
        self.mib = mib

    def start(self):
        stub_http.need(self.settings, "ha_stub", "ha_http_put")

    def run(self):
        with stub_http.Nodes(self.settings, self.settings.disk, "1G") as nodes:
            nodes.add().put("bench", 1)
            result = {"ms_empty": self.restart_ms(nodes)}
            there = 0
            for size in self.sizes:
                more = size * self.mib - there
                nodes.servers[0].fill(self.settings, more, 1, "--line", 1024)
                there += more
                result[f"ms_{size}"] = self.restart_ms(nodes)
            fit(result, points(self.sizes, "ms"))
            return result

    @staticmethod
    def restart_ms(nodes):
        nodes.servers.pop().stop()  # SIGKILL
        begun = time.monotonic()
        nodes.add()
        return (time.monotonic() - begun) * 1e3

    def stop(self):
        pass
