"""The command line: options to `RunOptions`, signals to `Stop`, errors to exit codes. No work is done here.

Everything heavy is imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from replay import __version__, config, kafka_settings, parse
from replay.errors import ExitCode, ReplayError, UsageError, exit_code, printable

app = typer.Typer(
    name="replay",
    help="Replay historical trades from Parquet into Kafka: in order, paced, checkpointed, resumed without duplicates.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"


Debug = Annotated[bool, typer.Option("--debug", envvar="REPLAY_DEBUG", help="Show tracebacks and debug logs.")]
LogFormat = Annotated[Format, typer.Option("--log-format", envvar="REPLAY_LOG_FORMAT", help="Log lines on stderr.")]


Inputs = Annotated[list[str], typer.Argument(metavar="INPUT...", help="Parquet files, folders or globs.")]
TopicName = Annotated[str, typer.Option("--topic", envvar="REPLAY_TOPIC", help="The topic.")]
BootstrapServers = Annotated[
    str, typer.Option("--bootstrap-servers", envvar="REPLAY_BOOTSTRAP_SERVERS", help="host:port[,host:port...]")
]
Symbol = Annotated[
    str | None, typer.Option("--symbol", envvar="REPLAY_SYMBOL", help="One symbol for files without that column.")
]
Maps = Annotated[
    list[str] | None, typer.Option("--map", help="FIELD=COLUMN for symbol, price or event_time; repeatable.")
]
Fields = Annotated[str | None, typer.Option("--fields", envvar="REPLAY_FIELDS", help="Further columns to send: a,b,c")]
OrderOption = Annotated[
    config.Order,
    typer.Option("--order", envvar="REPLAY_ORDER", help="Merge all files by event time, or keep path order."),
]
Settings = Annotated[
    list[str] | None, typer.Option("-X", metavar="KEY=VALUE", help="Any librdkafka setting; repeatable.")
]


FirstOffsets = Annotated[
    str | None, typer.Option("--first-offsets", help="Where this replay began in each partition: 0,0,12,...")
]


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
def run(
    inputs: Inputs,
    topic: TopicName,
    bootstrap_servers: BootstrapServers = "",
    checkpoint: Annotated[
        str,
        typer.Option(
            "--checkpoint",
            envvar="REPLAY_CHECKPOINT",
            help="File that remembers what is in the topic. [default: TOPIC.json in the user's state folder]",
        ),
    ] = "",
    rate: Annotated[
        str | None, typer.Option("--rate", envvar="REPLAY_RATE", help="5000/s, 5k/s, 300k/m or max. [default: max]")
    ] = None,
    speed: Annotated[
        str | None, typer.Option("--speed", envvar="REPLAY_SPEED", help="60x: the gaps of event time, divided by 60.")
    ] = None,
    max_gap: Annotated[
        str | None, typer.Option("--max-gap", envvar="REPLAY_MAX_GAP", help="With --speed: no gap counts for more.")
    ] = None,
    symbol: Symbol = None,
    maps: Maps = None,
    fields: Fields = None,
    order: OrderOption = config.Order.EVENT_TIME,
    delivery: Annotated[
        config.Delivery,
        typer.Option("--delivery", envvar="REPLAY_DELIVERY", help="What makes re-runs exact; see the README."),
    ] = config.Delivery.IDEMPOTENT,
    job: Annotated[
        str,
        typer.Option("--job", envvar="REPLAY_JOB", help="Transactional: name of this replay. [default: the topic's]"),
    ] = "",
    progress_topic: Annotated[
        str, typer.Option("--progress-topic", envvar="REPLAY_PROGRESS_TOPIC", help="Transactional: progress records.")
    ] = "replay-progress",
    transaction_rows: Annotated[
        str, typer.Option("--transaction-rows", envvar="REPLAY_TRANSACTION_ROWS", help="Commit after this many rows,")
    ] = "131072",
    transaction_ms: Annotated[
        int, typer.Option("--transaction-ms", envvar="REPLAY_TRANSACTION_MS", min=1, help="or after this long.")
    ] = 1_000,
    create_topic: Annotated[
        str | None,
        typer.Option("--create-topic", help="PARTITIONS[:REPLICATION]: create the topic if it is missing."),
    ] = None,
    topic_config: Annotated[
        list[str] | None,
        typer.Option("--topic-config", help="KEY=VALUE for --create-topic; repeatable. [default: retention.ms=-1]"),
    ] = None,
    settings: Settings = None,
    compression: Annotated[
        config.Compression, typer.Option("--compression", envvar="REPLAY_COMPRESSION", help="Of batches.")
    ] = config.Compression.NONE,
    linger: Annotated[
        str, typer.Option("--linger", envvar="REPLAY_LINGER", help="How long a batch waits for more rows.")
    ] = "50ms",
    batch_size: Annotated[
        str, typer.Option("--batch-size", envvar="REPLAY_BATCH_SIZE", help="Bytes of a batch, at most.")
    ] = "1MB",
    batch_rows: Annotated[
        str, typer.Option("--batch-rows", envvar="REPLAY_BATCH_ROWS", help="Rows of a batch, at most.")
    ] = "10k",
    in_flight_rows: Annotated[
        str, typer.Option("--in-flight-rows", envvar="REPLAY_IN_FLIGHT_ROWS", help="Rows without an ACK, at most.")
    ] = "100k",
    in_flight_bytes: Annotated[
        str, typer.Option("--in-flight-bytes", envvar="REPLAY_IN_FLIGHT_BYTES", help="Their bytes, at most.")
    ] = "64MiB",
    broker_timeout: Annotated[
        str,
        typer.Option("--broker-timeout", envvar="REPLAY_BROKER_TIMEOUT", help="Give up (exit 5) after this outage."),
    ] = "5m",
    drain_timeout: Annotated[
        str,
        typer.Option("--drain-timeout", envvar="REPLAY_DRAIN_TIMEOUT", help="Wait this long for ACKs when stopped."),
    ] = "30s",
    checkpoint_interval: Annotated[
        str,
        typer.Option("--checkpoint-interval", envvar="REPLAY_CHECKPOINT_INTERVAL", help="Save progress this often."),
    ] = "1s",
    settle: Annotated[
        str | None,
        typer.Option(
            "--settle",
            envvar="REPLAY_SETTLE",
            help="After a crash, wait this long for late rows. [default: from the topic's replication]",
        ),
    ] = None,
    verify_after: Annotated[
        bool, typer.Option("--verify", help="Read the topic back at the end and compare; exit 1 if it differs.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check/--no-check", envvar="REPLAY_CHECK", help="Read every row before the first is sent."),
    ] = True,
    restart: Annotated[
        bool, typer.Option("--restart", help="Forget the checkpoint and send all rows (again): duplicates them.")
    ] = False,
    allow_appended: Annotated[
        bool, typer.Option("--allow-appended", help="Go on though files were added that sort after the position.")
    ] = False,
    embedded: Annotated[
        bool, typer.Option("--embedded", help="Replay into a broker inside this process; nothing outlives it.")
    ] = False,
    progress_seconds: Annotated[
        float, typer.Option("--progress-seconds", min=0.1, help="Progress lines this often when not on a terminal.")
    ] = 10.0,
    log_format: LogFormat = Format.TEXT,
    debug: Debug = False,
) -> None:
    """Start or resume one replay. Run it again after any failure: it sends only what is missing."""
    with _command(log_format, debug=debug) as console, ExitStack() as stack:
        kafka = replace(
            _kafka_options(topic, bootstrap_servers, settings),
            create_topic=parse.parse_topic_spec(create_topic) if create_topic else None,
            # Trades are older than any default retention, so a topic made for them keeps them.
            topic_config={"retention.ms": "-1", **parse.parse_assignments(topic_config or [], "--topic-config")},
            linger_ms=parse.parse_duration_s(linger, "--linger", parse.LINGER_S) * 1_000,
            batch_bytes=parse.parse_bytes(batch_size, "--batch-size", parse.BATCH_BYTES),
            batch_rows=parse.parse_rows(batch_rows, "--batch-rows", parse.BATCH_ROWS),
            compression=compression,
            in_flight_rows_max=parse.parse_rows(in_flight_rows, "--in-flight-rows", parse.IN_FLIGHT_ROWS),
            in_flight_bytes_max=parse.parse_bytes(in_flight_bytes, "--in-flight-bytes", parse.IN_FLIGHT_BYTES),
            broker_timeout_s=parse.parse_duration_s(broker_timeout, "--broker-timeout"),
        )
        options = config.RunOptions(
            inputs=tuple(inputs),
            checkpoint=Path(checkpoint),
            kafka=kafka,
            columns=parse.parse_columns(maps or [], fields, symbol),
            order=order,
            pace=parse.parse_pace(rate, speed, max_gap),
            check=check,
            restart=restart,
            allow_appended=allow_appended,
            checkpoint_interval_s=parse.parse_duration_s(checkpoint_interval, "--checkpoint-interval"),
            drain_timeout_s=parse.parse_duration_s(drain_timeout, "--drain-timeout"),
            progress_interval_s=progress_seconds,
            delivery=delivery,
            transactions=config.Transactions(
                job=job or topic,
                progress_topic=parse.check_topic_name(progress_topic),
                rows_max=parse.parse_rows(transaction_rows, "--transaction-rows", parse.ONE_OR_MORE),
                open_ms_max=transaction_ms,
            ),
            settle_s=parse.parse_duration_s(settle, "--settle") if settle is not None else None,
        )
        if embedded:
            options = _embedded(options, checkpoint, stack)
        else:
            _needed(bootstrap_servers)
            options = replace(options, checkpoint=Path(checkpoint) if checkpoint else _default_checkpoint(topic))
        _replay(options, console)
        if verify_after:
            from replay import admin  # noqa: PLC0415

            starts = list(admin.show(options.checkpoint).first_offsets)
            _verify(options, console, starts, None, Isolation.READ_COMMITTED, TableFormat.TABLE, allow_foreign=True)


@app.command()
def demo(log_format: LogFormat = Format.TEXT, debug: Debug = False) -> None:
    """Replay the shipped trades into an embedded broker, kill the replay half-way, resume it, check the topic."""
    with _command(log_format, debug=debug) as console:
        from replay.demo import run_demo  # noqa: PLC0415

        if not run_demo(console):
            raise typer.Exit(ExitCode.DIFFERENT)


class Isolation(StrEnum):
    READ_COMMITTED = "read_committed"
    READ_UNCOMMITTED = "read_uncommitted"


class TableFormat(StrEnum):
    TABLE = "table"
    JSON = "json"


@app.command(
    epilog="Example:  replay verify data --topic trades --bootstrap-servers localhost:9092 --checkpoint trades.json"
)
def verify(
    inputs: Inputs,
    topic: TopicName,
    bootstrap_servers: BootstrapServers = "",
    checkpoint: Annotated[
        str, typer.Option("--checkpoint", help="Look only at what this replay wrote: from its first offsets on.")
    ] = "",
    first_offsets: FirstOffsets = None,
    end_offsets: Annotated[
        str | None, typer.Option("--end-offsets", help="Look at offsets before these, one a partition. [default: all]")
    ] = None,
    isolation: Annotated[Isolation, typer.Option("--isolation", help="As which reader.")] = Isolation.READ_COMMITTED,
    allow_foreign: Annotated[
        bool, typer.Option("--allow-foreign", help="Records of others are reported, but are no difference.")
    ] = False,
    symbol: Symbol = None,
    maps: Maps = None,
    fields: Fields = None,
    order: OrderOption = config.Order.EVENT_TIME,
    settings: Settings = None,
    table_format: Annotated[TableFormat, typer.Option("--format", help="Of the result.")] = TableFormat.TABLE,
    log_format: LogFormat = Format.TEXT,
    debug: Debug = False,
) -> None:
    """Read the topic back and compare it with the source: lost, duplicated, out of order, changed. Exit 0 or 1."""
    with _command(log_format, debug=debug) as console:
        starts = parse.parse_offsets(first_offsets, "--first-offsets") if first_offsets else None
        if starts is None and checkpoint:
            from replay import admin  # noqa: PLC0415

            starts = list(admin.show(Path(checkpoint)).first_offsets)
        options = config.RunOptions(
            inputs=tuple(inputs),
            checkpoint=Path(),
            kafka=_kafka_options(topic, _needed(bootstrap_servers), settings),
            columns=parse.parse_columns(maps or [], fields, symbol),
            order=order,
        )
        ends = parse.parse_offsets(end_offsets, "--end-offsets") if end_offsets else None
        _verify(options, console, starts, ends, isolation, table_format, allow_foreign=allow_foreign)


class Layout(StrEnum):
    BY_DAY = "by-day"
    BY_SYMBOL = "by-symbol"


@app.command(epilog="Example:  replay sample big --rows 10M --symbols 50 --days 3 --layout by-symbol")
def sample(
    out: Annotated[Path, typer.Argument(help="Folder to write to.")],
    rows: Annotated[str, typer.Option("--rows", help="20k, 10M, ...")] = "20k",
    symbols: Annotated[int, typer.Option("--symbols", min=1)] = 5,
    days: Annotated[int, typer.Option("--days", min=1)] = 2,
    layout: Annotated[Layout, typer.Option("--layout", help="A file a day, or overlapping files, one a symbol.")] = (
        Layout.BY_DAY
    ),
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed, other trades.")] = 7,
    debug: Debug = False,
) -> None:
    """Write made-up trades: the same command writes the same bytes."""
    with _command(Format.TEXT, debug=debug):
        from replay import sample as generator  # noqa: PLC0415

        try:
            spec = generator.SampleSpec(parse.parse_rows(rows, "--rows"), symbols, days, generator.Layout(layout), seed)
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


@checkpoints.command("show")
def checkpoint_show(path: CheckpointPath, debug: Debug = False) -> None:
    """Say what a checkpoint knows."""
    with _command(Format.TEXT, debug=debug):
        from replay import admin  # noqa: PLC0415

        _print_pairs(admin.describe(admin.show(path)))


@checkpoints.command("reset")
def checkpoint_reset(
    path: CheckpointPath,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    debug: Debug = False,
) -> None:
    """Forget a checkpoint: the next run sends every row, also those that are in the topic."""
    with _command(Format.TEXT, debug=debug):
        from replay import admin  # noqa: PLC0415

        if not yes:
            typer.confirm(
                f"Forget {path}? The next run sends all rows again, and the topic keeps the old ones", abort=True
            )
        admin.reset(path)
        typer.echo(f"{path} is forgotten")


@checkpoints.command("rebuild")
def checkpoint_rebuild(
    inputs: Inputs,
    topic: TopicName,
    bootstrap_servers: BootstrapServers = "",
    checkpoint: Annotated[str, typer.Option("--checkpoint", help="File to write; must not exist.")] = "",
    symbol: Symbol = None,
    maps: Maps = None,
    fields: Fields = None,
    order: OrderOption = config.Order.EVENT_TIME,
    settings: Settings = None,
    first_offsets: FirstOffsets = None,
    debug: Debug = False,
) -> None:
    """Make a lost checkpoint again, by reading from the topic which rows it holds."""
    with _command(Format.TEXT, debug=debug) as console:
        from replay import admin  # noqa: PLC0415
        from replay.report import Stop  # noqa: PLC0415
        from replay.terminal import Terminal  # noqa: PLC0415

        options = config.RunOptions(
            inputs=tuple(inputs),
            checkpoint=Path(checkpoint) if checkpoint else _default_checkpoint(topic),
            kafka=_kafka_options(topic, _needed(bootstrap_servers), settings),
            columns=parse.parse_columns(maps or [], fields, symbol),
            order=order,
        )
        offsets = parse.parse_offsets(first_offsets, "--first-offsets") if first_offsets else None
        with Terminal(console, options.progress_interval_s, bar=console.is_terminal).live() as terminal:
            rebuilt = admin.rebuild(options, offsets, Stop(), terminal)
        _print_pairs(admin.describe(rebuilt))


# -- around a command -------------------------------------------------------------------------------------


@contextmanager
def _command(log_format: Format, *, debug: bool) -> Iterator[Any]:
    """Logging before, one clear error and the right exit code after. No traceback, unless asked for."""
    from loguru import logger  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    from replay import terminal  # noqa: PLC0415

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a path need not be text
    console = Console(stderr=True, emoji=False)  # :b: in a path stays what it is
    terminal.set_up_logging(terminal.LogFormat(log_format), debug=debug, console=console)
    try:
        yield console
    except ReplayError as error:
        if debug:
            logger.opt(exception=True).debug("traceback of the error below")
        code = exit_code(error)
        logger.bind(exit_code=int(code)).error("{}", error)
        raise typer.Exit(code) from None
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:
        if debug:
            logger.opt(exception=True).error("a bug")
        logger.error(
            "this is a bug in replay: {}: {}\n  -> please report it with the output of --debug; progress is safe",
            type(error).__name__,
            error,
        )
        raise typer.Exit(ExitCode.BUG) from None


def _replay(options: config.RunOptions, console: Any) -> None:
    """Run with signals and display attached, and say how it ended."""
    from replay import job  # noqa: PLC0415
    from replay.terminal import Terminal, summary_lines  # noqa: PLC0415

    stop = _stop_on_signals()
    terminal = Terminal(console, options.progress_interval_s, bar=console.is_terminal)
    outcome = "stopped"
    try:
        with terminal.live():
            job.run(options, stop, terminal)
        outcome = "done"
    except ReplayError as error:
        outcome = f"exit {int(exit_code(error))}: {error.what}"
        raise
    finally:
        if terminal.last is not None:
            _print_pairs(summary_lines(terminal.last, options.kafka.topic, str(options.checkpoint), outcome))


def _verify(
    options: config.RunOptions,
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

    from replay import verify as verifier  # noqa: PLC0415
    from replay.model import SystemClock  # noqa: PLC0415
    from replay.terminal import Terminal  # noqa: PLC0415

    what = verifier.VerifyOptions(
        options.inputs,
        options.kafka,
        options.columns,
        options.order,
        isolation=str(isolation),
        starts=starts,
        ends=ends,
        allow_foreign=allow_foreign,
    )
    stop = _stop_on_signals()
    terminal = Terminal(console, options.progress_interval_s, bar=console.is_terminal)
    with terminal.live():
        verdict = verifier.verify(what, terminal, SystemClock(), stop.check)
    if table_format is TableFormat.JSON:
        typer.echo(json.dumps(verdict.as_json(), indent=1))
    else:
        type(console)().print(verifier.verdict_table(verdict))
    raise typer.Exit(verdict.exit_code)


def _stop_on_signals() -> Any:
    from replay.report import Stop  # noqa: PLC0415

    stop = Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda signal_number, _: stop.request(signal_number))
    return stop


def _embedded(options: config.RunOptions, checkpoint: str, stack: ExitStack) -> config.RunOptions:
    """A broker and a checkpoint that both end with this process."""
    from loguru import logger  # noqa: PLC0415

    from replay.cluster import EmbeddedBroker  # noqa: PLC0415

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


def _kafka_options(topic: str, bootstrap_servers: str, settings: list[str] | None) -> config.KafkaOptions:
    return config.KafkaOptions(
        bootstrap_servers=bootstrap_servers,
        topic=parse.check_topic_name(topic),
        settings=kafka_settings.check_settings(parse.parse_assignments(settings or [], "-X")),
    )


def _needed(bootstrap_servers: str) -> str:
    if not bootstrap_servers:
        raise UsageError(
            "which broker? There is no default",
            where="--bootstrap-servers",
            todo="name one (--bootstrap-servers localhost:9092), or try it with --embedded (replay run)",
        )
    return parse.check_bootstrap_servers(bootstrap_servers)


def _print_pairs(lines: list[tuple[str, str]]) -> None:
    """Label and text, in two columns, on standard output: a command's result."""
    width = max(len(label) for label, _ in lines)
    text = "".join(f"{label:<{width}}  {printable(text)}\n" for label, text in lines)
    try:
        if sys.stdout is not None:
            sys.stdout.write(text)
            sys.stdout.flush()
    except OSError:  # nobody reads it (a closed pipe, a full disk): the outcome stands, and Python must not try again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _default_checkpoint(topic: str) -> Path:
    from platformdirs import user_state_path  # noqa: PLC0415

    short = topic if len(topic) <= 200 else f"{topic[:180]}-{zlib.crc32(topic.encode()):08x}"  # file names end at 255
    return user_state_path("replay") / f"{short}.json"
