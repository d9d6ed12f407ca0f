"""What decides which bytes are sent in which order, as texts: a checkpoint keeps them, a resume compares them. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple

from replay import identity
from replay.record.formats.base import Schema
from replay.record.options import Records, Reference
from replay.source.choices import Unsorted
from replay.source.columns.schema import Layout
from replay.source.files import trust
from replay.source.files.parquet_file import InputFile
from replay.source.options import Columns, SourceOptions

TRANSLATED = "--translate-schema-ids"
"""The part of an identity that says which schema ids become which."""

LABEL_DIGITS = 8
"""Hexadecimal digits of a label, a hash of inputs and options. Few replays share a topic."""


def texts(
    options: SourceOptions, columns: Columns, layout: Layout, table_states: str, schema: Schema | None
) -> dict[str, str]:
    """Beside the files themselves; "" is the default. `columns` are those of the options with what a preset says,
    `schema` is that of values."""
    records = options.records
    given = {
        "--order": str(options.order),
        "--unsorted": "" if options.unsorted is Unsorted.FAIL else str(options.unsorted),
        "--map": identity.mapping_text(
            {"symbol": columns.symbol, "price": columns.price, "event_time": columns.event_time}
        ),
        "--fields": identity.list_text(columns.fields),
        "--rename": identity.pairs_text(columns.rename),
        "--symbol": identity.text_of(columns.constant_symbol if columns.has_symbol else None),
        "--symbol-from": identity.list_text(columns.symbol_from),
        "--symbol-case": "" if columns.symbol_case == "keep" else str(columns.symbol_case),
        "--price-scale": "" if columns.price_scale is None else str(columns.price_scale),
        "no price": "" if columns.price_undefined is None else str(columns.price_undefined),
        "--decimal-as": "" if records.decimal_as == "number" else str(records.decimal_as),
        "--key": "" if records.key == "symbol" else identity.text_of(records.key),
        "--timestamp": "" if records.timestamp == "event" else str(records.timestamp),
        identity.HEADERS: identity.pairs_text(records.headers),
        "--row-header": identity.text_of(records.row_header),
        # No keys at all for the empty one: `label` is a hash of these texts, and stays what it was.
        **_schema_texts(records, schema),
        **({} if options.selection.takes_all else options.selection.identity()),
    }
    given |= {identity.TABLES: table_states} if table_states else {}
    given |= _texts_of_record_columns(records)
    return given | layout.identity() | trust.identity(options.without_statistics)


def _schema_texts(records: Records, schema: Schema | None) -> dict[str, str]:
    """Nothing of what is as it is by default: checkpoints of before know of no schema."""
    found = {
        "--format": "" if records.value_format == "json" else str(records.value_format),
        "--key-format": "" if records.key_format == "string" else str(records.key_format),
        "--schema-id-in": "" if records.schema_id_in == "payload" else str(records.schema_id_in),
        "--schema-message": identity.text_of(records.message),
        identity.SUBJECT: identity.text_of(records.subject),
        identity.SCHEMA: "" if schema is None else schema.text,
        identity.REFERENCES: "" if schema is None else references_text(schema.references),
    }
    return {name: text for name, text in found.items() if text}


def references_text(references: Sequence[Reference]) -> str:
    """ "" for none."""
    return json.dumps([astuple(each) for each in references], ensure_ascii=False) if references else ""


def references_of(text: str) -> tuple[Reference, ...]:
    """What `references_text` made."""
    return tuple(Reference(*each) for each in json.loads(text)) if text else ()


def _texts_of_record_columns(records: Records) -> dict[str, str]:
    """Parts of records that columns hold. Nothing of those that do not, either."""
    found = {
        "--value-column": identity.text_of(records.value_column),
        "--key-column": identity.text_of(records.own_key_column),
        "--headers-column": identity.text_of(records.headers_column),
        "--timestamp-column": identity.text_of(records.timestamp_column),
        TRANSLATED: _ids_text(records.value_ids),
        "--translate-key-schema-ids": _ids_text(records.key_ids),
    }
    return {name: text for name, text in found.items() if text}


def _ids_text(ids: Sequence[tuple[int, int]]) -> str:
    return ",".join(f"{old}={new}" for old, new in ids)


def ids_of(text: str) -> tuple[tuple[int, int], ...]:
    """What `_ids_text` made."""
    pairs = (pair.partition("=") for pair in text.split(",") if text)
    return tuple((int(old), int(new)) for old, _, new in pairs)


def label(identity_texts: Mapping[str, str], files: Sequence[InputFile]) -> str:
    """Tells the rows of one replay from those of another."""
    parts = [identity.without_tables(identity_texts), [astuple(file.print) for file in files]]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:LABEL_DIGITS]
