# SPDX-License-Identifier: Apache-2.0
"""Reports go on coming while nothing arrives, or come from a time that is over: frames wait, and both ends count each of them."""

import os
import signal
import time

import pytest

from lib.farspan import PORT, Collector, Tap, assert_balanced, assert_tap_balanced, drops, one, own_name, status, tap_stages
from lib.proc import wait_until
from lib.tools import Impair, Tcpdump, compare, framegen, start_framegen

RELAY = 5000


def link_tx(name):
    return one(status(name)["interfaces"])["stages"]["link_tx"]


def ring_full(ledger):
    """Frames that a busy machine cost before the tap's program saw them."""
    return tap_stages(ledger)["ring"]["drops"]["ring_full"]


def state(name):
    return status(name)["session"]["state"]


def received(there):
    return one(one(there["taps"])["interfaces"])["stages"]["link_rx"]


@pytest.mark.parametrize("way", ["drop", "back-drop"], ids=["there", "back"])
def test_one_way_is_cut(lab, way):
    """The other way is open. What the tap sends in the first moments is lost or not, the rest waits; the session goes on."""
    name, pps, frames = own_name("cut"), 1000, 12000
    source = Tcpdump(lab, lab.tap, "mon0", "source")
    file = lab.folder / "collector.pcapng"
    collector = Collector(lab, file=file, device=None)
    relay = Impair(lab, lab.collector, RELAY, f"10.77.0.2:{PORT}")
    tap = Tap(lab, name=name, to=f"10.77.0.2:{RELAY}")
    gen = start_framegen(lab, frames, pps=pps)
    wait_until(lambda: link_tx(name)["confirmed"] > pps, 10, "frames to be confirmed")
    relay.tell(f"{way} 1")
    wait_until(lambda: link_tx(name)["backlogged"] > pps, 20, "doubt")
    assert state(name) == "waiting for a sign of life"
    relay.tell(f"{way} 0")
    wait_until(lambda: state(name) == "up", 10, "the end of the doubt")
    gen.wait(30)
    source.wait_count(frames)
    wait_until(lambda: link_tx(name)["in_flight"] == 0, 30, "the end of the backlog")
    ledger, there = tap.finish(), collector.finish()
    source.stop(), relay.stop()
    verdict = compare(source.path, file, times=True, allow="missing")
    lost = received(there)["drops"]["lost"]
    assert verdict["equal"] and verdict["missing"] == lost + ring_full(ledger), (verdict, lost, ledger)
    assert ledger["session"]["sessions"] == 1
    assert_balanced(ledger, there, sent=frames, delivered=frames - lost - ring_full(ledger), lost=lost)
    if way == "drop":
        assert 0 < lost < 4 * pps, "not much more than two reports' time"
    else:
        assert lost == 0


def stopped(tap, until, seconds):
    """All of its processes stand still until then."""
    family = tap.proc.tree()
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(until, seconds, "the time to go on")
    finally:
        for pid in family:
            os.kill(pid, signal.SIGCONT)


def test_a_tap_that_was_stopped(lab):
    """It stands still, engine and broker, until the collector has ended its session: nothing is sent under that any more."""
    name, n = own_name("stopped"), 1000
    source = Tcpdump(lab, lab.tap, "mon0", "source", fast=True)
    file = lab.folder / "collector.pcapng"
    collector = Collector(lab, file=file, device=None)
    tap = Tap(lab, "--strict", name=name)
    framegen(lab, n, pps=5000)
    wait_until(lambda: link_tx(name)["confirmed"] == n, 10, "frames to be confirmed")

    def over():
        return "its session is closed" in collector.proc.err()

    def captured_meanwhile():
        if not over():
            return False
        framegen(lab, n, pps=20000, max_len=300)  # as a suspended machine's first frames after it woke
        return True

    stopped(tap, captured_meanwhile, 45)
    tap.wait_up(times=2, seconds=30)
    source.wait_count(2 * n)
    wait_until(lambda: link_tx(name)["in_flight"] == 0, 20, "the end of the backlog")
    framegen(lab, n, pps=5000)
    source.wait_count(3 * n)
    ledger, there = tap.finish(), collector.finish()
    source.stop()
    sent = tap_stages(ledger)["link_tx"]
    missing = ring_full(ledger)
    assert_tap_balanced(ledger)
    assert sent["unconfirmed"] == 0 == drops(sent) and sent["confirmed"] == 3 * n - missing, sent
    assert sent["backlogged"] >= n - missing and ledger["session"]["sessions"] == 2
    assert_balanced(ledger, there, sent=3 * n, delivered=3 * n - missing)


def test_a_tap_that_was_stopped_for_a_moment(lab):
    """Both ends know their session still: the tap asks whether that is so before it sends, and goes on in it."""
    name, n = own_name("moment"), 500
    source = Tcpdump(lab, lab.tap, "mon0", "source", fast=True)
    collector = Collector(lab, file=lab.folder / "collector.pcapng", device=None)
    tap = Tap(lab, "--strict", name=name)
    framegen(lab, n, pps=5000)
    wait_until(lambda: link_tx(name)["confirmed"] == n, 10, "frames to be confirmed")
    since = time.monotonic()

    def captured_meanwhile():
        if time.monotonic() < since + 3:  # longer than the tap bears without a doubt, shorter than the session lives
            return False
        framegen(lab, n, pps=20000, max_len=300)
        return True

    stopped(tap, captured_meanwhile, 25)
    took = time.monotonic() - since
    source.wait_count(2 * n)
    wait_until(lambda: status(name)["session"]["state"] == "up" and link_tx(name)["confirmed"] == 2 * n - ring_full(status(name)), 20,
               "all to be sent")
    ledger, there = tap.finish(), collector.finish()
    source.stop()
    assert ledger["session"]["sessions"] == 1 or took > 4, (took, tap.proc)
    assert tap_stages(ledger)["link_tx"]["backlogged"] >= n - ring_full(ledger), ledger
    assert_balanced(ledger, there, sent=2 * n, delivered=2 * n - ring_full(ledger))
