"""The verdict: each kind of difference counts, and is shown."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from replay.errors import ExitCode
from replay.verify.decoding import Shown
from replay.verify.kinds import KINDS
from replay.verify.verdict import Finding, Verdict, verdict_table


def verdict(**changes) -> Verdict:
    counts = {"lost": 0, "duplicated": 0, "out_of_order": 0, "changed": 0, "misplaced": 0, "foreign": 0}
    return Verdict(**{
        "topic": "t", "isolation": "read_committed", "rows": 9, "records": 9, "found": 9, **counts, "order_exact": True,
        "timestamps_compared": True, "allow_foreign": False, "starts": (0,), "ends": (9,), "examples": (), **changes,
    })  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_a_difference(kind) -> None:
    assert verdict().exit_code is ExitCode.DONE
    assert verdict(**{kind: 1}).exit_code is ExitCode.DIFFERENT


def test_foreign_records_can_be_allowed() -> None:
    assert verdict(foreign=1, allow_foreign=True).exact
    assert not verdict(foreign=1, lost=1, allow_foreign=True).exact


def test_a_verdict_is_json_and_a_table() -> None:
    finding = Finding("changed", 7, "a.parquet", 3, "BTC", 2, 41)
    shown = verdict(changed=1, out_of_order=2, order_exact=False, examples=(finding,))
    assert shown.as_json()["examples"] == [
        {"kind": "changed", "row": 7, "file": "a.parquet", "file_row": 3, "symbol": "BTC", "partition": 2, "offset": 41}
    ]
    assert shown.as_json()["exact"] is False
    cells = [list(map(str, column.cells)) for column in verdict_table(shown).columns]
    assert "row 7 (BTC; a.parquet, row 3): partition 2, offset 41" in cells[2]
    assert "at most 2" in cells[1]


def test_what_differs_is_in_both() -> None:
    """Broken: an example says where something is wrong, and not what."""
    expected, found = Shown("BTC", '{"price": 2.0}', "1970-01-01T00:00:01.000Z"), Shown("BTC", '{"price": 1.0}')
    place = Finding("changed", 7, "a.parquet", 3, "BTC", 2, 41, expected, found, ("price: 1.0, expected 2.0",))
    lost = Finding("lost", 8, "a.parquet", 4, "BTC", 2, expected=expected)
    doubled = Finding("duplicated", 8, "a.parquet", 4, "BTC", 2, 42, found, found)
    foreign = Finding("foreign", partition=2, offset=43, found=replace(expected, key="[/b]"), differs=("no id",))
    gone = Finding("changed", 8, "a.parquet", 4, "BTC", 2, 44, expected, differs=("the record is gone",))
    examples = (place, lost, doubled, foreign, gone)
    assert [str(each).splitlines()[1:] for each in examples] == [
        ["  price: 1.0, expected 2.0"],
        ['  expected {"price": 2.0}'],
        ['  {"price": 1.0}'],
        ["  no id", '  found key [/b], 1970-01-01T00:00:01.000Z: {"price": 2.0}'],
        ["  the record is gone", '  expected {"price": 2.0}'],
    ]
    listed = verdict(changed=2, foreign=1, lost=1, duplicated=1, examples=examples).as_json()["examples"]
    assert listed[0]["expected"] == {"key": "BTC", "value": '{"price": 2.0}', "timestamp": "1970-01-01T00:00:01.000Z"}
    assert listed[0]["found"] == {"key": "BTC", "value": '{"price": 1.0}'}
    assert listed[0]["differs"] == ["price: 1.0, expected 2.0"]
    assert "differs" not in listed[1]
    assert json.loads(json.dumps(listed)) == listed
    console = Console(file=StringIO(), width=200)
    console.print(verdict_table(verdict(foreign=1, examples=examples)))
    assert "found key [/b]," in console.file.getvalue()  # type: ignore[attr-defined]
