"""What of the input is replayed: symbols, a time range, a sample, a condition. Pure, but for a list read from a file.

Ranges are half-open, `[from, to)`. Names are compared after `--symbol-case`, with `*`, `?` and `[AB]` as in file names.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from replay import dates
from replay.errors import UsageError
from replay.model import Bools, Ints
from replay.source.selection import moment
from replay.source.selection.moment import Moment, parse_moment
from replay.source.selection.symbols import (
    Names,
    in_sample,
    names_of,
    parse_sample,
    parse_symbols,
    sample_text,
    symbols_text,
)
from replay.units import LAST_NS, NS_PER_S

if TYPE_CHECKING:
    from replay.source.selection.condition import Condition


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows are sent. The empty one selects all.

    `sample` keeps whole symbols: those of the smallest `sample[0]` in `sample[1]` of all hashes. `limit` is the number
    of rows that are sent at most. `utc_assumed` names the options whose time had no zone, for the log, and `by_date` is
    the logical date that the range comes from.
    """

    symbols: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    from_ns: int | None = None
    to_ns: int | None = None
    sample: tuple[int, int] | None = None
    where: Condition | None = None
    limit: int | None = None
    utc_assumed: tuple[str, ...] = field(default=(), compare=False)
    by_date: str = field(default="", compare=False)
    _symbols: Names = field(init=False, repr=False, compare=False)
    _exclude: Names = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_symbols", names_of(self.symbols))
        object.__setattr__(self, "_exclude", names_of(self.exclude))

    def identity(self) -> dict[str, str]:
        """Option to canonical text, "" where it is not given: the same selection, however written, is the same."""
        return {
            "--symbols": symbols_text(self.symbols),
            "--exclude-symbols": symbols_text(self.exclude),
            "--from": "" if self.from_ns is None else moment.text_of(self.from_ns),
            "--to": "" if self.to_ns is None else moment.text_of(self.to_ns),
            "--sample": sample_text(self.sample),
            "--where": "" if self.where is None else self.where.text,
            "--limit": "" if self.limit is None else str(self.limit),
        }

    @property
    def has_range(self) -> bool:
        """Whether rows are picked by their event time."""
        return self.from_ns is not None or self.to_ns is not None

    @property
    def has_symbols(self) -> bool:
        """Whether rows are picked by their symbol."""
        return bool(self.symbols or self.exclude or self.sample)

    @property
    def day_text(self) -> str:
        """What a logical date picks, for people; empty without one."""
        if not self.by_date or self.from_ns is None or self.to_ns is None:
            return ""
        first, last = moment.text_of(self.from_ns), moment.text_of(self.to_ns)
        return f"event times of {self.by_date}: from {first} up to {last}"

    def wants(self, symbol: str) -> bool:
        """By its name alone: `--symbols`, `--exclude-symbols`, `--sample`."""
        if self.symbols and symbol not in self._symbols:
            return False
        return symbol not in self._exclude and (self.sample is None or in_sample(symbol, self.sample))

    def chosen(self, symbol_ids: Ints, wanted_ids: Bools, times_ns: Ints) -> Bools | None:
        """Which rows are selected by their symbol and time; None: all are. The condition is not asked.

        `wanted_ids` says for every symbol id whether it is wanted. A row without a symbol (id -1) is left to the
        policy for bad rows, unless its time is out of range.
        """
        out = np.zeros(len(symbol_ids), dtype=bool)
        if self.has_symbols:
            out |= ~np.append(wanted_ids, True)[symbol_ids]  # -1 takes the one appended
        if self.from_ns is not None:
            out |= times_ns < self.from_ns
        if self.to_ns is not None:
            out |= times_ns >= self.to_ns
        return ~out if out.any() else None

    def unmatched(self, seen: Iterable[str], others: Iterable[str] = ()) -> list[str]:
        """Names and patterns of `--symbols` that none of the symbols seen fits, each with what may have been meant:
        one of those, or of the others that are there."""
        symbols, known = set(seen), set(seen).union(others)
        # Of those that another option leaves out, nothing is expected.
        missing = [name for name in self._symbols.ordered if name not in symbols and self.wants(name)]
        may_fit = known if self.exclude or self.sample else symbols
        missing += [
            pattern for pattern in self._symbols.patterns if not any(fnmatchcase(symbol, pattern) for symbol in may_fit)
        ]
        if not missing:
            return []
        folded = {name.casefold(): name for name in sorted(known - set(missing))}
        named: list[str] = []
        for name in missing:
            close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.7) if len(named) < 20 else []
            named.append(f"{name} (did you mean {folded[close[0]]}?)" if close else name)
        return named


def can_match(
    selection: Selection,
    first_ns: int | None,
    last_ns: int | None,
    symbol_min: str | None,
    symbol_max: str | None,
    *,
    same_case: bool = True,
) -> bool:
    """Could a row group with these statistics hold a row that is wanted? In doubt, yes.

    None is unknown. The symbols are those in the file: with `same_case` False (`--symbol-case`) they tell nothing of
    the names compared. The largest symbol may be cut off; times are exact. Rows without a
    symbol or a time are in no statistics: in a row group that is left out they are neither sent nor reported.
    """
    if selection.to_ns is not None and first_ns is not None and first_ns >= selection.to_ns:
        return False
    if selection.from_ns is not None and last_ns is not None and last_ns < selection.from_ns:
        return False
    if not selection.symbols or not same_case or symbol_min is None or symbol_max is None or symbol_min > symbol_max:
        return True
    return selection._symbols.meet(symbol_min, symbol_max)


# -- from texts -------------------------------------------------------------------------------------------


def parse_selection(
    symbols: str | None = None,
    exclude: str | None = None,
    from_: str | None = None,
    to: str | None = None,
    sample: str | None = None,
    where: str | None = None,
    limit: int | None = None,
) -> Selection:
    """From the texts of the options; None is not given."""
    first = None if from_ is None else parse_range_end(from_, "--from")
    last = None if to is None else parse_range_end(to, "--to")
    if first and last and first.ns >= last.ns:
        raise UsageError(
            f"the range from {moment.text_of(first.ns)} to {moment.text_of(last.ns)} is empty",
            where="--to",
            todo="--to is the first moment that is left out: for one day give the next",
        )
    return Selection(
        symbols=() if symbols is None else parse_symbols(symbols, "--symbols"),
        exclude=() if exclude is None else parse_symbols(exclude, "--exclude-symbols"),
        from_ns=None if first is None else first.ns,
        to_ns=None if last is None else last.ns,
        sample=None if sample is None else parse_sample(sample),
        where=None if where is None else _condition(where),
        limit=limit,
        utc_assumed=tuple(
            option for option, end in (("--from", first), ("--to", last)) if end is not None and end.utc_assumed
        ),
    )


def _condition(text: str) -> Condition:
    from replay.source.selection.condition import parse  # noqa: PLC0415  # the parser's parser takes a tenth of a second

    return parse(text)


def on_day(selection: Selection, day: date, zone: str) -> Selection:
    """What of the selection lies in a day of that time zone. Raises `UsageError` where nothing does."""
    first_ns, last_ns = (int(midnight.timestamp()) * NS_PER_S for midnight in dates.bounds(day, zone))
    from_ns = max(first_ns, selection.from_ns or 0)
    to_ns = min(last_ns, LAST_NS if selection.to_ns is None else selection.to_ns)
    if from_ns >= to_ns:
        raise UsageError(
            f"no moment of {day} ({zone}) lies in --from and --to, or in the years 1970 to 2262",
            where="--date",
            todo="drop --from and --to: without {date} in INPUT, the day is picked by event time",
        )
    return replace(selection, from_ns=from_ns, to_ns=to_ns, by_date=f"{day} ({zone})")


def parse_range_end(text: str, option: str) -> Moment:
    """A moment that event times can be compared with."""
    end = parse_moment(text, option)
    if not 0 <= end.ns <= LAST_NS:
        raise UsageError(f"{text!r} is out of range", where=option, todo="give a time from 1970 to 2262")
    return end
