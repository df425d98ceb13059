# SPDX-License-Identifier: Apache-2.0
"""Super-packets: what the tap sends of a transfer with all offloads on is what was on the wire.

The judge is the kernel itself. On the way there are devices without any offload, so that the kernel cuts the super-packets (or
joins frames to some only behind them); a capture at such a device has the frames that a wire would have had. Both must be the
same, byte for byte. And an independent decoder puts the transferred bytes together again.
"""

import os
import random
import socket

import pytest

from lib.cutting import bad_checksums, bridge, end_to_end, frames_of, observe, same, transfer
from lib.farspan import Collector, Tap, assert_balanced, tap_stages
from lib.lab import inside
from lib.supers import stream_of
from lib.tools import ping, tshark

# inside VXLAN over IPv4: TCP over IPv4 or IPv6
INSIDE_TCP = "udp port 4789 and ((udp[28:2] = 0x0800 and udp[39] = 6) or (udp[28:2] = 0x86dd and udp[36] = 6))"
BULK = int(os.environ.get("FARSPAN_NET_BULK", "6000000"))


@pytest.mark.parametrize("way", ["out", "in"])
@pytest.mark.parametrize("kind, net", [("plain", "10.70.0."), ("plain", "fd70::"), ("vlan", "10.70.0."), ("vxlan", "10.71.0."), ("vxlan", "fd71::")])
def test_bulk(lab, kind, net, way):
    """A transfer from and to the tap's host, with all offloads on there: the frames are those of a wire without any, none is too
    long, no checksum is bad, and they carry the bytes that were sent."""
    far = end_to_end(lab, kind)
    data = random.Random(f"{kind}{net}{way}").randbytes(BULK)
    ping(lab.tap, net + "2")
    ends = (lab.tap, far, net + "2") if way == "out" else (far, lab.tap, net + "1")

    def act():
        assert transfer(lab, *ends, data) == data

    at = (lab.peer, "cut0", "out") if way == "out" else (lab.peer, "peer0", "out")
    expr = {"plain": "tcp dst port 5000", "vlan": "vlan 5 and tcp dst port 5000", "vxlan": INSIDE_TCP}[kind]
    n, stages = observe(lab, act, expr, way=way, at=at)
    assert stages["cut"]["cut"] > 10 and stages["cut"]["uncut"] == 0, stages
    same(lab, n)
    frames = frames_of(lab.folder / "collector.pcapng")
    assert max(len(f) for f in frames) == (1518 if kind == "vlan" else 1514)
    assert not bad_checksums(lab.folder / "collector.pcapng")
    assert stream_of(frames, 5000) == data


def test_udp_segments(lab):
    """UDP_SEGMENT: a QUIC sender's super-packets."""
    bridge(lab)

    def act():
        with inside(lab.peer):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(17, 103, 1200)
        for i in range(300):
            s.sendto(bytes([i % 256]) * (1200 * 20 + 37 + i), ("10.70.0.2", 5000))
        s.close()

    n, stages = observe(lab, act, "udp and dst port 5000")
    assert stages["cut"]["cut"] > 10, f"there were super-packets: {stages}"
    same(lab, n)


def send_some(lab, far):
    data = bytes(range(256)) * 10000
    assert transfer(lab, lab.peer, far, "10.70.0.2", data) == data


def test_sliced(lab):
    """With a snaplen each cut frame has its first bytes, as a capture of the wire would have them."""
    far = bridge(lab)
    _, stages = observe(lab, lambda: send_some(lab, far), "tcp and dst port 5000", "-s", "100")
    assert stages["cut"]["cut"] > 10
    lengths = tshark(lab.folder / "collector.pcapng", "frame.cap_len", "frame.len")
    whole = tshark(lab.folder / "witness.pcap", "frame.len")
    assert sorted(row[1] for row in lengths) == sorted(row[0] for row in whole)
    assert {int(row[0]) for row in lengths} <= set(range(101))


def test_kept_whole(lab):
    """--keep-super: the super-packets as the kernel has them."""
    far = bridge(lab)
    collector = Collector(lab, key=None, device=None, file=lab.folder / "collector.pcapng")
    tap = Tap(lab, "--direction", "in", "--keep-super", "-f", "tcp and dst port 5000", key=None)
    send_some(lab, far)
    ledger, arrived = tap.finish(), collector.finish()
    assert_balanced(ledger, arrived)
    cut = tap_stages(ledger)["cut"]
    assert cut["uncut"] > 10 and cut.get("made", 0) == 0
    assert tshark(lab.folder / "collector.pcapng", "frame.number", expr="frame.len > 1514")
