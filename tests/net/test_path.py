# SPDX-License-Identifier: Apache-2.0
"""The way to the collector: how wide it is, and that a session goes on when either end has another address."""

import re
import shutil
from pathlib import Path

import pytest

from lib.farspan import Collector, Tap, assert_balanced, status_socket, drops, one, own_name, status, tap_stages
from lib.path import COLLECTOR4, COLLECTOR6, Routed
from lib.proc import run, wait_until
from lib.tools import TOOLS, Tcpdump, assert_same, compare, framegen, in_namespace, start_framegen

FRAMES = 3000
RATE = 5000


def path_mtu(name):
    return status(name)["session"]["path_mtu"]


def session_of(name):
    return status(name)["session"]


def until_found(name, width, seconds=20):
    """Until the search is over with this result."""
    wait_until(lambda: status_socket(name).exists(), 5, f"the tap {name}")
    told = {}

    def look():
        told.update(session_of(name))
        return told["path_mtu_state"] == "found" and told["path_mtu"] == width

    wait_until(look, seconds, lambda: f"a path MTU of {width}: {told}")


class Ends:
    """A tap and a collector with a file, on either side of a router."""

    def __init__(self, lab, *words, v6=False, to=None, **kw):
        lab.kernel_stamps()
        self.lab, self.file, self.name = lab, lab.folder / "collector.pcapng", own_name("path")
        self.collector = Collector(lab, file=self.file, device=None)
        self.source = Tcpdump(lab, lab.tap, "mon0", "source")
        self.sent = 0
        target = to or (f"[{COLLECTOR6}]:1234" if v6 else f"{COLLECTOR4}:1234")
        self.tap = Tap(lab, *words, to=target, name=self.name, **kw)

    def frames(self, n=FRAMES, pps=RATE):
        framegen(self.lab, n, pps=pps, max_len=9000)
        self.sent += n

    def arrived(self):
        """Until the collector has all that was sent: nothing is on the way."""
        def received():
            taps = status("collector-1234")["taps"]
            return sum(i["stages"]["link_rx"]["out"] for t in taps for i in t["interfaces"])

        wait_until(lambda: received() == self.sent, 20, lambda: f"{self.sent} frames, of which {received()} are there")

    def finish(self, lossless=True):
        """The ledgers, which balance with the file."""
        self.source.wait_count(self.sent)
        mine = self.tap.finish()
        there = self.collector.finish()
        self.source.stop()
        if lossless:
            assert_same(self.source.path, self.file, self.sent)
            assert_balanced(mine, there, sent=self.sent, delivered=self.sent)
            return mine, there
        verdict = compare(self.source.path, self.file, allow="missing")
        assert verdict["equal"], verdict
        received = one(one(there["taps"])["interfaces"])["stages"]["link_rx"]
        assert verdict["missing"] == drops(received), (verdict, received)
        assert_balanced(mine, there, sent=self.sent, delivered=verdict["matched"], lost=verdict["missing"])
        return mine, there, verdict["missing"]


@pytest.mark.parametrize("width, near, v6", [
    (576, 9000, False), (1280, 1500, False), (1500, 1500, False), (1500, 9000, False), (9000, 9000, False),
    (1280, 1500, True), (1420, 1500, True), (9000, 9000, True),
])
def test_width_is_found_exactly(make_lab, width, near, v6):
    """Nobody tells the tap; frames flow from the start, and none is lost by the search."""
    lab = make_lab()
    path = Routed(lab, width, near)
    ends = Ends(lab, v6=v6)
    ends.frames()
    until_found(ends.name, width)
    told = session_of(ends.name)
    assert told["datagram_bytes"] == width - (48 if v6 else 28)
    ends.frames()
    shown = run([*ends.tap.proc.argv[:1], "status", ends.name]).stdout
    assert re.search(rf"path MTU {width}\b(?! or)", shown), shown
    ends.finish()
    path.assert_no_fragments()


@pytest.mark.parametrize("silent", [True, False], ids=["silent", "icmp"])
def test_path_gets_narrower(make_lab, silent):
    """A black hole swallows large datagrams: what they held is counted as lost, and the rest arrives in smaller ones."""
    lab = make_lab()
    path = Routed(lab, 1500, 1500, silent)
    ends = Ends(lab)
    until_found(ends.name, 1500)
    ends.frames()
    path.width(1400)
    ends.frames(4000, pps=1000)  # for four seconds
    assert path_mtu(ends.name) <= 1400, "noticed while frames flow"
    until_found(ends.name, 1400)
    before = tap_frames(ends.name)
    ends.frames()
    mine, there, missing = ends.finish(lossless=False)
    assert 0 < missing < before
    assert "now carries packets of 1400 bytes" in ends.tap.proc.err()
    assert ("path-mtu-changed", "packets of 1400 bytes pass") in [(e["kind"], e["words"]) for e in one(there["taps"])["history"]]
    assert ends.tap.proc.err().count("session up") == 1
    assert_tail(ends, FRAMES)
    path.assert_no_fragments()


def tap_frames(name):
    return one(status(name)["interfaces"])["stages"]["link_tx"]["out"]


def assert_tail(ends, n):
    """The last n frames that were sent have all arrived."""
    def numbers(file):
        done = run(["tshark", "-r", file, "-T", "fields", "-e", "frame.len"])
        return done.stdout.split()

    assert numbers(ends.source.path)[-n:] == numbers(ends.file)[-n:]


def test_narrower_device_and_wider_again(make_lab):
    """The tap's own link changes its MTU: what the kernel knows, the tap follows at once, in both directions."""
    lab = make_lab()
    path = Routed(lab, 9000, 9000)
    ends = Ends(lab)
    until_found(ends.name, 9000)
    lab.ip(lab.tap, "link", "set", "link0", "mtu", "1450")
    until_found(ends.name, 1450)
    ends.frames()
    lab.ip(lab.tap, "link", "set", "link0", "mtu", "8000")
    until_found(ends.name, 8000)
    ends.frames()
    ends.finish()
    path.assert_no_fragments()


def test_not_even_the_smallest(make_lab):
    lab = make_lab()
    path = Routed(lab, 560, 1500)
    ends = Ends(lab)
    ends.tap.proc.wait_line("does not carry packets of 576 bytes, the smallest that are used", 15)
    assert "PATH MTU BELOW 576" in run([*ends.tap.proc.argv[:1], "status", ends.name]).stdout
    assert session_of(ends.name)["path_mtu_state"] == "too small"
    path.width(1280)
    until_found(ends.name, 1280)
    ends.tap.proc.wait_line("now carries packets of 1280 bytes")
    ends.frames()
    ends.finish()
    path.assert_no_fragments()


def test_limit_by_option(make_lab):
    lab = make_lab()
    path = Routed(lab, 1500, 1500)
    lab.offloads(lab.tap, "link0", **{"tx-udp-segmentation": "off"})  # so that a capture sees datagrams, not many in one
    sizes = Tcpdump(lab, path.ns, "near", "sizes", expr="udp and greater 1415", snaplen=96, fast=True)  # 1400 and Ethernet's header
    ends = Ends(lab, "--mtu", "1400")
    until_found(ends.name, 1400)
    ends.frames()
    ends.finish()
    sizes.wait_quiet()
    assert sizes.stop() == 0
    path.assert_no_fragments()


@pytest.mark.parametrize("value", ["575", "9001", "0", "x", "-1", ""])
def test_mtu_that_cannot_be(make_lab, value):
    lab = make_lab()
    tap = Tap(lab, "--mtu", value, up=False, json=False)
    assert tap.proc.wait() == 2
    assert re.search(r"--mtu.*(between 576 and 9000|not a whole number)", tap.proc.err()), tap.proc


def readdress(lab, address):
    """The tap's only address becomes another one."""
    old = lab.ip(lab.tap, "-4", "-o", "addr", "show", "dev", "link0").split()[3]
    lab.ip(lab.tap, "addr", "del", old, "dev", "link0")
    lab.ip(lab.tap, "addr", "add", f"{address}/24", "dev", "link0")
    lab.ip(lab.tap, "route", "replace", "default", "via", "10.77.0.254")


def test_tap_gets_another_address(make_lab):
    """As by DHCP: the socket's own address is gone. The session goes on, nothing starts anew."""
    lab = make_lab()
    path = Routed(lab)
    ends = Ends(lab)
    until_found(ends.name, 1500)
    ends.frames()
    for address in ("10.77.0.9", "10.77.0.10"):
        readdress(lab, address)
        ends.tap.proc.wait_line(f"going on from {address}", 10)
        ends.collector.proc.wait_line(f"has moved to {address}", 10)
        until_found(ends.name, 1500)
        ends.frames()
    mine, there = ends.finish()
    assert mine["session"]["moves"] == 2 == one(there["taps"])["moves"]
    for ledger in (mine, there):
        assert [e["kind"] for e in ledger["history"]].count("address-changed") == 2, ledger["history"]
    assert mine["session"]["sessions"] == 1 == one(there["taps"])["sessions"]
    assert ends.tap.proc.err().count("session up") == 1
    path.assert_no_fragments()


def test_another_address_while_frames_flow(make_lab):
    """Frames that are lost between the two addresses are counted, and all that follow arrive."""
    lab = make_lab()
    Routed(lab)
    ends = Ends(lab)
    until_found(ends.name, 1500)
    flow = start_framegen(lab, 3000, 1000)
    wait_until(lambda: tap_frames(ends.name) > 500, 10, "frames")
    readdress(lab, "10.77.0.9")
    ends.tap.proc.wait_line("going on from 10.77.0.9", 10)
    assert flow.wait(20) == 0
    ends.sent += 3000
    ends.frames(1000)
    mine, there, missing = ends.finish(lossless=False)
    assert missing < 2500 and mine["session"]["sessions"] == 1
    assert_tail(ends, 1000)


def test_another_way_out(make_lab):
    """As from Wi-Fi to LTE: the first link goes dead without a word, and the route leads over another one."""
    lab = make_lab()
    path = Routed(lab)
    in_namespace(lab.tap, ["ip", "link", "add", "link1", "type", "veth", "peer", "name", "near1", "netns", path.ns])
    for ns, dev, address in ((lab.tap, "link1", "10.79.0.1"), (path.ns, "near1", "10.79.0.254")):
        lab.ip(ns, "addr", "add", f"{address}/24", "dev", dev)
        lab.ip(ns, "link", "set", dev, "up")
    ends = Ends(lab)
    ends.frames()
    until_found(ends.name, 1500)
    lab.ip(path.ns, "link", "set", "near", "down")
    lab.ip(lab.tap, "route", "replace", "default", "via", "10.79.0.254")
    ends.tap.proc.wait_line("going on from 10.79.0.1", 10)
    ends.collector.proc.wait_line("has moved to 10.79.0.1", 10)
    ends.frames()
    mine, there = ends.finish()
    assert mine["session"]["sessions"] == 1


def name_of_the_collector(lab, address):
    """In the tap's namespace, "collector.test" is at this address from now on."""
    folder = Path("/etc/netns") / lab.tap
    if not folder.exists():
        folder.mkdir(parents=True)
        lab.closers.append(lambda: shutil.rmtree(folder, ignore_errors=True))
    (folder / "hosts").write_text(f"127.0.0.1 localhost\n{address} collector.test\n")


def test_collector_gets_another_address(make_lab):
    """Its name leads elsewhere. It is the same collector, so it is the same session."""
    lab = make_lab()
    Routed(lab)
    name_of_the_collector(lab, COLLECTOR4)
    ends = Ends(lab, to="collector.test:1234")
    ends.frames()
    until_found(ends.name, 1500)
    ends.arrived()  # the address leads nowhere from now on
    lab.ip(lab.collector, "addr", "del", f"{COLLECTOR4}/24", "dev", "link0")
    lab.ip(lab.collector, "addr", "add", "10.78.0.7/24", "dev", "link0")
    lab.ip(lab.collector, "route", "replace", "default", "via", "10.78.0.254")
    name_of_the_collector(lab, "10.78.0.7")
    ends.tap.proc.wait_line("to 10.78.0.7:1234", 15)
    until_found(ends.name, 1500)
    ends.frames()
    mine, there = ends.finish()
    assert mine["session"]["sessions"] == 1 == one(there["taps"])["sessions"]
    assert mine["session"]["moves"] == 1


@pytest.mark.parametrize("error", ["EIO", "EINVAL"])
def test_kernel_without_segments(make_lab, error):
    """Neither UDP_SEGMENT nor UDP_GRO: a system call a datagram more, and nothing else changes."""
    lab = make_lab()
    old = {"LD_PRELOAD": str(TOOLS / "oldkernel.so"), "OLDKERNEL_ERRNO": error}
    ends = Ends(lab, to="10.77.0.2:1234", env=old)
    until_found(ends.name, 1500)
    seen = Tcpdump(lab, lab.collector, "link0", "joined", expr="udp and greater 1515", snaplen=96, fast=True)
    ends.frames(6000)
    ends.finish()
    seen.wait_quiet()
    assert seen.stop() == 0, "no datagrams were sent as one"


def test_card_without_checksums(make_lab):
    lab = make_lab()
    for ns in (lab.tap, lab.collector):
        lab.offloads(ns, "link0", tx="off", rx="off", gso="off", gro="off")
    ends = Ends(lab, to="10.77.0.2:1234")
    until_found(ends.name, 1500)
    ends.frames()
    ends.finish()
