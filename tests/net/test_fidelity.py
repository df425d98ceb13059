# SPDX-License-Identifier: Apache-2.0
"""Every frame that goes in at the tap comes out at the collector, once, in order, byte for byte, with its time."""

import json
import os
import signal

import pytest

from lib.farspan import PASS, PORT, Collector, Tap, assert_balanced, one, tap_stages
from lib.proc import Late
from lib.tools import FRAMES, PPS, Overrun, Tcpdump, assert_in_time, assert_same, framegen, softnet_drops, steadily


def explain(tap, collector, frames, arrived, before):
    """Not all frames arrived: Overrun where the ledgers have each that is missing, dropped where the processor's time was wanting."""
    told = f"of {frames} frames {arrived} arrived: {json.dumps([tap, collector])}"
    there = one(one(collector["taps"])["interfaces"])
    ring, received = tap_stages(tap)["ring"], there["stages"]["link_rx"]
    device = one(there["outputs"], "ntap0")
    assert_in_time(received)
    kernels = collector["link"]["socket_buffers_dropped"] + softnet_drops() - before
    assert kernels > 0 or received["gap_datagrams"] == 0, told
    dropped = ring["drops"]["ring_full"] + received["drops"]["lost"] + device["drops"]["queue_full"]
    assert arrived == device["out"] and frames == arrived + dropped, told
    raise Overrun(told)


def carry(frames, key=PASS, to=f"10.77.0.2:{PORT}"):
    """The experiment: a witness at the source, one at ntap0, and the collector's file, all compared."""

    def experiment(lab, pps):
        lab.kernel_stamps()
        before = softnet_drops()
        file = lab.folder / "collector.pcapng"
        collector = Collector(lab, key=key, file=file)
        arrival = Tcpdump(lab, lab.collector, "ntap0", "arrival", direction="in", buffer_kib=262144)
        source = Tcpdump(lab, lab.tap, "mon0", "source", buffer_kib=262144)
        tap = Tap(lab, key=key, to=to)
        framegen(lab, frames, pps=pps)
        assert source.wait_count(frames) == frames
        try:
            arrival.wait_count(frames)
        except Late:
            arrived = arrival.captured()
            explain(tap.finish(), collector.finish(), frames, arrived, before)
        tap_ledger = tap.finish()
        collector_ledger = collector.finish()
        assert source.stop() == frames and arrival.stop() == frames
        assert_same(source.path, arrival.path, frames)
        assert_same(source.path, file, frames, times=True, b_direction="in")
        assert_balanced(tap_ledger, collector_ledger, sent=frames, delivered=frames)
        assert f"{frames} captured" in tap.proc.err() and "0 dropped by kernel" in tap.proc.err(), tap.proc

    return experiment


@pytest.mark.big
def test_a_million_frames(make_lab):
    steadily(make_lab, carry(FRAMES))


def test_ipv6_link(make_lab):
    steadily(make_lab, carry(FRAMES // 10, to=f"[fd77::2]:{PORT}"), pps=PPS // 2)


def test_without_encryption(make_lab):
    steadily(make_lab, carry(FRAMES // 10, key=None), pps=PPS // 2)


def test_narrow_link(make_lab):
    """The path's MTU is smaller than the interface's frames; nothing is fragmented by IP."""
    steadily(make_lab, carry(20000), pps=10000, link_mtu=1280)


def test_jumbo_link(make_lab):
    steadily(make_lab, carry(50000), pps=20000, link_mtu=9000)


def test_no_datagram_is_fragmented(lab):
    """Segments have the size of the path: no IP fragment is seen on the link, whatever the frames' sizes."""
    collector = Collector(lab, key=None)
    fragments = Tcpdump(lab, lab.collector, "link0", "fragments", expr="ip[6:2] & 0x3fff != 0", fast=True)
    tap = Tap(lab, key=None)
    framegen(lab, 5000, pps=5000)
    assert_balanced(tap.finish(), collector.finish(), sent=5000, delivered=5000)
    fragments.wait_quiet()
    assert fragments.stop() == 0


@pytest.mark.parametrize("interface, n, pps", [("mon0", 1500, 1000), ("mon0", 400, 100), ("any", 1500, 1000)])
def test_a_stall_of_the_tap_loses_nothing(lab, interface, n, pps):
    """The tap's process gets no processor for a while: the ring holds seconds of slow traffic."""
    collector = Collector(lab, key=None, file=lab.folder / "collector.pcapng")
    source = Tcpdump(lab, lab.tap, "mon0", "source", fast=True)
    tap = Tap(lab, key=None, interfaces=(interface,))
    family = tap.proc.tree()
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    framegen(lab, n, pps=pps)
    source.wait_count(n)
    for pid in family:
        os.kill(pid, signal.SIGCONT)
    ledger, there = tap.finish(), collector.finish()
    source.stop()
    stage = tap_stages(ledger, "mon0")["ring"]
    assert stage["in"] == n and stage["drops"]["ring_full"] == 0
    assert_balanced(ledger, there)
    assert_same(source.path, collector.file, n, b_interface="*mon0")
