# SPDX-License-Identifier: Apache-2.0
"""The collector's device is for those who capture on it: the host's own network stack hears nothing of what appears there."""

import contextlib
import re
import socket
import struct
from pathlib import Path

import pytest

from lib.farspan import PASS, PORT, Collector, Tap, assert_balanced, everyones_farspan
from lib.lab import inside
from lib.proc import run, wait_until
from lib.tools import TOOLS, Tcpdump, in_namespace

pytestmark = pytest.mark.product

HEARD = 9999
ROUTER, FAR = bytes.fromhex("020000000901"), "10.9.0.2"
EVERYBODY, ALL_NODES, MDNS = b"\xff" * 6, bytes.fromhex("333300000001"), bytes.fromhex("01005e0000fb")


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def ip4(to, protocol, payload, source=FAR):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 7, 0, 64, protocol, 0, socket.inet_aton(source), socket.inet_aton(to))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ip6(to, protocol, payload, source="fd09::2", hops=255):
    head = struct.pack("!IHBB", 6 << 28, len(payload), protocol, hops)
    return head + socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, to) + payload


def summed(ends, protocol, body, at):
    """The body with the checksum of its pseudo header and itself put in place `at`."""
    pseudo = b"".join(socket.inet_pton(socket.AF_INET6 if ":" in end else socket.AF_INET, end) for end in ends)
    pseudo += struct.pack("!II", len(body), protocol)
    return body[:at] + struct.pack("!H", checksum(pseudo + body)) + body[at + 2:]


def udp(source, to, port, data=b"heard"):
    return summed((source, to), 17, struct.pack("!HHHH", 1000, port, 8 + len(data), 0) + data, 6)


def tcp_syn(source, to, port):
    return summed((source, to), 6, struct.pack("!HHIIBBHHH", 1000, port, 1, 0, 0x50, 2, 1024, 0, 0), 16)


def echo(source, to):
    if ":" in to:
        return summed((source, to), 58, struct.pack("!BBHHH", 128, 0, 0, 77, 1), 2)
    body = struct.pack("!BBHHH", 8, 0, 0, 77, 1)
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


def router_advertisement(source="fe80::99", to="ff02::1"):
    prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 86400, 14400, 0) + socket.inet_pton(socket.AF_INET6, "2001:db8:bad::")
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix + b"\1\1" + ROUTER
    return ip6(to, 58, summed((source, to), 58, body, 2), source)


def frame(to, kind, payload):
    return (to + ROUTER + struct.pack("!H", kind) + payload).ljust(60, b"\0")


def frames(mac, home4, home6, away4, away6):
    """Frames that the far network may send, to everybody and to the device's own address; `away` is where home forwards to."""
    far6 = "fd09::2"
    sent = []
    for to in (EVERYBODY, mac):
        sent += [frame(to, 0x0800, ip4(home4, 17, udp(FAR, home4, HEARD))),
                 frame(to, 0x0800, ip4("255.255.255.255", 17, udp(FAR, "255.255.255.255", HEARD))),
                 frame(to, 0x0800, ip4("255.255.255.255", 17, udp("0.0.0.0", "255.255.255.255", 67), source="0.0.0.0")),
                 frame(to, 0x0800, ip4(home4, 1, echo(FAR, home4))),
                 frame(to, 0x0800, ip4(home4, 6, tcp_syn(FAR, home4, HEARD))),
                 frame(to, 0x0800, ip4(away4, 17, udp(FAR, away4, HEARD))),
                 frame(to, 0x86DD, ip6(home6, 17, udp(far6, home6, HEARD))),
                 frame(to, 0x86DD, ip6(home6, 58, echo(far6, home6))),
                 frame(to, 0x86DD, ip6(home6, 6, tcp_syn(far6, home6, HEARD))),
                 frame(to, 0x86DD, ip6(away6, 17, udp(far6, away6, HEARD))),
                 frame(to, 0x86DD, router_advertisement())]
    sent += [frame(MDNS, 0x0800, ip4("224.0.0.251", 17, udp(FAR, "224.0.0.251", HEARD))),
             frame(ALL_NODES, 0x86DD, ip6("ff02::1", 17, udp("fe80::99", "ff02::1", HEARD), "fe80::99")),
             frame(ALL_NODES, 0x86DD, router_advertisement()),
             frame(EVERYBODY, 0x0806, bytes.fromhex("0001080006040001") + ROUTER + socket.inet_aton(FAR) + bytes(6) + socket.inet_aton(home4))]
    return sent


def listeners(lab, dev):
    """Sockets of the collector's host that would hear: on the port, in the multicast group, and a DHCP server's."""
    found = []
    for family, kind, port in ((socket.AF_INET, socket.SOCK_DGRAM, HEARD), (socket.AF_INET6, socket.SOCK_DGRAM, HEARD),
                               (socket.AF_INET, socket.SOCK_DGRAM, 67), (socket.AF_INET, socket.SOCK_STREAM, HEARD),
                               (socket.AF_INET6, socket.SOCK_STREAM, HEARD)):
        sock = lab.socket(lab.collector, family, kind)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(("", port))
        sock.setblocking(False)
        if kind == socket.SOCK_STREAM:
            sock.listen()
        elif family == socket.AF_INET and port == HEARD:
            with inside(lab.collector):
                index = socket.if_nametoindex(dev)
            group = struct.pack("4s4si", socket.inet_aton("224.0.0.251"), bytes(4), index)
            with contextlib.suppress(OSError):  # a device that is no multicast one may refuse it, which is as good
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        found.append(sock)
    return found


def heard(sockets):
    got = []
    for sock in sockets:
        with contextlib.suppress(BlockingIOError):
            got.append(sock.recv(100) if sock.type == socket.SOCK_DGRAM else sock.accept())
    return got


def counters(ns):
    """Counts of packets that the namespace's stack has taken in, answered or forwarded, but for the link's own UDP on port PORT."""
    text = run(["ip", "netns", "exec", ns, "cat", "/proc/net/snmp", "/proc/net/snmp6"]).stdout
    found = dict(re.findall(r"^(\w+)\s+(\d+)$", text, re.M))
    lines = [line.split() for line in text.splitlines() if ":" in line]
    for names, values in zip(lines[::2], lines[1::2]):
        found.update(zip((names[0][:-1] + n for n in names[1:]), values[1:]))
    return {k: int(found.get(k, 0)) for k in ("IcmpInMsgs", "IcmpOutMsgs", "TcpInSegs", "TcpOutRsts", "IpForwDatagrams", "Ip6OutForwDatagrams",
                                              "Icmp6InEchos", "Icmp6OutEchoReplies", "Icmp6InRouterAdvertisements", "UdpNoPorts", "Udp6NoPorts")}


def open_home(lab):
    """The collector's host as it is at its most talkative: a home network, forwarding, nothing filtered."""
    ns = lab.collector
    lab.ip(ns, "link", "add", "home0", "type", "veth", "peer", "name", "home1")
    for dev, end in (("home0", 1), ("home1", 2)):
        with inside(ns):
            Path(f"/proc/sys/net/ipv6/conf/{dev}/disable_ipv6").write_text("0")
        lab.ip(ns, "addr", "add", f"10.88.0.{end}/24", "dev", dev)
        lab.ip(ns, "addr", "add", f"fd88::{end}/64", "dev", dev, "nodad")
        lab.ip(ns, "link", "set", dev, "up")
    lab.ip(ns, "route", "add", "10.99.0.0/24", "via", "10.88.0.9")
    lab.ip(ns, "neigh", "add", "10.88.0.9", "lladdr", "02:00:00:00:00:99", "dev", "home0")
    lab.ip(ns, "-6", "route", "add", "fd99::/64", "via", "fd88::9", "dev", "home0")
    lab.ip(ns, "-6", "neigh", "add", "fd88::9", "lladdr", "02:00:00:00:00:99", "dev", "home0")
    with inside(ns):
        conf = Path("/proc/sys/net")
        for name, value in (("ipv4/ip_forward", 1), ("ipv6/conf/all/forwarding", 1), ("ipv6/conf/all/accept_ra", 2),
                            ("ipv6/conf/default/accept_ra", 2), ("ipv6/conf/default/disable_ipv6", 0), ("ipv4/conf/all/rp_filter", 0),
                            ("ipv4/conf/default/rp_filter", 0), ("ipv4/icmp_echo_ignore_broadcasts", 0)):
            (conf / name).write_text(str(value))


def device_mac(lab, dev):
    return bytes.fromhex(re.search(r"link/ether (\S+)", lab.ip(lab.collector, "link", "show", dev))[1].replace(":", ""))


def send_and_watch(lab, dev="ntap0"):
    """Sends all kinds through the tap; what the home host's stack made of them, and how many frames were captured."""
    sockets = listeners(lab, dev)
    sent = frames(device_mac(lab, dev), "10.88.0.1", "fd88::1", "10.99.0.5", "fd99::5")
    arrival = Tcpdump(lab, lab.collector, dev, "arrival", direction="in")
    before = counters(lab.collector)
    out = lab.socket(lab.peer, socket.AF_PACKET, socket.SOCK_RAW)
    out.bind(("peer0", 0))
    for data in sent:
        out.send(data)
    arrival.wait_count(len(sent))
    after = counters(lab.collector)
    return sent, {k: v - before[k] for k, v in after.items() if v != before[k]}, heard(sockets), arrival


def assert_no_trace(lab, dev="ntap0"):
    assert lab.ip(lab.collector, "-6", "route", "show", "table", "all", "dev", dev).strip() == ""
    assert lab.ip(lab.collector, "-4", "route", "show", "table", "all", "dev", dev).strip() == ""
    assert "inet" not in lab.ip(lab.collector, "addr", "show", "dev", dev)


@pytest.mark.parametrize("kind", ["made", "for each tap", "persistent"])
def test_nothing_is_delivered(lab, kind):
    open_home(lab)
    if kind == "persistent":
        lab.ip(lab.collector, "tuntap", "add", "dev", "ntap0", "mode", "tap")
        lab.ip(lab.collector, "link", "set", "ntap0", "up")
    dev = "ntap-tap" if kind == "for each tap" else "ntap0"
    collector = Collector(lab, device="ntap-%t" if kind == "for each tap" else dev)
    tap = Tap(lab)
    wait_until(lambda: lab.has_device(lab.collector, dev), 10, dev)
    sent, counted, got, arrival = send_and_watch(lab, dev)
    assert counted == {}, counted
    assert got == [], got
    assert_no_trace(lab, dev)
    assert arrival.captured() == len(sent)
    assert_balanced(tap.finish(), collector.finish(), sent=len(sent), delivered=len(sent))
    assert "network stack" not in collector.proc.err()


def without_filter(lab, *settings):
    in_namespace(lab.collector, ["tc", "qdisc", "del", "dev", "ntap0", "clsact"])
    with inside(lab.collector):
        for name, value in settings:
            Path(f"/proc/sys/net/{name}").write_text(value)


def test_the_settings_alone(lab):
    """A kernel without the filter: all but what has no source address is refused by the device's settings."""
    open_home(lab)
    Collector(lab)
    Tap(lab)
    without_filter(lab)
    _, counted, got, _ = send_and_watch(lab)
    assert counted == {}, counted
    assert set(got) == {b"heard"}, got  # DHCP
    assert_no_trace(lab)


def test_the_test_can_hear(lab):
    """The same frames on a device that has neither wall: all that the other tests look at does happen."""
    open_home(lab)
    Collector(lab)
    Tap(lab)
    without_filter(lab, ("ipv4/conf/ntap0/rp_filter", "0"), ("ipv4/conf/ntap0/forwarding", "1"),
                   ("ipv6/conf/ntap0/disable_ipv6", "0"), ("ipv6/conf/ntap0/accept_ra", "2"))
    _, counted, got, _ = send_and_watch(lab)
    for name in ("IcmpInMsgs", "TcpInSegs", "IpForwDatagrams", "Icmp6InEchos", "Icmp6InRouterAdvertisements"):
        assert counted.get(name), (name, counted)
    assert len(got) >= 2
    wait_until(lambda: "default" in lab.ip(lab.collector, "-6", "route", "show", "dev", "ntap0"), 5, "a route by the advertisement")


def test_a_capability_is_enough(lab):
    """No root, and a /proc/sys that is read-only, as in most containers: the filter alone does it, and nothing is to be said."""
    open_home(lab)
    caps = "-all,+net_admin"
    inner = ["mount --bind /proc/sys /proc/sys", "mount -o remount,bind,ro /proc/sys", "mount -t tmpfs none /dev/net",
             "mknod -m 666 /dev/net/tun c 10 200", f"exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps {caps} "
             f"--ambient-caps {caps} --bounding-set {caps} {everyones_farspan(lab)} collector -p {PORT} -k {PASS} -i ntap0"]
    collector = lab.start(["unshare", "-m", "sh", "-c", " && ".join(inner)], "collector", lab.collector)
    collector.wait_line("listening on", 20)
    Tap(lab)
    sent, counted, got, arrival = send_and_watch(lab)
    assert counted == {}, counted
    assert got == [], got
    assert arrival.captured() == len(sent)
    assert collector.stop() == 0
    assert "network stack" not in collector.err(), collector.err()


def test_what_remains_is_said(lab):
    """A kernel that cannot filter there: the collector runs, and says once what its devices let through."""
    collector = Collector(lab, device="ntap-%t", env={"LD_PRELOAD": TOOLS / "oldkernel.so", "OLDKERNEL_NO_TC": "1"})
    for name in ("one", "two"):
        tap = Tap(lab, name=name)
        wait_until(lambda name=name: lab.has_device(lab.collector, f"ntap-{name}"), 10, name)
        tap.finish()
    collector.finish()
    assert collector.proc.err().count("DHCP and other IPv4 packets without a source address") == 1, collector.proc.err()
