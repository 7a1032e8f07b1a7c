#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Three hosts that replace a master by themselves, with a lock service that they bring along.

    coordinated_host.py libha_plugin.so ID REPLICAS STATE_DIR SERVICE

    REPLICAS   a@127.0.0.1:10911,b@127.0.0.1:10912,c@127.0.0.1:10913, the same for each
    SERVICE    file:/tmp/locks.json, or what kubernetes_lease.py says

Start one for each of a, b and c. One of them says "role master": type lines there. Kill it with
SIGKILL, and go on in the one that says so then. At the end of its input a host prints its log.

The host is that of minimal_host.py. What is new is extension ha.host.coordinator/1, by
lock_service.py.
"""
import ctypes as c
import sys

import lock_service
import minimal_host as minimal
from minimal_host import OK, i32, ptr, text

MASTER, COPIES = 1, 2
ROLES = {0: "none", 1: "master", 2: "slave"}

GetExtension = c.CFUNCTYPE(ptr, ptr, text)


class HostApi(c.Structure):
    _fields_ = minimal.HostApi._fields_ + [("get_extension", GetExtension)]


class Host(minimal.Host):
    def __init__(self, service):
        super().__init__()
        self.role, self.epoch = 0, 0
        self.binding = lock_service.Binding(service)
        hooks = {name: getattr(self.api, name) for name, _ in minimal.HostApi._fields_}
        self.plain = self.api  # owns the callbacks
        self.api = HostApi(**{**hooks, "struct_size": c.sizeof(HostApi)},
                           get_extension=GetExtension(self.on_get_extension))

    def on_get_extension(self, _, name):
        return c.addressof(self.binding.table) if name == b"ha.host.coordinator/1" else None

    def on_role_changed(self, _, report):
        # Also those that nobody asked for: the plugin says what this node is now.
        super().on_role_changed(_, report)
        with self.changed:
            self.role, self.epoch, self.joined = report[0].role, report[0].epoch, 0
            self.changed.notify_all()
        print("role", ROLES[report[0].role], "epoch", report[0].epoch, flush=True)

    def on_log(self, _, level, line, size):
        if level > minimal.LOG_INFO:
            super().on_log(_, level, line, size)


def make_service(name):
    kind, _, where = name.partition(":")
    if kind == "file":
        return lock_service.FileLocks(where)
    if kind == "kubernetes":
        import kubernetes_lease
        return kubernetes_lease.KubernetesLease.parse(where)
    sys.exit(f"'{name}' must begin with file: or kubernetes:")


def produce(plugin, instance, host, line):
    with host.changed:
        # A slave may have yet to find its new master.
        host.changed.wait_for(lambda: host.role != MASTER or host.joined > 0, timeout=10)
        if host.role != MASTER:
            return "this node is not master"
        host.log += line
        end, epoch = len(host.log), host.epoch
    plugin.notify_appended(instance, end)
    status = minimal.wait_for_copies(plugin, instance, end, COPIES, epoch)
    return "acknowledged" if status == OK else plugin.status_text(status).decode()


def main():
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    path, name, replicas, state_dir, service = sys.argv[1:]
    host, error = Host(make_service(service)), minimal.Error(struct_size=c.sizeof(minimal.Error))
    address = dict(node.split("@") for node in replicas.split(","))[name]
    given = {"listen": address, "replica_id": name, "replicas": replicas, "cluster_id": "example",
             "state_dir": state_dir, "coordinator": "host"}
    if service.startswith("kubernetes:"):
        given["coordinator_ttl_ms"] = "6000"  # every renewal is a write to the API server

    entry = c.CDLL(path, mode=c.RTLD_LOCAL).ha_plugin_entry_v1
    entry.restype = c.POINTER(minimal.PluginApi)
    table = entry(c.byref(host.api), c.byref(error))
    if not table:
        sys.exit(error.text.decode())
    plugin = table[0]
    options = (minimal.Option * len(given))(*[minimal.Option(k.encode(), v.encode())
                                              for k, v in given.items()])
    params = minimal.CreateParams(struct_size=c.sizeof(minimal.CreateParams),
                                  option_stride=c.sizeof(minimal.Option), options=options,
                                  option_count=len(options))
    role = minimal.RoleChange(struct_size=c.sizeof(minimal.RoleChange), role=minimal.SLAVE)
    create = c.cast(plugin.create, c.CFUNCTYPE(i32, ptr, c.POINTER(minimal.CreateParams),
                                               c.POINTER(ptr), minimal.PError))
    instance = ptr()
    if (create(c.addressof(host.api), c.byref(params), c.byref(instance), c.byref(error)) != OK
            or plugin.start(instance, c.byref(role), c.byref(error)) != OK):
        sys.exit(error.text.decode())
    minimal.stop_at_exit(plugin, instance)
    for line in sys.stdin.buffer:
        print(produce(plugin, instance, host, line), flush=True)
    plugin.stop(instance, 1000, None)
    sys.stdout.buffer.write(host.log)


if __name__ == "__main__":
    main()
