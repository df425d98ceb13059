# SPDX-License-Identifier: Apache-2.0
"""Ten minutes of steady traffic over a path that loses, reorders, stands still and changes its address, while keys change, clocks
are set, interfaces go and come and collectors end and die: memory, descriptors and threads stay what they were, and so does the
truth of the ledger, to the frame.

Not in `make test`: `make test-long` sets FARSPAN_LONG. FARSPAN_SOAK_SECONDS (600) is for how long.
"""

import os
import random
import signal
import statistics
import time
from pathlib import Path

from lib.farspan import (Collector, Tap, assert_collector_balanced, assert_tap_balanced, drops, find_numbers, one, own_name, own_port,
                         status, tap_stages)
from lib.proc import alive, wait_until
from lib.tools import Impair, Tcpdump, assert_same, compare, start_framegen
from test_clocks import Clock

SECONDS = int(os.environ.get("FARSPAN_SOAK_SECONDS", "600"))
RELAY = 5000
PPS = 500
KIB_MORE = 1024  # and 5 %: what memory may grow by after the warm-up


def sample(proc):
    """(KiB of memory, descriptors, threads) of a program's processes together."""
    rss = fds = threads = 0
    for pid in proc.tree():
        where = Path(f"/proc/{pid}")
        try:
            lines = dict(line.split(":", 1) for line in (where / "status").read_text().splitlines())
            rss += int(lines["VmRSS"].split()[0])
            threads += int(lines["Threads"])
            fds += len(list((where / "fd").iterdir()))
        except (OSError, KeyError):
            assert not alive(pid), f"{proc} cannot be looked at"
    return rss, fds, threads


class Weather:
    """Changes of the path, the clocks and an idle interface, drawn from a seed, some of it every few seconds."""

    def __init__(self, lab, relay, clocks, seed):
        self.lab, self.relay, self.clocks, self.rng = lab, relay, clocks, random.Random(seed)
        self.done = {}

    def _way(self):
        r = self.rng
        self.relay.tell("heal")
        for line in (f"drop {r.choice([0, 0, 0.01, 0.05])}", f"back-drop {r.choice([0, 0.05, 0.1])}", f"copy {r.choice([0, 0.05])}",
                     f"damage {r.choice([0, 0, 0.02])}", f"reorder {r.choice([0, 0.05])}", f"truncate {r.choice([0, 0, 0.01])}",
                     f"delay {r.choice([0, 5, 50])}:{r.choice([0, 3])}", f"back-delay {r.choice([0, 30])}"):
            self.relay.tell(line)

    def _dark(self):
        self.relay.tell("outage")
        time.sleep(self.rng.uniform(0.1, 2.5))  # less than what ends a session
        self.relay.tell("heal")

    def _interface(self):
        for what in ("down", "up"):
            self.lab.ip(self.lab.tap, "link", "set", "mon1", what)
            time.sleep(0.2)

    def something(self):
        what = self.rng.choice(["way", "way", "way", "dark", "rebind", "clock", "interface"])
        self.done[what] = self.done.get(what, 0) + 1
        if what == "way":
            self._way()
        elif what == "dark":
            self._dark()
        elif what == "rebind":
            self.relay.tell("rebind")
        elif what == "clock":
            self.rng.choice(self.clocks).step(self.rng.randint(-86400, 86400))
        else:
            self._interface()


def judge_growth(name, samples):
    """The medians of a time after the warm-up and of the end differ by no more than what is allowed."""
    tenth = max(3, len(samples) // 10)
    early, late = samples[2 * tenth:3 * tenth], samples[-tenth:]
    a, b = ([statistics.median(s[i] for s in part) for i in range(3)] for part in (early, late))
    print(f"{name}: {a[0]:.0f} -> {b[0]:.0f} KiB, {a[1]:.0f} -> {b[1]:.0f} descriptors, {a[2]:.0f} -> {b[2]:.0f} threads, "
          f"highest {max(s[0] for s in samples)} KiB, {len(samples)} samples")
    assert b[0] <= a[0] * 1.05 + KIB_MORE, f"{name} grew from {a[0]} to {b[0]} KiB"
    assert a[1:] == b[1:], f"{name} had {a[1:]} descriptors and threads, then {b[1:]}"


def test_soak(make_lab):
    lab = make_lab(monitored=2)
    lab.kernel_stamps()
    name, port = own_name("soaked"), own_port()
    clocks = [Clock(lab, "tap"), Clock(lab, "collector")]

    def collector(n):
        return Collector(lab, port=port, file=lab.folder / f"life{n}.pcapng", env=clocks[1].env)

    first = collector(1)
    relay = Impair(lab, lab.collector, RELAY, f"10.77.0.2:{port}", seed=7)
    weather = Weather(lab, relay, clocks, 7)
    source = Tcpdump(lab, lab.tap, "mon0", "source")
    tap = Tap(lab, interfaces=("mon0", "mon1"), name=name, to=f"10.77.0.2:{RELAY}", env=clocks[0].env)

    # collectors end and die, and the path stands still for longer than sessions live
    n = 40 * PPS
    good = start_framegen(lab, n, PPS)
    wait_until(lambda: source.captured() > 4 * PPS, 20, "the first frames")
    assert_collector_balanced(first.finish())
    second = collector(2)
    tap.wait_up(2)
    relay.tell("outage")
    tap.proc.wait_line("is over", 15, 2)
    relay.tell("heal")
    tap.wait_up(3)
    second.proc.send(signal.SIGKILL)
    third = collector(3)
    tap.wait_up(4)
    assert good.wait(60) == 0
    source.wait_count(n)
    wait_until(lambda: tap_stages(status(name), "mon0")["link_tx"]["in"] == n, 20, "the tap's count of them")
    assert_collector_balanced(third.finish())
    last = collector(4)
    tap.wait_up(5, seconds=60)
    before = tap_stages(status(name), "mon0")["link_tx"]["out"]

    m = (SECONDS - 60) * PPS
    good = start_framegen(lab, m, PPS)
    samples = {"tap": [], "collector": []}
    while good.running():
        weather.something()
        until = time.monotonic() + weather.rng.uniform(1, 4)
        while time.monotonic() < until and good.running():
            time.sleep(0.5)
            samples["tap"].append(sample(tap.proc))
            samples["collector"].append(sample(last.proc))
    assert good.wait(30) == 0
    relay.tell("heal")
    source.wait_count(n + m, seconds=60)
    rekeys = status(name)["session"]["rekeys"]
    ledger, there, told = tap.finish(), last.finish(), relay.stop()
    source.stop()

    assert_tap_balanced(ledger)
    assert_collector_balanced(there)
    received = one(one(there["taps"])["interfaces"], "mon0")["stages"]["link_rx"]
    sent = tap_stages(ledger, "mon0")["link_tx"]
    verdict = compare(source.path, last.file, times=True, allow="missing", b_interface="*mon0*")
    print(f"{n + m} frames sent, {sent['out'] - before} of them to the last collector, {received['out']} arrived, {drops(received)} lost; "
          f"{rekeys} re-keyings; {weather.done}; the relay: {told}")
    for what, all_of_it in samples.items():
        judge_growth(what, all_of_it)
    assert verdict["equal"] and verdict["matched"] == received["out"], verdict
    assert sent["in"] == n + m and find_numbers(ledger, "ring_full") == 0
    assert received["in"] == sent["out"] - before == m, (received, sent, before)
    assert drops(received) == m - verdict["matched"]
    assert tap.proc.err().count("session up") == 5 and rekeys >= (SECONDS - 60) // 120, tap.proc
    for life in (1, 2, 3):
        assert_same(source.path, lab.folder / f"life{life}.pcapng", allow="missing", times=True)
