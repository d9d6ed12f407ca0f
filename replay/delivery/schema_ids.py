"""Under which ids a registry has the schemas of a replay: as texts of its identity, and back. Pure.

They are looked up once, when a replay begins. A resume takes them, and a schema by its subject, from the checkpoint: it
needs no registry, and never sends the second half of a day under another schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from replay.identity import REFERENCES, SCHEMA
from replay.record.options import GivenSchema, Records, SchemaId, SchemaIds, ValueFormat
from replay.source.identity import TRANSLATED, ids_of, references_of

_VALUE, _KEY = "value schema id", "key schema id"


def texts(records: Records) -> dict[str, str]:
    """`{"value schema id": "7"}`, with the GUID behind it where the registry gave one. Nothing without a schema."""
    found = {}
    if records.value_format is not ValueFormat.JSON:
        found[_VALUE] = _text(records.schema_ids.value)
    if records.has_key_schema:
        found[_KEY] = _text(records.schema_ids.key)
    return found


def as_of(records: Records, identity: Mapping[str, str]) -> Records:
    """The records as the checkpoint with this identity says."""
    ids = SchemaIds(_read(identity.get(_VALUE, "")), _read(identity.get(_KEY, "")))
    schema = records.schema
    if records.subject is not None and (text := identity.get(SCHEMA)):
        schema = GivenSchema(text, records.subject, references_of(identity.get(REFERENCES, "")))
    value_ids = records.value_ids
    if records.translates:
        value_ids = ids_of(identity.get(TRANSLATED, ""))
    return replace(records, schema_ids=ids, schema=schema, value_ids=value_ids)


def anew(records: Records) -> Records:
    """The records without what a checkpoint said of them that counts no more."""
    return replace(
        records,
        schema_ids=SchemaIds(),
        schema=records.schema if records.subject is None else None,
        value_ids=() if records.translates else records.value_ids,
    )


def _text(schema_id: SchemaId | None) -> str:
    return "" if schema_id is None else f"{schema_id.number} {schema_id.guid}".rstrip()


def _read(text: str) -> SchemaId | None:
    number, _, guid = text.partition(" ")
    return SchemaId(int(number), guid) if number else None
