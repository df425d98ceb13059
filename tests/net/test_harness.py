# SPDX-License-Identifier: Apache-2.0
"""The instruments on their own, tcpdump against tcpdump: what cannot be trusted here cannot judge the product."""

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from lib import lab as labs
from lib.proc import Late, alive, run, wait_until
from lib.tools import (FRAMES, TOOLS, Impair, Overrun, Tcpdump, assert_same, compare, framegen, in_namespace, steadily, tshark)


@pytest.mark.parametrize("frames", [5000, pytest.param(FRAMES, marks=pytest.mark.big)])
def test_two_witnesses_agree(make_lab, frames):
    """framegen, through a veth pair, to two tcpdumps at once: both equal what was sent, and one another with times."""

    def experiment(lab, pps):
        lab.kernel_stamps()
        first, second = (Tcpdump(lab, lab.tap, "mon0", name) for name in ("first", "second"))
        sent = lab.folder / "sent.pcap"
        framegen(lab, frames, pps=pps, write=sent)
        for witness in (first, second):
            witness.wait_count(frames)
            assert witness.stop() == frames
        assert_same(sent, first.path, frames)
        assert_same(first.path, second.path, frames, times=True)

    steadily(make_lab, experiment)


def test_generator_is_deterministic_and_mixed(folder):
    told = []
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        done = run([TOOLS / "framegen", "-w", folder / name, "-n", 20000, "--seed", seed])
        told.append(json.loads(done.stdout))
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes()
    assert compare(folder / "a", folder / "c")["matched"] < 20000
    assert all(n > 100 for n in told[0]["kinds"].values()), told[0]
    lengths = [int(row[0]) for row in tshark(folder / "a", "frame.len")]
    assert min(lengths) < 60 and max(lengths) == 9000 and 300 < sum(lengths) / len(lengths) < 700


def test_generator_checksums_are_right(folder):
    """Numbering a frame leaves its checksums right; an independent decoder says so."""
    file = folder / "a"
    run([TOOLS / "framegen", "-w", file, "-n", 3000, "--first", 123456789, "--kinds", "tcp4,udp4,icmp4,icmp6,vlan"])
    check = ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE"]
    wrong = run(["tshark", *check, "-r", file, "-Y", "ip.checksum.status==0||tcp.checksum.status==0||"
                 "udp.checksum.status==0||icmp.checksum.status==0"]).stdout
    right = run(["tshark", *check, "-r", file, "-Y", "tcp.checksum.status==1||udp.checksum.status==1"]).stdout
    assert len(right.splitlines()) > 2000
    # IPv6's routing header changes which address counts; those few are no IPv4 frames
    assert not [line for line in wrong.splitlines() if "10.1.0." in line]


def read_pcap(path):
    data, at, records = path.read_bytes(), 24, []
    while at < len(data):
        head = list(struct.unpack("<IIII", data[at:at + 16]))
        records.append((head, bytearray(data[at + 16:at + 16 + head[2]])))
        at += 16 + head[2]
    return records


def write_pcap(path, records, order="<", nanos=True):
    with open(path, "wb") as out:
        out.write(struct.pack(order + "IHHIIII", 0xA1B23C4D if nanos else 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for head, data in records:
            part = head[1] if nanos else head[1] // 1000
            out.write(struct.pack(order + "IIII", head[0], part, len(data), head[3]) + data)


def write_pcapng(path, records, order="<", resolution=9, directions=None):
    def block(kind, body):
        size = 12 + len(body)
        return struct.pack(order + "II", kind, size) + body + struct.pack(order + "I", size)

    def option(code, value):
        return struct.pack(order + "HH", code, len(value)) + value + b"\0" * (-len(value) % 4)

    with open(path, "wb") as out:
        out.write(block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)))
        for name in (b"tap:eth0", b"tap:eth1"):
            out.write(block(1, struct.pack(order + "HHI", 1, 0, 0) + option(2, name) + option(9, bytes([resolution])) + option(0, b"")))
        for i, (head, data) in enumerate(records):
            ticks = (head[0] * 10**9 + head[1]) // 10 ** (9 - resolution)
            body = struct.pack(order + "IIIII", i % 2, ticks >> 32, ticks & 0xFFFFFFFF, len(data), head[3])
            body += bytes(data) + b"\0" * (-len(data) % 4)
            if directions:
                body += option(2, struct.pack(order + "I", directions[i])) + option(0, b"")
            out.write(block(6, body))


@pytest.fixture
def sample(folder):
    """A capture of 500 numbered frames with times of their own."""
    path = folder / "a.pcap"
    run([TOOLS / "framegen", "-w", path, "-n", 500])
    records = read_pcap(path)
    for i, (head, _) in enumerate(records):
        head[0], head[1] = 1700000000 + i // 100, (i * 1234567) % 10**9
    write_pcap(path, records)
    return path, records, folder / "b"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("form", ["ns", "us", "ng-ns", "ng-us"])
def test_capcmp_reads_every_form(sample, order, form):
    a, records, b = sample
    if form.startswith("ng"):
        write_pcapng(b, records, order, 9 if form == "ng-ns" else 6)
    else:
        write_pcap(b, records, order, form == "ns")
    assert_same(a, b, 500, times="us" if "us" in form else True)
    assert compare(a, b, times=True)["times"] == (0 if "ns" in form else sum(h[1] % 1000 > 0 for h, _ in records))


def drop(records):
    del records[200]


def duplicate(records):
    records.insert(300, records[200])


def swap(records):
    records[200], records[201] = records[201], records[200]


def flip(records):
    records[200][1][20] ^= 1


def flip_two(records):
    records[200][1][20] ^= 1
    records[201][1][21] ^= 1


def later(records):
    records[200][0][1] += 1


def longer(records):
    records[200][0][3] += 1


def shorter(records):
    records[200][1].pop()


def invent(records):
    records.insert(200, ([0, 0, 30, 30], bytearray(30)))


def cut_tail(records):
    del records[490:]


def rotate(records):
    records.append(records.pop(100))


@pytest.mark.parametrize("plant, expected", [
    (drop, {"missing": 1}), (duplicate, {"duplicates": 1}), (swap, {"out_of_order": 1}), (flip, {"altered": 1}),
    (flip_two, {"altered": 2}), (later, {"times": 1}), (longer, {"lengths": 1}), (shorter, {"altered": 1}),
    (invent, {"foreign": 1}), (cut_tail, {"missing": 10}), (rotate, {"out_of_order": 1})])
def test_capcmp_finds_what_was_planted(sample, plant, expected):
    a, records, b = sample
    plant(records)
    write_pcap(b, records)
    verdict = compare(a, b, times=True)
    assert not verdict["equal"] and verdict["first"]
    faults = {k: verdict[k] for k in ("missing", "duplicates", "altered", "foreign", "out_of_order", "lengths", "times")}
    assert faults == {**dict.fromkeys(faults, 0), **expected}
    where = verdict["first"][0]
    assert where.get("a", where.get("b")) in (100, 200, 201, 300, 490, 499)


def test_capcmp_orders_directions_and_allowances(sample):
    a, records, b = sample
    directions = [1 + i % 2 for i in range(len(records))]
    write_pcapng(b, records, directions=directions)
    assert not compare(a, b, directions=True)["equal"]
    assert not compare(a, b, b_direction="in")["equal"]
    mixed = [r for i, r in enumerate(records) if i % 2 == 0] + [r for i, r in enumerate(records) if i % 2]
    write_pcapng(b, mixed, directions=[1] * 250 + [2] * 250)
    assert not compare(a, b)["equal"]
    assert compare(a, b, order="direction")["equal"] and compare(a, b, order="none")["equal"]
    write_pcapng(b, records)
    only = compare(a, b, b_interface="*eth1", allow="missing")
    assert only["equal"] and only["matched"] == 250 and only["missing"] == 250
    assert not compare(a, b, b_interface="*eth1")["equal"]
    assert compare(a, b)["b"]["interfaces"] == ["tap:eth0", "tap:eth1"]


def test_capcmp_refuses_a_torn_file(sample):
    a, _, b = sample
    b.write_bytes(a.read_bytes()[:-3])
    done = run([TOOLS / "capcmp", a, b], check=False)
    assert done.returncode == 2 and "cut short" in done.stderr


def test_relay_says_exactly_what_it_did(lab):
    """Numbered datagrams through the relay: what it says it dropped and doubled is what is missing and double."""
    receiver = lab.socket(lab.collector)
    receiver.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
    receiver.bind(("10.77.0.2", 5001))
    relay = Impair(lab, lab.collector, 5000, "10.77.0.2:5001", drop=0.05, copy=0.02, reorder=0.02, skip=10, seed=3)
    sender = lab.socket(lab.tap)
    for i in range(4000):
        sender.sendto(struct.pack("!I", i) + bytes(100), ("10.77.0.2", 5000))
    receiver.settimeout(1)
    seen = []
    while True:
        try:
            data, back = receiver.recvfrom(2000)
        except TimeoutError:
            break
        seen.append(struct.unpack("!I", data[:4])[0])
    receiver.sendto(b"answer", back)
    sender.settimeout(5)
    assert sender.recv(100) == b"answer"
    told = relay.stop()
    way = told["forward"]
    assert way["received"] == 4000 and way["dropped"] > 100 and way["copied"] > 30 and way["reordered"] > 30
    assert set(range(10)) <= set(seen)
    assert 4000 - len(set(seen)) == way["dropped"] and len(seen) - len(set(seen)) == way["copied"]
    assert seen != sorted(seen) and told["back"]["sent"] == 1


def test_lab_leaves_nothing(folder):
    """Namespaces, processes and mounts are gone after close, and the leftovers of a dead run are found."""
    lab = labs.Lab(folder)
    names = list(lab.names)
    assert set(names) <= set(labs.namespaces())
    where = lab.tmpfs("1m")
    proc = lab.start(["sh", "-c", "sleep 1000 & sleep 1000"], "sleepers", lab.tap)
    wait_until(lambda: len(proc.tree()) >= 3)
    family = proc.tree()
    lab.close()
    assert not set(names) & set(labs.namespaces())
    assert not [p for p in family if alive(p)] and not os.path.ismount(where)
    with pytest.raises(Late):
        wait_until(lambda: False, 0.05)


def test_interrupt_and_kill_leave_nothing(folder):
    """A run that is interrupted takes its namespaces away; after SIGKILL its processes die and the next run cleans up."""
    program = folder / "victim.py"
    program.write_text(
        "import sys, atexit, time\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from lib import lab as labs\n"
        "atexit.register(labs.close_all)\n"
        f"lab = labs.Lab({str(folder / 'lab')!r})\n"
        "p = lab.start(['sleep', '1000'], 'sleeper', lab.tap)\n"
        "print(lab.stem, p.pid, flush=True)\n"
        "time.sleep(1000)\n")
    for number in (signal.SIGINT, signal.SIGKILL):
        victim = subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        stem, sleeper = victim.stdout.readline().split()
        assert [n for n in labs.namespaces() if n.startswith(stem)] and alive(int(sleeper))
        victim.send_signal(number)
        victim.wait(10)
        wait_until(lambda: not alive(int(sleeper)), 5, "the end of its child")
        if number == signal.SIGKILL:
            labs.remove_leftovers()
        assert not [n for n in labs.namespaces() if n.startswith(stem)]


def test_overrun_is_tried_again_slower(make_lab):
    rates = []

    def experiment(lab, pps):
        rates.append(pps)
        if len(rates) < 3:
            raise Overrun("planted")
        return "fine"

    assert steadily(make_lab, experiment, pps=1000) == "fine" and rates == [1000, 500, 250]


def test_directions_and_both_ends(lab):
    """A frame that the peer sends comes in at mon0, one that is sent at mon0 goes out; -Q tells them apart."""
    way_in, way_out, both = (Tcpdump(lab, lab.tap, "mon0", d, direction=d, fast=True) for d in ("in", "out", "inout"))
    sent_in = lab.folder / "sent_in.pcap"
    framegen(lab, 700, pps=5000, write=sent_in)
    framegen(lab, 300, ns=lab.tap, dev="mon0", pps=5000)
    both.wait_count(1000)
    way_in.wait_quiet()
    assert (way_in.stop(), way_out.stop(), both.stop()) == (700, 300, 1000)
    assert_same(sent_in, way_in.path, 700)


def test_link_is_reachable_by_both_families(lab):
    for host in ("10.77.0.2", "fd77::2"):
        in_namespace(lab.tap, ["ping", "-q", "-c", "1", "-W", "2", host])




def relayed(lab, datagrams, **options):
    """The datagrams that come out when these go through the relay, and its own account of what it did."""
    receiver, sender = lab.socket(lab.collector), lab.socket(lab.collector)
    receiver.bind(("127.0.0.1", 6001))
    receiver.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)  # SO_RCVBUFFORCE
    receiver.settimeout(1)
    relay = Impair(lab, lab.collector, "127.0.0.1:6000", "127.0.0.1:6001", **options)
    for d in datagrams:
        sender.sendto(d, ("127.0.0.1", 6000))
    out = []
    with contextlib.suppress(TimeoutError):
        while True:
            out.append(receiver.recvfrom(65536))
    return out, relay.stop()


@pytest.mark.parametrize("option, counted", [
    ({"drop": 0.2}, "dropped"), ({"burst": "0.02:10"}, "burst"), ({"max_size": 500}, "swallowed"), ({"rate": "1000000:20"}, "queue_full")])
def test_relay_loses_what_it_says(lab, option, counted):
    sent = [struct.pack("!I", i) + bytes(i % 1000) for i in range(1000)]
    out, told = relayed(lab, sent, seed=1, **option)
    way = told["forward"]
    assert way["received"] == 1000 and way[counted] == 1000 - len(out) > 50 and way["sent"] == len(out), told
    assert [d for d, _ in out] == [d for d in sent if d in {o for o, _ in out}], "the others come whole and in order"


def test_relay_changes_what_it_says(lab):
    """Copies, damage, cut ends, another order, delay and other ports, and not a datagram more or less."""
    sent = [struct.pack("!I", i) + bytes(200) for i in range(1000)]
    out, told = relayed(lab, sent, seed=2, copy=0.1, damage=0.1, truncate=0.1, reorder=0.1, delay="5:3", rebind=100)
    way = told["forward"]
    assert len(out) == 1000 + way["copied"] == way["sent"] and way["copied"] > 50 < way["reordered"], told
    whole = [d for d, _ in out if len(d) == 204]
    assert 1000 + way["copied"] - len(whole) >= way["truncated"] > 50
    altered = [d for d in whole if d not in sent]
    assert 30 < len(altered) and all(any(bin(int.from_bytes(d) ^ int.from_bytes(s)).count("1") == 1 for s in sent) for d in altered)
    assert [d for d, _ in out] != sorted(d for d, _ in out)
    assert way["delayed"] == 1000 + way["copied"] and len({port for _, (_, port) in out}) > 3 and told["rebinds"] > 3


def test_relay_is_told_while_it_runs(lab):
    receiver, sender = lab.socket(lab.collector), lab.socket(lab.collector)
    receiver.bind(("127.0.0.1", 6001))
    receiver.settimeout(5)
    relay = Impair(lab, lab.collector, "127.0.0.1:6000", "127.0.0.1:6001", back_drop=1)
    sender.settimeout(5)
    steps = (("drop 1", False), ("drop 0", True), ("outage", False), ("heal", True))
    for i, (line, passes) in enumerate(steps, 1):
        relay.tell(line)
        sender.sendto(line.encode(), ("127.0.0.1", 6000))
        if passes:
            said, where = receiver.recvfrom(100)
            assert said == line.encode()
            receiver.sendto(b"back", where)
        relay.wait_received(i, back=i // 2)
    assert sender.recv(100) == b"back", "healed, both ways"
    told = relay.stop()
    sender.setblocking(False)
    with pytest.raises(BlockingIOError):
        sender.recv(100)
    assert told["back"]["sent"] == 1, told
    assert told["forward"]["dropped"] == told["forward"]["outage"] == told["back"]["dropped"] == 1, told
