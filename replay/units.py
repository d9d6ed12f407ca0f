"""Rates, durations, sizes and row counts from texts and as texts; units of time; bounds. Pure.

Raises `UsageError` where a text cannot be read or a value is out of bounds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from replay.errors import UsageError


def clock_time(seconds: float) -> str:
    """`21:40:22`, local time, as in the log lines."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%H:%M:%S")


def duration(seconds: float) -> str:
    """`850 ms`, `12.3 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds < 0.9995:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min"


def utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


NUMBER = r"(\d+(?:_\d{3})*(?:\.\d+)?|\.\d+)"

_SCALES = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}

_BYTE_SCALES = {"": 1, "b": 1, "kb": 1_000, "mb": 10**6, "gb": 10**9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}

_SECONDS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def matched(text: str, pattern: str, option: str, forms: str) -> re.Match[str]:
    match = re.fullmatch(pattern, text.strip(), re.IGNORECASE)
    if match is None:
        raise UsageError(f"cannot read {text!r}", where=option, todo=f"write it like {forms}")
    return match


def number_of(text: str, option: str) -> float:
    number = float(text.replace("_", ""))
    if number > 1e15:  # far beyond any use, and within what floats count exactly
        raise UsageError(f"{text[:20]}... is too large", where=option, todo="give at most 1e15")
    return number


Bounds = tuple[float, float]
"""Smallest and largest value of an option; the upper ones are librdkafka's."""

BATCH_ROWS: Bounds = (1, 1_000_000)

BATCH_BYTES: Bounds = (1, 2_147_483_647)

LINGER_S: Bounds = (0, 900)

IN_FLIGHT_ROWS: Bounds = (1, 2_000_000)  # librdkafka's own limit is 10 million; a row costs about 400 bytes there

IN_FLIGHT_BYTES: Bounds = (1, 512 << 30)

ANY: Bounds = (0, 1e15)

ONE_OR_MORE: Bounds = (1, 1e15)

WATCH_S: Bounds = (0.2, 86_400)

SORT_MEMORY: Bounds = (16 << 20, 1 << 40)  # below this, runs are too many to be merged well


def check_within(bounds: Bounds, value: float, option: str) -> None:
    if not bounds[0] <= value <= bounds[1]:
        raise UsageError(f"{value:g} is out of range", where=option, todo=f"give {bounds[0]:g} to {bounds[1]:g}")


def parse_rate(text: str) -> float | None:
    """`5000/s`, `5k/s`, `300000/m`, a bare number (rows per second); `max` is None."""
    if text.strip().lower() == "max":
        return None
    match = matched(text, NUMBER + r"\s*([km]?)\s*(?:/\s*(s|m|h))?", "--rate", "5000/s, 5k/s, 300k/m or max")
    rate = number_of(match[1], "--rate") * _SCALES[match[2].casefold()] / _SECONDS[(match[3] or "").casefold()]
    if rate <= 0:
        raise UsageError("a rate must be above zero", where="--rate", todo="write it like 5000/s, or max")
    return rate


def parse_speed(text: str) -> float:
    """`60x` or `60`: how many times faster than the event times."""
    speed = number_of(matched(text, NUMBER + r"\s*x?", "--speed", "60x or 0.5x")[1], "--speed")
    if speed <= 0:
        raise UsageError("a speed must be above zero", where="--speed", todo="write it like 60x")
    return speed


def parse_duration_s(text: str, option: str, bounds: Bounds = ANY) -> float:
    """`250ms`, `90s`, `5m`, `2h`; a bare number is seconds."""
    seconds = _scaled(text, _SECONDS, option, "250ms, 90s, 5m or 2h")
    if seconds > 10 * 365 * 86400:
        raise UsageError(f"{text!r} is too long", where=option, todo="give at most ten years")
    check_within(bounds, seconds, option)
    return seconds


def parse_rows(text: str, option: str, bounds: Bounds = ANY) -> int:
    """`10M`, `500k`, `100000`."""
    rows = round(_scaled(text, _SCALES, option, "100000, 500k or 10M"))
    check_within(bounds, rows, option)
    return rows


def parse_bytes(text: str, option: str, bounds: Bounds = ANY) -> int:
    """`64MiB`, `1MB`, `1000000`."""
    size = round(_scaled(text, _BYTE_SCALES, option, "64MiB, 1MB or 1000000"))
    check_within(bounds, size, option)
    return size


def _scaled(text: str, scales: Mapping[str, float], option: str, forms: str) -> float:
    """A number times what the unit behind it stands for."""
    match = matched(text, rf"{NUMBER}\s*({'|'.join(scales)})", option, forms)
    return number_of(match[1], option) * scales[match[2].casefold()]  # the pattern takes a long s for an s


NS_PER_UNIT = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
NS_PER_S = NS_PER_UNIT["s"]
S_PER_DAY = 86_400

FIRST_NS = 1_000_000  # since 1970: Kafka counts milliseconds, and takes 0 for "now"

LAST_NS = 2**63 - 1  # 2262-04-11: the last moment that 64 bits of nanoseconds hold
