# SPDX-License-Identifier: Apache-2.0
"""`farspan meter --tunnel inner`: each innermost packet in one record. The judges are those of test_meter.py: a plain meter, which knows
what was put into tunnels (lib/tunnels.py), and tshark."""

import csv
import json

import pytest

from lib.farspan import farspan
from lib.flows import Meter, make
from lib.ipfix import Reader
from lib.meter import framed, meter, read_json, tunnel_of, write
from lib.proc import run
from lib.tunnels import FORMS, enclose


def records_of(packets, idle=15_000, active=60_000):
    plain = Meter(idle, active)
    for p in packets:
        if not p.reason:
            plain.add(p)
    return plain.finish()


@pytest.mark.parametrize("seed", [21, 22, 23])
def test_the_innermost_packet_is_in_one_record(folder, seed):
    written, packets = enclose(make(seed, 8000), seed)
    write(folder / "a.pcap", [(p.ts, framed(p)) for p in written])
    _, sums, ledger, _ = meter(folder / "a.pcap", folder / "a.csv", "--tunnel", "inner", "--active", "30s")
    run([farspan(), "meter", "-r", folder / "a.pcap", f"--json={folder / 'json'}", f"--csv-long={folder / 'long'}", "--tunnel", "inner",
         "--active", "30s"])
    want, found = records_of(packets, active=30_000), read_json(folder / "json")
    assert found == want, (list((found - want).items())[:3], list((want - found).items())[:3])
    good = [p for p in packets if not p.reason]
    assert (sums["packets"], sums["bytes"]) == (len(good), sum(p.size for p in good))
    stage = ledger["stages"]["meter"]
    assert stage["drops"] == {r: sum(p.reason == r for p in packets) for r in ("not_ip", "bad_ip")}
    assert (stage["tunnelled"], stage["outer_unknown"]) == (sum(bool(p.tunnel) for p in good), 0)
    assert {p.tunnel[0] for p in good if p.tunnel} == set(FORMS)
    lines = [json.loads(line) for line in (folder / "json").read_text().splitlines()]
    with open(folder / "long", newline="", encoding="ascii") as f:
        table = list(csv.DictReader(f))
    flat = [{**{k: str(v) for k, v in line.items() if k != "tunnel"}, **{f"tunnel.{k}": str(v) for k, v in line.get("tunnel", {}).items()}}
            for line in lines]
    assert [{k: v for k, v in row.items() if v} for row in table] == flat


def test_without_the_option_it_is_the_outermost(folder):
    written, _ = enclose([p for p in make(24, 3000) if not p.reason], 24)
    write(folder / "a.pcap", [(p.ts, framed(p)) for p in written])
    _, sums, ledger, _ = meter(folder / "a.pcap", folder / "a.csv")
    assert (sums["packets"], sums["bytes"]) == (len(written), sum(len(p.packet) for p in written))
    assert ledger["stages"]["meter"]["tunnelled"] == 0


def test_tshark_finds_the_same_innermost_packets(folder):
    """The last IP header of each frame, by another decoder, and its length. It reads no VXLAN-GPE without a next protocol."""
    plain = [p for p in make(25, 4000) if not p.reason and p.proto not in (1, 47, 50)]
    written, packets = enclose(plain, 25, but=[("vxlan-gpe", "eth")])
    both = [(w, p) for w, p in zip(written, packets) if w.packet[0] >> 4 == 6 or w.packet[6:8] == b"\0\0"]  # whole ones
    write(folder / "a.pcap", [(w.ts, framed(w)) for w, _ in both])
    argv = ["tshark", "-r", folder / "a.pcap", "-d", "udp.port==8472,vxlan", "-T", "fields", "-E", "separator=|", "-e", "frame.protocols"]
    argv += [w for f in ("ip.src", "ip.dst", "ip.len", "ipv6.src", "ipv6.dst", "ipv6.plen") for w in ("-e", f)]
    argv += ["-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE"]
    judged_ones = 0
    for line, (_, p) in zip(run(argv).stdout.splitlines(), both):
        protocols, *fields = line.split("|")
        names = protocols.split(":")
        if names.count("ip") + names.count("ipv6") > 5:
            continue  # deeper than is entered
        six = max((i, n) for i, n in enumerate(names) if n in ("ip", "ipv6"))[1] == "ipv6"
        source, target, length = (f.split(",")[-1] for f in fields[3 * six:3 * six + 3])
        assert (source, target, int(length) + 40 * six) == (p.source[0], p.target[0], p.size), (line, p)
        judged_ones += bool(p.tunnel)
    assert judged_ones > 1500


def segment(kind, ident):
    """Element 351, layer2SegmentId: VXLAN's VNI, and the subnet of NVGRE where a key has one."""
    if kind in ("vxlan", "vxlan-gpe"):
        return 1 << 56 | ident
    return 2 << 56 | ident >> 8 if kind == "gretap" and (ident or 0) >> 8 > 0xFFF else 0


def test_ipfix_has_the_segment(folder):
    written, _ = enclose(make(27, 4000), 27)
    write(folder / "a.pcap", [(p.ts, framed(p)) for p in written])
    run([farspan(), "meter", "-r", folder / "a.pcap", f"--json={folder / 'json'}", "--ipfix", f"file:{folder / 'ipfix'}", "--tunnel", "inner"])
    lines = list(map(json.loads, (folder / "json").read_text().splitlines()))
    want = [(line["packetDeltaCount"], line["octetDeltaCount"], segment(*tunnel_of(line)[:2]) if "tunnel" in line else 0) for line in lines]
    found = [tuple(int.from_bytes(r[e], "big") for e in (2, 1, 351)) for r in Reader(folder / "ipfix").records]
    assert found == want
    assert {value >> 56 for _, _, value in found} == {0, 1, 2}
