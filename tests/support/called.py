"""Commands in this process: that is faster than one of their own, for all that is not killed."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner

from replay.cli.app import app
from replay.signals import ASKING_TO_STOP
from tests.support.process import replay_command
from tests.support.readback import read_topic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.readback import Record

QUIET = {"log_level": 0}


@dataclass(frozen=True, slots=True)
class Outcome:
    code: int
    out: str
    err: str


def call(*args: str) -> Outcome:
    """`replay ARGS`."""
    before = {number: signal.getsignal(number) for number in ASKING_TO_STOP}
    try:
        result = CliRunner().invoke(app, list(args), prog_name="replay")
    finally:
        for number, handler in before.items():  # the command takes them over
            signal.signal(number, handler)
    return Outcome(result.exit_code, result.stdout, result.stderr)


@dataclass
class Called:
    """One replay into one topic, which need not be there."""

    bootstrap_servers: str
    topic: str
    inputs: Path | str
    checkpoint: Path
    options: Sequence[str] = ()
    secrets: list[str] = field(default_factory=list)
    """What no message may show."""

    def run(self, *more: str, code: int = 0) -> Outcome:
        """`replay run` with the usual options and `more`, to its end, which must be `code`."""
        command = replay_command([self.inputs], self.topic, self.bootstrap_servers, self.checkpoint, *self.options)
        outcome = call(*command, *more)
        assert outcome.code == code, f"exit {outcome.code} instead of {code}:\n{outcome.err}"
        return outcome

    def refused(self, code: int, *says: str, more: Sequence[str] = ()) -> str:
        """One clear error that says all of this; nothing is sent, and nothing left behind. The error."""
        before = self._left()
        outcome = self.run(*more, code=code)
        (error,) = outcome.err.split(" ERROR ")[1:]
        for text in says:
            assert text in error, f"the message does not say {text!r}:\n{outcome.err}"
        assert "\n  -> " in error, "it does not say what to do"
        for text in ("Traceback", *self.secrets):
            assert text not in outcome.out + outcome.err
        assert self._left() == before, "it has left something behind"
        return error

    def records(self) -> list[list[Record]]:
        """Of each partition."""
        return read_topic(self.bootstrap_servers, self.topic, "read_committed", deadline_s=60)

    @property
    def has_topic(self) -> bool:
        return (
            self.topic
            in AdminClient({"bootstrap.servers": self.bootstrap_servers, **QUIET}).list_topics(timeout=10).topics
        )

    def _left(self) -> tuple[bytes | None, int | None]:
        """The checkpoint, and how many records the topic has."""
        saved = self.checkpoint.read_bytes() if self.checkpoint.exists() else None
        return saved, sum(map(len, self.records())) if self.has_topic else None
