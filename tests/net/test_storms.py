# SPDX-License-Identifier: Apache-2.0
"""No tap feeds on what taps send: by the mark of a link's datagrams, and where they are wrapped, by cause and effect.

The VPN is a socat at each end, between a TUN device and a UDP port: what a loop through it makes is seen on link0.
"""

import threading
import time

import pytest

from lib.farspan import PASS, PORT, Collector, Tap, assert_balanced, drops, one, own_name, says, status, tap_stages
from lib.packets import hello
from lib.proc import wait_until
from lib.tools import framegen, in_namespace, ping, start_framegen


def packets(lab, ns, dev="link0"):
    text = in_namespace(ns, ["cat", f"/sys/class/net/{dev}/statistics/tx_packets"]).stdout
    return int(text)


def in_a_second(lab, ns, dev="link0"):
    """Packets that leave by the device within a second: a measurement, so that the time itself is waited for."""
    before, end = packets(lab, ns, dev), time.monotonic() + 1
    wait_until(lambda: time.monotonic() >= end, 3, "a second")
    return packets(lab, ns, dev) - before


def vpn(lab, tap=None, number=0, link="10.77.0"):
    """A VPN between the tap's host and the collector's, over link0: 10.5.N.1 and 10.5.N.2."""
    tap, port = tap or lab.tap, 11443 + number
    for ns, mine, other, device in ((tap, 1, 2, "vpn"), (lab.collector, 2, 1, f"vpn{number}")):
        lab.start(["socat", f"UDP:{link}.{other}:{port},bind={link}.{mine}:{port}",
                   f"TUN:10.5.{number}.{mine}/24,tun-name={device},tun-type=tun,iff-up"], f"vpn{number}-{mine}", ns)
        wait_until(lambda ns=ns, device=device: lab.has_device(ns, device), 10, "the VPN")


def test_two_taps_on_one_uplink(lab):
    """Each sees all datagrams of the other, whose port and key it does not know; and takes none."""
    here = [Collector(lab, port=PORT + i, device=None, file=lab.folder / f"{i}.pcapng", name=f"collector{i}") for i in range(2)]
    taps = [Tap(lab, interfaces=("link0",), to=f"10.77.0.2:{PORT + i}", name=f"tap{i}") for i in range(2)]
    says(taps[0].proc, r"datagrams of farspan links are left out \(--take-links\)")
    ping(lab.tap, "10.77.0.2")
    assert in_a_second(lab, lab.tap) < 200
    lab.socket(lab.tap).sendto(hello(), ("10.77.0.2", 999))  # of a link that nobody has
    for tap, collector in zip(taps, here):
        ledger, there = tap.finish(), collector.finish()
        assert_balanced(ledger, there)
        assert 0 < tap_stages(ledger)["ring"]["in"] < 100, "the ping and what belongs to it"


def test_links_are_taken_where_that_is_wanted(lab):
    """--take-links: the datagrams of another tap are captured, and those of the own link are not."""
    one_end, other = (Collector(lab, port=PORT + i, device=None, file=lab.folder / f"{i}.pcapng", name=f"collector{i}") for i in range(2))
    watched = Tap(lab, to=f"10.77.0.2:{PORT}", name="watched")
    tap = Tap(lab, "--take-links", "-f", "udp", interfaces=("link0",), to=f"10.77.0.2:{PORT + 1}", name="watching")
    framegen(lab, 500, pps=5000)
    ledger, there = watched.finish(), one_end.finish()
    assert_balanced(ledger, there)
    sent = tap_stages(ledger)["link_tx"]["datagrams"]
    ledger = tap.finish()
    assert_balanced(ledger, other.finish())
    got = tap_stages(ledger)["ring"]["in"]
    assert sent < got < 4 * sent + 200, "the other tap's, with its control records, and not its own"


def test_vpn_over_the_tapped_interface(lab):
    """A loop is told of and ended; when it is gone, frames are carried again."""
    vpn(lab)
    name = own_name("loop")
    collector = Collector(lab, device=None, file=lab.folder / "collector.pcapng")
    tap = Tap(lab, interfaces=("link0",), to=f"10.5.0.2:{PORT}", name=name)
    says(tap.proc, "link0: frames come because frames are sent", 20)
    wait_until(lambda: drops(tap_stages(status(name))["select"]) > 0, 10, "frames that are dropped")
    assert in_a_second(lab, lab.tap) < 500, "it goes on"
    kinds = [e["kind"] for e in status(name)["events"]]
    assert "amplification" in kinds
    ledger = tap.finish()
    select = tap_stages(ledger)["select"]
    assert select["drops"]["amplified"] == drops(select) > 0
    assert_balanced(ledger, collector.finish())
