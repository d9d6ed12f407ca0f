"""The checkpoint: whole or refused, one generation at any moment, one instance at a time."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.checkpoint.content import Checkpoint, Damaged, JobPrint, JobState, dumps, loads
from replay.checkpoint.file import CheckpointFile
from replay.errors import CheckpointUnwritable, Locked, StateConflict
from replay.model import PartitionMark, Position, Progress
from replay.position import InputPrint

if TYPE_CHECKING:
    from pathlib import Path

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


# -- bytes ------------------------------------------------------------------------------------------------


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


# -- disk -------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> CheckpointFile:
    return CheckpointFile(tmp_path / "replay.json")


def test_missing_is_a_new_job_and_what_was_saved_is_loaded(file):
    assert file.load() is None
    for row in (1, 2, 3):
        file.save(checkpoint_at(row))
        assert file.load() == checkpoint_at(row)
        assert loads(file.path.read_bytes()) == checkpoint_at(row)
    assert loads(file.previous.read_bytes()) == checkpoint_at(2)
    assert sorted(path.name for path in file.path.parent.iterdir()) == ["replay.json", "replay.json.prev"]


STEPS = ["open", "write", "fsync", "close", "link", "unlink", "replace"]


class Crash(BaseException):
    """The process dies here."""


class Fuse:
    """Lets `left` calls to the operating system through; the next does nothing but die or fail."""

    def __init__(self, left: int, end: BaseException) -> None:
        self.left, self.end, self.calls = left, end, list[str]()

    def call(self, name: str, real: Any, *args: Any, **more: Any) -> Any:
        self.calls.append(name)
        if self.left == 0:
            raise self.end
        self.left -= 1
        if name == "write":  # the smallest step that makes progress
            return real(args[0], bytes(args[1])[:200])
        return real(*args, **more)

    def save(self, file: CheckpointFile, checkpoint: Checkpoint) -> None:
        with pytest.MonkeyPatch.context() as patch:
            for name in STEPS:
                patch.setattr(os, name, partial(self.call, name, getattr(os, name)))
            file.save(checkpoint)


def calls_of_a_save(folder: Path) -> int:
    file = CheckpointFile(folder / "counted.json")
    file.save(checkpoint_at(1))
    fuse = Fuse(10**6, Crash())
    fuse.save(file, checkpoint_at(2))
    assert fuse.calls.count("write") > 3
    assert {"open", "write", "fsync", "link", "replace"} <= set(fuse.calls)
    return len(fuse.calls)


@pytest.mark.parametrize("generations", [0, 1, 2])
@pytest.mark.parametrize("end", [Crash(), OSError(28, "No space left on device")], ids=["killed", "disk full"])
def test_death_at_any_step_of_a_save_leaves_the_old_or_the_new_generation(tmp_path, generations, end):
    """Anything else after a power cut or a full disk is a replay that cannot go on, or starts over."""
    steps = calls_of_a_save(tmp_path)
    seen = set()
    for step in range(steps):
        file = CheckpointFile(tmp_path / f"{step}" / "replay.json")
        file.path.parent.mkdir()
        for row in range(generations):
            file.save(checkpoint_at(row))
        before = file.load()
        fuse = Fuse(step, end)
        with contextlib.suppress(Crash, CheckpointUnwritable):
            fuse.save(file, checkpoint_at(7))
        after = CheckpointFile(file.path).load()
        assert after in (before, checkpoint_at(7))
        seen.add(after == before)
        if generations > 1:
            assert loads(file.previous.read_bytes()) in (checkpoint_at(generations - 2), before)
        file.save(checkpoint_at(8))  # what was left lying about does no harm
        assert file.load() == checkpoint_at(8)
        if after is not None:
            assert loads(file.previous.read_bytes()) == after
    assert seen == {True, False}


def test_a_generation_is_on_disk_before_it_gets_the_name_and_the_name_before_save_returns(file):
    """Without either fsync a power cut leaves an empty file, or the generation before the one promised."""
    file.save(checkpoint_at(1))
    fuse = Fuse(10**6, Crash())
    fuse.save(file, checkpoint_at(2))
    calls = fuse.calls
    renamed = len(calls) - 1 - calls[::-1].index("replace")
    last_write = len(calls) - 1 - calls[::-1].index("write")
    assert "fsync" in calls[last_write:renamed]
    assert "fsync" in calls[renamed:]


def test_a_full_disk_is_an_error_of_its_own_and_names_the_file(file):
    with pytest.raises(CheckpointUnwritable, match="No space left") as caught:
        Fuse(1, OSError(28, "No space left on device")).save(file, checkpoint_at(1))
    assert caught.value.where == str(file.path)


def test_without_hard_links_the_generation_before_is_copied(file, monkeypatch):
    file.save(checkpoint_at(1))

    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    file.save(checkpoint_at(2))
    assert file.load() == checkpoint_at(2)
    assert loads(file.previous.read_bytes()) == checkpoint_at(1)


def test_a_damaged_file_is_never_row_0_and_the_generation_before_it_is_named(file):
    file.save(checkpoint_at(1))
    file.save(checkpoint_at(2))
    file.path.write_bytes(file.path.read_bytes()[:-20])
    with pytest.raises(StateConflict) as caught:
        file.load()
    assert str(file.previous) in caught.value.todo
    file.path.write_bytes(file.previous.read_bytes())
    assert file.load() == checkpoint_at(1)


def test_a_missing_file_with_a_generation_before_it_is_a_conflict(file):
    """Somebody deleted or moved it: starting at row 0 would send everything twice."""
    file.save(checkpoint_at(1))
    file.save(checkpoint_at(2))
    file.path.unlink()
    with pytest.raises(StateConflict, match="missing"):
        file.load()


def test_a_folder_or_an_unreadable_path_is_a_conflict(tmp_path):
    with pytest.raises(StateConflict):
        CheckpointFile(tmp_path).load()
    with pytest.raises(StateConflict):
        CheckpointFile(tmp_path).check_writable()
    (tmp_path / "file").touch()
    with pytest.raises(StateConflict):
        CheckpointFile(tmp_path / "file" / "x.json").load()


def test_a_link_stays_a_link_and_a_dangling_one_is_a_conflict(tmp_path):
    real, link = tmp_path / "real" / "r.json", tmp_path / "link.json"
    real.parent.mkdir()
    link.symlink_to(real)
    file = CheckpointFile(link)
    with pytest.raises(StateConflict, match="link"):
        file.load()
    for row in (1, 2):
        file.save(checkpoint_at(row))
    assert link.is_symlink()
    assert file.load() == CheckpointFile(real).load() == checkpoint_at(2)
    assert loads((real.parent / "r.json.prev").read_bytes()) == checkpoint_at(1)


def test_check_writable_leaves_nothing_and_refuses_what_save_could_not_write(file, monkeypatch):
    file.check_writable()
    assert list(file.path.parent.iterdir()) == []
    file.save(checkpoint_at(1))
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(CheckpointUnwritable, match="read-only"):
        file.check_writable()
    monkeypatch.undo()

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(CheckpointUnwritable, match="Read-only file system"):
        file.check_writable()


# -- lock -------------------------------------------------------------------------------------------------


def test_a_second_instance_is_refused_and_told_who_holds_it(file):
    with file.locked():
        with pytest.raises(Locked, match=f":{os.getpid()}"), CheckpointFile(file.path).locked():
            pass
        # the refusal must not have let go of the first one's lock
        with pytest.raises(Locked), CheckpointFile(file.path).locked():
            pass
    with CheckpointFile(file.path).locked():
        pass


def test_two_links_to_one_checkpoint_share_one_lock(tmp_path):
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "real.json")
    with CheckpointFile(link).locked(), pytest.raises(Locked), CheckpointFile(tmp_path / "real.json").locked():
        pass


def test_the_lock_file_outlives_its_holder(file):
    """Deleted, two processes could each hold a lock on another inode of that name."""
    with file.locked():
        inode = os.stat(f"{file.path}.lock").st_ino
    assert os.stat(f"{file.path}.lock").st_ino == inode


def test_the_lock_makes_missing_folders_and_refuses_impossible_ones(tmp_path):
    with CheckpointFile(tmp_path / "a" / "b" / "x.json").locked():
        assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointUnwritable), CheckpointFile(tmp_path / "file" / "x.json").locked():
        pass


@pytest.mark.parametrize("link", ["x.json", "state"])
def test_nothing_is_made_where_a_dangling_link_leads(tmp_path, link):
    """Broken: with the disk of the state folder away, folders and a new checkpoint are made on the disk below it."""
    path = tmp_path / ("x.json" if link == "x.json" else "state/jobs/x.json")
    (tmp_path / link).symlink_to(tmp_path / "away" / link)
    with pytest.raises(StateConflict, match=f"a link to what is not there: .*{link}"), CheckpointFile(path).locked():
        pass
    assert [each.name for each in tmp_path.iterdir()] == [link]


def test_another_job_does_not_share_the_lock(file, tmp_path):
    with file.locked(), CheckpointFile(tmp_path / "other.json").locked():
        pass


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
