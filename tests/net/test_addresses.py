# SPDX-License-Identifier: Apache-2.0
"""Where the collector is, and what is said where it cannot be reached: by this host, by a router, by its own host."""

import re
import shutil
from pathlib import Path

import pytest

from lib.farspan import PASS, PORT, Collector, Tap, assert_balanced, farspan, says
from lib.lab import inside
from lib.tools import framegen, in_namespace

SECRET = ["-k", PASS]


def name_of_the_collector(lab, *addresses):
    """In the tap's namespace, "collector.test" has these addresses."""
    folder = Path("/etc/netns") / lab.tap
    if not folder.exists():
        folder.mkdir(parents=True)
        lab.closers.append(lambda: shutil.rmtree(folder, ignore_errors=True))
    (folder / "hosts").write_text("127.0.0.1 localhost\n" + "".join(f"{a} collector.test\n" for a in addresses))


def test_a_name_with_two_addresses(lab):
    """IPv6 comes first and leads nowhere: the next try takes IPv4. After a session's end that is where the tap begins."""
    name_of_the_collector(lab, "10.77.0.2", "fd77::2")
    collector = Collector(lab, "--bind", "10.77.0.2", device=None, file=lab.folder / "first.pcapng")
    tap = Tap(lab, to=f"collector.test:{PORT}")
    assert re.search(r"(no answer from|nobody listens at).*collector.test", tap.proc.err()), tap.proc
    framegen(lab, 100, pps=1000)
    collector.finish()
    tap.proc.wait_line("is over", 20)
    words = len(tap.proc.err())
    collector = Collector(lab, "--bind", "10.77.0.2", device=None, file=lab.folder / "second.pcapng")
    tap.wait_up(times=2)
    assert "session up with the collector at 10.77.0.2:1234" in tap.proc.err()[words:]
    assert "fd77::2" not in tap.proc.err()[words:], tap.proc
    tap.finish(), collector.finish()


def far_route(lab, kind):
    """The way to 10.99.0.2 and fd99::2 leads through the collector's host, which has this kind of route to them."""
    lab.ip(lab.tap, "route", "add", "10.99.0.0/24", "via", "10.77.0.2")
    lab.ip(lab.tap, "-6", "route", "add", "fd99::/64", "via", "fd77::2")
    with inside(lab.collector):
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")
    if kind:
        lab.ip(lab.collector, "route", "add", kind, "10.99.0.2")
        lab.ip(lab.collector, "-6", "route", "add", kind, "fd99::2")


@pytest.mark.parametrize("to", ["10.99.0.2", "[fd99::2]"])
@pytest.mark.parametrize("kind,words", [
    ("prohibit", "a firewall refuses the datagrams to the collector at {}:1234 \\(ICMP: prohibited\\)"),
    ("unreachable", "the (host|network) of the collector at {}:1234 is not reached \\(ICMP: unreachable\\)"),
    (None, "the network of the collector at {}:1234 is not reached \\(ICMP: unreachable\\)"),
], ids=["prohibited", "host", "net"])
def test_what_a_router_says(lab, to, kind, words):
    far_route(lab, kind)
    tap = Tap(lab, to=f"{to}:{PORT}", up=False)
    says(tap.proc, words.format(re.escape(to)))
    tap.finish(status=1)


@pytest.mark.parametrize("to", ["10.77.0.2", "[fd77::2]"])
def test_nobody_listens(lab, to):
    tap = Tap(lab, to=f"{to}:{PORT}", up=False)
    says(tap.proc, re.escape(f"nobody listens at {to}:{PORT} yet: trying again"))
    tap.finish(status=1)


def test_own_firewall(lab):
    """This host lets nothing out, before there is a session and in one: it is said, and frames wait."""
    rules = ["nft", "add rule inet f o udp dport 1234 drop"]
    in_namespace(lab.tap, ["nft", "add table inet f; add chain inet f o { type filter hook output priority 0; }"])
    in_namespace(lab.tap, rules)
    collector = Collector(lab, device=None, file=lab.folder / "collector.pcapng")
    tap = Tap(lab, up=False)
    words = "this host's own firewall does not let datagrams to the collector at 10.77.0.2:1234 out (Operation not permitted)"
    tap.proc.wait_line(words)
    in_namespace(lab.tap, ["nft", "flush chain inet f o"])
    tap.wait_up()
    framegen(lab, 500, pps=5000)
    in_namespace(lab.tap, rules)
    tap.proc.wait_line(words, times=2)
    framegen(lab, 500, pps=5000)
    in_namespace(lab.tap, ["nft", "flush chain inet f o"])
    framegen(lab, 500, pps=5000)
    ledger, there = tap.finish(), collector.finish()
    assert_balanced(ledger, there, sent=1500, delivered=1500)


def link_local(lab, ns):
    """The address of link0 there, which a lab does not make by itself."""
    number = 1 if ns == lab.tap else 2
    lab.ip(ns, "addr", "add", f"fe80::77:{number}/64", "dev", "link0", "nodad")
    return f"fe80::77:{number}"


def test_link_local_addresses(lab):
    link_local(lab, lab.tap)
    there = link_local(lab, lab.collector)
    what = f"a link-local address needs the interface behind it, such as {there}%eth0"
    tap = in_namespace(lab.collector, [farspan(), "collector", "-p", PORT, "--bind", there, "-w", "/dev/null", *SECRET], check=False)
    assert tap.returncode == 1 and what in tap.stderr, tap
    collector = Collector(lab, "--bind", f"{there}%link0", device=None, file=lab.folder / "collector.pcapng")
    without = Tap(lab, to=f"[{there}]:{PORT}", up=False, name="without")
    says(without.proc, re.escape(what))
    without.finish(status=1)
    tap = Tap(lab, to=f"[{there}%link0]:{PORT}")
    framegen(lab, 300, pps=3000)
    ledger, told = tap.finish(), collector.finish()
    assert_balanced(ledger, told, sent=300, delivered=300, name="tap")
    assert re.search(rf"session up with the collector at \[{there}%\d+\]:1234", tap.proc.err()), tap.proc


