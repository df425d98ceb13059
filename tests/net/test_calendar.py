# SPDX-License-Identifier: Apache-2.0
"""Business hours over whole years, with both changes of the clock: Python's zoneinfo is the judge of local time."""

import datetime
import zoneinfo

import pytest

from lib.proc import run
from lib.tools import TOOLS

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
# (text, [(days, minute from, minute to)]) with the hours of each day in its own minutes, from the text's meaning and not by a parser
HOURS = [
    ("mon-fri 08:00-18:00, sat 09:00-12:00", [("mon tue wed thu fri", 480, 1080), ("sat", 540, 720)]),
    ("sat,sun", [("sat sun", 0, 1440)]),
    ("sun 02:15-02:45", [("sun", 135, 165)]),  # which a change of the clock leaves out or repeats
    ("sat 22:00-06:00", [("sat", 1320, 1440), ("sun", 0, 360)]),
    ("mon-sun 00:00-01:30,02:30-24:00", [(" ".join(DAYS), 0, 90), (" ".join(DAYS), 150, 1440)]),
]
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]  # the last one's summer time is half an hour


def clock(zone, begin, end):
    """By Python, each minute of the world's time with its weekday and minute there."""
    tz = zoneinfo.ZoneInfo(zone)
    times = ((t, datetime.datetime.fromtimestamp(t, tz)) for t in range(begin, end, 60))
    return [(t, (local.weekday(), local.hour * 60 + local.minute)) for t, local in times]


def judged(minutes, spans):
    """The times at which it opens and closes."""
    open_at = {(DAYS.index(day), minute) for days, first, last in spans for day in days.split() for minute in range(first, last)}
    found, before = [], None
    for t, there in minutes:
        now = there in open_at
        if now != before:
            found.append((t, "open" if now else "closed"))
            before = now
    return found


def changes(zone, begin, end):
    """How often the clock is changed."""
    tz = zoneinfo.ZoneInfo(zone)
    offsets = [datetime.datetime.fromtimestamp(t, tz).utcoffset() for t in range(begin, end, 3600)]
    return sum(a != b for a, b in zip(offsets, offsets[1:]))


@pytest.mark.parametrize("year", [2026, 2043])  # the latter is behind the end of a zone's table
@pytest.mark.parametrize("zone", ZONES)
def test_a_year(zone, year):
    begin, end = (int(datetime.datetime(y, 1, 1, tzinfo=datetime.timezone.utc).timestamp()) for y in (year, year + 1))
    assert changes(zone, begin, end) == 2
    minutes = clock(zone, begin, end)
    for text, spans in HOURS:
        lines = run([TOOLS / "openhours", zone, text, begin, end]).stdout.splitlines()
        told = [(int(t), state) for t, state in (line.split() for line in lines)]
        assert told == judged(minutes, spans), (zone, text)
        assert len(told) > 100


def test_what_is_no_zone_or_no_hours():
    for zone, hours, words in (("Europe/Atlantis", "mon", 'there is no time zone "Europe/Atlantis"'), ("UTC", "mon 9-5", "times are HH:MM-HH:MM")):
        done = run([TOOLS / "openhours", zone, hours, 0, 60], check=False)
        assert done.returncode == 1 and words in done.stderr, done
