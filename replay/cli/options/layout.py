"""Which columns of the files make up an event."""

from dataclasses import dataclass
from typing import Annotated

from replay.cli.options.declare import Option, Panel
from replay.source.options import SymbolCase


@dataclass(frozen=True)
class Layout:
    """The columns of the input."""

    preset: Annotated[
        str | None,
        Option(
            text="A well-known file layout by name. replay presets lists them.",
            panel=Panel.FILES,
            metavar="NAME",
            identity="--map",
        ),
    ] = None
    maps: Annotated[
        list[str] | None,
        Option(
            name="--map",
            text="Which column holds a field of the event, for symbol, price and event_time: event_time=ts."
            " Repeatable.",
            panel=Panel.FILES,
            metavar="FIELD=COLUMN",
            everyday=True,
            identity=True,
        ),
    ] = None
    symbol: Annotated[
        str | None,
        Option(
            text="The symbol of all rows, for files without a symbol column.",
            panel=Panel.FILES,
            metavar="SYMBOL",
            identity=True,
        ),
    ] = None
    symbol_from: Annotated[
        str | None,
        Option(
            text="Take the symbol from the file's name ('{symbol}-trades-*.parquet') or from its metadata"
            " (metadata:KEY).",
            panel=Panel.FILES,
            metavar="PATTERN|metadata:KEY",
            identity=True,
        ),
    ] = None
    symbol_case: Annotated[
        SymbolCase | None,
        Option(
            text="Write symbols as they are, in upper case or in lower case.",
            panel=Panel.FILES,
            default="keep",
            identity=True,
        ),
    ] = None
    time_unit: Annotated[
        str | None,
        Option(
            text="Unit of event times that are integers.",
            panel=Panel.FILES,
            metavar="s|ms|us|ns",
            default="found out from their size",
            identity="time units",
        ),
    ] = None
    price_scale: Annotated[
        int | None,
        Option(
            text="Decimal places of prices that are integers: with 2, 12345 is 123.45.",
            panel=Panel.FILES,
            min=0,
            max=37,
            identity=True,
        ),
    ] = None
    fields: Annotated[
        str | None,
        Option(
            text="Further columns to send after symbol, price and event_time: a,b,c, or all.",
            panel=Panel.FILES,
            metavar="COLUMNS|all",
            identity=True,
        ),
    ] = None
    rename: Annotated[
        list[str] | None,
        Option(
            text="Send a column of --fields under another name. Repeatable.",
            panel=Panel.FILES,
            metavar="COLUMN=NAME",
            identity=True,
        ),
    ] = None
