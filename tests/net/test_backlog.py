# SPDX-License-Identifier: Apache-2.0
"""Outages: frames wait at the tap, arrive late with their own times and in order, and what cannot wait is counted to the frame."""

import os
import re
import signal
from pathlib import Path

from lib.farspan import (PORT, Collector, Tap, assert_balanced, assert_collector_balanced, assert_tap_balanced, drops, one, own_name,
                         status, tap_stages)
from lib.proc import run, wait_until
from lib.tools import Impair, Tcpdump, assert_same, compare, framegen, start_framegen


def link_tx(name):
    """The running tap's own words on what it sends."""
    return one(status(name)["interfaces"])["stages"]["link_tx"]


def received(ledger):
    return [i["stages"]["link_rx"] for t in ledger["taps"] for i in t["interfaces"]]


def ring_full(ledger):
    """Frames that a busy machine cost before the tap's program saw them: counted too, and not the matter of these tests."""
    return tap_stages(ledger)["ring"]["drops"]["ring_full"]


def test_collector_restarted_while_frames_flow(lab):
    """Only what was under way at the cut may be missing, and that is what nobody confirmed."""
    name = own_name("flow")
    source = Tcpdump(lab, lab.tap, "mon0", "source")
    files = [lab.folder / "first.pcapng", lab.folder / "second.pcapng"]
    collector = Collector(lab, file=files[0], device=None)
    tap = Tap(lab, name=name)
    frames = 20000
    gen = start_framegen(lab, frames, pps=4000)
    wait_until(lambda: link_tx(name)["confirmed"] > 1000, 10, "frames to be confirmed")
    first = collector.finish()
    wait_until(lambda: link_tx(name)["in_flight"] > 4000, 10, "frames to wait")
    collector = Collector(lab, file=files[1], device=None)
    tap.wait_up(times=2)
    gen.wait(30)
    source.wait_count(frames)
    wait_until(lambda: link_tx(name)["in_flight"] == 0, 20, "the end of the backlog")
    ledger, second = tap.finish(), collector.finish()
    source.stop()

    assert_tap_balanced(ledger), assert_collector_balanced(first), assert_collector_balanced(second)
    sent = tap_stages(ledger)["link_tx"]
    assert tap_stages(ledger)["ring"]["in"] == frames == sent["out"] + ring_full(ledger) and sent["backlogged"] > 3000, sent
    both = lab.folder / "both.pcapng"
    run(["mergecap", "-a", "-w", both, *files])
    verdict = compare(source.path, both, times=True, allow="missing")
    assert verdict["equal"], verdict
    arrived = sum(r["out"] for r in received(first) + received(second))
    assert verdict["matched"] == arrived and verdict["missing"] == frames - arrived
    assert sum(r["drops"]["lost"] for r in received(second)) == 0
    assert verdict["missing"] - ring_full(ledger) <= sent["unconfirmed"] + sent["reported_lost"] <= 4000, (verdict, sent)


def test_long_outage_with_a_small_backlog(lab):
    """The oldest frames give way: what arrives is the newest without a gap, the rest is counted exactly."""
    name = own_name("small")
    source = Tcpdump(lab, lab.tap, "mon0", "source", fast=True)
    tap = Tap(lab, "--backlog", "1M", name=name, up=False)
    wait_until(lambda: "listening" in tap.proc.err(), 10, "the tap")
    frames = 4000
    framegen(lab, frames, pps=10000)
    source.wait_count(frames)
    wait_until(lambda: link_tx(name)["in"] == frames, 10, "the tap to have them")
    waiting = link_tx(name)
    assert waiting["in_flight"] == frames - waiting["drops"]["backlog_full"] > 0, waiting
    assert 500000 < waiting["backlog_bytes"] < 1 << 20, waiting
    file = lab.folder / "late.pcapng"
    collector = Collector(lab, file=file, device=None)
    tap.wait_up()
    wait_until(lambda: link_tx(name)["in_flight"] == 0, 20, "the end of the backlog")
    ledger, there = tap.finish(), collector.finish()
    source.stop()

    gone = tap_stages(ledger)["link_tx"]["drops"]["backlog_full"]
    assert gone == waiting["drops"]["backlog_full"] > 1000 and drops(tap_stages(ledger)["link_tx"]) == gone
    assert_balanced(ledger, there, sent=frames, delivered=frames - gone)
    figures = one(one(there["taps"])["interfaces"])["tap_stages"]["link_tx"]
    assert figures["drops"]["backlog_full"] == gone and figures["backlogged"] == frames, figures
    newest = lab.folder / "newest.pcap"
    run(["editcap", "-r", source.path, newest, f"{gone + 1}-{frames}"])
    assert_same(newest, file, frames - gone, times=True)


def test_memory_is_short(lab):
    """The backlog's budget is more than the memory that there is: it gives its oldest frames up, says so, and the session
    that they wait for comes about."""
    name, words = own_name("short"), ("--backlog", "512M")
    env = {"MALLOC_ARENA_MAX": "1"}  # address space that the C library sets aside for threads is none that is taken
    like = Tap(lab, *words, up=False, env=env)
    wait_until(lambda: "listening" in like.proc.err(), 10, "a tap without a limit, to see what it takes")
    pages = max(int(Path(f"/proc/{pid}/statm").read_text().split()[0]) for pid in like.proc.tree())
    like.finish(status=1)
    limit = pages * os.sysconf("SC_PAGE_SIZE") + (16 << 20)
    tap = Tap(lab, *words, name=name, up=False, prefix=("prlimit", f"--as={limit}"), env=env)
    wait_until(lambda: "listening" in tap.proc.err(), 10, "the tap")
    frames = 30000
    framegen(lab, frames, pps=15000)
    wait_until(lambda: "memory is short" in tap.proc.err(), 10, "a word about memory")
    file = lab.folder / "late.pcapng"
    collector = Collector(lab, file=file, device=None)
    tap.wait_up()
    wait_until(lambda: link_tx(name)["in_flight"] == 0, 20, "the end of the backlog")
    told = [e for e in status(name)["history"] if e["kind"] == "memory-short"]
    ledger, there = tap.finish(), collector.finish()
    gone = tap_stages(ledger)["link_tx"]["drops"]["backlog_full"]
    assert told and told[0]["subject"] == "backlog" and gone > 1000, (told, gone)
    assert_balanced(ledger, there, delivered=frames - gone - ring_full(ledger))


def test_path_cut_in_silence(lab):
    """Datagrams vanish without a word, for less than a session's life: doubt keeps frames back, the session goes on."""
    name = own_name("cut")
    source = Tcpdump(lab, lab.tap, "mon0", "source")
    file = lab.folder / "collector.pcapng"
    collector = Collector(lab, file=file, device=None)
    tap = Tap(lab, name=name)
    gen = start_framegen(lab, 20000, pps=4000)
    wait_until(lambda: link_tx(name)["confirmed"] > 1000, 10, "frames to be confirmed")
    lab.ip(lab.collector, "link", "set", "link0", "down")
    # frames also wait for a moment before, when the device says that its queue is full
    wait_until(lambda: status(name)["session"]["state"] == "waiting for a sign of life", 10, "doubt")
    waited = link_tx(name)["backlogged"]
    wait_until(lambda: link_tx(name)["backlogged"] > waited + 1000, 10, "frames that wait")
    lab.ip(lab.collector, "link", "set", "link0", "up")
    gen.wait(30)
    source.wait_count(20000)
    wait_until(lambda: link_tx(name)["in_flight"] == 0, 30, "the end of the backlog")
    ledger, there = tap.finish(), collector.finish()
    source.stop()

    verdict = compare(source.path, file, times=True, allow="missing")
    lost = sum(r["drops"]["lost"] for r in received(there))
    missing = lost + ring_full(ledger)
    assert verdict["equal"] and verdict["missing"] == missing, (verdict, missing)
    assert tap.proc.err().count("session up") == 1 and one(there["taps"])["sessions"] == 1
    assert_balanced(ledger, there, sent=20000, delivered=20000 - missing, lost=lost)
    # two reports missing take a bit more than two seconds, at 4000 frames a second
    assert lost < 16000 and tap_stages(ledger)["link_tx"]["backlogged"] > 1000, ledger


def test_collector_stands_still(lab):
    """Its process is stopped and goes on: the session too, and nothing at all is lost."""
    name = own_name("still")
    source = Tcpdump(lab, lab.tap, "mon0", "source")
    file = lab.folder / "collector.pcapng"
    collector = Collector(lab, file=file, device=None)
    tap = Tap(lab, name=name)
    gen = start_framegen(lab, 5000, pps=1000)
    wait_until(lambda: link_tx(name)["confirmed"] > 100, 10, "frames to be confirmed")
    family = collector.proc.tree()
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: link_tx(name)["backlogged"] > 200, 10, "doubt")
    for pid in family:
        os.kill(pid, signal.SIGCONT)
    gen.wait(30)
    source.wait_count(5000)
    wait_until(lambda: link_tx(name)["in_flight"] == 0, 20, "the end of the backlog")
    ledger, there = tap.finish(), collector.finish()
    source.stop()
    verdict = compare(source.path, file, times=True, allow="missing")
    assert verdict["equal"] and verdict["missing"] == ring_full(ledger), verdict
    assert_balanced(ledger, there, sent=5000, delivered=5000 - ring_full(ledger))
    assert ledger["session"]["sessions"] == 1


def test_a_bad_path_at_the_end_of_an_outage(lab):
    """Frames that waited go over a path that drops, doubles and reorders: the ledger is exact to the frame even so."""
    name, relay_port = own_name("bad"), 1301
    source = Tcpdump(lab, lab.tap, "mon0", "source", fast=True)
    tap = Tap(lab, name=name, to=f"10.77.0.2:{relay_port}", up=False)
    wait_until(lambda: "listening" in tap.proc.err(), 10, "the tap")
    framegen(lab, 3000, pps=10000)
    source.wait_count(3000)
    file = lab.folder / "late.pcapng"
    collector = Collector(lab, file=file, device=None)
    relay = Impair(lab, lab.collector, relay_port, f"10.77.0.2:{PORT}", drop=0.02, copy=0.01, reorder=0.01, skip=20, min_size=300, seed=9)
    tap.wait_up()
    framegen(lab, 3000, pps=5000)
    source.wait_count(6000)
    wait_until(lambda: link_tx(name)["in_flight"] == 0, 30, "the end of the backlog")
    ledger, there = tap.finish(), collector.finish()
    told = relay.stop()
    source.stop()
    lost = sum(r["drops"]["lost"] for r in received(there))
    verdict = compare(source.path, file, times=True, allow="missing")
    assert verdict["equal"] and verdict["missing"] == lost > 0 < told["forward"]["dropped"], (verdict, lost, told)
    assert_balanced(ledger, there, sent=6000, delivered=6000 - lost, lost=lost)


def test_own_link_down(lab):
    """The system itself refuses to send: nothing is lost, and what is sealed already goes later as it is."""
    name = own_name("down")
    source = Tcpdump(lab, lab.tap, "mon0", "source")
    file = lab.folder / "collector.pcapng"
    collector = Collector(lab, file=file, device=None)
    tap = Tap(lab, name=name)
    gen = start_framegen(lab, 10000, pps=4000)
    wait_until(lambda: link_tx(name)["confirmed"] > 1000, 10, "frames to be confirmed")
    lab.ip(lab.tap, "link", "set", "link0", "down")
    wait_until(lambda: link_tx(name)["backlogged"] > 1000, 10, "frames to wait")
    lab.ip(lab.tap, "link", "set", "link0", "up")
    gen.wait(30)
    source.wait_count(10000)
    wait_until(lambda: link_tx(name)["in_flight"] == 0, 30, "the end of the backlog")
    ledger, there = tap.finish(), collector.finish()
    source.stop()
    verdict = compare(source.path, file, times=True, allow="missing")
    lost = sum(r["drops"]["lost"] for r in received(there))
    missing = lost + ring_full(ledger)
    assert verdict["equal"] and verdict["missing"] == missing and lost < 500, (verdict, lost)  # only what a queue below us held
    assert_balanced(ledger, there, sent=10000, delivered=10000 - missing, lost=lost)
    assert tap_stages(ledger)["link_tx"]["unsent_datagrams"] == 0, ledger


def memory(proc):
    """Bytes of its own memory that the program has in use, all its processes together."""
    status_of = (Path(f"/proc/{pid}/status").read_text() for pid in proc.tree())
    return sum(int(re.search(r"RssAnon:\s*(\d+) kB", text)[1]) << 10 for text in status_of)


def test_memory_is_given_back(lab):
    """Only what waits costs memory, and only as long as it waits."""
    name = own_name("memory")
    source = Tcpdump(lab, lab.tap, "mon0", "source", fast=True)
    tap = Tap(lab, name=name, up=False)
    wait_until(lambda: "listening" in tap.proc.err(), 10, "the tap")
    before = memory(tap.proc)
    framegen(lab, 8000, pps=10000, kinds="udp4")
    source.wait_count(8000)
    wait_until(lambda: link_tx(name)["in"] + ring_full(status(name)) == 8000, 10, "all of them")
    waiting = link_tx(name)["backlog_bytes"]
    assert waiting > 3 << 20
    assert waiting <= memory(tap.proc) - before < waiting + (2 << 20)
    collector = Collector(lab, device=None, file=lab.folder / "late.pcapng")
    tap.wait_up()
    wait_until(lambda: link_tx(name)["in_flight"] == 0, 20, "the end of the backlog")
    assert memory(tap.proc) - before < 2 << 20
    ledger, there = tap.finish(), collector.finish()
    assert_balanced(ledger, there, sent=8000, delivered=8000 - ring_full(ledger))


def test_the_end_sends_what_waits(lab):
    """SIGINT right after the session came up: what waited is sent first."""
    name = own_name("end")
    source = Tcpdump(lab, lab.tap, "mon0", "source", fast=True)
    tap = Tap(lab, name=name, up=False)
    wait_until(lambda: "listening" in tap.proc.err(), 10, "the tap")
    framegen(lab, 3000, pps=10000)
    source.wait_count(3000)
    wait_until(lambda: link_tx(name)["in_flight"] == 3000, 10, "all of them to wait")
    file = lab.folder / "late.pcapng"
    collector = Collector(lab, file=file, device=None)
    tap.wait_up()
    ledger, there = tap.finish(), collector.finish()
    source.stop()
    assert_balanced(ledger, there, sent=3000, delivered=3000)
    assert_same(source.path, file, 3000, times=True)


def test_the_end_without_a_collector(lab):
    """There is nobody to send to: the end does not wait, and says how many frames that costs."""
    tap = Tap(lab, up=False)
    wait_until(lambda: "listening" in tap.proc.err(), 10, "the tap")
    framegen(lab, 500, pps=5000)
    ledger = tap.finish(status=1)
    assert_tap_balanced(ledger)
    stage = tap_stages(ledger)["link_tx"]
    assert stage["drops"]["no_session"] == 500 == stage["in"] and stage["backlog_bytes"] == 0, stage
    assert "500 dropped without a session" in tap.proc.err()


def test_without_a_backlog(lab):
    """--backlog 0: frames are dropped at once, as there is nowhere to keep them."""
    name = own_name("none")
    tap = Tap(lab, "--backlog", "0", name=name, up=False)
    wait_until(lambda: "listening" in tap.proc.err(), 10, "the tap")
    framegen(lab, 500, pps=5000)
    wait_until(lambda: link_tx(name)["drops"]["no_session"] == 500, 10, "drops")
    collector = Collector(lab, device=None, file=lab.folder / "late.pcapng")
    tap.wait_up()
    framegen(lab, 500, pps=5000)
    ledger, there = tap.finish(), collector.finish()
    assert_balanced(ledger, there, sent=1000, delivered=500)
    assert tap_stages(ledger)["link_tx"]["backlogged"] == 0
