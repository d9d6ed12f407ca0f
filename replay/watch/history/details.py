"""What the report of a run shows beyond its figures, cut to a bounded size. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from replay.counts import ByName
from replay.delivery.snapshot import Snapshot
from replay.watch.history.records import Details
from replay.watch.run import RunInfo, utf8

NAMES_MAX = 200
"""So many symbols, partitions and files of a run are kept by name, the others as one sum. More would not be read, and
would make a database of gigabytes."""

NAME_MAX = 200
"""Characters of such a name: a key may be a megabyte."""

EXAMPLES_MAX = 20
"""Of differences that a comparison found."""

_CONTENTS = frozenset({"expected", "found", "differs"})
"""Of an example: what records hold. It is told once, and not kept where more people read it than the topic."""


def details(shown: Snapshot | None, info: RunInfo, verdict: Mapping[str, Any] | None) -> Details:
    """`shown` is None where the run has not come as far as to be shown."""
    kept = Details(verdict=verdict, origins=info.origins)
    if shown is None:
        return kept
    events_s = [ns / 1e9 for ns in shown.sent.events_ns or ()]
    return replace(
        kept,
        inputs=tuple(map(_short, shown.inputs[:NAMES_MAX])),
        files=len(shown.inputs),
        first_event_s=events_s[0] if events_s else None,
        last_event_s=events_s[1] if events_s else None,
        symbols=_shortened(shown.symbols_sent(NAMES_MAX)),
        partitions=shown.partitions_sent(NAMES_MAX),
        cluster_id=_short(shown.cluster_id),
    )


def shortened_verdict(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """The verdict without the offsets of all partitions. A few examples stay: where they are, not what they hold."""
    kept = {name: value for name, value in verdict.items() if name not in ("starts", "ends")}
    examples = kept.get("examples", ())[:EXAMPLES_MAX]
    places = [{name: value for name, value in each.items() if name not in _CONTENTS} for each in examples]
    texts = [{k: _short(v) if isinstance(v, str) else v for k, v in each.items()} for each in places]
    return {**kept, "examples": texts}


def _shortened(counts: ByName) -> ByName:
    short: Counter[str] = Counter()
    for name, rows in counts.rows.items():
        short[_short(name)] += rows  # names that begin alike become one
    return ByName(dict(short.most_common()), counts.others, counts.others_rows)


def _short(name: str) -> str:
    text = utf8(name)
    return text if len(text) <= NAME_MAX else text[: NAME_MAX - 1] + "…"
