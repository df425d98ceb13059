# SPDX-License-Identifier: Apache-2.0
"""Settings from a file: both ends run by one, the command line wins, and a bad file is refused before anything is opened."""

import signal

from lib.farspan import PASS, assert_balanced, farspan, one, own_name, own_port, parse_ledger
from lib.proc import run
from lib.tools import framegen

FRAMES = 500


def write(lab, name, text):
    file = lab.folder / name
    file.write_text(text)
    file.chmod(0o600)
    return file


def both(lab, **tap):
    """One file for both ends."""
    key = write(lab, "key", PASS + "\n")
    settings = {"interface": "mon0", "collector": f"10.77.0.2:{own_port()}", "key-file": key, "name": own_name("config"),
                "json": "yes", **tap}
    return write(lab, "farspan.conf", "\n".join([
        "# both ends", "[tap]", *(f"{name} = {value}" for name, value in settings.items()), "",
        "[collector]", f"port = {own_port()}", "device = ntap0", f"write = {lab.folder / 'out.pcapng'}", f"key-file = {key}",
        "json = yes", "order = 20ms", ""]))


class Ends:
    """Both ends, with the words behind the tap's."""

    def __init__(self, lab, conf, *words):
        self.collector = lab.start([farspan(), "collector", "--config", conf], "collector", lab.collector)
        self.collector.wait_line("listening on", 20)
        self.tap = lab.start([farspan(), "tap", "--config", conf, *words], "tap", lab.tap)
        self.tap.wait_line("session up", 30)

    def finish(self):
        ledgers = []
        for end in (self.tap, self.collector):
            assert end.stop(signal.SIGINT, 20) == 0, end
            ledgers.append(parse_ledger(end))
        return ledgers


def assert_cut(lab, snaplen):
    """All frames are in the file, cut to the snaplen."""
    lines = run(["tshark", "-r", lab.folder / "out.pcapng", "-T", "fields", "-e", "frame.len", "-e", "frame.cap_len"]).stdout.splitlines()
    lengths = [tuple(map(int, line.split())) for line in lines]
    assert len(lengths) == FRAMES and any(whole > snaplen for whole, _ in lengths)
    assert all(cut == min(whole, snaplen) for whole, cut in lengths)


def test_one_file_for_both_ends(lab):
    """The file holds: name, outputs, a snaplen, a filter; and nothing is lost."""
    ends = Ends(lab, both(lab, snaplen=60, filter="greater 14", backlog="1M"))
    framegen(lab, FRAMES, pps=5000)
    ledger, there = ends.finish()
    assert_balanced(ledger, there, sent=FRAMES, delivered=FRAMES)
    assert one(there["taps"])["name"] == own_name("config")
    outputs = one(one(there["taps"])["interfaces"])["outputs"]
    assert sorted((o["kind"], o["out"]) for o in outputs) == [("file", FRAMES), ("tap-device", FRAMES)]
    assert_cut(lab, 60)


def test_the_command_line_wins(lab):
    """Another filter behind the options, another snaplen, and an interface in place of the file's."""
    ends = Ends(lab, both(lab, snaplen=60, filter="less 14", interface="nosuch0"), "-i", "mon0", "-s", "80", "greater", "14")
    framegen(lab, FRAMES, pps=5000)
    ledger, there = ends.finish()
    assert_balanced(ledger, there, sent=FRAMES, delivered=FRAMES)
    assert_cut(lab, 80)


def test_a_bad_file_is_refused_as_a_whole(lab):
    """Neither end starts, whichever section is wrong; each mistake has its line, and no file or device was made."""
    conf = both(lab, mtu=5)
    conf.write_text(conf.read_text() + "threads = 99\n")
    lines = conf.read_text().splitlines()
    mtu, threads = lines.index("mtu = 5") + 1, len(lines)
    for command, ns in (("tap", lab.tap), ("collector", lab.collector)):
        done = run(["ip", "netns", "exec", ns, farspan(), command, "--config", conf], check=False, timeout=20)
        said = done.stderr.splitlines()
        wrong = {"tap": f"{conf}:{mtu}: mtu: 5 is not between 576 and 9000",
                 "collector": f"{conf}:{threads}: threads: 99 is not between 1 and 16"}
        assert done.returncode == 2 and f"farspan {command}: {wrong[command]}" in said, done
    assert not (lab.folder / "out.pcapng").exists() and not lab.has_device(lab.collector, "ntap0")
    done = run([farspan(), "check", conf], check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"{conf}:{mtu}: mtu: 5 is not between 576 and 9000",
                                        f"{conf}:{threads}: threads: 99 is not between 1 and 16"]


def test_check_prints_what_holds(lab):
    """The print is a file that says the same."""
    conf = both(lab, filter="udp port 53", direction="in")
    done = run([farspan(), "check", "--print", conf])
    assert done.stderr == ""
    assert "direction = in\n" in done.stdout and "backlog = 64M\n" in done.stdout and "threads = 1\n" in done.stdout
    assert run([farspan(), "check", write(lab, "printed.conf", done.stdout), "--print"]).stdout == done.stdout


MISTAKES = [
    ("interface", "a-name-that-is-too-long", 'interface "a-name-that-is-too-long" is no interface\'s name: 1 to 15 characters'),
    ("interfaces", "mon0", 'there is no setting "interfaces" in [tap]: did you mean "interface"?'),
    ("Snaplen", "5", 'there is no setting "Snaplen" in [tap]: did you mean "snaplen"?'),
    ("snaplen", "-1", 'snaplen: "-1" is not a whole number'),
    ("snaplen", "9", '"snaplen" is set a second time, first in line 8'),
    ("direction", "IN", 'direction is in, out or both, not "IN"'),
    ("vlan", "5-4", 'VLAN list "5-4"'),
    ("buffer-size", "63", "buffer-size: 63 is not between 64 and 1048576"),
    ("keep-super", "1", 'keep-super is yes or no, not "1"'),
    ("backlog", "64 M", 'backlog: "64 M" is not a size such as 512K, 64M or 2G'),
    ("mtu", "9001", "mtu: 9001 is not between 576 and 9000"),
    ("filter", "tcp prot 80", 'filter "tcp prot 80": can\'t parse filter expression: syntax error'),
    ("list", "yes", '"list" is for the command line only'),
    ("passphrase", "hello", '"passphrase" is for the command line only'),
    ("config", "other.conf", '"config" is for the command line only'),
    ("user", "", '"user" has no value: "user = USER"'),
    ("name", "a b", 'name "a b": 1 to 32 letters, digits, dots, dashes and underscores'),
    ("json", "maybe", 'json is yes or no, not "maybe"'),
    ("port", "5", 'there is no setting "port" in [tap]'),
    ("max-idle", "10ms", "max-idle: 10ms is not between 1000ms and 604800000ms"),
    ("max-restarts", "three", 'max-restarts: "three" is not a whole number'),
    ("business-hours", "mon-fri 8-18", 'business-hours: at character 9, "8-18": times are HH:MM-HH:MM'),
    ("business-hour", "mon-fri", 'there is no setting "business-hour" in [tap]: did you mean "business-hours"?'),
    ("timezone", "Europe/Atlantis", 'timezone: there is no time zone "Europe/Atlantis" in /usr/share/zoneinfo: a name is like Europe/Berlin'),
]

# Each in a file of its own, as some are of one setting.
MORE_MISTAKES = [
    ("rate", "0", "rate: 0 is not between 64kbit and 100gbit"),
    ("rate", "10mb", 'rate: "10mb"'),
    ("burst", "0ms", "burst: 0ms is not between 1ms and 100ms"),
    ("limit-queue", "200", 'limit-queue: "200"'),
    ("on-limit", "headers,headers", 'on-limit: headers stands twice in "headers,headers"'),
    ("on-limit", "drop,stop", 'on-limit: drop and stop stand alone, not in "drop,stop"'),
    ("on-limit", "smaple", 'on-limit: there is no "smaple": did you mean sample'),
    ("on-limit", "headers,", 'on-limit: there is no ""'),
    ("keep", "no such thing", 'keep: filter "no such thing": can\'t parse filter expression'),
    ("keep", "inbound", 'keep: filter "inbound" asks for what is not in a frame\'s bytes'),
    ("cpu-limit", "30", 'cpu-limit is a share of one core, such as 30%, not "30"'),
    ("cpu-limit", "0%", "cpu-limit: 0 is not between 1 and 6400"),
    ("check-interval", "10ms", "check-interval: 10ms is not between 1000ms and 3600000ms"),
    ("breach-intervals", "0", "breach-intervals: 0 is not between 1 and 100000"),
    ("stage", "sample flow 1/0", 'stage "sample flow 1/0": N: 0 is not between 1 and 1000000 (sample packet|flow 1/N [outer|inner] [seed S])'),
    ("stage", "slize 5", 'stage "slize 5": there is no stage "slize"; did you mean slice?'),
    ("stage", "strip mpls", 'stage "strip mpls": vlan, vxlan, gre or erspan is taken off, not "mpls"'),
]


def test_check_names_each_mistake(lab):
    """Each on its line, in one run, with what would be right."""
    key = write(lab, "key", PASS + "\n")
    text = f"[tap]\ninterface = mon0\ncollector = h:1\nkey-file = {key}\n"
    first = len(text.splitlines()) + 1
    conf = write(lab, "bad.conf", text + "".join(f"{name} = {value}\n" for name, value, _ in MISTAKES))
    done = run([farspan(), "check", conf], check=False)
    assert done.returncode == 1 and done.stdout == ""
    said = dict(line.split(": ", 1) for line in done.stderr.splitlines())
    for number, (name, _, words) in enumerate(MISTAKES, first):
        assert said.pop(f"{conf}:{number}").startswith(words), (name, done.stderr)
    assert said == {}


def test_check_names_each_mistake_alone(lab):
    """One mistake of a file is told by its line, and nothing else is."""
    assert len(MISTAKES) + len(MORE_MISTAKES) >= 40
    key = write(lab, "key", PASS + "\n")
    for name, value, words in MORE_MISTAKES:
        conf = write(lab, "bad.conf", f"[tap]\ninterface = mon0\ncollector = h:1\nkey-file = {key}\n{name} = {value}\n")
        done = run([farspan(), "check", conf], check=False)
        assert done.returncode == 1 and done.stdout == "", (name, value, done)
        assert done.stderr.startswith(f"{conf}:5: {words}") and done.stderr.count("\n") == 1, (name, value, done.stderr)
