# SPDX-License-Identifier: Apache-2.0
"""Traffic of many flows at a wished pace, for taps whose rate is less."""

import socket
import time

from lib.packets import ethernet, ipv4, udp

RATE = 500_000
FLOWS = 400
PAYLOAD = 400


class Talk:
    """Datagrams of many flows, in both directions, each flow numbered on in the IP header."""

    def __init__(self, lab):
        self.numbers = [0] * FLOWS
        self.sent = 0
        self.socket = lab.socket(lab.peer, socket.AF_PACKET, socket.SOCK_RAW)
        self.socket.bind(("peer0", 0))

    def frame(self, flow, number):
        back = number % 2 == 1
        ends = (b"\x0a\x09\0\1", 10000 + flow), (b"\x0a\x09\0\2", 5060 if flow == 0 else 53)
        (source, from_port), (target, to_port) = reversed(ends) if back else ends
        return ethernet(ipv4(17, source, target, udp(from_port, to_port, bytes(PAYLOAD)), number), back=back)

    def go(self, pps, done, seconds):
        """Sends at that pace until done() is true, which it has to be within so many seconds; True if it was."""
        began, n, flow = time.monotonic(), 0, 0
        while (now := time.monotonic()) < began + seconds:
            while n < (now - began) * pps:
                flow = self.sent % FLOWS
                self.socket.send(self.frame(flow, self.numbers[flow]))
                self.numbers[flow] += 1
                self.sent += 1
                n += 1
            if done():
                return True
            time.sleep(0.01)
        return False

    def for_seconds(self, pps, seconds):
        end = time.monotonic() + seconds
        assert self.go(pps, lambda: time.monotonic() >= end, seconds + 5)


def wish(times):
    """Frames a second that are so many times the rate."""
    return int(RATE * times / 8 / (PAYLOAD + 80))
