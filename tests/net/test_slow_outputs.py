# SPDX-License-Identifier: Apache-2.0
"""An output that is slow or stands still loses its own frames, and says how many; the others lose none. Frames in order of time."""

import ctypes
import json
import os
import signal
import socket
import struct

from lib.farspan import (PORT, Collector, Tap, assert_balanced, assert_stage, drops, one, own_name, own_port, status)
from lib.proc import wait_until
from lib.tools import Tcpdump, assert_in_time, assert_same, framegen, start_framegen, steadily, tshark

SO_ATTACH_FILTER = 26
LISTENERS, INSTRUCTIONS = 60, 2000


def make_slow(lab, ns, dev):
    """Listeners on the device that look at each frame long and want none: its writer pays for them, in the kernel."""
    multiply, refuse = struct.pack("=HBBI", 0x24, 0, 0, 3), struct.pack("=HBBI", 0x06, 0, 0, 0)
    program = ctypes.create_string_buffer((INSTRUCTIONS - 1) * multiply + refuse)
    words = struct.pack("=HxxxxxxQ", INSTRUCTIONS, ctypes.addressof(program))
    for _ in range(LISTENERS):
        sock = lab.socket(ns, socket.AF_PACKET, socket.SOCK_RAW, 0)  # hears nothing before it has its filter
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, words)
        sock.bind((dev, 3))


def outputs_of(ledger, tap):
    """{name: stage} of the tap's only interface, after what came in was found to be what was received."""
    interface = one(one(ledger["taps"], tap)["interfaces"])
    return interface["stages"]["link_rx"], {o["name"]: o for o in interface["outputs"]}


def only_full(stage):
    """How many the queue had no room for; nothing is lost for another reason."""
    assert drops(stage) == stage["drops"]["queue_full"], stage
    return stage["drops"]["queue_full"]


def wait_empty(stage, n):
    """Until an output has been given n frames and has none left to write; its last look."""
    return wait_until(lambda: (s := stage())["in"] == n and s["in_flight"] == 0 and s, 60, lambda: f"an empty queue: {stage()}")


def seen_by(lab, ns, dev):
    """The frames that the kernel has counted as received on a device."""
    return json.loads(lab.ip(ns, "-j", "-s", "link", "show", dev))[0]["stats64"]["rx"]["packets"]


def test_a_slow_device_loses_alone(make_lab):
    """The queue counts the frames that its device loses; the kernel has counted there those that the device is said to have got."""

    def experiment(lab, pps):
        n, port = 20000, own_port()
        file = lab.folder / "collector.pcapng"
        source = Tcpdump(lab, lab.tap, "mon0", "source")
        collector = Collector(lab, "--output-queue", "2M", port=port, file=file)
        make_slow(lab, lab.collector, "ntap0")
        tap = Tap(lab, to=f"10.77.0.2:{port}")
        framegen(lab, n, pps=pps)

        def device():
            return outputs_of(status(f"collector-{port}"), "tap")[1]["ntap0"]

        told = wait_empty(device, n)
        assert seen_by(lab, lab.collector, "ntap0") == told["out"]
        ours, theirs = tap.finish(), collector.finish()
        received, outputs = outputs_of(theirs, "tap")
        assert_in_time(received)
        assert_balanced(ours, theirs, sent=n, delivered=n)
        assert only_full(outputs["ntap0"]) == n - told["out"] > 0
        assert one([o for o in outputs.values() if o["name"] != "ntap0"])["out"] == n
        source.wait_count(n)
        source.stop()
        assert_same(source.path, file, n)

    steadily(make_lab, experiment, pps=20000)


def test_a_slow_device_among_many(make_lab):
    """Where each tap has a device, one that is slow leaves the others' alone."""

    def experiment(lab, pps):
        port = own_port()
        collector = Collector(lab, "--output-queue", "16M", port=port, device="ntap-%t")
        taps = [Tap(lab, ns=lab.taps[i], name=name, to=f"10.77.{i}.2:{port}") for i, name in enumerate(("slow", "good"))]
        for name in ("slow", "good"):
            wait_until(lambda: lab.has_device(lab.collector, f"ntap-{name}"), 10, f"ntap-{name}")
        make_slow(lab, lab.collector, "ntap-slow")
        arrival = Tcpdump(lab, lab.collector, "ntap-good", "good", direction="in")
        other = start_framegen(lab, 20000, pps)
        framegen(lab, 5000, ns=lab.peers[1], pps=pps // 4, seed=9)
        assert other.wait(30) == 0
        arrival.wait_count(5000)
        wait_empty(lambda: outputs_of(status(f"collector-{port}"), "slow")[1]["ntap-%t"], 20000)
        ledgers = [t.finish() for t in taps]
        there = collector.finish()
        arrival.stop()
        for name, n, ledger in (("slow", 20000, ledgers[0]), ("good", 5000, ledgers[1])):
            received, outputs = outputs_of(there, name)
            assert_in_time(received)
            assert_balanced(ledger, there, sent=n, delivered=n)
            lost = only_full(one(list(outputs.values())))
            assert lost > 0 if name == "slow" else lost == 0, outputs

    steadily(make_lab, experiment, pps=20000, taps=2)


def test_a_reader_that_stands_still(make_lab):
    """Of the pipe's frames some are dropped, and counted as that; the device, meanwhile, gets all."""

    def experiment(lab, pps):
        n, port = 30000, own_port()
        from_here, to_there = os.pipe()
        try:
            reader = lab.start(["cat"], "reader", lab.collector, stdin=from_here, stdout=os.open(os.devnull, os.O_WRONLY))
            reader.send(signal.SIGSTOP)
            collector = Collector(lab, "-w", "-", "--output-queue", "2M", port=port, json=False, stdout=to_there)
        finally:
            os.close(from_here)
            os.close(to_there)
        arrival = Tcpdump(lab, lab.collector, "ntap0", "arrival", direction="in", buffer_kib=262144)
        tap = Tap(lab, to=f"10.77.0.2:{port}")
        framegen(lab, n, pps=pps)
        arrival.wait_count(n)
        ours = tap.finish()
        received, outputs = outputs_of(status(f"collector-{port}"), "tap")
        assert_in_time(received)
        assert ours["interfaces"][0]["stages"]["link_tx"]["out"] == received["out"] == n
        assert_stage("the device", outputs["ntap0"])
        assert outputs["ntap0"]["out"] == n
        pipe = outputs["standard output"]
        assert pipe["in"] == n and 0 < only_full(pipe) == n - pipe["out"] - pipe["in_flight"], pipe
        reader.send(signal.SIGCONT)  # and it gets what was kept

        end = wait_empty(lambda: outputs_of(status(f"collector-{port}"), "tap")[1]["standard output"], n)
        assert only_full(end) == only_full(pipe) and end["out"] == n - only_full(pipe)
        collector.finish()
        assert reader.wait() == 0
        arrival.stop()

    steadily(make_lab, experiment, pps=20000)


def test_frames_in_order_of_time(make_lab):
    """A tap that is held up for a moment: its frames find their places among the other's, in every output."""
    lab = make_lab(taps=2)
    lab.kernel_stamps()
    file, name = lab.folder / "merged.pcapng", own_name("held")
    collector = Collector(lab, "--order", "2s", file=file)
    taps = [Tap(lab, ns=lab.taps[i], name=(name, "other")[i], to=f"10.77.{i}.2:{PORT}") for i in range(2)]
    arrival = Tcpdump(lab, lab.collector, "ntap0", "arrival", direction="in", fast=True)
    family = taps[0].proc.tree()
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    first = start_framegen(lab, 1000, 4000)
    second = start_framegen(lab, 1000, 4000, ns=lab.peers[1])
    assert first.wait(20) == 0 and second.wait(20) == 0
    for pid in family:
        os.kill(pid, signal.SIGCONT)
    arrival.wait_count(2000)
    ledgers = [t.finish() for t in taps]
    there = collector.finish()
    arrival.stop()
    for i, tap in enumerate((name, "other")):
        assert_balanced(ledgers[i], there, sent=1000, delivered=1000, name=tap)
        for output in outputs_of(there, tap)[1].values():
            assert output["late"] == output["early"] == output["clock_ahead"] == 0, output
    rows = tshark(file, "frame.time_epoch", "frame.interface_name")
    assert len(rows) == 2000
    times = [row[0] for row in rows]
    assert times == sorted(times), "not in order"
    changes = sum(a[1] != b[1] for a, b in zip(rows, rows[1:]))
    assert changes > 20, f"the two were sent at the same time: {changes}"
    assert_same(arrival.path, file, 2000)


def test_a_tap_that_is_back_at_once_has_its_device_again(lab):
    """The old device goes when its last frame is written, and the new one of the same name waits for that."""
    collector = Collector(lab, device="ntap-%t")
    for i in range(3):
        tap = Tap(lab, name="web")
        wait_until(lambda: lab.has_device(lab.collector, "ntap-web"), 5, "ntap-web")
        framegen(lab, 300, pps=10000)
        tap.finish()
    there = collector.finish()
    received, outputs = outputs_of(there, "web")
    assert received["out"] == outputs["ntap-%t"]["out"] == outputs["ntap-%t"]["in"] == 900, there
    assert "not served" not in collector.proc.err(), collector.proc
