# SPDX-License-Identifier: Apache-2.0
"""`farspan serve` reads its files again on SIGHUP: what changed applies, captures and connections go on, and a file that is wrong changes nothing."""

import json
import os
import signal

from lib.proc import wait_until
from lib.serve import Connection, Pcapng, Service, assert_counts, now, number_of
from lib.tools import start_framegen


class Reread(Service):
    """A service by its file. `settings` are lines of [serve]; those with several values are there several times."""

    def __init__(self, lab, *words, **settings):
        self.conf = lab.folder / "farspan.conf"
        self.write(**settings)
        super().__init__(lab, *words, interfaces=(), ports=())
        wait_until(lambda: "mon0" in self.names(local=True), 10, "the port mon0")

    def start(self, ports=()):
        line = [w for i, w in enumerate(self.argv) if w != "--anonymous" and self.argv[i - 1] != "--anonymous"]
        self.argv = [*line, "--config", self.conf]
        super().start(ports)

    def write(self, *more, **settings):
        whole = {"interface": "mon0", "anonymous": "capture", **settings}
        lines = [f"{name.replace('_', '-')} = {value}" for name, values in whole.items()
                 for value in (values if isinstance(values, list) else [values])]
        self.conf.write_text("\n".join(["[serve]", *lines, *more, ""]))

    def hangup(self, says):
        times = self.proc.err().count(says) + 1
        self.proc.send(signal.SIGHUP)
        self.proc.wait_line(says, 20, times=times)

    def wait_status(self, status, path="/v1/captures", **kw):
        wait_until(lambda: self.ask("GET", path, **kw).status == status, 10, lambda: f"{status} of {self.ask('GET', path, **kw)}")

    def names(self, **kw):
        return {p["name"] for p in self.get("/v1/ports?there=true", **kw)["ports"]}


def test_what_changed_applies(make_lab):
    """Rights, names of the host and ports are others at once. A capture of a port that is none any more goes on, a connection too."""
    lab = make_lab(monitored=2)
    service = Reread(lab)
    roles = {name: service.role(name) for name in ("data", "control")}
    kept = Connection(service.ns)
    kept.request("GET", "/v1/captures")
    assert kept.getresponse().read()
    capture = service.create(stop=now(60), filter="udp")
    service.wait_begun(capture)
    sender = start_framegen(lab, 20000, 5000, kinds="udp4")

    host = {"headers": {"Host": "tap.example"}}
    assert service.ask("GET", "/v1/captures", **host).status == 403
    service.write(host=["tap.example", "other.example"], interface=["mon1"])
    service.hangup("was read again")
    service.wait_status(200, **host)
    wait_until(lambda: service.names() == {"mon1"}, 10, lambda: service.names())
    assert service.create(points=["mon1"], stop=now(60))["points"] == ["mon1"]

    service.write(anonymous="read", interface="mon*")
    service.hangup("anyone on this host may look")
    wish = {"type": "packet", "points": ["mon0"], "limit_frames": 1}
    wait_until(lambda: service.ask("POST", "/v1/captures", wish).status in (401, 403), 10, "no right to capture")
    service.wait_status(403, **host)
    wait_until(lambda: service.names() == {"mon0", "mon1"}, 10, lambda: service.names())

    service.write(anonymous="none")
    service.hangup("was read again")
    service.wait_status(401)
    wait_until(lambda: service.names(local=True) == {"mon0"}, 10, lambda: service.names(local=True))
    kept.request("GET", "/healthz")  # it is the connection of the beginning
    assert kept.getresponse().read() is not None
    kept.close()

    assert sender.wait(20) == 0, sender
    wait_until(lambda: service.show(capture, local=True)["frames"] == 20000, 20, lambda: service.show(capture, local=True))
    assert service.ask("POST", f"/v1/captures/{capture['id']}/cancel", local=True).status in (200, 202)
    wait_until(lambda: service.show(capture, local=True)["state"] == "cancelled", 20, lambda: service.show(capture, local=True))
    ended = service.show(capture, local=True)
    assert_counts(ended)
    got = [number_of(f.data) for f in Pcapng(service.raw(capture, local=True).body).frames]
    assert got == list(range(20000)) and ended["dropped"] == 0 and not ended["gaps"][1:], ended
    assert {name: service.role(name) for name in roles} == roles


def test_wrong_files(lab):
    """A mistake is named with its line, and a setting that needs a restart by its name; all stays as it was."""
    service = Reread(lab)
    for write, says in ((lambda: service.write("colour = blue", anonymous="none"), f"{service.conf}:4: "),
                        (lambda: service.write(anonymous="some"), f"{service.conf}:3: "),
                        (lambda: service.write(listen="127.0.0.1:2021", anonymous="none"), "listen: another value needs a restart"),
                        (lambda: service.write(netns="other", anonymous="none"), "netns: another value needs a restart"),
                        (service.conf.unlink, "No such file")):
        write()
        service.hangup(says)
        assert service.ask("GET", "/v1/captures").status == 200
        assert "was read again" not in service.proc.err()
    service.write(anonymous="none")
    service.hangup("was read again")
    service.wait_status(401)


def test_a_role_that_starts_again(lab):
    """It has the settings that were read last."""
    service = Reread(lab, anonymous="none")
    service.wait_status(401)
    service.write(anonymous="capture", interface=["mon0", "lo"])
    service.hangup("was read again")
    service.wait_status(200)
    for name in ("control", "data"):
        before = service.role(name)
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: service.role(name) not in (None, before), 10, f"the {name} role")
        wait_until(lambda: service.names(local=True) == {"mon0", "lo"}, 20, lambda: service.names(local=True))
        service.wait_status(200)


def test_opentap_file(lab):
    """The file of --opentap-conf is read again, too; its address needs a restart."""
    opentap = lab.folder / "opentap.conf"
    opentap.write_text("name: first\nretention: 60\nwebsrv-addr: 127.0.0.1:2020\n")
    service = Service(lab, "--opentap-conf", opentap)

    def said():
        got = service.ask("GET", "/capabilities")
        return json.loads(got.body)["name"] if got.status == 200 else None

    def hangup(says):
        times = service.proc.err().count(says) + 1
        service.proc.send(signal.SIGHUP)
        service.proc.wait_line(says, 20, times=times)

    assert said() == "first"
    opentap.write_text("name: second\nretention: 90\nwebsrv-addr: 127.0.0.1:2020\n")
    hangup("was read again")
    wait_until(lambda: said() == "second", 10, said)
    assert json.loads(service.ask("GET", "/capabilities").body)["retention"] == "90"
    opentap.write_text("name: third\nwebsrv-addr: 127.0.0.1:2021\n")
    hangup("needs a restart")
    opentap.write_text("name: third\nretention: much\n")
    hangup("opentap.conf: line 2: ")
    assert said() == "second"


def test_without_files(lab):
    """There is nothing to read; the service goes on."""
    service = Service(lab)
    service.proc.send(signal.SIGHUP)
    service.proc.wait_line("SIGHUP: there is no file", 10)
    assert service.ask("GET", "/v1/captures").status == 200
