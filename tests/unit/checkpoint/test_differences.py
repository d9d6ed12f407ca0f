"""Another job than the one that was saved is refused, and what differs is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from replay.checkpoint.differences import check_same_job, differences
from replay.errors import StateConflict
from replay.model import PartitionMark
from replay.position import InputPrint
from tests.unit.checkpoint.test_resume import JOB, saved_with


def test_the_same_job_is_the_same():
    check_same_job(saved_with(PartitionMark(0)), replace(JOB), "x.json")
    assert differences(JOB, replace(JOB, options=dict(JOB.options))) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"topic": "other"}, "trades, now other"),
        ({"cluster_id": "c2"}, "cluster, now c2"),
        ({"topic_id": "t2"}, "deleted and created again"),
        ({"partitions": 3}, "was 2, now 3"),
        ({"partitioner": "crc32"}, "murmur2, now crc32"),
        ({"encoder": "json-2"}, "json-1, now json-2"),
        ({"options": {"--order": "as-is", "--fields": ""}}, "event-time, now as-is"),
        ({"options": {"--order": "event-time"}}, ""),
        ({"inputs": JOB.inputs[:1]}, "number of input files was 2, now 1"),
        ({"inputs": (JOB.inputs[1], JOB.inputs[0])}, "input file 0"),
        ({"inputs": (JOB.inputs[0], replace(JOB.inputs[1], rows=21))}, "21 rows"),
        ({"inputs": (JOB.inputs[0], replace(JOB.inputs[1], footer_sha256="cc" * 32))}, "footer cccccccc"),
    ],
)
def test_whatever_changes_bytes_or_their_place_is_refused_by_name(change, named):
    """Going on would put rows elsewhere, or match nothing of the tail and send all of it again."""
    if not named:  # an option that is missing and one that is empty are the same
        check_same_job(saved_with(PartitionMark(0)), replace(JOB, **change), "x.json")
        return
    with pytest.raises(StateConflict, match="belongs to another job") as caught:
        check_same_job(saved_with(PartitionMark(0)), replace(JOB, **change), "x.json")
    assert named in caught.value.what
    assert caught.value.where == "x.json"


@pytest.mark.parametrize(
    ("change", "helps"),
    [
        ({"inputs": (*JOB.inputs, replace(JOB.inputs[1], name="c.parquet"))}, True),
        ({"options": {"--order": "as-is", "--fields": ""}}, False),  # with the very same inputs
        ({"topic": "other"}, False),
        ({"inputs": JOB.inputs[:1]}, False),
        ({"inputs": (*JOB.inputs, JOB.inputs[0]), "topic": "other"}, False),
    ],
)
def test_to_append_is_advised_only_where_it_helps(change, helps):
    """Broken: whoever changed an option or the topic is told to go on with added files, and there are none."""
    with pytest.raises(StateConflict) as caught:
        check_same_job(saved_with(PartitionMark(0)), replace(JOB, **change), "x.json")
    assert ("--when-changed append" in caught.value.todo) == helps


def test_another_encoder_is_put_back_by_installing_it():
    """Broken: after an upgrade in the middle of a day, whoever follows the advice takes --restart: rows twice."""
    with pytest.raises(StateConflict, match=r"-> install what wrote the rows before \(json-1\), put back"):
        check_same_job(saved_with(PartitionMark(0)), replace(JOB, encoder="json-2"), "x.json")


def test_many_differences_are_counted_rather_than_listed():
    inputs = tuple(InputPrint(f"{n}", 1, 1, "a" * 64) for n in range(9))
    old = replace(JOB, inputs=inputs)
    new = replace(JOB, inputs=tuple(replace(each, rows=2) for each in inputs))
    with pytest.raises(StateConflict, match="and 4 more"):
        check_same_job(replace(saved_with(PartitionMark(0)), job=old), new, "x.json")
