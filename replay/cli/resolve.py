"""From the texts of options to what the layers below take. Raises `UsageError` for what cannot work."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import date as calendar_date
from pathlib import Path
from zoneinfo import ZoneInfo

from replay import dates
from replay.cli import parse, schemas
from replay.cli.given import Options
from replay.cli.options.naming import Naming
from replay.cli.options.secure import Secure
from replay.cli.options.sending import Pacing, Sending
from replay.cli.options.source import Input
from replay.cli.options.target import Target
from replay.cli.options.watching import Watching
from replay.cli.records import parse_records, with_dump
from replay.delivery.job_name import JobName, is_for_each_job
from replay.delivery.options import Pace, RunOptions, Transactions, WhenChanged, parse_pace
from replay.errors import UsageError
from replay.kafka import addresses, security
from replay.kafka import settings as kafka_settings
from replay.kafka.options import KafkaOptions
from replay.nightly import due
from replay.nightly.calendars import parse_calendar
from replay.nightly.missing import Policy as MissingPolicy
from replay.source.choices import Empty
from replay.source.options import SourceOptions
from replay.source.selection.parse import on_day, parse_selection
from replay.source.tables.states import AskedState
from replay.watch import notify
from replay.watch.around import WatchOptions, checked
from replay.watch.metrics.export import MetricsOptions


def job_name(options: Options, day: calendar_date | None = None) -> JobName:
    """`day`: another date than the one that is given."""
    given = options.of(Naming)
    if given.job == "":
        raise UsageError("the name is empty", where="--job", todo="give one such as nightly")
    today = dates.today_in(given.timezone, time.time())
    if day is None and given.date is not None:
        day = dates.parse_date(given.date, today)
    return JobName(given.job, day, Path(given.state_dir) if given.state_dir else None, given.timezone)


def source_options(options: Options, name: JobName) -> SourceOptions:
    given = with_dump(options.of(Input))
    if not given.inputs:
        raise UsageError(
            "which files?", where="INPUT", todo="name Parquet files, folders or globs, or a job file with --config"
        )
    columns = parse.parse_columns(given)
    records = schemas.with_schemas(parse_records(given, columns), options)
    selection = parse_selection(
        given.symbols, given.exclude_symbols, given.from_, given.to, given.sample, given.where, given.limit
    )
    if name.day is not None and not any(map(dates.has_date, given.inputs)):
        selection = on_day(selection, name.day, name.timezone)
    bad_rows_max, bad_share_max = parse.parse_bad_rows_max(given.bad_rows_max)
    return SourceOptions(
        inputs=tuple(name.dated(text, "INPUT") for text in given.inputs),
        columns=columns,
        records=records,
        order=given.order,
        unsorted=given.unsorted,
        sort_memory_bytes=options.read("sort_memory"),
        selection=selection,
        on_bad_row=given.on_bad_row,
        bad_rows_max=bad_rows_max,
        bad_share_max=bad_share_max,
        table_state=AskedState(given.table_version, given.snapshot),
        trust_statistics=given.trust_statistics,
        empty=given.empty,
        allow_empty=given.allow_empty,
    )


def login(options: Options) -> security.Login:
    """How to get into the cluster."""
    given = options.of(Secure)
    said = {each.name: getattr(given, each.name) for each in fields(given)}
    extensions = parse.parse_assignments(given.oauth_extensions or [], "--oauth-extensions")
    return security.Login(**{**said, "oauth_extensions": extensions})


def kafka_options(options: Options, name: JobName, *, needs_broker: bool = True) -> KafkaOptions:
    """`needs_broker`: its address has to be given."""
    given = options.of(Target)
    if given.topic is None:
        raise UsageError("which topic?", where="--topic", todo="name it with --topic, or in a job file (--config)")
    if needs_broker and not given.bootstrap_servers:
        raise UsageError(
            "which broker? There is no default",
            where="--bootstrap-servers",
            todo="name one (--bootstrap-servers localhost:9092), or try it with --embedded (replay run)",
        )
    by_hand = kafka_settings.check_settings(parse.parse_assignments(given.settings or [], "-X"))
    settings, secrets = security.with_login(login(options), by_hand)
    protocol = settings.get("security.protocol", "PLAINTEXT")
    servers = given.bootstrap_servers and addresses.check_bootstrap_servers(given.bootstrap_servers, protocol)
    return KafkaOptions(
        servers,
        parse.check_topic_name(name.dated(given.topic, "--topic")),
        settings=settings,
        secrets=secrets,
        broker_timeout_s=options.read("broker_timeout"),
    )


def pace(options: Options) -> Pace:
    given = options.of(Pacing)
    return parse_pace(given.rate, given.speed, given.max_gap)


def run_options(options: Options, name: JobName, *, needs_broker: bool = True) -> RunOptions:
    """What a replay sends, where to, and how."""
    given = options.of(Sending)
    source = source_options(options, name)
    kafka = replace(
        kafka_options(options, name, needs_broker=needs_broker),
        create_topic=parse.parse_topic_spec(given.create_topic) if given.create_topic else None,
        # Trades are older than any default retention, so a topic made for them keeps them.
        topic_config={"retention.ms": "-1", **parse.parse_assignments(given.topic_config or [], "--topic-config")},
        linger_ms=options.read("linger") * 1_000,
        batch_bytes=options.read("batch_size"),
        batch_rows=options.read("batch_rows"),
        compression=given.compression,
        in_flight_rows_max=options.read("in_flight_rows"),
        in_flight_bytes_max=options.read("in_flight_bytes"),
    )
    return RunOptions(
        source=source,
        checkpoint=name.checkpoint(kafka.topic, given.checkpoint),
        kafka=kafka,
        check=given.check,
        when_changed=WhenChanged.APPEND if given.allow_appended else given.when_changed,
        checkpoint_interval_s=options.read("checkpoint_interval"),
        drain_timeout_s=options.read("drain_timeout"),
        progress_interval_s=given.progress_seconds,
        delivery=given.delivery,
        transactions=Transactions(
            job=name.of(kafka.topic),
            progress_topic=parse.check_topic_name(given.progress_topic),
            rows_max=options.read("transaction_rows"),
            open_ms_max=given.transaction_ms,
        ),
        settle_s=options.read("settle"),
        registry=schemas.registry_options(options),
        pace=pace(options),
    )


def whole_run(options: Options, name: JobName) -> tuple[RunOptions, MissingPolicy]:
    """All that `replay run` takes, and what becomes of a date without a file."""
    made = run_options(options, name, needs_broker=not options["embedded"])
    absent = missing_days(options)
    if name.day is not None and absent.is_off(name.day):  # a file of many days has no row of this one
        made = replace(made, source=replace(made.source, empty=Empty.OK))
    return replace(made, restart=options["restart"]), absent


def watch_options(options: Options, name: JobName, topic: str | None = None, *, places: bool = True) -> WatchOptions:
    """`places`: look whether files can be written where they are wanted. A job without a name has its topic's."""
    given = options.of(Watching)

    def placed(option: str, path: str | None) -> Path | None:
        return Path(name.placed(path, option, topic)) if path else None

    textfile = given.metrics_textfile
    if textfile and (textfile.endswith("/") or Path(textfile).is_dir()):
        textfile = str(Path(textfile) / "replay-{job}.prom")
    metrics_textfile = placed("--metrics-textfile", textfile)
    summary = given.summary_json
    return checked(
        WatchOptions(
            MetricsOptions(given.metrics_port, given.metrics_address, metrics_textfile, given.metrics_push),
            summary_json=name.placed(summary, "--summary-json", topic) if summary else None,
            report=placed("--report", given.report),
            zone=ZoneInfo(name.timezone),
            notify=notify.parse_notify(given.notify, given.notify_on) if given.notify is not None else None,
        ),
        places=places,
    )


def lost_between_days(options: Options) -> list[str]:
    """What is lost where one command replays several dates, each in a process of its own."""
    files = {"--summary-json": options["summary_json"], "--report": options["report"]}
    if files["--summary-json"] == "-":
        return ["--summary-json -: the days' own standard output is not shown; name a file: summary-{date}.json"]
    return _replaced(files, dates.has_date, "each day replaces that of the day before; put {date}")


def shared_by_jobs(files: Mapping[str, str | None]) -> list[str]:
    """Warnings for files that several jobs would write. `files` holds each option and its path."""
    return _replaced(files, is_for_each_job, "each job replaces that of the others; put {job}")


def _replaced(files: Mapping[str, str | None], is_apart: Callable[[str], bool], told: str) -> list[str]:
    return [
        f"{option} {path}: {told} into its name to keep all"
        for option, path in files.items()
        if path not in (None, "-") and not is_apart(path)
    ]


def retries(options: Options) -> due.Retries:
    """Raises `UsageError` where the first wait would be cut short by the longest."""
    wait_s, wait_max_s = options.read("retry_wait"), options.read("retry_wait_max")
    if wait_s > wait_max_s:
        raise UsageError(
            f"the first wait ({options['retry_wait']}) is longer than the longest ({options['retry_wait_max']})",
            where="--retry-wait",
            todo="make it shorter, or give a longer --retry-wait-max",
        )
    return due.Retries(options["retries"], wait_s, wait_max_s)


def missing_days(options: Options) -> MissingPolicy:
    calendar = options["calendar"]
    return MissingPolicy(
        options["missing"],
        options.read("missing_every"),
        options.read("missing_for"),
        parse_calendar(calendar) if calendar is not None else None,
    )
