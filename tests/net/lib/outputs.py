# SPDX-License-Identifier: Apache-2.0
"""A collector with one output of -o, and a tap that sends it what a test sends."""

import socket

from .farspan import Collector, Tap, assert_balanced, one, own_name, own_port, status
from .packets import ethernet, ipv4, udp
from .proc import wait_until

A, B = b"\x0a\x09\0\1", b"\x0a\x09\0\2"


class Ends:
    """Both ends, their session up; `words` are the collector's."""

    def __init__(self, lab, output, *words):
        self.port = own_port()
        self.collector = Collector(lab, "-o", output, *words, key=None, port=self.port, device=None)
        self.tap_name = own_name("outputs")
        self.tap = Tap(lab, key=None, to=f"10.77.0.2:{self.port}", name=self.tap_name)
        self.sender = lab.socket(lab.peer, socket.AF_PACKET, socket.SOCK_RAW)
        self.sender.bind(("peer0", 0))

    def output(self):
        """The output's counts of the tap's interface."""
        taps = status(f"collector-{self.port}")["taps"]
        return one(one(one(taps)["interfaces"])["outputs"]) if taps and one(taps)["interfaces"] else None

    def state(self):
        return one(status(f"collector-{self.port}")["outputs"])["state"]

    def events(self, kind):
        return [e["words"] for e in status(f"collector-{self.port}")["history"] if e["kind"] == kind]

    def send(self, n, length=64):
        for i in range(n):
            self.sender.send(ethernet(ipv4(17, A, B, udp(4000, 53, bytes(length - 42)), i)))

    def wait_for(self, what, n):
        wait_until(lambda: {**self.output(), **self.output()["drops"]}[what] == n, 20, lambda: f"{n} {what}: {self.output()}")

    def finish(self, **options):
        """Ends both; the output's counts."""
        mine, theirs = self.tap.finish(), self.collector.finish()
        assert_balanced(mine, theirs, **options)
        return one(one(one(theirs["taps"])["interfaces"])["outputs"])
