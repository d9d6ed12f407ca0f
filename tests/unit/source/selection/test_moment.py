"""Dates and times from texts, against Python's own reading of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.errors import UsageError
from replay.source.selection.moment import parse_moment, text_of

NOON_NS = 1_795_305_600_000_000_000  # 2026-11-22T00:00:00Z


@pytest.mark.parametrize(
    ("text", "ns", "utc_assumed", "is_date"),
    [
        ("2026-11-22", 0, True, True),
        (" 2026-11-22T00:00 ", 0, True, False),
        ("2026-11-22 00:00:00Z", 0, False, False),
        ("2026-11-22T02:00+02:00", 0, False, False),
        ("2026-11-21T18:30-0530", 0, False, False),
        ("2026-11-22T00:00:01.5z", 1_500_000_000, False, False),
        ("2026-11-22T00:00:00.000000001", 1, True, False),
        ("2026-11-22T00:00:00.123456789 +00:00", 123_456_789, False, False),
        ("2026-11-22T00:00:00,1234567890Z", 123_456_789, False, False),
        ("20261122", 0, True, True),
        ("2026-W47-7", 0, True, True),
        ("2026-326", 0, True, True),
        ("20261122T0000Z", 0, False, False),
        ("2026-11-22T00", 0, True, False),
        ("2026-11-22T00:00.5", 30_000_000_000, True, False),
        ("2026-11-22T02:00+02", 0, False, False),
        ("2026-11-21T24:00", 0, True, False),
    ],
)
def test_moments(text, ns, utc_assumed, is_date):
    """Broken: a range starts hours away, loses nanoseconds, or the log does not say that UTC was assumed."""
    moment = parse_moment(text, "--from")
    assert (moment.ns - NOON_NS, not moment.zone, not moment.clock) == (ns, utc_assumed, is_date)


@pytest.mark.parametrize(
    "text",
    ["", "today", "2026-11", "2026-13-01", "2026-02-29", "2026-11-22T", "2026-11-22T10:60", "2026-W54-1", "2026-366",
     "2026-11-22T10:00:00.", "2026-11-22T10:00:00.1234567891", "2026-11-22Z", "0000-01-01", "2026-11-22T10:00:60Z",
     "2026-11-22T10:00+24:00", "2026-11-22T10:00 UTC", "\uff12026-11-22", "2026-11-22T24:01", "10:00"],
)  # fmt: skip
def test_what_is_no_moment(text):
    """Broken: a text is taken for some other time, or ends in a traceback."""
    with pytest.raises(UsageError) as caught:
        parse_moment(text, "--from")
    assert caught.value.where == "--from"
    assert "2026-11-22T10:00" in caught.value.todo


def test_a_bare_number_has_no_unit():
    """Broken: milliseconds since 1970 are taken for seconds, or the error does not say what is missing."""
    with pytest.raises(UsageError, match="without a unit"):
        parse_moment("1795305600000", "--from")


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)), st.integers(-1439, 1439))
def test_moments_with_a_zone(at, minutes):
    """Broken: a zone is added where it is to be taken off, also before 1970."""
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    text = f"{at.isoformat(timespec='microseconds')}{sign}{hours:02}:{rest:02}"
    since = at.replace(tzinfo=UTC) - timedelta(minutes=minutes) - datetime(1970, 1, 1, tzinfo=UTC)
    assert parse_moment(text, "--from").ns == since // timedelta(microseconds=1) * 1_000


@given(st.integers(-(2**63), 2**63 - 1))
def test_the_text_of_a_moment(ns):
    """Broken: the checkpoint's text for a range is another range."""
    moment = parse_moment(text_of(ns), "--from")
    assert (moment.ns, moment.zone) == (ns, True)
