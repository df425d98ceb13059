# SPDX-License-Identifier: Apache-2.0
"""The user's stages, at the tap and at the collector, in the order given: the frames that come out, judged by tshark, and their counts."""

import random
import socket
import struct

import pytest

from lib.farspan import Collector, Tap, assert_balanced, counts, drops, farspan, one, tap_stages
from lib.packets import ethernet, ipv4, udp
from lib.proc import run
from lib.tools import tshark

def query(number, port, back=False):
    """A numbered datagram between 10.9.0.1:port and 10.9.0.2:53."""
    ends = (b"\x0a\x09\0\1", port), (b"\x0a\x09\0\2", 53)
    (source, from_port), (target, to_port) = reversed(ends) if back else ends
    return ethernet(ipv4(17, source, target, udp(from_port, to_port, struct.pack("!I", number) + bytes(60))), back=back)


def outer(protocol, payload):
    return ethernet(ipv4(protocol, b"\xac\x10\0\1", b"\xac\x10\0\2", payload))


def vxlan(frame):
    return outer(17, udp(50000, 4789, struct.pack("!II", 0x08000000, 77 << 8) + frame))


def gre(frame):
    return outer(47, struct.pack("!HH", 0, 0x0800) + frame[14:])


def erspan(frame):
    """ERSPAN type II: GRE with a sequence number, and eight bytes of its own."""
    return outer(47, struct.pack("!HHIII", 0x1000, 0x88BE, 1, 0x1000 << 16 | 5, 3) + frame)


def send(lab, frames):
    """Sends them in order at the far end of the monitored wire, without overrunning anything."""
    with lab.socket(lab.peer, socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind(("peer0", 0))
        for frame in frames:
            s.send(frame)


def drive(lab, frames, at_tap=(), at_collector=()):
    """The frames through stages at both ends: the ledger's stages there and here, and the file; all is balanced."""
    file = lab.folder / "collector.pcapng"
    words = [[w for stage in stages for w in ("--stage", stage)] for stages in (at_tap, at_collector)]
    collector = Collector(lab, *words[1], key=None, device=None, file=file)
    tap = Tap(lab, *words[0], key=None)
    send(lab, frames)
    tap_ledger, collector_ledger = tap.finish(), collector.finish()
    assert_balanced(tap_ledger, collector_ledger, sent=len(frames))
    here = tap_stages(tap_ledger)
    there = one(one(collector_ledger["taps"])["interfaces"])
    assert there["tap_stages"].get("stages") == here.get("stages"), "the collector was told other figures"
    return here, there["stages"], file


def test_tunnels_come_off_and_what_is_inside_is_filtered(lab):
    """Of four kinds of tunnels those that are to come off do, in the order of the stages, as tshark reads the result."""
    inner = [query(i, 4000 + i) for i in range(40)]
    frames = [wrap(f) for f, wrap in zip(inner, [vxlan, gre, erspan, lambda f: f] * 10)]
    here, there, file = drive(lab, frames, ["strip vxlan", "strip gre", "filter udp dst port 53 and not src port 4001"], ["slice headers"])
    assert counts(here["stages"]) == {"in": 40, "filter": 11, "out": 29, "stripped": 20}, here
    assert counts(there["stages_rx"]) == {"in": 29, "out": 29, "sliced": 29}, there
    rows = tshark(file, "udp.srcport", "frame.len", "frame.cap_len", "frame.protocols")
    expected = [[str(4000 + i), str(len(inner[i])), "42", "eth:ethertype:ip:udp:dns"] for i in range(40) if i % 4 != 2 and i != 1]
    assert [r[:3] for r in rows] == [e[:3] for e in expected], rows
    assert all("vxlan" not in r[3] and "gre" not in r[3] for r in rows), rows


def test_tags_come_off(lab):
    """VLANs are chosen by their list, then lose their tags, whether the kernel has taken these out of the frame or not."""
    frames = [ethernet(query(i, 5000 + i)[14:], vlan=100 + i % 5) for i in range(50)] + [query(99, 99)]
    here, there, file = drive(lab, frames, ["vlan 100-102"], ["strip vlan"])
    assert counts(here["stages"]) == {"in": 51, "vlan": 21, "out": 30}, here
    assert counts(there["stages_rx"]) == {"in": 30, "out": 30, "stripped": 30}, there
    rows = tshark(file, "udp.srcport", "vlan.id", "frame.len")
    assert rows == [[str(5000 + i), "", "106"] for i in range(50) if i % 5 < 3], rows


def test_whole_flows_are_sampled_and_say_for_how_many_they_stand(lab):
    """A flow that is kept is whole in both directions, as tshark counts conversations; weights come to the file, from both ends multiplied."""
    rng = random.Random(4)
    order = [port for port in range(2000, 2400) for _ in range(5)]
    rng.shuffle(order)
    frames = [query(i, port, back=rng.random() < 0.5) for i, port in enumerate(order)]
    here, there, file = drive(lab, frames, ["sample flow 1/4"], ["sample packet 1/5"])
    kept = here["stages"]["out"]
    assert kept % 5 == 0 and 50 <= kept // 5 <= 160, f"{kept // 5} of 400 flows kept, about 100 are wanted"
    assert counts(here["stages"]) == {"in": 2000, "sampled": 2000 - kept, "out": kept}, here
    left = there["stages_rx"]["out"]
    assert kept // 5 <= left <= kept // 5 + 1 and there["stages_rx"]["drops"]["sampled"] == kept - left, there
    comments = {row[0] for row in tshark(file, "frame.comment")}
    assert comments == {"stands for 20 frames"}, comments


def test_flows_that_are_kept_are_whole(lab):
    """The same without a second sample: each conversation of the file has all of its frames."""
    order = [port for port in range(2000, 2300) for _ in range(6)]
    random.Random(5).shuffle(order)
    frames = [query(i, port, back=i % 3 == 0) for i, port in enumerate(order)]
    here, _, file = drive(lab, frames, [], ["sample flow 1/3"])
    assert "stages" not in here
    table = run(["tshark", "-q", "-r", file, "-z", "conv,udp"]).stdout
    conversations = [line.split() for line in table.splitlines() if "<->" in line]
    assert 50 <= len(conversations) <= 150, f"{len(conversations)} of 300 flows kept, about 100 are wanted"
    assert "stands for 3 frames" in {row[0] for row in tshark(file, "frame.comment")}
    rows = tshark(file, "udp.srcport", "udp.dstport")
    of_flow = {}
    for source, target in rows:
        of_flow[max(source, target, key=int)] = of_flow.get(max(source, target, key=int), 0) + 1
    assert len(of_flow) == len(conversations) and set(of_flow.values()) == {6}, of_flow


def test_directions_at_the_collector(lab):
    """The direction is that at the tap's host, also for a stage of the collector's."""
    here, there, file = drive(lab, [query(i, 6000) for i in range(20)], ["direction in"], ["direction out"])
    assert counts(here["stages"]) == {"in": 20, "out": 20}, here
    assert counts(there["stages_rx"]) == {"in": 20, "direction": 20}, there
    assert not tshark(file, "frame.number")
    assert drops(there["link_rx"]) == 0


MISTAKES = [("slize 10", "did you mean slice?"), ("sample flow 1/0", "between 1 and 1000000"), ("filter no such thing", "no such thing"),
            ("filter inbound", "direction"), ("strip mpls", "vlan, vxlan, gre or erspan"), ("", "a stage is wanted")]


@pytest.mark.parametrize("stage, told", MISTAKES)
def test_mistakes(stage, told):
    """A stage that cannot be read is refused in one line, with what would be right, at either command."""
    for words in (["tap", "-i", "lo", "-c", "127.0.0.1:9", "-K"], ["collector", "-p", "9", "-K", "-w", "/dev/null"]):
        done = run([farspan(), *words, "--stage", stage], check=False)
        line, rest = done.stderr.split("\n", 1)
        assert done.returncode == 2 and told in line and rest.startswith("Try "), done
