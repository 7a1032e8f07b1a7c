#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lock_service.py: the locks in a file, and what the hooks answer for a service.

usage: lock_service_test.py EXAMPLES_DIR
"""
import ctypes as c
import fcntl
import sys
import tempfile
import unittest

sys.path.insert(0, sys.argv.pop(1))
from lock_service import CONFLICT, IO, OK, Binding, Conflict, Error, FileLocks, Sink

LEADER, CONTROL = "/ha/prod/leader", "/ha/prod/control"


class FileLocksTest(unittest.TestCase):
    def setUp(self):
        self.now = 1000.0
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = folder.name + "/locks.json"
        self.a, self.b = (FileLocks(self.path, lambda: self.now) for _ in range(2))

    def test_a_key_goes_with_its_lease(self):
        first, granted_ms = self.a.grant(2000)
        second, _ = self.b.grant(2000)
        self.assertEqual(granted_ms, 2000)
        self.assertNotEqual(first, second)
        self.a.compare_and_set(LEADER, "", "a", first)
        self.a.compare_and_set(CONTROL, "", "x", 0)
        self.now += 1.5
        self.a.renew(first)
        self.now += 1.5
        self.assertEqual(self.b.read(LEADER), ["a", first])
        self.now += 1
        self.assertEqual(self.b.read(LEADER), ["", 0])
        self.assertEqual(self.b.read(CONTROL), ["x", 0])
        for call in (self.a.renew, self.a.revoke):
            with self.assertRaises(Conflict):
                call(first)
        with self.assertRaises(Conflict):
            self.b.compare_and_set(LEADER, "", "b", second)

    def test_only_the_expected_value_is_replaced(self):
        lease, _ = self.a.grant(2000)
        for expected, value, done in (("x", "a", False), ("", "a", True), ("", "b", False),
                                      ("a", "b", True)):
            if done:
                self.b.compare_and_set(LEADER, expected, value, lease)
            else:
                with self.assertRaises(Conflict):
                    self.b.compare_and_set(LEADER, expected, value, lease)
        self.assertEqual(self.a.read(LEADER), ["b", lease])
        self.a.revoke(lease)
        self.assertEqual(self.b.read(LEADER), ["", 0])

    def test_a_lock_that_is_held_is_no_answer(self):
        with open(self.path + ".lock", "w") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            with self.assertRaises(TimeoutError):
                self.a.read(LEADER)


class Service:
    """Answers with what it is given, or raises it."""

    def __init__(self, answer=None):
        self.answer = answer

    def called(self, *args):
        self.args = args
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    grant = renew = revoke = read = compare_and_set = called


class BindingTest(unittest.TestCase):
    def setUp(self):
        self.service = Service()
        self.table = Binding(self.service).table
        self.error = Error()
        self.poured = []

    def read(self):
        lease = c.c_int64(-1)
        sink = Sink(lambda _, text, size: self.poured.append(c.string_at(text, size)) or 0)
        return self.table.read(None, LEADER.encode(), sink, None, lease, self.error), lease.value

    def test_what_it_gives_is_handed_out(self):
        self.service.answer = 7, 3000
        lease, granted_ms = c.c_int64(), c.c_int64()
        self.assertEqual(self.table.grant(None, 2500, lease, granted_ms, self.error), OK)
        self.assertEqual((self.service.args, lease.value, granted_ms.value), ((2500,), 7, 3000))
        self.service.answer = "\xe4", 7
        self.assertEqual(self.read(), (OK, 7))
        self.service.answer = "", 0
        self.assertEqual(self.read(), (OK, 0))
        self.assertEqual(self.poured, ["\xe4".encode()], "an absent key pours nothing")
        self.assertEqual(self.service.args, (LEADER,))
        for before in (b"", b"a"):
            self.table.compare_and_set(None, LEADER.encode(), before, len(before), b"b", 1, 7,
                                       self.error)
            self.assertEqual(self.service.args, (LEADER, before.decode(), "b", 7))

    def test_only_a_conflict_is_a_no(self):
        for raised, status in ((Conflict("it has ended"), CONFLICT), (OSError("no route"), IO),
                               (KeyError("x"), IO), (SystemExit(0), IO), (OSError("\u20ac" * 300), IO)):
            self.service.answer = raised
            self.assertEqual(self.table.renew(None, 7, self.error), status, raised)
            self.assertEqual(self.read()[0], status)
            self.assertTrue(self.error.text.startswith(type(raised).__name__.encode()))
        self.assertEqual(self.poured, [])


if __name__ == "__main__":
    unittest.main()
