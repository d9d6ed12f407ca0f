"""A table with a column of every type that a file may have, at the limits of the type, with nulls."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa

ROWS = 6
T0_US = 1_793_577_600_000_000
"""2026-11-02T00:00:00Z"""

FAR = {"s": (-62_135_596_800, 253_402_300_799), "ns": (-(2**63) + 1, 2**63 - 1)}
"""Moments from the year 1 to 9999; nanoseconds do not reach as far."""


def _moments(unit: str, zone: str | None = None) -> pa.Array:
    if unit == "ns":
        first, last = FAR["ns"]
    else:
        per_s = {"s": 1, "ms": 10**3, "us": 10**6}[unit]
        first, last = FAR["s"][0] * per_s, FAR["s"][1] * per_s + per_s - 1
    return pa.array([first, last, 0, -1, None, 1], pa.int64()).cast(pa.timestamp(unit, zone))


def _integers(kind: pa.DataType) -> pa.Array:
    bits, signed = kind.bit_width, not str(kind).startswith("u")
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return pa.array([low, high, 0, 1, None, 7], kind)


def _decimals(precision: int, scale: int) -> pa.Array:
    kind = pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)
    nines = (9,) * precision
    signed = [(0, nines), (1, nines), (0, (1,)), (1, (1,)), None, (0, (0,))]
    return pa.array([each and Decimal((*each, -scale)) for each in signed], kind)


LEG = pa.struct([("price", pa.decimal128(9, 2)), ("at", pa.timestamp("us")), ("tags", pa.list_(pa.string()))])
NOON = datetime(2026, 11, 2, 12, 0, 0, 1)


def _leg(price: str, *tags: str | None) -> dict[str, Any]:
    return {"price": Decimal(price), "at": NOON, "tags": list(tags)}


def columns() -> dict[str, pa.Array]:
    """Those beside symbol, price and event_time."""
    one, two = _leg("1.25", "a", "ü"), _leg("-9999999.99")
    return {
        **{str(kind): _integers(kind) for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64())},
        **{str(kind): _integers(kind) for kind in (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())},
        "half": pa.array([65504.0, -65504.0, 2**-24, 0.5, None, 0.0], pa.float32()).cast(pa.float16()),
        "float32": pa.array([3.4028234663852886e38, -3.4028234663852886e38, 1e-45, 0.1, None, 0.0], pa.float32()),
        "float64": pa.array([1.7976931348623157e308, -5e-324, 0.1, 1e15, None, 0.0]),
        "bool": pa.array([True, False, True, False, None, True]),
        "text": pa.array(["", "ü€😀", '"\\\n\x01', "x" * 3000, None, "a"]),
        "coded": pa.array(["buy", "sell", "buy", "sell", None, "buy"]).dictionary_encode(),
        "raw": pa.array([b"", b"\x00\xff", bytes(range(256)), b"a", None, b"\x80"], pa.binary()),
        "decimal38": _decimals(38, 9),
        "decimal76": _decimals(76, 40),
        "decimal9": _decimals(9, 0),
        "day": pa.array([date(1, 1, 1), date(9999, 12, 31), date(1970, 1, 1), date(1969, 12, 31), None, NOON.date()]),
        "clock_s": pa.array([0, 86_399, 1, 2, None, 3], pa.int32()).cast(pa.time32("s")),
        "clock_ms": pa.array([0, 86_399_999, 1, 2, None, 3], pa.int32()).cast(pa.time32("ms")),
        "clock_us": pa.array([0, 86_399_999_999, 1, 2, None, 3], pa.int64()).cast(pa.time64("us")),
        "clock_ns": pa.array([0, 86_399_999_999_999, 1, 2, None, 3], pa.int64()).cast(pa.time64("ns")),
        "moment_ms": _moments("ms"),
        "moment_us": _moments("us"),
        "moment_ns": _moments("ns"),
        "moment_zoned": _moments("us", "Europe/Berlin"),
        "lasting": pa.array([-(10**15), 10**15, 0, 1, None, -1], pa.int64()).cast(pa.duration("us")),
        "uuid": pa.array([UUID(int=0), UUID(int=2**128 - 1), UUID(int=1), UUID(int=2), None, UUID(int=3)], pa.uuid()),
        "nothing": pa.nulls(ROWS),
        "leg": pa.array([one, two, one, two, None, {"price": None, "at": None, "tags": ["b"]}], LEG),
        "texts": pa.array([["a", "b"], [], ["ü"], ["x"] * 100, ["c"], [""]], pa.list_(pa.string())),
        "legs": pa.array([[one, two], [], [two], [one], [two, one], []], pa.list_(LEG)),
        "by_name": pa.array([[("a", 1), ("b", -(2**63))], [], [("ü", 2**63 - 1)], [("c", 0)], [("d", 5)], []],
                            pa.map_(pa.string(), pa.int64())),
        "by_number": pa.array([[(1, "a"), (2**31 - 1, "b")], [], [(0, "c")], [(-1, "d")], [(5, "e")], []],
                              pa.map_(pa.int32(), pa.string())),
    }  # fmt: skip


def table() -> pa.Table:
    times = pa.array([T0_US + at * 1_000_001 for at in range(ROWS)], pa.int64())
    first = {
        "symbol": ["BTCUSDT", "ETHUSDT", "BTCUSDT", "XRP", "BTCUSDT", "Ω"],
        "price": [67996.6, 0.1, 1e-9, 1e15, 5.0, 2.5],
        "event_time": times.cast(pa.timestamp("us", "UTC")),
    }
    return pa.table({**first, **columns()})
