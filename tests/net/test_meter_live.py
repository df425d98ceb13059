# SPDX-License-Identifier: Apache-2.0
"""`farspan meter -i`: what passes interfaces, in records while it passes. The judges are the meter of files, which others judge
(test_meter.py), over what tcpdump captured beside it; the kernel, which cuts super-packets; and the tests' own counts."""

import collections
import json
import os
import signal
import socket
import subprocess
import threading

import pytest

from lib.cutting import end_to_end, transfer
from lib.farspan import assert_chain, assert_stage, farspan, own_name, says, status
from lib.packets import ethernet, ipv4, udp
from lib.proc import run, wait_until
from lib.tools import Tcpdump, framegen, ping, tshark

OF_TIME = ("flowStartNanoseconds", "flowEndNanoseconds", "flowEndReason", "tcpControlBits", "ipClassOfService", "sourceMacAddress",
           "destinationMacAddress", "interfaceName", "mplsTopLabelStackSection")


class Live:
    """A running meter of interfaces that writes JSON."""

    def __init__(self, lab, *words, interfaces=("mon0",), name="meter", ns=None):
        self.out, self.called = lab.folder / f"{name}.json", own_name(name)
        argv = [farspan(), "meter", *(w for i in interfaces for w in ("-i", i)), f"--json={self.out}", "--ledger", "--name", self.called, *words]
        self.proc = lab.start(argv, name, ns or lab.tap)
        wait_until(lambda: self.proc.running() and self.status_there(), 10, f"a status of {self.proc}")

    def status_there(self):
        done = run([farspan(), "status", self.called, "--json"], check=False)
        return done.returncode == 0

    def status(self):
        return status(self.called)

    def records(self):
        return [json.loads(line) for line in self.out.read_text().splitlines()]

    def wait_in(self, n, stage="meter", seconds=20):
        """Until so many frames are in that stage, over all interfaces."""
        def there():
            return sum(i["stages"][stage]["in"] for i in self.status()["interfaces"]) >= n
        wait_until(there, seconds, f"{n} frames in {stage} of {self.proc}")

    def finish(self, number=signal.SIGINT, code=0):
        assert self.proc.stop(number, 20) == code, self.proc
        ledger = json.loads(self.proc.out())
        for way in ledger["interfaces"] + [ledger[k] for k in ("gone_interfaces",) if k in ledger]:
            assert list(way["stages"]) == ["ring", "select", "meter"]
            assert_chain(way.get("name", "gone"), way["stages"])
        for export in ledger["exports"]:
            assert_stage(export["name"], export)
            assert export["in"] == export["out"] == len(self.records())
        assert ledger["flows_now"] == 0
        return ledger


def totals(records, without=OF_TIME):
    """Packets and bytes of each flow, over all its records."""
    found = collections.defaultdict(lambda: [0, 0])
    for r in records:
        key = tuple(sorted((k, str(v)) for k, v in r.items() if k not in without and not k.endswith("DeltaCount")))
        found[key][0] += r["packetDeltaCount"]
        found[key][1] += r["octetDeltaCount"]
    return dict(found)


def of_file(lab, path):
    out = lab.folder / f"{path.stem}.of-file.json"
    run([farspan(), "meter", "-r", path, f"--json={out}"])
    return totals([json.loads(line) for line in out.read_text().splitlines()])


def packets(records, **wanted):
    return sum(r["packetDeltaCount"] for r in records if all(r.get(k) == v for k, v in wanted.items()))


def test_as_of_a_file(lab):
    """Frames of all kinds, sizes and tags: the records add up to those of a file that was captured beside."""
    live = Live(lab, "--idle", "1s", "--active", "2s")
    beside = Tcpdump(lab, lab.tap, "mon0", "beside")
    framegen(lab, 8000, pps=8000)
    beside.wait_count(8000)
    live.wait_in(8000)
    assert beside.stop() == 8000
    ledger = live.finish()
    way, = ledger["interfaces"]
    assert way["name"] == "mon0" and way["stages"]["ring"]["in"] == 8000 and way["stages"]["meter"]["in"] == 8000
    assert way["stages"]["meter"]["out"] == packets(live.records()) > 4000
    assert totals(live.records()) == of_file(lab, beside.path)
    assert all(r["interfaceName"] == "mon0" for r in live.records())


def test_records_while_it_runs(lab):
    """A flow that is idle, and one that lasts, are written within a second of that, though nothing else comes."""
    live = Live(lab, "--idle", "1s", "--active", "3s")
    framegen(lab, 50, pps=1000, kinds="udp4")
    live.wait_in(50)
    wait_until(lambda: packets(live.records()) == 50, 3, lambda: f"records of {live.proc}: {live.records()}")
    assert live.status()["flows_now"] == 0
    assert {r["flowEndReason"] for r in live.records()} == {1}
    sent, asked = 0, threading.Event()

    def send():
        nonlocal sent
        s = lab.socket(lab.peer, socket.AF_PACKET, socket.SOCK_RAW)
        s.bind(("peer0", 0))
        while not asked.wait(0.02):
            sent += s.send(ethernet(ipv4(17, bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]), udp(7, 9, b"")))) > 0

    thread = lab.serve(send)
    wait_until(lambda: any(r["flowEndReason"] == 2 for r in live.records()), 8, "a record of a flow that lasts")
    asked.set()
    thread.join(10)
    live.wait_in(50 + sent)
    live.finish()
    assert packets(live.records()) == 50 + sent


@pytest.mark.parametrize("way", ["out", "in"])
def test_super_packets(lab, way):
    """A transfer with all offloads on: packets and bytes are those of a wire without any."""
    far = end_to_end(lab, "plain")
    data = os.urandom(3_000_000)
    ping(lab.tap, "10.70.0.2")
    live = Live(lab, "tcp dst port 5000")
    at = "cut0" if way == "out" else "peer0"  # where they leave the bridge, which cuts
    wire = Tcpdump(lab, lab.peer, at, "wire", direction="out", expr="tcp dst port 5000", snaplen=128, fast=True, buffer_kib=262144)
    ends = (lab.tap, far, "10.70.0.2") if way == "out" else (far, lab.tap, "10.70.0.1")
    assert transfer(lab, *ends, data) == data
    n = wire.wait_quiet()
    wire.stop()
    ledger = live.finish()
    assert ledger["interfaces"][0]["stages"]["ring"]["super_packets"] > 10
    sizes = [int(size) for size, in tshark(wire.path, "ip.len")]
    assert len(sizes) == n
    assert (packets(live.records()), sum(r["octetDeltaCount"] for r in live.records())) == (n, sum(sizes))


@pytest.mark.parametrize("way, net", [("out", "10.71.0."), ("in", "10.71.0."), ("out", "fd71::")])
def test_super_packets_in_tunnels(lab, way, net):
    """The same of a transfer in VXLAN: the packets inside, as they are on a wire without offloads."""
    far = end_to_end(lab, "vxlan")
    data = os.urandom(3_000_000)
    ping(lab.tap, f"{net}2")
    live = Live(lab, "--tunnel", "inner")
    at = "cut0" if way == "out" else "peer0"
    wire = Tcpdump(lab, lab.peer, at, "wire", direction="out", expr="udp port 4789", snaplen=192, fast=True, buffer_kib=262144)
    ends = (lab.tap, far, f"{net}2") if way == "out" else (far, lab.tap, f"{net}1")
    assert transfer(lab, *ends, data) == data
    wire.wait_quiet()
    wire.stop()
    ledger = live.finish()
    assert ledger["interfaces"][0]["stages"]["ring"]["super_packets"] > 10
    found = [r for r in live.records() if r.get("destinationTransportPort") == 5000]
    field = "ipv6.plen" if ":" in net else "ip.len"
    rows = tshark(wire.path, field, "tcp.dstport")
    sizes = [int(size.split(",")[-1]) + 40 * (":" in net) for size, port in rows if port == "5000"]
    assert len(sizes) > 1000
    assert (packets(found), sum(r["octetDeltaCount"] for r in found)) == (len(sizes), sum(sizes))
    outer = ("10.70.0.1", "10.70.0.2") if way == "out" else ("10.70.0.2", "10.70.0.1")
    assert {tuple(r["tunnel"].values()) for r in found} == {("vxlan", 42, *outer)}


def test_two_interfaces(make_lab):
    """Each is an observation point: the same packets on both are counted for each."""
    lab = make_lab(monitored=2)
    live = Live(lab, interfaces=("mon0", "mon1"))
    for dev in ("peer0", "peer1"):
        lab.numbers = 0
        framegen(lab, 3000 if dev == "peer0" else 2000, dev=dev, kinds="udp4", seed=7)
    live.wait_in(5000)
    ledger = live.finish()
    assert packets(live.records(), interfaceName="mon0") == 3000
    assert packets(live.records(), interfaceName="mon1") == 2000
    assert {i["name"]: i["stages"]["meter"]["out"] for i in ledger["interfaces"]} == {"mon0": 3000, "mon1": 2000}


def test_interfaces_that_come_and_go(lab):
    """A pattern takes up what comes; what goes has its records, and one of the same name afterwards has its own counts in them."""
    live = Live(lab, interfaces=("come*",))
    says(live.proc, 'no interface matches "come\\*" yet')
    for n in (100, 200):
        lab.ip(lab.tap, "link", "add", "come7", "type", "veth", "peer", "name", "other7", "netns", lab.peer)
        lab.ip(lab.tap, "link", "set", "come7", "arp", "off", "up")
        lab.ip(lab.peer, "link", "set", "other7", "arp", "off", "up")
        wait_until(lambda: [i for i in live.status()["interfaces"] if i["state"] == "up"], 10, "come7 is metered")
        before = sum(i["stages"]["meter"]["in"] for i in live.status()["interfaces"])
        framegen(lab, n, dev="other7", kinds="udp4", pps=2000, max_len=1500)
        live.wait_in(before + n)
        lab.ip(lab.tap, "link", "del", "come7")
        wait_until(lambda: [i for i in live.status()["interfaces"] if i["state"] == "gone"], 10, "come7 is gone")
    says(live.proc, r"come7: is there and metered \(index \d+, MTU 1500")
    says(live.proc, "come7: is back")
    assert "tapped" not in live.proc.err()
    live.finish()
    assert packets(live.records(), interfaceName="come7") == 300


def test_selection(lab):
    """A filter, VLANs and a direction, in the kernel."""
    cases = {"filter": ("-f", "udp and greater 500 and not vlan"), "vlan": ("--vlan", "100-4000"), "out": ("--direction", "out")}
    lives = {name: Live(lab, *words, name=name) for name, words in cases.items()}
    everything = Tcpdump(lab, lab.tap, "mon0", "all")
    framegen(lab, 3000, pps=6000)
    everything.wait_count(3000)
    everything.stop()
    count = {"filter": int(run(["tcpdump", "--count", "-r", everything.path, "udp and greater 500 and not vlan"]).stdout.split()[0])}
    assert count["filter"] > 50
    lives["filter"].wait_in(count["filter"])
    for name, live in lives.items():
        ledger = live.finish()
        seen = ledger["interfaces"][0]["stages"]["ring"]["in"]
        assert name not in count or seen == count[name]
        assert name != "out" or seen == 0
    tagged = [r for r in lives["vlan"].records() if r]
    assert tagged and all(100 <= int(r["dot1qVlanId"]) <= 4000 for r in tagged)


def test_status_for_people(lab):
    live = Live(lab)
    framegen(lab, 500, kinds="udp4")
    live.wait_in(500)
    told = run([farspan(), "status", live.called]).stdout.splitlines()
    assert told[0] == f"meter {live.called}" and told[1] == " mon0"
    words = [line.split() for line in told[2:]]
    assert words[0] == ["kernel", "ring", "500", "in", "500", "out"]
    assert words[2] == ["flows", "500", "in", "500", "out"]
    assert words[3][:2] == ["kept", "now"] and words[3][3] == "flows" and int(words[3][2]) > 0
    live.finish(signal.SIGTERM)
    assert f"meter {live.called}" in live.proc.err()


def test_two_processes(lab):
    """The process that reads packets has no privileges, and the other keeps what it takes to open rings and to end it."""
    live = Live(lab)
    held = []
    for pid in live.proc.tree():
        with open(f"/proc/{pid}/status") as text:
            held += [int(line.split()[1], 16) for line in text if line.startswith("CapEff")]
    assert sorted(held) == [0, 1 << 5 | 1 << 12 | 1 << 13 | 1 << 14], [hex(h) for h in held]
    live.finish()


def test_namespace(lab):
    live = Live(lab, "--netns", lab.tap, ns=lab.collector)
    framegen(lab, 300, kinds="udp4")
    live.wait_in(300)
    live.finish()
    assert packets(live.records()) == 300


@pytest.mark.parametrize("words, told", [
    (["-i", "mon0", "-r", "f"], "either interfaces or a file: -i or -r"),
    (["-r", "f", "--direction", "in"], "--netns, --direction, --vlan, -p and -B are for interfaces, not for a file"),
    (["-i", "mon0", "-i", "mon0"], "-i mon0 is given twice"),
    (["-i", "mon0", "--name", "a/b"], '--name "a/b": 1 to 32 letters, digits, dots, dashes and underscores'),
    (["-i", ""], '-i "" is no interface\'s name: 1 to 15 characters'),
    ([], "an interface or a capture file is needed: -i INTERFACE or -r FILE")])
def test_bad_lines(words, told):
    done = run([farspan(), "meter", *words, "--csv"], check=False)
    assert done.returncode == 2 and done.stderr.splitlines()[0] == f"farspan meter: {told}", done.stderr


def test_bad_interfaces(lab):
    """Nothing is left of a meter that could not begin: no file is made."""
    out = lab.folder / "none.csv"
    for words, told in ((["-i", "none0"], 'no interface "none0": choose from'), (["-i", "mon0", "-f", "udp port ("], "filter"),
                        (["-i", "mon0", "--netns", "nobody"], "--netns nobody: there is no such namespace")):
        proc = lab.start([farspan(), "meter", *words, f"--csv={out}"], "bad", lab.tap)
        assert proc.wait(10) == 1 and told in proc.err() and len(proc.err().splitlines()) == 1, proc
        assert not out.exists()


def test_records_of_another_meter_count(lab):
    """A meter leaves out the datagrams of its own records, and no others: they are packets like any."""
    lab.socket(lab.tap).bind(("127.0.0.1", 2055))
    first = Live(lab, "--netflow9", "127.0.0.1", "--idle", "1s", interfaces=("lo",), name="first")
    second = Live(lab, "--idle", "1s", interfaces=("lo",), name="second")
    sender = lab.socket(lab.tap)
    lab.socket(lab.tap).bind(("127.0.0.1", 5000))
    for _ in range(10):
        sender.sendto(bytes(40), ("127.0.0.1", 5000))
    wait_until(lambda: packets(second.records(), destinationTransportPort=2055) > 0, 10, "records of the other's datagrams")
    first.finish(), second.finish()
    assert packets(first.records(), destinationTransportPort=5000) == packets(second.records(), destinationTransportPort=5000) == 10
    assert packets(first.records(), destinationTransportPort=2055) == 0


def test_a_reader_that_waits(lab):
    """Records go into a pipe that nobody reads for a while: the meter goes on, and they are all there when somebody does."""
    called = own_name("pipe")
    argv = [farspan(), "meter", "-i", "mon0", "--json", "--idle", "1s", "--name", called]
    proc = lab.start(argv, "pipe", lab.tap, stdout=subprocess.PIPE)
    proc.wait_line("listening on mon0")
    framegen(lab, 4000, kinds="udp4", pps=4000)

    def counted():
        told = status(called)
        return told["exports"][0] if told["flows_now"] == 0 and told["interfaces"][0]["stages"]["meter"]["out"] == 4000 else None

    export = wait_until(counted, 15, "all packets in records")
    assert 0 < export["out"] < export["in"], "the pipe took all of them"
    proc.send(signal.SIGINT)
    lines = proc.popen.stdout.read().splitlines()
    assert proc.wait(15) == 0
    assert len(lines) == export["in"] and sum(json.loads(line)["packetDeltaCount"] for line in lines) == 4000
