# SPDX-License-Identifier: Apache-2.0
"""Frames that were sent and that nobody confirmed: the tap counts them to the frame, says so, and fails where it is to be strict."""

import re

import pytest

from lib.farspan import PORT, Collector, Tap, assert_balanced, assert_tap_balanced, one, own_name, status, tap_stages
from lib.proc import wait_until
from lib.tools import Impair, framegen

RELAY = 5000
FRAMES = 1000


def link_tx(name, interface=None):
    return one(status(name)["interfaces"], interface)["stages"]["link_tx"]


def words_of(tap, interface="mon0"):
    """How many frames the closing lines call unconfirmed."""
    found = re.findall(rf"^{interface}: (\d+) sent, but not confirmed by the collector$", tap.proc.err(), re.M)
    assert len(found) <= 1, tap.proc
    return int(found[0]) if found else 0


@pytest.mark.parametrize("strict", [False, True], ids=["lax", "strict"])
def test_the_last_frames_do_not_arrive(lab, strict):
    """The way to the collector is cut, without a word, before the last frames of one of two interfaces."""
    name = own_name("last")
    collector = Collector(lab, device=None, file=lab.folder / "collector.pcapng")
    relay = Impair(lab, lab.collector, RELAY, f"10.77.0.2:{PORT}")
    lab.ip(lab.tap, "link", "add", "mon1", "type", "veth", "peer", "name", "peer1", "netns", lab.peer)
    for ns, dev in ((lab.tap, "mon1"), (lab.peer, "peer1")):
        lab.ip(ns, "link", "set", dev, "arp", "off", "up")
    tap = Tap(lab, *(["--strict"] if strict else []), name=name, interfaces=("mon0", "mon1"), to=f"10.77.0.2:{RELAY}")
    for dev in ("peer0", "peer1"):
        framegen(lab, FRAMES, dev=dev, pps=5000, max_len=1000)
    for dev in ("mon0", "mon1"):
        wait_until(lambda d=dev: link_tx(name, d)["confirmed"] == FRAMES, 10, f"frames of {dev} to be confirmed")
    relay.tell("drop 1")
    framegen(lab, FRAMES, pps=20000, max_len=1000)
    ledger, there = tap.finish(status=1 if strict else 0), collector.finish()
    assert_tap_balanced(ledger)
    sent = tap_stages(ledger, "mon0")["link_tx"]
    kept = sent["drops"]["backlog_left"]  # where this machine was so slow that the tap noticed
    assert sent["unconfirmed"] == words_of(tap) == FRAMES - kept > 0 and sent["confirmed"] == FRAMES, sent
    assert tap_stages(ledger, "mon1")["link_tx"]["unconfirmed"] == words_of(tap, "mon1") == 0
    assert sum(i["stages"]["link_rx"]["out"] for i in one(there["taps"])["interfaces"]) == 2 * FRAMES
    relay.stop()


def test_strict_where_all_is_well(lab):
    collector = Collector(lab, device=None, file=lab.folder / "collector.pcapng")
    tap = Tap(lab, "--strict")
    framegen(lab, FRAMES, pps=5000)
    ledger, there = tap.finish(), collector.finish()
    assert_balanced(ledger, there, sent=FRAMES, delivered=FRAMES)
    assert words_of(tap) == 0 and tap_stages(ledger)["link_tx"]["unconfirmed"] == 0


def test_a_session_that_dies(lab):
    """Nothing passes until the session is over: what went into the void is a figure from then on, which the collector hears too."""
    name = own_name("dies")
    file = lab.folder / "collector.pcapng"
    collector = Collector(lab, device=None, file=file)
    relay = Impair(lab, lab.collector, RELAY, f"10.77.0.2:{PORT}")
    tap = Tap(lab, name=name, to=f"10.77.0.2:{RELAY}")
    framegen(lab, FRAMES, pps=5000, max_len=1000)
    wait_until(lambda: link_tx(name)["confirmed"] == FRAMES, 10, "frames to be confirmed")
    relay.tell("outage")
    framegen(lab, FRAMES, pps=20000, max_len=1000)
    tap.proc.wait_line("is over", 20)
    wait_until(lambda: link_tx(name)["unconfirmed"] > 0, 10, "the thread to hear of it")
    void = link_tx(name)["out"] - FRAMES
    assert link_tx(name)["unconfirmed"] == void
    relay.tell("heal")
    tap.wait_up(times=2)
    framegen(lab, FRAMES, pps=5000, max_len=1000)
    ledger, there = tap.finish(), collector.finish()
    assert_tap_balanced(ledger)
    sent = tap_stages(ledger)["link_tx"]
    assert sent["out"] == 3 * FRAMES and sent["unconfirmed"] == void == words_of(tap), sent
    assert sent["confirmed"] == 3 * FRAMES - void and sent["reported_lost"] == 0, sent
    told = one(one(there["taps"])["interfaces"])
    assert told["tap_stages"]["link_tx"]["unconfirmed"] == void and told["stages"]["link_rx"]["out"] == sent["confirmed"], told
    assert not {"confirmed", "reported_lost"} & told["tap_stages"]["link_tx"].keys(), "which only the tap is told"
    relay.stop()


def test_confirmations_that_do_not_arrive(lab):
    """The way back is cut: the frames did arrive, nobody can tell the tap so, and no two figures count one frame."""
    name = own_name("deaf")
    collector = Collector(lab, device=None, file=lab.folder / "collector.pcapng")
    relay = Impair(lab, lab.collector, RELAY, f"10.77.0.2:{PORT}")
    tap = Tap(lab, name=name, to=f"10.77.0.2:{RELAY}")
    framegen(lab, FRAMES, pps=5000, max_len=1000)
    wait_until(lambda: link_tx(name)["confirmed"] == FRAMES, 10, "frames to be confirmed")
    relay.tell("back-drop 1")
    framegen(lab, FRAMES, pps=20000, max_len=1000)
    ledger, there = tap.finish(), collector.finish()
    assert_tap_balanced(ledger)
    sent = tap_stages(ledger)["link_tx"]
    received = one(one(there["taps"])["interfaces"])["stages"]["link_rx"]
    assert received["in"] == received["out"] == sent["out"] and one(there["taps"])["sessions_without_close"] == 0
    assert sent["unconfirmed"] == words_of(tap) == sent["out"] - FRAMES, sent
    relay.stop()


def test_a_tap_without_a_session_fails(lab):
    tap = Tap(lab, up=False)
    wait_until(lambda: "listening" in tap.proc.err(), 10, "the tap")
    framegen(lab, 10, pps=1000)
    ledger = tap.finish(status=1)
    assert_tap_balanced(ledger)
    assert f"there never was a session with the collector at 10.77.0.2:{PORT}" in tap.proc.err()
    assert tap_stages(ledger)["link_tx"]["unconfirmed"] == 0
