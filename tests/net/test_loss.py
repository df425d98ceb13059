# SPDX-License-Identifier: Apache-2.0
"""A relay between tap and collector that loses, doubles, damages and delays: the ledger counts each frame that is missing."""

import pytest

from lib.farspan import Collector, Tap, assert_balanced, drops, one, tap_stages
from lib.tools import Impair, Tcpdump, assert_in_time, assert_same, compare, framegen, steadily

FRAMES = 30000
RELAY = 5000


def through_relay(make_lab, key="a passphrase", frames=FRAMES, **odds):
    """Frames through a relay with these odds. Returns what the relay did, the ledgers, and the comparison of both ends."""

    def experiment(lab, pps):
        lab.kernel_stamps()
        file = lab.folder / "collector.pcapng"
        collector = Collector(lab, key=key, file=file)
        relay = Impair(lab, lab.collector, RELAY, "10.77.0.2:1234", **odds)
        source = Tcpdump(lab, lab.tap, "mon0", "source")
        arrival = Tcpdump(lab, lab.collector, "ntap0", "arrival", direction="in", fast=True)
        tap = Tap(lab, key=key, to=f"10.77.0.2:{RELAY}")
        framegen(lab, frames, pps=pps)
        source.wait_count(frames)
        ledger = tap.finish()
        arrival.wait_quiet()
        there = collector.finish()
        told = relay.stop()
        received = one(one(there["taps"])["interfaces"])["stages"]["link_rx"]
        source.stop(), arrival.stop()
        if not odds.get("drop"):
            assert_in_time(received)
        verdict = compare(source.path, file, times=True, allow="missing")
        assert verdict["equal"], verdict
        assert_same(arrival.path, file, verdict["matched"])
        assert tap_stages(ledger)["link_tx"]["out"] == frames == received["in"]
        assert verdict["matched"] == received["out"] and verdict["missing"] == drops(received), (verdict, received)
        assert_balanced(ledger, there, sent=frames, delivered=verdict["matched"], lost=verdict["missing"],
                        told="back_drop" not in odds)
        assert tap.proc.err().count("session up") == 1, tap.proc
        return told["forward"], received, verdict

    return steadily(make_lab, experiment, pps=10000)


@pytest.mark.parametrize("key", ["a passphrase", None], ids=["encrypted", "clear"])
def test_loss_is_counted_exactly(make_lab, key):
    told, received, verdict = through_relay(make_lab, key, drop=0.02, skip=20, min_size=400, seed=11)
    assert told["dropped"] > 20
    assert received["drops"]["lost"] == verdict["missing"] >= told["dropped"]
    assert verdict["missing"] < 20 * told["dropped"] + 100, "a lost datagram costs only the frames that it held"


def test_no_loss_through_the_relay(make_lab):
    """The control: a relay that does nothing changes nothing."""
    told, received, verdict = through_relay(make_lab)
    assert told["dropped"] == 0 == verdict["missing"] == drops(received)


def test_burst_at_the_end(make_lab):
    """Heavy loss, the last datagrams included: the final reports get through in time, for they are sent again."""
    told, received, verdict = through_relay(make_lab, frames=10000, drop=0.3, skip=20, seed=4)
    assert told["dropped"] > 100 and received["drops"]["lost"] == verdict["missing"] > 0


def test_doubled_datagrams_change_nothing(make_lab):
    told, received, verdict = through_relay(make_lab, copy=0.05, skip=20, seed=5)
    assert told["copied"] > 50 and verdict["missing"] == 0 == drops(received)


def test_reordered_datagrams_are_put_in_order(make_lab):
    told, received, verdict = through_relay(make_lab, reorder=0.02, skip=20, min_size=400, seed=6)
    assert told["reordered"] > 20 and verdict["missing"] == 0 == drops(received)


def test_damaged_datagrams_are_as_lost(make_lab):
    told, received, verdict = through_relay(make_lab, damage=0.02, skip=20, min_size=400, seed=7)
    assert told["damaged"] > 20 and verdict["missing"] == drops(received) >= told["damaged"]


def test_everything_at_once(make_lab):
    told, received, verdict = through_relay(make_lab, drop=0.01, copy=0.01, reorder=0.01, damage=0.01, back_drop=0.1, skip=30, seed=8)
    assert told["dropped"] and told["copied"] and told["reordered"] and told["damaged"]
    assert verdict["missing"] == drops(received) > 0
