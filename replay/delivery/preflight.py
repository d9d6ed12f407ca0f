"""Before the first row: a look at every row, and at what the topic would do to them. Nothing here sends or saves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

import numpy as np
import pyarrow.compute as pc

from replay.checkpoint.content import Checkpoint, JobState
from replay.delivery import emptiness, seen
from replay.delivery.context import Ready
from replay.delivery.options import RunOptions, WhenChanged
from replay.delivery.snapshot import Display
from replay.delivery.topic import is_planned
from replay.errors import InputError, UsageError
from replay.fate import Fate, reasons
from replay.kafka.topic import Topic, check_topic, topic_warnings
from replay.model import KEY, PARTITION, Batch, SpanNs, SymbolTable, count_fates, record_times_ns
from replay.record.bounds import record_bytes_max
from replay.record.encoder import refuse_records
from replay.record.options import KEY_NONE, Records
from replay.signals import Stop
from replay.source.choices import OnBadRow
from replay.source.options import SourceOptions
from replay.source.rows import quarantine
from replay.source.rows.reader import BadRows
from replay.source.ruled_out import look_at_ruled_out
from replay.source.source import Source


def check_left_out(options: RunOptions, source: Source, saved: Checkpoint | None, stop: Stop, report: Display) -> None:
    """Raises `StatisticsWrong` if what statistics rule out is part of a new replay, or belongs to one that is done; of
    files added to one the rows that are read are looked at, too."""
    may_grow = saved is not None and options.when_changed is not WhenChanged.FAIL
    if not options.source.trust_statistics and (saved is None or saved.state is JobState.DONE or may_grow):
        look_at_ruled_out(source.ruled_out, source.pruned_rows, stop.check, report, _looked_at(options, source, saved))
    if saved is not None and may_grow and options.check:
        known = saved.job.inputs
        added = (index for index, file in enumerate(source.files) if file.print not in known)
        for batch in source.checked(first=next(added, len(source.files))):
            stop.check()
            report.phase("checking what was added", batch.start.row + len(batch), source.rows)


def _looked_at(options: RunOptions, source: Source, saved: Checkpoint | None) -> set[str]:
    """Footers of files that need no look: those of the replay itself, and those that were there when it was done."""
    if saved is None:
        return set()
    noted = seen.load(options.checkpoint, saved)
    before = {each.stamp for each in noted.files} if noted is not None else set()
    found = {each.footer_sha256 for each in saved.job.inputs}
    for file in source.ruled_out.files:
        if seen.described(file.path).stamp in before:
            found.add(file.footer_sha256)
    return found


def check_before(ready: Ready, saved: Checkpoint | None) -> bool:
    """Whatever can be found out before the first row is sent: all of it for a new replay; for one that goes on, only
    what somebody asked for meanwhile. False: there is nothing to send."""
    if saved is None:
        return _check_new(ready)
    if ready.options.source.on_bad_row is OnBadRow.QUARANTINE and not quarantine.is_of(
        quarantine.place_beside(ready.options.checkpoint), ready.source.label
    ):
        _check_rows(ready)
    return True


def _check_new(ready: Ready) -> bool:
    if ready.options.restart:
        ready.report.warning(
            f"--restart: rows that an earlier run left in topic {ready.topic.name} stay there, and all"
            f" {ready.source.rows:,} rows are sent (again)"
        )
    if not is_planned(ready.topic):
        look_at_topic(ready)
    return _check_rows(ready) if ready.options.check else emptiness.check_by_footers(ready.source)


def _check_rows(ready: Ready) -> bool:
    """Every row once; False if none is to be sent. Bad ones are counted, and written to the
    quarantine file where that was asked for."""
    aside, place = None, quarantine.place_beside(ready.options.checkpoint)
    if ready.options.source.on_bad_row is OnBadRow.QUARANTINE:
        aside = quarantine.Quarantine(place, ready.source.files, ready.source.label)
    try:
        selected = emptiness.Selected(ready.source)
        bad = _look_at_rows(ready, selected, aside.add if aside is not None else None)
        refuse_bad_rows(ready.options.source, bad, ready.source.rows)
        if not selected.check():
            return False
        if aside is not None:
            aside.finish()
    finally:
        if aside is not None:
            aside.discard()
    for index, (rows, first) in ready.source.unsorted.items():
        ready.report.warning(
            f"{ready.source.files[index].shown}: {rows:,} rows go back in time, the first is row {first:,}"
            f" (the first is 0); --unsorted {ready.options.source.unsorted}"
        )
    if bad:
        where = f"; see {place}" if aside is not None else ""
        ready.report.warning(f"{sum(bad.values()):,} bad rows are left out: {reasons(bad)}{where}")
    return True


def _look_at_rows(
    ready: Ready, selected: emptiness.Selected, on_bad: Callable[[BadRows], None] | None
) -> Counter[Fate]:
    source, bytes_max = ready.source, ready.options.kafka.record_bytes_max
    bad = Counter[Fate]()
    look_at_times = ready.options.source.records.has_event_times and ready.topic.limits_times
    now_s = ready.clock.now()
    for batch in source.checked(on_bad):
        if look_at_times:
            check_topic(ready.topic, _sent_span_ns(batch), now_s)
        selected.add(batch)
        where = partial(source.where, batch)
        _refuse_without_key(ready.topic, source.options.records, batch, where)
        if _may_be_refused(batch, source.symbols, bytes_max, ready.topic.partitions):
            refuse_records(ready.encoder.encode(batch), bytes_max, ready.topic.partitions, where)
        if batch.fates is not None:
            bad.update({fate: rows for fate, rows in count_fates(batch.fates).items() if fate.is_bad})
        ready.stop.check()
        ready.report.phase("checking", batch.start.row + len(batch), source.rows)
    return bad


def look_at_topic(ready: Ready) -> None:
    """What the topic would do to the rows, as far as statistics tell of them."""
    span_ns = ready.source.record_span_ns if ready.options.source.records.has_event_times else None
    now_s = ready.clock.now()
    check_topic(ready.topic, span_ns if ready.source.sends_all else None, now_s)
    for warning in topic_warnings(ready.topic, span_ns, now_s, ready.options.kafka.batch_bytes):
        ready.report.warning(warning)


def look_at_new_topic(ready: Ready) -> None:
    """The same for a topic that was not there when the rows were looked at; the cluster may have limits of its own."""
    if ready.options.check and ready.options.source.records.has_event_times and ready.topic.limits_times:
        for batch in ready.source.checked():
            check_topic(ready.topic, _sent_span_ns(batch), ready.clock.now())
    look_at_topic(ready)


def _sent_span_ns(batch: Batch) -> SpanNs:
    times_ns = record_times_ns(batch.table)[batch.sent]
    return (int(times_ns.min()), int(times_ns.max())) if len(times_ns) else None


def refuse_bad_rows(options: SourceOptions, bad: Counter[Fate], rows: int) -> None:
    """Raises `InputError` where most is rubbish: a wrong column or unit would pass for a replay otherwise."""
    found = sum(bad.values())
    allowed = options.bad_rows_max if options.bad_rows_max is not None else int(rows * options.bad_share_max)
    if found > allowed:
        raise InputError(
            f"{found:,} rows are bad, and {allowed:,} are allowed: {reasons(bad)}",
            where=", ".join(options.inputs),
            todo="check --map and --time-unit; or allow more with --bad-rows-max",
        )


def _may_be_refused(batch: Batch, symbols: SymbolTable, bytes_max: int, partitions: int) -> bool:
    """Whether a record of this batch could be for no partition, or too large: only then it has to be encoded."""
    table = batch.table
    if PARTITION in table.schema.names and (pc.max(table.column(PARTITION)).as_py() or 0) >= partitions:
        return True
    return record_bytes_max(table, symbols.names) > bytes_max


def _refuse_without_key(topic: Topic, records: Records, batch: Batch, where: Callable[[int], str]) -> None:
    """Raises `UsageError` for a record without a key, which a compacted topic takes none of."""
    if not topic.is_compacted:
        return
    without = np.ones(len(batch), dtype=bool)
    if records.key_column is not None:
        without = np.asarray(batch.table.column(KEY).is_null().to_numpy(zero_copy_only=False))
    elif records.key != KEY_NONE:
        return
    if batch.fates is not None:
        without = without & (batch.fates == Fate.SENT)
    if without.any():
        raise UsageError(
            f"topic {topic.name} is compacted: it takes no record without a key, and this row's has none",
            where=where(int(np.argmax(without))),
            todo="give records a key (--key, --key-column), leave such rows out (--where), or choose another topic",
        )
