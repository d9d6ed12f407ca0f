"""Between which event times rows lie, by statistics that may be missing or wrong."""

from __future__ import annotations

import pyarrow as pa
import pytest

from replay.source import event_times
from replay.source.files.parquet_file import RowGroup
from tests.unit.source.trades import T0_US, US, file_of, rules_of, trades

GROUPS = [RowGroup(number, 2 * number, 2, {}) for number in range(3)]


@pytest.mark.parametrize(
    ("row", "expected"), [(0, (1, 9)), (1, (1, 9)), (2, (2, 9)), (4, (5, 6)), (5, (5, 6)), (6, None)]
)
def test_from_a_row_on_all_row_groups_count_that_have_rows_left(row, expected):
    """Broken: a file that is resumed is merged in as if it began later, or earlier, than it does."""
    assert event_times.from_row(row, GROUPS, [(1, 3), (2, 9), (5, 6)]) == expected


def test_one_row_group_of_which_nothing_is_known_makes_the_rest_unknown():
    """Broken: a file is taken for later than it is."""
    assert event_times.from_row(0, GROUPS, [(1, 3), None, (5, 6)]) is None
    assert event_times.from_row(4, GROUPS, [(1, 3), None, (5, 6)]) == (5, 6)
    assert event_times.over_all([]) is None


def test_a_row_without_a_time_is_in_no_statistics(tmp_path):
    """Broken: a row group with a bad row is left out by the times of its other rows, and nobody hears of it."""
    file = file_of(tmp_path / "a.parquet", trades(2, event_time=pa.array([T0_US, None], US)))
    rules, (group,) = rules_of(file), file.groups
    own = rules.layout.files[0]
    assert event_times.by_statistics(rules.layout, file, own, group) == (T0_US * 1_000, T0_US * 1_000)
    assert event_times.of_all_rows(rules.layout, file, own, group) is None


def test_times_that_no_record_can_have_are_ordered_at_the_ends(tmp_path):
    """Broken: an overflow, or a file with one such time is put before or behind all others."""
    file = file_of(tmp_path / "a.parquet", trades(2, event_time=pa.array([-5, 2**62], US)))
    rules, (group,) = rules_of(file), file.groups
    own = rules.layout.files[0]
    assert event_times.by_statistics(rules.layout, file, own, group) == (
        0,
        event_times.latest_ns(rules.layout.event_time),
    )
    assert event_times.of_all_rows(rules.layout, file, own, group) is None
