# SPDX-License-Identifier: Apache-2.0
"""Flow records over the network. The judges are the collectors of others (lib/collectors.py), and a plain meter (lib/flows.py), which
knows what the test has put into the file: each must have its packets, bytes and records."""

import collections
import json
import re
import signal
import struct
import time

import pytest

from lib.collectors import Nfacctd, Nfcapd, Shark, Stored, address, in_ns, ipfix_dump, sockets, until_bound
from lib.farspan import farspan, own_name
from lib.flows import Meter, letters, make
from lib.proc import run, wait_until
from lib.tools import framegen, start_framegen
from test_addresses import name_of_the_collector

MACS = bytes.fromhex("020000000002020000000001")
PORTS = {"netflow5": 2055, "netflow9": 2055, "ipfix": 4739}


def write(path, packets):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))
        for p in packets:
            frame = MACS + p.around + p.packet
            frame += b"\xee" * (60 - len(frame))
            f.write(struct.pack("<IIII", p.ts // 10**9, p.ts % 10**9, len(frame), len(frame)) + frame)


def records_of(packets):
    """The plain meter's, one by one: (source, port, target, port, protocol, packets, bytes, flags, type of service, ms, ms, VLAN)."""
    plain = Meter(15_000, 60_000)
    for p in packets:
        if not p.reason:
            plain.add(p)
    return list(plain.finish().elements())


def carried(records, form):
    return [r for r in records if form != "netflow5" or ":" not in r[0]]


def sums(records):
    return len(records), sum(r[5] for r in records), sum(r[6] for r in records)


def assert_sums(ledger):
    for one in ledger["exports"]:
        assert one["in"] == one["out"] + sum(one["drops"].values()) and one["in_flight"] == 0, one


def meter(ns, source, *words, status=0, timeout=60):
    """The ledger, and for how long it ran. The status is 1 where records were not sent."""
    begin = time.monotonic()
    done = in_ns(ns, farspan(), "meter", "-r", source, "--ledger", *words, check=False, timeout=timeout)
    assert done.returncode == status, done.stderr
    ledger = json.loads(done.stdout)
    assert_sums(ledger)
    return ledger, time.monotonic() - begin


@pytest.fixture
def lab(make_lab):
    return make_lab(taps=0)


@pytest.fixture
def traffic(lab):
    packets = make(31, 6000)
    write(lab.folder / "a.pcap", packets)
    return lab.folder / "a.pcap", records_of(packets), packets


def assert_sent(ledger, records, form):
    one, = ledger["exports"]
    can = carried(records, form)
    assert one["kind"] == form
    assert (one["in"], one["out"], one["drops"]["cannot_carry"]) == (len(records), len(can), len(records) - len(can)), one


@pytest.mark.parametrize("form", PORTS)
def test_nfcapd(lab, traffic, form):
    """Every record, with its ends, figures, flags, and times in whole seconds, which are all that this version of nfdump tells. It takes
    ports of SCTP for ICMP's in IPFIX, and knows no element of VLANs there."""
    source, records, _ = traffic
    judge = Nfcapd(lab, PORTS[form])
    ledger, _ = meter(lab.collector, source, f"--{form}", "127.0.0.1")
    assert_sent(ledger, records, form)
    found = collections.Counter(
        (address(r["sa"]), int(r["sp"]), address(r["da"]), int(r["dp"]), int(r["ipkt"]), int(r["ibyt"]), r["flg"][-6:], int(r["stos"]),
         r["ts"], r["te"], int(r["svln"])) for r in judge.stop().rows())

    def second(ms):
        return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(ms // 1000))

    want = collections.Counter(
        (r[0], r[1], r[2], 0 if form == "ipfix" and r[4] == 132 else r[3], r[5], r[6], letters(r[7]), r[8], second(r[9]), second(r[10]), r[11] if form != "netflow5" else 0)
        for r in carried(records, form))
    assert found == want, (list((found - want).items())[:3], list((want - found).items())[:3])
    assert "Sequence Errors: 0, Bad Packets: 0" in judge.said(), judge.said()


@pytest.mark.parametrize("form", PORTS)
def test_nfacctd(lab, traffic, form):
    source, records, _ = traffic
    judge = Nfacctd(lab, PORTS[form])
    meter(lab.collector, source, f"--{form}", "127.0.0.1")
    want, found = collections.Counter(), collections.Counter()
    for r in carried(records, form):
        key = r[0], r[2], r[8], r[11] if form != "netflow5" else 0
        want.update({(*key, "packets"): r[5], (*key, "bytes"): r[6], (*key, "flows"): 1})
    for line in judge.records(len(carried(records, form))):
        key = address(line["ip_src"]), address(line["ip_dst"]), line["tos"], line["vlan"]
        found.update({(*key, what): line[what] for what in ("packets", "bytes", "flows")})
    assert "malformed" not in judge.proc.out() + judge.proc.err()
    assert found == want, (list((found - want).items())[:3], list((want - found).items())[:3])


@pytest.mark.parametrize("form", [*PORTS, "tcp"])
def test_tshark(lab, traffic, form):
    """On the wire: datagrams of 1400 bytes at most, and each sequence goes on where the one before ended."""
    source, records, _ = traffic
    wire = Shark(lab, "tcp" if form == "tcp" else "udp", PORTS.get(form, 4739))
    if form == "tcp":
        judge = Stored(lab)
        meter(lab.collector, source, "--ipfix", "tcp:127.0.0.1")
        judge.proc.wait(20)
    else:
        lab.socket(lab.collector).bind(("127.0.0.1", PORTS[form]))
        meter(lab.collector, source, f"--{form}", "127.0.0.1")
        assert all(int(row[0][0]) <= 1408 for row in wire.stop().rows("udp.length"))
    found = (wire if form != "tcp" else wire.stop()).sums()
    assert found == sums(carried(records, "ipfix" if form == "tcp" else form))


def test_ipfix_over_a_connection(lab, traffic):
    """ipfixDump: the records, names of interfaces, and what the meter says of itself."""
    source, records, packets = traffic
    judge = Stored(lab)
    ledger, _ = meter(lab.collector, source, "--ipfix", "tcp:127.0.0.1")
    assert_sent(ledger, records, "ipfix")
    found, options = judge.dumped()
    assert sums(records) == (len(found), sum(int(r["packetDeltaCount"]) for r in found), sum(int(r["octetDeltaCount"]) for r in found))
    assert options["interfaceName"] == "if0"
    assert int(options["exportedFlowRecordTotalCount"]) == len(records)
    assert int(options["ignoredPacketTotalCount"]) == sum(p.reason == "bad_ip" for p in packets) > 0
    assert int(options["ignoredOctetTotalCount"]) == sum(max(60, 12 + len(p.around + p.packet)) for p in packets if p.reason == "bad_ip")
    assert int(options["notSentFlowTotalCount"]) == 0
    assert int(options["exportedMessageTotalCount"]) > 100 and int(options["exportedOctetTotalCount"]) <= judge.path.stat().st_size


def test_both_directions_in_one(lab, traffic):
    """--biflow: one record for each flow in IPFIX, also to a collector; NetFlow 9, beside it, has one for each direction."""
    source, records, _ = traffic
    nf, stored = Nfcapd(lab, 2055), Stored(lab)
    ledger, _ = meter(lab.collector, source, "--biflow", "--ipfix", "tcp:127.0.0.1", "--netflow9", "127.0.0.1")
    found, _ = stored.dumped()
    packets, size = (sum(int(r[f"{name}DeltaCount"]) + int(r[f"reverse{name[0].upper()}{name[1:]}DeltaCount"]) for r in found)
                     for name in ("packet", "octet"))
    assert (packets, size) == sums(records)[1:] and len(found) < len(records)
    assert len(nf.stop().rows()) == len(records)
    assert [one["out"] for one in ledger["exports"]] == [len(found), len(records)]


def test_all_at_once(lab, traffic):
    """Eight places: each has all that it can carry."""
    source, records, _ = traffic
    nf, stored = Nfcapd(lab, 2055), Stored(lab)
    words = ["--netflow9", "127.0.0.1", "--ipfix", "tcp:127.0.0.1:4739", f"--csv={lab.folder / 'a.csv'}", f"--json={lab.folder / 'json'}",
             "--ipfix", f"file:{lab.folder / 'a.ipfix'}", "--netflow5", "127.0.0.1:9", "--netflow5", "127.0.0.1:7", "--ipfix", "127.0.0.1:9"]
    ledger, _ = meter(lab.collector, source, *words, status=1)
    assert len(ledger["exports"]) == 8
    by_name = {one["name"]: one for one in ledger["exports"]}
    assert len(nf.stop().rows()) == by_name["127.0.0.1:2055"]["out"] == len(records)
    assert len(stored.dumped()[0]) == len(ipfix_dump(lab.folder / "a.ipfix")[0]) == len(records)
    assert by_name["127.0.0.1:7"]["drops"]["collector_away"] > 0


@pytest.mark.parametrize("words", [("--netflow5", "127.0.0.1"), ("--netflow9", "127.0.0.1"), ("--ipfix", "127.0.0.1"),
                                   ("--ipfix", "tcp:127.0.0.1")])
def test_a_collector_that_is_not_there(lab, traffic, words):
    """It is told, in the ledger; the meter goes on, and is soon at its end. A kernel refuses only some of many datagrams."""
    source, records, _ = traffic
    ledger, took = meter(lab.collector, source, *words, status=1)
    one, = ledger["exports"]
    can = len(carried(records, words[0][2:]))
    assert one["drops"]["collector_away"] + one["out"] == can and one["drops"]["collector_away"] > 28
    assert one["out"] == 0 or words[1] == "127.0.0.1"
    assert took < 4


def many_flows(path, n):
    """n flows of a packet each, in a second of packet time."""
    frame = MACS + bytes.fromhex("0800") + bytes.fromhex("4500001c000100004011000000000000000000000000000000080000")
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for i in range(n):
            head = bytearray(frame)
            head[26:34] = struct.pack("!II", 0x0A000000 + i, 0x0B000001)
            f.write(struct.pack("<IIII", 1_700_000_000 + i * 1000 // n // 1000, i * 1_000_000 // n, len(head), len(head)) + head)


def start(lab, source, *words):
    argv = [farspan(), "meter", "-r", source, "--ledger", *words]
    return lab.start(argv, "meter", lab.collector)


def ended(proc, seconds=30, file=True):
    """The counts of its one exporter. It fails where records of a file were not sent."""
    status = proc.wait(seconds)
    ledger = json.loads(proc.out())
    assert_sums(ledger)
    one, = ledger["exports"]
    lost = one["drops"]["collector_away"] + one["drops"]["collector_slow"]
    assert status == (1 if file and lost else 0) and ("records were not sent" in proc.err()) == bool(status), proc
    return one


def test_a_connection_that_comes_back(lab):
    """While a paced export goes on the collector is killed, and one that knows no template comes in its place."""
    n, rate = 60000, 6000
    many_flows(lab.folder / "a.pcap", n)
    first = Stored(lab, "first")
    proc = start(lab, lab.folder / "a.pcap", "--ipfix", "tcp:127.0.0.1", "--export-rate", str(rate))
    wait_until(lambda: first.path.exists() and first.path.stat().st_size > 100_000, 20, "records at the first one")
    first.proc.kill()
    time_away = time.monotonic()
    second = Stored(lab, "second")
    wait_until(lambda: second.path.exists() and second.path.stat().st_size > 50_000, 20, "records at the second one")
    assert time.monotonic() - time_away < 10
    one = ended(proc)
    found, options = second.dumped()
    assert options["interfaceName"] == "if0"
    before = sum(len(ipfix_whole(part)) > 0 for part in [first.path])
    assert before and len(found) > n // 10
    assert one["in"] == n and len(found) <= one["out"]
    assert int(options["notSentFlowTotalCount"]) == one["drops"]["collector_away"] + one["drops"]["collector_slow"]


def ipfix_whole(path):
    """The whole messages of a file whose end may be torn."""
    data, at, found = path.read_bytes(), 0, []
    while at + 4 <= len(data):
        length = struct.unpack_from("!H", data, at + 2)[0]
        if at + length <= len(data):
            found.append(data[at:at + length])
        at += length
    return found


def test_datagrams_to_a_collector_that_comes_back(lab):
    """Datagrams of meanwhile are refused and count; afterwards it reads records again, as templates come again."""
    n, rate = 60000, 6000
    many_flows(lab.folder / "a.pcap", n)
    first = Nfcapd(lab, 2055, "first")
    proc = start(lab, lab.folder / "a.pcap", "--netflow9", "127.0.0.1", "--export-rate", str(rate))
    wait_until(lambda: "New v9 exporter" in first.said(), 10, "a template at the first one")
    first.proc.kill()
    second = Nfcapd(lab, 2055, "second")
    one = ended(proc)
    found = second.stop().rows()
    assert len(found) > n // 10
    assert one["in"] == n and 0 < one["drops"]["collector_away"] < n // 2, one
    assert one["out"] >= len(found)


def test_a_slow_connection(lab):
    """A collector that is stopped: the meter of a file waits for it, and ends on a signal, all the same within ten seconds."""
    n = 700_000
    many_flows(lab.folder / "a.pcap", n)
    judge = Stored(lab)
    judge.proc.send(signal.SIGSTOP)
    proc = start(lab, lab.folder / "a.pcap", "--ipfix", "tcp:127.0.0.1", "--flows", "1000")
    time.sleep(3)
    assert proc.running(), proc
    begin = time.monotonic()
    proc.send(signal.SIGINT)
    one = ended(proc, 15)
    assert time.monotonic() - begin < 11
    assert 0 < one["drops"]["collector_slow"] and one["in"] < n and one["out"] > 1000, one


def test_a_slow_connection_that_goes_on(lab):
    """It is stopped for a while: nothing is lost, as the meter of a file waits."""
    n = 700_000
    many_flows(lab.folder / "a.pcap", n)
    judge = Stored(lab)
    judge.proc.send(signal.SIGSTOP)
    proc = start(lab, lab.folder / "a.pcap", "--ipfix", "tcp:127.0.0.1", "--flows", "1000")
    time.sleep(2)
    judge.proc.send(signal.SIGCONT)
    one = ended(proc)
    assert one["in"] == one["out"] == n
    judge.proc.wait(20)
    assert sum(len(m) > 400 for m in ipfix_whole(judge.path)) >= n // 18


def test_the_pace(lab):
    """50,000 records a second in datagrams from a file, evenly; --export-rate says otherwise."""
    n = 60000
    many_flows(lab.folder / "a.pcap", n)
    judge = Nfcapd(lab, 2055)
    wire = Shark(lab, "udp", 2055)
    ledger, took = meter(lab.collector, lab.folder / "a.pcap", "--netflow5", "127.0.0.1")
    assert ledger["exports"][0]["out"] == n and took > 1.1
    times = [float(row[0][0]) for row in wire.stop().rows("frame.time_epoch")]
    assert len(times) == -(-n // 28)
    for begin, end in zip(times, times[40:]):  # 1120 records: 22.4 ms, of which a pause may give back 10
        assert end - begin > 0.009
    assert len(judge.stop().rows()) == n
    _, took = meter(lab.collector, lab.folder / "a.pcap", "--netflow5", "127.0.0.1:9", "--export-rate", "0", status=1)
    assert took < 1.1


def test_many_days(lab):
    """Times are right on both sides of 49 days, where 32 bits of milliseconds would wrap."""
    day = 86400 * 10**9
    packets = [p for p in make(5, 40) if not p.reason and p.packet[0] >> 4 == 4 and p.proto == 17][:5]
    whole = []
    for i in range(30):
        for p in packets:
            whole.append(type(p)(**{**p.__dict__, "ts": p.ts + i * 7 * day}))
    write(lab.folder / "a.pcap", whole)
    for form in ("netflow5", "netflow9"):
        judge = Nfcapd(lab, PORTS[form], form)
        meter(lab.collector, lab.folder / "a.pcap", f"--{form}", "127.0.0.1")
        want = collections.Counter(r[9] // 1000 for r in records_of(whole))
        found = collections.Counter(
            int(time.mktime(time.strptime(r["ts"], "%Y-%m-%d %H:%M:%S"))) - time.timezone for r in judge.stop().rows())
        assert found == want


@pytest.mark.parametrize("words, said", [
    (["--netflow5", "a:b:c"], "--netflow5"), (["--netflow9", "::1"], "--netflow9"), (["--netflow9", "tcp:a"], "port"),
    (["--ipfix", "tcp:"], "--ipfix"), (["--ipfix", "10.0.0.1:0"], "port"), (["--ipfix", "file:"], "file:PATH"),
    (["--ipfix", "file:a", "--ipfix", "file:b"], "only one file"), (["--netflow5", "a", "--export-rate", "7"], "--export-rate"),
    (["--netflow5", "a", "--export-rate", "fast"], "--export-rate"), (["--netflow5", "a"] * 9, "8 places"),
    (["--netflow5", "a"] * 8 + ["--csv"], "8 places")])
def test_wrong_command_lines(words, said):
    done = run([farspan(), "meter", "-r", "x", *words], check=False)
    assert done.returncode == 2 and said in done.stderr and len(done.stderr.splitlines()) == 2, done.stderr


def test_a_name_that_is_none(lab, traffic):
    done = in_ns(lab.collector, farspan(), "meter", "-r", traffic[0], "--ipfix", "no-such-host.invalid", f"--csv={lab.folder / 'x'}", check=False)
    assert done.returncode == 1 and re.search(r'cannot resolve "no-such-host.invalid"', done.stderr), done.stderr
    assert not (lab.folder / "x").exists() and len(done.stderr.splitlines()) == 1


def test_ipv6(lab, traffic):
    """A collector that is named by an IPv6 address."""
    source, records, _ = traffic
    in_ns(lab.collector, "sysctl", "-q", "net.ipv6.conf.lo.disable_ipv6=0")
    judge = lab.start(["socat", "-u", "TCP6-LISTEN:4739,reuseaddr", f"OPEN:{lab.folder / 'six.ipfix'},creat"], "six", lab.collector)
    until_bound(lab.collector, "tcp", 4739)
    meter(lab.collector, source, "--ipfix", "tcp:[::1]:4739")
    judge.wait(20)
    assert len(ipfix_dump(lab.folder / "six.ipfix")[0]) == len(records)


def live(lab, interface, *words):
    """A running meter of an interface of the tap's host; its collector is on the loopback interface there."""
    name = own_name("meter")
    proc = lab.start([farspan(), "meter", "-i", interface, "--ledger", "--name", name, "--idle", "1s", *words], "meter", lab.tap)
    wait_until(lambda: proc.running() and run([farspan(), "status", name], check=False).returncode == 0, 10, f"a status of {proc}")
    return proc


def test_live_a_connection_that_comes_back(make_lab):
    """Another collector, which knows no template, reads records within seconds; the counts of the meter and of both are one."""
    lab = make_lab()
    first = Stored(lab, "first", ns=lab.tap)
    proc = live(lab, "mon0", "--ipfix", "tcp:127.0.0.1", "--active", "1s")
    frames = start_framegen(lab, 1_000_000, 1000)
    wait_until(lambda: first.path.exists() and first.path.stat().st_size > 10_000, 20, "records at the first one")
    first.proc.kill()
    time.sleep(2.5)  # the meter asks for another connection in vain
    begin = time.monotonic()
    second = Stored(lab, "second", ns=lab.tap)
    wait_until(lambda: second.path.exists() and second.path.stat().st_size > 10_000, 20, "records at the second one")
    assert time.monotonic() - begin < 10
    frames.stop()
    proc.send(signal.SIGINT)
    one = ended(proc, file=False)
    found, options = second.dumped()
    assert len(found) > 50 and options["interfaceName"] == "mon0"
    assert int(options["exportedFlowRecordTotalCount"]) == one["out"]
    assert int(options["notSentFlowTotalCount"]) == one["drops"]["collector_away"]


def test_live_a_name_that_leads_elsewhere(make_lab):
    """Nobody listens any more where the collector's name led: it is looked up again, and records go to where it leads now."""
    lab = make_lab()
    name_of_the_collector(lab, "127.0.0.1")
    proc = live(lab, "mon0", "--netflow9", "collector.test", "--active", "1s")
    frames = start_framegen(lab, 1_000_000, 500)
    time.sleep(2)
    there = Nfcapd(lab, 2055, "there", ns=lab.tap, address="127.0.0.2")
    name_of_the_collector(lab, "127.0.0.2")
    wait_until(lambda: "New v9 exporter" in there.said(), 20, "a template at the other address")
    time.sleep(2)
    frames.stop()
    proc.send(signal.SIGINT)
    one = ended(proc, file=False)
    assert one["drops"]["collector_away"] > 0 and one["out"] > 50, one
    assert len(there.stop().rows()) > 50


def test_live_a_slow_connection(make_lab):
    """A collector that is stopped holds up neither the meter nor another collector: what its queue cannot take is counted."""
    lab = make_lab()
    n = 400_000
    stopped, other = Stored(lab, "stopped", ns=lab.tap), Nfcapd(lab, 2055, "other", ns=lab.tap)
    stopped.proc.send(signal.SIGSTOP)
    proc = live(lab, "mon0", "--ipfix", "tcp:127.0.0.1", "--netflow9", "127.0.0.1", "--flows", "1000")
    framegen(lab, n, kinds="udp4", pps=40_000)
    ledger = {}

    def slow():
        view = json.loads(run([farspan(), "status", own_name("meter"), "--json"]).stdout)[0]
        ledger.update(view)
        return view["exports"][0]["drops"]["collector_slow"] > 0

    wait_until(slow, 20, "records that are dropped")
    begin = time.monotonic()
    proc.send(signal.SIGINT)
    proc.wait(20)
    assert time.monotonic() - begin < 12
    done = json.loads(proc.out())
    assert_sums(done)
    way = done["interfaces"][0]["stages"]
    assert way["meter"]["out"] == way["ring"]["in"] == n
    tcp, udp = done["exports"]
    assert tcp["drops"]["collector_slow"] > 0 and tcp["in"] == udp["in"]
    assert udp["out"] == udp["in"]
    assert sum(int(row["ipkt"]) for row in other.stop().rows()) > n * 9 // 10  # nfcapd may lose datagrams itself


@pytest.mark.parametrize("form", PORTS)
def test_a_meter_of_its_own_exports(make_lab, form):
    """On the interface over which the records go: they are in none, and all else is."""
    lab = make_lab()
    judge = Nfcapd(lab, PORTS[form], ns=lab.tap)
    proc = live(lab, "lo", f"--{form}", "127.0.0.1")
    target, source = lab.socket(lab.tap), lab.socket(lab.tap)
    target.bind(("127.0.0.1", 5000))
    for k in range(60):
        source.sendto(bytes(40), ("127.0.0.1", 5000))
        time.sleep(0.05 if k % 20 else 1.2)  # several records, each of which might be metered
    wait_until(lambda: sockets(lab.tap, "udp", 5000)[0][1] > 0, 5, "datagrams")
    time.sleep(1.5)
    proc.send(signal.SIGINT)
    one = ended(proc, file=False)
    rows = judge.stop().rows()
    assert {(r["sa"], int(r["dp"])) for r in rows} == {("127.0.0.1", 5000)}, rows
    assert sum(int(r["ipkt"]) for r in rows) == 60 and sum(int(r["ibyt"]) for r in rows) == 60 * 68
    assert one["out"] == one["in"] == len(rows) >= 3
