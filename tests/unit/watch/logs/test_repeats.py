"""The same message is not shown twice in a moment."""

from __future__ import annotations

from replay.watch.logs.repeats import Repeats


def test_the_same_line_is_held_back_for_a_while_and_then_says_how_often():
    """Broken: an outage floods the log, or a second, different trouble is lost in it."""
    repeats = Repeats(10.0)
    assert repeats.held_back("1.5 s behind the schedule", 100.0) == 0
    assert repeats.held_back("2.5 s behind the schedule", 101.0) is None
    assert repeats.held_back("3.5 s behind the schedule", 109.9) is None
    assert repeats.held_back("no broker", 102.0) == 0
    assert repeats.held_back("1,009 s behind the schedule", 110.0) == 2


def test_shapes_differ_in_more_than_numbers():
    """Broken: "3.5 s" and "10 s" of the same warning, or two warnings with one number, would be mixed up."""
    repeats = Repeats(10.0)
    assert repeats.held_back("row 12 of 100", 0.0) == 0
    assert repeats.held_back("row 7 of 9999", 1.0) is None
    assert repeats.held_back("rows 7 of 9999", 1.0) == 0
    assert repeats.held_back("row 8 of 100", 10.0) == 1


def test_lines_that_are_never_the_same_need_no_memory():
    """Broken: a week of warnings with a path in each would grow the process."""
    repeats = Repeats(10.0)
    for number in range(5_000):
        repeats.held_back("x" * number, 0.0)
    assert len(repeats._seen) <= 1_001
