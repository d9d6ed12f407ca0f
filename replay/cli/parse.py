"""The text forms of options: text in, values out, `UsageError` where a value cannot work. Pure."""

from __future__ import annotations

import re

from replay.cli.options.source import Input
from replay.errors import UsageError
from replay.kafka.options import TopicSpec
from replay.partitioning import CRC32, MURMUR2
from replay.source.choices import SymbolCase
from replay.source.columns import dumps
from replay.source.options import ALL_FIELDS, Columns
from replay.units import NUMBER, check_within, matched, number_of, parse_rows


def parse_topic_spec(text: str, option: str = "--create-topic") -> TopicSpec:
    """`6` or `6:3`: partitions and replication."""
    match = matched(text, r"(\d+)(?::(\d+))?", option, "6 or 6:3 (partitions:replication)")
    spec = TopicSpec(int(match[1]), int(match[2]) if match[2] else None)
    if spec.partitions < 1 or spec.replication == 0:
        raise UsageError("partitions and replication start at 1", where=option, todo="write it like 6:3")
    return spec


def parse_assignments(texts: list[str], option: str) -> dict[str, str]:
    """Repeated `key=value` options; the value may hold further `=`. The value is never repeated in an error."""
    pairs: dict[str, str] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        key = key.strip()
        if not sign or not key:
            # Whatever follows the name may be a secret, written with a colon or a blank. So may a text without a dot
            # be: the names of settings have one, mostly.
            name = re.match(r"[a-z]+(?:[._][a-z]+)+(?![\w.-])", text)
            got = f"got {name[0]!r} and no =" if name else "there is no ="
            raise UsageError(
                f"an assignment needs a name and a value ({got})",
                where=option,
                todo=f"write {option} name=value",
            )
        if key in pairs:
            raise UsageError(f"{key} is given twice", where=option, todo="keep one of them")
        pairs[key] = value.strip()
    return pairs


EVENT_FIELDS = ("symbol", "price", "event_time")

NO_SYMBOL = "records"
"""How displays call the rows of a replay that knows no symbols."""


def parse_columns(given: Input) -> Columns:
    """From `--map event_time=timestamp`, `--fields a,b`, `--symbol BTCUSDT` and their like."""
    mapping = parse_assignments(given.maps or [], "--map")
    if "" in mapping.values():
        raise UsageError("a column name is empty", where="--map", todo="write event_time=COLUMN")
    if unknown := set(mapping) - set(EVENT_FIELDS):
        raise UsageError(
            f"{', '.join(sorted(unknown))} is no event field",
            where="--map",
            todo="write event_time=COLUMN, price=COLUMN or symbol=COLUMN; further columns go out with --fields",
        )
    is_given = {
        "--map symbol=…": "symbol" in mapping,
        "--symbol": given.symbol is not None,
        "--symbol-from": bool(given.symbol_from),
    }
    if len(places := [option for option in is_given if is_given[option]]) > 1:
        raise UsageError("symbols come from one place", where=places[0], todo=f"drop {' or '.join(places)}")
    _check_symbol(given.symbol)
    as_they_are = given.value_column is not None
    event_time = given.timestamp_column if as_they_are else None
    has_symbol = bool(places) or not as_they_are
    renamed = parse_assignments(given.rename or [], "--rename")
    return Columns(
        symbol=mapping.get("symbol", "symbol"),
        price=mapping.get("price", "price"),
        event_time=mapping.get("event_time", event_time or "event_time"),
        fields=_fields(given.fields, renamed) if given.fields else (),
        rename=tuple(sorted(renamed.items())),
        constant_symbol=given.symbol if has_symbol else NO_SYMBOL,
        symbol_from=(given.symbol_from,) if given.symbol_from else (),
        symbol_case=given.symbol_case or SymbolCase.KEEP,
        time_unit=_time_unit(given.time_unit),
        price_scale=given.price_scale,
        preset=given.preset if dumps.named(given.preset) is None else None,
        has_symbol=has_symbol,
    )


def _check_symbol(symbol: str | None) -> None:
    if symbol is None:
        return
    if not symbol:
        raise UsageError("the symbol is empty", where="--symbol", todo="give a name such as BTCUSDT")
    try:
        symbol.encode()
    except UnicodeEncodeError:
        raise UsageError("the symbol is not UTF-8", where="--symbol", todo="give a name such as BTCUSDT") from None


def _fields(text: str, renamed: dict[str, str]) -> tuple[str, ...]:
    if text.strip() == "all":
        return ALL_FIELDS
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if not name or names.count(name) > 1 or renamed.get(name, name) in EVENT_FIELDS:
            raise UsageError(
                f"{name!r} is empty, given twice, or always part of the event",
                where="--fields",
                todo="name each further column once: --fields trade_id,quantity",
            )
    return names


def _time_unit(text: str | None) -> str | None:
    if text is not None and text not in ("s", "ms", "us", "ns"):
        raise UsageError(f"{text[:20]!r} is no unit of time", where="--time-unit", todo="give s, ms, us or ns")
    return text


def check_named(text: str, option: str) -> str:
    """A name that is not empty: an unset variable of a script is no name."""
    if not text:
        raise UsageError("the name is empty", where=option, todo="give one, or drop the option")
    return text


def check_partitioner(text: str) -> str:
    """`murmur2`, `crc32` or `column:NAME`."""
    if text not in (MURMUR2, CRC32) and not re.fullmatch(r"column:.+", text):
        raise UsageError(
            f"{text[:60]!r} is no way to choose partitions",
            where="--partitioner",
            todo="give murmur2, crc32, or column:NAME for a column that holds the partition",
        )
    return text


def parse_bad_rows_max(text: str, option: str = "--bad-rows-max") -> tuple[int | None, float]:
    """`1000` rows, or `10%` of all rows: a number, if it is one, and a share."""
    match = matched(text, NUMBER + r"\s*(%|[km]?)", option, "1000 or 10%")
    if match[2] != "%":
        return parse_rows(text, option), 1.0
    share = number_of(match[1], option) / 100
    check_within((0, 1), share, option)
    return None, share


def check_topic_name(topic: str) -> str:
    """Kafka's own rule (org.apache.kafka.common.internals.Topic): 1 to 249 of [a-zA-Z0-9._-], not . or .. ."""
    if not re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", topic) or topic in (".", ".."):
        raise UsageError(
            f"{topic[:60]!r} is no topic name",
            where="--topic",
            todo="use 1 to 249 letters, digits, dots, dashes and underscores",
        )
    return topic
