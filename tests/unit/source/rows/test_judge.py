"""What becomes of each row of a batch, column-wise, without a file being read in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from replay.errors import InputError
from replay.fate import Fate
from replay.model import KEY, PARTITION
from replay.record.options import Records
from replay.source.columns import fates
from replay.source.columns.symbols import NO_SYMBOL
from replay.source.options import Columns
from replay.source.rows.judge import Judged
from replay.source.selection.parse import parse_selection
from replay.source.selection.select import Selection
from tests.unit.source.trades import T0_US, US, file_of, judge_of, rules_of, trades

GOOD = [T0_US + row for row in range(4)]


def judged(path: Path, table: pa.Table, records: Records | None = None, **options: Any) -> Judged:
    file = file_of(path / "a.parquet", table, group=100)
    (raw,) = table.to_batches()
    return judge_of(file, rules_of(file, None, records, **options)).judged(raw)


def test_good_rows_are_sent_as_they_are(tmp_path):
    """Broken: the wrong value goes with a row."""
    found = judged(tmp_path, trades(4))
    assert found.symbols.to_pylist() == [0, 1, 2, 0]
    assert found.price is not None
    assert found.price.to_pylist() == [1.0, 2.0, 3.0, 4.0]
    assert found.times.tolist() == GOOD
    assert found.fates.tolist() == [Fate.SENT] * 4
    assert len(found.bad_rows) == 0


def test_the_first_thing_that_is_wrong_with_a_row_counts(tmp_path):
    """Broken: the same row is reported for another reason after a change of the order of columns."""
    table = trades(
        4,
        symbol=pa.array([None, "B", "", "D"]),
        price=pa.array([None, float("nan"), 1.0, 1.0]),
        event_time=pa.array([None, None, None, 0], US),
    )
    found = judged(tmp_path, table)
    assert found.fates.tolist() == [
        Fate.SYMBOL_MISSING, Fate.PRICE_NOT_FINITE, Fate.SYMBOL_MISSING, Fate.TIME_TOO_EARLY,
    ]  # fmt: skip
    assert [found.column_of(row) for row in range(4)] == ["symbol", "price", "symbol", "event_time"]
    assert found.symbols.to_pylist() == [NO_SYMBOL, 0, NO_SYMBOL, 1]


def test_a_row_that_nobody_asked_for_is_not_bad(tmp_path):
    """Broken: a replay of one symbol fails because of a bad price of another."""
    table = trades(4, symbol=pa.array(["A", "B", "A", None]), price=pa.array([1.0, None, None, 1.0]))
    found = judged(tmp_path, table, selection=parse_selection(symbols="A"))
    assert found.fates.tolist() == [Fate.SENT, Fate.NOT_SELECTED, Fate.PRICE_MISSING, Fate.SYMBOL_MISSING]
    assert found.bad_rows.tolist() == [2, 3]


def test_rows_are_chosen_by_symbol_and_time(tmp_path):
    """Broken: the end of the range is sent, its start is not, or a row without a symbol is not left to its policy."""
    file = file_of(tmp_path / "a.parquet", trades(1, symbol=pa.array(["A"])))
    ids, times = np.array([0, 0, 0, 0, 1, -1, -1]), np.array([9, 10, 19, 20, 15, 15, 20])

    def chosen(selection: Selection, rows: slice = slice(None)) -> list[bool] | None:
        rules = rules_of(file, selection=selection)
        for name in ("A", "B"):
            rules.wanted.symbols.id_of(name)
        found = judge_of(file, rules).chosen(ids[rows], times[rows], fates.all_sent(len(ids[rows])))
        return None if found is None else found.tolist()

    selection = Selection(("A",), from_ns=10_000, to_ns=20_000)
    assert chosen(selection) == [False, True, True, False, False, True, False]
    assert chosen(selection, slice(1, 3)) is None
    assert chosen(selection, slice(5, 6)) is None
    assert chosen(Selection(to_ns=20_000)) == [True, True, True, False, True, True, False]


@pytest.mark.parametrize(
    ("selected", "expected"),
    [
        ({"from_": "2026-01-01T00:00:00.000001Z", "to": "2026-01-01T00:00:00.000003Z"}, [1, 2]),
        ({"where": "price > 2"}, [2, 3]),
        ({"exclude": "S0", "where": "price < 3"}, [1]),
    ],
)
def test_what_is_selected_is_what_all_conditions_leave(tmp_path, selected, expected):
    """Broken: one condition hides another."""
    found = judged(tmp_path, trades(4), selection=parse_selection(**selected))
    assert [row for row, fate in enumerate(found.fates.tolist()) if fate == Fate.SENT] == expected


def test_a_row_without_a_time_is_left_to_the_rest_of_the_selection(tmp_path):
    """Broken: a bad row is passed over in silence where a range of times is asked for."""
    table = trades(3, event_time=pa.array([T0_US, None, None], US), symbol=pa.array(["A", "A", "B"]))
    selection = parse_selection(symbols="A", from_="2026-01-01T00:00:00Z")
    found = judged(tmp_path, table, selection=selection)
    assert found.fates.tolist() == [Fate.SENT, Fate.TIME_MISSING, Fate.NOT_SELECTED]


def test_key_and_partition_are_columns_of_their_own_and_what_is_bad_in_them_is_bad(tmp_path):
    """Broken: a record without a key, or for a partition that there is not."""
    table = trades(4, account=pa.array(["a", None, "c", "d"]), part=pa.array([0, 1, -1, 2**31]))
    records = Records(key="account", partitioner="column:part")
    found = judged(tmp_path, table, records=records)
    assert found.further[KEY].to_pylist() == ["a", None, "c", "d"]
    assert found.further[PARTITION].to_pylist() == [0, 1, 0, 0]
    assert found.fates.tolist() == [Fate.SENT, Fate.KEY_MISSING, Fate.PARTITION_WRONG, Fate.PARTITION_WRONG]


def test_a_field_that_this_file_does_not_have_is_null(tmp_path):
    """Broken: with --fields all, files of before a column was added cannot be replayed."""
    whole = trades(2, side=pa.array(["buy", "sell"]))
    file = file_of(tmp_path / "a.parquet", whole)
    rules = rules_of(file, Columns(fields=("side",)))
    (raw,) = trades(2).to_batches()
    found = judge_of(file, rules).judged(raw)
    assert found.further["side"].to_pylist() == [None, None]
    assert found.fates.tolist() == [Fate.SENT, Fate.SENT]


def test_a_value_without_a_place_in_the_type_of_all_files_is_named(tmp_path):
    """Broken: a traceback, or a time that has wrapped around."""
    file = file_of(tmp_path / "a.parquet", trades(2, seen=pa.array([0, 1], pa.timestamp("ns"))))
    rules = rules_of(file, Columns(fields=("seen",)))
    (raw,) = trades(2, seen=pa.array([0, 2**60], pa.timestamp("s"))).to_batches()
    with pytest.raises(InputError, match="column 'seen' holds what does not fit timestamp"):
        judge_of(file, rules).judged(raw)
