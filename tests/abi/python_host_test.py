#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hosts in Python: one raises in a hook, one lies, and some exit in the midst of it.

usage: python_host_test.py PLUGIN EXAMPLES_DIR append|lie|exit|exit-unstopped [RUNS]
"""
import ctypes as c
import os
import pathlib
import platform
import subprocess
import sys
import threading
import time

EXIT_CODE = 7  # what a host that exits in the midst of it exits with
NOT_ENDED = 8  # of the same, if a thread of the plugin was not ended
# pause(2), where a thread of the plugin stays that the interpreter has ended. arm64 has ppoll for it.
PAUSE = {"x86_64": b"34", "aarch64": b"73"}[platform.machine()]
PATIENCE_S = 30


def node(example, plugin, host, master=None):
    """A started instance and where it listens."""
    error = example.Error(struct_size=c.sizeof(example.Error))
    wire = b"native" if master is None else b"auto"
    options = (example.Option * 2)(example.Option(b"listen", b"127.0.0.1:0"),
                                   example.Option(b"wire", wire))
    params = example.CreateParams(struct_size=c.sizeof(example.CreateParams),
                                  option_stride=c.sizeof(example.Option), options=options,
                                  option_count=len(options))
    role = example.RoleChange(struct_size=c.sizeof(example.RoleChange),
                              role=example.SLAVE if master else example.MASTER,
                              master_address=master)
    instance = example.ptr()
    if (plugin.create(c.byref(host.api), c.byref(params), c.byref(instance), c.byref(error)) != 0
            or plugin.start(instance, c.byref(role), c.byref(error)) != 0):
        sys.exit(error.text.decode())
    now = example.Snapshot(struct_size=c.sizeof(example.Snapshot))
    plugin.snapshot(instance, c.byref(now))
    return instance, now.listen_address


def pair(example, path, slave_host):
    entry = c.CDLL(path, mode=c.RTLD_LOCAL).ha_plugin_entry_v1
    entry.restype = c.POINTER(example.PluginApi)
    master_host = example.Host()
    plugin = entry(c.byref(master_host.api), None)[0]
    master, address = node(example, plugin, master_host)
    slave, _ = node(example, plugin, slave_host, address)
    with master_host.changed:
        master_host.changed.wait_for(lambda: master_host.joined > 0)
    return plugin, master_host, master, slave


def produce(example, plugin, host, master, line):
    host.on_append(None, 0, len(host.log), line, len(line), None)
    plugin.notify_appended(master, len(host.log))
    done, result = threading.Event(), []

    @example.WaitFn
    def on_replicated(_, status, end):
        result.append(status)
        done.set()

    request = example.WaitRequest(struct_size=c.sizeof(example.WaitRequest), acks=2,
                                  end=len(host.log), timeout_ns=10**9, fn=on_replicated)
    status = plugin.wait_replicated(master, c.byref(request))
    if status != example.OK:
        return status
    done.wait()
    return result[0]


def bad_append(example, path, hook):
    """The slave's append fails in Python, or lies: the producer must not be told OK."""
    class Bad(example.Host):
        on_append = hook

    slave_host = Bad()
    plugin, master_host, master, slave = pair(example, path, slave_host)
    status = produce(example, plugin, master_host, master, b"a line\n")
    plugin.stop(slave, 0, None)
    plugin.stop(master, 0, None)
    plugin.destroy(slave)
    plugin.destroy(master)
    if status in (example.OK, example.DONE):
        sys.exit("FAILED: the producer was told OK, and the slave holds "
                 f"{len(slave_host.log)} bytes")


def raises(self, *_):
    raise ValueError("the host's own mistake")


def lies(self, *_):
    return 0


class Last:
    """Deleted while the interpreter ends. It then lets both I/O threads call into the interpreter, which
    ends them. One that called after its end would crash in CPython 3.11 (PyGILState_Ensure), and no
    plugin can prevent that. Names of modules are gone by then, so it keeps what it needs."""

    def __init__(self, plugin, instances):
        self.plugin, self.instances = plugin, instances
        self.now, self.patience_s = time.monotonic, PATIENCE_S
        self.open, self.exit = open, os._exit
        self.not_ended, self.pause = NOT_ENDED, PAUSE
        self.threads = [f"{task}/syscall" for task in pathlib.Path("/proc/self/task").iterdir()
                        if (task / "comm").read_text() == "ha-io\n"]

    def has_ended(self, thread):
        with self.open(thread, "rb") as file:
            return file.read().split()[0] == self.pause

    def __del__(self):
        deadline = self.now() + self.patience_s
        while not all(self.has_ended(thread) for thread in self.threads):
            if self.now() > deadline:
                self.exit(self.not_ended)
            for instance in self.instances:
                self.plugin.notify_appended(instance, 0)


def exit_in_the_midst(example, path, unstopped):
    """Hooks and callbacks run on several threads, and the interpreter ends."""
    slave_host = example.Host()
    plugin, host, master, slave = pair(example, path, slave_host)
    if unstopped:
        # The contract asks for the table until destroy, so it outlives the interpreter. What is
        # left to go wrong is that CPython ends every thread that calls into it from now on.
        for kept in (host, slave_host):
            c.pythonapi.Py_IncRef(c.py_object(kept))
        sys.last = Last(plugin, (master, slave))
        assert len(sys.last.threads) == 2
    else:
        example.stop_at_exit(plugin, slave)
        example.stop_at_exit(plugin, master)
    for i in range(50):
        produce(example, plugin, host, master, b"%d\n" % i)
    for i in range(200):
        line = b"%d\n" % i
        host.on_append(None, 0, len(host.log), line, len(line), None)
        plugin.notify_appended(master, len(host.log))
    sys.exit(EXIT_CODE)


def main():
    path, examples, what = sys.argv[1:4]
    sys.path.insert(0, examples)
    import minimal_host as example
    example.Host.on_log = lambda *_: None
    if what == "append":
        bad_append(example, path, raises)
    elif what == "lie":
        bad_append(example, path, lies)
    elif what.endswith("-now"):
        exit_in_the_midst(example, path, what.startswith("exit-unstopped"))
    elif what in ("exit", "exit-unstopped"):
        runs = int(sys.argv[4])
        for run in range(runs):
            ended = subprocess.run([sys.executable, os.path.abspath(__file__), path, examples,
                                    what + "-now"], timeout=60, capture_output=True, text=True)
            if ended.returncode != EXIT_CODE:
                sys.exit(f"FAILED: run {run} of {runs} ended with {ended.returncode}: "
                         f"{ended.stderr[-500:]}")
        print(f"{runs} hosts ended as they wanted")


if __name__ == "__main__":
    main()
