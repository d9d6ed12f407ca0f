"""The inputs of a replay, found and opened, and which of their files and row groups are part of it: all but those in
which, by name, folder or statistics, no row can be selected. A file more of other days changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from replay.errors import InputError
from replay.model import SpanNs
from replay.record.formats.chosen import format_of
from replay.source import event_times
from replay.source.choices import SymbolCase
from replay.source.columns.presets import with_preset
from replay.source.columns.schema import FileLayout, Layout, resolve
from replay.source.columns.symbols import cased
from replay.source.files.endings import OtherEndings
from replay.source.files.find import find
from replay.source.files.footers import Looker, looking
from replay.source.files.input_path import InputPath
from replay.source.files.parquet_file import InputFile, RowGroup, open_file, open_files
from replay.source.files.statistics import ValueRange
from replay.source.options import Columns, SourceOptions
from replay.source.rows.judge import RowRules, Wanted
from replay.source.rows.reader import RowReader
from replay.source.ruled_out import RuledOut, RuledOutFile
from replay.source.selection import select
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
    """Their footers are read, no row is. Raises `InputError` for an input that is not there or is no whole Parquet
    file."""
    with looking() as looker:
        return _opened(options, looker)


def _opened(options: SourceOptions, looker: Looker) -> Inputs:
    others = OtherEndings()
    paths = find(options.inputs, others, options.table_state)
    states = {path.table for path in paths if path.table is not None}
    tables.check_asked(options.table_state, {state.format for state in states})
    tables.check_one_state(states)
    columns = options.columns
    if columns.preset is not None:  # an empty name is refused, too
        columns = with_preset(columns, open_file(paths[0], looker=looker))
    with_statistics = [columns.event_time, *([columns.symbol] if columns.has_symbol_column else [])]
    with_statistics += [options.records.timestamp_column] if options.records.timestamp_column is not None else []
    files = tuple(
        file.without_statistics() if file.footer_sha256 in options.without_statistics else file
        for file in open_files(paths, with_statistics, looker)
    )
    return Inputs(paths, others, tables.text_of(states), columns, files)


@dataclass(frozen=True, slots=True)
class Included:
    """The files of which row groups are left, with nothing but these, and the rules by which they are read.

    `times_read` are the event times of row groups that had to be read for this, by how the file is shown.
    """

    rules: RowRules
    files: tuple[InputFile, ...]
    ruled_out: RuledOut
    times_read: Mapping[str, list[SpanNs]]


def included(inputs: Inputs, options: SourceOptions, wanted: Wanted) -> Included:
    """Raises `InputError` for files that do not go together, and where no file has a row."""
    rules = RowRules(options, inputs.columns, _layout(inputs.files, inputs, options), wanted)
    files = _pruned(inputs.files, rules)
    if not options.may_be_empty and not any(file.rows for file in inputs.files):
        raise InputError(
            "there are no rows in any input file", where=", ".join(options.inputs), todo="check the inputs"
        )
    ruled_out = RuledOut(rules, _ruled_out(inputs.files, files, rules))
    times_read: dict[str, list[SpanNs]] = {}
    kept = [
        whole
        for whole, file, own in zip(inputs.files, files, rules.layout.files, strict=True)
        if file.rows and not _is_beside(file, own, rules, times_read)
    ]
    if not kept:
        files = ()
    elif len(kept) < len(files):
        rules = replace(rules, layout=_layout(kept, inputs, options))
        files = _pruned(kept, rules)
    written = format_of(options.records, rules.layout.columns, wanted.symbols)
    return Included(replace(rules, format=written), files, ruled_out, times_read)


def _layout(files: Sequence[InputFile], inputs: Inputs, options: SourceOptions) -> Layout:
    layout = resolve(files, inputs.columns, options.records)
    if options.selection.where is not None:
        for file in files:
            options.selection.where.check(file.schema, file.shown)
    return layout


def _ruled_out(wholes: Sequence[InputFile], files: Sequence[InputFile], rules: RowRules) -> list[RuledOutFile]:
    found = []
    for whole, file, own in zip(wholes, files, rules.layout.files, strict=True):
        numbers = {group.number for group in file.groups}
        out = tuple(group for group in whole.groups if group.number not in numbers and group.rows)
        if out and not _is_unwanted(whole, own, rules):
            part = replace(whole, groups=out)
            found.append(RuledOutFile(part, own, event_times.of_groups(rules.layout, part, own)))
    return found


def _is_beside(file: InputFile, own: FileLayout, rules: RowRules, times_read: dict[str, list[SpanNs]]) -> bool:
    """Whether all times of the file lie outside of the range that is selected, though its statistics do not say so:
    the column is read. (Spark's INT96 has none.)"""
    selection = rules.selection
    if not selection.has_range or None not in event_times.of_groups(rules.layout, file, own):
        return False
    spans, good = RowReader(rules, file, own).times.spans_ns()
    times_read[file.shown] = spans
    return good == file.rows and not any(
        span is None or select.can_match(selection, *span, None, None) for span in spans
    )


# -- row groups -------------------------------------------------------------------------------------------


def _pruned(files: Sequence[InputFile], rules: RowRules) -> tuple[InputFile, ...]:
    """The files without the row groups in which nothing can be selected."""
    if rules.selection.takes_all:
        return tuple(files)
    found = []
    for file, own in zip(files, rules.layout.files, strict=True):
        groups = () if _is_unwanted(file, own, rules) else file.groups
        found.append(replace(file, groups=tuple(group for group in groups if _may_hold(file, own, group, rules))))
    return tuple(found)


def _is_unwanted(file: InputFile, own: FileLayout, rules: RowRules) -> bool:
    """Whether all its rows have one symbol, by its name or folder, and that is not selected."""
    constant = _constant(file, own, rules)
    return constant is not None and not rules.selection.wants(cased(constant, rules.columns))


def _constant(file: InputFile, own: FileLayout, rules: RowRules) -> str | None:
    return own.symbol or file.keys.get(rules.layout.symbol_column)


def _may_hold(file: InputFile, own: FileLayout, group: RowGroup, rules: RowRules) -> bool:
    """Whether a row of the row group may be selected, or bad, by statistics that can be believed. They rule it out only
    where they are of all its rows: one without a time or a symbol is a bad one, however row groups are cut."""
    first, last = event_times.of_all_rows(rules.layout, file, own, group) or (None, None)
    constant = _constant(file, own, rules)
    names = ValueRange() if constant is not None else group.range_of(rules.layout.symbol_column)
    if not names.is_of_all_rows or names.first == "":
        names = ValueRange()
    same_case = rules.columns.symbol_case is SymbolCase.KEEP
    return select.can_match(rules.selection, first, last, names.first, names.last, same_case=same_case)
