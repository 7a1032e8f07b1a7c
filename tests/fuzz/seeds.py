#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets from the worked examples of ha_plugin/wire/README.md.

  tests/fuzz/seeds.py DIR      DIR/native and DIR/wire
"""
import pathlib
import sys

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


def main():
    out = pathlib.Path(sys.argv[1])
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


if __name__ == "__main__":
    main()
