"""What commands have that look at something, or make something, and send nothing."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from replay import units
from replay.cli.options.declare import OFFSETS, REQUIRED, Harmless, Option, Panel, duration, own, row_count, same


class Isolation(StrEnum):
    READ_COMMITTED = "read_committed"
    READ_UNCOMMITTED = "read_uncommitted"


class Output(StrEnum):
    TABLE = "table"
    JSON = "json"


class SampleLayout(StrEnum):
    BY_DAY = "by-day"
    BY_SYMBOL = "by-symbol"


OUTPUT = Option("Show the result as a table, or as JSON.", Panel.OWN)
FIRST_OFFSETS = Option("Where this replay began in each partition: 0,0,12.", Panel.OWN, form=OFFSETS)
ONLY_JOB = Option("Show only this job.", Panel.OWN, metavar="NAME")


@dataclass(frozen=True)
class Verifying(Harmless):
    """What of the topic is read back."""

    checkpoint: str = own(
        "",
        "Compare only what the replay of this checkpoint wrote.",
        metavar="FILE",
        otherwise="that of --job and --date",
    )
    first_offsets: str | None = same(None, FIRST_OFFSETS)
    end_offsets: str | None = own(
        None,
        "Read up to these offsets, one for each partition, without the record at them.",
        form=OFFSETS,
        otherwise="the end",
    )
    isolation: Isolation = own(Isolation.READ_COMMITTED, "Read as a consumer with this isolation.level would.")
    allow_foreign: bool = own(False, "Records of other producers are counted, but are no difference.")
    output: Output = same(Output.TABLE, OUTPUT)


@dataclass(frozen=True)
class Planning(Harmless):
    """How closely a replay is looked at."""

    checkpoint: str = own(
        "", "Checkpoint of the replay, if it has begun.", metavar="FILE", otherwise="that of --job or --topic"
    )
    partitions: int | None = own(
        None, "Show how the rows would spread over this many partitions.", min=1, otherwise="those of the topic"
    )
    scan: bool = own(False, "Read every row: symbols, bad rows, rows over time and over partitions.")
    output: Output = same(Output.TABLE, OUTPUT)


@dataclass(frozen=True)
class Checking(Harmless):
    """How `check` shows what it has found."""

    output: Output = same(Output.TABLE, OUTPUT)


@dataclass(frozen=True)
class Statuses(Harmless):
    """Which replays `status` shows."""

    checkpoints: list[str] | None = own(
        None,
        "Show a checkpoint outside the state folder, too. Repeatable.",
        name="--checkpoint",
        metavar="FILE",
        variable="STATUS_CHECKPOINT",
    )
    job: str | None = same(None, ONLY_JOB)
    watch: str | None = own(None, "Look again this often until Ctrl-C: 5s.", form=duration(units.WATCH_S))
    fail_if_older_than: str | None = own(
        None, "Exit 1 if the last success of a job is longer ago than this, or there is none: 26h.", form=duration()
    )
    output: Output = same(Output.TABLE, OUTPUT)


@dataclass(frozen=True)
class PastRuns(Harmless):
    """Which runs `history` shows."""

    job: str | None = same(None, ONLY_JOB)
    limit: int = own(
        50, "Show at most this many runs, the newest ones.", metavar="RUNS", min=1, variable="HISTORY_LIMIT"
    )
    output: Output = same(Output.TABLE, OUTPUT)


@dataclass(frozen=True)
class Page(Harmless):
    """Which replay `report` draws."""

    job: str = own(REQUIRED, "Name of the job, as replay history shows it.", name="JOB", metavar="JOB")
    day: str | None = own(
        None,
        "The day of the replay: 2026-11-02, yesterday, or -2.",
        name="--date",
        metavar="DATE",
        otherwise="a replay without a date",
    )
    out: str = own("", "File to write the page to.", metavar="FILE", otherwise="JOB-DATE.html")
    timezone: str = own("UTC", "Time zone of yesterday, and of the times on the page.", metavar="ZONE")


@dataclass(frozen=True)
class Sampling(Harmless):
    """Which trades `sample` makes up."""

    folder: Path = own(REQUIRED, "Folder to write the files to.", name="FOLDER", metavar="FOLDER")
    rows: str = own("20k", "How many rows: 20k, 10M.", form=row_count(), variable="SAMPLE_ROWS")
    symbols: int = own(5, "How many symbols.", min=1, variable="SAMPLE_SYMBOLS")
    days: int = own(2, "How many days, from 2026-11-02 on.", min=1, variable="SAMPLE_DAYS")
    layout: SampleLayout = own(
        SampleLayout.BY_DAY,
        "One file for each day, or one for each symbol, whose times overlap.",
        variable="SAMPLE_LAYOUT",
    )
    seed: int = own(7, "Another seed makes other trades.", min=0, variable="SAMPLE_SEED")


@dataclass(frozen=True)
class CheckpointPath(Harmless):
    """The checkpoint to look at."""

    path: Path = own(REQUIRED, "The checkpoint.", name="FILE", metavar="FILE")


@dataclass(frozen=True)
class Forgetting(Harmless):
    """How `checkpoint reset` asks."""

    yes: bool = own(False, "Do not ask before it is forgotten.", variable="CHECKPOINT_RESET_YES")


@dataclass(frozen=True)
class Rebuilding(Harmless):
    """Where `checkpoint rebuild` begins to read."""

    first_offsets: str | None = same(None, FIRST_OFFSETS)


@dataclass(frozen=True)
class Listing(Harmless):
    """How `options` lists all options."""

    markdown: bool = own(False, "As a page in Markdown: the reference of all options.")
