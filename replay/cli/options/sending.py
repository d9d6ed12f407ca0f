"""How rows are batched, delivered and made safe."""

from dataclasses import dataclass
from typing import Annotated

from replay import units
from replay.cli.options.declare import Option, Panel, byte_size, duration, row_count
from replay.delivery.options import PROGRESS_S, Delivery, WhenChanged
from replay.kafka.options import Compression

SAME_RECORDS = "the same records, in other batches or at other times"
PROGRESS = "where progress is kept is looked up before anything is sent"


@dataclass(frozen=True)
class Sending:
    """How rows are sent, and what a resume goes by."""

    checkpoint: Annotated[
        str,
        Option(
            text="File that remembers what is in the topic; one for each replay. May hold {date}.",
            panel=Panel.FAILS,
            metavar="FILE",
            default="JOB/DATE.json in --state-dir",
            harmless=PROGRESS,
        ),
    ] = ""
    delivery: Annotated[
        Delivery,
        Option(
            text="How a re-run finds what is in the topic: idempotent reads the end of the topic, transactional writes"
            " progress records in the same transactions as the rows.",
            panel=Panel.FAILS,
            identity=True,
        ),
    ] = Delivery.IDEMPOTENT
    progress_topic: Annotated[
        str,
        Option(
            text="With --delivery transactional: the topic of the progress records.",
            panel=Panel.FAILS,
            metavar="TOPIC",
            harmless=PROGRESS,
        ),
    ] = "replay-progress"
    transaction_rows: Annotated[
        str,
        Option(
            text="With --delivery transactional: commit after this many rows.",
            panel=Panel.FAILS,
            form=row_count(units.ONE_OR_MORE),
            harmless=SAME_RECORDS,
        ),
    ] = "524288"
    transaction_ms: Annotated[
        int,
        Option(
            text="With --delivery transactional: commit after this many milliseconds at the latest.",
            panel=Panel.FAILS,
            metavar="MS",
            min=1,
            harmless=SAME_RECORDS,
        ),
    ] = 1_000
    create_topic: Annotated[
        str | None,
        Option(
            text="Create the topic if it is missing, with this many partitions: 6, or 6:3 for three replicas.",
            panel=Panel.WHERE,
            metavar="PARTITIONS",
            everyday=True,
            harmless="the partitions of the topic are compared, whoever made it",
        ),
    ] = None
    topic_config: Annotated[
        list[str] | None,
        Option(
            text="With --create-topic: a setting of the new topic. Repeatable.",
            panel=Panel.WHERE,
            metavar="KEY=VALUE",
            default="retention.ms=-1",
            harmless="a setting of the topic, not of its records",
        ),
    ] = None
    compression: Annotated[
        Compression, Option(text="Compression of batches.", panel=Panel.PACE, harmless=SAME_RECORDS)
    ] = Compression.NONE
    linger: Annotated[
        str,
        Option(
            text="How long a batch waits for more rows before it is sent.",
            panel=Panel.PACE,
            form=duration(units.LINGER_S),
            harmless=SAME_RECORDS,
        ),
    ] = "50ms"
    batch_size: Annotated[
        str,
        Option(
            text="Most bytes of a batch.", panel=Panel.PACE, form=byte_size(units.BATCH_BYTES), harmless=SAME_RECORDS
        ),
    ] = "1MB"
    batch_rows: Annotated[
        str,
        Option(text="Most rows of a batch.", panel=Panel.PACE, form=row_count(units.BATCH_ROWS), harmless=SAME_RECORDS),
    ] = "10k"
    in_flight_rows: Annotated[
        str,
        Option(
            text="Most rows that are sent and not yet acknowledged.",
            panel=Panel.PACE,
            form=row_count(units.IN_FLIGHT_ROWS),
            harmless=SAME_RECORDS,
        ),
    ] = "100k"
    in_flight_bytes: Annotated[
        str,
        Option(
            text="Most bytes that are sent and not yet acknowledged.",
            panel=Panel.PACE,
            form=byte_size(units.IN_FLIGHT_BYTES),
            harmless=SAME_RECORDS,
        ),
    ] = "64MiB"
    drain_timeout: Annotated[
        str,
        Option(
            text="When stopped by Ctrl-C or a signal: wait this long for outstanding acknowledgements.",
            panel=Panel.FAILS,
            form=duration(),
            harmless="time only",
        ),
    ] = "30s"
    checkpoint_interval: Annotated[
        str,
        Option(text="Save progress this often.", panel=Panel.FAILS, form=duration(), harmless="time only"),
    ] = "1s"
    settle: Annotated[
        str | None,
        Option(
            text="After a crash, wait this long for rows that were still on their way to the broker.",
            panel=Panel.FAILS,
            form=duration(),
            default="by the topic's replication",
            harmless="time only",
        ),
    ] = None
    check: Annotated[
        bool,
        Option(
            text="Read every row of a new replay before the first one is sent, so that a bad file is found before"
            " half of"
            " it is in the topic.",
            panel=Panel.FAILS,
            harmless="the same rows, checked or not",
        ),
    ] = True
    when_changed: Annotated[
        WhenChanged,
        Option(
            text="Inputs that grew since they were sent: fail (exit 4), or append the rows that sort after all that was"
            " sent.",
            panel=Panel.FAILS,
            harmless="what was sent stays; only what comes after is decided",
        ),
    ] = WhenChanged.FAIL
    allow_appended: Annotated[
        bool,
        Option(text="The same as --when-changed append.", panel=Panel.FAILS, harmless="as --when-changed"),
    ] = False
    progress_seconds: Annotated[
        float,
        Option(
            text="Seconds between progress lines where the output is no terminal.",
            panel=Panel.WATCH,
            metavar="SECONDS",
            min=0.1,
            harmless="it is only shown",
        ),
    ] = PROGRESS_S


@dataclass(frozen=True)
class Ending:
    """What only a run by itself has."""

    verify_after: Annotated[
        bool,
        Option(
            name="--verify",
            text="At the end, read the topic back and compare it with the files; exit 1 if it differs.",
            panel=Panel.WATCH,
            everyday=True,
            harmless="it only reads",
        ),
    ] = False
    restart: Annotated[
        bool,
        Option(
            text="Forget the checkpoint and send all rows again. Rows that are in the topic already will be there"
            " twice.",
            panel=Panel.FAILS,
            harmless="there is nothing left to be compared with",
        ),
    ] = False
    embedded: Annotated[
        bool,
        Option(
            text="Try it without Kafka: replay into a broker inside this process, which ends with it.",
            panel=Panel.WHERE,
            harmless="the topic of such a broker is new each time",
        ),
    ] = False
