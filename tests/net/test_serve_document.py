# SPDX-License-Identifier: Apache-2.0
"""Each operation of api/openapi.yaml, with each answer that the document has of it: requests and answers are held against its schemas.
(All other tests of the service hold theirs against it, too: lib/openapi.py.)"""

from lib.openapi import DOCUMENT, Document
from lib.proc import wait_until
from lib.serve import Service, now
from lib.tools import framegen
from test_serve_rights import token

NOBODY = "00000000-0000-7000-8000-000000000000"
# answers for which something has to break: test_serve_rights, test_serve_life and the unit tests of control/ have them
BROKEN = {("GET", "/healthz", 503), ("GET", "/v1/captures/{id}/data", 503), ("POST", "/v1/captures", 409), ("POST", "/v1/captures", 503), ("POST", "/v1/captures", 507),
          ("POST", "/v1/tap_flows", 503)}


def wanted():
    return {(method.upper(), path, int(status)) for path, item in DOCUMENT.document["paths"].items() for method, operation in item.items()
            if method != "parameters" for status in operation["responses"]} - BROKEN


class User:
    """Requests with one token."""

    def __init__(self, service, role):
        self.service, self.secret = service, role and token(service, role, role=role)["token"]

    def __call__(self, method, path, status, body=None, **headers):
        got = self.service.ask(method, path, body, token=self.secret, headers={k.replace("_", "-"): v for k, v in headers.items()})
        assert got.status in (status if isinstance(status, tuple) else (status,)), (method, path, body, got)
        return got


def captures(anyone, read, capture):
    wish = {"type": "packet", "points": ["mon0"], "stop": now(60)}
    made = capture("POST", "/v1/captures", 201, wish).json()
    own = f"/v1/captures/{made['id']}"
    later = capture("POST", "/v1/captures", 201, {**wish, "start": now(40), "filter": "udp", "vlans": "5", "snaplen": 96, "limit_frames": 7}).json()
    for bad in ({}, {**wish, "type": "sensor"}, {**wish, "stop": "tomorrow"}, {**wish, "snaplen": 262145}, {**wish, "points": ["mon0"] * 17}, {**wish, "more": 1},
                {**wish, "points": []}, {**wish, "vlans": ""}, {**wish, "limit_bytes": 0}, {**wish, "period": 9, "type": "ethernet"}, {**wish, "filter": "tcp prot 80"}):
        capture("POST", "/v1/captures", 422, bad)
    capture("POST", "/v1/captures", 400, b"{", Content_Type="application/json")
    capture("POST", "/v1/captures", 415, b"type=packet", Content_Type="application/x-www-form-urlencoded")
    for query in ("more=1", "limit=0", "limit=1001", "limit=many", "sort=colour", "fields=colour", "marker=x", "limit=1&limit=2"):
        read("GET", f"/v1/captures?{query}", 400)
    for query in ("?limit=1&sort=-created&fields=id,state", "?state=running&type=packet", "?owner=capture", ""):
        read("GET", f"/v1/captures{query}", 200)
    shown = read("GET", own, 200)
    read("GET", own, 304, If_None_Match=shown.headers["ETag"])
    capture("PATCH", own, 200, {"stop": now(90)})
    capture("PATCH", own, 400, b"[", Content_Type="application/json")
    capture("PATCH", own, 422, {"stop": "1e99"})
    capture("PATCH", own, 422, {"frames": 5})
    read("GET", f"/v1/captures/{later['id']}/data", 409)
    return own, f"/v1/captures/{later['id']}", wish


def data(lab, read, capture, own, later):
    wait_until(lambda: read("GET", own, 200).json()["began"], 10, "its beginning")
    framegen(lab, 100)
    wait_until(lambda: read("GET", own, 200).json()["frames"] == 100, 10, "its frames")
    read("GET", f"{own}/data?follow=false", 200)
    capture("POST", f"{own}/cancel", 200)
    wait_until(lambda: read("GET", own, 200).json()["state"] == "cancelled", 10, "its end")
    capture("POST", f"{own}/cancel", 409)
    capture("PATCH", own, 409, {"stop": now(90)})
    for form in ("pcapng", "pcap"):
        read("GET", f"{own}/data?format={form}", 200)
        read("HEAD", f"{own}/data?format={form}", 200)
    read("GET", f"{own}/data", 206, Range="bytes=10-99")
    read("GET", f"{own}/data", 416, Range="bytes=10000000-")
    for wrong in ("csv", "jsonl"):
        read("GET", f"{own}/data?format={wrong}", 406)
    for wrong in ("follow=maybe", "format=", "format=pcapng&format=pcap"):
        assert read.service.ask("GET", f"{own}/data?{wrong}", token=read.secret).status in (400, 406), wrong
    flows = capture("POST", "/v1/captures", 201, {"type": "netflow", "points": ["mon0"], "stop": now(60)}).json()
    wait_until(lambda: read("GET", f"/v1/captures/{flows['id']}", 200).json()["began"], 10, "its beginning")
    rows = capture("POST", "/v1/captures", 201, {"type": "ethernet", "points": ["mon0"], "stop": now(0.5), "period": 100}).json()
    for form in ("csv", "csv-long", "jsonl", "ipfix"):
        read("GET", f"/v1/captures/{flows['id']}/data?format={form}&follow=false", 200)
    wait_until(lambda: read("GET", f"/v1/captures/{rows['id']}", 200).json()["state"] == "done", 10, "its end")
    read("GET", f"/v1/captures/{rows['id']}/data", 200)
    file = read.service.file({"id": own.rpartition("/")[2]})
    with open(file, "r+b") as f:
        f.write(bytes(200))  # a damaged file: its conversions are refused
    read("GET", f"{own}/data?format=pcap", 500)
    capture("DELETE", later, 204)
    capture("DELETE", own, 204)


def taps(lab, read, capture):
    """Tap services and flows, of which each answer is met."""
    made = capture("POST", "/v1/tap_services", 201, {"name": "ids", "port": "mon9"}).json()
    flow = capture("POST", "/v1/tap_flows", 201, {"name": "web", "source": "mon0", "service": "ids", "direction": "in", "vlans": "0,5-7", "filter": "udp"}).json()
    for kind, thing in (("tap_services", made), ("tap_flows", flow)):
        own = f"/v1/{kind}/{thing['id']}"
        capture("POST", f"/v1/{kind}", 400, b"{", Content_Type="application/json")
        capture("POST", f"/v1/{kind}", 422, {"name": "x"})
        capture("POST", f"/v1/{kind}?project=other", 403, {"name": "x", "port": "mon9"} if kind == "tap_services" else
                {"name": "x", "source": "mon0", "service": "ids"})
        read("GET", f"/v1/{kind}?status=ACTIVE&sort=name&fields=id,status", 200), read("GET", f"/v1/{kind}?colour=red", 400)
        wait_until(lambda at=own: read("GET", at, 200).json()["status"] == "ACTIVE", 10, "its status")
        wait_until(lambda at=own: read("GET", at, (200, 304), If_None_Match=read("GET", at, 200).headers["ETag"]).status == 304, 5, "no change")
        capture("PATCH", own, 200, {"description": "for people"})
        capture("PATCH", own, 400, b"[", Content_Type="application/json")
        capture("PATCH", own, 422, {"status": "DOWN"})
    for bad in ({"source": "mon0", "service": "none"}, {"source": "none", "service": "ids"}, {"source": "mon0", "service": "ids", "vlans": "7-5"},
                {"source": "mon0", "service": "ids", "filter": "tcp prot 80"}, {"source": "mon0", "service": "ids", "direction": "IN"}):
        capture("POST", "/v1/tap_flows", 422, bad)
    capture("POST", "/v1/tap_flows", 409, {"source": "mon9", "service": "ids"})  # a circle
    for n in range(99):
        capture("POST", "/v1/tap_services", 201, {"name": f"s{n}", "port": "mon9"})
    capture("POST", "/v1/tap_services", 409, {"name": "one too many", "port": "mon9"})
    capture("DELETE", f"/v1/tap_flows/{flow['id']}", 204), capture("DELETE", f"/v1/tap_services/{made['id']}", 204)


def refusals(service, anyone, read, capture, admin):
    """Of those that are not there, and of those without the right."""
    paths = {"/v1/captures/{id}": ("captures", {"stop": now(9)}), "/v1/ports/{id}": ("ports", {"alias": "x"}), "/v1/tokens/{id}": ("tokens", {"revoked": True}),
             "/v1/tap_services/{id}": ("tap_services", {"name": "x"}), "/v1/tap_flows/{id}": ("tap_flows", {"name": "x"})}
    for path, item in DOCUMENT.document["paths"].items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            target = path.replace("{id}", NOBODY).replace("{name}", "nothing")
            given = {"body": paths.get(path, ("", {}))[1], "Content_Type": "application/json"} if "requestBody" in operation else {}
            if "401" in operation["responses"]:
                anyone(method.upper(), target, 401, **given)
            if "403" in operation["responses"]:
                read(method.upper(), target, 403, **given)
            if "404" in operation["responses"]:
                admin(method.upper(), target, 404, **given)
    for method in ("PUT", "DELETE", "OPTIONS"):
        assert service.ask(method, "/v1/capabilities", token=admin.secret).status in (400, 405)
    admin("GET", "/v1/nothing", 404)


def test_each_operation_and_answer(lab):
    lab.ip(lab.tap, "link", "add", "mon9", "type", "veth", "peer", "name", "other9")
    lab.ip(lab.tap, "link", "set", "mon9", "arp", "off", "up"), lab.ip(lab.tap, "link", "set", "other9", "arp", "off", "up")
    service = Service(lab, anonymous="none", ports=())
    for name in ("mon0", "mon9"):
        wait_until(lambda at=name: service.get(f"/v1/ports?name={at}", local=True)["ports"], 10, name)
    anyone, read, capture, admin = (User(service, role) for role in (None, "read", "capture", "admin"))
    DOCUMENT.met.clear()
    anyone("GET", "/v1", 200), anyone("GET", "/healthz", 200), anyone("GET", "/v1/openapi.yaml", 200), anyone("GET", "/v1/problems/not-found", 200)
    read("GET", "/v1/capabilities", 200)
    own, later, wish = captures(anyone, read, capture)
    data(lab, read, capture, own, later)
    # ports
    port = read("GET", "/v1/ports?name=mon0&there=true", 200).json()["ports"][0]
    tag = read("GET", f"/v1/ports/{port['id']}", 200).headers["ETag"]
    read("GET", f"/v1/ports/{port['id']}", 304, If_None_Match=tag)
    read("GET", "/v1/ports?colour=red", 400)
    admin("PATCH", f"/v1/ports/{port['id']}", 200, {"alias": "web"})
    admin("PATCH", f"/v1/ports/{port['id']}", 200, {"alias": None})
    admin("PATCH", f"/v1/ports/{port['id']}", 422, {"alias": "x" * 65})
    admin("PATCH", f"/v1/ports/{port['id']}", 400, b"", Content_Type="application/json")
    taps(lab, read, capture)
    # tokens
    bob = admin("POST", "/v1/tokens", 201, {"name": "bob", "expires": "2099-01-01T00:00:00Z"}).json()
    for bad in ({}, {"name": ""}, {"name": "b" * 65}, {"name": "b", "role": "boss"}, {"name": "a b"}, {"name": "b", "expires": "2001-01-01T00:00:00Z"}):
        admin("POST", "/v1/tokens", 422, bad)
    admin("POST", "/v1/tokens", 400, b"nothing", Content_Type="application/json")
    admin("GET", "/v1/tokens?sort=name&role=read", 200), admin("GET", "/v1/tokens?hash=x", 400)
    tag = admin("GET", f"/v1/tokens/{bob['id']}", 200).headers["ETag"]
    admin("GET", f"/v1/tokens/{bob['id']}", 304, If_None_Match=tag)
    admin("PATCH", f"/v1/tokens/{bob['id']}", 200, {"expires": None, "revoked": True})
    admin("PATCH", f"/v1/tokens/{bob['id']}", 422, {"revoked": "maybe"})
    admin("PATCH", f"/v1/tokens/{bob['id']}", 400, b"{]", Content_Type="application/json")
    admin("DELETE", f"/v1/tokens/{bob['id']}", 204)
    # history
    read("GET", "/v1/events?after=0&limit=5", 200), read("GET", "/v1/events?after=x", 400)
    admin("GET", "/v1/audit?limit=1000", 200), admin("GET", "/v1/audit?limit=0", 400)
    refusals(service, anyone, read, capture, admin)
    for _ in range(33):  # as many as an owner may have
        last = service.ask("POST", "/v1/captures", {**wish, "start": now(30)}, token=capture.secret)
    assert last.status == 429, last
    assert wanted() - DOCUMENT.met == set()


def test_what_the_document_would_refuse():
    """The judge itself: it tells requests and answers that do not fit."""
    class Answer:
        def __init__(self, status, body, kind="application/json"):
            self.status, self.body, self.headers = status, body, {"Content-Type": kind}

        def json(self):
            return self.body

    judge, problem = Document(), {"type": "t", "title": "t", "status": 422, "detail": "d"}
    judge.check("POST", "/v1/tokens", b'{"name": "a"}', Answer(201, {"name": "a", "role": "read", "token": "s" * 43, "id": NOBODY}))
    for request, answer in (
            (("POST", "/v1/tokens", b'{"name": 5}'), Answer(201, {"token": "s" * 43})),
            (("POST", "/v1/tokens", b'{"name": "a"}'), Answer(201, {"name": "a", "role": "boss", "token": "s" * 43})),
            (("POST", "/v1/tokens", b'{"name": "a"}'), Answer(201, {"name": "a"})),
            (("POST", "/v1/tokens", b'{"name": "a"}'), Answer(202, {"name": "a", "token": "s" * 43})),
            (("POST", "/v1/tokens", b"{}"), Answer(422, problem)),
            (("POST", "/v1/tokens", b"{}"), Answer(422, {"status": 422}, "application/problem+json")),
            (("GET", "/v1/tokens?colour=red", None), Answer(200, {"tokens": []})),
            (("GET", "/v1/tokens?limit=1001", None), Answer(200, {"tokens": []})),
            (("GET", "/v1/tokens", None), Answer(200, {"tokens": [{"id": 7}]})),
            (("GET", "/v1/captures/x", None), Answer(200, {})),
            (("GET", "/v1/more", None), Answer(200, {})),
            (("PUT", "/v1/tokens", None), Answer(200, {}))):
        try:
            judge.check(*request, answer)
        except AssertionError:
            continue
        raise RuntimeError(f"{request} {answer.status} {answer.body} passed")
