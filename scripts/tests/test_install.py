# SPDX-License-Identifier: Apache-2.0
"""`install-deps` and a lock of apt's that another program holds, with an apt whose state is the test's own."""
import fcntl
import os
import shutil
import subprocess
import time

import pytest
from conftest import TOP

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
PACKAGE = "farspan-no-such-package"


@pytest.fixture
def apt(tmp_path):
    """A tree whose only package cannot be had, and an apt without sources: (folder of scripts, environment, folder of state)."""
    scripts, state = tmp_path / "scripts", tmp_path / "state"
    scripts.mkdir()
    for name in ("install-deps", "lib.sh"):
        shutil.copy(TOP / "scripts" / name, scripts)
    (scripts / "packages").write_text(f"build {PACKAGE}\n")
    for folder in ("lists/partial", "cache/archives/partial", "dpkg"):
        (state / folder).mkdir(parents=True)
    (state / "dpkg/status").write_text("")
    config = tmp_path / "apt.conf"
    config.write_text(
        f'Dir::State "{state}"; Dir::State::lists "{state}/lists"; Dir::State::status "{state}/dpkg/status";\n'
        f'Dir::Cache "{state}/cache"; Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "/dev/null";\n'
        f'Dir::Log "{state}"; APT::Sandbox::User "root";\n'
    )
    return scripts, {**os.environ, "APT_CONFIG": str(config)}, state


def hold(path):
    """The lock as apt takes it: it goes when the file is closed."""
    file = open(path, "w")
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def start(apt, log, seconds):
    scripts, env, _ = apt
    with open(log, "wb") as out:
        return subprocess.Popen(
            [scripts / "install-deps", "build"],
            env={**env, "FARSPAN_APT_WAIT": str(seconds)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )


@pytest.mark.parametrize("lock", ["dpkg/lock-frontend", "lists/lock"])
def test_a_lock_is_waited_for(apt, tmp_path, lock):
    log = tmp_path / "log"
    held = hold(apt[2] / lock)
    process = start(apt, log, 60)
    until = time.monotonic() + 30
    while "another program holds apt's lock: waiting for it, up to 60 s" not in log.read_text():
        assert process.poll() is None and time.monotonic() < until, log.read_text()
        time.sleep(0.05)
    held.close()
    assert process.wait(30) == 1
    assert log.read_text().splitlines()[-1] == f"install-deps: could not install: {PACKAGE}"
    assert "has held" not in log.read_text()


def test_a_lock_is_not_waited_for_without_end(apt, tmp_path):
    log = tmp_path / "log"
    held = hold(apt[2] / "dpkg/lock-frontend")
    process = start(apt, log, 1)
    assert process.wait(60) == 1
    assert "another program has held apt's lock for 1 s: E: " in log.read_text()
    held.close()


def test_nothing_missing_needs_no_lock(apt, tmp_path):
    (apt[0] / "packages").write_text("build dpkg\n")
    held = hold(apt[2] / "dpkg/lock-frontend")
    process = start(apt, tmp_path / "log", 1)
    assert process.wait(30) == 0
    assert (tmp_path / "log").read_text() == ""
    held.close()
