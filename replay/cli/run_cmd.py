"""`replay run`."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from loguru import logger

from replay.cli import resolve
from replay.cli.call import Call, stop_on_signals
from replay.cli.given import COMMAND_LINE
from replay.cli.output import pairs, write_if_possible
from replay.cli.terminal import Terminal, log_lines, summary_lines, terminal_on
from replay.delivery.job_name import JobName
from replay.delivery.options import RunOptions
from replay.errors import AS_TOLD, UsageError, as_told, exit_code
from replay.kafka.embedded import EmbeddedBroker
from replay.nightly import night
from replay.nightly.missing import Found
from replay.nightly.night import Night
from replay.signals import Stop
from replay.verify.verdict import Verdict, verdict_table


def run(call: Call) -> None:
    embedded = call.options["embedded"]
    with ExitStack() as stack:
        name = resolve.job_name(call.options)
        if embedded:
            name = replace(name, folder=Path())  # until there is one that ends with this process
        options, absent = resolve.whole_run(call.options, name)
        if embedded:
            options = _embedded(options, call.options["checkpoint"], stack)
            name = replace(name, folder=options.checkpoint.parent)  # no history outlives it either
        stop = stop_on_signals()  # one for all of it: none is lost between two
        _warn(call, name)
        found = night.files_of_date(options.source.inputs, name, absent, log_lines(), stop)
        if found is not Found.SKIPPED:
            _replay(call, options, name, found, stop)


def _warn(call: Call, name: JobName) -> None:
    given = call.options.by_field["restart"]
    if given.value and given.origin != COMMAND_LINE:
        log_lines().warning(f"{given.origin} says restart: every run, each retry too, sends all rows again")
    date = call.options["date"]
    if date is not None and date != str(name.day):
        log_lines().info(f"the date is {name.day}, {date} in {name.timezone}")


def _embedded(options: RunOptions, checkpoint: str, stack: ExitStack) -> RunOptions:
    """A broker and a checkpoint that both end with this process."""
    if options.kafka.bootstrap_servers or checkpoint:
        raise UsageError(
            "a broker inside this process has no address to give and no progress to remember",
            where="--embedded",
            todo="drop --bootstrap-servers and --checkpoint (or their REPLAY_ variables), or drop --embedded",
        )
    if "security.protocol" in options.kafka.settings:
        todo = "drop --security (or -X security.protocol), or drop --embedded"
        raise UsageError("a broker inside this process has neither TLS nor logins", where="--embedded", todo=todo)
    broker = stack.enter_context(EmbeddedBroker(options.kafka.topic))
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="replay-embedded-"))
    logger.warning("embedded broker: topic, records and checkpoint are gone when this command ends")
    return replace(
        options,
        checkpoint=Path(folder) / "checkpoint.json",
        kafka=replace(options.kafka, bootstrap_servers=broker.bootstrap_servers, create_topic=None),
    )


def _replay(call: Call, options: RunOptions, name: JobName, found: Found | None, stop: Stop) -> None:
    """With a display; it says how the replay ended."""
    began_s = time.monotonic()
    quiet = call.options["quiet"]
    watch = resolve.watch_options(call.options, name, options.kafka.topic)
    terminal = terminal_on(call.console, options.progress_interval_s, quiet=quiet)
    info = night.info(options, name, found, call.options.texts(), call.options.origins())
    verdicts: list[Verdict] = []
    outcome = "stopped"
    try:
        replayed = Night(options, name, watch, info, call.options["verify_after"])
        night.run(replayed, found, stop, terminal, verdicts.append, terminal.live())
        outcome = "done"
    except AS_TOLD as error:
        outcome = f"exit {int(exit_code(error))}: {as_told(error).what}"
        raise
    finally:
        if watch.summary_json != "-":  # which tells of it, too
            if not quiet:
                _show_summary(terminal, options, outcome, time.monotonic() - began_s)
            for verdict in verdicts:
                call.results.show(verdict_table(verdict))


def _show_summary(terminal: Terminal, options: RunOptions, outcome: str, took_s: float) -> None:
    """On standard output, if it can be: the replay has ended as it has ended."""
    last = terminal.last
    if last is not None and (last.sending_s or last.done_rows):
        lines = summary_lines(last, options.kafka.topic, str(options.checkpoint), outcome, took_s)
        write_if_possible(pairs(lines))
