"""The benchmarks' own arithmetic: a wrong ratio would be quoted in the README."""

from __future__ import annotations

import json

import pytest

from tests.bench.table import Goal, Table, as_json, markdown, ratio


def test_a_ratio_is_taken_round_by_round():
    """Broken: a machine that became slower half-way would look like a contender that is."""
    assert str(ratio([2.0, 40.0, 3.0], [1.0, 10.0, 3.0])) == "1.00 / 2.00 / 4.00"
    with pytest.raises(ValueError, match="shorter"):
        ratio([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("value", "at_least", "met"), [(1.0, True, True), (0.99, True, False), (1.0, False, True), (1.01, False, False)]
)
def test_a_goal_is_met_at_its_bound(value, at_least, met):
    goal = Goal("ours / theirs", value, 1.0, at_least)
    assert goal.is_met is met
    assert ("met" if met else "MISSED") in str(goal)


def test_a_table_as_markdown_and_as_json():
    table = Table("A", ("", "rows/s"), (("ours", "2"),), ("one round",), (Goal("x", 2.0, 1.0),))
    assert markdown(table).splitlines() == [
        "### A", "", "|  | rows/s |", "| --- | --- |", "| ours | 2 |", "", "- one round", "- x >= 1: 2, met",
    ]  # fmt: skip
    assert json.loads(json.dumps(as_json(table)))["goals"][0]["is_met"] is True
    assert markdown(Table("B", ("",), ())).splitlines() == ["### B", "", "|  |", "| --- |"]
