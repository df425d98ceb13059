# SPDX-License-Identifier: Apache-2.0
"""Puts the packets of lib/flows.py into tunnels, of all kinds and up to five deep, and knows what a meter is to make of them.

A conversation is in one of two chains of tunnels, as two tenants may have the same addresses; so both directions, and all fragments of
a packet, are in the same.
"""

import dataclasses
import ipaddress
import random
import struct

from .flows import ip4, ip6

DEEPEST = 4
MACS = bytes.fromhex("020000000a02020000000a01")
HAS_ID = {"vxlan", "vxlan-gpe", "geneve", "gtp-u"}


@dataclasses.dataclass
class Tunnel:
    """One of a chain, with its ends as the conversation's lower address has them."""
    kind: str
    form: str  # what of the kind: flags, a type, a port
    ident: int  # None: it has no identifier
    near: ipaddress.IPv4Address
    far: ipaddress.IPv4Address
    port: int
    tags: tuple  # inside its frame


def ethernet(packet, kind, tags, gone=False):
    """The frame of a packet; `gone`: the first tag is left out, as ERSPAN's header has it."""
    return MACS + b"".join(struct.pack("!HH", 0x8100, vid) for vid in tags[1 if gone else 0:]) + struct.pack("!H", kind) + packet


FORMS = {"ip": [""], "gre": ["", "k", "c", "cks"], "gretap": ["", "k", "s"], "erspan": ["1", "2", "2-tag", "3", "3-sub"],
         "vxlan": ["4789", "8472"], "vxlan-gpe": ["eth", "ip", "frame"], "geneve": ["eth", "ip", "options"], "gtp-u": ["", "s", "e"]}


def make_tunnel(rng, kind, but):
    four = rng.random() < 0.7
    near, far = (ipaddress.ip_address(f"192.0.2.{n}" if four else f"2001:db8::{n:x}") for n in rng.sample(range(1, 9), 2))
    form = rng.choice([f for f in FORMS[kind] if (kind, f) not in but])
    has_id = kind in HAS_ID or "k" in form or (kind == "erspan" and form != "1")
    bits = {"gre": 32, "gretap": 32, "erspan": 10, "gtp-u": 32}.get(kind, 24)
    frame = kind in ("gretap", "vxlan", "erspan") or form in ("eth", "frame", "options")
    tags = (rng.randrange(1, 4095),) if form == "2-tag" or (frame and rng.random() < 0.2) else ()
    return Tunnel(kind, form, rng.choice([0, 1, rng.getrandbits(bits)]) if has_id else None, near, far, 50000 + rng.randrange(3), tags)


def gre(form, ident, kind):
    flags = sum({"c": 0x8000, "k": 0x2000, "s": 0x1000}[c] for c in form)
    return struct.pack("!HH", flags, kind) + b"".join(struct.pack("!I", ident if c == "k" else 0) for c in form)


def erspan(t):
    """The header, and whether its VLAN is no more in the frame."""
    if t.form == "1":
        return gre("", 0, 0x88BE)
    word = t.tags[0] if t.tags else 1
    if t.form[0] == "2":
        return gre("s", 0, 0x88BE) + struct.pack("!HHI", 0x1000 | word, (0x1000 if t.form == "2-tag" else 0x1800) | t.ident, 5)
    return gre("s", 0, 0x22EB) + struct.pack("!HHIHH", 0x2000 | word, t.ident, 7, 0, int(t.form == "3-sub")) + bytes(8 * (t.form == "3-sub"))


def gtpu(form, ident, length):
    optional = {"": b"", "s": b"\0\1\0\0", "e": b"\0\0\0\x85" + b"\1\x10\1\0"}[form]
    return struct.pack("!BBHI", {"": 0x30, "s": 0x32, "e": 0x34}[form], 255, length + len(optional), ident) + optional


def inside(t, packet, kind):
    """IP protocol, destination port and bytes of the tunnel with the packet in it; kind: its EtherType."""
    if t.kind == "ip":
        return 4 if kind == 0x800 else 41, None, packet
    if t.kind == "gre":
        return 47, None, gre(t.form, t.ident, kind) + packet
    frame = ethernet(packet, kind, t.tags, t.form == "2-tag")
    if t.kind == "gretap":
        return 47, None, gre(t.form, t.ident, 0x6558) + frame
    if t.kind == "erspan":
        return 47, None, erspan(t) + frame
    if t.kind == "vxlan":
        return 17, int(t.form), struct.pack("!II", 0x08000000, t.ident << 8) + frame
    if t.kind == "gtp-u":
        return 17, 2152, gtpu(t.form, t.ident, len(packet)) + packet
    whole = packet if t.form == "ip" else frame
    if t.kind == "vxlan-gpe":
        what = {"eth": 0x08000000, "frame": 0x0C000003, "ip": 0x0C000001 if kind == 0x800 else 0x0C000002}[t.form]
        return 17, 4790, struct.pack("!II", what, t.ident << 8) + whole
    options = b"\1\2\3\1\0\0\0\0" if t.form == "options" else b""
    return 17, 6081, struct.pack("!BBHI", len(options) // 4, 0, kind if t.form == "ip" else 0x6558, t.ident << 8) + options + whole


def around(t, packet, kind, forth):
    """The packet in its tunnel: (bytes, its EtherType, and what a meter knows of it)."""
    proto, port, body = inside(t, packet, kind)
    ends = (t.near, t.far) if forth else (t.far, t.near)
    if port:
        body = struct.pack("!HHHH", t.port, port, 8 + len(body), 0) + body
    whole = (ip4 if ends[0].version == 4 else ip6)(*ends, proto, body)
    known = {"source": (str(ends[0]), t.port if port else 0), "target": (str(ends[1]), port or 0), "proto": proto, "size": len(whole)}
    return whole, 0x800 if ends[0].version == 4 else 0x86DD, {**known, "flags": 0, "tos": 0, "reason": ""}


def seen(p, layers, chain):
    """The packet as a meter with --tunnel inner has it: `layers` are those around it, the outermost last."""
    deep = len(layers)
    unread = p.reason != ""
    entered = min(deep - unread, DEEPEST)
    if entered < deep:
        p = dataclasses.replace(p, **layers[deep - entered - 1])
    if entered > 0:
        t, outer = chain[deep - entered], layers[deep - entered]
        p = dataclasses.replace(p, tunnel=(t.kind, t.ident, outer["source"][0], outer["target"][0]))
    tags = [vid for t in reversed(chain[deep - entered:]) for vid in t.tags]
    return dataclasses.replace(p, tags=p.tags + tuple(tags))


def cut_in_two(packet):
    """An IPv4 packet as two fragments."""
    at, body = 24, packet[20:]
    source, target = (ipaddress.ip_address(packet[i:i + 4]) for i in (12, 16))
    return [ip4(source, target, packet[9], part, ident=60000, frag=frag) for part, frag in ((body[:at], 0x2000), (body[at:], at // 8))]


def enclose(packets, seed, but=()):
    """(what goes into a file, what a meter is to make of it), each as lib/flows.py's packets. but: (kind, form) that are not used."""
    rng = random.Random(seed)
    chains, written, expected = {}, [], []
    for p in packets:
        p = dataclasses.replace(p, tags=() if p.reason == "bad_ip" else p.tags)
        hosts = p.packet[12:20] if p.packet[0] >> 4 == 4 else p.packet[8:40]
        half = len(hosts) // 2
        forth = hosts[:half] < hosts[half:]
        pair = bytes(min(hosts[:half], hosts[half:]) + max(hosts[:half], hosts[half:]))
        fragment = p.packet[0] >> 4 == 4 and p.packet[6:8] != b"\0\0"
        tenant = p.packet[5] & 1 if fragment else rng.randrange(2)
        if (pair, tenant) not in chains:
            depth = rng.choice([0, 1, 1, 1, 2, 3, 4, 5])
            chains[pair, tenant] = [make_tunnel(rng, rng.choice(list(FORMS)), but) for _ in range(depth)]
        chain, tags = chains[pair, tenant], len(p.tags)
        chain = [t if (tags := tags + len(t.tags)) <= 4 else dataclasses.replace(t, tags=(), form=t.form.replace("2-tag", "2")) for t in chain]
        whole, kind, layers = p.packet, 0x806 if p.reason == "not_ip" else 0x86DD if p.packet[0] >> 4 == 6 else 0x800, []
        for t in chain:
            whole, kind, known = around(t, whole, kind, forth)
            layers.append(known)
        if not chain:
            written.append(p)
            expected.append(p)
            continue
        before = p.around[:4 * len(p.tags)]
        p = dataclasses.replace(p, around=before + struct.pack("!H", kind), flags=p.flags)
        if kind == 0x800 and not fragment and rng.random() < 0.05:
            for part in cut_in_two(whole):
                written.append(dataclasses.replace(p, packet=part))
                expected.append(dataclasses.replace(p, packet=part, **{**layers[-1], "size": len(part)}))
            continue
        written.append(dataclasses.replace(p, packet=whole))
        expected.append(seen(p, layers, chain))
    return written, expected
