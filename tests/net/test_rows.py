# SPDX-License-Identifier: Apache-2.0
"""The rows of the ledger that plain traffic fills have their exact numbers, from the frames and datagrams that witnesses saw."""

import struct

from lib.farspan import PORT, Collector, Tap, assert_balanced, one, tap_stages
from lib.packets import RECORD, read_pcap, udp_payloads
from lib.tools import Tcpdump, framegen

FRAMES = 3000


def segments(path):
    """Datagrams that carry frames: records of another stream than 0, several in one where the kernel has yet to cut."""
    return [d for d in udp_payloads(path, PORT) if d[0] == RECORD and struct.unpack("!H", d[2:4])[0] & 0x0fff != 0]


def test_rows(lab):
    collector = Collector(lab, key=None, device=None, file=lab.folder / "collector.pcapng")
    frames = Tcpdump(lab, lab.tap, "mon0", "frames", fast=True)
    link = Tcpdump(lab, lab.collector, "link0", "link", expr=f"udp port {PORT}", fast=True)
    tap = Tap(lab, key=None)
    framegen(lab, FRAMES, pps=5000)
    frames.wait_count(FRAMES)
    tap_ledger, collector_ledger = tap.finish(), collector.finish()
    link.wait_quiet()
    assert frames.stop() == FRAMES
    link.stop()
    assert_balanced(tap_ledger, collector_ledger, sent=FRAMES, delivered=FRAMES)
    size = sum(len(frame) for _, frame in read_pcap(frames.path))
    datagrams = segments(link.path)
    assert size > 60 * FRAMES and len(datagrams) > 10

    stages = tap_stages(tap_ledger)
    for stage in ("ring", "select", "cut", "link_tx"):
        assert (stages[stage]["in"], stages[stage]["out"]) == (FRAMES, FRAMES), stage
    assert stages["ring"]["bytes"] == size
    assert (stages["ring"]["super_packets"], stages["ring"]["clamped"], stages["cut"]["sliced"]) == (0, 0, 0)
    wire = sum(len(d) for d in datagrams)
    assert (stages["link_tx"]["bytes"], stages["link_tx"]["wire_bytes"]) == (size, wire)
    assert wire / 1472 < stages["link_tx"]["datagrams"] < wire / 40

    there = one(one(collector_ledger["taps"])["interfaces"])
    received, written = there["stages"]["link_rx"], one(there["outputs"])
    assert (received["in"], received["out"], received["bytes"]) == (FRAMES, FRAMES, size)
    assert received["datagrams"] == stages["link_tx"]["datagrams"]
    for row in ("gap_datagrams", "late_datagrams", "crowded_datagrams", "implausible"):
        assert received[row] == 0, row
    assert (written["in"], written["out"], written["bytes"]) == (FRAMES, FRAMES, size)
    told = there["tap_stages"]
    for stage, rows in (("ring", ("in", "out", "bytes")), ("link_tx", ("in", "out", "bytes", "datagrams", "wire_bytes"))):
        for row in rows:
            assert told[stage][row] == stages[stage][row], f"the tap's {row} of {stage}, as the collector knows it"
