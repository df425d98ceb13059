# SPDX-License-Identifier: Apache-2.0
"""`farspan serve` whose processes are killed, under numbered frames, while captures are in each of their states: what was sent is in
the file once or lies in a gap that the capture tells, and what a client was told stays true."""

import http.client
import os
import signal
import struct
import threading
import time

import pytest

from lib.packets import read_pcap
from lib.proc import wait_until
from lib.serve import S, Connection, Pcapng, Service, assert_counts, now, ns_of, number_of, spans, text_of
from lib.tools import Tcpdump, start_framegen

PPS = 5000


def well(service):
    try:
        return service.ask("GET", "/healthz", timeout=5).status == 200
    except (OSError, http.client.HTTPException):
        return False


def kill(service, roles):
    """They are gone, and others in their places."""
    old = {name: service.role(name) for name in roles}
    for pid in old.values():
        os.kill(pid, signal.SIGKILL)
    # the listening socket is the broker's: nobody is refused
    for local in (False, True):
        connection = Connection(service.ns, local, 5)
        connection.connect()
        connection.close()
    wait_until(lambda: all(service.role(name) not in (None, old[name]) for name in roles), 10, lambda: f"new roles: {service.proc}")
    wait_until(lambda: well(service), 10, lambda: f"answers: {service.proc}")


def sent_times(path):
    """The time of each number."""
    found = {}
    for head, frame in read_pcap(path):
        seconds, part = struct.unpack("<II", head[:8])
        found[number_of(frame)] = seconds * S + part
    return found


def judge(service, capture, times, what):
    """written ∪ gaps = sent; nothing twice, nothing foreign."""
    start, stop = ns_of(capture["start"]), ns_of(capture["stop"])
    file = Pcapng(service.fetch(capture))
    numbers = [number_of(f.data) for f in file.frames]
    wrong = [n for f, n in zip(file.frames, numbers) if f.ns != times.get(n)]
    assert not wrong, f"{what}: {len(wrong)} frames with another time: {wrong[:5]}"
    twice = len(numbers) - len(set(numbers))
    assert twice == 0, f"{what}: {twice} frames are there twice"
    wanted = {n for n, ns in times.items() if start <= ns < stop}
    assert len(wanted) > 1000
    foreign = set(numbers) - wanted
    assert not foreign, f"{what}: {len(foreign)} frames from outside of its time"
    missing, gaps = wanted - set(numbers), spans(capture, "gaps")
    untold = [n for n in missing if not any(a <= times[n] < b for a, b in gaps)]
    assert not untold, (f"{what}: {len(untold)} of {len(missing)} missing frames are in no gap: {min(untold)}..{max(untold)} at "
                        f"{[(times[n] - start) / S for n in (min(untold), max(untold))]}; gaps "
                        f"{[((a - start) / S, (b - start) / S) for a, b in gaps]} of {(stop - start) / S} s")
    return numbers, missing, gaps


@pytest.mark.parametrize("roles", [("data",), ("control",), ("data", "control")], ids="+".join)
def test_kill(lab, roles):
    """A scheduled, a running and a finishing capture at the moment of the kill."""
    lab.kernel_stamps()
    service = Service(lab)
    beside = Tcpdump(lab, lab.tap, "mon0", "beside", snaplen=128)
    t = time.time_ns() + 300_000_000  # the kill comes at 1 s
    wishes = {"finishing": (0, 0.99), "running": (0.1, 2.6), "scheduled": (1.6, 2.6), "soon": (1.2, 2.6)}
    captures = {name: service.create(start=text_of(t + int(a * S)), stop=text_of(t + int(b * S))) for name, (a, b) in wishes.items()}
    sender = start_framegen(lab, 17000, PPS, kinds="udp4")
    wait_until(lambda: time.time_ns() >= t + S, 5, "the moment", step=0.001)
    kill(service, roles)
    for name, capture in captures.items():
        assert service.show(capture)["start"] == capture["start"], name
    ended = {name: service.wait(capture) for name, capture in captures.items()}
    assert sender.wait(10) == 0
    beside.wait_count(17000), beside.stop()
    times = sent_times(beside.path)
    assert len(times) == 17000
    told = []
    for name, capture in ended.items():
        assert (capture["state"], capture["code"]) == ("done", "stop-time"), (name, capture)
        numbers, missing, gaps = judge(service, capture, times, f"{name}, {'+'.join(roles)} killed")
        told.append(f"{name}: {len(numbers)} written, {len(missing)} missing, gaps {[round((b - a) / S, 3) for a, b in gaps]}")
        if "data" not in roles or name == "scheduled":
            assert not missing and not gaps, told
        assert sum(b - a for a, b in gaps) < 1.5 * S, told
    print("\n".join(told))
    for name, capture in ended.items():
        assert_counts(capture)
        assert capture["frames"] == len(Pcapng(service.fetch(capture)).frames), (name, capture)


def test_counts_over_a_kill(lab):
    """`frames` are those in the file, also of one whose data role was killed, and no limit is passed by."""
    service = Service(lab)
    wishes = {"free": {}, "limited": {"limit_frames": 5000}, "full": {"limit_frames": 1000}}
    captures = {name: service.create(stop=now(60), **wish) for name, wish in wishes.items()}
    rows = service.create("ethernet", stop=now(60), period=10)
    for capture in (*captures.values(), rows):
        service.wait_begun(capture)
    sender = start_framegen(lab, 12000, PPS, kinds="udp4")
    wait_until(lambda: service.file(captures["free"]).stat().st_size > 1_000_000, 5, "some frames")
    kill(service, ("data",))
    assert sender.wait(10) == 0
    for capture in (captures["free"], rows):
        assert service.ask("POST", f"/v1/captures/{capture['id']}/cancel").status == 200
    for name, capture in captures.items():
        capture = service.wait(capture)
        in_file = len(Pcapng(service.fetch(capture)).frames)
        assert capture["frames"] == in_file, (name, capture)
        assert_counts(capture)
        assert (capture["code"], name == "free" or in_file) == ("cancelled" if name == "free" else "limit-frames", wishes[name].get("limit_frames", True)), (name, capture)
    rows = service.wait(rows)
    assert rows["frames"] == service.fetch(rows).count(b"\n") - 1 > 50


def test_flows_over_a_kill(lab):
    """Flows that had not ended die with the data role: the capture does not claim their time."""
    service = Service(lab)
    capture = service.create("netflow", stop=now(60))
    service.wait_begun(capture)
    began = time.time_ns()
    assert start_framegen(lab, 1000, PPS, kinds="udp4").wait(10) == 0
    wait_until(lambda: service.show(capture)["frames"] == 1000, 10, "all are metered")
    kill(service, ("data",))
    killed = time.time_ns()
    wait_until(lambda: service.show(capture)["state"] == "running", 10, "it goes on")
    assert start_framegen(lab, 1000, PPS, kinds="udp4").wait(10) == 0
    wait_until(lambda: service.show(capture)["frames"] > 1000, 10, "some more")
    assert service.ask("POST", f"/v1/captures/{capture['id']}/cancel").status == 200
    capture = service.wait(capture)
    assert any(a <= began and killed <= b for a, b in spans(capture, "gaps")), capture
    assert spans(capture), capture


@pytest.mark.parametrize("roles", [("control",), ("data", "control")], ids="+".join)
def test_what_was_told(lab, roles):
    """Clients create, cancel and delete while the control role is killed: each answer that they had is true afterwards."""
    service = Service(lab)
    over, made, cancelled, deleted, lost = threading.Event(), {}, set(), set(), []

    def client(n):
        i = 0
        while not over.is_set():
            i += 1
            try:
                got = service.ask("POST", "/v1/captures", {"type": "packet", "points": ["mon0"], "stop": now(300), "snaplen": n * 1000 + i % 900})
                if got.status != 201:
                    lost.append(got.status)
                    continue
                capture = got.json()
                made[capture["id"]] = capture
                if i % 2 and service.ask("POST", f"/v1/captures/{capture['id']}/cancel").status == 200:
                    cancelled.add(capture["id"])
                if i % 2 == 0 and service.ask("DELETE", f"/v1/captures/{capture['id']}").status == 204:
                    deleted.add(capture["id"])
            except (OSError, http.client.HTTPException):
                lost.append(None)

    def keep(n):
        """Some that stay."""
        while not over.is_set() and len([c for c in made.values() if c.get("kept")]) < 10:
            try:
                got = service.ask("POST", "/v1/captures", {"type": "packet", "points": ["mon0"], "stop": now(300), "filter": f"udp port {n}"})
                if got.status == 201:
                    made[got.json()["id"]] = {**got.json(), "kept": True}
            except (OSError, http.client.HTTPException):
                lost.append(None)
            over.wait(0.05)

    threads = [lab.serve(client, n) for n in range(2)] + [lab.serve(keep, 9)]
    for _ in range(3):
        have = len(made)
        wait_until(lambda: len(made) >= have + 20, 10, lambda: f"20 more captures: {len(made)} {lost[-5:]}")
        kill(service, roles)
    over.set()
    for thread in threads:
        thread.join(10)
    assert len(cancelled) > 10 and len(deleted) > 10
    unsure = set(made) - cancelled - deleted
    for which in made:
        if which in deleted:
            assert service.ask("GET", f"/v1/captures/{which}").status == 404, f"{which} was deleted, and is there"
        elif which in cancelled or made[which].get("kept"):  # of others the last answer was not heard
            got = service.ask("GET", f"/v1/captures/{which}")
            assert got.status == 200, f"{which} of {len(made)} is forgotten"
            said, c = got.json(), made[which]
            assert [said[k] for k in ("start", "stop", "snaplen", "filter")] == [c[k] for k in ("start", "stop", "snaplen", "filter")]
            if which in cancelled:
                ended = service.wait(c)
                assert ended["state"] == "cancelled", ended
            else:
                assert said["state"] in ("scheduled", "running"), said
    print(f"{len(made)} made, {len(cancelled)} cancelled, {len(deleted)} deleted, {len(unsure)} kept or unsure, {len(lost)} requests without an answer")
