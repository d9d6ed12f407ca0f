"""The disk under the checkpoint fills up, becomes read-only or breaks: exit 8, the old file as it was, an exact resume.

Full and read-only are real: a small file system of its own, mounted by the test. A disk that fails is not to be had:
there the system call of one save fails in the job, see `fail` in tests/support/crashing.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from tests.support.process import checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.conftest import Broker
    from tests.fault.conftest import MakeBoth
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.process import Job
    from tests.support.scenario import Scenario, Trades

OPTIONS = ("--rate", "16k/s", "--checkpoint-interval", "50ms", "--transaction-ms", "50")
HALF_WAY = "stop after report 8000"
SAYS = "progress cannot be saved"


def mount(*args: str | Path) -> None:
    command = ["mount", *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system of the test's own: {done.stderr.strip() or done.returncode}")


@dataclass(frozen=True)
class Disk:
    """A file system for one checkpoint."""

    folder: Path

    def fill(self) -> None:
        """Until there is no room for another byte."""
        with (self.folder / "filler").open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return

    def empty(self) -> None:
        (self.folder / "filler").unlink()

    def set_read_only(self) -> None:
        """Mounted over itself: the running job has its lock file open, which a remount would refuse."""
        mount("--bind", self.folder, self.folder)
        mount("-o", "remount,bind,ro", self.folder)

    def set_writable(self) -> None:
        subprocess.run(["umount", self.folder], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system to fill up")
    mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", folder)
    try:
        yield Disk(folder)
    finally:
        while os.path.ismount(folder):
            subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def replays(kafka: KafkaCluster | Broker, trades: Trades, both: MakeBoth) -> list[Scenario]:
    """The same replay in either delivery."""
    return both(trades, kafka.bootstrap_servers, *OPTIONS)


def on(disk: Disk, replays: Sequence[Scenario]) -> list[Scenario]:
    """With their checkpoints there."""
    return [replace(replay, checkpoint=disk.folder / replay.checkpoint.name) for replay in replays]


def scraps(replay: Scenario) -> set[str]:
    """What lies beside the checkpoint and does not belong there."""
    name = replay.checkpoint.name
    found = {path.name for path in replay.checkpoint.parent.glob(name + "*")}
    return found - {name, f"{name}.prev", f"{name}.lock"}


def stopped_half_way(replays: Sequence[Scenario], crash: str) -> list[tuple[Scenario, Job, bytes]]:
    """Each with its job, that has stopped between two saves or right before one, and its checkpoint's bytes."""
    jobs = [replay.start(crash=crash) for replay in replays]
    for job in jobs:
        job.wait_stopped()
    return [(replay, job, replay.checkpoint.read_bytes()) for replay, job in zip(replays, jobs, strict=True)]


def assert_it_ends(replay: Scenario, job: Job, before: bytes) -> None:
    """The next save fails: exit 8, and the file is as it was."""
    assert job.wait(40) == 8, job.log
    assert SAYS in job.log
    assert "run again: it resumes" in job.log
    assert replay.checkpoint.read_bytes() == before
    assert not scraps(replay)


def test_a_full_disk(disk: Disk, replays: list[Scenario]) -> None:
    """Broken: a disk that fills up while a replay runs would cost the checkpoint, or rows would go out that no
    checkpoint will know of."""
    stopped = stopped_half_way(on(disk, replays), HALF_WAY)
    disk.fill()
    for _, job, _ in stopped:
        job.signal(signal.SIGCONT)
    for each in stopped:
        assert_it_ends(*each)
    disk.empty()
    for replay, _, _ in stopped:
        replay.finish()


def test_a_disk_that_becomes_read_only(disk: Disk, replays: list[Scenario]) -> None:
    """Broken: as above, with a file system that was set read-only after an error; or the next run would send rows
    although it cannot save."""
    stopped = stopped_half_way(on(disk, replays), HALF_WAY)
    disk.set_read_only()
    for _, job, _ in stopped:
        job.signal(signal.SIGCONT)
    for each in stopped:
        assert_it_ends(*each)
    replay, _, before = stopped[0]
    records = replay.records()
    assert "Read-only file system" in replay.run(code=8).log
    assert (replay.records(), replay.checkpoint.read_bytes()) == (records, before)
    disk.set_writable()
    for replay, _, _ in stopped:
        replay.finish()


@pytest.mark.parametrize("place", ["before write 1", "before fsync 1"])
def test_a_disk_that_fails(replays: list[Scenario], place: str) -> None:
    """Broken: an error of the disk (EIO) would be taken for a save, or damage the checkpoint that is there."""
    ((replay, job, before),) = stopped_half_way(replays[:1], f"stop before save 6, fail {place} of save 6")
    job.signal(signal.SIGCONT)
    assert_it_ends(replay, job, before)
    replay.finish()


def test_a_disk_that_fails_when_the_new_file_is_in_place(replays: list[Scenario]) -> None:
    """Broken: after an fsync of the folder that failed, nobody knows which generation a power cut leaves: rows must not
    go out that only the new one knows of."""
    replay = replays[0]
    job = replay.run(crash="fail before fsync 2 of save 6", code=8)
    assert SAYS in job.log
    replay.finish()


def assert_nothing_was_sent(replay: Scenario, job: Job) -> None:
    assert job.wait(40) == 8, job.log
    assert SAYS in job.log
    assert checkpoint(replay.checkpoint) == {}
    assert replay.records() == 0
    assert not scraps(replay)


def test_a_full_disk_and_the_very_first_save(disk: Disk, replays: list[Scenario]) -> None:
    """Broken: rows would be in the topic that no checkpoint knows of: the next run sends them again."""
    first = on(disk, replays)
    disk.fill()
    for replay, job in [(replay, replay.start()) for replay in first]:
        assert_nothing_was_sent(replay, job)
    disk.empty()
    for replay in first:
        replay.finish()


def test_a_disk_that_fails_at_the_very_first_save(replays: list[Scenario]) -> None:
    """Broken: as above, with a disk that breaks."""
    replay = replays[0]
    assert_nothing_was_sent(replay, replay.start(crash="fail before fsync 1 of save 1"))
    replay.finish()
