"""Rates, durations, sizes and rows as texts: what means something is understood, all else is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay import units
from replay.errors import UsageError


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("5000/s", 5_000),
        ("5000", 5_000),
        (" 5k/s ", 5_000),
        ("5K / S", 5_000),
        ("300k/m", 5_000),
        ("0.5/s", 0.5),
        ("3600/h", 1),
        ("1M/s", 1e6),
        ("10_000/s", 10_000),
        ("max", None),
        ("MAX", None),
    ],
)
def test_rates(text, rate):
    assert units.parse_rate(text) == rate


@pytest.mark.parametrize(("text", "speed"), [("60x", 60), ("60", 60), ("0.5X", 0.5), (".5x", 0.5)])
def test_speeds(text, speed):
    assert units.parse_speed(text) == speed


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("90", 90), ("90s", 90), ("5m", 300), ("5min", 300), ("2h", 7200), ("1d", 86400)],
)
def test_durations(text, seconds):
    assert units.parse_duration_s(text, "--x") == seconds


@pytest.mark.parametrize(("text", "rows"), [("10M", 10_000_000), ("500k", 500_000), ("1.5k", 1_500), ("7", 7)])
def test_rows(text, rows):
    assert units.parse_rows(text, "--x") == rows


@pytest.mark.parametrize(
    ("text", "size"), [("64MiB", 64 << 20), ("1MB", 10**6), ("1kb", 1_000), ("2KiB", 2_048), ("5", 5), ("1 GB", 10**9)]
)
def test_bytes(text, size):
    """`MiB` taken for `MB` would let 5 % less in flight, `KiB` for a million would let all of memory in."""
    assert units.parse_bytes(text, "--x") == size


PARSERS = {
    "rate": units.parse_rate,
    "speed": units.parse_speed,
    "duration": lambda text: units.parse_duration_s(text, "--x"),
    "rows": lambda text: units.parse_rows(text, "--x"),
    "bytes": lambda text: units.parse_bytes(text, "--x"),
}


@pytest.mark.parametrize("parser", PARSERS.values(), ids=PARSERS)
@pytest.mark.parametrize("text", ["", "-1", "1e5", "five", "5//s", "5 5", "0x10", "nan", "inf", "1,000", "5\n5"])
def test_text_that_means_nothing_is_refused(parser, text):
    """A wrong guess would run at a wrong speed, unnoticed."""
    with pytest.raises(UsageError):
        parser(text)


@pytest.mark.parametrize("parser", PARSERS.values(), ids=PARSERS)
@given(text=st.one_of(st.text(max_size=12), st.from_regex(r"\d{1,200}[kmgKMG]?(/[smh]|x|ms|[Mm]iB)?", fullmatch=True)))
def test_no_text_at_all_makes_a_parser_fail_otherwise(parser, text):
    try:
        value = parser(text)
    except UsageError as error:
        assert error.where.startswith("--")  # noqa: PT017
    else:
        assert value is None or value == value  # noqa: PLR0124


def test_letters_that_case_folds_to_a_unit_are_that_unit():
    """Broken: a long s, and the sign of kelvin, are a bug in replay."""
    assert units.parse_duration_s("5\u017f", "--x") == 5
    assert units.parse_rate("5\u212a/\u017f") == 5_000
    assert units.parse_bytes("1\u212aB", "--x") == 1_000


@pytest.mark.parametrize("parser", [PARSERS["rows"], PARSERS["bytes"], PARSERS["rate"]], ids=["rows", "bytes", "rate"])
def test_a_number_without_end_is_refused(parser):
    with pytest.raises(UsageError):
        parser("9" * 400)


@pytest.mark.parametrize("text", ["0/s", "0"])
def test_a_rate_or_speed_of_zero_would_never_send(text):
    with pytest.raises(UsageError, match="above zero"):
        units.parse_rate(text)
    with pytest.raises(UsageError, match="above zero"):
        units.parse_speed(text.removesuffix("/s"))


def test_eleven_years_are_a_slip_of_the_finger():
    with pytest.raises(UsageError, match="too long"):
        units.parse_duration_s("4015d", "--settle")


def test_zero_in_flight_would_never_send():
    for parsed in (units.parse_rows, units.parse_bytes):
        assert parsed("1", "--x", units.ONE_OR_MORE) == 1
        with pytest.raises(UsageError):
            parsed("0", "--x", units.ONE_OR_MORE)
