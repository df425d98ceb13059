# SPDX-License-Identifier: Apache-2.0
"""OpenStack Networking's routes of `farspan serve`: a transcript of a real neutron-server is played to it, and Debian's `openstack` client runs as it is."""

import json
import os
import subprocess
import sys

import pytest
from lib.proc import wait_until
from lib.serve import PORT, Answer, Connection, Service
from lib.tools import ROOT

DATA = ROOT / "tests/data/taas"
sys.path.insert(0, str(DATA))
from variables import find, put_in, take_out  # noqa: E402

SERVICES, FLOWS, PORTS = "/v2.0/taas/tap_services", "/v2.0/taas/tap_flows", "/v2.0/ports"


def ask(service, method, path, body=None, token=None, local=False):
    """One request as OpenStack's clients make it."""
    headers = {"Accept": "application/json", **({"X-Auth-Token": token} if token else {})}
    if body is not None:
        headers["Content-Type"] = "application/json"
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    connection = Connection(service.ns, local)
    try:
        connection.request(method, path, body, headers)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def token(service, name, role, project=None):
    got = service.ask("POST", "/v1/tokens" + (f"?project={project}" if project else ""), {"name": name, "role": role}, local=True)
    assert got.status == 201, got
    return got.json()["token"]


def claim(service, interface, project="local", **fields):
    """A port that is bound to an interface, by whoever manages ports."""
    got = ask(service, "POST", PORTS, {"port": {"name": interface, "tenant_id": project, "binding:profile": {"farspan": f"home:{interface}"}, **fields}}, local=True)
    assert got.status == 201, got
    return got.json()["port"]


@pytest.fixture
def host(lab):
    """A service with the interfaces a to d and blue."""
    for name in ("a", "b", "c", "d", "blue"):
        lab.ip(lab.tap, "link", "add", "name", name, "type", "veth", "peer", "name", f"peer-{name}")
        lab.ip(lab.tap, "link", "set", "dev", name, "up")
    return lab


# ---- the transcript ----

def load(name):
    return json.loads((DATA / name).read_text())


def unordered(answer):
    """Lists without an order of theirs may come in any."""
    if not isinstance(answer, dict):
        return answer
    return {k: sorted(v, key=json.dumps) if isinstance(v, list) else v for k, v in answer.items()}


def settled(answer):
    """The recorded server has no back end that could confirm anything; here a service is ACTIVE as soon as its port is seen up."""
    return json.loads(json.dumps(answer).replace('"status": "ACTIVE"', '"status": "DOWN"'))


def gone(step, got, answer):
    """A deleted object is shown as that until those who carry it out have let go of it, and a second deletion means nothing."""
    if step["status"] != 404 or not step["name"].endswith(("gone", "deleted again", "is gone")):
        return got, answer
    if got == 204:
        return 404, step["answer"]
    if got == 200:
        assert next(iter(answer.values()))["status"] == "PENDING_DELETE", answer
        return 404, step["answer"]
    return got, answer


def test_transcript(host):
    """Each request of it has the same code and body, but for what `differences.json` lists with its reasons."""
    service = Service(host, anonymous="none", interfaces=("*",), ports=())
    for name in ("a", "b", "c", "d", "blue"):
        wait_until(lambda n=name: service.get(f"/v1/ports?name={n}&there=true", local=True)["ports"], 10, name)
    secrets = {"red": token(service, "red", "capture", "red"), "blue": token(service, "blue", "capture", "blue"), "admin": token(service, "admin", "admin")}
    variables = {f"port.{n}": claim(service, n, "blue" if n == "blue" else "red")["id"] for n in ("a", "b", "c", "d", "blue")}
    differences, met, wrong = load("differences.json"), set(), []
    for step in load("transcript.json"):
        want = differences.get(step["name"], {}).get("answer", step["answer"])
        status = differences.get(step["name"], {}).get("status", step["status"])
        met.add(step["name"])
        got = ask(service, step["method"], put_in(step["path"], variables), put_in(step["body"], variables), secrets[step["who"]])
        answer = got.json() if got.body else None
        for name, where in step["keep"].items() if got.status == 201 else ():
            variables[name] = find(answer, where)
        code, answer = gone(step, got.status, take_out(answer, variables))
        answer = json.loads(json.dumps(answer).replace(f"127.0.0.1:{PORT}", "127.0.0.1:9696"))
        if (code, unordered(settled(answer))) != (status, unordered(settled(want))):
            wrong.append(f"{step['name']}: {step['method']} {step['path']}\n  {status} {json.dumps(want)}\n  {code} {json.dumps(answer)}")
    assert not wrong, "\n".join(wrong)
    assert set(differences) <= met, set(differences) - met


# ---- the real client ----

class Client:
    """Debian's `openstack`, in the namespace of the service and without a Keystone."""

    def __init__(self, service, *auth):
        self.service = service
        self.auth = ["--os-endpoint", f"http://127.0.0.1:{PORT}", *auth]
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("OS_")}

    def run(self, *words):
        return subprocess.run(["ip", "netns", "exec", self.service.ns, "/usr/bin/openstack", *self.auth, *words],
                              env=self.env, capture_output=True, text=True, timeout=60, check=False)

    def __call__(self, *words):
        done = self.run(*words)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def json(self, *words):
        return json.loads(self(*words, "-f", "json"))


@pytest.mark.parametrize("how", ["admin_token", "none"])
def test_client(host, how):
    """All ten commands, by a token and, where that is allowed, by none."""
    service = Service(host, anonymous="none" if how == "admin_token" else "capture", interfaces=("a", "b"), ports=())
    wait_until(lambda: len(service.get("/v1/ports?there=true", local=True)["ports"]) == 2, 10, "the ports")
    auth = ["--os-auth-type", how]
    if how == "admin_token":
        auth += ["--os-token", token(service, "op", "capture", "local")]
    client = Client(service, *auth)
    made = client.json("tap", "service", "create", "--name", "ids", "--description", "d", "--port", "home:a")
    assert (made["Name"], made["Status"], made["Tenant"]) == ("ids", "DOWN", "local"), made
    assert [s["Name"] for s in client.json("tap", "service", "list")] == ["ids"]
    assert client.json("tap", "service", "show", "ids")["ID"] == made["ID"]
    assert client.json("tap", "service", "update", "ids", "--name", "ids1")["Name"] == "ids1"
    assert client.json("tap", "service", "show", made["ID"])["Name"] == "ids1"
    flow = client.json("tap", "flow", "create", "--name", "web", "--port", "b", "--tap-service", "ids1", "--direction", "both", "--vlan-filter", "100,200-210")
    assert (flow["Name"], flow["Direction"], flow["Status"], flow["tap_service_id"]) == ("web", "BOTH", "DOWN", made["ID"]), flow
    assert [f["Name"] for f in client.json("tap", "flow", "list")] == ["web"]
    assert client.json("tap", "flow", "update", "web", "--name", "web1")["Name"] == "web1"
    assert client.json("tap", "flow", "show", "web1")["ID"] == flow["ID"]
    wrong = client.run("tap", "flow", "create", "--port", "home:a", "--tap-service", "ids1", "--direction", "IN")
    assert wrong.returncode != 0 and "copies would come back" in wrong.stderr, wrong.stderr
    client("tap", "flow", "delete", "web1")
    client("tap", "service", "delete", "ids1")
    listed = service.get("/v1/tap_services", local=True)["tap_services"] + service.get("/v1/tap_flows", local=True)["tap_flows"]
    assert all(o["status"] == "PENDING_DELETE" for o in listed), listed


def test_client_ports(host):
    """An operator makes a port with the same client, and what hangs on it goes with it."""
    service = Service(host, anonymous="none", interfaces=("a", "b"), ports=())
    wait_until(lambda: len(service.get("/v1/ports?there=true", local=True)["ports"]) == 2, 10, "the ports")
    client = Client(service, "--os-auth-type", "admin_token", "--os-token", token(service, "op", "admin"))
    made = client.json("port", "create", "--network", "farspan", "--binding-profile", "farspan=home:b", "web0")
    assert (made["name"], made["status"]) == ("web0", "ACTIVE"), made
    assert {p["Name"] for p in client.json("port", "list")} == {"web0", "home:a"}
    tapped = client.json("tap", "service", "create", "--port", "web0")
    assert tapped["Port"] == made["id"], tapped
    client("port", "delete", "web0")
    assert client.json("tap", "service", "list") == []


# ---- ports ----

def test_claimed_ports(host):
    """A port that somebody else manages is there before its interface, and what hangs on it moves to the interface when that comes."""
    service = Service(host, interfaces=("*",), ports=())
    wait_until(lambda: len(service.get("/v1/ports?there=true", local=True)["ports"]) >= 5, 10, "the ports")
    member = token(service, "red", "capture", "red")
    made = ask(service, "POST", PORTS, {"port": {"name": "vm", "project_id": "red", "network_id": "11111111-1111-4111-8111-111111111111", "device_owner": "compute:nova",
                                                 "fixed_ips": [{"ip_address": "192.0.2.9"}], "binding:host_id": "compute7"}}, local=True)
    assert made.status == 201, made
    port = made.json()["port"]
    assert (port["status"], port["fixed_ips"], port["device_owner"]) == ("DOWN", [{"ip_address": "192.0.2.9"}], "compute:nova"), port
    ids = claim(service, "a", "red")
    assert ids["status"] == "ACTIVE" and ids["mac_address"] == host.ip(service.ns, "-o", "link", "show", "dev", "a").split("link/ether ")[1].split()[0]
    made = ask(service, "POST", SERVICES, {"tap_service": {"port_id": ids["id"]}}, member).json()["tap_service"]
    flow = ask(service, "POST", FLOWS, {"tap_flow": {"source_port": port["id"], "tap_service_id": made["id"], "direction": "OUT"}}, member)
    assert flow.status == 201, flow
    flow = flow.json()["tap_flow"]
    reason = ask(service, "GET", f"{FLOWS}/{flow['id']}?fields=status&fields=status_reason", token=member).json()["tap_flow"]
    assert reason["status"] == "DOWN", reason
    interface = "tap" + port["id"][:11]
    host.ip(host.tap, "link", "add", "name", interface, "type", "veth", "peer", "name", "peer-vm")
    host.ip(host.tap, "link", "set", "dev", interface, "up")
    wait_until(lambda: ask(service, "GET", f"{PORTS}/{port['id']}", token=member).json()["port"]["status"] == "ACTIVE", 10, "its interface")
    taken = service.get(f"/v1/ports?name={interface}", local=True)["ports"]
    assert len(taken) == 1 and taken[0]["project"] == "red", taken
    assert service.get(f"/v1/tap_flows/{flow['id']}", local=True)["source"] == taken[0]["id"]
    assert ask(service, "GET", f"{FLOWS}/{flow['id']}", token=member).json()["tap_flow"]["source_port"] == port["id"]
    # the service starts anew and knows it all
    service.stop()
    service.start(())
    assert ask(service, "GET", f"{PORTS}/{port['id']}", token=member).json()["port"]["name"] == "vm"
    # a deleted port takes all along, at once
    assert ask(service, "DELETE", f"{PORTS}/{port['id']}", local=True).status == 204
    assert ask(service, "GET", f"{FLOWS}/{flow['id']}", token=member).status == 404
    assert ask(service, "DELETE", f"{PORTS}/{ids['id']}", local=True).status == 204
    assert ask(service, "GET", f"{SERVICES}/{made['id']}", token=member).status == 404
    assert ask(service, "GET", PORTS, token=member).json() == {"ports": []}


def test_root_and_rights(host):
    """Versions are found at the root, beside OpenTap's document; a token in one header is no token in the other's place."""
    service = Service(host, anonymous="none", interfaces=("a",), ports=())
    wait_until(lambda: service.get("/v1/ports?there=true", local=True)["ports"], 10, "the port")
    reader = token(service, "reader", "read")
    root = ask(service, "GET", "/", token=reader).json()
    assert root["versions"] == [{"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": f"http://127.0.0.1:{PORT}/v2.0/"}]}]
    assert root["network_observation_pts"] == ["a"] and "versions" not in service.get("/capabilities", token=reader)
    assert ask(service, "GET", SERVICES).status == 401 and ask(service, "GET", SERVICES, token="notused").status == 401
    assert ask(service, "GET", "/v1/ports", token=reader).status == 401
    assert ask(service, "GET", SERVICES, token=reader).json() == {"tap_services": []}
    port = service.get("/v1/ports", local=True)["ports"][0]["id"]
    got = ask(service, "POST", SERVICES, {"tap_service": {"port_id": port}}, reader)
    assert got.status == 403 and got.json()["NeutronError"]["type"] == "PolicyNotAuthorized", got
    # ten wrong ones of either header, and none is looked at any more
    last = [ask(service, "GET", SERVICES, token="A" * 43).status if i % 2 else service.ask("GET", "/v1/ports", token="A" * 43).status for i in range(14)]
    assert last[0] == 401 and last[-1] == last[-2] == 429, last


def test_many_at_once(host):
    """All or none of five hundred are made, and pages of them are whole."""
    service = Service(host, anonymous="none", interfaces=("a", "b"), ports=())
    wait_until(lambda: len(service.get("/v1/ports?there=true", local=True)["ports"]) == 2, 10, "the ports")
    ports = {p["name"]: p["id"] for p in service.get("/v1/ports", local=True)["ports"]}
    made = ask(service, "POST", SERVICES, {"tap_service": {"port_id": ports["a"]}}, local=True).json()["tap_service"]["id"]

    def flows(n, bad=None):
        one = {"source_port": ports["b"], "tap_service_id": made, "direction": "IN"}
        return {"tap_flows": [{**one, "name": f"f{i}", **({"direction": "in"} if i == bad else {})} for i in range(n)]}

    assert ask(service, "POST", FLOWS, flows(300, 299), local=True).status == 400
    assert ask(service, "GET", FLOWS, local=True).json() == {"tap_flows": []}
    got = ask(service, "POST", FLOWS, flows(300), local=True)
    assert got.status == 201 and len(got.json()["tap_flows"]) == 300, got
    assert ask(service, "POST", FLOWS, flows(1000), local=True).status == 413  # a body has 64 KiB
    path, seen = f"{FLOWS}?limit=77&fields=name&fields=id", []
    while path:
        got = ask(service, "GET", path, local=True).json()
        seen += [f["name"] for f in got["tap_flows"]]
        path = next((x["href"].partition(f":{PORT}")[2] for x in got["tap_flows_links"] if x["rel"] == "next"), None)
    assert len(seen) == 300 and set(seen) == {f"f{i}" for i in range(300)}, seen  # nobody promises an order
