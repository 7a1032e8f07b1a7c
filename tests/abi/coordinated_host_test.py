#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Three hosts of coordinated_host.py: the master is killed, and another one goes on.

usage: coordinated_host_test.py PLUGIN EXAMPLES_DIR file|kubernetes
"""
import contextlib
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading

from fake_kubernetes import FakeKubernetes

PATIENCE_S = 60


class Node:
    def __init__(self, name, said, command, errors):
        self.name, self.errors, self.lines = name, errors, []
        with open(errors, "w") as stderr:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=stderr, text=True)
        self.reader = threading.Thread(target=self.read, args=(said,))
        self.reader.start()

    def read(self, said):
        for line in self.process.stdout:
            self.lines.append(line)
            said.put((self, line.strip()))

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self, kill=False):
        if kill:
            self.process.kill()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(PATIENCE_S)
        self.reader.join()
        self.process.stdout.close()


def free_addresses(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = ["127.0.0.1:%d" % each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return addresses


def next_master(said):
    while True:
        node, line = said.get(timeout=PATIENCE_S)
        if line.startswith("role master") and node.process.poll() is None:
            return node


def acknowledge(node, said, line):
    """A slave may have yet to find its master. What was not acknowledged is in the log too."""
    while True:
        node.say(line)
        while (got := said.get(timeout=PATIENCE_S))[0] is not node or got[1].startswith("role"):
            pass
        if got[1] == "acknowledged":
            return


def run(plugin, examples, service, folder, at_end):
    addresses = dict(zip("abc", free_addresses(3)))
    replicas = ",".join(f"{name}@{address}" for name, address in addresses.items())
    said, nodes = queue.Queue(), {}
    for name in addresses:
        os.mkdir(f"{folder}/{name}")
        nodes[name] = Node(name, said, [sys.executable, f"{examples}/coordinated_host.py", plugin,
                                        name, replicas, f"{folder}/{name}", service],
                           f"{folder}/{name}.err")
        at_end.callback(nodes[name].end, kill=True)
    try:
        first = next_master(said)
        acknowledge(first, said, "one")
        first.end(kill=True)
        second = next_master(said)
        acknowledge(second, said, "two")
        third = next(node for node in nodes.values() if node not in (first, second))
        second.end()
        third.end()
    except queue.Empty:
        for node in nodes.values():
            print(node.name, node.lines, open(node.errors).read()[-2000:])
        sys.exit("FAILED: nothing happened")
    logs = [[line for line in node.lines if line in ("one\n", "two\n")] for node in (second, third)]
    if logs[0] != logs[1] or logs[0] != sorted(logs[0]) or set(logs[0]) != {"one\n", "two\n"}:
        sys.exit(f"FAILED: what was acknowledged is not in both logs: {logs}")
    print(f"{first.name} was master, then {second.name}; both logs have {len(logs[0])} lines")


def main():
    plugin, examples, kind = sys.argv[1:]
    with contextlib.ExitStack() as at_end:
        folder = at_end.enter_context(tempfile.TemporaryDirectory())
        service = f"file:{folder}/locks.json"
        if kind == "kubernetes":
            fake = FakeKubernetes()
            at_end.callback(fake.stop)
            service = f"kubernetes:prod/ha@{fake.url}"
        run(plugin, examples, service, folder, at_end)


if __name__ == "__main__":
    main()
