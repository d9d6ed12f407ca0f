"""`--symbol-from '{symbol}-trades-*.parquet'`: the symbol from a file's name. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from replay.errors import UsageError

_FORM = "write it like '{symbol}-trades-*.parquet', or 'trades/{symbol}/*.parquet' for a part of the path"


@dataclass(frozen=True, slots=True)
class SymbolPattern:
    """A pattern, ready to match. With slashes it is matched against the end of the path, else against the file name."""

    text: str
    option: str
    _before: re.Pattern[str]
    _after: re.Pattern[str]

    def symbol(self, path: str) -> str | None:
        """The symbol in the path; None where the path does not fit. Two ways to read it are a `UsageError`."""
        name = "/".join(path.split("/")[-1 - self.text.count("/") :])  # as many slashes as the pattern has
        starts = [at for at in range(len(name)) if self._before.fullmatch(name, 0, at)]
        ends = [at for at in range(len(name) + 1) if self._after.fullmatch(name, at)]
        found = [name[start:end] for start in starts for end in ends if start < end]
        if len(found) > 1:
            raise UsageError(
                f"{self.text!r} fits in two ways: the symbol is {found[0]!r} or {found[1]!r}",
                where=f"{self.option}, {path}",
                todo="let the pattern say more: ? stands for one character where * stands for any number of them",
            )
        return found[0] if found else None


def symbol_pattern(text: str, option: str = "--symbol-from") -> SymbolPattern:
    """From a pattern with {symbol} once, and * and ? for what does not matter; none of them goes over a slash."""
    before, symbol, after = text.partition("{symbol}")
    if not symbol or "{symbol}" in after:
        what = "has {symbol} more than once" if symbol else "has no {symbol}"
        raise UsageError(f"the pattern {text!r} {what}", where=option, todo=_FORM)
    if re.search(r"[{}]", before + after):
        raise UsageError(f"only {{symbol}} goes in braces, in {text!r}", where=option, todo=_FORM)
    if before.endswith("*") or after.startswith("*"):
        raise UsageError(
            f"{text!r} does not say where the symbol begins or ends: there is a * beside it",
            where=option,
            todo="write what is between them, such as {symbol}-*",
        )
    return SymbolPattern(text, option, _compiled(before), _compiled(after))


def _compiled(text: str) -> re.Pattern[str]:
    wild = {"*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(wild.get(letter, re.escape(letter)) for letter in text), re.DOTALL)
