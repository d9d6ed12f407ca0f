"""Which symbols: by name or pattern (`--symbols BTC*,ETHUSDT`, or `@file`), and a sample of them (`--sample 1/100`).

Pure, but for reading that file. Patterns have `*`, `?` and `[AB]` as in file names.
"""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import gcd
from pathlib import Path

from replay.errors import UsageError

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


def _text_of(path: str) -> str:
    """The text of a file that an option names."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "this is not a UTF-8 text file"
        raise UsageError(reason, where=f"@{path}", todo="name a file with one symbol a line") from None


def parse_symbols(text: str, option: str) -> tuple[str, ...]:
    """`BTCUSDT,ETH*`, or `@file` with one a line; sorted, each once."""
    parts = _text_of(text[1:]).splitlines() if text.startswith("@") else text.split(",")
    names = {part.strip() for part in parts} - {""}
    if not names:
        raise UsageError("no symbol is named", where=option, todo=f"write {option} BTCUSDT,ETH* or {option} @file")
    try:
        "".join(names).encode()
    except UnicodeEncodeError:
        raise UsageError("a symbol is not UTF-8", where=option, todo="give names such as BTCUSDT") from None
    return tuple(sorted(names))


def symbols_text(names: tuple[str, ...]) -> str:
    """Comma-separated; a name that a comma could be mistaken in goes in quotes."""
    text = ",".join(json.dumps(name) if re.search(r'[,"]', name) else name for name in sorted(set(names)))
    if len(text) <= _IDENTITY_MAX:
        return text
    return f"{len(set(names)):,} symbols, SHA-256 {hashlib.sha256(text.encode()).hexdigest()}"


# -- the sample -------------------------------------------------------------------------------------------


def parse_sample(text: str) -> tuple[int, int]:
    """`1/100`: one symbol in a hundred."""
    match = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", text, re.ASCII)
    if match is None or not 0 < int(match[1]) <= int(match[2]):
        raise UsageError(f"{text[:40]!r} is no part of the symbols", where="--sample", todo="write it like 1/100")
    return int(match[1]), int(match[2])


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
