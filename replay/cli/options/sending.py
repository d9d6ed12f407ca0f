"""How rows are paced, batched, delivered and made safe."""

from dataclasses import dataclass

from replay import units
from replay.cli.options.declare import Harmless, byte_size, duration, fails, pace, row_count, watch, where
from replay.delivery.options import PROGRESS_S, Delivery, WhenChanged
from replay.kafka.options import Compression

SAME_RECORDS = "the same records, in other batches or at other times"
PROGRESS = "where progress is kept is looked up before anything is sent"


@dataclass(frozen=True)
class Pacing(Harmless):
    """At most one of a rate and a speed."""

    rate: str | None = pace(
        None,
        "Rows per second, minute or hour: 5000/s, 5k/s, 300k/m, or max.",
        metavar="RATE",
        otherwise="max",
        everyday=True,
    )
    speed: str | None = pace(
        None,
        "Keep the gaps between event times, divided by this factor: 1x is real time, 60x an hour in a minute.",
        metavar="FACTOR",
        everyday=True,
    )
    max_gap: str | None = pace(
        None,
        "With --speed: a longer gap between two event times counts as this long, before it is divided.",
        metavar="DURATION",
    )


@dataclass(frozen=True)
class Sending:
    """How rows are sent, and what a resume goes by."""

    checkpoint: str = fails(
        "",
        "File that remembers what is in the topic; one for each replay. May hold {date}.",
        metavar="FILE",
        otherwise="JOB/DATE.json in --state-dir",
        harmless=PROGRESS,
    )
    delivery: Delivery = fails(
        Delivery.IDEMPOTENT,
        "How a re-run finds what is in the topic: idempotent reads the end of the topic, transactional writes"
        " progress records in the same transactions as the rows.",
    )
    progress_topic: str = fails(
        "replay-progress",
        "With --delivery transactional: the topic of the progress records.",
        metavar="TOPIC",
        harmless=PROGRESS,
    )
    transaction_rows: str = fails(
        "524288",
        "With --delivery transactional: commit after this many rows.",
        form=row_count(units.ONE_OR_MORE),
        harmless=SAME_RECORDS,
    )
    transaction_ms: int = fails(
        1_000,
        "With --delivery transactional: commit after this many milliseconds at the latest.",
        metavar="MS",
        min=1,
        harmless=SAME_RECORDS,
    )
    create_topic: str | None = where(
        None,
        "Create the topic if it is missing, with this many partitions: 6, or 6:3 for three replicas.",
        metavar="PARTITIONS",
        everyday=True,
        harmless="the partitions of the topic are compared",
    )
    topic_config: list[str] | None = where(
        None,
        "With --create-topic: a setting of the new topic. Repeatable.",
        metavar="KEY=VALUE",
        otherwise="retention.ms=-1",
        harmless="a setting of the topic, not of its records",
    )
    compression: Compression = pace(Compression.NONE, "Compression of batches.", harmless=SAME_RECORDS)
    linger: str = pace(
        "50ms",
        "How long a batch waits for more rows before it is sent.",
        form=duration(units.LINGER_S),
        harmless=SAME_RECORDS,
    )
    batch_size: str = pace("1MB", "Most bytes of a batch.", form=byte_size(units.BATCH_BYTES), harmless=SAME_RECORDS)
    batch_rows: str = pace("10k", "Most rows of a batch.", form=row_count(units.BATCH_ROWS), harmless=SAME_RECORDS)
    in_flight_rows: str = pace(
        "100k",
        "Most rows that are sent and not yet acknowledged.",
        form=row_count(units.IN_FLIGHT_ROWS),
        harmless=SAME_RECORDS,
    )
    in_flight_bytes: str = pace(
        "64MiB",
        "Most bytes that are sent and not yet acknowledged.",
        form=byte_size(units.IN_FLIGHT_BYTES),
        harmless=SAME_RECORDS,
    )
    drain_timeout: str = fails(
        "30s",
        "When stopped by Ctrl-C or a signal: wait this long for outstanding acknowledgements.",
        form=duration(),
        harmless="time only",
    )
    checkpoint_interval: str = fails("1s", "Save progress this often.", form=duration(), harmless="time only")
    settle: str | None = fails(
        None,
        "After a crash, wait this long for rows that were still on their way to the broker, and do not ask whether each"
        " replica answers.",
        form=duration(),
        otherwise="by the topic's replication",
        harmless="time only",
    )
    check: bool = fails(
        True,
        "Read every row of a new replay before the first one is sent, so that a bad file is found before half of it"
        " is in the topic.",
        harmless="the same rows, checked or not",
    )
    when_changed: WhenChanged = fails(
        WhenChanged.FAIL,
        "Inputs that grew since they were sent: fail (exit 4), or append the rows that sort after all that was sent.",
        harmless="what was sent stays; only what comes after is decided",
    )
    allow_appended: bool = fails(False, "The same as --when-changed append.", harmless="as --when-changed")
    progress_seconds: float = watch(
        PROGRESS_S,
        "Seconds between progress lines where the output is no terminal.",
        metavar="SECONDS",
        min=0.1,
        harmless="it is only shown",
    )


@dataclass(frozen=True)
class Ending:
    """What only a run by itself has."""

    verify_after: bool = watch(
        False,
        "At the end, read the topic back and compare it with the files; exit 1 if it differs.",
        name="--verify",
        everyday=True,
        harmless="it only reads",
    )
    restart: bool = fails(
        False,
        "Forget the checkpoint and send all rows again. Rows that are in the topic already will be there twice.",
        harmless="there is nothing left to be compared with",
    )
    embedded: bool = where(
        False,
        "Try it without Kafka: replay into a broker inside this process, which ends with it.",
        harmless="the topic of such a broker is new each time",
    )
