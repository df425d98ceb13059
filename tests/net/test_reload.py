# SPDX-License-Identifier: Apache-2.0
"""SIGHUP: the list of taps is read again, without a frame lost by those that stay, and with an end for those that do not."""

import os
import signal

import pytest

from lib.farspan import (Collector, Tap, allow_file, assert_balanced, assert_collector_balanced, assert_tap_balanced, keygen, one,
                         own_port, says, status, tap_stages)
from lib.proc import wait_until
from lib.tools import Tcpdump, framegen, start_framegen

NAMES = ("berlin", "oslo")


class Office:
    """A collector with a list of two taps, which are in session."""

    def __init__(self, make_lab):
        self.lab = make_lab(taps=2)
        self.port = own_port()
        collector_file, collector_key = keygen(self.lab, "collector")
        self.files = {name: keygen(self.lab, name) for name in NAMES}
        self.keys = {name: key for name, (_, key) in self.files.items()}
        self.list = allow_file(self.lab, **self.keys)
        self.collector = Collector(self.lab, key=["--identity", collector_file, "--allow", self.list], port=self.port)
        self.taps = [Tap(self.lab, ns=self.lab.taps[i], name=name, to=f"10.77.{i}.2:{self.port}",
                         key=["--identity", self.files[name][0], "--peer", collector_key]) for i, name in enumerate(NAMES)]

    def reload(self, text=None, pattern="was read again", times=1, **taps):
        """Writes a list and has it read; what was said of it, the last time of so many."""
        if text is None:
            allow_file(self.lab, **taps)
        else:
            self.list.write_text(text)
        self.collector.proc.send(signal.SIGHUP)
        self.collector.proc.wait_line(pattern, 10, times)

    def told(self, name):
        return one(status(f"collector-{self.port}")["taps"], name)


def test_revoked_and_back(make_lab):
    """Frames flow from both; one goes off the list: it is cut off at once, the other loses nothing; put back, it comes back."""
    office = Office(make_lab)
    lab, collector, (berlin, oslo) = office.lab, office.collector, office.taps
    arrival = Tcpdump(lab, lab.collector, "ntap0", "arrival", direction="in", fast=True)
    n = 20000
    traffic = start_framegen(lab, n, 5000, ns=lab.peers[0])
    also = start_framegen(lab, n, 5000, ns=lab.peers[1])
    arrival.wait_count(2000)
    for times in range(1, 6):  # nothing has changed: nobody notices
        office.reload(times=times, **office.keys)
    office.reload(times=6, berlin=office.keys["berlin"], madrid=keygen(lab, "madrid")[1])
    says(oslo.proc, "does not allow this tap any more")
    says(collector.proc, "tap oslo is not on the list any more")
    assert "2 taps, 1 added, 1 removed, 0 changed" in collector.proc.err()
    says(oslo.proc, "does not allow this tap's key")
    wait_until(lambda: office.told("oslo")["state"] == "gone", 5, "the end of its session")
    gone = one(office.told("oslo")["interfaces"])["stages"]["link_rx"]["out"]
    assert gone < n
    assert traffic.wait(30) == 0 and also.wait(30) == 0
    assert one(office.told("oslo")["interfaces"])["stages"]["link_rx"]["out"] == gone, "no frame is taken after that"
    assert status(f"collector-{office.port}")["link"]["revoked"] == 1
    office.reload(times=7, **office.keys)
    oslo.wait_up(2, 40)
    framegen(lab, 500, ns=lab.peers[1], pps=5000)

    def all_sent():
        stages = one(office.told("oslo")["interfaces"])["tap_stages"]
        return stages["ring"]["in"] == n + 500 == stages["link_tx"]["out"]

    wait_until(all_sent, 20, "its frames again, and those that waited")
    first, second, there = berlin.finish(), oslo.finish(), collector.finish()
    assert_balanced(first, there, sent=n, delivered=n, name="berlin")
    kept = [(e["kind"], e["subject"]) for e in there["history"]]
    assert kept.count(("tap-revoked", "oslo")) == 1 and ("tap-revoked", "berlin") not in kept and "list-read-again" in dict(kept), kept
    assert first["session"]["sessions"] == 1 and one(there["taps"], "berlin")["sessions"] == 1
    assert_tap_balanced(second)
    assert_collector_balanced(there)
    assert tap_stages(second)["link_tx"]["backlogged"] > 0 and one(there["taps"], "oslo")["sessions"] == 2
    assert gone < one(one(there["taps"], "oslo")["interfaces"])["stages"]["link_rx"]["out"] <= n + 500


def test_wrong_lists(make_lab):
    """Each is named with its mistake, and the old list stays: nobody is cut off, and who was allowed still is."""
    office = Office(make_lab)
    lab, collector = office.lab, office.collector
    key = office.keys["berlin"]
    traffic = start_framegen(lab, 10000, 5000)
    stays = "the list of taps stays as it was"
    wrong = [("# one\nnonsense berlin\n", "allow:2: not a public key"),
             (f"{key}\n", "allow:1: the tap's name is missing"),
             (f"{key} berlin\n\n{key} other\n", "allow:3: this key is already in line 1"),
             (f"{key} berlin\n{office.keys['oslo']} berlin\n", "allow:2: the name berlin is already taken"),
             (f"{key} ../etc\n", "allow:1: not a name"),
             (f"{key} berlin psk=short\n", "allow:1: after the name only psk="),
             ("x" * (4 << 20) + "x", "larger than 4194304 bytes")]
    for times, (text, words) in enumerate(wrong, 1):
        office.reload(text, stays, times)
        assert words in collector.proc.err(), collector.proc
    times = len(wrong)
    office.list.unlink()
    for make, words in ((lambda: None, "No such file"), (lambda: os.mkfifo(office.list), "not a regular file"),
                        (lambda: (office.list.unlink(), office.list.mkdir()), "not a regular file")):
        make()
        times += 1
        collector.proc.send(signal.SIGHUP)
        collector.proc.wait_line(stays, 10, times)
        assert words in collector.proc.err(), collector.proc
    assert traffic.wait(30) == 0
    assert key not in collector.proc.err(), "nothing of the list is repeated"
    framegen(lab, 500, ns=lab.peers[1], pps=5000)
    ledgers, there = [t.finish() for t in office.taps], collector.finish()
    assert_balanced(ledgers[0], there, sent=10000, delivered=10000, name="berlin")
    assert_balanced(ledgers[1], there, sent=500, delivered=500, name="oslo")
    assert there["link"]["revoked"] == 0 and all(t["sessions"] == 1 for t in there["taps"])


def test_another_name(make_lab):
    """A key that has another name on the list: its session ends, and the next one is under that name."""
    office = Office(make_lab)
    lab, collector, (berlin, oslo) = office.lab, office.collector, office.taps
    framegen(lab, 300, pps=5000)
    wait_until(lambda: one(office.told("berlin")["interfaces"])["stages"]["link_rx"]["out"] == 300, 10, "its frames")
    office.reload(potsdam=office.keys["berlin"], oslo=office.keys["oslo"])
    assert "2 taps, 0 added, 0 removed, 1 changed" in collector.proc.err()
    says(berlin.proc, "another name or key for this tap")
    berlin.wait_up(2)
    framegen(lab, 200, pps=5000)
    ledger, other, there = berlin.finish(), oslo.finish(), collector.finish()
    assert_tap_balanced(ledger), assert_tap_balanced(other)
    assert_collector_balanced(there)
    assert ledger["session"]["sessions"] == 2 and other["session"]["sessions"] == 1
    got = {t["name"]: sum(i["stages"]["link_rx"]["out"] for i in t["interfaces"]) for t in there["taps"]}
    assert got == {"berlin": 300, "potsdam": 200, "oslo": 0}, got


@pytest.mark.parametrize("key", ["a passphrase", None], ids=["passphrase", "clear"])
def test_nothing_to_read_again(lab, key):
    """SIGHUP to a collector without a list, and to the engine itself, ends nothing; to a tap it is the end, in order."""
    collector, tap = Collector(lab, key=key), Tap(lab, key=key)
    collector.proc.send(signal.SIGHUP)
    collector.proc.wait_line("there is no list of taps", 10)
    framegen(lab, 500, pps=5000)
    ledger = tap.finish(signal.SIGHUP)
    assert_balanced(ledger, collector.finish(), sent=500, delivered=500)


def test_nohup(lab):
    """A SIGHUP that was ignored at the start does not end a tap, whoever sends it; a collector goes on reading its list."""
    collector = Collector(lab, key=None, prefix=["nohup"])
    tap = Tap(lab, key=None, prefix=["nohup"])
    tap.proc.send(signal.SIGHUP)
    collector.proc.send(signal.SIGHUP)
    collector.proc.wait_line("there is no list of taps", 10)
    framegen(lab, 500, pps=5000)
    assert tap.proc.running()
    assert_balanced(tap.finish(), collector.finish(), sent=500, delivered=500)


def test_a_list_that_only_its_owner_reads(make_lab):
    """The broker reads the list as root without privileges: a list that root owns can be read, others' may not be, in words."""
    office = Office(make_lab)
    os.chmod(office.list, 0o600)
    office.reload(**office.keys)
    os.chown(office.list, 65534, 65534)
    office.collector.proc.send(signal.SIGHUP)
    office.collector.proc.wait_line("Permission denied; the list of taps stays as it was", 10)
    for t in office.taps:
        t.finish()
    assert office.collector.finish()["link"]["revoked"] == 0
