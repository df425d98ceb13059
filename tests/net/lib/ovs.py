# SPDX-License-Identifier: Apache-2.0
"""Open vSwitch with its user-space datapath, in a namespace and a folder of its own.

    gen0 --- sw0 br0 (tunnels) | br1 192.0.2.2 in0 --- out0 192.0.2.1 collector
"""

import shutil
import tempfile
from pathlib import Path

from .mirror import HERE, THERE
from .proc import run, wait_until

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


class Switch:
    """In the peer's namespace: br0 has the port sw0, whose other end is gen0; br1 has the uplink in0 and its address."""

    def __init__(self, lab):
        self.lab = lab
        self.folder = Path(tempfile.mkdtemp(prefix="ovs", dir=lab.folder))
        lab.closers.append(lambda: shutil.rmtree(self.folder, ignore_errors=True))
        self.env = {f"OVS_{name}": str(self.folder) for name in ("RUNDIR", "LOGDIR", "DBDIR", "SYSCONFDIR")}
        self.db = f"unix:{self.folder}/db.sock"
        run(["ovsdb-tool", "create", self.folder / "conf.db", SCHEMA])
        self.start(["ovsdb-server", f"--remote=p{self.db}", f"--unixctl={self.folder}/o.ctl", self.folder / "conf.db"], "ovsdb-server")
        wait_until((self.folder / "db.sock").exists, 10, "the switch's database")
        run(["ovs-vsctl", f"--db={self.db}", "--no-wait", "init"])
        self.start(["ovs-vswitchd", "--disable-system", f"--unixctl={self.folder}/v.ctl", self.db], "ovs-vswitchd")
        self.bridges()

    def start(self, argv, name):
        return self.lab.start(argv, name, self.lab.peer, env=self.env)

    def vsctl(self, *words):
        return run(["ovs-vsctl", f"--db={self.db}", "--timeout=20", *words], timeout=30).stdout

    def appctl(self, *words):
        return run(["ovs-appctl", "-t", self.folder / "v.ctl", *words]).stdout

    def bridges(self):
        """Their ports, and the way between the uplink and the collector."""
        lab = self.lab
        lab.ip(lab.peer, "link", "add", "gen0", "mtu", 9100, "type", "veth", "peer", "name", "sw0", "mtu", 9100)
        lab.ip(lab.peer, "addr", "flush", "dev", "in0")
        for dev in ("gen0", "sw0"):
            lab.offloads(lab.peer, dev, gro="off", gso="off", tso="off", tx="off", rx="off")
            lab.ip(lab.peer, "link", "set", dev, "up")
        lab.keep_order(lab.peer)
        for bridge, port in (("br0", "sw0"), ("br1", "in0")):
            self.vsctl("add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev", "--", "add-port", bridge, port)
        lab.ip(lab.peer, "addr", "add", f"{THERE[4]}/24", "dev", "br1")
        lab.ip(lab.peer, "link", "set", "br1", "up")
        wait_until(lambda: HERE[4].rsplit(".", 1)[0] in self.appctl("ovs/route/show"), 10, lambda: self.appctl("ovs/route/show"))

    def knows_neighbour(self):
        run(["ip", "netns", "exec", self.lab.peer, "ping", "-q", "-c", 1, "-W", 1, HERE[4]], check=False)
        return HERE[4] in self.appctl("tnl/arp/show")

    def tunnel(self, name, kind, **options):
        """A port of br0 to the collector, whose neighbour's address it learns while it has one."""
        words = [f"options:{key}={value}" for key, value in {"remote_ip": HERE[4], **options}.items()]
        self.vsctl("add-port", "br0", name, "--", "set", "interface", name, f"type={kind}", *words)
        wait_until(self.knows_neighbour, 10, lambda: self.appctl("tnl/arp/show"))

    def mirror_to(self, name):
        """All that passes br0 goes out of this port too."""
        self.vsctl("--", "--id=@p", "get", "port", name, "--", "--id=@m", "create", "mirror", "name=m", "select-all=true",
                   "output-port=@p", "--", "set", "bridge", "br0", "mirrors=@m")
