# SPDX-License-Identifier: Apache-2.0
"""The contenders that are measured side by side: each brings the frames of `far`'s eth0 to `home`, and says how many arrived there.

start() returns when it is ready; programs() are the processes whose CPU time counts; settle(sent) returns when everything has
arrived or nothing more does; stop() gives the frames that arrived at the very end, as counted there, and a word about what was
lost on the way.
"""

import json
import os
import time
from pathlib import Path

from hosts import ADDRESS, Drain, Program, frames_in, has_device, on, run, wait_until

WORK = Path("/run/bench")
QUIET = 0.15  # seconds without a new frame: nothing more comes
BUFFER_KIB = 16384  # of the capture, for each program the same


def settle_on(count, wanted, quiet=QUIET):
    """Until the count is there, or has not changed for a while."""
    last, since = count(), time.monotonic()
    while last < wanted and time.monotonic() - since < quiet:
        time.sleep(0.02)
        now = count()
        if now != last:
            last, since = now, time.monotonic()
    return last


class Farspan:
    """tap and collector, encrypted. With the TAP device, or writing pcapng into a pipe."""

    def __init__(self, program, device):
        self.program, self.device = program, device
        self.name = "farspan, TAP device" if device else "farspan, pipe"

    def start(self):
        self.drain = None if self.device else Drain(WORK / "pipe")
        output = ["-i", "ntap0"] if self.device else ["-w", WORK / "pipe"]
        words = ["--key-file", WORK / "key", "--json"]
        self.collector = Program("home", self.program, "collector", "-p", 1234, *words, *output, out=WORK / "collector.json")
        self.collector.wait_says("listening on")
        self.tap = Program("far", self.program, "tap", "-i", "eth0", "-c", f"{ADDRESS['home']}:1234", "-B", BUFFER_KIB, *words,
                           out=WORK / "tap.json")
        self.tap.wait_says("session up")

    def programs(self):
        return [self.tap, self.collector]

    def settle(self, sent, size_on_disk):
        if self.device:
            self.seen = settle_on(lambda: frames_in("home", "ntap0"), sent)
        else:
            settle_on(lambda: self.drain.bytes, float("inf"))

    def stop(self):
        self.tap.stop()
        self.collector.stop()
        tap = json.loads((WORK / "tap.json").read_text())["interfaces"][0]["stages"]
        home = json.loads((WORK / "collector.json").read_text())["taps"][0]["interfaces"][0]
        output = home["outputs"][0]
        stages = {**tap, "link_rx": home["stages"]["link_rx"], "sink": output}
        lost = {f"{stage}.{reason}": n for stage, s in stages.items() for reason, n in s.get("drops", {}).items() if n}
        if self.device and self.seen != output["out"]:
            lost["the device's own count differs by"] = output["out"] - self.seen
        if self.drain and self.drain.stop() < output["bytes"]:
            lost["bytes in the pipe"] = output["bytes"]
        return output["out"], lost


class TcpdumpTls:
    """tcpdump's output through TLS into a pipe: what people do by hand. `live`: tcpdump does not hold frames back."""

    TIMEOUT = 1.3  # tcpdump asks the kernel to hold a block back for a second, and forgets it if it ends before

    def __init__(self, live):
        self.name = "tcpdump -U through TLS" if live else "tcpdump through TLS"
        self.live = ["-U"] if live else []

    def start(self):
        if not (WORK / "tls.pem").exists():
            run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=home", "-days", 1, "-keyout",
                WORK / "tls.key", "-out", WORK / "tls.crt")
            (WORK / "tls.pem").write_text((WORK / "tls.key").read_text() + (WORK / "tls.crt").read_text())
        self.drain = Drain(WORK / "pipe")
        self.server = Program("home", "socat", "-u", "-b", 65536, f"OPENSSL-LISTEN:4433,reuseaddr,cert={WORK}/tls.pem,verify=0",
                              f"OPEN:{WORK}/pipe,wronly")
        wait_until(lambda: "4433" in on("home", "ss", "-Hltn"), "the TLS server")
        reader, writer = os.pipe()
        self.capture = Program("far", "tcpdump", *self.live, "-B", BUFFER_KIB, "-s", 0, "-w", "-", "-i", "eth0", stdout=writer)
        self.client = Program("far", "socat", "-u", "-b", 65536, "-", f"OPENSSL:{ADDRESS['home']}:4433,verify=0", stdin=reader)
        os.close(reader), os.close(writer)
        self.capture.wait_says("listening on")
        wait_until(lambda: on("home", "ss", "-Htn", "state", "established", "sport = :4433").strip(), "the TLS connection")

    def programs(self):
        return [self.capture, self.client, self.server]

    def settle(self, sent, size_on_disk):
        self.sent, self.wanted = sent, size_on_disk
        settle_on(lambda: self.drain.bytes, size_on_disk, self.TIMEOUT)

    def stop(self):
        self.capture.stop()
        wait_until(lambda: self.client.process.poll() is not None, "the TLS client's end", 30)
        wait_until(lambda: self.server.process.poll() is not None, "the TLS server's end", 30)
        self.client.stop()
        self.server.stop()
        arrived = self.drain.stop()
        if arrived == self.wanted:
            return self.sent, {}
        per_frame = (self.wanted - 24) / self.sent
        return max(0, round((arrived - 24) / per_frame)), {"bytes": self.wanted - arrived}


class Vxlan:
    """The kernel alone: tc's mirred to a VXLAN device. Nothing is encrypted."""

    name = "mirred + VXLAN, clear"
    under, address = "uplink", ADDRESS

    def start(self):
        for host, other in (("far", "home"), ("home", "far")):
            on(host, "ip", "link", "add", "vx0", "type", "vxlan", "id", 7, "local", self.address[host], "remote",
               self.address[other], "dstport", 4789, "dev", self.under)
            on(host, "ip", "addr", "add", f"10.77.4.{1 if host == 'far' else 2}/24", "dev", "vx0")
            on(host, "ip", "link", "set", "vx0", "up")
        on("far", "tc", "qdisc", "add", "dev", "eth0", "clsact")
        on("far", "tc", "filter", "add", "dev", "eth0", "ingress", "protocol", "all", "prio", 1, "u32", "match", "u32", 0, 0,
           "action", "mirred", "egress", "mirror", "dev", "vx0")
        on("far", "ping", "-q", "-c", 20, "-i", 0.01, "-W", 5, "10.77.4.2")  # the way is open, and warm
        self.before = frames_in("home", "vx0")

    def programs(self):
        return []

    def settle(self, sent, size_on_disk):
        self.sent = sent
        self.arrived = settle_on(lambda: frames_in("home", "vx0") - self.before, sent)

    def stop(self):
        on("far", "tc", "qdisc", "del", "dev", "eth0", "clsact")
        for host in ADDRESS:
            on(host, "ip", "link", "del", "vx0")
        return self.arrived, {"on the way": self.sent - self.arrived} if self.arrived != self.sent else {}


class Wireguard(Vxlan):
    """The same through wireguard-go, as where the kernel has no WireGuard of its own."""

    name = "wireguard-go + VXLAN"
    under, address = "wg0", {"far": "10.77.3.1", "home": "10.77.3.2"}

    def start(self):
        keys = {host: run("wg", "genkey").strip() for host in ADDRESS}
        public = {host: run("wg", "pubkey", input=key).strip() for host, key in keys.items()}
        self.daemons = []
        for host, other in (("far", "home"), ("home", "far")):
            device = f"wg-{host}"  # its status socket's name, which the hosts share
            self.daemons.append(Program(host, "wireguard-go", "-f", device,
                                        env={"WG_PROCESS_FOREGROUND": "1", "WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD": "1",
                                             "LOG_LEVEL": "error"}))
            wait_until(lambda: has_device(host, device) and Path(f"/run/wireguard/{device}.sock").exists(), device)
            (WORK / "wg.key").write_text(keys[host])
            on(host, "wg", "set", device, "listen-port", 51820, "private-key", WORK / "wg.key", "peer", public[other],
               "endpoint", f"{ADDRESS[other]}:51820", "allowed-ips", f"{self.address[other]}/32")
            on(host, "ip", "link", "set", device, "name", "wg0")
            on(host, "ip", "addr", "add", f"{self.address[host]}/24", "dev", "wg0")
            on(host, "ip", "link", "set", "wg0", "mtu", 1420, "up")
        on("far", "ping", "-q", "-c", 1, "-W", 5, self.address["home"])
        super().start()

    def programs(self):
        return self.daemons

    def stop(self):
        result = super().stop()
        for daemon in self.daemons:
            daemon.stop()
        return result
