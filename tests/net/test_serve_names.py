# SPDX-License-Identifier: Apache-2.0
"""`farspan serve` and names that are bytes: a name of an interface is any bytes but / and : and spaces, and the API has it escaped."""

import json
import os

import pytest

from lib.farspan import farspan
from lib.proc import run, wait_until
from lib.serve import LOCAL, Pcapng, Service, assert_counts, now, number_of
from lib.tools import framegen

# what ip(8) is given, and what the API has
NAMES = {
    "backslash": (b"a\\b", r"a\x5cb"),
    "looks escaped": (b"\\xff", r"\x5cxff"),
    "not UTF-8": (b"up\xff\xfe", r"up\xff\xfe"),
    "UTF-8": ("überall".encode(), r"\xc3\xbcberall"),
    "controls": (b"a\x01\x1b[2Jb", r"a\x01\x1b[2Jb"),
    "the longest": (b"\xff" * 15, r"\xff" * 15),
    "marks": (b"q'\"{}$*", "q'\"{}$*"),
}


@pytest.mark.parametrize("what", list(NAMES))
def test_a_name_of_any_bytes(lab, what):
    """Listed, captured with other ports and alone, counted, and shown: by the escaped name, which is another for each name."""
    name, escaped = NAMES[what]
    for words in (["mon0", "down"], ["mon0", "name", os.fsdecode(name)], ["dev", os.fsdecode(name), "up"]):
        run(["ip", "-n", lab.tap, "link", "set", *words])
    service = Service(lab, interfaces=(), ports=())
    wait_until(lambda: escaped in {p["name"] for p in service.get("/v1/ports?there=true&limit=1000")["ports"]}, 10,
               lambda: service.get("/v1/ports")["ports"])
    both = service.create(points=[escaped, "lo"], stop=now(30))
    alone = service.create(points=[escaped], limit_frames=500)
    flows = service.create("netflow", points=[escaped], stop=now(30))
    rows = service.create("ethernet", points=[escaped], period=100, stop=now(1))
    for capture in (both, alone, flows):
        assert capture["points"][0] == escaped, capture
        service.wait_begun(capture)
    framegen(lab, 500, kinds="udp4")
    alone = service.wait(alone, "done")
    assert_counts(alone)
    file = Pcapng(service.fetch(alone))
    assert [number_of(f.data) for f in file.frames] == list(range(500)) and file.names == [escaped], file.names
    wait_until(lambda: service.show(both)["frames"] >= 500 and service.show(flows)["frames"] >= 500, 10, lambda: service.show(both))
    rows = service.wait(rows, "done")
    assert any(line.split(",")[1] == "1" for line in service.fetch(rows).decode().splitlines()[1:]), service.fetch(rows)
    for capture in (both, flows):
        assert service.ask("POST", f"/v1/captures/{capture['id']}/cancel").status in (200, 202)
        ended = service.wait(capture)
        assert {s["point"] for s in ended["covered"]} <= {escaped, "lo"} and escaped in {s["point"] for s in ended["covered"]}, ended
    # by the client, too
    shown = run(["ip", "netns", "exec", lab.tap, farspan(), "port", "--server", f"unix:{LOCAL}", "--json"], check=False)
    assert shown.returncode == 0 and escaped in {p["name"] for p in json.loads(shown.stdout)}, shown
    out = lab.folder / "client.pcapng"
    client = lab.start([farspan(), "capture", escaped, "--server", f"unix:{LOCAL}", "--for", "1s", "-w", out], "capture", lab.tap)
    assert client.wait(20) == 0, client
    assert Pcapng(out.read_bytes()).names == [escaped]
    if what != "marks":  # else there is nothing to be escaped
        got = service.ask("POST", "/v1/captures", {"type": "packet", "points": [escaped.replace(r"\x", r"\X")], "limit_frames": 1})
        assert got.status == 422, got
