# SPDX-License-Identifier: Apache-2.0
"""-o INTERFACE: frames leave by an existing interface as they were, each once, and what does not is counted by its reason.

    collector's host (port0 | probe0) peer: the port is a veth pair, whose other end the probe has
"""

import socket

import pytest

from lib.farspan import Collector, Tap, assert_balanced, own_name, own_port, says, status, tap_stages
from lib.outputs import A, B, Ends
from lib.packets import ethernet, ipv4, udp
from lib.proc import wait_until
from lib.tools import Tcpdump, assert_same, framegen, start_framegen, tshark


def port(lab, mtu=9216, name="port0"):
    """The pair of interfaces, up, with no frames of their own."""
    lab.ip(lab.collector, "link", "add", name, "mtu", mtu, "type", "veth", "peer", "name", "probe0", "mtu", 9216, "netns", lab.peer)
    for ns, dev in ((lab.collector, name), (lab.peer, "probe0")):
        lab.offloads(ns, dev, gro="off", gso="off", tso="off", tx="off", rx="off")
        lab.ip(ns, "link", "set", dev, "arp", "off", "up")
    lab.keep_order(lab.collector)
    lab.keep_order(lab.peer)


def probe(lab, name="probe"):
    return Tcpdump(lab, lab.peer, "probe0", name, direction="in", fast=True)


def test_frames_are_as_they_were(lab):
    """Of all kinds and sizes, VLAN tags and jumbo frames among them: byte for byte, in order."""
    port(lab)
    source, there = Tcpdump(lab, lab.tap, "mon0", "source", fast=True), probe(lab)
    ends = Ends(lab, "port0")
    framegen(lab, 20000, pps=20000)
    there.wait_count(20000)
    source.wait_count(20000)
    out = ends.finish(sent=20000)
    source.stop(), there.stop()
    assert out["out"] == 20000 and not any(out["drops"].values()), out
    assert_same(source.path, there.path, 20000)


def test_a_file_beside_it(lab):
    """Two outputs, and two threads that receive: each has all."""
    port(lab)
    there = probe(lab)
    file = lab.folder / "x.pcapng"
    ends = Ends(lab, "port0", "-w", file, "--threads", "2")
    framegen(lab, 3000, pps=5000)
    there.wait_count(3000)
    mine, theirs = ends.tap.finish(), ends.collector.finish()
    assert_balanced(mine, theirs, sent=3000, delivered=3000)
    there.stop()
    assert_same(file, there.path, 3000)


def test_frames_that_do_not_fit(lab):
    """An MTU of 1500 takes 1514 bytes, 1518 with one tag, and neither 1515 nor a second tag; what was sliced to nothing is too short."""
    port(lab, mtu=1500)
    there = probe(lab)
    ends = Ends(lab, "port0")
    plain = ethernet(ipv4(17, A, B, udp(4000, 53, bytes(1514 - 42))))
    tag = b"\x81\0\0\x07"
    frames = [plain, plain[:12] + tag + plain[12:], plain + b"\0", plain[:12] + tag + tag + plain[12:], plain[:12] + tag + plain[12:] + b"\0"]
    for frame in frames:
        ends.sender.send(frame)
    ends.wait_for("too_long", 3)
    there.wait_count(2)
    wait_until(lambda: ends.events("output-too-narrow"), 10, "the event")
    assert "an MTU of 1504 would do" in ends.events("output-too-narrow")[0]
    lab.ip(lab.collector, "link", "set", "port0", "mtu", 1504)
    wait_until(lambda: ends.output()["drops"]["too_long"] == 3, 5)
    wait_until(lambda: [ends.sender.send(frames[3])] and ends.output()["out"] >= 3, 10, "wider frames to pass")
    out = ends.finish()
    there.stop()
    assert sorted({int(row[0]) for row in tshark(there.path, "frame.len")}) == [1514, 1518, 1522]
    assert out["drops"]["too_short"] == 0


def test_frames_that_are_too_short(lab):
    port(lab)
    ends = Ends(lab, "port0", "--stage", "slice 13")
    ends.send(50)
    ends.wait_for("too_short", 50)
    assert ends.finish()["out"] == 0


def test_no_carrier_and_back(lab):
    """Without a carrier nothing leaves, and that is said and counted; the same while the port is down."""
    port(lab)
    there = probe(lab)
    ends = Ends(lab, "port0")
    ends.send(100)
    ends.wait_for("out", 100)
    for ns, dev, words in ((lab.peer, "probe0", "has no carrier"), (lab.collector, "port0", "is down")):
        before = ends.output()
        lab.ip(ns, "link", "set", dev, "down")
        wait_until(lambda words=words: ends.state() == f"port0 {words}", 10, lambda: ends.state())
        ends.send(40)
        ends.wait_for("no_carrier", before["drops"]["no_carrier"] + 40)
        lab.ip(ns, "link", "set", dev, "up")
        wait_until(lambda: ends.state() == "ok", 10, lambda: ends.state())
        ends.send(100)
        ends.wait_for("out", before["out"] + 100)
    assert len(ends.events("output-back")) == 2 <= len(ends.events("output-gone"))
    out = ends.finish(sent=380)
    assert out["out"] == 300 and out["drops"]["no_carrier"] == 80, out
    there.stop()


def test_deleted_and_back(lab):
    """A port that is removed is opened again when its name comes back, under traffic, and each frame is sent or counted."""
    port(lab)
    ends = Ends(lab, "port0")
    gen = start_framegen(lab, 4000, 1000)
    wait_until(lambda: ends.output() and ends.output()["out"] > 200, 10, "frames")
    lab.ip(lab.collector, "link", "del", "port0")
    wait_until(lambda: ends.output()["drops"]["port_gone"] > 200, 10, lambda: f"frames that are dropped: {ends.output()}")
    assert ends.state() == "port0 is not there"
    before = ends.output()["out"]
    port(lab)
    wait_until(lambda: ends.output()["out"] > before + 200, 10, lambda: f"frames that leave again: {ends.output()}")
    assert gen.wait(30) == 0
    ends.wait_for("in", 4000)
    out = ends.finish(sent=4000)
    assert out["out"] + out["drops"]["port_gone"] + out["drops"]["no_carrier"] == 4000, out


def test_another_interface_of_the_name(lab):
    """One that has an address by then is no port, and that is told once."""
    port(lab)
    ends = Ends(lab, "port0")
    lab.ip(lab.collector, "link", "del", "port0")
    wait_until(lambda: ends.state() == "port0 is not there", 10)
    lab.ip(lab.collector, "link", "add", "other0", "type", "veth", "peer", "name", "other1")
    lab.ip(lab.collector, "addr", "add", "10.99.0.1/24", "dev", "other0")
    lab.ip(lab.collector, "link", "set", "other0", "name", "port0", "up")
    says(ends.collector.proc, "port0 is no port as it is now: port0 has an address")
    ends.send(30)
    ends.wait_for("port_gone", 30)
    assert ends.finish()["out"] == 0


def test_a_tap_on_the_port_makes_no_loop(lab):
    """A tap on the very interface sees what others send there and nothing of what the port gives out."""
    port(lab)
    ends = Ends(lab, "port0")
    sink = own_port() + 1
    other = Collector(lab, key=None, port=sink, device=None, file=lab.folder / "other.pcapng", name="other")
    tap = Tap(lab, ns=lab.collector, interfaces=("port0",), key=None, to=f"127.0.0.1:{sink}", name=own_name("loop"))
    ends.send(500)
    ends.wait_for("out", 500)
    back = lab.socket(lab.peer, socket.AF_PACKET, socket.SOCK_RAW)
    back.bind(("probe0", 0))
    for i in range(7):
        back.send(ethernet(ipv4(17, B, A, udp(53, 4000, bytes(20)), i)))
    wait_until(lambda: tap_stages(status(own_name("loop")))["ring"]["in"] == 7, 10, "the probe's frames")
    ledger = tap.finish()
    assert_balanced(ledger, other.finish(), sent=7)
    ends.finish(sent=500)


@pytest.mark.parametrize("words,status,says", [
    (("-o", "nowhere0"), 1, "-o nowhere0: no interface \"nowhere0\": choose from"),
    (("-o", "link0"), 1, 'link0 has an address, so that hosts talk to this one there: take an interface without one, or write "link0,force"'),
    (("-o", "port0,fast"), 2, '"fast" is no setting of a port, but "force" is'),
    (("-o", "a-name-that-is-too-long"), 2, "an interface's name has at most 15 characters"),
    (("-o", "port0", "-o", "port0"), 2, "it is there twice"),
    (("-i", "port0", "-o", "port0,force"), 2, "-o port0 is the device of -i"),
    (("--bind", "fe80::1%port0", "-o", "port0"), 2, "-o port0 is the interface of --bind"),
    (("-o", ""), 2, '"" is no interface\'s name'),
    (tuple(w for i in range(9) for w in ("-o", f"p{i}")), 2, "at most 8 outputs"),
])
def test_bad_words(lab, words, status, says):
    port(lab)
    collector = Collector(lab, *words, key=None, device=None, ready=False)
    assert collector.proc.wait(10) == status, collector.proc
    assert says in collector.proc.err(), collector.proc.err()
    assert len(collector.proc.err().strip().splitlines()) <= 2, collector.proc.err()


def test_an_interface_with_an_address_by_force(lab):
    port(lab)
    lab.ip(lab.collector, "addr", "add", "10.99.0.1/24", "dev", "port0")
    there = probe(lab)
    ends = Ends(lab, "port0,force")
    ends.send(100)
    ends.wait_for("out", 100)
    there.wait_count(100)
    ends.finish(sent=100)
    there.stop()
