#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""decode_link.py FILE.pcap [--port PORT] [--json]: what a tap and a collector with -K said to each other.

A second reader of the link, written from docs/protocol.md and from nothing else: it shares no code with the
program and knows only what the specification says. It takes a capture of the link's UDP datagrams, prints
handshakes, control records and frames, and counts what is missing by the rules of the specification. Sealed
sessions are listed by their headers; their records cannot be opened without the keys.
"""

import argparse
import json
import struct
import sys

MAGIC = 0x46535031  # "FSP1"
VERSION = 1
HELLO, ANSWER, CONFIRM, ACCEPT, REJECT, COOKIE, RECORD = 1, 2, 3, 4, 5, 6, 16
NAMES = {HELLO: "HELLO", ANSWER: "ANSWER", CONFIRM: "CONFIRM", ACCEPT: "ACCEPT", REJECT: "REJECT", COOKIE: "COOKIE", RECORD: "RECORD"}
PLAIN, CPACE, NOISE = 0, 1, 2
INFO, INFO_ACK, STREAM, STREAM_ACK, REPORT, CLOSE, CLOSE_ACK, PORT, PROBE, PROBE_ACK, EVENT = range(1, 12)
STREAM_END = 16
CONTROLS = {INFO: "INFO", INFO_ACK: "INFO_ACK", STREAM: "STREAM", STREAM_ACK: "STREAM_ACK", REPORT: "REPORT", CLOSE: "CLOSE",
            CLOSE_ACK: "CLOSE_ACK", PORT: "PORT", PROBE: "PROBE", PROBE_ACK: "PROBE_ACK", EVENT: "EVENT",
            STREAM_END: "STREAM_END"}
HELLO_LEN = 384
NO_FRAME = 0xFFFF
FRAME_MAX = 1 << 20


class Malformed(Exception):
    """Bytes that the specification does not allow."""


class Reader:
    """Big-endian fields, one after the other."""

    def __init__(self, data):
        self.data, self.at = bytes(data), 0

    def take(self, n):
        if self.at + n > len(self.data):
            raise Malformed(f"{self.at + n} bytes needed, {len(self.data)} there")
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, n, signed=False):
        return int.from_bytes(self.take(n), "big", signed=signed)

    def text(self):
        return self.take(self.number(2)).decode("utf-8", "replace")

    def left(self):
        return len(self.data) - self.at

    def rest(self):
        return self.take(self.left())


def decode_datagram(data):
    """A datagram's fields; a record's `body` is what follows its header, tag included."""
    if len(data) < 16:
        raise Malformed("shorter than any header")
    r = Reader(data)
    kind = r.number(1)
    if kind == RECORD:
        d = {"type": kind, "version": r.number(1), "stream": r.number(2), "receiver": r.number(4), "mark": r.number(2), "counter": r.number(6)}
        if d["version"] != VERSION or d["stream"] > 4095:
            raise Malformed("record of another version, or of an impossible stream")
        if d["mark"] != mark(d["stream"], d["receiver"], d["counter"]):
            raise Malformed("record with a wrong mark")
        return {**d, "header": data[:16], "body": r.rest()}
    if kind not in NAMES:
        raise Malformed(f"type {kind}")
    d = {"type": kind, "version": r.number(1), "method": r.number(1)}
    r.take(1)
    if r.number(4) != MAGIC:
        raise Malformed("no magic")
    d["sender"], d["receiver"] = r.number(4), r.number(4)
    if d["version"] != VERSION and kind != REJECT:
        return d  # of another version: only the first 16 bytes are known
    if kind == HELLO:
        if len(data) != HELLO_LEN:
            raise Malformed("a HELLO has 384 bytes")
        d["min_version"], d["max_version"], d["aeads"] = r.number(1), r.number(1), r.number(2)
        d["data"] = r.take(bounded(r.number(2)))
        d["cookie"] = data[368:384] if any(data[368:384]) else None
    elif kind == ANSWER:
        d["aead"] = r.number(1)
        r.take(1)
        d["data"] = r.take(bounded(r.number(2)))
    elif kind in (CONFIRM, ACCEPT):
        d["tag"] = r.take(32)
    elif kind == COOKIE:
        d["cookie"] = r.take(16)
    else:
        d["reason"], d["min_version"], d["max_version"] = r.number(1), r.number(1), r.number(1)
    return d


def bounded(n):
    if n > 256:
        raise Malformed("more than 256 bytes of a method's data")
    return n


def mark(stream, receiver, counter):
    """The mark of a record, made of the rest of its header, which tells it from other traffic."""
    h = 0
    words = (receiver, 0x9E3779B1), (counter % 2**32, 0x85EBCA6B), (RECORD << 24 | VERSION << 16 | stream, 0xC2B2AE35), (counter >> 32, 0x27D4EB2F)
    for word, factor in words:
        h = (h ^ word) * factor % 2**32
    return h >> 16


def nonce(stream, counter):
    return struct.pack("!IQ", stream, counter)


def decode_segment(plain):
    """(first or None, frame_no, base_ts, payload)"""
    r = Reader(plain)
    first, number, base, payload = r.number(2), r.number(8), r.number(8, signed=True), r.rest()
    if not payload or (first != NO_FRAME and first >= len(payload)):
        raise Malformed("a segment without payload, or whose first frame starts outside it")
    return None if first == NO_FRAME else first, number, base, payload


def frame_header_len(flags):
    """Without what an extension adds to its length."""
    if flags & 3 == 3:
        raise Malformed(f"frame flags {flags:#x}")
    sizes = 1, 4 if flags & 8 else 2, 4 if flags & 4 else 0, 8 if flags & 16 else 4, 2 if flags & 32 else 0
    return sum(sizes) + (4 if flags & 64 else 0) + (1 if flags & 128 else 0)


def extensions(extension):
    """(type, value) of each; one that is cut short ends them."""
    while len(extension) > 1 and len(extension) >= 2 + extension[1]:
        yield extension[0], extension[2:2 + extension[1]]
        extension = extension[2 + extension[1]:]


def rung(extension):
    """The step of the tap's limit that begins with a frame: (flows are halved so often, headers only, counts only, flow records),
    or None."""
    for kind, value in extensions(extension):
        if kind == 1 and value:
            return value[0] & 15, bool(value[0] & 16), bool(value[0] & 32), bool(value[0] & 64)
    return None


def is_flows(extension):
    """Not a frame, but flow records in place of frames."""
    return any(kind == 2 for kind, _ in extensions(extension))


# ---- FLOWS: IPFIX messages (RFC 7011) that can be read alone ----

def decode_template(r):
    """(number, [(enterprise, element, length)])."""
    number, fields = r.number(2), []
    for _ in range(r.number(2)):
        element, length = r.number(2), r.number(2)
        fields.append((r.number(4) if element & 0x8000 else 0, element & 0x7FFF, length))
    return number, fields


def decode_record(r, fields):
    """{(enterprise, element): bytes}."""
    values = {}
    for enterprise, element, length in fields:
        if length == 0xFFFF:
            length = r.number(1)
            length = r.number(2) if length == 255 else length
        values[enterprise, element] = r.take(length)
    return values


def decode_set(number, r, templates):
    """The records of a set of data; a set of templates has none, and is remembered."""
    if number == 2:
        while r.left() >= 4:
            known, fields = decode_template(r)
            templates[known] = fields
        return []
    if number < 256:
        return []
    if number not in templates:
        raise Malformed(f"records of template {number}, which is not there")
    least = sum(1 if length == 0xFFFF else length for _, _, length in templates[number])
    records = []
    while r.left() >= max(least, 1):
        records.append(decode_record(r, templates[number]))
    return records


def messages_of(data):
    """The IPFIX messages of a FLOWS, one behind the other."""
    while data:
        r = Reader(data)
        version, length = r.number(2), r.number(2)
        if version != 10 or length < 16:
            raise Malformed(f"an IPFIX message of version {version} and {length} bytes")
        r.take(length - 4)
        yield data[:length]
        data = data[length:]


def decode_flows(data):
    """The flow records of a FLOWS, by information element."""
    templates, records = {}, []
    for message in map(Reader, messages_of(data)):
        message.take(16)
        while message.left() >= 4:
            number, size = message.number(2), message.number(2)
            if size < 4:
                raise Malformed(f"a set of {size} bytes")
            records += decode_set(number, Reader(message.take(size - 4)), templates)
    return records


def packets_of(record):
    """That a flow record tells of, in both directions (RFC 5103)."""
    return sum(int.from_bytes(record.get((enterprise, 2), b""), "big") for enterprise in (0, 29305))


def decode_frame_header(header, base_ts):
    r = Reader(header)
    flags = r.number(1)
    f = {"dir": ("unknown", "in", "out")[flags & 3]}
    f["caplen"] = r.number(4 if flags & 8 else 2)
    f["origlen"] = r.number(4) if flags & 4 else f["caplen"]
    f["ts"] = r.number(8, signed=True) if flags & 16 else base_ts + r.number(4, signed=True)
    f["port"] = r.number(2) if flags & 32 else None
    f["weight"] = r.number(4) if flags & 64 else 1
    f["extension"] = r.take(r.number(1)) if flags & 128 else b""
    if f["weight"] == 0:
        raise Malformed("a frame of weight 0")
    if not 0 < f["caplen"] <= FRAME_MAX or f["origlen"] < f["caplen"]:
        raise Malformed(f"frame of {f['caplen']} of {f['origlen']} bytes")
    return f


def decode_control(plain):
    r = Reader(plain)
    kind = r.number(1)
    c = {"control": CONTROLS.get(kind, kind)}
    if kind == INFO:
        c |= {"tag": r.number(8), "started": r.number(8, signed=True), "name": r.text(), "host": r.text(), "software": r.text()}
    elif kind == INFO_ACK:
        flags = r.number(1)
        c |= {"resumed": bool(flags & 1), "probes": bool(flags & 2), "weights": bool(flags & 4), "extensions": bool(flags & 8),
              "flows": bool(flags & 16)}
    elif kind == STREAM:
        c |= {"stream": r.number(2), "snaplen": r.number(4), "speed_bps": r.number(8), "ifname": r.text(), "filter": r.text()}
        c |= {"linktype": r.number(2), "arphrd": r.number(2)}
    elif kind == STREAM_ACK:
        c["stream"] = r.number(2)
    elif kind == PORT:
        c |= {"stream": r.number(2), "port": r.number(2), "ifname": r.text()}
    elif kind in (PROBE, PROBE_ACK):
        c |= {"token": r.number(4), "size": r.number(2)}
    elif kind == REPORT:
        c["final"] = bool(r.number(1) & 1)
        c |= {"now": r.number(8, signed=True), "echo": r.number(8, signed=True), "echo_age": r.number(8)}
        c["streams"] = [report_stream(r) for _ in range(r.number(2))]
        c["steady"] = r.number(8, signed=True) if len(r.data) - r.at >= 8 else 0
    elif kind == STREAM_END:
        c |= {"stream": r.number(2), "frames": r.number(8), "lost": r.number(8)}
    elif kind == EVENT:
        c |= {"life": r.number(8), "number": r.number(8), "at": r.number(8, signed=True), "kind": r.number(1)}
        c |= {"subject": r.text(), "words": r.text()}
    elif kind == CLOSE:
        c["reason"] = r.number(1)
    return c  # what follows is a later version's


def report_stream(r):
    s = {"stream": r.number(2), "frames": r.number(8), "lost": r.number(8), "datagrams": r.number(8)}
    s["counters"] = {r.number(1): r.number(8) for _ in range(r.number(1))}
    return s


class Stream:
    """One stream of a session: segments in, in the order of their counters; frames and losses out."""

    def __init__(self):
        self.frames = []  # of decode_frame_header, with "number" and "data"
        self.flows = []  # FLOWS likewise, with "records"
        self.lost, self.malformed = [], []  # numbers
        self.next_counter = 0
        self.accounted = 0  # number of the first frame of which nothing is known yet
        self.partial = None  # (base_ts, bytes so far) of the frame begun
        self.broken = False

    def segment(self, counter, plain):
        gap = counter != self.next_counter
        self.next_counter = counter + 1
        try:
            first, number, base, payload = decode_segment(plain)
        except Malformed:
            self.breaks()
            return
        if gap:  # whatever was begun, and all that started in what is missing, is lost
            self.partial = None
            self.missing(number, self.malformed if self.broken else self.lost)
            self.broken = False
        elif self.partial:
            self.continues(payload if first is None else payload[:first], ends=first is not None)
        if first is None:
            return
        self.missing(number, self.malformed)
        if number < self.accounted:
            self.breaks()
            return
        self.broken = False
        self.starts(base, payload[first:])

    def continues(self, part, ends):
        """More of the frame begun earlier; `ends`: the next one starts right behind."""
        base, data = self.partial[0], self.partial[1] + part
        self.partial = None
        try:
            frame, used = self.one(base, data)
        except Malformed:
            self.breaks()
            return
        if frame and used == len(data):
            self.give(frame)
        elif frame or ends:
            self.breaks()
        else:
            self.partial = base, data

    def starts(self, base, data):
        """Frames one behind the other, the last of which may go on in the next segment."""
        while data:
            try:
                frame, used = self.one(base, data)
            except Malformed:
                self.breaks()
                return
            if not frame:
                self.partial = base, data
                return
            self.give(frame)
            data = data[used:]

    @staticmethod
    def one(base, data):
        """The frame at the start of the bytes and how many of them it takes, or (None, 0): more are needed."""
        head = frame_header_len(data[0]) if data else 1
        if len(data) >= head and data[0] & 128:
            head += data[head - 1]
        if len(data) < head:
            return None, 0
        frame = decode_frame_header(data[:head], base)
        used = head + frame["caplen"]
        return ({**frame, "data": data[head:used]}, used) if used <= len(data) else (None, 0)

    def give(self, frame):
        frame = {"number": self.accounted, **frame}
        if is_flows(frame["extension"]):
            self.flows.append({**frame, "records": decode_flows(frame["data"])})
        else:
            self.frames.append(frame)
        self.accounted += 1

    def breaks(self):
        self.partial, self.broken = None, True

    def missing(self, upto, where):
        where.extend(range(self.accounted, upto))
        self.accounted = max(self.accounted, upto)

    def ends(self, frames):
        """The tap's last word: it has numbered so many."""
        self.partial = None
        self.missing(frames, self.malformed if self.broken else self.lost)


class Link:
    """All that a capture of one collector's port holds."""

    def __init__(self):
        self.handshakes, self.controls, self.foreign, self.sealed = [], [], 0, 0
        self.plain = {}  # index -> "tap" or "collector": who receives under it, of handshakes in the clear
        self.session_of = {}  # collector's index -> the session's tag
        self.segments = {}  # (tag, stream) -> {counter: plain}
        self.unbound = []
        self.seen = set()  # (index, counter) of control records

    def datagram(self, data):
        try:
            d = decode_datagram(data)
        except Malformed:
            self.foreign += 1
            return
        if d["type"] != RECORD:
            self.handshakes.append(d)
            if d["type"] == ANSWER and d.get("aead") == 0 and d["method"] == PLAIN:
                self.plain |= {d["sender"]: "collector", d["receiver"]: "tap"}
            return
        to = self.plain.get(d["receiver"])
        if to is None:
            self.sealed += 1
        elif d["stream"] == 0:
            self.control(d, to)
        else:
            self.unbound.append(d)

    def control(self, d, to):
        if (d["receiver"], d["counter"]) in self.seen:
            return
        self.seen.add((d["receiver"], d["counter"]))
        try:
            c = decode_control(d["body"])
        except Malformed:
            self.foreign += 1
            return
        if c["control"] == "INFO":
            self.session_of.setdefault(d["receiver"], c["tag"])
        self.controls.append({"to": to, "index": d["receiver"], "counter": d["counter"], **c})

    def streams(self):
        """{(tag, stream): Stream}, when all datagrams were given."""
        for d in self.unbound:
            key = (self.session_of.get(d["receiver"]), d["stream"])
            self.segments.setdefault(key, {}).setdefault(d["counter"], d["body"])
        self.unbound.clear()
        done = {}
        for key, segments in self.segments.items():
            done[key] = stream = Stream()
            for counter in sorted(segments):
                stream.segment(counter, segments[counter])
            finals = [s["frames"] for c in self.controls
                      if c["control"] == "REPORT" and c["to"] == "collector" and c["final"]
                      and self.session_of.get(c["index"]) == key[0]
                      for s in c["streams"] if s["stream"] == key[1]]
            if finals:
                stream.ends(max(finals))
        return done


# ---- captures ----

def read_pcap(path):
    """(link type, frame) of each packet of a pcap file of either byte order and precision."""
    with open(path, "rb") as file:
        data = file.read()
    for order in "<>":
        if struct.unpack(order + "I", data[:4])[0] in (0xA1B2C3D4, 0xA1B23C4D):
            break
    else:
        raise SystemExit(f"{path}: no pcap file")
    kind = struct.unpack(order + "I", data[20:24])[0] & 0xFFFF
    at = 24
    while at + 16 <= len(data):
        n = struct.unpack(order + "I", data[at + 8:at + 12])[0]
        yield kind, data[at + 16:at + 16 + n]
        at += 16 + n


def udp_datagrams(path, port):
    """Payloads of whole UDP datagrams from or to the port, in the order of the capture."""
    skip = {1: 12, 113: 14, 276: 0, 101: None}  # where the EtherType stands
    for kind, frame in read_pcap(path):
        if kind not in skip:
            raise SystemExit(f"{path}: link type {kind}")
        at, protocol = 0, None
        if skip[kind] is not None:
            protocol = frame[skip[kind]:skip[kind] + 2]
            at = {1: 14, 113: 16, 276: 20}[kind]
        ip = frame[at:]
        if protocol in (None, b"\x08\x00") and ip[:1] and ip[0] >> 4 == 4 and ip[9] == 17:
            udp = ip[(ip[0] & 15) * 4:]
        elif protocol in (None, b"\x86\xdd") and ip[:1] and ip[0] >> 4 == 6 and ip[6] == 17:
            udp = ip[40:]
        else:
            continue
        source, target, length = struct.unpack("!HHH", udp[:6])
        if port in (source, target) and len(udp) >= length:
            yield udp[8:length]


def read(path, port):
    link = Link()
    for d in udp_datagrams(path, port):
        link.datagram(d)
    return link


def show(link, out):
    def plain(d):
        return " ".join(f"{k}={v.hex() if isinstance(v, bytes) else v}" for k, v in d.items() if k != "type")

    for h in link.handshakes:
        print(NAMES[h["type"]], plain(h), file=out)
    for c in link.controls:
        print("control to the", c["to"], plain({k: v for k, v in c.items() if k != "to"}), file=out)
    for (tag, number), s in link.streams().items():
        print(f"session {tag:#x} stream {number}: {len(s.frames)} frames, {len(s.lost)} lost, {len(s.malformed)} malformed"
              if tag is not None else f"stream {number} of no known session", file=out)
        for f in s.frames:
            print(f"  #{f['number']} {f['ts'] // 10**9}.{f['ts'] % 10**9:09} {f['dir']}"
                  f"{'' if f['port'] is None else ' port ' + str(f['port'])} {f['caplen']}/{f['origlen']} {f['data'].hex()}", file=out)
        for f in s.flows:
            told = sum(packets_of(r) for r in f["records"])
            print(f"  #{f['number']} FLOWS of {f['caplen']} bytes, {len(f['records'])} records of {told} packets", file=out)
    print(f"{link.sealed} sealed records, {link.foreign} datagrams that are none of the link's", file=out)


def main():
    p = argparse.ArgumentParser(description="prints a farspan link's clear-text sessions from a pcap file")
    p.add_argument("file")
    p.add_argument("--port", type=int, default=1234, help="the collector's UDP port (1234)")
    p.add_argument("--json", action="store_true", help="the frames' headers as JSON, a line each")
    words = p.parse_args()
    link = read(words.file, words.port)
    if not words.json:
        show(link, sys.stdout)
        return
    for (tag, number), s in link.streams().items():
        for f in s.frames:
            print(json.dumps({"session": tag, "stream": number, **f, "data": f["data"].hex()}))


if __name__ == "__main__":
    main()
