# SPDX-License-Identifier: Apache-2.0
"""The collector's devices when somebody else removes them or sets them down, and which tap is on which."""

import os
import signal

import pytest

from lib.farspan import Collector, Tap, assert_balanced, drops, farspan, one, own_port, status
from lib.proc import run, wait_until
from lib.tools import Tcpdump, framegen

pytestmark = pytest.mark.product


def output_of(port, name="ntap0"):
    return one(status(f"collector-{port}")["outputs"], name)


def events(document, kind):
    return [e for e in document["history"] if e["kind"] == kind]


def sink(tap, output="ntap0"):
    return one(one(tap["interfaces"])["outputs"], output)


def test_a_removed_device_is_made_again(lab):
    port = own_port()
    collector = Collector(lab, port=port)
    index = lab.ip(lab.collector, "-o", "link", "show", "ntap0").split(":")[0]
    tap = Tap(lab, to=f"10.77.0.2:{port}")
    framegen(lab, 500, pps=5000)
    written = lambda: sink(one(status(f"collector-{port}")["taps"]))["out"]
    wait_until(lambda: written() == 500, 10, lambda: f"500 frames on the device, which has {written()}")
    lab.ip(lab.collector, "link", "del", "ntap0")
    collector.proc.wait_line("ntap0 was removed: its frames are dropped until it is made again")
    collector.proc.wait_line("ntap0 was made again")
    assert lab.ip(lab.collector, "-o", "link", "show", "ntap0").split(":")[0] != index
    assert output_of(port)["state"] == "ok"
    filters = run(["tc", "-n", lab.collector, "filter", "show", "dev", "ntap0", "ingress"]).stdout
    assert "pref 65535 bpf" in filters, filters
    arrival = Tcpdump(lab, lab.collector, "ntap0", "arrival", direction="in")
    framegen(lab, 500, pps=5000)
    arrival.wait_count(500)
    mine, theirs = tap.finish(), collector.finish()
    assert_balanced(mine, theirs, sent=1000)
    assert drops(sink(theirs["taps"][0])) == 0, theirs  # nothing came while it was away
    assert [len(events(theirs, kind)) for kind in ("output-gone", "output-back")] == [1, 1], theirs["history"]


def replace_device(lab, proc):
    """The name becomes another interface's; the collector stands still meanwhile, as it would make its device again."""
    family = proc.tree()
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    run(["ip", "-n", lab.collector, "-batch", "-"], input="link del ntap0\nlink add ntap0 type veth peer name other0\n")
    for pid in family:
        os.kill(pid, signal.SIGCONT)


def test_frames_for_a_missing_device_are_counted(lab):
    """While it cannot be made, as its name is another's, and the file goes on."""
    port = own_port()
    file = lab.folder / "x.pcapng"
    collector = Collector(lab, port=port, file=file)
    tap = Tap(lab, to=f"10.77.0.2:{port}")
    replace_device(lab, collector.proc)
    collector.proc.wait_line("ntap0 cannot be made again: ntap0 is an interface of this host, and no TAP device")
    assert output_of(port)["state"] == "ntap0 was removed"
    framegen(lab, 700, pps=5000)
    mine, theirs = tap.finish(), collector.finish()
    there = theirs["taps"][0]
    assert sink(there)["drops"]["closed"] == 700 and sink(there)["out"] == 0, there
    assert [o["out"] for o in one(there["interfaces"])["outputs"]] == [0, 700], there
    assert_balanced(mine, theirs, sent=700)
    assert collector.proc.err().count("was removed") == 1, collector.proc.err()


def test_the_only_output_is_gone_for_good(lab):
    collector = Collector(lab, json=False)
    replace_device(lab, collector.proc)
    assert collector.proc.wait(10) == 1, collector.proc
    assert "ntap0 cannot be made again" in collector.proc.err()


def test_a_device_that_is_down(lab):
    port = own_port()
    collector = Collector(lab, port=port)
    tap = Tap(lab, to=f"10.77.0.2:{port}")
    lab.ip(lab.collector, "link", "set", "ntap0", "down")
    collector.proc.wait_line("ntap0 is down: its frames are dropped until it is up again")
    assert output_of(port)["state"] == "ntap0 is down"
    assert "output ntap0: ntap0 is down" in run([farspan(), "status", f"collector-{port}"]).stdout
    framegen(lab, 300, pps=5000)
    wait_until(lambda: sink(status(f"collector-{port}")["taps"][0])["drops"]["write_error"] == 300, 10, "300 drops")
    lab.ip(lab.collector, "link", "set", "ntap0", "up")
    collector.proc.wait_line("ntap0 is up again")
    framegen(lab, 300, pps=5000)
    mine, theirs = tap.finish(), collector.finish()
    assert_balanced(mine, theirs, sent=600)
    assert sink(theirs["taps"][0])["out"] == 300, theirs
    assert [len(events(theirs, kind)) for kind in ("output-gone", "output-back")] == [1, 1], theirs["history"]
    assert collector.proc.err().count("ntap0 is down") == 1


@pytest.mark.parametrize("threads", [1, 2])
def test_each_taps_device(make_lab, threads):
    """One tap's device is removed and made again; the other's goes on. Names are told, and which of them were cut."""
    lab = make_lab(taps=2)
    port = own_port()
    collector = Collector(lab, "--threads", threads, port=port, device="ntap-%t")
    names = ["frankfurt-web-1", "oslo"]
    taps = [Tap(lab, ns=lab.taps[i], name=name, to=f"10.77.{i}.2:{port}") for i, name in enumerate(names)]

    def told(name):
        return one(status(f"collector-{port}")["taps"], name)

    for i in range(2):
        framegen(lab, 100, ns=lab.peers[i], pps=5000)
        wait_until(lambda i=i: told(names[i]).get("interfaces") and sink(told(names[i]), "ntap-%t")["out"] == 100, 10, names[i])
    cut, plain = told(names[0]), told(names[1])
    assert (plain["device"], plain["device_name_cut"], plain["device_state"]) == ("ntap-oslo", False, "ok")
    assert cut["device"].startswith("ntap-fran") and len(cut["device"]) == 15 and cut["device_name_cut"] is True
    collector.proc.wait_line("tap oslo is on ntap-oslo\n")
    collector.proc.wait_line(f"tap {names[0]} is on {cut['device']}, as an interface's name cannot hold all of the tap's")
    shown = run([farspan(), "status", f"collector-{port}"]).stdout
    assert "on ntap-oslo\n" in shown and f"on {cut['device']} (its name was cut)" in shown, shown
    lab.ip(lab.collector, "link", "del", cut["device"])
    collector.proc.wait_line(f"{cut['device']} was made again")
    for i in range(2):  # the first frame after it may find that its copy of the descriptor is an old one
        framegen(lab, 1, ns=lab.peers[i], pps=5000)
    wait_until(lambda: sum(sink(told(n), "ntap-%t")["in"] for n in names) == 202, 10, "202 frames")
    arrival = Tcpdump(lab, lab.collector, cut["device"], "arrival", direction="in")
    for i in range(2):
        framegen(lab, 100, ns=lab.peers[i], pps=5000)
    arrival.wait_count(100)
    ledgers = [tap.finish() for tap in taps]
    theirs = collector.finish()
    for ledger in ledgers:
        assert_balanced(ledger, theirs, sent=201, name=ledger["name"])
    assert drops(sink(one(theirs["taps"], "oslo"), "ntap-%t")) == 0
    assert drops(sink(one(theirs["taps"], names[0]), "ntap-%t")) <= 1
