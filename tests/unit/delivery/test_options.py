"""A pace from the texts of options."""

from __future__ import annotations

import pytest

from replay.delivery.options import Pace, parse_pace
from replay.errors import UsageError


def test_pace_options_that_contradict_each_other_are_refused():
    assert parse_pace(None, None, None) == Pace()
    assert parse_pace("max", None, None) == Pace()
    assert parse_pace("5k/s", None, None) == Pace(rows_per_s=5_000)
    assert parse_pace(None, "60x", "5s") == Pace(speed=60, gap_max_s=5)
    with pytest.raises(UsageError, match="exclude each other"):
        parse_pace("max", "60x", None)
    with pytest.raises(UsageError, match="needs --speed"):
        parse_pace("5/s", None, "5s")
