# SPDX-License-Identifier: Apache-2.0
"""--on-limit: less detail where more is wished than the rate carries; what is left of it is exact, and whoever looks at the file can tell."""

import bisect
import itertools
import random
import re
import socket
import time

from lib.cutting import bridge, frames_of
from lib.farspan import Collector, Tap, assert_balanced, one, own_name, status, tap_stages
from lib.proc import wait_until
from lib.supers import inject, random_super
from lib.talk import FLOWS, PAYLOAD, RATE, Talk, wish
from lib.tools import Tcpdump, tshark

SENDER = "ether src 02:00:00:00:00:01"


def weight(comment):
    found = re.search(r"stands for (\d+) frames", comment)
    return int(found[1]) if found else 1


def test_detail_goes_before_frames_do(lab):
    """16 times the rate, then calm: the tap settles on a step, tells it at both ends, and comes back; flows that are kept are whole."""
    name, file = own_name("ladder"), lab.folder / "collector.pcapng"
    collector = Collector(lab, key=None, device=None, file=file)
    tap = Tap(lab, "--rate", str(RATE), "--keep", "udp port 5060", key=None, name=name)
    talk = Talk(lab)

    def step():
        return status(name)["limit"]["step"]

    assert talk.go(wish(16), lambda: step() != "full", 20), "no detail is given up"
    assert talk.go(wish(16), lambda: "1 flow in" in step(), 20), step()
    talk.for_seconds(wish(16), 5)
    settled = step()
    assert talk.go(wish(0.2), lambda: step() == "full", 30), f"it stays at {step()}"
    history = status(name)["history"]
    ledger, there = tap.finish(), collector.finish()
    assert_balanced(ledger, there, sent=talk.sent)

    limit = tap_stages(ledger)["limit"]
    assert limit["limit_sliced"] > 0 and limit["drops"]["limit_sampled"] > 0 and limit["drops"]["limit_counted"] == 0, limit
    words = [e["words"] for e in history if e["kind"] == "limit-rung"]
    assert any(f'to "{settled}": more is wished' in w for w in words) and words[-1].endswith("fitted for some seconds"), words
    known = one(there["taps"])["history"]
    assert [e["words"] for e in known if e["kind"] == "limit-rung"] == words, known

    rows = [(comment, int(flow[0]) + int(flow[1]), int(number, 16), int(length)) for comment, *flow, number, length in
            tshark(file, "frame.comment", "udp.srcport", "udp.dstport", "ip.id", "frame.cap_len")]
    rungs = [i for i, row in enumerate(rows) if f"limit-rung: {settled}" in row[0]]
    assert rungs, "no packet of the file says where the step begins"
    end = next((i for i, row in enumerate(rows) if i > rungs[0] and "limit-rung" in row[0]), len(rows))
    kept, weights = {}, 0
    one_in = int(settled.rsplit(" ", 1)[1])
    for comment, flow, number, length in rows[rungs[0]:end]:
        whole = flow == 10000 + 5060
        assert weight(comment) == (1 if whole else one_in), (comment, flow)
        assert (length > PAYLOAD) == (whole or "headers" not in settled), (length, flow)
        kept.setdefault(flow, []).append(number)
        weights += weight(comment)
    for flow, numbers in kept.items():
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), f"flow {flow} is not whole: {numbers}"
    assert 10000 + 5060 in kept and len(kept) > 3, kept.keys()
    most = max(len(numbers) for numbers in kept.values())
    assert 0.3 < weights / (most * FLOWS) < 1.7, f"the weights say {weights} of about {most * FLOWS} frames"


def test_headers_may_be_enough(lab):
    """4 times the rate: the headers of all frames fit, so no flow is left out, and the step stands still until it is calm."""
    name, file = own_name("ladder"), lab.folder / "collector.pcapng"
    collector = Collector(lab, key=None, device=None, file=file)
    tap = Tap(lab, "--rate", str(RATE), key=None, name=name)
    talk = Talk(lab)

    def step():
        return status(name)["limit"]["step"]

    assert talk.go(wish(4), lambda: step() == "headers", 20), step()
    talk.for_seconds(wish(4), 5)
    assert step() == "headers"
    assert talk.go(wish(0.2), lambda: step() == "full", 30), f"it stays at {step()}"
    steps = [e["words"].split(":")[0] for e in status(name)["history"] if e["kind"] == "limit-rung"]
    assert steps == ['from "full" to "headers"', 'from "headers" to "full"']
    ledger, there = tap.finish(), collector.finish()
    assert_balanced(ledger, there, sent=talk.sent)
    limit = tap_stages(ledger)["limit"]
    assert limit["limit_sliced"] > 0 and limit["drops"]["limit_sampled"] == limit["drops"]["limit_counted"] == 0, limit
    assert all(comment.find("stands for") < 0 for (comment,) in tshark(file, "frame.comment"))


def test_headers_of_super_packets(lab):
    """Where headers alone are sent, payload is not copied out of super-packets: the headers are those of the kernel's frames, with the
    checksum over all of the payload."""
    name, rng = own_name("ladder"), random.Random(9)
    bridge(lab, addresses=False)
    collector = Collector(lab, key=None, device=None, file=lab.folder / "collector.pcapng")
    witness = Tcpdump(lab, lab.tap, "cut0", "witness", direction="out", expr=SENDER, snaplen=9100, buffer_kib=65536, fast=True)
    tap = Tap(lab, "--direction", "in", "-f", SENDER, "--rate", "4mbit", "--on-limit", "headers", key=None, name=name)
    supers = (random_super(rng, i) for i in itertools.count())

    def step():
        inject(lab.peer, "peer0", itertools.islice(supers, 4))
        return status(name)["limit"]["step"]

    wait_until(lambda: step() == "headers", 20, step)
    for _ in range(10):
        assert step() == "headers"
    seen = witness.wait_quiet()
    ledger, there = tap.finish(), collector.finish()
    assert witness.stop() == seen
    assert_balanced(ledger, there)
    cut, limit = tap_stages(ledger)["cut"], tap_stages(ledger)["limit"]
    assert cut["out"] == seen and cut["uncut"] == 0 and limit["limit_sliced"] > 300, (cut, limit)
    whole = sorted(frames_of(lab.folder / "witness.pcap"))
    came = frames_of(lab.folder / "collector.pcapng")
    short = [frame for frame in came if not whole[bisect.bisect_left(whole, frame)].startswith(frame)]
    assert not short, f"{len(short)} of {len(came)} are not the beginning of any frame"
    assert sum(len(frame) <= 192 for frame in came) >= 300


def test_a_tap_may_end_at_its_limit(lab):
    """--on-limit stop: after so many intervals the tap ends with a status of its own, and its collector knows why."""
    collector = Collector(lab, key=None, device=None, file=lab.folder / "collector.pcapng")
    tap = Tap(lab, "--rate", str(RATE), "--on-limit", "stop", "--check-interval", "1s", "--breach-intervals", "2", key=None)
    talk = Talk(lab)
    assert talk.go(wish(3), lambda: not tap.proc.running(), 30), "it goes on"
    assert tap.proc.wait(10) == 3
    assert "2 intervals in a row" in tap.proc.err(), tap.proc.err()
    wait_until(lambda: "limit" in collector.proc.err(), 10, "the collector says why")
    there = one(collector.finish()["taps"])
    assert any(e["kind"] == "limit-rung" and "the tap ends" in e["words"] for e in there["history"]), there["history"]
    assert any(e["kind"] == "limit-breach" for e in there["history"]), there["history"]
    assert there["breaches"] >= 2 and there["condition"] == "stopped-by-limit", there


def test_the_processor_has_a_limit(lab):
    """A tap that may use next to no processor time counts frames only, and says so."""
    name = own_name("cpu")
    collector = Collector(lab, key=None, device=None, file=lab.folder / "collector.pcapng")
    tap = Tap(lab, "--cpu-limit", "1%", "--on-limit", "count", key=None, name=name)
    talk = Talk(lab)
    counting = talk.go(20000, lambda: status(name)["limit"].get("step") == "counters only", 30)
    assert counting, status(name)
    talk.for_seconds(2000, 1)
    ledger, there = tap.finish(), collector.finish()
    assert_balanced(ledger, there, sent=talk.sent)
    assert tap_stages(ledger)["limit"]["drops"]["limit_counted"] > 0
    words = [e["words"] for e in one(there["taps"])["history"] if e["kind"] == "limit-rung"]
    assert 'from "full" to "counters only": the tap uses more than --cpu-limit' in words[0], words
