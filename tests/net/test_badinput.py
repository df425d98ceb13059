# SPDX-License-Identifier: Apache-2.0
"""Bad input gives one clear line that names what is wrong, status 1 (2 for usage), and spoils nothing received before."""

import os
import re

import pytest

from lib.farspan import PORT, Collector, Tap, assert_collector_balanced, everyones_farspan, farspan, one, own_name, says, status
from lib.proc import run, wait_until
from lib.tools import Tcpdump, assert_same, compare, framegen


@pytest.fixture
def key(lab):
    file = lab.folder / "key"
    file.write_text("a passphrase\n")
    file.chmod(0o600)
    return ["--key-file", file]


def fails(ns, argv, pattern, status=1, prefix=()):
    """The program ends by itself with this status and one line that matches."""
    done = run(["ip", "netns", "exec", ns, *prefix, *argv], check=False, timeout=20)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert done.returncode == status, f"status {done.returncode}: {done.stderr}"
    if status == 1:
        assert len(lines) == 1, f"one line expected: {done.stderr}"
    assert re.search(pattern, done.stderr, re.I), f"/{pattern}/ expected: {done.stderr}"
    assert done.stdout == ""
    return done.stderr


def tap_words(key, *words, interface="mon0", to=f"10.77.0.2:{PORT}"):
    return [farspan(), "tap", "-i", interface, "-c", to, *key, *words]


@pytest.mark.parametrize("words, pattern", [
    (["-f", "tcp prot 80"], "syntax error"),
    (["-f", "host nosuch.invalid"], "nosuch.invalid"),
    (["tcp", "and", "arp"], "rejects all packets"),
    (["-f", "vlan 5 and"], "syntax error"),
])
def test_bad_filter(lab, key, words, pattern):
    """libpcap's own message appears."""
    fails(lab.tap, tap_words(key, *words), pattern)


def test_unknown_interface(lab, key):
    fails(lab.tap, tap_words(key, interface="nosuch0"), "nosuch0")


def test_one_unknown_interface_of_two(lab, key):
    fails(lab.tap, tap_words(key, "-i", "nosuch0"), "nosuch0")


@pytest.mark.parametrize("content, pattern", [
    (None, "No such file"), (b"", "empty"), (b"\n", "empty"), (b"\nsecond line\n", "empty"), (b"\0\xff\xfe", "zero byte"),
    (b"half a\0passphrase\n", "zero byte"), (b"x" * 1025, "1 to 1024 bytes"), (b"x" * 70000, "larger than")],
    ids=["missing", "empty", "empty-line", "empty-first-line", "binary", "zero-byte", "long", "huge"])
@pytest.mark.parametrize("end", ["tap", "collector"])
def test_bad_key_file(lab, end, content, pattern):
    """One line names the file and says what is wrong with it, and no warning about its mode stands before that."""
    file = lab.folder / "bad"
    if content is not None:
        file.write_bytes(content)
        file.chmod(0o644)
    words = tap_words(["--key-file", file]) if end == "tap" else [farspan(), "collector", "-p", PORT, "-i", "ntap0", "--key-file", file]
    fails(lab.tap, words, f"{re.escape(str(file))}.*{pattern}")


def test_key_file_that_is_a_folder(lab):
    fails(lab.tap, tap_words(["--key-file", lab.folder]), f"{re.escape(str(lab.folder))}.*directory")


@pytest.mark.parametrize("words, pattern", [
    (["--identity", "/nonexistent", "--peer", "x"], "nonexistent|peer|key"),
    (["--identity", "KEY", "--peer", "not a key"], "peer|key"),
])
def test_bad_identity(lab, words, pattern):
    file = lab.folder / "id"
    run([farspan(), "keygen", "-o", file])
    words = [file if w == "KEY" else w for w in words]
    done = run(["ip", "netns", "exec", lab.tap, farspan(), "tap", "-i", "mon0", "-c", f"10.77.0.2:{PORT}", *words], check=False, timeout=20)
    assert done.returncode in (1, 2) and re.search(pattern, done.stderr), done


def test_port_in_use(lab, key):
    taken = lab.socket(lab.collector)
    taken.bind(("0.0.0.0", PORT))
    fails(lab.collector, [farspan(), "collector", "-p", PORT, "-i", "ntap0", *key], rf"{PORT}.*in use|in use.*{PORT}")
    assert not lab.has_device(lab.collector, "ntap0"), "nothing is left of it"


def test_device_name_taken(lab, key):
    """By an interface that is no TAP device, or by another collector. Nobody is told to remove what farspan did not make."""
    words = [farspan(), "collector", "-p", PORT, *key]
    lab.ip(lab.collector, "tuntap", "add", "dev", "queues0", "mode", "tap", "multi_queue")
    lab.ip(lab.collector, "tuntap", "add", "dev", "tun0", "mode", "tun")
    for device, pattern in (("link0", "link0.*no TAP device"), ("lo", "lo .*no TAP device"), ("tun0", "tun0.*TUN device"),
                            ("queues0", "queues0.*several queues")):
        assert "link del" not in fails(lab.collector, [*words, "-i", device], pattern)
    collector = Collector(lab, key=key, port=PORT + 1)
    fails(lab.collector, [*words, "-i", "ntap0"], "ntap0.*in use")
    collector.finish()
    assert all(lab.has_device(lab.collector, dev) for dev in ("link0", "queues0", "tun0"))


def test_device_name_too_long(lab, key):
    done = run(["ip", "netns", "exec", lab.collector, farspan(), "collector", "-p", PORT, *key, "-i", "a-name-that-is-too-long"],
               check=False, timeout=20)
    assert done.returncode in (1, 2) and "a-name-that-is-too-long" in done.stderr, done


@pytest.mark.parametrize("file", ["/nonexistent/x.pcapng", "/"])
def test_unwritable_file(lab, key, file):
    fails(lab.collector, [farspan(), "collector", "-p", PORT, *key, "-w", file], re.escape(file))


@pytest.mark.parametrize("end", ["tap", "collector"])
def test_no_privilege(lab, end):
    """Without root it says what it needs."""
    program = everyones_farspan(lab)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "FARSPAN_KEY=a passphrase"]
    words = ["tap", "-i", "mon0", "-c", f"10.77.0.2:{PORT}"] if end == "tap" else ["collector", "-p", PORT, "-i", "ntap0"]
    fails(lab.tap, [program, *words], "root|privilege|permi|capabilit|CAP_NET", prefix=nobody)


@pytest.mark.parametrize("words", [
    ["--no-such-option"], ["tap", "--no-such-option"], ["collector", "--no-such-option"], ["nonsense"], [],
    ["tap", "-i", "mon0"], ["tap", "-c", "10.77.0.2:1234", "-K"], ["collector", "-i", "ntap0", "-K"],
    ["collector", "-p", "70000", "-K", "-i", "ntap0"], ["collector", "-p", "x", "-K", "-i", "ntap0"],
    ["collector", "-p", "1", "-K", "-i", "any"], ["collector", "-p", "1", "-K", "-w", "-", "--keep-device"],
    ["collector", "-p", "1", "-K", "-i", "ntap0", "--order", "50"], ["collector", "-p", "1", "-K", "-i", "ntap0", "--order", "0ms"],
    ["collector", "-p", "1", "-K", "-i", "ntap0", "--output-queue", "1K"], ["collector", "-p", "1", "-K", "-i", "ntap0", "--output-queue", "8MB"],
    ["tap", "-i", "mon0", "-c", "10.77.0.2", "-K"], ["tap", "-i", "mon0", "-c", "10.77.0.2:1234"],
    ["tap", "-i", "mon0", "-c", "10.77.0.2:1234", "-K", "--direction", "sideways"],
    ["tap", "-i", "mon0", "-c", "10.77.0.2:1234", "-K", "--vlan", "4096"],
    ["tap", "-i", "mon0", "-c", "10.77.0.2:1234", "-K", "--vlan", "20-10"],
    ["tap", "-i", "mon0", "-c", "10.77.0.2:1234", "-K", "-s", "-5"],
    ["tap", "-i", "mon0", "-c", "10.77.0.2:1234", "-K", "--backlog", "64k"],
    ["tap", "-i", "mon0", "-c", "10.77.0.2:1234", "-K", "--backlog", "1023K"],
    ["tap", "-i", "mon0", "-c", "10.77.0.2:1234", "-K", "--backlog", "65G"],
    ["tap", "-i", "mon0", "-c", "10.77.0.2:1234", "-K", "-k", "both"],
], ids=lambda w: " ".join(w) or "nothing")
def test_usage(lab, words):
    done = run(["ip", "netns", "exec", lab.tap, farspan(), *words], check=False, timeout=20)
    assert done.returncode == 2 and done.stderr.strip() and done.stdout == "", done


@pytest.mark.parametrize("words, sentence", [
    (["tap", "-i", "mon0", "-c", "10.77.0.2:1234", "-c", "10.77.0.2:1235"], "farspan tap: -c is given twice"),
    (["tap", "-i", "mon0", "-f", "tcp", "-f", "udp"], "farspan tap: -f is given twice"),
    (["tap", "-s", "100", "-s", "200"], "farspan tap: -s is given twice"),
    (["tap", "--vlan", "5", "--vlan=6"], "farspan tap: --vlan is given twice"),
    (["tap", "--key-file", "a", "--key-file", "b"], "farspan tap: --key-file is given twice"),
    (["tap", "-k", "one", "-k", "two"], "farspan tap: -k is given twice"),
    (["tap", "-i", "mon0", "-i", "mon0"], "farspan tap: -i mon0 is given twice"),
    (["tap", "--on-limit", "flows,headers"], "farspan tap: --on-limit: behind flows comes count or nothing, not headers"),
    (["tap", "--on-limit", "flow"], "farspan tap: --on-limit: there is no \"flow\": did you mean flows"),
    (["tap", "--on-limit", "flows,flows"], "farspan tap: --on-limit: flows stands twice"),
    (["collector", "-w", "a", "-w", "b"], "farspan collector: -w is given twice"),
    (["collector", "-p", "1", "-p", "2"], "farspan collector: -p is given twice"),
    (["collector", "-i", "ntap0", "-i", "ntap1"], "farspan collector: -i is given twice"),
    (["collector", "--order", "5ms", "--order", "6ms"], "farspan collector: --order is given twice"),
    (["keygen", "-o", "/nonexistent/a", "-o", "/nonexistent/b"], "farspan keygen: -o is given twice"),
    (["tap", "-i", "mon0", "-c", "10.77.0.2:1234", "-K", "tcp", "-s", "100"],
     'farspan tap: "-s" stands behind the filter, where no option is read: options come first, the filter is the end'),
    (["tap", "-i", "mon0", "-K", "not port 22", "--name=x"], '"--name=x" stands behind the filter'),
], ids=lambda w: None if isinstance(w, str) else " ".join(w))
def test_options_that_would_not_count(lab, words, sentence):
    """No option silently takes another's place, and none is taken for a part of the filter."""
    done = run([farspan(), *words], check=False, timeout=20)
    assert done.returncode == 2 and sentence in done.stderr and done.stdout == "", done


def test_a_dash_in_a_filter(lab, key):
    """Arithmetic is no option: the filter is compiled, and with its interface missing that is what is said."""
    fails(lab.tap, tap_words(key, "udp[4:2]", "-", "8", ">", "100", interface="nosuch0"), "nosuch0")


@pytest.mark.parametrize("words", [["--help"], ["tap", "-h"], ["collector", "--help"], ["keygen", "-h"], ["status", "-h"], ["--version"],
                                   ["tap", "-V"], ["keygen", "--version"]])
def test_help_is_no_error(lab, words):
    done = run([farspan(), *words])
    assert done.stdout.strip() and done.stderr == ""


def fill(lab, device, n=20000):
    """A collector whose file's disk gets full. (collector, tap, witness)"""
    file = lab.tmpfs("2m") / "x.pcapng"
    source = Tcpdump(lab, lab.tap, "mon0", "source")
    collector = Collector(lab, key=None, device=device, file=file)
    tap = Tap(lab, key=None)
    framegen(lab, n, pps=10000)
    assert source.wait_count(n) == n
    says(collector.proc, "no space|full")
    return collector, tap, source


def whole(source, file, n):
    """The file holds the beginning of what was sent, and any reader finds it whole."""
    verdict = compare(source.path, file, allow="missing")
    assert verdict["equal"] and 1000 < verdict["matched"] < n, verdict
    assert all(e["a"] >= verdict["matched"] for e in verdict["first"] if e["kind"] == "missing"), verdict
    read = run(["tshark", "-r", file, "-q", "-z", "io,stat,0"], check=False)
    assert read.returncode == 0 and "cut short" not in read.stderr, read
    return verdict["matched"]


def test_disk_full(lab):
    n = 20000
    collector, tap, source = fill(lab, None, n)
    tap.finish()
    ledger = collector.finish(status=1)
    source.stop()
    matched = whole(source, collector.file, n)
    assert_collector_balanced(ledger)
    output = ledger["taps"][0]["interfaces"][0]["outputs"][0]
    assert output["out"] == matched and output["drops"]["disk_full"] == output["in"] - matched


def test_disk_full_spares_the_device(lab):
    """The other output of the same stream gets every frame."""
    n = 20000
    file = lab.tmpfs("2m") / "x.pcapng"
    source = Tcpdump(lab, lab.tap, "mon0", "source")
    collector = Collector(lab, key=None, file=file)
    arrival = Tcpdump(lab, lab.collector, "ntap0", "arrival", direction="in")
    tap = Tap(lab, key=None)
    framegen(lab, n, pps=10000)
    source.wait_count(n)
    arrival.wait_count(n)
    says(collector.proc, "no space|full")
    tap.finish()
    ledger = collector.finish(status=1)
    source.stop(), arrival.stop()
    assert_same(source.path, arrival.path, n)
    assert_collector_balanced(ledger)
    whole(source, file, n)


def test_unresolvable_collector_is_no_crash(lab, key):
    """Names may be there later: the tap says so and goes on trying, or ends with one line."""
    tap = Tap(lab, key=key, to=f"nosuch.invalid:{PORT}", up=False)
    says(tap.proc, "nosuch.invalid", 30)
    if tap.proc.running():
        tap.finish(status=1)


def test_a_name_of_any_bytes(lab):
    """An interface's name and alias are whatever bytes somebody chose: shown escaped, so that they can be told apart and
    read back, and no terminal acts upon them."""
    name, shown = os.fsdecode(b"e\x1bc\xff\\x41"), r"e\x1bc\xff\x5cx41"
    lab.ip(lab.tap, "link", "add", name, "type", "veth", "peer", "name", "other0")
    lab.ip(lab.tap, "link", "set", name, "up", "alias", "\x1b]0;mine\x07")
    listed = run(["ip", "netns", "exec", lab.tap, farspan(), "tap", "--list"]).stdout
    assert re.search(re.escape(shown) + r" .*# \\x1b\]0;mine\\x07$", listed, re.M), listed
    collector = Collector(lab)
    tap = Tap(lab, interfaces=(name,), name=own_name("odd"))
    told = status(own_name("odd"))
    assert one(told["interfaces"])["name"] == shown
    lab.ip(lab.tap, "link", "del", name)
    event = wait_until(lambda: [e for e in status(own_name("odd"))["history"] if e["kind"] == "interface-gone"], 10, "the event")
    assert event[0]["subject"] == shown
    ledger, there = tap.finish(), collector.finish()
    assert one(ledger["interfaces"])["name"] == one(one(there["taps"])["interfaces"])["name"] == shown
    for end in (tap, collector):
        for path in (end.proc.err_path, end.proc.out_path):
            assert not set(path.read_bytes()) & {0x1b, 0x07, 0xff}, path
        assert shown in end.proc.err(), end.proc
