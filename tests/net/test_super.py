# SPDX-License-Identifier: Apache-2.0
"""Super-packets: what the tap sends of a transfer with all offloads on is what was on the wire.

The judge is the kernel itself. A bridge on the tap's host takes in super-packets on one side, where the tap listens, and
sends them out of a device without any offload, so that the kernel cuts them; a capture behind that device has the frames
that a wire would have had. Both must be the same, byte for byte.
"""

import hashlib
import socket
from pathlib import Path

import pytest

from lib.cutting import bridge, observe, same
from lib.farspan import Collector, Tap, assert_balanced
from lib.lab import inside
from lib.tools import tshark

SIZE = 4_000_000
RATE = 30_000_000  # bytes a second, so that no queue of the test's own network overflows
SO_MAX_PACING_RATE = 47


def tunnelled(lab, far):
    """VXLAN between the two ends: the super-packets are inside it."""
    for ns, dev, n in ((lab.peer, "peer0", 1), (far, "far0", 2)):
        lab.ip(ns, "link", "add", "vx0", "type", "vxlan", "id", "42", "remote", f"10.70.0.{3 - n}", "dstport", "4789", "dev", dev)
        with inside(ns):
            Path("/proc/sys/net/ipv6/conf/vx0/disable_ipv6").write_text("0")
        lab.ip(ns, "link", "set", "vx0", "up")
        lab.ip(ns, "addr", "add", f"10.71.0.{n}/24", "dev", "vx0")
        lab.ip(ns, "addr", "add", f"fd71::{n}/64", "dev", "vx0", "nodad")


def transfer(lab, far, family, address):
    """A TCP bulk transfer; gives the digests of what was sent and what came."""
    with inside(far):
        listener = socket.socket(family, socket.SOCK_STREAM)
    listener.bind((address, 5000))
    listener.listen(1)
    listener.settimeout(20)
    sent, got = hashlib.sha256(), hashlib.sha256()
    with inside(lab.peer):
        client = socket.socket(family, socket.SOCK_STREAM)

    def send():
        data = bytes(range(256)) * 256
        client.settimeout(20)
        client.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, RATE)
        client.connect((address, 5000))
        for _ in range(SIZE // len(data)):
            client.sendall(data)
            sent.update(data)
        client.shutdown(socket.SHUT_WR)

    thread = lab.serve(send)
    connection, _ = listener.accept()
    connection.settimeout(20)
    while chunk := connection.recv(1 << 16):
        got.update(chunk)
    thread.join(20)
    for s in (connection, client, listener):
        s.close()
    return sent.hexdigest(), got.hexdigest()


def tapped(lab, act, expr, *words):
    """Runs `act(far)` between the two ends of a bridge; how many frames the kernel made of it, and the cutter's ledger."""
    far = bridge(lab)
    act(far, True)
    n, stages = observe(lab, far, lambda: act(far, False), expr, *words)
    return n, stages["cut"]


@pytest.mark.parametrize("family, address", [(socket.AF_INET, "10.70.0.2"), (socket.AF_INET6, "fd70::2")])
def test_tcp(lab, family, address):
    def act(far, setup):
        if not setup:
            sent, got = transfer(lab, far, family, address)
            assert sent == got

    n, cut = tapped(lab, act, "tcp and dst port 5000")
    assert cut["cut"] > 10, f"the transfer had super-packets: {cut}"
    same(lab, n)
    assert not tshark(lab.folder / "collector.pcapng", "frame.number", expr="tcp.checksum.status == 0 or frame.len > 1514")


@pytest.mark.parametrize("family, address", [(socket.AF_INET, "10.71.0.2"), (socket.AF_INET6, "fd71::2")])
def test_tcp_inside_vxlan(lab, family, address):
    def act(far, setup):
        if setup:
            tunnelled(lab, far)
        else:
            sent, got = transfer(lab, far, family, address)
            assert sent == got

    n, cut = tapped(lab, act, "udp port 4789 and greater 200")
    assert cut["cut"] > 10, f"the transfer had super-packets: {cut}"
    same(lab, n)


def test_udp_segments(lab):
    """UDP_SEGMENT: a QUIC sender's super-packets."""
    def act(far, setup):
        if setup:
            return
        with inside(lab.peer):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(17, 103, 1200)
        for i in range(300):
            s.sendto(bytes([i % 256]) * (1200 * 20 + 37 + i), ("10.70.0.2", 5000))
        s.close()

    n, cut = tapped(lab, act, "udp and dst port 5000")
    assert cut["cut"] > 10, f"there were super-packets: {cut}"
    same(lab, n)


def test_sliced(lab):
    """With a snaplen each cut frame has its first bytes, as a capture of the wire would have them."""
    def act(far, setup):
        if not setup:
            transfer(lab, far, socket.AF_INET, "10.70.0.2")

    n, cut = tapped(lab, act, "tcp and dst port 5000", "-s", "100")
    assert cut["cut"] > 10
    lengths = tshark(lab.folder / "collector.pcapng", "frame.cap_len", "frame.len")
    whole = tshark(lab.folder / "witness.pcap", "frame.len")
    assert sorted(row[1] for row in lengths) == sorted(row[0] for row in whole)
    assert {int(row[0]) for row in lengths} <= set(range(101))


def test_kept_whole(lab):
    """--keep-super: the super-packets as the kernel has them."""
    def act(far, setup):
        if not setup:
            transfer(lab, far, socket.AF_INET, "10.70.0.2")

    far = bridge(lab)
    collector = Collector(lab, key=None, device=None, file=lab.folder / "collector.pcapng")
    tap = Tap(lab, "--direction", "in", "--keep-super", "-f", "tcp and dst port 5000", key=None)
    act(far, False)
    ledger, arrived = tap.finish(), collector.finish()
    assert_balanced(ledger, arrived)
    cut = ledger["interfaces"][0]["stages"]["cut"]
    assert cut["uncut"] > 10 and cut.get("made", 0) == 0
    assert tshark(lab.folder / "collector.pcapng", "frame.number", expr="frame.len > 1514")
