"""Idempotent delivery: where the checkpoint and the topic's tail say a replay stands, and a session from there."""

from __future__ import annotations

from replay.checkpoint.content import Checkpoint, JobState
from replay.checkpoint.progress import behind, fresh_start
from replay.checkpoint.resume import SETTLE_GAP_S, check_watermarks, settle_max_s, settle_s
from replay.checkpoint.tail import TailMatch
from replay.delivery.by_checkpoint import ByCheckpoint
from replay.delivery.context import Ready
from replay.delivery.flight import Flight
from replay.delivery.garbage import rarely_collected
from replay.delivery.matching import match_records
from replay.delivery.session import Session
from replay.delivery.slices import encoded_from
from replay.delivery.snapshot import SETTLING, TAIL
from replay.errors import ProducerFatal, RightMissing, StateConflict
from replay.kafka.outage import Standstill
from replay.kafka.producer import KafkaSink
from replay.model import Progress, Resync
from replay.units import utc

SETTLE_ROUNDS_MAX = 10
"""On a topic that others write to, watermarks never stand still: after this many looks it is enough."""


def deliver(ready: Ready, saved: Checkpoint | None) -> None:
    """Send what is missing; the checkpoint says done when it returns."""
    progress = _begin(ready) if saved is None else _resume(ready, saved)
    ready.tally.begins(progress)
    standstill = Standstill(ready.options.kafka.broker_timeout_s, ready.clock.monotonic())
    while True:
        ready.cluster.log_in()
        sink = KafkaSink(ready.options.kafka)
        flight = Flight(progress, ready.options.kafka.in_flight_rows_max, ready.options.kafka.in_flight_bytes_max)
        session = Session(ready, sink, flight, ByCheckpoint(ready, sink, flight))
        try:
            session.run()
            return
        except Resync as reason:
            now_s, servers = ready.clock.monotonic(), ready.options.kafka.bootstrap_servers
            standstill.check(now_s, ready.tally.done_rows, "no producer got any further", reason, servers)
            ready.report.warning(f"{reason}: going on with a new producer, as after a crash")
            ready.watch.confirm()
            progress = _resume(ready, _reload(ready))
            ready.tally.begins(progress)
        except (ProducerFatal, RightMissing):
            ready.watch.confirm()  # a topic that is gone refuses records, too
            raise


def _begin(ready: Ready) -> Progress:
    """A new job: row 0, and the watermarks as they are, on disk before the first row is sent."""
    progress = fresh_start(ready.source.start, ready.saving.first_offsets)
    _save_start(ready, progress)
    return progress


def _resume(ready: Ready, saved: Checkpoint) -> Progress:
    """Where the last run ended: known after a clean stop, read from the topic's tail after any other."""
    ready.report.info(
        f"resuming at row {saved.progress.position.row:,} of {ready.source.rows:,}, saved {utc(saved.saved_at_s)}"
        f" by {saved.instance} ({'clean stop' if saved.state is JobState.CLEAN else 'unclean stop'})"
    )
    check_watermarks(saved, *ready.cluster.watermarks(ready.topic), ready.topic.name)
    if saved.state is JobState.RUNNING:
        with rarely_collected():
            progress = _reconcile(ready, saved)
    else:  # nothing of ours is behind the checkpoint, so all that is there now is not ours
        progress = behind(saved.progress, ready.cluster.high_watermarks(ready.topic))
    _save_start(ready, progress)
    return progress


def _reload(ready: Ready) -> Checkpoint:
    saved = ready.file.load()
    if saved is None:
        raise StateConflict("the checkpoint vanished while the replay ran", where=str(ready.file.path))
    return saved


def _reconcile(ready: Ready, saved: Checkpoint) -> Progress:
    """Match the records behind the checkpoint with the rows that come next."""
    ready.report.phase(SETTLING, saved.progress.position.row, ready.source.rows)
    ends = _settled_watermarks(ready, saved)
    starts = [mark.next_offset for mark in saved.progress.marks]
    match = TailMatch(
        saved.progress, encoded_from(ready.source, ready.encoder, saved.progress.position), saved.lead_rows_max
    )
    match_records(ready, ready.topic, match, starts, ends, TAIL)
    ready.tally.already_there_rows += match.matched
    ready.report.info(
        f"of {sum(ends) - sum(starts):,} records behind the checkpoint {match.matched:,} are rows of this replay"
        f" and will not be sent again; {match.foreign:,} are others'"
    )
    return match.progress(ends)


def _settled_watermarks(ready: Ready, saved: Checkpoint) -> list[int]:
    """High watermarks once nothing that the last run sent can surface any more. For as long as that takes, enough
    replicas have to be in sync, and those that are have to answer."""
    asked_s, topic = ready.options.settle_s, ready.topic
    needed_s = settle_s(saved, ready.clock.now(), topic.replication, topic.replica_lag_max_s)
    wait_s = needed_s if asked_s is None else asked_s
    if topic.replication <= 1:
        return _looked_at_twice(ready, wait_s)
    in_full_s = settle_max_s(topic.replica_lag_max_s) if asked_s is None else asked_s

    def had_to_wait() -> bool:
        return ready.cluster.wait_in_sync(topic, ask_each=asked_s is None)

    ends = _looked_at_twice(ready, in_full_s if had_to_wait() else wait_s)
    while had_to_wait():  # what was hidden meanwhile may not have surfaced
        ends = _looked_at_twice(ready, in_full_s)
    return ends


def _looked_at_twice(ready: Ready, wait_s: float) -> list[int]:
    """High watermarks that did not move for a moment, after a while."""
    if wait_s > 1:
        ready.report.info(f"waiting {wait_s:.0f} s: until then, rows of the last run may still surface")
    ready.sleep(wait_s)
    before = ready.cluster.high_watermarks(ready.topic)
    for _ in range(SETTLE_ROUNDS_MAX):
        ready.sleep(SETTLE_GAP_S)
        now = ready.cluster.high_watermarks(ready.topic)
        if now == before:
            break
        before = now
    return before


def _save_start(ready: Ready, progress: Progress) -> None:
    # Twice: the generation kept behind this one must not be a clean one, from which a resume would not look at
    # the tail that this run is going to write.
    for _ in range(2):
        ready.saving.save(progress, JobState.RUNNING)
