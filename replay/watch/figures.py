"""How far a run has come, by the names that machines read: in the summary, in the history. Pure.

Names are only ever added. Times are in seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from replay.delivery.lateness import Lateness
from replay.delivery.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Of how late rows went out, or of how long their acknowledgements took. None: nothing was measured."""

    p50_s: float | None = None
    p99_s: float | None = None
    max_s: float | None = None

    def named(self, what: str) -> dict[str, float | None]:
        """As columns of the history: `lateness_p50_s` and so on."""
        return {f"{what}_{each.name}": getattr(self, each.name) for each in fields(self)}


NOT_MEASURED = Quantiles()


def quantiles(measured: Lateness) -> Quantiles:
    if not measured.counts.any():
        return NOT_MEASURED
    return Quantiles(measured.quantile_s(0.5), measured.quantile_s(0.99), measured.max_s)


def done_row(shown: Snapshot) -> int:
    """The next row: all rows before it are done, in transactions they are committed."""
    return shown.done_rows if shown.committed_row is None else shown.committed_row


_FIGURES: Mapping[str, Callable[[Snapshot], Any]] = {
    "rows": lambda shown: shown.rows,
    "start_row": lambda shown: shown.first_row,
    "done_row": done_row,
    "sent_rows": lambda shown: shown.sent_rows,
    "acked_rows": lambda shown: shown.delivered_rows,
    "already_there_rows": lambda shown: shown.already_there_rows,
    "resent_rows": lambda shown: shown.resent_rows,
    "in_topic_rows": lambda shown: shown.counts.in_topic,
    "not_selected_rows": lambda shown: shown.counts.not_selected,
    "bad_rows": lambda shown: shown.counts.bad,
    "of_rows": lambda shown: shown.counts.of_rows,
    "left_out": lambda shown: shown.counts.left_out,
    "bad": lambda shown: dict(shown.counts.bad_by_reason),
    "lateness": lambda shown: asdict(quantiles(shown.lateness)),
    "ack_latency": lambda shown: asdict(quantiles(shown.ack_latency)),
    "shifted_s": lambda shown: shown.shifted_s,
    "outages": lambda shown: shown.outages,
    "outages_s": lambda shown: shown.outages_s,
    "sending_s": lambda shown: shown.sending_s,
    "rows_per_s": lambda shown: shown.delivered_rows / shown.sending_s if shown.sending_s else None,
}


def figures(shown: Snapshot | None) -> dict[str, Any]:
    """None: the run ended before anything was known of its rows, and so is each of its figures."""
    return {name: read(shown) if shown is not None else None for name, read in _FIGURES.items()}
