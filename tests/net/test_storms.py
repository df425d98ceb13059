# SPDX-License-Identifier: Apache-2.0
"""No tap feeds on what taps send: by the mark of a link's datagrams, and where they are wrapped, by cause and effect.

The VPN is a socat at each end, between a TUN device and a UDP port: what a loop through it makes is seen on link0.
"""

import time

from lib.farspan import PORT, Collector, Tap, assert_balanced, assert_collector_balanced, assert_tap_balanced, drops, one, own_name, own_port, says, status, tap_stages
from lib.packets import hello
from lib.proc import wait_until
from lib.tools import framegen, in_namespace, ping


def packets(lab, ns, dev="link0"):
    text = in_namespace(ns, ["cat", f"/sys/class/net/{dev}/statistics/tx_packets"]).stdout
    return int(text)


def in_a_second(lab, ns, dev="link0"):
    """Packets that leave by the device within a second: a measurement, so that the time itself is waited for."""
    before, end = packets(lab, ns, dev), time.monotonic() + 1
    wait_until(lambda: time.monotonic() >= end, 3, "a second")
    return packets(lab, ns, dev) - before


def vpn(lab, number=0):
    """A VPN between the tap's host and the collector's, over link0: 10.5.N.1 and 10.5.N.2."""
    device, port = f"vpn{number}", 11443 + number
    for ns, mine, other in ((lab.tap, 1, 2), (lab.collector, 2, 1)):
        lab.start(["socat", f"UDP:10.77.0.{other}:{port},bind=10.77.0.{mine}:{port}",
                   f"TUN:10.5.{number}.{mine}/24,tun-name={device},tun-type=tun,iff-up"], f"vpn{number}-{mine}", ns)
        wait_until(lambda ns=ns: lab.has_device(ns, device), 10, "the VPN")


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
    got = tap_stages(ledger)["cut"]["out"]
    assert sent < got < 4 * sent + 200, "the other tap's, with its control records, and not its own"


def told(lab, collector_port, name, kind):
    """Events of that kind that the tap has, and that the collector has of it."""
    theirs = one(status(f"collector-{collector_port}")["taps"], name)["history"]
    return [[e for e in events if e["kind"] == kind] for events in (status(name)["history"], theirs)]


def test_vpn_over_the_tapped_interface(lab):
    """The tap's datagrams come by again, wrapped by a VPN: it is told at both ends, ended, and tried again."""
    vpn(lab)
    name, port = own_name("loop"), own_port()
    collector = Collector(lab, port=port, device=None, file=lab.folder / "collector.pcapng")
    tap = Tap(lab, interfaces=("link0",), to=f"10.5.0.2:{port}", name=name)
    says(tap.proc, "link0: frames come because frames are sent", 40)
    wait_until(lambda: all(len(events) == 1 for events in told(lab, port, name, "amplification")), 10, "the event at both ends")
    assert in_a_second(lab, lab.tap) < 500, "it goes on"
    assert not told(lab, port, name, "amplification-over")[0]
    ledger = tap.finish()
    select = tap_stages(ledger)["select"]
    assert select["drops"]["amplified"] == drops(select) > 0
    assert_tap_balanced(ledger)
    assert_collector_balanced(collector.finish())


def test_it_is_over_when_the_loop_is(lab):
    """Another way to the collector, beside the tapped interface: what is captured then is carried again."""
    vpn(lab)
    name, port = own_name("over"), own_port()
    collector = Collector(lab, port=port, device=None, file=lab.folder / "collector.pcapng")
    tap = Tap(lab, interfaces=("link0", "mon0"), to=f"10.5.0.2:{port}", name=name)
    says(tap.proc, "link0: frames come because frames are sent", 40)
    assert "mon0: frames come" not in tap.proc.err(), "of another interface nothing came because of that"
    for ns, dev, mine in ((lab.tap, "mon1", 1), (lab.collector, "way", 2)):
        if mine == 1:
            lab.ip(ns, "link", "add", dev, "type", "veth", "peer", "name", "way", "netns", lab.collector)
        lab.ip(ns, "addr", "add", f"10.8.0.{mine}/24", "dev", dev)
        lab.ip(ns, "link", "set", dev, "up")
    lab.ip(lab.tap, "addr", "add", "10.5.0.1/32", "dev", "mon1")
    lab.ip(lab.tap, "route", "replace", "10.5.0.2/32", "via", "10.8.0.2", "dev", "mon1", "src", "10.5.0.1")
    lab.ip(lab.collector, "route", "replace", "10.5.0.1/32", "via", "10.8.0.1", "dev", "way", "src", "10.5.0.2")
    says(tap.proc, "link0: frames do not come because of what is sent any more", 60)
    before = tap_stages(status(name), "link0")["select"]["out"]
    ping(lab.tap, "10.77.0.2")
    wait_until(lambda: tap_stages(status(name), "link0")["select"]["out"] >= before + 6, 10, "the ping's packets")
    wait_until(lambda: all(len(events) == 1 for events in told(lab, port, name, "amplification-over")), 10, "the event at both ends")
    assert_tap_balanced(tap.finish())
    assert_collector_balanced(collector.finish())


def test_traffic_of_others_is_no_loop(lab):
    """Bulk transfers on the tapped uplink, begun by a program that works the more the more the tap sends: no alarm."""
    page = lab.folder / "page"
    page.write_bytes(bytes(40 << 20))
    lab.start(["/usr/bin/python3", "-m", "http.server", "8000", "--directory", lab.folder], "web", lab.collector)
    wait_until(lambda: in_namespace(lab.collector, ["ss", "-Htln", "sport", "=", ":8000"]).stdout, 10, "the web server")
    collector = Collector(lab, key=None, device=None, file=lab.folder / "collector.pcapng")
    name = own_name("busy")
    tap = Tap(lab, interfaces=("link0",), key=None, name=name)
    for n in (1, 2, 3, 4, 5, 6):  # the more came through, the more are asked for at once
        sent = tap_stages(status(name))["link_tx"]["datagrams"]
        pages = [lab.start(["curl", "-s", "-o", "/dev/null", "http://10.77.0.2:8000/page"], f"get{n}-{i}", lab.tap) for i in range(min(n, 3))]
        for got in pages:
            assert got.wait(60) == 0
        wait_until(lambda sent=sent: tap_stages(status(name))["link_tx"]["datagrams"] > sent + 1000, 20, "the tap's datagrams")
    ledger = tap.finish()
    assert_tap_balanced(ledger)
    assert_collector_balanced(collector.finish())
    assert "frames come because" not in tap.proc.err()
    assert tap_stages(ledger)["select"]["drops"]["amplified"] == 0
