# SPDX-License-Identifier: Apache-2.0
"""A client program that loads a server in a process of its own, and the CPU time that the server
and its replica need meanwhile. What every contender with a client's socket shares (redis.py,
stub_http.py)."""
import os
import pathlib

from runner import Program

ANYWHERE = range(os.cpu_count())
WARM_UP_S = .5  # of common/clients.c


def cpu_s(process):
    """Of the threads that it has now, in seconds. /proc/PID/stat counts those that have ended too, but
    in ticks of 10 ms."""
    used = 0
    for thread in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
        try:
            used += int((thread / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has ended since
    return used / 1e9


def pin(process, cpus):
    """The threads that there are; those that they start inherit it."""
    for thread in os.listdir(f"/proc/{process.pid}/task"):
        try:
            os.sched_setaffinity(int(thread), cpus)
        except ProcessLookupError:
            pass  # it has ended since


class ClientLoad:
    """Pinned: the client beside the master on CPU 0, the replica on CPU 1."""

    def __init__(self, settings, program, producers, pinned, *more, seconds=None):
        self.settings = settings
        self.program = program
        self.load = ("--producers", producers, "--seconds", seconds or settings.pick(2, 1), *more,
                     *(("--cpus", "0,-1") if pinned else ()))
        self.cpus = ({0}, {1}) if pinned else (ANYWHERE, ANYWHERE)

    def measure(self, port, master, replica, meanwhile=None):
        """meanwhile: what is done while the client runs; it gets the client's process."""
        servers = (master, replica)
        for process, cpus in zip(servers, self.cpus):
            pin(process, cpus)
        before = [cpu_s(process) for process in servers]
        client = Program(self.settings, self.program, "--port", port, *self.load)
        process = client.begin()
        try:
            extra = meanwhile(process) if meanwhile else {}
        except Exception:
            process.kill()
            process.communicate()
            raise
        result = {**client.finish(process), **extra}
        used = [cpu_s(process) - was for process, was in zip(servers, before)]
        messages = result.pop("all")
        result["master_cpu_us_per_message"] = used[0] * 1e6 / messages
        result["slave_cpu_us_per_message"] = used[1] * 1e6 / messages
        return result

    def stop(self):
        pass

