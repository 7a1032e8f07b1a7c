#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A bad network in user space, for kernels that have no netem.

Each cable has two ends, both interfaces of this process's network namespace: one is a node's, the
other one goes to everybody else. Each IP packet that comes from a node, or goes to one from another
host, is lost with a probability, or delayed by a time between zero and the jitter, so packets overtake
each other, as with netem. It happens once on each way: a packet between two nodes is judged where it
leaves the first. Packets of a host that is spared, and what is not IPv4 (ARP), go on at once.

Says "ready" when packets go through, and when its input ends, what it did, as JSON.

Usage: rough_network.py --loss PERCENT --jitter-ms N --seed N [--spare IP] --nodes IP,... NODE_END:OTHER_END ...
"""

import argparse
import heapq
import itertools
import json
import random
import select
import socket
import sys
import time

ETH_P_ALL = 3
SOL_PACKET = 263
# Packets come as the sender's kernel has them: not yet cut to the size of a cable, and without checksums.
# This header says so, and goes on with the packet.
PACKET_VNET_HDR = 15
PACKET_IGNORE_OUTGOING = 23
HEADER = 10
ETHERTYPE = slice(HEADER + 12, HEADER + 14)
SOURCE = slice(HEADER + 26, HEADER + 30)
TARGET = slice(HEADER + 30, HEADER + 34)
IPV4 = b"\x08\x00"


def end_of_cable(interface):
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    end.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    end.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    end.bind((interface, ETH_P_ALL))
    end.setblocking(False)
    return end


class Way:
    """What happened to packets one way: from nodes, or to them."""

    def __init__(self):
        self.packets = self.lost = self.overtaken = 0
        self.delays = []
        self.latest = 0

    def report(self):
        found = sorted(self.delays) or [0.0]
        return {"packets": self.packets, "lost": self.lost, "overtaken": self.overtaken,
                "mean_ms": round(1000 * sum(found) / len(found), 1), "least_ms": round(1000 * found[0], 1),
                "longest_ms": round(1000 * found[-1], 1)}


class RoughNetwork:
    def __init__(self, args):
        self.loss, self.jitter = args.loss / 100, args.jitter_ms / 1000
        self.chance = random.Random(args.seed)
        self.spared = {socket.inet_aton(ip) for ip in args.spare}
        self.nodes = {socket.inet_aton(ip) for ip in args.nodes.split(",")}
        self.ways = {"from nodes": Way(), "to nodes": Way()}
        self.there = {}  # end of a cable: (the other one, which way)
        for cable in args.cables:
            ours, others = (end_of_cable(interface) for interface in cable.split(":"))
            self.there[ours] = others, self.ways["from nodes"]
            self.there[others] = ours, self.ways["to nodes"]
        self.under_way = []  # heap: (when due, number, when it came, to where, the packet, which way)
        self.number = itertools.count()

    def is_judged(self, packet, way):
        if packet[ETHERTYPE] != IPV4 or self.spared & {packet[SOURCE], packet[TARGET]}:
            return False
        return way is self.ways["from nodes"] or packet[SOURCE] not in self.nodes

    def take(self, end):
        to, way = self.there[end]
        while True:
            try:
                packet = end.recv(1 << 17)
            except BlockingIOError:
                return
            now = time.monotonic()
            if not self.is_judged(packet, way):
                self.send(to, packet)
                continue
            number = next(self.number)
            way.packets += 1
            if self.chance.random() < self.loss:
                way.lost += 1
                continue
            heapq.heappush(self.under_way,
                           (now + self.chance.uniform(0, self.jitter), number, now, to, packet, way))

    def send(self, to, packet):
        try:
            to.send(packet)
        except OSError:
            pass  # the cable is down, or full: networks lose packets

    def deliver(self):
        while self.under_way and self.under_way[0][0] <= time.monotonic():
            _, number, came, to, packet, way = heapq.heappop(self.under_way)
            self.send(to, packet)
            way.delays.append(time.monotonic() - came)
            way.overtaken += number < way.latest
            way.latest = max(way.latest, number)

    def run(self):
        print("ready", flush=True)
        while True:
            pause = max(0, self.under_way[0][0] - time.monotonic()) if self.under_way else None
            for end in select.select([*self.there, sys.stdin], [], [], pause)[0]:
                if end is sys.stdin:
                    return
                self.take(end)
            self.deliver()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loss", type=float, required=True)
    parser.add_argument("--jitter-ms", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--spare", action="append", default=[])
    parser.add_argument("--nodes", required=True)
    parser.add_argument("cables", nargs="+")
    network = RoughNetwork(parser.parse_args())
    try:
        network.run()
    except KeyboardInterrupt:
        pass
    print(json.dumps({name: way.report() for name, way in network.ways.items()}), flush=True)


if __name__ == "__main__":
    main()
