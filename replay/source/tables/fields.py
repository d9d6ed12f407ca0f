"""Columns of a table's files by their number: a name may have meant another column when a file was written."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from replay.source.tables import states as tables

_ID = b"PARQUET:field_id"


def check_fields(shown: str, schema: pa.Schema, state: tables.TableState) -> None:
    """Raises `InputError` for a column that the table calls otherwise now, or whose name is another column's now.

    `schema` is that of the file, `shown` how it is called.
    """
    if not state.field_ids:
        return
    names = {number: name.rpartition(".")[2] for number, name in state.field_ids}
    top = {name for _, name in state.field_ids if "." not in name}
    for number, name, is_top in _fields(schema):
        now = names.get(number)
        if now is not None and now != name:
            raise tables.not_honoured(state.format, shown, f"a renamed column ({name!r} is now {now!r})")
        if now is None and is_top and name in top:
            raise tables.not_honoured(state.format, shown, f"a column {name!r} that replaced one of the same name")


def _fields(schema: pa.Schema) -> Iterator[tuple[int, str, bool]]:
    """Number, name and whether it is a column itself, of all fields that have a number; not those of lists and maps,
    whose parts have fixed names."""

    def inside(field: pa.Field, is_top: bool) -> Iterator[tuple[int, str, bool]]:
        if field.metadata and _ID in field.metadata:
            yield int(field.metadata[_ID]), field.name, is_top
        kind = field.type
        if pa.types.is_struct(kind):
            for each in kind:
                yield from inside(each, False)
        elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_map(kind):
            for each in (kind.value_field,) if not pa.types.is_map(kind) else (kind.key_field, kind.item_field):
                for part in each.type if pa.types.is_struct(each.type) else ():
                    yield from inside(part, False)

    for field in schema:
        yield from inside(field, True)
