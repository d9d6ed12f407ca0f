"""How an event becomes a record. Light: no Arrow."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from replay.partitioning import MURMUR2

ENCODER_VERSION = "json-2"  # raise it with any change to the bytes of a record: a resume compares bytes

KEY_SYMBOL = "symbol"
KEY_NONE = "none"


class ValueFormat(StrEnum):
    """How the value of a record is written."""

    JSON = "json"
    AVRO = "avro"
    PROTOBUF = "protobuf"
    JSON_SCHEMA = "json-schema"


class KeyFormat(StrEnum):
    """How the key of a record is written."""

    STRING = "string"
    AVRO = "avro"
    PROTOBUF = "protobuf"


class SchemaIdIn(StrEnum):
    """Where a record says which schema it was written with: before its bytes, or in a header."""

    PAYLOAD = "payload"
    HEADER = "header"


class DecimalAs(StrEnum):
    """How decimals are written, always with all digits. A number: of JSON, or Avro's decimal; Protobuf has none, and
    takes text. A message: google.type.Decimal, of Protobuf only."""

    NUMBER = "number"
    STRING = "string"
    MESSAGE = "message"


class Timestamp(StrEnum):
    """The timestamp of a record."""

    EVENT = "event"
    NOW = "now"


@dataclass(frozen=True, slots=True)
class Records:
    """How an event becomes a record. `key` is "symbol", "none" or a column; `partitioner` is "murmur2", "crc32" or
    "column:NAME".

    `row_header` names a header that identifies the row: consumers can drop what they have seen.
    """

    key: str = KEY_SYMBOL
    partitioner: str = MURMUR2
    timestamp: Timestamp = Timestamp.EVENT
    decimal_as: DecimalAs = DecimalAs.NUMBER
    headers: tuple[tuple[str, str], ...] = ()
    row_header: str | None = None

    @property
    def has_event_times(self) -> bool:
        """Whether the time of a trade is that of its record."""
        return self.timestamp is Timestamp.EVENT

    @property
    def key_column(self) -> str | None:
        return None if self.key in (KEY_SYMBOL, KEY_NONE) else self.key

    @property
    def partition_column(self) -> str | None:
        prefix, _, column = self.partitioner.partition(":")
        return column if prefix == "column" else None
