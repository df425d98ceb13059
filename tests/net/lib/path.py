# SPDX-License-Identifier: Apache-2.0
"""A router between tap and collector, so that the path is narrower than what either end knows of.

    tap (link0) --- (near | router | far) --- (link0) collector

The link that the lab has made is replaced. The tap keeps 10.77.0.1 and fd77::1, the collector has 10.78.0.2 and
fd78::2. Routers tell who sends too large packets, by ICMP; a silent one does not, and is a black hole.
"""

from pathlib import Path

from .lab import inside
from .tools import Tcpdump, in_namespace

TAP4, COLLECTOR4 = "10.77.0.1", "10.78.0.2"
TAP6, COLLECTOR6 = "fd77::1", "fd78::2"


class Routed:
    """`width`: the MTU beyond the router; `near`: that of the tap's own link."""

    def __init__(self, lab, width=1500, near=1500, silent=True):
        self.lab, self.ns = lab, lab._namespace("r")
        lab.ip(lab.tap, "link", "del", "link0")
        for here, there, dev, mtu in ((lab.tap, self.ns, "near", near), (lab.collector, self.ns, "far", 9000)):
            in_namespace(here, ["ip", "link", "add", "link0", "mtu", str(mtu), "type", "veth", "peer", "name", dev, "mtu", str(mtu),
                                "netns", there])
        self._address(lab.tap, "link0", TAP4, TAP6)
        self._address(lab.collector, "link0", COLLECTOR4, COLLECTOR6)
        self._address(self.ns, "near", "10.77.0.254", "fd77::fe")
        self._address(self.ns, "far", "10.78.0.254", "fd78::fe")
        for ns, net in ((lab.tap, 77), (lab.collector, 78)):
            lab.ip(ns, "route", "add", "default", "via", f"10.{net}.0.254")
            lab.ip(ns, "-6", "route", "add", "default", "via", f"fd{net}::fe")
        with inside(self.ns):
            Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
            Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")
        if silent:  # whatever the router says itself goes nowhere
            lab.ip(self.ns, "rule", "add", "pref", "1", "iif", "lo", "blackhole")
            lab.ip(self.ns, "-6", "rule", "add", "pref", "1", "iif", "lo", "blackhole")
        self.watches = []
        for dev in ("near", "far"):
            self.watches.append(Tcpdump(lab, self.ns, dev, f"fragments-{dev}", fast=True, snaplen=96,
                                        expr="(ip and (ip[6:2] & 0x3fff != 0 or (udp and ip[6] & 0x40 = 0))) or (ip6 proto 44)"))
        self.width(width)

    def _address(self, ns, dev, v4, v6):
        with inside(ns):
            for name, value in (("disable_ipv6", "0"), ("accept_dad", "0")):
                Path(f"/proc/sys/net/ipv6/conf/{dev}/{name}").write_text(value)
        self.lab.ip(ns, "addr", "add", f"{v4}/24", "dev", dev)
        self.lab.ip(ns, "link", "set", dev, "up")
        if ":" in v6:
            self.lab.ip(ns, "addr", "add", f"{v6}/64", "dev", dev, "nodad")

    def width(self, mtu):
        """Beyond the router, packets have at most so many bytes from now on."""
        if mtu < 1280:  # a device with less has no IPv6 at all
            with inside(self.ns):
                Path("/proc/sys/net/ipv6/conf/far/disable_ipv6").write_text("1")
        self.lab.ip(self.ns, "link", "set", "far", "mtu", str(mtu))

    def assert_no_fragments(self):
        """No IP fragment has passed, and no datagram that might become one."""
        for watch in self.watches:
            watch.wait_quiet(0.2)
            assert watch.stop() == 0, f"fragments, or datagrams that may be fragmented, in {watch.path}"
