# SPDX-License-Identifier: Apache-2.0
"""A Lease object of Kubernetes as the lock service of coordinated_host.py.

    kubernetes:NAMESPACE/NAME            in a pod, with its service account
    kubernetes:NAMESPACE/NAME@URL        elsewhere, such as http://127.0.0.1:8001 of kubectl proxy

NOT TRIED ON A REAL CLUSTER: its test is a server that answers as the API's documentation says.

One object per set, named NAME. The account needs get and update on it, and create on leases unless
you create the object first:

    rules:
    - {apiGroups: [coordination.k8s.io], resources: [leases], resourceNames: [NAME], verbs: [get, update]}
    - {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [create]}

The master's key is spec.holderIdentity. A lease number and the other keys are annotations. Every
change is a PUT with the resourceVersion that was read, so one of two writers gets 409 and has lost.

A holder's time ends when its record has not changed for leaseDurationSeconds by this process's own
clock since this process first saw it. renewTime is for people: clocks of machines differ. So a node
that has just started waits for a whole duration before it takes a key that somebody holds.
"""
import datetime
import json
import math
import os
import secrets
import ssl
import urllib.error
import urllib.request

from lock_service import CALL_S, Conflict, boottime

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
NOTE = "ha-plugin.example/"  # annotations begin with that
LEASE = NOTE + "lease"


class KubernetesLease:
    def __init__(self, namespace, name, server, account=ACCOUNT, clock=boottime):
        self.leases = f"{server}/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self.name, self.account, self.clock = name, account, clock
        self.lease, self.seconds, self.until = 0, 0, 0.0  # granted last; ends without the key then
        self.record, self.since = None, 0.0  # what the holder wrote last, and since when it stands
        ca = f"{account}/ca.crt"
        handlers = [urllib.request.ProxyHandler({})]
        if server.startswith("https:"):
            handlers.append(urllib.request.HTTPSHandler(
                context=ssl.create_default_context(cafile=ca)))
        self.opener = urllib.request.build_opener(*handlers)

    @classmethod
    def parse(cls, where):
        where, _, server = where.partition("@")
        namespace, _, name = where.partition("/")
        if not server:
            host, port = (os.environ["KUBERNETES_SERVICE_" + x] for x in ("HOST", "PORT"))
            server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
        return cls(namespace, name, server)

    # ---- the five functions of the extension ----

    def grant(self, ttl_ms):
        # Nothing is written before a key is taken under it. That is later, so others wait longer.
        self.lease, self.seconds = secrets.randbelow(2**62) + 1, math.ceil(ttl_ms / 1000)
        self.until = self.clock() + self.seconds
        return self.lease, self.seconds * 1000

    def renew(self, lease):
        self.change(lambda spec, notes: self.renew_in(spec, notes, lease))
        self.until = self.clock() + self.seconds

    def revoke(self, lease):
        def release(spec, notes):
            self.renew_in(spec, notes, lease)
            spec["holderIdentity"] = ""
            del notes[LEASE]
        self.change(release)
        self.lease = 0

    def read(self, key):
        spec, notes = self.parts(self.get())
        if not key.endswith("/leader"):
            return notes.get(NOTE + key.rpartition("/")[2], ""), 0
        holder = self.holder(spec)
        return holder, int(notes.get(LEASE, 0)) if holder else 0

    def compare_and_set(self, key, expected, value, lease):
        def put(spec, notes):
            leader = key.endswith("/leader")
            note = NOTE + key.rpartition("/")[2]
            if (self.holder(spec) if leader else notes.get(note, "")) != expected:
                raise Conflict("the key has another value")
            if not leader:
                notes[note] = value
                return
            if lease != self.lease or self.clock() > self.until:
                raise Conflict("the lease has ended")
            now = self.now()
            spec.update(holderIdentity=value, leaseDurationSeconds=self.seconds, acquireTime=now,
                        renewTime=now, leaseTransitions=spec.get("leaseTransitions", 0) + 1)
            notes[LEASE] = str(lease)
        self.change(put)

    # ---- the object ----

    @staticmethod
    def now():
        return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    @staticmethod
    def parts(lease):
        return lease.setdefault("spec", {}), lease["metadata"].setdefault("annotations", {})

    def holder(self, spec):
        """Who holds it; "" when its time has ended or nobody does."""
        left = self.since + spec.get("leaseDurationSeconds", 0) - self.clock()
        return spec.get("holderIdentity") or "" if left > 0 else ""

    def renew_in(self, spec, notes, lease):
        if not self.holder(spec) or notes.get(LEASE) != str(lease):
            raise Conflict("the lease has ended")
        spec["renewTime"] = self.now()

    def change(self, edit):
        """edit changes what was read, or raises Conflict. After 409 somebody else has changed the
        object, perhaps another key of it: edit judges it again."""
        for _ in range(2):
            lease = self.get()
            edit(*self.parts(lease))
            try:
                if "resourceVersion" in lease["metadata"]:
                    self.see(self.ask("PUT", f"{self.leases}/{self.name}", lease))
                else:
                    self.see(self.ask("POST", self.leases, lease))
                return
            except urllib.error.HTTPError as e:
                if e.code != 409:
                    raise
        raise OSError("others change the object at the same time")

    def get(self):
        try:
            return self.see(self.ask("GET", f"{self.leases}/{self.name}"))
        except urllib.error.HTTPError as e:
            if e.code != 404:
                raise
            return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                    "metadata": {"name": self.name}}

    def see(self, lease):
        spec, notes = self.parts(lease)
        record = [spec.get(x) for x in ("holderIdentity", "renewTime", "leaseTransitions")]
        if [record, notes.get(LEASE)] != self.record:
            self.record, self.since = [record, notes.get(LEASE)], self.clock()
        return lease

    def ask(self, method, url, body=None):
        request = urllib.request.Request(url, method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        token = f"{self.account}/token"
        if os.path.exists(token):
            with open(token) as file:  # each time: the kubelet writes a new one every hour
                request.add_header("Authorization", "Bearer " + file.read().strip())
        with self.opener.open(request, timeout=CALL_S / 4) as answer:
            return json.load(answer)
