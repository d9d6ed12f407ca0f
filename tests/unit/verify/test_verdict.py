"""The verdict: each kind of difference counts, and is shown."""

from __future__ import annotations

import pytest

from replay.errors import ExitCode
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
    cells = [list(column.cells) for column in verdict_table(shown).columns]
    assert "row 7 (BTC; a.parquet, row 3): partition 2, offset 41" in cells[2]
    assert "at most 2" in cells[1]
