"""One date's replay: started, tried again after exits 5 and 6, and the message for a date that failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from replay.errors import ExitCode
from replay.nightly.children import Children
from replay.nightly.due import Retries, retry_wait_s
from replay.nightly.missing import Found, who_waits
from replay.reporter import Reporter


@dataclass(frozen=True, slots=True)
class Ended:
    """`code` of the last of so many attempts."""

    code: int
    attempts: int


def run(what: str, args: Sequence[str], retries: Retries, children: Children, report: Reporter) -> Ended:
    """`replay ARGS` until it is done, or nothing is left to try, or a stop comes. `what` names it in the log."""
    attempt = 1
    while True:
        report.info(f"{what}: replaying" + (f", attempt {attempt}" if attempt > 1 else ""))
        code = children.run(args)
        wait_s = retry_wait_s(code, attempt, retries)
        if wait_s is None or children.is_stopped:
            return Ended(code, attempt)
        report.warning(f"{what}: {exit_text(code)}, trying again in {wait_s:g} s")
        children.sleep(wait_s)
        attempt += 1


def why_failed(day: date, code: int, found: Found, later: int, *, comes_again: bool) -> str:
    """`later` dates wait for this one. `comes_again`: of a schedule, whose next firing looks at the date again."""
    waits = who_waits(later)
    if found is Found.MISSING and code == ExitCode.INPUT:
        return (
            f"{day} has no file{waits}. Add the file, or let it be passed over (--missing skip), waited for"
            " (--missing wait), or name it a day off (--calendar)"
        ) + ("; the next firing looks again" if comes_again else "")
    return f"{day}: {exit_text(code)}" + (f"{waits}; the next firing tries again" if comes_again else "")


def exit_text(code: int) -> str:
    """`exit 5 (broker unavailable)`."""
    names = {each.value: each.name.replace("_", " ").lower() for each in ExitCode}
    return f"exit {code}" + (f" ({names[code]})" if code in names else "")
