# SPDX-License-Identifier: Apache-2.0
"""A lock service in Python as extension ha.host.coordinator/1, and one in a file.

ha/ext/coordinator.h says what each of the five functions must do. Here they are methods of any
object: they return what the hook gives, raise Conflict for a clear no, and anything else when
nobody knows. Keys and values are strings; "" stands for a key that is absent.
"""
import contextlib
import ctypes as c
import fcntl
import json
import os
import time

OK, CONFLICT, IO = 0, -9, -13
CALL_S = 1.0  # HA_COORDINATOR_CALL_MS

i32, u32, i64, ptr, text = c.c_int32, c.c_uint32, c.c_int64, c.c_void_p, c.c_char_p


class Conflict(Exception):
    """No: the lease has ended, or the value is not the expected one."""


def boottime():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class FileLocks:
    """A lock service for processes of one machine: a JSON file. Leases end by CLOCK_BOOTTIME, which
    is one clock for all of them."""

    def __init__(self, path, clock=boottime):
        self.path, self.clock = path, clock

    @contextlib.contextmanager
    def state(self):
        until = time.monotonic() + CALL_S / 2
        with open(self.path + ".lock", "w") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise TimeoutError(f"{self.path} is locked by another process") from None
                    time.sleep(0.005)
            state = {"last": 0, "leases": {}, "keys": {}}
            if os.path.exists(self.path):
                with open(self.path) as file:
                    state = json.load(file)
            now = self.clock()
            leases = state["leases"] = {k: v for k, v in state["leases"].items() if v[1] > now}
            state["keys"] = {k: v for k, v in state["keys"].items()
                             if v[1] == 0 or str(v[1]) in leases}
            yield state, now  # a Conflict leaves the file as it is
            with open(self.path + ".new", "w") as file:
                json.dump(state, file)
            os.replace(self.path + ".new", self.path)

    def grant(self, ttl_ms):
        with self.state() as (state, now):
            state["last"] += 1
            state["leases"][str(state["last"])] = [ttl_ms, now + ttl_ms / 1000]
            return state["last"], ttl_ms

    def renew(self, lease):
        with self.state() as (state, now):
            if str(lease) not in state["leases"]:
                raise Conflict("the lease has ended")
            ttl_ms = state["leases"][str(lease)][0]
            state["leases"][str(lease)] = [ttl_ms, now + ttl_ms / 1000]

    def revoke(self, lease):
        with self.state() as (state, _):
            if not state["leases"].pop(str(lease), None):
                raise Conflict("the lease has ended")
            state["keys"] = {k: v for k, v in state["keys"].items() if v[1] != lease}

    def read(self, key):
        with self.state() as (state, _):
            return state["keys"].get(key, ["", 0])

    def compare_and_set(self, key, expected, value, lease):
        with self.state() as (state, _):
            if lease != 0 and str(lease) not in state["leases"]:
                raise Conflict("the lease has ended")
            if state["keys"].get(key, ["", 0])[0] != expected:
                raise Conflict("the key has another value")
            state["keys"][key] = [value, lease]


class Error(c.Structure):
    _fields_ = [("struct_size", u32), ("status", i32), ("os_errno", i32), ("reserved", u32),
                ("text", c.c_char * 496)]


Sink = c.CFUNCTYPE(i32, ptr, text, i64)
Pi64, PError = c.POINTER(i64), c.POINTER(Error)


class Table(c.Structure):
    """ha_ext_coordinator."""
    _fields_ = [("struct_size", u32), ("reserved", u32),
                ("grant", c.CFUNCTYPE(i32, ptr, i64, Pi64, Pi64, PError)),
                ("renew", c.CFUNCTYPE(i32, ptr, i64, PError)),
                ("revoke", c.CFUNCTYPE(i32, ptr, i64, PError)),
                ("read", c.CFUNCTYPE(i32, ptr, text, Sink, ptr, Pi64, PError)),
                ("compare_and_set", c.CFUNCTYPE(i32, ptr, text, ptr, i64, ptr, i64, i64, PError))]


class Binding:
    """A service in Python as the table that the plugin calls."""

    def __init__(self, service):
        self.service = service
        types = dict(Table._fields_)
        self.table = Table(struct_size=c.sizeof(Table),
                           **{name: types[name](self.hook(getattr(self, name)))
                              for name in types if name not in ("struct_size", "reserved")})

    @staticmethod
    def hook(call):
        def hook(_, *args):
            try:
                call(*args[:-1])
                return OK
            except BaseException as e:
                # Whatever is not a clear no leaves open whether it was done.
                if args[-1]:
                    args[-1][0].text = f"{type(e).__name__}: {e}".encode()[:495]
                return CONFLICT if isinstance(e, Conflict) else IO
        return hook

    def grant(self, ttl_ms, lease, granted_ms):
        lease[0], granted_ms[0] = self.service.grant(ttl_ms)

    def renew(self, lease):
        self.service.renew(lease)

    def revoke(self, lease):
        self.service.revoke(lease)

    def read(self, key, sink, user, lease):
        value, lease[0] = self.service.read(key.decode())
        if value:
            sink(user, value.encode(), len(value.encode()))

    def compare_and_set(self, key, expected, expected_size, value, size, lease):
        before = c.string_at(expected, expected_size).decode()
        self.service.compare_and_set(key.decode(), before, c.string_at(value, size).decode(), lease)
