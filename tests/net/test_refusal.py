# SPDX-License-Identifier: Apache-2.0
"""A tap that must not get in does not, both ends say why, and no datagram from outside harms a session that runs."""

import errno
import random
import socket
import struct
import threading

import pytest

from lib import packets
from lib.farspan import PORT, Collector, Tap, allow_file, assert_balanced, assert_tap_balanced, find_numbers, keygen, says, tap_stages
from lib.lab import inside
from lib.proc import wait_until
from lib.tools import Tcpdump, assert_same, framegen, start_framegen, steadily

FRAMES = 200


def refused(lab, collector, tap, tap_says, collector_says=None):
    """The tap gets no session and says why; nothing of it arrives; its frames are accounted for."""
    arrival = Tcpdump(lab, lab.collector, "ntap0", "arrival", direction="in", fast=True)
    says(tap.proc, tap_says)
    if collector_says:
        says(collector.proc, collector_says)
    source = Tcpdump(lab, lab.tap, "mon0", "source", fast=True)
    framegen(lab, FRAMES, pps=1000)
    source.wait_count(FRAMES)
    arrival.wait_quiet()
    assert "session up" not in tap.proc.err(), tap.proc
    ledger = tap.finish(status=1)
    there = collector.finish()
    assert arrival.stop() == 0
    assert_tap_balanced(ledger)
    stages = tap_stages(ledger)
    assert stages["link_tx"]["out"] == 0 and stages["link_tx"]["drops"]["no_session"] == stages["ring"]["in"] >= FRAMES
    assert find_numbers(there.get("taps", []), "out") == 0, there


def test_wrong_passphrase(lab):
    collector = Collector(lab, key="the right one")
    refused(lab, collector, Tap(lab, key="a wrong one", up=False), "refuses: wrong passphrase", "wrong passphrase from 10.77.0.1")


def test_wrong_passphrases_are_slowed_down(lab):
    """Guesses cost time: taps with wrong passphrases, one after the other, are told to wait, and the right one still gets in."""
    collector = Collector(lab, key="the right one")
    for i in range(3):
        tap = Tap(lab, key=f"guess {i}", up=False, name=f"guess{i}")
        says(tap.proc, "refuses: wrong passphrase|makes this tap wait")
        tap.finish(status=1)
    Tap(lab, key="the right one", name="honest").finish()
    collector.finish()


def test_unknown_tap_key(lab):
    collector_file, collector_key = keygen(lab, "collector")
    tap_file, _ = keygen(lab, "tap")
    _, other = keygen(lab, "other")
    collector = Collector(lab, key=["--identity", collector_file, "--allow", allow_file(lab, other=other)])
    refused(lab, collector, Tap(lab, key=["--identity", tap_file, "--peer", collector_key], up=False), "key|allow", "key|allow")


def test_wrong_collector_key(lab):
    """The tap talks to no collector but the one whose key it was given."""
    collector_file, _ = keygen(lab, "collector")
    tap_file, tap_key = keygen(lab, "tap")
    _, other = keygen(lab, "other")
    collector = Collector(lab, key=["--identity", collector_file, "--allow", allow_file(lab, tap=tap_key)])
    refused(lab, collector, Tap(lab, key=["--identity", tap_file, "--peer", other], up=False), "key|answer")


def test_right_keys(lab):
    """The control of the two above: with the right keys it works, and the collector knows the tap by its name in the list."""
    collector_file, collector_key = keygen(lab, "collector")
    tap_file, tap_key = keygen(lab, "tap")
    collector = Collector(lab, key=["--identity", collector_file, "--allow", allow_file(lab, branch=tap_key)])
    arrival = Tcpdump(lab, lab.collector, "ntap0", "arrival", direction="in", fast=True)
    tap = Tap(lab, key=["--identity", tap_file, "--peer", collector_key])
    framegen(lab, 2000, pps=5000)
    arrival.wait_count(2000)
    ledger, there = tap.finish(), collector.finish()
    assert there["taps"][0]["name"] == "branch"
    assert_balanced(ledger, there, sent=2000, delivered=2000, name="branch")


@pytest.mark.parametrize("tap_key, collector_key", [(None, "secret"), ("secret", None)], ids=["clear-tap", "clear-collector"])
def test_clear_text_against_encrypted(lab, tap_key, collector_key):
    """Neither end falls back by itself."""
    collector = Collector(lab, key=collector_key)
    refused(lab, collector, Tap(lab, key=tap_key, up=False), "encrypt|clear|-K")


def test_clear_text_is_loud(lab):
    collector, tap = Collector(lab, key=None), Tap(lab, key=None)
    for end in (collector, tap):
        says(end.proc, "not encrypted|no encryption|unencrypted|clear")
    tap.finish(), collector.finish()


def wire_as_it_is(lab):
    """No super-datagrams on the link: what tcpdump sees is what is on a wire."""
    for ns in (lab.tap, lab.collector):
        lab.offloads(ns, "link0", gso="off", gro="off", tx="off")
        lab.offloads(ns, "link0", **{"tx-udp-segmentation": "off"})


def record_session(lab, collector):
    """Frames through a session, its datagrams towards the collector recorded. (tap, arrival, datagrams)"""
    wire_as_it_is(lab)
    arrival = Tcpdump(lab, lab.collector, "ntap0", "arrival", direction="in", fast=True)
    wire = Tcpdump(lab, lab.collector, "link0", "wire", expr=f"udp port {PORT}", fast=True)
    tap = Tap(lab)
    framegen(lab, 2000, pps=5000)
    arrival.wait_count(2000)
    wire.wait_quiet(0.2)
    wire.stop()
    datagrams = packets.udp_payloads(wire.path, PORT)
    assert len(datagrams) > 100 and max(map(len, datagrams)) < 1500
    return tap, arrival, datagrams


def test_replay(lab):
    """Recorded datagrams, sent again while the session runs and after it: nothing of them reaches ntap0, and they are counted."""
    collector = Collector(lab)
    tap, arrival, datagrams = record_session(lab, collector)
    replayer = lab.socket(lab.tap)
    replayer.connect(("10.77.0.2", PORT))
    for d in datagrams:
        replayer.send(d)
    framegen(lab, 500, pps=5000)
    arrival.wait_count(2500)
    ledger = tap.finish()
    for d in datagrams:
        replayer.send(d)
    # a new session afterwards shows that the collector has read all of this, and lives
    tap = Tap(lab, name="next")
    framegen(lab, 500, pps=5000)
    arrival.wait_count(3000)
    assert arrival.wait_quiet() == 3000
    following, there = tap.finish(), collector.finish()
    assert arrival.stop() == 3000
    assert_tap_balanced(ledger)
    assert_tap_balanced(following)
    received = [i["stages"]["link_rx"] for t in there["taps"] for i in t["interfaces"]]
    assert sum(r["out"] for r in received) == 3000
    assert find_numbers(there, "replay") >= 50, f"replayed records are counted: {there}"


def test_foreign_version(lab):
    """A HELLO of another version is answered with our range of versions, in no more bytes than it had."""
    collector = Collector(lab)
    tap = Tap(lab)
    stranger = lab.socket(lab.tap)
    stranger.settimeout(5)
    for version in (2, 99, 255):
        request = packets.hello(version=version, sender=0x01020304)
        stranger.sendto(request, ("10.77.0.2", PORT))
        answer = stranger.recv(2000)
        kind, _, _, _, magic, _, receiver = struct.unpack("!BBBBIII", answer[:16])
        assert (kind, magic, receiver) == (packets.REJECT, packets.MAGIC, 0x01020304)
        reason, low, high = answer[16:19]
        assert reason == packets.REASON_VERSION and low <= 1 <= high and len(answer) <= len(request)
    # what is smaller than its answer would be gets none: neither an unpadded HELLO nor a stub of any kind
    record = struct.pack("!BBHIQ", packets.RECORD, 1, 1, 0xABCDEF, 0)
    for short in (packets.hello(sender=1)[:64], packets.hello(version=99, sender=1)[:16], packets.hello(version=99, sender=1)[:19], record):
        stranger.sendto(short, ("10.77.0.2", PORT))
    stranger.sendto(packets.hello(version=77, sender=2), ("10.77.0.2", PORT))
    assert struct.unpack("!I", stranger.recv(2000)[12:16])[0] == 2, "the first answer is to the last of these"
    framegen(lab, 500, pps=5000)
    assert_balanced(tap.finish(), collector.finish(), sent=500, delivered=500)


def test_collector_of_a_foreign_version(lab):
    """The tap that is answered by a newer collector says so, and tries again later."""
    server = lab.socket(lab.collector)
    server.bind(("10.77.0.2", PORT))
    server.settimeout(10)
    tap = Tap(lab, up=False)
    request, where = server.recvfrom(2000)
    kind, version, method, _, magic, sender, receiver = struct.unpack("!BBBBIII", request[:16])
    assert (kind, version, magic, receiver, len(request)) == (packets.HELLO, 1, packets.MAGIC, 0, packets.HELLO_SIZE)
    refusal = struct.pack("!BBBBIIIBBBB", packets.REJECT, 9, method, 0, packets.MAGIC, 5, sender, packets.REASON_VERSION, 9, 12, 0)
    server.sendto(refusal, where)
    says(tap.proc, "version")
    server.recvfrom(2000)
    assert_tap_balanced(tap.finish(status=1))


def hostile(rng, seeds):
    """One datagram that means no good: noise, noise behind an honest header, or an honest one that was cut or changed."""
    how = rng.randrange(5)
    if how == 0:
        return rng.randbytes(rng.randrange(0, 1400))
    if how == 1:
        kind = rng.choice([1, 2, 3, 4, 5, 16, 17, 0, 255])
        return struct.pack("!BBBBI", kind, rng.choice([1, 1, 2]), rng.randrange(4), 0, packets.MAGIC) + rng.randbytes(rng.randrange(400))
    if how == 2:
        return packets.hello(method=rng.randrange(4), sender=rng.getrandbits(32), data=rng.randbytes(rng.randrange(256)))
    d = bytearray(rng.choice(seeds))
    if how == 3:
        return bytes(d[:rng.randrange(len(d))])
    for _ in range(rng.randrange(1, 4)):
        d[rng.randrange(len(d))] ^= 1 << rng.randrange(8)
    return bytes(d)


def has_left(sock, datagram, to):
    """False while the kernel has no room for it, as what was sent before has not been received."""
    try:
        sock.sendto(datagram, to)
    except OSError as e:
        if e.errno != errno.ENOBUFS:
            raise
        return False
    return True


def throw_hostile(lab, aim, pps):
    """Throws them at one end, while a good tap sends so many frames a second."""
    file = lab.folder / "collector.pcapng"
    collector = Collector(lab, file=file)
    tap, arrival, seeds = record_session(lab, collector)
    source = Tcpdump(lab, lab.tap, "mon0", "source", fast=True)
    n = 20000
    good = start_framegen(lab, n, pps)
    rng = random.Random(5)
    if aim == "collector":
        bad = lab.socket(lab.tap)
        target = ("10.77.0.2", PORT)
    else:  # as if they came from the collector: from its address and port
        bad = lab.socket(lab.collector, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
        target = ("10.77.0.1", tap_port(lab))
    for i in range(10000):
        d = hostile(rng, seeds)
        if aim == "tap":
            d = struct.pack("!HHHH", PORT, target[1], 8 + len(d), 0) + d
        wait_until(lambda: has_left(bad, d, target if aim == "collector" else (target[0], 0)), 10, "room to send", step=0.001)
        if i % 50 == 49:
            assert tap.proc.running() and collector.proc.running(), f"{tap.proc}\n{collector.proc}"
    assert good.wait(60) == 0
    source.wait_count(n)
    arrival.wait_count(2000 + n)
    assert len(collector.proc.err()) < 20000, "nobody fills the log from outside"
    ledger, there = tap.finish(), collector.finish()
    source.stop(), arrival.stop()
    assert "session up" in tap.proc.err() and tap.proc.err().count("session up") == 1
    assert_balanced(ledger, there, sent=2000 + n, delivered=2000 + n)
    assert_same(arrival.path, file, 2000 + n)


@pytest.mark.parametrize("aim", ["collector", "tap"])
def test_hostile_datagrams(make_lab, aim):
    """Ten thousand of them while a good tap runs: not one frame of its is missing, doubled or out of place."""
    steadily(make_lab, lambda lab, pps: throw_hostile(lab, aim, pps), 5000)


def test_forged_handshakes_keep_nobody_out(lab):
    """Handshakes that fail without proof, from addresses that anybody can write into a datagram, make no honest tap wait."""
    collector = Collector(lab)
    forger = lab.socket(lab.tap, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    stop = threading.Event()

    def forge():
        for i in range(1 << 30):
            d = packets.hello(method=2 if i % 2 else 0, sender=i + 1, version=1 if i % 3 else 9)
            source = (10 << 24) | (77 << 16) | (1 if i % 4 == 0 else 10 + i % 200)
            udp = struct.pack("!HHHH", 5000 + i % 7, PORT, 8 + len(d), 0) + d
            head = struct.pack("!BBHHHBBHII", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0, source, 0x0A4D0002)
            forger.sendto(head + udp, ("10.77.0.2", 0))
            if stop.wait(0.01):
                return

    thread = lab.serve(forge)
    try:
        wait_until(lambda: "another method" in collector.proc.err(), 10, f"a word about it from {collector.proc}")
        for name in ("first", "second", "third"):
            tap = Tap(lab, name=name, up=False)
            tap.wait_up(seconds=10)
            framegen(lab, 200, pps=2000)
            ledger = tap.finish()
            assert_tap_balanced(ledger)
            assert tap_stages(ledger)["link_tx"]["confirmed"] == 200
    finally:
        stop.set()
        thread.join(5)
    told = collector.finish()["link"]
    assert told["wrong_method"] > 20 and told["wrong_version"] > 10 and told["slowed_down"] == 0, told


def tap_port(lab):
    """The local port of the tap's socket: the one that is connected to the collector's port."""
    with inside(lab.tap), open("/proc/thread-self/net/udp") as table:
        rows = [line.split()[1:3] for line in table.readlines()[1:]]
    ports = [int(local.split(":")[1], 16) for local, remote in rows if int(remote.split(":")[1], 16) == PORT]
    assert len(ports) == 1, rows
    return ports[0]
