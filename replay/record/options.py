"""How an event becomes a record. Light: no Arrow."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from replay.partitioning import MURMUR2

ENCODER_VERSION = "json-2"  # raise it with any change to the bytes of a record: a resume compares bytes

SCHEMA_ID_MAX = 2**31 - 1  # registries count in signed integers of 32 bits

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
class Naming:
    """What a schema that is made from columns says beside them. `record` is its full name: `com.acme.Trade`."""

    record: str = "Trade"
    doc: str = ""

    @property
    def namespace(self) -> str:
        return self.record.rpartition(".")[0]

    @property
    def short(self) -> str:
        return self.record.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Reference:
    """A schema that another one names: under which name it does, and where a registry has it.

    `direct`: the schema itself names it; else only one of its references does. A registry is told the direct ones.
    """

    name: str
    subject: str
    version: int
    text: str
    direct: bool = True


@dataclass(frozen=True, slots=True)
class GivenSchema:
    """A schema that is not made from columns. `origin` is how messages call it: a file, or a subject."""

    text: str
    origin: str
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True)
class SchemaId:
    """Under what a registry knows a schema. Not each registry gives a GUID."""

    number: int
    guid: str = ""


@dataclass(frozen=True, slots=True)
class SchemaIds:
    """Those of a replay's values and keys, where they have a schema."""

    value: SchemaId | None = None
    key: SchemaId | None = None


UNKNOWN_IDS = SchemaIds(SchemaId(0, "0" * 32), SchemaId(0, "0" * 32))
"""Stand for those that are not looked up yet: records are as large with them."""


@dataclass(frozen=True, slots=True)
class Records:
    """How an event becomes a record. `key` is "symbol", "none" or a column; `partitioner` is "murmur2", "crc32" or
    "column:NAME".

    `row_header` names a header that identifies the row: consumers can drop what they have seen. `schema` is that of
    values, where it is given, and `subject` where a registry has it (`NAME` or `NAME:VERSION`). `message` is the full
    name of the one that is meant, where a given schema has several (Protobuf). `schema_ids` are those that records are
    written with.

    `value_column` holds values that are sent as they are, `own_key_column` keys: a null is a tombstone, or no key.
    `headers_column` holds headers; `headers_optional`: a file may lack it. `timestamp_column` is that of timestamps
    where it is not the event time's. `value_ids` and `key_ids` say which schema ids become which (`schema_ids.py`);
    `translates`: a registry says so of `value_ids`.
    """

    key: str = KEY_SYMBOL
    partitioner: str = MURMUR2
    timestamp: Timestamp = Timestamp.EVENT
    decimal_as: DecimalAs = DecimalAs.NUMBER
    headers: tuple[tuple[str, str], ...] = ()
    row_header: str | None = None
    value_format: ValueFormat = ValueFormat.JSON
    key_format: KeyFormat = KeyFormat.STRING
    schema_id_in: SchemaIdIn = SchemaIdIn.PAYLOAD
    naming: Naming = Naming()
    subject: str | None = None
    schema: GivenSchema | None = None
    message: str | None = None
    schema_ids: SchemaIds = SchemaIds()
    value_column: str | None = None
    own_key_column: str | None = None
    headers_column: str | None = None
    headers_optional: bool = False
    timestamp_column: str | None = None
    value_ids: tuple[tuple[int, int], ...] = ()
    key_ids: tuple[tuple[int, int], ...] = ()
    translates: bool = False

    @property
    def has_key_schema(self) -> bool:
        return self.key_format is not KeyFormat.STRING and self.key != KEY_NONE

    @property
    def has_schema(self) -> bool:
        """Whether values or keys are written under one."""
        return self.value_format is not ValueFormat.JSON or self.has_key_schema

    @property
    def has_event_times(self) -> bool:
        """Whether the time of a trade is that of its record."""
        return self.timestamp is Timestamp.EVENT

    @property
    def key_column(self) -> str | None:
        if self.own_key_column is not None:
            return self.own_key_column
        return None if self.key in (KEY_SYMBOL, KEY_NONE) else self.key

    @property
    def partition_column(self) -> str | None:
        prefix, _, column = self.partitioner.partition(":")
        return column if prefix == "column" else None

    @property
    def compared_headers(self) -> slice | None:
        """Those of a record's headers that are compared when it is read back; None: none are. They are where they are
        data. The row header, the last one, is not: it names the inputs, and others may have been added since."""
        if self.headers_column is None:
            return None
        return slice(None) if self.row_header is None else slice(0, -1)
