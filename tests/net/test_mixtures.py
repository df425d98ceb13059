# SPDX-License-Identifier: Apache-2.0
"""Everything at once that a network does to datagrams, drawn from a seed, each way apart.

Whatever it was, nothing forged is accepted, nothing is doubled or out of order, times are the tap's, and the ledger balances to the
frame. FARSPAN_MIXTURES says how many seeds are tried; FARSPAN_MIXTURE_SEED tries that one alone.
"""

import os
import random

import pytest

from lib.farspan import Collector, Tap, assert_balanced, assert_collector_balanced, assert_tap_balanced, drops, one, tap_stages
from lib.proc import wait_until
from lib.tools import Impair, Tcpdump, assert_same, compare, framegen, start_framegen, steadily

RELAY = 5000
FRAMES = 6000
SEEDS = [int(os.environ["FARSPAN_MIXTURE_SEED"])] if "FARSPAN_MIXTURE_SEED" in os.environ else \
    range(1, 1 + int(os.environ.get("FARSPAN_MIXTURES", "6")))


def one_way(rng, worst):
    """Each of the impairments with even odds, up to `worst` of its own measure."""
    some = {
        "drop": lambda: rng.uniform(0.001, 0.15) * worst,
        "burst": lambda: f"{rng.uniform(0.0005, 0.005) * worst}:{rng.randint(2, 30)}",
        "copy": lambda: rng.uniform(0.01, 0.3),
        "damage": lambda: rng.uniform(0.001, 0.1) * worst,
        "truncate": lambda: rng.uniform(0.001, 0.1) * worst,
        "reorder": lambda: rng.uniform(0.01, 0.2),
        "delay": lambda: f"{rng.uniform(1, 40)}:{rng.choice([0, 1, 15])}",
        "rate": lambda: f"{rng.randint(4, 30) * 1000000}:{rng.randint(50, 500)}",
    }
    return {name: value() for name, value in some.items() if rng.random() < 0.5}


def mixture(seed):
    rng = random.Random(seed)
    options = one_way(rng, 1.0)
    options |= {f"back_{name}": value for name, value in one_way(rng, 0.6).items()}
    if rng.random() < 0.5:
        options["rebind"] = rng.randint(50, 500)
    return {"seed": seed, **options}


class Run:
    """A tap and a collector with a relay between them, and witnesses at both ends."""

    def __init__(self, lab, **options):
        lab.kernel_stamps()
        self.lab = lab
        self.file = lab.folder / "collector.pcapng"
        self.collector = Collector(lab, file=self.file)
        self.relay = Impair(lab, lab.collector, RELAY, "10.77.0.2:1234", **options)
        self.source = Tcpdump(lab, lab.tap, "mon0", "source")
        self.arrival = Tcpdump(lab, lab.collector, "ntap0", "arrival", direction="in", fast=True)
        self.tap = Tap(lab, to=f"10.77.0.2:{RELAY}", up=False)
        self.tap.wait_up(seconds=60)

    def finish(self, frames):
        """Ends everything, and judges what every run must hold. (what the relay did, the tap's ledger, the collector's, missing)"""
        self.source.wait_count(frames)
        ledger = self.tap.finish()
        self.arrival.wait_quiet(0.2)
        there = self.collector.finish()
        told = self.relay.stop()
        self.source.stop(), self.arrival.stop()
        received = one(one(there["taps"])["interfaces"])["stages"]["link_rx"]
        verdict = compare(self.source.path, self.file, times=True, allow="missing")
        assert verdict["equal"], f"what arrived is not what was sent: {verdict}"
        assert_same(self.arrival.path, self.file, verdict["matched"])
        assert verdict["matched"] == received["out"], (verdict, received)
        assert_tap_balanced(ledger)
        assert_collector_balanced(there)
        sent = tap_stages(ledger)["link_tx"]
        assert sent["in"] == frames == verdict["matched"] + verdict["missing"]
        if ledger["session"]["sessions"] == 1:
            assert sent["out"] == received["in"] and drops(received) == sent["out"] - verdict["matched"], (sent, received)
        return told, ledger, there, verdict["missing"]


@pytest.mark.parametrize("seed", SEEDS)
def test_mixture(make_lab, seed):
    options = mixture(seed)
    print(f"mixture {seed}: {options}")

    def experiment(lab, pps):
        run = Run(lab, **options)
        framegen(lab, FRAMES, pps=pps, max_len=1500)
        told, ledger, there, missing = run.finish(FRAMES)
        print(f"the relay did {told}; missing {missing}")
        for way, prefix in (("forward", ""), ("back", "back_")):
            for name, count in (("copy", "copied"), ("reorder", "reordered"), ("delay", "delayed")):
                assert (told[way][count] > 0) == (prefix + name in options) or told[way]["received"] < 50, (name, told)
        assert told["rebinds"] > 0 or "rebind" not in options

    steadily(make_lab, experiment, pps=4000)


def test_outage_and_new_port(make_lab):
    """Nothing passes for two seconds, and then from another port: the session is the same, and each frame of that time is counted."""

    def experiment(lab, pps):
        run = Run(lab, seed=3)
        n = pps * 6
        good = start_framegen(lab, n, pps)
        wait_until(lambda: run.arrival.captured() > n / 10, 10, "the first frames")
        run.relay.tell("outage")
        seen = run.source.captured()
        run.source.wait_count(seen + 2 * pps)
        run.relay.tell("rebind")
        run.relay.tell("heal")
        assert good.wait(60) == 0
        told, ledger, there, missing = run.finish(n)
        assert ledger["session"]["sessions"] == 1 and told["rebinds"] == 1
        assert told["forward"]["outage"] > 100 and missing >= pps
        assert_balanced(ledger, there, sent=n, delivered=n - missing, lost=missing)

    steadily(make_lab, experiment, pps=1000)
