# SPDX-License-Identifier: Apache-2.0
"""`farspan serve` as its users have it: a service in a namespace, requests to it, and readers of what it gives."""

import datetime
import http.client
import json
import signal
import socket
import struct
import time
from pathlib import Path

from .farspan import farspan
from .lab import inside
from .openapi import DOCUMENT
from .proc import alive, children, run, wait_until

PORT = 2020
LOCAL = "/run/farspan/serve.api"
ENDED = ("done", "failed", "cancelled")
S = 1_000_000_000


def ns_of(text):
    """A time of the API as nanoseconds since 1970; None for none."""
    if text is None:
        return None
    assert text.endswith("Z"), text
    whole, _, part = text[:-1].partition(".")
    then = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc)
    return int(then.timestamp()) * S + int(part.ljust(9, "0") or 0)


def text_of(ns):
    whole = datetime.datetime.fromtimestamp(ns // S, datetime.timezone.utc)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{ns % S:09}Z"


def now(ahead=0.0):
    """The time of the wall clock, `ahead` seconds on, as the API takes it."""
    return text_of(time.time_ns() + int(ahead * S))


class Answer:
    """An answer that was read to its end."""

    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    def json(self):
        return json.loads(self.body)

    def __str__(self):
        return f"{self.status} {self.body[:2000]!r}"


class Connection(http.client.HTTPConnection):
    """A connection out of a namespace: to its loopback, or to the Unix socket."""

    def __init__(self, ns, local=False, timeout=20):
        super().__init__("127.0.0.1", PORT, timeout)
        self.ns, self.local = ns, local

    def connect(self):
        with inside(self.ns):
            self.sock = socket.socket(socket.AF_UNIX if self.local else socket.AF_INET, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(LOCAL if self.local else (self.host, self.port))


class Service:
    """A running `farspan serve` on the interfaces of a tap's namespace."""

    def __init__(self, lab, *words, anonymous="capture", data=None, interfaces=("mon*",), ports=("mon0",), ns=None, prefix=(), document=DOCUMENT):
        self.document = document
        self.lab, self.ns, self.data = lab, ns or lab.tap, Path(data or lab.folder / "data")
        self.argv = [*prefix, farspan(), "serve", "--data", self.data, "--anonymous", anonymous, *(w for i in interfaces for w in ("-i", i)), *words]
        self.start(ports)

    def start(self, ports=("mon0",)):
        self.proc = self.lab.start(self.argv, "serve", self.ns)
        self.proc.wait_line("http://127.0.0.1:2020", 20)
        for port in ports:
            self.wait_port(port)

    def stop(self):
        assert self.proc.stop(signal.SIGTERM, 20) == 0, self.proc

    # ---- requests ----

    def ask(self, method, path, body=None, token=None, local=False, headers=None, timeout=20):
        """One request on a connection of its own, which is held against the document. A body that is no bytes is sent as JSON."""
        given = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            given.setdefault("Content-Type", "application/json")
        if token:
            given["Authorization"] = f"Bearer {token}"
        connection = Connection(self.ns, local, timeout)
        try:
            connection.request(method, path, body, given)
            answer = Answer(connection.getresponse())
        finally:
            connection.close()
        self.document.check(method, path, body, answer)
        return answer

    def get(self, path, status=200, **kw):
        got = self.ask("GET", path, **kw)
        assert got.status == status, f"GET {path}: {got}"
        return got.json()

    def create(self, type="packet", points=("mon0",), status=201, local=False, token=None, **wish):
        got = self.ask("POST", "/v1/captures", {"type": type, "points": list(points), **wish}, local=local, token=token)
        assert got.status == status, f"{wish}: {got}"
        return got.json()

    def show(self, capture, **kw):
        return self.get(f"/v1/captures/{capture['id']}", **kw)

    def raw(self, capture, query="", **kw):
        return self.ask("GET", f"/v1/captures/{capture['id']}/data{query}", **kw)

    def fetch(self, capture, query=""):
        got = self.raw(capture, query)
        assert got.status == 200, got
        return got.body

    def wait(self, capture, states=ENDED, seconds=20.0):
        """The capture, once it is in one of these states."""
        states = (states,) if isinstance(states, str) else states
        last = None

        def there():
            nonlocal last
            last = self.show(capture)
            return last["state"] in states

        wait_until(there, seconds, lambda: f"{states} of {last}\n{self.proc}")
        return last

    def wait_begun(self, capture, seconds=10):
        """Until it has all of its points' frames from some time on, which it tells."""
        wait_until(lambda: self.show(capture)["began"], seconds, lambda: f"its beginning: {self.show(capture)}")

    def wait_port(self, name, there=True, seconds=10):
        wait_until(lambda: bool(self.get(f"/v1/ports?name={name}&there=true")["ports"]) == there, seconds, f"port {name}: {there}")

    # ---- its processes ----

    def broker(self):
        return self.proc.pid

    def role(self, name):
        """The pid of a role, by the name of its process; None while there is none."""
        for pid in children(self.proc.pid):
            try:
                said = Path(f"/proc/{pid}/comm").read_text().strip()
            except OSError:
                continue
            if said == f"farspan-{name}" and alive(pid):
                return pid
        return None

    def threads(self, name="data"):
        return len(list(Path(f"/proc/{self.role(name)}/task").iterdir()))

    def rings(self):
        """The packet sockets of the namespace that take in frames."""
        lines = run(["ip", "netns", "exec", self.ns, "cat", "/proc/net/packet"]).stdout.splitlines()[1:]
        return sum(1 for line in lines if line.split()[3] != "0000")

    def file(self, capture):
        """The file of a capture, as it lies on the disk."""
        found = [p for p in (self.data / "captures").rglob("*") if capture["id"].replace("-", "") in p.name.replace("-", "")]
        return found[0] if found else None


# ---- what it gives ----

class Frame:
    __slots__ = ("interface", "ns", "length", "data")

    def __init__(self, interface, ns, length, data):
        self.interface, self.ns, self.length, self.data = interface, ns, length, data


def _options(data, at, end):
    while at + 4 <= end:
        code, length = struct.unpack_from("<HH", data, at)
        if code == 0:
            return
        yield code, data[at + 4:at + 4 + length]
        at += 4 + (length + 3) // 4 * 4


class Pcapng:
    """The bytes of a pcapng file, which must be whole blocks: names of its interfaces, and its frames."""

    def __init__(self, data):
        self.names, self.frames, self.sections, at, resolution = [], [], 0, 0, []
        while at < len(data):
            assert at + 12 <= len(data), f"a block cut off at {at} of {len(data)}"
            kind, length = struct.unpack_from("<II", data, at)
            assert length >= 12 and length % 4 == 0 and at + length <= len(data), f"a block cut off at {at} of {len(data)}"
            assert struct.unpack_from("<I", data, at + length - 4)[0] == length, f"block at {at}"
            if kind == 0x0A0D0D0A:
                self.sections += 1
                first = len(self.names)
            elif kind == 1:
                options = dict(_options(data, at + 16, at + length - 4))
                self.names.append(options.get(2, b"").decode())
                resolution.append(options.get(9, b"\6")[0])
            elif kind == 6:
                number, high, low, kept, full = struct.unpack_from("<IIIII", data, at + 8)
                number += first
                ns = (high << 32 | low) * 10 ** (9 - resolution[number])
                self.frames.append(Frame(self.names[number], ns, full, data[at + 28:at + 28 + kept]))
            at += length


def number_of(frame):
    """The number of a frame that framegen sent with kinds=udp4."""
    at = 14 + (frame[14] & 15) * 4 + 8
    return struct.unpack_from("!Q", frame, at)[0]


def assert_counts(capture):
    """Each frame that passed by is in one of the counts."""
    c = capture
    assert c["offered"] == c["unwanted"] + c["frames"] + c["dropped"], c


def spans(capture, name="covered", point=None):
    """[(from, until)] of a capture's covered or gaps."""
    return [(ns_of(s["from"]), ns_of(s["until"])) for s in capture[name] or () if point is None or s["point"] == point]
