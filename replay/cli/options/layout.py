"""Which columns of the files make up an event."""

from dataclasses import dataclass

from replay.cli.options.declare import Panel, option
from replay.source.options import SymbolCase


@dataclass(frozen=True)
class InputLayout:
    """The columns of the input."""

    preset: str | None = option(
        None,
        "A well-known file layout by name. replay presets lists them.",
        Panel.FILES,
        metavar="NAME",
        identity="--map",
    )
    maps: list[str] | None = option(
        None,
        "Which column holds a field of the event, for symbol, price and event_time: event_time=ts. Repeatable.",
        Panel.FILES,
        name="--map",
        metavar="FIELD=COLUMN",
        everyday=True,
        identity=True,
    )
    symbol: str | None = option(
        None, "The symbol of all rows, for files without a symbol column.", Panel.FILES, metavar="SYMBOL", identity=True
    )
    symbol_from: str | None = option(
        None,
        "Take the symbol from the file's name ('{symbol}-trades-*.parquet') or from its metadata (metadata:KEY).",
        Panel.FILES,
        metavar="PATTERN|metadata:KEY",
        identity=True,
    )
    symbol_case: SymbolCase | None = option(
        None, "Write symbols as they are, in upper case or in lower case.", Panel.FILES, otherwise="keep", identity=True
    )
    time_unit: str | None = option(
        None,
        "Unit of event times that are integers.",
        Panel.FILES,
        metavar="s|ms|us|ns",
        otherwise="found out from their size",
        identity="time units",
    )
    price_scale: int | None = option(
        None,
        "Decimal places of prices that are integers: with 2, 12345 is 123.45.",
        Panel.FILES,
        min=0,
        max=37,
        identity=True,
    )
    fields: str | None = option(
        None,
        "Further columns to send after symbol, price and event_time: a,b,c, or all.",
        Panel.FILES,
        metavar="COLUMNS|all",
        identity=True,
    )
    rename: list[str] | None = option(
        None,
        "Send a column of --fields under another name. Repeatable.",
        Panel.FILES,
        metavar="COLUMN=NAME",
        identity=True,
    )
