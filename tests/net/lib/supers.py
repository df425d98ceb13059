# SPDX-License-Identifier: Apache-2.0
"""Super-packets made by hand, to be put into an interface, and an independent look at the frames that they were cut into.

`random_super` gives a packet and what the kernel is told of it (struct virtio_net_hdr), by a seed. `Flow` follows the
frames of one super-packet by a decoder of its own: headers, lengths, checksums, sequence numbers, payload.
"""

import fcntl
import os
import socket
import struct
import time

from .lab import inside
from .proc import run

SOL_PACKET, PACKET_VNET_HDR = 263, 15
TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x400454CA, 2, 0x1000, 0x4000
NEEDS_CSUM, TCP4, TCP6, UDP_L4, ECN = 1, 1, 4, 5, 0x80
HERE, THERE = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << i for i in range(8))
HOP, ROUTING, FRAGMENT, DSTOPTS = 0, 43, 44, 60
JUMBO = 65536
VXLAN_PORTS, GENEVE_PORT = (4789, 8472, 51821), 6081


def ones_sum(data, start=0):
    data = bytes(data) + b"\0" * (len(data) % 2)
    total = start + sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def pseudo_sum(source, target, protocol, length):
    return ones_sum(source + target + struct.pack("!II", length, protocol))


def extension(rng, kind, following):
    """A header of IPv6 that the kernel's segmentation goes over: options that are nothing but padding, or an empty route."""
    if kind == ROUTING:
        return bytes([following, 2, 4, 0]) + bytes(4) + rng.randbytes(16)
    size = 8 * rng.randint(1, 4)
    return bytes([following, size // 8 - 1, 1, size - 4]) + bytes(size - 4)


def ip_header(rng, six, protocol, length, ident=None, jumbo=False):
    """(header with options or extensions, source, target). `length`: of what follows it."""
    if six:
        source, target = (bytes.fromhex("fd70") + rng.randbytes(14) for _ in range(2))
        kinds = rng.choice([[], [], [HOP], [DSTOPTS], [HOP, DSTOPTS, ROUTING], [ROUTING, DSTOPTS]])
        chain, following = b"", protocol
        for kind in reversed([] if jumbo else kinds):
            chain = extension(rng, kind, following) + chain
            following = kind
        if jumbo:
            chain, following = bytes([protocol, 0, 0xC2, 4]) + struct.pack("!I", length + 8), HOP
        total = 0 if jumbo else len(chain) + length
        first = 6 << 28 | rng.getrandbits(8) << 20 | rng.getrandbits(20)
        return struct.pack("!IHBB", first, total, following, 64) + source + target + chain, source, target
    source, target = (b"\x0a" + rng.randbytes(3) for _ in range(2))
    options = bytes([1]) * (4 * rng.choice([0, 0, 1, 10]))
    # 0 and DF would be a sender that does not count, of which the header for the card has no word
    ident, df = rng.choice([1, 0x1234, 0xFFFE]) if ident is None else ident, rng.choice([0, 0x4000])
    total = 0 if jumbo else 20 + len(options) + length
    head = struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, rng.getrandbits(8), total, ident, df, 64, protocol, 0)
    head += source + target + options
    return head[:10] + struct.pack("!H", ones_sum(head) ^ 0xFFFF) + head[12:], source, target


def tcp_header(rng, ports, flags):
    options = rng.choice([b"", bytes.fromhex("0101080a") + rng.randbytes(8), bytes([1]) * 40])
    sequence = rng.choice([0, 0xFFFFF000, rng.getrandbits(32)])
    return struct.pack("!HHIIBBHHH", *ports, sequence, rng.getrandbits(32), (5 + len(options) // 4) << 4, flags,
                       rng.getrandbits(16), 0, rng.getrandbits(16) if flags & URG else 0) + options


class Super:
    """`vnet` and `frame` are what is sent; `ports` tells its frames from all others."""

    def __init__(self, vnet, frame, ports, payload, size, sequence):
        self.vnet, self.frame, self.ports, self.payload, self.size, self.sequence = vnet, frame, ports, payload, size, sequence


def ethernet(rng, tags, six):
    head = THERE + HERE
    for i in range(n := rng.randint(0, tags)):
        head += struct.pack("!HH", 0x88A8 if n == 2 and i == 0 else 0x8100, rng.getrandbits(3) << 13 | rng.randint(1, 4094))
    return head + (b"\x86\xdd" if six else b"\x08\x00")


def around(rng, kind, six, length):
    """The header that a tunnel puts before a packet of `length` bytes, with or without an Ethernet header, and its protocol.

    Checksums and lengths in it are of no meaning: those who cut set them, where there is one to be set.
    """
    typed = struct.pack("!H", 0x86DD if six else 0x0800)
    inner = ethernet(rng, 1, six)
    if kind == "ip":
        return b"", 41 if six else 4
    if kind == "gre":
        flags = rng.choice([0, 0x8000, 0x2000, 0xA000, 0x3000, 0xB000])
        fields = b"".join(rng.randbytes(4) for bit in (0x8000, 0x2000, 0x1000) if flags & bit)
        ether = rng.random() < 0.5
        return struct.pack("!H", flags) + (b"\x65\x58" if ether else typed) + fields + (inner if ether else b""), 47
    checksum = rng.choice([0, 0x1234])
    if kind == "vxlan":
        tunnel, port = bytes([8, 0, 0, 0]) + rng.randbytes(3) + b"\0" + inner, rng.choice(VXLAN_PORTS)
    else:
        options = rng.choice([b"", bytes.fromhex("01020301") + rng.randbytes(4)])
        ether = rng.random() < 0.5
        tunnel = bytes([len(options) // 4, 0]) + (b"\x65\x58" if ether else typed) + rng.randbytes(3) + b"\0" + options
        tunnel, port = tunnel + (inner if ether else b""), GENEVE_PORT
    return struct.pack("!HHHH", 40000, port, 8 + len(tunnel) + length, checksum) + tunnel, 17


def random_super(rng, number, tags=2, largest=60000, mtu_payload=1300, six=None, tcp=None, jumbo=False, tunnel=None):
    """A super-packet of a random kind; `number` (below 60000) goes into its ports."""
    six = rng.random() < 0.5 if six is None else six
    tcp = rng.random() < 0.7 if tcp is None else tcp
    ports = (1024 + number, 5000)
    size = rng.choice([mtu_payload, rng.randint(200, mtu_payload), rng.randint(30, 200)])
    size = max(size, 700) if jumbo else size  # the kernel queues at most 1000 frames between two devices
    payload = rng.randbytes(rng.randint(JUMBO + 64, largest) if jumbo else rng.randint(size + 1, min(largest, size * 60)))
    flags = ACK | rng.choice([0, PSH, PSH | FIN, FIN, ECE, CWR, CWR | PSH, URG])
    l4 = tcp_header(rng, ports, flags) if tcp else struct.pack("!HHHH", *ports, 8 + len(payload), 0)
    protocol, at = (6, 16) if tcp else (17, 6)
    ip, source, target = ip_header(rng, six, protocol, len(l4) + len(payload), jumbo=jumbo)
    partial = pseudo_sum(source, target, protocol, len(l4) + len(payload))
    if tunnel:
        outer_six = rng.random() < 0.5
        between, outer_protocol = around(rng, tunnel, six, len(ip) + len(l4) + len(payload))
        outer = ip_header(rng, outer_six, outer_protocol, len(between) + len(ip) + len(l4) + len(payload))[0]
        before = ethernet(rng, tags, outer_six) + outer + between
    else:
        before = ethernet(rng, tags, six)
    start = len(before) + len(ip)
    kind = (TCP6 if six else TCP4) if tcp else UDP_L4
    kind |= ECN if tcp and flags & CWR else 0
    vnet = struct.pack("<BBHHHH", NEEDS_CSUM, kind, start + len(l4), size, start, at)
    frame = before + ip + l4[:at] + struct.pack("!H", partial) + l4[at + 2:] + payload
    return Super(vnet, frame, ports, payload, size, struct.unpack("!I", l4[4:8])[0] if tcp else None)


def tcp_frames(n, size, ident):
    """Frames as they are on a wire, one after the other of one connection; `ident` 0 is every frame's, another one counts up."""
    frames = []
    for i in range(n):
        payload = bytes([i % 256]) * size
        ip = struct.pack("!BBHHHBB", 0x45, 2, 40 + size, ident + (i if ident else 0), 0x4000, 64, 6)
        addresses = bytes.fromhex("0a4600010a460002")
        ip += struct.pack("!H", ones_sum(ip + addresses) ^ 0xFFFF) + addresses
        tcp = struct.pack("!HHIIBBH", 4000, 5000, 1 + i * size, 1, 0x50, ACK, 500)
        total = ones_sum(tcp + bytes(4) + payload, pseudo_sum(addresses[:4], addresses[4:], 6, 20 + size)) ^ 0xFFFF
        frames.append(THERE + HERE + b"\x08\x00" + ip + tcp + struct.pack("!HH", total, 0) + payload)
    return frames


def inject(ns, dev, supers, rate=5_000_000):
    """Sends them at that many bytes a second, so that no queue of the test's own network overflows."""
    with inside(ns):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 24)
    s.bind((dev, 0))
    due = time.monotonic()
    for one in supers:
        time.sleep(max(0, due - time.monotonic()))
        s.send(one.vnet + one.frame)
        due += len(one.frame) / rate
    s.close()


class TapDevice:
    """A device whose other end is this program. What is written to it arrives there unexamined, tunnels and UFO among it."""

    def __init__(self, ns, dev):
        with inside(ns):
            self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
            fcntl.ioctl(self.fd, TUNSETIFF, struct.pack("16sH22x", dev.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
        run(["ip", "-n", ns, "link", "set", dev, "arp", "off", "up"])

    def inject(self, supers):
        for one in supers:
            os.write(self.fd, one.vnet + one.frame)

    def close(self):
        os.close(self.fd)


class Cut:
    """One frame, decoded down to its innermost transport header. Raises AssertionError for what is wrong in it."""

    def __init__(self, frame):
        self.frame, self.idents = frame, []
        self.tcp, self.ports, self.payload = False, None, None
        self._ether(0)

    def _u16(self, at):
        return struct.unpack("!H", self.frame[at:at + 2])[0]

    def _ether(self, at):
        at += 12
        while self._u16(at) in (0x8100, 0x88A8):
            at += 4
        self._typed(self._u16(at), at + 2)

    def _typed(self, kind, at):
        assert kind in (0x0800, 0x86DD), f"ethertype {kind:04x}"
        (self._ip4 if kind == 0x0800 else self._ip6)(at)

    def _ip4(self, at):
        head = (self.frame[at] & 15) * 4
        assert ones_sum(self.frame[at:at + head]) == 0xFFFF, "the checksum of an IPv4 header"
        assert self._u16(at + 2) == len(self.frame) - at, "the length of an IPv4 packet"
        self.idents.append(self._u16(at + 4))
        self._transport(self.frame[at + 9], at + head, self.frame[at + 12:at + 16], self.frame[at + 16:at + 20])

    def _ip6(self, at):
        assert self._u16(at + 4) == len(self.frame) - at - 40, "the length of an IPv6 packet"
        kind, source, target = self.frame[at + 6], self.frame[at + 8:at + 24], self.frame[at + 24:at + 40]
        at += 40
        while kind in (HOP, ROUTING, DSTOPTS):
            assert self.frame[at + 2] != 0xC2, "a jumbo option on the wire"
            kind, at = self.frame[at], at + 8 * (self.frame[at + 1] + 1)
        self._transport(kind, at, source, target)

    def _transport(self, kind, at, source, target):
        if kind in (4, 41):
            return self._typed(0x0800 if kind == 4 else 0x86DD, at)
        if kind == 47:
            return self._gre(at)
        if kind not in (6, 17):
            return None
        if kind == 17:
            assert self._u16(at + 4) == len(self.frame) - at, "the length of a UDP datagram"
        if kind == 6 or self._u16(at + 6):
            total = pseudo_sum(source, target, kind, len(self.frame) - at)
            assert ones_sum(self.frame[at:], total) == 0xFFFF, "the checksum of TCP or UDP"
        port = self._u16(at + 2)
        if kind == 17 and port in VXLAN_PORTS:
            return self._ether(at + 16)
        if kind == 17 and port == GENEVE_PORT:
            head = at + 8
            at = head + 8 + (self.frame[head] & 0x3F) * 4
            return self._ether(at) if self._u16(head + 2) == 0x6558 else self._typed(self._u16(head + 2), at)
        self.tcp = kind == 6
        self.ports = struct.unpack("!HH", self.frame[at:at + 4])
        self.sequence = struct.unpack("!I", self.frame[at + 4:at + 8])[0] if self.tcp else None
        self.flags = self.frame[at + 13] if self.tcp else None
        self.payload = self.frame[at + (self.frame[at + 12] >> 4) * 4:] if self.tcp else self.frame[at + 8:]

    def _gre(self, at):
        flags, kind = self._u16(at), self._u16(at + 2)
        if flags & 0x8000:
            assert ones_sum(self.frame[at:]) == 0xFFFF, "the checksum of GRE"
        at += 4 + sum(4 for bit in (0x8000, 0x2000, 0x1000) if flags & bit)
        self._ether(at) if kind == 0x6558 else self._typed(kind, at)


def assert_whole(one, frames):
    """The frames (of any order) of a super-packet: together they are it, each is right in itself."""
    cuts = [Cut(f) for f in frames]
    assert all(c.ports == one.ports for c in cuts)
    if one.sequence is not None:
        cuts.sort(key=lambda c: (c.sequence - one.sequence) % (1 << 32))
        at = one.sequence
        for c in cuts:
            assert c.sequence == at, f"sequence {c.sequence}, {at} expected"
            at = (at + len(c.payload)) % (1 << 32)
        for i, c in enumerate(cuts):
            assert i + 1 == len(cuts) or not c.flags & (FIN | PSH), "FIN and PSH belong to the last"
            assert i == 0 or not c.flags & CWR, "CWR belongs to the first"
    assert b"".join(c.payload for c in cuts) == one.payload
    assert [len(c.payload) for c in cuts[:-1]] == [one.size] * (len(cuts) - 1) and len(cuts[-1].payload) <= one.size
    for ids in zip(*(c.idents for c in cuts)):
        step = {(b - a) % 65536 for a, b in zip(ids, ids[1:])}
        assert step <= {1} or set(ids) == {0}, f"identifications {ids}"


def stream_of(frames, port):
    """The bytes that the frames of one TCP connection carry to a port, put together by their sequence numbers; fails where some
    are missing, or were sent again with other values."""
    parts = [c for c in map(Cut, frames) if c.tcp and c.ports[1] == port]
    first = next(c.sequence for c in parts if c.flags & SYN) + 1
    stream = bytearray()
    for at, payload in sorted(((c.sequence - first) % (1 << 32), c.payload) for c in parts if c.payload):
        assert at <= len(stream), f"{at - len(stream)} bytes are missing at {len(stream)}"
        again = stream[at:at + len(payload)]
        assert payload[:len(again)] == again, f"other bytes at {at}"
        stream += payload[len(again):]
    return bytes(stream)
