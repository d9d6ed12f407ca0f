"""Whether a file has the columns that a condition names, and the likely name if not. Pure."""

from __future__ import annotations

import difflib
from typing import Any

import pyarrow as pa

from replay.errors import InputError
from replay.source.selection.condition_tree import Column, text_of

NEAR = 0.8
"""Ratio of letters that two names share from which on one was meant by the other: `prise` and `price`, not `size` and
`side`."""


def check_path(path: tuple[str, ...], schema: pa.Schema, where: str) -> None:
    """Raise `InputError` where the file (`where`) has no such column or field, or several of that name."""
    fields: Any = list(schema)
    for depth, name in enumerate(path):
        names = [field.name for field in fields]
        if names.count(name) != 1:
            what = f"there are {names.count(name)} columns" if name in names else "there is no column"
            raise InputError(
                f"{what} {'.'.join(path[: depth + 1])!r}, which --where needs; there {'are' if names else 'is'}: "
                f"{', '.join(map(repr, names)) or 'none'}",
                where=where,
                todo=_remedy(path, depth, names),
            )
        kind = schema.field(name).type if depth == 0 else fields[names.index(name)].type
        fields = list(kind) if pa.types.is_struct(kind) else []


def _remedy(path: tuple[str, ...], depth: int, names: list[str]) -> str:
    if path[depth] in names:
        return "write the file again with a name for each: a condition cannot tell them apart"
    whole = ".".join(path[depth:])
    if whole in names and len(path) > depth + 1:
        return f'write "{whole}", in double quotes: without them the dot leads to a field of a struct'
    if like := _near(path[depth], names):
        return f"write {text_of(Column((*path[:depth], like)))}"
    if depth:
        return "name a field that is there"
    return f"name a column that is there; a text goes in single quotes: '{path[0]}'"


def _near(name: str, names: list[str]) -> str | None:
    """A name that was surely meant: a typing error away, but not another word of the same length (size, side)."""
    lower = {each.lower(): each for each in names}
    like = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=NEAR)
    return lower[like[0]] if like else None
