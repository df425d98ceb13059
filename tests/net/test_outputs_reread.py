# SPDX-License-Identifier: Apache-2.0
"""SIGHUP has the collector read its file again: outputs come and go under traffic, and those that stay miss no frame."""

import signal

import pytest

from lib.farspan import Tap, assert_balanced, counts, farspan, one, own_name, own_port, parse_ledger, status
from lib.mirror import HERE, Mirrored, address_path
from lib.proc import wait_until
from lib.stream import Stream, numbers
from lib.tools import Tcpdump


class Reread:
    """A collector by its file, which has outputs besides a file of frames; and a tap."""

    def __init__(self, lab, outputs, *settings, tap=True):
        self.lab, self.port = lab, own_port()
        self.conf, self.frames = lab.folder / "collector.conf", lab.folder / "out.pcapng"
        self.settings = settings
        self.write(outputs)
        self.proc = lab.start([farspan(), "collector", "--config", self.conf, "--json"], "collector", lab.collector)
        self.proc.wait_line("listening on", 20)
        self.tap = Tap(lab, key=None, to=f"10.77.0.2:{self.port}", name=own_name("reread")) if tap else None

    def write(self, outputs):
        self.conf.write_text("\n".join(["[collector]", f"port = {self.port}", "no-encryption = yes", f"write = {self.frames}",
                                        *self.settings, *outputs, ""]))

    def reload(self, outputs, says="was read again"):
        self.write(outputs)
        times = self.proc.err().count(says) + 1
        self.proc.send(signal.SIGHUP)
        self.proc.wait_line(says, 20, times=times)

    def status(self):
        return status(f"collector-{self.port}")

    def names(self):
        return [o["name"] for o in self.status()["outputs"]]

    def file(self):
        """The name of the output to the file, as much of it as is shown."""
        return self.names()[0]

    def events(self, kind):
        return [(e["subject"], e["words"]) for e in self.status()["history"] if e["kind"] == kind]

    def output(self, name):
        return one(one(one(self.status()["taps"])["interfaces"])["outputs"], name)

    def wait_out(self, name, n):
        wait_until(lambda: name in [o["name"] for o in one(one(self.status()["taps"])["interfaces"])["outputs"]], 20, name)
        before = self.output(name)["out"]
        wait_until(lambda: self.output(name)["out"] >= before + n, 20, lambda: f"{n} more of {name}: {self.output(name)}")

    def finish(self):
        mine = self.tap.finish() if self.tap else None
        assert self.proc.stop(signal.SIGINT, 20) == 0, self.proc
        return mine, parse_ledger(self.proc)


def port(lab, name):
    """A port of the collector's host, and its other end in the peer's."""
    lab.ip(lab.collector, "link", "add", name, "type", "veth", "peer", "name", f"{name}p", "netns", lab.peer)
    for ns, dev in ((lab.collector, name), (lab.peer, f"{name}p")):
        lab.ip(ns, "link", "set", dev, "up")


@pytest.mark.parametrize("threads", (1, 2))
def test_outputs_come_and_go(lab, threads):
    """One that goes gets all that was given to it before; one that comes gets all from then on; the file misses nothing."""
    port(lab, "probe0"), port(lab, "probe1")
    pair = Reread(lab, ["output = probe0"], f"threads = {threads}")
    first, second = (Tcpdump(lab, lab.peer, f"probe{i}p", f"probe{i}", direction="in", fast=True) for i in range(2))
    stream = Stream(lab)
    pair.wait_out("probe0", 100)
    pair.reload(["output = probe0", "output = probe1"])
    pair.wait_out("probe1", 100)
    pair.reload(["output = probe1"])
    wait_until(lambda: pair.names() == [pair.file(), "probe1"], 20, pair.names)
    wait_until(lambda: pair.events("output-removed"), 10, "the end of the first")
    pair.wait_out("probe1", 100)
    sent = stream.end()
    total = sum(sent.values())
    wait_until(lambda: pair.output(pair.file())["in"] == total, 20, lambda: pair.output(pair.file()))
    subject, words = one_of(pair.events("output-removed"))
    assert subject == "probe0" and words.endswith(" 0 dropped"), words
    written = int(words.split(": ")[1].split()[0])
    assert one_of(pair.events("output-added")) == ("probe1", "is an output from now on")
    mine, there = pair.finish()
    assert_balanced(mine, there, sent=total, came={"probe1"})
    last = one(one(one(there["taps"])["interfaces"])["outputs"], "probe1")
    assert counts(last)["out"] == counts(last)["in"], last
    first.wait_count(written), second.wait_count(last["out"])
    first.stop(), second.stop()
    assert numbers(pair.frames, 53) == list(range(sent[53])), "the file misses frames, or has some twice"
    before, after = numbers(first.path, 53), numbers(second.path, 53)
    assert before == list(range(before[-1] + 1)), "the port that went misses frames"
    assert after == list(range(after[0], sent[53])), "the port that came misses frames"
    assert after[0] <= before[-1], "for a while both were there"


def one_of(items):
    assert len(items) == 1, items
    return items[0]


def test_what_cannot_be_opened_changes_nothing(lab):
    """A file with an output that is not there is refused as a whole, and so is one without any that it needs."""
    port(lab, "probe0"), port(lab, "probe1")
    lab.ip(lab.collector, "addr", "add", "192.0.2.9/24", "dev", "probe1")
    pair = Reread(lab, ["output = probe0"])
    stream = Stream(lab)
    pair.wait_out("probe0", 10)
    for outputs, words in ((["output = nowhere0"], "nowhere0"), (["output = probe1"], "force"), (["output = vxlan://192.0.2.1"], "VNI"),
                           (["output = probe0", "bind = 10.77.0.2"], "bind: another value needs a restart")):
        pair.reload(outputs, says=words)
    assert pair.names() == [pair.file(), "probe0"] and not pair.events("output-added") and not pair.events("output-removed")
    pair.wait_out("probe0", 10)
    stream.end()
    assert_balanced(*pair.finish())


def test_mirrored_frames_too(lab):
    """Outputs of what comes without a tap, by the same file; none was there at the start."""
    address_path(lab)
    port(lab, "probe0")
    pair = Reread(lab, [], "vxlan = 4789", "from = 192.0.2.0/24", tap=False)
    from test_mirror import frame, vxlan
    sender = lab.socket(lab.peer)
    captured = Tcpdump(lab, lab.peer, "probe0p", "probe0", direction="in", fast=True)

    def send(numbers):
        for i in numbers:
            sender.sendto(vxlan(frame(i)), (HERE[4], 4789))

    def written(name):
        point = one(one_of(pair.status()["mirrored"]["senders"])["interfaces"])
        return {o["name"]: o["out"] for o in point["outputs"]}.get(name, 0)

    send(range(10))
    wait_until(lambda: pair.status()["mirrored"]["senders"] and written(pair.file()) == 10, 10, "ten in the file")
    pair.reload(["output = probe0"])
    wait_until(lambda: pair.names() == [pair.file(), "probe0"], 10, pair.names)
    wait_until(lambda: send([99]) or written("probe0") > 0, 10, "the first of the port")
    send(range(100, 200))
    wait_until(lambda: written("probe0") >= 100, 10, lambda: pair.status()["mirrored"])
    pair.reload([])
    wait_until(lambda: pair.events("output-removed"), 10, "the end of the port")
    send(range(10, 20))
    _, there = pair.finish()
    point = one(one_of(there["mirrored"]["senders"])["interfaces"])
    assert [o["kind"] for o in point["outputs"]] == ["file"] and one(point["outputs"])["out"] == point["stages"]["mirror"]["out"]
    captured.wait_count(101)
    captured.stop()


def test_outputs_with_names(lab):
    """Sections of their own: each by its name in the status; one that changes its queue goes and comes; -o on the line replaces them."""
    port(lab, "probe0"), port(lab, "probe1")
    sections = ["[output left]", "to = probe0", "[output right]", "to = probe1", "queue = 4M"]
    pair = Reread(lab, sections)
    stream = Stream(lab)
    pair.wait_out("left", 10)
    assert pair.names()[1:] == ["left", "right"]
    pair.reload([*sections[:-1], "queue = 8M"])
    wait_until(lambda: pair.events("output-removed"), 10, "the end of one")
    pair.wait_out("right", 10)
    assert [subject for subject, _ in pair.events("output-added")] == ["right"]
    pair.reload(["[output left]", "to = probe0", "[output left]", "to = probe1"], says='there is an output "left" already')
    pair.reload(["[output left]"], says="has no output")
    stream.end()
    mine, there = pair.finish()
    assert_balanced(mine, there, came={"right"})
    pair.write(sections)
    other = lab.start([farspan(), "collector", "--config", pair.conf, "-o", "probe1", "--json"], "line", lab.collector)
    other.wait_line("listening on", 20)
    assert pair.names()[1:] == ["probe1"]
    assert other.stop(signal.SIGINT, 20) == 0, other


def test_many_changes(lab):
    """Twenty in a row under traffic: what was written and dropped in all adds up, and the file has each frame."""
    port(lab, "probe0")
    pair = Reread(lab, [], "output-queue = 2M")
    stream = Stream(lab)
    for turn in range(20):
        there = turn % 2 == 0
        pair.reload(["output = probe0"] if there else [])
        wait_until(lambda: ("probe0" in pair.names()) == there, 20, pair.names)
    sent = stream.end()
    wait_until(lambda: len(pair.events("output-removed")) == 10, 10, lambda: pair.events("output-removed"))
    mine, doc = pair.finish()
    assert_balanced(mine, doc, sent=sum(sent.values()))
    assert numbers(pair.frames, 53) == list(range(sent[53]))
