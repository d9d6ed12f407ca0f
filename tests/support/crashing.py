"""The tool with a fault built in, so that a crash at an exact place is one line of a test.

    python -m tests.support.crashing "before fsync 2 of save 3" -- run data --topic trades ...

A SPEC is [HOW] WHEN PLACE NUMBER: before or after the NUMBER-th call of PLACE. Places:

    save            a checkpoint is written
    clean, done     the same, but counting only those that say so
    send            rows are handed to the producer
    report          a delivery report is taken in
    read            the topic's tail (transactional: the job's progress record) is read; `amid read 1` is between two
                    portions of it
    aside           bad rows of a batch are put aside (--on-bad-row quarantine)
    finish          the file with them gets its name
    init            transactional: the producer is registered, and older instances are fenced
    commit          transactional: a transaction is committed, the first of a run being the claim. Before it, the
                    progress record is in Kafka's log already: nothing but the commit is missing

`PLACE NUMBER of save N` is a system call inside the N-th save: write, fsync, link, replace;
`amid write 1 of save N` dies with half of the bytes written. A spec that is never reached harms nobody: the
test sees another exit code than a SIGKILL's.

HOW is what happens there: SIGKILL unless it says

    stop            SIGSTOP: the job goes on when the test sends SIGCONT
    cut             a power cut: SIGKILL, and of the checkpoint only what was synced is left (see `Disk`)
    fail            the call fails with EIO, as a disk that breaks makes it

Several specs, one after the other, are separated by commas. There may be none: nothing happens, but for the break that
REPLAY_TEST_BREAK names (tests/support/broken_builds.py).
"""

from __future__ import annotations

import errno
import os
import re
import signal
import stat
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replay.__main__ import main
from replay.checkpoint.file import CheckpointFile
from replay.delivery.acks import Chunk
from replay.kafka.cluster import Cluster
from replay.kafka.producer import KafkaSink, TransactionalSink
from replay.source.rows.quarantine import Quarantine
from tests.support.process import BREAK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Disk:
    """The files beside a checkpoint as a power cut would leave them: what a file held when it was last synced, under
    the names that the folder had when that was. Nothing else is sure to be on disk, so all else is taken away."""

    def __init__(self, checkpoint: Path) -> None:
        self._folder, self._prefix = checkpoint.parent, checkpoint.name
        self._synced: dict[int, bytes] = {}
        self._held: list[int] = []  # open for ever: the number of a file must not become another's
        self._names: dict[str, int] = {}
        for name in self._listed():
            with (self._folder / name).open("rb") as file:
                self._sync_file(file.fileno())
        self._names = self._listed()

    def synced(self, descriptor: int) -> None:
        """An fsync of a file or of the folder has returned."""
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            self._names = self._listed()
        else:
            self._sync_file(descriptor)

    def cut(self) -> None:
        for name in self._listed():
            (self._folder / name).unlink()
        for name, number in self._names.items():
            (self._folder / name).write_bytes(self._synced.get(number, b""))

    def _sync_file(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        readable = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY)
        self._held.append(readable)
        self._synced[status.st_ino] = os.pread(readable, status.st_size, 0)

    def _listed(self) -> dict[str, int]:
        found = [path for path in self._folder.glob(self._prefix + "*") if not path.name.endswith(".lock")]
        return {path.name: path.stat().st_ino for path in found}


class Crash:
    """Where the fault is, what it is, and how often each place was passed."""

    SPEC = re.compile(r"(?:(stop|cut|fail) )?(before|after|amid) (\w+) (\d+)(?: of save (\d+))?")

    def __init__(self, spec: str, checkpoint: Path) -> None:
        found = self.SPEC.fullmatch(spec)
        if found is None:
            raise SystemExit(f"cannot read the spec {spec!r}")
        self._how = found[1] or "kill"
        self.when, self.place = found[2], found[3]
        self.number, self.save = int(found[4]), int(found[5] or 0)
        self.passed: Counter[str] = Counter()
        self._happened = False
        self._disk: Disk | None = None
        if self._how == "cut":
            self._disk = _plant_disk(checkpoint)

    def due(self, when: str, place: str) -> bool:
        here = (when, place, self.number) == (self.when, self.place, self.passed[place])
        return here and not self._happened

    def happen(self) -> None:
        """Killed: at once, with no handler, no buffer, no finally."""
        self._happened = True
        if self._how == "fail":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if self._disk is not None:
            self._disk.cut()
        os.kill(os.getpid(), signal.SIGSTOP if self._how == "stop" else signal.SIGKILL)

    def around(self, place: str, call: Callable[[], Any]) -> Any:
        self.passed[place] += 1
        if self.due("before", place):
            self.happen()
        result = call()
        if self.due("after", place):
            self.happen()
        return result


def replace(owner: Any, name: str, method: Callable[..., Any]) -> None:
    setattr(owner, name, method)


def plant(spec: str, checkpoint: Path) -> None:
    """One spec."""
    crash = Crash(spec, checkpoint)
    _plant_save(crash)
    _plant_send(crash)
    _plant_report(crash)
    _plant_read(crash)
    _plant_aside(crash)
    _plant_init(crash)
    _plant_commit(crash)


def _plant_disk(checkpoint: Path) -> Disk:
    disk, real = Disk(checkpoint), os.fsync

    def fsync(descriptor: int) -> None:
        real(descriptor)
        disk.synced(descriptor)

    replace(os, "fsync", fsync)
    return disk


def _plant_save(crash: Crash) -> None:
    real, saving = CheckpointFile.save, False

    def save(self: CheckpointFile, checkpoint: Any) -> None:
        nonlocal saving

        def call() -> None:
            nonlocal saving
            saving = crash.save == crash.passed["save"]
            real(self, checkpoint)
            saving = False

        crash.around("save", lambda: crash.around(checkpoint.state.value, call))

    def inside(name: str, system_call: Callable[..., Any]) -> Callable[..., Any]:
        def passed(*args: Any) -> Any:
            if not saving:
                return system_call(*args)
            return crash.around(name, lambda: half_or_whole(*args))

        def half_or_whole(*args: Any) -> Any:
            if crash.due("amid", name):
                system_call(args[0], args[1][: len(args[1]) // 2])
                crash.happen()
            return system_call(*args)

        return passed

    replace(CheckpointFile, "save", save)
    if crash.save:
        for name in ("write", "fsync", "link", "replace"):
            replace(os, name, inside(name, getattr(os, name)))


def _plant_send(crash: Crash) -> None:
    real = KafkaSink.send

    def send(self: KafkaSink, *args: Any) -> int:
        accepted: int = crash.around("send", lambda: real(self, *args))
        return accepted

    replace(KafkaSink, "send", send)


def _plant_report(crash: Crash) -> None:
    real = Chunk.callbacks

    def watched(report: Any) -> Any:
        return lambda error, message: crash.around("report", lambda: report(error, message))

    replace(Chunk, "callbacks", lambda self, partitions: [watched(report) for report in real(self, partitions)])


def _plant_read(crash: Crash) -> None:
    real = Cluster.read

    def read(self: Cluster, *args: Any, **options: Any) -> Iterator[Any]:
        crash.passed["read"] += 1
        if crash.due("before", "read"):
            crash.happen()
        for portion in real(self, *args, **options):
            yield portion
            if crash.due("amid", "read"):
                crash.happen()
        if crash.due("after", "read"):
            crash.happen()

    replace(Cluster, "read", read)


def _plant_aside(crash: Crash) -> None:
    add, finish = Quarantine.add, Quarantine.finish
    replace(Quarantine, "add", lambda self, bad: crash.around("aside", lambda: add(self, bad)))
    replace(Quarantine, "finish", lambda self: crash.around("finish", lambda: finish(self)))


def _plant_init(crash: Crash) -> None:
    real = TransactionalSink.init

    def init(self: TransactionalSink) -> Any:
        return crash.around("init", lambda: real(self))

    replace(TransactionalSink, "init", init)


def _plant_commit(crash: Crash) -> None:
    real = TransactionalSink.commit

    def commit(self: TransactionalSink, *told: Any) -> None:
        crash.passed["commit"] += 1
        if crash.due("before", "commit"):
            if self._producer.flush(10):
                raise SystemExit("the progress record does not get out: this would prove nothing")
            crash.happen()
        real(self, *told)
        if crash.due("after", "commit"):
            crash.happen()

    replace(TransactionalSink, "commit", commit)


def checkpoint_of(args: list[str]) -> Path:
    return Path(args[args.index("--checkpoint") + 1])


if __name__ == "__main__":
    specs, dashes, *args = sys.argv[1:]
    assert dashes == "--"
    if name := os.environ.get(BREAK):
        from tests.support.broken_builds import break_build

        break_build(name)
    for each in filter(None, specs.split(", ")):
        plant(each, checkpoint_of(args))
    sys.argv = ["replay", *args]
    main()
