"""All that decides which rows are sent as which records."""

from dataclasses import dataclass

from replay.cli.options.declare import byte_size, fails, files, what
from replay.partitioning import MURMUR2
from replay.record.options import KEY_SYMBOL, DecimalAs, Timestamp
from replay.source.choices import Empty, OnBadRow, Order, SymbolCase, Unsorted
from replay.units import SORT_MEMORY

NO_ROW = "where there is no row, none is sent"
BAD_ROWS = "a bad row is never sent"


@dataclass(frozen=True)
class Input:
    """Which rows, from which columns, as which records."""

    # Which rows are sent, and in which order.
    inputs: list[str] | None = what(
        None,
        "Parquet files, folders, globs, or s3://, gs:// and abfs:// addresses; {date} stands for --date.",
        name="INPUT",
        metavar="INPUT",
        everyday=True,
        identity="inputs",
    )
    symbols: str | None = what(
        None, "Send only these symbols: BTCUSDT,ETH*, or @FILE with one a line.", metavar="LIST|@FILE"
    )
    exclude_symbols: str | None = what(None, "Send all symbols but these.", metavar="LIST|@FILE")
    from_: str | None = what(
        None,
        "Send rows with an event time at or after this moment: 2026-11-02T09:30:00Z. Without an offset it is UTC. Of"
        " backfill: the first day.",
        name="--from",
        metavar="TIME",
    )
    to: str | None = what(
        None,
        "Send rows with an event time before this moment. Of backfill: the day after the last one.",
        metavar="TIME",
    )
    where: str | None = what(
        None,
        "Send only rows for which this condition is true: \"quantity > 1 and side == 'buy'\".",
        metavar="CONDITION",
    )
    sample: str | None = what(
        None, "Send a part of the symbols, each with all its rows: 1/100 is one symbol in a hundred.", metavar="1/N"
    )
    limit: int | None = what(None, "Send at most this many rows.", metavar="ROWS", min=1)
    order: Order = what(
        Order.EVENT_TIME,
        "event-time merges all files by event time. as-is sends file after file, in the order of their paths.",
    )
    unsorted: Unsorted = what(
        Unsorted.FAIL,
        "What to do with a file whose event times go backwards: refuse it (fail), sort its rows (sort), or send them"
        " as they stand (keep).",
    )
    sort_memory: str = what(
        "256MiB",
        "With --unsorted sort: memory for sorting. Larger files are sorted on disk.",
        form=byte_size(SORT_MEMORY),
        harmless="the order is the same, wherever it is made",
    )
    table_version: int | None = what(
        None,
        "Version of a Delta table to read.",
        min=0,
        otherwise="the newest; a resumed replay stays with its own",
        identity="table",
    )
    snapshot: int | None = what(
        None,
        "Id of the snapshot of an Iceberg table to read.",
        metavar="ID",
        otherwise="the newest; a resumed replay stays with its own",
        identity="table",
    )
    trust_statistics: bool = what(
        False,
        "Leave out row groups that cannot match by the statistics in the file alone. Without it such groups are"
        " looked at first, as wrong statistics would lose rows.",
        harmless="what is found wrong is in the identity by itself",
    )
    empty: Empty = fails(
        Empty.FAIL,
        "A day without any row to send: fail (exit 3), or ok (exit 0; the next run looks again).",
        harmless=NO_ROW,
    )
    allow_empty: bool = fails(
        False, "It is no failure if the selection has no row, or a symbol of --symbols has none.", harmless=NO_ROW
    )
    on_bad_row: OnBadRow = fails(
        OnBadRow.FAIL,
        "A row without symbol, valid price or event time: refuse to start (fail), leave it out (skip), or leave it"
        " out and write it to a file beside the checkpoint (quarantine).",
        harmless=BAD_ROWS,
    )
    bad_rows_max: str = fails(
        "10%",
        "With --on-bad-row skip or quarantine: stop if there are more bad rows than this number or share.",
        metavar="ROWS|N%",
        harmless=BAD_ROWS,
    )

    # Which columns of the files make up an event.
    preset: str | None = files(
        None, "A well-known file layout by name. replay presets lists them.", metavar="NAME", identity="--map"
    )
    maps: list[str] | None = files(
        None,
        "Which column holds a field of the event, for symbol, price and event_time: event_time=ts. Repeatable.",
        name="--map",
        metavar="FIELD=COLUMN",
        everyday=True,
    )
    symbol: str | None = files(None, "The symbol of all rows, for files without a symbol column.", metavar="SYMBOL")
    symbol_from: str | None = files(
        None,
        "Take the symbol from the file's name ('{symbol}-trades-*.parquet') or from its metadata (metadata:KEY).",
        metavar="PATTERN|metadata:KEY",
    )
    symbol_case: SymbolCase | None = files(
        None, "Write symbols as they are, in upper case or in lower case.", otherwise="keep"
    )
    time_unit: str | None = files(
        None,
        "Unit of event times that are integers.",
        metavar="s|ms|us|ns",
        otherwise="found out from their size",
        identity="time units",
    )
    price_scale: int | None = files(
        None, "Decimal places of prices that are integers: with 2, 12345 is 123.45.", min=0, max=37
    )
    fields: str | None = files(
        None, "Further columns to send after symbol, price and event_time: a,b,c, or all.", metavar="COLUMNS|all"
    )
    rename: list[str] | None = files(
        None, "Send a column of --fields under another name. Repeatable.", metavar="COLUMN=NAME"
    )

    # What a record is beside its value: key, partition, timestamp, headers.
    key: str = files(
        KEY_SYMBOL,
        "Key of a record: the symbol, none, or a column. Order is kept for each key; with none, for each symbol.",
        metavar="symbol|none|COLUMN",
    )
    partitioner: str = files(
        MURMUR2,
        "How a key gets its partition: murmur2 as Java clients do, crc32 as librdkafka does, or column:NAME for a"
        " column that holds the partition.",
        metavar="murmur2|crc32|column:NAME",
        identity="partitioner",
    )
    timestamp: Timestamp = files(
        Timestamp.EVENT, "Timestamp of a record: the event time, or the time at which it is sent (now)."
    )
    decimal_as: DecimalAs = files(
        DecimalAs.NUMBER, "Write decimals as JSON numbers or as JSON strings; all digits are kept either way."
    )
    headers: list[str] | None = files(
        None, "A header for every record. Repeatable.", name="--header", metavar="NAME=VALUE"
    )
    row_header: str | None = files(
        None,
        "Give each record a header of this name that identifies its row, so that consumers can drop repeats. It"
        " halves the speed.",
        metavar="NAME",
    )

    # Parts of records that columns hold, such as those of a topic's dump.
    value_column: str | None = files(
        None,
        "Send the bytes of this column as they are, binary or text; a null is a tombstone. For dumps of topics: no"
        " symbol and no price is needed.",
        metavar="COLUMN",
    )
    key_column: str | None = files(
        None,
        "Key of a record: the bytes of this column as they are, binary or text; a null is no key, while with --key"
        " COLUMN a row without a key is a bad one.",
        metavar="COLUMN",
    )
    headers_column: str | None = files(
        None,
        "Headers of a record, in order: a list of structs of name (or key) and value, or a map. They are compared on a"
        " resume and by verify.",
        metavar="COLUMN",
    )
    partition_column: str | None = files(
        None,
        "Partition of a record; the same as --partitioner column:COLUMN.",
        metavar="COLUMN",
        identity="partitioner",
    )
    timestamp_column: str | None = files(
        None,
        "Timestamp of a record. With --value-column rows are ordered and paced by it, too, unless --map event_time="
        " says otherwise.",
        metavar="COLUMN",
        otherwise="the event time",
    )
    translate_schema_ids: list[str] | None = files(
        None,
        "With --value-column: values that begin with this schema id (a zero byte and four bytes) get the other one: the"
        " ids of another registry. A value with an id that is not told is a bad row. Repeatable.",
        metavar="FROM=TO",
    )
    translate_key_schema_ids: list[str] | None = files(
        None, "The same of keys, with --key-column. Repeatable.", metavar="FROM=TO"
    )
