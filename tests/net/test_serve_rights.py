# SPDX-License-Identifier: Apache-2.0
"""`farspan serve` refuses what is not allowed and what is no request, while a capture goes on; and its lists, when they are long."""

import os
import select
import socket
import sqlite3
import time

import pytest

from lib.proc import wait_until
from lib.serve import PORT, Connection, Pcapng, Service, assert_counts, now, number_of
from lib.tools import framegen, start_framegen

LONG = bool(os.environ.get("FARSPAN_LONG"))
WISH = {"type": "packet", "points": ["mon0"], "limit_frames": 1}


def token(service, name="alice", status=201, **wish):
    got = service.ask("POST", "/v1/tokens", {"name": name, **wish}, local=True)
    assert got.status == status, got
    return got.json()


def problem(answer, status, word=""):
    """A refusal with its cause in it."""
    statuses = (status,) if isinstance(status, int) else status
    assert answer.status in statuses, answer
    assert answer.headers["Content-Type"] == "application/problem+json" and answer.json()["status"] == answer.status, answer
    assert word in answer.body.decode(), answer


@pytest.mark.parametrize("anonymous, may_read, may_capture", [("none", False, False), ("read", True, False), ("capture", True, True)])
def test_without_a_token(lab, anonymous, may_read, may_capture):
    service = Service(lab, anonymous=anonymous, ports=())
    wait_until(lambda: service.get("/v1/ports?name=mon0", local=True)["ports"], 10, "mon0")
    assert service.ask("GET", "/healthz").status == 200
    for path in ("/v1/captures", "/v1/ports", "/v1/capabilities", "/v1/events"):
        got = service.ask("GET", path)
        assert got.status == 200 if may_read else problem(got, 401) is None, (path, got)
    got = service.ask("POST", "/v1/captures", WISH)
    assert got.status == 201 if may_capture else problem(got, (401, 403)) is None, got
    for method, path, body in (("GET", "/v1/tokens", None), ("POST", "/v1/tokens", {"name": "eve", "role": "admin"}), ("GET", "/v1/audit", None)):
        problem(service.ask(method, path, body), (401, 403))
    # root is admin at the Unix socket, and its captures are others' business
    made = service.create(local=True, limit_frames=1)
    problem(service.ask("DELETE", f"/v1/captures/{made['id']}"), (401, 403, 404)) if not may_capture else None
    assert service.ask("GET", f"/v1/captures/{made['id']}", local=True).status == 200


def test_tokens(lab):
    service = Service(lab, anonymous="none", ports=())
    wait_until(lambda: service.get("/v1/ports?name=mon0", local=True)["ports"], 10, "mon0")
    read, capture, admin = (token(service, role, role=role)["token"] for role in ("read", "capture", "admin"))
    for secret, create, tokens in ((read, 403, 403), (capture, 201, 403), (admin, 201, 200)):
        assert service.ask("GET", "/v1/captures", token=secret).status == 200
        assert service.ask("POST", "/v1/captures", WISH, token=secret).status == create
        assert service.ask("GET", "/v1/tokens", token=secret).status == tokens
    made = service.create(token=capture, limit_frames=1)
    assert made["owner"] == "capture"
    problem(service.ask("DELETE", f"/v1/captures/{made['id']}", token=read), 403)
    assert service.ask("DELETE", f"/v1/captures/{made['id']}", token=capture).status == 204
    # the secret is told once, and is in no URL
    listed = service.ask("GET", "/v1/tokens", token=admin)
    assert read.encode() not in listed.body and len(listed.json()["tokens"]) == 3
    for name in ("token", "access_token", "Authorization"):
        problem(service.ask("GET", f"/v1/captures?{name}={read}"), (400, 401))
    store = b"".join(p.read_bytes() for p in (service.data / "store").iterdir())
    assert all(secret.encode() not in store for secret in (read, capture, admin))
    # another project's is not there
    other = service.ask("POST", "/v1/tokens?project=other", {"name": "bob", "role": "capture"}, local=True).json()["token"]
    mine = service.create(token=capture, limit_frames=1)
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/data"), ("POST", "/cancel")):
        problem(service.ask(method, f"/v1/captures/{mine['id']}{path}", token=other), 404)
    assert service.get("/v1/captures", token=other)["captures"] == []
    # expired, revoked, deleted
    soon = token(service, "soon", role="read", expires=now(0.4))["token"]
    assert service.ask("GET", "/v1/captures", token=soon).status == 200
    wait_until(lambda: service.ask("GET", "/v1/captures", token=soon).status == 401, 3, "its end", step=0.2)
    gone = token(service, "gone", role="read")
    assert service.ask("PATCH", f"/v1/tokens/{gone['id']}", {"revoked": True}, local=True).status == 200
    problem(service.ask("GET", "/v1/captures", token=gone["token"]), 401)
    assert service.ask("DELETE", f"/v1/tokens/{gone['id']}", local=True).status == 204
    # ten wrong ones, and no more are looked at
    last = [service.ask("GET", "/v1/captures", token="A" * 43).status for _ in range(12)]
    assert last[0] == 401 and last[-1] == 429, last
    assert service.ask("GET", "/v1/captures", token=read).status in (200, 429)


def test_pages_of_others(lab):
    """A web page cannot send what needs no token."""
    service = Service(lab, anonymous="capture")
    for host in ("127.0.0.1:2020", "localhost", "localhost:2020", "127.0.0.1", "[::1]:2020", "127.8.7.6"):
        assert service.ask("GET", "/v1/captures", headers={"Host": host}).status == 200, host
    for host in ("127.0.0.1.evil.example", "evil.example", "localhost.evil.example:2020", "127.0.0.1@evil.example", "", "[::2]", "127.0.0.1:2020:1",
                 "2130706433", "192.0.2.1"):
        got = service.ask("POST", "/v1/captures", WISH, headers={"Host": host})
        assert got.status in (400, 401, 403), (host, got)
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://127.0.0.1.evil.example"},
                    {"Sec-Fetch-Site": "same-site"}):
        got = service.ask("POST", "/v1/captures", WISH, headers=headers)
        assert got.status in (400, 401, 403), (headers, got)
    secret = token(service, role="read")["token"]
    assert service.get("/v1/captures")["captures"] == []
    with_name = service.ask("GET", "/v1/captures", headers={"Host": "evil.example"}, token=secret)
    assert with_name.status == 200, with_name  # whoever has a token may come by any name


def raw(service, data, seconds=5.0):
    """The bytes that come back for these until the other end closes, or nothing comes for a while."""
    connection = Connection(service.ns, timeout=seconds)
    connection.connect()
    got = b""
    try:
        connection.sock.sendall(data)
        while True:
            part = connection.sock.recv(65536)
            if not part:
                break
            got += part
    except (TimeoutError, ConnectionError):
        pass
    finally:
        connection.close()
    return got


HEAD = b"POST /v1/captures HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
SECOND = b"DELETE /v1/captures/x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def test_bad_requests(lab):
    """Each is refused with the right code, and a capture of everything goes on undisturbed."""
    service = Service(lab)
    capture = service.create(stop=now(120))
    service.wait_begun(capture)
    sender = start_framegen(lab, 40000, 2500, kinds="udp4")
    lengths = b"Content-Length: 5\r\nContent-Length: 60\r\n\r\n{}   " + SECOND
    both = b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}   \r\n0\r\n\r\n" + SECOND
    for name, body in (("two lengths", lengths), ("length and chunked", both), ("chunked and length", b"Transfer-Encoding: chunked\r\n" + both),
                       ("a length that is none", b"Content-Length: +5\r\n\r\n{}   "), ("less than none", b"Content-Length: -5\r\n\r\n{}")):
        got = raw(service, HEAD + body, 2)
        # libmicrohttpd sends the head of its own refusals twice, and closes; what matters is that nothing behind it is a request
        assert all(part.startswith(b"400") for part in got.split(b"HTTP/1.1 ")[1:]) and b"problems/not-found" not in got, (name, got)
    huge = raw(service, HEAD + b"Content-Length: 1073741824\r\n\r\n{", 3)
    assert b"HTTP/1.1 413" in huge, huge
    grows = raw(service, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"8000\r\n" + b" " * 32768 + b"\r\n" + 4 * (b"8000\r\n" + b" " * 32768 + b"\r\n"), 3)
    assert not grows or b"HTTP/1.1 413" in grows, grows
    assert b"HTTP/1.1 431" in raw(service, HEAD + b"X: " + b"y" * 20000 + b"\r\n\r\n", 3)
    for path in ("%00", "x%00y", "..%2f..%2fetc", "..", capture["id"] + "%00", capture["id"].upper() + "x", "%", "%zz", "\u00e9".encode().hex()):
        got = service.ask("GET", f"/v1/captures/{path}")
        assert got.status in (400, 404), (path, got)
    got = service.ask("GET", "/v1/captures/" + "a" * 10000)
    assert got.status == 414, got
    problem(service.ask("GET", f"/v1/captures?marker={'..%2f' * 20}%00"), 400)
    for name, body in (("nested", b"[" * 10000), ("nested objects", b'{"a":' * 9000 + b"1" + b"}" * 9000), ("twice", b'{"type":"packet","type":"packet"}'),
                       ("none", b"{"), ("text", b"hello"), ("NUL", b'{"type":"pac\0ket"}'), ("not UTF-8", b'{"type":"\xff"}')):
        problem(service.ask("POST", "/v1/captures", body, headers={"Content-Type": "application/json"}), 400)
    problem(service.ask("POST", "/v1/captures", b"{}", headers={"Content-Type": "text/plain"}), 415)
    problem(service.ask("PUT", "/v1/captures", {}), 405)
    problem(service.ask("GET", "/v1/nothing"), 404)
    problem(service.ask("GET", f"/v1/captures/{capture['id']}/data?format=docx"), (400, 406))
    stop = now(60)
    for field, wish in (("/type", {"type": "video"}), ("/points/0", {"points": ["none0"]}), ("/filter", {"filter": "udp port ("}), ("/stop", {"stop": "tomorrow"}),
                        ("/stop", {"stop": 1e99}), ("/stop", {"stop": "292278-01-01T00:00:00Z"}), ("/stop", {"stop": "2001-01-01T00:00:00Z"}),
                        ("/start", {"start": "2001-01-01T00:00:00Z"}), ("/snaplen", {"snaplen": -1}), ("/snaplen", {"snaplen": 1 << 40}),
                        ("/vlans", {"vlans": "5000"}), ("/limit_frames", {"limit_frames": 0}), ("/points", {"points": ["mon0"] * 17}),
                        ("/direction", {"direction": "up"}), ("/colour", {"colour": "red"}), ("/id", {"id": capture["id"]})):
        got = service.ask("POST", "/v1/captures", {"type": "packet", "points": ["mon0"], "stop": stop, **wish})
        problem(got, (400, 422), field.rsplit("/", 1)[0] or field)
        assert any(e["pointer"].startswith(field) for e in got.json()["errors"]), (wish, got)
    both_wrong = service.ask("POST", "/v1/captures", {"type": "packet", "points": ["none0"], "stop": stop, "filter": "udp port ("})
    assert {e["pointer"] for e in both_wrong.json()["errors"]} == {"/points/0", "/filter"}, both_wrong
    # slow senders: the whole request has ten seconds, however often a byte comes; and 300 connections of an address
    slow = Connection(service.ns)
    slow.connect()
    began, closed, many = time.monotonic(), None, []
    for _ in range(300):
        one = Connection(service.ns, timeout=5)
        try:
            one.connect()
            many.append(one)
        except OSError:
            pass
    wait_until(lambda: sum(is_closed(c.sock) for c in many) >= 300 - 32, 5, lambda: f"{sum(is_closed(c.sock) for c in many)} of {len(many)} closed")
    assert service.get("/v1/captures", local=True)["captures"][0]["state"] == "running"
    text = iter(HEAD + b"X: " + b"y" * 100)
    while closed is None and time.monotonic() - began < 20:
        try:
            slow.sock.send(bytes([next(text)]))
        except OSError:
            closed = time.monotonic() - began
        if select.select([slow.sock], [], [], 0.5)[0] and not slow.sock.recv(4096):
            closed = time.monotonic() - began
    assert closed and 8.5 < closed < 13, f"a slow sender was heard for {closed} s"
    for one in many:
        one.close()
    wait_until(lambda: service.ask("GET", "/healthz").status == 200, 5, "answers")
    assert sender.wait(20) == 0
    wait_until(lambda: service.show(capture)["offered"] == 40000, 10, lambda: f"{service.show(capture)}")
    assert service.ask("POST", f"/v1/captures/{capture['id']}/cancel").status == 200
    capture = service.wait(capture)
    assert [number_of(f.data) for f in Pcapng(service.fetch(capture)).frames] == list(range(40000))
    assert_counts(capture)
    assert "ended by signal" not in service.proc.err() and "ended with status" not in service.proc.err(), service.proc


REST = b" HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = b"POST /v1/captures" + REST + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
# bytes, the status, and whether the answer is the library's own: it reads them before anybody else does, and gives no way to answer
NO_HTTP = {
    "another version": (b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505, True),
    "no version": (b"GET /healthz\r\n\r\n", 400, True),
    "another protocol": (b"GET / HTTX/1.1\r\nHost: localhost\r\n\r\n", 400, True),
    "a header without a colon": (b"GET /healthz" + REST + b"Colon\r\n\r\n", 400, True),
    "a header that goes on before the first": (b"GET /healthz HTTP/1.1\r\n on\r\nHost: localhost\r\n\r\n", 400, True),
    "a length in letters": (b"POST /v1/captures" + REST + b"Content-Length: abc\r\n\r\n", 400, True),
    "a length of 87 bits": (b"POST /v1/captures" + REST + b"Content-Length: 99999999999999999999999999\r\n\r\n", 413, True),
    "a chunk without a length": (CHUNKED + b"zz\r\n", 400, True),
    "a chunk of 72 bits": (CHUNKED + b"ffffffffffffffffff\r\n", 413, True),
    "a chunk that goes on": (CHUNKED + b"2\r\nabcdef\r\n", 400, True),
    "a target of 200 kB": (b"GET /" + b"a" * 200000 + REST + b"\r\n", 414, True),
    "headers of 200 kB": (b"GET /healthz" + REST + b"X: " + b"a" * 200000 + b"\r\n\r\n", 431, True),
    "a target of 9 kB": (b"GET /" + b"a" * 9000 + REST + b"\r\n", 414, False),
    "headers of 20 kB": (b"GET /healthz" + REST + b"X: " + b"a" * 20000 + b"\r\n\r\n", 431, False),
    "a space before the colon": (b"GET /healthz" + REST + b"X : y\r\n\r\n", 400, False),
    "no Host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400, False),
    "one word": (b"GET\r\n\r\n", None, True),
    "a greeting of TLS": (b"\x16\x03\x01\x00\x6d\x01\x00\x00\x69\x03\x03q\n\n\n", None, True),
}


def until_end(service, data):
    """The bytes that come back until the other end closes, which it has to."""
    connection = Connection(service.ns, timeout=5)
    connection.connect()
    got = b""
    try:
        try:
            connection.sock.sendall(data)
        except ConnectionError:
            pass  # it did not take all of it, and may have said why
        while part := connection.sock.recv(65536):
            got += part
    except ConnectionError:
        pass
    finally:
        connection.close()
    return got


def test_what_is_no_http(lab):
    """Each ends its connection, with the right status where there is an answer, and nothing that follows on it is a request."""
    service = Service(lab)
    for name, (sent, status, of_library) in NO_HTTP.items():
        got = until_end(service, sent + SECOND)
        head, _, body = got.partition(b"\r\n\r\n")
        assert len(sent) > 100000 and not got or status is None and not got or head.startswith(f"HTTP/1.1 {status} ".encode()), (name, got)
        assert len(sent) > 100000 or not got or b"\r\nconnection: close" in head.lower(), (name, got)
        assert of_library or (b"application/problem+json" in head and f'"status":{status}'.encode() in body), (name, got)
        assert b"problems/not-found" not in got and got.count(b"HTTP/1.1 ") <= 2, (name, got)  # the library may send its head twice
    assert service.ask("GET", "/healthz").status == 200
    assert "ended by signal" not in service.proc.err() and "ended with status" not in service.proc.err(), service.proc


def is_closed(sock):
    """Or was turned away before it asked for anything."""
    try:
        return bool(select.select([sock], [], [], 0)[0]) and sock.recv(12, socket.MSG_PEEK | socket.MSG_DONTWAIT) in (b"", b"HTTP/1.1 503")
    except BlockingIOError:
        return False
    except OSError:
        return True


@pytest.mark.parametrize("rows", [2000, pytest.param(10000, marks=pytest.mark.skipif(not LONG, reason="FARSPAN_LONG"))])
def test_paging(lab, rows):
    """Pages repeat and hide nothing while captures come, change and go."""
    service = Service(lab)
    made = service.create(start=now(3600), stop=now(3700))
    service.ask("POST", f"/v1/captures/{made['id']}/cancel")
    service.stop()
    fill(service, made["id"], rows)
    service.start()
    for sort in ("", "&sort=-created", "&sort=created"):
        before = {c["id"] for c in pages(service, "/v1/captures?limit=1000&fields=id")}
        seen, path, n = [], f"/v1/captures?limit=97&fields=id,state{sort}", 0
        victims = iter(sorted(before)[5:: max(1, rows // 40)])
        deleted, came = set(), set()
        while path:
            page = service.get(path)
            seen += [c["id"] for c in page["captures"]]
            path, n = page.get("next"), n + 1
            gone = next(victims, None)
            if gone and service.ask("DELETE", f"/v1/captures/{gone}").status == 204:
                deleted.add(gone)
            one = service.create(start=now(3600), stop=now(3700))
            came.add(one["id"])
            assert service.ask("POST", f"/v1/captures/{one['id']}/cancel").status == 200
        assert len(seen) == len(set(seen)), f"{len(seen) - len(set(seen))} are there twice"
        assert before - deleted <= set(seen) <= before | came, f"{len(before - deleted - set(seen))} are missing"
        assert n >= rows // 97
    began = time.monotonic()
    for _ in range(20):
        service.get("/v1/captures?limit=100")
    print(f"{rows} rows: {(time.monotonic() - began) / 20 * 1000:.1f} ms a page of 100")


def pages(service, path):
    while path:
        page = service.get(path)
        yield from page["captures"]
        path = page.get("next")


def fill(service, which, rows):
    """Copies of a capture that has ended, each with an id of its own, straight into the store."""
    store = sqlite3.connect(service.data / "store" / "farspan.db")
    columns = [c[1] for c in store.execute("pragma table_info(capture)")]
    row = dict(zip(columns, store.execute("select * from capture where id = ?", (which,)).fetchone()))
    other = [c for c in columns if c not in ("id", "created", "rowid")]
    for n in range(rows - 1):
        # three have one time each
        values = [f"0199c1d2-7c1e-7a30-9f3e-{n:012x}", row["created"] - (n // 3 + 1) * 1000] + [row[c] for c in other]
        store.execute(f"insert into capture (id, created, {', '.join(other)}) values ({', '.join('?' * len(values))})", values)
    store.commit()
    store.close()


def test_root_without_what_walls_need(lab):
    """As in a container that has dropped capabilities: the service says once what it does without, and works."""
    words = "without CAP_SETUID and CAP_SETGID the engine remains root, without CAP_SYS_CHROOT"
    service = Service(lab, prefix=("setpriv", "--bounding-set", "-setuid,-setgid,-sys_chroot"))
    assert service.proc.err().count(words) == 1, service.proc
    service.wait(service.create(stop=now(1)), "done")
