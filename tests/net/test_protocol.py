# SPDX-License-Identifier: Apache-2.0
"""docs/protocol.md against the program: what a second reader, made from the document alone, makes of the wire."""

import importlib.util
import re
import socket
import struct
import threading

import pytest

from lib import packets
from lib.farspan import PASS, PORT, Collector, Tap, assert_balanced, one, status
from lib.proc import wait_until
from lib.tools import ROOT, Tcpdump, framegen, start_framegen
from test_refusal import wire_as_it_is

SPEC = (ROOT / "docs" / "protocol.md").read_text()
_made = importlib.util.spec_from_file_location("decode_link", ROOT / "tests" / "interop" / "decode_link.py")
dl = importlib.util.module_from_spec(_made)
_made.loader.exec_module(dl)


def example(name):
    return bytes.fromhex(re.search(rf"^```hex {name}\n(.*?)```", SPEC, re.S | re.M)[1])


def test_worked_example():
    """The document's bytes mean, by the document's rules, what the document says of them."""
    hello = dl.decode_datagram(example("HELLO").ljust(384, b"\0"))
    assert (hello["type"], hello["method"], hello["sender"], hello["aeads"]) == (dl.HELLO, dl.CPACE, 0x01020304, 6)
    assert hello["data"] == bytes(range(16)) + example("Ya")
    answer = dl.decode_datagram(example("ANSWER"))
    assert (answer["sender"], answer["receiver"], answer["aead"], answer["data"]) == (0x0A0B0C0D, 0x01020304, 1, example("Yb"))
    record = dl.decode_datagram(example("sealed"))
    assert record["header"] == example("header") and (record["stream"], record["counter"]) == (1, 258)
    assert dl.nonce(record["stream"], record["counter"]) == example("nonce")
    assert len(record["body"]) == len(example("segment")) + 16
    stream = dl.Stream()
    stream.accounted = 41
    stream.next_counter = 258
    stream.segment(258, example("segment"))
    assert [(f["number"], f["ts"], f["dir"], f["caplen"], f["origlen"], f["port"]) for f in stream.frames] == [
        (41, 1700000000000000000, "in", 14, 14, None), (42, 1700000000000000060, "out", 16, 1500, 3)]


def test_weight_and_extension():
    """The bytes that link_test.c has too; and a header may be cut anywhere."""
    header, data = b"\xc2\0\x40\0\0\0\0\0\0\1\2\2ab", bytes(64)
    frame, used = dl.Stream.one(1000, header + data)
    assert used == len(header) + 64 and frame["data"] == data
    assert (frame["ts"], frame["dir"], frame["caplen"], frame["weight"], frame["extension"]) == (1000, "out", 64, 258, b"ab")
    assert all(dl.Stream.one(1000, (header + data)[:n]) == (None, 0) for n in range(used))
    plain, used = dl.Stream.one(1000, b"\0\0\x40\0\0\0\0" + data)
    assert used == 71 and (plain["weight"], plain["extension"]) == (1, b"")
    with pytest.raises(dl.Malformed):
        dl.Stream.one(1000, header[:7] + bytes(4) + header[11:] + data)


def test_steps_of_a_limit():
    """An extension is a list; types that are not known are passed over, and one that is cut short ends it."""
    assert dl.rung(b"\x01\x01\x92") == (2, True, False, False)
    assert dl.rung(b"\x09\x02ab\x01\x01\xaa") == (10, False, True, False)
    assert dl.rung(b"\x01\x01\xc0") == (0, False, False, True)
    assert dl.rung(b"") is None and dl.rung(b"\x01\x02\x80") is None and dl.rung(b"ab") is None


def test_table_of_counters():
    """The codes of REPORT in the document are those of the program."""
    documented = re.findall(r"^\| (\d+) \| `(\w+)` \| `(\w+)` \|$", SPEC, re.M)
    ledger = {row: (stage.lower(), key) for row, stage, key in
              re.findall(r'X\((\w+), (\w+), \w+, "(\w+)"', (ROOT / "src/base/ledger.h").read_text())}
    coded = re.findall(r"\{(\d+), LEDGER_(\w+)\}", (ROOT / "src/proto/link_control.c").read_text())
    stages = re.findall(r'USER\(X, \w+, \w+, \w+, (\d+), "(\w+)"', (ROOT / "src/base/stages.h").read_text())
    rows = [(code, *ledger[row]) for code, row in coded] + [(code, "stages", key) for code, key in stages]
    assert len(stages) >= 6 and documented == sorted(rows, key=lambda row: int(row[0]))


def test_table_of_events():
    """The kinds of EVENT in the document are those of the program."""
    documented = re.findall(r"^\| (\d+) \| `([a-z-]+)` \|$", SPEC, re.M)
    coded = re.findall(r'X\(\w+, (\d+), "([a-z-]+)"\)', (ROOT / "src/base/history.h").read_text())
    assert documented and documented == coded


def name(lab):
    """A tap's name that nobody else on this host has, so that its status is its own."""
    return lab.stem + "tap"


def mine(lab):
    return status(name(lab))


def carried(lab, n, interfaces=("mon0",)):
    """n frames through a session in the clear whose datagrams are recorded: ledgers, [(time, frame)] sent, and the datagrams."""
    wire_as_it_is(lab)
    lab.kernel_stamps()
    wire = Tcpdump(lab, lab.collector, "link0", "wire", expr=f"udp port {PORT}", fast=True)
    source = Tcpdump(lab, lab.tap, "mon0", "source", fast=True)
    collector = Collector(lab, key=None)
    tap = Tap(lab, key=None, interfaces=interfaces, name=name(lab))
    framegen(lab, n, pps=5000)
    source.wait_count(n)
    ledger, there = tap.finish(), collector.finish()
    wire.wait_quiet(0.2)
    wire.stop(), source.stop()
    sent = [(*struct.unpack("<II", head[:8]), frame) for head, frame in packets.read_pcap(source.path)]
    return ledger, there, [(s * 10**9 + ns, frame) for s, ns, frame in sent], list(dl.udp_datagrams(wire.path, PORT))


def read(datagrams):
    link = dl.Link()
    for d in datagrams:
        link.datagram(d)
    return link


def test_decoder_recovers_every_frame(lab):
    """By the document alone: each frame byte for byte, numbered from 0 without a gap, with the tap's time."""
    n = 5000
    ledger, there, sent, datagrams = carried(lab, n)
    assert_balanced(ledger, there, sent=n, delivered=n)
    link = read(datagrams)
    (stream,) = link.streams().values()
    assert link.foreign == link.sealed == 0
    assert not stream.lost and not stream.malformed
    assert [f["number"] for f in stream.frames] == list(range(n))
    assert [(f["ts"], f["data"]) for f in stream.frames] == sent
    assert {f["dir"] for f in stream.frames} == {"in"} and all(f["origlen"] == len(f["data"]) for f in stream.frames)
    said = [c for c in link.controls if c["control"] == "REPORT" and c["to"] == "collector" and c["final"]][-1]["streams"][0]
    assert said["frames"] == n and said["counters"][13] == n == said["counters"][10]
    probes = {c["token"]: c["size"] for c in link.controls if c["control"] == "PROBE"}
    answers = {c["token"]: c["size"] for c in link.controls if c["control"] == "PROBE_ACK"}
    assert answers and answers.items() <= probes.items(), "what arrived is what was sent"
    padded = [d for d in datagrams if d[0] == dl.RECORD and d[2:4] == b"\0\0" and d[16] == dl.PROBE]
    assert padded and all(dl.decode_control(d[16:])["size"] == len(d) for d in padded)
    events = [c for c in link.controls if c["control"] == "EVENT"]
    told, known = ([c for c in events if c["to"] == to] for to in ("collector", "tap"))
    assert told[0]["number"] == 1 and told[0]["kind"] == 12 and known[0]["number"] == 1 and known[0]["kind"] == 0, events
    assert {c["life"] for c in events} == {told[0]["life"]}
    kinds = [c["control"] for c in link.controls if c["control"] not in ("EVENT", "PROBE", "PROBE_ACK")]
    assert kinds[:4] == ["INFO", "INFO_ACK", "STREAM", "STREAM_ACK"] and kinds[-3:] == ["CLOSE", "REPORT", "CLOSE_ACK"], kinds


def test_loss_is_known_in_frames(lab):
    """Datagrams taken out of a recording: the numbers say exactly which frames went with them."""
    n = 3000
    _, _, sent, datagrams = carried(lab, n)
    data = [d for d in datagrams if d[0] == dl.RECORD and d[2:4] == b"\0\1"]
    for drop in ({0}, {1, 2, 7}, set(range(3, len(data), 5)), {len(data) - 1}):
        gone = {data[i] for i in drop}
        (stream,) = read([d for d in datagrams if d not in gone]).streams().values()
        assert not stream.malformed and stream.lost
        assert sorted([f["number"] for f in stream.frames] + stream.lost) == list(range(n))
        assert all(sent[f["number"]] == (f["ts"], f["data"]) for f in stream.frames)


def test_streams_of_any(lab):
    """-i any: a stream for each interface, named by STREAM; no frame names a port."""
    _, _, sent, datagrams = carried(lab, 500, ("any",))
    link = read(datagrams)
    names = {c["stream"]: c["ifname"] for c in link.controls if c["control"] == "STREAM"}
    assert sorted(names.values()) == ["link0", "lo", "mon0"]
    frames = {names[number]: stream.frames for (_, number), stream in link.streams().items()}
    assert [f["data"] for f in frames["mon0"]] == [frame for _, frame in sent]
    assert all(f["port"] is None for stream in frames.values() for f in stream)


def refuse_session(lab, index, port):
    """A REJECT with reason 6 as if from the collector, which did not send it."""
    d = struct.pack("!BBBBIIIBBBB", dl.REJECT, 1, 0, 0, dl.MAGIC, 0, index, 6, 1, 1, 0)
    raw = lab.socket(lab.collector, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    raw.sendto(struct.pack("!HHHH", PORT, port, 8 + len(d), 0) + d, ("10.77.0.1", 0))


@pytest.mark.parametrize("key", [PASS, None], ids=["encrypted", "clear"])
def test_forged_refusal_is_a_hint(lab, key):
    """It costs a handshake: the session goes on under new keys, no frame is missing, and no nonce is used twice."""
    wire_as_it_is(lab)
    wire = Tcpdump(lab, lab.collector, "link0", "wire", expr=f"udp port {PORT}", fast=True)
    early = Tcpdump(lab, lab.tap, "link0", "early", expr=f"udp port {PORT}", fast=True)
    source = Tcpdump(lab, lab.tap, "mon0", "source", fast=True)
    collector, tap = Collector(lab, key=key), Tap(lab, key=key, name=name(lab))
    early.wait_quiet(0.2)
    early.stop()
    ((index, port),) = {(struct.unpack("!I", f[50:54])[0], struct.unpack("!H", f[36:38])[0])
                        for _, f in packets.read_pcap(early.path) if f[42] == dl.ANSWER}
    n = 10000
    traffic = start_framegen(lab, n, 2500)
    source.wait_count(n // 5)
    refuse_session(lab, index ^ 1, port)  # of another session: nothing
    refuse_session(lab, index, port)
    wait_until(lambda: mine(lab)["session"]["rekeys"] == 1, 10, "new keys")
    assert traffic.wait(30) == 0
    source.wait_count(n)
    ledger, there = tap.finish(), collector.finish()
    wire.wait_quiet(0.2)
    wire.stop(), source.stop()
    assert_balanced(ledger, there, sent=n, delivered=n)
    assert tap.proc.err().count("session up") == 1 and ledger["session"]["sessions"] == ledger["session"]["rekeys"] == 1
    records = [d for d in map(dl.decode_datagram, dl.udp_datagrams(wire.path, PORT)) if d["type"] == dl.RECORD]
    used = [(d["receiver"], d["stream"], d["counter"]) for d in records]
    assert len(set(used)) == len(used) and len({d["receiver"] for d in records if d["stream"] == 1}) == 2
    assert sorted(d["counter"] for d in records if d["stream"] == 1) == list(range(sum(d["stream"] == 1 for d in records)))


class Relay:
    """Between tap and collector; lose(datagram, to_tap) says which are lost."""

    def __init__(self, lab, port, lose):
        self.lose, self.where = lose, None
        self.front, self.back = lab.socket(lab.collector), lab.socket(lab.collector)
        self.front.bind(("10.77.0.2", port))
        self.back.connect(("127.0.0.1", PORT))
        lab.serve(self.carry, self.front, False)
        lab.serve(self.carry, self.back, True)

    def carry(self, sock, to_tap):
        while True:
            try:
                d, where = sock.recvfrom(65536)
            except OSError:
                return
            self.where = self.where if to_tap else where
            if not self.lose(d, to_tap):
                self.front.sendto(d, self.where) if to_tap else self.back.send(d)


def test_session_keeps_its_name(lab):
    """The first INFO_ACK is lost: the INFO that is sent again names the same session, so that re-keying goes on with it."""
    first = threading.Event()

    def lose(d, to_tap):
        if to_tap and d[0] == dl.RECORD and not first.is_set():
            first.set()
            return True
        return False

    collector = Collector(lab)
    relay = Relay(lab, 5000, lose)
    tap = Tap(lab, to="10.77.0.2:5000", name=name(lab))
    assert first.is_set()
    wait_until(lambda: mine(lab)["interfaces"] and mine(lab)["session"]["state"] == "up", 5, "a session")
    index = collector_index(relay)
    relay.front.sendto(struct.pack("!BBBBIIIBBBB", dl.REJECT, 1, 0, 0, dl.MAGIC, 0, index, 6, 1, 1, 0), relay.where)
    wait_until(lambda: mine(lab)["session"]["rekeys"] + mine(lab)["session"]["sessions"] == 2, 10, "new keys")
    ledger, there = tap.finish(), collector.finish()
    assert (ledger["session"]["sessions"], ledger["session"]["rekeys"]) == (1, 1), tap.proc
    assert one(there["taps"])["sessions"] == 1, collector.proc


def collector_index(relay):
    """The index that the collector is spoken to under, from what the relay passes on to it."""
    seen = []
    inner = relay.lose
    relay.lose = lambda d, to_tap: (not to_tap and d[0] == dl.RECORD and seen.append(d), inner(d, to_tap))[1]
    return dl.decode_datagram(wait_until(lambda: seen, 5, "a record to the collector")[0])["receiver"]


def opened(sock, sender):
    """The collector's index of a handshake that was begun with somebody else's point for a passphrase."""
    sock.send(packets.hello(sender=sender, data=bytes(16) + example("Ya")))
    answer = dl.decode_datagram(sock.recv(2000))
    assert answer["type"] == dl.ANSWER, answer
    return answer["sender"]


def test_guesses_in_parallel_are_paid_for(lab):
    """Handshakes opened beforehand are a guess each, and no more with many CONFIRMs; afterwards the address waits for all of them."""
    collector = Collector(lab)
    sock = lab.socket(lab.tap)
    sock.connect(("10.77.0.2", PORT))
    sock.settimeout(5)
    indices = {sender: opened(sock, sender) for sender in range(1, 51)}
    for sender, index in indices.items():
        confirm = struct.pack("!BBBBIII", dl.CONFIRM, 1, dl.CPACE, 0, dl.MAGIC, sender, index)
        for tag in (bytes(32), bytes(31) + b"\1", bytes(32)):
            sock.send(confirm + tag)
        refusal = dl.decode_datagram(sock.recv(2000))
        assert (refusal["receiver"], refusal["reason"]) == (sender, 3), refusal
    sock.send(packets.hello(sender=1000, data=bytes(16) + example("Ya")))
    refusal = dl.decode_datagram(sock.recv(2000))
    assert (refusal["receiver"], refusal["reason"]) == (1000, 5), refusal
    link = collector.finish()["link"]
    assert link["wrong_passphrase"] == 50 and link["slowed_down"] == 1, link


def test_refused_methods_lock_nobody_out(lab):
    """HELLOs of another method, from many addresses that may be forged, keep no tap away."""
    collector = Collector(lab)
    for i in range(30):
        lab.ip(lab.tap, "addr", "add", f"10.77.0.{100 + i}/24", "dev", "link0")
        sock = lab.socket(lab.tap)
        sock.bind((f"10.77.0.{100 + i}", 0))
        sock.settimeout(5)
        sock.sendto(packets.hello(method=dl.PLAIN, sender=5), ("10.77.0.2", PORT))
        assert dl.decode_datagram(sock.recv(2000))["reason"] == 2
    sock = lab.socket(lab.tap)
    sock.bind(("10.77.0.100", 0))
    sock.connect(("10.77.0.2", PORT))
    sock.settimeout(5)
    opened(sock, 7)  # not even those addresses
    Tap(lab).finish()
    assert collector.finish()["link"]["wrong_method"] == 30
    assert collector.proc.err().count("another method") <= 25, "what anybody can cause is not said each time"
