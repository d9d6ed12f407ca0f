"""Which files and row groups are part of a replay: all but those in which, by name, folder or statistics, no row can be
selected. A file more of other days changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from replay.errors import InputError
from replay.model import SpanNs
from replay.source import event_times
from replay.source.columns.schema import FileLayout, Layout, resolve
from replay.source.columns.symbols import cased
from replay.source.files.parquet_file import InputFile, RowGroup
from replay.source.files.statistics import ValueRange
from replay.source.inputs import Inputs
from replay.source.options import SourceOptions, SymbolCase
from replay.source.rows.judge import RowRules, Wanted
from replay.source.rows.reader import RowReader
from replay.source.ruled_out import RuledOut, RuledOutFile
from replay.source.selection import select


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
    return Included(rules, files, ruled_out, times_read)


def _layout(files: Sequence[InputFile], inputs: Inputs, options: SourceOptions) -> Layout:
    layout = resolve(files, inputs.columns, options.records)
    if options.selection is not None and options.selection.where is not None:
        for file in files:
            options.selection.where.check(file.schema, file.shown)
    return layout


def _ruled_out(wholes: Sequence[InputFile], files: Sequence[InputFile], rules: RowRules) -> list[RuledOutFile]:
    found = []
    for whole, file, own in zip(wholes, files, rules.layout.files, strict=True):
        numbers = {group.number for group in file.groups}
        out = tuple(group for group in whole.groups if group.number not in numbers and group.rows)
        if out and not _is_unwanted(whole, own, rules):
            spans = [event_times.by_statistics(rules.layout, whole, own, group) for group in out]
            found.append(RuledOutFile(replace(whole, groups=out), own, spans))
    return found


def _is_beside(file: InputFile, own: FileLayout, rules: RowRules, times_read: dict[str, list[SpanNs]]) -> bool:
    """Whether all times of the file lie outside of the range that is selected, though its statistics do not say so:
    the column is read. (Spark's INT96 has none.)"""
    selection = rules.selection
    if selection is None or not selection.has_range:
        return False
    if all(event_times.by_statistics(rules.layout, file, own, group) is not None for group in file.groups):
        return False
    spans, good = RowReader(rules, file, own).times.spans_ns()
    times_read[file.shown] = spans
    return good == file.rows and not any(
        span is None or select.can_match(selection, *span, None, None) for span in spans
    )


# -- row groups -------------------------------------------------------------------------------------------


def _pruned(files: Sequence[InputFile], rules: RowRules) -> tuple[InputFile, ...]:
    """The files without the row groups in which nothing can be selected."""
    if rules.selection is None:
        return tuple(files)
    return tuple(_pruned_file(file, own, rules) for file, own in zip(files, rules.layout.files, strict=True))


def _pruned_file(file: InputFile, own: FileLayout, rules: RowRules) -> InputFile:
    if not file.rows:
        return file
    if _is_unwanted(file, own, rules):
        return replace(file, groups=())
    return replace(file, groups=tuple(group for group in file.groups if _may_hold(file, own, group, rules)))


def _is_unwanted(file: InputFile, own: FileLayout, rules: RowRules) -> bool:
    """Whether all its rows have one symbol, by its name or folder, and that is not selected."""
    constant = _constant(file, own, rules)
    return (
        rules.selection is not None
        and constant is not None
        and not rules.selection.wants(cased(constant, rules.columns))
    )


def _constant(file: InputFile, own: FileLayout, rules: RowRules) -> str | None:
    return own.symbol or file.keys.get(rules.layout.symbol_column)


def _may_hold(file: InputFile, own: FileLayout, group: RowGroup, rules: RowRules) -> bool:
    """Whether a row of the row group may be selected, or bad, by statistics that can be believed. They rule it out only
    where they are of all its rows: one without a time or a symbol is a bad one, however row groups are cut."""
    assert rules.selection is not None
    first, last = event_times.of_all_rows(rules.layout, file, own, group) or (None, None)
    constant = _constant(file, own, rules)
    names = ValueRange() if constant is not None else group.range_of(rules.layout.symbol_column)
    if not names.is_of_all_rows or names.first == "":
        names = ValueRange()
    same_case = rules.columns.symbol_case is SymbolCase.KEEP
    return select.can_match(rules.selection, first, last, names.first, names.last, same_case=same_case)
