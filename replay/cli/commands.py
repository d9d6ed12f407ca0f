"""Every command: its words, what it does, its options. Light: what does the work is imported when it is called.

A command `config show` is the function `show` of `replay.cli.config_cmd`. To add one, add it to `COMMANDS` and write
its module; see `replay.cli.options` for how to add an option.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from replay.cli.options import looking, nights
from replay.cli.options.declare import Declared, declared
from replay.cli.options.naming import Naming, StateFolder
from replay.cli.options.nights import MissingDays, Retrying
from replay.cli.options.schemas import Schemas
from replay.cli.options.secure import Secure
from replay.cli.options.sending import Ending, Pacing, Sending
from replay.cli.options.source import Input
from replay.cli.options.target import Target
from replay.cli.options.watching import Logging, Watching

GROUPS = {
    "config": "Look at the options of a replay.",
    "checkpoint": "Look at a checkpoint, forget it, or rebuild it from the topic.",
}
"""Commands that only hold others."""


@dataclass(frozen=True, slots=True)
class Command:
    """`text` begins with one sentence, which is all that the list of commands shows.

    `everyday` names options that are everyday ones of this command, beside those that always are. `has_logs`: logging
    is set up at once; a command without it has to answer at once, and sets it up when something goes wrong.
    """

    words: str
    text: str
    examples: tuple[str, ...]
    groups: tuple[type, ...]
    everyday: tuple[str, ...] = ()
    has_logs: bool = True

    @property
    def name(self) -> str:
        return self.words.split()[-1]

    @property
    def module(self) -> str:
        return f"replay.cli.{self.words.split()[0]}_cmd"

    @property
    def title(self) -> str:
        return self.text.partition("\n")[0]

    @property
    def options(self) -> tuple[Declared, ...]:
        return tuple(option for group in (*self.groups, Logging) for option in declared(group))

    @property
    def reads_job_file(self) -> bool:
        return Naming in self.groups


RUN = (Input, Naming, Target, Secure, Schemas, Pacing, Sending)
WHOLE_RUN = (*RUN, MissingDays, Watching, Ending)

COMMANDS = (
    Command(
        "run",
        "Start or resume one replay.\nRun it again after any failure: it sends only what is missing.",
        (
            "replay run data --topic trades --bootstrap-servers localhost:9092 --create-topic 6 --rate 5000/s",
            "replay run data --topic trades --embedded",
        ),
        WHOLE_RUN,
    ),
    Command(
        "plan",
        "Show what a replay would do, and send nothing.\nFiles, order, rows, times, duration, skew, problems.",
        ("replay plan data --rate 5000/s --partitions 6 --scan",),
        (Input, Naming, Target, Secure, Schemas, Pacing, looking.Planning),
    ),
    Command(
        "check",
        "Look whether a replay could begin, and change nothing.\nBroker, certificates, login, rights, topics, registry,"
        " input. Takes what run takes; with a job file and no --job, all its jobs.",
        (
            "replay check data --topic trades --bootstrap-servers localhost:9092",
            "replay check --config nightly.toml --output json",
        ),
        (*WHOLE_RUN, looking.Checking),
    ),
    Command(
        "schema",
        "Show the schema that values would be written under.\nAs it is made from the columns, or as it is given.",
        (
            "replay schema data --format avro --schema-name com.acme.Trade",
            "replay schema data --format protobuf --fields quantity,side > trade.proto",
        ),
        (Input, Naming, Schemas),
    ),
    Command(
        "verify",
        "Read the topic back and compare it with the files.\nLost, duplicated, out of order, changed: exit 0 or 1.",
        ("replay verify data --topic trades --bootstrap-servers localhost:9092 --checkpoint trades.json",),
        (Input, Naming, Target, Secure, Schemas, looking.Verifying),
    ),
    Command(
        "backfill",
        "Replay a range of days, one after the other.\nThe days are those in [--from, --to), oldest first. Days that"
        " are done are skipped.",
        (
            "replay backfill '/data/{date}/*.parquet' --topic trades --from 2026-11-01 --to 2026-11-08",
            "replay backfill archive --config nightly.toml --from -7 --to today",
        ),
        (*RUN, MissingDays, Retrying, nights.Backfilling, Watching),
        everyday=("--from", "--to", "--missing", "--newest-first", "--parallel"),
    ),
    Command(
        "schedule",
        "Stay, and replay each day when its time comes.\nMissed days are caught up. The day is the one before, unless"
        " --date says otherwise (today, -2).",
        (
            "replay schedule '/data/{date}/*.parquet' --topic trades --cron '0 2 * * *'",
            "replay schedule --config nightly.toml",
        ),
        (*RUN, MissingDays, Retrying, nights.Scheduling, Watching),
        everyday=("--missing", "--catch-up", "--timezone"),
    ),
    Command(
        "status",
        "Show every job and day: done, running or failed.\nWith rows, rate and age.",
        ("replay status --watch 5s", "replay status --fail-if-older-than 26h"),
        (looking.Statuses, StateFolder),
        has_logs=False,
    ),
    Command(
        "history",
        "Show past runs and how each ended.\nThe newest first, with rows and time.",
        ("replay history --job nightly --limit 20",),
        (looking.PastRuns, StateFolder),
        has_logs=False,
    ),
    Command(
        "report",
        "Write a page in HTML about a replay.\nWhat was replayed, how fast, and what went wrong meanwhile.",
        ("replay report nightly --date 2026-11-02 --out nightly.html",),
        (looking.Page, StateFolder),
    ),
    Command(
        "config show",
        "Show every option of a run, and where it came from.\nSecrets are masked. Takes what run takes.",
        ("replay config show --config nightly.toml --job trades --date yesterday",),
        WHOLE_RUN,
    ),
    Command(
        "checkpoint show",
        "Show what a checkpoint says.",
        ("replay checkpoint show trades.json",),
        (looking.CheckpointPath,),
    ),
    Command(
        "checkpoint reset",
        "Forget a checkpoint.\nThe next run sends every row, also those that are in the topic.",
        ("replay checkpoint reset trades.json --yes",),
        (looking.CheckpointPath, looking.Forgetting),
    ),
    Command(
        "checkpoint rebuild",
        "Make a lost checkpoint again from the topic.\nIt reads there which rows the topic holds. Takes what run"
        " takes.",
        ("replay checkpoint rebuild data --topic trades --bootstrap-servers localhost:9092 --checkpoint trades.json",),
        (*RUN, looking.Rebuilding),
    ),
    Command("presets", "List the file layouts that --preset knows.", ("replay presets",), ()),
    Command("options", "List all options of all commands.", ("replay options --markdown",), (looking.Listing,)),
    Command(
        "sample",
        "Write made-up trades to try things with.\nThe same command writes the same bytes.",
        ("replay sample big --rows 10M --symbols 50 --days 3 --layout by-symbol",),
        (looking.Sampling,),
    ),
    Command(
        "demo",
        "Show a crash and a resume on the shipped trades.\nIt replays them into an embedded broker, kills the replay"
        " half-way, resumes it, and checks the topic.",
        ("replay demo",),
        (),
    ),
)


def command(words: str) -> Command:
    return next(each for each in COMMANDS if each.words == words)


@cache
def job_keys() -> frozenset[str]:
    """What a job file may hold: the options of every command that reads one. A command takes those that it has."""
    keys = {option.key for each in COMMANDS if each.reads_job_file for option in each.options}
    return frozenset(keys - {"config"})
