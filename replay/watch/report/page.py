"""A replay as one page of HTML that needs nothing else: `ReportData` in, text out. No I/O.

The page loads nothing and runs no script, and says so to the browser (Content-Security-Policy). The template engine
escapes everything that comes from outside: symbols, paths, what brokers say. The plots are not escaped: they are drawn
here, and hold numbers only.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sized
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from replay import __version__
from replay.counts import ByName
from replay.errors import ExitCode, UsageError, install_extra, printable
from replay.units import duration
from replay.watch.masking import masked
from replay.watch.report.data import Mark, ReportData, Run, RunState
from replay.watch.report.over_time import over_time, rows_per_s

if TYPE_CHECKING:
    from jinja2 import Environment

TOP = 20
"""So many symbols and partitions have a line of their own. More of them would not be read."""

INPUTS_TOP = 10
RUNS_MAX = 50
EVENTS_MAX = 60
"""So many runs, outages and resumes are listed and drawn, the latest ones. A job that restarts every minute of a night
must not make a page of megabytes."""

VERDICT_KINDS = ("found", "lost", "duplicated", "out_of_order", "changed", "misplaced", "foreign")
"""As `replay verify` lists them. It is a neighbour, so its module is not imported."""

TODO: Mapping[int, str] = {
    ExitCode.DIFFERENT: "Look at where the topic differs, below.",
    ExitCode.USAGE: "Correct the option it names.",
    ExitCode.INPUT: "Correct the file it names.",
    ExitCode.STATE_CONFLICT: "Put back what changed, or start over with --restart, which sends all rows again.",
    ExitCode.BROKER_UNAVAILABLE: "Run the same command again once the broker is back: it resumes without duplicates.",
    ExitCode.LOCKED: "Wait for the other instance.",
    ExitCode.PRODUCER_FATAL: "Put right what the broker complains about, then run again: it resumes.",
    ExitCode.CHECKPOINT_UNWRITABLE: "Put the folder right, then run again: it resumes.",
    ExitCode.BUG: "This is a bug in replay: report it with the output of --debug. Progress is safe.",
}
"""What helps, as in the README's table."""

_AGAIN = "Run the same command again: it resumes without duplicates."

_SAYS: Mapping[RunState, str] = {
    RunState.DONE: "Every row that is to be there is in the topic.",
    RunState.STOPPED: "It was stopped by a signal, and what was in flight was waited for.",
    RunState.INTERRUPTED: "The process ended without a word: it was killed, or the machine went off.",
    RunState.RUNNING: "It is under way; this page is how it was at the time below.",
    RunState.UNKNOWN: "No run is on record: the history of runs was lost, or there was none.",
}


def check_installed() -> None:
    """Raises `UsageError` where the extra is missing. It is called before a replay, which may take hours."""
    for library in ("jinja2", "matplotlib"):
        if importlib.util.find_spec(library) is None:
            what = f"the report needs {library}, which is not installed"
            raise UsageError(what, where="--report", todo=install_extra("report"))


def render(data: ReportData, zone: tzinfo = UTC) -> str:
    """The page. Raises `UsageError` where the libraries for it are not installed."""
    check_installed()
    environment, runs, marks = _environment(zone), data.runs[-RUNS_MAX:], _marks(data)
    return environment.get_template("report.html.jinja").render(
        data=data,
        zone=_zone_name(zone, data.made_s),
        says=_says(data),
        todo=_todo(data),
        rows_per_s=rows_per_s(data.runs),
        runs=runs,
        runs_before=max(0, len(data.runs) - RUNS_MAX),
        inputs=data.inputs[:INPUTS_TOP],
        plots=over_time(data, runs, marks, zone),
        marks=marks,
        marks_before=len(data.all_marks()) - len(marks),
        symbols=_counts(data.symbols),
        partitions=_counts(data.partitions),
        kinds=VERDICT_KINDS,
        settings=[(name, masked(name, value), origin) for name, value, origin in data.settings],
        version=__version__,
    )


def _environment(zone: tzinfo) -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - an extra, and only for this

    environment = Environment(
        loader=PackageLoader("replay.watch.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters.update(
        count="{:,}".format,
        count_of=_count_of,
        percent=_percent,
        lasting=duration,
        moment=lambda at_s: datetime.fromtimestamp(at_s, zone).strftime("%Y-%m-%d %H:%M:%S"),
        iso=lambda at_s: datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds"),
        outcome=_outcome,
    )
    return environment


def _shown(value: object) -> object:
    """Texts without control characters, of which HTML allows few. Markup is our own, and stays."""
    return printable(value) if type(value) is str else value


# -- in words ---------------------------------------------------------------------------------------------


def _zone_name(zone: tzinfo, at_s: float) -> str:
    return getattr(zone, "key", None) or datetime.fromtimestamp(at_s, zone).tzname() or "local time"


def _outcome(run: Run) -> str:
    """`Failed, exit 5`."""
    word = run.state.word
    return word if run.exit_code in (None, ExitCode.DONE) else f"{word}, exit {run.exit_code}"


def _says(data: ReportData) -> str:
    """With a full stop. A reason keeps its first letter: it may begin with a place, as in `kafka-1:9092: no answer`."""
    if data.state is not RunState.FAILED:
        return _SAYS[data.state]
    reason = data.runs[-1].reason or "It gave no reason."
    return reason if reason.endswith((".", "!", "?")) else f"{reason}."


def _todo(data: ReportData) -> str:
    if data.state in (RunState.STOPPED, RunState.INTERRUPTED):
        return _AGAIN
    return TODO.get(data.runs[-1].exit_code or 0, _AGAIN) if data.state is RunState.FAILED else ""


def _count_of(things: Sized | int, name: str) -> str:
    """`1 run`, `12 runs`."""
    number = things if isinstance(things, int) else len(things)
    return f"{number:,} {name}" + ("" if number == 1 else "s")


def _percent(share: float) -> str:
    """`100 %` only of what is complete, `0 %` only of nothing."""
    if 0.0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1.0:
        return "> 99.9 %"
    return f"{share:.1%}".replace("%", " %").replace(".0 ", " ")


def _counts(counts: ByName) -> list[tuple[str, int, float, int]]:
    """Name, rows and share, the largest first; at last the others as one line, with the number of their names."""
    largest = sorted(counts.rows.items(), key=lambda item: -item[1])
    rows = sum(counts.rows.values()) + counts.others_rows or 1
    lines = [(name, number, number / rows, 0) for name, number in largest[:TOP]]
    if rest := counts.names - len(lines):
        left = sum(number for _, number in largest[TOP:]) + counts.others_rows
        lines.append(("", left, left / rows, rest))
    return lines


# -- over time --------------------------------------------------------------------------------------------


def _marks(data: ReportData) -> list[Mark]:
    """Those of the runs that are shown. A mark's number in table and plots is its place in this list."""
    first_s = data.runs[-RUNS_MAX:][0].begun_s if data.runs else 0.0
    return [mark for mark in data.all_marks() if mark.from_s >= first_s][-EVENTS_MAX:]
