"""Replays of many dates: dates without files, retries, schedules."""

from dataclasses import dataclass
from enum import StrEnum

from replay import units
from replay.cli.options.declare import Harmless, Option, Panel, duration, nights, same
from replay.nightly.due import Missing


@dataclass(frozen=True)
class MissingDays(Harmless):
    """What becomes of a date without any file."""

    missing: Missing = nights(Missing.FAIL, "A day without any file: fail (exit 3), skip it, or wait for its files.")
    missing_every: str = nights(
        "1m", "With --missing wait: look for the files this often.", form=duration(units.ONE_OR_MORE)
    )
    missing_for: str | None = nights(
        None, "With --missing wait: give up after this long.", form=duration(), otherwise="never"
    )
    calendar: str | None = nights(
        None,
        "Days off, which need no file: a file with a date or a weekday (sat) in each line, or an exchange (XNYS).",
        metavar="FILE|EXCHANGE",
    )


@dataclass(frozen=True)
class Retrying(Harmless):
    """How long to wait before a replay that failed is tried again."""

    # a broker restarts within about as long
    retry_wait: str = nights(
        "10s",
        "Wait this long before the first retry, and twice as long before each further one.",
        form=duration(units.ONE_OR_MORE),
    )
    # an outage of a night is looked at every ten minutes
    retry_wait_max: str = nights("10m", "Longest wait before a retry.", form=duration(units.ONE_OR_MORE))


class OnFailure(StrEnum):
    STOP = "stop"
    GO_ON = "go-on"


PREFLIGHT = Option(
    "Before the first day, look whether broker, rights, topic and registry are as they have to be (replay check)."
    " What is refused ends the command; what is away is a warning.",
    Panel.NIGHTS,
)
RETRIES = Option(
    "How often a day is tried again after exit 5 (no broker) or 6 (another run holds it).", Panel.NIGHTS, min=0
)
ON_FAILURE = Option("After a day that failed for good: stop, or go-on with the days after it.", Panel.NIGHTS)


@dataclass(frozen=True)
class Backfilling(Harmless):
    """What only `backfill` has."""

    preflight: bool = same(True, PREFLIGHT)
    retries: int = same(3, RETRIES)
    on_failure: OnFailure = same(OnFailure.STOP, ON_FAILURE)
    newest_first: bool = nights(False, "Begin with the newest day.")
    parallel: int = nights(
        1,
        "How many days are replayed at a time. With more than one each day needs a topic of its own.",
        metavar="DAYS",
        min=1,
    )


@dataclass(frozen=True)
class Scheduling(Harmless):
    """What only `schedule` has."""

    cron: str | None = nights(
        None,
        'When to replay, as in a crontab: "0 2 * * *" (minute, hour, day of month, month, day of week).',
        metavar="SCHEDULE",
        everyday=True,
    )
    jitter: str = nights("0s", "Begin up to this much later, by chance.", form=duration())
    catch_up: int = nights(7, "How many missed days are made up for at most, the newest ones.", metavar="DAYS", min=0)
    preflight: bool = same(True, PREFLIGHT)
    retries: int = same(5, RETRIES)
    on_failure: OnFailure = same(OnFailure.STOP, ON_FAILURE)
