"""What becomes of a row as a record, from the options: each part of a record comes from one place. Pure.

Raises `UsageError` where two options say the same thing in two ways, or where one means nothing beside another.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from replay.cli.options.source import Input
from replay.cli.parse import check_named, check_partitioner, parse_assignments
from replay.errors import UsageError
from replay.partitioning import MURMUR2
from replay.record.options import KEY_NONE, KEY_SYMBOL, SCHEMA_ID_MAX, DecimalAs, Records, Timestamp
from replay.source.columns import dumps
from replay.source.options import Columns


def with_dump(given: Input) -> Input:
    """The options with what a preset says of the columns of a dump, where they do not say otherwise."""
    dump = dumps.named(given.preset)
    if dump is None:
        return given
    says: dict[str, Any] = {
        "value_column": dump.value,
        "key_column": dump.key if given.key == KEY_SYMBOL else None,
        "partition_column": dump.partition if given.partitioner == MURMUR2 else None,
        "timestamp_column": dump.timestamp if given.timestamp is Timestamp.EVENT else None,
        "headers_column": dump.headers,
    }
    if given.timestamp is not Timestamp.EVENT and "event_time" not in parse_assignments(given.maps or [], "--map"):
        given = replace(given, maps=[*(given.maps or []), f"event_time={dump.timestamp}"])
    return replace(given, **{name: column for name, column in says.items() if getattr(given, name) is None})


def parse_records(given: Input, columns: Columns) -> Records:
    """`given` has what a preset says (`with_dump`), `columns` are those of the event."""
    if given.value_column is not None:
        _check_as_they_are(given, columns)
    dump = dumps.named(given.preset)
    return Records(
        key=_key(given, columns),
        partitioner=_partitioner(given),
        timestamp=given.timestamp,
        decimal_as=given.decimal_as,
        headers=tuple(parse_assignments(given.headers or [], "--header").items()),
        row_header=_named(given.row_header, "--row-header"),
        value_column=_named(given.value_column, "--value-column"),
        own_key_column=_named(given.key_column, "--key-column"),
        headers_column=_named(given.headers_column, "--headers-column"),
        headers_optional=dump is not None and given.headers_column is not None and given.headers_column == dump.headers,
        timestamp_column=_timestamp_column(given, columns),
        value_ids=_ids(given.translate_schema_ids, "--translate-schema-ids", "--value-column", given.value_column),
        key_ids=_ids(given.translate_key_schema_ids, "--translate-key-schema-ids", "--key-column", given.key_column),
    )


def _named(text: str | None, option: str) -> str | None:
    return None if text is None else check_named(text, option)


def _key(given: Input, columns: Columns) -> str:
    key = check_named(given.key, "--key")
    if given.key_column is not None and key != KEY_SYMBOL:
        raise UsageError("keys come from one place", where="--key-column", todo=f"drop it, or drop --key {key}")
    return KEY_NONE if key == KEY_SYMBOL and not columns.has_symbol else key


def _partitioner(given: Input) -> str:
    partitioner, column = check_partitioner(given.partitioner), given.partition_column
    if column is None:
        return partitioner
    own = f"column:{check_named(column, '--partition-column')}"
    if partitioner not in (MURMUR2, own):
        raise UsageError(
            "partitions come from one place",
            where="--partition-column",
            todo=f"drop it, or drop --partitioner {partitioner}",
        )
    return own


def _timestamp_column(given: Input, columns: Columns) -> str | None:
    """None where it is the column of event times."""
    column = _named(given.timestamp_column, "--timestamp-column")
    if column is not None and given.timestamp is not Timestamp.EVENT:
        raise UsageError(
            "the timestamp of a record comes from one place",
            where="--timestamp-column",
            todo=f"drop --timestamp {given.timestamp}; or order rows by that column with --map event_time={column}",
        )
    return None if column == columns.event_time else column


def _ids(texts: list[str] | None, option: str, needs: str, column: str | None) -> tuple[tuple[int, int], ...]:
    """`5=17` texts as numbers, in order."""
    if not texts:
        return ()
    if column is None:
        raise UsageError(f"it means nothing without {needs}", where=option, todo=f"drop it, or give {needs}")
    pairs = [tuple(map(str.strip, pair)) for pair in parse_assignments(texts, option).items()]
    if any(not each.isascii() or not each.isdigit() or int(each) > SCHEMA_ID_MAX for pair in pairs for each in pair):
        raise UsageError("a schema id is a whole number", where=option, todo=f"write it like {option} 5=17")
    found = {int(old): int(new) for old, new in pairs}
    if len(found) < len(pairs):
        raise UsageError("a schema id is given twice", where=option, todo="keep one of them")
    return tuple(sorted(found.items()))


# -- records as they are ------------------------------------------------------------------------------------


def _check_as_they_are(given: Input, columns: Columns) -> None:
    """Values are not made of columns, so that no option can say how; and there may be no symbol."""
    of_values = {
        "--fields": given.fields is not None,
        "--rename": bool(given.rename),
        "--map price=": "price" in parse_assignments(given.maps or [], "--map"),
        "--price-scale": given.price_scale is not None,
        "--decimal-as": given.decimal_as is not DecimalAs.NUMBER,
        "--preset": given.preset is not None and dumps.named(given.preset) is None,
    }
    of_symbols = {
        "--symbols": given.symbols is not None,
        "--exclude-symbols": given.exclude_symbols is not None,
        "--sample": given.sample is not None,
        "--symbol-case": given.symbol_case is not None,
    }
    if wrong := [option for option, is_given in of_values.items() if is_given]:
        raise UsageError(
            "it says how values are made, and --value-column sends them as they are", where=wrong[0], todo="drop one"
        )
    if columns.has_symbol:
        return
    if wrong := [option for option, is_given in of_symbols.items() if is_given]:
        raise UsageError(
            "with --value-column nothing says what the symbol of a row is",
            where=wrong[0],
            todo="name its column with --map symbol=COLUMN; or pick rows with --where",
        )
    if given.key_column is None and given.key in (KEY_SYMBOL, KEY_NONE) and given.partition_column is None:
        if given.partitioner.partition(":")[0] == "column":
            return
        raise UsageError(
            "nothing says which partition a record is for",
            where="--value-column",
            todo="name the column of keys (--key-column) or partitions (--partition-column), or a symbol by which all"
            " go to one partition (--map symbol=COLUMN, --symbol NAME)",
        )
