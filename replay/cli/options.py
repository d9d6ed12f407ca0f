"""The options of the command line in groups, each shared by several commands, and how a group becomes an object.

A group is a frozen dataclass of texts; `takes` puts its fields into a command's signature, where the command names the
group as one parameter. An option wins, then its `REPLAY_*` variable, then the job file, then the default.
"""

from __future__ import annotations

import inspect
import os
import re
import time
import zlib
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from datetime import date as calendar_date
from enum import StrEnum
from functools import cache, wraps
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

import typer

from replay import dates, units
from replay.cli import parse
from replay.cli.origins import ALL_FROM_FILE, FROM_FILE, LOOK_ONLY, begin, is_default, job_options, option_name, origin
from replay.delivery.options import PROGRESS_S, Delivery, Pace, RunOptions, Transactions, WhenChanged, parse_pace
from replay.errors import UsageError
from replay.kafka import addresses
from replay.kafka import settings as kafka_settings
from replay.kafka.options import Compression, KafkaOptions
from replay.nightly import due, jobfile
from replay.nightly.calendars import parse_calendar
from replay.nightly.missing import Missing
from replay.nightly.missing import Policy as MissingPolicy
from replay.partitioning import MURMUR2
from replay.record.options import KEY_SYMBOL, DecimalAs, Records, Timestamp
from replay.source.options import Empty, OnBadRow, Order, SourceOptions, SymbolCase, Unsorted
from replay.watch.masking import masked
from replay.watch.notify import NotifyOn

if TYPE_CHECKING:
    from replay.cli import watching

Guard = Callable[["Logging"], AbstractContextManager[Any]]
"""What stands around a command: logging before, errors and exit codes after."""


@cache
def kinds_of(group: type) -> Mapping[str, Any]:
    """Annotations of a group's fields, `Annotated` and all. Remembered: to make them takes a millisecond a group, and
    a dozen commands ask for each."""
    return get_type_hints(group, include_extras=True)


def takes(command: Callable[..., Any], guard: Guard) -> Callable[..., Any]:
    """The command with each parameter that is a group replaced by the group's fields."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if isinstance(hint, type) and is_dataclass(hint)}
    parameters = [inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)]
    wants_context = hints.pop("context", None) is typer.Context
    for name, parameter in inspect.signature(command).parameters.items():
        if name == "context":
            continue
        if name not in groups:
            parameters.append(parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        kinds = kinds_of(groups[name])
        for each in fields(groups[name]):
            default = inspect.Parameter.empty if each.default is MISSING else each.default
            parameters.append(
                inspect.Parameter(
                    each.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kinds[each.name]
                )
            )

    @wraps(command)
    def gathered(context: typer.Context, **given: Any) -> Any:
        try:
            begin(context)
        except UsageError as error:
            with guard(Logging(given["log_format"], debug=given["debug"])):
                raise error from None
        if given.get("config") is not None:
            with guard(Logging(given["log_format"], debug=given["debug"])):
                said = from_job_file(context, given, gathered.__annotations__)
                given |= {name: value.value for name, value in said.items()}
                context.meta[FROM_FILE] = said
        if wants_context:
            given["context"] = context
        for name, group in groups.items():
            given[name] = group(**{each.name: given.pop(each.name) for each in fields(group)})
        return given if context.meta.get(LOOK_ONLY) else command(**given)

    del gathered.__wrapped__  # or the signature below would be overlooked
    gathered.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    gathered.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return gathered


def from_job_file(
    context: typer.Context, given: Mapping[str, Any], kinds: Mapping[str, Any]
) -> dict[str, jobfile.Value]:
    """What the job file says of options that neither the command line nor a variable does."""
    file = jobfile.read(Path(given["config"]))
    if given.get("job") is None and len(file.jobs) > 1 and context.command.name == "schedule":
        return {}  # it takes each of the jobs by itself
    parameters = {option_name(each): each for each in context.command.params}
    said = {}
    values = file.values(given.get("job"), sorted(job_options(context.find_root().command)))
    for name, value in values.items():
        parameter = parameters.get(name)  # None: an option of another command
        if parameter is not None and is_default(context, str(parameter.name)):
            typed = _typed(name, kinds[str(parameter.name)], value)
            said[str(parameter.name)] = replace(value, value=typed)
    context.meta[ALL_FROM_FILE] = values
    settings = file.settings()
    servers = settings.pop(jobfile.BOOTSTRAP, None)
    if servers is not None and not given.get("bootstrap_servers") and "bootstrap_servers" not in said:
        said["bootstrap_servers"] = replace(servers, value=str(servers.value))
    if settings and "settings" in given:
        named = {text.partition("=")[0].strip() for text in given["settings"] or []}
        more = [f"{name}={_setting(each.value)}" for name, each in settings.items() if name not in named]
        is_secret = any(each.secret for each in settings.values())
        said["settings"] = jobfile.Value([*(given["settings"] or []), *more], _kafka_table(file, given), is_secret)
    return said


def _kafka_table(file: jobfile.JobFile, given: Mapping[str, Any]) -> str:
    """Target settings came from that may come from two places."""
    table = f"{file.path}, [{jobfile.KAFKA}]"
    return f"-X and {table}" if given["settings"] else table


@dataclass(frozen=True, slots=True)
class Told:
    """An option as it is in the end: its value for people, secrets masked, and where it came from."""

    name: str
    text: str
    origin: str


def told(context: typer.Context) -> list[Told]:
    """Every option of the command, in the order of its help."""
    from_file: Mapping[str, jobfile.Value] = context.meta.get(FROM_FILE, {})
    found = []
    for parameter in context.command.params:
        name = str(parameter.name)
        value = from_file[name].value if name in from_file else context.params.get(name)
        secret = name in from_file and from_file[name].secret
        text = masked(option_name(parameter), value, secret=secret)
        found.append(Told(max(parameter.opts, key=len), text, origin(context, parameter)))
    return found


def _typed(name: str, kind: Any, value: jobfile.Value) -> Any:
    """The value as the command line would hand it over."""
    plain, kinds = value.value, _plain_kinds(kind)
    if any(get_origin(each) is list for each in kinds):
        return jobfile.texts(plain)
    wanted = next(each for each in kinds if each is not type(None))
    if isinstance(plain, list | dict) or (wanted is bool) != isinstance(plain, bool):
        needs = "true or false" if wanted is bool else "one value"
        raise UsageError(f"{name} takes {needs}", where=value.where, todo="see the option with --help")
    try:
        made = plain if wanted is bool else wanted(str(plain))
    except ValueError:
        told = "its value" if value.secret else repr(plain)
        choices = f": give {', '.join(wanted)}" if issubclass(wanted, StrEnum) else ""
        raise UsageError(f"{told} does not fit {name}", where=value.where, todo=f"see --help{choices}") from None
    for info in getattr(kind, "__metadata__", ()):
        if info.min is not None and made < info.min:
            raise UsageError(f"{plain} is too small for {name}", where=value.where, todo=f"give at least {info.min}")
        if info.max is not None and made > info.max:
            raise UsageError(f"{plain} is too large for {name}", where=value.where, todo=f"give at most {info.max}")
    return made


def _plain_kinds(kind: Any) -> tuple[Any, ...]:
    """`Annotated[X | None, ...]` without its wrapping."""
    bare = get_args(kind)[0] if hasattr(kind, "__metadata__") else kind
    return get_args(bare) if isinstance(bare, UnionType) else (bare,)


def as_arguments(context: typer.Context, without: Collection[str]) -> list[str]:
    """What the command line said, as arguments for another command: all but the parameters named. Variables and the
    job file reach that command by themselves."""
    options: list[str] = []
    positional: list[str] = []
    for parameter in context.command.params:
        name = str(parameter.name)
        source = context.get_parameter_source(name)
        if name in without or source is None or source.name != "COMMANDLINE":
            continue
        value = context.params[name]
        if not parameter.opts[0].startswith("-"):
            positional += map(str, value)
        elif isinstance(value, bool):
            options.append(parameter.opts[0] if value else parameter.secondary_opts[0])
        else:
            for each in value if isinstance(value, list | tuple) else [value]:
                options += [max(parameter.opts, key=len), str(each)]
    return [*options, *(["--", *positional] if positional else [])]


def _setting(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def opt(name: str, text: str, **more: Any) -> Any:
    """An option that can also be given as a variable: `--max-gap` as `REPLAY_MAX_GAP`."""
    return typer.Option(name, envvar="REPLAY_" + name.lstrip("-").replace("-", "_").upper(), help=text, **more)


def many(name: str, text: str, **more: Any) -> Any:
    """An option to be given several times."""
    return typer.Option(name, help=f"{text}; repeatable.", **more)


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


class Isolation(StrEnum):
    READ_COMMITTED = "read_committed"
    READ_UNCOMMITTED = "read_uncommitted"


class TableFormat(StrEnum):
    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True)
class Logging:
    """How a command talks."""

    log_format: Annotated[LogFormat, opt("--log-format", "Log lines on stderr.")] = LogFormat.TEXT
    log_file: Annotated[str | None, opt("--log-file", "Log lines also go to this file.", metavar="FILE")] = None
    log_rotate: Annotated[str, opt("--log-rotate", "Begin a new one at this size or age: 10MB, 1d.")] = "10MB"
    log_keep: Annotated[str, opt("--log-keep", "Keep so many old ones, or for so long: 10, 14d.")] = "10"
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", envvar="REPLAY_QUIET", help="Warnings and errors only; no summary.")
    ] = False
    no_color: Annotated[bool, opt("--no-color", "No colours; as does NO_COLOR.")] = False
    debug: Annotated[bool, typer.Option("--debug", envvar="REPLAY_DEBUG", help="Tracebacks and debug logs.")] = False


@dataclass(frozen=True, slots=True)
class JobName:
    """Which replay this is: a job, and where it has one, the logical date. `folder` is that of its state, where one
    was named."""

    job: str | None
    day: calendar_date | None
    folder: Path | None
    timezone: str = "UTC"

    @property
    def state_dir(self) -> Path:
        """Raises `UsageError` where none was named and the user has none. What needs no state does not ask."""
        return self.folder or default_state_dir()

    @property
    def has_state_dir(self) -> bool:
        return self.folder is not None or user_state_dir() is not None

    def dated(self, text: str, option: str) -> str:
        """`{date}` and `{date:%Y/%m/%d}` become the logical date; a text without them stays what it is."""
        if not dates.has_date(text):
            return text
        if self.day is None:
            raise UsageError(f"{text} depends on the date", where=option, todo="give one: --date 2026-11-22")
        return dates.expand(text, self.day, option)

    def placed(self, text: str, option: str, topic: str | None) -> str:
        """A file that is told something: `{job}` becomes the job's name, as it fits into a path, `{date}` the date."""
        return self.dated(_JOB.sub(safe_name(self.job or topic or "job"), text), option)

    def of(self, topic: str) -> str:
        """As Kafka's progress records know it: each date is a replay of its own."""
        return (self.job or topic) + (f".{self.day}" if self.day is not None else "")

    def checkpoint(self, topic: str) -> Path:
        """`JOB/DATE.json` in the state folder; without a date `JOB.json`; the job's default name is the topic's."""
        job = safe_name(self.job or topic)
        return self.state_dir / (f"{job}.json" if self.day is None else f"{job}/{self.day}.json")


_JOB = re.compile(r"(?<!\{)\{job\}(?!\})")


def is_for_each_job(path: str) -> bool:
    """Whether jobs that are told the same path write files of their own."""
    return _JOB.search(path) is not None or path.endswith("/") or Path(path).is_dir()


def safe_name(name: str) -> str:
    """As the name of a file: those end at 255 bytes, and hold no slash."""
    plain = re.sub(r"[^\w.-]", "_", name, flags=re.ASCII).lstrip(".") or "_"
    return name if plain == name and len(name) <= 200 else f"{plain[:180]}-{zlib.crc32(name.encode()):08x}"


@dataclass(frozen=True)
class Naming:
    """Which replay: by a job file, a name, a date."""

    config: Annotated[
        str | None, opt("--config", "A TOML file with options; the command line and variables win.", metavar="FILE")
    ] = None
    job: Annotated[
        str | None, opt("--job", "Name of the replay; of several in the job file, which one. [default: the topic's]")
    ] = None
    date: Annotated[
        str | None,
        opt("--date", "The logical date: 2026-11-22, yesterday, -2. {date} in INPUT; without, picked by event time."),
    ] = None
    timezone: Annotated[
        str, opt("--timezone", "The zone of the date, of yesterday, and of the times in the report.")
    ] = "UTC"
    state_dir: Annotated[
        str, opt("--state-dir", "Folder of checkpoints and history. [default: the user's state folder]")
    ] = ""

    def parsed(self, day: calendar_date | None = None) -> JobName:
        if self.job == "":
            raise UsageError("the name is empty", where="--job", todo="give one such as nightly")
        today = dates.today_in(self.timezone, time.time())
        if day is None and self.date is not None:
            day = dates.parse_date(self.date, today)
        return JobName(self.job, day, Path(self.state_dir) if self.state_dir else None, self.timezone)


@dataclass(frozen=True)
class Input:
    """Which rows, in which order, as which records."""

    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="INPUT...", help="Parquet files, folders, globs, s3:// gs:// abfs:// URIs."),
    ] = None
    preset: Annotated[str | None, opt("--preset", "A well-known layout; see: replay presets.")] = None
    maps: Annotated[list[str] | None, many("--map", "FIELD=COLUMN for symbol, price or event_time")] = None
    symbol: Annotated[str | None, opt("--symbol", "One symbol for files without that column.")] = None
    symbol_from: Annotated[
        str | None, opt("--symbol-from", "'{symbol}-trades-*.parquet' (the file's name) or metadata:KEY.")
    ] = None
    symbol_case: Annotated[SymbolCase | None, opt("--symbol-case", "keep, upper or lower.")] = None
    time_unit: Annotated[str | None, opt("--time-unit", "Of integer times: s, ms, us, ns. [default: inferred]")] = None
    price_scale: Annotated[int | None, opt("--price-scale", "Decimal places of integer prices.", min=0, max=37)] = None
    fields: Annotated[str | None, opt("--fields", "Further columns to send: a,b,c or all.")] = None
    rename: Annotated[list[str] | None, many("--rename", "COLUMN=NAME for a further column")] = None
    symbols: Annotated[str | None, opt("--symbols", "Only these: BTCUSDT,ETH* or @file.")] = None
    exclude_symbols: Annotated[str | None, opt("--exclude-symbols", "Not these.")] = None
    from_: Annotated[str | None, opt("--from", "Event times from this moment on (UTC unless it says otherwise)")] = None
    to: Annotated[str | None, opt("--to", "and before this one.")] = None
    where: Annotated[str | None, opt("--where", "Only rows that fulfil this: \"amount > 1 and side == 'buy'\".")] = None
    sample: Annotated[str | None, opt("--sample", "1/100: one symbol in a hundred, with all its rows.")] = None
    empty: Annotated[
        Empty, opt("--empty", "A date without any trade: fail (exit 3), or ok (exit 0, looked at again).")
    ] = Empty.FAIL
    allow_empty: Annotated[bool, opt("--allow-empty", "No row may be selected, or none of a listed symbol.")] = False
    limit: Annotated[int | None, opt("--limit", "At most so many rows.", min=1)] = None
    table_version: Annotated[
        int | None, opt("--table-version", "Of a Delta table. [default: the newest; a resume: as it began]", min=0)
    ] = None
    snapshot: Annotated[int | None, opt("--snapshot", "The id of one of an Iceberg table. [default: as above]")] = None
    order: Annotated[Order, opt("--order", "Merge all files by event time, or keep path order.")] = Order.EVENT_TIME
    unsorted: Annotated[
        Unsorted, opt("--unsorted", "Rows that go back in time inside a file: refuse, sort, or keep them.")
    ] = Unsorted.FAIL
    sort_memory: Annotated[str, opt("--sort-memory", "With --unsorted sort: more than this goes over the disk.")] = (
        "256MiB"
    )
    on_bad_row: Annotated[
        OnBadRow, opt("--on-bad-row", "Refuse to start, leave them out, or put them beside the checkpoint.")
    ] = OnBadRow.FAIL
    trust_statistics: Annotated[
        bool, opt("--trust-statistics", "Leave row groups out by statistics alone, without a look at them.")
    ] = False
    bad_rows_max: Annotated[str, opt("--bad-rows-max", "More bad rows than this end the run: 1000 or 10%.")] = "10%"
    key: Annotated[str, opt("--key", "symbol, none, or a column.")] = KEY_SYMBOL
    partitioner: Annotated[str, opt("--partitioner", "murmur2 (Java), crc32 (librdkafka) or column:NAME.")] = MURMUR2
    timestamp: Annotated[Timestamp, opt("--timestamp", "Of records: the event time, or now.")] = Timestamp.EVENT
    decimal_as: Annotated[DecimalAs, opt("--decimal-as", "Decimals as JSON numbers or strings.")] = DecimalAs.NUMBER
    headers: Annotated[list[str] | None, many("--header", "NAME=VALUE for every record")] = None
    row_header: Annotated[
        str | None, opt("--row-header", "A header of this name that identifies the row; costs half the speed.")
    ] = None

    def parsed(self, name: JobName) -> SourceOptions:
        if not self.inputs:
            raise UsageError(
                "which files?", where="INPUT", todo="name Parquet files, folders or globs, or a job file with --config"
            )
        from replay.source.selection import select  # noqa: PLC0415 - imports pyarrow

        columns = parse.parse_columns(
            self.maps or [],
            self.fields,
            self.symbol,
            rename=self.rename,
            symbol_from=self.symbol_from,
            symbol_case=self.symbol_case,
            time_unit=parse.parse_time_unit(self.time_unit),
            price_scale=self.price_scale,
            preset=self.preset,
        )
        records = Records(
            key=parse.check_named(self.key, "--key"),
            partitioner=parse.check_partitioner(self.partitioner),
            timestamp=self.timestamp,
            decimal_as=self.decimal_as,
            headers=tuple(parse.parse_assignments(self.headers or [], "--header").items()),
            row_header=None if self.row_header is None else parse.check_named(self.row_header, "--row-header"),
        )
        selection = select.parse_selection(
            self.symbols, self.exclude_symbols, self.from_, self.to, self.sample, self.where, self.limit
        )
        if name.day is not None and not any(map(dates.has_date, self.inputs)):
            selection = select.on_day(selection, name.day, name.timezone)
        bad_rows_max, bad_share_max = parse.parse_bad_rows_max(self.bad_rows_max)
        return SourceOptions(
            inputs=tuple(name.dated(text, "INPUT") for text in self.inputs),
            columns=columns,
            records=records,
            order=self.order,
            unsorted=self.unsorted,
            sort_memory_bytes=units.parse_bytes(self.sort_memory, "--sort-memory", units.SORT_MEMORY),
            selection=selection if selection != select.Selection() else None,
            on_bad_row=self.on_bad_row,
            bad_rows_max=bad_rows_max,
            bad_share_max=bad_share_max,
            table_version=self.table_version,
            snapshot=self.snapshot,
            trust_statistics=self.trust_statistics,
            empty=self.empty,
            allow_empty=self.allow_empty,
        )


@dataclass(frozen=True)
class Target:
    """Which cluster, and how to get in."""

    bootstrap_servers: Annotated[str, opt("--bootstrap-servers", "host:port[,host:port...]")] = ""
    settings: Annotated[list[str] | None, typer.Option("-X", metavar="KEY=VALUE", help="Any librdkafka setting.")] = (
        None
    )
    broker_timeout: Annotated[str, opt("--broker-timeout", "Give up (exit 5) after this outage.")] = "5m"

    def parsed(self, topic: str | None, name: JobName, *, needed: bool = True) -> KafkaOptions:
        if topic is None:
            raise UsageError("which topic?", where="--topic", todo="name it with --topic, or in a job file (--config)")
        if needed and not self.bootstrap_servers:
            raise UsageError(
                "which broker? There is no default",
                where="--bootstrap-servers",
                todo="name one (--bootstrap-servers localhost:9092), or try it with --embedded (replay run)",
            )
        settings = kafka_settings.check_settings(parse.parse_assignments(self.settings or [], "-X"))
        protocol = settings.get("security.protocol", "PLAINTEXT")
        servers = self.bootstrap_servers and addresses.check_bootstrap_servers(self.bootstrap_servers, protocol)
        return KafkaOptions(
            servers,
            parse.check_topic_name(name.dated(topic, "--topic")),
            settings=settings,
            broker_timeout_s=units.parse_duration_s(self.broker_timeout, "--broker-timeout"),
        )


TopicName = Annotated[str | None, opt("--topic", "The topic.")]
FirstOffsets = Annotated[
    str | None, typer.Option("--first-offsets", help="Target this replay began in each partition: 0,0,12,...")
]


@dataclass(frozen=True)
class Pacing:
    """How fast rows go out."""

    rate: Annotated[str | None, opt("--rate", "5000/s, 5k/s, 300k/m or max. [default: max]")] = None
    speed: Annotated[str | None, opt("--speed", "60x: the gaps of event time, divided by 60.")] = None
    max_gap: Annotated[str | None, opt("--max-gap", "With --speed: no gap counts for more.")] = None

    def parsed(self) -> Pace:
        return parse_pace(self.rate, self.speed, self.max_gap)


@dataclass(frozen=True)
class Sending:
    """How rows are batched, delivered and made safe."""

    checkpoint: Annotated[
        str, opt("--checkpoint", "File that remembers what is in the topic. [default: JOB/DATE.json in --state-dir]")
    ] = ""
    delivery: Annotated[Delivery, opt("--delivery", "What makes re-runs exact; see the README.")] = Delivery.IDEMPOTENT
    progress_topic: Annotated[str, opt("--progress-topic", "Transactional: progress records.")] = "replay-progress"
    transaction_rows: Annotated[str, opt("--transaction-rows", "Commit after this many rows,")] = "524288"
    transaction_ms: Annotated[int, opt("--transaction-ms", "or after this long.", min=1)] = 1_000
    create_topic: Annotated[
        str | None, opt("--create-topic", "PARTITIONS[:REPLICATION]: create the topic if it is missing.")
    ] = None
    topic_config: Annotated[
        list[str] | None, many("--topic-config", "KEY=VALUE for --create-topic; [default: retention.ms=-1]")
    ] = None
    compression: Annotated[Compression, opt("--compression", "Of batches.")] = Compression.NONE
    linger: Annotated[str, opt("--linger", "How long a batch waits for more rows.")] = "50ms"
    batch_size: Annotated[str, opt("--batch-size", "Bytes of a batch, at most.")] = "1MB"
    batch_rows: Annotated[str, opt("--batch-rows", "Rows of a batch, at most.")] = "10k"
    in_flight_rows: Annotated[str, opt("--in-flight-rows", "Rows without an ACK, at most.")] = "100k"
    in_flight_bytes: Annotated[str, opt("--in-flight-bytes", "Their bytes, at most.")] = "64MiB"
    drain_timeout: Annotated[str, opt("--drain-timeout", "Wait this long for ACKs when stopped.")] = "30s"
    checkpoint_interval: Annotated[str, opt("--checkpoint-interval", "Save progress this often.")] = "1s"
    settle: Annotated[
        str | None, opt("--settle", "After a crash, wait this long for late rows. [default: from the replication]")
    ] = None
    check: Annotated[
        bool, typer.Option("--check/--no-check", envvar="REPLAY_CHECK", help="Read every row before one is sent.")
    ] = True
    when_changed: Annotated[
        WhenChanged,
        opt("--when-changed", "Inputs that grew since they were sent: fail (exit 4), or append what sorts after that."),
    ] = WhenChanged.FAIL
    allow_appended: Annotated[bool, opt("--allow-appended", "The same as --when-changed append.")] = False
    progress_seconds: Annotated[
        float, opt("--progress-seconds", "Progress lines this often, when not on a terminal.", min=0.1)
    ] = PROGRESS_S

    def parsed(self, name: JobName, source: SourceOptions, kafka: KafkaOptions) -> RunOptions:
        kafka = replace(
            kafka,
            create_topic=parse.parse_topic_spec(self.create_topic) if self.create_topic else None,
            # Trades are older than any default retention, so a topic made for them keeps them.
            topic_config={"retention.ms": "-1", **parse.parse_assignments(self.topic_config or [], "--topic-config")},
            linger_ms=units.parse_duration_s(self.linger, "--linger", units.LINGER_S) * 1_000,
            batch_bytes=units.parse_bytes(self.batch_size, "--batch-size", units.BATCH_BYTES),
            batch_rows=units.parse_rows(self.batch_rows, "--batch-rows", units.BATCH_ROWS),
            compression=self.compression,
            in_flight_rows_max=units.parse_rows(self.in_flight_rows, "--in-flight-rows", units.IN_FLIGHT_ROWS),
            in_flight_bytes_max=units.parse_bytes(self.in_flight_bytes, "--in-flight-bytes", units.IN_FLIGHT_BYTES),
        )
        return RunOptions(
            source=source,
            checkpoint=(
                Path(name.dated(self.checkpoint, "--checkpoint")) if self.checkpoint else name.checkpoint(kafka.topic)
            ),
            kafka=kafka,
            check=self.check,
            when_changed=WhenChanged.APPEND if self.allow_appended else self.when_changed,
            checkpoint_interval_s=units.parse_duration_s(self.checkpoint_interval, "--checkpoint-interval"),
            drain_timeout_s=units.parse_duration_s(self.drain_timeout, "--drain-timeout"),
            progress_interval_s=self.progress_seconds,
            delivery=self.delivery,
            transactions=Transactions(
                job=name.of(kafka.topic),
                progress_topic=parse.check_topic_name(self.progress_topic),
                rows_max=units.parse_rows(self.transaction_rows, "--transaction-rows", units.ONE_OR_MORE),
                open_ms_max=self.transaction_ms,
            ),
            settle_s=units.parse_duration_s(self.settle, "--settle") if self.settle is not None else None,
        )


@dataclass(frozen=True)
class Watching:
    """What is told of a run while it goes on, and afterwards."""

    metrics_port: Annotated[
        int | None, opt("--metrics-port", "Serve metrics to Prometheus on this port.", min=1, max=65_535)
    ] = None
    metrics_address: Annotated[str, opt("--metrics-address", "On which address.")] = "127.0.0.1"
    metrics_textfile: Annotated[
        str | None,
        opt(
            "--metrics-textfile",
            "Write metrics for node_exporter to this folder, a file a job, or to this file; may hold {job}, {date}.",
            metavar="FOLDER|FILE",
        ),
    ] = None
    metrics_push: Annotated[str | None, opt("--metrics-push", "Push metrics to this gateway.", metavar="URL")] = None
    summary_json: Annotated[
        str | None,
        opt(
            "--summary-json", "Write the end of the run as JSON to this file ({job}, {date}), or - for standard output."
        ),
    ] = None
    report: Annotated[
        str | None,
        opt("--report", "Write the end as one HTML page to this file ({job}, {date}).", metavar="FILE"),
    ] = None
    notify: Annotated[
        str | None, opt("--notify", "Tell of the end: a webhook (https://...), or a command that gets JSON on stdin.")
    ] = None
    notify_on: Annotated[NotifyOn, opt("--notify-on", "Of which ends.")] = NotifyOn.FAILURE

    def lost_between_days(self) -> list[str]:
        """What is lost where one command replays several dates, each in a process of its own."""
        if self.summary_json == "-":
            return ["--summary-json -: the days' own standard output is not shown; name a file: summary-{date}.json"]
        files = {"--summary-json": self.summary_json, "--report": self.report}
        return [
            f"{option} {path}: each day replaces that of the day before; put {{date}} into its name to keep all"
            for option, path in files.items()
            if path is not None and not dates.has_date(path)
        ]

    def shared_by_jobs(self) -> list[str]:
        """What is lost where several jobs are told the same files."""
        files = {
            "--metrics-textfile": self.metrics_textfile,
            "--summary-json": self.summary_json,
            "--report": self.report,
        }
        return [
            f"{option} {path}: each job replaces that of the others; put {{job}} into its name to keep all"
            for option, path in files.items()
            if path not in (None, "-") and not is_for_each_job(str(path))
        ]

    def parsed(self, name: JobName, topic: str | None = None, *, places: bool = True) -> watching.WatchOptions:
        """`places`: look whether files can be written where they are wanted. A job without a name has its topic's."""
        from replay.cli import watching  # noqa: PLC0415 - only for commands that run
        from replay.watch import notify  # noqa: PLC0415 - only for commands that run
        from replay.watch.metrics import export as metrics  # noqa: PLC0415 - only for commands that run

        def placed(option: str, path: str | None) -> str | None:
            return name.placed(path, option, topic) if path else None

        textfile = self.metrics_textfile
        if textfile and (textfile.endswith("/") or Path(textfile).is_dir()):
            textfile = str(Path(textfile) / "replay-{job}.prom")
        metrics_textfile = placed("--metrics-textfile", textfile)
        report = placed("--report", self.report)
        return watching.checked(
            watching.WatchOptions(
                metrics.MetricsOptions(
                    self.metrics_port,
                    self.metrics_address,
                    Path(metrics_textfile) if metrics_textfile else None,
                    self.metrics_push,
                ),
                summary_json=placed("--summary-json", self.summary_json),
                report=Path(report) if report else None,
                zone=ZoneInfo(name.timezone),
                notify=notify.parse_notify(self.notify, self.notify_on) if self.notify else None,
            ),
            places=places,
        )


@dataclass(frozen=True)
class Retrying:
    """How long to wait before a replay that failed is tried again."""

    retry_wait: Annotated[
        str, opt("--retry-wait", "Wait so long before the first retry, twice as long before each later one,")
    ] = "10s"  # a broker restarts within about as long
    retry_wait_max: Annotated[str, opt("--retry-wait-max", "but no longer than this.")] = (
        "10m"  # an outage of a night is looked at every ten minutes
    )

    def parsed(self, times: int) -> due.Retries:
        """Raises `UsageError` where the first wait would be cut short by the longest."""
        wait_s = units.parse_duration_s(self.retry_wait, "--retry-wait", units.ONE_OR_MORE)
        wait_max_s = units.parse_duration_s(self.retry_wait_max, "--retry-wait-max", units.ONE_OR_MORE)
        if wait_s > wait_max_s:
            raise UsageError(
                f"the first wait ({self.retry_wait}) is longer than the longest ({self.retry_wait_max})",
                where="--retry-wait",
                todo="make it shorter, or give a longer --retry-wait-max",
            )
        return due.Retries(times, wait_s, wait_max_s)


@dataclass(frozen=True)
class Ending:
    """What only a run by itself has: how it begins anew, where it ends, what is looked at then."""

    verify_after: Annotated[
        bool, opt("--verify", "Read the topic back at the end and compare; exit 1 if it differs.")
    ] = False
    restart: Annotated[bool, opt("--restart", "Forget the checkpoint and send all rows (again): duplicates them.")] = (
        False
    )
    embedded: Annotated[bool, opt("--embedded", "Replay into a broker inside this process; nothing outlives it.")] = (
        False
    )


@dataclass(frozen=True)
class MissingDays:
    """What becomes of a date without any file."""

    missing: Annotated[
        Missing, opt("--missing", "A date without any file: fails, is passed over, or is waited for.")
    ] = Missing.FAIL
    missing_every: Annotated[str, opt("--missing-every", "With --missing wait: look this often,")] = "1m"
    missing_for: Annotated[str | None, opt("--missing-for", "so long; then it fails. [default: for ever]")] = None
    calendar: Annotated[
        str | None,
        opt(
            "--calendar",
            "Days off, which need no file: a file of dates or weekdays (sat), one a line, or an exchange (XNYS).",
            metavar="FILE|NAME",
        ),
    ] = None

    def parsed(self) -> MissingPolicy:
        try:
            how = Missing(self.missing)  # of several jobs in a file it comes as a text
        except ValueError:
            raise UsageError(
                f"{self.missing!r} is none of {', '.join(Missing)}", where="--missing", todo="name one of them"
            ) from None
        return MissingPolicy(
            how,
            units.parse_duration_s(self.missing_every, "--missing-every", units.ONE_OR_MORE),
            units.parse_duration_s(self.missing_for, "--missing-for") if self.missing_for is not None else None,
            parse_calendar(self.calendar) if self.calendar else None,
        )


def default_state_dir() -> Path:
    """The user's state folder; a `UsageError` where this user has none."""
    found = user_state_dir()
    if found is None:
        raise UsageError(
            "this user has no home folder (HOME is not set, or no folder that may be entered), so there is no place for"
            " checkpoints and the history of runs",
            where="--state-dir",
            todo="name a folder with --state-dir or REPLAY_STATE_DIR; or set HOME or XDG_STATE_HOME",
        )
    return found


def user_state_dir() -> Path | None:
    """`~/.local/state/replay`, or what XDG_STATE_HOME says; None for a user without a home folder, as in a container or
    under cron: nothing is made at the root of the disk or in the current folder instead."""
    named = os.environ.get("XDG_STATE_HOME", "").strip()
    if not os.path.isabs(named):
        # HOME, or what the system knows of this user; "~" where neither tells; engines say / of a stranger.
        home = "" if os.environ.get("HOME") == "" else os.path.realpath(os.path.expanduser("~"))
        if home in ("", "/", os.path.realpath("~")) or not os.path.isdir(home) or not os.access(home, os.X_OK):
            return None
    from platformdirs import user_state_path  # noqa: PLC0415 - only where it is asked for

    return user_state_path("replay")
