# SPDX-License-Identifier: Apache-2.0
"""OpenTap's routes of `farspan serve`, called as OpenTap's module calls them and with what that needs; tcpdump beside it is the judge."""

import csv
import io
import os
import struct
import time

import pytest
from lib.packets import read_pcap
from lib.proc import wait_until
from lib.serve import S, Service
from lib.tools import Tcpdump, start_framegen

COUNTERS = ("time,state,rx_bytes,rx_packets,rx_errors,rx_dropped,rx_overrun,rx_mcast,"
            "tx_bytes,tx_packets,tx_errors,tx_dropped,tx_carrier,tx_collision")
NOT_YET = "data file not found; may not be ready yet."


class Module:
    """The calls of OpenTap's module: it only GETs, pastes values into the address, and looks at no status."""

    def __init__(self, service):
        self.service = service

    def get(self, path, kind):
        got = self.service.ask("GET", path, headers={"Accept": "*/*"})
        assert got.status == 200 and got.headers["Content-Type"] == kind, got
        return got

    def capture(self, kind, start, stop, point="", more=""):
        name = f"{kind}_{point}_{start}_{stop}"
        said = self.get(f"/capture/{kind}?start={start}&stop={stop}&observationPt={point}&id={name}{more}", "application/json").json()
        assert said["status"] == "success", said
        return said

    def refused(self, path):
        said = self.get(path, "application/json").json()
        assert said["status"] == "error", said
        return said["msg"]

    def rows(self, name, drop):
        """The rows of a table, of which the last `drop` are dropped without a look, as numbers where they have to be."""
        got = self.service.ask("GET", f"/retrieve?id={name}")
        if got.headers["Content-Type"] != "text/csv":
            assert got.headers["Content-Type"] == "application/json" and got.json()["msg"] == NOT_YET, got
            return None
        rows = list(csv.reader(io.StringIO(got.body.decode())))
        return [dict(zip(rows[0], row)) for row in rows[1:len(rows) - drop]]

    def wait(self, name, ended=20):
        wait_until(lambda: any(s["inprogress"] == "no" for n, s in self.get("/capture", "application/json").json()["sessions"].items()
                               if n == name), ended, lambda: str(self.get("/capture", "application/json").json()))


def counted(path, since, until):
    """IP packets, and their bytes by their own headers, of a tcpdump's file in [since, until)."""
    packets = octets = 0
    for head, frame in read_pcap(path):
        seconds, part, _, _ = struct.unpack("<IIII", head)
        kind = struct.unpack_from("!H", frame, 12)[0]
        if since * S <= seconds * S + part < until * S and kind in (0x0800, 0x86DD):
            packets += 1
            octets += struct.unpack_from("!H", frame, 16)[0] if kind == 0x0800 else 40 + struct.unpack_from("!H", frame, 18)[0]
    return packets, octets


def timed(path, since, until):
    """Times and frames of a capture file with nanoseconds."""
    found = []
    for head, frame in read_pcap(path):
        seconds, part, _, length = struct.unpack("<IIII", head)
        if since * S <= seconds * S + part < until * S:
            found.append((seconds * S + part, length, frame))
    return found


LASTS = [1, 3, 5, pytest.param(60, marks=pytest.mark.skipif(not os.environ.get("FARSPAN_LONG"), reason="FARSPAN_LONG"))]


@pytest.mark.parametrize("seconds", LASTS)
def test_a_capture_of_flows(lab, seconds):
    lab.kernel_stamps()
    service = Service(lab)
    module, beside = Module(service), Tcpdump(lab, lab.tap, "mon0", "all")
    start = int(time.time()) + 2
    said = module.capture("netflow", start, start + seconds, "mon0")
    assert said["id"] == f"netflow_mon0_{start}_{start + seconds}" and said["duration"] == seconds, said
    assert said["startTime"] == str(start) and said["stopTime"] == str(start + seconds), said
    assert module.rows(said["id"], 3) is None
    sender = start_framegen(lab, 3000 * seconds + 6000, 3000, kinds="udp4,tcp4")
    module.wait(said["id"], seconds + 20)
    assert sender.wait(20) == 0, sender
    beside.wait_count(3000 * seconds + 6000), beside.stop()
    rows = module.rows(said["id"], 3)
    wanted = counted(beside.path, start, start + seconds)
    assert wanted[0] > 1000
    assert (sum(int(r["ipkt"]) for r in rows), sum(int(r["ibyt"]) for r in rows)) == wanted
    assert all(int(r["sp"]) >= 0 and int(r["dp"]) >= 0 for r in rows)


@pytest.mark.parametrize("seconds", [2, *LASTS[3:]])
def test_packets_and_counters(lab, seconds):
    lab.kernel_stamps()
    service = Service(lab)
    module, beside = Module(service), Tcpdump(lab, lab.tap, "mon0", "all")
    start = int(time.time()) + 2
    packets = module.capture("packet", start, start + seconds, "mon0")
    counters = module.capture("ethernet", start, start + seconds, "0", "&period=250")
    sender = start_framegen(lab, 3000 * seconds + 6000, 3000)
    module.wait(packets["id"], seconds + 20)
    module.wait(counters["id"])
    assert sender.wait(20) == 0, sender
    beside.wait_count(3000 * seconds + 6000), beside.stop()
    kept = lab.folder / "retrieved.pcap"
    kept.write_bytes(service.ask("GET", f"/retrieve?id={packets['id']}").body)
    wanted = timed(beside.path, start, start + seconds)
    assert len(wanted) > 1000 and timed(kept, 0, 1 << 32) == wanted
    rows = module.rows(counters["id"], 0)
    assert ",".join(rows[0]) == COUNTERS and len(rows) == 4 * seconds
    assert [int(r["time"]) for r in rows] == [start * 1000 + 250 * k for k in range(4 * seconds)]
    assert int(rows[-1]["rx_packets"]) > int(rows[0]["rx_packets"]) and all(r["state"] == "1" for r in rows)


def test_words_and_refusals(lab):
    service = Service(lab)
    module, now = Module(service), int(time.time())
    can = module.get("/capabilities", "application/json").json()
    assert can["capture_types"] == ["ethernet", "netflow", "packet"] and isinstance(can["retention"], str), can
    assert "mon0" in can["network_observation_pts"] and can["sensor_observation_pts"] == [], can
    changed = module.capture("netflow", now - 100, now + 1, "mon0")
    assert changed["msg"] == "Changed startTime to now because it was in the past." and isinstance(changed["startTime"], int), changed
    assert module.refused(f"/capture/netflow?start={now + 9}&stop={now + 5}&observationPt=mon0") == "Start time is later than stop time."
    assert module.refused(f"/capture/netflow?start={now - 9}&stop={now - 5}&observationPt=mon0") == "Stop time is earlier than current time."
    for wrong in (f"start={now + 2}&stop={now + 4}&observationPt=eht0", "start=1.5&stop=3", f"stop={now + 4}", "start=tomorrow&stop=1e99",
                  f"start={now + 2}&stop={now + 4}&observationPt=mon0&period=0"):
        kind = "ethernet" if "period" in wrong else "netflow"
        assert module.refused(f"/capture/{kind}?{wrong}"), wrong
    assert module.refused(f"/capture/sensor?start={now + 2}&stop={now + 4}")
    assert module.refused("/retrieve?id=../../etc/passwd") == NOT_YET
    again = [module.capture("ethernet", now + 5, now + 6, "mon0") for _ in range(2)]
    assert again[0]["id"] != again[1]["id"] and all(isinstance(a["id"], str) for a in again), again
