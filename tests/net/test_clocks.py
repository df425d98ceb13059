# SPDX-License-Identifier: Apache-2.0
"""Wall clocks that are set while taps run: sessions, ledgers and the frames' times do not care."""

import struct

import pytest

from lib.farspan import Collector, Tap, allow_file, assert_balanced, assert_tap_balanced, keygen, one, own_name, own_port, status
from lib.proc import wait_until
from lib.tools import TOOLS, Tcpdump, assert_same, framegen, start_framegen

DAY = 86400


class Clock:
    """One program's wall clock: `env` for the program, `step` to set it."""

    def __init__(self, lab, name):
        self.path = lab.folder / f"{name}.clock"
        self.path.write_bytes(bytes(8))
        self.env = {"LD_PRELOAD": str(TOOLS / "clockstep.so"), "CLOCKSTEP": str(self.path)}

    def step(self, seconds):
        with open(self.path, "r+b") as f:
            f.write(struct.pack("=q", seconds * 10 ** 9))


@pytest.mark.parametrize("end", ["tap", "collector"])
def test_clock_is_set_in_a_session(lab, end):
    """By hours and days, forwards and back, while frames flow; status tells the difference, and no way is longer for it."""
    lab.kernel_stamps()
    clock = Clock(lab, end)
    name, port = own_name("timed"), own_port()
    envs = {end: clock.env}
    collector = Collector(lab, port=port, file=lab.folder / "collector.pcapng", env=envs.get("collector"))
    source = Tcpdump(lab, lab.tap, "mon0", "source", fast=True)
    tap = Tap(lab, name=name, to=f"10.77.0.2:{port}", env=envs.get("tap"))
    n = 8000
    good = start_framegen(lab, n, 1000)

    def told():
        session = status(name)["session"]
        return session if session.get("rtt_us", 0) > 0 else None

    for seconds in (3600, -DAY, 400 * DAY, 0):
        clock.step(seconds)
        ahead = seconds if end == "collector" else -seconds
        wait_until(lambda: told() and abs(told()["clock_offset_us"] / 1e6 - ahead) < 5, 10, lambda: f"{ahead} s of {status(name)}")
        assert told()["rtt_us"] < 5e6
    assert good.wait(30) == 0
    source.wait_count(n)
    ledger, there = tap.finish(), collector.finish()
    source.stop()
    assert ledger["session"]["sessions"] == 1 and tap.proc.err().count("session up") == 1
    assert_same(source.path, collector.file, n, times=True)  # the kernel's times, whatever the program's clock said
    assert_balanced(ledger, there, sent=n, delivered=n)


@pytest.mark.parametrize("seconds", [-400 * DAY, -1, 400 * DAY])
def test_tap_starts_with_another_clock(lab, seconds):
    """A tap with a key pair that comes back with an earlier clock, or goes back after a later one, is let in at once."""
    collector_file, collector_key = keygen(lab, "collector")
    tap_file, tap_key = keygen(lab, "tap")
    collector = Collector(lab, key=["--identity", collector_file, "--allow", allow_file(lab, branch=tap_key)])
    clock = Clock(lab, "tap")
    for step in (0, seconds, 0):
        clock.step(step)
        tap = Tap(lab, key=["--identity", tap_file, "--peer", collector_key], env=clock.env, up=False)
        tap.wait_up(seconds=5)
        framegen(lab, 200, pps=5000)
        assert_tap_balanced(tap.finish())
    there = collector.finish()
    branch = one(there["taps"], "branch")
    assert branch["sessions"] == 3 and one(branch["interfaces"])["stages"]["link_rx"]["out"] == 600
