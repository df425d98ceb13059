# SPDX-License-Identifier: Apache-2.0
"""Every output of the collector at once, live into other programs, from several taps and interfaces."""

import collections
import json
import os
import signal

import pytest

from lib.farspan import (PORT, Collector, Tap, assert_balanced, assert_tap_balanced, drops, everyones_farspan, farspan, one,
                         own_name, own_port, says, status, tap_stages)
from lib.proc import run, wait_until
from lib.tools import Tcpdump, assert_same, framegen, in_namespace, ping, start_framegen, tshark


def piped(lab, reader, *words, device=None, key=None):
    """A collector that writes to a pipe which `reader` has as its standard input."""
    from_here, to_there = os.pipe()
    try:
        sink = lab.start(reader, "reader", lab.collector, stdin=from_here)
        collector = Collector(lab, "-w", "-", *words, key=key, device=device, json=False, stdout=to_there)
    finally:
        os.close(from_here)
        os.close(to_there)
    return collector, sink


def test_live_into_tshark(lab):
    """tshark shows frames, with interface and direction, while the collector still runs."""
    argv = ["tshark", "-l", "-n", "-r", "-", "-T", "fields", "-e", "frame.number", "-e", "frame.interface_name",
            "-e", "frame.packet_flags_direction"]
    collector, reader = piped(lab, argv)
    tap = Tap(lab, key=None)
    framegen(lab, 600, pps=2000, kinds="udp4,tcp4,arp")
    framegen(lab, 400, ns=lab.tap, dev="mon0", pps=2000, kinds="udp4,tcp4,arp")

    def rows():
        return [line.split("\t") for line in reader.out().splitlines()]

    wait_until(lambda: len(rows()) >= 1000, 20, lambda: f"1000 rows from tshark, which has {len(rows())}: {reader}")
    assert collector.proc.running()
    tap.finish()
    collector.finish()
    reader.wait()
    assert len(rows()) == 1000
    directions = collections.Counter(int(r[2], 0) & 3 for r in rows())
    assert directions == {1: 600, 2: 400}
    assert all("mon0" in r[1] for r in rows()), rows()[0]


def test_pipe_and_device_at_once(lab):
    copy = lab.folder / "copy.pcapng"
    collector, reader = piped(lab, ["sh", "-c", f"cat > {copy}"], device="ntap0")
    arrival = Tcpdump(lab, lab.collector, "ntap0", "arrival", direction="in")
    tap = Tap(lab, key=None)
    framegen(lab, 20000, pps=10000)
    arrival.wait_count(20000)
    assert_tap_balanced(tap.finish())
    collector.finish()
    assert reader.wait() == 0
    arrival.stop()
    assert_same(arrival.path, copy, 20000)


def test_reader_that_goes_away(lab):
    """A broken pipe ends that output, not the device's."""
    collector, reader = piped(lab, ["head", "-c", "1000"], device="ntap0")
    arrival = Tcpdump(lab, lab.collector, "ntap0", "arrival", direction="in")
    tap = Tap(lab, key=None)
    framegen(lab, 5000, pps=5000)
    arrival.wait_count(5000)
    reader.wait()
    tap.finish()
    collector.proc.stop()
    arrival.stop()


def test_libpcap_reads_all_of_a_file(lab):
    """Whatever its taps cut frames to, and though it is continued: tcpdump reads a file to its end, as tshark does."""
    file = lab.folder / "cut.pcapng"
    for cuts in (["-s", 64], []), (["-s", 262144], ["-s", 96]):
        collector = Collector(lab, key=None, device=None, file=file)
        for name, words in zip(("one", "two"), cuts):
            tap = Tap(lab, *words, key=None, name=name)
            framegen(lab, 100, pps=2000)
            tap.finish()
        collector.finish()
    told = run(["tcpdump", "-nn", "-t", "-q", "-r", file])
    assert len(told.stdout.splitlines()) == 400, told.stderr
    rows = tshark(file, "frame.cap_len", "frame.interface_description")
    assert len(rows) == 400
    assert {words for _, words in rows[:100]} == {"mon0 on tap one, cut to 64 bytes"}
    assert {words for _, words in rows[100:200]} == {"mon0 on tap two"}
    assert max(int(n) for n, _ in rows[:100]) == 64 < max(int(n) for n, _ in rows[100:200])


@pytest.mark.parametrize("out", [False, True], ids=["named", "as-standard-output"])
def test_one_collector_writes_a_file(lab, out):
    """Another is refused, with the file's name, until the first has ended, however that ends; it then continues the file."""
    file = lab.folder / "both.pcapng"

    def collector(port, **kw):
        stdout = open(file, "ab+")  # and never closed here: a shell may keep it open too
        lab.closers.append(stdout.close)
        return Collector(lab, port=port, key=None, device=None, file="-" if out else file, json=False,
                         **({"stdout": stdout} if out else {}), **kw)

    first = collector(PORT, name="first")
    second = collector(PORT + 1, name="second", ready=False)
    assert second.proc.wait() == 1
    says(second.proc, "standard output is being written" if out else f"{file} is being written by another collector")
    tap = Tap(lab, key=None)
    framegen(lab, 300, pps=3000)
    tap.finish()
    first.proc.stop(signal.SIGKILL)
    wait_until(lambda: not first.proc.tree(), 10, "the end of both halves")
    third = collector(PORT, name="third")
    tap = Tap(lab, key=None)
    framegen(lab, 200, pps=3000)
    tap.finish()
    third.finish()
    assert len(tshark(file, "frame.number")) >= 200


def test_two_taps_each_with_a_device(make_lab):
    lab = make_lab(taps=2)
    file = lab.folder / "both.pcapng"
    collector = Collector(lab, device="ntap-%t", file=file)
    taps = [Tap(lab, ns=lab.taps[i], name=name, to=f"10.77.{i}.2:{PORT}") for i, name in enumerate(("berlin", "oslo"))]
    arrivals, sources = [], []
    for i, name in enumerate(("berlin", "oslo")):
        wait_until(lambda: lab.has_device(lab.collector, f"ntap-{name}"), 10, f"ntap-{name}")
        arrivals.append(Tcpdump(lab, lab.collector, f"ntap-{name}", name, direction="in", fast=True))
        sources.append(Tcpdump(lab, lab.taps[i], "mon0", f"source-{name}", fast=True))
    framegen(lab, 5000, ns=lab.peers[0], pps=5000)
    framegen(lab, 3000, ns=lab.peers[1], pps=5000, seed=9)
    for source, arrival, n in zip(sources, arrivals, (5000, 3000)):
        source.wait_count(n)
        arrival.wait_count(n)
    ledgers = [t.finish() for t in taps]
    there = collector.finish()
    for source, arrival, name, n, ledger in zip(sources, arrivals, ("berlin", "oslo"), (5000, 3000), ledgers):
        assert source.stop() == n and arrival.stop() == n
        assert_same(source.path, arrival.path, n)
        assert_same(source.path, file, n, b_interface=f"*{name}*")
        assert_balanced(ledger, there, sent=n, delivered=n)
    names = {row[0] for row in tshark(file, "frame.interface_name")}
    assert len(names) == 2 and all("mon0" in n for n in names), names


def two_interfaces(make_lab, words):
    """Frames at two watched interfaces of one tap, 2000 and 1000. (lab, the tap's and the collector's ledger, file)"""
    lab = make_lab(monitored=2)
    lab.kernel_stamps()
    file = lab.folder / "collector.pcapng"
    collector = Collector(lab, device=None, file=file, key=None)
    sources = [Tcpdump(lab, lab.tap, f"mon{i}", f"source{i}", fast=True) for i in range(2)]
    tap = Tap(lab, interfaces=words, key=None)
    framegen(lab, 2000, dev="peer0", pps=5000)
    framegen(lab, 1000, dev="peer1", pps=5000)
    for source, n in zip(sources, (2000, 1000)):
        source.wait_count(n)
    ledger, there = tap.finish(), collector.finish()
    for source in sources:
        source.stop()
    return [s.path for s in sources], ledger, there, file


def test_several_interfaces(make_lab):
    sources, ledger, there, file = two_interfaces(make_lab, ("mon0", "mon1"))
    for i, n in enumerate((2000, 1000)):
        assert_same(sources[i], file, n, times=True, b_interface=f"*mon{i}")
        assert tap_stages(ledger, f"mon{i}")["ring"]["in"] == n
    assert_balanced(ledger, there, sent=3000, delivered=3000)


def test_any(make_lab):
    """Every interface's frames are there, whole, under its own name."""
    sources, ledger, there, file = two_interfaces(make_lab, ("any",))
    for i, n in enumerate((2000, 1000)):
        assert_same(sources[i], file, n, times=True, b_interface=f"*mon{i}")
    assert_balanced(ledger, there)
    ports = {row[0] for row in tshark(file, "udp.port", expr=f"udp.port == {PORT} && ip.addr == 10.77.0.2") if row[0]}
    assert not ports, f"the tap's own datagrams are not among them: {ports}"


def test_own_tunnel_is_left_out_and_nothing_else(lab):
    """The tap watches the interface by which its tunnel leaves: it sees all other traffic with the collector's host."""
    file = lab.folder / "collector.pcapng"
    page = lab.folder / "page"
    page.write_text("x" * 200000)
    web = lab.start(["/usr/bin/python3", "-m", "http.server", "8000", "--directory", lab.folder], "web", lab.collector)
    wait_until(lambda: in_namespace(lab.collector, ["ss", "-Htln", "sport", "=", ":8000"]).stdout, 10, "the web server")
    collector = Collector(lab, device=None, file=file)
    tap = Tap(lab, interfaces=("link0",))
    ping(lab.tap, "10.77.0.2")
    ping(lab.tap, "fd77::2")
    got = in_namespace(lab.tap, ["curl", "-s", "http://10.77.0.2:8000/page"]).stdout
    assert got == page.read_text()
    other = lab.socket(lab.tap)
    for i in range(5):  # to the collector's very port, but not from the tap's socket
        other.sendto(b"not the tap's own %d" % i, ("10.77.0.2", PORT))
    strange = other.getsockname()[1]
    ledger, there = tap.finish(), collector.finish()
    assert_balanced(ledger, there)
    rows = tshark(file, "udp.srcport", "udp.dstport", expr=f"udp.port == {PORT}")
    ports = {p for row in rows for p in row if p and p != str(PORT)}
    assert ports == {str(strange)}, f"only the other socket's flow, {strange}, was to be seen: {ports}"
    assert len([r for r in rows if r[0] == str(strange)]) == 5
    assert len(tshark(file, "icmp.type", expr="icmp.type == 8 || icmp.type == 0")) == 6
    assert len(tshark(file, "icmpv6.type", expr="icmpv6.type == 128 || icmpv6.type == 129")) == 6
    data = tshark(file, "tcp.len", expr="tcp.srcport == 8000")
    assert sum(int(r[0]) for r in data) > 200000
    web.stop()
    total = one(ledger["interfaces"])["stages"]["ring"]["in"]
    assert total < 3000, f"the tunnel would feed itself: {total} frames"


def test_status(lab):
    """Both ends tell their ledger while frames flow: at no moment more comes out of a stage than went in."""
    name, port = own_name("told"), own_port()
    collector = Collector(lab, port=port)
    tap = Tap(lab, name=name, to=f"10.77.0.2:{port}")
    n = 20000
    good = start_framegen(lab, n, 8000)
    looks = 0
    while good.running() or looks < 3:
        ours, theirs = status(name), status(f"collector-{port}")
        stages = [*tap_stages(ours).values()]
        for interface in one(theirs["taps"])["interfaces"]:
            stages += [interface["stages"]["link_rx"], *interface["outputs"]]
        assert all(s["in_flight"] >= 0 and s["in"] == s["out"] + drops(s) + s["in_flight"] for s in stages), stages
        looks += 1
    assert good.wait(30) == 0 and looks >= 3
    wait_until(lambda: tap_stages(status(name))["link_tx"]["confirmed"] == n, 10, "the collector's confirmation of every frame")
    words = run([farspan(), "status", name]).stdout
    assert str(n) in words and "mon0" in words and "up with 10.77.0.2" in words
    words = run([farspan(), "status", f"collector-{port}"]).stdout
    assert str(n) in words and name in words
    assert_balanced(tap.finish(), collector.finish(), sent=n, delivered=n)
    for gone in (name, f"collector-{port}"):
        done = run([farspan(), "status", gone], check=False)
        assert done.returncode == 1 and gone in done.stderr and done.stdout == ""
        assert "sudo" not in done.stderr, "root is told of no programs that only root sees"


def test_status_of_another_user(lab):
    """A user who may not see root's programs is told that they are there, by name or in all, and by which command they are seen."""
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", everyones_farspan(lab), "status"]
    name, port = own_name("roots"), own_port()
    collector, tap = Collector(lab, port=port), Tap(lab, name=name, to=f"10.77.0.2:{port}")
    for words in ([], [name]):
        done = run([*nobody, *words], check=False)
        assert done.returncode == 1 and "root's are shown to root only: try sudo farspan status" in done.stderr, done
    done = run([*nobody, own_name("nobodys")], check=False)
    assert done.returncode == 1 and "runs here" in done.stderr and "root" not in done.stderr.replace("/root", ""), done
    tap.finish()
    collector.finish()


def test_status_watch(lab):
    """A look a second, each with more frames, until what is watched ends."""
    name, port = own_name("watched"), own_port()
    collector = Collector(lab, port=port)
    tap = Tap(lab, name=name, to=f"10.77.0.2:{port}")
    watch = lab.start([farspan(), "status", name, "--watch", "--json"], "watch")
    start_framegen(lab, 4000, 1000)

    def counts():
        whole = watch.out().rpartition("\n")[0].splitlines()
        return [tap_stages(one(json.loads(line)))["link_tx"]["out"] for line in whole]

    wait_until(lambda: len(set(counts())) >= 3, 20, lambda: f"three different looks: {counts()}")
    assert counts() == sorted(counts())
    tap.finish()
    assert watch.wait() == 0
    collector.finish()


def test_interfaces_are_listed(lab):
    done = in_namespace(lab.tap, [farspan(), "tap", "-l"])
    assert "mon0" in done.stdout and "link0" in done.stdout
    there = run([farspan(), "tap", "-l", "--netns", lab.peer]).stdout
    assert "peer0" in there and "mon0" not in there
    gone = run([farspan(), "tap", "--netns", "no-such-one", "-l"], check=False)
    assert gone.returncode == 1 and "no such namespace" in gone.stderr and not gone.stdout


def test_ledger_counts_for_people(lab):
    """The three lines that tcpdump's users know, for each interface, on stderr."""
    collector, tap = Collector(lab, key=None), Tap(lab, key=None, json=False)
    framegen(lab, 700, pps=5000)
    tap.finish()
    for words in ("700 captured", "700 received by filter", "0 dropped by kernel"):
        assert words in tap.proc.err(), tap.proc
    collector.finish()


def test_a_kept_device_outlives_the_collector(lab):
    """One tcpdump sees the frames of two lives of the collector."""
    collector = Collector(lab, "--keep-device")
    arrival = Tcpdump(lab, lab.collector, "ntap0", "arrival", direction="in")
    tap = Tap(lab)
    framegen(lab, 1000, pps=5000)
    arrival.wait_count(1000)
    tap.finish()
    collector.finish()
    assert lab.has_device(lab.collector, "ntap0")
    assert not arrival.gone()
    collector = Collector(lab)  # it takes what is there, and leaves it as it found it
    tap = Tap(lab)
    framegen(lab, 1000, pps=5000, seed=2)
    arrival.wait_count(2000)
    assert_balanced(tap.finish(), collector.finish(), sent=1000, delivered=1000)
    assert lab.has_device(lab.collector, "ntap0")
    assert not arrival.gone()
    arrival.stop()
