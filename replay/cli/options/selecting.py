"""Which rows are sent, and in which order."""

from dataclasses import dataclass
from typing import Annotated

from replay.cli.options.declare import Option, Panel, byte_size
from replay.source.options import Empty, OnBadRow, Order, Unsorted
from replay.units import SORT_MEMORY

NO_ROW = "where there is no row, none is sent"
BAD_ROWS = "a bad row is never sent"


@dataclass(frozen=True)
class Selecting:
    """Files, rows of them, and their order."""

    inputs: Annotated[
        list[str] | None,
        Option(
            name="INPUT",
            text="Parquet files, folders, globs, or s3://, gs:// and abfs:// addresses; {date} stands for --date.",
            panel=Panel.WHAT,
            metavar="INPUT",
            everyday=True,
            identity="inputs",
        ),
    ] = None
    symbols: Annotated[
        str | None,
        Option(
            text="Send only these symbols: BTCUSDT,ETH*, or @FILE with one a line.",
            panel=Panel.WHAT,
            metavar="LIST|@FILE",
            identity=True,
        ),
    ] = None
    exclude_symbols: Annotated[
        str | None,
        Option(text="Send all symbols but these.", panel=Panel.WHAT, metavar="LIST|@FILE", identity=True),
    ] = None
    from_: Annotated[
        str | None,
        Option(
            name="--from",
            text="Send rows with an event time at or after this moment: 2026-11-22T09:30:00Z. Without an offset it is"
            " UTC. Of backfill: the first day.",
            panel=Panel.WHAT,
            metavar="TIME",
            identity=True,
        ),
    ] = None
    to: Annotated[
        str | None,
        Option(
            text="Send rows with an event time before this moment. Of backfill: the day after the last one.",
            panel=Panel.WHAT,
            metavar="TIME",
            identity=True,
        ),
    ] = None
    where: Annotated[
        str | None,
        Option(
            text="Send only rows for which this condition is true: \"amount > 1 and side == 'buy'\".",
            panel=Panel.WHAT,
            metavar="CONDITION",
            identity=True,
        ),
    ] = None
    sample: Annotated[
        str | None,
        Option(
            text="Send a part of the symbols, each with all its rows: 1/100 is one symbol in a hundred.",
            panel=Panel.WHAT,
            metavar="1/N",
            identity=True,
        ),
    ] = None
    limit: Annotated[
        int | None,
        Option(text="Send at most this many rows.", panel=Panel.WHAT, metavar="ROWS", min=1, identity=True),
    ] = None
    order: Annotated[
        Order,
        Option(
            text="event-time merges all files by event time. as-is sends file after file, in the order of their paths.",
            panel=Panel.WHAT,
            identity=True,
        ),
    ] = Order.EVENT_TIME
    unsorted: Annotated[
        Unsorted,
        Option(
            text="What to do with a file whose event times go backwards: refuse it (fail), sort its rows (sort), or"
            " send"
            " them as they stand (keep).",
            panel=Panel.WHAT,
            identity=True,
        ),
    ] = Unsorted.FAIL
    sort_memory: Annotated[
        str,
        Option(
            text="With --unsorted sort: memory for sorting. Larger files are sorted on disk.",
            panel=Panel.WHAT,
            form=byte_size(SORT_MEMORY),
            harmless="the order is the same, wherever it is made",
        ),
    ] = "256MiB"
    table_version: Annotated[
        int | None,
        Option(
            text="Version of a Delta table to read.",
            panel=Panel.WHAT,
            min=0,
            default="the newest; a resumed replay stays with its own",
            identity="table",
        ),
    ] = None
    snapshot: Annotated[
        int | None,
        Option(
            text="Id of the snapshot of an Iceberg table to read.",
            panel=Panel.WHAT,
            metavar="ID",
            default="the newest; a resumed replay stays with its own",
            identity="table",
        ),
    ] = None
    trust_statistics: Annotated[
        bool,
        Option(
            text="Leave out row groups that cannot match by the statistics in the file alone. Without it such groups"
            " are"
            " looked at first, as wrong statistics would lose rows.",
            panel=Panel.WHAT,
            harmless="what is found wrong is in the identity by itself",
        ),
    ] = False
    empty: Annotated[
        Empty,
        Option(
            text="A day without any row to send: fail (exit 3), or ok (exit 0; the next run looks again).",
            panel=Panel.FAILS,
            harmless=NO_ROW,
        ),
    ] = Empty.FAIL
    allow_empty: Annotated[
        bool,
        Option(
            text="It is no failure if the selection has no row, or a symbol of --symbols has none.",
            panel=Panel.FAILS,
            harmless=NO_ROW,
        ),
    ] = False
    on_bad_row: Annotated[
        OnBadRow,
        Option(
            text="A row without symbol, valid price or event time: refuse to start (fail), leave it out (skip), or"
            " leave it out and"
            " write it to a file beside the checkpoint (quarantine).",
            panel=Panel.FAILS,
            harmless=BAD_ROWS,
        ),
    ] = OnBadRow.FAIL
    bad_rows_max: Annotated[
        str,
        Option(
            text="With --on-bad-row skip or quarantine: stop if there are more bad rows than this number or share.",
            panel=Panel.FAILS,
            metavar="ROWS|N%",
            harmless=BAD_ROWS,
        ),
    ] = "10%"
