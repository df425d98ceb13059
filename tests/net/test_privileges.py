# SPDX-License-Identifier: Apache-2.0
"""The engine, which meets the network, has no privileges; the passphrase is where nobody can read it."""

import os
import pwd
import signal

import pytest

from lib.farspan import Collector, Tap, assert_balanced, status_socket, own_name, own_port, parse_ledger, status
from lib.proc import wait_until
from lib.tools import Tcpdump, framegen, tshark

SECRET = "open-sesame-5521"


def process_status(pid):
    with open(f"/proc/{pid}/status") as text:
        return dict(line.rstrip("\n").split(":\t", 1) for line in text if ":\t" in line)


def engines(proc):
    """The processes of the program that do not run as root."""
    return [p for p in proc.tree() if "0" not in process_status(p)["Uid"].split()]


def ends(lab, **kw):
    return Collector(lab, **kw), Tap(lab, **kw)


@pytest.mark.parametrize("end", [0, 1], ids=["collector", "tap"])
def test_engine_is_powerless(lab, end):
    both = ends(lab)
    proc = both[end].proc
    engine = wait_until(lambda: engines(proc), 5, f"a process of {proc} that is not root")
    assert len(engine) == 1, "the engine is one process"
    for task in os.listdir(f"/proc/{engine[0]}/task"):
        told = process_status(f"{engine[0]}/task/{task}")
        assert set(told["Uid"].split()) & {"0"} == set() and set(told["Gid"].split()) & {"0"} == set(), told
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(told[kind], 16) == 0, f"{kind} {told[kind]}"
        assert told["Seccomp"] == "2" and told["NoNewPrivs"] == "1", told
    assert told.get("Groups", "").split() == [] or "0" not in told["Groups"].split()
    frames_flow(lab, *both)


def frames_flow(lab, collector, tap):
    framegen(lab, 200, pps=2000)
    assert_balanced(tap.finish(), collector.finish(), sent=200, delivered=200)


def leaks(proc, place):
    """The processes of the program in whose cmdline or environ the secret stands."""
    found = []
    for pid in proc.tree():
        with open(f"/proc/{pid}/{place}", "rb") as data:
            if SECRET.encode() in data.read():
                found.append(pid)
    return found


def no_leak(end, place, warning=False):
    wait_until(lambda: not leaks(end.proc, place), 2, lambda: f"the secret to leave {place} of {leaks(end.proc, place)}")
    if warning:
        assert "key-file" in end.proc.err(), end.proc


def test_passphrase_as_argument(lab):
    """It is wiped from the process list, and a warning says what is better."""
    both = ends(lab, key=SECRET)
    for end in both:
        no_leak(end, "cmdline", warning=True)
        no_leak(end, "environ")
    frames_flow(lab, *both)


def test_passphrase_glued_to_its_option(lab):
    both = ends(lab, key=[f"-k{SECRET}"])
    for end in both:
        no_leak(end, "cmdline")
    frames_flow(lab, *both)


def test_passphrase_from_the_environment(lab):
    both = Collector(lab, key=[], env={"FARSPAN_KEY": SECRET}), Tap(lab, key=[], env={"FARSPAN_KEY": SECRET})
    for end in both:
        no_leak(end, "environ")
        assert "key-file" not in end.proc.err()
    frames_flow(lab, *both)


def test_key_file(lab):
    """The file's last line end does not count."""
    files = []
    for name, end in (("one", "\n"), ("two", "")):
        files.append(lab.folder / name)
        files[-1].write_text(SECRET + end)
        files[-1].chmod(0o600)
    both = Collector(lab, key=["--key-file", files[0]]), Tap(lab, key=["--key-file", files[1]])
    frames_flow(lab, *both)


def test_user_of_choice(lab):
    collector = Collector(lab)
    tap = Tap(lab, "--user", "games")
    wanted = str(pwd.getpwnam("games").pw_uid)
    assert all(process_status(p)["Uid"].split()[0] == wanted for p in wait_until(lambda: engines(tap.proc), 5, "the engine"))
    frames_flow(lab, collector, tap)


SIDECAR = ("setpriv", "--bounding-set", "-all,+net_raw", "--inh-caps", "-all,+net_raw")


@pytest.mark.parametrize("user", [(), ("--user", "root")], ids=["default", "root"])
def test_root_with_net_raw_only(lab, user):
    """As in a container that has dropped the other capabilities: both run, and say what they do without. The wall of
    system calls stands, and no half has more than it needs."""
    words = "without CAP_SETUID and CAP_SETGID the engine remains root, without CAP_SYS_CHROOT"
    collector = Collector(lab, *user, device=None, file=lab.folder / "got.pcapng", prefix=SIDECAR)
    tap = Tap(lab, *user, prefix=SIDECAR)
    for end, most in ((collector, 0), (tap, 1 << 13)):
        assert words in end.proc.err(), end.proc
        told = [process_status(pid) for pid in end.proc.tree()]
        assert sorted(int(t["CapEff"], 16) for t in told) == [0, most], end.proc
        assert {t["Seccomp"] for t in told} == {"2"} and {t["NoNewPrivs"] for t in told} == {"1"}
    framegen(lab, 200, pps=2000)
    assert_balanced(tap.finish(), collector.finish(), sent=200, delivered=200)


def test_another_user_with_net_raw_only(lab):
    tap = Tap(lab, "--user", "games", up=False, prefix=SIDECAR)
    assert tap.proc.wait(10) == 1
    assert 'cannot run the engine as user "games": leave --user out' in tap.proc.err()


def who(proc, half):
    return proc.pid if half == "broker" else wait_until(lambda: engines(proc), 5, f"the engine of {proc}")[0]


def nothing_left(lab, proc, name, device=None):
    wait_until(lambda: not proc.tree(), 5, f"the end of all processes of {proc}")
    if device:
        wait_until(lambda: not lab.has_device(lab.collector, device), 5, "the end of the device")
    assert not status_socket(name).exists(), "the status socket is gone"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
@pytest.mark.parametrize("half", ["broker", "engine"])
def test_a_signal_to_either_half_ends_both_in_order(lab, half, number):
    """Whichever process it is sent to: what was received is written, the ledger printed, and nothing is left."""
    port, name = own_port(), own_name("asked")
    file = lab.folder / "collector.pcapng"
    collector = Collector(lab, port=port, file=file)
    tap = Tap(lab, name=name, to=f"10.77.0.2:{port}")
    assert status_socket(f"collector-{port}").exists() and status_socket(name).exists()
    framegen(lab, 3000, pps=10000)
    for end in (tap, collector):
        end.proc.tree()
        os.kill(who(end.proc, half), number)
        assert end.proc.wait() == 0, end.proc
    assert_balanced(parse_ledger(tap.proc), parse_ledger(collector.proc), sent=3000, delivered=3000)
    assert len(tshark(file, "frame.number")) == 3000
    nothing_left(lab, tap.proc, name)
    nothing_left(lab, collector.proc, f"collector-{port}", "ntap0")


def test_killed_engine(lab):
    """SIGKILL to the engine: the broker says so and ends, and takes the status socket and the device away."""
    port, name = own_port(), own_name("killed")
    file = lab.folder / "collector.pcapng"
    collector = Collector(lab, port=port, file=file)
    arrival = Tcpdump(lab, lab.collector, "ntap0", "arrival", direction="in", fast=True)
    tap = Tap(lab, name=name, to=f"10.77.0.2:{port}")
    framegen(lab, 1000, pps=10000)
    arrival.wait_count(1000)
    wait_until(lambda: len(tshark(file, "frame.number")) == 1000, 5, "all frames in the file")
    for end, socket, device in ((tap, name, None), (collector, f"collector-{port}", "ntap0")):
        end.proc.tree()
        os.kill(who(end.proc, "engine"), signal.SIGKILL)
        assert end.proc.wait() == 128 + 9 and "signal 9" in end.proc.err(), end.proc
        nothing_left(lab, end.proc, socket, device)
    assert len(tshark(file, "frame.number")) == 1000, "what was received before is in the file"


def test_killed_broker(lab):
    """SIGKILL to the broker: the engine does not go on alone, and the next one finds nothing in its way."""
    port, name = own_port(), own_name("orphan")
    for again in range(2):
        collector = Collector(lab, port=port)
        tap = Tap(lab, name=name, to=f"10.77.0.2:{port}")
        assert status_socket(name).exists() and status_socket(f"collector-{port}").exists()
        assert status(name)["session"]["state"] == "up"
        for end in (tap, collector):
            end.proc.tree()
            end.proc.send(signal.SIGKILL)
            wait_until(lambda: not end.proc.tree(), 5, f"the end of both halves of {end.proc}")
        wait_until(lambda: not lab.has_device(lab.collector, "ntap0"), 5, "the end of the device")
    for left in (name, f"collector-{port}"):  # nobody was there to remove it
        status_socket(left).unlink(missing_ok=True)
