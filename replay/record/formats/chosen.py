"""Which format a replay writes, by its options. The modules of the formats are imported where they are chosen: each
needs packages of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from replay.errors import UsageError
from replay.model import SymbolTable
from replay.record.formats.base import Column, Format, Schema
from replay.record.formats.json import JsonFormat
from replay.record.formats.payload import PayloadFormat
from replay.record.options import DecimalAs, KeyFormat, Records, ValueFormat

KINDS = {ValueFormat.AVRO: "AVRO", ValueFormat.PROTOBUF: "PROTOBUF", ValueFormat.JSON_SCHEMA: "JSON"}
"""As registries call them."""

_MODULES = {
    ValueFormat.AVRO: "replay.record.formats.avro",
    ValueFormat.PROTOBUF: "replay.record.formats.protobuf",
    ValueFormat.JSON_SCHEMA: "replay.record.formats.json_schema",
    KeyFormat.AVRO: "replay.record.formats.avro",
    KeyFormat.PROTOBUF: "replay.record.formats.protobuf",
}


def format_of(records: Records, columns: Sequence[Column], symbols: SymbolTable) -> Format:
    """Writes values of these columns. Raises `InputError` for a column that has no form, or does not fit its field of a
    schema that is given, and `UsageError` for a text that is no such schema."""
    if records.value_column is not None:
        return PayloadFormat(dict(records.value_ids))
    if records.value_format is ValueFormat.JSON:
        if records.decimal_as is DecimalAs.MESSAGE:
            raise UsageError("JSON has no messages", where="--decimal-as", todo="take number or string")
        return JsonFormat(columns, symbols, records.decimal_as)
    module = _module(records.value_format)
    if records.schema is None:
        schema = module.generated(columns, records.naming, records.decimal_as)
    else:
        given = records.schema
        schema = module.parsed(given.text, given.references, records.message)
    made: Format = module.bound(schema, columns, symbols, records.decimal_as)
    return made


def key_schema(records: Records) -> Schema | None:
    """That of keys; None: they are bare text, or there are none."""
    if not records.has_key_schema:
        return None
    package = {"namespace": records.naming.namespace} if records.key_format is KeyFormat.PROTOBUF else {}
    schema: Schema = _module(records.key_format).key_schema(**package)
    return schema


def key_payload(records: Records) -> Callable[[str], bytes] | None:
    """From a key to its bytes, without what frames them; None: the text is all."""
    if not records.has_key_schema:
        return None
    payload: Callable[[str], bytes] = _module(records.key_format).key_payload
    return payload


def named(schema: Schema) -> Schema:
    """A schema of a registry, with the name that it gives its record. Raises `UsageError` for a text that is none."""
    module = next(_module(each) for each, kind in KINDS.items() if kind == schema.kind)
    made: Schema = module.parsed(schema.text, schema.references)
    return made


def decoded(records: Records, schema: Schema | None, payload: bytes) -> Any:
    """A value for people, as JSON has it. Raises `ValueError` for bytes that are none."""
    return _module(records.value_format).decoded(schema, payload)


def decoded_key(records: Records, payload: bytes) -> Any:
    """The same of a key that has a schema."""
    return _module(records.key_format).decoded(key_schema(records), payload)


def _module(chosen: ValueFormat | KeyFormat) -> Any:
    return import_module(_MODULES[chosen])
