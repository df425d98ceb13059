# SPDX-License-Identifier: Apache-2.0
"""Either end may go away and come back: frames flow again, and what did not arrive is accounted for."""

import contextlib
import os
import signal

from lib.farspan import Collector, Tap, assert_balanced, assert_collector_balanced, assert_tap_balanced, drops, one, tap_stages
from lib.lab import inside
from lib.proc import wait_until
from lib.tools import Tcpdump, assert_same, compare, framegen


def arrival_at(lab, name):
    return Tcpdump(lab, lab.collector, "ntap0", name, direction="in", fast=True)


def test_collector_absent_at_start(lab):
    """The tap waits for its collector, and the frames of that time wait with it: none is lost."""
    source = Tcpdump(lab, lab.tap, "mon0", "source", fast=True)
    tap = Tap(lab, up=False)
    # the tap captures before there is a session: that is seen in its ledger, not in its words
    wait_until(lambda: capturing(lab) > 1, 10, "the tap's capture")
    framegen(lab, 500, pps=2000)
    source.wait_count(500)
    assert "session up" not in tap.proc.err() and tap.proc.running()
    collector = Collector(lab, file=lab.folder / "late.pcapng")
    tap.wait_up()
    arrival = arrival_at(lab, "arrival")
    framegen(lab, 2000, pps=5000)
    source.wait_count(2500)
    arrival.wait_count(2000)
    tap_ledger, collector_ledger = tap.finish(), collector.finish()
    source.stop()
    assert_balanced(tap_ledger, collector_ledger, sent=2500, delivered=2500)
    assert tap_stages(tap_ledger)["link_tx"]["backlogged"] >= 500
    assert_same(source.path, lab.folder / "late.pcapng", 2500, times=True)


def capturing(lab, dev="mon0"):
    """How many packet sockets of the tap's host are bound to the interface and running."""
    index = lab.ip(lab.tap, "-o", "link", "show", dev).split(":")[0]
    with inside(lab.tap), open("/proc/thread-self/net/packet") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return len([r for r in rows if r[4] == index and r[5] == "1"])


def test_collector_killed_and_restarted(lab):
    source = Tcpdump(lab, lab.tap, "mon0", "source", fast=True)
    collector = Collector(lab)
    first = arrival_at(lab, "first")
    tap = Tap(lab)
    framegen(lab, 3000, pps=10000)
    first.wait_count(3000)

    family = collector.proc.tree()
    collector.proc.send(signal.SIGKILL)
    collector.proc.wait()
    wait_until(lambda: not collector.proc.tree(), 5, f"the end of all its processes {family}")
    wait_until(lambda: not lab.has_device(lab.collector, "ntap0"), 5, "the end of its device")
    framegen(lab, 1000, pps=5000)

    collector = Collector(lab, name="collector-again", file=lab.folder / "second.pcapng")
    tap.wait_up(times=2, seconds=60)
    second = arrival_at(lab, "second")
    framegen(lab, 3000, pps=10000)
    source.wait_count(7000)
    second.wait_count(3000)
    tap_ledger, collector_ledger = tap.finish(), collector.finish()
    source.stop(), second.stop()

    assert_tap_balanced(tap_ledger)
    assert_collector_balanced(collector_ledger)
    sent = tap_stages(tap_ledger)["link_tx"]
    received = collector_ledger["taps"][0]["interfaces"][0]["stages"]["link_rx"]
    # those of the pause waited, but for what went into the void before the tap was told that nobody listens
    assert tap_stages(tap_ledger)["ring"]["in"] == 7000 == sent["out"] and drops(sent) == 0, sent
    void = 4000 - received["out"]
    assert 0 <= void < 1000 and drops(received) == 0, received
    assert sent["confirmed"] <= 7000 - void, sent
    verdict = compare(source.path, lab.folder / "second.pcapng", allow="missing")
    assert verdict["equal"] and verdict["matched"] == received["out"], verdict


def test_tap_vanishes(lab):
    """All of it is gone at once, without a word: the collector says so, and the one that comes after is the same tap."""
    collector = Collector(lab)
    arrival = arrival_at(lab, "arrival")
    tap = Tap(lab)
    framegen(lab, 1000, pps=10000)
    arrival.wait_count(1000)
    for pid in tap.proc.tree():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    tap.proc.wait()
    tap = Tap(lab)
    framegen(lab, 1000, pps=10000)
    arrival.wait_count(2000)
    tap_ledger, collector_ledger = tap.finish(), collector.finish()
    arrival.stop()
    assert_tap_balanced(tap_ledger)
    assert_collector_balanced(collector_ledger)
    there = one(collector_ledger["taps"])
    assert there["sessions"] == 2 and there["sessions_without_close"] == 1, there


def test_tap_killed_and_restarted(lab):
    source = Tcpdump(lab, lab.tap, "mon0", "source", fast=True)
    file = lab.folder / "collector.pcapng"
    collector = Collector(lab, file=file)
    arrival = arrival_at(lab, "arrival")
    tap = Tap(lab)
    framegen(lab, 2000, pps=10000)
    arrival.wait_count(2000)

    tap.proc.tree()
    tap.proc.send(signal.SIGKILL)
    tap.proc.wait()
    wait_until(lambda: not tap.proc.tree(), 5, "the end of all its processes")
    framegen(lab, 500, pps=5000)

    tap = Tap(lab)
    framegen(lab, 2000, pps=10000)
    source.wait_count(4500)
    arrival.wait_count(4000)
    tap_ledger, collector_ledger = tap.finish(), collector.finish()
    source.stop(), arrival.stop()
    assert_tap_balanced(tap_ledger)
    assert_collector_balanced(collector_ledger)
    assert one(collector_ledger["taps"])["sessions_without_close"] == 0, "its engine outlived the broker and closed"
    assert tap_stages(tap_ledger)["link_tx"]["out"] == 2000
    received = [i["stages"]["link_rx"] for t in collector_ledger["taps"] for i in t["interfaces"]]
    assert sum(r["out"] for r in received) == 4000 and sum(drops(r) for r in received) == 0, received
    assert_same(arrival.path, file, 4000)
    verdict = compare(source.path, file, allow="missing")
    assert verdict["equal"] and verdict["missing"] == 500, verdict


def test_link_down_for_a_while(lab):
    """The cable between the two is out and in again: the same session or a new one, but nothing unaccounted."""
    collector = Collector(lab, file=lab.folder / "collector.pcapng")
    source = Tcpdump(lab, lab.tap, "mon0", "source", fast=True)
    tap = Tap(lab)
    framegen(lab, 1000, pps=5000)
    source.wait_count(1000)
    lab.ip(lab.tap, "link", "set", "link0", "down")
    framegen(lab, 1000, pps=5000)
    lab.ip(lab.tap, "link", "set", "link0", "up")
    arrival = arrival_at(lab, "arrival")

    def flows():
        framegen(lab, 10, pps=1000)
        return arrival.captured() > 0

    wait_until(flows, 60, "frames after the pause", step=0.3)
    source.wait_quiet()
    sent = source.captured()
    tap_ledger, collector_ledger = tap.finish(), collector.finish()
    source.stop()
    assert_tap_balanced(tap_ledger)
    assert_collector_balanced(collector_ledger)
    link = tap_stages(tap_ledger)["link_tx"]
    assert tap_stages(tap_ledger)["ring"]["in"] == sent == link["out"] and drops(link) == 0, link
    verdict = compare(source.path, lab.folder / "collector.pcapng", allow="missing")
    received = [i["stages"]["link_rx"] for t in collector_ledger["taps"] for i in t["interfaces"]]
    assert verdict["equal"] and verdict["matched"] == sum(r["out"] for r in received), (verdict, received)
    assert sum(r["in"] for r in received) == link["out"], (received, link)
    assert verdict["missing"] == sum(drops(r) for r in received)


def test_tap_ends_politely(lab):
    """SIGTERM is as good as SIGINT, and the collector goes on."""
    collector = Collector(lab)
    for name in ("one", "two"):
        tap = Tap(lab, name=name)
        framegen(lab, 500, pps=5000)
        assert tap.finish(signal.SIGTERM)["interfaces"][0]["stages"]["link_tx"]["out"] == 500
    ledger = collector.finish(signal.SIGTERM)
    assert_collector_balanced(ledger)
    assert sum(i["stages"]["link_rx"]["out"] for t in ledger["taps"] for i in t["interfaces"]) == 1000
