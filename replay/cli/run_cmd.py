"""`replay run`."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from loguru import logger

from replay.cli import resolve
from replay.cli.call import Call, stop_on_signals
from replay.cli.options.naming import Naming
from replay.cli.options.nights import MissingDays
from replay.cli.options.pacing import Pacing
from replay.cli.options.sending import Ending, Sending
from replay.cli.options.source import Input
from replay.cli.options.target import Target
from replay.cli.options.watching import Logging, Watching
from replay.cli.output import pairs, told_in_passing
from replay.cli.terminal import Terminal, draws, log_lines, summary_lines
from replay.delivery import job
from replay.delivery.job_name import JobName
from replay.delivery.options import RunOptions
from replay.errors import AS_TOLD, Different, UsageError, as_told, exit_code
from replay.kafka.embedded import EmbeddedBroker
from replay.model import SystemClock
from replay.nightly import missing
from replay.nightly.missing import Found
from replay.nightly.waiting import Waiting
from replay.signals import Stop
from replay.source.options import Empty
from replay.verify.verdict import Verdict, verdict_table
from replay.verify.written import read_back
from replay.watch.around import watching
from replay.watch.history.database import History
from replay.watch.run import DAY_OFF, RunInfo


def run(call: Call) -> None:
    ending, sending = call.of(Ending), call.of(Sending)
    with ExitStack() as stack:
        name = resolve.job_name(call.of(Naming))
        if ending.embedded:
            name = replace(name, folder=Path())  # until there is one that ends with this process
        source = resolve.source_options(call.of(Input), name)
        kafka = resolve.kafka_options(call.of(Target), name, needed=not ending.embedded)
        absent = resolve.missing_days(call.of(MissingDays))
        if name.day is not None and absent.is_off(name.day):  # a file of many days has no row of this one
            source = replace(source, empty=Empty.OK)
        options = resolve.run_options(sending, name, source, kafka)
        options = replace(options, pace=resolve.pace(call.of(Pacing)), restart=ending.restart)
        if ending.embedded:
            options = _embedded(options, sending.checkpoint, stack)
            name = replace(name, folder=options.checkpoint.parent)  # no history outlives it either
        stop = stop_on_signals()  # one for all of it: none is lost between two
        _warn(call, name)
        found = _files_of_date(call, name, absent, stop)
        if found is not Found.SKIPPED:
            _Replay(call, options, name, stop, is_day_off=found is Found.OFF).run()


def _warn(call: Call, name: JobName) -> None:
    given = call.options.by_field["restart"]
    if given.value and given.origin != "command line":
        log_lines().warning(f"{given.origin} says restart: every run, each retry too, sends all rows again")
    naming = call.of(Naming)
    if naming.date is not None and naming.date != str(name.day):
        log_lines().info(f"the date is {name.day}, {naming.date} in {name.timezone}")


def _files_of_date(call: Call, name: JobName, absent: missing.Policy, stop: Stop) -> Found | None:
    """What became of a date without a file; None where nothing was asked for about such dates. Raises `Stopped`."""
    if name.day is None or absent.is_default:
        return None
    there = partial(missing.has_files, call.of(Input).inputs or ())
    found = missing.look_for(name.day, there, absent, log_lines(), Waiting(SystemClock(), lambda: stop.signals > 0))
    stop.check()
    return found


def _embedded(options: RunOptions, checkpoint: str, stack: ExitStack) -> RunOptions:
    """A broker and a checkpoint that both end with this process."""
    if options.kafka.bootstrap_servers or checkpoint:
        raise UsageError(
            "a broker inside this process has no address to give and no progress to remember",
            where="--embedded",
            todo="drop --bootstrap-servers and --checkpoint (or their REPLAY_ variables), or drop --embedded",
        )
    broker = stack.enter_context(EmbeddedBroker(options.kafka.topic))
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="replay-embedded-"))
    logger.warning("embedded broker: topic, records and checkpoint are gone when this command ends")
    return replace(
        options,
        checkpoint=Path(folder) / "checkpoint.json",
        kafka=replace(options.kafka, bootstrap_servers=broker.bootstrap_servers, create_topic=None),
    )


@dataclass(frozen=True, slots=True)
class _Replay:
    """One replay with signals, display and whoever watches attached; it says how it ended."""

    call: Call
    options: RunOptions
    name: JobName
    stop: Stop
    is_day_off: bool

    def run(self) -> None:
        """A topic that differs from the source is a failure like any other: whoever watches hears of it."""
        began_s = time.monotonic()
        quiet = self.call.of(Logging).quiet
        watch = resolve.watch_options(self.call.of(Watching), self.name, self.options.kafka.topic)
        console = self.call.console
        terminal = Terminal(console, self.options.progress_interval_s, bar=draws(console) and not quiet)
        history = History.in_folder(self.name.state_dir)
        outcome, verdict = "stopped", None
        try:
            with watching(watch, history, self._info(), terminal) as seen, terminal.live():
                ended = None
                if not self.is_day_off:  # that is a success: whoever watches is to know that the night was no failure
                    ended = job.run(self.options, self.stop, seen.reporter)
                if self.call.of(Ending).verify_after and ended is not None and not ended.nothing_selected:
                    verdict = read_back(self.options, seen.reporter, self.stop.check)
                    seen.verified(verdict.as_json())
                    if not verdict.exact:
                        raise Different(verdict.differences(), where=verdict.topic, todo="the table says where")
            outcome = "done"
        except AS_TOLD as error:
            outcome = f"exit {int(exit_code(error))}: {as_told(error).what}"
            raise
        finally:
            took_s = time.monotonic() - began_s
            if not quiet and watch.summary_json != "-":
                self._show_summary(terminal, outcome, took_s)
            if watch.summary_json != "-":  # which tells of it, too
                self._show_verdict(verdict)

    def _info(self) -> RunInfo:
        given = [each for each in self.call.options.told() if not each.is_default]
        topic = self.options.kafka.topic
        return RunInfo(
            job=self.name.job or topic,
            date=str(self.name.day) if self.name.day is not None else None,
            command=DAY_OFF if self.is_day_off else "run",
            topic=topic,
            checkpoint=str(self.options.checkpoint),
            options={each.option.shown: each.text for each in given},
            origins={each.option.shown: each.origin for each in given},
        )

    def _show_summary(self, terminal: Terminal, outcome: str, took_s: float) -> None:
        """On standard output, if it can be: the replay has ended as it has ended."""
        last = terminal.last
        if last is not None and (last.sending_s or last.done_rows):
            lines = summary_lines(last, self.options.kafka.topic, str(self.options.checkpoint), outcome, took_s)
            told_in_passing(pairs(lines))

    def _show_verdict(self, verdict: Verdict | None) -> None:
        if verdict is not None:
            self.call.results.show(verdict_table(verdict))
