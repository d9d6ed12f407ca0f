"""What commands have that look at something, or make something, and send nothing."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from replay import units
from replay.cli.options.declare import Harmless, Option, Panel, duration, row_count


class Isolation(StrEnum):
    READ_COMMITTED = "read_committed"
    READ_UNCOMMITTED = "read_uncommitted"


class ResultFormat(StrEnum):
    TABLE = "table"
    JSON = "json"


class SampleLayout(StrEnum):
    BY_DAY = "by-day"
    BY_SYMBOL = "by-symbol"


FORMAT = Option(name="--format", text="Show the result as a table, or as JSON.", panel=Panel.OWN)
FIRST_OFFSETS = Option(text="Where this replay began in each partition: 0,0,12.", panel=Panel.OWN, metavar="OFFSETS")
ONLY_JOB = Option(text="Show only this job.", panel=Panel.OWN, metavar="NAME")


@dataclass(frozen=True)
class Verifying(Harmless):
    """What of the topic is read back."""

    checkpoint: Annotated[
        str,
        Option(
            text="Compare only what the replay of this checkpoint wrote.",
            panel=Panel.OWN,
            metavar="FILE",
            default="that of --job and --date",
        ),
    ] = ""
    first_offsets: Annotated[str | None, FIRST_OFFSETS] = None
    end_offsets: Annotated[
        str | None,
        Option(
            text="Read up to these offsets, one for each partition, without the record at them.",
            panel=Panel.OWN,
            metavar="OFFSETS",
            default="the end",
        ),
    ] = None
    isolation: Annotated[
        Isolation,
        Option(text="Read as a consumer with this isolation.level would.", panel=Panel.OWN),
    ] = Isolation.READ_COMMITTED
    allow_foreign: Annotated[
        bool,
        Option(text="Records of other producers are counted, but are no difference.", panel=Panel.OWN),
    ] = False
    table_format: Annotated[ResultFormat, FORMAT] = ResultFormat.TABLE


@dataclass(frozen=True)
class Planning(Harmless):
    """How closely a replay is looked at."""

    checkpoint: Annotated[
        str,
        Option(
            text="Checkpoint of the replay, if it has begun.",
            panel=Panel.OWN,
            metavar="FILE",
            default="that of --job or --topic",
        ),
    ] = ""
    partitions: Annotated[
        int | None,
        Option(
            text="Show how the rows would spread over this many partitions.",
            panel=Panel.OWN,
            min=1,
            default="those of the topic",
        ),
    ] = None
    scan: Annotated[
        bool,
        Option(text="Read every row: symbols, bad rows, rows over time and over partitions.", panel=Panel.OWN),
    ] = False
    table_format: Annotated[ResultFormat, FORMAT] = ResultFormat.TABLE


@dataclass(frozen=True)
class Statuses(Harmless):
    """Which replays `status` shows."""

    checkpoints: Annotated[
        list[str] | None,
        Option(
            name="--checkpoint",
            text="Show a checkpoint outside the state folder, too. Repeatable.",
            panel=Panel.OWN,
            metavar="FILE",
            variable="STATUS_CHECKPOINT",
        ),
    ] = None
    job: Annotated[str | None, ONLY_JOB] = None
    watch: Annotated[
        str | None,
        Option(
            text="Look again this often until Ctrl-C: 5s.",
            panel=Panel.OWN,
            form=duration(units.WATCH_S),
        ),
    ] = None
    fail_if_older_than: Annotated[
        str | None,
        Option(
            text="Exit 1 if the last success of a job is longer ago than this, or there is none: 26h.",
            panel=Panel.OWN,
            form=duration(),
        ),
    ] = None
    table_format: Annotated[ResultFormat, FORMAT] = ResultFormat.TABLE


@dataclass(frozen=True)
class PastRuns(Harmless):
    """Which runs `history` shows."""

    job: Annotated[str | None, ONLY_JOB] = None
    limit: Annotated[
        int,
        Option(
            text="Show at most this many runs, the newest ones.",
            panel=Panel.OWN,
            metavar="RUNS",
            min=1,
            variable="HISTORY_LIMIT",
        ),
    ] = 50
    table_format: Annotated[ResultFormat, FORMAT] = ResultFormat.TABLE


@dataclass(frozen=True)
class Page(Harmless):
    """Which replay `report` draws."""

    job: Annotated[
        str, Option(name="JOB", text="Name of the job, as replay history shows it.", panel=Panel.OWN, metavar="JOB")
    ]
    day: Annotated[
        str | None,
        Option(
            name="--date",
            text="The day of the replay: 2026-11-22, yesterday, or -2.",
            panel=Panel.OWN,
            metavar="DATE",
            default="a replay without a date",
        ),
    ] = None
    out: Annotated[
        str,
        Option(text="File to write the page to.", panel=Panel.OWN, metavar="FILE", default="JOB-DATE.html"),
    ] = ""
    timezone: Annotated[
        str, Option(text="Time zone of yesterday, and of the times on the page.", panel=Panel.OWN, metavar="ZONE")
    ] = "UTC"


@dataclass(frozen=True)
class Sampling(Harmless):
    """Which trades `sample` makes up."""

    folder: Annotated[
        Path, Option(name="FOLDER", text="Folder to write the files to.", panel=Panel.OWN, metavar="FOLDER")
    ]
    rows: Annotated[
        str,
        Option(text="How many rows: 20k, 10M.", panel=Panel.OWN, form=row_count(), variable="SAMPLE_ROWS"),
    ] = "20k"
    symbols: Annotated[
        int,
        Option(text="How many symbols.", panel=Panel.OWN, min=1, variable="SAMPLE_SYMBOLS"),
    ] = 5
    days: Annotated[
        int,
        Option(text="How many days, from 2026-11-02 on.", panel=Panel.OWN, min=1, variable="SAMPLE_DAYS"),
    ] = 2
    layout: Annotated[
        SampleLayout,
        Option(
            text="One file for each day, or one for each symbol, whose times overlap.",
            panel=Panel.OWN,
            variable="SAMPLE_LAYOUT",
        ),
    ] = SampleLayout.BY_DAY
    seed: Annotated[
        int,
        Option(text="Another seed makes other trades.", panel=Panel.OWN, min=0, variable="SAMPLE_SEED"),
    ] = 7


@dataclass(frozen=True)
class CheckpointFile(Harmless):
    """The checkpoint to look at."""

    path: Annotated[Path, Option(name="FILE", text="The checkpoint.", panel=Panel.OWN, metavar="FILE")]


@dataclass(frozen=True)
class Forgetting(Harmless):
    """How `checkpoint reset` asks."""

    yes: Annotated[
        bool,
        Option(text="Do not ask before it is forgotten.", panel=Panel.OWN, variable="CHECKPOINT_RESET_YES"),
    ] = False


@dataclass(frozen=True)
class Rebuilding(Harmless):
    """Where `checkpoint rebuild` begins to read."""

    first_offsets: Annotated[str | None, FIRST_OFFSETS] = None


@dataclass(frozen=True)
class Listing(Harmless):
    """How `options` lists all options."""

    markdown: Annotated[bool, Option(text="As a page in Markdown: the reference of all options.", panel=Panel.OWN)] = (
        False
    )
