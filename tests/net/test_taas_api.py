# SPDX-License-Identifier: Apache-2.0
"""OpenStack Networking's routes of `farspan serve`: a transcript of a real neutron-server is played to it, and Debian's `openstack` client runs as it is."""

import json
import os
import subprocess
import sys
import time

import pytest
from lib.lab import inside
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


def gone(service, step, got, answer, variables, secret):
    """What is deleted is shown as that until those who carry it out have let go of it, and a second deletion means nothing."""
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
        code, answer = gone(service, step, got.status, take_out(answer, variables), variables, secrets[step["who"]])
        answer = json.loads(json.dumps(answer).replace(f"127.0.0.1:{PORT}", "127.0.0.1:9696"))
        if (code, answer) != (status, want):
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
