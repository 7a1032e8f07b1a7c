#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kubernetes_lease.py against a server that answers as the documentation of the API says.

usage: kubernetes_lease_test.py EXAMPLES_DIR
"""
import pathlib
import sys
import tempfile
import unittest

from fake_kubernetes import FakeKubernetes

sys.path.insert(0, sys.argv.pop(1))
from kubernetes_lease import KubernetesLease
from lock_service import Conflict

LEADER, CONTROL = "/ha/prod/leader", "/ha/prod/control"


class KubernetesLeaseTest(unittest.TestCase):
    def setUp(self):
        self.now = 1000.0  # of everybody's clock
        self.server = FakeKubernetes()
        self.addCleanup(self.server.stop)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.token = pathlib.Path(folder.name) / "token"
        self.a, self.b = self.node(), self.node()

    def node(self):
        return KubernetesLease("prod", "ha", self.server.url, str(self.token.parent),
                               lambda: self.now)

    def take(self, node, name, expected=""):
        lease, granted_ms = node.grant(5500)
        self.assertEqual(granted_ms, 6000)  # the object has whole seconds
        node.compare_and_set(LEADER, expected, name, lease)
        return lease

    def is_unknown(self, call, *args):
        """Neither done nor a clear no."""
        try:
            call(*args)
        except Conflict as e:
            self.fail(f"a clear no: {e}")
        except OSError:
            return
        self.fail("a clear yes")

    def test_one_takes_it_and_the_others_see_it(self):
        self.assertEqual(self.a.read(LEADER), ("", 0))
        self.assertEqual(self.a.read(CONTROL), ("", 0))
        lease = self.take(self.a, "a")
        self.assertGreater(lease, 0)
        for node in (self.a, self.b):
            self.assertEqual(node.read(LEADER), ("a", lease))
        with self.assertRaises(Conflict):
            self.take(self.b, "b")
        self.assertEqual(self.server.lease["spec"]["holderIdentity"], "a")
        self.assertEqual(self.server.lease["spec"]["leaseDurationSeconds"], 6)

    def test_of_two_that_take_it_at_the_same_time_one_has_it(self):
        for exists in (False, True):
            with self.subTest(exists=exists):
                self.server.lease = None
                if exists:
                    self.a.revoke(self.take(self.a, "a"))
                self.server.before.append(lambda: self.take(self.b, "b"))
                with self.assertRaises(Conflict):
                    self.take(self.a, "a")
                self.assertEqual(self.a.read(LEADER)[0], "b")

    def test_another_key_that_changes_in_between_takes_nothing_away(self):
        lease = self.take(self.a, "a")
        self.server.before.append(lambda: self.b.compare_and_set(CONTROL, "", "x", 0))
        self.a.renew(lease)
        self.assertEqual(self.a.read(CONTROL), ("x", 0))
        self.assertEqual(self.b.read(LEADER), ("a", lease))
        with self.assertRaises(Conflict):
            self.a.compare_and_set(CONTROL, "", "y", 0)
        self.a.compare_and_set(CONTROL, "x", "y", 0)
        self.assertEqual(self.b.read(CONTROL), ("y", 0))

    def test_to_be_disturbed_again_and_again_is_no_answer(self):
        lease = self.take(self.a, "a")
        for before, after in (("", "x"), ("x", "y")):
            self.server.before.append(lambda b=before, a=after:
                                      self.b.compare_and_set(CONTROL, b, a, 0))
            self.server.before.append(lambda: None)  # that one's own
        self.is_unknown(self.a.renew, lease)
        self.a.renew(lease)

    def test_it_ends_unchanged_for_the_duration_by_the_own_clock(self):
        lease = self.take(self.a, "a")
        self.now += 100
        for stamp in ("1970-01-01T00:00:00.000000Z", "2970-01-01T00:00:00.000000Z"):
            self.server.lease["spec"]["renewTime"] = stamp
            late = self.node()
            self.assertEqual(late.read(LEADER), ("a", lease), "seen for the first time")
            self.now += 5.9
            self.assertEqual(late.read(LEADER), ("a", lease))
            with self.assertRaises(Conflict):
                self.take(late, "b")
            self.now += 0.2
            self.assertEqual(late.read(LEADER), ("", 0))
        self.assertNotEqual(self.take(late, "b"), lease)
        self.assertEqual(self.a.read(LEADER)[0], "b")
        for call in (self.a.renew, self.a.revoke):
            with self.assertRaises(Conflict):
                call(lease)
        self.assertEqual(self.b.read(LEADER)[0], "b")

    def test_a_renewal_gives_a_whole_duration(self):
        lease = self.take(self.a, "a")
        for _ in range(3):
            self.now += 5
            self.assertEqual(self.b.read(LEADER), ("a", lease))
            self.a.renew(lease)
        self.assertEqual(self.b.read(LEADER), ("a", lease))
        self.now += 5.9
        self.assertEqual(self.b.read(LEADER), ("a", lease))
        self.now += 0.2
        self.assertEqual(self.b.read(LEADER), ("", 0))
        with self.assertRaises(Conflict):
            self.a.renew(lease)

    def test_a_lease_that_has_ended_takes_nothing(self):
        lease, _ = self.a.grant(6000)
        self.now += 6.1
        with self.assertRaises(Conflict):
            self.a.compare_and_set(LEADER, "", "a", lease)
        revoked = self.take(self.a, "a")
        self.a.revoke(revoked)
        self.assertEqual(self.b.read(LEADER), ("", 0))
        with self.assertRaises(Conflict):
            self.a.compare_and_set(LEADER, "", "a", revoked)
        with self.assertRaises(Conflict):
            self.a.revoke(revoked)

    def test_a_holder_may_be_replaced_before_its_time_ends(self):
        self.take(self.a, "a")
        lease = self.take(self.b, "b", expected="a")
        self.assertEqual(self.a.read(LEADER), ("b", lease))

    def test_what_was_written_by_hand_has_no_lease(self):
        self.take(self.a, "a")
        self.server.lease["metadata"]["annotations"].clear()
        self.server.lease["spec"]["holderIdentity"] = "c"
        self.assertEqual(self.a.read(LEADER), ("c", 0))

    def test_a_lost_answer_is_no_answer(self):
        self.server.lose_answers = True
        lease, _ = self.a.grant(6000)
        self.is_unknown(self.a.compare_and_set, LEADER, "", "a", lease)
        self.is_unknown(self.a.renew, lease)
        self.server.lose_answers = False
        self.assertEqual(self.a.read(LEADER), ("a", lease), "it was done")

    def test_a_server_that_is_not_well_says_nothing(self):
        lease = self.take(self.a, "a")
        for self.server.status in (401, 403, 429, 500, 503):
            self.is_unknown(self.a.renew, lease)
            self.is_unknown(self.a.read, LEADER)
            self.is_unknown(self.b.compare_and_set, LEADER, "a", "b", self.b.grant(6000)[0])
        self.server.status = 0
        for self.server.refuse_changes in (401, 403, 422, 429, 500, 503):
            self.is_unknown(self.a.renew, lease)

    def test_the_token_is_read_again(self):
        self.server.token = "first"
        self.is_unknown(self.a.read, LEADER)
        self.token.write_text("first\n")
        lease = self.take(self.a, "a")
        self.server.token = "second"
        self.is_unknown(self.a.renew, lease)
        self.token.write_text("second")
        self.a.renew(lease)


if __name__ == "__main__":
    unittest.main()
