"""A checkpoint in words."""

from __future__ import annotations

from dataclasses import replace

from replay.checkpoint.content import JobState
from replay.checkpoint.describe import describe, standing
from tests.unit.checkpoint.test_content import checkpoint_at


def test_a_person_reads_where_it_is_and_what_it_belongs_to():
    """Broken: whoever looks at a night that stopped cannot see how far it is, or that the topic may be further."""
    said = dict(describe(checkpoint_at(500)))
    assert "rows behind the position may be in the topic" in said["state"]
    assert said["next row"] == "501 of 1,010"
    assert said["next offsets"] == "0: 500 (+3 rows ahead), 1: 7"
    assert said["topic"] == "trades (id id, cluster cluster)"
    assert said["input 0"] == "Börse.parquet: next row 500 of 1,000"
    assert said["--order"] == "event-time"


def test_each_state_has_words():
    for state in JobState:
        assert dict(describe(replace(checkpoint_at(500), state=state)))["state"]
    assert standing(checkpoint_at(500)).startswith("at row 501 of 1,010 (running), saved 2027-01-15")
