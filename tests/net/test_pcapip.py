# SPDX-License-Identifier: Apache-2.0
"""-o pcap-over-ip://: whoever connects gets the frames from then on: dumpcap, tshark, several at once, slow ones, late ones.

All readers are in the collector's namespace, where loopback addresses are its own.
"""

import os
import signal
import socket
import struct
import time

import pytest

from lib.farspan import Collector, assert_stage, drops, one, own_port, status
from lib.lab import inside
from lib.outputs import Ends
from lib.proc import run, wait_until
from lib.tools import Tcpdump, assert_same, framegen, tshark

PORT = 57012
MAGIC = {"pcap": b"\xd4\xc3\xb2\xa1", "pcap-ns": b"\x4d\x3c\xb2\xa1", "pcapng": b"\x0a\x0d\x0d\x0a"}


def loopback(lab):
    lab.ip(lab.collector, "link", "set", "lo", "up")


def readers(ends):
    return one(status(f"collector-{ends.port}")["outputs"])["readers"]


def wait_readers(ends, n):
    wait_until(lambda: readers(ends) == n, 20, lambda: f"{n} readers: {readers(ends)}")


class Dumpcap:
    """A real reader, connected; `path` is what it writes."""

    def __init__(self, lab, ends, name, host="127.0.0.1", pcapng=False):
        before = readers(ends)
        self.path = lab.folder / f"{name}.{'pcapng' if pcapng else 'pcap'}"
        argv = ["dumpcap", "-q", "-i", f"TCP@{host}:{PORT}", "-w", self.path, *([] if pcapng else ["-P"])]
        self.proc = lab.start(argv, f"dumpcap-{name}", lab.collector)
        wait_readers(ends, before + 1)

    def stop(self):
        """It ends by itself, as the collector has closed the connection."""
        wait_until(lambda: not self.proc.running(), 20, lambda: f"the end of {self.proc}")
        return self.path


def connect(lab, ends, receive_buffer=None, wait=True):
    """A reader of the test's own that does not read yet."""
    before = readers(ends)
    sock = lab.socket(lab.collector, socket.AF_INET, socket.SOCK_STREAM)
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.connect(("127.0.0.1", PORT))
    if wait:
        wait_readers(ends, before + 1)
    return sock


def read_to_end(sock, path):
    """Writes what a reader of the test's own gets until the collector closes."""
    sock.settimeout(20)
    with open(path, "wb") as f:
        while piece := sock.recv(1 << 20):
            f.write(piece)


def cut_to_whole_records(path):
    """How many records of the classic format are in a file whose last one the end may have cut off, which it then is without."""
    data, at, n = path.read_bytes(), 24, 0
    while at + 16 <= len(data) and (end := at + 16 + struct.unpack_from("<I", data, at + 8)[0]) <= len(data):
        at, n = end, n + 1
    path.write_bytes(data[:at])
    return n


@pytest.mark.parametrize("form,times", [("pcap", {"times": "us"}), ("pcap-ns", {"times": True}), ("pcapng", {"times": True})])
def test_two_dumpcaps_get_every_frame(lab, form, times):
    """Byte for byte, with the times of the tap's capture: in microseconds, or all that there is."""
    loopback(lab)
    source = Tcpdump(lab, lab.tap, "mon0", "source")
    ends = Ends(lab, f"pcap-over-ip://127.0.0.1:{PORT},format={form}")
    got = [Dumpcap(lab, ends, f"reader{i}", pcapng=form == "pcapng") for i in range(2)]
    framegen(lab, 5000, pps=10000)
    source.wait_count(5000)
    ends.wait_for("out", 5000)
    assert "output-readers" in {e["kind"] for e in status(f"collector-{ends.port}")["history"]}
    out = ends.finish(sent=5000)
    source.stop()
    assert out["out"] == 5000 and drops(out) == 0 and out["reader_missed"] == 0, out
    for dumpcap in got:
        assert_same(source.path, dumpcap.stop(), 5000, **times)


def test_tshark_and_tcpdump_read_along(lab):
    """Live, from a pipe of the test's own: tshark by its own TCP@, tcpdump from a program that only passes bytes on."""
    loopback(lab)
    ends = Ends(lab, f"pcap-over-ip://127.0.0.1:{PORT}")
    shark = lab.start(["tshark", "-l", "-i", f"TCP@127.0.0.1:{PORT}", "-c", "50", "-T", "fields", "-e", "udp.dstport"], "tshark", lab.collector)
    wait_readers(ends, 1)
    path = lab.folder / "passed.pcap"
    sock = connect(lab, ends)
    ends.send(50)
    wait_until(lambda: not shark.running(), 30, lambda: f"the end of {shark}")
    assert shark.out().split() == ["53"] * 50
    wait_readers(ends, 1)
    ends.finish(sent=50)
    read_to_end(sock, path)
    assert len(run(["tcpdump", "-nr", path]).stdout.splitlines()) == 50


@pytest.mark.parametrize("form", MAGIC)
def test_the_header_comes_before_any_frame(lab, form):
    """At once at the connection, in the format that is asked for; then frames as tshark reads them."""
    loopback(lab)
    ends = Ends(lab, f"pcap-over-ip://127.0.0.1:{PORT},format={form}")
    sock = connect(lab, ends)
    sock.settimeout(5)
    assert sock.recv(4, socket.MSG_PEEK | socket.MSG_WAITALL) == MAGIC[form]
    ends.send(20, 500)
    ends.wait_for("out", 20)
    ends.finish(sent=20)
    path = lab.folder / "read.cap"
    read_to_end(sock, path)
    rows = tshark(path, "frame.len", "frame.interface_name")
    assert [r[0] for r in rows] == ["500"] * 20, rows
    if form == "pcapng":
        assert {r[1] for r in rows} == {f"{ends.tap_name}:mon0"}


def test_a_reader_that_never_reads_loses_its_own(lab):
    """One that reads gets every frame meanwhile; the ledger says how many the other missed, and it balances."""
    loopback(lab)
    source = Tcpdump(lab, lab.tap, "mon0", "source")
    ends = Ends(lab, f"pcap-over-ip://127.0.0.1:{PORT},format=pcap-ns")
    stuck = connect(lab, ends, receive_buffer=4096)
    good = Dumpcap(lab, ends, "good")
    n = 45000
    framegen(lab, n, pps=15000)
    source.wait_count(n)
    ends.wait_for("out", n)
    out = ends.output()
    assert 0 < out["reader_missed"] < n and drops(out) == 0, out
    missed = out["reader_missed"]
    out = ends.finish(sent=n)
    source.stop()
    assert out["out"] == n and out["reader_missed"] == missed
    assert_same(source.path, good.stop(), n, times=True)
    path = lab.folder / "stuck.pcap"
    read_to_end(stuck, path)
    assert n - missed - 1 <= cut_to_whole_records(path) <= n - missed
    assert_same(source.path, path, allow="missing", times=True)


def test_frames_without_readers_and_with_full_ones(lab):
    """Before anybody comes they are counted as no_reader; with none but a full one as readers_full."""
    loopback(lab)
    ends = Ends(lab, f"pcap-over-ip://127.0.0.1:{PORT}")
    ends.send(30)
    ends.wait_for("no_reader", 30)
    stuck = connect(lab, ends, receive_buffer=4096)
    n = 45000
    framegen(lab, n, pps=15000)
    wait_until(lambda: (o := ends.output())["in"] == n + 30 and o["in_flight"] == 0, 30, lambda: f"all frames: {ends.output()}")
    full = ends.output()["drops"]["readers_full"]
    assert full > 0 and ends.output()["reader_missed"] == full
    stuck.close()
    wait_readers(ends, 0)  # noticed while nothing is sent
    ends.send(10)
    ends.wait_for("no_reader", 40)
    out = ends.finish(sent=n + 40)
    assert out["out"] == n - full, out
    assert_stage("output", out)


def test_a_late_reader_gets_what_comes_then(lab):
    loopback(lab)
    ends = Ends(lab, f"pcap-over-ip://127.0.0.1:{PORT},format=pcapng")
    early = Dumpcap(lab, ends, "early", pcapng=True)
    ends.send(100)
    ends.wait_for("out", 100)
    late = Dumpcap(lab, ends, "late", pcapng=True)
    ends.send(50)
    ends.wait_for("out", 150)
    ends.finish(sent=150)
    assert len(tshark(early.stop(), "frame.number")) == 150
    rows = tshark(late.stop(), "frame.interface_name")
    assert rows == [[f"{ends.tap_name}:mon0"]] * 50


def test_the_ninth_reader_is_turned_away(lab):
    loopback(lab)
    ends = Ends(lab, f"pcap-over-ip://127.0.0.1:{PORT}")
    socks = [connect(lab, ends) for _ in range(8)]
    ninth = connect(lab, ends, wait=False)
    ninth.settimeout(5)
    assert ninth.recv(1) == b""
    output = one(status(f"collector-{ends.port}")["outputs"])
    assert (output["readers"], output["readers_refused"]) == (8, 1)
    wait_until(lambda: any("1 more were turned away" in w for w in ends.events("output-readers")), 15, lambda: f"the event: {ends.events('output-readers')}")
    socks[0].close()
    wait_readers(ends, 7)
    again = connect(lab, ends)
    ends.send(5)
    ends.wait_for("out", 5)
    ends.finish(sent=5)
    path = lab.folder / "again.pcap"
    read_to_end(again, path)
    assert len(tshark(path, "frame.number")) == 5


def test_in_order_from_several_threads(lab):
    """The queue before it puts frames in order as before any output, and several receivers share it."""
    loopback(lab)
    source = Tcpdump(lab, lab.tap, "mon0", "source")
    ends = Ends(lab, f"pcap-over-ip://127.0.0.1:{PORT},format=pcap-ns", "--threads", "2", "--order", "20ms")
    got = Dumpcap(lab, ends, "reader")
    framegen(lab, 2000, pps=10000)
    source.wait_count(2000)
    ends.wait_for("out", 2000)
    ends.finish(sent=2000)
    source.stop()
    assert_same(source.path, got.stop(), 2000, times=True)


def test_ipv6(lab):
    loopback(lab)
    with inside(lab.collector):
        for name in ("all", "lo"):
            with open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "w") as f:
                f.write("0")
    ends = Ends(lab, f"pcap-over-ip://[::1]:{PORT}")
    sock = lab.socket(lab.collector, socket.AF_INET6, socket.SOCK_STREAM)
    sock.connect(("::1", PORT))
    wait_readers(ends, 1)
    ends.send(20)
    ends.wait_for("out", 20)
    ends.finish(sent=20)
    read_to_end(sock, lab.folder / "six.pcap")
    assert len(tshark(lab.folder / "six.pcap", "frame.number")) == 20


def test_an_address_that_others_reach(lab):
    """Only with `,clear`; then another host reads."""
    collector = Collector(lab, "-o", f"pcap-over-ip://10.77.0.2:{PORT}", key=None, device=None, ready=False)
    assert collector.proc.wait(10) == 2, collector.proc
    assert "others reach 10.77.0.2, and frames would leave this host in clear text" in collector.proc.err(), collector.proc.err()
    ends = Ends(lab, f"pcap-over-ip://0.0.0.0:{PORT},clear")
    sock = lab.socket(lab.tap, socket.AF_INET, socket.SOCK_STREAM)
    sock.connect(("10.77.0.2", PORT))
    wait_readers(ends, 1)
    ends.send(20)
    ends.wait_for("out", 20)
    ends.finish(sent=20)
    read_to_end(sock, lab.folder / "far.pcap")
    assert len(tshark(lab.folder / "far.pcap", "frame.number")) == 20


@pytest.mark.parametrize("words,says,code", [
    (f"pcap-over-ip://127.0.0.1:{PORT},format=pcapng2", '"format=pcapng2" is no setting of it', 2),
    ("pcap-over-ip://127.0.0.1", "(pcap-over-ip://ADDRESS:PORT[,format=pcap|pcap-ns|pcapng][,clear])", 2),
    (f"pcap-over-ip://192.0.2.77:{PORT},clear", f"cannot listen at 192.0.2.77:{PORT}: Cannot assign requested address", 1),
])
def test_bad_words(lab, words, says, code):
    collector = Collector(lab, "-o", words, key=None, device=None, ready=False, port=own_port())
    assert collector.proc.wait(10) == code, collector.proc
    assert says in collector.proc.err(), collector.proc.err()


def test_a_port_that_is_taken(lab):
    loopback(lab)
    sock = lab.socket(lab.collector, socket.AF_INET, socket.SOCK_STREAM)
    sock.bind(("127.0.0.1", PORT))
    sock.listen()
    collector = Collector(lab, "-o", f"pcap-over-ip://127.0.0.1:{PORT}", key=None, device=None, ready=False)
    assert collector.proc.wait(10) == 1, collector.proc
    assert f"cannot listen at 127.0.0.1:{PORT}: Address already in use" in collector.proc.err(), collector.proc.err()


def test_a_dumpcap_that_is_killed_holds_nobody_up(lab):
    loopback(lab)
    ends = Ends(lab, f"pcap-over-ip://127.0.0.1:{PORT}")
    dead, alive = Dumpcap(lab, ends, "dead"), Dumpcap(lab, ends, "alive")
    ends.send(20)
    ends.wait_for("out", 20)
    os.kill(dead.proc.pid, signal.SIGKILL)
    began = time.monotonic()
    wait_readers(ends, 1)
    assert time.monotonic() - began < 5
    ends.send(20)
    ends.wait_for("out", 40)
    ends.finish(sent=40)
    assert len(tshark(alive.stop(), "frame.number")) == 40
