"""A Delta table: which files are its rows at one version. What is not honoured is refused by name.

deltalake reads the log; the files are opened like all others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from replay.errors import ReplayError, not_memory
from replay.source.tables import states as tables
from replay.source.tables.marks import DELTA
from replay.source.tables.states import AskedState, Content, DataFile, TableState

_HONOURED = frozenset(
    {"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck", "typeWidening", "typeWidening-preview", "variantType",
     "variantType-preview", "deletionVectors", "columnMapping"}
)  # fmt: skip
"""Features for readers under which a file's rows are the table's, or which are looked at below."""


def content(
    root: str, options: Mapping[str, str], asked: AskedState, refusal: Callable[[Exception], ReplayError]
) -> Content:
    """The newest version's files, or those of the version asked for. `root` is a path or URI; `refusal` makes an error
    of the service's into one of ours."""
    try:
        from deltalake import DeltaTable  # noqa: PLC0415 - an extra
    except ImportError:
        raise tables.missing_extra(DELTA, root) from None
    try:
        newest = DeltaTable(root, storage_options=dict(options) or None)
        number = asked.version if asked.version is not None else asked.of(str(newest.metadata().id))
        table = newest
        if number is not None and number != newest.version():
            try:
                table = DeltaTable(root, version=number, storage_options=dict(options) or None)
            except Exception as error:  # deltalake raises many kinds
                why = str(not_memory(error)).partition("\n")[0]
                raise tables.no_such_state(DELTA, root, number, newest.version(), why) from None
        return _content(root, table)
    except ReplayError:
        raise
    except Exception as error:
        raise refusal(not_memory(error)) from None


def _content(root: str, table: Any) -> Content:
    metadata, protocol = table.metadata(), table.protocol()
    features = set(protocol.reader_features or ())
    if unknown := sorted(features - _HONOURED):
        raise tables.not_honoured(DELTA, root, f"the feature {', '.join(unknown)}")
    mapping = metadata.configuration.get("delta.columnMapping.mode") or "none"
    if mapping != "none":
        raise tables.not_honoured(DELTA, root, f"column mapping (delta.columnMapping.mode = {mapping})")
    if "deletionVectors" in features:
        vectors = pa.table(table.deletion_vectors())
        if vectors.num_rows:
            raise tables.not_honoured(
                DELTA, root, f"deletion vectors (rows deleted in {vectors.num_rows} of its files)"
            )
    state = TableState(DELTA, str(metadata.id), table.version(), pa.schema(table.schema().to_arrow()))
    files = []
    for action in pa.table(table.get_add_actions(flatten=False)).to_pylist():
        path = unquote(action["path"])  # as the log has it
        if "://" in path or path.startswith(("/", "file:")):
            raise tables.not_honoured(DELTA, root, "files outside of its folder (a shallow clone)")
        keys = tuple((name, tables.as_key(value)) for name, value in (action.get("partition") or {}).items())
        files.append(DataFile(f"{root.rstrip('/')}/{path}", int(action["size_bytes"]), keys))
    return state, files
