# SPDX-License-Identifier: Apache-2.0
"""`farspan collector --ipfix`: flow records of the frames of taps, each interface an observation domain of its own. The judges are
the meter of files over what tcpdump captured at the tap, a reader of IPFIX in Python, and tshark."""

import collections
import ipaddress
import json
import signal
import socket
import time

from lib.collectors import Shark
from lib.farspan import Collector, Tap, assert_balanced, assert_stage, farspan, one, status
from lib.ipfix import Reader
from lib.packets import ethernet, ipv4, udp
from lib.proc import run, wait_until
from lib.tools import Tcpdump, framegen

START, END, REASON = 152, 153, 136


def number(data):
    return int.from_bytes(data, "big")


def totals(records):
    """Packets and bytes of each flow, over all its records."""
    found = collections.defaultdict(lambda: [0, 0])
    for r in records:
        found[r["key"]][0] += r["packets"]
        found[r["key"]][1] += r["bytes"]
    return dict(found)


def of_ipfix(path, interface=None):
    """The records of an IPFIX file, of one interface or of all."""
    read = Reader(path)
    found = []
    for r, domain in zip(read.records, read.domains):
        addresses = [str(ipaddress.ip_address(r[a] if a in r else r[b])) for a, b in ((8, 27), (12, 28))]
        icmp = 32 if 32 in r else 139
        key = (*addresses, number(r[7]), number(r[11]), number(r[4]), number(r[icmp]), number(r[243]), number(r[245]))
        name = read.names[number(r[10])].decode()
        assert domain == number(r[10]), r
        if interface in (None, name):
            found.append({"key": key, "packets": number(r[2]), "bytes": number(r[1]), "interface": name, "start": number(r[START]),
                          "end": number(r[END]), "reason": number(r[REASON])})
    return found


def of_file(lab, capture):
    """The same of a capture file, by the meter of files."""
    out = lab.folder / f"{capture.stem}.ipfix"
    run([farspan(), "meter", "-r", capture, f"--ipfix=file:{out}"])
    return totals(of_ipfix(out))


def assert_records(ledger, records):
    for export in ledger["meter"]["exports"]:
        assert_stage(export["name"], export)
        assert export["in"] == export["out"] == len(records), export


def test_domain_of_each_interface(make_lab):
    """Two taps of two interfaces: each one's packets are in records of its own domain, which has its name."""
    lab = make_lab(taps=2, monitored=2)
    out = lab.folder / "records.ipfix"
    collector = Collector(lab, f"--ipfix=file:{out}", "--idle", "2s", device=None)
    taps, beside = [], {}
    for i, ns in enumerate(lab.taps):
        taps.append(Tap(lab, interfaces=("mon0", "mon1"), to=f"10.77.{i}.2:1234", ns=ns, name=f"tap{i}"))
        for dev in ("mon0", "mon1"):
            beside[f"tap{i}:{dev}"] = Tcpdump(lab, ns, dev, f"beside-{i}-{dev}")
    for i, peer in enumerate(lab.peers):
        for dev in ("peer0", "peer1"):
            lab.numbers = 0  # the same frames on each
            framegen(lab, 1500 + 100 * i, ns=peer, dev=dev, pps=6000)
    for capture in beside.values():
        capture.wait_count(1500)
        capture.wait_quiet()
        capture.stop()
    mine = [tap.finish() for tap in taps]
    ledger = collector.finish()
    for tap in mine:
        assert_balanced(tap, ledger)
    records = of_ipfix(out)
    assert {r["interface"] for r in records} == set(beside)
    for name, capture in beside.items():
        assert totals(of_ipfix(out, name)) == of_file(lab, capture.path), name
    assert_records(ledger, records)
    metered = sum(one(i["outputs"])["out"] for tap in ledger["taps"] for i in tap["interfaces"])
    assert sum(r["packets"] for r in records) == metered > 4000
    assert one(ledger["outputs"])["kind"] == "meter"


def test_records_leave_while_it_runs(lab):
    """A flow that has become idle leaves within some seconds, by the reports of its tap; datagrams tell it to a collector of others."""
    lab.socket(lab.collector).bind(("127.0.0.1", 4739))
    shark = Shark(lab, "udp", 4739)
    collector = Collector(lab, "--ipfix", "127.0.0.1", "--idle", "2s", device=None)
    tap = Tap(lab)
    framegen(lab, 60, kinds="udp4", pps=1000)

    def there():
        meter = status(f"collector-{1234}")["meter"]
        return one(meter["exports"])["out"] if meter["flows_now"] == 0 else 0

    wait_until(there, 8, "all records")
    tap.finish()
    sent = one(collector.finish()["meter"]["exports"])["out"]
    assert shark.stop().sums()[:2] == (sent, 60)


def test_outage_splits_no_flow(lab):
    """While the link is away for longer than a flow may be idle, the tap keeps frames, with their times; they are of one record."""
    out = lab.folder / "records.ipfix"
    collector = Collector(lab, f"--ipfix=file:{out}", "--idle", "4s", "--active", "0", device=None)
    tap = Tap(lab, "--backlog", "16M")
    frame = ethernet(ipv4(17, bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]), udp(7, 9, b"")))
    sock = lab.socket(lab.peer, socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind(("peer0", 0))
    sent = 0

    def send(seconds):
        nonlocal sent
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            sent += sock.send(frame) > 0
            time.sleep(0.05)

    send(1.5)
    lab.ip(lab.collector, "link", "set", "link0", "down")
    send(9)
    lab.ip(lab.collector, "link", "set", "link0", "up")
    send(4)
    tap.wait_up(2)
    tap.finish()
    received = one(one(collector.finish()["taps"])["interfaces"])["stages"]["link_rx"]
    assert sent - 60 < received["out"] <= sent  # the others were lost before the tap knew
    records = of_ipfix(out)
    assert len(records) == 1, records
    record = records[0]
    assert record["packets"] == received["out"]
    assert 14_000 < record["end"] - record["start"] < 17_000


def test_tap_that_goes(lab):
    """Flows of a tap that has ended leave when they are idle, as it could come back; a collector away is counted and holds nothing up."""
    out = lab.folder / "records.ipfix"
    collector = Collector(lab, f"--ipfix=file:{out}", "--ipfix", "tcp:127.0.0.1:9", "--idle", "2s", device=None)
    tap = Tap(lab)
    framegen(lab, 300, kinds="udp4")
    tap.finish()
    wait_until(lambda: status("collector-1234")["meter"]["flows_now"] == 0, 8, "no flow is kept")
    ledger = collector.finish(signal.SIGTERM)
    to_file, to_nobody = ledger["meter"]["exports"]
    records = of_ipfix(out)
    assert sum(r["packets"] for r in records) == 300 and {r["reason"] for r in records} == {1}
    assert to_file["out"] == to_nobody["in"] == to_nobody["drops"]["collector_away"] + to_nobody["drops"]["collector_slow"] == len(records)
    assert json.dumps(ledger)
