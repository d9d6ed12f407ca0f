"""What commands have that look at something, or make something, and send nothing."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from replay import units
from replay.cli.options.declare import REQUIRED, Harmless, Option, Panel, duration, option, row_count, same


class Isolation(StrEnum):
    READ_COMMITTED = "read_committed"
    READ_UNCOMMITTED = "read_uncommitted"


class ResultFormat(StrEnum):
    TABLE = "table"
    JSON = "json"


class SampleLayout(StrEnum):
    BY_DAY = "by-day"
    BY_SYMBOL = "by-symbol"


FORMAT = Option("Show the result as a table, or as JSON.", Panel.OWN, name="--format")
FIRST_OFFSETS = Option("Where this replay began in each partition: 0,0,12.", Panel.OWN, metavar="OFFSETS")
ONLY_JOB = Option("Show only this job.", Panel.OWN, metavar="NAME")


@dataclass(frozen=True)
class Verifying(Harmless):
    """What of the topic is read back."""

    checkpoint: str = option(
        "",
        "Compare only what the replay of this checkpoint wrote.",
        Panel.OWN,
        metavar="FILE",
        otherwise="that of --job and --date",
    )
    first_offsets: str | None = same(None, FIRST_OFFSETS)
    end_offsets: str | None = option(
        None,
        "Read up to these offsets, one for each partition, without the record at them.",
        Panel.OWN,
        metavar="OFFSETS",
        otherwise="the end",
    )
    isolation: Isolation = option(
        Isolation.READ_COMMITTED, "Read as a consumer with this isolation.level would.", Panel.OWN
    )
    allow_foreign: bool = option(False, "Records of other producers are counted, but are no difference.", Panel.OWN)
    table_format: ResultFormat = same(ResultFormat.TABLE, FORMAT)


@dataclass(frozen=True)
class Planning(Harmless):
    """How closely a replay is looked at."""

    checkpoint: str = option(
        "",
        "Checkpoint of the replay, if it has begun.",
        Panel.OWN,
        metavar="FILE",
        otherwise="that of --job or --topic",
    )
    partitions: int | None = option(
        None,
        "Show how the rows would spread over this many partitions.",
        Panel.OWN,
        min=1,
        otherwise="those of the topic",
    )
    scan: bool = option(False, "Read every row: symbols, bad rows, rows over time and over partitions.", Panel.OWN)
    table_format: ResultFormat = same(ResultFormat.TABLE, FORMAT)


@dataclass(frozen=True)
class Statuses(Harmless):
    """Which replays `status` shows."""

    checkpoints: list[str] | None = option(
        None,
        "Show a checkpoint outside the state folder, too. Repeatable.",
        Panel.OWN,
        name="--checkpoint",
        metavar="FILE",
        variable="STATUS_CHECKPOINT",
    )
    job: str | None = same(None, ONLY_JOB)
    watch: str | None = option(None, "Look again this often until Ctrl-C: 5s.", Panel.OWN, form=duration(units.WATCH_S))
    fail_if_older_than: str | None = option(
        None,
        "Exit 1 if the last success of a job is longer ago than this, or there is none: 26h.",
        Panel.OWN,
        form=duration(),
    )
    table_format: ResultFormat = same(ResultFormat.TABLE, FORMAT)


@dataclass(frozen=True)
class PastRuns(Harmless):
    """Which runs `history` shows."""

    job: str | None = same(None, ONLY_JOB)
    limit: int = option(
        50, "Show at most this many runs, the newest ones.", Panel.OWN, metavar="RUNS", min=1, variable="HISTORY_LIMIT"
    )
    table_format: ResultFormat = same(ResultFormat.TABLE, FORMAT)


@dataclass(frozen=True)
class Page(Harmless):
    """Which replay `report` draws."""

    job: str = option(REQUIRED, "Name of the job, as replay history shows it.", Panel.OWN, name="JOB", metavar="JOB")
    day: str | None = option(
        None,
        "The day of the replay: 2026-11-02, yesterday, or -2.",
        Panel.OWN,
        name="--date",
        metavar="DATE",
        otherwise="a replay without a date",
    )
    out: str = option("", "File to write the page to.", Panel.OWN, metavar="FILE", otherwise="JOB-DATE.html")
    timezone: str = option("UTC", "Time zone of yesterday, and of the times on the page.", Panel.OWN, metavar="ZONE")


@dataclass(frozen=True)
class Sampling(Harmless):
    """Which trades `sample` makes up."""

    folder: Path = option(REQUIRED, "Folder to write the files to.", Panel.OWN, name="FOLDER", metavar="FOLDER")
    rows: str = option("20k", "How many rows: 20k, 10M.", Panel.OWN, form=row_count(), variable="SAMPLE_ROWS")
    symbols: int = option(5, "How many symbols.", Panel.OWN, min=1, variable="SAMPLE_SYMBOLS")
    days: int = option(2, "How many days, from 2026-11-02 on.", Panel.OWN, min=1, variable="SAMPLE_DAYS")
    layout: SampleLayout = option(
        SampleLayout.BY_DAY,
        "One file for each day, or one for each symbol, whose times overlap.",
        Panel.OWN,
        variable="SAMPLE_LAYOUT",
    )
    seed: int = option(7, "Another seed makes other trades.", Panel.OWN, min=0, variable="SAMPLE_SEED")


@dataclass(frozen=True)
class CheckpointPath(Harmless):
    """The checkpoint to look at."""

    path: Path = option(REQUIRED, "The checkpoint.", Panel.OWN, name="FILE", metavar="FILE")


@dataclass(frozen=True)
class Forgetting(Harmless):
    """How `checkpoint reset` asks."""

    yes: bool = option(False, "Do not ask before it is forgotten.", Panel.OWN, variable="CHECKPOINT_RESET_YES")


@dataclass(frozen=True)
class Rebuilding(Harmless):
    """Where `checkpoint rebuild` begins to read."""

    first_offsets: str | None = same(None, FIRST_OFFSETS)


@dataclass(frozen=True)
class Listing(Harmless):
    """How `options` lists all options."""

    markdown: bool = option(False, "As a page in Markdown: the reference of all options.", Panel.OWN)
