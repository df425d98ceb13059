# SPDX-License-Identifier: Apache-2.0
"""The cutter against the kernel's own cutting, by properties: super-packets of random kinds and sizes.

They are put into an interface by hand, the tap sees them arrive, and a device behind a bridge that cannot segment has the
kernel cut them. Both must give the same frames, and an independent decoder must find in each what there is to find.
"""

import collections
import random
import struct

import pytest

from lib.cutting import OFF, bad_checksums, bridge, frames_of, limit, observe, same, transfer
from lib.farspan import Collector, Tap, assert_balanced, drops, own_name, status, tap_stages
from lib.proc import wait_until
from lib.supers import (FRAGMENT, HERE, NEEDS_CSUM, THERE, Cut, Super, TapDevice, assert_whole, inject, ones_sum, random_super,
                        stream_of, tcp_frames)
from lib.tools import Tcpdump, compare, in_namespace, ping, tshark


def judge(lab, supers):
    """Every super-packet's frames, as they came to the collector, are right in themselves and together."""
    found = collections.defaultdict(list)
    for frame in frames_of(lab.folder / "collector.pcapng"):
        found[Cut(frame).ports].append(frame)
    assert len(found) == len(supers)
    for one in supers:
        assert_whole(one, found[one.ports])


SENDER = "ether src 02:00:00:00:00:01"


def put_in(lab, supers, size=None, later=False):
    """The supers go by the tap and are cut by the kernel; gives the tap's stages. `size`: what the devices allow, before the
    tap looks or after."""
    far = bridge(lab, addresses=False)
    if size and not later:
        limit(lab, far, size)

    def act():
        if later:
            limit(lab, far, size)
        inject(lab.peer, "peer0", supers)

    n, stages = observe(lab, act, SENDER)
    cut = stages["cut"]
    assert cut["cut"] == len(supers) and cut["uncut"] == 0 and cut["made"] == n - len(supers), stages
    return n, stages


@pytest.mark.parametrize("seed", range(4))
def test_random(lab, seed):
    """Tags (one of them beside the frame, in the ring), options, extension headers, flags, sizes; TCP and UDP."""
    rng = random.Random(seed)
    supers = [random_super(rng, i) for i in range(60)]
    n, _ = put_in(lab, supers)
    same(lab, n)
    judge(lab, supers)


@pytest.mark.parametrize("largest", [180000, 524000])
def test_jumbo(lab, largest):
    """Past 64 KiB: no length in the packet, a jumbo option in IPv6. The larger ones need larger blocks in the ring."""
    rng = random.Random(largest)
    supers = [random_super(rng, i, largest=largest, tcp=True, jumbo=True, tags=1) for i in range(12)]
    n, stages = put_in(lab, supers, size=largest + 280)
    assert stages["ring"]["clamped"] == 0
    same(lab, n)
    judge(lab, supers)


def test_jumbo_beyond_the_ring(lab):
    """The limits grew after the ring was made: no frame is lost, and the ledger says that some were cut short."""
    rng = random.Random(3)
    supers = [random_super(rng, i, largest=500000, tcp=True, jumbo=True) for i in range(12)]
    n, stages = put_in(lab, supers, size=524280, later=True)
    long = [one for one in supers if len(one.frame) > 128 << 10]  # a block of the ring
    assert stages["ring"]["clamped"] == len(long) > 0
    whole = {one.ports for one in supers} - {one.ports for one in long}
    verdict = compare(lab.folder / "witness.pcap", lab.folder / "collector.pcapng", order="none")
    assert verdict["missing"] == verdict["foreign"] == verdict["duplicates"] == verdict["lengths"] == 0, verdict
    assert whole and verdict["matched"] > 0 and verdict["altered"] > 0


@pytest.mark.parametrize("tunnel", ["ip", "gre", "vxlan", "geneve"])
def test_tunnels_by_hand(lab, tunnel):
    """Tunnels that the kernel may have no module for, so that it cannot be the judge: GRE with each of its fields, IP in IP,
    VXLAN on any port, Geneve with options. Tags and options inside and outside."""
    rng = random.Random(tunnel)
    supers = [random_super(rng, i, tunnel=tunnel, largest=20000, mtu_payload=1100) for i in range(40)]
    device = TapDevice(lab.tap, "t0")
    collector = Collector(lab, key=None, device=None, file=lab.folder / "collector.pcapng")
    tap = Tap(lab, "--direction", "in", "-f", SENDER, key=None, interfaces=["t0"])
    device.inject(supers)
    ledger, arrived = tap.finish(), collector.finish()
    assert_balanced(ledger, arrived, sent=len(supers))
    cut = tap_stages(ledger)["cut"]
    assert cut["cut"] == len(supers) and cut["uncut"] == 0
    judge(lab, supers)
    assert not bad_checksums(lab.folder / "collector.pcapng")
    device.close()


@pytest.mark.parametrize("outer, words", [("10.70.0.2", []), ("10.70.0.2", ["udpcsum"]), ("fd70::2", [])])
def test_random_inside_vxlan(lab, outer, words):
    """The kernel puts VXLAN around them, over IPv4 or IPv6, with an outer checksum or without."""
    rng = random.Random(f"{outer}{words}")
    supers = [random_super(rng, i, tags=1, mtu_payload=1100, largest=50000) for i in range(40)]
    bridge(lab)
    lab.ip(lab.peer, "link", "add", "vx0", "type", "vxlan", "id", "42", "remote", outer, "dstport", "4789", "dev", "peer0", *words)
    lab.ip(lab.peer, "link", "set", "vx0", "arp", "off", "up")
    ping(lab.peer, outer)
    n, stages = observe(lab, lambda: inject(lab.peer, "vx0", supers), "udp port 4789")
    assert stages["cut"]["cut"] == len(supers) and stages["cut"]["uncut"] == 0
    same(lab, n)
    judge(lab, supers)


@pytest.mark.parametrize("seed", range(2))
def test_joined_on_receiving(lab, seed):
    """The other way: the kernel cuts them on sending, and joins the frames again as they come in (GRO), where the tap looks."""
    rng = random.Random(100 + seed)
    supers = [random_super(rng, i, tcp=True, mtu_payload=1300) for i in range(60)]
    lab.offloads(lab.peer, "peer0", **OFF)
    lab.offloads(lab.tap, "mon0", gro="on", rx="on")
    collector = Collector(lab, key=None, device=None, file=lab.folder / "collector.pcapng")
    witness = Tcpdump(lab, lab.peer, "peer0", "witness", direction="out", expr=SENDER, snaplen=9100, buffer_kib=65536, fast=True)
    tap = Tap(lab, "--direction", "in", "-f", SENDER, key=None)
    inject(lab.peer, "peer0", supers)
    n = witness.wait_quiet()
    ledger, arrived = tap.finish(), collector.finish()
    assert witness.stop() == n
    assert_balanced(ledger, arrived, delivered=n)
    cut = tap_stages(ledger)["cut"]
    assert cut["cut"] > 10 and cut["uncut"] == 0
    same(lab, n)


def test_not_cut(lab):
    """A packet that cannot be cut passes whole and is counted; one that the kernel has no word for does not come, and is counted."""
    rng = random.Random(7)
    good = random_super(rng, 1, tags=0, six=True, tcp=True)
    head = random_super(rng, 2, tags=0, six=True, tcp=True)
    at = 14 + 40  # a fragment header, behind the IPv6 header and before what follows that
    frame = head.frame[:20] + bytes([FRAGMENT]) + head.frame[21:at] + head.frame[20:21] + bytes(7) + head.frame[at:]
    flags, kind, length, size, start, offset = struct.unpack("<BBHHHH", head.vnet)
    fragmented = Super(struct.pack("<BBHHHH", flags, kind, length + 8, size, start + 8, offset), frame, *[None] * 4)
    ufo = random_super(rng, 3, tags=0, six=False, tcp=False)
    ufo.vnet = ufo.vnet[:1] + b"\x03" + ufo.vnet[2:]
    device = TapDevice(lab.tap, "t0")
    collector = Collector(lab, key=None, device=None, file=lab.folder / "collector.pcapng")
    tap = Tap(lab, "--direction", "in", "-f", SENDER, key=None, interfaces=["t0"])
    device.inject([good, fragmented, ufo, good])
    ledger, arrived = tap.finish(), collector.finish()
    device.close()
    assert_balanced(ledger, arrived, sent=4)
    stages = tap_stages(ledger)
    assert drops(stages["ring"]) == stages["ring"]["drops"]["offload_unknown"] == 1
    assert stages["cut"]["cut"] == 2 and stages["cut"]["uncut"] == 1
    assert fragmented.frame in frames_of(lab.folder / "collector.pcapng")


@pytest.mark.parametrize("ident", [0, 7])
def test_joined_frames_of_other_senders(lab, ident):
    """Identifications that stay 0 (RFC 6864), and those that count up."""
    frames = tcp_frames(120, 1000, ident)
    lab.offloads(lab.tap, "mon0", gro="on", rx="on")
    for name, value in (("gro_flush_timeout", 20_000_000), ("napi_defer_hard_irqs", 1)):
        in_namespace(lab.tap, ["sh", "-c", f"echo {value} > /sys/class/net/mon0/{name}"])
    collector = Collector(lab, key=None, device=None, file=lab.folder / "collector.pcapng")
    name = own_name("joined")
    tap = Tap(lab, "--direction", "in", "-f", SENDER, key=None, name=name)
    inject(lab.peer, "peer0", [Super(bytes(10), frame, None, None, None, None) for frame in frames])
    wait_until(lambda: tap_stages(status(name))["cut"]["out"] >= len(frames), 5, f"{len(frames)} frames")
    ledger, arrived = tap.finish(), collector.finish()
    assert_balanced(ledger, arrived, delivered=len(frames))
    cut = tap_stages(ledger)["cut"]
    assert cut["cut"] > 0 and cut["uncut"] == 0, cut
    assert sorted(frames_of(lab.folder / "collector.pcapng")) == sorted(frames)


@pytest.mark.parametrize("expr", ["tcp dst port 5000", "ip6[6] = 6 and ip6[42:2] = 5000", "ip6 proto 6 and not src port 5000"])
def test_jumbo_by_filter(lab, expr):
    """Big TCP of the kernel's own, past 64 KiB: the filter is one for frames of the wire, where there is no jumbo option."""
    far = bridge(lab)
    limit(lab, far, 185000)
    ping(lab.peer, "fd70::2")
    data = random.Random(expr).randbytes(16_000_000)

    def act():
        assert transfer(lab, lab.peer, far, "fd70::2", data, rate=0) == data

    n, stages = observe(lab, act, expr)
    # the kernel chooses their sizes: a mean past 64 KiB means that some were longer than a length in a packet can tell
    assert stages["ring"]["bytes"] > 65536 * stages["ring"]["super_packets"] > 0, stages
    same(lab, n)
    assert stream_of(frames_of(lab.folder / "collector.pcapng"), 5000) == data


def test_unfinished_checksums(lab):
    """Ordinary frames whose checksum was left to the card: TCP's, UDP's, and SCTP's CRC."""
    rng = random.Random(11)
    sent = []
    for i in range(60):
        one = random_super(rng, i, largest=1200, mtu_payload=600, tags=1)
        _, _, length, _, start, offset = struct.unpack("<BBHHHH", one.vnet)
        sent.append(Super(struct.pack("<BBHHHH", NEEDS_CSUM, 0, length, 0, start, offset), one.frame, one.ports, *[None] * 3))
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + 12 + 20, 9, 0, 64, 132, 0) + bytes.fromhex("0a0000010a000002")
    head = head[:10] + struct.pack("!H", ones_sum(head) ^ 0xFFFF) + head[12:]
    chunk = struct.pack("!BBHIHHI", 0, 3, 20, 1, 0, 0, 0) + b"four"
    sctp = THERE + HERE + b"\x08\x00" + head + struct.pack("!HHII", 7, 9, 1, 0) + chunk
    sent.append(Super(struct.pack("<BBHHHH", NEEDS_CSUM, 0, 46, 0, 34, 8), sctp, None, None, None, None))
    lab.offloads(lab.peer, "peer0", tx="on")
    collector = Collector(lab, key=None, device=None, file=lab.folder / "collector.pcapng")
    tap = Tap(lab, "--direction", "in", "-f", SENDER, key=None)
    inject(lab.peer, "peer0", sent)
    ledger, arrived = tap.finish(), collector.finish()
    assert_balanced(ledger, arrived, delivered=len(sent))
    cut = tap_stages(ledger)["cut"]
    assert cut["checksums_finished"] == len(sent) and cut["checksums_unfinished"] == 0
    file = lab.folder / "collector.pcapng"
    assert not bad_checksums(file)
    assert {Cut(f).ports for f in frames_of(file)} >= {one.ports for one in sent}
    assert tshark(file, "sctp.checksum.status", expr="sctp", preferences=["sctp.checksum:crc-32c"]) == [["1"]]
