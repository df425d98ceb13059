# SPDX-License-Identifier: Apache-2.0
"""Tap flows as their users have them: a service whose mon0 is the host's end of the owner's cable (peer0, in the peer's
namespace), and whose ids0 leads to ids1 in the collector's namespace, where copies are seen."""

from .proc import run, wait_until
from .serve import Service



class Taps(Service):
    """A service with one port to tap and destinations ids0, ids1 …, whose other ends are seen0, seen1 … of the collector."""

    def __init__(self, lab, *words, destinations=1, interfaces=("mon*", "ids*"), **kw):
        lab_made = [make_destination(lab, n) for n in range(destinations)]
        super().__init__(lab, *words, interfaces=interfaces, ports=("mon0", *lab_made), **kw)

    def make(self, kind, status=201, **wish):
        known = {name: wish.pop(name) for name in ("token", "local") if name in wish}
        got = self.ask("POST", f"/v1/{kind}", wish, **known)
        assert got.status == status, f"{wish}: {got}"
        return got.json()

    def service(self, name="ids", port="ids0", **wish):
        return self.make("tap_services", name=name, port=port, **wish)

    def flow(self, name="web", source="mon0", service="ids", active=True, **wish):
        made = self.make("tap_flows", name=name, source=source, service=service, **wish)
        return self.wait_status(made, "ACTIVE") if active else made

    def show_flow(self, flow):
        return self.get(f"/v1/tap_flows/{flow['id']}")

    def wait_status(self, flow, status, reason=None, seconds=10):
        last = None

        def there():
            nonlocal last
            last = self.show_flow(flow)
            return last["status"] == status and (reason is None or reason in (last["status_reason"] or ""))

        wait_until(there, seconds, lambda: f"{status} of {last}\n{self.proc}")
        return last

    def wait_counts(self, flow, frames, seconds=10):
        """Until it has matched so many frames; never more."""
        wait_until(lambda: self.show_flow(flow)["matched_frames"] >= frames, seconds, lambda: f"{frames}: {self.show_flow(flow)}")
        found = self.show_flow(flow)
        assert found["matched_frames"] == frames, found
        return found

    def delete(self, thing):
        kind = "tap_flows" if "source" in thing else "tap_services"
        path = f"/v1/{kind}/{thing['id']}"
        assert self.ask("DELETE", path).status == 204
        wait_until(lambda: self.ask("GET", path).status == 404, 6, lambda: f"{path} to be gone: {self.get(path)}")

    def face(self, side, port="mon0"):
        """Which side a port faces, as its user says."""
        found = self.get(f"/v1/ports?name={port}")["ports"][0]
        assert self.ask("PATCH", f"/v1/ports/{found['id']}", {"facing": side}, local=True).status == 200
        return found


def make_destination(lab, n):
    name = f"ids{n}"
    run(["ip", "link", "add", name, "mtu", str(lab.mtu), "netns", lab.tap, "type", "veth",
         "peer", "name", f"seen{n}", "mtu", str(lab.mtu), "netns", lab.collector])
    for ns, dev in ((lab.tap, name), (lab.collector, f"seen{n}")):
        lab.offloads(ns, dev, gro="off", gso="off", tso="off", tx="off", rx="off")
        lab.ip(ns, "link", "set", dev, "arp", "off", "up")
    for ns in (lab.tap, lab.collector):
        lab.keep_order(ns)
    wait_until(lambda: "LOWER_UP" in lab.ip(lab.tap, "link", "show", name) and "state UP" in lab.ip(lab.tap, "link", "show", name), 5, f"{name} up")
    return name
