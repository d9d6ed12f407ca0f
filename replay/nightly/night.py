"""One replay with all that is around it: looking for the date's files, watching, reading the topic back.

What `replay run` and the Python API have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial

from replay.delivery import job
from replay.delivery.job_name import JobName
from replay.delivery.options import RunOptions
from replay.delivery.snapshot import Snapshot
from replay.errors import Different
from replay.model import SystemClock
from replay.nightly import missing
from replay.nightly.missing import Found
from replay.nightly.waiting import Sleeper
from replay.reporter import Reporter
from replay.signals import Stop
from replay.verify.verdict import Verdict
from replay.verify.written import read_back
from replay.watch.around import Shown, WatchOptions, watching
from replay.watch.history.database import History
from replay.watch.run import DAY_OFF, RunInfo


@dataclass(frozen=True, slots=True)
class Night:
    """`info` says what is kept of the run in the history. `verify`: read the topic back in the end."""

    options: RunOptions
    name: JobName
    watch: WatchOptions
    info: RunInfo
    verify: bool


def files_of_date(
    inputs: tuple[str, ...], name: JobName, policy: missing.Policy, report: Reporter, stop: Stop
) -> Found | None:
    """What became of a date without a file; None where nothing was asked for about such dates. Raises `Stopped`."""
    if name.day is None or policy.is_default:
        return None
    there = partial(missing.has_files, inputs)
    found = missing.look_for(name.day, there, policy, report, Sleeper(SystemClock(), lambda: stop.is_asked))
    stop.check()
    return found


def info(
    options: RunOptions, name: JobName, found: Found | None, texts: Mapping[str, str], origins: Mapping[str, str]
) -> RunInfo:
    """What the history keeps of the run: of its options those that are not as they are by default."""
    return RunInfo(
        job=name.job or options.kafka.topic,
        date=str(name.day) if name.day is not None else None,
        command=DAY_OFF if found is Found.OFF else "run",
        topic=options.kafka.topic,
        checkpoint=str(options.checkpoint),
        options=texts,
        origins=origins,
    )


def run(
    night: Night,
    found: Found | None,
    stop: Stop,
    display: Shown,
    show: Callable[[Verdict], None],
    live: AbstractContextManager[object] | None = None,
) -> Snapshot | None:
    """Replay, unless the date is a day off; None then. `show` gets what reading the topic back found, whatever it is.

    Raises a `ReplayError` for every end but success. A topic that differs from the source is a failure like any other
    (`Different`): notification, metrics and history have it.
    """
    with (
        watching(night.watch, History.in_folder(night.name.state_dir), night.info, display) as seen,
        live or nullcontext(),
    ):
        if found is Found.OFF:  # a success, which notification, metrics and history have, too
            return None
        ended = job.run(night.options, stop, seen.reporter)
        if night.verify and not ended.nothing_selected:
            verdict = read_back(night.options, seen.reporter, stop.check)
            show(verdict)
            seen.recorder.verified(verdict.as_json())
            if not verdict.exact:
                raise Different(verdict.differences(), where=verdict.topic, todo="the table says where")
        return ended
