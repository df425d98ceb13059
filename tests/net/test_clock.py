# SPDX-License-Identifier: Apache-2.0
"""The collector's view of its taps' clocks: offset and drift with bounds, jumps, and --align, which puts all on one clock.

Taps of one machine have one clock, and the kernel stamps their frames by it. So a relay on the link, which is in the clear here, turns
what a tap sends into what a tap with another clock would send: the times in its reports, and those of its frames.
"""

import re
import signal
import struct
import time

from lib.farspan import Collector, Tap, assert_collector_balanced, farspan, one, own_port, status
from lib.proc import wait_until
from lib.relay import RECORD, TEXT, Relay
from lib.tools import start_framegen, tshark

REPORT = 5
S = 10 ** 9


class Warp(Relay):
    """The tap's clock is `ahead` ns ahead, and gains `ppm` since the start."""

    def __init__(self, lab, port, to, ahead=0, ppm=0, late=(0, 0)):
        self.ahead, self.ppm, self.began, self.steady = ahead, ppm, time.time_ns(), time.monotonic_ns()
        super().__init__(lab, port, to, late)

    def clock(self, wall):
        """The tap's wall clock, when the machine's is that."""
        return wall + self.ahead + (wall - self.began) * self.ppm // 10 ** 6

    def forward(self, data):
        if len(data) < TEXT + 18 or data[0] != RECORD:
            return data
        out = bytearray(data)
        if out[2:4] != b"\0\0":
            base, = struct.unpack_from(">q", out, TEXT + 10)
            struct.pack_into(">q", out, TEXT + 10, self.clock(base) if base else 0)
        elif out[TEXT] == REPORT:
            now, echo, age = struct.unpack_from(">qqQ", out, TEXT + 2)
            steady, = struct.unpack_from(">q", out, len(out) - 8)
            assert abs(steady - time.monotonic_ns()) < 60 * S
            struct.pack_into(">qqQ", out, TEXT + 2, self.clock(now), echo, age + age * self.ppm // 10 ** 6)
            struct.pack_into(">q", out, len(out) - 8, steady + (steady - self.steady) * self.ppm // 10 ** 6)
        return bytes(out)


class Two:
    """Two taps of the same interface, so that each frame comes twice; the second has a clock of its own."""

    def __init__(self, lab, *words, **relay):
        lab.kernel_stamps()
        self.lab, self.port = lab, own_port()
        self.collector = Collector(lab, *words, port=self.port, key=None, device=None, file=lab.folder / "all.pcapng")
        self.relay = Warp(lab, self.port + 1, self.port, **relay)
        self.taps = [Tap(lab, key=None, to=f"10.77.0.2:{self.port + i}", name=f"web{i + 1}") for i in range(2)]

    def tap(self, i):
        return one(status(f"collector-{self.port}")["taps"], f"web{i + 1}")

    def wait_clocks(self, what="clock_bound_ns"):
        wait_until(lambda: all(self.tap(i).get(what) for i in range(2)), 10, f"{what} of both")

    def wait_received(self, n):
        wait_until(lambda: all(self.tap(i)["frames_received"] >= n for i in range(2)), 20, lambda: f"{n} frames of both")

    def finish(self):
        """The frames of each tap: (time in ns, comment), in the file's order, and all times in that order."""
        for t in self.taps:
            t.finish()
        there = self.collector.finish()
        assert_collector_balanced(there)
        rows = [r for r in tshark(self.collector.file, "frame.time_epoch", "frame.interface_name", "frame.comment")]
        all_times = [to_ns(r[0]) for r in rows]
        return [[(to_ns(r[0]), r[2]) for r in rows if r[1].startswith(f"web{i + 1}:")] for i in range(2)], all_times


def to_ns(text):
    seconds, _, rest = text.partition(".")
    return int(seconds) * S + int((rest + "000000000")[:9])


def true_offset(relay):
    now = time.time_ns()
    return relay.clock(now) - now


def assert_true(two):
    """Status tells the second tap's clock within its bound; the status was asked for between two looks at the truth."""
    before = true_offset(two.relay)
    told = two.tap(1)
    after = true_offset(two.relay)
    assert min(before, after) - told["clock_bound_ns"] <= told["clock_offset_ns"] <= max(before, after) + told["clock_bound_ns"], told
    return told


def test_one_timeline(lab):
    """An hour apart, and drifting, over a lopsided path: merged by --align and --order, each frame's two times agree within the bounds."""
    two = Two(lab, "--align", "--order", "300ms", ahead=3600 * S, ppm=80, late=(0.004, 0.0))
    two.wait_clocks("aligned")
    n, bounds = 1500, [0, 0]
    gen = start_framegen(lab, n, 250)
    while gen.running():
        told = assert_true(two)
        bounds = [max(b, two.tap(i)["clock_bound_ns"]) for i, b in enumerate(bounds)]
        time.sleep(0.1)
    two.wait_received(n)
    wait_until(lambda: "clock_drift_ppm" in two.tap(1), 15, "the drift is known")
    told = assert_true(two)
    assert abs(told["clock_drift_ppm"] - 80) <= told["clock_drift_bound_ppm"] + 1
    assert told["clock_jumps"] == 0
    (first, second), times = two.finish()
    assert len(first) == len(second) == n
    assert all("taken off" in tap[0][1] and "times before are its own" in tap[0][1] for tap in (first, second))
    assert abs(float(second[0][1].split()[1]) - 3600) < 0.1
    assert times == sorted(times)
    apart = max(abs(a[0] - b[0]) for a, b in zip(first, second))
    assert apart <= sum(bounds), f"{apart / 1e6} ms apart, bounds {bounds}"


def test_without_align(lab):
    """Times are the taps' own, an hour apart: what the other tests would see if nothing was corrected."""
    two = Two(lab, ahead=3600 * S)
    two.wait_clocks()
    gen = start_framegen(lab, 200, 500)
    assert gen.wait(20) == 0
    two.wait_received(200)
    (first, second), _ = two.finish()
    assert all(abs(b[0] - a[0] - 3600 * S) < S for a, b in zip(first, second))
    assert not any(comment for _, comment in first + second)


def test_clock_is_set(lab):
    """A clock that is set on and back while frames flow: an event each, no time goes back, and soon all is right again."""
    two = Two(lab, "--align", ahead=-7 * S)
    two.wait_clocks("aligned")
    gen = start_framegen(lab, 4000, 250)
    jumps = 0
    for ahead in (50, -50):
        two.relay.ahead = ahead * S
        jumps += 1
        wait_until(lambda: two.tap(1)["clock_jumps"] == jumps, 10, "the jump is noticed")
        assert_true(two)
        seen = two.tap(1)["frames_received"]
        wait_until(lambda: two.tap(1)["frames_received"] > seen + 500, 10, "frames after that")
    assert gen.wait(30) == 0
    two.wait_received(4000)
    words = [e["words"] for e in status(f"collector-{two.port}")["history"] if e["kind"] == "clock-jump" and e["subject"] == "web2"]
    assert len(words) == 2 and "on by 57.000 s" in words[0] and "back by 100.000 s" in words[1]
    (first, second), _ = two.finish()
    assert len(first) == len(second) == 4000
    assert all(a[0] <= b[0] for a, b in zip(second, second[1:]))
    wrong = [abs(a[0] - b[0]) > S // 50 for a, b in zip(first, second)]
    assert sum(wrong) <= 2 * 400  # until its next report tells of it
    assert not any(wrong[-400:])
    assert sum("taken off" in comment for _, comment in second) >= 3


def test_lines_of_the_log(lab):
    """A line a tap each interval, with the words of [describe]; both are read again by SIGHUP, and a mistake changes nothing."""
    port, conf = own_port(), lab.folder / "collector.conf"

    def write(interval, *describe):
        conf.write_text("\n".join([f"[collector]\nport = {port}\nno-encryption = yes\nwrite = {lab.folder}/all.pcapng",
                                   f"log-interval = {interval}", "[describe]", *describe, ""]))

    def lines():
        return [dict(re.findall(r'(\w+)=("(?:[^"\\\\]|\\\\.)*"|\S+)', line)) for line in collector.err().splitlines() if " tap=" in line]

    def tap():
        return one(status(f"collector-{port}")["taps"], "web1")

    write("1s", 'web1 = "rack 4"', "10.77.0.1 = the first host")
    collector = lab.start([farspan(), "collector", "--config", conf], "collector", lab.collector)
    collector.wait_line("listening on", 20)
    it = Tap(lab, key=None, to=f"10.77.0.2:{port}", name="web1")
    gen = start_framegen(lab, 300, 1000)
    assert gen.wait(20) == 0
    wait_until(lambda: lines() and lines()[-1].get("frames_received") == "300" and "clock_bound_ns" in lines()[-1], 10, "a line with all of it")
    line = lines()[-1]
    assert line["description"] == '"rack 4"' and line["state"] == "up" and line["address"].startswith("10.77.0.1:")
    assert line["frames_sent"] == "300" and line["frames_missing"] == "0" and line["bytes_sent"] == line["bytes_received"]
    assert int(line["clock_bound_ns"]) >= abs(int(line["clock_offset_ns"]))  # it is the same clock
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", line["last_seen"]) and "rung" not in line
    assert tap()["description"] == "rack 4" and tap()["condition"] == "up"

    write("2s", "10.77.0.1 = the first host")
    collector.send(signal.SIGHUP)
    collector.wait_line("was read again", 10)
    assert tap()["description"] == "the first host"
    write("1s", "10.77.0.1 = x", "web 1 = y")
    collector.send(signal.SIGHUP)
    collector.wait_line("neither a tap's name", 10)
    assert tap()["description"] == "the first host"

    it.finish()
    wait_until(lambda: lines()[-1]["state"] == "ended", 10, "a line that says that it ended")
    assert lines()[-1]["description"] == '"the first host"' and tap()["condition"] == "ended"
    assert collector.stop(signal.SIGINT, 20) == 0
