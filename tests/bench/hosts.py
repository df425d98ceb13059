# SPDX-License-Identifier: Apache-2.0
"""Three hosts of network namespaces, the programs on them, and what those cost.

    src --- eth0 far (core 0) --- uplink home (core 1)

`src` makes the traffic, `far` is where it is tapped, `home` is where it shall appear. The sender and what runs on `far` share
core 0, what runs at `home` has core 1: so every contender has one core at each end, and the kernel's work for a frame,
which veth does on the sender's time, is found there.
"""

import fcntl
import json
import os
import select
import signal
import subprocess
import threading
import time
from pathlib import Path

CORE = {"src": 0, "far": 0, "home": 1}
ADDRESS = {"far": "10.77.2.1", "home": "10.77.2.2"}
LINK_MTU = 1500
NICE = ["nice", "-n", "-19"]  # for all alike, so that other work on the machine disturbs less
_PLAIN = "tso off gso off gro off tx off rx off".split()


def run(*argv, **kw):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=60, **kw)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, argv))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def on(host, *argv):
    return run("ip", "netns", "exec", host, *argv)


def wait_until(predicate, what, seconds=15.0):
    end = time.monotonic() + seconds
    while not predicate():
        if time.monotonic() > end:
            raise RuntimeError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.02)


def set_up():
    for host in CORE:
        run("ip", "netns", "add", host)
        on(host, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        on(host, "ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "eth0", "netns", "src", "type", "veth", "peer", "name", "eth0", "netns", "far")
    run("ip", "link", "add", "uplink", "mtu", LINK_MTU, "netns", "far", "type", "veth",
        "peer", "name", "uplink", "mtu", LINK_MTU, "netns", "home")
    for host in ("src", "far"):  # what is tapped has its size on the wire
        on(host, "ethtool", "-K", "eth0", *_PLAIN)
        on(host, "ip", "link", "set", "eth0", "arp", "off", "up")
    for host, address in ADDRESS.items():  # offloads as they are: as on a good card
        on(host, "ip", "addr", "add", f"{address}/24", "dev", "uplink")
        on(host, "ip", "link", "set", "uplink", "up")


def has_device(host, device):
    return subprocess.run(["ip", "-n", host, "link", "show", device], capture_output=True).returncode == 0


def frames_in(host, device):
    """Frames that an interface has received: the kernel's own count."""
    return json.loads(run("ip", "-n", host, "-s", "-j", "link", "show", device))[0]["stats64"]["rx"]["packets"]


def descendants(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in task.read_text().split():
                found += [int(child), *descendants(int(child))]
        except OSError:
            pass  # it ended meanwhile
    return found


def schedstat_ns(text):
    return int(text.split()[0])


class Program:
    """Runs on a host, on its core. Its messages are in a file."""

    def __init__(self, host, *argv, out=None, stdin=subprocess.DEVNULL, stdout=None, env=None):
        self.words = [str(a) for a in argv]
        self.out = Path(out) if out else None
        self.err = open(Path("/run/bench") / f"{Path(self.words[0]).name}-{host}.log", "w+")
        target = open(self.out, "wb") if self.out else stdout or self.err
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", host, *NICE, "taskset", "-c", str(CORE[host]), *self.words],
            stdin=stdin, stdout=target, stderr=self.err, env={**os.environ, **(env or {})}, start_new_session=True)
        if self.out:
            target.close()

    def says(self, words):
        return self.process.poll() is not None or words in Path(self.err.name).read_text(errors="replace")

    def wait_says(self, words):
        wait_until(lambda: self.says(words), f"\"{words}\" from {self.words[0]}")
        self.must_live()

    def must_live(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{' '.join(self.words)} ended:\n{Path(self.err.name).read_text(errors='replace')}")

    def cpu_ns(self):
        """CPU time of all its threads and children, to the nanosecond, as the scheduler counts it."""
        total = 0
        for pid in (self.process.pid, *descendants(self.process.pid)):
            for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
                total += schedstat_ns(task.read_text())
        return total

    def stop(self, number=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.err.close()


def softirq_ns():
    """CPU time of the kernel's soft interrupt threads: what the sender's own time cannot hold of reception."""
    return sum(schedstat_ns(os.pread(int(fd), 200, 0).decode()) for fd in os.environ.get("BENCH_SOFTIRQ_FDS", "").split())


class Drain:
    """A reader of what a program writes into a named pipe: it moves the bytes to nowhere without a copy, and counts them."""

    PIPE = 1 << 20

    def __init__(self, path):
        self.path, self.bytes, self.ending = path, 0, False
        path.unlink(missing_ok=True)
        os.mkfifo(path)
        self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(self.fd, fcntl.F_SETPIPE_SZ, self.PIPE)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        nowhere = os.open("/dev/null", os.O_WRONLY)
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        while True:
            ready = poll.poll(50)
            if ready and ready[0][1] & select.POLLIN:
                self.bytes += os.splice(self.fd, nowhere, self.PIPE)
            elif self.ending:
                break
            elif ready:
                time.sleep(0.02)  # nobody writes yet
        os.close(nowhere)

    def stop(self):
        """Reads what is there to its end; how many bytes there were in all."""
        self.ending = True
        self.thread.join()
        os.close(self.fd)
        return self.bytes


class Sender:
    def __init__(self, program):
        self.program = program

    def send(self, size, rate, seconds):
        """Sends, and gives what it did: frames, bytes, ns, cpu_ns."""
        words = [*NICE, "taskset", "-c", CORE["src"], self.program, "eth0", size, int(rate), seconds]
        return json.loads(on("src", *words))
