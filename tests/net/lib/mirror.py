# SPDX-License-Identifier: Apache-2.0
"""A collector that takes frames without a tap, and senders of these.

    peer: senders (in0 192.0.2.2) --- (out0 192.0.2.1) collector
"""

import socket
import struct
from pathlib import Path

from .farspan import Collector, assert_collector_balanced, own_port, status
from .lab import inside
from .proc import wait_until
from .tools import ping

HERE, THERE = {4: "192.0.2.1", 6: "2001:db8::1"}, {4: "192.0.2.2", 6: "2001:db8::2"}
ALL = "192.0.2.0/24,2001:db8::/32"


def address_path(lab, mtu=9400):
    """The path between senders and collector, with addresses of both families."""
    lab.ip(lab.collector, "link", "add", "out0", "mtu", mtu, "type", "veth", "peer", "name", "in0", "mtu", mtu, "netns", lab.peer)
    for ns, dev, ends in ((lab.collector, "out0", HERE), (lab.peer, "in0", THERE)):
        lab.offloads(ns, dev, gro="off", gso="off", tso="off", tx="off", rx="off")
        with inside(ns):
            Path(f"/proc/sys/net/ipv6/conf/{dev}/disable_ipv6").write_text("0")
        lab.ip(ns, "addr", "add", f"{ends[4]}/24", "dev", dev)
        lab.ip(ns, "addr", "add", f"{ends[6]}/64", "dev", dev, "nodad")
        lab.ip(ns, "link", "set", dev, "up")
        lab.keep_order(ns)
    for address in HERE.values():  # else the first packets wait for the neighbour's address, and others overtake them
        ping(lab.peer, address)


class Mirrored:
    """A collector that writes a file, without a tap."""

    def __init__(self, lab, *words, allowed=ALL, device=None, **kw):
        self.lab, self.port = lab, own_port()
        self.file = lab.folder / "mirrored.pcapng"
        self.collector = Collector(lab, *words, "--from", allowed, key=None, port=self.port, device=device, file=self.file, **kw)

    def socket(self, kind=socket.SOCK_DGRAM, protocol=0, family=4):
        """A sender's socket, whose packets go to the collector."""
        s = self.lab.socket(self.lab.peer, socket.AF_INET6 if family == 6 else socket.AF_INET, kind, protocol)
        s.settimeout(5)
        return s

    def send(self, port, *payloads, family=4):
        s = self.socket(family=family)
        for payload in payloads:
            s.sendto(payload, (HERE[family], port))

    def send_gre(self, *payloads, family=4):
        s = self.socket(socket.SOCK_RAW, socket.IPPROTO_GRE, family)
        for payload in payloads:
            s.sendto(payload, (HERE[family], 0))

    def status(self):
        return status(f"collector-{self.port}")["mirrored"]

    def events(self, kind):
        return [(e["subject"], e["words"]) for e in status(f"collector-{self.port}")["history"] if e["kind"] == kind]

    def others(self):
        """The counts of packets that were no point's."""
        return self.status()["stages"]["mirror"]

    def point(self, name, address=THERE[4]):
        """The counts of a sender's point; None: there is none."""
        for sender in self.status()["senders"]:
            for interface in sender["interfaces"] if sender["address"] == address else ():
                if interface["name"] == name:
                    return interface
        return None

    def wait_point(self, name, n, address=THERE[4]):
        """Until that many frames of the point have come; its counts."""
        wait_until(lambda: (self.point(name, address) or {"stages": {"mirror": {"out": -1}}})["stages"]["mirror"]["out"] >= n, 20,
                   lambda: f"{n} frames of {address} {name}: {self.status()}")
        return self.point(name, address)

    def finish(self):
        """Ends it; the part of its ledger, which must be balanced."""
        doc = self.collector.finish()
        assert_collector_balanced(doc)
        return doc["mirrored"]

    def frames(self):
        """The frames in the file, when it has ended."""
        return [frame for _, frame in read_pcapng(self.file)]


def read_pcapng(path):
    """The enhanced packet blocks of a file: their interface's number, and the captured bytes."""
    data, at = Path(path).read_bytes(), 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if kind == 6:
            number, _, _, caplen, _ = struct.unpack_from("<IIIII", data, at + 8)
            yield number, data[at + 28:at + 28 + caplen]
        at += length
