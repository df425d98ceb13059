# SPDX-License-Identifier: Apache-2.0
"""Runs `farspan meter` on files of frames that a test has made."""

import collections
import json
import struct

from .farspan import farspan
from .flows import read_csv, to_ms
from .proc import run

MACS = bytes.fromhex("020000000002020000000001")
FORMS = {"us": ("<", 0xA1B2C3D4, 1000), "ns": ("<", 0xA1B23C4D, 1), "us-big": (">", 0xA1B2C3D4, 1000), "ns-big": (">", 0xA1B23C4D, 1),
         "old": ("<", 0xA1B2CD34, 1000)}


def framed(p):
    frame = MACS + p.around + p.packet
    return frame + b"\xee" * (60 - len(frame))  # Ethernet's padding


def write(path, frames, form="us", linktype=1, snaplen=0):
    """A capture file of (ns, bytes)."""
    order, magic, unit = FORMS[form]
    with open(path, "wb") as f:
        f.write(struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, linktype))
        for ts, frame in frames:
            part = frame[:snaplen] if snaplen else frame
            f.write(struct.pack(order + "IIII", ts // 10**9, ts % 10**9 // unit, len(part), len(frame)))
            f.write(bytes(8) if form == "old" else b"")
            f.write(part)


def meter(source, out, *words, status=0, text=None):
    """The records, the figures of the last line, and the ledger."""
    done = run([farspan(), "meter", "-r", source, f"--csv={out}", "--ledger", *words], check=False, timeout=60, input=text)
    assert done.returncode == status, done.stderr
    found, sums = read_csv(out)
    ledger = json.loads(done.stdout)
    for stage in ledger["stages"].values():
        assert stage["in"] == stage["out"] + sum(stage["drops"].values()) and stage["in_flight"] == 0, ledger
    written, = ledger["exports"]
    assert written["in"] == written["out"] == sum(found.values()) == sums["flows"] and written["in_flight"] == 0, ledger
    assert sums["packets"] == ledger["stages"]["meter"]["out"]
    return found, sums, ledger, done.stderr


def tunnel_of(line):
    """The tunnel of a record of JSON, as lib/flows.py has it."""
    t = line.get("tunnel")
    return (t["kind"], t.get("id"), t["source"], t["destination"]) if t else ()


def record_of(line):
    """A record of JSON as lib/flows.py has it."""
    ends = [line.get(f"{end}IPv4Address", line.get(f"{end}IPv6Address")) for end in ("source", "destination")]
    ports = [line.get(f"{end}TransportPort", 0) for end in ("source", "destination")]
    ports[1] = line.get("icmpTypeCodeIPv4", line.get("icmpTypeCodeIPv6", ports[1]))
    first, last = (to_ms(f"{t[:10]} {t[11:23]}") for t in (line["flowStartNanoseconds"], line["flowEndNanoseconds"]))
    return (ends[0], ports[0], ends[1], ports[1], line["protocolIdentifier"], line["packetDeltaCount"], line["octetDeltaCount"],
           line.get("tcpControlBits", 0), line["ipClassOfService"], first, last, line.get("dot1qVlanId", 0), tunnel_of(line))

def read_json(path):
    return collections.Counter(record_of(line) for line in map(json.loads, path.read_text().splitlines()))
