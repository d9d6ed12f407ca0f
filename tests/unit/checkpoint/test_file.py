"""The checkpoint on disk: one generation at any moment, one instance at a time."""

from __future__ import annotations

import contextlib
import os
import socket
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from replay.checkpoint.content import Checkpoint, loads
from replay.checkpoint.file import CheckpointFile
from replay.errors import CheckpointUnwritable, Locked, StateConflict, UsageError
from tests.unit.checkpoint.test_content import checkpoint_at

if TYPE_CHECKING:
    from pathlib import Path


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


def test_a_folder_is_refused_and_an_unreadable_path_is_a_conflict(tmp_path):
    with pytest.raises(UsageError, match="is a folder"):
        CheckpointFile(tmp_path).load()
    with pytest.raises(UsageError, match="is a folder"):
        CheckpointFile(tmp_path).check_writable()
    (tmp_path / "file").touch()
    with pytest.raises(StateConflict):
        CheckpointFile(tmp_path / "file" / "x.json").load()


def test_a_folder_may_be_a_link_and_the_checkpoint_in_it_is_the_same(tmp_path):
    """Broken: a state folder on another disk, reached by a link, is refused, or the link is replaced by a folder."""
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    file = CheckpointFile(link / "r.json")
    for row in (1, 2):
        file.save(checkpoint_at(row))
    assert link.is_symlink()
    assert file.load() == CheckpointFile(real / "r.json").load() == checkpoint_at(2)


BESIDE = ("", ".prev", ".prev.tmp", ".tmp", ".lock", ".inputs", ".quarantine.parquet", ".quarantine.parquet.tmp")


@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "socket", "folder"])
@pytest.mark.parametrize("end", BESIDE)
def test_nothing_of_ours_is_a_link_or_a_pipe(tmp_path, end, kind, monkeypatch):
    """Broken: whoever may write to the folder leads what replay writes to any other file; or a pipe hangs the run."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / "s").mkdir()
    place = tmp_path / "s" / f"r.json{end}"
    if kind in ("link", "dangling"):
        place.symlink_to(victim if kind == "link" else tmp_path / "made")
    elif kind == "pipe":
        os.mkfifo(place)
    elif kind == "socket":
        monkeypatch.chdir(place.parent)  # the path of a socket has 107 characters at most
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(place.name)
    else:
        place.mkdir()
    file = CheckpointFile(tmp_path / "s" / "r.json")
    for act in (lambda: file.locked().__enter__(), file.load, file.check_writable, file.check_replaceable):
        with pytest.raises(UsageError) as raised:
            act()
        assert raised.value.where == str(place)
        said = {"dangling": "a link", "pipe": "a named pipe"}.get(kind, f"a {kind}")
        assert f"is {said}" in raised.value.what
    assert victim.read_bytes() == b"mine"
    assert not (tmp_path / "made").exists()
    assert [each.name for each in (tmp_path / "s").iterdir()] == [place.name]


def test_a_link_or_pipe_that_comes_in_mid_run_is_not_written_through(file, tmp_path):
    """Broken: what was checked at the start is all that is checked, and a pipe put there later hangs the run."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    file.save(checkpoint_at(1))
    file._temporary.symlink_to(victim)
    with pytest.raises(CheckpointUnwritable, match="it is a link"):
        file.save(checkpoint_at(2))
    assert victim.read_bytes() == b"mine"
    os.mkfifo(file._temporary)
    with pytest.raises(CheckpointUnwritable):
        file.save(checkpoint_at(2))
    assert file.load() == checkpoint_at(1)


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


def test_two_links_to_one_folder_share_one_lock(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    one, other = (CheckpointFile(tmp_path / folder / "x.json") for folder in ("link", "real"))
    with one.locked(), pytest.raises(Locked), other.locked():
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


def test_nothing_is_made_where_a_dangling_link_leads(tmp_path):
    """Broken: with the disk of the state folder away, folders and a new checkpoint are made on the disk below it."""
    (tmp_path / "state").symlink_to(tmp_path / "away" / "state")
    path = tmp_path / "state/jobs/x.json"
    with pytest.raises(StateConflict, match=r"a link to what is not there: .*state"), CheckpointFile(path).locked():
        pass
    assert [each.name for each in tmp_path.iterdir()] == ["state"]


def test_another_job_does_not_share_the_lock(file, tmp_path):
    with file.locked(), CheckpointFile(tmp_path / "other.json").locked():
        pass
