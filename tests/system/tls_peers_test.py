#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TLS on the HA port before peers that are not ours: OpenSSL, GnuTLS, a scanner, and bare sockets.

usage: tls_peers_test.py HA_STUB [CASE...]

HA_BIN_DIR in the environment names another build's folder. A case whose program is missing is skipped (exit
77 when all are), unless HA_REQUIRE_TLS_PEERS=1.
"""
import ctypes
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree as xml

SKIPPED = 77
DEADLINE = 40  # seconds; a test that passes never waits for it
CLUSTER = "prod"
OPENING = b"\xff" * 8   # what a native slave says first
GREETING = b"HA\x01\0"  # how the answer to it begins
HANDSHAKE, ALERT = b"\x16\x03", b"\x15\x03"  # how these records of TLS begin
AEAD = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
# Both would rather have AES-256, whose hash is not that of a key of ours.
GNUTLS_KEYS = "NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:"
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1
stub = ""  # set by main


def need(*programs):
    missing = [name for name in programs if shutil.which(name) is None]
    if missing and os.environ.get("HA_REQUIRE_TLS_PEERS") == "1":
        raise AssertionError(f"not installed: {missing}")
    if missing:
        raise unittest.SkipTest(f"not installed: {missing} (HA_REQUIRE_TLS_PEERS=1 makes this a failure)")


def wait_until(what, holds, now, poll=0.005):
    end = time.monotonic() + DEADLINE
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"waited {DEADLINE} s in vain until {what}; now: {now()}")
        time.sleep(poll)


def start(argv, **streams):
    """A child that does not outlive this process."""
    return subprocess.Popen(argv, **streams,
                            preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))


def make_files():
    """A key file; two authorities, and certificates for the nodes a, b and c from each."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=DEADLINE)
    os.umask(0o077)
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    for ca in ("our", "foreign"):
        openssl("req", "-x509", *new_key, "-subj", f"/CN={ca}", "-keyout", f"{ca}.key", "-out", f"{ca}.pem")
        for node in "abc":
            pathlib.Path("extensions").write_text(f"subjectAltName=URI:ha:{CLUSTER}/{node}\n"
                                                  "extendedKeyUsage=serverAuth,clientAuth\n")
            openssl("req", *new_key, "-subj", "/CN=any", "-keyout", f"{ca}_{node}.key", "-out", "request")
            openssl("x509", "-req", "-in", "request", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key",
                    "-CAcreateserial", "-extfile", "extensions", "-out", f"{ca}_{node}.pem")
    with open("key_file", "wb") as out:
        subprocess.run([stub, "keygen"], stdout=out, check=True, timeout=DEADLINE)


def key_for(client, server):
    """Identity and key (hexadecimal) of that client before that server, derived as the plugin does."""
    secret = bytes.fromhex(pathlib.Path("key_file").read_text())
    extracted = hmac.digest(b"ha psk v1", secret, hashlib.sha256)

    def expand(*names):
        info = "\0".join((CLUSTER, *names)).encode() + b"\x01"
        return hmac.digest(extracted, info, hashlib.sha256).hex()
    return f"1:{expand('name', '')[:8]}:{CLUSTER}/{client}>{server}", expand(client, server)


class Node:
    """One `ha_stub serve` that has either a certificate of our authority or the key file."""

    def __init__(self, test, name, certified, *arguments):
        self.certified = certified
        files = ((f"tls_cert=our_{name}.pem", f"tls_key=our_{name}.key", "tls_ca=our.pem") if certified
                 else ("tls_psk_file=key_file",))
        options = [word for text in ("tls=require", *files) for word in ("--option", text)]
        places = [word for place in ("--http", "--ha-listen", "--metrics") for word in (place, "127.0.0.1:0")]
        folder = tempfile.mkdtemp(dir=".")
        self.log_file = pathlib.Path(folder, "log")
        with open(self.log_file, "wb") as log:
            self.process = start([stub, "serve", "--store", f"{folder}/store", "--cluster-id", CLUSTER,
                                  "--replica-id", name, *places, *options, *arguments],
                                 stdout=subprocess.PIPE, stderr=log)
        test.addCleanup(self.stop, test)
        ready = select.select([self.process.stdout], [], [], DEADLINE)[0] and self.process.stdout.readline()
        test.assertTrue(ready, self.log())
        self.at = {kind: json.loads(ready)[kind].split(":") for kind in ("http", "ha", "metrics")}

    def stop(self, test):
        self.process.terminate()
        try:
            test.assertEqual(self.process.wait(DEADLINE), 0, self.log())
        finally:
            self.process.kill()
            self.process.communicate()

    def log(self):
        return self.log_file.read_text()[-4000:]

    def lines(self, text):
        return [line for line in self.log_file.read_text().splitlines() if text in line]

    def get(self, kind, path):
        connection = http.client.HTTPConnection(*self.at[kind], timeout=DEADLINE)
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def connect(self):
        peer = socket.create_connection(self.at["ha"], timeout=DEADLINE)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return peer

    def all_read(self):
        """Returns true if it has read all that came: the kernel holds nothing to or from its HA port."""
        port = f":{int(self.at['ha'][1]):04X}"
        rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()]
        return all(row[4] == "00000000:00000000" for row in rows if port in (row[1][8:], row[2][8:]))

    # Clients: what to run to be one of this node.

    def openssl(self, *arguments):
        return ["openssl", "s_client", "-connect", ":".join(self.at["ha"]), "-brief", "-quiet", "-no_ign_eof",
                *arguments]

    def openssl_key(self, identity, key):
        return self.openssl("-tls1_3", "-psk_identity", identity,
                            "-psk", key)

    def openssl_certificate(self, name):
        return self.openssl("-tls1_3", "-CAfile", "our.pem", "-cert", f"{name}.pem", "-key", f"{name}.key")

    def true_client(self):
        return self.openssl_certificate("our_b") if self.certified else self.openssl_key(*key_for("b", "a"))

    def gnutls(self, *arguments):
        host, port = self.at["ha"]
        return ["gnutls-cli", "--logfile=gnutls.log", f"--port={port}", *arguments, host]

    def gnutls_key(self, identity, key, exchange="+ECDHE-PSK"):
        return self.gnutls(f"--priority={GNUTLS_KEYS}{exchange}", f"--pskusername={identity}",
                           f"--pskkey={key}")

    def gnutls_certificate(self, name):
        own = [f"--x509certfile={name}.pem", f"--x509keyfile={name}.key"] if name else []
        return self.gnutls("--x509cafile=our.pem", "--no-ca-verification", *own)  # nodes have no host names


def master(test, certified, *options):
    return Node(test, "a", certified, "--role", "master", *options)


def talk(argv):
    """Says OPENING through that client. Returns what comes back first, b"" at its end, and its notes."""
    got, piece = b"", b"?"
    with tempfile.TemporaryFile() as notes:
        client = start(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=notes, bufsize=0)
        try:
            client.stdin.write(OPENING)
            while piece and len(got) < len(GREETING):
                if not select.select([client.stdout], [], [], DEADLINE)[0]:
                    raise AssertionError(f"{argv}: neither an answer nor an end")
                piece = client.stdout.read(65536)
                got += piece
            client.communicate(timeout=DEADLINE)  # it ends with its input, and has written its notes then
        except BrokenPipeError:
            pass  # it had ended
        finally:
            client.kill()
            client.communicate()
        notes.seek(0)
        return got, notes.read().decode()


def client_hello(version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.minimum_version = context.maximum_version = version
    out = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    except ssl.SSLWantReadError:
        return out.read()


def read_to_end(peer):
    got = b""
    try:
        while piece := peer.recv(65536):
            got += piece
    except ConnectionResetError:
        pass
    return got


class TlsPeers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        need("openssl")
        folder = tempfile.TemporaryDirectory(prefix="ha_tls_peers_")
        cls.addClassCleanup(folder.cleanup)
        cls.addClassCleanup(os.chdir, os.getcwd())
        os.chdir(folder.name)
        make_files()

    def expect_greeting(self, node, client):
        got, notes = talk(client)
        self.assertEqual(got[:len(GREETING)], GREETING, notes + node.log())
        return notes

    def expect_nothing(self, node, client):
        before = len(node.lines("(tls)"))
        got, notes = talk(client)
        self.assertEqual(got, b"", node.log())
        wait_until("the log says why", lambda: len(node.lines("(tls)")) > before, node.log)
        return notes

    def test_openssl_with_the_key_file(self):
        node = master(self, False)
        identity, key = key_for("b", "a")
        self.assertIn("version: TLSv1.3", self.expect_greeting(node, node.openssl_key(identity, key)))
        for what, client in {"wrong key": node.openssl_key(identity, key_for("c", "a")[1]),
                             "key for another server": node.openssl_key(*key_for("b", "c")),
                             "name of the node itself": node.openssl_key(*key_for("a", "a")),
                             "another protocol": [*node.openssl_key(identity, key), "-alpn", "h2"],
                             "certificate": node.openssl_certificate("our_b")}.items():
            with self.subTest(what):
                self.assertNotIn("ESTABLISHED", self.expect_nothing(node, client))

    def test_openssl_with_a_certificate(self):
        node = master(self, True)
        self.assertIn("Verification: OK", self.expect_greeting(node, node.openssl_certificate("our_b")))
        self.expect_nothing(node, node.openssl_certificate("foreign_b"))
        self.expect_nothing(node, node.openssl_key(*key_for("b", "a")))

    def test_gnutls_with_the_key_file(self):
        need("gnutls-cli")
        node = master(self, False)
        identity, key = key_for("b", "a")
        self.expect_greeting(node, node.gnutls_key(identity, key))
        self.assertIn(f"Connected as '{identity}'", pathlib.Path("gnutls.log").read_text())
        self.expect_nothing(node, node.gnutls_key(identity, key_for("c", "a")[1]))
        # Without Diffie-Hellman a thief of the key file could read what was recorded.
        self.expect_nothing(node, node.gnutls_key(identity, key, exchange="+PSK"))

    def test_gnutls_with_a_certificate(self):
        need("gnutls-cli")
        node = master(self, True)
        self.expect_greeting(node, node.gnutls_certificate("our_b"))
        self.assertIn("(TLS1.3-X.509)", pathlib.Path("gnutls.log").read_text())
        self.expect_nothing(node, node.gnutls_certificate(""))
        self.expect_nothing(node, node.gnutls_certificate("foreign_b"))

    def follow(self, certified, *arguments):
        """How the link of a slave to such a gnutls-serv ended; not by TLS if the slave takes it for a."""
        server = start(["gnutls-serv", "--echo", "--port=0", *arguments], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)

        def ports():  # the one that the system picked
            found = subprocess.run(["ss", "-4Hltnp"], capture_output=True, text=True, check=True).stdout
            own = [line.split() for line in found.splitlines() if f"pid={server.pid}," in line]
            return [words[3].split(":")[1] for words in own]
        wait_until("gnutls-serv listens", ports, lambda: f"it returned {server.poll()}")
        at = f"127.0.0.1:{ports()[0]}"
        slave = Node(self, "b", certified, "--role", "slave", "--master", at, "--replicas",
                     f"a@{at},b@127.0.0.1:1")
        ended, taken = f"link to master {at} ended", 'ha_tls_handshakes_total{side="client",result="ok"} 1'
        wait_until("the slave has judged its master",
                   lambda: slave.lines(ended) or taken in slave.get("metrics", "/metrics")[1], slave.log)
        return "\n".join(slave.lines(ended))

    def test_slave_of_a_gnutls_master_with_a_certificate(self):
        need("gnutls-serv", "ss")

        def follow(name):
            return self.follow(True, f"--x509certfile={name}.pem", f"--x509keyfile={name}.key",
                               "--x509cafile=our.pem", "--require-client-cert", "--verify-client-cert")
        self.assertEqual("", follow("our_a"))
        another = follow("our_c")
        self.assertRegex(another, r"\(identity\): it proved to be 'ha:prod/c' .*, and 'a' was to be there")
        foreign = follow("foreign_a")
        self.assertRegex(foreign, r"\(tls\): its certificate, .* issuer 'CN=foreign'\), was signed by")
        self.assertNotIn("(peer_closed)", another + foreign)

    def test_slave_of_a_gnutls_master_with_the_key_file(self):
        need("gnutls-serv", "ss")
        identity, key = key_for("b", "a")

        def follow(key):
            pathlib.Path("psk_passwd").write_text(f"#{identity.encode().hex()}:{key}\n")
            return self.follow(False, "--pskpasswd=psk_passwd", f"--priority={GNUTLS_KEYS}+ECDHE-PSK")
        self.assertEqual("", follow(key))
        wrong_key = follow(key_for("c", "a")[1])
        self.assertIn("(tls): it did not take what this node proved itself with", wrong_key)
        # It has the right name, but a certificate proves nothing here.
        certificate = self.follow(False, "--x509certfile=our_a.pem", "--x509keyfile=our_a.key")
        self.assertIn("(tls): it has no key", certificate)

    def test_sslscan_sees_tls_1_3_only(self):
        need("sslscan")
        argv = ["sslscan", "--xml=-", ":".join(master(self, True).at["ha"])]
        found = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE).stdout
        scan = xml.fromstring(found)
        enabled = {one.get("type") + one.get("version"): one.get("enabled") for one in scan.iter("protocol")}
        old = ("ssl2", "ssl3", "tls1.0", "tls1.1", "tls1.2")
        self.assertEqual(enabled, {**dict.fromkeys(old, "0"), "tls1.3": "1"})
        suites = {one.get("cipher") for one in scan.iter("cipher")}
        self.assertTrue(suites and suites <= AEAD, found)

    def test_openssl_finds_no_older_version(self):
        for certified in (True, False):
            node = master(self, certified)
            self.expect_greeting(node, node.true_client())
            for version in ("-tls1_2", "-tls1_1", "-tls1"):
                with self.subTest(version, certified=certified):
                    notes = self.expect_nothing(node, node.openssl(version, "-cipher", "ALL:@SECLEVEL=0"))
                    self.assertIn("alert protocol version", notes)

    def test_client_hello_in_pieces(self):
        hello = client_hello(ssl.TLSVersion.TLSv1_3)
        for certified, wanted in ((True, HANDSHAKE), (False, ALERT)):  # this hello offers no key
            node = master(self, certified, "--option", "connections_per_address=0")
            for cut in (*range(1, 65), 100, len(hello) // 2, len(hello) - 1):
                with self.subTest(cut=cut, certified=certified), node.connect() as peer:
                    peer.sendall(hello[:cut])
                    wait_until("the node has read it", node.all_read, node.log)
                    peer.sendall(hello[cut:])
                    self.assertEqual(peer.recv(2), wanted, node.log())
            with self.subTest("byte by byte", certified=certified), node.connect() as peer:
                for i in range(100):
                    peer.sendall(hello[i:i + 1])
                peer.sendall(hello[100:])
                self.assertEqual(peer.recv(2), wanted, node.log())

    def test_half_client_hellos_hold_nobody_up(self):
        half = client_hello(ssl.TLSVersion.TLSv1_3)[:100]
        options = ["--option", "connections_per_address=0", "--option", "first_report_timeout_ms=3600000"]
        for certified in (True, False):
            node = master(self, certified, *options)
            peers = []

            def ended():  # nothing else can come
                return select.select(peers, [], [], 0)[0]

            def all_wait():
                # One address may begin 100 handshakes at once, then 50 a second; more are turned away.
                for peer in ended():
                    peer.close()
                    peers.remove(peer)
                while len(peers) < 128:
                    peers.append(node.connect())
                    self.addCleanup(peers[-1].close)
                    peers[-1].sendall(half)
                return node.all_read() and not ended()
            wait_until("128 peers have said half a ClientHello", all_wait, node.log, poll=0.05)
            self.assertEqual(node.get("http", "/readyz")[0], 200, node.log())
            # It takes the place of the oldest (option max_connections), and may have to come twice.
            wait_until("a true client is let in",
                       lambda: talk(node.true_client())[0].startswith(GREETING), node.log, poll=0.05)
            self.assertEqual(node.get("http", "/readyz")[0], 200, node.log())
            self.assertGreater(len(peers) - len(ended()), 100)

    def test_garbage_ends_with_one_line(self):
        seed = random.SystemRandom().getrandbits(32)
        noise = random.Random(seed).randbytes(300)
        # A record of a ClientHello, of 300 and 296 bytes as they say.
        hello_of_noise = HANDSHAKE + b"\x01\x01\x2c" + b"\x01\0\x01\x28" + noise[4:]
        knocks = {"HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "SSH": b"SSH-2.0-OpenSSH_9.2p1\r\n",
                  f"noise of seed {seed}": b"\0" + noise, f"hello of noise of seed {seed}": hello_of_noise,
                  "TLS 1.2": client_hello(ssl.TLSVersion.TLSv1_2)}
        for certified in (True, False):
            node = master(self, certified)
            for what, knock in knocks.items():
                with self.subTest(what, certified=certified), node.connect() as peer:
                    address = f"127.0.0.1:{peer.getsockname()[1]} "
                    peer.sendall(knock)
                    self.assertIn(read_to_end(peer)[:2], (b"", ALERT))
                    wait_until("the log names the peer", lambda: node.lines(address), node.log)
                    self.expect_greeting(node, node.true_client())
                    self.assertEqual(node.get("http", "/readyz")[0], 200, node.log())
                    lines = node.lines(address)
                    self.assertEqual(len(lines), 1, lines)
                    self.assertIn("(tls)", lines[0])
                    self.assertNotIn("tls_psk_file", lines[0])  # the key file is not at fault


def main():
    global stub
    folder, cases = os.environ.get("HA_BIN_DIR"), sys.argv[2:]
    stub = os.path.abspath(f"{folder}/ha_stub" if folder else sys.argv[1])
    names = [f"TlsPeers.test_{case}" for case in cases]
    result = unittest.main(argv=[sys.argv[0], "--verbose", *names], exit=False).result
    all_skipped = result.skipped and len(result.skipped) >= result.testsRun
    sys.exit(1 if not result.wasSuccessful() else SKIPPED if all_skipped else 0)


if __name__ == "__main__":
    main()
