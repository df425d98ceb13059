# SPDX-License-Identifier: Apache-2.0
"""A tap has its key's name in the collector's list, or the name that it gives itself."""

import signal

import pytest

from lib import packets
from lib.farspan import (PORT, Collector, Tap, allow_file, assert_balanced, assert_collector_balanced, assert_tap_balanced, keygen, one,
                         own_name, own_port, status, tap_stages)
from lib.proc import wait_until
from lib.tools import Tcpdump, assert_same, framegen

NAMES = ("berlin", "oslo")


def test_names_come_from_the_list(make_lab):
    """Two taps with keys of their own: whatever they call themselves, the list's names are on devices, in the file and the ledger."""
    lab = make_lab(taps=2)
    file = lab.folder / "both.pcapng"
    collector_file, collector_key = keygen(lab, "collector")
    keys = {name: keygen(lab, name) for name in NAMES}
    allow = allow_file(lab, **{name: key for name, (_, key) in keys.items()})
    collector = Collector(lab, key=["--identity", collector_file, "--allow", allow], device="ntap-%t", file=file)
    taps = [Tap(lab, ns=lab.taps[i], name="liar", to=f"10.77.{i}.2:{PORT}", key=["--identity", keys[name][0], "--peer", collector_key])
            for i, name in enumerate(NAMES)]
    sources = [Tcpdump(lab, lab.taps[i], "mon0", f"source-{name}", fast=True) for i, name in enumerate(NAMES)]
    arrivals = [Tcpdump(lab, lab.collector, f"ntap-{name}", name, direction="in", fast=True) for name in NAMES]
    counts = (3000, 2000)
    for i, n in enumerate(counts):
        framegen(lab, n, ns=lab.peers[i], pps=5000, seed=i + 1)
        sources[i].wait_count(n)
        arrivals[i].wait_count(n)
    ledgers, there = [t.finish() for t in taps], collector.finish()
    for i, n in enumerate(counts):
        sources[i].stop(), arrivals[i].stop()
        assert_same(sources[i].path, arrivals[i].path, n)
        assert_same(sources[i].path, file, n, b_interface=f"{NAMES[i]}:mon0")
        assert_balanced(ledgers[i], there, sent=n, delivered=n, name=NAMES[i])
    assert sorted(t["name"] for t in there["taps"]) == sorted(NAMES)


def test_recorded_handshake_is_of_no_use(lab):
    """A recorded HELLO is authentic, but not new: it gets an answer for whom only its tap had the key, and no session."""
    port = own_port()
    collector_file, collector_key = keygen(lab, "collector")
    tap_file, tap_key = keygen(lab, "tap")
    collector = Collector(lab, key=["--identity", collector_file, "--allow", allow_file(lab, branch=tap_key)], port=port)
    wire = Tcpdump(lab, lab.collector, "link0", "wire", expr=f"udp dst port {port}", fast=True)
    keys = ["--identity", tap_file, "--peer", collector_key]
    tap = Tap(lab, key=keys, to=f"10.77.0.2:{port}")
    wire.wait_quiet(0.2)
    wire.stop()
    recorded = [d for d in packets.udp_payloads(wire.path, port) if d[0] == packets.HELLO]
    assert recorded
    replayer = lab.socket(lab.tap)
    replayer.connect(("10.77.0.2", port))

    replayer.settimeout(5)

    def replay():
        answers = set()
        for hello in recorded:
            replayer.send(hello)
            answer = replayer.recv(2000)
            assert answer[0] == packets.ANSWER and len(answer) < len(hello)
            answers.add(answer)
        assert len(answers) == len(recorded)
        link = status(f"collector-{port}")["link"]
        assert link["accepted"] == 1, link

    replay()
    framegen(lab, 1000, pps=5000)
    first = tap.finish()
    replay()
    tap = Tap(lab, key=keys, to=f"10.77.0.2:{port}")
    framegen(lab, 500, pps=5000)
    second, there = tap.finish(), collector.finish()
    assert_tap_balanced(first), assert_tap_balanced(second)
    assert_collector_balanced(there)
    branch = one(there["taps"], "branch")
    assert branch["sessions"] == 2 and there["link"]["accepted"] == 2
    assert one(branch["interfaces"])["stages"]["link_rx"]["out"] == 1500
    assert [tap_stages(t)["link_tx"]["confirmed"] for t in (first, second)] == [1000, 500]


def test_two_hosts_with_one_name(make_lab):
    """Taps that share a passphrase and call themselves alike are told apart, and neither ends the other's session."""
    lab = make_lab(taps=2)
    file = lab.folder / "both.pcapng"
    collector = Collector(lab, device="ntap-%t", file=file)
    counts = (2000, 1000)
    taps, sources = [], []
    for i in range(2):
        taps.append(Tap(lab, ns=lab.taps[i], name="twin", to=f"10.77.{i}.2:{PORT}"))
        sources.append(Tcpdump(lab, lab.taps[i], "mon0", f"source{i}", fast=True))
    for i, n in enumerate(counts):
        framegen(lab, n, ns=lab.peers[i], pps=5000, seed=i + 1)
        sources[i].wait_count(n)
    assert all(lab.has_device(lab.collector, dev) for dev in ("ntap-twin", "ntap-twin-2"))
    ledgers, there = [t.finish() for t in taps], collector.finish()
    for i, name in enumerate(("twin", "twin-2")):
        sources[i].stop()
        assert one(there["taps"], name)["peer"].startswith(f"10.77.{i}.1:") and one(there["taps"], name)["sessions"] == 1
        assert_same(sources[i].path, file, counts[i], b_interface=f"{name}:mon0")
        assert_balanced(ledgers[i], there, sent=counts[i], delivered=counts[i], name=name)
        assert taps[i].proc.err().count("session up") == 1, taps[i].proc


def test_killed_tap_goes_on_in_its_ledger(lab):
    """SIGKILL and a new start under the old name: the collector counts on, and sees no second tap."""
    name, port = own_name("phoenix"), own_port()
    file = lab.folder / "collector.pcapng"
    source = Tcpdump(lab, lab.tap, "mon0", "source", fast=True)
    collector = Collector(lab, port=port, file=file)
    arrival = Tcpdump(lab, lab.collector, "ntap0", "arrival", direction="in", fast=True)
    total = 0
    for n in (2000, 1500, 1000):
        tap = Tap(lab, name=name, to=f"10.77.0.2:{port}")
        framegen(lab, n, pps=10000)
        total += n
        arrival.wait_count(total)
        told = one(status(f"collector-{port}")["taps"])
        assert one(told["interfaces"])["stages"]["link_rx"]["out"] == total and told["state"] == "up"
        tap.proc.tree()
        tap.proc.send(signal.SIGKILL)
        tap.proc.wait()
        wait_until(lambda: not tap.proc.tree(), 5, "the end of all its processes")
    tap = Tap(lab, name=name, to=f"10.77.0.2:{port}")
    ledger, there = tap.finish(), collector.finish()
    source.wait_count(total)
    source.stop(), arrival.stop()
    assert_tap_balanced(ledger)
    assert_collector_balanced(there)
    told = one(there["taps"], name)
    received = one(told["interfaces"])["stages"]["link_rx"]
    assert told["sessions"] == 4 and received["in"] == received["out"] == total
    assert_same(source.path, file, total)
    assert_same(arrival.path, file, total)
