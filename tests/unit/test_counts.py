"""What became of the rows: numbers that add up, and the words for them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from replay.counts import RowCounts, row_counts
from replay.position import PartitionMark, Position, Progress


@given(st.data())
def test_they_add_up_to_all_rows_once_a_replay_is_done(data):
    """Broken: rows that were never sent are told as sent, or one of the four numbers does not fit the others."""
    rows, pruned = data.draw(st.integers(0, 1_000)), data.draw(st.integers(0, 1_000))
    left_out = data.draw(st.integers(0, rows))
    bad = data.draw(st.integers(0, left_out))
    end = Position(rows, (rows,), left_out, {"price_missing": bad})
    counts = row_counts(Progress(end, (PartitionMark(5),)), rows, pruned)
    assert (counts.in_topic, counts.bad, counts.not_selected) == (rows - left_out, bad, left_out - bad + pruned)
    assert counts.settled == counts.of_rows == rows + pruned
    assert sum(counts.left_out.values()) == counts.not_selected + counts.bad


def test_rows_found_ahead_of_the_position_are_in_the_topic():
    """Broken: after an unclean stop fewer rows are told than the topic holds."""
    progress = Progress(Position(100, (100,), 10), (PartitionMark(60, 7), PartitionMark(40, 2)))
    assert row_counts(progress, 1_000, 0) == RowCounts(1_000, 99, 10)


def test_the_words():
    """Broken: a script that reads the summary finds no number; a progress line is filled with zeros."""
    assert RowCounts(20_000, 20_000).text() == "20,000 in topic, 0 not selected, 0 bad, of 20,000 rows"
    assert RowCounts(20_000, 12).short_text() == "12 of 20,000 rows"
    partly = RowCounts(1_000, 910, 0, {"price_missing": 60, "time_missing": 30})
    assert partly.short_text() == "910 in topic, 90 bad, of 1,000 rows"
    assert partly.left_out == {"price_missing": 60, "time_missing": 30}
    assert RowCounts(1_000, 910, 90).short_text() == "910 in topic, 90 not selected, of 1,000 rows"
