# SPDX-License-Identifier: Apache-2.0
"""A session outlives its keys: it is re-keyed while frames flow, and not one of them is missing, doubled or late.

Keys live for 110 seconds (UPLINK_REKEY_MS), which cannot be hurried: so these tests begin before all others and end after them.
"""

import pytest

from lib.farspan import Collector, Tap, allow_file, assert_balanced, keygen, one
from lib.tools import Tcpdump, assert_same, start_framegen

SECONDS = 125
PPS = 400


def begin(lab, kind):
    lab.kernel_stamps()
    here = there = "a passphrase for long"
    if kind == "keys":
        collector_file, collector_key = keygen(lab, "collector")
        tap_file, tap_key = keygen(lab, "tap")
        there = ["--identity", collector_file, "--allow", allow_file(lab, lasting=tap_key)]
        here = ["--identity", tap_file, "--peer", collector_key]
    collector = Collector(lab, key=there, file=lab.folder / "collector.pcapng")
    arrival = Tcpdump(lab, lab.collector, "ntap0", "arrival", direction="in", fast=True)
    source = Tcpdump(lab, lab.tap, "mon0", "source", fast=True)
    tap = Tap(lab, key=here, name="lasting")
    return collector, arrival, source, tap, start_framegen(lab, SECONDS * PPS, PPS)


@pytest.mark.background.with_args(begin)
@pytest.mark.parametrize("kind", ["passphrase", "keys"])
def test_keys_change_without_a_gap(begun, kind):
    lab, (collector, arrival, source, tap, good) = begun
    n = SECONDS * PPS
    assert good.wait(SECONDS * 2) == 0
    source.wait_count(n)
    arrival.wait_count(n)
    ledger, there = tap.finish(), collector.finish()
    source.stop(), arrival.stop()
    told = one(there["taps"], "lasting")
    assert ledger["session"]["rekeys"] >= 1 and told["rekeys"] == ledger["session"]["rekeys"]
    assert ledger["session"]["sessions"] == told["sessions"] == 1 and tap.proc.err().count("session up") == 1
    assert_same(source.path, arrival.path, n)
    assert_same(source.path, collector.file, n, times=True)
    assert_balanced(ledger, there, sent=n, delivered=n)
