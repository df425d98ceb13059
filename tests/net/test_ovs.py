# SPDX-License-Identifier: Apache-2.0
"""Open vSwitch's user-space datapath: what its mirrors send, the collector takes; what the collector's tunnels send, it takes.

In the switch frames of flows that it knows overtake the first ones of others, so that their order is not compared.
"""

import pytest

from lib.farspan import drops
from lib.mirror import THERE, Mirrored, address_path
from lib.outputs import Ends
from lib.ovs import Switch
from lib.tools import Tcpdump, assert_same, framegen

# the kind of port and its options, the collector's option, and the point's name
MIRRORS = {
    "erspan2": ("erspan", {"key": 11, "erspan_ver": 1, "erspan_idx": 5}, ("--erspan",), "erspan/11"),
    "erspan3": ("erspan", {"key": 12, "erspan_ver": 2, "erspan_dir": 1, "erspan_hwid": 4}, ("--erspan",), "erspan/12"),
    "gre": ("gre", {"key": 13}, ("--gre",), "gre/13"),
    "vxlan": ("vxlan", {"key": 14}, ("--vxlan", 4789), "vxlan/14"),
}


@pytest.mark.parametrize("name", MIRRORS)
def test_its_mirrors_arrive(lab, name):
    """Each frame that passes the bridge, once, byte for byte."""
    kind, options, words, point = MIRRORS[name]
    address_path(lab)
    switch = Switch(lab)
    switch.tunnel("t0", kind, **options)
    switch.mirror_to("t0")
    source = lab.folder / "source.pcap"
    world = Mirrored(lab, *words)
    framegen(lab, 500, dev="gen0", kinds="udp4,tcp4,arp", pps=500, max_len=1500, write=source)
    counts = world.wait_point(point, 500)
    ended = world.finish()
    assert drops(ended["stages"]["mirror"]) == 0 and counts["stages"]["mirror"]["seq_gaps"] == 0, ended
    assert_same(source, world.file, 500, order="none")


@pytest.mark.parametrize("name, output, kind, options", [
    ("erspan", "erspan://{}/11", "erspan", {"key": 11, "erspan_ver": 1, "erspan_idx": 1}),
    ("erspan3", "erspan3://{}/12", "erspan", {"key": 12, "erspan_ver": 2, "erspan_dir": 0, "erspan_hwid": 0}),
    ("vxlan", "vxlan://{}/77", "vxlan", {"key": 77}),
    ("gre", "gre://{}/13", "gre", {"key": 13}),
])
def test_it_takes_tunnels(lab, name, output, kind, options):
    """The frames of a tap come out of the bridge's port, once, byte for byte."""
    address_path(lab)
    switch = Switch(lab)
    switch.tunnel("t0", kind, **options)
    there = Tcpdump(lab, lab.peer, "gen0", "there", direction="in", fast=True)
    source = Tcpdump(lab, lab.tap, "mon0", "source", fast=True)
    ends = Ends(lab, output.format(THERE[4]))
    framegen(lab, 500, kinds="udp4,tcp4,arp", pps=500, max_len=1500)
    source.wait_count(500), there.wait_count(500)
    out = ends.finish(sent=500)
    source.stop(), there.stop()
    assert out["out"] == 500 and drops(out) == 0, out
    assert_same(source.path, there.path, 500, order="none")
