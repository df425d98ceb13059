# SPDX-License-Identifier: Apache-2.0
"""--rate: at the link's far end no 100 ms and no second have more than they may, whatever is wished."""

import struct

import pytest

from lib.farspan import PORT, Collector, Tap, assert_balanced, drops, own_name, status, tap_stages
from lib.packets import read_pcap
from lib.proc import wait_until
from lib.tools import Impair, Tcpdump, start_framegen

RELAY = PORT + 1
DATAGRAM = 1500
SECOND = 10**9


def arrivals(path):
    """(nanoseconds, bytes of the IP packet) of all that came to the collector."""
    found = []
    for head, _ in read_pcap(path):
        sec, nsec, _, length = struct.unpack("<IIII", head)
        found.append((sec * SECOND + nsec, length - 14))
    return sorted(found)


def most_in(packets, span):
    """The most bytes in any time of that length."""
    most = total = end = 0
    for at, size in packets:
        while end < len(packets) and packets[end][0] < at + span:
            total += packets[end][1]
            end += 1
        most = max(most, total)
        total -= size
    return most


def assert_within(path, rate, packets_at_least=100):
    packets = arrivals(path)
    assert len(packets) > packets_at_least, f"only {len(packets)} packets"
    assert max(size for _, size in packets) <= DATAGRAM, "segments are to be seen one by one"
    short, second = most_in(packets, SECOND // 10), most_in(packets, SECOND)
    middle = [size for at, size in packets if packets[0][0] + SECOND < at < packets[0][0] + 4 * SECOND]
    print(f"{rate} bit/s: {short * 80 / rate:.3f} of it in 100 ms, {second * 8 / rate:.3f} in a second, {sum(middle) * 8 / 3 / rate:.3f}")
    assert short <= rate / 80 + DATAGRAM, f"{short} bytes in 100 ms at {rate} bit/s"
    assert second <= rate / 8, f"{second} bytes in a second at {rate} bit/s"


def begin(lab, rate, *words, interfaces=("mon0",), name="tap", port=PORT):
    """A capture at the far end, a collector and a tap with that rate."""
    lab.kernel_stamps()  # as it comes in, not when a busy machine gets round to it
    lab.offloads(lab.tap, "link0", **{"tx-udp-segmentation": "off"})
    capture = Tcpdump(lab, lab.collector, "link0", "link", direction="in", expr=f"udp dst port {port}", snaplen=64)
    collector = Collector(lab, file=lab.folder / "collector.pcapng", device=None)
    return capture, collector, Tap(lab, "--rate", str(rate), "--on-limit", "drop", *words, interfaces=interfaces, name=name, to=f"10.77.0.2:{port}")


def finish(capture, collector, tap, rate, **options):
    ledger, there = tap.finish(), collector.finish()
    capture.stop()
    assert_balanced(ledger, there, **options)
    assert_within(capture.path, rate)
    return ledger, there


def limited(ledger):
    return sum(i["stages"]["limit"]["drops"]["limit_full"] for i in ledger["interfaces"])


@pytest.mark.parametrize("rate,pps", [(1_000_000, 300), (10_000_000, 8000), (100_000_000, 60000)], ids=["1mbit", "10mbit", "100mbit"])
def test_more_is_wished(lab, rate, pps):
    name = own_name("more")
    parts = begin(lab, rate, name=name)
    gen = start_framegen(lab, pps * 4, pps)
    wait_until(lambda: status(name)["limit"]["wish_bps"] > rate, 10, "a wish of more than the rate")
    told = status(name)["limit"]
    assert told["rate_bps"] == rate and told["sent_bps"] <= rate < told["wish_bps"], told
    assert gen.wait(60) == 0
    ledger, _ = finish(*parts, rate)
    assert limited(ledger) > 0


def test_bursts_of_two_interfaces(make_lab):
    """Two interfaces at once, in bursts: one budget, and neither starves."""
    lab, rate = make_lab(monitored=2), 10_000_000
    parts = begin(lab, rate, interfaces=("mon0", "mon1"))
    for _ in range(3):
        gens = [start_framegen(lab, 4000, 20000, dev=dev) for dev in ("peer0", "peer1")]
        assert all(gen.wait(60) == 0 for gen in gens)
    ledger, _ = finish(*parts, rate)
    sent = [i["stages"]["link_tx"]["out"] for i in ledger["interfaces"]]
    assert limited(ledger) > 0 and min(sent) * 3 > max(sent), sent


def test_an_outage_leaves_within_the_rate(lab):
    """Frames that waited for the path to come back leave at the rate too, with those that come meanwhile, and none is dropped for it."""
    rate, name = 4_000_000, own_name("outage")
    relay = Impair(lab, lab.collector, RELAY, f"10.77.0.2:{PORT}")
    parts = begin(lab, rate, "--limit-queue", "5s", name=name, port=RELAY)  # longer than a busy machine lets nothing run
    gen = start_framegen(lab, 3000, 350)
    wait_until(lambda: tap_stages(status(name))["link_tx"]["confirmed"] > 100, 10, "frames to be confirmed")
    relay.tell("outage")
    wait_until(lambda: tap_stages(status(name))["link_tx"]["backlogged"] > 1000, 20, "frames that wait")
    relay.tell("heal")
    assert gen.wait(30) == 0
    wait_until(lambda: tap_stages(status(name))["link_tx"]["in_flight"] == 0, 30, "the end of the backlog")
    ledger, there = finish(*parts, rate, lost=3000)
    lost = sum(i["stages"]["link_rx"]["drops"]["lost"] for t in there["taps"] for i in t["interfaces"])
    assert limited(ledger) == 0 and lost < 1500 and tap_stages(ledger)["ring"]["in"] == 3000, (ledger, lost)


def test_the_end(lab):
    """8 seconds are sent, the rest is counted."""
    rate, name = 500_000, own_name("end")
    parts = begin(lab, rate, "--limit-queue", "30s", name=name)
    assert start_framegen(lab, 3000, 1500).wait(30) == 0
    wait_until(lambda: tap_stages(status(name))["ring"]["out"] == 3000, 10, "the tap to have them")
    told = status(name)["limit"]
    assert told["waiting_bytes"] > rate and told["oldest_ms"] > 0, told
    ledger, _ = finish(*parts, rate)
    left = tap_stages(ledger)["link_tx"]["drops"]["backlog_left"]
    assert left > 0 and tap_stages(ledger)["limit"]["out"] == tap_stages(ledger)["link_tx"]["out"] + left
    assert tap_stages(ledger)["link_tx"]["unsent_datagrams"] == 0


def test_without_a_backlog(lab):
    """The rate has a queue of its own."""
    rate = 2_000_000
    parts = begin(lab, rate, "--backlog", "0", "--burst", "1ms")
    assert start_framegen(lab, 3000, 1500).wait(30) == 0
    ledger, _ = finish(*parts, rate)
    assert limited(ledger) > 0 and drops(tap_stages(ledger)["link_tx"]) == 0


def test_a_rate_that_is_enough(lab):
    """Nothing is dropped, and all arrives."""
    parts = begin(lab, 1_000_000_000)
    assert start_framegen(lab, 3000, 3000).wait(30) == 0
    ledger, _ = finish(*parts, 1_000_000_000, sent=3000, delivered=3000)
    assert limited(ledger) == 0 and tap_stages(ledger)["link_tx"]["backlogged"] == 0


KEYS = 1_000_000
SECONDS = 118


def begin_with_new_keys(lab):
    parts = begin(lab, KEYS, interfaces=("mon0", "mon1"), name="kept")
    gens = [start_framegen(lab, SECONDS * 150, 150, dev=dev) for dev in ("peer0", "peer1")]
    return parts, gens


@pytest.mark.background.with_args(begin_with_new_keys, monitored=2)
def test_new_keys_are_within_the_rate(begun):
    """Two interfaces that wish more for two minutes, in which the keys change."""
    _, (parts, gens) = begun
    assert all(gen.wait(SECONDS * 2) == 0 for gen in gens)
    ledger, _ = finish(*parts, KEYS)
    assert ledger["session"]["rekeys"] >= 1 and limited(ledger) > 0


@pytest.mark.parametrize("words,says", [
    (("--rate", "0"), "--rate: 0 is not between 64kbit and 100gbit"),
    (("--rate", "much"), 'such as 500kbit, 4.8mbit or 64000'),
    (("--rate", "10mbit", "--burst", "0ms"), "--burst: 0ms is not between 1ms and 100ms"),
    (("--limit-queue", "5"), '"5" is not a time such as 50ms or 2s'),
])
def test_bad_words(lab, words, says):
    tap = Tap(lab, *words, up=False)
    assert tap.proc.wait(10) == 2
    assert says in tap.proc.err(), tap.proc.err()
