# SPDX-License-Identifier: Apache-2.0
"""`farspan meter --sample` and `--scale`: records of a sample of packets, or of flows. The judges are the records without one, the test's
own counts, and collectors of others, which read what is declared."""

import collections
import json
import signal
import socket
import struct

import pytest

from lib.collectors import Nfacctd, Nfcapd, Shark, Stored, in_ns
from lib.farspan import Collector, Tap, assert_balanced, assert_chain, assert_stage, farspan, one, own_name, status
from lib.flows import make
from lib.ipfix import Reader
from lib.meter import MACS, framed, meter, read_json, write
from lib.packets import ethernet, ipv4, udp
from lib.proc import run, wait_until
from lib.tools import framegen
from lib.tunnels import enclose


def numbered(path, n):
    """n flows of a packet each, whose source is its number, a millisecond apart."""
    frames = []
    for i in range(n):
        packet = ipv4(17, struct.pack("!I", 0x0A000000 + i), b"\x0b\0\0\1", udp(7, 9, bytes(18)))
        frames.append((1_700_000_000 * 10**9 + i * 10**6, MACS + b"\x08\0" + packet))
    write(path, frames, "ns")


def number_of(record):
    source = record[0].split(".")
    return int(source[1]) << 16 | int(source[2]) << 8 | int(source[3])


def records(folder, source, *words, name="json"):
    """The records by JSON, and the ledger, which is balanced."""
    out = folder / name
    out.unlink(missing_ok=True)
    done = run([farspan(), "meter", "-r", source, f"--json={out}", "--ledger", *words])
    ledger = json.loads(done.stdout)
    assert_chain("file", ledger["stages"])
    for export in ledger["exports"]:
        assert_stage(export["name"], export)
    return read_json(out), ledger


def sums(found):
    return sum(r[5] * n for r, n in found.items()), sum(r[6] * n for r, n in found.items())


def times(found, n):
    return collections.Counter({(*r[:5], r[5] * n, r[6] * n, *r[7:]): k for r, k in found.items()})


@pytest.mark.parametrize("word", ["7", "packet:7"])
def test_one_packet_in_n(folder, word):
    """One of each seven, at places that are not always the same."""
    numbered(folder / "a.pcap", 3500)
    found, ledger = records(folder, folder / "a.pcap", "--sample", word)
    assert list(ledger["stages"]) == ["file", "stages", "meter"]
    stage = ledger["stages"]["stages"]
    assert (stage["in"], stage["out"], stage["drops"]["sampled"]) == (3500, 500, 3000), stage
    taken = sorted(number_of(r) for r in found)
    assert [i // 7 for i in taken] == list(range(500))
    assert {i % 7 for i in taken} == set(range(7))


def test_a_file_gives_the_same_sample(folder):
    """In each run, at any speed, whatever its form is: the same bytes."""
    write(folder / "a.pcap", [(p.ts, framed(p)) for p in make(41, 5000)])
    for word in ("5", "flow:3"):
        for name in ("a", "b"):
            meter(folder / "a.pcap", folder / f"{name}.{word}", "--sample", word)
        slow = f"(head -c 90001 {folder / 'a.pcap'}; sleep 0.7; tail -c +90002 {folder / 'a.pcap'})"
        run(["sh", "-c", f"{slow} | {farspan()} meter -r - --csv={folder / f'c.{word}'} --sample {word}"])
        whole, *others = ((folder / f"{name}.{word}").read_bytes() for name in "abc")
        assert others == [whole, whole] and len(whole.splitlines()) > 100


def flow_of(record):
    """A record's flow as the sample knows it: without VLANs, and of ICMP without the type."""
    ports = (0, 0) if record[4] in (1, 58) else (record[1], record[3])
    return frozenset(((record[0], ports[0]), (record[2], ports[1]))), record[4]


def whole(packets):
    """Without fragments, which are flows of their own to a sample; an atomic one (IPv6) is none."""
    def is_part(p):
        four = p.packet[0] >> 4 == 4
        return (four or p.packet[6] == 44) and struct.unpack_from("!H", p.packet, 6 if four else 42)[0] & (0x3FFF if four else 0xFFF9)
    return [p for p in packets if not p.reason and not is_part(p)]


@pytest.mark.parametrize("link, tunnel", [("ethernet", "none"), ("raw", "none"), ("ethernet", "outer"), ("ethernet", "inner"), ("raw", "inner")])
def test_flows_are_whole(folder, link, tunnel):
    """Each record of a sample is one of those without it, and each flow has all of its records, both ways, or none."""
    packets = whole(make(42, 9000))
    if tunnel != "none":
        packets = whole(enclose(packets, 42)[0])
    frames = [(p.ts, framed(p) if link == "ethernet" else p.packet) for p in packets]
    write(folder / "a.pcap", frames, linktype=1 if link == "ethernet" else 101)
    words = ["--tunnel", "inner"] if tunnel == "inner" else []
    everything, _ = records(folder, folder / "a.pcap", *words)
    found, ledger = records(folder, folder / "a.pcap", "--sample", "flow:3", *words)
    kept = {flow_of(r) for r in found}
    assert found == collections.Counter({r: n for r, n in everything.items() if flow_of(r) in kept})
    flows = {flow_of(r) for r in everything}
    assert len(flows) / 6 < len(kept) < len(flows) / 2, (len(kept), len(flows))
    stage = ledger["stages"]["stages"]
    assert stage["out"] == sums(found)[0] and stage["in"] == len(frames) == stage["out"] + stage["drops"]["sampled"]


@pytest.mark.parametrize("word, n", [("4", 4), ("flow:3", 3), ("1", 1)])
def test_scale(folder, word, n):
    """Each record of a sample, N times: exactly, as the file gives the same sample again."""
    write(folder / "a.pcap", [(p.ts, framed(p)) for p in make(43, 6000)])
    plain, before = records(folder, folder / "a.pcap", "--sample", word)
    found, ledger = records(folder, folder / "a.pcap", "--sample", word, "--scale")
    assert found == times(plain, n)
    assert ledger["stages"] == before["stages"]
    assert sums(found)[0] == n * ledger["stages"]["meter"]["out"]
    assert n > 1 or found == records(folder, folder / "a.pcap")[0]


class Live:
    """A running meter of interfaces with a sample."""

    def __init__(self, lab, *words, interfaces=("mon0",)):
        self.out, self.called = lab.folder / "live.json", own_name("sample")
        argv = [farspan(), "meter", *(w for i in interfaces for w in ("-i", i)), f"--json={self.out}", "--ledger", "--name", self.called, *words]
        self.proc = lab.start(argv, "meter", lab.tap)
        for i in interfaces:
            self.proc.wait_line(f"listening on {i}")

    def stages(self):
        return {i["name"]: i["stages"] for i in status(self.called)["interfaces"]}

    def finish(self):
        assert self.proc.stop(signal.SIGINT, 20) == 0, self.proc
        ledger = json.loads(self.proc.out())
        for one in ledger["interfaces"]:
            assert list(one["stages"]) == ["ring", "select", "stages", "meter"]
            assert_chain(one["name"], one["stages"])
        return read_json(self.out), ledger


def test_packets_of_an_interface(lab):
    live = Live(lab, "--sample", "8", "--scale")
    framegen(lab, 4000, kinds="udp4")
    wait_until(lambda: live.stages()["mon0"]["stages"]["in"] == 4000, 20, "all frames in the sample")
    told = run([farspan(), "status", live.called]).stdout
    assert "left out of the sample" in told, told
    found, ledger = live.finish()
    stage = ledger["interfaces"][0]["stages"]["stages"]
    assert (stage["out"], stage["drops"]["sampled"]) == (500, 3500)
    assert sums(found)[0] == 4000


def test_flows_of_two_interfaces(make_lab):
    """Which flows are kept is the same on both, and another thing in the next run."""
    lab = make_lab(monitored=2)
    kept = []
    for _ in range(2):
        live = Live(lab, "--sample", "flow:2", interfaces=("mon0", "mon1"))
        for dev in ("peer0", "peer1"):
            with lab.socket(lab.peer, socket.AF_PACKET, socket.SOCK_RAW) as s:
                s.bind((dev, 0))
                for i in range(600):
                    s.send(ethernet(ipv4(17, b"\x0a\0\0\1", b"\x0a\0\0\2", udp(1000 + i // 3, 53, b"")), back=False))
        wait_until(lambda: [s["stages"]["in"] for s in live.stages().values()] == [600, 600], 20, "all frames in the sample")
        found, ledger = live.finish()
        lines = [json.loads(line) for line in live.out.read_text().splitlines()]
        live.out.unlink()
        assert {r[5] for r in found} == {3} and sums(found)[0] == sum(i["stages"]["meter"]["out"] for i in ledger["interfaces"])
        of = [{line["sourceTransportPort"] for line in lines if line["interfaceName"] == name} for name in ("mon0", "mon1")]
        assert of[0] == of[1] and 50 < len(of[0]) < 150
        kept.append(of[0])
    assert kept[0] != kept[1]


# ---- what collectors are told ----

PORTS = {"netflow5": 2055, "netflow9": 2055, "ipfix": 4739}
FIELDS = {"netflow5": ("cflow.samplingmode", "cflow.samplerate"),
          "netflow9": ("cflow.sampling_interval", "cflow.sampling_algorithm"),
          "ipfix": ("cflow.selector_id", "cflow.selector_algorithm", "cflow.sampling_packet_interval", "cflow.sampling_packet_space",
                    "cflow.sampling_size", "cflow.sampling_population")}


@pytest.fixture
def place(make_lab):
    """Only the collectors' namespace, with a file of IPv4."""
    lab = make_lab(taps=0)
    write(lab.folder / "a.pcap", [(p.ts, framed(p)) for p in make(44, 6000) if p.packet[0] >> 4 == 4])
    return lab


def sent(lab, *words):
    """The ledger of a meter whose records have all left."""
    done = in_ns(lab.collector, farspan(), "meter", "-r", lab.folder / "a.pcap", "--ledger", *words)
    ledger = json.loads(done.stdout)
    assert all(export["in"] == export["out"] for export in ledger["exports"]), ledger
    return ledger


def declared(lab, form, *words):
    """The values by tshark, in datagrams that have some."""
    wire = Shark(lab, "udp", PORTS[form])
    with lab.socket(lab.collector) as nobody_refuses:
        nobody_refuses.bind(("127.0.0.1", PORTS[form]))
        ledger = sent(lab, f"--{form}", "127.0.0.1", *words)
    rows = wire.stop().rows(*FIELDS[form])
    assert wire.sums()[1] == (ledger["stages"]["meter"]["out"] if "--scale" not in words else wire.sums()[1])
    return [tuple(int(cell[0]) for cell in row) for row in rows if all(row)]


@pytest.mark.parametrize("form, want", [("netflow5", (2, 10)), ("netflow9", (10, 2)), ("ipfix", (1, 3, 1, 9, 1, 10))])
def test_a_sample_is_declared(place, form, want):
    """In the fields that each form has for it, by tshark: a random one of ten."""
    found = declared(place, form, "--sample", "10")
    assert set(found) == {want} and (len(found) > 5 if form == "netflow5" else len(found) == 1), found


@pytest.mark.parametrize("words", [("--sample", "flow:10"), ("--sample", "10", "--scale"), ("--sample", "1"), ()])
@pytest.mark.parametrize("form", PORTS)
def test_nothing_is_declared(place, form, words):
    """Of flows, for which no form has words; of records that are multiplied already; and where there is no sample."""
    assert set(declared(place, form, *words)) <= {(0, 0)}


def test_a_number_that_netflow_5_cannot_tell(place):
    numbered(place.folder / "a.pcap", 40000)
    for n, want in (16383, (2, 16383)), (16384, (0, 0)):
        assert set(declared(place, "netflow5", "--sample", str(n))) == {want}


def test_nfcapd_multiplies(place):
    """It reads the number in version 5, and its packets and bytes are those that would have been seen."""
    judge = Nfcapd(place)
    found, _ = records(place.folder, place.folder / "a.pcap", "--sample", "10")
    sent(place, "--netflow5", "127.0.0.1", "--sample", "10")
    rows = judge.stop().rows()
    assert "algorithm: 2, packet interval: 1, packet space: 9" in judge.said(), judge.said()
    assert (sum(int(r["ipkt"]) for r in rows), sum(int(r["ibyt"]) for r in rows)) == tuple(10 * n for n in sums(found))


@pytest.mark.parametrize("form", ["netflow5", "netflow9"])
def test_nfacctd_multiplies(place, form):
    judge = Nfacctd(place, more="nfacctd_renormalize: true\n")
    found, _ = records(place.folder, place.folder / "a.pcap", "--sample", "10")
    sent(place, f"--{form}", "127.0.0.1", "--sample", "10")
    lines = judge.records(sum(found.values()))
    assert (sum(line["packets"] for line in lines), sum(line["bytes"] for line in lines)) == tuple(10 * n for n in sums(found))


def test_in_files_and_connections(place):
    """IPFIX, by ipfixDump and a reader of templates: once, in domain 0, before the first record."""
    judge, out = Stored(place), place.folder / "a.ipfix"
    sent(place, "--ipfix", "tcp:127.0.0.1", "--ipfix", f"file:{out}", "--sample", "10")
    _, options = judge.dumped()
    want = {"selectorId": 1, "selectorAlgorithm": 3, "samplingPacketInterval": 1, "samplingPacketSpace": 9, "samplingSize": 1,
            "samplingPopulation": 10}
    assert {name: int(options[name]) for name in want} == want
    read = Reader(out)
    assert [list(o) for o in read.options] == [[302, 304, 305, 306, 309, 310]]
    assert [int.from_bytes(v, "big") for v in read.options[0].values()] == list(want.values())


# ---- over the link ----

@pytest.mark.parametrize("at_tap, at_collector, n", [("sample packet 1/4", None, 4), ("sample flow 1/2", "sample packet 1/5", 10)])
@pytest.mark.parametrize("scale", [True, False])
def test_over_the_link(lab, at_tap, at_collector, n, scale):
    """Frames that stages at both ends have kept count for all for which they stand; without --scale for themselves."""
    out = lab.folder / "records.ipfix"
    collector = Collector(lab, f"--ipfix=file:{out}", *(["--stage", at_collector] if at_collector else []), *(["--scale"] if scale else []),
                          device=None)
    tap = Tap(lab, "--stage", at_tap)
    framegen(lab, 3000, kinds="udp4", pps=8000)
    mine, ledger = tap.finish(), collector.finish()
    assert_balanced(mine, ledger, sent=3000)
    kept = one(one(one(ledger["taps"])["interfaces"])["outputs"])["out"]
    read = Reader(out)
    counted = sum(int.from_bytes(r[2], "big") for r in read.records)
    assert counted == kept * (n if scale else 1) and kept > 100
    assert at_collector or kept == 750
    assert not read.options


# ---- mistakes ----

@pytest.mark.parametrize("words, told", [
    *((["--sample", word], f'--sample is N, packet:N or flow:N, with N from 1 to 1000000, not "{word}"')
      for word in ("0", "flow:", "x", "1000001", "flow:0", "packet:1/4", "flow:flow:3", "")),
    (["--scale"], "--scale is for --sample: frames of interfaces and files stand for themselves alone")])
def test_bad_lines(words, told):
    done = run([farspan(), "meter", "-r", "x", "--csv", *words], check=False)
    assert done.returncode == 2 and done.stderr.splitlines() == [f"farspan meter: {told}", 'Try "farspan meter --help".'], done.stderr
