"""An Iceberg table: which files are its rows at one snapshot. What is not honoured is refused by name.

pyiceberg reads metadata and manifests, from the folder alone: no catalog is asked, so the newest metadata file is
taken for the table's state, unless one is named. The files are opened like all others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from replay.errors import InputError, ReplayError, not_memory
from replay.source.tables import marks
from replay.source.tables import states as tables
from replay.source.tables.marks import ICEBERG
from replay.source.tables.states import AskedState, Content, DataFile, TableState

_ID = b"PARQUET:field_id"

_VERSION = re.compile(r"v?(\d+)(?:-.*)?(?:\.gz)?\.metadata\.json(?:\.gz)?")


def newest(names: Sequence[str], root: str) -> str:
    """The file of a folder `metadata` with the table's newest state: the one with the highest number."""
    numbers = {name: int(match[1]) for name in names if (match := _VERSION.fullmatch(name))}
    last = max(numbers.values(), default=None)
    found = sorted(name for name, number in numbers.items() if number == last)
    if len(found) == 1:
        return found[0]
    what = "which of the table's metadata files is the newest cannot be told by their names"
    if found:
        what = f"two metadata files are the newest, {' and '.join(found[:2])}: only the catalog knows which counts"
    todo = "name the one that the catalog points to as INPUT: …/metadata/NAME.metadata.json"
    raise InputError(what, where=f"{root}/{marks.METADATA}", todo=todo)


def content(
    root: str, metadata: str, filesystem: Any, asked: AskedState, refusal: Callable[[Exception], ReplayError]
) -> Content:
    """The current snapshot's files, or those of the snapshot asked for, with the schema of that snapshot: so a resume
    finds the same columns, whatever became of the table since. `metadata` is the path or URI of the metadata
    file, `filesystem` pyarrow's for a URI (None: local)."""
    try:
        from pyiceberg.catalog.noop import NoopCatalog  # noqa: PLC0415 - an extra
        from pyiceberg.io.pyarrow import PyArrowFileIO  # noqa: PLC0415
        from pyiceberg.serializers import FromInputFile  # noqa: PLC0415
        from pyiceberg.table import StaticTable  # noqa: PLC0415
    except ImportError:
        raise tables.missing_extra(ICEBERG, root) from None
    try:
        io = PyArrowFileIO()
        if filesystem is not None:
            io.fs_by_scheme = lambda _scheme, _netloc: filesystem
        read = FromInputFile.table_metadata(io.new_input(metadata))
        table = StaticTable(("table", root), read, metadata, io, NoopCatalog("none"))
        return _content(root, table, asked)
    except ReplayError:
        raise
    except Exception as error:  # pyiceberg raises many kinds
        if "equality delete" in str(error):
            raise tables.not_honoured(ICEBERG, root, "equality delete files") from None
        raise refusal(not_memory(error)) from None


def _content(root: str, table: Any, asked: AskedState) -> Content:
    table_id, current = str(table.metadata.table_uuid), table.current_snapshot()
    number = asked.snapshot if asked.snapshot is not None else asked.of(table_id)
    newest_id = current.snapshot_id if current is not None else 0
    if number is not None and table.snapshot_by_id(number) is None:
        raise tables.no_such_state(ICEBERG, root, number, newest_id, "it never was, or has expired")
    if current is None and number is None:
        return TableState(ICEBERG, table_id, 0), []
    scan = table.scan(snapshot_id=newest_id if number is None else number)
    schema = scan.projection()
    if defaults := [each.name for each in schema.fields if getattr(each, "initial_default", None) is not None]:
        raise tables.not_honoured(ICEBERG, root, f"a default for older rows (column {defaults[0]})")
    names = tuple((number, schema.find_column_name(number)) for number in sorted(schema.field_ids))
    state = TableState(ICEBERG, table_id, newest_id if number is None else number, schema.as_arrow(), names)
    return state, list(_files(root, table, scan))


def _files(root: str, table: Any, scan: Any) -> Iterator[DataFile]:
    specs, schema = table.specs(), scan.projection()
    for task in scan.plan_files():
        file = task.file
        kind = str(getattr(file.file_format, "value", file.file_format)).upper()
        if kind != "PARQUET":
            raise tables.not_honoured(ICEBERG, root, f"{kind} files")
        if task.delete_files:
            kinds = sorted({_kind_of(each) for each in task.delete_files})
            raise tables.not_honoured(ICEBERG, root, " and ".join(kinds))
        if file.key_metadata:
            raise tables.not_honoured(ICEBERG, root, "encrypted files")
        spec, keys = specs[file.spec_id], []
        for at, field in enumerate(spec.fields):
            name = schema.find_column_name(field.source_id)
            if str(field.transform) == "identity" and name is not None and "." not in name:
                keys.append((name, tables.as_key(file.partition[at])))
        yield DataFile(file.file_path, file.file_size_in_bytes, tuple(keys))


def _kind_of(file: Any) -> str:
    if str(getattr(file.file_format, "value", "")).upper() == "PUFFIN":
        return "deletion vectors"
    kind = getattr(file.content, "name", str(file.content)).lower()
    return "equality delete files" if "equality" in kind else "position delete files"


# -- columns by their number ------------------------------------------------------------------------------


def check_fields(shown: str, schema: pa.Schema, state: TableState) -> None:
    """Raises `InputError` for a column that the table calls otherwise now, or whose name is another column's now: a
    name may have meant another column when the file was written.

    `schema` is that of the file, `shown` how it is called.
    """
    if not state.field_ids:
        return
    names = {number: name.rpartition(".")[2] for number, name in state.field_ids}
    top = {name for _, name in state.field_ids if "." not in name}
    for number, name, is_top in _numbered(schema, True):
        now = names.get(number)
        if now is not None and now != name:
            raise tables.not_honoured(state.format, shown, f"a renamed column ({name!r} is now {now!r})")
        if now is None and is_top and name in top:
            raise tables.not_honoured(state.format, shown, f"a column {name!r} that replaced one of the same name")


def _numbered(fields: Iterable[pa.Field], is_top: bool) -> Iterator[tuple[int, str, bool]]:
    """Number, name and whether it is a column itself, of all fields that have a number; not those of lists and maps,
    whose parts have fixed names."""
    for field in fields:
        if field.metadata and _ID in field.metadata:
            yield int(field.metadata[_ID]), field.name, is_top
        kind = field.type
        inner = [kind]
        if pa.types.is_map(kind):
            inner = [kind.key_type, kind.item_type]
        elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
            inner = [kind.value_type]
        for each in inner:
            if pa.types.is_struct(each):
                yield from _numbered(each, False)
