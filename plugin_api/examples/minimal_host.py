#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The smallest complete host of a replication plugin, in Python's standard library alone.

    minimal_host.py libha_plugin.so master 10912            reads lines from standard input
    minimal_host.py libha_plugin.so slave 127.0.0.1:10912   until its standard input ends

Does what minimal_host.c does, line by line; that one says why. The structures below are those of
ha/plugin.h, shortened where a table may be: struct_size tells the plugin how much of it there is.
"""
import atexit
import ctypes as c
import errno
import sys
import threading
import traceback

OK, DONE, RANGE, IO, INTERNAL = 0, 1, -8, -13, -16
MASTER, SLAVE, REPLICA_JOINED, LOG_INFO = 1, 2, 1, 1
SEGMENT_BYTES = 64 * 1024 * 1024

i32, u32, i64, ptr, text = c.c_int32, c.c_uint32, c.c_int64, c.c_void_p, c.c_char_p


class Error(c.Structure):
    _fields_ = [("struct_size", u32), ("status", i32), ("os_errno", i32), ("reserved", u32),
                ("text", c.c_char * 496)]


class Bounds(c.Structure):
    _fields_ = [(name, i64) for name in ("min", "end", "durable", "confirm", "segment_size")]


class RoleReport(c.Structure):
    _fields_ = [("struct_size", u32), ("role", i32), ("reason", i32), ("status", i32),
                ("epoch", i64), ("text", text), ("number", i64)]


class ReplicaEvent(c.Structure):
    _fields_ = [("struct_size", u32), ("event", i32), ("state", i32), ("reason", i32),
                ("ack_offset", i64), ("id", text), ("address", text)]


class Option(c.Structure):
    _fields_ = [("key", text), ("value", text)]


class CreateParams(c.Structure):
    _fields_ = [("struct_size", u32), ("option_stride", u32), ("options", c.POINTER(Option)),
                ("option_count", i64), ("host_ctx", ptr)]


class RoleChange(c.Structure):
    _fields_ = [("struct_size", u32), ("role", i32), ("epoch", i64), ("master_address", text),
                ("flags", u32), ("reserved", u32), ("number", i64)]


WaitFn = c.CFUNCTYPE(None, ptr, i32, i64)


class WaitRequest(c.Structure):
    _fields_ = [("struct_size", u32), ("acks", i32), ("end", i64), ("epoch", i64),
                ("timeout_ns", i64), ("durability", i32), ("reserved", u32), ("fn", WaitFn),
                ("user", ptr)]


class Snapshot(c.Structure):
    _fields_ = [("struct_size", u32), ("replica_stride", u32), ("replicas", ptr),
                ("replica_capacity", i64), ("replica_count", i64), ("role", i32),
                ("client_state", i32), ("client_reason", i32), ("in_sync_count", i32),
                ("epoch", i64), ("bounds", Bounds), ("pending_waits", i64), ("listen_port", i64),
                ("metrics_port", i64), ("client_bytes_per_s", i64), ("client_last_read_ms", i64),
                ("client_last_write_ms", i64), ("listen_address", c.c_char * 64)]


PError = c.POINTER(Error)


class HostApi(c.Structure):
    _fields_ = [("struct_size", u32), ("flags", u32),
                ("bounds", c.CFUNCTYPE(i32, ptr, c.POINTER(Bounds))),
                ("record_floor", c.CFUNCTYPE(i32, ptr, i64, c.POINTER(i64))),
                ("read", c.CFUNCTYPE(i32, ptr, i64, ptr, i64, c.POINTER(i64))),
                ("pin", ptr), ("unpin", ptr),
                ("append", c.CFUNCTYPE(i32, ptr, i64, i64, ptr, i64, PError)),
                ("truncate", c.CFUNCTYPE(i32, ptr, i64, i64, u32, PError)),
                ("reset", ptr), ("flush", ptr), ("confirm", ptr),
                ("role_changed", c.CFUNCTYPE(None, ptr, c.POINTER(RoleReport))),
                ("replica_changed", c.CFUNCTYPE(None, ptr, c.POINTER(ReplicaEvent))),
                ("progress", ptr),
                ("log", c.CFUNCTYPE(None, ptr, i32, ptr, i64))]


class PluginApi(c.Structure):
    _fields_ = [("struct_size", u32), ("abi_minor", u32), ("name", text), ("version", text),
                ("create", c.CFUNCTYPE(i32, c.POINTER(HostApi), c.POINTER(CreateParams),
                                       c.POINTER(ptr), PError)),
                ("start", c.CFUNCTYPE(i32, ptr, c.POINTER(RoleChange), PError)),
                ("stop", c.CFUNCTYPE(i32, ptr, i64, PError)),
                ("destroy", c.CFUNCTYPE(None, ptr)),
                ("notify_appended", c.CFUNCTYPE(None, ptr, i64)),
                ("notify_durable", ptr), ("check_acks", ptr),
                ("wait_replicated", c.CFUNCTYPE(i32, ptr, c.POINTER(WaitRequest))),
                ("set_role", ptr), ("set_master_address", ptr), ("set_option", ptr),
                ("snapshot", c.CFUNCTYPE(i32, ptr, c.POINTER(Snapshot))),
                ("status_json", ptr), ("metrics_text", ptr),
                ("status_text", c.CFUNCTYPE(text, i32))]


def guarded(hook):
    """A hook that raises answers INTERNAL. Left to itself ctypes prints the exception and answers 0:
    OK, for something that was not done."""
    def call(*args):
        try:
            return hook(*args)
        except BaseException:
            traceback.print_exc()
            return INTERNAL
    return call


class Host:
    """The log in memory and the table of hooks over it. The mutex is never held while the plugin
    is called."""

    def __init__(self):
        self.changed = threading.Condition()
        self.log = bytearray()
        self.joined = 0
        types = dict(HostApi._fields_)
        hooks = ("bounds", "record_floor", "read", "append", "truncate", "role_changed",
                 "replica_changed", "log")
        # Kept in the structure, so that the callbacks live as long as the host.
        self.api = HostApi(struct_size=c.sizeof(HostApi),
                           **{name: types[name](guarded(getattr(self, "on_" + name)))
                              for name in hooks})

    def on_bounds(self, _, out):
        with self.changed:
            end = len(self.log)
        out[0] = Bounds(0, end, end, end, SEGMENT_BYTES)
        return OK

    def on_record_floor(self, _, offset, out):
        with self.changed:
            if not 0 <= offset <= len(self.log):
                return RANGE
            out[0] = self.log.rfind(b"\n", 0, offset) + 1
        return OK

    def on_read(self, _, offset, buffer, size, got):
        with self.changed:
            if not 0 <= offset < len(self.log):
                return RANGE
            piece = bytes(self.log[offset:offset + size])
        c.memmove(buffer, piece, len(piece))
        got[0] = len(piece)
        return OK

    def on_append(self, _, epoch, offset, data, size, error):
        with self.changed:
            if offset != len(self.log):
                return RANGE
            if size > SEGMENT_BYTES - offset:
                if error:
                    error[0].os_errno = errno.ENOSPC
                    error[0].text = b"the log is full: give it a new segment"
                return IO
            self.log += c.string_at(data, size)
        return OK

    def on_truncate(self, _, epoch, new_end, flags, error):
        with self.changed:
            if not 0 <= new_end <= len(self.log):
                return RANGE
            del self.log[new_end:]
        return OK

    def on_role_changed(self, _, report):
        if report[0].status < 0:
            print("role not taken:", report[0].text.decode(), file=sys.stderr)

    def on_replica_changed(self, _, event):
        if event[0].event == REPLICA_JOINED:
            with self.changed:
                self.joined += 1
                self.changed.notify_all()

    def on_log(self, _, level, line, size):
        if level >= LOG_INFO:
            print("plugin:", c.string_at(line, size).decode(), file=sys.stderr)


def wait_for_copies(plugin, instance, end, copies, epoch=0):
    done, result = threading.Event(), []

    @WaitFn
    def on_replicated(_, status, end):  # on a plugin thread, once
        result.append(status)
        done.set()

    request = WaitRequest(struct_size=c.sizeof(WaitRequest), acks=copies, end=end,
                          epoch=epoch, timeout_ns=10 * 10**9, fn=on_replicated)
    status = plugin.wait_replicated(instance, c.byref(request))
    if status == OK:
        done.wait()
        return result[0]
    return OK if status == DONE else status  # no callback will come


def produce(plugin, instance, host):
    with host.changed:
        host.changed.wait_for(lambda: host.joined > 0)
    acknowledged = 0
    for line in sys.stdin.buffer:
        status = host.on_append(None, 0, len(host.log), line, len(line), None)
        if status == OK:
            plugin.notify_appended(instance, len(host.log))
            status = wait_for_copies(plugin, instance, len(host.log), 2)
        if status != OK:
            sys.exit(f"line {acknowledged + 1}: {plugin.status_text(status).decode()}")
        acknowledged += 1
    print("acknowledged", acknowledged)


def stop_at_exit(plugin, instance):
    """However the program ends, by sys.exit too: the plugin's threads must have stopped before the
    interpreter takes away what they call."""
    def stop():
        plugin.stop(instance, 1000, None)
        plugin.destroy(instance)
    atexit.register(stop)


def main():
    if len(sys.argv) != 4 or sys.argv[2] not in ("master", "slave"):
        sys.exit(f"usage: {sys.argv[0]} PLUGIN master PORT | PLUGIN slave MASTER_ADDR:PORT")
    is_master, where = sys.argv[2] == "master", sys.argv[3]
    host, error = Host(), Error(struct_size=c.sizeof(Error))

    entry = c.CDLL(sys.argv[1], mode=c.RTLD_LOCAL).ha_plugin_entry_v1
    entry.restype = c.POINTER(PluginApi)
    table = entry(c.byref(host.api), c.byref(error))
    if not table:
        sys.exit(error.text.decode())
    plugin = table[0]  # every member used here is in the first version of the table

    options = (Option * 1)(Option(b"listen", f"127.0.0.1:{where if is_master else 0}".encode()))
    params = CreateParams(struct_size=c.sizeof(CreateParams), option_stride=c.sizeof(Option),
                          options=options, option_count=len(options))
    role = RoleChange(struct_size=c.sizeof(RoleChange), role=MASTER if is_master else SLAVE,
                      master_address=None if is_master else where.encode())
    instance = ptr()
    if (plugin.create(c.byref(host.api), c.byref(params), c.byref(instance), c.byref(error)) != OK
            or plugin.start(instance, c.byref(role), c.byref(error)) != OK):
        sys.exit(error.text.decode())
    now = Snapshot(struct_size=c.sizeof(Snapshot))
    plugin.snapshot(instance, c.byref(now))
    print("listening", now.listen_address.decode(), flush=True)
    stop_at_exit(plugin, instance)
    if is_master:
        produce(plugin, instance, host)
    else:
        sys.stdin.buffer.read()
        plugin.stop(instance, 1000, None)  # releases the interpreter's lock: callbacks can end
        sys.stdout.flush()
        sys.stdout.buffer.write(host.log)


if __name__ == "__main__":
    main()
