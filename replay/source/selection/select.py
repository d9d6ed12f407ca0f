"""What of the input is replayed: symbols, a time range, a sample, a condition. Pure.

Ranges are half-open, `[from, to)`. Names are compared after `--symbol-case`, with `*`, `?` and `[AB]` as in file names.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from math import gcd
from typing import TYPE_CHECKING

from replay.source.selection import moment

if TYPE_CHECKING:
    from replay.source.selection.condition import Condition


_GLOB = re.compile(r"[*?[]")

_IDENTITY_MAX = 500
"""Characters of a list of symbols in a checkpoint; of a longer one its hash: it is saved every second."""


@dataclass(frozen=True, slots=True)
class Names:
    """Plain names in a set, so that thousands of them cost nothing per symbol; patterns one by one."""

    plain: frozenset[str]
    ordered: tuple[str, ...]
    patterns: tuple[str, ...]

    def __contains__(self, symbol: str) -> bool:
        return symbol in self.plain or any(fnmatchcase(symbol, pattern) for pattern in self.patterns)

    def meet(self, smallest: str, largest: str) -> bool:
        """Could a name among these lie between two symbols? The largest may have been cut off by its writer.

        Python and Parquet agree on the order of texts: by code point is by byte of UTF-8.
        """
        at = bisect_left(self.ordered, smallest)
        if at < len(self.ordered) and self.ordered[at][: len(largest)] <= largest:
            return True
        for pattern in self.patterns:
            prefix = _GLOB.split(pattern, maxsplit=1)[0]
            if (smallest <= prefix or smallest.startswith(prefix)) and prefix[: len(largest)] <= largest:
                return True
        return False


def names_of(texts: Iterable[str]) -> Names:
    patterns = tuple(text for text in texts if _GLOB.search(text))
    plain = frozenset(texts) - set(patterns)
    return Names(plain, tuple(sorted(plain)), patterns)


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
    def takes_all(self) -> bool:
        """Whether it is the empty one. (One with options may leave nothing out either, such as `--sample 1/1`.)"""
        return self == Selection()

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


# -- symbols ----------------------------------------------------------------------------------------------


def symbols_text(names: tuple[str, ...]) -> str:
    """Comma-separated; a name that a comma could be mistaken in goes in quotes."""
    text = ",".join(json.dumps(name) if re.search(r'[,"]', name) else name for name in sorted(set(names)))
    if len(text) <= _IDENTITY_MAX:
        return text
    return f"{len(set(names)):,} symbols, SHA-256 {hashlib.sha256(text.encode()).hexdigest()}"


def symbol_hash(symbol: str) -> int:
    """The first 8 bytes of the SHA-256 of the symbol's UTF-8, as a big-endian number: the same everywhere, for good."""
    return int.from_bytes(hashlib.sha256(symbol.encode()).digest()[:8], "big")


def in_sample(symbol: str, sample: tuple[int, int]) -> bool:
    """Whether its hash is among the smallest: so 1/100 is a part of 1/10."""
    return symbol_hash(symbol) * sample[1] < sample[0] << 64


def sample_text(sample: tuple[int, int] | None) -> str:
    if sample is None:
        return ""
    common = gcd(*sample)
    return f"{sample[0] // common}/{sample[1] // common}"
