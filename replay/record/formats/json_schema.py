"""Values as JSON under a JSON Schema: the bytes of bare JSON (`json.py`), where the schema takes them.

A generated schema is of draft-07: registries and clients take a schema for that where it names no draft, all of them
validate it, and so do generators of code. Its content model is closed (`additionalProperties: false`): so a further
field is BACKWARD compatible, which is what registries ask for by default, since no older record can have held anything
else under its name. With an open model they refuse that (PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL), and permit to take a
field away instead. Fields that may be null are not `required`, since a required field could not be added; every record
has them all the same. Null is one more `type`: for registries and validators the same as `oneOf` with null, and simpler
to read.

A given schema decides which values may be sent, as its draft has it: `format` counts up to draft-07 and is a mere note
from 2019-09 on. Numbers are compared as they are written, digit by digit: `multipleOf: 0.01` takes each price that has
two places.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from replay.errors import InputError, UsageError
from replay.model import Bools, SymbolTable
from replay.record.formats.base import Column, Naming, Reference, Schema, by_field
from replay.record.formats.json import JsonFormat
from replay.record.formats.json_schema_document import DRAFT_7, Document, Part, loads
from replay.record.formats.json_schema_judge import FieldJudge, RowJudge
from replay.record.formats.json_schema_parts import parts_for
from replay.record.formats.json_schema_types import Node, can_meet, column_schema, json_types, takes_all
from replay.record.formats.json_values import exact_number, json_column
from replay.record.json_text import supports
from replay.record.options import ENCODER_VERSION, DecimalAs

KIND = "JSON"
"""What registries call a JSON Schema."""

_INTEGER_DIGITS = 640
"""Python may refuse to read more (sys.int_info.str_digits_check_threshold)."""
_OF_NAMES = {
    "required", "additionalProperties", "minProperties", "maxProperties", "propertyNames", "type", "falseSchema"
}  # fmt: skip
"""What a schema can have against every record, since all have the same fields."""
_CHOICES = {"then", "else"}
_FIELDS_TODO = "leave it out of --fields, or give it the field's name with --rename"


class JsonSchemaFormat:
    """Writes values as bare JSON; says which ones the schema does not take."""

    encoder = ENCODER_VERSION

    def __init__(
        self, schema: Schema, bare: JsonFormat, judges: Mapping[str, FieldJudge], rows: RowJudge | None, words: set[str]
    ) -> None:
        self.schema: Schema | None = schema
        self._bare, self._judges, self._rows = bare, judges, rows
        self.row_keywords = tuple(sorted(words))

    def misfits(self, name: str, values: pa.Array) -> Bools | None:
        """By type alone, or each distinct value by the schema of its field."""
        judge = self._judges.get(name)
        return None if judge is None else judge.misfits(values)

    def misfit_rows(self, rows: pa.RecordBatch) -> Bools | None:
        """By the whole schema, where `row_keywords` look at several fields of a row."""
        return None if self._rows is None else self._rows.misfits(rows)

    def payloads(self, rows: pa.RecordBatch) -> pa.Array:
        return self._bare.payloads(rows)


# -- the schema -------------------------------------------------------------------------------------------


def generated(columns: Sequence[Column], naming: Naming, decimal_as: DecimalAs) -> Schema:
    """The schema of these columns. Raises `InputError` for a type that has no form in JSON."""
    _refuse_messages(decimal_as)
    for column in columns:
        if not supports(column.kind):
            raise InputError(
                f"its type {column.kind} has no JSON form",
                where=f"column {column.source!r}",
                todo="leave it out of --fields",
            )
    made = {
        "$schema": DRAFT_7,
        "title": naming.record,
        **({"description": naming.doc} if naming.doc else {}),
        "type": "object",
        "properties": {column.field: column_schema(column, decimal_as) for column in columns},
        "required": [column.field for column in columns if not column.nullable],
        "additionalProperties": False,
    }
    return Schema(KIND, json.dumps(made, ensure_ascii=False), naming.record)


def parsed(text: str, references: Sequence[Reference] = (), message: str | None = None) -> Schema:
    """A given text. The record is called after its `title`. Raises `UsageError` for what is no schema."""
    if message is not None:
        raise UsageError("a JSON Schema has no messages", where="--schema-message", todo="leave it out")
    content = loads(text)
    title = content.get("title") if isinstance(content, dict) else None
    return Schema(KIND, text, title if isinstance(title, str) else "", references=tuple(references))


def decoded(schema: Schema | None, payload: bytes) -> Any:  # noqa: ARG001
    """A value for people: a number with more digits than a double keeps is text. Raises `ValueError` for bytes that are
    no JSON."""
    try:
        return json.loads(payload.decode(), parse_float=_shown, parse_int=_shown_integer, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _shown(text: str) -> float | str:
    return number if Decimal(repr(number := float(text))) == exact_number(text) else text


def _shown_integer(text: str) -> int | str:
    return int(text) if len(text) < _INTEGER_DIGITS else text


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


# -- columns bound to it ----------------------------------------------------------------------------------


def bound(schema: Schema, columns: Sequence[Column], symbols: SymbolTable, decimal_as: DecimalAs) -> JsonSchemaFormat:
    """Raises `UsageError` for what is no schema, `InputError` for a column or field that does not fit it."""
    _refuse_messages(decimal_as)
    document = Document(schema)
    fields = by_field(columns)
    _refuse_names(document, fields)
    parts = parts_for(list(fields), document)
    judges = {}
    for column in columns:
        own = [document.followed(part) for part in parts.of_field.get(column.field, ())]
        if open_parts := _open_parts(column, own, decimal_as):
            judges[column.name] = FieldJudge(document.validator(open_parts), json_column(column, decimal_as))
    rows = None
    if parts.row_keywords:
        rows = RowJudge(document.validator([document.root]), columns, symbols, decimal_as)
    bare = JsonFormat(columns, symbols, decimal_as)
    return JsonSchemaFormat(schema, bare, judges, rows, parts.row_keywords)


def _open_parts(column: Column, parts: Sequence[Part], decimal_as: DecimalAs) -> list[Part]:
    """The parts that values have to be asked of: those that do not take all values of this type."""
    made = column_schema(column, decimal_as)
    for part in parts:
        if not can_meet(part.content, made):
            raise InputError(
                f"{_takes(column, part)}, and its type {column.kind} is {_type_names(made)} in JSON",
                where=f"column {column.source!r}",
                todo="leave it out of --fields, or correct the schema",
            )
    return [part for part in parts if not takes_all(part.content, made)]


def _takes(column: Column, part: Part) -> str:
    if part.content is False:
        return f"the schema forbids the field {column.field!r}"
    return f"the field {column.field!r} of the schema takes {_type_names(part.content)}"


def _type_names(node: Node) -> str:
    """`integer or null`; a number includes the integer."""
    found = json_types(node) or set()
    return " or ".join(sorted(found - {"integer"} if "number" in found else found))


def _refuse_names(document: Document, fields: Mapping[str, Column]) -> None:
    """What the schema has against the fields themselves, whatever is in them."""
    for error in document.errors(dict.fromkeys(fields)):
        path, kind = list(error.instance_path), error.kind.name
        if path or kind not in _OF_NAMES or _CHOICES & set(error.evaluation_path):
            continue
        if kind == "required":
            name = error.kind.property
            raise InputError(
                f"the schema requires the field {name!r}, and no column is sent as it",
                where="--schema",
                todo=f"send one: --fields COLUMN --rename COLUMN={name}",
            )
        if kind == "additionalProperties":
            column = fields[error.kind.unexpected[0]]
            raise InputError(
                f"the schema has no field {column.field!r}, and permits no further ones",
                where=f"column {column.source!r}",
                todo=_FIELDS_TODO,
            )
        raise InputError(
            f"the schema takes no record of these fields: {error.message}", where="--schema", todo=_FIELDS_TODO
        )


def _refuse_messages(decimal_as: DecimalAs) -> None:
    if decimal_as is DecimalAs.MESSAGE:
        raise UsageError("JSON has no messages", where="--decimal-as", todo="take number or string")
