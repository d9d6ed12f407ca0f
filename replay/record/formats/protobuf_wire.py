"""Slots to bytes: column-wise by ptars, or row by row by protobuf's own classes. Both give the same bytes.

Neither is shown the schema itself but a twin of it: a message with the same numbers and types on the wire, in which all
that libraries write in ways of their own is plain (`protobuf_forms.py`): enums are int32, maps are repeated entries,
Google's messages are messages like any other. What ptars would do otherwise (seen in 0.0.25): it writes 1970-01-01 as
an empty Date, 0 in wrappers where protobuf writes nothing, nothing in entries of maps where protobuf writes 0, nothing
for -0.0; it takes an unknown name of an enum for 0, leaves out a column of a type that it does not expect, and packs
every list of numbers.

A probe decides which of the two writes: a few rows of the twin, in all types that it has, have to be the same from
both. ptars holds the interpreter's lock while it writes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import types

from replay.record.formats.protobuf_forms import FieldType, Presence, Slot

Serialize = Callable[[pa.RecordBatch], pa.Array]
"""Rows with a column for each slot (`Slot.name`) to payloads."""

_PACKAGE, _NAME = "replay", "Record"
_PROBE_ROWS = 15
_BYTES_VERSION = "protobuf-1"  # raise it with any change to the bytes of a record: a resume compares bytes


def serializer(slots: Sequence[Slot]) -> tuple[Serialize, str]:
    """What writes messages of these slots, in order of number, and what it is called in a checkpoint."""
    import google.protobuf  # noqa: PLC0415 - an extra

    twin = descriptor(slots)
    by_row = row_wise(twin)
    by_column = column_wise(twin)
    if by_column is not None and _agree(by_column[0], by_row, slots):
        return by_column[0], f"{_BYTES_VERSION} ptars {by_column[1]}"
    return by_row, f"{_BYTES_VERSION} protobuf {google.protobuf.__version__}"


def row_wise(twin: Any) -> Serialize:
    """By protobuf's own classes: a message a row."""
    from google.protobuf.message_factory import GetMessageClass  # noqa: PLC0415 - an extra

    make = GetMessageClass(twin)

    def serialize(rows: pa.RecordBatch) -> pa.Array:
        return pa.array([make(**row).SerializeToString() for row in rows.to_pylist()], pa.binary())

    return serialize


def column_wise(twin: Any) -> tuple[Serialize, str] | None:
    """By ptars, and its version; None where it is not installed, or does not go with the protobuf that is."""
    try:
        import ptars  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    handler = ptars.HandlerPool([twin.file]).get_for_message(twin)
    return handler.record_batch_to_array, ptars.__version__


def _agree(one: Serialize, other: Serialize, slots: Sequence[Slot]) -> bool:
    rows = pa.RecordBatch.from_arrays(
        [_sample(slot.kind, _PROBE_ROWS) for slot in slots], names=[slot.name for slot in slots]
    )
    try:
        return all(one(part).equals(other(part)) for part in (rows, rows.slice(2, 7), rows.slice(0, 0)))
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException:  # a panic of Rust is no Exception
        return False


# -- the twin ---------------------------------------------------------------------------------------------


def descriptor(slots: Sequence[Slot]) -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool  # noqa: PLC0415 - an extra

    file = descriptor_pb2.FileDescriptorProto(name="record.proto", package=_PACKAGE, syntax="proto3")
    _add_message(file.message_type.add(), _NAME, slots, f".{_PACKAGE}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool.FindMessageTypeByName(f"{_PACKAGE}.{_NAME}")


def _add_message(message: Any, name: str, slots: Sequence[Slot], scope: str) -> None:
    message.name = name
    for slot in slots:
        is_repeated = slot.presence is Presence.REPEATED
        field = message.field.add(name=slot.name, number=slot.number, type=int(slot.form.type))
        field.label = field.LABEL_REPEATED if is_repeated else field.LABEL_OPTIONAL
        if slot.form.type is FieldType.MESSAGE:
            inner = f"M{slot.number}"
            field.type_name = f"{scope}.{name}.{inner}"
            _add_message(message.nested_type.add(), inner, slot.form.slots, f"{scope}.{name}")
        elif is_repeated and slot.form.type not in (FieldType.STRING, FieldType.BYTES):
            field.options.packed = slot.is_packed
        elif slot.presence is Presence.EXPLICIT:
            field.proto3_optional = True  # which is a oneof of one field (protobuf: implementing_proto3_presence.md)
            field.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{slot.name}")


# -- the probe --------------------------------------------------------------------------------------------


def _sample(kind: pa.DataType, rows: int, *, with_nulls: bool = True) -> pa.Array:
    """Values of a type, the odd ones among them."""
    is_null = [with_nulls and row % 4 == 3 for row in range(rows)]
    if types.is_struct(kind):
        children = [_sample(field.type, rows) for field in kind]
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=pa.array(is_null))
    if types.is_list(kind):
        lengths = [row % 3 for row in range(rows)]
        begins = [sum(lengths[:row]) for row in range(rows + 1)]
        items = _sample(kind.value_type, begins[-1], with_nulls=False)
        return pa.ListArray.from_arrays(pa.array(begins, pa.int32()), items)
    values = _odd_values(kind)
    return pa.array(
        [None if null else values[row % len(values)] for row, null in zip(range(rows), is_null, strict=True)], kind
    )


def _odd_values(kind: pa.DataType) -> list[Any]:
    if types.is_string(kind):
        return ["", "a", "ü€😀", "\0", "long" * 50]
    if types.is_binary(kind):
        return [b"", b"a", b"\xff\x00", bytes(200)]
    if types.is_boolean(kind):
        return [True, False]
    if types.is_floating(kind):
        return [0.0, -0.0, 1.5, float("nan"), float("-inf")]
    top = 2 ** (kind.bit_width - types.is_signed_integer(kind))
    return [0, 1, 127, 128, top - 1, -top if types.is_signed_integer(kind) else top // 2]
