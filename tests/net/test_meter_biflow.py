# SPDX-License-Identifier: Apache-2.0
"""`farspan meter --biflow`: both directions of a flow in one record, in each form that has a place for it. The judges are a plain meter
(lib/flows.py), ipfixDump of libfixbuf, and tshark."""

import collections
import csv
import json
import re

import pytest

from lib.farspan import farspan
from lib.flows import Meter, make, read_csv, rows, to_ms
from lib.ipfix import Reader
from lib.meter import framed, record_of, tunnel_of, write
from lib.proc import run
from lib.tools import tshark
from lib.tunnels import enclose

REVERSE = {1: "reverseOctetDeltaCount", 2: "reversePacketDeltaCount", 5: "reverseIpClassOfService", 6: "reverseTcpControlBits"}


def reverse_of(line):
    """The other direction of a record of JSON, as lib/flows.py has it; None: there was nothing."""
    if line["reversePacketDeltaCount"] == 0:
        assert line["reverseOctetDeltaCount"] == 0 and {k for k in line if k.startswith("reverse")} == {REVERSE[1], REVERSE[2]}, line
        return None
    there = record_of(line)
    first, last = (to_ms(f"{t[:10]} {t[11:23]}") for t in (line["reverseFlowStartNanoseconds"], line["reverseFlowEndNanoseconds"]))
    tunnel = tunnel_of(line)
    return (there[2], there[3], there[0], there[1], there[4], line[REVERSE[2]], line[REVERSE[1]], line.get(REVERSE[6], 0), line[REVERSE[5]],
            first, last, there[11], tunnel[:2] + tunnel[:1:-1])


@pytest.mark.parametrize("seed, words", [(41, []), (42, ["--tunnel", "inner"]), (43, ["--flows", "20"])])
def test_both_directions_are_one_record(folder, seed, words):
    written, packets = enclose(make(seed, 6000, mean_ms=5), seed) if "inner" in words else [make(seed, 6000, mean_ms=5)] * 2
    write(folder / "a.pcap", [(p.ts, framed(p)) for p in written])
    outs = [f"--{form}={folder / form}" for form in ("csv", "csv-long", "json")]
    run([farspan(), "meter", "-r", folder / "a.pcap", *outs, "--ipfix", f"file:{folder / 'ipfix'}", "--biflow", *words])
    plain = Meter(15_000, 60_000)
    for p in packets:
        if not p.reason:
            plain.add(p)
    want = plain.finish()
    lines = list(map(json.loads, (folder / "json").read_text().splitlines()))
    found = collections.Counter((record_of(line), reverse_of(line), line["biflowDirection"]) for line in lines)
    short, sums = read_csv(folder / "csv")
    if "--flows" not in words:  # where flows leave early, as others have their room, the sums are all that is known
        assert found == plain.pairs, (list((found - plain.pairs).items())[:3], list((plain.pairs - found).items())[:3])
        assert short == rows(want)
        assert {direction for _, _, direction in found} == {1, 2}
    total = len([p for p in packets if not p.reason]), sum(p.size for p in packets if not p.reason)
    assert (sums["packets"], sums["bytes"]) == total
    assert sum(line["packetDeltaCount"] + line[REVERSE[2]] for line in lines) == total[0]
    assert sum(line["octetDeltaCount"] + line[REVERSE[1]] for line in lines) == total[1]
    assert sum(line[REVERSE[2]] > 0 for line in lines) == sums["flows"] - len(lines) > 10
    with open(folder / "csv-long", newline="", encoding="ascii") as f:
        table = list(csv.DictReader(f))
    flat = [{**{k: str(v) for k, v in line.items() if k != "tunnel"}, **{f"tunnel.{k}": str(v) for k, v in line.get("tunnel", {}).items()}}
            for line in lines]
    assert [{k: v for k, v in row.items() if v} for row in table] == flat
    check_ipfix(folder / "ipfix", lines, total)


def check_ipfix(path, lines, total):
    """The same records as those of JSON, by the templates; the same sums by others' programs."""
    names = {2: "packetDeltaCount", 1: "octetDeltaCount", 6: "tcpControlBits", 5: "ipClassOfService", 239: "biflowDirection",
             **{-e: name for e, name in REVERSE.items()}}
    times = {152: "flowStartNanoseconds", 153: "flowEndNanoseconds", -152: "reverseFlowStartNanoseconds", -153: "reverseFlowEndNanoseconds"}
    records = Reader(path).records
    assert len(records) == len(lines)
    for r, line in zip(records, lines):
        n = {e: int.from_bytes(v, "big") for e, v in r.items()}
        assert {e: n[e] for e in names} == {e: line.get(name, 0) for e, name in names.items()}
        assert {e: n[e] for e in times} == {e: to_ms(f"{line[t][:10]} {line[t][11:23]}") if t in line else 0 for e, t in times.items()}
        assert list(r).index(-6) < list(r).index(6)
    dump = run(["ipfixDump", "--in", path]).stdout
    for what, want in zip(("packet", "octet"), total):
        values = re.findall(rf"(?:\(|29305/)[12]\) +(?:{what}|reverse{what.title()})DeltaCount : (\d+)", dump)
        assert (len(values), sum(map(int, values))) == (2 * len(lines), want)
    shark = tshark(path, "cflow.packets", "cflow.octets", "_ws.expert.message")
    assert [sum(int(v) for row in shark for v in row[i].split(",") if v) for i in (0, 1)] == list(total)
    assert not any(row[2] for row in shark), shark
