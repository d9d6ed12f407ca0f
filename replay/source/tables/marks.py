"""Folders of table formats (Delta, Iceberg, Hudi), known by the names in them.

Such a folder also holds files that are no longer part of the table, or not yet: read as they are, rows that were
rewritten come twice, and deleted ones come back. Pure but for `Noticed`.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from replay.errors import InputError

DELTA, ICEBERG, HUDI = "Delta", "Iceberg", "Hudi"

DELTA_LOG = "_delta_log"
METADATA = "metadata"
_METADATA_FILES = (".metadata.json", ".metadata.json.gz")
_HUDI = frozenset({".hoodie", ".hoodie_partition_metadata"})
"""The second one lies in each partition folder, also where that was copied alone."""
MARKERS = (DELTA_LOG, ".hoodie")
"""What to look for in a folder that is not listed, beside the files in its folder `metadata`."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table's folder, as the user would name it."""

    format: str
    root: str


def is_metadata_file(name: str) -> bool:
    """Whether a file in the folder `metadata` describes an Iceberg table."""
    return name.endswith(_METADATA_FILES)


def format_by(names: Collection[str], metadata: Iterable[str]) -> str | None:
    """The format of a table whose folder has these names in it, and these in its folder `metadata`.

    A folder may be a table in several formats at once (UniForm, XTable): Delta and Iceberg can be read, Hudi cannot.
    """
    if DELTA_LOG in names:
        return DELTA
    if any(map(is_metadata_file, metadata)):
        return ICEBERG
    return HUDI if not _HUDI.isdisjoint(names) else None


def roots_of(paths: Iterable[str]) -> dict[str, str]:
    """The tables among files and folders listed by their paths: format by folder ("" is where the listing began)."""
    names: dict[str, set[str]] = {}
    metadata: dict[str, list[str]] = {}
    for path in paths:
        parts = path.split("/")
        for at, part in enumerate(parts):
            if part == DELTA_LOG or part in _HUDI:
                names.setdefault("/".join(parts[:at]), set()).add(part)
            elif part == METADATA and at == len(parts) - 2:
                metadata.setdefault("/".join(parts[:at]), []).append(parts[-1])
    found = {root: format_by(names.get(root, ()), metadata.get(root, ())) for root in {*names, *metadata}}
    return {root: format for root, format in found.items() if format is not None}


def above(path: str) -> Iterator[str]:
    """The folders that a relative path lies in, the nearest first; the last one is ""."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def refuse(table: Table, where: str) -> NoReturn:
    """`where` is what was named, or found."""
    todo = "write one version of the table elsewhere as plain Parquet files, and name those"
    if table.format != HUDI:
        todo = f"name the table's own folder, {table.root}, and pick its rows with --from, --to, --date or --where"
    raise InputError(
        f"this belongs to the {table.format} table {table.root}, whose folder also holds files that are no longer part"
        " of it: rows would come twice, or come back",
        where=where,
        todo=todo,
    )


@dataclass(frozen=True, slots=True)
class Noticed:
    """Tables among local folders. Each folder is looked at once."""

    _known: dict[str, Table | None] = field(default_factory=dict)

    def at(self, folder: str) -> Table | None:
        """The table that the folder, an absolute path, is or lies in; of several the innermost."""
        if folder not in self._known:
            parent = os.path.dirname(folder)
            format = _format_of(folder)
            found = Table(format, folder) if format is not None else None
            self._known[folder] = found or (self.at(parent) if parent != folder else None)
        return self._known[folder]


def _format_of(folder: str) -> str | None:
    names = {name for name in (DELTA_LOG, *_HUDI) if os.path.exists(os.path.join(folder, name))}
    try:
        metadata = os.listdir(os.path.join(folder, METADATA))
    except OSError:  # mostly there is none
        metadata = []
    return format_by(names, metadata)
