#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the fuzz targets: of native and wire from the worked examples of
ha_plugin/wire/README.md, of the others from what stands here.

  tests/fuzz/seeds.py DIR            DIR/native, DIR/wire, DIR/opening, DIR/http, DIR/files and DIR/etcd
  tests/fuzz/seeds.py --check DIR    says which of them are not what it would write
"""
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def spoken(heading):
    """The example's lines as (who, bytes)."""
    all_ = []
    inside = False
    for line in (ROOT / "ha_plugin/wire/README.md").read_text().splitlines():
        if line == heading:
            inside = True
        elif inside and line.startswith("#"):
            break
        if not inside or not line:
            continue
        who, colon, rest = line.partition(":")
        if colon and who in ("candidate", "voter", "slave", "master"):
            all_.append((who, bytearray()))
        elif line.startswith("         ") and all_:
            rest = line
        else:
            continue
        for word in rest.split():
            if len(word) != 2 or any(c not in "0123456789abcdef" for c in word):
                break
            all_[-1][1].append(int(word, 16))
    return all_


def unsealed(message):
    """Type and body, as the target wants them behind a checksum of its own."""
    body = message[16:]
    return bytes([message[2], len(body)]) + bytes(body) if len(body) < 256 else b""


def request(method, target, body=b"", *fields, version="1.1"):
    lines = [f"{method} {target} HTTP/{version}", "Host: h", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


JSON = "Content-Type: application/json"
MESSAGES = "/v1/topics/t/messages"
OFFSET = "/v1/groups/g/topics/t/queues/0/offset"

HTTP = {
    "raw": request("POST", MESSAGES + "?key=k&acks=2&durability=durable&timeout_ms=9&queue=1&delay_ms=5", b"x"),
    "lines": request("POST", MESSAGES + "?lines=1", b"a\n\nb"),
    "json": request("POST", MESSAGES, b'{"body":"h\\u00e9","key":"a\\u0000b"}', JSON + "; charset=utf-8"),
    "batch": request("POST", MESSAGES, b'{"messages":[{"body":"a"},{"body_base64":"//4A","key":"2"}]}', JSON),
    "twice": request("POST", MESSAGES, b'{"body":"a","body":"b"}', JSON),
    "bom": request("POST", MESSAGES, b'\xef\xbb\xbf{"body":"a"}', JSON),
    "deep": request("POST", MESSAGES, b'{"a":' * 40 + b"1" + b"}" * 40, JSON),
    "latin1": request("POST", MESSAGES, b'{"body":"a"}', JSON + "; charset=latin1"),
    "gzip": request("POST", MESSAGES, b"\x1f\x8b", "Content-Encoding: gzip"),
    "chunked": request("POST", MESSAGES, b"", "Transfer-Encoding: chunked") + b"3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n",
    "gzip-chunked": request("POST", MESSAGES, b"", "Transfer-Encoding: gzip, chunked"),
    "expect": request("POST", MESSAGES, b"x", "Expect: 100-continue"),
    "lengths": request("POST", MESSAGES, b"x", "Content-Length: 1"),
    "consume": request("GET", MESSAGES + "?from=0&max=10&queue=0&wait_ms=0&group=g"),
    "poll": request("GET", MESSAGES + "?wait_ms=60000"),
    "commit": request("PUT", OFFSET, b'{"next":1}') + request("GET", OFFSET),
    "name": request("PUT", OFFSET.replace("/g/", "/caf%E9%00/"), b'{"next":0}'),
    "number": request("GET", OFFSET.replace("/0/", "/007/")),
    "forget": request("DELETE", OFFSET),
    "status": request("GET", "/v1/status") + request("HEAD", "/healthz") + request("GET", "/readyz"),
    "metrics": request("GET", "/metrics", version="1.0"),
    "promote": request("POST", "/v1/promote?force=true") + request("POST", "/v1/demote"),
    "follow": request("POST", "/v1/follow", b'{"master":"[::1]:10912"}', JSON),
    "option": request("PUT", "/v1/options/in_sync_replicas", b'{"value":"2"}', JSON),
    "absolute": request("GET", "http://h:80/v1/status?#"),
    "none": request("GET", "/none") + request("OPTIONS", "*"),
}

# The first byte says what reads the rest: files_fuzz.cc.
FILES = {
    "term": b'\1{"format":1,"promised":7,"promised_to":"b","epochs":[{"epoch":6,"start":0,"master":"a"}]}',
    "term-unsealed": b'\0{"format":1,"promised":7,"promised_to":"b","epochs":[],"checksum":"00"}',
    "degraded": b'\2{"format":1,"ranges":[{"from":4096,"to":8192,"since_ms":1700000000000,"healed_ms":0,'
                b'"lost_from":5000}],"told":{"from":9000,"to":9500,"since_ms":1,"healed_ms":0}}',
    "epochs": b"\x032\n773307083\n7-7000\n8-8000\n",
    "offsets": b'\4{"offsetTable":{"t@g":{0:12,1:3},"t@h":{"0":1}}}',
    "offsets-names": b'\4{"offsetTable":{"caf\xe9@g":{0:12},"a@b@c":{0:-1},"t@g":{"x":{}}}}',
    "mark": b"\5\x10\x00HAM2",
}


# The first two bytes say how the node is set up and the input cut, unless it is a name: opening_fuzz.cc.
TLS = bytes.fromhex("1603010005010000")
OPENING = {
    "native": bytes([0x1c, 7]) + b"\xff" * 8,
    "rocketmq": bytes([0x0c, 0]) + bytes(8),
    "tls": bytes([0x0f, 15]) + TLS + b"\xff" * 8,
    "tls_in_tls": bytes([0x0e, 2]) + TLS + TLS,
    "uri": b"ha:prod/a",
    "dns": b"A.Prod",
}


# The first byte says what the rest is: etcd_fuzz.cc.
HEADER = b'"header":{"cluster_id":"13455796455940752355","member_id":"443629905751424238","revision":"3","raft_term":"2"}'
KEYS = (b'"kvs":[{"key":"L2hhL2MvY29udHJvbA==","create_revision":"3","mod_revision":"3","version":"1","value":"e30="},'
        b'{"key":"L2hhL2MvbGVhZGVy","create_revision":"2","mod_revision":"2","version":"1","value":"YQ==",'
        b'"lease":"4390624973712276487"}]')
PUT = b'"succeeded":true,"responses":[{"response_put":{"header":{"revision":"2"}}}]'
LEASE = b'"ID":"4390624973712276487"'
NO_LEASE = b'"message":"etcdserver: requested lease not found"'


def answer(body, *fields):
    return "\r\n".join(["HTTP/1.1 200 OK", "Content-Type: application/json", *fields, "", ""]).encode() + body


ETCD = {
    "granted": b'\0{' + HEADER + b',' + LEASE + b',"TTL":"3"}',
    "granted-long": b'\0{' + HEADER + b',' + LEASE + b',"TTL":"9223372036854775807"}',
    "renewed": b'\0{"result":{' + HEADER + b',' + LEASE + b',"TTL":"3"}}\n',
    "ended": b'\0{"result":{' + HEADER + b',' + LEASE + b'}}\n',
    "header": b'\0{' + HEADER + b'}',
    "found": b'\0{' + HEADER + b',' + KEYS + b',"count":"2"}',
    "found-spaces": b'\0{' + HEADER + b', ' + KEYS.replace(b',"', b', "') + b', "count":"2"}',
    "found-part": b'\0{' + HEADER + b',' + KEYS + b',"more":true,"count":"3"}',
    "put": b'\0{' + HEADER + b',' + PUT + b'}',
    "token": b'\0{' + HEADER + b',"token":"yqAcPUZBEpZEfAJQ.22"}',
    "version": b'\0{"etcdserver":"3.6.16","etcdcluster":"3.6.0","storage":"3.6.0"}',
    "fault-3.4": b'\0{"error":"etcdserver: requested lease not found",' + NO_LEASE + b',"code":5}',
    "fault-3.6": b'\0{"code":5, ' + NO_LEASE + b'}',
    "fault-stream": b'\0{"error":{"grpc_code":16,"http_code":401,"message":"etcdserver: invalid auth token",'
                    b'"http_status":"Unauthorized"}}',
    "control": b'\1{"failover":"manual","wanted":"b"}',
    "base64": b'\1L2hhL2MvbGVhZGVy',
    "http": b'\2' + answer(b'{"a":1}', "Content-Length: 7"),
    "http-chunked": b'\2' + answer(b'3;x=y\r\n{"a\r\n4\r\n":1}\r\n0\r\nT: v\r\n\r\n', "Transfer-Encoding: chunked"),
    "http-more": b'\2' + answer(b'{}', "Content-Length: 2") + answer(b''),
    "http-1.0": b'\2HTTP/1.0 503 No\r\n\r\nno',
    "http-none": b'\2HTTP/1.1 204 None\r\nConnection: close\r\n\r\n',
}


def write(out):
    for name, seeds in (("opening", OPENING), ("http", HTTP), ("files", FILES), ("etcd", ETCD)):
        (out / name).mkdir(parents=True, exist_ok=True)
        for seed, content in seeds.items():
            (out / name / seed).write_bytes(content)
    (out / "native").mkdir(parents=True, exist_ok=True)
    (out / "wire").mkdir(parents=True, exist_ok=True)
    example = spoken("## Worked example, native")
    by = lambda *who: [m for w, m in example if w in who and m[:2] == b"HA"]
    for number, who in ((0, ("slave", "candidate")), (1, ("candidate",)), (2, ("master",)), (3, ("master", "voter"))):
        said = by(*who)
        if number == 3:  # a candidate hears the greeting, then the promise
            said = [by("master")[0], by("voter")[0]]
        raw = b"".join(bytes(m) for m in said)
        (out / "native" / f"raw{number}").write_bytes(bytes([0x80 + (number - 0x80) % 5, 16]) + raw)
        made = b"".join(map(unsealed, said))
        if number == 2:  # the example's master has nothing open; this one has, and then no more
            made += bytes([9, 24]) + b"".join(n.to_bytes(8, "big") for n in (5000, 9000, 7)) + bytes([9, 0])
        (out / "native" / f"made{number}").write_bytes(bytes([number, 16]) + made)
    for heading in ("## Worked example",):
        for n, (who, message) in enumerate(spoken(heading)):
            (out / "wire" / f"default{n}").write_bytes(bytes([7]) + bytes(message))


def check(corpus):
    with tempfile.TemporaryDirectory() as made:
        write(pathlib.Path(made))
        old = [name for file in sorted(pathlib.Path(made).rglob("*")) if file.is_file()
               for name in [file.relative_to(made)]
               if not (corpus / name).is_file() or (corpus / name).read_bytes() != file.read_bytes()]
    for name in old:
        print(f"{corpus / name} is not what tests/fuzz/seeds.py writes: run it")
    return bool(old)


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        sys.exit(check(pathlib.Path(sys.argv[2])))
    write(pathlib.Path(sys.argv[1]))
