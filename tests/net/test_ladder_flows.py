# SPDX-License-Identifier: Apache-2.0
"""--on-limit flows: flow records in place of frames. Each frame is a frame at the collector, in one record there, or in one count; the
judges are the numbers that the test has sent, a reader of IPFIX in Python, the reader of the link, and tshark."""

import collections
import ipaddress
import signal
import struct
import time

from lib.farspan import PORT, Collector, Tap, assert_balanced, assert_stage, drops, one, own_name, own_port, status, tap_stages
from lib.ipfix import Reader
from lib.proc import wait_until
from lib.relay import RECORD, TEXT, Relay
from lib.talk import FLOWS, PAYLOAD, RATE, Talk, wish
from lib.tools import Impair, Tcpdump, tshark
from test_protocol import dl
from test_refusal import wire_as_it_is

BYTES = 20 + 8 + PAYLOAD  # of a packet of Talk's


def number(data):
    return int.from_bytes(data, "big")


class Told:
    """A collector that writes flow records, and a tap whose ladder has them."""

    def __init__(self, lab, *words, to=f"10.77.0.2:{PORT}", steps="flows,count", collector=()):
        self.name, self.records = own_name("flows"), lab.folder / "records.ipfix"
        self.file = lab.folder / "collector.pcapng"
        self.collector = Collector(lab, f"--ipfix=file:{self.records}", *collector, key=None, device=None, file=self.file)
        limit = ["--rate", str(RATE), "--on-limit", steps] if steps else []
        self.tap = Tap(lab, *limit, *words, key=None, name=self.name, to=to)
        self.talk = Talk(lab)

    def step(self):
        return status(self.name)["limit"]["step"]

    def descend(self, times=16):
        assert self.talk.go(wish(times), lambda: self.step() == "flow records", 20), self.step()

    def calm(self):
        assert self.talk.go(wish(0.2), lambda: self.step() == "full", 40), f"it stays at {self.step()}"

    def finish(self, **kw):
        """The tap's stages, and those of the link's other end; all balances, and all records are exported."""
        ledger, self.there = self.tap.finish(), self.collector.finish()
        assert_balanced(ledger, self.there, sent=self.talk.sent, **kw)
        self.export = one(self.there["meter"]["exports"])
        assert_stage("export", self.export)
        self.found = Reader(self.records).records
        assert self.export["out"] == len(self.found)
        interface = one(one(self.there["taps"])["interfaces"])
        self.metered = interface["outputs"][-1]["out"]
        return tap_stages(ledger), interface["stages"]["link_rx"]

    def packets(self):
        return sum(number(r[2]) for r in self.found)


def by_flow(records):
    """{(source, destination): [packets, bytes]} of all records, by address and port."""
    found = collections.defaultdict(lambda: [0, 0])
    for r in records:
        ends = tuple((str(ipaddress.ip_address(r[address])), number(r[port])) for address, port in ((8, 7), (12, 11)))
        found[ends][0] += number(r[2])
        found[ends][1] += number(r[1])
    return found


def test_each_frame_is_told(lab):
    """Full, flow records, full again: the packets and bytes of all records are those of the frames that were sent, flow by flow, whether
    the tap has metered them or the collector."""
    told = Told(lab)
    began = time.time_ns()
    told.descend()
    told.talk.for_seconds(wish(16), 4)
    assert told.step() == "flow records"
    told.calm()
    history = [e["words"].split(":")[0] for e in status(told.name)["history"] if e["kind"] == "limit-rung"]
    assert history == ['from "full" to "flow records"', 'from "flow records" to "full"']
    stages, received = told.finish()
    limit = stages["limit"]
    assert limit["limit_untold"] == 0 and received["flow_unreadable"] == 0
    assert limit["drops"]["limit_metered"] == received["flow_packets"] > 5000
    assert limit["drops"]["limit_counted"] == 0
    assert limit["made"] == received["flow_messages"] > 0
    full = limit["drops"]["limit_full"]
    assert told.packets() == received["out"] + received["flow_packets"] == told.talk.sent - full
    assert told.metered == received["out"]
    missing = 0
    for (source, target), (packets, size) in by_flow(told.found).items():
        assert size == packets * BYTES, (source, target)
        flow = max(source[1], target[1]) - 10000
        there = told.talk.numbers[flow]
        expected = (there + 1) // 2 if source[1] >= 10000 else there // 2
        assert packets <= expected, (source, target)
        missing += expected - packets
    assert missing == full
    for r in told.found:
        assert began - 10**9 <= number(r[152]) * 10**6 <= number(r[153]) * 10**6 <= time.time_ns()


def test_biflows_and_frames_that_stay(lab):
    """With --biflow a record that the tap has made stays one; frames of --keep are frames on that step too."""
    told = Told(lab, "--keep", "udp port 5060", collector=["--biflow"])
    told.descend()
    told.talk.for_seconds(wish(16), 3)
    stages, received = told.finish()
    both = [r for r in told.found if number(r[-2]) > 0]
    assert len(both) > FLOWS / 2 and {number(r[239]) for r in told.found} <= {1, 2}
    total = sum(number(r[2]) + number(r[-2]) for r in told.found)
    assert total == received["out"] + received["flow_packets"] == told.talk.sent - stages["limit"]["drops"]["limit_full"]
    kept = tshark(told.file, "udp.port", expr="udp.port == 5060")
    assert len(kept) == told.talk.numbers[0]


def test_the_link_loses_some(lab):
    """Messages that are lost on the way are in the link's count, and the packets that they told of are the difference of two others."""
    port = own_port()
    path = Impair(lab, lab.collector, port, f"10.77.0.2:{PORT}")
    told = Told(lab, to=f"10.77.0.2:{port}")
    told.descend()
    told.talk.for_seconds(wish(16), 2)
    path.tell("drop 0.1")
    told.calm()
    wait_until(lambda: one(status(told.name)["interfaces"])["stages"]["limit"].get("made", 0) > 4, 40, "idle flows leave")
    told.talk.for_seconds(wish(0.2), 2)
    path.tell("drop 0")
    stages, received = told.finish(lost=1)
    metered = stages["limit"]["drops"]["limit_metered"]
    assert received["flow_packets"] < metered and drops(received) > 0
    assert told.packets() == received["out"] + received["flow_packets"]


def test_an_outage_loses_none(lab):
    """Flow records that leave while the link is away wait at the tap, as frames do, and come when it is back."""
    port = own_port()
    path = Impair(lab, lab.collector, port, f"10.77.0.2:{PORT}")
    told = Told(lab, to=f"10.77.0.2:{port}")
    told.descend()
    told.talk.for_seconds(wish(16), 2)
    path.tell("outage")

    def made():
        return one(status(told.name)["interfaces"])["stages"]["limit"].get("made", 0)

    before = made()
    wait_until(lambda: made() > before, 40, "idle flows leave")
    told.talk.for_seconds(wish(0.2), 1)
    path.tell("heal")
    told.tap.wait_up(times=2)
    told.talk.for_seconds(wish(0.2), 1)
    stages, received = told.finish()
    assert received["flow_packets"] == stages["limit"]["drops"]["limit_metered"] and drops(received) == 0
    assert stages["link_tx"]["backlogged"] > 0
    assert told.packets() == received["out"] + received["flow_packets"]


def test_a_collector_that_does_not_know_them(lab):
    """The step is left out, and the tap says so."""
    class Older(Relay):
        def backward(self, data):
            out = bytearray(data)
            if out[0] == RECORD and out[2:4] == b"\0\0" and out[TEXT] == dl.INFO_ACK:
                out[TEXT + 1] &= 15
            return bytes(out)

    port = own_port()
    Older(lab, port, PORT)
    told = Told(lab, to=f"10.77.0.2:{port}")
    assert told.talk.go(wish(16), lambda: told.step() == "counters only", 20), told.step()
    words = [e["words"] for e in status(told.name)["history"] if e["kind"] == "limit-rung"]
    assert words[0] == "the collector takes no flow records: --on-limit goes on without this step"
    stages, received = told.finish()
    limit = stages["limit"]
    assert limit["drops"]["limit_metered"] == limit.get("made", 0) == received["flow_messages"] == 0
    assert limit["drops"]["limit_counted"] > 0


def test_the_step_is_read_again(lab):
    """A tap whose file says flows only later: from then on it has that step, and no frame is lost over it."""
    config = lab.folder / "tap.conf"

    def write(steps):
        config.write_text(f"[tap]\nrate = {RATE}\non-limit = {steps}\n")

    write("count")
    told = Told(lab, "--config", config, steps=None)
    assert told.talk.go(wish(16), lambda: told.step() == "counters only", 20), told.step()
    told.talk.for_seconds(wish(16), 1)
    write("flows,count")
    told.tap.proc.send(signal.SIGHUP)
    told.descend()
    told.talk.for_seconds(wish(16), 2)
    stages, received = told.finish()
    drops_of = stages["limit"]["drops"]
    assert drops_of["limit_metered"] == received["flow_packets"] > 500 and drops_of["limit_counted"] > 0
    assert told.packets() == received["out"] + received["flow_packets"]


def judged(lab, messages):
    """tshark counts (records, packets of both directions) in IPFIX messages, and complains of nothing."""
    path = lab.folder / "judged.pcap"
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101))
        for m in messages:
            udp = struct.pack("!HHHH", 40000, 4739, 8 + len(m), 0) + m
            ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
            f.write(struct.pack("<IIII", 0, 0, len(ip + udp), len(ip + udp)) + ip + udp)
    rows = tshark(path, "cflow.protocol", "cflow.packets", "_ws.expert.message")
    assert not [row for row in rows if row[2]], rows
    return tuple(sum(f(v) for row in rows for v in row[field].split(",") if v) for field, f in ((0, lambda v: 1), (1, int)))


def test_the_link_as_others_read_it(lab):
    """Each FLOWS can be read alone, by the document, and its messages by tshark."""
    wire_as_it_is(lab)
    wire = Tcpdump(lab, lab.collector, "link0", "wire", expr=f"udp port {PORT}")
    told = Told(lab)
    told.descend()
    told.talk.for_seconds(wish(16), 2)
    stages, received = told.finish()
    wire.wait_quiet(0.3)
    wire.stop()
    link = dl.read(wire.path, PORT)
    assert {c["flows"] for c in link.controls if c["control"] == "INFO_ACK"} == {True}
    (_, stream), = link.streams().items()
    assert len(stream.flows) == received["flow_messages"] and len(stream.frames) == received["out"]
    records = [r for f in stream.flows for r in f["records"]]
    assert len(records) == received["flow_records"]
    assert sum(dl.packets_of(r) for r in records) == received["flow_packets"] == stages["limit"]["drops"]["limit_metered"]
    messages = [m for f in stream.flows for m in dl.messages_of(f["data"])]
    assert judged(lab, messages) == (received["flow_records"], received["flow_packets"])
