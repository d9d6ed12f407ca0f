"""How many bad rows are too many."""

from __future__ import annotations

from collections import Counter

from replay.errors import InputError
from replay.model import Fate, reasons
from replay.source.options import SourceOptions


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
