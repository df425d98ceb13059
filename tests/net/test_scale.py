# SPDX-License-Identifier: Apache-2.0
"""Many taps on one collector: manytaps runs the product's own client in one process, as often as is wanted.

Each has its own socket, handshake, keys, name and ledger. FARSPAN_NET_TAPS says how many where it is not a thousand.
"""

import json
import os
import signal
from pathlib import Path

import pytest

from lib.farspan import PASS, PORT, Collector, assert_stage, drops, farspan, keygen, one
from lib.proc import run
from lib.tools import TOOLS

TAPS = int(os.environ.get("FARSPAN_NET_TAPS", "300"))
PATIENCE = 60  # seconds for what takes two where nothing else runs


class Many:
    """A running manytaps."""

    def __init__(self, lab, n, *words, key=("-k", PASS), name="manytaps"):
        self.n = n
        self.proc = lab.start([TOOLS / "manytaps", "-c", f"127.0.0.1:{PORT}", *key, "-n", n, *words], name, lab.collector)

    def wait_up(self, times=1):
        self.proc.wait_line(f"all {self.n} taps are up", PATIENCE, times)

    def wait_sent(self):
        self.proc.wait_line("have sent their frames", PATIENCE)

    def finish(self):
        """Ends the sessions in order; the taps' ledgers by name."""
        assert self.proc.stop(signal.SIGINT, PATIENCE) == 0, self.proc
        return {tap["name"]: tap for tap in json.loads(self.proc.out())["list"]}


def interfaces_of(collector):
    """(name of the tap, its one interface as the collector knows it)."""
    return {tap["name"]: one(tap["interfaces"]) for tap in collector["taps"]}


def assert_each_balanced(taps, collector):
    """Every tap's frames, one by one: made, sent, received, written."""
    there = interfaces_of(collector)
    assert there.keys() == taps.keys()
    for name, tap in taps.items():
        received = there[name]["stages"]["link_rx"]
        assert tap["made"] == tap["sent"] + tap["no_session"], tap
        assert received["in"] == tap["sent"], f"{name}: {tap} but {received}"
        assert_stage(name, received)
        assert (tap["confirmed"], tap["lost"]) == (received["out"], drops(received)), f"{name}: {tap} but {received}"
        for output in there[name]["outputs"]:
            assert_stage(f"{name} {output['name']}", output)
            assert output["in"] == received["out"], f"{name}: {received} but {output}"


def assert_nothing_odd(collector):
    link = collector["link"]
    assert link["forged"] == link["malformed"] == link["unexpected"] == link["socket_buffers_dropped"] == 0, link


@pytest.mark.parametrize("threads, n", [(1, TAPS), (3, 1000)])
def test_many_taps(lab, threads, n):
    """All come at once, send, and go at once: every frame of every tap is accounted for, whichever thread received it."""
    collector = Collector(lab, "--threads", threads, device=None, file=lab.folder / "out.pcapng")
    many = Many(lab, n, "-m", 40, "-r", 20)
    many.wait_up()
    many.wait_sent()
    taps = many.finish()
    names = threads_of(collector)
    ledger = collector.finish()
    assert len(taps) == n
    assert all(tap["made"] == 40 for tap in taps.values())
    assert_each_balanced(taps, ledger)
    assert_nothing_odd(ledger)
    assert sum(t["lost"] for t in taps.values()) == 0
    wanted = {"receiver", *(f"receiver-{i}" for i in range(1, threads))}
    assert {name for name in names if name.startswith("receiver")} == wanted, names
    received = ledger["link"]["datagrams_by_thread"]
    assert len(received) == threads and sum(received) == ledger["link"]["datagrams"]
    assert min(received) * threads * 2 > sum(received), f"the sessions are not spread over the threads: {received}"


def threads_of(collector):
    return {comm.read_text().strip() for pid in collector.proc.tree() for comm in Path(f"/proc/{pid}/task").glob("*/comm")}


def test_collector_starts_anew(lab):
    """The collector ends and is started again under all its taps: they are all back, and each ledger adds up."""
    collector = Collector(lab, "--threads", 2, device=None, file=lab.folder / "out.pcapng")
    many = Many(lab, TAPS, "-m", 0, "-r", 10)
    many.wait_up()
    first = collector.finish()
    again = Collector(lab, "--threads", 2, device=None, file=lab.folder / "again.pcapng", name="again")
    many.wait_up(2)
    taps = many.finish()
    second = again.finish()
    was, now = interfaces_of(first), interfaces_of(second)
    assert was.keys() == now.keys() == taps.keys()
    for name, tap in taps.items():
        a, b = was[name]["stages"]["link_rx"], now[name]["stages"]["link_rx"]
        assert_stage(name, a)
        assert_stage(name, b)
        assert tap["made"] == tap["sent"] + tap["no_session"], tap
        assert tap["sessions"] == 2, tap
        # what was under way when the collector ended is in no count of its; nothing else is missing
        assert a["in"] + b["in"] <= tap["sent"], f"{tap}: {a}, {b}"
        assert tap["lost"] == drops(a) + drops(b) == 0, f"{tap}: {a}, {b}"
    assert_nothing_odd(second)


def test_each_with_its_own_key(lab):
    """The same with a key pair for each tap, and a list of them at the collector."""
    identity, public = keygen(lab, "collector")
    n = max(TAPS // 3, 10)
    allow = lab.folder / "allow"
    allow.write_text(run([TOOLS / "manytaps", "-A", "-n", n]).stdout)
    collector = Collector(lab, "--identity", identity, "--allow", allow, key=[], device=None, file=lab.folder / "out.pcapng")
    many = Many(lab, n, "-m", 10, "-r", 20, key=("-P", public))
    many.wait_up()
    many.wait_sent()
    taps = many.finish()
    assert_each_balanced(taps, collector.finish())


def test_more_threads_than_there_may_be(lab):
    for wrong in ("0", "17", "two", ""):
        done = run([farspan(), "collector", "-p", PORT, "-K", "-w", lab.folder / "x", "--threads", wrong], check=False)
        assert done.returncode == 2 and "--threads" in done.stderr, done
