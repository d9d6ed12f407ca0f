"""Finding input files, here and in object stores, and the tables among them.

A search is strict: what cannot be listed or vanishes meanwhile is an error, or the rest would pass for the whole.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from replay.errors import InputError, NoInput
from replay.source.files import address, lake, local, paths, remote
from replay.source.files.endings import TAKEN, OtherEndings
from replay.source.files.input_path import InputPath, Place
from replay.source.tables import marks
from replay.source.tables import states as tables


def find(
    inputs: Sequence[str],
    others: OtherEndings | None = None,
    asked: tables.AskedState = tables.NEWEST,
) -> list[InputPath]:
    """The files that files, folders, patterns and URIs name, in natural order, each once however it is named; of a
    table's folder those of one state of it.

    `others` takes note of the files in folders that are not taken because of their endings.
    """
    others = others if others is not None else OtherEndings()
    search = _Search(asked, others)
    found: dict[str, InputPath] = {}
    for given in inputs:
        is_remote = address.is_uri(given) and not given.startswith(local.FILE)
        for path in search.in_store(given) if is_remote else search.on_this_machine(given):
            found.setdefault(path.place.identity, path)
    others.forget(found)
    return sorted(found.values(), key=lambda path: (paths.natural_key(path.shown), path.shown))


@dataclass(frozen=True, slots=True)
class _Search:
    """`others` takes note of files that are not taken because of their endings. URIs of one bucket share a store, and
    each local folder is looked at once for the marks of a table."""

    asked: tables.AskedState
    others: OtherEndings
    stores: dict[tuple[object, ...], remote.Store] = field(default_factory=dict)
    noticed: marks.Noticed = field(default_factory=marks.Noticed)

    def in_store(self, given: str) -> list[InputPath]:
        place = address.parse(given)
        key = (place.scheme, place.authority, place.parameters)
        if key not in self.stores:  # many URIs of one bucket share a connection
            self.stores[key] = remote.connect(place)
        store = self.stores[key]
        if root := lake.metadata_file(place.path):
            near = replace(place, path=root)
            return _of_table(lake.far(near, marks.ICEBERG, store, self.asked, place.path), near, store)
        format = None if paths.is_pattern(place.path) else remote.table_at(place, store)
        if format is not None:
            return _of_table(lake.far(place, format, store, self.asked), place, store)
        passed = OtherEndings()
        return self._taken(remote.find(place, store, passed), place.shown, passed)

    def on_this_machine(self, given: str) -> list[InputPath]:
        if not given:
            raise InputError("the path is empty", where="INPUT", todo="is a variable of your shell not set?")
        path = local.path_of_url(given) if given.startswith(local.FILE) else given
        path = path.rstrip("/") or "/"
        passed = OtherEndings()
        try:
            status = os.stat(path)
        except (OSError, ValueError) as error:  # ValueError: a null byte
            if not (isinstance(error, FileNotFoundError | NotADirectoryError) and paths.is_pattern(path)):
                raise local.refusal(path, error) from None
            found = local.search(*paths.split_pattern(path), passed)
        else:
            content = self._table_here(os.path.abspath(path), status)
            if content is not None:
                return _of_table(content, None, None)
            if stat.S_ISREG(status.st_mode):
                found = iter([local.LocalFile(path, os.path.realpath(path), status.st_size)])
            elif not stat.S_ISDIR(status.st_mode):
                todo = "save it as a file first"
                raise InputError("this is not a file that can be read twice", where=path, todo=todo)
            else:
                self._no_table(path, path)
                found = local.search(path, paths.FOLDER, passed)
        files = sorted(found, key=lambda file: file.linked)  # a file is named as itself, not as a link to it
        for file in files:
            self._no_table(file.path, os.path.dirname(file.path))
            self._no_table(file.path, os.path.dirname(file.real))
        return self._taken(files, path, passed)

    def _taken(self, found: Sequence[Place], where: str, passed: OtherEndings) -> list[InputPath]:
        if found:
            self.others.files.update(passed.files)
            return list(map(_input_path, found))
        what, todo = "no Parquet file here", "name a .parquet file, a folder that holds some, or a glob"
        if passed.looks_like_input:
            what = f"{what}: {passed}"
            todo = f"name the files whatever their ending: {where.rstrip('/')}/*; or give them an ending {TAKEN}"
        raise NoInput(what, where=where, todo=todo)

    def _table_here(self, whole: str, status: os.stat_result) -> tables.Content | None:
        """The content of the table whose folder, or whose metadata file, this is; None for anything else."""
        if stat.S_ISREG(status.st_mode):
            root = lake.metadata_file(whole)
            return lake.local(marks.Table(marks.ICEBERG, root), self.asked, whole) if root else None
        table = self.noticed.at(whole) if stat.S_ISDIR(status.st_mode) else None
        return lake.local(table, self.asked) if table is not None and table.root == whole else None

    def _no_table(self, where: str, folder: str) -> None:
        table = self.noticed.at(os.path.abspath(folder))
        if table is not None:
            marks.refuse(table, where)


def _of_table(content: tables.Content, near: address.Address | None, store: remote.Store | None) -> list[InputPath]:
    """The files of a table. Its log gives their partition keys; the names of their folders do not count."""
    state, files = content
    if not files:
        raise NoInput(f"{state.text} has no rows", where=near.shown if near else "INPUT", todo="check the table")
    return [replace(_input_path(lake.place_of(file, near, store)), keys=file.keys, table=state) for file in files]


def _input_path(place: Place) -> InputPath:
    return InputPath(*paths.identify(place.whole, place.shown), place)
