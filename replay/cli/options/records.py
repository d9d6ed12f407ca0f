"""What a record is beside its value: key, partition, timestamp, headers."""

from dataclasses import dataclass
from typing import Annotated

from replay.cli.options.declare import Option, Panel
from replay.partitioning import MURMUR2
from replay.record.options import KEY_SYMBOL, DecimalAs, Timestamp


@dataclass(frozen=True)
class Recording:
    """How an event becomes a record."""

    key: Annotated[
        str,
        Option(
            text="Key of a record: the symbol, none, or a column. Order is kept for each key; with none, for each"
            " symbol.",
            panel=Panel.FILES,
            metavar="symbol|none|COLUMN",
            identity=True,
        ),
    ] = KEY_SYMBOL
    partitioner: Annotated[
        str,
        Option(
            text="How a key gets its partition: murmur2 as Java clients do, crc32 as librdkafka does, or column:NAME"
            " for a"
            " column that holds the partition.",
            panel=Panel.FILES,
            metavar="murmur2|crc32|column:NAME",
            identity="partitioner",
        ),
    ] = MURMUR2
    timestamp: Annotated[
        Timestamp,
        Option(
            text="Timestamp of a record: the event time, or the time at which it is sent (now).",
            panel=Panel.FILES,
            identity=True,
        ),
    ] = Timestamp.EVENT
    decimal_as: Annotated[
        DecimalAs,
        Option(
            text="Write decimals as JSON numbers or as JSON strings; all digits are kept either way.",
            panel=Panel.FILES,
            identity=True,
        ),
    ] = DecimalAs.NUMBER
    headers: Annotated[
        list[str] | None,
        Option(
            name="--header",
            text="A header for every record. Repeatable.",
            panel=Panel.FILES,
            metavar="NAME=VALUE",
            identity=True,
        ),
    ] = None
    row_header: Annotated[
        str | None,
        Option(
            text="Give each record a header of this name that identifies its row, so that consumers can drop repeats."
            " It"
            " halves the speed.",
            panel=Panel.FILES,
            metavar="NAME",
            identity=True,
        ),
    ] = None
