# SPDX-License-Identifier: Apache-2.0
"""`farspan meter -r`: each packet in one record. The judges are a plain meter (lib/flows.py), which knows what the test has put into
the file and not its bytes, and tshark, which reads the bytes and adds up no flows."""

import collections
import csv
import dataclasses
import datetime
import fcntl
import ipaddress
import itertools
import json
import os
import signal
import struct
import subprocess
import termios

import pytest

from lib.farspan import farspan
from lib.flows import NAMES, Meter, letters, make, read_csv, rows, to_ms
from lib.ipfix import Reader
from lib.meter import FORMS, framed, meter, write
from lib.proc import run, wait_until
from lib.tools import tshark


def judged(packets, idle=15_000, active=60_000):
    plain = Meter(idle, active)
    for p in packets:
        if not p.reason:
            plain.add(p)
    return rows(plain.finish())


@pytest.mark.parametrize("seed, idle, active", [(1, 15_000, 60_000), (2, 700, 3_000), (3, 5_000, 2_000)])
def test_each_packet_is_in_one_record(folder, seed, idle, active):
    packets = make(seed, 6000)
    write(folder / "a.pcap", [(p.ts, framed(p)) for p in packets])
    found, sums, ledger, _ = meter(folder / "a.pcap", folder / "a.csv", "--idle", f"{idle}ms", "--active", f"{active}ms")
    want = judged(packets, idle, active)
    assert found == want, (list((found - want).items())[:3], list((want - found).items())[:3])
    assert ledger["stages"]["meter"]["drops"] == {r: sum(p.reason == r for p in packets) for r in ("not_ip", "bad_ip")}
    assert sums["bytes"] == sum(p.size for p in packets if not p.reason)
    assert ledger["stages"]["file"]["in"] == len(packets)


def test_tshark_counts_the_same(folder):
    """The outermost IP header of each frame, by another decoder."""
    packets = [p for p in make(4, 4000) if not p.reason]
    write(folder / "a.pcap", [(p.ts, framed(p)) for p in packets])
    _, sums, _, _ = meter(folder / "a.pcap", folder / "a.csv")
    fields = tshark(folder / "a.pcap", "ip.len", "ipv6.plen")
    lengths = [int(four.split(",")[0]) if four else int(six.split(",")[0]) + 40 for four, six in fields]
    assert (sums["packets"], sums["bytes"]) == (len(lengths), sum(lengths))


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_pcap(folder, form):
    packets = make(5, 1500)
    write(folder / "a.pcap", [(p.ts, framed(p)) for p in packets], form)
    assert meter(folder / "a.pcap", folder / "a.csv")[0] == judged(packets)


def test_pcapng_standard_input_and_a_pipe(folder):
    packets = make(6, 1500)
    write(folder / "a.pcap", [(p.ts, framed(p)) for p in packets])
    run(["editcap", "-F", "pcapng", folder / "a.pcap", folder / "a.pcapng"])
    want = judged(packets)
    assert meter(folder / "a.pcapng", folder / "ng.csv")[0] == want
    for kind in ("pcap", "pcapng"):
        out = folder / f"{kind}.csv"
        pipe = subprocess.Popen(["cat", folder / f"a.{kind}"], stdout=subprocess.PIPE)
        with pipe.stdout:
            done = subprocess.run([farspan(), "meter", "-r", "-", f"--csv={out}"], stdin=pipe.stdout, timeout=60, check=False)
        assert (pipe.wait(10), done.returncode) == (0, 0)
        assert read_csv(out)[0] == want
    done = run([farspan(), "meter", "-r", folder / "a.pcap", "--csv"])
    (folder / "out.csv").write_text(done.stdout)
    assert read_csv(folder / "out.csv")[0] == want


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_pipe(folder, number):
    """Records of what came until then are written."""
    packets = make(18, 300)
    write(folder / "a.pcap", [(p.ts, framed(p)) for p in packets])
    argv = [farspan(), "meter", "-r", "-", f"--csv={folder / 'a.csv'}"]
    running = subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    with running.stdin, running.stderr:
        running.stdin.write((folder / "a.pcap").read_bytes())
        running.stdin.flush()
        wait_until(lambda: unread(running.stdin) == 0, 10, "nothing is read")
        running.send_signal(number)
        assert running.wait(10) == 0, running.stderr.read()
    assert read_csv(folder / "a.csv")[0] == judged(packets)


def unread(pipe):
    """Bytes in a pipe that nobody has read yet."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0]


def nflog(packet, version):
    return (struct.pack("<BBH", 2 if version == 4 else 10, 0, 0) + struct.pack("<HHI", 8, 1, 0) + struct.pack("<HH", 5, 10) + b"\0" * 4 +
            struct.pack("<HH", 4 + len(packet), 9) + packet)


LINKS = {"raw": (101, lambda p, v: p), "null": (0, lambda p, v: struct.pack("<I", 2 if v == 4 else 30) + p),
         "loop": (108, lambda p, v: struct.pack(">I", 2 if v == 4 else 24) + p),
         "sll": (113, lambda p, v: bytes(14) + (b"\x08\x00" if v == 4 else b"\x86\xdd") + p),
         "sll2": (276, lambda p, v: (b"\x08\x00" if v == 4 else b"\x86\xdd") + bytes(18) + p),
         "ppp": (9, lambda p, v: b"\xff\x03" + (b"\x00\x21" if v == 4 else b"\x00\x57") + p),
         "hdlc": (104, lambda p, v: b"\x0f\x00" + (b"\x08\x00" if v == 4 else b"\x86\xdd") + p), "nflog": (239, nflog)}


@pytest.mark.parametrize("link", LINKS)
def test_link_types(folder, link):
    number, put = LINKS[link]
    packets = [p for p in make(7, 1500) if p.reason != "not_ip"]
    packets = [p for p in packets if not p.reason]
    for p in packets:
        p.tags = ()
    write(folder / "a.pcap", [(p.ts, put(p.packet, p.packet[0] >> 4)) for p in packets], linktype=number)
    _, sums, _, _ = meter(folder / "a.pcap", folder / "a.csv")
    assert sums["bytes"] == sum(p.size for p in packets)
    assert read_csv(folder / "a.csv")[0] == judged(packets)


@pytest.mark.parametrize("link, expr", [*itertools.product(["ethernet", "raw", "null", "sll", "ppp"], ["udp and not port 80", "ip6"]),
                                        ("raw", "tcp[tcpflags] & tcp-syn != 0"), ("ethernet", "vlan 7 or icmp")])
def test_a_filter_is_that_of_tcpdump(folder, link, expr):
    number, put = LINKS.get(link, (1, None))
    packets = [p for p in make(14, 1500) if not p.reason or link == "ethernet"]
    write(folder / "a.pcap", [(p.ts, put(p.packet, p.packet[0] >> 4) if put else framed(p)) for p in packets], linktype=number)
    run(["tcpdump", "-r", folder / "a.pcap", "-w", folder / "b.pcap", expr])
    found, _, ledger, _ = meter(folder / "a.pcap", folder / "a.csv", *expr.split())
    want, sums, _, _ = meter(folder / "b.pcap", folder / "b.csv")
    assert found == want and sums["packets"] > 10
    assert ledger["stages"]["file"]["drops"]["filter"] == len(packets) - ledger["stages"]["file"]["out"]


def test_a_filter_that_a_link_type_does_not_take(folder):
    """It is told, and nothing is taken for a match."""
    write(folder / "a.pcap", [(1, nflog(p.packet, p.packet[0] >> 4)) for p in make(15, 20) if not p.reason], linktype=239)
    found, _, ledger, said = meter(folder / "a.pcap", folder / "a.csv", "-f", "ether host 2:0:0:0:0:1", status=1)
    assert not found and ledger["stages"]["file"]["drops"]["link_type"] == ledger["stages"]["file"]["in"] > 0
    assert "frames of link type 239 cannot be filtered" in said


def test_a_filter_that_is_none(folder):
    done = run([farspan(), "meter", "-r", "x", f"--csv={folder / 'a.csv'}", "not", "a", "filter"], check=False)
    assert done.returncode == 1 and "syntax error" in done.stderr and not (folder / "a.csv").exists()


def test_a_link_type_that_nobody_reads(folder):
    write(folder / "a.pcap", [(1, b"x" * 60)] * 3, linktype=147)
    found, _, ledger, _ = meter(folder / "a.pcap", folder / "a.csv")
    assert not found and ledger["stages"]["file"]["drops"]["link_type"] == 3


def test_what_was_captured_does_not_count(folder):
    """A snaplen takes bytes off the frames, and none off the records."""
    packets = make(8, 1500)
    write(folder / "a.pcap", [(p.ts, framed(p)) for p in packets], snaplen=110)
    _, sums, ledger, _ = meter(folder / "a.pcap", folder / "a.csv")
    assert sums["bytes"] == sum(p.size for p in packets if not p.reason)
    assert ledger["stages"]["meter"]["drops"]["bad_ip"] == sum(p.reason == "bad_ip" for p in packets)


@pytest.mark.parametrize("most", [1, 7, 30])
def test_flows_that_leave_early_are_whole_in_sum(folder, most):
    packets = make(9, 3000)
    write(folder / "a.pcap", [(p.ts, framed(p)) for p in packets])
    found, sums, ledger, said = meter(folder / "a.pcap", folder / "a.csv", "--flows", str(most))
    good = [p for p in packets if not p.reason]
    assert (sums["packets"], sums["bytes"]) == (len(good), sum(p.size for p in good))
    assert ledger["evicted"] > 0 and "left early" in said
    assert sum(found.values()) > sum(judged(packets).values())
    again, *_ = meter(folder / "a.pcap", folder / "b.csv", "--flows", str(most))
    assert again == found and (folder / "a.csv").read_bytes() == (folder / "b.csv").read_bytes()


def test_every_cut_file(folder):
    """All records of what is whole; the byte is named."""
    packets = [p for p in make(10, 12) if not p.reason]
    frames = [(p.ts, framed(p)) for p in packets]
    write(folder / "a.pcap", frames)
    whole = (folder / "a.pcap").read_bytes()
    ends = [24]
    for _, frame in frames:
        ends.append(ends[-1] + 16 + len(frame))
    for cut in [*range(24, len(whole), 41), *ends]:
        (folder / "cut.pcap").write_bytes(whole[:cut])
        (folder / "cut.csv").unlink(missing_ok=True)
        n = sum(end <= cut for end in ends) - 1
        found, _, _, said = meter(folder / "cut.pcap", folder / "cut.csv", status=0 if cut in ends else 1)
        assert found == judged(packets[:n])
        assert cut in ends or f"begins at byte {ends[n]} is not whole" in said


@pytest.mark.parametrize("damage, words", [(b"", "is empty"), (b"hello, world, this is no capture", "no capture file"),
                                           (b"\x0a\x0d\x0d\x0a" + bytes(40), "damaged at byte 0")])
def test_other_files(folder, damage, words):
    (folder / "a").write_bytes(damage)
    *_, said = meter(folder / "a", folder / "a.csv", status=1)
    assert words in said


def test_all_forms_say_the_same(folder):
    """JSON and the long form by parsers that are not ours; what is in each is in the others."""
    packets = make(12, 3000)
    write(folder / "a.pcap", [(p.ts, framed(p)) for p in packets], "ns")
    words = [f"--{form}={folder / form}" for form in ("csv", "csv-long", "json")]
    run([farspan(), "meter", "-r", folder / "a.pcap", *words])
    lines = [json.loads(line) for line in (folder / "json").read_text().splitlines()]
    with open(folder / "csv-long", newline="", encoding="ascii") as f:
        table = list(csv.DictReader(f))
    assert [{k: v for k, v in row.items() if v} for row in table] == [{k: str(v) for k, v in line.items()} for line in lines]
    found = collections.Counter()
    for line in lines:
        ends = [line.get(f"{end}IPv4Address", line.get(f"{end}IPv6Address")) for end in ("source", "destination")]
        ports = [line.get(f"{end}TransportPort", 0) for end in ("source", "destination")]
        ports[1] = line.get("icmpTypeCodeIPv4", line.get("icmpTypeCodeIPv6", ports[1]))
        times = [line[f"flow{when}Nanoseconds"] for when in ("Start", "End")]
        found[(ends[0], str(ports[0]), ends[1], str(ports[1]), NAMES.get(line["protocolIdentifier"]), str(line["packetDeltaCount"]),
               str(line["octetDeltaCount"]), letters(line.get("tcpControlBits", 0)), str(line["ipClassOfService"]),
               *(to_ms(f"{t[:10]} {t[11:23]}") for t in times), str(line.get("dot1qVlanId", 0)))] += 1
    assert {row[4] for row in found} == set(NAMES.values()) - {"DCCP", "IPIP", "IPv6"}
    assert found == read_csv(folder / "csv")[0]
    assert all(line["interfaceName"] == "if0" and line["sourceMacAddress"] != line["destinationMacAddress"] for line in lines)
    assert {line.get("mplsTopLabelStackSection") for line in lines} == {None, 100}
    assert {line["flowEndReason"] for line in lines} <= {1, 2, 3, 4} and any(line["flowEndReason"] == 3 for line in lines)


def test_ipfix_files(folder):
    """By a reader of templates and by tshark: the records of the CSV, and no sequence that jumps."""
    packets = make(17, 4000)
    write(folder / "a.pcap", [(p.ts, framed(p)) for p in packets], "ns")
    run([farspan(), "meter", "-r", folder / "a.pcap", f"--csv={folder / 'csv'}", "--ipfix", f"file:{folder / 'a.ipfix'}"])
    want, sums = read_csv(folder / "csv")
    read = Reader(folder / "a.ipfix")
    found = collections.Counter()
    for r in read.records:
        six = 27 in r
        source, target = (str(ipaddress.ip_address(r[e])) for e in ((27, 28) if six else (8, 12)))
        n = {e: int.from_bytes(v, "big") for e, v in r.items()}
        icmp = n[11] if n[4] == (58 if six else 1) else 0
        assert n[60] == (6 if six else 4) and n[139 if six else 32] == icmp and 1 <= n[136] <= 4 and n[56] != n[80] != 0
        found[(source, str(n[7]), target, str(n[11]), NAMES[n[4]], str(n[2]), str(n[1]), letters(n[6]), str(n[5]), n[152], n[153], str(n[243]))] += 1
    assert found == want
    assert read.names == {1: b"if0"}
    assert len(read.messages) > 20 and all(length > 1250 for length, _, domain in read.messages[2:-1] if domain == 1)
    fields = ["cflow.srcaddr", "cflow.srcaddrv6", "cflow.packets", "cflow.octets", "_ws.expert.message"]
    shark = [list(map(lambda text: [v for v in text.split(",") if v], row)) for row in tshark(folder / "a.ipfix", *fields)]
    assert sum(len(row[0]) + len(row[1]) for row in shark) == sums["flows"]
    assert sum(int(v) for row in shark for v in row[2]) == sums["packets"]
    assert sum(int(v) for row in shark for v in row[3]) == sums["bytes"]
    assert not any(row[4] for row in shark), shark


def test_ipfix_has_nanoseconds(folder):
    """By NTP's form as RFC 7011 has it, and by tshark: the times of JSON, beside those in milliseconds."""
    packets = [dataclasses.replace(p, ts=p.ts + i * 1001 % 1000) for i, p in enumerate(make(19, 1500))]
    write(folder / "a.pcap", [(p.ts, framed(p)) for p in packets], "ns")
    run([farspan(), "meter", "-r", folder / "a.pcap", f"--json={folder / 'json'}", "--ipfix", f"file:{folder / 'a.ipfix'}", "--ipfix-ns"])
    lines = [json.loads(line) for line in (folder / "json").read_text().splitlines()]
    want = [[line[f"flow{when}Nanoseconds"] for when in ("Start", "End")] for line in lines]
    found = []
    for r in Reader(folder / "a.ipfix").records:
        values = [int.from_bytes(r[e], "big") for e in (156, 157)]
        times = [(v >> 32) - 2208988800 for v in values]
        found.append([f"{datetime.datetime.fromtimestamp(t, datetime.timezone.utc):%Y-%m-%dT%H:%M:%S}." +
                      f"{(v & 0xFFFFFFFF) * 10**9 >> 32:09}Z" for t, v in zip(times, values)])
        assert [int.from_bytes(r[e], "big") for e in (152, 153)] == [to_ms(f"{t[:10]} {t[11:23]}") for t in found[-1]]
    assert found == want and any(not t.endswith("000Z") for pair in found for t in pair)
    argv = ["tshark", "-r", folder / "a.ipfix", "-T", "fields", "-E", "aggregator=;", "-e", "cflow.abstimestart"]
    shark = [t for line in run(argv).stdout.splitlines() for t in line.split(";")[1::2]]
    assert [t.split()[3] for t in shark] == [start[11:29] for start, _ in want]


def block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))


def test_interfaces_of_any_name(folder):
    """The same packet on two interfaces is two flows; a name stays one value, whatever is in it."""
    names = [b'eth"0,\\\xff\n', b"eth1"]
    packet = next(p for p in make(16, 50) if p.proto == 17 and not p.reason)
    content = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    for name in names:
        content += block(1, struct.pack("<HHI", 1, 0, 0) + struct.pack("<HH", 2, len(name)) + name + bytes(-len(name) % 4) + bytes(4))
    frame = framed(packet)
    for i in (0, 1, 1):
        content += block(6, struct.pack("<IIIII", i, 0, 0, len(frame), len(frame)) + frame + bytes(-len(frame) % 4))
    (folder / "a.pcapng").write_bytes(content)
    run([farspan(), "meter", "-r", folder / "a.pcapng", f"--json={folder / 'json'}", f"--csv-long={folder / 'csv'}"])
    found = [json.loads(line) for line in (folder / "json").read_text().splitlines()]
    with open(folder / "csv", newline="", encoding="ascii") as f:
        table = list(csv.DictReader(f))
    want = [('eth"0,\\x5c\\xff\\x0a', 1), ("eth1", 2)]
    assert [(one["interfaceName"], one["packetDeltaCount"]) for one in found] == want
    assert [(one["interfaceName"], int(one["packetDeltaCount"])) for one in table] == want


def test_community_ids_are_those_of_tshark(folder):
    whole = [p for p in make(13, 2000) if not p.reason and (p.packet[0] >> 4 == 6 or p.packet[6:8] == b"\0\0")]
    write(folder / "a.pcap", [(p.ts, framed(p)) for p in whole])
    by_frame = run(["tshark", "-r", folder / "a.pcap", "--enable-protocol", "communityid", "-T", "fields", "-e", "communityid"]).stdout.split("\n")
    known = {}
    for p, name in zip(whole, by_frame):
        known[(p.source, p.target, p.proto)] = name
    lines = [json.loads(line) for line in run([farspan(), "meter", "-r", folder / "a.pcap", "--json"]).stdout.splitlines()]
    seen = set()
    for line in lines:
        if line["protocolIdentifier"] in (1, 6, 17, 58, 132):
            source, target = (line.get(f"{end}IPv4Address", line.get(f"{end}IPv6Address")) for end in ("source", "destination"))
            ports = line.get("sourceTransportPort", 0), line.get("destinationTransportPort", line.get("icmpTypeCodeIPv4", line.get("icmpTypeCodeIPv6")))
            assert line["communityId"] == known[((source, ports[0]), (target, ports[1]), line["protocolIdentifier"])], line
            seen.add(line["protocolIdentifier"])
    assert seen == {1, 6, 17, 58, 132}


def test_no_file_is_overwritten(folder):
    write(folder / "a.pcap", [])
    (folder / "a.csv").write_text("mine")
    done = run([farspan(), "meter", "-r", folder / "a.pcap", f"--csv={folder / 'a.csv'}"], check=False)
    assert done.returncode == 1 and "no file is overwritten" in done.stderr
    assert (folder / "a.csv").read_text() == "mine"
    done = run([farspan(), "meter", "-r", folder / "a.pcap", f"--csv-long={folder / 'b.csv'}", f"--json={folder / 'a.csv'}"], check=False)
    assert done.returncode == 1 and not (folder / "b.csv").exists(), "a file that was made for nothing is left"


def test_records_that_cannot_be_written(folder):
    """The reader of the records is gone: told, and counted as not written."""
    write(folder / "a.pcap", [(p.ts, framed(p)) for p in make(11, 4000)])
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([farspan(), "meter", "-r", folder / "a.pcap", "--csv"], stdout=writer, stderr=subprocess.PIPE, text=True,
                          timeout=60, check=False)
    os.close(writer)
    assert done.returncode == 1
    assert "cannot write to standard output: Broken pipe" in done.stderr and "not written" in done.stderr, done.stderr


@pytest.mark.parametrize("words, said", [
    (["--csv"], "-r FILE"), (["-r", "x"], "--csv, --csv-long, --json, --ipfix, --netflow9, --netflow5 or --kafka"), (["-r", "x", "--csv", "-f", "udp", "tcp"], "given twice"),
    (["-r", "x", "--csv", "--json"], "standard output"), (["-r", "x", "--json", "--ledger"], "standard output"), (["-r", "x", "--csv", "--flows", "0"], "--flows"),
    (["-r", "x", "--csv", "--idle", "soon"], "--idle"), (["-r", "x", "--csv", "--tunnel", "both"], "is outer or inner"),
    (["-r", "x", "--ipfix", "file:"], "file:PATH")])
def test_wrong_command_lines(words, said):
    done = run([farspan(), "meter", *words], check=False)
    assert done.returncode == 2 and said in done.stderr and len(done.stderr.splitlines()) == 2
