"""Columns of bare types (`avro_bare.py`) to the bytes of Avro, a record a row.

Two ways, with the same bytes. pyruhvro writes columns, at about 0.1 µs a row. fastavro writes a row at a time, at some
3 to 10 µs: where pyruhvro is missing, or does not write the types of a schema as fastavro does. Which of both it is
follows from the types alone, and is tried out with a few values of each before the first row.

What is to know of pyruhvro (0.4.0, its source is in its sdist):

- It has no bytes: as text they are written the same, and it looks at no text.
- It has no fixed. Of a record's own fields these are joined with what it writes of the others; for those deeper inside
  fastavro writes.
- It matches fields by name, ignores a null where the type has none (`misfits` finds these), and raises `ValueError`.
- It panics at a struct in a struct that is a slice. `Fit.convert` makes structs anew.
- It works on a thread of a pool of its own that is made at the first call, with the GIL released. A process that is
  forked later hangs in it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from io import BytesIO
from itertools import groupby
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from replay.record.formats.avro_bare import arrow_type, named, not_null, record_type
from replay.record.formats.avro_types import fastavro

Write = Callable[[Sequence[pa.Array]], pa.Array]
"""From the columns of a batch, one a field, to the bytes of each row (binary)."""

_ROWS_AT_ONCE = 1024
"""Rows that are Python objects at a time."""


@dataclass(frozen=True, slots=True)
class Writer:
    """How records are written. `library` is what writes them, with its version: "pyruhvro 0.4.0"."""

    write: Write
    library: str


def writer(fields: Sequence[Any]) -> Writer:
    """For records with fields of these bare types. Raises `UsageError` where fastavro is missing."""
    kept = row_wise(fields)
    fast = column_wise(fields)
    if fast is not None and _same_bytes(fields, fast, kept):
        return Writer(fast, f"pyruhvro {version('pyruhvro')}")
    return Writer(kept, f"fastavro {version('fastavro')}")


# -- rows -------------------------------------------------------------------------------------------------


def row_wise(fields: Sequence[Any]) -> Write:
    """By fastavro."""
    schema = fastavro().parse_schema(named(record_type(fields)))
    write_one = fastavro().schemaless_writer
    names = [field["name"] for field in schema["fields"]]

    def payloads(rows: list[dict[str, Any]]) -> Iterator[bytes]:
        for row in rows:
            out = BytesIO()
            write_one(out, schema, row)
            yield out.getvalue()

    def write(columns: Sequence[pa.Array]) -> pa.Array:
        batch = pa.RecordBatch.from_arrays(list(columns), names=names)
        found: list[bytes] = []
        for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
            rows = batch.slice(start, _ROWS_AT_ONCE).to_pylist(maps_as_pydicts="strict")
            found += payloads(rows)
        return pa.array(found, pa.binary())

    return write


# -- columns ----------------------------------------------------------------------------------------------


def column_wise(fields: Sequence[Any]) -> Write | None:
    """By pyruhvro; None where it is missing, or does not know a type."""
    try:
        serialize = import_module("pyruhvro").serialize_record_batch
    except ImportError:
        return None
    if any(not _is_fixed(field) and _holds_fixed(field) for field in fields):
        return None
    parts: list[Callable[[Sequence[pa.Array]], pa.Array]] = []
    for is_fixed, group in groupby(enumerate(fields), lambda pair: _is_fixed(pair[1])):
        at = list(group)
        if is_fixed:
            parts += [_fixed_part(index, field) for index, field in at]
        else:
            parts.append(_part(at[0][0], [field for _, field in at], serialize))

    def write(columns: Sequence[pa.Array]) -> pa.Array:
        found = [part(columns) for part in parts]
        return found[0] if len(found) == 1 else pc.binary_join_element_wise(*found, b"")

    return write


def _part(first: int, fields: Sequence[Any], serialize: Callable[..., list[pa.Array]]) -> Write:
    """Writes fields that follow each other, from the one at `first` on."""
    schema = json.dumps(_as_text(named(record_type(fields))))
    names = [f"f{at}" for at in range(len(fields))]

    def write(columns: Sequence[pa.Array]) -> pa.Array:
        own = map(_bytes_as_text, columns[first : first + len(fields)])
        return _called(serialize, pa.RecordBatch.from_arrays(list(own), names=names), schema)

    return write


def _called(serialize: Callable[..., list[pa.Array]], batch: pa.RecordBatch, schema: str) -> pa.Array:
    try:
        (written,) = serialize(batch, schema, 1)
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of Rust: no `except Exception` sees it
            raise
        raise RuntimeError(f"pyruhvro: {error}") from error
    return written


def _fixed_part(at: int, field: Any) -> Write:
    """A fixed is the bytes that it is, behind the number of its branch where it may be null."""

    def write(columns: Sequence[pa.Array]) -> pa.Array:
        values = columns[at].cast(pa.binary())
        if not isinstance(field, list):
            return values
        null, value = (bytes([2 * (field.index("null") ^ flip)]) for flip in (0, 1))  # as zigzag
        return pc.binary_join_element_wise(value, values, b"").fill_null(null)

    return write


def _is_fixed(bare: Any) -> bool:
    inner = not_null(bare)
    return isinstance(inner, dict) and inner["type"] == "fixed"


def _holds_fixed(bare: Any) -> bool:
    inner = not_null(bare)
    if isinstance(inner, str):
        return False
    children = [field["type"] for field in inner.get("fields", ())]
    children += [inner[key] for key in ("items", "values") if key in inner]
    return inner["type"] == "fixed" or any(map(_holds_fixed, children))


def _as_text(schema: Any) -> Any:
    """The schema with text in the place of bytes."""
    if isinstance(schema, dict):
        return {key: _as_text(value) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_as_text(value) for value in schema]
    return "string" if schema == "bytes" else schema


def _bytes_as_text(column: pa.Array) -> pa.Array:
    """Nothing of the bytes is copied, or looked at."""
    kind = _text_type(column.type)
    return column if kind == column.type else column.cast(kind, safe=False)


def _text_type(kind: pa.DataType) -> pa.DataType:
    """The type with text in the place of bytes."""
    if types.is_binary(kind):
        return pa.string()
    if types.is_list(kind):
        return pa.list_(_text_type(kind.value_type))
    if types.is_map(kind):
        return pa.map_(kind.key_type, _text_type(kind.item_type))
    if types.is_struct(kind):
        return pa.struct([(field.name, _text_type(field.type)) for field in kind])
    return kind


# -- whether both write the same --------------------------------------------------------------------------


def _same_bytes(fields: Sequence[Any], fast: Write, kept: Write) -> bool:
    """Tried with values of each type, among them the smallest and the largest."""
    values = [list(_samples(field)) for field in fields]
    rows = max(map(len, values))
    columns = [
        pa.array([own[row % len(own)] for row in range(rows)], arrow_type(field))
        for own, field in zip(values, fields, strict=True)
    ]
    with _one_worker():
        try:
            return bool(fast(columns).equals(kept(columns)))
        except (ValueError, RuntimeError):
            return False


_TEXTS = ("", "a", "ä€\U0001f600", "x" * 64, "x" * 8192)
_SAMPLES: dict[str, Sequence[Any]] = {
    "null": (None,),
    "boolean": (True, False),
    "int": (0, -1, 63, 64, -65, 2**31 - 1, -(2**31)),
    "long": (0, -1, 63, 64, -65, 2**63 - 1, -(2**63)),
    "float": (0.0, -0.0, 1.5, float("inf"), float("nan"), 2.0**-149),
    "double": (0.0, -0.0, 0.1, float("-inf"), float("nan"), 5e-324),
    "string": _TEXTS,
    "bytes": (*(text.encode() for text in _TEXTS), b"\xff\x00", bytes(range(128, 256))),
}


def _samples(bare: Any) -> Iterator[Any]:
    if isinstance(bare, str):
        yield from _SAMPLES[bare]
    elif isinstance(bare, list):
        yield from _samples(not_null(bare))
        yield None
    elif bare["type"] == "fixed":
        yield from (bytes([byte]) * bare["size"] for byte in (0, 0x7F, 0x80, 0xFF))
    elif bare["type"] == "array":
        items = list(_samples(bare["items"]))
        yield from ([], items, items[:1])
    elif bare["type"] == "map":
        items = list(_samples(bare["values"]))
        yield from ({}, {f"k{at}": item for at, item in enumerate(items)}, {"": items[0]})
    else:
        children = [list(_samples(field["type"])) for field in bare["fields"]]
        for row in range(max(map(len, children))):
            yield {f"f{at}": own[row % len(own)] for at, own in enumerate(children)}


_WORKERS = "TOKIO_WORKER_THREADS"


@contextmanager
def _one_worker() -> Iterator[None]:
    """At its first call pyruhvro starts a thread for each CPU, and uses none of them."""
    if _WORKERS in os.environ:
        yield
        return
    os.environ[_WORKERS] = "1"
    try:
        yield
    finally:
        del os.environ[_WORKERS]
