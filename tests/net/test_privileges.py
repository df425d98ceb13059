# SPDX-License-Identifier: Apache-2.0
"""The engine, which meets the network, has no privileges; the passphrase is where nobody can read it."""

import os
import pwd

import pytest

from lib.farspan import Collector, Tap, assert_balanced
from lib.proc import wait_until
from lib.tools import framegen

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


def test_engine_dies_with_its_broker_and_the_other_way_round(lab):
    """Neither half is left alone, whichever is killed."""
    for which in ("engine", "main"):
        collector = Collector(lab, name=f"collector-{which}")
        family = collector.proc.tree()
        victim = engines(collector.proc)[0] if which == "engine" else collector.proc.pid
        os.kill(victim, 9)
        wait_until(lambda: not collector.proc.tree(), 5, f"the end of {family}")
        wait_until(lambda: not lab.has_device(lab.collector, "ntap0"), 5, "the end of the device")
