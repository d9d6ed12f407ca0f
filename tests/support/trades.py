"""Trades as plain Python values, the tables they become, and what the topic should hold of them.

The reference is written down from these values alone. Nothing is imported from the tool under test, and no table is
read back: a mistake shared by the tool and its check would be invisible.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from confluent_kafka import murmur2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

PARTITIONS = 4
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "BTCEUR")
FIRST_S = 1_735_603_200
"""2024-12-31T00:00:00Z."""
STEP_NS = 1_137_500_000_123
"""Between two trades: 19 minutes and a bit, with digits in every unit; 100 of them go over midnight."""
NS_PER = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


@dataclass(frozen=True)
class Trade:
    symbol: str
    cents: int
    ns: int
    id: int
    side: str

    @property
    def size(self) -> Decimal:
        return Decimal(self.id % 17 + 1) / 8

    @property
    def day(self) -> str:
        return iso(self.ns, 6)[:10]


def trades(unit: str, rows: int = 120, step_ns: int = STEP_NS) -> list[Trade]:
    """In order of time, with ties; no time has more digits than the unit holds."""
    made = []
    for at in range(rows):
        steps = at - 1 if at % 5 == 4 else at
        ns = FIRST_S * NS_PER["s"] + steps * step_ns
        side = "sell" if at % 3 else "buy"
        made.append(
            Trade(SYMBOLS[at * 7 % len(SYMBOLS)], 5_003_400 + at * 37, ns - ns % NS_PER[unit], 900_000 + at, side)
        )
    return made


def only(made: Iterable[Trade], wanted: Callable[[Trade], bool]) -> list[Trade]:
    return [trade for trade in made if wanted(trade)]


def with_symbol(made: Iterable[Trade], change: Callable[[str], str]) -> list[Trade]:
    return [replace(trade, symbol=change(trade.symbol)) for trade in made]


# -- as columns -------------------------------------------------------------------------------------------

TEXT, FLOAT, MICROSECONDS = pa.string(), pa.float64(), pa.timestamp("us")


def table(
    made: Sequence[Trade],
    *,
    symbol: pa.DataType = TEXT,
    price: pa.DataType = FLOAT,
    time: pa.DataType = MICROSECONDS,
    unit: str = "us",
    text: Callable[[int], str] | None = None,
    more: Mapping[str, pa.Array] | None = None,
) -> pa.Table:
    """Columns symbol, price, event_time and `more`. `unit` is that of integer times, `text` writes times as text."""
    kind = time.unit if pa.types.is_timestamp(time) else unit
    times: list[Any] = [text(trade.ns) if text else trade.ns // NS_PER[kind] for trade in made]
    names = pa.array([trade.symbol for trade in made], pa.string())
    return pa.table(
        {
            "symbol": names.dictionary_encode().cast(symbol) if pa.types.is_dictionary(symbol) else names.cast(symbol),
            "price": pa.array([price_as(trade.cents, price) for trade in made], price),
            "event_time": pa.array(times, time),
            **(more or {}),
        }
    )


def price_as(cents: int, kind: pa.DataType) -> Any:
    if pa.types.is_integer(kind):
        return cents
    exact = Decimal(cents) / 100
    if pa.types.is_floating(kind):
        return float(exact)
    return exact if pa.types.is_decimal(kind) else f"{exact:.2f}"


def column(made: Sequence[Trade], name: str, kind: pa.DataType | None = None) -> pa.Array:
    """One attribute of each trade."""
    return pa.array([getattr(trade, name) for trade in made], kind)


# -- as JSON ----------------------------------------------------------------------------------------------


def iso(ns: int, digits: int, zone: str = "Z", mark: str = "T") -> str:
    """In UTC, with so many digits after the second."""
    seconds, rest = divmod(ns, NS_PER["s"])
    text = datetime.fromtimestamp(seconds, UTC).strftime(f"%Y-%m-%d{mark}%H:%M:%S")
    return text + (f".{rest:09d}"[: digits + 1] if digits else "") + zone


def shortest(trade: Trade) -> str:
    """As floats are written: without zeros at the end."""
    return f"{trade.cents // 100}.{trade.cents % 100:02d}".rstrip("0").rstrip(".")


def places(digits: int) -> Callable[[Trade], str]:
    """As decimals are written: with all digits of their scale."""
    return lambda trade: f"{Decimal(trade.cents) / 100:.{digits}f}"


def quoted(attribute: str) -> Callable[[Trade], str]:
    return lambda trade: json.dumps(getattr(trade, attribute))


def bare(attribute: str) -> Callable[[Trade], str]:
    return lambda trade: str(getattr(trade, attribute))


def size(trade: Trade) -> str:
    return f"{trade.size:f}".rstrip("0").rstrip(".") if "." in f"{trade.size:f}" else f"{trade.size:f}"


@dataclass(frozen=True)
class Sent:
    """A record, as it should be or as it is. Headers of the first kind are regular expressions."""

    key: bytes | None
    value: str
    timestamp_ms: int
    partition: int
    headers: tuple[tuple[str, str], ...] = ()


def sent(
    made: Iterable[Trade],
    price: Callable[[Trade], str] = shortest,
    digits: int = 6,
    *,
    fields: Mapping[str, Callable[[Trade], str]] | None = None,
    key: Callable[[Trade], str | None] = lambda trade: trade.symbol,
    partition: Callable[[Trade], int] = lambda trade: murmur2(trade.symbol.encode(), PARTITIONS),
    now: bool = False,
    headers: Callable[[Trade], Iterable[tuple[str, str]]] = lambda _: (),
) -> list[Sent]:
    """The records of these trades. `fields` are the further ones, as JSON; `now`: timestamps are not looked at."""
    records = []
    for trade in made:
        more = "".join(f', "{name}": {text(trade)}' for name, text in (fields or {}).items())
        time = iso(trade.ns, digits)
        value = f'{{"symbol": "{trade.symbol}", "price": {price(trade)}, "event_time": "{time}"{more}}}'
        name = key(trade)
        records.append(
            Sent(
                None if name is None else name.encode(),
                value,
                -1 if now else trade.ns // NS_PER["ms"],
                partition(trade),
                tuple(headers(trade)),
            )
        )
    return records


@dataclass(frozen=True)
class Bad:
    """A row that no record stands for: its place in the file, the reason told, and what a column of it holds."""

    row: int
    reason: str
    column: str
    value: Any


def jittered(made: Sequence[Trade]) -> list[Trade]:
    """Every fourth trade three places late."""
    late = list(made)
    for at in range(0, len(late) - 3, 8):
        late.insert(at + 3, late.pop(at))
    return late


def merged(files: Sequence[Sequence[Trade]]) -> list[Trade]:
    """All rows by (time, file, row)."""
    return [trade for *_, trade in sorted(_placed(files), key=lambda row: row[:3])]


def merged_as_they_stand(files: Sequence[Sequence[Trade]]) -> list[Trade]:
    """By (the largest time up to this row of its file, file, row): no file's own order is changed."""
    highs = [high for file in files for high in accumulate((trade.ns for trade in file), max)]
    rows = [(high, *row[1:]) for high, row in zip(highs, _placed(files), strict=True)]
    return [trade for *_, trade in sorted(rows, key=lambda row: row[:3])]


def _placed(files: Sequence[Sequence[Trade]]) -> list[tuple[int, int, int, Trade]]:
    return [(trade.ns, file, row, trade) for file, made in enumerate(files) for row, trade in enumerate(made)]
