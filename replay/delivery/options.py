"""One replay, fully described, with units in the names. Light: no Arrow, no Kafka."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from replay.errors import UsageError
from replay.kafka.options import KafkaOptions
from replay.registry.options import RegistryOptions
from replay.units import parse_duration_s, parse_rate, parse_speed

if TYPE_CHECKING:
    from replay.source.options import SourceOptions

PROGRESS_S = 10.0  # between progress lines: rare enough for a night's log


class Delivery(StrEnum):
    """What makes a resume exact: the topic's tail, or a progress record in the same transaction as the rows."""

    IDEMPOTENT = "idempotent"
    TRANSACTIONAL = "transactional"


class WhenChanged(StrEnum):
    """What to do where the inputs are not what they were: refuse, or send what sorts after all that was sent."""

    FAIL = "fail"
    APPEND = "append"


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast: at most one of `rows_per_s` and `speed`; neither means as fast as Kafka acknowledges.

    `speed` divides the gaps between event times; no gap is taken for longer than `gap_max_s`.
    """

    rows_per_s: float | None = None
    speed: float | None = None
    gap_max_s: float | None = None

    def __str__(self) -> str:
        if self.rows_per_s is not None:
            return f"{self.rows_per_s:,g} rows/s"
        return "max" if self.speed is None else f"{self.speed:g}x event time"


def parse_pace(rate: str | None, speed: str | None, max_gap: str | None) -> Pace:
    """From `--rate`, `--speed` and `--max-gap`, as texts."""
    if rate is not None and speed is not None:
        raise UsageError(
            "--rate and --speed exclude each other",
            where="--rate",
            todo="give rows per second (--rate) or a factor on event time (--speed)",
        )
    if max_gap is not None and speed is None:
        raise UsageError("--max-gap needs --speed", where="--max-gap", todo="add --speed 1x, or drop it")
    gap_max_s = parse_duration_s(max_gap, "--max-gap") if max_gap is not None else None
    if speed is not None:
        return Pace(speed=parse_speed(speed), gap_max_s=gap_max_s)
    return Pace(rows_per_s=parse_rate(rate) if rate is not None else None)


@dataclass(frozen=True, slots=True)
class Transactions:
    """How rows are put into transactions. `job` names the progress record and, with the topic, the producer."""

    job: str = "replay"
    progress_topic: str = "replay-progress"
    rows_max: int = 524_288  # at full speed a commit a second, in which nothing is sent: a few per cent
    open_ms_max: float = 1_000.0  # a slow replay does not hold read_committed readers back for longer

    def id_for(self, topic: str) -> str:
        """The transactional.id of the job that sends to this topic."""
        return f"replay.{topic}.{self.job}"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """One replay, fully described."""

    source: SourceOptions
    checkpoint: Path
    kafka: KafkaOptions
    pace: Pace = field(default_factory=Pace)
    check: bool = True
    restart: bool = False
    when_changed: WhenChanged = WhenChanged.FAIL
    checkpoint_interval_s: float = 1.0
    drain_timeout_s: float = 30.0
    progress_interval_s: float = PROGRESS_S
    settle_s: float | None = None
    delivery: Delivery = Delivery.IDEMPOTENT
    transactions: Transactions = field(default_factory=Transactions)
    registry: RegistryOptions = field(default_factory=RegistryOptions)
