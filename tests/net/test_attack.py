# SPDX-License-Identifier: Apache-2.0
"""Floods from real and forged addresses: a good tap keeps its rate, others get in, and nobody is answered with more than he sent.

What is judged is the ledger: frames of the good tap that were lost on the link, at a rate at which none is without the flood.
"""

import base64
import json
import os
import socket
import struct
from pathlib import Path

import pytest

from lib import packets
from lib.farspan import (PASS, PORT, Collector, Tap, allow_file, assert_balanced, assert_collector_balanced, assert_tap_balanced, drops,
                         keygen, one, own_name, own_port, status, tap_stages)
from lib.proc import alive, children, wait_until
from lib.tools import TOOLS, Tcpdump, framegen, start_framegen
from test_protocol import example
from test_refusal import wire_as_it_is

ANSWER, CONFIRM, ACCEPT, COOKIE = 2, 3, 4, 6
PPS = int(os.environ.get("FARSPAN_ATTACK_PPS", "10000"))  # of the good tap; the flood has twice as many
N = 2 * PPS


class Flood:
    """tests/tools/flood in a namespace."""

    def __init__(self, lab, kind, *words, ns=None, to="10.77.0.2", port=PORT, count=40000, pps=20000):
        argv = [TOOLS / "flood", kind, "--to", f"{to}:{port}", "--count", count, "--pps", pps, *words]
        self.count = count
        self.proc = lab.start(argv, f"flood-{kind}", ns or lab.tap)

    def finish(self, seconds=60):
        assert self.proc.wait(seconds) == 0, self.proc
        told = json.loads(self.proc.out())
        assert told["sent"] > self.count * 0.9, told
        return told


def indices(path, port=PORT):
    """The collector's session indices, from the records of a capture."""
    return sorted({struct.unpack("!I", d[4:8])[0] for d in packets.udp_payloads(path, port) if d[0] == packets.RECORD})


def recorded(lab, path, port=PORT):
    """A file of the datagrams to the collector, for the flooder."""
    file = lab.folder / "datagrams"
    file.write_bytes(b"".join(struct.pack("!H", len(d)) + d for d in packets.udp_payloads(path, port) if len(d) <= 1400))
    return file


def good_tap(lab, noise=False):
    """A tap in session, and what an attacker has seen of it: (collector, tap, indices, file of datagrams)."""
    wire_as_it_is(lab)
    keys = PASS, PASS
    if noise:
        (private, public), (tap_private, tap_public) = keygen(lab, "collector"), keygen(lab, "tap")
        keys = ["--identity", private, "--allow", allow_file(lab, tap=tap_public)], ["--identity", tap_private, "--peer", public]
    collector = Collector(lab, key=keys[0])
    arrival = Tcpdump(lab, lab.collector, "ntap0", "arrival", direction="in", fast=True)
    wire = Tcpdump(lab, lab.collector, "link0", "wire", expr=f"udp dst port {PORT}", fast=True)
    tap = Tap(lab, key=keys[1])
    framegen(lab, 1000, pps=5000)
    arrival.wait_count(1000)
    wire.wait_quiet(0.2)
    wire.stop(), arrival.stop()
    return collector, tap, indices(wire.path), recorded(lab, wire.path)


FORGED = ["--forge", "--from", "10.77.0.100", "--sources", 100]
KINDS = {
    "nothing": (None, [], None),  # the control
    "hello": ("hello", FORGED, "cookies_sent"),
    "hello-noise": ("hello", [*FORGED, "--method", 2], "cookies_sent"),
    "half-open": ("hello", ["--cookies", "--sources", 200], "too_many_handshakes"),
    "noise": ("noise", ["--len", 200], "malformed"),
    "index": ("index", ["--len", 200], "unknown_session"),
    "garbage": ("garbage", ["--len", 1200, "--stream", 1], "forged"),
    "garbage-control": ("garbage", ["--len", 100, "--stream", 0], "forged"),
    "replay": ("replay", [], "replayed"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_good_tap_keeps_its_rate(lab, kind):
    """Twice as many bad datagrams as the tap has frames: at most one frame in twenty is lost, and every loss is counted."""
    collector, tap, index, file = good_tap(lab, kind == "hello-noise")
    name, words, counter = KINDS[kind]
    words = [*words, *(["--index", ",".join(f"{i:x}" for i in index)] if name == "garbage" else [])]
    words += ["--file", file] if name == "replay" else []
    flood = Flood(lab, name, *words, count=2 * N, pps=2 * PPS) if name else None
    good = start_framegen(lab, N, PPS)
    assert good.wait(60) == 0
    told = flood.finish() if flood else None
    ledger, there = tap.finish(), collector.finish()
    assert_tap_balanced(ledger)
    assert_collector_balanced(there)
    stages = tap_stages(ledger)
    assert stages["ring"]["in"] == N + 1000 == stages["link_tx"]["out"], stages
    received = one(one(there["taps"])["interfaces"])["stages"]["link_rx"]
    link = there["link"]
    print(json.dumps({"kind": kind, "frames": N, "lost": drops(received), "flood": told, "link": link}))
    assert received["in"] == N + 1000 and drops(received) <= (N / 20 if flood else 0), received
    assert ledger["session"]["sessions"] == 1
    if not flood:
        return
    # what did not get through to the collector's program was dropped by the kernel, which counts buffers, or by the queue
    missed = 64 * link["socket_buffers_dropped"] + link["control_queue_full"]
    assert link[counter] >= told["sent"] * 0.8 - missed, link
    assert told["bytes_in"] <= told["bytes_out"], told


@pytest.mark.parametrize("kind", ["hello", "half-open"])
def test_a_tap_gets_in(make_lab, kind):
    """While somebody floods the collector with handshakes, from forged addresses or from a hundred real ones, taps come and go."""
    lab = make_lab(taps=2)
    collector = Collector(lab)
    words = FORGED
    if kind == "half-open":  # each of them goes on with the cookie that it gets
        for i in range(100):
            lab.ip(lab.tap, "addr", "add", f"10.77.0.{100 + i}/24", "dev", "link0")
        words = ["--cookies", "--from", "10.77.0.100", "--sources", 100]
    flood = Flood(lab, "hello", *words, count=10**7, pps=2 * PPS)
    counter = KINDS[kind][2]
    wait_until(lambda: flood.proc.running(), 5, "the flood")
    for i in range(3):
        tap = Tap(lab, name=f"tap{i}", ns=lab.taps[1], to=f"10.77.1.2:{PORT}", up=False)
        tap.wait_up(seconds=20)
        framegen(lab, 300, ns=lab.peers[1], pps=3000)
        ledger = tap.finish()
        assert_tap_balanced(ledger)
        assert tap_stages(ledger)["link_tx"]["confirmed"] == 300, ledger
    assert flood.proc.running(), "the flood went on all the time"
    flood.proc.kill()
    there = collector.finish()
    link = there["link"]
    assert link[counter] + link["control_queue_full"] + link["handshakes_put_off"] > 1000, link


def session_on_the_wire(lab, port, v6):
    """(index, the tap's port) of what the tap sends now."""
    at = 14 + (40 if v6 else 20)
    wire = lab.socket(lab.collector, socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind(("link0", 0x86DD if v6 else 0x0800))
    wire.settimeout(5)
    while True:
        packet = wire.recv(65535)
        ports, d = struct.unpack("!HH", packet[at:at + 4]), packet[at + 8:]
        if ports[1] == port and len(d) >= 16 and d[0] == packets.RECORD and d[:4] != b"\x10\1\0\0":
            wire.close()
            return struct.unpack("!I", d[4:8])[0], ports[0]


def rekey_by_hints(lab, name, port, v6):
    """Three times somebody tells the tap that its session is not known: it makes a new handshake at once. How often it got new keys."""
    forger = lab.socket(lab.collector, socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    if v6:
        forger.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_CHECKSUM, 6)

    def rekeys():
        return status(name)["session"]["rekeys"]

    for wanted in range(1, 4):
        index, there = session_on_the_wire(lab, port, v6)
        refusal = struct.pack("!BBBBIIIBBBB", packets.REJECT, 1, 0, 0, packets.MAGIC, 0, index, 6, 1, 1, 0)

        def hinted():
            forger.sendto(struct.pack("!HHHH", port, there, 8 + len(refusal), 0) + refusal, ("fd77::1" if v6 else "10.77.0.1", 0))
            return rekeys() >= wanted

        wait_until(hinted, 10, f"new keys, {wanted} times")
    return rekeys()


SHARED = {  # with a tap: (flood, where it comes from)
    "address": ["--forge", "--from", "10.77.0.1"],
    "nat": ["--cookies", "--from", "10.77.0.1", "--sources", 200, "--one"],
    "network": ["--cookies", "--from", "[fd77::100]", "--sources", 200],
}


@pytest.mark.parametrize("noise", [False, True], ids=["passphrase", "identity"])
@pytest.mark.parametrize("where", SHARED)
def test_nobody_at_its_address_keeps_a_tap_out(lab, where, noise):
    """Ten times the HELLOs of which an address has a share, from the tap's own address, from others behind it, or from its /64: it gets
    in, it gets new keys, and not one of its frames is missing."""
    keys = PASS, PASS
    if noise:
        (private, public), (tap_private, tap_public) = keygen(lab, "collector"), keygen(lab, "tap")
        keys = ["--identity", private, "--allow", allow_file(lab, tap=tap_public)], ["--identity", tap_private, "--peer", public]
    port = own_port()
    collector = Collector(lab, key=keys[0], port=port)
    host = "10.77.0.2"
    if where == "network":
        host = "[fd77::2]"
        for i in range(200):
            lab.ip(lab.tap, "addr", "add", f"fd77::{0x100 + i:x}/64", "dev", "link0", "nodad", "preferred_lft", 0)  # not for the tap
    words = [*SHARED[where], "--method", 2 if noise else 1]
    flood = Flood(lab, "hello", *words, to=host, port=port, count=10**7, pps=5000)
    wait_until(lambda: status(f"collector-{port}")["link"]["datagrams"] > 5000, 20, "more than an address has at once")
    tap = Tap(lab, key=keys[1], to=f"{host}:{port}", name=own_name("tap"), up=False)
    tap.wait_up(seconds=20)
    good = start_framegen(lab, 6000, 1000)
    again = rekey_by_hints(lab, own_name("tap"), port, where == "network")
    assert good.wait(60) == 0
    assert flood.proc.running(), "the flood went on all the time"
    flood.proc.kill()
    ledger, there = tap.finish(), collector.finish()
    assert ledger["session"]["rekeys"] >= again >= 3 and ledger["session"]["sessions"] == 1, ledger["session"]
    assert_balanced(ledger, there, sent=6000, delivered=6000, name="tap" if noise else own_name("tap"))


def engine(collector):
    """The process of the collector's that does the work: the last one of its family."""
    return wait_until(lambda: [p for p in children(collector.proc.pid) if alive(p)], 5, "its engine")[-1]


def resident(pid):
    return next(int(line.split()[1]) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))


def test_floods_fill_no_memory(lab):
    """After one round of each flood, another six times as long takes no more memory."""
    collector, tap, index, file = good_tap(lab)
    pid = engine(collector)

    def everything(count):
        for name, words, _ in list(KINDS.values())[1:]:
            words = [*words, *(["--index", ",".join(f"{i:x}" for i in index)] if name == "garbage" else [])]
            Flood(lab, name, *words, *(["--file", file] if name == "replay" else []), count=count, pps=30000).finish()

    everything(2000)
    before = resident(pid)
    everything(12000)
    after = resident(pid)
    framegen(lab, 500, pps=5000)
    assert_balanced(tap.finish(), collector.finish(), sent=1500, delivered=1500)
    assert after - before < 4096, f"{before} kB and then {after} kB"


def handshake(kind, sender=0, receiver=0, version=1, method=1, body=b""):
    return struct.pack("!BBBBIII", kind, version, method, 0, packets.MAGIC, sender, receiver) + body


def every_message(index):
    """One of everything that an address can send before it is known: (name, datagram)."""
    point = bytes(16) + example("Ya")
    yield "HELLO", packets.hello(sender=1, data=point)
    yield "HELLO without a point", packets.hello(sender=1)
    yield "HELLO with a cookie", packets.hello(sender=1, data=point)[:368] + bytes(range(16))
    yield "HELLO of no sender", packets.hello(sender=0, data=point)
    for method in (0, 2, 3, 255):
        yield f"HELLO by method {method}", packets.hello(method=method, sender=1, data=bytes(104))
    for size in (16, 19, 20, 21, 383, 384, 385, 1200):
        yield f"HELLO of another version, {size} bytes", packets.hello(version=9, sender=1).ljust(1200, b"\0")[:size]
        yield f"HELLO of {size} bytes", packets.hello(sender=1, data=point).ljust(1200, b"\0")[:size]
        for kind in (ANSWER, CONFIRM, ACCEPT, packets.REJECT, COOKIE, 7, 15, 17):
            for receiver in (0, 1, index):
                yield f"type {kind}, {size} bytes", handshake(kind, 1, receiver).ljust(1200, b"\1")[:size]
        for receiver in (0, 1, index):
            for stream in (0, 1, 4095, 4096):
                yield f"record, {size} bytes", struct.pack("!BBHIQ", packets.RECORD, 1, stream, receiver, 5).ljust(1200, b"\2")[:size]


def test_nobody_gets_more_than_he_sent(lab):
    """Each kind of message from an address of which nothing is known: what comes back is not larger; nor is all of it together."""
    collector, tap, index, _ = good_tap(lab)
    target = ("10.77.0.2", PORT)
    stranger, witness = lab.socket(lab.tap), lab.socket(lab.tap)
    witness.settimeout(5)
    answered = set()
    for i, (name, datagram) in enumerate(every_message(index[0])):
        stranger.sendto(datagram, target)
        # the collector answers in turn: when this one is answered, the one before it has been
        witness.sendto(packets.hello(sender=i + 1000, data=bytes(16) + example("Ya")), target)
        while struct.unpack("!I", witness.recv(2000)[12:16])[0] != i + 1000:
            pass
        got = 0
        while True:
            try:
                d = stranger.recv(2000, 0x40)  # MSG_DONTWAIT
            except BlockingIOError:
                break
            got += len(d)
            answered.add((name, d[0]))
        assert got <= len(datagram), f"{name}: {len(datagram)} bytes sent, {got} came back"
    kinds = {kind for _, kind in answered}
    assert {ANSWER, packets.REJECT, COOKIE} <= kinds, answered
    framegen(lab, 300, pps=5000)
    assert_balanced(tap.finish(), collector.finish(), sent=1300, delivered=1300)


def holds(pid, secret):
    """Is it anywhere in the process's writable memory?"""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            where, rights = line.split()[:2]
            begin, end = (int(x, 16) for x in where.split("-"))
            if "w" not in rights:
                continue
            memory.seek(begin)
            try:
                if secret in memory.read(end - begin):
                    return True
            except OSError:
                pass  # a guard page
    return False


@pytest.mark.parametrize("identity", [False, True], ids=["passphrase", "identity"])
def test_only_the_engine_knows_the_secret(lab, identity):
    """The broker keeps privileges, and no key; the engine has what it needs, once it has split."""
    keys, secrets = (PASS + "-of-this-test", PASS + "-of-this-test"), [PASS.encode() + b"-of-this-test"] * 2
    if identity:
        (private, public), (tap_private, tap_public) = keygen(lab, "collector"), keygen(lab, "tap")
        keys = ["--identity", private, "--allow", allow_file(lab, tap=tap_public)], ["--identity", tap_private, "--peer", public]
        secrets = [base64.b64decode(file.read_text().split()[-1]) for file in (private, tap_private)]
    collector, tap = Collector(lab, key=keys[0]), Tap(lab, key=keys[1])
    for end, secret in ((collector, secrets[0]), (tap, secrets[1])):
        family = [p for p in (end.proc.pid, *children(end.proc.pid)) if "farspan" in Path(f"/proc/{p}/comm").read_text()]
        broker = [p for p in family if "broker" in Path(f"/proc/{p}/comm").read_text()]
        assert len(broker) == 1 and len(family) == 2, family
        assert [holds(p, secret) for p in family if p not in broker] == [True], "the search finds it where it is"
        assert not holds(broker[0], secret), end.proc
    framegen(lab, 300, pps=5000)
    assert_balanced(tap.finish(), collector.finish(), sent=300, delivered=300)
