"""How columns are taken apart into what Protobuf's wire format knows: fields by number, of plain types. Pure.

A `Form` is for single values, a `Slot` for a field. Each turns an array into one of exactly the type that is written,
and finds the values that have no place. Messages become structs whose children are called `f1`, `f2`, … by number; maps
become lists of entries, which are the same bytes (protobuf.dev, "Encoding", Maps) in the order of the column.

What Protobuf has no form for, and is therefore a misfit: null in a field without presence, a null list or map, null in
one of them, two equal keys in a map.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from replay.model import Bools
from replay.record.kinds import entries, flattened, is_extension, offsets

Write = Callable[[pa.Array], pa.Array]

Misfits = Callable[[pa.Array], "Bools | None"]


class FieldType(IntEnum):
    """Types of fields, numbered as in descriptor.proto. An enum is written as an int32 is."""

    DOUBLE = 1
    FLOAT = 2
    INT64 = 3
    UINT64 = 4
    INT32 = 5
    FIXED64 = 6
    FIXED32 = 7
    BOOL = 8
    STRING = 9
    GROUP = 10
    MESSAGE = 11
    BYTES = 12
    UINT32 = 13
    ENUM = 14
    SFIXED32 = 15
    SFIXED64 = 16
    SINT32 = 17
    SINT64 = 18


class Presence(IntEnum):
    """Whether a field that is not written can be told from one that holds 0."""

    IMPLICIT = 0
    EXPLICIT = 1
    REPEATED = 2


def as_it_is(array: pa.Array) -> pa.Array:
    return array


def all_fit(_: pa.Array) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Form:
    """How single values are written.

    `write` gives an array of `kind`; null stays null. It is never given what `misfits` names. `slots` are those of a
    message.
    """

    type: FieldType
    kind: pa.DataType
    write: Write = as_it_is
    misfits: Misfits = all_fit
    slots: tuple[Slot, ...] = ()


@dataclass(frozen=True, slots=True)
class Slot:
    """How a field is written: `write` and `misfits` are of the whole field, `form` of its single values."""

    number: int
    form: Form
    presence: Presence
    write: Write
    misfits: Misfits = all_fit
    is_packed: bool = False

    @property
    def name(self) -> str:
        return f"f{self.number}"

    @property
    def kind(self) -> pa.DataType:
        return pa.list_(self.form.kind) if self.presence is Presence.REPEATED else self.form.kind


# -- fields -----------------------------------------------------------------------------------------------


def present(number: int, form: Form, *, is_required: bool = False) -> Slot:
    """A field that is either set or not: null is not set."""
    misfits = either(form.misfits, null_is_misfit) if is_required else form.misfits
    return Slot(number, form, Presence.EXPLICIT, form.write, misfits)


def implicit(number: int, form: Form) -> Slot:
    """A field that is not written where it holds 0 or is empty; null has no place."""
    misfits = either(form.misfits, null_is_misfit)
    if not types.is_floating(form.kind):
        return Slot(number, form, Presence.IMPLICIT, form.write, misfits)

    def write(array: pa.Array) -> pa.Array:
        # -0.0 is written, unlike 0.0: what counts are the bits. Not every library sees to it.
        values = form.write(array)
        is_zero = integers(values.view(pa.int32() if values.type.bit_width == 32 else pa.int64())) == 0
        return pc.if_else(pa.array(is_zero), pa.scalar(None, values.type), values) if is_zero.any() else values

    return Slot(number, form, Presence.EXPLICIT, write, misfits)


def never(number: int) -> Slot:
    """A field for nulls: never written."""
    form = Form(FieldType.STRING, pa.string(), lambda array: pa.nulls(len(array), pa.string()))
    return Slot(number, form, Presence.EXPLICIT, form.write)


def constant(number: int, form: Form, value: object) -> Slot:
    """A field that no column is for, and that has this value in each message."""
    return Slot(number, form, Presence.EXPLICIT, lambda array: pa.repeat(pa.scalar(value, form.kind), len(array)))


def repeated(number: int, form: Form, *, is_packed: bool) -> Slot:
    """A field for lists."""

    def write(lists: pa.Array) -> pa.Array:
        return pa.ListArray.from_arrays(offsets(lists), form.write(flattened(lists)))

    inner = either(form.misfits, null_is_misfit)

    def misfits(lists: pa.Array) -> Bools | None:
        return union(null_is_misfit(lists), _of_lists(lists, inner(flattened(lists))))

    return Slot(number, form, Presence.REPEATED, write, misfits, is_packed)


def mapped(number: int, key: Form, value: Form) -> Slot:
    """A field for maps: lists of entries. Key and value of an entry are always written, as protobuf does."""
    entry = message([(0, present(1, key)), (1, present(2, value))])
    plain = repeated(number, entry, is_packed=False)
    wrong_key, wrong_value = either(key.misfits, null_is_misfit), either(value.misfits, null_is_misfit)

    def misfits(maps: pa.Array) -> Bools | None:
        lists = entries(maps)
        keys, values = flattened(lists).flatten()
        inner = union(wrong_key(keys), wrong_value(values))
        return union(null_is_misfit(maps), _of_lists(lists, inner), _with_equal_keys(lists, keys))

    return Slot(number, entry, Presence.REPEATED, lambda maps: plain.write(entries(maps)), misfits)


# -- messages ---------------------------------------------------------------------------------------------


def message(slots: Sequence[tuple[int, Slot]]) -> Form:
    """Structs as messages: each slot with the child that is for it (-1: none is)."""
    slots = sorted(slots or [(-1, never(1))], key=lambda pair: pair[1].number)
    kind = pa.struct([(slot.name, slot.kind) for _, slot in slots])

    def write(structs: pa.Array) -> pa.Array:
        children = structs.flatten()  # not what a null struct holds
        return struct_of([slot.write(structs if at < 0 else children[at]) for at, slot in slots], kind, structs)

    def misfits(structs: pa.Array) -> Bools | None:
        children = structs.flatten()
        return _where_valid(structs, union(*(slot.misfits(children[at]) for at, slot in slots if at >= 0)))

    return Form(FieldType.MESSAGE, kind, write, misfits, tuple(slot for _, slot in slots))


def boxed(slot: Slot) -> Form:
    """Values as messages with this one field; null is no message."""
    kind = pa.struct([(slot.name, slot.kind)])

    def write(array: pa.Array) -> pa.Array:
        return struct_of([slot.write(array)], kind, array)

    def misfits(array: pa.Array) -> Bools | None:
        return _where_valid(array, slot.misfits(array))

    return Form(FieldType.MESSAGE, kind, write, misfits, (slot,))


def struct_of(children: Sequence[pa.Array], kind: pa.DataType, column: pa.Array) -> pa.Array:
    """Structs of these children, null where the column is."""
    return pa.StructArray.from_arrays(children, fields=list(kind), mask=column.is_null() if column.null_count else None)


# -- misfits ----------------------------------------------------------------------------------------------


def null_is_misfit(array: pa.Array) -> Bools | None:
    return booleans(array.is_null()) if array.null_count else None


def either(*all_of: Misfits) -> Misfits:
    """The misfits of each of these."""
    asked = [misfits for misfits in all_of if misfits is not all_fit]
    if not asked:
        return all_fit
    return asked[0] if len(asked) == 1 else lambda array: union(*(misfits(array) for misfits in asked))


def union(*found: Bools | None) -> Bools | None:
    """What is in any of these; None: nothing."""
    some = [one for one in found if one is not None and one.any()]
    return np.logical_or.reduce(some) if some else None


def booleans(array: pa.Array) -> Bools:
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype=np.bool_)


def integers(array: pa.Array) -> npt.NDArray[Any]:
    """The values of integers as numpy has them, 0 for null."""
    return np.asarray((array.fill_null(0) if array.null_count else array).to_numpy())


def _where_valid(array: pa.Array, found: Bools | None) -> Bools | None:
    if found is None or not array.null_count:
        return found
    return union(found & booleans(array.is_valid()))


def _of_lists(lists: pa.Array, found: Bools | None) -> Bools | None:
    """Which lists hold one of these; `found` is of the items of all lists, one after the other."""
    if found is None:
        return None
    so_far = np.concatenate([[0], np.cumsum(found)])
    begins = offsets(lists).to_numpy()
    return np.asarray(so_far[begins[1:]] > so_far[begins[:-1]])


def _with_equal_keys(lists: pa.Array, keys: pa.Array) -> Bools | None:
    lengths = np.diff(offsets(lists).to_numpy())
    if not len(lengths) or lengths.max() < 2:
        return None
    distinct = (keys.storage if is_extension(keys.type) else keys).dictionary_encode()
    ids = distinct.indices.fill_null(0).to_numpy().astype(np.int64)
    both = np.sort(np.repeat(np.arange(len(lists)), lengths) * max(len(distinct.dictionary), 1) + ids)
    twice = both[1:][both[1:] == both[:-1]] // max(len(distinct.dictionary), 1)
    found = np.zeros(len(lists), np.bool_)
    found[twice] = True
    return union(found)
