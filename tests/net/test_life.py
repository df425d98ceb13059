# SPDX-License-Identifier: Apache-2.0
"""Interfaces and namespaces come and go: the same tap goes on, its books balance, and its history says what happened."""

import os
import re

import pytest

from lib.farspan import Collector, Tap, assert_balanced, one, own_name, own_port, says, status
from lib.proc import run, wait_until
from lib.tools import framegen


class Life:
    """A collector and a tap whose status is its own; frames that are counted."""

    def __init__(self, lab, *words, interfaces=("mon0",), **kw):
        self.lab, self.sent = lab, 0
        self.name = own_name(lab.stem.strip("-"))
        self.collector = Collector(lab, port=own_port())
        self.tap = Tap(lab, *words, interfaces=interfaces, name=self.name, to=f"10.77.0.2:{own_port()}", **kw)
        self.family = self.tap.proc.tree()

    def status(self):
        return status(self.name)

    def interface(self, name="mon0"):
        found = [i for i in self.status()["interfaces"] if i["name"] == name]
        return one(found) if found else None

    def wait_state(self, state, name="mon0"):
        return wait_until(lambda: (self.interface(name) or {}).get("state") == state, 10, f"{name} {state}: {self.tap.proc}")

    def history(self, subject=None):
        return [e["kind"] for e in self.status()["history"] if subject in (None, e["subject"])]

    def wait_event(self, kind, subject="mon0", times=1):
        wait_until(lambda: self.history(subject).count(kind) >= times, 10, lambda: f"{kind} in {self.history()}: {self.tap.proc}")

    def traffic(self, n=200, name="mon0", dev="peer0", ns=None, pps=5000):
        """Frames on the interface, each of which is captured."""
        before = self.captured(name)
        framegen(self.lab, n, ns=ns, dev=dev, pps=pps)
        wait_until(lambda: self.captured(name) == before + n, 10, lambda: f"{n} frames of {name}: {self.interface(name)} {self.tap.proc}")
        self.sent += n

    def captured(self, name):
        i = self.interface(name)
        return i["stages"]["ring"]["in"] if i else 0

    def told(self):
        """The collector knows all that happened."""
        last = self.status()["history"][-1]["number"]
        known = lambda: one(status(f"collector-{own_port()}")["taps"], self.name)["history"]
        wait_until(lambda: known() and known()[-1]["number"] >= last, 10, "the history at the collector")

    def end(self, **kw):
        """Both ledgers, which balance to the frame; it was one process all the time, and one session."""
        here = self.status()["history"]
        self.told()
        assert self.tap.proc.tree() == self.family, "the tap was started anew"
        ledger, there = self.tap.finish(), self.collector.finish()
        assert_balanced(ledger, there, sent=self.sent, delivered=self.sent, **kw)
        assert ledger["session"]["sessions"] == 1
        assert [i["state"] for i in ledger["interfaces"]]
        seen = [(e["number"], e["kind"], e["subject"]) for e in one(there["taps"])["history"]]
        assert seen == [(e["number"], e["kind"], e["subject"]) for e in here][-len(seen):] and one(there["taps"])["history_missed"] == 0
        assert [e["kind"] for e in there["history"]][:1] == ["session-up"]
        return ledger, there


def pair(lab, name="mon0", peer="peer0", extra=()):
    """The watched pair is made once more, as another one of the same names."""
    lab.ip(lab.tap, "link", "add", name, *extra, "mtu", lab.mtu, "type", "veth", "peer", "name", peer, "mtu", lab.mtu, "netns", lab.peer)
    for ns, dev in ((lab.tap, name), (lab.peer, peer)):
        lab.offloads(ns, dev, gro="off", gso="off", tso="off", tx="off", rx="off")
        lab.ip(ns, "link", "set", dev, "arp", "off", "up")


def test_down_and_up(lab):
    life = Life(lab)
    life.traffic()
    lab.ip(lab.tap, "link", "set", "mon0", "down")
    life.wait_state("down")
    lab.ip(lab.tap, "link", "set", "mon0", "up")
    life.wait_event("interface-up")
    life.traffic()
    life.end()
    assert says(life.tap.proc, "mon0: went down") and says(life.tap.proc, "mon0: came up")


def test_deleted_and_back(lab):
    """The same name, another interface: the observation point counts on."""
    life = Life(lab)
    life.traffic()
    lab.ip(lab.tap, "link", "del", "mon0")
    life.wait_state("gone")
    index = lab.ip(lab.tap, "-o", "link").count("\n") + 40
    pair(lab, extra=("index", index))
    life.wait_event("index-changed")
    life.traffic()
    ledger, there = life.end()
    kinds = [e["kind"] for e in ledger["history"] if e["subject"] == "mon0"]
    assert kinds[:3] == ["interface-gone", "interface-appeared", "index-changed"], kinds
    assert one(one(there["taps"])["interfaces"])["tap_stages"]["ring"]["in"] == 400


def test_replaced_under_traffic(lab):
    """Deleted and made anew ten times while frames pass: each frame that was accepted is accounted for."""
    life = Life(lab)
    for i in range(10):
        traffic = lab.start(["python3", "-c", ""], f"nothing{i}")
        traffic.wait(10)
        framegen(lab, 300, pps=20000)
        lab.ip(lab.tap, "link", "del", "mon0")
        pair(lab)
        life.wait_event("interface-appeared", times=i + 1)
    life.traffic()
    life.sent = life.captured("mon0")
    ledger, _ = life.end()
    assert ledger["interfaces"][0]["stages"]["ring"]["in"] >= 200
    assert ledger["interfaces"][0]["stages"]["ring"]["drops"]["interface_gone"] == 0


def test_mtu(lab):
    life = Life(lab)
    life.traffic()
    for ns, dev in ((lab.tap, "mon0"), (lab.peer, "peer0")):
        lab.ip(ns, "link", "set", dev, "mtu", "9300")
    life.wait_event("mtu-changed")
    life.traffic()
    ledger, _ = life.end()
    event = one([e for e in ledger["history"] if e["kind"] == "mtu-changed"])
    assert event["words"] == "has MTU 9300 now, before 9216"


def test_link_type(lab):
    """A name that stood for Ethernet stands for a tunnel without, and for Ethernet again."""
    life = Life(lab)
    life.traffic()
    lab.ip(lab.tap, "link", "del", "mon0")
    lab.ip(lab.tap, "link", "add", "mon0", "type", "ipip", "local", "10.77.0.1", "remote", "10.77.0.9")
    lab.ip(lab.tap, "addr", "add", "10.9.0.1/24", "dev", "mon0")
    lab.ip(lab.tap, "link", "set", "mon0", "up")
    life.wait_event("link-type-changed")
    life.wait_state("up")
    run(["ip", "netns", "exec", lab.tap, "ping", "-c", "3", "-i", "0.01", "-W", "0.1", "10.9.0.2"], check=False)
    wait_until(lambda: life.captured("mon0") == 203, 10, "three echoes on a tunnel")
    life.sent += 3
    lab.ip(lab.tap, "link", "del", "mon0")
    life.wait_state("gone")
    pair(lab)
    life.wait_event("link-type-changed", times=2)
    life.traffic()
    life.end()


def test_renamed(lab):
    """-i follows the name, not the interface."""
    life = Life(lab)
    life.traffic()
    lab.ip(lab.tap, "link", "set", "mon0", "down")
    lab.ip(lab.tap, "link", "set", "mon0", "name", "other0")
    lab.ip(lab.tap, "link", "set", "other0", "up")
    life.wait_event("interface-renamed")
    life.wait_state("gone")
    framegen(lab, 100)
    lab.ip(lab.tap, "link", "set", "other0", "down")
    lab.ip(lab.tap, "link", "set", "other0", "name", "mon0")
    lab.ip(lab.tap, "link", "set", "mon0", "up")
    life.wait_event("interface-up")
    life.traffic()
    ledger, _ = life.end()
    assert "is called other0 now" in [e["words"] for e in ledger["history"]]


def test_not_there_at_the_start(lab):
    """A name that does not exist is most likely mistyped."""
    tap = Tap(lab, interfaces=("eth7",), up=False)
    assert tap.proc.wait(10) == 1
    assert 'no interface "eth7": choose from' in tap.proc.err()
