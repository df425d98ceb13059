# SPDX-License-Identifier: Apache-2.0
"""A relay between a tap and its collector that changes what it carries, for links in the clear."""

import collections
import threading
import time

RECORD, TEXT = 16, 16  # a record's type, and the bytes before its text


class Relay:
    """The way of one tap to the collector; `late`: seconds there and back."""

    def __init__(self, lab, port, to, late=(0, 0)):
        self.late = late
        self.front, self.back = lab.socket(lab.collector), lab.socket(lab.collector)
        self.front.bind(("10.77.0.2", port))
        self.back.connect(("127.0.0.1", to))
        self.tap, self.over = None, False
        self.threads = [threading.Thread(target=f) for f in (self.there, self.again)]
        for t in self.threads:
            t.start()
        lab.closers.append(self.close)

    def close(self):
        self.over = True
        for t in self.threads:
            t.join()
        self.front.close()
        self.back.close()

    def forward(self, data):
        """A datagram of the tap's, as it goes on."""
        return data

    def backward(self, data):
        """A datagram of the collector's likewise."""
        return data

    def there(self):
        self.carry(self.front, self.late[0], lambda data: self.back.send(self.forward(data)))

    def again(self):
        self.carry(self.back, self.late[1], lambda data: self.front.sendto(self.backward(data), self.tap))

    def carry(self, sock, late, send):
        """Each datagram goes on so many seconds after it came."""
        way = collections.deque()
        while not self.over:
            wait = way[0][0] - time.monotonic() if way else 0.2
            if way and wait <= 0:
                send(way.popleft()[1])
                continue
            sock.settimeout(wait)
            try:
                data, sender = sock.recvfrom(65536)
            except TimeoutError:
                continue
            if sock is self.front:
                self.tap = sender
            way.append((time.monotonic() + late, data))
