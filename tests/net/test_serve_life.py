# SPDX-License-Identifier: Apache-2.0
"""The life of a capture of `farspan serve`: many at once, interfaces that go, wishes that are taken back, a service that is restarted,
a disk that is full, and the other kinds of data."""

import csv
import hashlib
import io
import os
import random
import time
from pathlib import Path

import pytest

from lib.ipfix import Reader
from lib.proc import run, wait_until
from lib.serve import S, Connection, Pcapng, Service, assert_counts, now, ns_of, number_of, spans, text_of
from lib.tools import Tcpdump, framegen, start_framegen
from test_serve import frames_of, same
from test_serve_crash import judge, sent_times

LONG = bool(os.environ.get("FARSPAN_LONG"))


def token(service, name, **wish):
    got = service.ask("POST", "/v1/tokens", {"name": name, **wish}, local=True)
    assert got.status == 201, got
    return got.json()["token"]


@pytest.mark.parametrize("many", [50, pytest.param(200, marks=pytest.mark.skipif(not LONG, reason="FARSPAN_LONG"))])
def test_many_at_once(lab, many):
    """Captures with a filter each at the same time: each has what the same filter finds in a tcpdump's file of everything."""
    lab.kernel_stamps()
    service = Service(lab)
    beside = Tcpdump(lab, lab.tap, "mon0", "beside")
    tokens = [token(service, f"user{n}", role="capture") for n in range((many + 31) // 32)]  # an owner may have 32
    start = time.time_ns() + 2 * S
    chosen, captures = random.Random(many), []
    for n in range(many):
        words = (f"udp dst port {chosen.choice((53, 80, 443, 5000, 123, 3389, 22, 8080))} and greater {chosen.randrange(60, 600)}" if n % 2
                 else f"ip and ether[{chosen.randrange(3, 6)}] < {chosen.randrange(10, 250)} and less {chosen.randrange(200, 9000)}")
        captures.append(service.create(start=text_of(start), stop=text_of(start + S), filter=words, token=tokens[n // 32]))
    assert time.time_ns() < start, "the test itself is too slow"
    wait_until(lambda: time.time_ns() > start - S // 4, 10, "the start")
    sender = start_framegen(lab, 8000, 5000, kinds="udp4,tcp4,icmp4")
    ended = [service.wait(c, "done") for c in captures]
    assert sender.wait(10) == 0
    beside.wait_count(8000), beside.stop()
    chosen_frames = lab.folder / "time.pcap"
    some = 0
    for capture in ended:
        run(["tcpdump", "-r", beside.path, "--time-stamp-precision=nano", "-w", chosen_frames, capture["filter"]])
        wanted = frames_of(chosen_frames, start, start + S)
        same([(f.ns, f.length, f.data) for f in Pcapng(service.fetch(capture)).frames], wanted, capture["filter"])
        assert_counts(capture)
        assert capture["frames"] == len(wanted) and capture["dropped"] == 0
        some += len(wanted) > 0
    assert some > many * 3 / 4
    assert len({c["offered"] for c in ended}) == 1


def test_interface_that_comes_back(lab):
    """It goes and comes back while it is captured: both parts are in the file, and between them is a gap."""
    lab.kernel_stamps()
    service = Service(lab, interfaces=("mon*", "come*"))

    def make():
        lab.ip(lab.tap, "link", "add", "come0", "type", "veth", "peer", "name", "other0", "netns", lab.peer)
        lab.ip(lab.tap, "link", "set", "come0", "arp", "off", "up")
        lab.ip(lab.peer, "link", "set", "other0", "arp", "off", "up")

    make()
    service.wait_port("come0")
    port = service.get("/v1/ports?name=come0")["ports"][0]
    capture = service.create(points=["come0"], stop=now(60))
    service.wait_begun(capture)
    framegen(lab, 500, dev="other0", kinds="udp4", max_len=1400)
    wait_until(lambda: service.show(capture)["frames"] == 500, 10, lambda: f"500: {service.show(capture)}")
    gone = time.time_ns()
    lab.ip(lab.tap, "link", "del", "come0")
    service.wait_port("come0", there=False)
    assert service.show(capture)["state"] == "running"
    back = time.time_ns()
    make()
    service.wait_port("come0")
    assert service.get("/v1/ports?name=come0")["ports"][0]["id"] == port["id"]
    wait_until(lambda: len(spans(service.show(capture))) == 2, 10, lambda: f"a second span: {service.show(capture)}")
    framegen(lab, 300, dev="other0", kinds="udp4", max_len=1400)
    wait_until(lambda: service.show(capture)["frames"] == 800, 10, lambda: f"800: {service.show(capture)}")
    service.ask("POST", f"/v1/captures/{capture['id']}/cancel")
    capture = service.wait(capture, "cancelled")
    assert [number_of(f.data) for f in Pcapng(service.fetch(capture)).frames] == list(range(800))
    gaps = [g for g in spans(capture, "gaps") if g[0] > ns_of(capture["began"])]
    (since, until), = gaps
    assert since <= gone + S // 10 and until >= back, (gaps, gone, back)
    assert_counts(capture)


def test_point_that_never_is_there(lab):
    service = Service(lab, interfaces=("mon*", "never*"))
    refused = service.ask("POST", "/v1/captures", {"type": "packet", "points": ["never0"], "stop": now(1)})
    assert refused.status == 422 and "never0" in refused.json()["errors"][0]["detail"], refused
    lab.ip(lab.tap, "link", "add", "never0", "type", "veth", "peer", "name", "never1", "netns", lab.peer)
    service.wait_port("never0")
    capture = service.create(points=["never0"], start=now(1.2), stop=now(1.7))
    lab.ip(lab.tap, "link", "del", "never0")
    ended = service.wait(capture)
    assert (ended["state"], ended["code"]) == ("failed", "point-gone") and "never0" in ended["reason"], ended


def test_cancel_and_delete(lab):
    service = Service(lab)
    later, running = service.create(start=now(30), stop=now(31)), service.create(stop=now(60))
    service.wait_begun(running)
    got = service.ask("POST", f"/v1/captures/{later['id']}/cancel")
    assert got.status == 200 and got.json()["state"] == "cancelled", got
    assert service.ask("POST", f"/v1/captures/{later['id']}/cancel").status == 409
    framegen(lab, 200, kinds="udp4")
    wait_until(lambda: service.show(running)["frames"] == 200, 10, "200 frames")
    # one that is followed while it is deleted: its answer ends, and the file goes
    answers = []

    def follow():
        try:
            answers.append(len(service.raw(running).body))
        except Exception as error:
            answers.append(error)

    thread = lab.serve(follow)
    wait_until(lambda: service.rings() == 1, 5, "its ring")
    assert service.ask("DELETE", f"/v1/captures/{running['id']}").status == 204
    assert service.ask("GET", f"/v1/captures/{running['id']}").status == 404
    assert service.raw(running).status == 404
    thread.join(10)
    assert answers, "a follower of what was deleted goes on"
    wait_until(lambda: service.file(running) is None, 10, lambda: f"no file: {service.file(running)}")
    wait_until(lambda: service.rings() == 0, 10, "no ring")
    assert service.ask("DELETE", f"/v1/captures/{running['id']}").status == 404


def test_restart(lab):
    """The service ends and starts again: what ran goes on with a gap, what was scheduled begins, what passed meanwhile is missed."""
    lab.kernel_stamps()
    service = Service(lab)
    beside = Tcpdump(lab, lab.tap, "mon0", "beside", snaplen=128)
    t = time.time_ns()
    running = service.create(stop=text_of(t + 4 * S))
    scheduled = service.create(start=text_of(t + 3 * S), stop=text_of(t + 4 * S))
    missed = service.create(start=text_of(t + 3 * S // 2), stop=text_of(t + 8 * S // 5))
    service.wait_begun(running)
    sender = start_framegen(lab, 20000, 5000, kinds="udp4")
    wait_until(lambda: time.time_ns() > t + S, 5, "a second")
    service.stop()
    wait_until(lambda: time.time_ns() > t + 2 * S, 5, "a second more")
    service.start()
    running, scheduled, missed = service.wait(running), service.wait(scheduled), service.wait(missed)
    assert sender.wait(10) == 0
    beside.wait_count(20000), beside.stop()
    assert (missed["state"], missed["code"]) == ("failed", "missed") and missed["reason"], missed
    times = sent_times(beside.path)
    assert running["state"] == scheduled["state"] == "done"
    _, lost, gaps = judge(service, running, times, "running")
    inside = [g for g in gaps if g[0] > ns_of(running["began"])]
    assert len(lost) > 4000 and len(inside) == 1 and inside[0][0] <= t + 3 * S // 2 and t + 2 * S <= inside[0][1] < t + 3 * S, gaps
    _, lost, gaps = judge(service, scheduled, times, "scheduled")
    assert not lost and not gaps, (lost, gaps)
    assert_counts(running), assert_counts(scheduled)


def test_damaged_store(lab):
    """It is set aside, and captures are there again as far as their files tell; what was said about them is not."""
    service = Service(lab)
    made = {kind: service.create(kind, stop=now(1.5), **({"period": 100} if kind == "ethernet" else {})) for kind in ("packet", "netflow", "ethernet")}
    service.wait_begun(made["packet"])
    framegen(lab, 500, kinds="udp4", pps=5000)
    ended = {kind: service.wait(c, "done") for kind, c in made.items()}
    before = {kind: service.raw(c).body for kind, c in ended.items()}
    service.stop()
    store = service.data / "store/farspan.db"
    store.write_bytes(b"no database" * 1000)
    service.start()
    assert (said := str(service.proc)).count("3 files of no capture are captures of the project \"recovered\" now") == 1 and "damaged" in said, said
    assert service.get("/v1/captures")["captures"] == []  # of others' projects nobody without a token sees any
    for kind, was in ended.items():
        found = service.show(was, local=True)
        assert (found["type"], found["state"], found["bytes"], found["project"]) == (kind, "done", was["bytes"], "recovered") and found["reason"], found
        assert service.raw(was, local=True).body == before[kind]
    assert service.show(made["packet"], local=True)["points"] == ["mon0"]
    service.stop()
    service.start()
    assert len(service.get("/v1/captures", local=True)["captures"]) == 3
    assert service.ask("DELETE", f"/v1/captures/{made['packet']['id']}", local=True).status == 204
    wait_until(lambda: service.file(made["packet"]) is None, 5, "its file to go")


def test_disk_full(lab):
    """Captures on a full disk end so, whole to the last block; the store goes on, and there is room again when something goes."""
    data = lab.tmpfs("16m")
    service = Service(lab, data=data)
    captures = [service.create(stop=now(60)) for _ in range(2)]
    for capture in captures:
        service.wait_begun(capture)
    for _ in range(4):
        framegen(lab, 6000, pps=8000, kinds="udp4,tcp4")
    ended = [service.wait(c, seconds=10) for c in captures]
    for capture in ended:
        assert (capture["state"], capture["code"]) == ("failed", "disk-full") and capture["reason"], capture
        body = service.fetch(capture)
        file = Pcapng(body)
        assert capture["bytes"] == len(body) and capture["frames"] == len(file.frames) > 100, (capture, len(file.frames))
        numbers = [number_of(f.data) for f in file.frames if f.data[23] == 17]
        assert numbers == sorted(set(numbers))
        assert_counts(capture)
    # the store answers, and says that there is no room
    for n in range(20):
        service.get("/v1/captures")
    full = service.ask("POST", "/v1/captures", {"type": "packet", "points": ["mon0"], "stop": now(1)})
    assert full.status in (201, 507), full
    assert service.ask("DELETE", f"/v1/captures/{captures[0]['id']}").status == 204
    wait_until(lambda: service.file(captures[0]) is None, 10, "its file is gone")
    again = service.create(limit_frames=100)
    service.wait_begun(again)
    framegen(lab, 200, kinds="udp4", max_len=200)
    assert service.wait(again)["code"] == "limit-frames"


class Download:
    """An answer that is read in pieces, of which it keeps a hash alone."""

    def __init__(self, service, capture, first=0, etag=None):
        self.connection, self.n, self.hash = Connection(service.ns, timeout=60), 0, hashlib.sha256()
        given = {"Range": f"bytes={first}-", **({"If-Range": etag} if etag else {})} if first else {}
        self.connection.request("GET", f"/v1/captures/{capture['id']}/data", headers=given)
        self.answer = self.connection.getresponse()
        assert self.answer.status == (206 if first else 200), self.answer.status

    def read(self, most=1 << 62):
        """So many bytes more, or all that come; True: there are no more."""
        while most > 0:
            part = self.answer.read(min(1 << 20, most))
            if not part:
                return True
            self.hash.update(part)
            self.n += len(part)
            most -= len(part)
        return False


@pytest.mark.skipif(not LONG, reason="FARSPAN_LONG")
def test_a_gigabyte(lab):
    """A follower has all of it at its end; so has a download that is broken off and resumed; and one whose file is deleted meanwhile."""
    service, size = Service(lab), 1_000_000_000
    capture = service.create(stop=now(300), limit_bytes=size)
    service.wait_begun(capture)
    follower, ended = Download(service, capture), []
    thread = lab.serve(lambda: ended.append(follower.read()))
    begin = time.monotonic()
    start_framegen(lab, 2_000_000, 60000, kinds="udp4")
    capture = service.wait(capture, "done", 120)
    assert capture["code"] == "limit-bytes" and size - 20000 < capture["bytes"] <= size, capture
    thread.join(60)
    print(f"1 GB in {time.monotonic() - begin:.1f} s, of which {capture['dropped']} frames were dropped")
    file = hashlib.sha256(service.file(capture).read_bytes()).digest()
    assert ended and follower.n == capture["bytes"] and follower.hash.digest() == file, (ended, follower.n)
    first = Download(service, capture)
    assert not first.read(300_000_001)
    etag, begin = first.answer.headers["ETag"], time.monotonic()
    first.connection.close()
    while first.n < capture["bytes"]:
        rest = Download(service, capture, first.n, etag)
        rest.hash = first.hash
        rest.read(300_000_001)
        first.n += rest.n
        rest.connection.close()
    assert first.n == capture["bytes"] and first.hash.digest() == file
    print(f"700 MB downloaded in {time.monotonic() - begin:.1f} s")
    late = Download(service, capture)
    assert not late.read(1_000_000)
    assert service.ask("DELETE", f"/v1/captures/{capture['id']}").status == 204
    assert late.read() and late.n == capture["bytes"] and late.hash.digest() == file
    assert service.raw(capture).status == 404 and service.file(capture) is None
    status = dict(line.split(":", 1) for line in Path(f"/proc/{service.role('control')}/status").read_text().splitlines())
    assert int(status["VmHWM"].split()[0]) < 100_000, status["VmHWM"]


def test_rows_of_counters(lab):
    """One for each period, and the counts are those of what was sent."""
    service = Service(lab)
    start = time.time_ns() + S // 2
    capture = service.create("ethernet", period=50, start=text_of(start), stop=text_of(start + 2 * S))
    wait_until(lambda: time.time_ns() > start + S // 5, 5, "its beginning")
    framegen(lab, 1000, kinds="udp4", pps=10000, max_len=1000)
    capture = service.wait(capture, "done")
    rows = list(csv.reader(io.StringIO(service.fetch(capture).decode())))
    head, rows = (rows[0], rows[1:]) if not rows[0][0][0].isdigit() else (None, rows)
    assert len(rows) == 40 == capture["frames"], (len(rows), head, rows[:2], capture)
    assert spans(capture) == [(start, start + 2 * S)] and not spans(capture, "gaps"), capture
    print(head, rows[0], rows[-1])
    names = [h.lower() for h in head]
    column = next(i for i, h in enumerate(names) if "rx" in h and "packet" in h)
    assert sum(int(r[column]) for r in rows) == 1000 or int(rows[-1][column]) - int(rows[0][column]) == 1000, (head, rows[0], rows[-1])


def test_flows(lab):
    """Packets and bytes over all records are what was sent; while it runs, the flows of the moment."""
    service = Service(lab)
    beside = Tcpdump(lab, lab.tap, "mon0", "beside")
    capture = service.create("netflow", stop=now(4))
    service.wait_begun(capture)
    framegen(lab, 3000, kinds="udp4,tcp4", pps=6000, max_len=1400)
    beside.wait_count(3000), beside.stop()
    wait_until(lambda: service.show(capture)["offered"] >= 3000, 5, lambda: f"{service.show(capture)}")
    live = service.fetch(capture)
    assert service.show(capture)["state"] == "running", "it ended before the flows of the moment were had"
    capture = service.wait(capture, "done", 20)
    sizes = [int.from_bytes(f[16:18], "big") for _, _, f in frames_of(beside.path)]
    for what, text in (("while it runs", live), ("at the end", service.fetch(capture))):
        rows = [r for r in csv.DictReader(io.StringIO(text.decode())) if (r["ipkt"] or "").isdigit()]
        found = [sum(int(r[i]) + int(r[o]) for r in rows) for i, o in (("ipkt", "opkt"), ("ibyt", "obyt"))]
        assert found == [3000, sum(sizes)], (what, found, len(rows))
    where = lab.folder / "flows.ipfix"
    where.write_bytes(service.fetch(capture, "?format=ipfix"))
    records = Reader(where).records  # 2: packets, 1: bytes; with a minus: of the other direction
    for element, total in ((2, 3000), (1, sum(sizes))):
        assert sum(int.from_bytes(r.get(e, b""), "big") for r in records for e in (element, -element)) == total
    assert_counts(capture)


def test_speed_of_a_port(lab):
    """As ethtool has it, and another one when the link has come back with another."""
    service = Service(lab, interfaces=(), ports=("mon0", "lo"))

    def speed(name):
        return service.get(f"/v1/ports?name={name}")["ports"][0]["speed"]

    assert speed("mon0") == 10_000_000_000 and speed("lo") is None
    lab.ip(lab.tap, "tuntap", "add", "dev", "tap9", "mode", "tap")
    for mbit in (1000, 2500):
        lab.ip(lab.tap, "link", "set", "tap9", "down")
        run(["ip", "netns", "exec", lab.tap, "ethtool", "-s", "tap9", "speed", str(mbit)])
        lab.ip(lab.tap, "link", "set", "tap9", "up")
        service.wait_port("tap9")
        wait_until(lambda: speed("tap9") == mbit * 1_000_000, 10, lambda: f"{mbit} Mbit/s: {speed('tap9')}")
