"""The topic's records handed to a match with the source's rows."""

from __future__ import annotations

from collections.abc import Sequence

from replay.checkpoint.tail import TailMatch
from replay.delivery.context import Context
from replay.kafka.topic import Topic


def match_records(
    context: Context, topic: Topic, match: TailMatch, starts: Sequence[int], ends: Sequence[int], phase: str
) -> None:
    """Every record from `starts` up to (not including) `ends`, offsets of each partition. `phase` is what is shown."""
    total = sum(ends) - sum(starts)
    headers = context.options.source.records.compared_headers
    for portion in context.cluster.read(topic, starts, ends, headers=headers):
        for records in portion:
            match.found(records.partition, records.offsets, records.keys, records.contents, records.times_ms)
        context.stop.check()
        context.report.phase(phase, match.matched + match.foreign, total)
