"""The tool with a SIGKILL built in, so that a crash at an exact place is one line of a test.

    python -m tests.support.crashing "before fsync 2 of save 3" -- run data --topic trades ...

A SPEC is WHEN PLACE NUMBER: before or after the NUMBER-th call of PLACE. Places:

    save            a checkpoint is written
    clean, done     the same, but counting only those that say so
    send            rows are handed to the producer
    report          a delivery report is taken in
    read            the topic's tail is read on a resume; `amid read 1` is between two portions of it

`PLACE NUMBER of save N` is a system call inside the N-th save: write, fsync, link, replace;
`amid write 1 of save N` dies with half of the bytes written. A spec that is never reached kills nobody: the
test sees another exit code than a SIGKILL's.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, NoReturn

from replay.__main__ import main
from replay.acks import Chunk
from replay.checkpoint import CheckpointFile
from replay.cluster import Cluster
from replay.deliver import KafkaSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def die() -> NoReturn:
    """At once, like a power cut: no handler, no buffer, no finally."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


class Crash:
    """Where to die, and how often each place was passed."""

    SPEC = re.compile(r"(before|after|amid) (\w+) (\d+)(?: of save (\d+))?")

    def __init__(self, spec: str) -> None:
        found = self.SPEC.fullmatch(spec)
        if found is None:
            raise SystemExit(f"cannot read the spec {spec!r}")
        self.when, self.place = found[1], found[2]
        self.number, self.save = int(found[3]), int(found[4] or 0)
        self.passed: Counter[str] = Counter()

    def due(self, when: str, place: str) -> bool:
        return (when, place, self.number) == (self.when, self.place, self.passed[place])

    def around(self, place: str, call: Callable[[], Any]) -> Any:
        self.passed[place] += 1
        if self.due("before", place):
            die()
        result = call()
        if self.due("after", place):
            die()
        return result


def replace(owner: type, name: str, method: Callable[..., Any]) -> None:
    setattr(owner, name, method)


def plant(spec: str) -> None:
    crash = Crash(spec)
    _plant_save(crash)
    _plant_send(crash)
    _plant_report(crash)
    _plant_read(crash)


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
                die()
            return system_call(*args)

        return passed

    replace(CheckpointFile, "save", save)
    if crash.save:
        for name in ("write", "fsync", "link", "replace"):
            setattr(os, name, inside(name, getattr(os, name)))


def _plant_send(crash: Crash) -> None:
    real = KafkaSink.send

    def send(self: KafkaSink, *args: Any) -> int:
        accepted: int = crash.around("send", lambda: real(self, *args))
        return accepted

    replace(KafkaSink, "send", send)


def _plant_report(crash: Crash) -> None:
    real = Chunk.on_delivery

    def on_delivery(self: Chunk, failed: Any) -> Any:
        report = real(self, failed)
        return lambda error, message: crash.around("report", lambda: report(error, message))

    replace(Chunk, "on_delivery", on_delivery)


def _plant_read(crash: Crash) -> None:
    real = Cluster.read

    def read(self: Cluster, *args: Any) -> Iterator[Any]:
        crash.passed["read"] += 1
        if crash.due("before", "read"):
            die()
        for portion in real(self, *args):
            yield portion
            if crash.due("amid", "read"):
                die()
        if crash.due("after", "read"):
            die()

    replace(Cluster, "read", read)


if __name__ == "__main__":
    plant(sys.argv[1])
    assert sys.argv[2] == "--"
    sys.argv = ["replay", *sys.argv[3:]]
    main()
