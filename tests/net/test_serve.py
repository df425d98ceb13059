# SPDX-License-Identifier: Apache-2.0
"""`farspan serve`: what its captures are of. tcpdump beside it is the judge of packets, and the tests' own counts of the rest."""

import hashlib
import struct
import time

from lib.packets import in_vlans, read_pcap
from lib.proc import run, wait_until
from lib.serve import S, Pcapng, Service, assert_counts, now, ns_of, number_of, spans, text_of
from lib.tools import Tcpdump, framegen, start_framegen


def frames_of(path, since=0, until=1 << 63):
    """The frames of a tcpdump's file with a time in [since, until)."""
    found = []
    for head, frame in read_pcap(path):
        seconds, part, _, length = struct.unpack("<IIII", head)
        if since <= seconds * S + part < until:
            found.append((seconds * S + part, length, frame))
    return found


def frames_in(service, capture):
    return [(f.ns, f.length, f.data) for f in Pcapng(service.fetch(capture)).frames]


def same(got, wanted, what, ordered=True):
    """Frame by frame; the message is short. Where frames of both directions come at once, two sockets may see two orders."""
    if got == wanted or (not ordered and sorted(got) == sorted(wanted)):
        return
    missing, more = [f for f in wanted if f not in set(got)], [f for f in got if f not in set(wanted)]
    raise AssertionError(f"{what}: {len(got)} frames, {len(wanted)} expected; {len(missing)} missing, {len(more)} that should not be there; "
                         f"first missing {[f[0] for f in missing[:3]]}, first foreign {[f[0] for f in more[:3]]}")


# what is wished, and tcpdump's words and options for the same
LIKE = {
    "second": ({}, {}),
    "tenth": ({}, {}),
    "filter": ({"filter": "udp and greater 500 and not vlan"}, {"expr": "udp and greater 500 and not vlan"}),
    "in": ({"direction": "in"}, {"direction": "in"}),
    "out": ({"direction": "out"}, {"direction": "out"}),
    "vlans": ({"vlans": "100-2000"}, {}),
    "snaplen": ({"snaplen": 64}, {"snaplen": 64}),
}


def test_as_tcpdump(lab):
    """Captures of one port at once: each has exactly the frames of [start, stop) that a tcpdump of the same words has, with its times."""
    lab.kernel_stamps()
    service = Service(lab)
    beside = {name: Tcpdump(lab, lab.tap, "mon0", name, **words) for name, (_, words) in LIKE.items()}
    start = time.time_ns() + S // 2
    captures = {}
    for name, (wish, _) in LIKE.items():
        captures[name] = service.create(start=text_of(start), stop=text_of(start + (S // 10 if name == "tenth" else S)), **wish)
        assert (ns_of(captures[name]["start"]), captures[name]["state"]) == (start, "scheduled")
    senders = [start_framegen(lab, 10000, 5000), start_framegen(lab, 2000, 1000, ns=lab.tap, dev="mon0")]
    ended = {name: service.wait(c, "done") for name, c in captures.items()}
    for sender in senders:
        assert sender.wait(10) == 0, sender
    beside["second"].wait_count(12000)
    for name, tcpdump in beside.items():
        tcpdump.stop()
        capture, (begin, end) = ended[name], (start, start + (S // 10 if name == "tenth" else S))
        wanted = frames_of(tcpdump.path, begin, end)
        if name == "vlans":
            wanted = [f for f in wanted if in_vlans("100-2000")(f[2])]
        got = frames_in(service, capture)
        assert len(got) > 50, (name, capture)
        same(got, wanted, name, ordered=name in ("in", "out"))
        assert_counts(capture)
        assert capture["frames"] == len(got) and capture["dropped"] == 0 and capture["code"] == "stop-time", capture
        assert spans(capture) == [(begin, end)] and spans(capture, "gaps") == [], capture
        assert (capture["unwanted"] > 0) == (name in ("filter", "in", "out", "vlans")), (name, capture)
        wait_until(lambda: service.show(captures[name])["sha256"], 10, "the hash of its file")
        assert service.show(capture)["sha256"] == hashlib.sha256(service.fetch(capture)).hexdigest()


def test_that_starts_now(lab):
    """Without a start it begins at once: complete in what it says that it covers, and the rest is a gap."""
    lab.kernel_stamps()
    service = Service(lab)
    beside = Tcpdump(lab, lab.tap, "mon0", "beside")
    sender = start_framegen(lab, 6000, 5000, kinds="udp4")
    beside.wait_count(500)
    capture = service.create(stop=now(0.6))
    capture = service.wait(capture, "done")
    assert sender.wait(10) == 0
    beside.wait_count(6000), beside.stop()
    start, stop = ns_of(capture["start"]), ns_of(capture["stop"])
    (since, until), = spans(capture)
    assert start <= since < start + S // 4 and until == stop, capture
    assert spans(capture, "gaps") == ([(start, since)] if since > start else []), capture
    wanted, got = frames_of(beside.path, since, until), frames_in(service, capture)
    assert len(wanted) > 1000
    same([f for f in got if f[0] >= since], wanted, "from now on")
    early = [f for f in got if f[0] < since]  # more than it stands for
    same(early, frames_of(beside.path, start, since)[-len(early):] if early else [], "before")


def test_limits(lab):
    """A limit of frames and one of bytes end a capture with the last frame that fits."""
    service = Service(lab)
    frames, small = service.create(limit_frames=100), service.create(limit_bytes=20000)
    filtered = service.create(limit_frames=7, filter="udp")
    for capture in (frames, small, filtered):
        service.wait_begun(capture)
    beside = Tcpdump(lab, lab.tap, "mon0", "beside")
    framegen(lab, 2000, max_len=1000)
    beside.wait_count(2000), beside.stop()
    sent = [(length, frame) for _, length, frame in frames_of(beside.path)]
    for capture, code in ((frames, "limit-frames"), (small, "limit-bytes"), (filtered, "limit-frames")):
        ended = service.wait(capture, "done")
        assert ended["code"] == code and ended["stop"] is None, ended
        assert_counts(ended)
        body = service.fetch(capture)
        got = [(f.length, f.data) for f in Pcapng(body).frames]
        assert len(got) == ended["frames"] and len(body) == ended["bytes"], ended
        if capture is frames:
            assert got == sent[:100]
        elif capture is small:
            room, of_next = 20000 - len(body), len(sent[len(got)][1])
            assert got == sent[:len(got)] and 0 <= room < of_next + 5000, (room, of_next)
        else:
            assert len(got) == 7


def test_while_it_runs(lab):
    """Published bytes are whole blocks that never change; ranges and followers go by them; a follower has the file, to its end."""
    service = Service(lab)
    capture = service.create(stop=now(60))
    service.wait_begun(capture)
    followed = {}

    def follow():
        followed["answer"] = service.raw(capture, timeout=60)

    thread = lab.serve(follow)
    so_far = []
    for n in range(4):
        framegen(lab, 1000, pps=10000, kinds="udp4")
        wait_until(lambda: service.show(capture)["frames"] >= 1000 * (n + 1), 10, lambda: f"frames: {service.show(capture)}")
        wait_until(lambda: len(Pcapng(service.fetch(capture, "?follow=false")).frames) == 1000 * (n + 1), 10, "the frames in its data")
        body = service.fetch(capture, "?follow=false")
        so_far.append(body)
        path = lab.folder / f"part{n}.pcapng"
        path.write_bytes(body)
        assert len(run(["tshark", "-r", path, "-T", "fields", "-e", "frame.number"]).stdout.splitlines()) == 1000 * (n + 1)
    assert all(later.startswith(earlier) for earlier, later in zip(so_far, so_far[1:]))
    have = len(so_far[-1])
    part = service.raw(capture, headers={"Range": "bytes=100-299"})
    assert (part.status, part.headers["Content-Range"], part.body) == (206, "bytes 100-299/*", so_far[-1][100:300])
    tag = part.headers["ETag"]
    assert tag and part.headers["Accept-Ranges"] == "bytes"
    assert service.raw(capture, headers={"Range": f"bytes={have + 10_000_000}-"}).status == 416
    part = service.raw(capture, headers={"Range": "bytes=1000-1999", "If-Range": tag})
    assert (part.status, part.body) == (206, so_far[-1][1000:2000])
    whole = service.raw(capture, "?follow=false", headers={"Range": "bytes=1000-1999", "If-Range": '"another"'})
    assert (whole.status, whole.body) == (200, so_far[-1])
    framegen(lab, 500, pps=10000, kinds="udp4")
    wait_until(lambda: service.show(capture)["frames"] >= 4500, 10, "the last frames")
    assert service.ask("POST", f"/v1/captures/{capture['id']}/cancel").status == 200
    ended = service.wait(capture)
    assert (ended["state"], ended["code"]) == ("cancelled", "cancelled"), ended
    thread.join(10)
    body = service.fetch(capture)
    assert not thread.is_alive() and followed["answer"].status == 200 and followed["answer"].body == body
    assert len(Pcapng(body).frames) == 4500 and len(body) == ended["bytes"] and body.startswith(so_far[-1])
    numbers = [number_of(f.data) for f in Pcapng(body).frames]
    assert numbers == list(range(4500))
    end = service.raw(capture, headers={"Range": f"bytes={len(body) - 50}-"})
    assert (end.status, end.headers["Content-Range"], end.body) == (206, f"bytes {len(body) - 50}-{len(body) - 1}/{len(body)}", body[-50:])
    end = service.raw(capture, headers={"Range": "bytes=-20", "If-Range": tag})
    assert (end.status, end.body) == (206, body[-20:])
    out = service.raw(capture, headers={"Range": f"bytes={len(body)}-"})
    assert (out.status, out.headers["Content-Range"]) == (416, f"bytes */{len(body)}")
    head = service.ask("HEAD", f"/v1/captures/{capture['id']}/data")
    assert (head.status, head.headers["Content-Length"], head.body, head.headers["ETag"]) == (200, str(len(body)), b"", tag)
    assert service.file(capture).read_bytes() == body


def test_one_ring(lab):
    """Captures of a port share its ring, and no thread comes with one more."""
    service = Service(lab)
    wait_until(lambda: service.rings() == 0, 5, "no ring without a capture")
    first = service.create(stop=now(60))
    service.wait_begun(first)
    rings, threads = service.rings(), service.threads()
    assert rings == 1
    beside = Tcpdump(lab, lab.tap, "mon0", "beside")
    assert service.rings() == 2, "another's ring is not seen"
    beside.stop()
    more = [service.create(stop=now(60), filter=f"udp port {n}") for n in range(1, 9)]
    for capture in more:
        service.wait_begun(capture)
    assert (service.rings(), service.threads()) == (1, threads)
    for capture in (first, *more):
        assert service.ask("DELETE", f"/v1/captures/{capture['id']}").status == 204
    wait_until(lambda: service.rings() == 0, 10, lambda: f"no ring any more: {service.rings()}")


def test_several_points(make_lab):
    """Three ports in one file: in the order of time, an interface each."""
    lab = make_lab(monitored=3)
    lab.kernel_stamps()
    points = ("mon0", "mon1", "mon2")
    service = Service(lab, ports=points)
    beside = {p: Tcpdump(lab, lab.tap, p, p) for p in points}
    start = time.time_ns() + S // 2
    capture = service.create(points=points, start=text_of(start), stop=text_of(start + S))
    senders = [start_framegen(lab, 3000 + 500 * i, 2000, dev=f"peer{i}") for i in range(3)]
    capture = service.wait(capture, "done")
    for sender in senders:
        assert sender.wait(10) == 0
    file = Pcapng(service.fetch(capture))
    assert sorted(file.names) == list(points) and file.sections == 1
    times = [f.ns for f in file.frames]
    assert times == sorted(times), f"{sum(a > b for a, b in zip(times, times[1:]))} steps back"
    for i, point in enumerate(points):
        beside[point].wait_count(3000 + 500 * i), beside[point].stop()
        wanted = frames_of(beside[point].path, start, start + S)
        assert len(wanted) > 1000
        same([(f.ns, f.length, f.data) for f in file.frames if f.interface == point], wanted, point)
        assert spans(capture, point=point) == [(start, start + S)]
    assert spans(capture, "gaps") == []
    assert_counts(capture)


def test_answers_come_at_once(lab):
    """Nothing waits for a clock: forty requests, each on a connection of its own, by either socket."""
    service = Service(lab)
    began = time.monotonic()
    for n in range(40):
        service.get("/v1/captures", local=n % 2 == 1)
    assert time.monotonic() - began < 4
