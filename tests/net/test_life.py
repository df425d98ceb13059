# SPDX-License-Identifier: Apache-2.0
"""Interfaces and namespaces come and go: the same tap goes on, its books balance, and its history says what happened."""

import fcntl
import struct

import pytest

from lib.farspan import (Collector, Tap, assert_balanced, assert_collector_balanced, assert_stage, assert_tap_balanced, one, own_name,
                         own_port, says, status)
from lib.lab import inside
from lib.proc import run, wait_until
from lib.tools import framegen


class Life:
    """A collector and a tap whose status is its own; frames that are counted."""

    def __init__(self, lab, *words, interfaces=("mon0",), file=None, **kw):
        self.lab, self.sent, self.new = lab, 0, any("*" in i for i in interfaces)
        self.name = own_name(lab.stem.strip("-"))
        self.collector = Collector(lab, port=own_port(), file=file)
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
        # an interface that has just appeared is announced to the collector before its frames are taken
        early = sum(i["stages"]["link_tx"]["drops"]["no_session"] for i in ledger["interfaces"])
        assert early == 0 or self.new
        assert_balanced(ledger, there, sent=self.sent, delivered=self.sent - early, **kw)
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
    assert [k for k in kinds if k not in ("interface-down", "interface-up")] == \
        ["interface-gone", "interface-appeared", "index-changed"], kinds
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


def tun(lab, ns, name, arphrd=None):
    """A tunnel's device without Ethernet, of another kind if that is given; what is written to it comes in there."""
    with inside(ns):
        device = open("/dev/net/tun", "r+b", buffering=0)
        fcntl.ioctl(device, 0x400454CA, struct.pack("16sH", name.encode(), 0x1001))  # TUNSETIFF; IFF_TUN, IFF_NO_PI
        if arphrd is not None:
            fcntl.ioctl(device, 0x400454CD, arphrd)  # TUNSETLINK
    lab.closers.append(device.close)
    lab.ip(ns, "link", "set", name, "up")
    return device


def test_link_type(lab):
    """A name that stood for Ethernet stands for a tunnel without, and for Ethernet again."""
    life = Life(lab)
    life.traffic()
    lab.ip(lab.tap, "link", "del", "mon0")
    device = tun(lab, lab.tap, "mon0")
    life.wait_event("link-type-changed")
    life.wait_state("up")
    ip_packets(device, 3)
    wait_until(lambda: life.captured("mon0") == 203, 10, lambda: f"three packets of a tunnel: {life.interface()} {life.tap.proc}")
    life.sent += 3
    device.close()
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


def ip_packets(device, n):
    """Writes n small IPv4 packets into a tunnel device."""
    for i in range(n):
        device.write(struct.pack("!BBHIBBH4s4s", 0x45, 0, 20, i << 16, 64, 253, 0, bytes((10, 9, 0, 2)), bytes((10, 9, 0, 1))))


@pytest.mark.parametrize("words", [(), ("ip proto 253",)], ids=["all", "filter"])
def test_any(lab, words):
    """Each interface is taken as what it is: a tunnel without Ethernet too, one that appears later, and none is called any."""
    first = tun(lab, lab.tap, "tun0")
    life = Life(lab, *words, interfaces=("any",))
    for name in ("lo", "link0", "mon0", "tun0"):
        life.wait_state("up", name)
    late = tun(lab, lab.tap, "late-name0")
    life.wait_state("up", "late-name0")
    for device, name, n in ((first, "tun0", 3), (late, "late-name0", 4)):
        before = life.captured(name)
        ip_packets(device, n)
        wait_until(lambda: life.captured(name) >= before + n, 10, lambda: f"{n} packets: {life.interface(name)}")
    ledger, there = life.tap.finish(), life.collector.finish()
    assert_tap_balanced(ledger)
    assert_collector_balanced(there)
    known = {i["name"]: i["stages"]["link_rx"]["out"] for i in one(there["taps"])["interfaces"]}
    assert set(known) == {"lo", "link0", "mon0", "tun0", "late-name0"}
    assert known["tun0"] >= 3
    if words:
        assert known["tun0"] == 3 and known["mon0"] == 0


# ---- patterns ----


def veth(lab, name, ns=None):
    """A watched pair name -- p-name; without IPv6 and ARP, so that nothing but the test's frames is on it."""
    lab.ip(ns or lab.tap, "link", "add", name, "mtu", lab.mtu, "type", "veth", "peer", "name", f"p{name}", "mtu", lab.mtu, "netns",
           lab.peer)
    lab.offloads(lab.peer, f"p{name}", gro="off", gso="off", tso="off", tx="off", rx="off")
    for where, dev in ((ns or lab.tap, name), (lab.peer, f"p{name}")):
        lab.ip(where, "link", "set", dev, "arp", "off", "up")


def test_pattern(lab):
    """An interface that matches is taken up when it appears, let go when it vanishes, and is the same point when it comes back."""
    life = Life(lab, interfaces=("veth*", "mon[0-9]"))
    assert 'no interface matches "veth*" yet' in life.tap.proc.err()
    life.traffic()
    for name in ("veth1", "veth2", "eth9"):
        veth(lab, name)
    for name in ("veth1", "veth2"):
        life.wait_state("up", name)
        life.traffic(100, name, f"p{name}")
    lab.ip(lab.tap, "link", "del", "veth1")
    life.wait_state("gone", "veth1")
    veth(lab, "veth1")
    life.wait_state("up", "veth1")
    life.traffic(100, "veth1", "pveth1")
    ledger, there = life.end()
    assert {i["name"]: i["stages"]["ring"]["in"] for i in ledger["interfaces"]} == {"mon0": 200, "veth1": 200, "veth2": 100}
    assert {i["name"] for i in one(there["taps"])["interfaces"]} == {"mon0", "veth1", "veth2"}


def test_pattern_and_collector_on_one_host(lab):
    """A pattern that matches everything takes up no collector's device: what a collector puts there is no traffic."""
    life = Life(lab, interfaces=("*",))
    other = Collector(lab, ns=lab.tap, device="here0", port=own_port() + 1, name="other")
    veth(lab, "veth1")
    life.wait_state("up", "veth1")
    life.traffic(100, "veth1", "pveth1")
    life.wait_event("own-device", "here0")
    names = [i["name"] for i in life.status()["interfaces"]]
    assert "here0" not in names and {"lo", "mon0", "link0", "veth1"} <= set(names), names
    assert life.history("here0") == ["own-device"]
    other.finish()
    life.tap.finish(), life.collector.finish()


@pytest.mark.parametrize("there", ["here", "in another namespace"])
def test_an_alias_hides_nothing(lab, there):
    """Only what a collector really made is left out: no alias, no kind of device and no name of a file does it."""
    name = f"{lab.stem}x"
    netns(lab, name)
    ns, words = (lab.tap, ()) if there == "here" else (name, ("--netns", name))
    veth(lab, "veth1", ns)
    lab.ip(ns, "link", "set", "veth1", "alias", "farspan collector")
    life = Life(lab, *words, interfaces=("*",))
    life.wait_state("up", "veth1")
    life.traffic(100, "veth1", "pveth1")
    lab.ip(ns, "tuntap", "add", "dev", "fake0", "mode", "tap")
    lab.ip(ns, "link", "set", "fake0", "alias", "farspan collector", "up")
    life.wait_state("up", "fake0")
    other = Collector(lab, ns=ns, device="here0", port=own_port() + 1, name="other")
    life.wait_event("own-device", "here0")
    lab.ip(ns, "link", "set", "here0", "alias", "another word")
    lab.ip(ns, "link", "set", "here0", "mtu", "9000")
    veth(lab, "veth2", ns)
    life.wait_state("up", "veth2")  # what was told before it has been seen to
    assert life.interface("here0") is None
    other.finish()
    life.tap.finish(), life.collector.finish()
    run(["ip", "netns", "delete", name])


def test_a_device_that_a_collector_takes(lab):
    """It is anybody's, and tapped, until a collector writes to it, and again when that has ended."""
    lab.ip(lab.tap, "tuntap", "add", "dev", "kept0", "mode", "tap")
    lab.ip(lab.tap, "link", "set", "kept0", "up")
    life = Life(lab, interfaces=("kept*", "mon0"))
    life.wait_state("up", "kept0")
    for times in (1, 2):
        other = Collector(lab, ns=lab.tap, device="kept0", port=own_port() + 1, name=f"other{times}")
        life.wait_event("own-device", "kept0", times)
        life.wait_state("gone", "kept0")
        other.finish()
        life.wait_state("up", "kept0")
    life.tap.finish(), life.collector.finish()


def many(lab, names, verb):
    """Watched pairs that appear or go at once, as containers do."""
    def batch(ns, lines):
        run(["ip", "-n", ns, "-batch", "-"], input="\n".join(lines) + "\n")

    if verb == "del":
        batch(lab.tap, [f"link del {n}" for n in names])
        return
    batch(lab.tap, [f"link add {n} mtu {lab.mtu} type veth peer name p{n} mtu {lab.mtu} netns {lab.peer}" for n in names])
    batch(lab.peer, [f"link set p{n} arp off up" for n in names])
    batch(lab.tap, [f"link set {n} arp off up" for n in names])


def total(document, *path):
    """A figure of all interfaces, those that are gone for good included."""
    items = document["interfaces"] + ([document["gone_interfaces"]] if "gone_interfaces" in document else [])
    found = 0
    for item in items:
        for key in path:
            item = item[key]
        found += item
    return found


def test_hundreds(lab):
    """200 interfaces appear and vanish, and others: what is long gone is added up, nothing is lost of the counts."""
    life = Life(lab, interfaces=("veth*",))
    for generation, n in (("a", 200), ("b", 40)):
        names = [f"veth{generation}{i}" for i in range(n)]
        many(lab, names, "add")
        up = lambda: sum(i["state"] == "up" for i in life.status()["interfaces"])
        wait_until(lambda: up() == n, 60, lambda: f"{up()} of {n} interfaces: {life.tap.proc}")
        for name in names[::20]:
            life.traffic(20, name, f"p{name}")
        many(lab, names, "del")
        # those that are kept for their return, and the others' sum
        wait_until(lambda: len(life.status()["interfaces"]) == 64, 60, lambda: f"fewer: {len(life.status()['interfaces'])}")
    assert life.status()["gone_interfaces"]["count"] == 240 - 64
    assert life.tap.proc.tree() == life.family
    ledger, there = life.tap.finish(), life.collector.finish()
    assert_tap_balanced(ledger)
    assert_collector_balanced(there)
    for stage in ledger["gone_interfaces"]["stages"].items():
        assert_stage(*stage)
    taps = one(there["taps"])
    early = total(ledger, "stages", "link_tx", "drops", "no_session")
    assert total(ledger, "stages", "ring", "in") == 240 == life.sent
    assert total(ledger, "stages", "link_tx", "confirmed") == 240 - early == total(taps, "stages", "link_rx", "out")
    assert total(taps, "tap_stages", "ring", "in") == 240
    assert len(taps["interfaces"]) == 240 and "gone_interfaces" not in taps


# ---- namespaces ----


def netns(lab, name):
    """A namespace beside the lab's, with a watched pair eth0 -- peth0."""
    run(["ip", "netns", "add", name])
    lab.names.append(name)
    with inside(name), open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w") as switch:
        switch.write("1")
    veth(lab, "eth0", name)


def test_namespace_by_name(lab):
    """It is tapped from outside, may vanish, and one of the same name is tapped again."""
    name = lab.stem + "ns"
    netns(lab, name)
    life = Life(lab, "--netns", name, interfaces=("eth0", "veth*"))
    life.traffic(200, "eth0", "peth0")
    veth(lab, "veth1", name)
    life.wait_state("up", "veth1")
    life.traffic(100, "veth1", "pveth1")
    run(["ip", "netns", "delete", name])
    life.wait_event("namespace-gone", name)
    life.wait_state("gone", "eth0")
    # nothing of the tap's keeps it: its interfaces end with it, and so do their other ends
    wait_until(lambda: not lab.has_device(lab.peer, "peth0"), 10, "the end of the namespace itself")
    netns(lab, name)
    life.wait_event("namespace-back", name)
    life.wait_state("up", "eth0")
    life.traffic(200, "eth0", "peth0")
    life.end()


def test_namespace_by_process(lab):
    """A container's, by the number of a process in it; when that has ended it is over, and the tap goes on."""
    name = lab.stem + "ns"
    netns(lab, name)
    inhabitant = lab.start(["sleep", "1000"], "inhabitant", name)
    life = Life(lab, "--netns", inhabitant.pid, interfaces=("eth0",))
    life.traffic(200, "eth0", "peth0")
    run(["ip", "netns", "delete", name])  # the process keeps it
    life.traffic(200, "eth0", "peth0")
    inhabitant.kill()
    life.wait_event("namespace-gone", str(inhabitant.pid))
    wait_until(lambda: not lab.has_device(lab.peer, "peth0"), 10, "the end of the namespace itself")
    assert says(life.tap.proc, "the process has ended; its namespace is let go and will not come back")
    life.end()


def test_capabilities(lab):
    """To enter a namespace takes a capability that only the broker has, and only with --netns."""
    name = lab.stem + "ns"
    netns(lab, name)
    life = Life(lab, "--netns", name, interfaces=("eth0",))
    plain = Tap(lab, to=f"10.77.0.2:{own_port()}", name=own_name("plain"))
    admin = 1 << 21
    for tap, want in ((life.tap, [0, admin]), (plain, [0, 0])):
        held = []
        for pid in tap.proc.tree():
            with open(f"/proc/{pid}/status") as text:
                held += [int(line.split()[1], 16) & admin for line in text if line.startswith("CapEff")]
        assert sorted(held) == want, tap.proc
    life.tap.finish(), plain.finish(), life.collector.finish()


def test_no_such_namespace(lab):
    for what, words in (("nobody", "--netns nobody: there is no such namespace in /run/netns; there are "),
                        ("4194304", "--netns 4194304: there is no such process"),
                        ("a/b", 'neither a process\'s number nor a name')):
        tap = Tap(lab, "--netns", what, up=False, name="gone")
        assert tap.proc.wait(10) == 1
        assert says(tap.proc, words)
