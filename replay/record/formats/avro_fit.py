"""How the values of a column become those of a field of Avro: what fits, and how it is written. Pure.

The bytes of a value do not depend on logical types: a timestamp is written as the long that it is, an enum as the int
of its symbol, a decimal as bytes. So columns become columns of bare types (`avro_bare.py`), and the writers know no
others.

Source: Apache Avro 1.12.0, specification, "Binary encoding".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from pyarrow import types

from replay.errors import InputError
from replay.model import Bools
from replay.record.formats import avro_flat
from replay.record.formats.avro_bare import record_array, record_type
from replay.record.formats.avro_constant import constant
from replay.record.formats.avro_flat import Fit, same
from replay.record.formats.avro_types import NO_DEFAULT, AvroField, AvroType
from replay.record.kinds import entries, flattened, offsets
from replay.record.options import DecimalAs


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value goes, for messages: from which input column, into which field (`legs.price`). `can_go`: the column
    may be left out."""

    source: str
    field: str
    decimal_as: DecimalAs
    can_go: bool

    def inside(self, name: str) -> Place:
        return replace(self, field=f"{self.field}.{name}")

    def refused(self, what: str, todo: str) -> InputError:
        todo = f"{todo}, or leave the column out (--fields)" if self.can_go else todo
        return InputError(what, where=f"column {self.source}, field {self.field} of the schema", todo=todo)


def fitted(kind: pa.DataType, field: AvroType, place: Place) -> Fit:
    """The column's values in the field. Raises `InputError` where types alone say that they do not fit."""
    if field.base != "union":
        fit = _fitted(kind, field, place)
        return replace(fit, misfits=_or_nulls(fit.misfits)) if field.base != "null" else fit
    branches = field.branches
    if [branch.base for branch in branches].count("null") != 1 or len(branches) != 2:
        raise place.refused(
            f"it is {field}, and no column is two types",
            "give the field one type, or null and one",
        )
    if types.is_null(kind):
        return constant_fit(AvroField(place.field, field, None))
    null_first = branches[0].base == "null"
    fit = _fitted(kind, branches[1 if null_first else 0], place)
    return replace(fit, avro=["null", fit.avro] if null_first else [fit.avro, "null"])


def constant_fit(field: AvroField) -> Fit:
    """What a field without a column holds: its default, or null. Raises `ValueError` where it has none."""
    avro, value = constant(field.type, None if field.default is NO_DEFAULT else field.default)
    return Fit(avro, lambda column: value.take(pa.array(np.zeros(len(column), np.int64))))


def _fitted(kind: pa.DataType, field: AvroType, place: Place) -> Fit:
    """Of a field that is no union. Nulls are no misfits here."""
    for matches, base, make_nested in _NESTED:
        if matches(kind) and field.base == base:
            return make_nested(kind, field, place)
    forms = avro_flat.forms(kind, place.decimal_as)
    if field.form not in forms:
        raise place.refused(
            f"it is {kind}, which does not go into {field} without a change of values",
            f"give the field a type that it goes into: {_listed(kind, forms)}",
        )
    return forms[field.form](kind, field)


def _listed(kind: pa.DataType, forms: Iterable[str]) -> str:
    nested = [base for matches, base, _ in _NESTED if matches(kind)]
    return ", ".join((*forms, *nested)) or "there is none"


def _or_nulls(misfits: avro_flat.Misfits | None) -> avro_flat.Misfits:
    """The same, and nulls."""

    def found(column: pa.Array) -> Bools | None:
        bad = None if misfits is None else misfits(column)
        if not column.null_count:
            return bad
        nulls: Bools = column.is_null().to_numpy(zero_copy_only=False)
        return nulls if bad is None else bad | nulls

    return found


# -- nested types -----------------------------------------------------------------------------------------


def _array(kind: pa.DataType, field: AvroType, place: Place) -> Fit:
    item = fitted(kind.value_type, field.items, place)

    def convert(column: pa.Array) -> pa.Array:
        items = item.convert(flattened(column))
        return pa.ListArray.from_arrays(offsets(column), items, mask=column.is_null())

    def misfits(column: pa.Array) -> Bools | None:
        return _of_lists(column, item, flattened(column))

    avro = {"type": "array", "items": item.avro}
    return Fit(avro, same if item.convert is same else convert, None if item.misfits is None else misfits)


def _map(kind: pa.DataType, field: AvroType, place: Place) -> Fit:
    """A reader keeps one value of each key: a map in which a key is twice would lose the others."""
    if not types.is_string(kind.key_type):
        raise place.refused(
            f"its keys are {kind.key_type}, and those of a map in Avro are text",
            "give the field a type that it goes into: array of records with key and value",
        )
    item = fitted(kind.item_type, field.items, place)

    def convert(column: pa.Array) -> pa.Array:
        lists = entries(column)
        keys, items = flattened(lists).flatten()
        return pa.MapArray.from_arrays(offsets(lists), keys, item.convert(items), mask=column.is_null())

    def misfits(column: pa.Array) -> Bools | None:
        lists = entries(column)
        keys, items = flattened(lists).flatten()
        return _either(_of_lists(lists, item, items), _repeated(lists, keys))

    return Fit({"type": "map", "values": item.avro}, same if item.convert is same else convert, misfits)


def _map_as_array(kind: pa.DataType, field: AvroType, place: Place) -> Fit:
    pairs = pa.list_(pa.struct([("key", kind.key_type), ("value", kind.item_type)]))
    fit = _array(pairs, field, place)
    misfits = fit.misfits
    return Fit(
        fit.avro,
        lambda column: fit.convert(entries(column)),
        None if misfits is None else lambda column: misfits(entries(column)),
    )


def _record(kind: pa.DataType, field: AvroType, place: Place) -> Fit:
    names, fields = [child.name for child in kind], {child.name for child in field.fields}
    for at, name in enumerate(names):
        if name not in fields or name in names[:at]:
            raise place.refused(
                f"its field {name!r} is {'there twice' if name in fields else f'not in {field}'}",
                "give the record of the schema all of its fields",
            )
    own_kinds = {child.name: child.type for child in kind}
    own_at = {name: at for at, name in enumerate(names)}
    fits = [
        (own_at.get(child.name), _child(own_kinds.get(child.name), child, place.inside(child.name)))
        for child in field.fields
    ]

    def convert(column: pa.Array) -> pa.Array:
        own = column.flatten()  # not what a null struct holds
        children = [fit.convert(column if at is None else own[at]) for at, fit in fits]
        return record_array(children, len(column), column.is_null())

    def misfits(column: pa.Array) -> Bools | None:
        own = column.flatten()
        bad = None
        for at, fit in fits:
            if at is not None and fit.misfits is not None:
                bad = _either(bad, fit.misfits(own[at]))
        if bad is None or not column.null_count:
            return bad
        return _any_of(bad & column.is_valid().to_numpy(zero_copy_only=False))

    return Fit(record_type([fit.avro for _, fit in fits]), convert, misfits)


def _child(kind: pa.DataType | None, child: AvroField, place: Place) -> Fit:
    if kind is not None:
        return fitted(kind, child.type, place)
    try:
        return constant_fit(child)
    except ValueError:
        raise place.refused("the column has no such field, and it no default", "give it a default") from None


_NESTED: Sequence[tuple[Callable[[pa.DataType], bool], str, Callable[[pa.DataType, AvroType, Place], Fit]]] = (
    (types.is_list, "array", _array),
    (types.is_map, "map", _map),
    (types.is_map, "array", _map_as_array),
    (types.is_struct, "record", _record),
)


# -- which rows of nested values --------------------------------------------------------------------------


def _of_lists(lists: pa.Array, item: Fit, items: pa.Array) -> Bools | None:
    """The lists in which an item does not fit; `items` are those of all, one after the other."""
    bad = None if item.misfits is None else item.misfits(items)
    if bad is None:
        return None
    before = np.concatenate([[0], np.cumsum(bad)])  # how many there are before each item
    at = offsets(lists).to_numpy()
    return _any_of(before[at[1:]] > before[at[:-1]])


def _repeated(lists: pa.Array, keys: pa.Array) -> Bools | None:
    """The maps in which a key is twice."""
    codes = keys.dictionary_encode()
    distinct = max(len(codes.dictionary), 1)
    maps = np.repeat(np.arange(len(lists)), np.diff(offsets(lists).to_numpy()))
    pairs = np.sort(maps * distinct + codes.indices.to_numpy())
    bad = np.zeros(len(lists), dtype=bool)
    bad[pairs[1:][pairs[1:] == pairs[:-1]] // distinct] = True
    return _any_of(bad)


def _either(one: Bools | None, other: Bools | None) -> Bools | None:
    if one is None or other is None:
        return other if one is None else one
    return one | other


def _any_of(bad: Bools) -> Bools | None:
    return bad if bad.any() else None
