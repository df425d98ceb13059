# SPDX-License-Identifier: Apache-2.0
"""Processes of a test: started in a namespace, heard through files, waited for with a deadline, ended by pid."""

import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


class Late(AssertionError):
    """A condition did not come true before its deadline."""


def wait_until(predicate, seconds=10.0, what="the condition", step=0.02):
    """Polls until the predicate gives something true, and returns that; raises Late after the deadline."""
    end = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() >= end:
            raise Late(f"waited {seconds} s in vain for {what() if callable(what) else what}")
        time.sleep(step)


def run(argv, check=True, timeout=60, **kw):
    """Runs a short command to its end and returns the completed process, with its output as text."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=timeout, **kw)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def children(pid):
    """The pids of all descendants of a process, from /proc."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in task.read_text().split():
                found += [int(child), *children(int(child))]
        except OSError:
            pass  # it ended while we looked
    return found


def alive(pid):
    """True for a process that runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def _begin():
    """In the child: it dies with us, and what we were started with (nohup, a shell's background) does not count for it."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Proc:
    """One running program. `folder` gets NAME.out and NAME.err; `ns` is the namespace it runs in."""

    def __init__(self, argv, folder, name, ns=None, env=None, stdin=subprocess.DEVNULL, stdout=None, keep_fds=()):
        self.argv = [str(a) for a in argv]
        self.name = name
        self.out_path = Path(folder) / f"{name}.out"
        self.err_path = Path(folder) / f"{name}.err"
        full = ["ip", "netns", "exec", ns, *self.argv] if ns else self.argv
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.popen = subprocess.Popen(
                full,
                stdin=stdin,
                stdout=stdout if stdout is not None else out,
                stderr=err,
                env={**os.environ, **(env or {})},
                start_new_session=True,
                preexec_fn=_begin,
                pass_fds=keep_fds,
            )
        self.pid = self.popen.pid
        self.family = set()

    def out(self):
        return self.out_path.read_text(errors="replace")

    def err(self):
        return self.err_path.read_text(errors="replace")

    def __str__(self):
        return f"{self.name} (pid {self.pid}, status {self.popen.poll()}): {' '.join(self.argv)}\n{self.err()[-3000:]}"

    def running(self):
        return self.popen.poll() is None

    def tree(self):
        """This process and its descendants, those of earlier looks included as long as they live."""
        self.family |= {self.pid, *children(self.pid)}
        return {p for p in self.family if alive(p)}

    def wait_line(self, text, seconds=10.0, times=1, stream="err"):
        """Until `text` was said `times` times; fails at once when the program ends instead."""
        read = self.err if stream == "err" else self.out

        def look():
            over = not self.running()
            if read().count(text) >= times:
                return True
            assert not over, f"ended without saying {text!r} {times} time(s): {self}"
            return False

        wait_until(look, seconds, lambda: f"{text!r} ({times} times) from {self}")

    def send(self, number):
        if self.running():
            os.kill(self.pid, number)

    def wait(self, seconds=10.0):
        """Its exit status, or fails."""
        self.tree()
        wait_until(lambda: not self.running(), seconds, lambda: f"the end of {self}")
        return self.popen.returncode

    def stop(self, number=signal.SIGINT, seconds=10.0):
        """Asks it to end and returns its status."""
        self.tree()
        self.send(number)
        return self.wait(seconds)

    def kill(self):
        """Ends it and all its descendants for good; used by the clean-up. The product may take its status socket away first."""
        if Path(self.argv[0]).name == "farspan" and self.running():
            self.send(signal.SIGTERM)
            try:
                wait_until(lambda: not self.tree(), 3, "its end")
            except Late:
                pass
        for pid in self.tree():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.popen.wait(5)
