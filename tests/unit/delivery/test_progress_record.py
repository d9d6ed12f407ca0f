"""Where a transactional replay goes on: Kafka's progress record and the local file, as pure decisions."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.checkpoint.content import Checkpoint, JobPrint, JobState
from replay.delivery.progress_record import ProgressRecord, decide, dumps, fingerprint, loads
from replay.errors import StateConflict
from replay.model import PartitionMark, Position, Progress
from replay.position import InputPrint

A, B, C = (
    InputPrint(f"{name}.parquet", rows, rows * 100, name * 64) for name, rows in (("a", 10), ("b", 20), ("c", 5))
)
JOB = JobPrint(
    cluster_id="cluster",
    topic="trades",
    topic_id="topic-id",
    partitions=2,
    partitioner="murmur2",
    encoder="json-1",
    options={"--order": "event-time", "--fields": ""},
    inputs=(A, B),
)
START = Position(0, (0, 0))
WHERE = "replay-progress, key nightly"


def record_at(*cursors: int, job: JobPrint = JOB, **changes: Any) -> ProgressRecord:
    record = ProgressRecord(
        job="nightly",
        next_row=sum(cursors),
        left_out=0,
        bad={},
        cursors=cursors,
        fingerprint=fingerprint(job),
        instance="host:1:abcd",
        topic_id=job.topic_id,
        first_offsets=(3, 4),
    )
    return replace(record, **changes)


def saved_at(*cursors: int, state: JobState = JobState.RUNNING) -> Checkpoint:
    progress = Progress(Position(sum(cursors), cursors), (PartitionMark(0), PartitionMark(0)))
    return Checkpoint(JOB, progress, (0, 0), state, 1_000, 1.0, 0.0, "host:1")


# -- decide ----------------------------------------------------------------------------------------------


def test_what_was_left_out_is_committed_with_the_rows():
    """Broken: a resume with an older checkpoint, or none, tells rows that were never sent as sent."""
    record = record_at(7, 5, left_out=6, bad={"price_missing": 4})
    assert loads(dumps(record), WHERE) == record
    assert decide(None, record, JOB, START, WHERE) == Position(12, (7, 5), 6, {"price_missing": 4})
    older = {name: value for name, value in json.loads(dumps(record)).items() if name != "bad"}
    assert loads(json.dumps(older).encode(), WHERE).bad == {}


def test_a_new_job_starts_at_its_start():
    """Broken: a first run would not begin with the first row."""
    assert decide(None, None, JOB, START, WHERE) == START


@pytest.mark.parametrize("saved", [None, saved_at(0, 0), saved_at(4, 3), saved_at(7, 5)])
def test_kafka_says_where_to_go_on(saved: Checkpoint | None):
    """Broken: a local file that is behind, or gone with its machine, would have committed rows sent again."""
    assert decide(saved, record_at(7, 5), JOB, START, WHERE) == Position(12, (7, 5))


@pytest.mark.parametrize("state", JobState)
@pytest.mark.parametrize("cursors", [(0, 0), (7, 5)])
def test_a_checkpoint_without_a_record_is_a_conflict(state: JobState, cursors: tuple[int, int]):
    """Broken: another --job or --progress-topic by mistake would send from row 0 what is committed; a checkpoint at
    row 0 says as much, for the record comes before the first checkpoint."""
    with pytest.raises(StateConflict, match="has no record of it") as conflict:
        decide(saved_at(*cursors, state=state), None, JOB, START, WHERE)
    assert conflict.value.where == WHERE
    assert "--progress-topic" in conflict.value.todo


def test_a_file_that_knows_more_than_kafka_is_a_conflict():
    """Broken: where the progress topic lost its newest records, committed rows would be sent again."""
    with pytest.raises(StateConflict, match=r"knows 12 committed rows, Kafka's progress record only 11"):
        decide(saved_at(7, 5), record_at(7, 4), JOB, START, WHERE)


CHANGED: dict[str, Any] = {
    "cluster_id": "another",
    "topic": "another",
    "partitions": 3,
    "partitioner": "crc32",
    "encoder": "json-2",
    "options": {"--order": "as-is", "--fields": ""},
    "inputs": (B, A),
}


@pytest.mark.parametrize("name", [*CHANGED, "topic_id"])
def test_a_record_of_another_replay_is_a_conflict(name: str):
    """Broken: a job with other inputs or options would go on in the middle of rows that are not its own."""
    other = replace(JOB, **{name: CHANGED.get(name, "created again")})
    for saved in (None, saved_at(0, 0)):
        with pytest.raises(StateConflict, match="belongs to another replay") as conflict:
            decide(saved, record_at(7, 5), other, START, WHERE)
        told = str(conflict.value)
        assert ("topic id differ" in told) == (name == "topic_id")
        assert "it is at row 12, written by host:1:abcd" in told
        assert "--job" in conflict.value.todo


def test_an_added_file_is_refused_unless_it_is_allowed():
    """Broken: a file that turned up in the folder would be taken into a replay that is under way."""
    more = replace(JOB, inputs=(A, B, C))
    with pytest.raises(StateConflict):
        decide(None, record_at(7, 5), more, START, WHERE)
    at = decide(None, record_at(7, 5), more, START, WHERE, allow_appended=True)
    assert at == Position(12, (7, 5, 0))


@pytest.mark.parametrize("inputs", [(A,), (C, A, B), (A, C, B), (replace(A, rows=11), B, C)])
def test_allow_appended_allows_nothing_else(inputs: tuple[InputPrint, ...]):
    """Broken: with --allow-appended, a file that was removed, edited or put in between would go unnoticed."""
    with pytest.raises(StateConflict):
        decide(None, record_at(7, 5), replace(JOB, inputs=inputs), START, WHERE, allow_appended=True)


def test_allow_appended_without_an_added_file_changes_nothing():
    """Broken: a cron job that always passes --allow-appended would not resume."""
    assert decide(None, record_at(7, 5), JOB, START, WHERE, allow_appended=True) == Position(12, (7, 5))


# -- fingerprint -----------------------------------------------------------------------------------------


def test_every_part_of_the_job_counts_but_the_topic_s_id():
    """Broken: a change of what decides which bytes go where would not be seen. The id has a field of its own."""
    prints = {fingerprint(replace(JOB, **{name: value})) for name, value in CHANGED.items()}
    assert len(prints | {fingerprint(JOB)}) == len(CHANGED) + 1
    assert fingerprint(replace(JOB, topic_id="other")) == fingerprint(JOB)


@pytest.mark.parametrize("change", [{"name": "z"}, {"rows": 11}, {"size_bytes": 1}, {"footer_sha256": "0" * 64}])
def test_every_part_of_an_input_counts(change: dict[str, Any]):
    """Broken: an input that was edited in place would be taken for the old one."""
    assert fingerprint(replace(JOB, inputs=(replace(A, **change), B))) != fingerprint(JOB)


def test_the_order_of_options_does_not_count():
    """Broken: an upgrade that sorts its options otherwise would refuse every job."""
    assert fingerprint(replace(JOB, options=dict(reversed(list(JOB.options.items()))))) == fingerprint(JOB)


def test_in_which_words_a_schema_was_asked_for_does_not_count():
    """Broken: without its checkpoint, a replay under the newest version of a subject could not go on once there is a
    newer one: who names the old version would ask for another replay."""
    asked = [replace(JOB, options={**JOB.options, "--schema-subject": text}) for text in ("trades", "trades:1")]
    assert {fingerprint(job) for job in asked} == {fingerprint(JOB)}
    other = replace(asked[0], options={**asked[0].options, "schema": "{}"})
    assert fingerprint(other) != fingerprint(JOB)
    with pytest.raises(StateConflict, match=r"schema.*differ(.|\n)*--schema-subject NAME:VERSION"):
        decide(None, record_at(7, 5), other, START, WHERE)


def test_the_fingerprint_stays_the_same_from_release_to_release():
    """Broken: after an upgrade every job that is under way would be refused. Change it with a reason."""
    assert fingerprint(JOB) == "20cf3ee03167b11fb29e1cb2b6fdb02233cec94d12e7a6136169de915eb30e8e"


# -- bytes -----------------------------------------------------------------------------------------------

COUNTS = st.lists(st.integers(0, 2**63 - 1), max_size=5).map(tuple)


@given(cursors=COUNTS, first_offsets=COUNTS, job=st.text(), instance=st.text())
def test_what_is_written_is_read(cursors: tuple[int, ...], first_offsets: tuple[int, ...], job: str, instance: str):
    """Broken: a resume would go on somewhere else than where the transaction ended."""
    record = record_at(*cursors, first_offsets=first_offsets, job=JOB)
    record = replace(record, job=job, instance=instance)
    assert loads(dumps(record), WHERE) == record


def edited(**changes: Any) -> bytes:
    """A good record with fields replaced; None drops one."""
    body = {**asdict(record_at(7, 5)), **changes}
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode()


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x00\x00\x00\x00\x01",
        b"\xff\xfe{}",
        b"null",
        b"12",
        b'"text"',
        b"[]",
        b"{}",
        dumps(record_at(7, 5))[:-1],
        dumps(record_at(7, 5)) + b"}",
        edited(colour="red"),
        edited(cursors=7),
        *(edited(**{name: None}) for name in asdict(record_at(7, 5)) if name != "bad"),
        edited(bad=[1]),
    ],
)
def test_a_damaged_record_is_a_conflict(value: bytes):
    """Broken: a record of another tool under the job's key would end the run with a traceback, or as a new job."""
    with pytest.raises(StateConflict, match="is not one of replay's") as conflict:
        loads(value, WHERE)
    assert conflict.value.where == WHERE
    assert "--job" in conflict.value.todo


@pytest.mark.parametrize(
    "value",
    [
        edited(next_row="12"),
        edited(next_row=12.5),
        edited(next_row=-1, cursors=[0, -1]),
        edited(next_row=13),
        edited(cursors=["7", "5"]),
        edited(cursors="75"),
        edited(first_offsets=[-1, 0]),
        edited(topic_id=5),
        b"[" * 100_000,
    ],
)
def test_a_record_with_fields_that_cannot_be_is_a_conflict(value: bytes):
    """Broken: a position that is no position would be believed, or end the run with a traceback."""
    with pytest.raises(StateConflict):
        loads(value, WHERE)
