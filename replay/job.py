"""The whole journey of a replay, top to bottom: file -> batches -> encode -> pace -> produce -> ack -> checkpoint.

`run` finds out where to start (nothing is sent before a checkpoint says so), then sends, and saves what is proven
to be in the topic. Everything is one thread: reports are served between bursts, so no state here is shared.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

from replay.checkpoint import Checkpoint, CheckpointFile, JobPrint, State, this_instance
from replay.cluster import Cluster, Patience, Topic, murmur2_partitioner
from replay.config import ENCODER_VERSION, PARTITIONER, RunOptions
from replay.deliver import KafkaSink
from replay.encode import Encoder
from replay.errors import StateConflict, UsageError
from replay.model import Clock, Encoded, Position, Progress, Resync, SystemClock
from replay.report import Repeated, Reporter, Snapshot, Stop
from replay.resume import SETTLE_GAP_S, TailMatch, check_same_job, check_watermarks, fresh_start, settle_s
from replay.session import ENCODE_ROWS, SLEEP_MAX_S, Session, lead_rows_max, slices
from replay.source import Source

SETTLE_ROUNDS_MAX = 10
"""On a topic that others write to, watermarks never stand still: after this many looks it is enough."""


def run(options: RunOptions, stop: Stop, report: Reporter, clock: Clock | None = None) -> Snapshot:
    """Start or resume one replay and see it to its end.

    Raises a `ReplayError` for every other end; progress is saved first, unless saving is what failed.
    """
    clock = clock or SystemClock()
    source = Source(options.inputs, options.columns, options.order)
    report.info(f"{source.rows:,} rows in {len(source.files)} file(s), order {options.order}, pace {options.pace}")
    file = CheckpointFile(options.checkpoint)
    with file.locked():
        saved = None if options.restart else file.load()
        file.check_writable()
        patience = Patience(clock, options.kafka.broker_timeout_s, stop.check, Repeated(report.warning, clock))
        with closing(Cluster(options.kafka, patience)) as cluster:
            replay = _Replay(options, source, file, cluster, stop, report, clock)
            return replay.run(saved)


class _Replay:
    """One replay on one topic: from the saved checkpoint to the last row."""

    def __init__(
        self,
        options: RunOptions,
        source: Source,
        file: CheckpointFile,
        cluster: Cluster,
        stop: Stop,
        report: Reporter,
        clock: Clock,
    ) -> None:
        self.options, self.source, self.file, self.cluster = options, source, file, cluster
        self.stop, self.report, self.clock = stop, report, clock
        self.shown = Snapshot(source.rows)
        self.lead_rows_max = lead_rows_max(options.kafka.in_flight_rows_max)

    def run(self, saved: Checkpoint | None) -> Snapshot:
        self.topic = self._find_topic(saved)
        self.job = self._job_print()
        self.encoder = Encoder(
            self.source.symbols, self.options.columns.fields, murmur2_partitioner(self.topic.partitions)
        )
        if saved is not None:
            check_same_job(saved, self.job, str(self.file.path))
            check_watermarks(saved, *self.cluster.watermarks(self.topic), self.topic.name)
            if saved.state is State.DONE:
                return self._nothing_to_do(saved)
        progress = self._begin() if saved is None else self._resume(saved)
        self.shown.first_row = self.shown.done_rows = progress.position.row
        while True:
            session = Session(
                self.options, self.source, self.encoder, KafkaSink(self.options.kafka), progress, self._save,
                self.stop, self.report, self.shown, self.clock,
            )  # fmt: skip
            try:
                session.run()
                break
            except Resync as reason:
                self.report.warning(f"{reason}: going on with a new producer, as after a crash")
                progress = self._resume(self._reload())
        return self.shown

    # -- before the first row ------------------------------------------------------------------------------

    def _find_topic(self, saved: Checkpoint | None) -> Topic:
        kafka = self.options.kafka
        topic = self.cluster.topic()
        if topic is None and kafka.create_topic is not None and saved is None:
            self.cluster.create_topic()
            self.report.info(f"created topic {kafka.topic} with {dict(kafka.topic_config)}")
            topic = self.cluster.topic()
        if topic is None and saved is not None:
            raise StateConflict(
                f"topic {kafka.topic} was deleted: the rows that this checkpoint has sent are gone with it",
                where=str(self.file.path),
                todo="restore the topic; or start over on purpose with --restart (and --create-topic)",
            )
        if topic is None:
            raise UsageError(
                f"there is no topic {kafka.topic} at {kafka.bootstrap_servers}",
                where="--topic",
                todo="check the name, or let replay create it with --create-topic PARTITIONS[:REPLICATION]",
            )
        if kafka.create_topic is not None and kafka.create_topic.partitions != topic.partitions:
            self.report.warning(f"topic {topic.name} exists with {topic.partitions} partitions; --create-topic is moot")
        return topic

    def _job_print(self) -> JobPrint:
        columns, options = self.options.columns, self.options
        return JobPrint(
            cluster_id=self.topic.cluster_id,
            topic=self.topic.name,
            topic_id=self.topic.topic_id,
            partitions=self.topic.partitions,
            partitioner=PARTITIONER,
            encoder=ENCODER_VERSION,
            options={
                "--order": str(options.order),
                "--map": f"symbol={columns.symbol},price={columns.price},event_time={columns.event_time}",
                "--fields": ",".join(columns.fields),
                "--symbol": columns.constant_symbol or "",
            },
            inputs=tuple(file.print for file in self.source.files),
        )

    def _nothing_to_do(self, saved: Checkpoint) -> Snapshot:
        self.shown.first_row = self.shown.done_rows = self.source.rows
        self.report.progress(self.shown)
        self.report.info(
            f"nothing to do: all {self.source.rows:,} rows are in topic {self.topic.name} since"
            f" {_utc(saved.saved_at_s)}; --restart sends them again"
        )
        return self.shown

    def _begin(self) -> Progress:
        """A new job: check every row, then save row 0 with the watermarks as they are."""
        if self.options.restart:
            self.report.warning(
                f"--restart: rows that an earlier run left in topic {self.topic.name} stay there, and all"
                f" {self.source.rows:,} rows are sent (again)"
            )
        self._warn_about_topic()
        if self.options.check:
            self._check_rows()
        progress = fresh_start(self.source.start, self.cluster.high_watermarks(self.topic))
        self._save_start(progress)
        return progress

    def _check_rows(self) -> None:
        checked = 0

        def on_rows(rows: int) -> None:
            nonlocal checked
            checked += rows
            self.stop.check()
            self.report.phase("checking", checked, self.source.rows)

        self.source.check(on_rows)

    def _warn_about_topic(self) -> None:
        config, first_ns = self.topic.config, self.source.first_event_ns
        retention_ms = int(config.get("retention.ms", -1))
        by_delete = "delete" in config.get("cleanup.policy", "delete")
        if by_delete and retention_ms >= 0 and first_ns is not None:
            age_ms = self.clock.now() * 1_000 - first_ns / 1e6
            if age_ms > retention_ms:
                self.report.warning(
                    f"topic {self.topic.name} keeps records for {retention_ms / 86_400_000:g} days by event time, and"
                    f" the first trade is {age_ms / 86_400_000:,.0f} days old: Kafka will delete it within minutes;"
                    " set the topic's retention.ms=-1"
                )
        if "compact" in config.get("cleanup.policy", ""):
            self.report.warning(
                f"topic {self.topic.name} is compacted: only the last trade of each symbol will be kept"
            )
        if config.get("message.timestamp.type") == "LogAppendTime":
            self.report.warning(f"topic {self.topic.name} replaces event times by the broker's time (LogAppendTime)")

    def _resume(self, saved: Checkpoint) -> Progress:
        """Where the last run ended: known after a clean stop, read from the topic's tail after any other."""
        self.report.info(
            f"resuming at row {saved.progress.position.row:,} of {self.source.rows:,}, saved {_utc(saved.saved_at_s)}"
            f" by {saved.instance} ({'clean stop' if saved.state is State.CLEAN else 'unclean stop'})"
        )
        progress = saved.progress if saved.state is State.CLEAN else self._reconcile(saved)
        self._save_start(progress)
        return progress

    def _reconcile(self, saved: Checkpoint) -> Progress:
        ends = self._settled_watermarks(saved)
        starts = [mark.next_offset for mark in saved.progress.marks]
        match = TailMatch(saved.progress, self._encoded_from(saved.progress.position), saved.lead_rows_max)
        total = sum(ends) - sum(starts)
        for records in self.cluster.read(self.topic, starts, ends):
            for record in records:
                match.found(record.partition, record.offset, record.key, record.value, record.timestamp_ms)
            self.report.phase("reading the topic's tail", match.matched + match.foreign, total)
        self.shown.already_there_rows += match.matched
        self.report.info(
            f"of {total:,} records behind the checkpoint {match.matched:,} are rows of this replay"
            f" and will not be sent again; {match.foreign:,} are others'"
        )
        return match.progress(ends)

    def _settled_watermarks(self, saved: Checkpoint) -> list[int]:
        """High watermarks once nothing that the last run sent can surface any more."""
        wait_s = self.options.settle_s
        if wait_s is None:
            topic = self.topic
            wait_s = settle_s(saved.saved_at_s, self.clock.now(), topic.replication, topic.replica_lag_max_s)
        if wait_s > 1:
            self.report.info(f"waiting {wait_s:.0f} s: until then, rows of the last run may still surface")
        self._sleep(wait_s)
        before = self.cluster.high_watermarks(self.topic)
        for _ in range(SETTLE_ROUNDS_MAX):
            self._sleep(SETTLE_GAP_S)
            now = self.cluster.high_watermarks(self.topic)
            if now == before:
                break
            before = now
        return before

    def _reload(self) -> Checkpoint:
        saved = self.file.load()
        if saved is None:
            raise StateConflict("the checkpoint vanished while the replay ran", where=str(self.file.path))
        return saved

    def _encoded_from(self, position: Position) -> Iterator[Encoded]:
        for batch in self.source.batches(position):
            yield from (self.encoder.encode(batch, a, b) for a, b in slices(len(batch), ENCODE_ROWS))

    def _save_start(self, progress: Progress) -> None:
        # Twice: the generation kept behind this one must not be a clean one, from which a resume would not look
        # at the tail that this run is going to write.
        for _ in range(2):
            self._save(progress, State.RUNNING)

    def _save(self, progress: Progress, state: State) -> None:
        self.file.save(Checkpoint(self.job, progress, state, self.lead_rows_max, self.clock.now(), this_instance()))

    def _sleep(self, seconds: float) -> None:
        end = self.clock.monotonic() + seconds
        while (left := end - self.clock.monotonic()) > 0:
            self.stop.check()
            self.clock.sleep(min(left, SLEEP_MAX_S))

    # -- sending -------------------------------------------------------------------------------------------


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
