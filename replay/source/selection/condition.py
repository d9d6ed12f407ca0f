"""`--where`: a condition on the columns of a file, evaluated column-wise. Pure. (The language: `condition_parser.py`.)

As in SQL, whatever is compared with null is neither true nor false, `not` of it too, and such a row is not selected.
Numbers are compared exactly, except with or among floats; a number as written is rounded to a float column's type.
Times without a zone are UTC. Types are checked by evaluating the condition on no rows: there is one set of rules.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from replay.errors import InputError, UsageError
from replay.model import Bools
from replay.record.kinds import Predicate, is_number, is_string
from replay.source.selection import condition_tree as nodes
from replay.source.selection.condition_parser import parse_condition
from replay.source.selection.condition_tree import Node, paths_of, text_of
from replay.source.selection.moment import parse_moment
from replay.source.selection.numbers import comparable
from replay.units import NS_PER_S, NS_PER_UNIT, S_PER_DAY

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": pc.add,
    "-": pc.subtract,
    "*": pc.multiply,
    "/": pc.divide,  # of floats: by zero it is infinite or not a number, no error
}

_KLEENE: dict[str, Callable[[Any, Any], Any]] = {"and": pc.and_kleene, "or": pc.or_kleene}


NEAR = 0.8
"""Ratio of letters that two names share from which on one was meant by the other: `prise` and `price`, not `size` and
`side`."""


def _unfit(what: str, todo: str) -> UsageError:
    """Types that cannot be compared; the place is added where it is known."""
    return UsageError(what, todo=todo)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition. `text` is the same for the same condition written with other blanks; `columns` are what it needs."""

    text: str
    columns: frozenset[str]
    _tree: Node

    def mask(self, batch: pa.RecordBatch) -> Bools:
        """Which rows of the batch it selects; null counts as no."""
        try:
            selected = _condition(self._tree, batch)
        except pa.ArrowInvalid as error:  # such as times that do not fit the finer unit of another column
            raise InputError(f"{self.text} cannot be computed: {error}", where="--where", todo="simplify it") from None
        return np.asarray(selected.fill_null(False).to_numpy(zero_copy_only=False))

    def check(self, schema: pa.Schema, where: str) -> None:
        """Raise for a column that the file (`where`) does not have, or types that cannot be compared."""
        for path in paths_of(self._tree):
            _check_path(path, schema, where)
        try:
            _condition(self._tree, pa.RecordBatch.from_pylist([], schema=schema))
        except UsageError as unfit:
            raise UsageError(unfit.what, where=f"--where, {where}", todo=unfit.todo) from None


def parse(text: str, option: str = "--where") -> Condition:
    """A condition from its text; `UsageError` says what is wrong, where in the text, and what to write instead."""
    tree = parse_condition(text, option)
    try:
        canonical = text_of(tree)
    except RecursionError:  # a sum of a thousand numbers
        raise UsageError("the condition is too long", where=option, todo="write it with fewer operators") from None
    columns = frozenset(path[0] for path in paths_of(tree))
    if not columns:
        raise UsageError("the condition names no column", where=option, todo="write it like size > 100")
    return Condition(canonical, columns, tree)


# -- columns of a file ------------------------------------------------------------------------------------


def _check_path(path: tuple[str, ...], schema: pa.Schema, where: str) -> None:
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
        return f"write {text_of(nodes.Column((*path[:depth], like)))}"
    if depth:
        return "name a field that is there"
    return f"name a column that is there; a text goes in single quotes: '{path[0]}'"


def _near(name: str, names: list[str]) -> str | None:
    """A name that was surely meant: a typing error away, but not another word of the same length (size, side)."""
    lower = {each.lower(): each for each in names}
    like = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=NEAR)
    return lower[like[0]] if like else None


def _column(path: tuple[str, ...], batch: pa.RecordBatch) -> pa.Array:
    """The column, in the type it is compared in: text as string, times without zone (they are UTC already)."""
    array = batch.column(path[0])
    if len(path) > 1:
        array = pc.struct_field(array, list(path[1:]))  # null where a parent is
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if is_string(kind):
        kind = pa.string()
    elif pa.types.is_timestamp(kind):
        kind = pa.timestamp(kind.unit)
    elif pa.types.is_float16(kind):
        kind = pa.float32()
    elif pa.types.is_date64(kind):
        kind = pa.date32()
    return array.cast(kind) if kind != array.type else array


# -- evaluation -------------------------------------------------------------------------------------------

Value = Any
"""An array, a computed number (a scalar), or a literal's value, which takes its type from what it meets."""


def _condition(node: Node, batch: pa.RecordBatch) -> pa.Array:
    """A truth value, or null, for every row."""
    found = _evaluate(node, batch)
    if isinstance(found, bool):
        return pa.array(np.full(batch.num_rows, found))
    if not isinstance(found, pa.Array) or not pa.types.is_boolean(found.type):
        raise _unfit(f"{text_of(node)} is {_kind_of(found)}, no condition", "compare it: size > 100")
    return found


def _evaluate(node: Node, batch: pa.RecordBatch) -> Value:  # noqa: PLR0911
    match node:
        case nodes.Column(path):
            return _column(path, batch)
        case nodes.Literal(value):
            return value
        case nodes.Arithmetic(op, left, right):
            return _ARITHMETIC[op](_float(left, batch), _float(right, batch))
        case nodes.FunctionCall(function, argument):
            found = _evaluate(argument, batch)
            if not isinstance(found, pa.Array):
                raise _unfit(f"{text_of(argument)} is never null", f"name a column: {function}(size)")
            return pc.is_null(found) if function == "is_null" else pc.is_valid(found)
        case nodes.Not(inner):
            return pc.invert(_condition(inner, batch))
        case nodes.Both(op, parts):
            return reduce(_KLEENE[op], (_condition(part, batch) for part in parts))
        case nodes.In(value, items):
            return _in(node, _evaluate(value, batch), [item.value for item in items])
        case nodes.Chain(operands, ops):
            values = [_evaluate(operand, batch) for operand in operands]
            pairs = zip(ops, values, values[1:], strict=False)
            return reduce(pc.and_kleene, (_compared(node, *pair) for pair in pairs))


def _float(node: Node, batch: pa.RecordBatch) -> Value:
    value = _evaluate(node, batch)
    if _kind_of(value) != "a number":
        raise _unfit(f"{text_of(node)} is {_kind_of(value)}, and arithmetic needs numbers", "compare it as it is")
    if isinstance(value, Decimal):
        return pa.scalar(float(value))
    return value.cast(pa.float64(), safe=False)  # safe would refuse whole numbers beyond 2**53


def _in(node: Node, value: Value, items: list[Decimal | str | bool]) -> pa.Array:
    if _kind_of(value) == "text" and isinstance(value, pa.Array) and all(isinstance(item, str) for item in items):
        found = pc.is_in(value, value_set=pa.array(items, pa.string()))
        return pc.if_else(pc.is_null(value), pa.scalar(None, pa.bool_()), found)  # is_in alone takes null for "not in"
    return reduce(pc.or_kleene, (_compared(node, "==", value, item) for item in items))


def _compared(node: Node, op: str, left: Value, right: Value) -> pa.Array:
    if not isinstance(left, pa.Array) and not isinstance(right, pa.Array):
        raise _unfit(f"{text_of(node)} compares values without a column", "compare a column: size > 100")
    left, right = _literal_time(left, right), _literal_time(right, left)
    kinds = _kind_of(left), _kind_of(right)
    if kinds[0] != kinds[1]:
        raise _unfit(f"{text_of(node)} compares {kinds[0]} with {kinds[1]}", _HINTS.get(frozenset(kinds), _ALIKE))
    if kinds[0] not in _COMPARABLE:
        raise _unfit(f"{text_of(node)}: {kinds[0]} cannot be compared", "only is_null and is_valid can be asked")
    if kinds[0] == "a truth value" and op not in ("==", "!="):
        raise _unfit(f"{text_of(node)}: a truth value is neither less nor more", "write == or !=, or the column alone")
    if kinds[0] == "a number":
        pair = comparable(left, right)
        if pair is None:
            raise _unfit(f"{text_of(node)}: these numbers have too many digits together", "make one a float: x * 1")
        left, right = pair
    return _COMPARE[op](left, right)


_COMPARABLE: dict[str, Predicate] = {
    "a truth value": pa.types.is_boolean,
    "a number": is_number,
    "text": is_string,
    "a time": pa.types.is_timestamp,
    "a date": pa.types.is_date,
}
_LITERALS = {bool: "a truth value", Decimal: "a number", str: "text"}
_ALIKE = "compare what is alike"
_HINTS = {
    frozenset(("a number", "text")): "a number goes without quotes, a text in single quotes",
    frozenset(("a number", "a time")): "write the time as text: '2026-11-22T10:00:00Z'",
    frozenset(("text", "a truth value")): "write true and false without quotes, or a text in single quotes: 'True'",
    frozenset(("a time", "a date")): "compare each with a text: '2026-11-22'",
}


def _kind_of(value: Value) -> str:
    if type(value) in _LITERALS:
        return _LITERALS[type(value)]
    return next((kind for kind, matches in _COMPARABLE.items() if matches(value.type)), str(value.type))


def _literal_time(value: Value, other: Value) -> Value:
    """A text that meets a time or a date is one."""
    if not isinstance(value, str) or not isinstance(other, pa.Array):
        return value
    if not pa.types.is_timestamp(other.type) and not pa.types.is_date(other.type):
        return value
    moment = parse_moment(value, "")
    if pa.types.is_date(other.type):
        if moment.clock:
            raise _unfit(f"the column holds dates, and {value!r} is a time", "give a date: '2026-11-22'")
        return pa.scalar(moment.ns // NS_PER_S // S_PER_DAY, pa.int32()).cast(pa.date32())
    units, rest = divmod(moment.ns, NS_PER_UNIT[other.type.unit])
    if rest:
        raise _unfit(f"{value!r} is finer than the column's unit ({other.type.unit})", "give fewer decimals")
    if abs(units) >= 2**63:
        raise _unfit(f"{value!r} is beyond what the column can hold", "give a year from 1678 to 2261")
    return pa.scalar(units, pa.int64()).cast(other.type)
