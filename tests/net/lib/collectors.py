# SPDX-License-Identifier: Apache-2.0
"""Collectors of others, on the loopback interface of a namespace, and what they have read: the judges of what a meter sends.

Records are counted as (source, port, target, port, protocol, packets, bytes, …), each as often as there is one.
"""

import collections
import csv
import ipaddress
import json
import re
import signal
from pathlib import Path

from .lab import inside
from .proc import run, wait_until
from .tools import Tcpdump

UTC = {"TZ": "UTC"}


def sockets(ns, proto, port):
    """(state, bytes that wait to be read) of each socket bound to the port."""
    found = []
    with inside(ns):
        for name in (proto, proto + "6"):
            for line in Path(f"/proc/thread-self/net/{name}").read_text().splitlines()[1:]:
                words = line.split()
                if int(words[1].rsplit(":", 1)[1], 16) == port:
                    found.append((words[3], int(words[4].split(":")[1], 16)))
    return found


def until_bound(ns, proto, port):
    wait_until(lambda: sockets(ns, proto, port), 10, f"a collector at {port}")


def until_read(ns, proto, port):
    wait_until(lambda: all(size == 0 for _, size in sockets(ns, proto, port)), 20, f"the collector at {port} to read all")


def in_ns(ns, *argv, **kw):
    return run(["ip", "netns", "exec", ns, *argv], **kw)


class Nfcapd:
    """nfdump's, of Debian: NetFlow 5 and 9 and IPFIX."""

    def __init__(self, lab, port=2055, name="nfcapd", ns=None, address="127.0.0.1"):
        self.port, self.ns = port, ns or lab.collector
        self.store = lab.folder / name
        self.store.mkdir(exist_ok=True)
        self.proc = lab.start(["nfcapd", "-p", port, "-b", address, "-w", self.store, "-t", 60, "-B", 8 << 20], name, self.ns, env=UTC)
        until_bound(self.ns, "udp", port)

    def stop(self):
        until_read(self.ns, "udp", self.port)
        self.proc.stop(signal.SIGTERM, 20)
        return self

    def said(self):
        return self.proc.err() + self.proc.out()

    def rows(self):
        text = run(["nfdump", "-R", self.store, "-o", "csv"], env={"PATH": "/usr/bin:/bin", **UTC}).stdout
        return list(csv.DictReader(text.split("Summary")[0].splitlines()))


class Nfacctd:
    """pmacct's. Only SIGKILL ends it; it prints each two seconds what it has got since then."""

    CONF = """daemonize: false
nfacctd_ip: 127.0.0.1
nfacctd_port: {port}
nfacctd_time_new: true
nfacctd_pipe_size: 8388608
plugins: print
aggregate: src_host,dst_host,src_port,dst_port,proto,tos,vlan,flows
print_output: json
print_output_file: {out}
print_output_file_append: true
print_refresh_time: 2
print_history: 2
"""

    def __init__(self, lab, port=2055, more=""):
        self.lab, self.port = lab, port
        self.out, conf = lab.folder / "nfacctd.json", lab.folder / "nfacctd.conf"
        conf.write_text(self.CONF.format(port=port, out=self.out) + more)
        self.proc = lab.start(["nfacctd", "-f", conf], "nfacctd", lab.collector)
        for line in ("waiting for NetFlow/IPFIX data", "setting object handlers", "Purging cache - END"):
            self.proc.wait_line(line)  # it reads, and so does the process that adds up

    def records(self, n):
        """The lines, once they are of n records; its number of records is one of their figures."""
        def look():
            try:
                lines = [json.loads(line) for line in self.out.read_text().splitlines()] if self.out.exists() else []
            except json.JSONDecodeError:
                return None  # it is writing
            return lines if sum(line["flows"] for line in lines) >= n else None
        return wait_until(look, 30, f"{n} records of nfacctd", step=0.2)


class Stored:
    """A file into which socat writes what comes over a connection; one after the other, while it runs."""

    def __init__(self, lab, name="stored", port=4739, ns=None):
        ns = ns or lab.collector
        self.path = lab.folder / f"{name}.ipfix"
        self.proc = lab.start(["socat", "-u", f"TCP-LISTEN:{port},reuseaddr", f"OPEN:{self.path},creat,append"], name, ns)
        until_bound(ns, "tcp", port)

    def dumped(self):
        """ipfixDump's records, as {name: value}, without those of options; all of what was sent must have been read."""
        self.proc.wait(20)
        return ipfix_dump(self.path)


def ipfix_dump(path):
    text = run(["ipfixDump", "--in", path]).stdout
    records, options = [], {}
    for part in text.split("--- data record ")[1:]:
        record = dict(re.findall(r"^\t\((?:\d+/)?\d+\)(?: \(S\))?\s+(\w+) : (?:\(len: \d+\) )?(.*)$", part, re.MULTILINE))
        if "packetDeltaCount" in record:
            records.append(record)
        else:
            options |= record
    return records, options


class Shark:
    """tshark, of what tcpdump has seen on the way."""

    def __init__(self, lab, proto, port):
        self.lab, self.proto, self.port = lab, proto, port
        self.dump = Tcpdump(lab, lab.collector, "lo", f"wire-{port}", expr=f"{proto} dst port {port}", fast=True)

    def stop(self):
        self.dump.wait_quiet()
        self.dump.proc.stop()
        return self

    def rows(self, *fields):
        argv = ["tshark", "-r", self.dump.path, "-d", f"{self.proto}.port=={self.port},cflow", "-T", "fields", "-E", "separator=|"]
        for field in fields:
            argv += ["-e", field]
        return [[[v for v in cell.split(",") if v] for cell in line.split("|")] for line in run(argv).stdout.splitlines()]

    def sums(self):
        """Records, packets and bytes; and that there is nothing to remark, as an unexpected sequence is."""
        rows = self.rows("cflow.srcaddr", "cflow.srcaddrv6", "cflow.packets", "cflow.octets", "_ws.expert.message")
        remarks = collections.Counter(text for row in rows for text in row[4])
        assert not [text for text in remarks if "low" in text or "alformed" in text or "emplate" in text], remarks
        return (sum(len(row[0]) + len(row[1]) for row in rows), sum(int(v) for row in rows for v in row[2]),
                sum(int(v) for row in rows for v in row[3]))


def address(text):
    return str(ipaddress.ip_address(text))


