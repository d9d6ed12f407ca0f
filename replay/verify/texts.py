"""Values as text for people: JSON, or hexadecimal digits; long ones are cut. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any

VALUE_MAX = 300
"""Characters of a whole value."""

FIELD_MAX = 80
"""Characters of one field of it."""

HEX_BYTES_MAX = 32

_BEFORE = 16  # characters that are left before the first one that differs
_MISSING = "missing"


class Digits(str):
    """A number of JSON as it was written: a float would lose digits, and the difference with them."""

    __slots__ = ()


def parsed_json(text: bytes) -> Any:
    """Raises `ValueError` or `RecursionError` for bytes that are no JSON."""
    return json.loads(text.decode(), parse_float=Digits, parse_int=Digits)


def json_text(value: Any) -> str:
    """On one line."""
    if isinstance(value, Digits):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json_text(str(name))}: {json_text(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(json_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False, default=str)


def cut(text: str, most: int = VALUE_MAX) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def hexadecimal(data: bytes) -> str:
    """`0x00ff`."""
    if len(data) <= HEX_BYTES_MAX:
        return "0x" + data.hex()
    return f"0x{data[:HEX_BYTES_MAX].hex()}… ({len(data):,} bytes)"


def moment(time_ms: int) -> str:
    """`2026-11-02T00:00:00.000Z`; beyond the calendar a number."""
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return f"{time_ms} ms"


def change(name: str, found: str, expected: str, most: int = FIELD_MAX) -> str:
    """`price: 1.0, expected 2.0`. Of long texts the part is shown where they begin to differ."""
    start = 0
    if max(len(found), len(expected)) > most:
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(found, expected, strict=False)))
        start = max(0, same - _BEFORE)
    there, wanted = (_window(text, start, most) for text in (found, expected))
    return f"{name}: {there}, expected {wanted}"


def change_of_bytes(name: str, found: bytes, expected: bytes) -> str:
    """`value: 0x01ff, expected 0x02ff`."""
    start = 0
    if max(len(found), len(expected)) > HEX_BYTES_MAX:
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(found, expected, strict=False)))
        start = max(0, same - _BEFORE // 2)
    there, wanted = (
        "0x" + _window(data[start : start + HEX_BYTES_MAX + 1].hex(), 0, 2 * HEX_BYTES_MAX)
        for data in (found, expected)
    )
    place = f" from byte {start:,}" if start else ""
    return f"{name}{place}: {there}, expected {wanted}"


def changes(found: Any, expected: Any, path: str) -> Iterator[str]:
    """One text for each field that differs, by its path: `book.bids[2]`."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for name in [*expected, *(name for name in found if name not in expected)]:
            inner = f"{path}.{name}" if path else str(name)
            if name not in found:
                yield change(inner, _MISSING, json_text(expected[name]))
            elif name not in expected:
                yield change(inner, json_text(found[name]), "no such field")
            else:
                yield from changes(found[name], expected[name], inner)
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for at, (there, wanted) in enumerate(zip(found, expected, strict=True)):
            yield from changes(there, wanted, f"{path}[{at}]")
    elif (there := json_text(found)) != (wanted := json_text(expected)):
        yield change(path, there, wanted)


def _window(text: str, start: int, most: int) -> str:
    after = "…" if len(text) > start + most else ""
    return ("…" if start else "") + text[start : start + most] + after
