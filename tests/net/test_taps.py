# SPDX-License-Identifier: Apache-2.0
"""Tap flows of `farspan serve`: frames of a port are copied to the port of a tap service, exactly those that were asked for, as
long as that is said; and nothing happens to the frames themselves."""

import json
import os
import random
import signal
import time

import pytest

from lib.farspan import farspan
from lib.packets import keep, read_pcap, vlan_id
from lib.proc import run, wait_until
from lib.serve import number_of
from lib.taps import Taps
from lib.tools import Tcpdump, assert_same, framegen, in_namespace, start_framegen

N = 600


def watch(lab, where="seen0", direction="in"):
    return Tcpdump(lab, lab.collector, where, f"copies-{where}", direction)


class Judges:
    """tcpdumps that see what the owner sends (at the host's end) and what he gets (at his own): tags are beside frames at both."""

    def __init__(self, lab, direction, expr, name):
        self.lab, self.path = lab, lab.folder / f"{name}.pcap"
        ends = {"out": (lab.tap, "mon0"), "in": (lab.peer, "peer0")}
        self.of = {d: Tcpdump(lab, *ends[d], f"{name}-{d}", "in", expr) for d in ("out", "in") if direction in ("both", d)}

    def wait_quiet(self):
        return sum(t.wait_quiet() for t in self.of.values())

    def stop(self):
        """All frames in one file, what was sent first."""
        total = sum(t.stop() for t in self.of.values())
        parts = [t.path.read_bytes() for t in self.of.values()]
        self.path.write_bytes(parts[0] + b"".join(part[24:] for part in parts[1:]))
        return total


def send_both_ways(lab):
    """Frames from the owner, then frames to him."""
    framegen(lab, N, seed=3)
    framegen(lab, N, ns=lab.tap, dev="mon0", seed=4)


def by_vlans(text):
    """A decision by a list in which 0 is untagged."""
    wanted = set()
    for part in text.split(","):
        low, _, high = part.partition("-")
        wanted.update(range(int(low), int(high or low) + 1))
    return lambda frame: (vlan_id(frame) or 0) in wanted


@pytest.mark.parametrize("direction", ["both", "in", "out"])
@pytest.mark.parametrize("expr", ["", "udp", "not tcp", "vlan", "ip6 and greater 200", "tcp[tcpflags] & tcp-syn == 0"])
def test_copies_arrive(lab, direction, expr):
    """The copies are those frames that tcpdump with the same expression and direction has of the owner."""
    taps = Taps(lab)
    taps.service()
    flow = taps.flow(direction=direction, filter=expr)
    assert flow["datapath"] == "kernel"
    owner, everything, copies = Judges(lab, direction, expr, "owner"), Judges(lab, "both", None, "all"), watch(lab)
    send_both_ways(lab)
    for judge in everything.of.values():
        judge.wait_count(N)
    wanted = owner.wait_quiet()
    if expr or direction != "both":
        assert 0 < wanted < 2 * N
    copies.wait_count(wanted)
    found = taps.wait_counts(flow, wanted)
    assert found["dropped"] == 0
    assert owner.stop() == wanted and copies.stop() == wanted
    assert_same(owner.path, copies.path, wanted)
    assert found["matched_bytes"] == sum(len(frame) for _, frame in read_pcap(copies.path))
    assert everything.stop() == 2 * N  # and the frames themselves arrived


@pytest.mark.parametrize("vlans", ["0", "100", "0,100-200,4094", "1-4095"])
def test_vlans(lab, vlans):
    taps = Taps(lab)
    taps.service()
    flow = taps.flow(vlans=vlans)
    owner, copies = Judges(lab, "both", None, "owner"), watch(lab)
    send_both_ways(lab)
    for judge in owner.of.values():
        judge.wait_count(N)
    owner.stop()
    wanted = keep(owner.path, lab.folder / "wanted.pcap", by_vlans(vlans))
    copies.wait_count(wanted)
    taps.wait_counts(flow, wanted)
    assert copies.stop() == wanted
    assert_same(lab.folder / "wanted.pcap", copies.path, wanted)


@pytest.mark.parametrize("direction", ["in", "out"])
def test_the_host_is_the_owner(lab, direction):
    """A port that faces the host itself has its directions the other way round, from the moment on when that is said."""
    taps = Taps(lab)
    assert taps.get("/v1/ports?name=mon0")["ports"][0]["faces"] == "owner"  # a cable to another namespace
    taps.service()
    flow = taps.flow(direction=direction)
    for side in ("self", "owner"):
        taps.face(side)
        before = taps.show_flow(flow)["matched_frames"]
        from_owner = (direction == "out") == (side == "owner")

        def counts():
            framegen(lab, 1, **({} if from_owner else {"ns": lab.tap, "dev": "mon0"}))
            return taps.show_flow(flow)["matched_frames"] > before

        wait_until(counts, 10, lambda: f"frames of that side: {taps.show_flow(flow)}", step=0.2)
        taps.wait_status(flow, "ACTIVE")
        copies = watch(lab)
        framegen(lab, 50)
        framegen(lab, 70, ns=lab.tap, dev="mon0")
        copies.wait_count(50 if from_owner else 70)
        assert copies.stop() == (50 if from_owner else 70)


def test_flows_that_overlap(lab):
    """Flows of one service give one copy of a frame, each counts its own; those of two services give two."""
    taps = Taps(lab, destinations=2)
    taps.service("one", "ids0"), taps.service("two", "ids1")
    everything, some, other = taps.flow("all", service="one"), taps.flow("some", service="one", filter="udp"), taps.flow("other", service="two")
    first, second, owner = watch(lab, "seen0"), watch(lab, "seen1"), Tcpdump(lab, lab.tap, "mon0", "owner", "in", "udp")
    framegen(lab, N)
    first.wait_count(N), second.wait_count(N)
    taps.wait_counts(everything, N), taps.wait_counts(other, N), taps.wait_counts(some, owner.wait_quiet())
    assert 0 < owner.stop() < N and first.stop() == N and second.stop() == N
    # one of two goes, and the other stays as it is
    taps.delete(everything)
    before = taps.show_flow(some)["matched_frames"]
    first = watch(lab, "seen0")
    framegen(lab, N, kinds="udp4")
    first.wait_count(N)
    taps.wait_counts(some, before + N)
    assert first.stop() == N


def test_status_follows_the_ports(lab):
    """ACTIVE only as long as both ends are there; each comes back the same, and copies with it."""
    taps = Taps(lab)
    service = taps.service()
    flow = taps.flow()

    def flows_again(frames):
        taps.wait_status(flow, "ACTIVE")
        copies, before = watch(lab), taps.show_flow(flow)["matched_frames"]
        framegen(lab, frames)
        copies.wait_count(frames)
        assert copies.stop() == frames
        taps.wait_counts(flow, before + frames)

    flows_again(20)
    lab.ip(lab.tap, "link", "set", "ids0", "down")
    assert "ids0 is down" in taps.wait_status(flow, "DOWN")["status_reason"]
    assert taps.get(f"/v1/tap_services/{service['id']}")["status"] == "DOWN"
    framegen(lab, 30)  # they pass, and their copies are lost, which is counted
    wait_until(lambda: taps.show_flow(flow)["dropped"] == 30, 10, lambda: f"30 dropped: {taps.show_flow(flow)}")
    lab.ip(lab.tap, "link", "set", "ids0", "up")
    flows_again(40)
    lab.ip(lab.collector, "link", "set", "seen0", "down")  # its other end: no carrier
    taps.wait_status(flow, "DOWN", "no carrier")
    lab.ip(lab.collector, "link", "set", "seen0", "up")
    flows_again(10)
    index = taps.get("/v1/ports?name=mon0")["ports"][0]["ifindex"]
    lab.ip(lab.tap, "link", "del", "mon0")
    assert "mon0 is not there" in taps.wait_status(flow, "DOWN")["status_reason"]
    lab.ip(lab.tap, "link", "add", "mon0", "mtu", "9216", "type", "veth", "peer", "name", "peer0", "mtu", "9216", "netns", lab.peer)
    for ns, dev in ((lab.tap, "mon0"), (lab.peer, "peer0")):
        lab.ip(ns, "link", "set", dev, "arp", "off", "up")
    flows_again(50)
    assert taps.get("/v1/ports?name=mon0")["ports"][0]["ifindex"] != index
    wait_until(lambda: taps.get(f"/v1/tap_services/{service['id']}")["status"] == "ACTIVE", 5, "the service")
    words = [e["words"] for e in taps.get("/v1/events?limit=1000")["events"] if e["what"] == "tap_flow.status"]
    assert words[-1] == "ACTIVE" and any("ids0 is down" in w for w in words), words


def test_a_destination_with_an_address(lab):
    taps = Taps(lab)
    lab.ip(lab.tap, "addr", "add", "10.9.9.1/24", "dev", "ids0")
    taps.service()
    flow = taps.flow(active=False)
    assert "address of this host" in taps.wait_status(flow, "ERROR")["status_reason"]
    lab.ip(lab.tap, "addr", "del", "10.9.9.1/24", "dev", "ids0")
    taps.wait_status(flow, "ACTIVE", seconds=40)  # it is tried again, later each time


def test_changes_under_traffic(lab):
    """Flows come and go under 20,000 frames a second: a flow that stays loses and doubles none, and the frames arrive in order."""
    taps = Taps(lab, destinations=2)
    taps.service("stays", "ids0"), taps.service("changes", "ids1")
    stays = taps.flow("stays", service="stays")
    n, chosen, made = 120000, random.Random(5), []
    arrived, copies = Tcpdump(lab, lab.tap, "mon0", "arrived", "in"), watch(lab)
    sender = start_framegen(lab, n, 20000, kinds="udp4")
    while sender.running():
        if len(made) < 3 or (len(made) < 14 and chosen.random() < 0.6):  # with one more they are a program of their own
            where = chosen.choice(("stays", "changes"))
            made.append(taps.flow(f"f{len(made)}", service=where, active=False, filter=f"udp port {chosen.randrange(1, 9999)}"))
        else:
            gone = made.pop(chosen.randrange(len(made)))
            assert taps.ask("DELETE", f"/v1/tap_flows/{gone['id']}").status == 204
    assert sender.wait(20) == 0
    arrived.wait_count(n), copies.wait_count(n)
    taps.wait_counts(stays, n)
    assert arrived.stop() == n and copies.stop() == n
    numbers = [number_of(frame) for _, frame in read_pcap(copies.path)]
    assert numbers == sorted(numbers) and len(set(numbers)) == n
    assert_same(arrived.path, copies.path, n)


@pytest.mark.parametrize("roles", [("data",), ("control",), ("data", "control")], ids="-".join)
def test_a_killed_role(lab, roles):
    """The broker has the programs: no copy is lost or doubled while a role is killed and starts again, and the flow is ACTIVE then."""
    taps = Taps(lab)
    taps.service()
    flow = taps.flow()
    copies = watch(lab)
    n = 30000
    sender = start_framegen(lab, n, 10000, kinds="udp4")
    wait_until(lambda: copies.captured() > n / 10, 10, "copies")
    old = {name: taps.role(name) for name in roles}
    for pid in old.values():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: all(taps.role(name) not in (None, old[name]) for name in roles), 10, lambda: f"new roles: {taps.proc}")
    assert sender.wait(20) == 0
    copies.wait_count(n)
    assert copies.stop() == n
    assert len({number_of(frame) for _, frame in read_pcap(copies.path)}) == n

    def settled():
        try:
            return taps.show_flow(flow)["status"] == "ACTIVE"
        except OSError:
            return False

    wait_until(settled, 10, lambda: f"ACTIVE: {taps.proc}")
    copies = watch(lab)
    framegen(lab, 25, kinds="udp4")
    copies.wait_count(25)
    assert copies.stop() == 25
    taps.wait_counts(flow, n + 25)  # the broker counts, and has not died


def programs(lab):
    """The filters that are attached to the interface, as tc tells it."""
    return [in_namespace(lab.tap, ["tc", "filter", "show", "dev", "mon0", side]).stdout for side in ("ingress", "egress")]


def test_all_is_killed(lab):
    """kill -9 of everything: no copy from then on, others' filters are as they were, and the next start goes on."""
    lab_tc = ["tc", "-n", lab.tap]
    run([*lab_tc, "qdisc", "add", "dev", "mon0", "clsact"])
    run([*lab_tc, "filter", "add", "dev", "mon0", "ingress", "bpf", "bytecode", "1,6 0 0 0", "flowid", "1:1"])
    taps = Taps(lab)
    taps.service()
    flow = taps.flow()
    before = programs(lab)
    copies = watch(lab)
    framegen(lab, 10, kinds="udp4")
    copies.wait_count(10)
    for pid in (taps.broker(), taps.role("data"), taps.role("control")):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not taps.proc.running(), 5, "its end")
    time.sleep(2)  # the promise: by then nothing is copied any more
    framegen(lab, 100, kinds="udp4")
    assert copies.stop() == 10
    assert programs(lab) == before
    taps.start()
    taps.wait_status(flow, "ACTIVE")
    copies = watch(lab)
    framegen(lab, 15, kinds="udp4")
    copies.wait_count(15)
    assert copies.stop() == 15
    taps.stop()
    assert programs(lab) == before
    run([*lab_tc, "qdisc", "del", "dev", "mon0", "clsact"])


def test_no_storm(lab):
    """A copy is never copied again: chains of flows give each frame's own copies, and circles are refused."""
    taps = Taps(lab, destinations=3)
    for n in range(3):
        taps.service(f"s{n}", f"ids{n}")
    chain = [taps.flow("a", "mon0", "s0"), taps.flow("b", "ids0", "s1"), taps.flow("c", "ids1", "s2")]
    for source, service in (("ids0", "s0"), ("ids1", "s0"), ("ids2", "s0"), ("ids2", "s1")):
        refused = taps.make("tap_flows", 409, name="loop", source=source, service=service)
        assert "come back" in refused["detail"], refused
    counts = [watch(lab, f"seen{n}") for n in range(3)]
    framegen(lab, 64, kinds="udp4")
    counts[0].wait_count(64)
    taps.wait_counts(chain[0], 64)
    assert [c.stop() for c in counts] == [64, 0, 0]
    assert [taps.show_flow(f)["matched_frames"] for f in chain[1:]] == [0, 0]
    # a frame of ids0 itself is no copy
    counts = [watch(lab, f"seen{n}") for n in range(3)]
    framegen(lab, 32, ns=lab.tap, dev="ids0", kinds="udp4")
    counts[1].wait_count(32)
    assert [c.stop() for c in counts] == [32, 32, 0]


def test_tenants(lab):
    """A project taps its own ports into its own services, and knows nothing of others'."""
    taps = Taps(lab, destinations=2)
    token = {name: taps.ask("POST", f"/v1/tokens?project={name}", {"name": name, "role": "capture"}, local=True).json()["token"] for name in ("red", "blue")}
    for port, owner in (("mon0", "red"), ("ids0", "red"), ("ids1", "blue")):
        found = taps.get(f"/v1/ports?name={port}", local=True)["ports"][0]
        assert taps.ask("PATCH", f"/v1/ports/{found['id']}", {"project": owner}, local=True).status == 200
    assert sorted(p["name"] for p in taps.get("/v1/ports", token=token["red"])["ports"]) == ["ids0", "mon0"]
    red = taps.make("tap_services", name="ids", port="ids0", token=token["red"])
    blue = taps.make("tap_services", name="ids", port="ids1", token=token["blue"])
    assert "no port" in taps.make("tap_flows", 422, name="x", source="mon0", service="ids", token=token["blue"])["detail"]
    assert "no tap service" in taps.make("tap_flows", 422, name="x", source="mon0", service=blue["id"], token=token["red"])["detail"]
    assert "is of the project" in taps.make("tap_flows", 403, name="x", source="mon0", service=blue["id"], local=True)["detail"]
    flow = taps.make("tap_flows", name="web", source="mon0", service="ids", token=token["red"])
    for kind, thing in (("tap_flows", flow), ("tap_services", red)):
        assert taps.get(f"/v1/{kind}", token=token["blue"])[kind] == ([blue] if kind == "tap_services" else []) or kind == "tap_services"
        for method in ("GET", "PATCH", "DELETE"):
            assert taps.ask(method, f"/v1/{kind}/{thing['id']}", {"name": "x"} if method == "PATCH" else None, token=token["blue"]).status == 404
    assert [e for e in taps.get("/v1/events", token=token["blue"])["events"] if e["id"] in (flow["id"], red["id"])] == []
    assert any(e["id"] == flow["id"] for e in taps.get("/v1/events", token=token["red"])["events"])
    # a port that is taken away ends nothing by itself, and nothing new may have it
    assert taps.ask("POST", "/v1/captures", {"type": "packet", "points": ["mon0"], "limit_frames": 1}, token=token["blue"]).status == 422


def cli(lab, *words, check=True, server="unix:/run/farspan/serve.api"):
    return run(["ip", "netns", "exec", lab.tap, farspan(), *words, "--server", server], check=check)


def test_commands(lab):
    """farspan port, service and flow, as the manual has them."""
    taps = Taps(lab)
    cli(lab, "port", "set", "home:mon0", "--name", "web0")
    assert "web0" in cli(lab, "port", "list").stdout
    cli(lab, "service", "create", "ids", "--port", "home:ids0")
    made = cli(lab, "flow", "create", "web", "--source", "web0", "--service", "ids", "--direction", "both", "--vlan", "0,100,200-210",
               "--filter", "not tcp", "--wait", "5s").stdout
    assert made == "web  ACTIVE  home:web0 → home:ids0  both  in the kernel  0 frames\n"
    framegen(lab, 40, kinds="udp4")
    wait_until(lambda: "  40 " in " ".join(cli(lab, "flow").stdout.splitlines()[1:]), 5, lambda: cli(lab, "flow").stdout)
    shown = json.loads(cli(lab, "flow", "show", "web", "--json").stdout)
    assert (shown["status"], shown["datapath"], shown["matched_frames"], shown["vlans"]) == ("ACTIVE", "kernel", 40, "0,100,200-210")
    assert cli(lab, "flow", "create", "web", "--source", "web0", "--service", "ids", "--may-exist").stdout == ""
    watched = lab.start([farspan(), "flow", "show", "web", "--watch", "--server", "unix:/run/farspan/serve.api"], "watch", lab.tap)
    watched.wait_line("web  ACTIVE  home:web0", times=2, stream="out")
    assert watched.stop(signal.SIGINT) == 0
    cli(lab, "flow", "set", "web", "--name", "www", "--description", "of the shop")
    assert json.loads(cli(lab, "flow", "show", "www", "--json").stdout)["description"] == "of the shop"
    lab.ip(lab.tap, "link", "set", "ids0", "down")
    late = cli(lab, "flow", "create", "two", "--source", "web0", "--service", "ids", "--wait", "300ms", check=False)
    assert late.returncode == 1 and "the flow is DOWN: the port ids0 is down" in late.stderr, late.stderr
    cli(lab, "service", "delete", "ids")
    wait_until(lambda: json.loads(cli(lab, "flow", "--json").stdout) == [] and json.loads(cli(lab, "service", "--json").stdout) == [], 6, "an end")
    for words, said in ((("flow", "delete", "www"), 'there is no tap flow "www"'), (("service", "show", "ids"), 'there is no tap service "ids"'),
                        (("flow", "create", "x", "--source", "nope0", "--service", "ids"), 'source: there is no port "nope0"')):
        failed = cli(lab, *words, check=False)
        assert failed.returncode == 1 and said in failed.stderr, failed.stderr
    assert cli(lab, "flow", "delete", "www", "--if-exists").stdout == ""
    for words in (("flow", "create", "x"), ("flow", "show"), ("service", "create", "x"), ("service", "set", "x"), ("port", "set", "mon0")):
        assert cli(lab, *words, check=False).returncode == 2, words
    assert taps.proc.running()
