# SPDX-License-Identifier: Apache-2.0
"""Reads IPFIX files (RFC 5655) by their templates alone."""

import struct


def fields_of(data, at, n):
    """(element, length) of each, and the place behind; of the other direction (RFC 5103) the element is negative."""
    found = []
    for _ in range(n):
        element, length = struct.unpack_from("!HH", data, at)
        at += 4
        if element & 0x8000:
            assert struct.unpack_from("!I", data, at) == (29305,), at
            element, at = -(element & 0x7FFF), at + 4
        found.append((element, length))
    return found, at


class Reader:
    """A file, read: records as {element: bytes}, names of interfaces, and the messages' headers."""

    def __init__(self, path):
        self.data = path.read_bytes()
        self.templates, self.records, self.names, self.messages, self.counted = {}, [], {}, [], {}
        self.domains = []  # of each record
        self.options = []  # as records, but names
        at = 0
        while at < len(self.data):
            version, length, time, sequence, domain = struct.unpack_from("!HHIII", self.data, at)
            assert version == 10 and 16 < length <= 1400, (at, version, length)
            assert sequence == self.counted.setdefault(domain, 0), f"message at {at}: {sequence} is not {self.counted[domain]}"
            self.messages.append((length, time, domain))
            self.sets(at + 16, at + length, domain)
            at += length
        assert at == len(self.data)

    def sets(self, at, end, domain):
        while at < end:
            kind, length = struct.unpack_from("!HH", self.data, at)
            assert length >= 4 and at + length <= end
            if kind in (2, 3):
                self.template_set(at + 4, at + length, domain, kind == 3)
            else:
                self.data_set(at + 4, at + length, domain, kind)
            at += length

    def template_set(self, at, end, domain, options):
        while at < end:
            number, n = struct.unpack_from("!HH", self.data, at)
            at += 6 if options else 4
            self.templates[domain, number], at = fields_of(self.data, at, n)
        assert at == end

    def data_set(self, at, end, domain, number):
        while at < end:
            record = {}
            for element, length in self.templates[domain, number]:
                if length == 65535:
                    length = self.data[at]
                    at += 1
                record[element] = self.data[at:at + length]
                at += length
            self.counted[domain] += 1
            if 82 in record:
                self.names[int.from_bytes(record[10], "big")] = record[82]
            elif domain == 0:
                assert not self.records, "options come first"
                self.options.append(record)
            else:
                assert int.from_bytes(record[10], "big") in self.names, "an interface has its name before its first record"
                self.records.append(record)
                self.domains.append(domain)
        assert at == end
