"""`replay verify`: the source and the topic side by side, and what differs. Shares nothing with the delivery but
`Source` and `Encoder`.

The source sets the pace: a portion of its rows is handed to the lanes of their partitions, then the topic is read
until each lane has had as many records as it has rows. A partition that is ahead is let go and taken up again where
it was left, so every partition can always be read on and no two can wait for each other, however skewed they are.

Memory, whatever the size of source and topic: what `sides.py` says, `window_records` waiting on either side, and 32 MB
while damage is settled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from replay.delivery import schemas
from replay.delivery.garbage import rarely_collected
from replay.delivery.opening import tell_row_keywords
from replay.delivery.snapshot import Display
from replay.delivery.translation import Translating, translated
from replay.errors import UsageError
from replay.kafka.access import Use
from replay.kafka.cluster import Cluster
from replay.kafka.options import KafkaOptions
from replay.kafka.patience import Patience
from replay.kafka.reader import READ_COMMITTED
from replay.kafka.trouble import Trouble
from replay.model import SystemClock
from replay.record.encoder import Encoder
from replay.registry.options import RegistryOptions
from replay.source.files.trust import until_true
from replay.source.options import SourceOptions
from replay.source.ruled_out import look_at_ruled_out
from replay.source.source import Source
from replay.verify.compare import Lane
from replay.verify.decoding import Decoder
from replay.verify.findings import Look, RecordsAgain
from replay.verify.kinds import KINDS, KindCounts
from replay.verify.sides import Atlas, NoEventTimes, SourceSide, TopicSide, to_verify
from replay.verify.spill import Spill, settle
from replay.verify.verdict import LOG_APPEND_TIME, Finding, Verdict

LANE_MIN = 1_000  # records of a partition: with thousands of partitions, windows and buffers grow with their number
LARGE_LANE_MIN = 50  # the same where records are large
RECORDS_BYTES_MAX = 200 << 20  # of windows and of buffers, about: trades never get there, the records of a dump may
WINDOW_MAX = 100_000  # of one partition; damage that is larger takes the way over the disk


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What to compare. `starts` and `ends` are offsets, one a partition; None: all that the topic has.

    `allow_foreign`: records that are no row of the source are reported, but are no difference.
    """

    source: SourceOptions
    kafka: KafkaOptions
    isolation: str = READ_COMMITTED
    starts: Sequence[int] | None = None
    ends: Sequence[int] | None = None
    allow_foreign: bool = False
    window_records: int = 200_000  # on either side, over all partitions: 0.2 GB when all of them wait
    buffered_records: int = 200_000  # read and not yet compared, over all partitions: 50 MB
    registry: RegistryOptions = field(default_factory=RegistryOptions)


def verify(options: VerifyOptions, report: Display, check_stop: Callable[[], None]) -> Verdict:
    """Read both sides once, and the source again only where they differ.

    Also of what statistics rule out every row is looked at, whatever the replay did: one that is selected is expected.
    """
    ask = schemas.asking(options.registry, options.kafka.broker_timeout_s, report, check_stop)
    options = replace(options, source=schemas.with_schema(options.source, ask))
    return until_true(
        options.source,
        lambda source: _verify(replace(options, source=source), ask, report, check_stop),
        report.warning,
    )


def _verify(options: VerifyOptions, ask: schemas.Ask, report: Display, check_stop: Callable[[], None]) -> Verdict:
    """The same, as long as the statistics that put the files in order are right."""
    source = Source(options.source, judges=True)
    if options.registry.source is not None:
        to = Translating.of(options.kafka, options.registry, report, check_stop)
        source = Source(translated(source, to).options, judges=True)
    source.other_endings.report(source.files_all, report)
    tell_row_keywords(source, report)
    look_at_ruled_out(source.ruled_out, source.pruned_rows, check_stop, report)
    clock = SystemClock()
    patience = Patience(clock, options.kafka.broker_timeout_s, check_stop, Trouble(report, clock))
    with closing(Cluster(options.kafka, patience, Use.VERIFY)) as cluster:
        topic = cluster.existing_topic("check the name and --bootstrap-servers")
        source = schemas.settled(source, topic.name, options.registry, ask)
        ranges = _ranges(options, *cluster.watermarks(topic), report)
    comparison = _Comparison(options, ranges, source, report, patience, check_stop)
    for with_times in (True, False) if options.source.records.has_event_times else (False,):
        try:
            with rarely_collected():
                return comparison.run(with_times)
        except NoEventTimes:
            report.info(f"topic {topic.name} has {LOG_APPEND_TIME}: timestamps are not compared")
    raise AssertionError("without times there is no NoEventTimes")


def _ranges(options: VerifyOptions, low: list[int], high: list[int], report: Display) -> list[tuple[int, int]]:
    """What to read of each partition, within what there is: first offset and end."""
    for name, given in (("first", options.starts), ("last", options.ends)):
        if given is not None and len(given) != len(low):
            raise UsageError(
                f"there are {len(low)} partitions, and {name} offsets for {len(given)}",
                where=options.kafka.topic,
                todo="give one offset for each partition",
            )
    starts, ends = options.starts or low, options.ends or high
    for partition, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if start < low[partition] or end > high[partition]:
            report.warning(
                f"partition {partition} has offsets {low[partition]:,} to {high[partition]:,} (exclusive), not all of"
                f" {start:,} to {end:,}: the rest was deleted or never written, and counts as lost"
            )
    return list(zip(map(max, starts, low), map(min, ends, high), strict=True))


@dataclass(frozen=True, slots=True)
class _Comparison:
    """From the first row and record to the verdict. `ranges`: first offset and end of each partition."""

    options: VerifyOptions
    ranges: Sequence[tuple[int, int]]
    source: Source
    report: Display
    patience: Patience
    check_stop: Callable[[], None]

    def run(self, with_times: bool) -> Verdict:
        """Raises `NoEventTimes` where the times of records cannot be compared."""
        options = self.options
        rows = SourceSide(self.source, len(self.ranges), with_times, self.report, self.check_stop)
        counts, spill = KindCounts(), Spill()
        guide = Atlas(lambda: rows.fingerprints("looking for a place to go on"), self.source.rows)
        window = min(WINDOW_MAX, self._share(options.window_records))
        lanes = [Lane(p, window, counts, spill, guide) for p in range(len(self.ranges))]
        most = self._share(options.buffered_records)
        purpose = to_verify(options.kafka.topic, options.isolation, options.source.records.compared_headers)
        with closing(TopicSide(options.kafka, purpose, self.ranges, lanes, most, with_times, self.patience)) as topic:
            for encoded, first_row in rows.portions("verifying"):
                rows.hand_over(encoded, first_row, lanes)
                self._advance(lanes, topic)
            for lane in lanes:
                lane.expected_ended = True
            self._advance(lanes, topic)
        settle(spill, lambda: rows.fingerprints("looking for duplicates"), counts)
        verdict = self._without_examples(counts, rows.rows, topic.records, with_times)
        if verdict.exact:  # "as the source" would be true of no row at all, too
            rows.selected.check()
        return replace(verdict, examples=self._examples(counts, rows.encoder, with_times))

    def _examples(self, counts: KindCounts, encoder: Encoder, with_times: bool) -> tuple[Finding, ...]:
        """What was expected and what is there, of the first few of each kind. Nothing is read where there are none."""
        examples = [(kind, each) for kind in KINDS for each in counts.examples.get(kind, ())]
        kafka, records = self.options.kafka, self.source.options.records
        purpose = to_verify(kafka.topic, self.options.isolation, slice(None))
        with closing(RecordsAgain(kafka, purpose, self.patience)) as again:
            decoder = Decoder(records, self.source.format.schema)
            return Look(self.source, encoder, again, decoder, with_times).findings(examples)

    def _share(self, records: int) -> int:
        """Of one partition; fewer where records are large."""
        fit = int(RECORDS_BYTES_MAX / max(1.0, self.source.row_bytes))
        least = LANE_MIN if fit >= records else LARGE_LANE_MIN
        return min(records, max(least, min(records, fit) // len(self.ranges)))

    def _advance(self, lanes: Sequence[Lane], topic: TopicSide) -> None:
        """Compare what was handed over, and read on for each lane that needs more records."""
        for lane in lanes:
            lane.advance()
        while any(lane.hungry for lane in lanes):
            self.check_stop()
            topic.read()
            for lane in lanes:
                lane.advance()

    def _without_examples(self, counts: KindCounts, rows: int, records: int, with_times: bool) -> Verdict:
        return Verdict(
            topic=self.options.kafka.topic,
            isolation=self.options.isolation,
            rows=rows,
            records=records,
            found=counts["found"],
            **{kind: counts[kind] for kind in KINDS},
            order_exact=not counts["far"],
            timestamps_compared=with_times,
            allow_foreign=self.options.allow_foreign,
            starts=tuple(start for start, _ in self.ranges),
            ends=tuple(end for _, end in self.ranges),
            examples=(),
        )
