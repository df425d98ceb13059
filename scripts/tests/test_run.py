# SPDX-License-Identifier: Apache-2.0
"""`make run`, `make run-tap` and `make demo` as a person starts them, and that they leave nothing behind."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest
from conftest import TOP

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def devices():
    return set(re.findall(r"^ *(\S+):", pathlib.Path("/proc/net/dev").read_text(), re.M))


def strays(mark):
    """Processes that carry the mark in their environment and are not this one."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if int(entry.name) != os.getpid() and mark.encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            pass
    return found


class Started:
    """A script in a session of its own, as if at a terminal. Not a pipe: a stray child that kept one
    open would make reading it hang instead of being found."""

    def __init__(self, script, tmp_path, **env):
        self.mark = f"FARSPAN_TEST_MARK={os.getpid()}-{time.monotonic_ns()}"
        self.log = tmp_path / "log"
        env = {**os.environ, **env, "TMPDIR": str(tmp_path / "tmp")}
        env.update([self.mark.split("=")])
        (tmp_path / "tmp").mkdir()
        self.tmp = tmp_path / "tmp"
        self.before = devices()
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(
                [TOP / "scripts" / script],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # A shell's background job ignores it, and a script started so can never trap it.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    def text(self):
        return self.log.read_text(errors="replace")

    def wait_for(self, words, seconds=60):
        until = time.monotonic() + seconds
        while words not in self.text():
            assert self.process.poll() is None and time.monotonic() < until, self.text()
            time.sleep(0.05)

    def end(self, seconds=60):
        status = self.process.wait(seconds)
        until = time.monotonic() + 5
        while strays(self.mark) and time.monotonic() < until:
            time.sleep(0.05)
        sys.stdout.write(self.text())
        assert strays(self.mark) == []
        assert devices() == self.before
        assert list(self.tmp.iterdir()) == []
        return status

    def interrupt(self):
        os.killpg(self.process.pid, signal.SIGINT)


@needs_root
def test_the_service_answers_as_it_says(tmp_path):
    """The commands that it prints work as they are pasted, and its data goes with it."""
    started = Started("run-serve", tmp_path)
    started.wait_for("Ctrl-C ends it")
    printed = re.findall(r"^  (\S+ capture .*|\S+ captures|curl .*)$", started.text(), re.M)
    assert len(printed) == 3, started.text()
    capture = printed[0].replace("--for 10s", "--for 1s").replace("web.pcapng", str(tmp_path / "web.pcapng"))
    done = subprocess.run(["bash", "-c", capture], cwd=TOP, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and re.search(r"done: \d+ frames, 0 dropped, written to ", done.stderr), done.stderr
    assert (tmp_path / "web.pcapng").read_bytes()[:4] == b"\x0a\x0d\x0d\x0a"
    listed = subprocess.run(["bash", "-c", printed[1]], cwd=TOP, capture_output=True, text=True, timeout=60, check=True)
    assert re.search(r" done ", listed.stdout), listed.stdout
    asked = subprocess.run(["bash", "-c", printed[2]], cwd=TOP, capture_output=True, text=True, timeout=60, check=True)
    assert '"state":"done"' in asked.stdout, asked.stdout
    started.interrupt()
    assert started.end() == 0


@needs_root
def test_the_service_ends_by_itself(tmp_path):
    started = Started("run-serve", tmp_path, FARSPAN_RUN_SECONDS="1")
    assert started.end() == 0


@needs_root
def test_run_ends_by_itself(tmp_path):
    started = Started("run-tap", tmp_path, FARSPAN_RUN_SECONDS="3")
    assert started.end() == 0
    assert re.search(r"Tapping \S+ into ntap\d+", started.text())
    assert re.search(r"\d+ (\w+ )?captured", started.text())


@needs_root
def test_run_ends_by_interrupt(tmp_path):
    started = Started("run-tap", tmp_path)
    started.wait_for("Ctrl-C ends it")
    started.interrupt()
    assert started.end() == 0


@needs_root
def test_run_takes_the_next_free_device(tmp_path):
    first_free = next(n for n in range(100) if f"ntap{n}" not in devices())
    taken = f"ntap{first_free}"
    subprocess.run(["ip", "tuntap", "add", taken, "mode", "tap"], check=True)
    try:
        started = Started("run-tap", tmp_path, FARSPAN_RUN_SECONDS="1")
        assert started.end() == 0
        assert re.search(r"into ntap\d+", started.text()) and f"into {taken}." not in started.text()
    finally:
        subprocess.run(["ip", "link", "del", taken], check=True)


@needs_root
def test_demo_shows_the_traffic(tmp_path):
    started = Started("demo", tmp_path)
    assert started.end() == 0
    for words in ("ICMP echo reply", "A? www.example.", "GET /index.html", ".5001: Flags [S]", "> 10.77.1.2:5001 "):
        assert words in started.text()


@needs_root
def test_demo_of_tenants(tmp_path):
    started = Started("demo-taas", tmp_path)
    assert started.end() == 0
    for words in ("web  ACTIVE  home:web0 → home:ids0", "GET /answer", 'there is no port "web0"', "all of it arrived, and nothing else"):
        assert words in started.text()


@needs_root
def test_demo_ends_by_interrupt(tmp_path):
    started = Started("demo", tmp_path)
    started.wait_for("at home: farspan collector")
    started.interrupt()
    assert started.end() != 0


@pytest.mark.parametrize("script", ["run-serve", "run-tap", "demo", "demo-taas"])
def test_without_root_it_says_so(script):
    with tempfile.TemporaryDirectory(prefix="fs-") as where:  # the tree itself may lie where only root may look
        os.chmod(where, 0o755)
        shutil.copytree(TOP / "scripts", f"{where}/scripts", ignore=shutil.ignore_patterns("__pycache__"))
        command = [f"{where}/scripts/{script}"]
        if os.geteuid() == 0:
            command = ["setpriv", "--reuid", "65534", "--clear-groups", *command]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "needs root" in done.stderr and len(done.stderr.splitlines()) == 1
