"""The tree of a condition (`--where`), and the one canonical text of each. Pure; nothing is evaluated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from typing import Any

FUNCTIONS = ("is_null", "is_valid")
KEYWORDS = ("and", "or", "not", "in", "is", "true", "false", "null")
PLAIN_NAME = r"[^\W\d]\w*"


@dataclass(frozen=True, slots=True)
class Column:
    """A column, or a field in a struct column: ("fees", "maker")."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Literal:
    """A number as written (exact), a text, or a truth value."""

    value: Decimal | str | bool


@dataclass(frozen=True, slots=True)
class Arithmetic:
    op: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Chain:
    """`a < b <= c`: every neighbouring pair holds."""

    operands: tuple[Node, ...]
    ops: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class In:
    value: Node
    items: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """`is_null(x)` or `is_valid(x)`."""

    function: str
    argument: Node


@dataclass(frozen=True, slots=True)
class Not:
    inner: Node


@dataclass(frozen=True, slots=True)
class Both:
    """`and` or `or` of two or more."""

    op: str
    parts: tuple[Node, ...]


Node = Column | Literal | Arithmetic | Chain | In | FunctionCall | Not | Both


def paths_of(node: Any) -> Iterator[tuple[str, ...]]:
    """The columns and fields that it needs."""
    if isinstance(node, Column):
        yield node.path
    elif is_dataclass(node):
        for field in fields(node):
            part = getattr(node, field.name)
            for each in part if isinstance(part, tuple) else (part,):
                yield from paths_of(each)


# -- the canonical text -----------------------------------------------------------------------------------

_ATOM, _SUM, _COMPARISON, _NOT = 7, 5, 4, 3
_BINDING = {"or": 1, "and": 2, "+": _SUM, "-": _SUM, "*": 6, "/": 6}
"""What binds tighter has the larger number, as in Python and SQL."""


def text_of(node: Node) -> str:
    """The same condition, however it was spaced and bracketed, is the same text; parsing it gives the same tree."""
    return _rendered(node)[0]


def _rendered(node: Node) -> tuple[str, int]:  # noqa: PLR0911
    match node:
        case Column(path):
            return ".".join(map(_name, path)), _ATOM
        case Literal(value):
            return _literal(value), _ATOM
        case FunctionCall(function, argument):
            return f"{function}({text_of(argument)})", _ATOM
        case Arithmetic(op, left, right):
            binding = _BINDING[op]
            return f"{_within(left, binding)} {op} {_within(right, binding + 1)}", binding
        case Chain(operands, ops):
            parts = [_within(operand, _SUM) for operand in operands]
            return parts[0] + "".join(f" {op} {part}" for op, part in zip(ops, parts[1:], strict=True)), _COMPARISON
        case In(value, items):
            return f"{_within(value, _SUM)} in ({', '.join(text_of(item) for item in items)})", _COMPARISON
        case Not(inner):
            return f"not {_within(inner, _NOT)}", _NOT
        case Both(op, parts):
            return f" {op} ".join(_within(part, _BINDING[op] + 1) for part in parts), _BINDING[op]


def _within(node: Node, binding: int) -> str:
    text, own = _rendered(node)
    return text if own >= binding else f"({text})"


def _name(name: str) -> str:
    plain = re.fullmatch(PLAIN_NAME, name) and name.lower() not in (*KEYWORDS, *FUNCTIONS)
    return name if plain else '"' + name.replace('"', '""') + '"'


def _literal(value: Decimal | str | bool) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    digits = f"{value:f}"  # not normalize(): that rounds to 28 digits
    return (digits.rstrip("0").rstrip(".") if "." in digits else digits) if value else "0"
