"""Which logical dates are due, and what to do when one fails: decided from times and exit codes. Pure and light."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from replay import dates
from replay.errors import ExitCode, UsageError

RETRIED = frozenset({ExitCode.BROKER_UNAVAILABLE, ExitCode.LOCKED})
"""Exit codes that may go away with time; any other end would only come again."""

DOUBLINGS_MAX = 60
"""Waits are doubled this often at most: by then even a millisecond is longer than any limit that can be given."""

FIRINGS_MAX = 100_000
"""Firings looked at in one go: more would be a schedule of seconds that was off for days."""

NextFiring = Callable[[datetime], "datetime | None"]
"""The first firing after a moment; None if there is none any more."""


class Missing(StrEnum):
    """What to do about a date without a file."""

    FAIL = "fail"
    SKIP = "skip"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Retries:
    """So many further attempts. The first waits `wait_s`, each one after it twice as long, none longer than
    `wait_max_s`."""

    times: int
    wait_s: float
    wait_max_s: float


def retry_wait_s(code: int, attempt: int, retries: Retries) -> float | None:
    """How long to wait once attempt number `attempt` (from 1 on) has ended with `code`; None: give up."""
    if code not in RETRIED or attempt > retries.times:
        return None
    doublings = min(attempt - 1, DOUBLINGS_MAX)
    return min(retries.wait_max_s, retries.wait_s * 2.0**doublings)


def days_between(from_: str | None, to: str | None, today: date) -> list[date]:
    """`[--from, --to)`, oldest first. Raises `UsageError` where one is missing, is no date, or no day lies between."""
    given = (("--from", from_), ("--to", to))
    if lacking := [option for option, text in given if text is None]:
        todo = "give --from 2026-11-01 --to 2026-11-08 (the 8th is left out)"
        raise UsageError("which days?", where=lacking[0], todo=todo)
    first, last = (dates.parse_date(str(text), today, option) for option, text in given)
    if first >= last:
        raise UsageError(
            f"there is no day from {first} to {last}", where="--to", todo="give the day after the last one"
        )
    return [first + timedelta(days=n) for n in range((last - first).days)]


def logical_date(firing: datetime, date_text: str) -> date:
    """The date a firing is about. `date_text` is as for `--date` (`yesterday`), seen from the firing's day."""
    return dates.parse_date(date_text, firing.date())


def missed(
    next_firing: NextFiring, date_text: str, known: Collection[date], done: Collection[date], now: datetime
) -> list[date]:
    """Logical dates whose firing has passed and that are not done, oldest first.

    `known` are the dates of which there is a trace (a checkpoint). The oldest of them is where the job began: what
    lies before it was never its business. Without any, nothing was missed.
    """
    if not known:
        return []
    began = min(known)
    firings = _firings(next_firing, began, now)
    due = {day for day in (logical_date(firing, date_text) for firing in firings) if day >= began} | set(known)
    return sorted(due - set(done))


def _firings(next_firing: NextFiring, began: date, now: datetime) -> Iterator[datetime]:
    """Firings up to now, from a day before `began` on: a firing's date may lie before its logical date."""
    at: datetime | None = datetime.combine(began, datetime.min.time(), now.tzinfo) - timedelta(days=1)
    for _ in range(FIRINGS_MAX):
        at = next_firing(at) if at is not None else None
        if at is None or at > now:
            return
        yield at


def newest(missed_dates: list[date], limit: int) -> tuple[list[date], list[date]]:
    """The dates to catch up, and the older ones that the limit gives up."""
    first = max(0, len(missed_dates) - limit)
    return missed_dates[first:], missed_dates[:first]
