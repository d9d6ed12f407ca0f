"""Replays of many dates: dates without files, retries, schedules."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from replay import units
from replay.cli.options.declare import Harmless, Option, Panel, duration
from replay.nightly.options import Missing


@dataclass(frozen=True)
class MissingDays(Harmless):
    """What becomes of a date without any file."""

    missing: Annotated[
        Missing,
        Option(text="A day without any file: fail (exit 3), skip it, or wait for its files.", panel=Panel.NIGHTS),
    ] = Missing.FAIL
    missing_every: Annotated[
        str,
        Option(
            text="With --missing wait: look for the files this often.",
            panel=Panel.NIGHTS,
            form=duration(units.ONE_OR_MORE),
        ),
    ] = "1m"
    missing_for: Annotated[
        str | None,
        Option(
            text="With --missing wait: give up after this long.",
            panel=Panel.NIGHTS,
            form=duration(),
            default="never",
        ),
    ] = None
    calendar: Annotated[
        str | None,
        Option(
            text="Days off, which need no file: a file with a date or a weekday (sat) in each line, or an exchange"
            " (XNYS).",
            panel=Panel.NIGHTS,
            metavar="FILE|EXCHANGE",
        ),
    ] = None


@dataclass(frozen=True)
class Retrying(Harmless):
    """How long to wait before a replay that failed is tried again."""

    retry_wait: Annotated[
        str,
        Option(
            text="Wait this long before the first retry, and twice as long before each further one.",
            panel=Panel.NIGHTS,
            form=duration(units.ONE_OR_MORE),
        ),
    ] = "10s"  # a broker restarts within about as long
    retry_wait_max: Annotated[
        str,
        Option(
            text="Longest wait before a retry.",
            panel=Panel.NIGHTS,
            form=duration(units.ONE_OR_MORE),
        ),
    ] = "10m"  # an outage of a night is looked at every ten minutes


class OnFailure(StrEnum):
    STOP = "stop"
    GO_ON = "go-on"


RETRIES = Option(
    text="How often a day is tried again after exit 5 (no broker) or 6 (another run holds it).",
    panel=Panel.NIGHTS,
    min=0,
)
ON_FAILURE = Option(text="After a day that failed for good: stop, or go-on with the days after it.", panel=Panel.NIGHTS)


@dataclass(frozen=True)
class Backfilling(Harmless):
    """What only `backfill` has."""

    retries: Annotated[int, RETRIES] = 3
    on_failure: Annotated[OnFailure, ON_FAILURE] = OnFailure.STOP
    newest_first: Annotated[bool, Option(text="Begin with the newest day.", panel=Panel.NIGHTS)] = False
    parallel: Annotated[
        int,
        Option(
            text="How many days are replayed at a time. With more than one each day needs a topic of its own.",
            panel=Panel.NIGHTS,
            metavar="DAYS",
            min=1,
        ),
    ] = 1


@dataclass(frozen=True)
class Scheduling(Harmless):
    """What only `schedule` has."""

    cron: Annotated[
        str | None,
        Option(
            text='When to replay, as in a crontab: "0 2 * * *" (minute, hour, day of month, month, day of week).',
            panel=Panel.NIGHTS,
            metavar="SCHEDULE",
            everyday=True,
        ),
    ] = None
    jitter: Annotated[
        str,
        Option(text="Begin up to this much later, by chance.", panel=Panel.NIGHTS, form=duration()),
    ] = "0s"
    catch_up: Annotated[
        int,
        Option(
            text="How many missed days are made up for at most, the newest ones.",
            panel=Panel.NIGHTS,
            metavar="DAYS",
            min=0,
        ),
    ] = 7
    retries: Annotated[int, RETRIES] = 5
    on_failure: Annotated[OnFailure, ON_FAILURE] = OnFailure.STOP
