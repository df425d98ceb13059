# SPDX-License-Identifier: Apache-2.0
"""The test's own instruments: tcpdump as the witness, framegen, capcmp and impair from tests/tools."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from .lab import inside
from .proc import run, wait_until

ROOT = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("FARSPAN_BUILD", ROOT / "build"))
TOOLS = BUILD / "tests" / "tools"
FRAMES = int(os.environ.get("FARSPAN_NET_FRAMES", "1000000"))
PPS = int(os.environ.get("FARSPAN_NET_PPS", "100000"))


class Overrun(Exception):
    """An instrument lost frames itself, so that the run says nothing about the product."""


def assert_in_time(received):
    """Overrun when records reached the collector later than it waits for them: this machine held them up, not the product."""
    if received["late_datagrams"]:
        raise Overrun(f"records were held up for longer than the collector waits: {received}")


def softnet_drops():
    """Packets that the kernel has dropped between interfaces, as a processor's queue of received ones was full (packets, not frames)."""
    return sum(int(line.split()[1], 16) for line in Path("/proc/net/softnet_stat").read_text().splitlines())


def steadily(make_lab, experiment, pps=PPS, **lab_options):
    """Runs experiment(lab, pps) in a lab of its own; when an instrument could not keep up, again at half the rate."""
    for attempt in range(3):
        lab = make_lab(f"attempt{attempt}", **lab_options)
        try:
            return experiment(lab, pps >> attempt)
        except Overrun as reason:
            last = reason
            print(f"again, at half the rate: {reason}")
            lab.close()
    raise AssertionError(f"the test's own instruments cannot keep up even at {pps >> 2} packets a second: {last}")


class Tcpdump:
    """A capture by tcpdump; `path` is its file."""

    def __init__(self, lab, ns, dev, name, direction=None, expr=None, snaplen=None, buffer_kib=65536, fast=False):
        self.path = lab.folder / f"{name}.pcap"
        argv = ["tcpdump", "-ni", dev, "--time-stamp-precision=nano", "-Z", "root", "-w", self.path, "-B", buffer_kib]
        argv += ["-Q", direction] if direction else []
        argv += ["-s", snaplen] if snaplen else []
        argv += ["--immediate-mode"] if fast else []
        argv += [expr] if expr else []
        self.proc = lab.start(argv, f"tcpdump-{name}", ns)
        self.proc.wait_line("listening on")

    def captured(self):
        """How many frames it has taken in so far: it says so when it gets SIGUSR1."""
        pattern = r"(\d+) packets? captured"
        before = len(re.findall(pattern, self.proc.err()))
        if self.gone():
            return int(re.findall(pattern, self.proc.err())[-1])
        self.proc.send(signal.SIGUSR1)

        def answer():
            ended = self.gone()  # it may have written its last count just before we looked
            found = re.findall(pattern, self.proc.err())
            return found if len(found) > before or ended else None

        return int(wait_until(answer, 5, lambda: f"an answer from {self.proc}")[-1])

    def gone(self):
        """True when it ended because the device went, as ntap0 does with its collector: the file is whole then too.

        What it had not read by then is lost: wait for the frames before ending the collector.
        """
        if self.proc.running():
            return False
        assert "disappeared" in self.proc.err() or "went down" in self.proc.err(), self.proc
        return True

    def wait_count(self, n, seconds=20.0):
        """Until it has taken in n frames. When it cannot any more because it dropped some: Overrun."""
        seen = 0

        def enough():
            nonlocal seen
            seen = self.captured()
            return seen >= n

        try:
            wait_until(enough, seconds, lambda: f"{n} frames at {self.proc.name}, which has {seen}", step=0.1)
        except AssertionError:
            if self.drops():
                raise Overrun(f"{self.proc.name} dropped {self.drops()} frames") from None
            raise
        return seen

    def wait_quiet(self, quiet=0.4, seconds=10.0):
        """Until nothing new has come in for a while; for captures whose number is not known (use fast=True)."""
        last, since = self.captured(), time.monotonic()

        def still():
            nonlocal last, since
            now = self.captured()
            if now != last:
                last, since = now, time.monotonic()
            return time.monotonic() - since >= quiet

        wait_until(still, seconds, f"quiet at {self.proc.name}", step=0.05)
        return last

    def drops(self):
        found = re.findall(r"(\d+) packets? dropped by (?:kernel|interface)", self.proc.err())
        return sum(int(n) for n in found[-1:])

    def stop(self):
        """Ends it; its file is whole then. Returns how many frames it holds."""
        if not self.gone():
            assert self.proc.stop(signal.SIGINT) == 0 or self.gone(), self.proc
        if self.drops():
            raise Overrun(f"{self.proc.name} dropped {self.drops()} frames")
        return int(re.findall(r"(\d+) packets? captured", self.proc.err())[-1])


def framegen(lab, n, ns=None, dev="peer0", pps=20000, kinds="all", seed=1, max_len=9000, write=None):
    """Sends n frames into the watched interface from the peer's end, numbered on through the lab's life."""
    argv = [TOOLS / "framegen", "-i", dev, "-n", n, "--pps", pps, "--kinds", kinds, "--seed", seed,
            "--first", lab.numbers, "--max-len", max_len, *(["-w", write] if write else [])]
    lab.numbers += n
    done = run(["ip", "netns", "exec", ns or lab.peer, *argv], timeout=n / pps * 4 + 30)
    sent = json.loads(done.stdout)
    assert sent["sent"] == n and sent["errors"] == 0, sent
    return sent


def start_framegen(lab, n, pps, ns=None, dev="peer0", kinds="all", seed=1):
    """The same, in the background."""
    argv = [TOOLS / "framegen", "-i", dev, "-n", n, "--pps", pps, "--kinds", kinds, "--seed", seed, "--first", lab.numbers]
    lab.numbers += n
    return lab.start(argv, "framegen", ns or lab.peer)


def compare(a, b, **options):
    """capcmp's verdict on two captures. Options as its own, with _ for -; True for those without a value."""
    argv = [TOOLS / "capcmp"]
    for name, value in options.items():
        if value is not False and value is not None:
            argv.append(f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}"))
    done = run([*argv, a, b], check=False, timeout=60)
    assert done.returncode in (0, 1), f"{done.args}: {done.stderr}"
    return json.loads(done.stdout)


def assert_same(a, b, frames=None, **options):
    """Each frame of a is in b: once, in order, byte for byte, with the same length."""
    verdict = compare(a, b, **options)
    assert verdict["equal"], f"{a} and {b} differ: {json.dumps(verdict, indent=1)}"
    if frames is not None:
        assert verdict["matched"] == frames, f"{frames} frames expected: {verdict}"
    return verdict


class Impair:
    """The relay between tap and collector, in the collector's namespace. Options are its own, with _ for -."""

    def __init__(self, lab, ns, listen, target, **options):
        words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        self.proc = lab.start([TOOLS / "impair", "-l", listen, "-t", target, *words], "impair", ns, stdin=subprocess.PIPE)
        self.proc.wait_line("ready")
        self.commands = 0

    def tell(self, line):
        """Changes what it does from now on: "drop 0.5", "outage", "heal", "rebind", "count"."""
        self.commands += 1
        self.proc.popen.stdin.write(f"{line}\n".encode())
        self.proc.popen.stdin.flush()
        self.proc.wait_line("impair: done", 10, self.commands)

    def wait_received(self, forward, back=0, seconds=10):
        """Until it has taken so many datagrams from either side: one that was sent may be under way for as long as others work."""

        def received():
            self.tell("count")
            f, b = re.findall(r"impair: received (\d+) (\d+)", self.proc.err())[-1]
            return int(f) >= forward and int(b) >= back

        wait_until(received, seconds, f"{forward} and {back} datagrams at the relay")

    def stop(self):
        """Ends it; what it did, each datagram accounted for."""
        assert self.proc.stop() == 0, self.proc
        told = json.loads(self.proc.out())
        if told["overflow"]:
            raise Overrun(f"the relay lost {told['overflow']} datagrams itself")
        assert told["forward"]["sums"] and told["back"]["sums"] and not told["strangers"], told
        return told


def ping(ns, host, count=3):
    run(["ip", "netns", "exec", ns, "ping", "-q", "-c", count, "-i", "0.05", "-W", "2", host])


def in_namespace(ns, argv, check=True, **kw):
    return run(["ip", "netns", "exec", ns, *argv], check=check, **kw)


def tshark(path, *fields, expr=None, preferences=()):
    """The rows that tshark gives for these fields of a capture file."""
    argv = ["tshark", "-r", path, "-T", "fields", "-E", "separator=|", *(w for p in preferences for w in ("-o", p))]
    argv += ["-Y", expr] if expr else []
    for field in fields:
        argv += ["-e", field]
    return [line.split("|") for line in run(argv).stdout.splitlines()]


__all__ = [name for name in dir() if not name.startswith("_")] + ["inside"]
