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
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Broker
    from tests.fault.conftest import MakeScenario
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.scenario import Scenario, Trades

DELIVERIES = ("idempotent", "transactional")
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
def replay_by(
    kafka: KafkaCluster | Broker, trades: Trades, scenario: MakeScenario, topic: str
) -> Callable[..., Scenario]:
    """A replay in this delivery, with its checkpoint in this folder."""

    def make(delivery: str, folder: Path | None = None) -> Scenario:
        more = ("--delivery", delivery, "--progress-topic", f"{topic}-progress")
        made = scenario(trades, kafka.bootstrap_servers, *OPTIONS, *more)
        made.isolation = "read_committed" if delivery == "transactional" else made.isolation
        return made if folder is None else replace(made, checkpoint=folder / "checkpoint.json")

    return make


def scraps(replay: Scenario) -> set[str]:
    """What lies beside the checkpoint and does not belong there."""
    name = replay.checkpoint.name
    found = {path.name for path in replay.checkpoint.parent.glob(name + "*")}
    return found - {name, f"{name}.prev", f"{name}.lock"}


def fails_half_way(replay: Scenario, happens: Callable[[], None], mended: Callable[[], None], crash: str) -> None:
    """Stopped between two saves until `happens` has happened: the next one fails, and the file is as it was."""
    job = replay.start(crash=crash)
    job.wait_stopped()
    before = replay.checkpoint.read_bytes()
    happens()
    job.signal(signal.SIGCONT)
    assert job.wait(20) == 8, job.log
    assert SAYS in job.log
    assert "run again: it resumes" in job.log
    assert replay.checkpoint.read_bytes() == before
    assert not scraps(replay)
    mended()
    replay.finish()


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_a_full_disk(disk: Disk, replay_by: Callable[..., Scenario], delivery: str) -> None:
    """Broken: a disk that fills up while a replay runs would cost the checkpoint, or rows would go out that no
    checkpoint will know of."""
    fails_half_way(replay_by(delivery, disk.folder), disk.fill, disk.empty, HALF_WAY)


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_a_disk_that_becomes_read_only(disk: Disk, replay_by: Callable[..., Scenario], delivery: str) -> None:
    """Broken: as above, with a file system that was set read-only after an error."""
    replay = replay_by(delivery, disk.folder)
    fails_half_way(replay, disk.set_read_only, disk.set_writable, HALF_WAY)


def test_a_disk_that_is_read_only_at_the_start(disk: Disk, replay_by: Callable[..., Scenario]) -> None:
    """Broken: a resume would send rows although it cannot save, or end with a traceback."""
    replay = replay_by("idempotent", disk.folder)
    job = replay.start()
    job.wait_row(replay.checkpoint, 3_000)
    job.kill()
    records, before = replay.records(), replay.checkpoint.read_bytes()
    disk.set_read_only()
    refused = replay.run(code=8)
    assert "Read-only file system" in refused.log
    assert (replay.records(), replay.checkpoint.read_bytes()) == (records, before)
    disk.set_writable()
    replay.finish()


@pytest.mark.parametrize("place", ["before write 1", "before fsync 1", "before replace 2"])
def test_a_disk_that_fails(replay_by: Callable[..., Scenario], place: str) -> None:
    """Broken: an error of the disk (EIO) would be taken for a save, or damage the checkpoint that is there."""
    replay = replay_by("idempotent")
    fails_half_way(replay, lambda: None, lambda: None, f"stop before save 6, fail {place} of save 6")


def test_a_disk_that_fails_when_the_new_file_is_in_place(replay_by: Callable[..., Scenario]) -> None:
    """Broken: after an fsync of the folder that failed, nobody knows which generation a power cut leaves: rows must not
    go out that only the new one knows of."""
    replay = replay_by("idempotent")
    job = replay.run(crash="fail before fsync 2 of save 6", code=8)
    assert SAYS in job.log
    replay.finish()


@pytest.mark.parametrize(("what", "delivery"), [("full", each) for each in DELIVERIES] + [("broken", "idempotent")])
def test_the_very_first_save(disk: Disk, replay_by: Callable[..., Scenario], what: str, delivery: str) -> None:
    """Broken: rows would be in the topic that no checkpoint knows of: the next run sends them again."""
    replay = replay_by(delivery, disk.folder)
    if what == "full":
        disk.fill()
    refused = replay.run(code=8, crash=None if what == "full" else "fail before fsync 1 of save 1")
    assert SAYS in refused.log
    assert checkpoint(replay.checkpoint) == {}
    assert replay.records() == 0
    assert not scraps(replay)
    if what == "full":
        disk.empty()
    replay.finish()
