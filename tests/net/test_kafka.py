# SPDX-License-Identifier: Apache-2.0
"""`--kafka`: records as messages. The brokers are the mock cluster of librdkafka (tests/tools/kafkamock.c), as a real one is not in
Debian; the judge of the messages is kcat."""

import collections
import json
import shutil
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from lib.collectors import in_ns, until_bound
from lib.farspan import Collector, Tap, assert_stage, farspan, one, own_name, status
from lib.flows import make
from lib.proc import run, wait_until
from lib.tools import TOOLS, framegen

MACS = bytes.fromhex("020000000002020000000001")
TOPIC = "flows"


class Cluster:
    """Two brokers, three partitions."""

    def __init__(self, lab, ns=None):
        self.lab, self.ns = lab, ns or lab.collector
        self.proc = lab.start([TOOLS / "kafkamock", 2, 3, TOPIC], "kafkamock", self.ns, stdin=subprocess.PIPE)
        self.brokers = wait_until(lambda: self.proc.out().splitlines(), 10, "the addresses of the brokers")[0]
        self.where = f"{self.brokers}/{TOPIC}"

    def tell(self, line):
        done = self.proc.out().count("done")
        self.proc.popen.stdin.write(f"{line}\n".encode())
        self.proc.popen.stdin.flush()
        wait_until(lambda: self.proc.out().count("done") > done, 5, line)

    def messages(self):
        """All that the topic has: (key, partition, record)."""
        argv = ["kcat", "-C", "-b", self.brokers, "-t", TOPIC, "-e", "-q", "-o", "beginning", "-f", "%k|%p|%s\n"]
        lines = in_ns(self.ns, *argv).stdout.splitlines()
        return [(key, int(partition), json.loads(record)) for key, partition, record in (line.split("|", 2) for line in lines)]


@pytest.fixture
def cluster(lab):
    return Cluster(lab)


@pytest.fixture
def traffic(lab):
    path = lab.folder / "traffic.pcap"
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))
        for p in make(7, 2000):
            frame = MACS + p.around + p.packet
            frame += b"\xee" * (60 - len(frame))
            f.write(struct.pack("<IIII", p.ts // 10**9, p.ts % 10**9, len(frame), len(frame)) + frame)
    return path


def assert_sums(ledger):
    for export in ledger["exports"]:
        assert_stage(export["name"], export)
    return one([e for e in ledger["exports"] if e["kind"] == "kafka"])


def meter(lab, source, *words, code=0):
    """The export's counts, and what was said."""
    done = in_ns(lab.collector, farspan(), "meter", "-r", source, "--ledger", *words, check=False)
    assert done.returncode == code, done.stderr
    return assert_sums(json.loads(done.stdout)), done.stderr


class Live:
    """A running meter of mon0, which has its brokers in the tap's namespace."""

    def __init__(self, lab, cluster, *words):
        self.called = own_name("kafka")
        argv = [farspan(), "meter", "-i", "mon0", "--kafka", cluster.where, "--ledger", "--idle", "1s", "--name", self.called, *words]
        self.lab, self.proc = lab, lab.start(argv, "meter", lab.tap)
        self.proc.wait_line("listening on mon0")

    def counts(self):
        return status(self.called)["exports"][0]

    def all_delivered(self):
        """Of all packets that were metered."""
        view = status(self.called)
        export = view["exports"][0]
        return export["out"] == export["in"] > 0 and view["flows_now"] == 0

    def finish(self, code=0):
        begin = time.monotonic()
        assert self.proc.stop(seconds=20) == code, self.proc
        self.took = time.monotonic() - begin
        return assert_sums(json.loads(self.proc.out()))


def test_records_of_a_file(lab, cluster, traffic):
    """The messages are the records of --json, each once; those of a flow have one key, and lie in one partition in their order."""
    out = lab.folder / "records.json"
    export, _ = meter(lab, traffic, "--kafka", cluster.where, f"--json={out}")
    messages = cluster.messages()
    expected = collections.Counter(out.read_text().splitlines())
    assert export["in"] == export["out"] == len(messages) == sum(expected.values()) > 200
    assert collections.Counter(json.dumps(r, separators=(",", ":")) for _, _, r in messages) == expected
    places, last = {}, {}
    for key, partition, record in messages:
        assert record.get("communityId", "") == key
        if key:
            assert places.setdefault(key, partition) == partition
            assert last.get(key, "") <= record["flowEndNanoseconds"]
    assert set(places.values()) == {0, 1, 2}
    assert max(collections.Counter(key for key, _, _ in messages).values()) > 1


def certificate(lab):
    """Of 127.0.0.1, where everybody may read it, and its key."""
    folder = Path(tempfile.mkdtemp())
    lab.closers.append(lambda: shutil.rmtree(folder))
    folder.chmod(0o755)
    pem, key = folder / "broker.pem", lab.folder / "broker.key"
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=broker", "-addext",
         "subjectAltName=IP:127.0.0.1", "-out", pem, "-keyout", key])
    pem.chmod(0o644)
    return pem, key


def test_tls(lab, cluster, traffic):
    """Brokers that speak TLS only: a relay in the tap's namespace has their ports there, and a certificate. One that the properties do
    not trust gets nothing."""
    pem, key = certificate(lab)
    for broker in cluster.brokers.split(","):
        port = broker.rsplit(":", 1)[1]
        lab.start(["socat", f"OPENSSL-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,cert={pem},key={key},verify=0",
                   f"EXEC:ip netns exec {lab.collector} socat STDIO TCP\\:127.0.0.1\\:{port}"], f"tls-{port}", lab.tap)
        until_bound(lab.tap, "tcp", int(port))
    properties = lab.folder / "properties"
    words = [farspan(), "meter", "-r", traffic, "--ledger", "--kafka", cluster.where, "--kafka-config", properties]
    properties.write_text(f"security.protocol = ssl\nssl.ca.location = {pem}\n")
    done = in_ns(lab.tap, *words, check=False)
    assert done.returncode == 0, done.stderr
    export = assert_sums(json.loads(done.stdout))
    assert export["in"] == export["out"] == len(cluster.messages()) > 200
    properties.write_text("security.protocol = ssl\n")
    done = in_ns(lab.tap, *words, check=False)
    assert done.returncode == 1 and "certificate verify failed" in done.stderr, done.stderr
    assert assert_sums(json.loads(done.stdout))["out"] == 0 and len(cluster.messages()) == export["out"]


def test_nobody_there(lab, traffic):
    """From a file the status tells that records were not delivered; it has been tried for eight seconds."""
    export, said = meter(lab, traffic, "--kafka", "127.0.0.1:1/flows", code=1)
    assert export["out"] == 0 and export["in"] == export["drops"]["collector_away"] > 0
    assert f"127.0.0.1:1/flows: {export['in']} of {export['in']} records were not delivered" in said
    assert "Connection refused" in said


def test_down_and_back(lab):
    """While no broker answers, records wait; they are delivered when one does."""
    cluster = Cluster(lab, lab.tap)
    live = Live(lab, cluster)
    framegen(lab, 100, kinds="udp4")
    wait_until(lambda: live.all_delivered(), 10, "records are delivered")
    before = live.counts()["out"]
    cluster.tell("down")
    framegen(lab, 200, kinds="udp4")
    wait_until(lambda: live.counts()["in"] > before, 10, "records")
    time_down = time.monotonic()
    wait_until(lambda: time.monotonic() - time_down > 3, 5, "a while")
    assert live.counts()["out"] == before
    cluster.tell("up")
    wait_until(lambda: live.all_delivered(), 30, "all are delivered")
    export = live.finish()
    assert sum(r["packetDeltaCount"] for _, _, r in cluster.messages()) == 300
    assert export["out"] == len(cluster.messages())


def test_down_at_the_end(lab):
    cluster = Cluster(lab, lab.tap)
    live = Live(lab, cluster)
    cluster.tell("down")
    framegen(lab, 100, kinds="udp4")
    wait_until(lambda: live.counts()["in"] > 0, 10, "records")
    export = live.finish()
    assert export["drops"]["collector_away"] == export["in"] and live.took < 14


def test_slow_brokers(lab):
    """Answers that take long, and a queue for a few: the rest is dropped and counted, and the meter loses no packet."""
    properties = lab.folder / "properties"
    properties.write_text("# of the test\nqueue.buffering.max.messages = 50\nlinger.ms=0\nmax.in.flight=1\nbatch.num.messages=10\n")
    cluster = Cluster(lab, lab.tap)
    live = Live(lab, cluster, "--kafka-config", properties)
    framegen(lab, 20, kinds="udp4")
    wait_until(lambda: live.counts()["out"] > 0, 10, "records are delivered")
    cluster.tell("rtt 1500")
    framegen(lab, 2000, kinds="udp4")
    wait_until(lambda: live.counts()["drops"]["collector_slow"] > 0, 15, "records are dropped")
    export = live.finish()
    ledger = json.loads(live.proc.out())
    assert one(ledger["interfaces"])["stages"]["meter"]["out"] == 2020
    assert export["out"] > 0 and export["in"] == export["out"] + sum(export["drops"].values())
    assert live.took < 14
    cluster.tell("rtt 0")
    assert len(cluster.messages()) >= export["out"]


def test_refused(lab, cluster, traffic):
    """Messages that a broker refuses for good."""
    cluster.tell("refuse 2")
    export, said = meter(lab, traffic, "--kafka", cluster.where, code=1)
    assert export["drops"]["collector_refused"] > 0
    assert export["out"] == len(cluster.messages())
    assert "Topic authorization failed" in said


def test_records_of_a_collector(lab):
    """Of the frames of a tap; the interface is named with its tap."""
    cluster = Cluster(lab, lab.collector)
    collector = Collector(lab, "--kafka", cluster.where, device=None)
    tap = Tap(lab)
    framegen(lab, 300, kinds="udp4")
    tap.finish()
    export = assert_sums(collector.finish()["meter"])
    messages = cluster.messages()
    assert export["out"] == len(messages) and sum(r["packetDeltaCount"] for _, _, r in messages) == 300
    assert {r["interfaceName"] for _, _, r in messages} == {"tap:mon0"}


@pytest.mark.parametrize("words, told", [
    (["--kafka", "b1"], '--kafka: "b1" has no topic: BROKER:PORT[,BROKER:PORT]/TOPIC'),
    (["--kafka", "b1,/t"], '--kafka: "b1," is no list BROKER:PORT[,BROKER:PORT]'),
    (["--kafka", "b1/a b"], '--kafka: "a b" is no topic: 1 to 249 letters, digits, dots, dashes and underscores'),
    (["--kafka-config", "x", "--csv"], "--kafka-config is for --kafka")])
def test_wrong_lines(lab, words, told):
    done = in_ns(lab.collector, farspan(), "meter", "-r", "x", *words, check=False)
    assert done.returncode == 2 and done.stderr.splitlines()[0] == f"farspan meter: {told}", done.stderr


def test_wrong_properties(lab, traffic):
    file = lab.folder / "properties"
    for text, told in (("a", f"{file}, line 1: is no name=value"), ("\nacks=x", f"{file}, line 2: "),
                       ("security.protocol=none", f"{file}, line 1: Invalid value"), ("ssl.ca.location=/no/such\nsecurity.protocol=ssl", "No such file or directory")):
        file.write_text(text)
        out = lab.folder / "never.json"
        done = in_ns(lab.collector, farspan(), "meter", "-r", traffic, "--kafka", "b1:9/t", "--kafka-config", file, f"--json={out}", check=False)
        assert done.returncode == 1 and told in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
        assert not out.exists()
