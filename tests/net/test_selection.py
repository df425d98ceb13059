# SPDX-License-Identifier: Apache-2.0
"""The tap takes exactly the frames that tcpdump takes with the same filter, direction and snaplen, with the same times.

All choices are observed side by side on the same traffic, which flows in both directions; the VLAN lists are judged by
a decision of the tests' own on a full capture.
"""

import socket

import pytest

from lib.farspan import Collector, Tap, assert_balanced, tap_stages
from lib.packets import in_vlans, keep
from lib.proc import run, wait_until
from lib.tools import Tcpdump, assert_same, compare, framegen

FRAMES = 3000


def observe(lab, words=(), expr=None, direction=None, snaplen=None, decide=None, n=None):
    """The tap with `words`, beside tcpdump with what should be the same; both files' frames must be equal.

    `n`: how many frames there will be, when that is known: then the witness need not be a fast one, whose ring (version 2)
    has slots that cut frames a little below the snaplen.
    """
    lab.kernel_stamps()
    file = lab.folder / "collector.pcapng"
    collector = Collector(lab, key=None, device=None, file=file)
    everything = Tcpdump(lab, lab.tap, "mon0", "everything", fast=True)
    witness = Tcpdump(lab, lab.tap, "mon0", "witness", direction=direction, expr=expr, snaplen=snaplen, fast=n is None)
    tap = Tap(lab, *words, key=None)
    framegen(lab, FRAMES, pps=10000)
    framegen(lab, FRAMES, ns=lab.tap, dev="mon0", pps=10000, seed=2)
    everything.wait_count(2 * FRAMES)
    if n is None:
        witness.wait_quiet()
    else:
        witness.wait_count(n)
    tap_ledger, collector_ledger = tap.finish(), collector.finish()
    everything.stop()
    n = witness.stop()
    expected = witness.path
    if decide:
        expected = lab.folder / "expected.pcap"
        n = keep(everything.path, expected, decide)
    assert_same(expected, file, n, times=True)
    assert_balanced(tap_ledger, collector_ledger, delivered=n)
    return n, everything, tap_ledger


@pytest.mark.parametrize("expr", [
    "tcp", "udp port 53", "vlan 5", "vlan 100 and ip", "vlan and vlan", "not arp", "ip6", "greater 1000", "less 100",
    "ether proto 0x88cc", "host 10.1.0.7 or arp", "ip[6:2] & 0x1fff != 0",
    "ether broadcast", "not vlan", "icmp or icmp6"])
def test_filters(lab, expr):
    n, everything, ledger = observe(lab, ["-f", expr], expr=expr)
    assert 0 < n < 2 * FRAMES
    assert ledger["interfaces"][0]["stages"]["ring"]["in"] == n, "the filter runs in the kernel"


@pytest.mark.parametrize("ours, direction, theirs", [("inbound", "in", None), ("outbound and udp", "out", "udp")])
def test_filters_on_directions(lab, ours, direction, theirs):
    """The kernel knows "inbound". libpcap runs the first block's frames through its own interpreter, which does not, and
    loses the first: so the witness gets the direction as -Q."""
    n, _, ledger = observe(lab, ["-f", ours], expr=theirs, direction=direction)
    assert 0 < n <= FRAMES and ledger["interfaces"][0]["stages"]["ring"]["in"] == n


def test_filter_as_last_words(lab):
    n, _, _ = observe(lab, ["udp", "port", "53", "or", "arp"], expr="udp port 53 or arp")
    assert n > 0


@pytest.mark.parametrize("ours, theirs, n", [("in", "in", FRAMES), ("out", "out", FRAMES), ("both", "inout", 2 * FRAMES)])
def test_directions(lab, ours, theirs, n):
    got, _, _ = observe(lab, ["--direction", ours], direction=theirs)
    assert got == n
    marked = compare(lab.folder / "witness.pcap", lab.folder / "collector.pcapng", b_direction="in")["directions"]
    assert marked == {"in": 0, "out": FRAMES, "both": FRAMES}[ours], "each frame carries its direction"


def test_direction_and_filter(lab):
    n, _, _ = observe(lab, ["--direction", "in", "-f", "tcp"], direction="in", expr="tcp")
    assert 0 < n < FRAMES


@pytest.mark.parametrize("snaplen", [64, 96, 1500, 262144])
def test_snaplens(lab, snaplen):
    """Cut frames keep their original length."""
    n, _, _ = observe(lab, ["-s", snaplen], snaplen=snaplen, n=2 * FRAMES)
    assert n == 2 * FRAMES


@pytest.mark.parametrize("vlans", ["100", "5,100", "100,200-210", "0", "1-4094"])
def test_vlan_lists(lab, vlans):
    n, _, _ = observe(lab, ["--vlan", vlans], decide=in_vlans(vlans))
    assert 0 < n < 2 * FRAMES


def test_vlan_list_with_snaplen_and_both_directions(lab):
    """The tag counts wherever it stood, and cut frames are cut after it was put back."""
    wanted = in_vlans("100,200-210")
    lab.kernel_stamps()
    file = lab.folder / "collector.pcapng"
    collector = Collector(lab, key=None, device=None, file=file)
    witness = Tcpdump(lab, lab.tap, "mon0", "witness", snaplen=128, fast=True)
    tap = Tap(lab, "--vlan", "100,200-210", "-s", "128", key=None)
    framegen(lab, FRAMES, pps=10000)
    framegen(lab, FRAMES, ns=lab.tap, dev="mon0", pps=10000, seed=2)
    witness.wait_count(2 * FRAMES)
    tap_ledger, collector_ledger = tap.finish(), collector.finish()
    witness.stop()
    n = keep(witness.path, lab.folder / "expected.pcap", wanted)
    assert_same(lab.folder / "expected.pcap", file, n, times=True)
    assert_balanced(tap_ledger, collector_ledger, delivered=n)


@pytest.mark.parametrize("interface", ["lo", "any", "l[o]"])
@pytest.mark.parametrize("words, direction", [((), "in"), (("--direction", "in"), "in"), (("--direction", "out"), "out")],
                         ids=["both", "in", "out"])
def test_loopback_shows_each_packet_once(lab, interface, words, direction):
    """It leaves and arrives there. The kernel's filter takes one of the two, so that the other is in no count."""
    lab.kernel_stamps()
    n, file = 50, lab.folder / "collector.pcapng"
    collector = Collector(lab, key=None, device=None, file=file)
    witness = Tcpdump(lab, lab.tap, "lo", "witness", expr="udp")
    tap = Tap(lab, *words, "udp", key=None, interfaces=(interface,))
    there, sender = lab.socket(lab.tap), lab.socket(lab.tap)
    sender.setsockopt(socket.SOL_SOCKET, 11, 1)  # SO_NO_CHECK: the witness shows unfinished checksums
    there.bind(("127.0.0.1", 0))
    for i in range(n):
        sender.sendto(b"%d" % i, there.getsockname())
    witness.wait_count(n)
    ledger, home = tap.finish(), collector.finish()
    assert witness.stop() == n
    assert tap_stages(ledger, "lo")["ring"]["in"] == n
    assert_same(witness.path, file, n, times=direction == "in", b_interface="*lo", b_direction=direction)
    assert_balanced(ledger, home)


@pytest.mark.parametrize("interface, words, expected", [
    ("mon0", (), 1), ("mon*", (), 1), ("any", (), 0), ("mon0", ("-p",), 0), ("mon*", ("--no-promiscuous-mode",), 0)])
def test_promiscuous_mode_is_as_with_tcpdump(lab, interface, words, expected):
    def promiscuity():
        return int(lab.ip(lab.tap, "-d", "link", "show", "mon0").split("promiscuity ")[1].split()[0])

    collector = Collector(lab, key=None)
    tap = Tap(lab, *words, key=None, interfaces=(interface,))
    assert promiscuity() == expected
    tap.finish()
    assert promiscuity() == 0
    collector.finish()


@pytest.mark.parametrize("words, expected", [((), 20), (("-p",), 0)], ids=["promiscuous", "not"])
def test_frames_for_others(lab, words, expected):
    """On a bridge, as on a card at a mirror port: what passes between other hosts."""
    mac = {"peer0": bytes.fromhex("020000000009"), "other0": bytes.fromhex("02000000000a")}

    def send(ns, name, target, n):
        with lab.socket(ns, socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind((name, 0))
            for i in range(n):
                sock.send(target + mac[name] + b"\x88\xb5" + bytes([i]) * 46)

    lab.ip(lab.tap, "link", "add", "port1", "type", "veth", "peer", "name", "other0")
    lab.ip(lab.tap, "link", "add", "br0", "arp", "off", "type", "bridge")
    for name in ("mon0", "port1"):
        lab.ip(lab.tap, "link", "set", name, "master", "br0")
    for name in ("port1", "other0", "br0"):
        lab.ip(lab.tap, "link", "set", name, "arp", "off", "up")

    def learned():  # from the first frame that comes after the bridge has taken note that its port is up
        send(lab.tap, "other0", b"\xff" * 6, 1)
        return "02:00:00:00:00:0a dev port1" in run(["bridge", "-n", lab.tap, "fdb", "show"]).stdout

    wait_until(learned, 10, "the bridge knows where the other host is")
    collector = Collector(lab, key=None)
    tap = Tap(lab, *words, "-f", "ether src 02:00:00:00:00:09", key=None, interfaces=("br0",))
    arrived = Tcpdump(lab, lab.tap, "other0", "arrived", direction="in", expr="ether src 02:00:00:00:00:09")
    send(lab.peer, "peer0", mac["other0"], 20)
    arrived.wait_count(20)
    arrived.stop()
    assert tap_stages(tap.finish())["ring"]["in"] == expected
    collector.finish()
