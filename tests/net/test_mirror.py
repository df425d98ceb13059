# SPDX-License-Identifier: Apache-2.0
"""Frames without a tap: --vxlan, --gre, --erspan, --tzsp, --ivtap. The senders are the kernel's device, and frames made by hand."""

import random
import socket
import struct
import time
import zlib

import pytest

from lib.farspan import Collector, Tap, assert_balanced, drops, farspan, one, own_name, own_port, status
from lib.mirror import HERE, THERE, Mirrored, address_path
from lib.packets import ethernet, ipv4, read_pcap, udp
from lib.proc import run, wait_until
from lib.tools import Tcpdump, assert_same, framegen, tshark

A, B = b"\x0a\x09\0\1", b"\x0a\x09\0\2"
IVTAP_WORD = struct.Struct("!5xbQQ")


def frame(number=0, length=60, vlan=None):
    return ethernet(ipv4(17, A, B, udp(4000, 53, bytes(length - 42)), number), vlan=vlan)


def gre(payload, kind=0x6558, key=None, seq=None):
    flags = (0x2000 if key is not None else 0) | (0x1000 if seq is not None else 0)
    words = [struct.pack("!I", v) for v in (key, seq) if v is not None]
    return struct.pack("!HH", flags, kind) + b"".join(words) + payload


def vxlan(payload, vni=77, flags=0x08000000, rest=0):
    return struct.pack("!II", flags, vni << 8 | rest) + payload


def erspan1(payload):
    return gre(payload, 0x88BE)


def erspan2(payload, session=12, seq=0, vlan=0, cos=0, en=0, version=1):
    return gre(struct.pack("!HHI", version << 12 | vlan, cos << 13 | en << 11 | session, 0) + payload, 0x88BE, seq=seq)


def erspan3(payload, session=12, seq=0, last=0, sub=b"", version=2):
    return gre(struct.pack("!HHIHH", version << 12, session, 1234, 0, last) + sub + payload, 0x22EB, seq=seq)


def tzsp(payload, tags=b"\1", kind=0, carries=1, version=1):
    return struct.pack("!BBH", version, kind, carries) + tags + payload


# the option, the port (None: IP protocol 47), a packet's making, and the point's name
FORMATS = {
    "vxlan": (("--vxlan", 4789), 4789, lambda f, i: vxlan(f), "vxlan/77"),
    "gre": (("--gre",), None, lambda f, i: gre(f), "gre"),
    "gre-key": (("--gre",), None, lambda f, i: gre(f, key=4294967295, seq=i), "gre/4294967295"),
    "erspan1": (("--erspan",), None, lambda f, i: erspan1(f), "erspan"),
    "erspan2": (("--erspan",), None, lambda f, i: erspan2(f, seq=i), "erspan/12"),
    "erspan3": (("--erspan",), None, lambda f, i: erspan3(f, seq=i), "erspan/12"),
    "erspan3-sub": (("--erspan",), None, lambda f, i: erspan3(f, seq=i, last=1, sub=bytes(8)), "erspan/12"),
    "tzsp": (("--tzsp", 37008), 37008, lambda f, i: tzsp(f), "tzsp"),
    "ivtap": (("--ivtap", 9000), 9000, lambda f, i: f, "ivtap"),
}


@pytest.mark.parametrize("family", (4, 6))
@pytest.mark.parametrize("name", FORMATS)
def test_frames_of_all_sizes_are_as_they_were(lab, name, family):
    """Each once, in order, byte for byte, on a device and in a file: from 60 to 9000 bytes, with tags, of any kind."""
    words, port, make, point = FORMATS[name]
    address_path(lab)
    source = lab.folder / "source.pcap"
    framegen(lab, 2000, write=source)
    frames = [f for _, f in read_pcap(source)]
    world = Mirrored(lab, *words)
    sender = world.socket(family=family) if port else world.socket(socket.SOCK_RAW, socket.IPPROTO_GRE, family)
    for i, f in enumerate(frames):
        sender.sendto(make(f, i), (HERE[family], port or 0))
    counts = world.wait_point(point, len(frames), THERE[family])
    ended = world.finish()
    assert drops(ended["stages"]["mirror"]) == 0, ended
    assert counts["stages"]["mirror"]["seq_gaps"] == 0, counts
    assert_same(source, world.file, len(frames), no_lengths=True)  # some of them claim to be longer than they are


@pytest.mark.parametrize("family", (4, 6))
def test_the_kernels_device_sends_them(lab, family):
    """The peer's vxlan device, which with IPv6 sends no checksum, as RFC 6935 allows."""
    address_path(lab)
    words = ["udp6zerocsumtx"] if family == 6 else []
    lab.ip(lab.peer, "link", "add", "tun0", "mtu", 9216, "type", "vxlan", "id", 77, "dstport", 4789, "local", THERE[family],
           "remote", HERE[family], *words)
    lab.ip(lab.peer, "link", "set", "tun0", "arp", "off", "up")
    source = lab.folder / "source.pcap"
    world = Mirrored(lab, "--vxlan", 4789)
    framegen(lab, 3000, dev="tun0", kinds="udp4,tcp4,arp", pps=10000, write=source)
    world.wait_point("vxlan/77", 3000, THERE[family])
    ended = world.finish()
    assert drops(ended["stages"]["mirror"]) == 0, ended
    assert_same(source, world.file, 3000)


def test_what_real_senders_do_otherwise(lab):
    """Each from a packet made by hand: reserved bits, types that look alike, tags taken off, padding, check sequences, cut frames."""
    address_path(lab)
    world = Mirrored(lab, "--vxlan", 4789, "--gre", "--erspan", "--tzsp", 37008)
    plain, fcs = frame(1), struct.pack("<I", zlib.crc32(frame(2)))
    long = ethernet(ipv4(17, A, B, udp(4000, 53, bytes(1000)), 3))
    world.send(4789, vxlan(plain, flags=0xFFFFFFFF, rest=0xFF), vxlan(frame(2) + fcs))
    world.send_gre(erspan2(frame(4), session=1, vlan=0x123, cos=5, en=2), erspan2(frame(5), session=1, seq=7, en=3))
    world.send_gre(erspan1(frame(6)), erspan3(frame(7), session=3, last=0x0008))
    world.send(37008, tzsp(frame(8), tags=b"\0\0\x0a\1\x63\0\1"), tzsp(b"", kind=4, carries=0), tzsp(long[:100]))
    assert world.wait_point("vxlan/77", 2)["stages"]["mirror"]["fcs_removed"] == 1
    restored = world.wait_point("erspan/1", 2)["stages"]["mirror"]
    assert (restored["tag_restored"], restored["seq_gaps"]) == (1, 6), restored
    world.wait_point("erspan", 1), world.wait_point("erspan/3", 1)
    assert world.wait_point("tzsp", 2)["stages"]["mirror"]["cut_by_sender"] == 1
    assert world.status()["keepalives"] == 1
    ended = world.finish()
    assert drops(ended["stages"]["mirror"]) == 0, ended
    tagged = frame(4)[:12] + struct.pack("!HH", 0x8100, 0xA123) + frame(4)[12:]
    want = [plain, frame(2), tagged, frame(5), frame(6), frame(7), frame(8), long[:100]]
    assert sorted(world.frames()) == sorted(want)
    assert tshark(world.file, "frame.len", "frame.cap_len", expr="frame.len != frame.cap_len") == [[str(len(long)), "100"]]
    names = {row[0] for row in tshark(world.file, "frame.interface_name")}
    assert names == {f"{THERE[4]}:{name}" for name in ("vxlan/77", "erspan/1", "erspan", "erspan/3", "tzsp")}, names


def test_gaps_in_the_sequence_are_a_figure(lab):
    """Numbers that are missing, one that comes late, a sender that begins anew: no frame is lost by any of it."""
    address_path(lab)
    world = Mirrored(lab, "--erspan")
    numbers = [5, 6, 9, 8, 10, 4_000_000_000, 4_000_000_001, 4_294_967_295, 0, 2]
    world.send_gre(*(erspan2(frame(i), seq=n) for i, n in enumerate(numbers)))
    point = world.wait_point("erspan/12", len(numbers))
    assert point["stages"]["mirror"]["seq_gaps"] == 2 + 1, point
    world.finish()
    assert world.frames() == [frame(i) for i in range(len(numbers))]


def test_only_what_is_allowed_and_makes_sense_is_taken(lab):
    """Others' packets, and those with no frame in them, are counted by reason; what is right comes through all the same."""
    address_path(lab)
    world = Mirrored(lab, "--vxlan", 4789, "--erspan", "--tzsp", 37008, allowed="192.0.2.2,2001:db8::/64")
    lab.ip(lab.peer, "addr", "add", "192.0.2.3/24", "dev", "in0")
    stranger = world.socket()
    stranger.bind(("192.0.2.3", 0))
    for _ in range(5):
        stranger.sendto(vxlan(frame()), (HERE[4], 4789))
    world.send(4789, b"", b"\x08", vxlan(b""), vxlan(frame()[:13]), vxlan(frame(), flags=0))
    world.send_gre(erspan2(frame(), version=7), erspan3(frame(), version=1), erspan3(frame(), last=0x0800), gre(frame()), b"\0")
    world.send(37008, tzsp(frame(), version=9), tzsp(frame(), carries=18), tzsp(frame(), tags=b"\x0a\xff"), tzsp(frame(), kind=2))
    for i in range(10):
        world.send(4789, vxlan(frame(i)))
    world.wait_point("vxlan/77", 10)
    want = {"not_allowed": 5, "cut_short": 6, "bad_version": 5, "not_ethernet": 2}
    wait_until(lambda: {k: v for k, v in world.others()["drops"].items() if v} == want, 10, lambda: f"{want}: {world.others()}")
    assert world.status()["other_gre"] == 1  # --gre was not given
    world.finish()
    assert sorted(world.frames()) == sorted(frame(i) for i in range(10))


def test_many_senders_take_bounded_room(lab):
    """More VNIs than there are places: those that were idle for longest are added up, and no frame is in no count."""
    address_path(lab)
    world = Mirrored(lab, "--vxlan", 4789)
    sender = world.socket()
    for vni in range(1024):
        sender.sendto(vxlan(frame(), vni=vni), (HERE[4], 4789))
    world.wait_point("vxlan/1023", 1)
    sender.sendto(vxlan(frame(), vni=5000), (HERE[4], 4789))
    wait_until(lambda: world.others()["drops"]["no_room"] == 1, 10, world.others)  # all of them are in use

    def has_place():
        sender.sendto(vxlan(frame(), vni=6000), (HERE[4], 4789))
        return world.point("vxlan/6000") is not None
    wait_until(has_place, 20, "the place of an idle one")
    sender.sendto(vxlan(frame(), vni=7000), (HERE[4], 4789))
    world.wait_point("vxlan/7000", 1)
    assert len(one(world.status()["senders"])["interfaces"]) == 1024
    new = [subject for subject, _ in world.events("sender-new")]
    assert 1 <= len(new) <= 64, new
    ended = world.finish()
    gone = ended["gone_interfaces"]
    assert gone["count"] == 2 and gone["stages"]["mirror"]["out"] == 2 and one(gone["outputs"])["out"] == 2, gone


def test_ivtaps_clients_are_shown(lab):
    """Their frames, and the words of 22 bytes in which they say how they are. The client itself is in no package of Debian."""
    address_path(lab)
    world = Mirrored(lab, "--ivtap", 9000)
    sender = world.socket()

    def say(state, sent):
        sender.sendto(IVTAP_WORD.pack(state, 1_700_000_000_000, sent), (HERE[4], 9000))

    say(0, 1000)
    wait_until(lambda: world.point("ivtap") and world.point("ivtap").get("ivtap"), 10, "the first word")
    for i in range(10):
        sender.sendto(frame(i), (HERE[4], 9000))
    say(1, 1000 + 12 * 60)  # two of its frames did not come
    world.wait_point("ivtap", 10)
    wait_until(lambda: world.point("ivtap")["ivtap"]["messages"] == 2, 10, "the second word")
    told = world.point("ivtap")["ivtap"]
    latency = told.pop("latency_ms")
    assert 0 < time.time() * 1000 - 1_700_000_000_000 - latency < 60_000, latency
    assert told == {"state": "breach", "messages": 2, "time_ms": 1_700_000_000_000, "bytes_sent": 1720, "bytes_received": 600,
                    "difference": 120, "difference_max": 120}, told
    for state, key in ((-1, "stopped-by-limit"), (-2, "stopped-by-idle")):
        before = len(world.events("sender-state"))
        say(state, 10)
        wait_until(lambda: len(world.events("sender-state")) > before, 10, key)
        assert world.point("ivtap")["ivtap"]["state"] == key
    assert world.point("ivtap")["ivtap"]["difference"] == 0  # it has begun anew
    assert world.events("sender-new") == [(f"{THERE[4]} ivtap", "sends frames")]
    shown = run([farspan(), "status", f"collector-{world.port}"]).stdout
    assert f"sender {THERE[4]}: last heard" in shown and ", 10 bytes sent" in shown and "ivTAP's client: stopped-by-idle, latency" in shown, shown
    world.finish()
    assert sorted(world.frames()) == sorted(frame(i) for i in range(10))


def test_ivtaps_files_convert(lab):
    """Of a server: farspan check takes what they become, and a collector runs by it, with a client's frames, words and description."""
    address_path(lab)
    port = own_port()
    lab.ip(lab.collector, "link", "add", "probe0", "type", "veth", "peer", "name", "probe0p", "netns", lab.peer)
    lab.ip(lab.collector, "link", "set", "probe0", "up"), lab.ip(lab.peer, "link", "set", "probe0p", "up")
    key, server, texts, conf = (lab.folder / name for name in ("key", "ivTAP.properties", "tenantsDescription.properties", "out.conf"))
    key.write_text("a passphrase of the test's\n"), key.chmod(0o600)
    server.write_text(f"dIntName=probe0\nbindAddress=0.0.0.0\nbindPort={port}\ntenantsCheckInterval=1\nsmptRelayServer=192.0.2.25\n"
                      "alertEmailRecipient=noc@example.org\ncontrolMsgIdleTimeout=60\nclientBytesIdleTimeout=300\n")
    texts.write_text(f"{THERE[4]}=Bern, first floor\n10.0.0.9=Basel\n")
    made = run([farspan(), "import", "ivtap", server, texts, "--key-file", key])
    assert made.stderr == "", made.stderr
    conf.write_text(made.stdout)
    checked = run([farspan(), "check", conf])
    assert (checked.stdout, checked.stderr) == ("", "")
    collector = lab.start([farspan(), "collector", "--config", conf, "--ivtap", 9000, "--from", "192.0.2.0/24"], "collector", lab.collector)
    collector.wait_line("listening on", 20)
    seen = Tcpdump(lab, lab.peer, "probe0p", "probe", direction="in", expr="udp", fast=True)
    sender = lab.socket(lab.peer)
    sender.sendto(IVTAP_WORD.pack(0, int(time.time() * 1000), 0), (HERE[4], 9000))
    for i in range(10):
        sender.sendto(frame(i), (HERE[4], 9000))
    collector.wait_line(f'sender={THERE[4]} tunnel=ivtap description="Bern, first floor"', 10)
    collector.wait_line("frames_received=10 bytes_received=600 ivtap=ok latency_ms=", 10)
    (told,) = status(f"collector-{port}")["mirrored"]["senders"]
    assert told["description"] == "Bern, first floor", told
    seen.wait_count(10)
    assert collector.stop() == 0, collector
    seen.stop()
    assert [f for _, f in read_pcap(seen.path)] == [frame(i) for i in range(10)]


def test_a_tap_and_mirrors_share_stages_and_outputs(lab):
    """Frames of both go through the same stages and into the same file, also where several threads receive."""
    address_path(lab)
    world = Mirrored(lab, "--vxlan", 4789, "--threads", 2, "--stage", "slice 50")
    tap = Tap(lab, key=None, to=f"10.77.0.2:{world.port}", name=own_name("mirror"))
    framegen(lab, 500, kinds="udp4")
    for i in range(300):
        world.send(4789, vxlan(frame(i)))
    point = world.wait_point("vxlan/77", 300)
    mine = tap.finish()
    doc = world.collector.finish()
    assert_balanced(mine, doc, sent=500, delivered=500)
    assert point["stages"]["stages_rx"]["sliced"] == 300, point
    frames = world.frames()
    assert len(frames) == 800 and {len(f) for f in frames} == {50}
    assert sorted(f for f in frames if f[26:34] == A + B) == sorted(frame(i)[:50] for i in range(300))


def test_mistakes_are_refused_with_what_to_do(lab):
    """Each by one line: a port that a vxlan device has, no --from, options that do not go together."""
    port = own_port()
    address_path(lab)
    lab.ip(lab.collector, "link", "add", "vx0", "type", "vxlan", "id", 1, "dstport", 4789, "local", HERE[4])
    lab.ip(lab.collector, "link", "set", "vx0", "up")

    def refused(status, words, *options):
        c = Collector(lab, *options, key=None, port=port, device=None, file=lab.folder / "x.pcapng", ready=False)
        assert c.proc.wait(10) == status, c.proc
        assert words in c.proc.err(), c.proc

    refused(1, "vxlan device", "--vxlan", 4789, "--from", "10.0.0.0/8")
    refused(1, "--from", "--erspan")
    refused(2, "10.0.0.0/8", "--erspan", "--from", "10.0.0.1/8")
    refused(2, "--from is for", "--from", "10.0.0.0/8")
    refused(2, "given twice", "--vxlan", port, "--from", "10.0.0.0/8")
    refused(2, "given twice", "--tzsp", 9000, "--ivtap", 9000, "--from", "10.0.0.0/8")
    refused(2, "between 1 and 65535", "--vxlan", 0, "--from", "10.0.0.0/8")
    refused(2, "devices for taps alone", "--vxlan", 4790, "--from", "10.0.0.0/8", "-i", "ntap-%t")


def test_a_raw_socket_keeps_the_kernel_from_answering(lab):
    """Without one each mirrored packet is answered by ICMP's "protocol unreachable"."""
    address_path(lab)
    icmp = lab.socket(lab.peer, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    world = Mirrored(lab, "--erspan")
    world.send_gre(*(erspan2(frame(i), seq=i) for i in range(5)))
    world.wait_point("erspan/12", 5)
    world.finish()
    icmp.setblocking(False)
    with pytest.raises(BlockingIOError):
        icmp.recv(2000)
    icmp.settimeout(5)
    world.send_gre(erspan2(frame()))
    assert icmp.recv(2000)[20] == 3  # destination unreachable


def test_bad_weather_and_garbage_leave_the_rest_working(lab):
    """Random bytes on each port, while frames come: all of them arrive, and each packet is in a count."""
    address_path(lab)
    world = Mirrored(lab, "--vxlan", 4789, "--gre", "--erspan", "--tzsp", 37008)
    rng = random.Random(7)
    good = world.socket()
    bad = world.socket()
    raw = world.socket(socket.SOCK_RAW, socket.IPPROTO_GRE)
    for i in range(500):
        good.sendto(vxlan(frame(i), vni=9), (HERE[4], 4789))
        bad.sendto(rng.randbytes(rng.randrange(40)), (HERE[4], 4789 if i % 2 else 37008))
        raw.sendto(rng.randbytes(rng.randrange(40)), (HERE[4], 0))
    world.wait_point("vxlan/9", 500)

    def all_counted():
        now = world.status()
        points = sum(p["stages"]["mirror"]["in"] for s in now["senders"] for p in s["interfaces"])
        return points + now["stages"]["mirror"]["in"] + now["keepalives"] + now["other_gre"] == 1500
    wait_until(all_counted, 10, lambda: world.status()["stages"])
    world.finish()
