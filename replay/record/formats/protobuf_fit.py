"""Columns bound to the fields of a Protobuf message, by name: what goes where, and how. Needs descriptors of protobuf.

| field | column |
|---|---|
| integers of any kind | integers; by value where the column's type is wider |
| float; double | floats that are no wider; integers; by value where not all are exact |
| string | text, UUID, decimals as text |
| bool; bytes | bool; binary |
| enum | text by name, integers by number |
| google.protobuf.Timestamp, Duration; google.type.Date, TimeOfDay, Decimal | timestamp, duration; date, time, decimal |
| google.protobuf.*Value | what goes into the field `value`, and null |
| any other message | struct, by the names of its fields; a list or map where `items` is the message's one field |
| repeated; map | list; map |

A field without a column is not set. A required one (proto2) takes its default. Of a oneof, one field may have a column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import types

from replay.errors import InputError
from replay.record.formats import protobuf_values as values
from replay.record.formats.base import Column, by_field
from replay.record.formats.protobuf_forms import (
    FieldType,
    Form,
    Slot,
    boxed,
    constant,
    implicit,
    mapped,
    message,
    never,
    present,
    repeated,
)
from replay.record.formats.protobuf_google import well_known
from replay.record.formats.protobuf_schema import FIRST, ITEMS, Unfit


def fitted(descriptor: Any, columns: Sequence[Column]) -> tuple[dict[str, Slot], tuple[Slot, ...]]:
    """The slot of each column, by the column's name in a batch; and those that no column is for.

    Raises `InputError` for a column that has no place in the message, and for a field that needs one.
    """
    name = descriptor.full_name
    slots: dict[str, Slot] = {}
    for column in columns:
        field = descriptor.fields_by_name.get(column.field)
        if field is None:
            raise InputError(
                f"{name} has no field {column.field!r}",
                where=f"column {column.source!r}",
                todo="leave it out of --fields, or give it the field's name with --rename",
            )
        try:
            slots[column.name] = _slot(field, column.kind, is_number=column.name == "price")
        except Unfit as why:
            mend = "give the field a type that the column goes into"
            todo = mend if column.name in FIRST else f"leave it out of --fields, or {mend}"
            raise InputError(str(why), where=f"column {column.source!r}", todo=todo) from None
    try:
        return slots, _others(descriptor, by_field(columns))
    except Unfit as why:
        raise InputError(
            str(why),
            where=name,
            todo="give columns the names of its fields with --rename, or leave some out of --fields",
        ) from None


def shown(field: Any) -> str:
    """The type of a field as a schema has it: `repeated string`."""
    if _is_map(field):
        key, value = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
        return f"map<{shown(key)}, {shown(value)}>"
    kind = field.message_type or field.enum_type
    name = kind.full_name if kind is not None else FieldType(field.type).name.lower()
    return f"repeated {name}" if field.is_repeated else name


def _is_map(field: Any) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _unfit(field: Any, kind: pa.DataType) -> Unfit:
    return Unfit(f"{kind} does not go into the field {field.name!r}, which is {shown(field)}")


def _others(descriptor: Any, bound: Mapping[str, Any]) -> tuple[Slot, ...]:
    """Fields without a column that are set all the same: required ones, to their default."""
    oneofs = Counter(
        field.containing_oneof.name for field in map(descriptor.fields_by_name.get, bound) if field.containing_oneof
    )
    for name, count in oneofs.items():
        if count > 1:
            raise Unfit(f"{count} columns are for fields of the oneof {name!r}, of which a message has one")
    slots = []
    for field in descriptor.fields:
        if field.name in bound or not field.is_required:
            continue
        if not field.has_default_value:
            raise Unfit(f"the field {field.name!r} is required and has no default, and no column is for it")
        slots.append(constant(field.number, _default_form(field), field.default_value))
    return tuple(slots)


_ITSELF = (
    pa.string(),
    pa.binary(),
    pa.bool_(),
    pa.int32(),
    pa.uint32(),
    pa.int64(),
    pa.uint64(),
    pa.float32(),
    pa.float64(),
)


def _default_form(field: Any) -> Form:
    """How the default of a field is written: in the type that the field has itself."""
    if field.type == FieldType.ENUM:
        return Form(FieldType.INT32, pa.int32())
    forms = ((kind, values.scalar(FieldType(field.type), kind)) for kind in _ITSELF)
    return next(form for kind, form in forms if form is not None and form.kind == kind)


def _slot(field: Any, kind: pa.DataType, *, is_number: bool = False) -> Slot:
    """How a column of this type is written into the field. Raises `Unfit`."""
    if field.type == FieldType.GROUP:
        raise Unfit(f"the field {field.name!r} is a group, which replay does not write")
    if _is_map(field):
        return _map_slot(field, kind)
    if field.is_repeated:
        if not types.is_list(kind):
            raise _unfit(field, kind)
        return repeated(field.number, _item_form(field, kind.value_type), is_packed=field.is_packed)
    if types.is_null(kind):
        if field.is_required or not field.has_presence:
            raise _unfit(field, kind)
        return never(field.number)
    form = _form(field, kind, is_number=is_number)
    return (
        present(field.number, form, is_required=field.is_required)
        if field.has_presence
        else implicit(field.number, form)
    )


def _map_slot(field: Any, kind: pa.DataType) -> Slot:
    if not types.is_map(kind):
        raise _unfit(field, kind)
    entry = field.message_type.fields_by_name
    return mapped(field.number, _form(entry["key"], kind.key_type), _item_form(entry["value"], kind.item_type))


def _item_form(field: Any, kind: pa.DataType) -> Form:
    """Of items and values, which are never null: where all are, none is written."""
    return never(field.number).form if types.is_null(kind) else _form(field, kind)


def _form(field: Any, kind: pa.DataType, *, is_number: bool = False) -> Form:
    """How single values of this type are written into the field. Raises `Unfit`."""
    if field.enum_type is not None:
        numbers = {value.name: value.number for value in field.enum_type.values}
        form = values.enum(kind, numbers)
    elif field.message_type is None:
        form = values.scalar(FieldType(field.type), kind)
    else:
        form = well_known(field.message_type.full_name, kind, is_number=is_number)
        form = form or _nested(field.message_type, kind)
    if form is None:
        raise _unfit(field, kind)
    return form


def _nested(descriptor: Any, kind: pa.DataType) -> Form | None:
    """Structs as this message; lists and maps where it stands for one."""
    if types.is_struct(kind):
        return _struct_form(descriptor, kind)
    only = descriptor.fields[0] if len(descriptor.fields) == 1 else None
    if only is not None and only.name == ITEMS and only.is_repeated and (types.is_list(kind) or types.is_map(kind)):
        return boxed(_slot(only, kind))
    return None


def _struct_form(descriptor: Any, kind: pa.DataType) -> Form:
    slots = []
    if len({child.name for child in kind}) < kind.num_fields:
        raise Unfit(f"two fields of {kind} have one name")
    for at, child in enumerate(kind):
        field = descriptor.fields_by_name.get(child.name)
        if field is None:
            raise Unfit(f"{descriptor.full_name} has no field {child.name!r}")
        slots.append((at, _slot(field, child.type)))
    others = _others(descriptor, {child.name: child for child in kind})
    return message([*slots, *((-1, slot) for slot in others)])
