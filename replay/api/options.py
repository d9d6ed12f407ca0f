"""The options of a replay in Python. What each means, its default and its bounds stand in `replay.cli.options`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date as calendar_date
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from replay.cli.commands import command
from replay.cli.given import DEFAULT, Given, Options, remembered, typed, with_job_file
from replay.cli.options.declare import Declared, declared
from replay.errors import UsageError
from replay.nightly.jobfile import Value

PathLike: TypeAlias = str | os.PathLike[str]
Texts: TypeAlias = str | Sequence[str]
Pairs: TypeAlias = Mapping[str, str] | Sequence[str]
"""`{"exchange": "binance"}`, or `["exchange=binance"]`."""
IdPairs: TypeAlias = Mapping[int, int] | Sequence[str]
"""`{5: 17}`, or `["5=17"]`."""
Moment: TypeAlias = str | datetime
"""Without a time zone it is UTC."""
Duration: TypeAlias = str | float | timedelta
"""`"5m"`; a number is seconds."""
Rows: TypeAlias = str | int
"""`"100k"`, or a number of rows."""
Size: TypeAlias = str | int
"""`"64MiB"`; a number is bytes."""


@dataclass(frozen=True, kw_only=True)
class ReplayOptions:
    """What to replay, where to, and how: the options of `replay run`, as a job file names them.

    `from_` stands for `--from`. `kafka` holds what `-X` does: any setting of librdkafka. None stands for the default.

    Values are the texts of the command line, or what Python has for them: paths, dates, numbers, lists. A number of a
    duration is in seconds, of a rate in rows a second, of a size in bytes. `replay()` checks them, and raises
    `UsageError`. No REPLAY_ variable is read. The job file that `config` names is, and options given here win over it.
    """

    # What to send
    inputs: PathLike | Sequence[PathLike] | None = None
    date: str | calendar_date | None = None
    timezone: str | None = None
    job: str | None = None
    symbols: Texts | None = None
    exclude_symbols: Texts | None = None
    from_: Moment | None = None
    to: Moment | None = None
    where: str | None = None
    sample: str | None = None
    limit: int | None = None
    order: str | None = None
    unsorted: str | None = None
    sort_memory: Size | None = None
    table_version: int | None = None
    snapshot: int | None = None
    trust_statistics: bool | None = None

    # Where to
    topic: str | None = None
    bootstrap_servers: Texts | None = None
    kafka: Mapping[str, str | float] | Sequence[str] | None = field(default=None, repr=False)  # may hold a password
    security: str | None = None
    ca: PathLike | None = None
    cert: PathLike | None = None
    cert_key: PathLike | None = None
    cert_key_password_file: PathLike | None = None
    user: str | None = None
    password_file: PathLike | None = None
    oauth_token_url: str | None = None
    oauth_client_id: str | None = None
    oauth_client_secret_file: PathLike | None = None
    oauth_scope: str | None = None
    oauth_audience: str | None = None
    oauth_token_file: PathLike | None = None
    oauth_extensions: Pairs | None = None
    aws_region: str | None = None
    create_topic: str | int | None = None
    topic_config: Pairs | None = None

    registry: Texts | None = field(default=None, repr=False)  # may hold a password
    registry_config: Pairs | None = field(default=None, repr=False)  # may hold a password
    source_registry: Texts | None = field(default=None, repr=False)
    source_registry_config: Pairs | None = field(default=None, repr=False)
    subject_name: str | None = None
    schema_register: bool | None = None

    # How fast
    rate: str | float | None = None
    speed: str | float | None = None
    max_gap: Duration | None = None
    compression: str | None = None
    linger: Duration | None = None
    batch_size: Size | None = None
    batch_rows: Rows | None = None
    in_flight_rows: Rows | None = None
    in_flight_bytes: Size | None = None

    # When it fails
    checkpoint: PathLike | None = None
    state_dir: PathLike | None = None
    delivery: str | None = None
    progress_topic: str | None = None
    transaction_rows: Rows | None = None
    transaction_ms: int | None = None
    broker_timeout: Duration | None = None
    drain_timeout: Duration | None = None
    checkpoint_interval: Duration | None = None
    settle: Duration | None = None
    check: bool | None = None
    when_changed: str | None = None
    restart: bool | None = None
    empty: str | None = None
    allow_empty: bool | None = None
    on_bad_row: str | None = None
    bad_rows_max: str | int | None = None
    missing: str | None = None
    missing_every: Duration | None = None
    missing_for: Duration | None = None
    calendar: PathLike | None = None

    # Watching it
    verify: bool | None = None
    metrics_port: int | None = None
    metrics_address: str | None = None
    metrics_textfile: PathLike | None = None
    metrics_push: str | None = field(default=None, repr=False)
    summary_json: PathLike | None = None
    report: PathLike | None = None
    notify: str | None = field(default=None, repr=False)
    notify_on: str | None = None

    # Files and formats
    config: PathLike | None = None
    preset: str | None = None
    map: Pairs | None = None
    symbol: str | None = None
    symbol_from: str | None = None
    symbol_case: str | None = None
    time_unit: str | None = None
    price_scale: int | None = None
    fields: Texts | None = None
    rename: Pairs | None = None
    key: str | None = None
    partitioner: str | None = None
    timestamp: str | None = None
    decimal_as: str | None = None
    header: Pairs | None = None
    format: str | None = None
    key_format: str | None = None
    schema: PathLike | None = None
    schema_subject: str | None = None
    schema_message: str | None = None
    schema_name: str | None = None
    schema_doc: str | None = None
    schema_id_in: str | None = None
    row_header: str | None = None
    value_column: str | None = None
    key_column: str | None = None
    headers_column: str | None = None
    partition_column: str | None = None
    timestamp_column: str | None = None
    translate_schema_ids: IdPairs | None = None
    translate_key_schema_ids: IdPairs | None = None


NAMES = {"from": "from_", "X": "kafka"}
"""Names here that are not those of a job file."""

LEFT_OUT = frozenset({"embedded", "allow_appended", "progress_seconds"})
"""Of `replay run`: nobody could read the topic of an embedded broker; `when_changed="append"` says the same; no line
tells of progress."""

RUN = command("run")


def _described() -> str:
    """What each option means, for `help(ReplayOptions)`."""
    options = [option for group in RUN.groups for option in declared(group) if option.key not in LEFT_OUT]
    lines = [
        f"{NAMES.get(each.key, each.key)}: {each.option.text}"
        + (f" [default: {each.default_text}]" if each.default_text else "")
        for each in options
    ]
    return "\n    ".join(["", "", *lines, ""])


ReplayOptions.__doc__ = (ReplayOptions.__doc__ or "").rstrip() + _described()


def given(options: ReplayOptions) -> Options:
    """The options of `replay run`, with what the job file says. Raises `UsageError`."""
    said = {option.field: _given(option, options) for option in RUN.options}
    found = with_job_file(RUN, remembered(Options(said)))
    if found["embedded"]:
        raise UsageError(
            "the topic of a broker inside this process would be gone before anybody reads it",
            where=found.by_field["embedded"].origin,
            todo="take it out, or use: replay run --embedded",
        )
    return found


def _given(option: Declared, options: ReplayOptions) -> Given:
    name = NAMES.get(option.key, option.key)
    value = getattr(options, name, None)
    if value is None:
        return Given(option, option.default, DEFAULT)
    where = f"ReplayOptions.{name}"
    plain = [_text(each) for each in _many(value)] if option.many else _one(value, where)
    return Given(option, typed(option, Value(plain, where)), where)


def _many(value: Any) -> Sequence[Any]:
    if isinstance(value, Mapping):
        return [f"{key}={_text(each)}" for key, each in value.items()]
    return [value] if isinstance(value, str | os.PathLike) else list(value)


def _one(value: Any, where: str) -> str | bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, Sequence) and not isinstance(value, str):  # symbols, fields, bootstrap_servers
        if wrong := [each for each in value if "," in each]:
            raise UsageError(f"{wrong[0]!r} holds a comma", where=where, todo="write a comma between names only")
        return ",".join(value)
    if isinstance(value, Iterable) and not isinstance(value, str | os.PathLike):  # a set, say: it has no order
        kind = type(value).__name__
        raise UsageError(f"a {kind} cannot be read", where=where, todo="give a text, or a list of texts")
    return _text(value)


def _text(value: Any) -> str:
    """As the command line takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, float):
        return f"{value:.6f}"
    if isinstance(value, calendar_date):  # a datetime is one, too
        return value.isoformat()
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)
