"""The command line: options to `RunOptions`, signals to `Stop`, errors to exit codes. No work is done here.

Everything heavy is imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import io
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from replay import __version__, signals, units
from replay.cli import parse
from replay.cli.options import (
    Ending,
    FirstOffsets,
    Input,
    Isolation,
    JobName,
    LogFormat,
    Logging,
    MissingDays,
    Naming,
    Pacing,
    Retrying,
    Sending,
    TableFormat,
    Target,
    TopicName,
    Watching,
    default_state_dir,
    opt,
    told,
)
from replay.cli.options import takes as takes_groups
from replay.cli.origins import LOOK_ONLY, blamed, came_from, warn_of_variables
from replay.delivery.options import PROGRESS_S, Pace, RunOptions
from replay.errors import AS_TOLD, BEGIN_ANEW, GO_ON, Different, ExitCode, Stopped, UsageError, as_told, exit_code
from replay.kafka.options import KafkaOptions
from replay.source.options import Empty, SourceOptions

app = typer.Typer(
    name="replay",
    help="Replay historical trades from Parquet into Kafka: in order, paced, checkpointed, resumed without duplicates.",
    epilog="Start with:  replay demo  |  Then look before you send:  replay plan data --rate 5000/s",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def takes(command: Callable[..., Any]) -> Callable[..., Any]:
    """See `replay.cli.options.takes`; errors in a job file are told like all others."""
    return takes_groups(command, lambda logging: _command(logging))  # noqa: PLW0108 - it stands further down


def main() -> None:
    """The `replay` command."""
    app(prog_name="replay")


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    if version:
        typer.echo(f"replay {__version__}")
        raise typer.Exit


@app.command(
    epilog="Examples:  replay run data --topic trades --bootstrap-servers localhost:9092 --create-topic 6 --rate 5000/s"
    "  |  replay run data --topic trades --embedded"
)
@takes
def run(
    context: typer.Context,
    source: Input,
    naming: Naming,
    target: Target,
    pacing: Pacing,
    sending: Sending,
    absent: MissingDays,
    watching: Watching,
    ending: Ending,
    logging: Logging,
    topic: TopicName = None,
) -> None:
    """Start or resume one replay. Run it again after any failure: it sends only what is missing."""
    with _command(logging) as console, ExitStack() as stack:
        name = naming.parsed()
        if ending.embedded:
            name = replace(name, folder=Path())  # until there is one that ends with this process
        rows, kafka = source.parsed(name), target.parsed(topic, name, needed=not ending.embedded)
        missing = absent.parsed()
        if name.day is not None and missing.is_off(name.day):  # a file of many days has no row of this one
            rows = replace(rows, empty=Empty.OK)
        options = replace(sending.parsed(name, rows, kafka), pace=pacing.parsed(), restart=ending.restart)
        if ending.embedded:
            options = _embedded(options, sending.checkpoint, stack)
            name = replace(name, folder=options.checkpoint.parent)  # no history outlives it either
        stop = _stop_on_signals()  # one for all of it: none is lost between two
        if ending.restart and (came := came_from(context, "restart")) != "command line":
            _reporter().warning(f"{came} says restart: every run, each retry too, sends all rows again")
        if naming.date is not None and naming.date != str(name.day):
            _reporter().info(f"the date is {name.day}, {naming.date} in {name.timezone}")
        found = _files_of_date(source, name, missing, stop)
        if found != "skipped":
            off = found == "a day off"
            verify_after = ending.verify_after
            _replay(
                options,
                name,
                context,
                watching,
                console,
                stop,
                quiet=logging.quiet,
                verify_after=verify_after,
                day_off=off,
            )


@app.command(epilog="Example:  replay demo")
@takes
def demo(logging: Logging) -> None:
    """Replay the shipped trades into an embedded broker, kill the replay half-way, resume it, check the topic."""
    with _command(logging) as console:
        from replay.cli.demo import run_demo  # noqa: PLC0415

        if not run_demo(console):
            raise typer.Exit(ExitCode.DIFFERENT)


@app.command(
    epilog="Example:  replay verify data --topic trades --bootstrap-servers localhost:9092 --checkpoint trades.json"
)
@takes
def verify(
    source: Input,
    naming: Naming,
    target: Target,
    logging: Logging,
    topic: TopicName = None,
    checkpoint: Annotated[
        str,
        typer.Option("--checkpoint", help="Look only at what this replay wrote. [default: that of --job and --date]"),
    ] = "",
    first_offsets: FirstOffsets = None,
    end_offsets: Annotated[
        str | None, typer.Option("--end-offsets", help="Look at offsets before these, one a partition. [default: all]")
    ] = None,
    isolation: Annotated[Isolation, typer.Option("--isolation", help="As which reader.")] = Isolation.READ_COMMITTED,
    allow_foreign: Annotated[
        bool, typer.Option("--allow-foreign", help="Records of others are reported, but are no difference.")
    ] = False,
    table_format: Annotated[TableFormat, typer.Option("--format", help="Of the result.")] = TableFormat.TABLE,
) -> None:
    """Read the topic back and compare it with the source: lost, duplicated, out of order, changed. Exit 0 or 1."""
    with _command(logging) as console:
        name = naming.parsed()
        rows = source.parsed(name)
        starts = parse.parse_offsets(first_offsets, "--first-offsets") if first_offsets else None
        ends = parse.parse_offsets(end_offsets, "--end-offsets") if end_offsets else None
        kafka = target.parsed(topic, name)
        from replay.cli import written  # noqa: PLC0415

        found = written.find(name, kafka.topic, checkpoint)
        if found is not None:
            from replay.delivery.known_tables import as_known  # noqa: PLC0415

            rows = as_known(rows, found.path, also_done=True)
            starts = starts if starts is not None else found.starts
            ends = ends if ends is not None else found.ends
            allow_foreign = allow_foreign or found.is_shared
        _verify(rows, kafka, console, starts, ends, isolation, table_format, allow_foreign=allow_foreign)


class OnFailure(StrEnum):
    STOP = "stop"
    GO_ON = "go-on"


Retries = Annotated[int, opt("--retries", "After exit 5 or 6, try so many times more.", min=0)]
Failing = Annotated[OnFailure, opt("--on-failure", "Later days come after one that failed: never, or all the same.")]


@app.command(
    epilog="Examples:  replay backfill '/data/{date}/*.parquet' --topic trades --from 2026-11-01 --to 2026-11-08"
    "  |  replay backfill archive --config nightly.toml --from -7 --to today"
)
@takes
def backfill(
    context: typer.Context,
    source: Input,
    naming: Naming,
    target: Target,
    pacing: Pacing,
    sending: Sending,
    retrying: Retrying,
    absent: MissingDays,
    watching: Watching,
    logging: Logging,
    topic: TopicName = None,
    retries: Retries = 3,
    on_failure: Failing = OnFailure.STOP,
    newest_first: Annotated[bool, typer.Option("--newest-first", help="The newest day first.")] = False,
    parallel: Annotated[
        int, typer.Option("--parallel", min=1, help="So many days at a time; each needs a topic of its own.")
    ] = 1,
) -> None:
    """One replay per day in [--from, --to), oldest first; days that are done are skipped."""
    with _command(logging):
        from replay.cli import commands  # noqa: PLC0415

        plan, days = commands.backfill_plan(
            context,
            source,
            naming,
            topic,
            retries=retrying.parsed(retries),
            absent=absent.parsed(),
            go_on=on_failure is OnFailure.GO_ON,
            newest_first=newest_first,
            parallel=parallel,
        )
        # What the days have in common is checked once, before the first of them begins.
        first = naming.parsed(days[0])
        sending.parsed(first, replace(source, from_=None, to=None).parsed(first), target.parsed(topic, first))
        pacing.parsed()
        watching.parsed(first, topic)
        report = _reporter()
        for lost in watching.lost_between_days() if len(days) > 1 else ():
            report.warning(lost)
        raise typer.Exit(commands.run_backfill(plan, days, report, print_pairs=_print_pairs))


@app.command(
    epilog="Examples:  replay schedule '/data/{date}/*.parquet' --topic trades --cron '0 2 * * *'"
    "  |  replay schedule --config nightly.toml"
)
@takes
def schedule(
    context: typer.Context,
    source: Input,
    naming: Naming,
    target: Target,
    pacing: Pacing,
    sending: Sending,
    retrying: Retrying,
    absent: MissingDays,
    watching: Watching,
    logging: Logging,
    topic: TopicName = None,
    cron: Annotated[str | None, opt("--cron", 'When: "0 2 * * *" (minute hour day month weekday).')] = None,
    jitter: Annotated[str, opt("--jitter", "Begin up to so much later, by chance.")] = "0s",
    catch_up: Annotated[int, opt("--catch-up", "Missed dates to make good, at most; the newest.", min=0)] = 7,
    retries: Retries = 5,
    on_failure: Failing = OnFailure.STOP,
) -> None:
    """Stay and replay each logical date when its time comes; missed dates are caught up.

    The date is that of the day before, unless --date says otherwise (today, -2).
    """
    with _command(logging):
        from replay.cli import commands  # noqa: PLC0415

        pacing.parsed()
        watching.parsed(naming.parsed(date.today()), topic)
        jobs = commands.scheduled_jobs(
            context,
            source,
            naming,
            target,
            sending,
            topic,
            cron,
            jitter,
            catch_up,
            retries,
            retrying,
            on_failure.value,
            absent,
        )
        for job in jobs:
            _check_run(context, job.args(date.today()))
        report = _reporter()
        for lost in commands.shared_files(watching, naming) if len(jobs) > 1 else ():
            report.warning(lost)
        raise typer.Exit(commands.run_schedule(jobs, report))


@app.command(epilog="Example:  replay plan data --rate 5000/s --partitions 6 --scan")
@takes
def plan(
    source: Input,
    naming: Naming,
    target: Target,
    pacing: Pacing,
    logging: Logging,
    topic: TopicName = None,
    checkpoint: Annotated[str, opt("--checkpoint", "The checkpoint of the replay, if it has begun.")] = "",
    partitions: Annotated[
        int | None, typer.Option("--partitions", min=1, help="Of the topic, to see the skew. [default: the topic's]")
    ] = None,
    scan: Annotated[bool, typer.Option("--scan", help="Read every row: symbols, skew, bad rows, histogram.")] = False,
    table_format: Annotated[TableFormat, typer.Option("--format", help="Of the result.")] = TableFormat.TABLE,
) -> None:
    """Say what a replay would do: files, order, rows, times, duration, skew, problems. Sends nothing."""
    with _command(logging) as console:
        name = naming.parsed()
        kafka = target.parsed(topic, name) if topic and target.bootstrap_servers else None
        path = Path(name.dated(checkpoint, "--checkpoint")) if checkpoint else None
        if path is None and topic and name.has_state_dir:
            path = name.checkpoint(name.dated(topic, "--topic"))
        rows = source.parsed(name)
        if path is not None:
            from replay.delivery.known_tables import as_known  # noqa: PLC0415

            rows = as_known(rows, path)
        _plan(rows, kafka, pacing.parsed(), console, path, partitions, table_format, scan=scan)


@app.command(epilog="Example:  replay presets")
@takes
def presets(logging: Logging) -> None:
    """The well-known layouts that --preset takes: their columns, and where they are published."""
    with _command(logging) as console:
        from rich.table import Table  # noqa: PLC0415

        from replay.source.columns import presets as known  # noqa: PLC0415

        table = Table("name", "what", "columns", "source")
        for row in known.rows():
            table.add_row(*row)
        _results(console).show(table)


StateDir = Annotated[str, opt("--state-dir", "Folder of checkpoints and history. [default: the user's state folder]")]
AsFormat = Annotated[TableFormat, typer.Option("--format", help="Of the result.")]


@app.command(epilog="Examples:  replay status --watch 5s  |  replay status --fail-if-older-than 26h")
@takes
def status(
    logging: Logging,
    state_dir: StateDir = "",
    checkpoint: Annotated[
        list[str] | None, typer.Option("--checkpoint", help="One outside that folder, too; repeatable.")
    ] = None,
    job: Annotated[str | None, opt("--job", "Only this one.")] = None,
    watch: Annotated[str | None, typer.Option("--watch", help="Look again this often, until Ctrl-C: 5s.")] = None,
    fail_if_older_than: Annotated[
        str | None,
        typer.Option("--fail-if-older-than", help="Exit 1 if a job's last success is older, or missing: 26h."),
    ] = None,
    table_format: AsFormat = TableFormat.TABLE,
) -> None:
    """Every job and date: done, running, interrupted or failed; rows, rate, age."""
    with _command(logging, logs=False) as console:
        from replay.cli import looking  # noqa: PLC0415

        interval_s = units.parse_duration_s(watch, "--watch", units.WATCH_S) if watch is not None else None
        age_s = units.parse_duration_s(fail_if_older_than, "--fail-if-older-than") if fail_if_older_than else None
        looking.show_status(
            Path(state_dir) if state_dir else default_state_dir(),
            [Path(each) for each in checkpoint or []],
            job,
            _results(console),
            as_json=table_format is TableFormat.JSON,
            interval_s=interval_s,
            age_s=age_s,
        )


@app.command(epilog="Example:  replay history --job nightly --limit 20")
@takes
def history(
    logging: Logging,
    state_dir: StateDir = "",
    job: Annotated[str | None, opt("--job", "Only this one.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="The newest so many.")] = 50,
    table_format: AsFormat = TableFormat.TABLE,
) -> None:
    """Past runs, the newest first: how each ended, its rows, its time."""
    with _command(logging, logs=False) as console:
        from replay.cli import looking  # noqa: PLC0415

        folder = Path(state_dir) if state_dir else default_state_dir()
        looking.show_history(folder, job, limit, _results(console), as_json=table_format is TableFormat.JSON)


@app.command(epilog="Example:  replay report nightly --date 2026-11-22 --out nightly.html")
@takes
def report(
    job: Annotated[str, typer.Argument(metavar="JOB", help="As in: replay history.")],
    logging: Logging,
    day: Annotated[str | None, typer.Option("--date", help="The logical date; none for a replay without.")] = None,
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="The page. [default: JOB-DATE.html]")] = "",
    state_dir: StateDir = "",
    timezone: Annotated[str, opt("--timezone", "The zone of yesterday, and of the times on the page.")] = "UTC",
) -> None:
    """One HTML page that tells what was replayed, how fast, and what went wrong meanwhile."""
    with _command(logging):
        from replay import dates  # noqa: PLC0415
        from replay.cli.watching import write_page  # noqa: PLC0415
        from replay.watch.history.database import History  # noqa: PLC0415
        from replay.watch.report import page as html_report  # noqa: PLC0415

        html_report.check_installed()
        today = dates.today_in(timezone, time.time())
        told_day = str(dates.parse_date(day, today)) if day is not None else None
        path = Path(out or "-".join(filter(None, (job, told_day))) + ".html")
        folder = Path(state_dir) if state_dir else default_state_dir()
        try:
            write_page(History.in_folder(folder), job, told_day, path, time.time(), ZoneInfo(timezone))
        except OSError as error:
            raise UsageError(error.strerror or str(error), where=str(path), todo="name another file: --out") from None
        typer.echo(str(path))


configs = typer.Typer(help="Look at the options of a replay.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(configs, name="config")


@configs.command("show", epilog="Example:  replay config show --config nightly.toml --job trades --date yesterday")
@takes
def config_show(
    context: typer.Context,
    source: Input,
    naming: Naming,
    target: Target,
    pacing: Pacing,
    sending: Sending,
    watching: Watching,
    ending: Ending,  # noqa: ARG001 - to be shown
    logging: Logging,
    topic: TopicName = None,
) -> None:
    """Every option of a run as it is in the end, and where it came from; secrets are masked. Takes what `run` takes."""
    with _command(logging) as console:
        name = naming.parsed()
        # What is not given is shown as it is; what is given is checked: any day, topic and input serve for that.
        some = replace(name, folder=Path(), day=name.day or date.today())
        rows = replace(source, inputs=source.inputs or ["-"]).parsed(some)
        sending.parsed(some, rows, target.parsed(topic or "-", some, needed=False))
        watching.parsed(some, topic, places=False)
        pacing.parsed()
        lines = [(each.name, f"{each.text or '-'}  ({each.origin})") for each in told(context)]
        if name.day is not None and rows.selection is not None and rows.selection.by_date:
            lines.append(("picked", f"{rows.selection.told_by_date}  (--date, as INPUT has no {{date}})"))
        _results(console).pairs(lines)


class Layout(StrEnum):
    BY_DAY = "by-day"
    BY_SYMBOL = "by-symbol"


@app.command(epilog="Example:  replay sample big --rows 10M --symbols 50 --days 3 --layout by-symbol")
@takes
def sample(
    out: Annotated[Path, typer.Argument(help="Folder to write to.")],
    logging: Logging,
    rows: Annotated[str, typer.Option("--rows", help="20k, 10M, ...")] = "20k",
    symbols: Annotated[int, typer.Option("--symbols", min=1, help="So many different ones.")] = 5,
    days: Annotated[int, typer.Option("--days", min=1, help="So many, from 2026-11-02 on.")] = 2,
    layout: Annotated[Layout, typer.Option("--layout", help="A file a day, or overlapping files, one a symbol.")] = (
        Layout.BY_DAY
    ),
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed, other trades.")] = 7,
) -> None:
    """Write made-up trades: the same command writes the same bytes."""
    with _command(logging):
        from replay.source import sample as generator  # noqa: PLC0415

        try:
            spec = generator.SampleSpec(units.parse_rows(rows, "--rows"), symbols, days, generator.Layout(layout), seed)
            paths = generator.write_sample(out, spec)
        except (ValueError, FileExistsError) as error:
            raise UsageError(str(error), where="sample") from None
        except OSError as error:
            raise UsageError(error.strerror or str(error), where=str(out), todo="choose another folder") from None
        typer.echo(
            f"{spec.rows:,} rows in {len(paths)} file(s): {', '.join(map(str, paths[:5]))}"
            + (" ..." if len(paths) > 5 else "")
        )


checkpoints = typer.Typer(
    help="Look at a checkpoint, forget it, or make it again from the topic.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(checkpoints, name="checkpoint")
CheckpointPath = Annotated[Path, typer.Argument(metavar="FILE", help="The checkpoint.")]


@checkpoints.command("show", epilog="Example:  replay checkpoint show trades.json")
@takes
def checkpoint_show(path: CheckpointPath, logging: Logging) -> None:
    """Say what a checkpoint knows."""
    with _command(logging) as console:
        from replay.delivery import admin  # noqa: PLC0415

        _results(console).pairs(admin.describe(admin.show(path)))


@checkpoints.command("reset", epilog="Example:  replay checkpoint reset trades.json --yes")
@takes
def checkpoint_reset(
    path: CheckpointPath,
    logging: Logging,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Forget a checkpoint: the next run sends every row, also those that are in the topic."""
    with _command(logging):
        from replay.delivery import admin  # noqa: PLC0415

        if not yes:
            typer.confirm(
                f"Forget {path}? The next run sends all rows again, and the topic keeps the old ones", abort=True
            )
        admin.reset(path)
        typer.echo(f"{path} is forgotten")


@checkpoints.command(
    "rebuild",
    epilog="Example:  replay checkpoint rebuild data --topic trades --bootstrap-servers localhost:9092"
    " --checkpoint trades.json",
)
@takes
def checkpoint_rebuild(
    source: Input,
    naming: Naming,
    target: Target,
    sending: Sending,
    logging: Logging,
    topic: TopicName = None,
    first_offsets: FirstOffsets = None,
) -> None:
    """Make a lost checkpoint again, by reading from the topic which rows it holds. Takes what `run` takes."""
    with _command(logging) as console:
        from replay.cli.terminal import Terminal, draws  # noqa: PLC0415
        from replay.delivery import admin  # noqa: PLC0415

        name = naming.parsed()
        options = sending.parsed(name, source.parsed(name), target.parsed(topic, name))
        offsets = parse.parse_offsets(first_offsets, "--first-offsets") if first_offsets else None
        with Terminal(console, options.progress_interval_s, bar=draws(console)).live() as terminal:
            rebuilt = admin.rebuild(options, offsets, _stop_on_signals(BEGIN_ANEW), terminal)
        _results(console).pairs(admin.describe(rebuilt))


# -- around a command -------------------------------------------------------------------------------------


@contextmanager
def _command(logging: Logging, *, logs: bool = True) -> Iterator[Any]:
    """Logging before, one clear error and the right exit code after. No traceback, unless asked for.

    Without `logs` logging is set up when there is something to tell: what has to answer at once does without.
    """
    from rich.console import Console  # noqa: PLC0415

    from replay.cli.output import DRAWN  # noqa: PLC0415

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=DRAWN)  # a path need not be text
    console = Console(stderr=True, emoji=False, no_color=logging.no_color or None)  # :b: in a path stays what it is
    logs = logs or logging.log_file is not None
    try:
        if logs:
            _set_up_logging(logging, console)
        yield console
    except (typer.Exit, typer.Abort):
        raise
    except BrokenPipeError:  # whoever reads has read enough
        raise typer.Exit(128 + signal.SIGPIPE) from None
    except Exception as error:
        if not logs:
            _set_up_logging(logging, console)
        raise typer.Exit(_log_error(blamed(error), debug=logging.debug)) from None


def _set_up_logging(logging: Logging, console: Any) -> None:
    from loguru import logger  # noqa: PLC0415

    from replay.watch.logs.file import parse_log_file  # noqa: PLC0415
    from replay.watch.logs.setup import set_up_logging  # noqa: PLC0415

    as_json = logging.log_format is LogFormat.JSON
    set_up_logging(json=as_json, debug=logging.debug, quiet=logging.quiet, console=console)
    if logging.log_file is not None:
        file = parse_log_file(logging.log_file, logging.log_rotate, logging.log_keep)
        set_up_logging(json=as_json, debug=logging.debug, quiet=logging.quiet, console=console, file=file)
    warn_of_variables(logger.warning)


def _log_error(error: Exception, *, debug: bool) -> int:
    """What went wrong, as the last line; the exit code that says the same."""
    from loguru import logger  # noqa: PLC0415

    from replay.watch.logs.lines import fields_of  # noqa: PLC0415

    code = exit_code(error)
    line = logger.bind(**fields_of(error))
    if debug:
        line.opt(exception=True).debug("traceback of the error below")
    line = line.bind(exit_code=int(code))
    if isinstance(error, Stopped):
        line.log("INFO" if error.is_clean else "WARNING", "{}", error)  # as somebody asked for: no error
    elif isinstance(error, AS_TOLD):
        line.error("{}", as_told(error))
    else:
        line.error(
            "this is a bug in replay: {}: {}\n  -> please report it with the output of --debug; progress is safe",
            type(error).__name__,
            error,
        )
    return int(code)


def _files_of_date(source: Input, name: JobName, missing: Any, stop: Any) -> Any:
    """What became of a date without a file; None where nothing was asked for about such dates."""
    if name.day is None or missing.is_default:
        return None
    from replay.cli.commands import look_before_run  # noqa: PLC0415

    return look_before_run(source, name.day, missing, _reporter(), stop)


def _replay(
    options: RunOptions,
    name: JobName,
    context: typer.Context,
    watched: Watching,
    console: Any,
    stop: Any,
    *,
    quiet: bool,
    verify_after: bool,
    day_off: bool,
) -> None:
    """Run with signals, display and whoever watches attached, and say how it ended. A topic that differs from the
    source is a failure like any other: whoever watches hears of it."""
    began_s = time.monotonic()
    from replay.cli.terminal import Terminal, draws, summary_lines  # noqa: PLC0415
    from replay.cli.watching import watching  # noqa: PLC0415
    from replay.delivery import job  # noqa: PLC0415
    from replay.watch.history.database import History  # noqa: PLC0415
    from replay.watch.run import DAY_OFF, RunInfo  # noqa: PLC0415

    watch = watched.parsed(name, options.kafka.topic)
    given = [each for each in told(context) if each.origin != "default"]
    info = RunInfo(
        job=name.job or options.kafka.topic,
        date=str(name.day) if name.day is not None else None,
        command=DAY_OFF if day_off else "run",
        topic=options.kafka.topic,
        checkpoint=str(options.checkpoint),
        options={each.name: each.text for each in given},
        origins={each.name: each.origin for each in given},
    )
    terminal = Terminal(console, options.progress_interval_s, bar=draws(console) and not quiet)
    outcome, verdict = "stopped", None
    try:
        with (
            watching(watch, History.in_folder(name.state_dir), info, terminal) as seen,
            terminal.live(),
        ):
            ended = None
            if not day_off:  # that is a success: whoever watches is to know that the night was no failure
                ended = job.run(options, stop, seen.reporter)
            if verify_after and ended is not None and not ended.nothing_selected:
                verdict = _read_back(options, seen.reporter, stop)
                seen.verified(verdict.as_json())
                if not verdict.exact:
                    raise Different(verdict.differences(), where=verdict.topic, todo="the table says where")
        outcome = "done"
    except AS_TOLD as error:
        outcome = f"exit {int(exit_code(error))}: {as_told(error).what}"
        raise
    finally:
        last = terminal.last
        has_begun = last is not None and (last.sending_s or last.done_rows)
        if last is not None and has_begun and not quiet and watch.summary_json != "-":
            took_s = time.monotonic() - began_s
            _print_pairs(summary_lines(last, options.kafka.topic, str(options.checkpoint), outcome, took_s))
        if verdict is not None and watch.summary_json != "-":  # which tells of it, too
            from replay.verify.verdict import verdict_table  # noqa: PLC0415

            _results(console).show(verdict_table(verdict))


def _check_run(context: typer.Context, args: Sequence[str]) -> None:
    """Look at the options of a `replay run` that is to come: what cannot work is told now, and not at night."""
    root = context.find_root()
    command = root.command.commands[args[0]]  # type: ignore[attr-defined]  # it is a group
    with command.make_context(args[0], list(args[1:]), parent=root) as later:
        later.meta[LOOK_ONLY] = True
        given = command.invoke(later)
        name = given["naming"].parsed()
        kafka = given["target"].parsed(given["topic"], name)
        given["sending"].parsed(name, given["source"].parsed(name), kafka)
        given["pacing"].parsed()
        given["watching"].parsed(name, kafka.topic)


def _read_back(options: RunOptions, reporter: Any, stop: Any) -> Any:
    """Of the topic, what this replay wrote, and maybe others since."""
    from replay.delivery import admin  # noqa: PLC0415
    from replay.delivery.known_tables import as_known  # noqa: PLC0415
    from replay.model import SystemClock  # noqa: PLC0415
    from replay.verify import job as verify  # noqa: PLC0415

    starts = list(admin.show(options.checkpoint).first_offsets)
    source = as_known(options.source, options.checkpoint, also_done=True)
    what = verify.VerifyOptions(source, options.kafka, starts=starts, allow_foreign=True)
    return verify.verify(what, reporter, SystemClock(), stop.check)


def _verify(
    source: SourceOptions,
    kafka: KafkaOptions,
    console: Any,
    starts: list[int] | None,
    ends: list[int] | None,
    isolation: Isolation,
    table_format: TableFormat,
    *,
    allow_foreign: bool,
) -> None:
    """Compare, show the verdict, and leave with its exit code."""
    import json  # noqa: PLC0415

    from replay.cli.terminal import Terminal, draws  # noqa: PLC0415
    from replay.model import SystemClock  # noqa: PLC0415
    from replay.verify import job as verifier  # noqa: PLC0415
    from replay.verify.verdict import verdict_table  # noqa: PLC0415

    what = verifier.VerifyOptions(
        source,
        kafka,
        isolation=str(isolation),
        starts=starts,
        ends=ends,
        allow_foreign=allow_foreign,
    )
    stop = _stop_on_signals(BEGIN_ANEW)
    terminal = Terminal(console, PROGRESS_S, bar=draws(console))
    with terminal.live():
        verdict = verifier.verify(what, terminal, SystemClock(), stop.check)
    if table_format is TableFormat.JSON:
        _results(console).write(json.dumps(verdict.as_json(), indent=1))
    else:
        _results(console).show(verdict_table(verdict))
    raise typer.Exit(verdict.exit_code)


def _plan(
    source: SourceOptions,
    kafka: KafkaOptions | None,
    pace: Pace,
    console: Any,
    checkpoint: Path | None,
    partitions: int | None,
    table_format: TableFormat,
    *,
    scan: bool,
) -> None:
    """Make the plan, ask the broker and the checkpoint where they are given, and show it."""
    import json  # noqa: PLC0415

    from replay.cli.terminal import Terminal, draws  # noqa: PLC0415
    from replay.delivery import admin  # noqa: PLC0415
    from replay.delivery import plan as planner  # noqa: PLC0415
    from replay.kafka.topic_check import topic_problems  # noqa: PLC0415
    from replay.units import duration  # noqa: PLC0415

    stop = _stop_on_signals(BEGIN_ANEW)
    terminal = Terminal(console, PROGRESS_S, bar=draws(console))
    with terminal.live():
        found = admin.look_at_topic(kafka, terminal, stop) if kafka is not None else None
        made = planner.make_plan(
            source,
            pace,
            partitions=partitions or (found.partitions if found is not None else None),
            scan=scan,
            report=terminal,
            check_stop=stop.check,
        )
        if found is not None:
            span_ns = None
            if source.records.has_event_times and made.first_ns is not None:
                span_ns = (made.first_ns, made.last_ns or made.first_ns)
            made = replace(made, problems=(*made.problems, *topic_problems(found, span_ns, time.time())))
        if checkpoint is not None and (saved := admin.load(checkpoint)) is not None:
            made = replace(made, checkpoint=f"{checkpoint}: {admin.standing(saved)}")
    if table_format is TableFormat.JSON:
        _results(console).write(json.dumps(made.as_json(), indent=1))
    else:
        _results(console).show(planner.plan_text(made, duration))


def _reporter() -> Any:
    """Log lines, for commands that run others."""
    from rich.console import Console  # noqa: PLC0415

    from replay.cli.terminal import Terminal  # noqa: PLC0415

    return Terminal(Console(stderr=True), PROGRESS_S, bar=False)


def _stop_on_signals(again: str = GO_ON) -> Any:
    from replay.signals import Stop  # noqa: PLC0415

    stop = Stop(again=again)
    signals.listen(stop.request)
    return stop


def _embedded(options: RunOptions, checkpoint: str, stack: ExitStack) -> RunOptions:
    """A broker and a checkpoint that both end with this process."""
    from loguru import logger  # noqa: PLC0415

    from replay.kafka.embedded import EmbeddedBroker  # noqa: PLC0415

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


def _results(console: Any) -> Any:
    """Target what a command found goes: standard output."""
    from replay.cli.output import Results  # noqa: PLC0415

    return Results(no_color=bool(console.no_color))


def _print_pairs(lines: list[tuple[str, str]]) -> None:
    """The summary of a replay, which has ended as it has ended."""
    from replay.cli.output import pairs, told_in_passing  # noqa: PLC0415

    told_in_passing(pairs(lines))
