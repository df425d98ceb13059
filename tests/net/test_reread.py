# SPDX-License-Identifier: Apache-2.0
"""SIGHUP has the tap read its file again: what changed applies, and no frame is lost for it; a file that is wrong changes nothing."""

import signal

from lib.farspan import Collector, Tap, assert_balanced, assert_collector_balanced, assert_tap_balanced, farspan, one, own_name, own_port, parse_ledger, status, tap_stages
from lib.proc import wait_until
from lib.stream import Stream, numbers
from lib.tools import tshark

class Pair:
    """A tap by its file, and a collector with a file of frames."""

    def __init__(self, lab, name, **settings):
        self.lab, self.name = lab, name
        self.conf, self.frames = lab.folder / "tap.conf", lab.folder / "out.pcapng"
        self.write(**settings)
        self.collector = Collector(lab, key=None, device=None, file=self.frames)
        self.tap = lab.start([farspan(), "tap", "--config", self.conf, "--json"], "tap", lab.tap)
        self.tap.wait_line("session up", 30)

    def write(self, **settings):
        whole = {"interface": "mon0", "collector": "10.77.0.2:1234", "no-encryption": "yes", "name": self.name, **settings}
        lines = [f"{name.replace('_', '-')} = {value}" for name, values in whole.items()
                 for value in (values if isinstance(values, list) else [values])]
        self.conf.write_text("\n".join(["[tap]", *lines, ""]))

    def reload(self, says, **settings):
        self.write(**settings)
        times = self.tap.err().count(says) + 1
        self.tap.send(signal.SIGHUP)
        self.tap.wait_line(says, 20, times=times)

    def arrived(self, port):
        return sum(1 for row in tshark(self.frames, "udp.dstport") if row[0] == str(port))

    def finish(self):
        assert self.tap.stop(signal.SIGINT, 20) == 0, self.tap
        return parse_ledger(self.tap), self.collector.finish()


def test_what_changed_applies_and_nothing_is_lost(lab):
    """Another filter, stages that come and go, another rate, under traffic: each frame that was to pass all the time is there once."""
    pair = Pair(lab, own_name("reread"), filter="udp port 53", rate="50mbit")
    stream = Stream(lab)
    wait_until(lambda: tap_stages(status(pair.name))["ring"]["in"] > 100, 10, "frames by the first filter")
    pair.reload("was read again", filter="udp", rate="40mbit", stage=["filter udp", "slice headers"])
    wait_until(lambda: tap_stages(status(pair.name))["stages"]["sliced"] > 100, 10, "frames that are cut")
    assert status(pair.name)["limit"]["rate_bps"] == 40_000_000
    pair.reload("was read again", filter="udp port 53", rate="40mbit", stage="direction in", on_limit="drop")
    before = tap_stages(status(pair.name))["stages"]
    wait_until(lambda: tap_stages(status(pair.name))["stages"]["out"] > before["out"] + 100, 10, "frames by the last filter")
    sent = stream.end()
    ledger, there = pair.finish()
    assert_balanced(ledger, there)
    assert numbers(pair.frames, 53) == list(range(sent[53])), "a frame that was always to pass is missing, or there twice"
    other = numbers(pair.frames, 5060)
    assert other and other == list(range(other[0], other[0] + len(other))) and 0 < other[0] and other[-1] < sent[5060], other
    lengths = {int(row[0]) for row in tshark(pair.frames, "frame.cap_len")}
    assert lengths == {42, 242}, lengths
    assert tap_stages(ledger)["limit"]["drops"]["limit_full"] == 0


def test_interfaces_come_and_go(make_lab):
    """One that the file no longer names ends, with all that it had; one that it names now begins."""
    lab = make_lab(monitored=2)
    pair = Pair(lab, own_name("others"))
    first, second = Stream(lab), Stream(lab, "peer1")
    wait_until(lambda: tap_stages(status(pair.name), "mon0")["ring"]["in"] > 50, 10, "frames of the first")
    pair.reload("was read again", interface="mon1")
    wait_until(lambda: [i["name"] for i in status(pair.name)["interfaces"]] == ["mon1"], 20, lambda: status(pair.name)["interfaces"])
    wait_until(lambda: tap_stages(status(pair.name), "mon1")["link_tx"]["out"] > 50, 20, "frames of the second")
    pair.reload("was read again", interface=["mon0", "mon1"])
    wait_until(lambda: {i["name"] for i in status(pair.name)["interfaces"]} == {"mon0", "mon1"}, 20, lambda: status(pair.name)["interfaces"])
    first.end(), second.end()
    ledger, there = pair.finish()
    assert_tap_balanced(ledger)
    assert_collector_balanced(there)
    ways = ledger["interfaces"] + [ledger["gone_interfaces"]]  # of the first one, what it had counted before it came back
    known = one(there["taps"])["interfaces"]
    assert {i["name"] for i in known} == {"mon0", "mon1"} and ledger["gone_interfaces"]["count"] == 1, ledger["gone_interfaces"]
    assert sum(w["stages"]["link_tx"]["out"] for w in ways) == sum(i["stages"]["link_rx"]["out"] for i in known)


MISTAKES = [({"filter": "no such thing"}, "no such thing"), ({"snaplen": "100"}, "snaplen: another value needs a restart"),
            ({"mtu": "9"}, "nothing of it is used"), ({"rate": "1mbit"}, "rate where there was none"),
            ({"collector": "10.77.0.9:1"}, "collector: another value needs a restart"), ({"stage": "slice 0"}, "nothing of it is used"),
            ({"interface": []}, "nothing of it is used")]


def test_a_wrong_file_changes_nothing(lab):
    """Each mistake, and each setting that needs a restart, is told; the tap goes on as it was, and a right file is taken after that."""
    pair = Pair(lab, own_name("wrong"), filter="udp port 53")
    stream = Stream(lab)
    for settings, told in MISTAKES:
        pair.reload("SIGHUP: ", **{"filter": "udp port 53", **settings})
        assert told in pair.tap.err().splitlines()[-1], pair.tap.err()
    pair.conf.unlink()
    pair.tap.send(signal.SIGHUP)
    pair.tap.wait_line("SIGHUP: ", 20, times=len(MISTAKES) + 1)
    taken = tap_stages(status(pair.name))["ring"]["in"]
    wait_until(lambda: tap_stages(status(pair.name))["ring"]["in"] > taken + 50, 10, "frames go on")
    pair.reload("was read again", filter="udp port 5060")
    wait_until(lambda: tap_stages(status(pair.name))["ring"]["in"] > 0 and pair.arrived(5060) > 10, 20, "frames by the right file")
    sent = stream.end()
    assert_balanced(*pair.finish())
    before = numbers(pair.frames, 53)
    assert before == list(range(len(before))) and len(before) < sent[53], "of one filter, then of the other"


def test_a_collector_reads_its_stages_again(lab):
    """Another stage applies to the frames from then on, and none is lost; another output needs a restart."""
    conf, frames, port = lab.folder / "collector.conf", lab.folder / "out.pcapng", own_port()

    def write(*lines):
        conf.write_text("\n".join(["[collector]", f"port = {port}", "no-encryption = yes", "json = yes", *lines, ""]))

    def reload(says, *lines):
        write(*lines)
        times = collector.err().count(says) + 1
        collector.send(signal.SIGHUP)
        collector.wait_line(says, 20, times=times)

    write(f"write = {frames}")
    collector = lab.start([farspan(), "collector", "--config", conf], "collector", lab.collector)
    collector.wait_line("listening on", 20)
    tap = Tap(lab, key=None, to=f"10.77.0.2:{port}")
    stream = Stream(lab)

    def passed():
        stages = one(one(status(f"collector-{port}")["taps"])["interfaces"])["stages"]
        return stages.get("stages_rx", {"out": 0})  # before the first frame there are none

    wait_until(lambda: passed()["out"] > 100, 10, "frames before")
    reload("was read again", f"write = {frames}", "stage = slice headers", "stage = filter udp")
    wait_until(lambda: passed()["sliced"] > 100, 10, "frames that are cut")
    for settings, told in (((f"write = {frames}2",), "write: another value needs a restart"), ((f"write = {frames}", "stage = slice"), "nothing of it is used")):
        reload("SIGHUP: ", *settings)
        assert told in collector.err().splitlines()[-1], collector.err()
    reload("was read again", f"write = {frames}")
    cut = passed()["sliced"]
    wait_until(lambda: passed()["out"] > cut + 200, 10, "frames after")
    sent = stream.end()
    ledger = tap.finish()
    assert collector.stop(signal.SIGINT, 20) == 0, collector
    assert_balanced(ledger, parse_ledger(collector))
    for to in sent:
        assert numbers(frames, to) == list(range(sent[to]))
    assert {row[0] for row in tshark(frames, "frame.cap_len")} == {"42", "242"}
