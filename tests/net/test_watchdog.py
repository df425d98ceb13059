# SPDX-License-Identifier: Apache-2.0
"""Captures to which nothing comes: those that have gone deaf are opened anew, and a tap whose captures are all dead ends."""

import contextlib
import ctypes
import datetime
import os
import socket

import pytest

from lib.farspan import assert_balanced, assert_collector_balanced, assert_tap_balanced, farspan, one, own_name, own_port, parse_ledger, status
from lib.lab import inside
from lib.packets import read_pcap
from lib.proc import run, wait_until
from lib.tools import Tcpdump, start_framegen
from test_clocks import Clock
from test_life import Life

PIDFD_GETFD, SO_DOMAIN = 438, 39
_libc = ctypes.CDLL(None, use_errno=True)


def packet_sockets(proc):
    """Duplicates of the packet sockets that the program has: its capture rings."""
    for pid in proc.tree():
        with contextlib.suppress(OSError):
            pidfd = os.pidfd_open(pid)
            for name in os.listdir(f"/proc/{pid}/fd"):
                if not os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
                    continue
                fd = _libc.syscall(PIDFD_GETFD, pidfd, int(name), 0)
                if fd < 0:
                    raise AssertionError(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
                sock = socket.socket(fileno=fd)
                if sock.getsockopt(socket.SOL_SOCKET, SO_DOMAIN) == socket.AF_PACKET:
                    yield sock
                else:
                    sock.close()
            os.close(pidfd)


def deafen(proc, name="mon0"):
    """The ring hears nothing from now on, and nobody is told: no error, no end."""
    n = 0
    for sock in packet_sockets(proc):
        with sock:
            if sock.getsockname()[0] == name:
                sock.bind((name, 0xFFFF))
                n += 1
    assert n == 1, f"{n} rings of {name}"


class Watched(Life):
    """With a file at the collector, a witness at the tap, and the times of the watchdog."""

    def __init__(self, lab, *words, idle="1s", restarts=1000, witness=True, **kw):
        self.file = lab.folder / "collector.pcapng"
        self.source = Tcpdump(lab, lab.tap, "mon0", "source", fast=True) if witness else None
        super().__init__(lab, "--max-idle", idle, "--max-restarts", str(restarts), *words, file=self.file, **kw)

    def reopened(self, name="mon0"):
        return self.interface(name)["stages"]["ring"]["reopened"]

    def end(self, **kw):
        """Both ledgers, which balance; captures may be opened anew until the end, so the history goes on meanwhile."""
        ledger, there = self.tap.finish(), self.collector.finish()
        assert_balanced(ledger, there, sent=self.sent, delivered=self.sent, **kw)
        return ledger, there

    def places(self):
        """Of each frame in the collector's file, its place among those that passed the interface."""
        self.source.stop()
        copy = self.lab.folder / "collector.pcap"
        run(["tshark", "-r", self.file, "-F", "nsecpcap", "-w", copy])
        passed = {frame: n for n, (_, frame) in enumerate(read_pcap(self.source.path))}
        return [passed[frame] for _, frame in read_pcap(copy)], len(passed)


def test_a_deaf_capture_is_opened_anew(lab):
    """Twice, under traffic: no frame comes twice, and none is lost but those that passed while it was deaf."""
    lab.kernel_stamps()
    life = Watched(lab)
    n = 9000
    traffic = start_framegen(lab, n, 800)
    for times in (1, 2):
        before = life.captured("mon0")
        wait_until(lambda: life.captured("mon0") > before + 200, 10, "frames")
        deafen(life.tap.proc)
        life.wait_event("capture-reopened", times=times)
    assert traffic.wait(60) == 0
    life.traffic(300)
    life.source.wait_count(n + 300)
    life.sent = life.captured("mon0")
    assert life.reopened() >= 2  # once more, should the traffic have been held up for so long
    life.told()
    for name in (life.name, f"collector-{own_port()}"):
        text = run([farspan(), "status", name]).stdout
        assert text.count("no frame came for 1 s: its capture was opened anew (1 of 1000 times)") >= 2, text
    ledger, there = life.end()
    ring = ledger["interfaces"][0]["stages"]["ring"]
    assert ring["drops"]["interface_gone"] == 0
    assert one(one(there["taps"])["interfaces"])["tap_stages"]["ring"]["reopened"] == ring["reopened"]
    places, passed = life.places()
    assert passed == n + 300 and len(places) == life.sent
    gaps = [(a, b) for a, b in zip(places, places[1:]) if b != a + 1]
    assert places[0] == 0 and places[-1] == passed - 1
    assert len(gaps) == 2 and all(b > a for a, b in gaps), gaps


def rings(file, index):
    """How many packet sockets there are on that interface, by an open /proc/net/packet."""
    file.seek(0)
    return sum(line.split()[4] == str(index) for line in file.read().splitlines()[1:])


def test_frames_at_the_moment_of_reopening(lab):
    """They come while there are two rings, to both: each is taken once, and the ring that hears stays."""
    life = Watched(lab)
    sock = lab.socket(lab.peer, socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind(("peer0", 0))
    with inside(lab.tap):
        index, file = socket.if_nametoindex("mon0"), open("/proc/thread-self/net/packet", encoding="ascii")
    usual = rings(file, index)
    assert usual == 2  # the witness's and the tap's
    kept = tries = 0
    while kept < 3:
        tries += 1
        assert tries < 30, "no frame has come in time"
        before = life.reopened()
        wait_until(lambda: rings(file, index) > usual, 20, "a second ring", step=0.0005)
        for _ in range(20):
            life.sent += 1
            sock.send(bytes.fromhex("02000000000202000000000188b5") + life.sent.to_bytes(46, "big"))
        wait_until(lambda: life.captured("mon0") >= life.sent, 10, lambda: f"{life.sent} frames of {life.interface()}")
        kept += life.reopened() == before
    before = life.reopened()
    wait_until(lambda: life.reopened() > before, 20, "one that is opened anew")
    life.traffic(100)
    life.source.wait_count(life.sent)
    life.end()
    places, passed = life.places()
    assert passed == life.sent and places == list(range(passed))


def test_a_tap_without_frames_ends(lab):
    """Status 4, and its collector says why; books and history are whole."""
    life = Watched(lab, idle="3s", restarts=2, witness=False)
    life.traffic(100)
    assert life.tap.proc.wait(60) == 4, life.tap.proc
    ledger = parse_ledger(life.tap.proc)
    assert [e["kind"] for e in ledger["history"] if e["kind"] != "interface-up"][-4:] == \
        ["capture-reopened", "capture-reopened", "capture-dead", "tap-stopped"], ledger["history"]
    assert one(ledger["interfaces"])["state"] == "dead" and one(ledger["interfaces"])["stages"]["ring"]["reopened"] == 2
    assert "no frame comes to any interface any more (--max-idle): the tap ends" in life.tap.proc.err()
    life.collector.proc.wait_line("session closed by the tap, which has stopped: nothing comes to its interfaces any more (--max-idle)")
    last = status(f"collector-{own_port()}")["history"]
    assert ("tap-stopped", life.name) in [(e["kind"], e["subject"]) for e in last], last
    assert_balanced(ledger, life.collector.finish(), sent=100, delivered=100)


def test_one_that_is_dead_comes_back(make_lab):
    """While another interface has frames the tap goes on; a frame brings the dead one back. A reader of the status sees it."""
    lab = make_lab(monitored=2)
    life = Watched(lab, idle="4s", restarts=0, interfaces=("mon0", "mon1"), witness=False)
    traffic = start_framegen(lab, 100000, 200, dev="peer1")
    life.wait_state("dead")
    assert life.interface("mon1")["state"] == "up"
    assert " mon0: dead\n" in run([farspan(), "status", life.name]).stdout
    life.traffic(10)
    life.wait_state("up")
    traffic.kill()
    assert life.tap.proc.wait(60) == 4, life.tap.proc
    ledger = parse_ledger(life.tap.proc)
    there = life.collector.finish()
    assert_tap_balanced(ledger)
    assert_collector_balanced(there)


MONDAY = {"summer": datetime.datetime(2026, 7, 6), "winter": datetime.datetime(2026, 1, 5)}


@pytest.mark.parametrize("season", list(MONDAY))
def test_business_hours(lab, season):
    """Local time with summer time, behind the walls: 06:30 UTC is 08:30 in summer and 07:30 in winter."""

    def to(hour, minute):
        there = MONDAY[season].replace(hour=hour, minute=minute, tzinfo=datetime.timezone.utc)
        clock.step(int((there - datetime.datetime.now(datetime.timezone.utc)).total_seconds()))

    clock = Clock(lab, "tap")
    to(6, 30)
    open_now = season == "summer"
    life = Watched(lab, "--business-hours", "mon-fri 08:00-18:00", "--timezone", "Europe/Berlin", witness=False, env={**clock.env, "TZ": "Asia/Tokyo"})
    if open_now:
        life.wait_event("capture-reopened")
        wait_until(lambda: life.interface()["restarts"] >= 2, 10, "a second restart")
        to(16, 30)  # 18:30
        wait_until(lambda: life.interface()["restarts"] == 0, 5, "the end of the hours")
    assert life.interface()["idle_ms"] == 0
    since = life.status()["session"]["seconds"]
    wait_until(lambda: life.status()["session"]["seconds"] >= since + 3, 10, "three times the time")
    now = life.interface()
    assert (now["idle_ms"], now["restarts"]) == (0, 0)
    assert open_now or "capture-reopened" not in life.history()
    to(8, 0)
    wait_until(lambda: life.interface()["restarts"] >= 1, 10, "the hours again")
    life.traffic()
    life.end()
