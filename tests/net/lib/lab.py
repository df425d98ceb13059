# SPDX-License-Identifier: Apache-2.0
"""A laboratory of network namespaces that a test makes for itself and that vanishes with it.

    peer --- (peer0 | mon0) tap (link0 | link0) collector

The tap's host watches mon0, whose other end is in the peer's namespace; it reaches the collector's host over
link0 (10.77.0.1 -> 10.77.0.2, fd77::1 -> fd77::2). A second tap host gets a link of its own (10.77.1.0/24).
Interfaces that are watched have no addresses and no IPv6, so that nothing but the test's frames is on them.
"""

import contextlib
import ctypes
import os
import re
import socket
import subprocess
import threading
from pathlib import Path

from .proc import Proc, run

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET, _CLONE_NEWNS = 0x40000000, 0x00020000
PREFIX = "fs-"
_count = 0
_open_labs = []


@contextlib.contextmanager
def inside(ns):
    """The calling thread is in the namespace; sockets made here stay in it."""
    with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{ns}") as there:
        if _libc.setns(there.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter namespace {ns}")
        try:
            yield
        finally:
            if _libc.setns(home.fileno(), _CLONE_NEWNET) != 0:
                os._exit(70)  # nothing that follows would be where it thinks it is


def own_folders():
    """The folders of named namespaces and of status sockets are this process's and its children's own.

    What else runs on the machine, other tests among it, neither sees them nor is seen, and nothing of them outlives us.
    """
    if _libc.unshare(_CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "cannot have mounts of our own")
    run(["mount", "--make-rprivate", "/"])
    for folder in ("/run/netns", "/run/farspan"):
        Path(folder).mkdir(exist_ok=True)
        run(["mount", "-t", "tmpfs", "-o", "mode=0755", "none", folder])
    run(["mount", "--make-shared", "/run/netns"])


def namespaces():
    return [line.split()[0] for line in run(["ip", "netns", "list"]).stdout.splitlines() if line]


def remove_leftovers():
    """Removes our namespaces that are still there: those of this run, and those of runs whose process is gone."""
    removed = []
    for ns in namespaces():
        found = re.fullmatch(PREFIX + r"(\d+)-\d+-\w+", ns)
        if found and (int(found[1]) == os.getpid() or not Path(f"/proc/{found[1]}").exists()):
            run(["ip", "netns", "delete", ns], check=False)
            removed.append(ns)
    return removed


def close_all():
    while _open_labs:
        _open_labs[-1].close()
    return remove_leftovers()


def _batch(lines, ns=None):
    where = ["-n", ns] if ns else []
    run(["ip", *where, "-batch", "-"], input="\n".join(lines) + "\n")


class Lab:
    """`folder` keeps what the programs write. `taps` tap hosts, each with `monitored` watched pairs of interfaces."""

    def __init__(self, folder, taps=1, monitored=1, mtu=9216, link_mtu=1500, offloads=False):
        global _count
        _count += 1
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.stem = f"{PREFIX}{os.getpid()}-{_count}-"
        self.procs = []
        self.closers = []
        self.names = []
        self.numbers = 0
        self.mtu = mtu
        _open_labs.append(self)
        try:
            self.collector = self._namespace("c")
            self.taps = [self._namespace(f"t{i}") for i in range(taps)]
            self.peers = [self._namespace(f"p{i}") for i in range(taps)]
            self._wire(monitored, link_mtu, offloads)
        except BaseException:
            self.close()
            raise

    tap = property(lambda self: self.taps[0])
    peer = property(lambda self: self.peers[0])

    def _namespace(self, letter):
        name = self.stem + letter
        self.names.append(name)
        run(["ip", "netns", "add", name])
        with inside(name):
            Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
        return name

    def _wire(self, monitored, link_mtu, offloads):
        _batch(["link set lo up"], self.collector)
        for i, (tap, peer) in enumerate(zip(self.taps, self.peers)):
            mine, theirs = ("link0", "link0" if i == 0 else f"link{i}")
            lines = [f"link add {mine} mtu {link_mtu} netns {tap} type veth peer name {theirs} mtu {link_mtu} netns {self.collector}"]
            for m in range(monitored):
                lines.append(f"link add mon{m} mtu {self.mtu} netns {tap} type veth peer name peer{m} mtu {self.mtu} netns {peer}")
            _batch(lines)
            for ns, dev, last in ((tap, mine, 1), (self.collector, theirs, 2)):
                with inside(ns):
                    Path(f"/proc/sys/net/ipv6/conf/{dev}/disable_ipv6").write_text("0")
                    Path(f"/proc/sys/net/ipv6/conf/{dev}/accept_dad").write_text("0")
                _batch([f"addr add 10.77.{i}.{last}/24 dev {dev}", f"addr add fd77:0:0:{i}::{last}/64 dev {dev} nodad",
                        "link set lo up", f"link set {dev} up"], ns)
            for m in range(monitored):
                for ns, dev in ((tap, f"mon{m}"), (peer, f"peer{m}")):
                    if not offloads:
                        self.offloads(ns, dev, gro="off", gso="off", tso="off", tx="off", rx="off")
                    _batch([f"link set {dev} arp off", f"link set {dev} up"], ns)
        for ns in self.names:
            self.keep_order(ns)

    @staticmethod
    def keep_order(ns):
        """A cable keeps the order of what goes through it; veth and lo do so only for one processor's packets.

        Each processor has its own queue of received packets, and a sender that is moved to another one overtakes what it left
        in the first, by more than any timeout on a busy machine; and two capturing sockets may then see two orders. One queue
        for all of them (receive packet steering) ends that.
        """
        one = "for q in /sys/class/net/*/queues/rx-0/rps_cpus; do echo 1 > $q; done"
        run(["ip", "netns", "exec", ns, "sh", "-c", one])

    def offloads(self, ns, dev, **features):
        words = [w for name, value in features.items() for w in (name, value)]
        run(["ip", "netns", "exec", ns, "ethtool", "-K", dev, *words], check=False)

    def ip(self, ns, *words):
        return run(["ip", "-n", ns, *words]).stdout

    def has_device(self, ns, dev):
        return run(["ip", "-n", ns, "link", "show", dev], check=False).returncode == 0

    def start(self, argv, name, ns=None, **kw):
        """Starts a program in a namespace; its name must be new in this lab."""
        taken = {p.name for p in self.procs}
        unique, n = name, 1
        while unique in taken:
            n += 1
            unique = f"{name}{n}"
        proc = Proc(argv, self.folder, unique, ns, **kw)
        self.procs.append(proc)
        return proc

    def socket(self, ns, family=socket.AF_INET, kind=socket.SOCK_DGRAM, protocol=0):
        """A socket of this process that lives in the namespace."""
        with inside(ns):
            sock = socket.socket(family, kind, protocol)
        self.closers.append(sock.close)
        return sock

    def kernel_stamps(self):
        """Makes the kernel stamp frames once, before any capture sees them, so that captures agree on the time.

        Without this each packet socket takes the time for itself. One socket that asks for times turns it on.
        """
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, 35, 1)  # SO_TIMESTAMPNS
        self.closers.append(sock.close)

    def tmpfs(self, size):
        """A small file system of its own, for a disk that gets full."""
        where = self.folder / "tmpfs"
        where.mkdir()
        run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0777", "farspan-test", where])
        self.closers.append(lambda: run(["umount", "-l", where], check=False))
        return where

    def serve(self, function, *args):
        """Runs a function in a thread of its own until the lab closes; for small servers."""
        thread = threading.Thread(target=function, args=args, daemon=True)
        thread.start()
        return thread

    def close(self):
        if self in _open_labs:
            _open_labs.remove(self)
        for proc in reversed(self.procs):
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                proc.kill()
        for closer in reversed(self.closers):
            with contextlib.suppress(OSError):
                closer()
        self.closers.clear()
        for name in self.names:
            run(["ip", "netns", "delete", name], check=False)
        self.names.clear()
