"""The inputs of a replay, found and opened: their footers are read, no row is."""

from __future__ import annotations

from dataclasses import dataclass

from replay.source.columns.presets import with_preset
from replay.source.files.endings import OtherEndings
from replay.source.files.find import find
from replay.source.files.input_path import InputPath
from replay.source.files.parquet_file import InputFile, open_file, open_files
from replay.source.options import Columns, SourceOptions
from replay.source.tables import states as tables


@dataclass(frozen=True, slots=True)
class Inputs:
    """`other_endings` are files of the folders that are not taken because of how they end, `tables` is the text of the
    states of tables that are read, `columns` those of the options with what a preset says of them."""

    paths: list[InputPath]
    other_endings: OtherEndings
    tables: str
    columns: Columns
    files: tuple[InputFile, ...]


def open_inputs(options: SourceOptions) -> Inputs:
    """Raises `InputError` for an input that is not there or is no whole Parquet file."""
    others = OtherEndings()
    paths = find(
        options.inputs, others, tables.AskedState(options.table_version, options.snapshot, options.known_tables)
    )
    states = {path.table for path in paths if path.table is not None}
    tables.check_asked(options.table_version, options.snapshot, {state.format for state in states})
    tables.check_one_state(states)
    columns = with_preset(options.columns, open_file(paths[0]) if options.columns.preset is not None else None)
    with_statistics = [columns.event_time, *([columns.symbol] if columns.has_symbol_column else [])]
    files = tuple(
        file.without_statistics() if file.footer_sha256 in options.without_statistics else file
        for file in open_files(paths, with_statistics)
    )
    return Inputs(paths, others, tables.text_of(states), columns, files)
