"""What a record is beside its value: key, partition, timestamp, headers."""

from dataclasses import dataclass

from replay.cli.options.declare import Panel, option
from replay.partitioning import MURMUR2
from replay.record.options import KEY_SYMBOL, DecimalAs, Timestamp


@dataclass(frozen=True)
class Recording:
    """How an event becomes a record."""

    key: str = option(
        KEY_SYMBOL,
        "Key of a record: the symbol, none, or a column. Order is kept for each key; with none, for each symbol.",
        Panel.FILES,
        metavar="symbol|none|COLUMN",
        identity=True,
    )
    partitioner: str = option(
        MURMUR2,
        "How a key gets its partition: murmur2 as Java clients do, crc32 as librdkafka does, or column:NAME for a"
        " column that holds the partition.",
        Panel.FILES,
        metavar="murmur2|crc32|column:NAME",
        identity="partitioner",
    )
    timestamp: Timestamp = option(
        Timestamp.EVENT,
        "Timestamp of a record: the event time, or the time at which it is sent (now).",
        Panel.FILES,
        identity=True,
    )
    decimal_as: DecimalAs = option(
        DecimalAs.NUMBER,
        "Write decimals as JSON numbers or as JSON strings; all digits are kept either way.",
        Panel.FILES,
        identity=True,
    )
    headers: list[str] | None = option(
        None,
        "A header for every record. Repeatable.",
        Panel.FILES,
        name="--header",
        metavar="NAME=VALUE",
        identity=True,
    )
    row_header: str | None = option(
        None,
        "Give each record a header of this name that identifies its row, so that consumers can drop repeats. It"
        " halves the speed.",
        Panel.FILES,
        metavar="NAME",
        identity=True,
    )
