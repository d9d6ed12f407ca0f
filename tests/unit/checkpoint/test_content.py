"""The bytes of a checkpoint: whole or refused, and the same as ever."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.checkpoint.content import Checkpoint, Damaged, JobPrint, JobState, dumps, loads
from replay.position import InputPrint, PartitionMark, Position, Progress

VERSION_2 = Path(__file__).with_name("version-2.json")
"""As the replay before modules lay in folders wrote it."""

COUNTS = st.integers(0, 2**62)
TEXT = st.text(max_size=12)
INPUTS = st.lists(
    st.tuples(st.builds(InputPrint, TEXT, st.integers(1, 2**62), COUNTS, TEXT), st.integers(0, 2**62)).map(
        lambda pair: (pair[0], min(pair[1], pair[0].rows))
    ),
    max_size=4,
)


@st.composite
def checkpoints(draw) -> Checkpoint:
    inputs = draw(INPUTS)
    marks = tuple(draw(st.lists(st.builds(PartitionMark, COUNTS, COUNTS), max_size=4)))
    job = JobPrint(
        cluster_id=draw(TEXT),
        topic=draw(TEXT),
        topic_id=draw(TEXT),
        partitions=len(marks),
        partitioner="murmur2",
        encoder="json-1",
        options=draw(st.dictionaries(TEXT, TEXT, max_size=3)),
        inputs=tuple(each for each, _ in inputs),
    )
    cursors = tuple(cursor for _, cursor in inputs)
    left_out = draw(st.integers(0, sum(cursors)))
    bad = {"price_missing": draw(st.integers(0, left_out))} if draw(st.booleans()) else {}
    return Checkpoint(
        job=job,
        progress=Progress(Position(sum(cursors), cursors, left_out, bad), marks),
        first_offsets=tuple(draw(COUNTS) for _ in marks),
        state=draw(st.sampled_from(JobState)),
        lead_rows_max=draw(COUNTS),
        interval_s=draw(st.floats(0, 1e4)),
        saved_at_s=draw(st.floats(0, 1e10)),
        instance=draw(TEXT),
        pruned_rows=draw(COUNTS),
    )


def checkpoint_at(row: int) -> Checkpoint:
    job = JobPrint(
        "cluster",
        "trades",
        "id",
        2,
        "murmur2",
        "json-1",
        {"--order": "event-time"},
        (InputPrint("Börse.parquet", 1_000, 5_000, "ab" * 32), InputPrint("b.parquet", 10, 50, "cd" * 32)),
    )
    marks = (PartitionMark(row, 3), PartitionMark(7))
    return Checkpoint(
        job, Progress(Position(row + 1, (row, 1)), marks), (0, 7), JobState.RUNNING, 10**6, 1.0, 1.8e9 + 0.25, "host:1"
    )


@given(checkpoints())
def test_what_is_written_is_read_back(checkpoint):
    assert loads(dumps(checkpoint)) == checkpoint


@given(st.data())
def test_a_cut_is_noticed_wherever_it_is(data):
    """A torn file taken for a whole one would start the replay anywhere."""
    whole = dumps(checkpoint_at(500))
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    if cut == whole.rstrip():
        assert loads(cut) == checkpoint_at(500)
    else:
        with pytest.raises(Damaged):
            loads(cut)


def test_every_flipped_bit_is_noticed_or_changes_nothing():
    """Nothing: blanks between the tokens, and hexadecimal digits in another case."""
    saved = checkpoint_at(500)
    whole = dumps(saved)
    noticed = 0
    for at in range(len(whole)):
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[at] ^= 1 << bit
            try:
                assert loads(bytes(flipped)) == saved
            except Damaged:
                noticed += 1
    assert noticed > 0.9 * 8 * len(whole)


@settings(max_examples=300)
@given(st.data())
def test_any_other_byte_is_noticed_or_changes_nothing(data):
    saved = checkpoint_at(500)
    changed = bytearray(dumps(saved))
    changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Damaged):
        assert loads(bytes(changed)) == saved


@given(st.binary(max_size=60))
def test_bytes_from_elsewhere_are_no_checkpoint(data):
    with pytest.raises(Damaged):
        loads(data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\0" * 500, "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "some other file"),
        (b'{"magic": "x"}', "some other file"),
    ],
)
def test_the_reason_is_named(data, why):
    with pytest.raises(Damaged, match=why):
        loads(data)


def with_fields(**changes: Any) -> bytes:
    """A checkpoint with other fields and a CRC that fits them: written by another version, or by hand."""
    from replay.checkpoint.content import _crc

    body = json.loads(dumps(checkpoint_at(500)))
    del body["crc32"]
    body.update(changes)
    body = {name: value for name, value in body.items() if value is not ...}
    return json.dumps({**body, "crc32": _crc(body)}).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 1},
        {"version": 3},
        {"left_out": -1},
        {"left_out": 502},
        {"left_out": 4, "bad": {"price_missing": 3, "time_missing": 2}},
        {"left_out": 4, "bad": {"price_missing": -3}},
        {"left_out": 4, "bad": 3},
        {"pruned_rows": -1},
        {"version": None},
        {"next_row": 500},
        {"next_row": -1},
        {"next_row": 501.0},
        {"next_row": True},
        {"next_row": "501"},
        {"state": "fine"},
        {"topic": ...},
        {"partitions": [{"next_offset": 1}]},
        {"inputs": [{"name": "a", "rows": 1, "size_bytes": 1, "footer_sha256": "", "next_row": 501}]},
        {"lead_rows_max": None},
    ],
)
def test_fields_that_make_no_sense_are_refused_though_the_crc_fits(changes):
    assert loads(with_fields()) == checkpoint_at(500)
    with pytest.raises(Damaged):
        loads(with_fields(**changes))


def test_counts_that_were_added_later_are_none_where_they_are_missing():
    """Broken: after an upgrade, every date that is done is refused as unreadable."""
    assert loads(with_fields(bad=..., pruned_rows=...)) == checkpoint_at(500)


def test_a_person_can_read_how_far_each_file_is():
    body = json.loads(dumps(checkpoint_at(500)))
    assert body["next_row"] == 501
    assert body["rows"] == 1_010
    assert [(each["name"], each["next_row"]) for each in body["inputs"]] == [("Börse.parquet", 500), ("b.parquet", 1)]


def test_equal_checkpoints_are_equal_bytes():
    """Otherwise the file would change, and be written, for nothing."""
    assert dumps(checkpoint_at(5)) == dumps(replace(checkpoint_at(5)))


def test_inputs_without_a_row_are_no_part_of_what_was_saved():
    """Broken: a checkpoint in which files of other days are listed belongs to another job than the same day now."""
    saved = checkpoint_at(500)
    beside = InputPrint("other-day.parquet", 0, 10, "f" * 64)
    position = saved.progress.position
    listed = replace(
        saved,
        job=replace(saved.job, inputs=(beside, *saved.job.inputs)),
        progress=replace(saved.progress, position=replace(position, cursors=(0, *position.cursors))),
    )
    assert loads(dumps(listed)) == saved


def test_a_checkpoint_of_the_same_version_is_read_and_written_as_ever():
    """Broken: an upgrade refuses what was saved the night before, or its files are no longer those that others read."""
    saved = loads(VERSION_2.read_bytes())
    assert dumps(saved) == VERSION_2.read_bytes()
    assert saved.progress == Progress(
        Position(501, (500, 1), 4, {"price_missing": 1, "time_missing": 2}), (PartitionMark(500, 3), PartitionMark(7))
    )
    assert (saved.first_offsets, saved.state, saved.pruned_rows) == ((0, 7), JobState.RUNNING, 20)
    assert (saved.appended, saved.checked, saved.job.rows) == (True, False, 1_010)
