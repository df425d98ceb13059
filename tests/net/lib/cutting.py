# SPDX-License-Identifier: Apache-2.0
"""Where super-packets are looked at: a bridge on the tap's host that takes them in on one side, where the tap listens, and
sends them out of a device without any offload, so that the kernel cuts them; a capture behind that device is the witness.

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
from .tools import Tcpdump, assert_same

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


def observe(lab, far, act, expr, *words, snaplen=9100):
    """Runs act() under a tap of mon0 and the witness; how many frames there were, and the ledger of the cutter."""
    collector = Collector(lab, key=None, device=None, file=lab.folder / "collector.pcapng")
    witness = Tcpdump(lab, far, "far0", "witness", direction="in", expr=expr, snaplen=snaplen, buffer_kib=262144, fast=True)
    tap = Tap(lab, "--direction", "in", *words, "-f", expr, key=None)
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
    options = [w for p in ("tcp", "udp", "ip") for w in ("-o", f"{p}.check_checksum:TRUE")]
    bad = " or ".join(f"{p}.checksum.status == 0" for p in ("tcp", "udp", "ip", "gre"))
    return run(["tshark", "-r", path, *options, "-Y", bad]).stdout.splitlines()
