"""How a record says which schema it was written with, as Confluent's serializers do.

`--schema-id-in payload`: before the bytes of a value or key stand 0 and the id as 4 bytes (big endian); of Protobuf
also the path of the message in its file.

`--schema-id-in header`: the header `__value_schema_id` (of keys `__key_schema_id`) holds 1 and the 16 bytes of the
schema's GUID; of Protobuf also the path.

Source: confluent_kafka.schema_registry (`prefix_schema_id_serializer`, `header_schema_id_serializer`). Pure.
"""

from __future__ import annotations

from uuid import UUID

from replay.errors import UsageError
from replay.model import Headers
from replay.record.formats.base import Schema
from replay.record.options import SchemaId, SchemaIdIn
from replay.record.varint import zigzag_varint

_BY_ID, _BY_GUID = b"\x00", b"\x01"
"""The magic bytes of both forms."""

VALUE_HEADER, KEY_HEADER = "__value_schema_id", "__key_schema_id"


def prefix(schema: Schema | None, schema_id: SchemaId | None, id_in: SchemaIdIn) -> bytes:
    """What stands before the bytes of a value or key."""
    if schema is None or id_in is SchemaIdIn.HEADER:
        return b""
    assert schema_id is not None, "nothing is written before the registry has said under which id"
    return _BY_ID + schema_id.number.to_bytes(4, "big") + message_path(schema.message_indexes)


def header(name: str, schema: Schema | None, schema_id: SchemaId | None, id_in: SchemaIdIn) -> Headers:
    """The header of values or keys, where the id stands in one. Raises `UsageError` where the registry gave no GUID."""
    if schema is None or id_in is not SchemaIdIn.HEADER:
        return []
    assert schema_id is not None, "nothing is written before the registry has said under which id"
    return [(name, _BY_GUID + _guid(schema_id.guid).bytes + message_path(schema.message_indexes))]


def _guid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise UsageError(
            "the registry gives its schemas no GUID, and a header can name a schema by nothing else",
            where="--schema-id-in header",
            todo="use --schema-id-in payload; Confluent's registry has GUIDs from 8.0 on",
        ) from None


def message_path(indexes: tuple[int, ...]) -> bytes:
    """The path of a Protobuf message in its file: how many indexes, and each, as zigzag varints. The first message of
    a file, which most are, is a single 0. Nothing for other formats."""
    if not indexes:
        return b""
    if indexes == (0,):
        return b"\x00"
    return b"".join(zigzag_varint(number) for number in (len(indexes), *indexes))
