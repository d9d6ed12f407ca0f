"""Which rows are sent, and in which order."""

from dataclasses import dataclass

from replay.cli.options.declare import Panel, byte_size, option
from replay.source.options import Empty, OnBadRow, Order, Unsorted
from replay.units import SORT_MEMORY

NO_ROW = "where there is no row, none is sent"
BAD_ROWS = "a bad row is never sent"


@dataclass(frozen=True)
class Selecting:
    """Files, rows of them, and their order."""

    inputs: list[str] | None = option(
        None,
        "Parquet files, folders, globs, or s3://, gs:// and abfs:// addresses; {date} stands for --date.",
        Panel.WHAT,
        name="INPUT",
        metavar="INPUT",
        everyday=True,
        identity="inputs",
    )
    symbols: str | None = option(
        None,
        "Send only these symbols: BTCUSDT,ETH*, or @FILE with one a line.",
        Panel.WHAT,
        metavar="LIST|@FILE",
        identity=True,
    )
    exclude_symbols: str | None = option(
        None, "Send all symbols but these.", Panel.WHAT, metavar="LIST|@FILE", identity=True
    )
    from_: str | None = option(
        None,
        "Send rows with an event time at or after this moment: 2026-11-02T09:30:00Z. Without an offset it is UTC. Of"
        " backfill: the first day.",
        Panel.WHAT,
        name="--from",
        metavar="TIME",
        identity=True,
    )
    to: str | None = option(
        None,
        "Send rows with an event time before this moment. Of backfill: the day after the last one.",
        Panel.WHAT,
        metavar="TIME",
        identity=True,
    )
    where: str | None = option(
        None,
        "Send only rows for which this condition is true: \"quantity > 1 and side == 'buy'\".",
        Panel.WHAT,
        metavar="CONDITION",
        identity=True,
    )
    sample: str | None = option(
        None,
        "Send a part of the symbols, each with all its rows: 1/100 is one symbol in a hundred.",
        Panel.WHAT,
        metavar="1/N",
        identity=True,
    )
    limit: int | None = option(None, "Send at most this many rows.", Panel.WHAT, metavar="ROWS", min=1, identity=True)
    order: Order = option(
        Order.EVENT_TIME,
        "event-time merges all files by event time. as-is sends file after file, in the order of their paths.",
        Panel.WHAT,
        identity=True,
    )
    unsorted: Unsorted = option(
        Unsorted.FAIL,
        "What to do with a file whose event times go backwards: refuse it (fail), sort its rows (sort), or send them"
        " as they stand (keep).",
        Panel.WHAT,
        identity=True,
    )
    sort_memory: str = option(
        "256MiB",
        "With --unsorted sort: memory for sorting. Larger files are sorted on disk.",
        Panel.WHAT,
        form=byte_size(SORT_MEMORY),
        harmless="the order is the same, wherever it is made",
    )
    table_version: int | None = option(
        None,
        "Version of a Delta table to read.",
        Panel.WHAT,
        min=0,
        otherwise="the newest; a resumed replay stays with its own",
        identity="table",
    )
    snapshot: int | None = option(
        None,
        "Id of the snapshot of an Iceberg table to read.",
        Panel.WHAT,
        metavar="ID",
        otherwise="the newest; a resumed replay stays with its own",
        identity="table",
    )
    trust_statistics: bool = option(
        False,
        "Leave out row groups that cannot match by the statistics in the file alone. Without it such groups are"
        " looked at first, as wrong statistics would lose rows.",
        Panel.WHAT,
        harmless="what is found wrong is in the identity by itself",
    )
    empty: Empty = option(
        Empty.FAIL,
        "A day without any row to send: fail (exit 3), or ok (exit 0; the next run looks again).",
        Panel.FAILS,
        harmless=NO_ROW,
    )
    allow_empty: bool = option(
        False,
        "It is no failure if the selection has no row, or a symbol of --symbols has none.",
        Panel.FAILS,
        harmless=NO_ROW,
    )
    on_bad_row: OnBadRow = option(
        OnBadRow.FAIL,
        "A row without symbol, valid price or event time: refuse to start (fail), leave it out (skip), or leave it"
        " out and write it to a file beside the checkpoint (quarantine).",
        Panel.FAILS,
        harmless=BAD_ROWS,
    )
    bad_rows_max: str = option(
        "10%",
        "With --on-bad-row skip or quarantine: stop if there are more bad rows than this number or share.",
        Panel.FAILS,
        metavar="ROWS|N%",
        harmless=BAD_ROWS,
    )
