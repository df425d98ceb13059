# SPDX-License-Identifier: Apache-2.0
"""-o vxlan://, gre://, erspan://, erspan3://: frames in IP to another host, taken out again by the kernel's device and by others' tools.

    collector (out0 192.0.2.1 | in0 192.0.2.2) peer: where the tunnels end
"""

import os
import shutil
import socket
from pathlib import Path

import pytest

from lib.farspan import Collector, drops
from lib.lab import inside
from lib.outputs import A, B, Ends
from lib.packets import ethernet, ipv4, udp
from lib.proc import run, wait_until
from lib.tools import Tcpdump, assert_same, framegen, ping, tshark

NARROW = "output-too-narrow"
HERE, THERE = {4: "192.0.2.1", 6: "2001:db8::1"}, {4: "192.0.2.2", 6: "2001:db8::2"}


def way(lab, mtu=9400):
    """The path between the collector's host and the end of the tunnels."""
    lab.ip(lab.collector, "link", "add", "out0", "mtu", mtu, "type", "veth", "peer", "name", "in0", "mtu", mtu, "netns", lab.peer)
    for ns, dev, ends in ((lab.collector, "out0", HERE), (lab.peer, "in0", THERE)):
        lab.offloads(ns, dev, gro="off", gso="off", tso="off", tx="off", rx="off")
        with inside(ns):
            Path(f"/proc/sys/net/ipv6/conf/{dev}/disable_ipv6").write_text("0")
        lab.ip(ns, "addr", "add", f"{ends[4]}/24", "dev", dev)
        lab.ip(ns, "addr", "add", f"{ends[6]}/64", "dev", dev, "nodad")
        lab.ip(ns, "link", "set", dev, "up")
        lab.keep_order(ns)
    for address in THERE.values():  # else the first frames wait for the neighbour's, and the kernel keeps few
        ping(lab.collector, address)


# its words, and the bytes between the outer IP header and the frame
TUNNELS = {
    "vxlan": ("vxlan://{}/77", 16),
    "vxlan-port": ("vxlan://{}:8472/16777215", 16),
    "gre": ("gre://{}", 4),
    "gre-key": ("gre://{}/4294967295", 8),
    "erspan": ("erspan://{}/12", 16),
    "erspan3": ("erspan3://{}/12", 20),
}


def address(family):
    return f"[{THERE[6]}]" if family == 6 else THERE[4]


@pytest.mark.parametrize("family", (4, 6))
@pytest.mark.parametrize("name", TUNNELS)
def test_frames_are_in_it_as_they_were(lab, name, family):
    """Frames of all kinds and sizes, each once and in order, where editcap takes the outer headers off, and tshark finds the tunnel."""
    spec, head = TUNNELS[name]
    way(lab)
    capture = Tcpdump(lab, lab.peer, "in0", "outer", direction="in", expr="ip proto 47 or ip6 proto 47 or udp port 4789 or udp port 8472")
    source = Tcpdump(lab, lab.tap, "mon0", "source", fast=True)
    ends = Ends(lab, spec.format(address(family)))
    framegen(lab, 3000, pps=10000)
    source.wait_count(3000)
    capture.wait_count(3000)
    out = ends.finish(sent=3000)
    source.stop(), capture.stop()
    assert out["out"] == 3000 and drops(out) == 0 and out["cut_to_fit"] == 0, out
    taken_out = lab.folder / "frames.pcap"
    run(["editcap", "-F", "nsecpcap", "-L", "-C", str(14 + (20 if family == 4 else 40) + head), capture.path, taken_out])
    assert_same(source.path, taken_out, 3000)


@pytest.mark.parametrize("family", (4, 6))
def test_the_kernels_device_takes_them_out(lab, family):
    """VXLAN, as the kernel knows it: by IPv6 only with a checksum."""
    way(lab)
    lab.ip(lab.peer, "link", "add", "tun0", "mtu", 9216, "type", "vxlan", "id", 77, "dstport", 4789, "local", THERE[family])
    lab.ip(lab.peer, "link", "set", "tun0", "arp", "off", "up")
    there = Tcpdump(lab, lab.peer, "tun0", "tunnel", direction="in", fast=True)
    source = Tcpdump(lab, lab.tap, "mon0", "source", fast=True)
    ends = Ends(lab, f"vxlan://{address(family)}/77")
    framegen(lab, 3000, pps=10000, kinds="udp4,tcp4,arp")
    source.wait_count(3000)
    there.wait_count(3000)
    ends.finish(sent=3000)
    source.stop(), there.stop()
    assert_same(source.path, there.path, 3000)


def on_the_way(lab, output, frames):
    """The outer packets of some frames, as tshark has them."""
    way(lab)
    capture = Tcpdump(lab, lab.peer, "in0", "outer", direction="in")
    ends = Ends(lab, output)
    for frame in frames:
        ends.sender.send(frame)
    ends.wait_for("out", len(frames))
    capture.wait_count(len(frames))
    ends.finish()
    capture.stop()
    return capture.path


def test_source_ports_are_the_flows(lab):
    """Of VXLAN: one for all frames of a flow, in both directions, another for others, and all in the range of RFC 7348."""
    flows = [ethernet(ipv4(17, A, B, udp(4000 + i, 53, bytes(30)))) for i in range(20)]
    back = [ethernet(ipv4(17, B, A, udp(53, 4000 + i, bytes(30)))) for i in range(20)]
    path = on_the_way(lab, "vxlan://192.0.2.2/5", flows + back)
    rows = [row[0].split(",")[0] for row in tshark(path, "udp.srcport", expr="vxlan")]
    ports = [int(r) for r in rows]
    assert ports[:20] == ports[20:] and len(set(ports)) > 15 and all(49152 <= p < 65536 for p in ports), ports
    assert {row[0] for row in tshark(path, "vxlan.vni", expr="vxlan")} == {"5"}
    assert all(row[0].startswith(("1", "True")) for row in tshark(path, "ip.flags.df", expr="vxlan")), "DF is set"


def test_erspan_says_what_it_carries(lab):
    """Session, sequence numbers from 0, the VLAN of a tagged frame, as tshark has them."""
    plain = ethernet(ipv4(17, A, B, udp(4000, 53, bytes(30))))
    tagged = plain[:12] + b"\x81\0\xa1\x23" + plain[12:]
    path = on_the_way(lab, "erspan://192.0.2.2/1023", [plain, tagged, plain])
    rows = [tuple(int(v, 0) for v in row) for row in tshark(path, "gre.sequence_number", "erspan.spanid", "erspan.vlan", "erspan.version", expr="erspan")]
    assert rows == [(0, 1023, 0, 1), (1, 1023, 0x123, 1), (2, 1023, 0, 1)], rows


def test_erspan3_says_when_and_which_way(lab):
    """Besides: the capture's time in units of 100 ns, which the granularity says, the direction, and that a whole Ethernet frame follows."""
    plain = ethernet(ipv4(17, A, B, udp(4000, 53, bytes(30))))
    tagged = plain[:12] + b"\x81\0\xa1\x23" + plain[12:]
    source = Tcpdump(lab, lab.tap, "mon0", "source")
    path = on_the_way(lab, "erspan3://192.0.2.2/1023", [plain, tagged, plain])
    source.wait_count(3)
    source.stop()
    fields = ("gre.sequence_number", "erspan.spanid", "erspan.vlan", "erspan.version", "erspan.gra", "erspan.ft", "erspan.direction",
              "erspan.o", "erspan.truncated")
    rows = [tuple(int(v, 0) for v in row) for row in tshark(path, *fields, expr="erspan")]
    assert rows == [(0, 1023, 0, 2, 1, 0, 0, 0, 0), (1, 1023, 0x123, 2, 1, 0, 0, 0, 0), (2, 1023, 0, 2, 1, 0, 0, 0, 0)], rows
    told = [int(row[0], 0) for row in tshark(path, "erspan.timestamp", expr="erspan")]
    seen = [int(row[0].replace(".", "")) // 100 % 2**32 for row in tshark(source.path, "frame.time_epoch")]
    assert told == seen, "the timestamps are those of the tap's capture"
    assert [row[0] for row in tshark(path, "frame.protocols", expr="erspan")][0].endswith("gre:erspan:eth:ethertype:ip:udp:dns")


@pytest.mark.parametrize("oversize", ("slice", "drop"))
def test_what_does_not_fit_the_path(lab, oversize):
    """It is cut to what fits, or dropped; either is counted, and the MTU that would do is said once."""
    way(lab, mtu=1500)
    capture = Tcpdump(lab, lab.peer, "in0", "outer", direction="in")
    ends = Ends(lab, f"vxlan://192.0.2.2/9,oversize={oversize}")
    fits = 1500 - 20 - 8 - 8
    ends.send(10, fits)
    ends.send(10, fits + 1)
    ends.send(10, 1514)
    ends.wait_for("in", 30)
    ends.wait_for("out", 30 if oversize == "slice" else 10)
    wait_until(lambda: ends.events(NARROW), 10, "the event")
    capture.wait_count(30 if oversize == "slice" else 10)
    assert len(ends.events(NARROW)) == 1 and "is too narrow for some frames: an MTU of 15" in ends.events(NARROW)[0], ends.events(NARROW)
    out = ends.finish(sent=30)
    capture.stop()
    assert out["cut_to_fit"] == (20 if oversize == "slice" else 0)
    assert out["drops"]["too_long"] == (0 if oversize == "slice" else 20)
    lengths = [int(row[0].split(",")[0]) for row in tshark(capture.path, "ip.len", expr="vxlan")]
    assert max(lengths) == 1500 and not any(int(row[0].split(",")[0], 0) for row in tshark(capture.path, "ip.frag_offset", expr="ip.dst == 192.0.2.2"))


def frames_of(path):
    """The bytes of each frame of tcpdump's file."""
    data, at, frames = Path(path).read_bytes(), 24, []
    while at < len(data):
        n = int.from_bytes(data[at + 8:at + 12], "little")
        frames.append(data[at + 16:at + 16 + n])
        at += 16 + n
    return frames


def packets_of(sock, family, n):
    """The bytes behind the IP header of the next n packets, which the kernel has put together."""
    sock.settimeout(10)
    got = [sock.recv(1 << 16) for _ in range(n)]
    return [p if family == 6 else p[20:] for p in got]


@pytest.mark.parametrize("family", (4, 6))
@pytest.mark.parametrize("name", ("gre-key", "erspan", "erspan3"))
def test_fragments_become_frames_again(lab, name, family):
    """Frames that are longer than the path takes leave in fragments, which another kernel puts together; others have DF set."""
    spec, head = TUNNELS[name]
    way(lab, mtu=1500)
    sock = lab.socket(lab.peer, socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_RAW, 47)
    capture = Tcpdump(lab, lab.peer, "in0", "outer", direction="in", fast=True)
    ends = Ends(lab, spec.format(address(family)) + ",oversize=fragment")
    fits = 1500 - (40 if family == 6 else 20) - head
    sent = [ethernet(ipv4(17, A, B, udp(4000, 53, os.urandom(length - 42)), i)) for i, length in enumerate((fits, fits + 1, 1514, 60, 9000))]
    for frame in sent:
        ends.sender.send(frame)
    assert [p[head:] for p in packets_of(sock, family, 5)] == sent
    wait_until(lambda: ends.events(NARROW), 10, "the event")
    capture.wait_quiet()
    out = ends.finish(sent=5)
    capture.stop()
    assert (out["out"], out["fragmented"], out["cut_to_fit"], drops(out)) == (5, 3, 0, 0), out
    if family == 4:
        flags = [int.from_bytes(f[20:22], "big") for f in frames_of(capture.path) if f[12:14] == b"\x08\0" and f[23] == 47]
        assert flags.count(0x4000) == 2 and len(flags) == 2 + 2 + 2 + 7, [hex(f) for f in flags]


@pytest.mark.parametrize("family", (4, 6))
def test_the_kernels_device_takes_fragments(lab, family):
    """VXLAN on a path of 1500 bytes, where frames of all sizes come out of the kernel's device as they were."""
    way(lab, mtu=1500)
    lab.ip(lab.peer, "link", "add", "tun0", "mtu", 9216, "type", "vxlan", "id", 77, "dstport", 4789, "local", THERE[family])
    lab.ip(lab.peer, "link", "set", "tun0", "arp", "off", "up")
    there = Tcpdump(lab, lab.peer, "tun0", "tunnel", direction="in", fast=True)
    source = Tcpdump(lab, lab.tap, "mon0", "source", fast=True)
    ends = Ends(lab, f"vxlan://{address(family)}/77,oversize=fragment")
    framegen(lab, 1000, pps=2000, kinds="udp4,tcp4")
    source.wait_count(1000)
    there.wait_count(1000)
    out = ends.finish(sent=1000)
    source.stop(), there.stop()
    assert 0 < out["fragmented"] < 1000 and out["out"] == 1000, out
    assert_same(source.path, there.path, 1000)


def test_a_path_that_becomes_wider(lab):
    """Frames are cut no more once the interface's MTU allows them, or fragmented no more."""
    way(lab, mtu=1500)
    ends = Ends(lab, "vxlan://192.0.2.2/9")
    ends.send(10, 1514)
    ends.wait_for("cut_to_fit", 10)
    for ns, dev in ((lab.collector, "out0"), (lab.peer, "in0")):
        lab.ip(ns, "link", "set", dev, "mtu", 9000)
    ends.send(1, 1514)
    ends.wait_for("out", 11)
    ends.send(10, 1514)
    ends.wait_for("out", 21)
    assert ends.finish(sent=21)["cut_to_fit"] <= 11


@pytest.mark.parametrize("family", (4, 6))
def test_the_first_frames_arrive(lab, family):
    """The kernel has looked for the neighbour before there is a frame, of which it would keep few until it is found."""
    way(lab)
    for ns, known in ((lab.peer, HERE[family]), (lab.collector, THERE[family])):
        lab.ip(ns, "neigh", "flush", "to", known)
    capture = Tcpdump(lab, lab.peer, "in0", "outer", direction="in", expr="ip proto 47 or ip6 proto 47", fast=True)
    ends = Ends(lab, f"gre://{address(family)}")
    wait_until(lambda: "lladdr" in lab.ip(lab.collector, "neigh", "show", "to", THERE[family]), 10, "the neighbour's address")
    ends.send(1000, 1514)
    ends.wait_for("out", 1000)
    capture.wait_count(1000)
    ends.finish(sent=1000)
    capture.stop()


def name_of_the_peer(lab, *addresses):
    """Gives "probe.test" these addresses, in the collector's namespace."""
    folder = Path("/etc/netns") / lab.collector
    folder.mkdir(parents=True)
    lab.closers.append(lambda: shutil.rmtree(folder, ignore_errors=True))
    (folder / "hosts").write_text("127.0.0.1 localhost\n" + "".join(f"{a} probe.test\n" for a in addresses))


@pytest.mark.parametrize("words", ("vxlan://probe.test:4789/7", "gre://probe.test"))
def test_a_hosts_name(lab, words):
    """It is looked up at the start, and the first address that there is a way to is taken."""
    way(lab)
    name_of_the_peer(lab, "2001:db8:ffff::1", THERE[4])
    capture = Tcpdump(lab, lab.peer, "in0", "outer", direction="in", expr="ip", fast=True)
    ends = Ends(lab, words)
    ends.send(10)
    ends.wait_for("out", 10)
    capture.wait_count(10)
    ends.finish(sent=10)
    capture.stop()


def test_a_name_that_is_nobodys(lab):
    """One line, and status 1."""
    name_of_the_peer(lab)
    collector = Collector(lab, "-o", "erspan3://probe.test/1", key=None, device=None, ready=False)
    assert collector.proc.wait(20) == 1, collector.proc
    lines = [line for line in collector.proc.err().splitlines() if "WARNING: -K" not in line]
    assert len(lines) == 1 and '-o erspan3://probe.test/1: cannot resolve "probe.test": ' in lines[0], lines


def test_nobody_is_there(lab):
    """A path that is gone: frames are counted as write_error, the state says why, and it becomes well again."""
    way(lab)
    ends = Ends(lab, "vxlan://192.0.2.2/9")
    ends.send(20)
    ends.wait_for("out", 20)
    lab.ip(lab.collector, "link", "set", "out0", "down")
    ends.send(20)
    ends.wait_for("write_error", 20)
    assert "frames do not leave" in ends.state()
    lab.ip(lab.collector, "link", "set", "out0", "up")
    ends.send(20)
    ends.wait_for("out", 40)
    assert ends.state() == "ok"
    ends.finish(sent=60)


@pytest.mark.parametrize("output,says", [
    ("vxlan://192.0.2.2", "the VNI is missing (vxlan://HOST[:PORT]/VNI[,oversize=slice|drop|fragment])"),
    ("vxlan://192.0.2.2/16777216", "the VNI: 16777216 is not between 0 and 16777215"),
    ("vxlan://192.0.2/1", '"192.0.2" is neither an address nor a host\'s name'),
    ("vxlan://192.0.2.2:0/1", "port"),
    ("gre://192.0.2.2:47/1", '"192.0.2.2:47" is neither an address nor a host\'s name'),
    ("erspan://192.0.2.2/1024", "the session: 1024 is not between 0 and 1023"),
    ("erspan://192.0.2.2/1,oversize=fragments", '"oversize=fragments" is no setting of a tunnel'),
    ("erspan3://192.0.2.2/1024", "the session: 1024 is not between 0 and 1023"),
    ("erspan4://192.0.2.2/1", "an interface's name has at most 15 characters"),
])
def test_bad_words(lab, output, says):
    collector = Collector(lab, "-o", output, key=None, device=None, ready=False)
    assert collector.proc.wait(10) == 2, collector.proc
    assert says in collector.proc.err(), collector.proc.err()
