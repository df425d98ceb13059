# SPDX-License-Identifier: Apache-2.0
"""Kinds of link without an Ethernet header: what tcpdump can tap of them comes home, as Ethernet on a device.

The machine that tests need have none of them: a tun device takes the kind that it is told.
"""

import socket
import struct

import pytest

from lib import packets
from lib.farspan import Collector, Tap, assert_balanced, tap_stages
from lib.proc import run, wait_until
from lib.tools import Tcpdump, framegen, tshark
from test_life import Life, tun, veth

PPP, TUNNEL, TUNNEL6, SIT, GRE, GRE6, NONE, UNKNOWN = 512, 768, 769, 776, 778, 823, 65534, 60000
RADIOTAP, CAN = 803, 280


def udp4(n, port):
    return struct.pack("!BBHIBBH4s4sHHHH", 0x45, 0, 32, n << 16, 64, 17, 0, bytes((10, 7, 0, 2)), bytes((10, 7, 0, 1)),
                       1000 + n, port, 12, 0) + b"four"


def udp6(n, port):
    far, near = (socket.inet_pton(socket.AF_INET6, a) for a in ("fd00::2", "fd00::1"))
    return struct.pack("!IHBB16s16sHHHH", 0x60000000, 11, 17, 64, far, near, 1000 + n, port, 11, 0xffff) + b"six"


def as_ethernet(packet):
    return bytes(12) + (b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd") + packet


@pytest.mark.parametrize("words", [(), ("udp", "port", "9")], ids=["all", "filter"])
@pytest.mark.parametrize("interface", ["tun0", "any"])
@pytest.mark.parametrize("arphrd", [PPP, TUNNEL, TUNNEL6, SIT, GRE, GRE6, NONE, UNKNOWN])
def test_what_has_no_ethernet_header_gets_one(lab, arphrd, interface, words):
    """In and out, IPv4 and IPv6, by the filter that is compiled for it: on the device each is a frame of Ethernet."""
    device = tun(lab, lab.tap, "tun0", arphrd)
    collector = Collector(lab, key=None)
    arrival = Tcpdump(lab, lab.collector, "ntap0", "arrival", direction="in", expr="ether host 00:00:00:00:00:00 and udp")
    tap = Tap(lab, *words, key=None, interfaces=(interface,))
    sent = [(port, make(i, port)) for i in range(4) for make in (udp4, udp6) for port in (7, 9)]
    out = {4: lab.socket(lab.tap, socket.AF_PACKET, socket.SOCK_DGRAM), 6: lab.socket(lab.tap, socket.AF_PACKET, socket.SOCK_DGRAM)}
    out[4].bind(("tun0", 0x800)), out[6].bind(("tun0", 0x86dd))
    for i, (_, packet) in enumerate(sent):
        if i < 8:
            device.write(packet)
        else:
            out[packet[0] >> 4].send(packet)
    expected = [as_ethernet(packet) for port, packet in sent if not words or port == 9]
    arrival.wait_count(len(expected))
    ledger, home = tap.finish(), collector.finish()
    arrival.stop()
    assert [frame for _, frame in packets.read_pcap(arrival.path)] == expected
    assert tap_stages(ledger, "tun0")["ring"]["in"] >= len(expected)
    assert_balanced(ledger, home)


def in_file(path, field):
    return [row[0] for row in tshark(path, field)]


@pytest.mark.parametrize("arphrd, link", [(NONE, "7"), (TUNNEL, "7"), (GRE, "25"), (GRE6, "25"), (PPP, "25"), (UNKNOWN, "25")])
def test_a_file_has_the_link_type(lab, arphrd, link):
    """Raw IP or Linux cooked, as tcpdump has it; and tcpdump reads it."""
    device = tun(lab, lab.tap, "tun0", arphrd)
    file = lab.folder / "collector.pcapng"
    collector = Collector(lab, key=None, device=None, file=file)
    tap = Tap(lab, "udp", key=None, interfaces=("tun0",))
    for i in range(5):
        device.write(udp4(i, 9))
        device.write(udp6(i, 9))
    ledger, home = tap.finish(), collector.finish()
    assert_balanced(ledger, home, sent=10, delivered=10)
    assert in_file(file, "frame.encap_type") == [link] * 10  # numbers of wiretap's: 7 raw IP, 25 cooked
    head = 0 if link == "7" else 16
    assert [int(n) for n in in_file(file, "frame.len")] == [head + len(make(0, 9)) for make in (udp4, udp6)] * 5
    assert in_file(file, "udp.dstport") == ["9"] * 10
    if head:
        assert in_file(file, "sll.hatype") == [str(arphrd)] * 10 and in_file(file, "sll.pkttype") == ["0"] * 10
    read = run(["tcpdump", "-nr", file])
    assert read.stdout.count("UDP") == 10, read.stderr


def test_a_file_of_several_kinds_is_ethernet(lab):
    """libpcap reads no file with interfaces of several link types: the first one's is that of all that can have it."""
    device = tun(lab, lab.tap, "tun0", NONE)
    file = lab.folder / "collector.pcapng"
    collector = Collector(lab, key=None, device=None, file=file)
    tap = Tap(lab, key=None, interfaces=("mon0", "tun0"))
    framegen(lab, 10)
    for i in range(5):
        device.write(udp4(i, 9))
    assert_balanced(tap.finish(), collector.finish(), sent=15, delivered=15)
    assert in_file(file, "frame.encap_type") == ["1"] * 15
    assert "15 packets" in run(["tcpdump", "--count", "-r", file]).stdout


def test_a_tunnel_becomes_ethernet(lab):
    """While the session is up: the file has what cannot be raw IP under an interface of Ethernet, and nothing is lost."""
    device = tun(lab, lab.tap, "x0", NONE)
    file = lab.folder / "collector.pcapng"
    life = Life(lab, interfaces=("x0",), file=file)
    for i in range(5):
        device.write(udp4(i, 9))
    wait_until(lambda: life.captured("x0") == 5, 10, lambda: f"five packets: {life.interface('x0')}")
    device.close()
    life.wait_state("gone", "x0")
    veth(lab, "x0")
    life.wait_event("link-type-changed", "x0")
    life.wait_state("up", "x0")
    life.traffic(100, "x0", "px0")
    life.sent += 5
    life.new = True
    life.end()
    kinds = in_file(file, "frame.encap_type")
    assert kinds[:5] == ["7"] * 5 and set(kinds[5:]) == {"1"}, kinds


@pytest.mark.parametrize("arphrd", [RADIOTAP, CAN])
def test_what_has_no_form_as_ethernet_is_refused(lab, arphrd):
    """With a sentence; what a pattern matches is said and left out, and the others are tapped."""
    tun(lab, lab.tap, "tun0", arphrd)
    tap = Tap(lab, key=None, interfaces=("tun0",), up=False)
    assert tap.proc.wait(10) == 1
    assert f"tun0: its frames have headers of their own kind (ARPHRD {arphrd})" in tap.proc.err()
    collector = Collector(lab, key=None)
    tap = Tap(lab, key=None, interfaces=("any",), name="any")
    tap.proc.wait_line("tun0: is not tapped", 10)
    ledger = tap.finish()
    collector.finish()
    assert {i["name"] for i in ledger["interfaces"]} == {"lo", "link0", "mon0"}
