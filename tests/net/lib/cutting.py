# SPDX-License-Identifier: Apache-2.0
"""Where super-packets are looked at: a bridge on the tap's host that takes them in on one side, where the tap listens, and
sends them out of a device without any offload, so that the kernel cuts them; a capture on that device is the witness.

    peer0 (sends super-packets) --- mon0 [bridge] cut0 --- far0
"""

import os
import socket
import struct
from pathlib import Path

from .farspan import Collector, Tap, assert_balanced, tap_stages
from .lab import inside
from .packets import read_pcap
from .proc import run
from .tools import Tcpdump, assert_same, in_namespace

RATE = 30_000_000  # bytes a second
SO_MAX_PACING_RATE, SO_SNDBUFFORCE, SO_RCVBUFFORCE = 47, 32, 33
OFF = {"tso": "off", "gso": "off", "gro": "off", "tx": "off", "tx-udp-segmentation": "off"}


def bridge(lab, addresses=True, mtu=1500):
    """Gives the namespace of far0. With addresses the two ends can talk: 10.70.0.1 and .2, fd70::1 and ::2."""
    far = lab._namespace("f")
    run(["ip", "link", "add", "cut0", "netns", lab.tap, "type", "veth", "peer", "name", "far0", "netns", far])
    lab.ip(lab.tap, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
    for dev in ("mon0", "cut0"):
        lab.ip(lab.tap, "link", "set", dev, "mtu", mtu)
        lab.ip(lab.tap, "link", "set", dev, "master", "br0")
        lab.ip(lab.tap, "link", "set", dev, "up")
    lab.ip(lab.tap, "link", "set", "br0", "up")
    with inside(lab.tap):  # br_netfilter, where it is loaded, would have its own mind of some of the packets
        for name in ("iptables", "ip6tables"):
            call = Path(f"/proc/sys/net/bridge/bridge-nf-call-{name}")
            if call.exists():
                call.write_text("0")
    for ns, dev, n in ((lab.peer, "peer0", 1), (far, "far0", 2)):
        lab.ip(ns, "link", "set", dev, "mtu", mtu)
        if addresses:
            with inside(ns):
                Path(f"/proc/sys/net/ipv6/conf/{dev}/disable_ipv6").write_text("0")
        lab.ip(ns, "link", "set", dev, "arp", "on" if addresses else "off", "up")
        if addresses:
            lab.ip(ns, "addr", "add", f"10.70.0.{n}/24", "dev", dev)
            lab.ip(ns, "addr", "add", f"fd70::{n}/64", "dev", dev, "nodad")
    lab.offloads(lab.peer, "peer0", tso="on", gso="on", gro="on", tx="on")
    lab.offloads(lab.tap, "mon0", tso="on", gso="on", gro="on", tx="on")
    lab.offloads(lab.tap, "cut0", **OFF)
    lab.offloads(far, "far0", gro="off")
    return far


def end_to_end(lab, kind):
    """The tap's host as one end of the traffic, behind a device that segments and joins, and on the way nothing that does:

        mon0 (tapped) --- peer0 [bridge] cut0 --- far0

    `kind`: "plain", "vlan", "vxlan". Gives the far namespace; the ends are 10.70.0.1 and .2, fd70::1 and ::2 (inside a tunnel 10.71, fd71).
    """
    far = lab._namespace("f")
    run(["ip", "link", "add", "cut0", "netns", lab.peer, "type", "veth", "peer", "name", "far0", "netns", far])
    lab.ip(lab.peer, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
    for dev in ("peer0", "cut0"):
        lab.ip(lab.peer, "link", "set", dev, "mtu", "1500", "master", "br0", "up")
        lab.offloads(lab.peer, dev, **OFF)
    lab.ip(lab.peer, "link", "set", "br0", "up")
    for ns, port, n in ((lab.tap, "mon0", 1), (far, "far0", 2)):
        lab.ip(ns, "link", "set", port, "mtu", "1500", "arp", "on", "up")
        lab.offloads(ns, port, tx="on", tso="on", gso="on", gro="on", rx="on")
        address(lab, ns, port, 70, n)
        if kind == "vlan":
            tag(lab, ns, port)
        if kind == "vxlan":
            lab.ip(ns, "link", "add", "vx0", "type", "vxlan", "id", "42", "remote", f"10.70.0.{3 - n}", "dstport", "4789", "dev", port)
            address(lab, ns, "vx0", 71, n)
    return far


def tag(lab, ns, dev):
    """VLAN 5 on all that leaves the device, off all that comes in: by BPF, as the kernel may know no VLAN devices."""
    source, code = lab.folder / "tag.c", lab.folder / "tag.o"
    source.write_text("""struct __sk_buff;
        static long (*vlan_push)(struct __sk_buff *, unsigned short, unsigned short) = (void *)18;
        static long (*vlan_pop)(struct __sk_buff *) = (void *)19;
        __attribute__((section("push"), used)) int f_push(struct __sk_buff *s) { vlan_push(s, 0x0081, 5); return 0; }
        __attribute__((section("pop"), used)) int f_pop(struct __sk_buff *s) { vlan_pop(s); return 0; }
    """)
    run(["clang-14", "-O2", "-target", "bpf", "-c", source, "-o", code])
    in_namespace(ns, ["tc", "qdisc", "add", "dev", dev, "clsact"])
    for hook, section in (("egress", "push"), ("ingress", "pop")):
        in_namespace(ns, ["tc", "filter", "add", "dev", dev, hook, "bpf", "da", "obj", code, "sec", section])


def address(lab, ns, dev, net, n):
    with inside(ns):
        Path(f"/proc/sys/net/ipv6/conf/{dev}/disable_ipv6").write_text("0")
    lab.ip(ns, "link", "set", dev, "up")
    lab.ip(ns, "addr", "add", f"10.{net}.0.{n}/24", "dev", dev)
    lab.ip(ns, "addr", "add", f"fd{net}::{n}/64", "dev", dev, "nodad")


def transfer(lab, source, target, where, data, rate=RATE):
    """Sends `data` by TCP from one namespace to the address `where` in another, at a rate that no queue of ours overflows at;
    gives what came."""
    family = socket.AF_INET6 if ":" in where else socket.AF_INET
    with inside(target):
        listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if not rate:
        listener.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
    listener.bind((where, 5000))
    listener.listen(1)
    listener.settimeout(20)
    with inside(source):
        client = socket.socket(family, socket.SOCK_STREAM)

    def send():
        client.settimeout(60)
        if rate:
            client.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, rate)
        else:  # room enough that the kernel makes the longest that it may
            client.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 1 << 24)
        client.connect((where, 5000))
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)

    thread = lab.serve(send)
    connection, _ = listener.accept()
    connection.settimeout(20)
    got = bytearray()
    while chunk := connection.recv(1 << 16):
        got += chunk
    thread.join(20)
    for s in (connection, client, listener):
        s.close()
    return bytes(got)


def limit(lab, far, size):
    """Super-packets up to that size everywhere: IFLA_GSO_MAX_SIZE, IFLA_GRO_MAX_SIZE and those for IPv4, which ip(8) may not know."""
    for ns, dev in ((lab.peer, "peer0"), (lab.tap, "mon0"), (lab.tap, "br0"), (lab.tap, "cut0"), (far, "far0")):
        with inside(ns):
            s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
            index = socket.if_nametoindex(dev)
        body = struct.pack("<BxHiII", 0, 0, index, 0, 0) + b"".join(struct.pack("<HHI", 8, kind, size) for kind in (41, 58, 63, 64))
        s.send(struct.pack("<IHHII", 16 + len(body), 16, 5, 1, 0) + body)
        answer = struct.unpack("<i", s.recv(4096)[16:20])[0]
        s.close()
        assert answer == 0, f"{dev} with super-packets of {size}: {os.strerror(-answer)}"


def observe(lab, act, expr, *words, way="in", at=None, snaplen=9100):
    """Runs act() under a tap of mon0 and the witness (`at`: its namespace, device and direction; else on the tap's host where
    the frames leave cut); how many frames there were, and the stages of the tap."""
    ns, dev, direction = at or (lab.tap, "cut0", "out")
    collector = Collector(lab, key=None, device=None, file=lab.folder / "collector.pcapng")
    witness = Tcpdump(lab, ns, dev, "witness", direction=direction, expr=expr, snaplen=snaplen, buffer_kib=262144, fast=True)
    tap = Tap(lab, "--direction", way, *words, "-f", expr, key=None)
    act()
    witness.wait_quiet()
    ledger, arrived = tap.finish(), collector.finish()
    n = witness.stop()
    assert_balanced(ledger, arrived, delivered=n)
    return n, tap_stages(ledger)


def same(lab, n):
    """Every frame once and byte for byte. Not in order: behind the tap two CPUs carry frames to the witness."""
    assert_same(lab.folder / "witness.pcap", lab.folder / "collector.pcapng", n, order="none")


def frames_of(path):
    """The frames of a capture of any form."""
    plain = path.with_suffix(".plain")
    run(["tshark", "-r", path, "-F", "nsecpcap", "-w", plain])
    return [frame for _, frame in read_pcap(plain)]


def bad_checksums(path):
    """The frames of a capture in which tshark finds a checksum that is wrong."""
    # putting streams together takes for ever on one direction alone, and is not asked for
    off = [f"tcp.{name}:FALSE" for name in ("analyze_sequence_numbers", "desegment_tcp_streams")]
    wanted = [*(f"{p}.check_checksum:TRUE" for p in ("tcp", "udp", "ip")), *off]
    options = [w for one in wanted for w in ("-o", one)]
    bad = " or ".join(f"{p}.checksum.status == 0" for p in ("tcp", "udp", "ip", "gre"))
    return run(["tshark", "-r", path, *options, "-Y", bad]).stdout.splitlines()
