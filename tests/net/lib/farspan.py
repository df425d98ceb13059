# SPDX-License-Identifier: Apache-2.0
"""The product as its users run it, and what its ledger must say."""

import json
import os
import re
import shutil
import signal
import tempfile
from pathlib import Path

from .proc import run, wait_until
from .tools import BUILD

PASS = "hello-from-the-tests"
PORT = 1234


def farspan():
    """The program under test."""
    return Path(os.environ.get("FARSPAN", BUILD / "farspan")).resolve()


def everyones_farspan(lab):
    """A copy that a user without privileges can reach."""
    where = Path(tempfile.mkdtemp(prefix="fs-"))
    where.chmod(0o755)
    lab.closers.append(lambda: shutil.rmtree(where, ignore_errors=True))
    copy = where / "farspan"
    shutil.copy(farspan(), copy)
    copy.chmod(0o755)
    return copy


def key_words(key):
    """'-K' words for None, '-k' for a passphrase, as they are for a list."""
    if key is None:
        return ["-K"]
    return ["-k", key] if isinstance(key, str) else [str(k) for k in key]


def parse_ledger(proc):
    text = proc.out()
    try:
        return json.loads(text)
    except ValueError:
        raise AssertionError(f"no ledger as one JSON document from {proc}\nstdout: {text[-2000:]!r}") from None


class Collector:
    """A running `farspan collector`, ready for taps."""

    def __init__(self, lab, *words, key=PASS, port=PORT, ns=None, device="ntap0", file=None, name="collector", ready=True, json=True,
                 prefix=(), **kw):
        self.lab, self.ns, self.file, self.has_json = lab, ns or lab.collector, file, json
        argv = [*prefix, farspan(), "collector", "-p", port, *key_words(key), *(["-i", device] if device else []),
                *(["-w", file] if file else []), *(["--json"] if json else []), *words]
        self.proc = lab.start(argv, name, self.ns, **kw)
        if ready:
            self.proc.wait_line("listening on", 20)
            if device and "%" not in device:
                wait_until(lambda: lab.has_device(self.ns, device), 5, f"device {device}")

    def finish(self, number=signal.SIGINT, status=0):
        """Ends it; its ledger."""
        got = self.proc.stop(number, 20)
        assert got == status, f"status {status} expected: {self.proc}"
        return parse_ledger(self.proc) if self.has_json else None


class Tap:
    """A running `farspan tap`, its session up."""

    def __init__(self, lab, *words, interfaces=("mon0",), key=PASS, to=f"10.77.0.2:{PORT}", ns=None, name="tap", up=True, json=True,
                 prefix=(), **kw):
        self.lab, self.has_json = lab, json
        argv = [*prefix, farspan(), "tap", *(w for i in interfaces for w in ("-i", i)), "-c", to, *key_words(key), "--name", name,
                *(["--json"] if json else []), *words]
        self.proc = lab.start(argv, name, ns or lab.tap, **kw)
        if up:
            self.wait_up()

    def wait_up(self, times=1, seconds=30):
        self.proc.wait_line("session up", seconds, times)

    def finish(self, number=signal.SIGINT, status=0):
        got = self.proc.stop(number, 20)
        assert got == status, f"status {status} expected: {self.proc}"
        return parse_ledger(self.proc) if self.has_json else None


def own_name(word):
    """A name that no other run of the tests on this machine uses: all status sockets are in one folder."""
    return f"{word}-{os.getpid()}"


def own_port():
    """The same for a collector, which is named after its port."""
    return 20000 + os.getpid() % 20000


def status_socket(name):
    return Path("/run/farspan") / f"{name}.sock"


def status(name):
    """The answer of `farspan status NAME --json`."""
    told = json.loads(run([farspan(), "status", name, "--json"]).stdout)
    assert isinstance(told, list), told
    return one(told, name)


def one(items, name=None):
    """The item of that name, or the only one."""
    found = [i for i in items if name is None or i["name"] == name]
    assert len(found) == 1, f"one {name or 'item'} expected: {[i.get('name') for i in items]}"
    return found[0]


def drops(stage):
    return sum(stage.get("drops", {}).values())


def counts(stage):
    """The counts of a stage, without those that stayed at 0."""
    assert stage["in_flight"] == 0
    return {k: v for k, v in {**stage, **stage["drops"]}.items() if v and k != "drops"}


def assert_stage(where, stage):
    out = stage["out"] + stage.get("flow_messages", 0)
    assert stage["in"] + stage.get("made", 0) == out + drops(stage), f"{where} does not balance: {json.dumps(stage)}"
    assert stage.get("in_flight", 0) == 0, f"{where} still has frames in flight: {json.dumps(stage)}"


def tap_stages(tap, interface=None):
    return one(tap["interfaces"], interface)["stages"]


def assert_chain(where, stages):
    """Each of the stages, which are in their order, balances, and takes in what the one before it passed on."""
    before = None
    for name, stage in stages.items():
        assert_stage(f"{where} {name}", stage)
        assert before is None or before["out"] == stage["in"], f"{where} {name}: {json.dumps(stages)}"
        before = stage


def assert_tap_balanced(tap):
    """Each stage of a tap balances, and takes in what the one before it passed on."""
    for interface in tap["interfaces"]:
        stages = interface["stages"]
        assert list(stages)[:3] == ["ring", "select", "cut"] and list(stages)[-1] == "link_tx", list(stages)
        assert_chain(interface["name"], stages)
        sent = stages["link_tx"]
        assert sent["out"] == sent["confirmed"] + sent["reported_lost"] + sent["unconfirmed"], f"frames that are in no figure: {sent}"


def assert_given(where, way, outputs, came=()):
    """All of `outputs` were given what was received, each frame of it; `way`: an interface, or the sum of some.

    Those that `came` while frames did have some of it.
    """
    assert_chain(where, way["stages"])
    received = list(way["stages"].values())[-1]
    names = [output["name"] for output in way["outputs"]]
    assert sorted(names) == outputs or (not names and received["out"] == 0), f"{where}: {names} of {outputs}: {way}"
    for output in way["outputs"]:
        assert_stage(f"{where} output {output['name']}", output)
        had = output["in"] <= received["out"] if output["name"] in came else output["in"] == received["out"]
        assert had, f"{where}: {output['name']} got not all {received['out']} frames: {output}"


def assert_collector_balanced(collector, came=()):
    """Each stage balances, and what came off the link is what each output took in, for each interface of each tap."""
    outputs = sorted(output["name"] for output in collector["outputs"])
    for tap in collector["taps"]:
        for way in tap["interfaces"] + ([tap["gone_interfaces"]] if "gone_interfaces" in tap else []):
            assert_given(f"{tap['name']} {way.get('name', 'gone')}", way, outputs, came)
    if "mirrored" in collector:
        assert_mirrored_balanced(collector["mirrored"], outputs)
    if "forgotten" in collector:
        assert_given("forgotten", collector["forgotten"], outputs)


def assert_mirrored_balanced(mirrored, outputs):
    """The same of frames that came without a tap; the packets that gave none are counted by reason."""
    others = mirrored["stages"]["mirror"]
    assert_stage("mirrored", others)
    assert others["out"] == 0, others
    gone = [mirrored["gone_interfaces"]] if "gone_interfaces" in mirrored else []
    for way in gone + [interface for sender in mirrored["senders"] for interface in sender["interfaces"]]:
        assert_given(way.get("name", "gone"), way, outputs)


def assert_balanced(tap, collector, sent=None, delivered=None, lost=0, name=None, told=True, came=()):
    """From the wire at the tap to each output of the collector: nothing unaccounted, and the counts are the real ones.

    `sent`: frames that were on the watched interfaces and passed the filter; `delivered`: those that were written;
    `lost`: those that may be missing between the two ends; `told`: the collector's last report has reached the tap;
    `came`: outputs that were added while frames came.
    """
    assert_tap_balanced(tap)
    assert_collector_balanced(collector, came)
    peer = one(collector["taps"], name or tap.get("name"))
    received = total = 0
    for interface in tap["interfaces"]:
        stages = interface["stages"]
        there = one(peer["interfaces"], interface["name"])
        got = there["stages"]["link_rx"]
        assert stages["link_tx"]["out"] == got["in"], f"the ends differ: {stages['link_tx']} and {got}"
        passed = got["out"] + got.get("flow_messages", 0)
        assert got["in"] - passed == drops(got)
        confirmed = (stages["link_tx"]["confirmed"], stages["link_tx"]["reported_lost"], stages["link_tx"]["unconfirmed"])
        assert not told or confirmed == (passed, drops(got), 0), f"the tap was told {confirmed}, the collector has {got}"
        assert there["tap_stages"]["link_tx"]["out"] == got["in"], f"the tap's own figures, as the collector knows them: {there}"
        total += stages["ring"]["in"]
        received += got["out"]
    if lost == 0:
        for interface in peer["interfaces"]:
            assert drops(interface["stages"]["link_rx"]) == 0, interface
    if sent is not None:
        assert total == sent, f"{sent} frames were sent, the tap's ring counts {total}"
    if delivered is not None:
        assert received == delivered, f"{delivered} frames expected, the collector counts {received}"


def find_numbers(tree, word):
    """The sum of all numbers in a JSON tree whose key contains the word."""
    if isinstance(tree, dict):
        return sum(v if word in k and isinstance(v, int) else find_numbers(v, word) for k, v in tree.items())
    return sum(find_numbers(v, word) for v in tree) if isinstance(tree, list) else 0


def keygen(lab, name):
    """Makes a key pair: the file of the private one, and the public one as printed."""
    file = lab.folder / f"{name}.key"
    done = run([farspan(), "keygen", "-o", file])
    assert file.stat().st_mode & 0o777 == 0o600
    return file, done.stdout.split()[-1]


def allow_file(lab, **taps):
    """A collector's list of the taps it lets in: a public key and a name on each line."""
    file = lab.folder / "allow"
    file.write_text("# the taps of this test\n" + "".join(f"{key} {name}\n" for name, key in taps.items()))
    return file


def says(proc, pattern, seconds=15.0):
    """Until the program's messages match a regular expression (case does not count); the match."""
    return wait_until(lambda: re.search(pattern, proc.err(), re.I), seconds, lambda: f"/{pattern}/ from {proc}")
