"""Rows that a schema does not take are bad rows, under the policy for them: each value by itself, and whole rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from replay.delivery.opening import tell_row_keywords
from replay.errors import InputError
from replay.fate import Fate
from replay.record.options import GivenSchema, Records, ValueFormat
from replay.source.choices import OnBadRow
from replay.source.options import Columns, SourceOptions
from replay.source.rows.reader import BadRows
from replay.source.selection.parse import parse_selection
from replay.source.source import Source
from tests.unit.fakes import Told
from tests.unit.source.trades import write

ONE = {"properties": {"n": {"minimum": 3}, "symbol": {"enum": ["S0", "S1"]}}}
BOTH = {"not": {"properties": {"symbol": {"const": "S0"}, "n": {"minimum": 3}}}}


def source_under(path: Path, schema: dict[str, Any], on_bad: OnBadRow = OnBadRow.FAIL, symbols: str = "*") -> Source:
    """Symbols S0, S1, S2, S0, …; `n` counts from 0."""
    write(path, 8, 4, n=pa.array(range(8)))
    records = Records(value_format=ValueFormat.JSON_SCHEMA, schema=GivenSchema(json.dumps(schema), "s.json"))
    return Source(
        SourceOptions(
            (str(path),), Columns(fields=("n",)), records, on_bad_row=on_bad, selection=parse_selection(symbols=symbols)
        )
    )


@pytest.mark.parametrize(
    ("schema", "bad"),
    [(ONE, {0: "field", 1: "field", 2: "field", 5: "field"}), (BOTH, {3: "row", 6: "row"}),
     ({**ONE, **BOTH}, {0: "field", 1: "field", 2: "field", 3: "row", 5: "field", 6: "row"})],
)  # fmt: skip
def test_rows_that_the_schema_does_not_take_are_left_out_and_told(tmp_path, schema, bad):
    """Broken: a record is sent that its schema forbids, or the bad rows that are told are not those that are left
    out."""
    source = source_under(tmp_path / "a.parquet", schema, OnBadRow.SKIP)
    told: list[BadRows] = []
    list(source.checked(told.append))
    found = [(int(row), Fate(fate)) for each in told for row, fate in zip(each.rows, each.fates, strict=True)]
    assert {row: fate.told.split()[0] for row, fate in found} == bad
    fates = [fate for batch in source.batches(source.start) for fate in batch.fates.tolist()]  # type: ignore[union-attr]
    assert [at for at, fate in enumerate(fates) if fate != Fate.SENT] == sorted(bad)


def test_the_error_names_the_value_or_says_that_it_is_the_row_as_a_whole(tmp_path):
    """Broken: somebody looks for what is wrong with a value that is right."""
    with pytest.raises(InputError) as caught:
        list(source_under(tmp_path / "a.parquet", ONE).checked())
    assert str(caught.value).startswith(f"{tmp_path}/a.parquet, row 0 (the first is 0): column 'n' has no place in its")
    with pytest.raises(InputError) as caught:
        list(source_under(tmp_path / "a.parquet", BOTH).checked())
    assert ", row 3 (the first is 0): the row is not what the schema takes as a whole" in str(caught.value)


def test_rows_that_nobody_asked_for_are_not_judged_as_a_whole(tmp_path):
    """Broken: a replay of one symbol fails because of a row of another."""
    source = source_under(tmp_path / "a.parquet", BOTH, symbols="S1,S2")
    assert sum(len(batch) for batch in source.checked()) == 8


def test_that_whole_rows_are_looked_at_is_told(tmp_path):
    """Broken: a replay is slower than others, and nobody knows why."""
    told = Told()
    tell_row_keywords(source_under(tmp_path / "a.parquet", ONE), told)
    assert told.infos == []
    tell_row_keywords(source_under(tmp_path / "a.parquet", BOTH), told)
    (info,) = told.infos
    assert info.startswith("the schema looks at several fields of a row together (not): each row is validated")
