# SPDX-License-Identifier: Apache-2.0
"""The cutter against the kernel's own cutting, by properties: super-packets of random kinds and sizes.

They are put into an interface by hand, the tap sees them arrive, and a device behind a bridge that cannot segment has the
kernel cut them. Both must give the same frames, and an independent decoder must find in each what there is to find.
"""

import collections
import random

import pytest

from lib.cutting import bridge, frames_of, limit, observe, same
from lib.supers import Cut, assert_whole, inject, random_super
from lib.tools import compare


def judge(lab, supers):
    """Every super-packet's frames, as they came to the collector, are right in themselves and together."""
    found = collections.defaultdict(list)
    for frame in frames_of(lab.folder / "collector.pcapng"):
        found[Cut(frame).ports].append(frame)
    assert len(found) == len(supers)
    for one in supers:
        assert_whole(one, found[one.ports])


SENDER = "ether src 02:00:00:00:00:01"


def put_in(lab, supers, size=None, later=False):
    """The supers go by the tap and are cut by the kernel; gives the tap's stages. `size`: what the devices allow, before the
    tap looks or after."""
    far = bridge(lab, addresses=False)
    if size and not later:
        limit(lab, far, size)

    def act():
        if later:
            limit(lab, far, size)
        inject(lab.peer, "peer0", supers)

    n, stages = observe(lab, far, act, SENDER)
    cut = stages["cut"]
    assert cut["cut"] == len(supers) and cut["uncut"] == 0 and cut["made"] == n - len(supers), stages
    return n, stages


@pytest.mark.parametrize("seed", range(4))
def test_random(lab, seed):
    """Tags (one of them beside the frame, in the ring), options, extension headers, flags, sizes; TCP and UDP."""
    rng = random.Random(seed)
    supers = [random_super(rng, i) for i in range(60)]
    n, _ = put_in(lab, supers)
    same(lab, n)
    judge(lab, supers)


@pytest.mark.parametrize("largest", [180000, 524000])
def test_jumbo(lab, largest):
    """Past 64 KiB: no length in the packet, a jumbo option in IPv6. The larger ones need larger blocks in the ring."""
    rng = random.Random(largest)
    supers = [random_super(rng, i, largest=largest, tcp=True, jumbo=True, tags=1) for i in range(12)]
    n, stages = put_in(lab, supers, size=largest + 280)
    assert stages["ring"]["clamped"] == 0
    same(lab, n)
    judge(lab, supers)


def test_jumbo_beyond_the_ring(lab):
    """The limits grew after the ring was made: no frame is lost, and the ledger says that some were cut short."""
    rng = random.Random(3)
    supers = [random_super(rng, i, largest=500000, tcp=True, jumbo=True) for i in range(12)]
    n, stages = put_in(lab, supers, size=524280, later=True)
    long = [one for one in supers if len(one.frame) > 256 << 10]
    assert stages["ring"]["clamped"] == len(long) > 0
    whole = {one.ports for one in supers} - {one.ports for one in long}
    verdict = compare(lab.folder / "witness.pcap", lab.folder / "collector.pcapng", order="none")
    assert verdict["missing"] == verdict["foreign"] == verdict["duplicates"] == verdict["lengths"] == 0, verdict
    assert whole and verdict["matched"] > 0 and verdict["altered"] > 0
