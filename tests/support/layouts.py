"""Columns beyond the plain three: further, nested and missing ones, well-known layouts, bad values; and their JSON.

As in `trades.py`, the JSON is written down from the plain values.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import zlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from confluent_kafka import murmur2

from tests.support.trades import (
    PARTITIONS,
    Bad,
    Sent,
    Trade,
    bare,
    column,
    iso,
    only,
    quoted,
    sent,
    size,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    Fields = Mapping[str, Callable[[Trade], str]]

# -- further columns --------------------------------------------------------------------------------------


def with_fields(made: Sequence[Trade], **options: Any) -> pa.Table:
    """With the columns id, side and size."""
    sizes = pa.array([float(trade.size) for trade in made])
    more = {"id": column(made, "id"), "side": column(made, "side"), "size": sizes}
    return table(made, more=more, **options)


FIELDS: Fields = {"id": bare("id"), "side": quoted("side"), "size": size}


def nested(trade: Trade) -> dict[str, Any]:
    """Lists, structs and maps, also empty ones and none at all."""
    at = trade.id % 5
    return {
        "venue": {"name": f'the "{trade.side}" desk', "codes": list(range(at)), "fee": None} if at else None,
        "levels": [{"price": level, "lots": level * 2} for level in range(at)],
        "tags": {"kind": trade.side, "ünïcode": "é\n"} if at % 2 else {},
    }


NESTED_TYPES = {
    "venue": pa.struct([("name", pa.string()), ("codes", pa.list_(pa.int32())), ("fee", pa.float64())]),
    "levels": pa.large_list(pa.struct([("price", pa.int64()), ("lots", pa.int16())])),
    "tags": pa.map_(pa.string(), pa.string()),
}


def with_nested(made: Sequence[Trade]) -> pa.Table:
    columns = {}
    for name, kind in NESTED_TYPES.items():
        values: list[Any] = [nested(trade)[name] for trade in made]
        columns[name] = pa.array([list(v.items()) for v in values] if name == "tags" else values, kind)
    return table(made, more=columns)


def as_json(name: str) -> Callable[[Trade], str]:
    return lambda trade: json.dumps(nested(trade)[name], ensure_ascii=False)


NESTED_FIELDS: Fields = {name: as_json(name) for name in NESTED_TYPES}


def with_every_type(made: Sequence[Trade]) -> pa.Table:
    noon = dt.time(12, 34, 56, 789_000)
    return table(
        made,
        more={
            "b": pa.array([trade.side == "buy" for trade in made]),
            "u64": pa.array([2**64 - 1] * len(made), pa.uint64()),
            "f32": pa.array([0.1] * len(made), pa.float32()),
            "nan": pa.array([float("nan")] * len(made)),
            "d": pa.array([dt.date(2024, 2, 29)] * len(made)),
            "t": pa.array([noon] * len(made), pa.time32("ms")),
            "at": pa.array([dt.datetime(1969, 12, 31, 23, 59, 59)] * len(made), pa.timestamp("ms", "Asia/Tokyo")),
            "took": pa.array([1_500] * len(made), pa.duration("ms")),
            "raw": pa.array([b"\x00\xff"] * len(made)),
            "tiny": pa.array([Decimal("0.0000001")] * len(made), pa.decimal128(12, 7)),
            "none": pa.nulls(len(made)),
            "side": column(made, "side").dictionary_encode(),
        },
    )


EVERY_TYPE: Fields = {
    "b": lambda trade: "true" if trade.side == "buy" else "false",
    "u64": lambda _: "18446744073709551615",
    "f32": lambda _: "0.1",
    "nan": lambda _: "null",
    "d": lambda _: '"2024-02-29"',
    "t": lambda _: '"12:34:56.789"',
    "at": lambda _: '"1969-12-31T23:59:59.000000Z"',
    "took": lambda _: '"PT1.500S"',
    "raw": lambda _: '"AP8="',
    "tiny": lambda _: "0.0000001",
    "none": lambda _: "null",
    "side": quoted("side"),
}


# -- well-known layouts -----------------------------------------------------------------------------------


def binance(made: Sequence[Trade], unit: str) -> pa.Table:
    plain = with_fields(made, time=pa.int64(), unit=unit)
    quote = pa.array([trade.cents / 100 * float(trade.size) for trade in made])
    columns = {"id": "id", "price": "price", "qty": "size", "time": "event_time"}
    renamed = pa.table({new: plain[old] for new, old in columns.items()})
    return renamed.add_column(3, "quote_qty", quote).append_column("is_buyer_maker", pc.equal(plain["side"], "sell"))


BINANCE_FIELDS: Fields = {
    "id": bare("id"),
    "qty": size,
    "quote_qty": lambda trade: json_float(trade.cents / 100 * float(trade.size)),
    "is_buyer_maker": lambda trade: "true" if trade.side == "sell" else "false",
}


def json_float(value: float) -> str:
    """The fewest digits, without an exponent, and no point where none is needed."""
    text = f"{Decimal(repr(value)):f}"
    return text.removesuffix(".0")


def tardis(made: Sequence[Trade]) -> pa.Table:
    plain = with_fields(made, time=pa.int64(), unit="us")
    columns = {"symbol": "symbol", "timestamp": "event_time", "local_timestamp": "event_time", "id": "id"}
    columns |= {"side": "side", "price": "price", "amount": "size"}
    renamed = pa.table({new: plain[old] for new, old in columns.items()})
    return renamed.add_column(0, "exchange", pa.array(["binance"] * len(made)))


TARDIS_FIELDS: Fields = {
    "exchange": lambda _: '"binance"',
    "id": bare("id"),
    "side": quoted("side"),
    "amount": size,
}


def databento(made: Sequence[Trade]) -> pa.Table:
    """Fixed-point prices; every tenth trade has none."""
    count = len(made)
    prices = [trade.cents * 10**7 if at % 10 else 2**63 - 1 for at, trade in enumerate(made)]
    return pa.table(
        {
            "ts_recv": pa.array([trade.ns for trade in made], pa.timestamp("ns", "UTC")),
            "ts_event": pa.array([trade.ns for trade in made], pa.timestamp("ns", "UTC")),
            "rtype": pa.array([0] * count, pa.uint8()),
            "publisher_id": pa.array([1] * count, pa.uint16()),
            "instrument_id": pa.array([7] * count, pa.uint32()),
            "action": ["T"] * count,
            "side": ["B" if trade.side == "buy" else "A" for trade in made],
            "price": pa.array(prices, pa.int64()),
            "size": pa.array([trade.id % 9 for trade in made], pa.uint32()),
            "sequence": pa.array([trade.id for trade in made], pa.uint32()),
            "symbol": column(made, "symbol"),
        }
    )


DATABENTO_FIELDS: Fields = {
    "size": lambda trade: str(trade.id % 9),
    "side": lambda trade: '"B"' if trade.side == "buy" else '"A"',
    "sequence": bare("id"),
    "publisher_id": lambda _: "1",
}


def sample_of_nautilus(path: Path) -> list[Sent]:
    """The shared sample, row by row."""
    records = []
    for row in pq.read_table(path).to_pylist():
        ms = round(row["timestamp"].timestamp() * 1_000)
        value = (
            f'{{"symbol": "BTCUSDT", "price": {json_float(row["price"])}, "event_time": "{iso(ms * 10**6, 6)}",'
            f' "trade_id": {row["trade_id"]}, "quantity": {json_float(row["quantity"])},'
            f' "buyer_maker": "{row["buyer_maker"]}"}}'
        )
        records.append(Sent(b"BTCUSDT", value, ms, murmur2(b"BTCUSDT", PARTITIONS)))
    return records


# -- bad rows ---------------------------------------------------------------------------------------------

BAD = [
    Bad(3, "price is null or empty", "price", None),
    Bad(10, "price is not finite", "price", float("inf")),
    Bad(11, "symbol is null or empty", "symbol", ""),
    Bad(50, "symbol is null or empty", "symbol", None),
    Bad(51, "time is null or empty", "event_time", None),
    Bad(119, "price is not finite", "price", float("-inf")),
]


def good(made: Sequence[Trade]) -> list[Trade]:
    """Without the bad rows."""
    rows = {bad.row for bad in BAD}
    return [trade for row, trade in enumerate(made) if row not in rows]


def with_bad_rows(made: Sequence[Trade]) -> pa.Table:
    rows = with_fields(made).to_pylist()
    for bad in BAD:
        rows[bad.row][bad.column] = bad.value
    return pa.Table.from_pylist(rows, schema=with_fields(made).schema)


TEXT_PRICES = {
    "50034.56": "50034.56",
    " 7 ": "7",
    "1e3": "1e3",
    ".5": "0.5",
    "007.10": "7.10",
    "-0.0": "-0.0",
    "12.": "12",
    "abc": None,
    "nan": None,
    "": None,
}
"""How a price stands in the file, and in the topic if it is one."""


def with_text_prices(made: Sequence[Trade]) -> pa.Table:
    texts = list(TEXT_PRICES)
    prices = pa.array([texts[trade.id % len(texts)] for trade in made])
    return table(made).set_column(1, "price", prices)


def text_prices(made: Sequence[Trade]) -> list[Sent]:
    numbers = list(TEXT_PRICES.values())
    told = {trade.id: numbers[trade.id % len(numbers)] for trade in made}
    return sent(only(made, lambda trade: told[trade.id] is not None), lambda trade: str(told[trade.id]))


# -- keys, partitions, selections -------------------------------------------------------------------------


def crc32(trade: Trade) -> int:
    """librdkafka's partitioner, of the side."""
    return zlib.crc32(trade.side.encode()) % PARTITIONS


def shard(trade: Trade) -> int:
    return trade.id * 3 % PARTITIONS


def with_shards(made: Sequence[Trade]) -> pa.Table:
    return table(made, more={"shard": pa.array([shard(trade) for trade in made], pa.int16())})


def in_sample(symbol: str, share: float) -> bool:
    """By its SHA-256: the first 64 bits as a fraction."""
    return int(hashlib.sha256(symbol.encode()).hexdigest()[:16], 16) / 2**64 < share


def numbered(first: int) -> Callable[[Trade], list[tuple[str, str]]]:
    """The headers of a case: a constant, and a label with the row's number among all rows that are read."""
    return lambda trade: [("source", "archive"), ("row", f"[0-9a-f]{{8}}:{trade.id - first}")]


def selling(made: Sequence[Trade]) -> list[Trade]:
    """side == 'sell' and size > 1"""
    return only(made, lambda trade: trade.side == "sell" and trade.size > 1)
