"""The language of `--where`: a text to the tree of `condition_tree.py`, or an error that says where in the text. Pure.

condition   size > 100 and side in ('buy', 'sell') and not is_null(note)
comparison  == (or =), != (or <>), <, <=, >, >=, also chained: 1 < size <= 5; in, not in; is null, is not null
text        in single quotes, a quote in it doubled: 'it''s'; also dates and times: time >= '2026-11-22T10:00Z'
column      as it is, or in double quotes where it is no plain name: "trade id"; a field of a struct: fees.maker
number      100, 1.5, 1e6; arithmetic with + - * / is in double precision
"""

from __future__ import annotations

import difflib
import re
from decimal import Decimal, InvalidOperation
from functools import cache, reduce
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken, v_args
from lark.exceptions import VisitError
from lark.tree import Meta

from replay.errors import UsageError
from replay.source.selection import condition_tree as nodes
from replay.source.selection.condition_tree import FUNCTIONS, Literal, Node

TEXT_MAX = 10_000
"""Characters of a condition: far beyond what anyone writes, and a few kilobytes in a checkpoint."""

DEPTH_MAX = 50
"""Parentheses within each other: Python's stack holds several times as many."""

DIGITS_MAX = 38
"""Digits of a number, without the zeros before and after them: what a decimal column holds."""

EXPONENT_MAX = 308
"""Of a number: what a double holds; it also bounds what 1e999999999 would take to write down."""

_GRAMMAR = r"""
?condition: all (_OR all)*
?all: negated (_AND negated)*
?negated: NOT* comparison
?comparison: sum
    | sum (COMPARE sum)+                        -> chain
    | sum NOT? _IN "(" item ("," item)* ")"     -> within
    | sum _IS NOT? _NULL                        -> null_test
?sum: product (SIGN product)*
?product: signed (SCALE signed)*
?signed: SIGN* atom
?atom: NUMBER                                   -> number
    | TEXT                                      -> text
    | TRUTH                                     -> truth
    | "(" condition ")"
    | NAME "(" condition ")"                    -> call
    | (NAME | QUOTED) ("." (FIELD | QUOTED))*   -> column
item: signed

_OR: /or(?!\w)/i
_AND: /and(?!\w)/i
NOT: /not(?!\w)/i
_IN: /in(?!\w)/i
_IS: /is(?!\w)/i
_NULL: /null(?!\w)/i
TRUTH: /(?:true|false)(?!\w)/i
COMPARE: /==|!=|<>|<=|>=|[=<>]/
SIGN: /[-+]/
SCALE: /[*\/]/
NUMBER: /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?!\w)/
TEXT: /'(?:[^']|'')*'/
QUOTED: /"(?:[^"]|"")*"/
NAME: /(?!(?:and|or|not|in|is|true|false|null)(?!\w))[^\W\d]\w*/i
FIELD: /[^\W\d]\w*/
%ignore /\s+/
"""
"""What is looked for depends on what may stand there (a contextual lexer): a field may have a keyword for its name."""

_HINTS = {
    "'": "a quote is missing: write 'buy', and double a quote in the text: 'it''s'",
    '"': 'a double quote is missing: write "trade id", and double one in the name',
    "`": "put a column's name in double quotes, and a text in single quotes",
    "&": "write and",
    "|": "write or",
    "!": "write not",
    "%": "only + - * / are known",
    "[": "write in ('buy', 'sell')",
}

_EXPECTED = {
    "NUMBER": "a column, a number or a text is expected",
    "RPAR": ") is expected",
    "_NULL": "null is expected",
    "_OR": "and or or is expected between two conditions",
    "_IN": "in is expected",
    "LPAR": "( is expected",
}
"""What is missing where one of these could stand; the first counts. With none, a parenthesis is too many."""

EXAMPLE = "write it like size > 100 and side in ('buy', 'sell') and not is_null(note)"


class _Problem(Exception):
    def __init__(self, what: str, at: int, todo: str = EXAMPLE) -> None:
        super().__init__(what)
        self.what, self.at, self.todo = what, at, todo


def parse_condition(text: str, option: str) -> Node:
    """The tree of a condition; `UsageError` says what is wrong, where in the text, and what to write instead."""
    if len(text) > TEXT_MAX:
        raise UsageError(f"the condition has {len(text):,} characters", where=option, todo=f"give at most {TEXT_MAX:,}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError("the condition is not UTF-8", where=option, todo="write it again") from None
    try:
        return _parsed(text)
    except _Problem as problem:
        rest = text[problem.at :].strip()
        place = f"at character {problem.at + 1} ({rest[:20]!r})" if rest else "at the end"
        raise UsageError(f"{problem.what}, {place}", where=option, todo=problem.todo) from None


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, start="condition", parser="lalr", propagate_positions=True)


def _parsed(text: str) -> Node:
    _check_depth(text)
    try:
        return _Builder().transform(_parser().parse(text))
    except VisitError as error:
        raise error.orig_exc from None
    except UnexpectedCharacters as error:
        raise _no_part(text, error.pos_in_stream or 0) from None
    except UnexpectedToken as error:
        at = len(text) if error.token.type == "$END" else _place(error.token)
        raise _missing(error.token, error.accepts or error.expected, at) from None


def _place(token: Token | Meta) -> int:
    return token.start_pos or 0


def _no_part(text: str, at: int) -> _Problem:
    hint = "put a column's name that starts with a digit in double quotes" if text[at].isdigit() else "remove it"
    return _Problem("this is no part of a condition", at, _HINTS.get(text[at], hint))


def _missing(token: Token, expected: set[str], at: int) -> _Problem:
    if token.lower() == "null" and "NUMBER" in expected:
        return _Problem("nothing is equal to null, or larger or smaller", at, "write is_null(x) or is_valid(x)")
    if "FIELD" in expected:
        return _Problem("the name of a field is expected after the dot", at, "write fees.maker")
    return _Problem(next((what for one, what in _EXPECTED.items() if one in expected), _EXPECTED["_OR"]), at)


def _check_depth(text: str) -> None:
    depth = 0
    for found in re.finditer(r"""'[^']*'|"[^"]*"|(?P<open>\()|(?P<close>\))""", text):
        depth += bool(found["open"]) - bool(found["close"])
        if depth > DEPTH_MAX:
            raise _Problem("too many parentheses within each other", found.start(), f"use at most {DEPTH_MAX}")


@v_args(inline=True)
class _Builder(Transformer[Token, Node]):
    """A method a rule or terminal of the grammar."""

    def number(self, token: Token) -> Node:
        return Literal(_number(token))

    def text(self, token: Token) -> Node:
        return Literal(token[1:-1].replace("''", "'"))

    def truth(self, token: Token) -> Node:
        return Literal(token.lower() == "true")

    def condition(self, *parts: Node) -> Node:
        return _joined("or", parts)

    def all(self, *parts: Node) -> Node:
        return _joined("and", parts)

    def negated(self, *nots_and_tree: Node) -> Node:
        *nots, tree = nots_and_tree
        return nodes.Not(tree) if len(nots) % 2 else tree

    def chain(self, first: Node, *rest: Any) -> Node:
        ops = tuple({"=": "==", "<>": "!="}.get(op, str(op)) for op in rest[::2])
        return nodes.Chain((first, *rest[1::2]), ops)

    def within(self, value: Node, *rest: Node) -> Node:
        items = tuple(item for item in rest if isinstance(item, Literal))
        return nodes.In(value, items) if len(items) == len(rest) else nodes.Not(nodes.In(value, items))

    @v_args(inline=True, meta=True)
    def item(self, meta: Meta, node: Node) -> Node:
        if not isinstance(node, Literal):
            todo = "write in ('buy', 'sell') or in (1, 2)"
            raise _Problem("a list holds texts and numbers only", _place(meta), todo)
        return node

    def null_test(self, value: Node, *nots: Token) -> Node:
        return nodes.FunctionCall("is_valid" if nots else "is_null", value)

    def sum(self, first: Node, *rest: Node) -> Node:
        pairs = zip(rest[::2], rest[1::2], strict=True)
        return reduce(lambda left, pair: nodes.Arithmetic(str(pair[0]), left, pair[1]), pairs, first)

    product = sum

    def signed(self, *signs_and_tree: Any) -> Node:
        signs = signs_and_tree[:-1]
        tree: Node = signs_and_tree[-1]
        if signs.count("-") % 2 == 0:
            return tree
        if isinstance(tree, Literal) and isinstance(tree.value, Decimal):
            return Literal(tree.value.copy_negate())  # a minus sign would round to 28 digits
        return nodes.Arithmetic("*", Literal(Decimal(-1)), tree)

    def call(self, name: Token, argument: Node) -> Node:
        function = name.lower()
        if function not in FUNCTIONS:
            like = difflib.get_close_matches(function, FUNCTIONS, n=1)
            todo = f"write {like[0]}(...)" if like else f"the functions are {' and '.join(FUNCTIONS)}"
            raise _Problem(f"there is no function {str(name)!r}", _place(name), todo)
        return nodes.FunctionCall(function, argument)

    def column(self, *names: Token) -> Node:
        path = tuple(name[1:-1].replace('""', '"') if name.type == "QUOTED" else str(name) for name in names)
        if "" in path:
            raise _Problem("a column's name is empty", _place(names[0]), 'write "trade id"')
        return nodes.Column(path)


def _joined(op: str, parts: tuple[Node, ...]) -> Node:
    """`(a and b) and c` is `a and b and c`: one tree, one text."""
    flat: list[Node] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, nodes.Both) and part.op == op else [part])
    return flat[0] if len(flat) == 1 else nodes.Both(op, tuple(flat))


def _number(token: Token) -> Decimal:
    try:
        value = Decimal(token)
    except InvalidOperation:  # an exponent beyond what Decimal takes
        value = Decimal("Infinity")
    digits = "".join(map(str, value.as_tuple().digits)).strip("0")
    if not value.is_finite() or len(digits) > DIGITS_MAX or (value and abs(value.adjusted()) > EXPONENT_MAX):
        raise _Problem("this number is too long or too large", _place(token), f"give at most {DIGITS_MAX} digits")
    return value
