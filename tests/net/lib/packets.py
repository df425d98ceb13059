# SPDX-License-Identifier: Apache-2.0
"""Decisions about frames made by the tests themselves, on a full capture, and the writing of what was chosen."""

import struct


def read_pcap(path):
    """(header of 16 bytes, frame) for each record of a little-endian pcap file such as tcpdump writes here."""
    data = path.read_bytes()
    assert struct.unpack("<I", data[:4])[0] in (0xA1B2C3D4, 0xA1B23C4D), path
    at = 24
    while at < len(data):
        n = struct.unpack("<I", data[at + 8:at + 12])[0]
        yield data[at:at + 16], data[at + 16:at + 16 + n]
        at += 16 + n


def keep(source, target, decide):
    """Writes the frames that decide(frame) accepts to a capture of the same form; returns how many."""
    chosen = [(head, frame) for head, frame in read_pcap(source) if decide(frame)]
    with open(target, "wb") as out:
        out.write(source.read_bytes()[:24])
        for head, frame in chosen:
            out.write(head + frame)
    return len(chosen)


def vlan_id(frame):
    """The outermost tag's VLAN, or None."""
    tpid, tci = struct.unpack("!HH", frame[12:16])
    return tci & 0xFFF if tpid in (0x8100, 0x88A8) else None


def in_vlans(text):
    """A decision by a list such as 100,200-210."""
    wanted = set()
    for part in text.split(","):
        low, _, high = part.partition("-")
        wanted.update(range(int(low), int(high or low) + 1))
    return lambda frame: vlan_id(frame) in wanted


def udp_payloads(path, port, to=True):
    """The payloads of the UDP datagrams over IPv4 to (or from) a port, from a capture of Ethernet frames."""
    found = []
    for _, frame in read_pcap(path):
        if frame[12:14] == b"\x08\0" and frame[23] == 17:
            at = 14 + (frame[14] & 15) * 4
            source, target, length = struct.unpack("!HHH", frame[at:at + 6])
            if (target if to else source) == port:
                found.append(bytes(frame[at + 8:at + length]))
    return found


# The link's handshake messages, by docs/protocol.md: type, version, method, 0, magic, sender, receiver, ...
HELLO, ANSWER, REJECT, RECORD, REASON_VERSION = 1, 2, 5, 16, 1
MAGIC = 0x46535031
HELLO_SIZE = 384


def hello(version=1, method=1, sender=7, low=None, high=None, data=b""):
    """A HELLO made by hand, of any version."""
    head = struct.pack("!BBBBIII", HELLO, version, method, 0, MAGIC, sender, 0)
    body = struct.pack("!BBHH", low or version, high or version, 7, len(data)) + data
    return (head + body).ljust(HELLO_SIZE, b"\0")


ENDS = b"\x02\0\0\0\0\x0a", b"\x02\0\0\0\0\x0b"


def ipv4(protocol, source, target, payload, number=0):
    """A packet; its Identification is the number."""
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), number, 0, 64, protocol, 0, source, target)
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack("!H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF) + head[12:] + payload


def udp(source, target, payload):
    """A datagram without a checksum."""
    return struct.pack("!HHHH", source, target, 8 + len(payload), 0) + payload


def ethernet(payload, kind=0x0800, vlan=None, back=False):
    """A frame between two addresses of the tests' own; `back`: the other way."""
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    return (ENDS[0] + ENDS[1] if back else ENDS[1] + ENDS[0]) + tag + struct.pack("!H", kind) + payload
