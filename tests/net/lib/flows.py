# SPDX-License-Identifier: Apache-2.0
"""A plain meter: packets that a test has made itself, with what is known of each, added up to records by the rules of the manual.

It never looks at a frame's bytes, and looks at every flow for each packet.
"""

import collections
import csv
import dataclasses
import datetime
import ipaddress
import random
import struct

MS = 1_000_000
FIN, SYN, RST, ACK = 1, 2, 4, 16
NAMES = {1: "ICMP", 6: "TCP", 17: "UDP", 47: "GRE", 50: "ESP", 58: "ICMP6", 4: "IPIP", 41: "IPv6", 132: "SCTP", 33: "DCCP"}


@dataclasses.dataclass
class Packet:
    """A frame, as the test knows it: `reason` is why it is in no flow."""
    ts: int
    packet: bytes  # from the IP header on
    source: tuple = ()  # address, port
    target: tuple = ()
    proto: int = 0
    flags: int = 0
    tos: int = 0
    size: int = 0
    tags: tuple = ()
    around: bytes = b""  # between the MAC addresses and the packet
    reason: str = ""
    tunnel: tuple = ()  # in which it counts: kind, identifier or None, source and destination around it


def ones_sum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[:len(data) & ~1]))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def ip4(source, target, proto, payload, tos=0, ident=1, frag=0, total=None, options=b""):
    length = 20 + len(options) + len(payload) if total is None else total
    head = struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, tos, length, ident, frag, 64, proto, 0, source.packed, target.packed) + options
    return head[:10] + struct.pack("!H", ones_sum(head)) + head[12:] + payload


def ip6(source, target, proto, payload, tos=0):
    return struct.pack("!IHBB", 6 << 28 | tos << 20 | 0x12345, len(payload), proto, 60) + source.packed + target.packed + payload


def transport(proto, ports, flags, rng):
    body = bytes(rng.randrange(200))
    if proto == 6:
        return struct.pack("!HHIIBBHHH", *ports, 1, 1, 0x50, flags, 100, 0, 0) + body
    if proto == 17:
        return struct.pack("!HHHH", *ports, 8 + len(body), 0) + body
    if proto in (1, 58):
        return struct.pack("!HHHH", ports[1], 0, 1, 1) + body
    if proto == 132:
        return struct.pack("!HHII", *ports, 1, 0) + body
    return bytes(4) + body


def tag(rng, tags):
    """The bytes between the MAC addresses and the packet: tags, then what stands before IP."""
    kinds = [0x88A8] * (len(tags) - 1) + [0x8100] * bool(tags)
    return b"".join(struct.pack("!HH", kind, rng.randrange(8) << 13 | vid) for kind, vid in zip(kinds, tags))


def before_ip(rng, version):
    kind = 0x0800 if version == 4 else 0x86DD
    way = rng.randrange(10)
    if way == 0:
        return struct.pack("!HII", 0x8847, 100 << 12 | 64, 200 << 12 | 0x100 | 64)
    if way == 1:
        return struct.pack("!HBBHHH", 0x8864, 0x11, 0, 1, 100, 0x21 if version == 4 else 0x57)
    if way == 2:
        return bytes.fromhex("0064aaaa03000000") + struct.pack("!H", kind)
    return struct.pack("!H", kind)


def make(seed, number, mean_ms=20):
    """Packets of some fifty conversations, fragments, ARP and broken headers."""
    rng = random.Random(seed)
    hosts4 = [ipaddress.ip_address(f"10.0.{i}.{i + 1}") for i in range(5)]
    hosts6 = [ipaddress.ip_address(f"fd00::{i + 1:x}") for i in range(4)]
    ts = 1_700_000_000 * 1000 * MS
    found, idents = [], 0
    while len(found) < number:
        ts += int(rng.expovariate(1 / (mean_ms * MS))) // 1000 * 1000
        ts += 40_000 * MS if rng.random() < 0.001 else 0
        version = rng.choice([4, 4, 6])
        source, target = rng.sample(hosts4 if version == 4 else hosts6, 2)
        proto = rng.choice([6, 6, 6, 17, 17, 132, 1 if version == 4 else 58, 47, 50])
        ports = (rng.choice([1000, 1001, 53, 80]), rng.choice([53, 80]))
        if proto in (1, 58):
            ports = (0, rng.choice([8, 0, 3] if version == 4 else [128, 129]) * 256)
        elif proto in (47, 50):
            ports = (0, 0)
        flags = rng.choice([0, ACK, ACK, ACK | 8, SYN, SYN | ACK, FIN | ACK, RST]) if proto == 6 else 0
        tos = rng.choice([0, 0, 0xB8])
        tags = rng.choice([(), (), (), (7,), (0,), (7, 8)])
        around = tag(rng, tags) + before_ip(rng, version)
        body = transport(proto, ports, flags, rng)
        ends = (str(source), ports[0]), (str(target), ports[1])

        def add(packet, ends=ends, flags=flags, size=None, reason="", around=around):
            found.append(Packet(ts, packet, *ends, proto, flags, tos, len(packet) if size is None else size, tags, around, reason))

        kind = rng.random()
        if kind < 0.02:
            add(bytes.fromhex("0001080006040001") + bytes(20), reason="not_ip", around=tag(rng, tags) + b"\x08\x06")
        elif kind < 0.04:
            broken = bytes([rng.choice([0x44, 0x5F, 0x75])]) + ip4(hosts4[0], hosts4[1], 17, body)[1:]
            add(broken, reason="bad_ip", around=b"\x08\x00")
        elif kind < 0.10 and proto in (6, 17) and version == 4:
            idents += 1
            parts = [ip4(source, target, proto, body, tos, idents, 0x2000), ip4(source, target, proto, bytes(64), tos, idents, 0x0020)]
            late = rng.random() < 0.3  # the second comes first, and nobody knows its ports then
            for i in (1, 0) if late else (0, 1):
                known = ends if i == 0 or not late else tuple((a, 0) for a, _ in ends)
                add(parts[i], known, flags if i == 0 else 0)
        elif version == 4:
            add(ip4(source, target, proto, body, tos, options=bytes(rng.choice([0, 0, 8]))))
        else:
            extensions = rng.choice([b"", b"", bytes([proto, 0, 1, 4, 0, 0, 0, 0]), bytes([proto, 0, 0, 0, 0, 0, 0, 9])])
            first = proto if not extensions else 44 if extensions[7] == 9 else 60
            add(ip6(source, target, first, extensions + body, tos))
    return found


class Flow:
    def __init__(self, packet):
        self.source, self.tunnel = packet.source, packet.tunnel
        self.first = self.last = packet.ts
        self.ways = {}  # by source
        self.fins, self.closed = set(), False
        self.initiator = (packet.target, packet.source) if packet.flags & (SYN | ACK) == SYN | ACK else (packet.source, packet.target)


class Meter:
    """Records of packets: (source, port, target, port, protocol, packets, bytes, flags, type of service, first and last ms, VLAN, tunnel)."""

    def __init__(self, idle, active):
        self.idle, self.active = idle * MS, active * MS
        self.now, self.flows, self.records = None, {}, []
        self.pairs = collections.Counter()  # the same, the initiator's first, or the only one; None where there is no other

    def end(self, key):
        flow = self.flows.pop(key)
        ways, begun = {}, len(self.records)
        for (source, target), (packets, size, flags, tos, first, last) in flow.ways.items():
            outer = flow.tunnel[2:] if source == flow.source else flow.tunnel[:1:-1]
            self.records.append((*source, *target, key[1], packets, size, flags, tos, first // MS, last // MS, key[2][0] if key[2] else 0,
                                 flow.tunnel[:2] + outer))
            ways[source, target] = self.records[begun + len(ways)]
        forward = flow.initiator if flow.initiator in ways else next(iter(ways))
        self.pairs[ways[forward], ways.get(forward[::-1]) if len(ways) > 1 else None, 1 if forward == flow.initiator else 2] += 1

    def add(self, p):
        quiet = min(self.idle, self.active)
        self.now = p.ts
        for key, flow in list(self.flows.items()):
            if p.ts - flow.last >= (min(quiet, 1000 * MS) if flow.closed else quiet):
                self.end(key)
        ends = p.source, p.target
        paired = p.proto not in (1, 58)
        key = (frozenset(ends) if paired else ends, p.proto, p.tags, p.tunnel[:2])
        flow = self.flows.get(key)
        syn = p.flags & (SYN | ACK) == SYN
        if flow and ((flow.closed and syn) or p.ts - flow.first >= self.active):
            self.end(key)
            flow = None
        flow = flow or self.flows.setdefault(key, Flow(p))
        flow.last = p.ts
        flow.initiator = ends if syn else flow.initiator
        packets, size, flags, tos, first, _ = flow.ways.get(ends, (0, 0, 0, p.tos, p.ts, p.ts))
        flow.ways[ends] = packets + 1, size + p.size, flags | p.flags, tos, first, p.ts
        if p.flags & FIN:
            flow.fins.add(ends)
        flow.closed |= bool(p.flags & RST) or len(flow.fins) == 2

    def finish(self):
        for key in list(self.flows):
            self.end(key)
        return collections.Counter(self.records)


def letters(flags):
    return "".join(letter if flags >> (5 - i) & 1 else "." for i, letter in enumerate("UAPRSF"))


def rows(records):
    """The records as the columns of the CSV that say something."""
    found = collections.Counter()
    for (sa, sp, da, dp, proto, packets, size, flags, tos, first, last, vlan, _), n in records.items():
        found[(sa, str(sp), da, str(dp), NAMES.get(proto, str(proto)), str(packets), str(size), letters(flags), str(tos), first, last, str(vlan))] += n
    return found


def to_ms(text):
    whole, ms = text.split(".")
    return int(datetime.datetime.strptime(whole + "+0000", "%Y-%m-%d %H:%M:%S%z").timestamp()) * 1000 + int(ms)


def read_csv(path):
    """The same of a file: its rows, and the figures of its last line."""
    lines = path.read_text().splitlines()
    found = collections.Counter()
    assert lines[-3] == "Summary" and lines[-2] == "flows,bytes,packets,avg_bps,avg_pps,avg_bpp", lines[-3:]
    for row in csv.DictReader(lines[:-3]):
        assert len(row) == 48 and None not in row.values(), row
        first, last = to_ms(row["ts"]), to_ms(row["te"])
        assert row["td"] == f"{(last - first) // 1000}.{(last - first) % 1000:03}", row
        found[tuple(row[c] for c in ("sa", "sp", "da", "dp", "pr", "ipkt", "ibyt", "flg", "stos")) + (first, last, row["svln"])] += 1
    return found, dict(zip(lines[-2].split(","), map(int, lines[-1].split(","))))
