# SPDX-License-Identifier: Apache-2.0
"""Traffic that goes on while something else changes."""

import socket
import threading

from .packets import ethernet, ipv4, udp
from .tools import tshark

A, B = b"\x0a\x09\0\1", b"\x0a\x09\0\2"


class Stream(threading.Thread):
    """Numbered datagrams to two ports in turns, until it is told to end."""

    def __init__(self, lab, dev="peer0"):
        super().__init__(daemon=True)
        self.socket = lab.socket(lab.peer, socket.AF_PACKET, socket.SOCK_RAW)
        self.socket.bind((dev, 0))
        self.sent, self.over = {53: 0, 5060: 0}, threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.002):
            for port in self.sent:
                self.socket.send(ethernet(ipv4(17, A, B, udp(4000, port, bytes(200)), self.sent[port])))
                self.sent[port] += 1

    def end(self):
        self.over.set()
        self.join()
        return self.sent


def numbers(file, port):
    return [int(row[0], 16) for row in tshark(file, "ip.id", expr=f"udp.dstport == {port}")]
