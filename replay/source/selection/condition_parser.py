"""The parser of `--where`: text to the tree of `condition.py`, or an error that says where in the text. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from replay.errors import UsageError
from replay.source.selection.condition import (
    FUNCTIONS,
    KEYWORDS,
    PLAIN_NAME,
    Arithmetic,
    Both,
    Call,
    Chain,
    Column,
    In,
    Literal,
    Node,
    Not,
)

TEXT_MAX = 10_000
"""Characters of a condition: far beyond what anyone writes, and a few kilobytes in a checkpoint."""

DEPTH_MAX = 50
"""Parentheses and the like within each other: Python's stack holds several times as many."""

DIGITS_MAX = 38
"""Digits of a number, without the zeros before and after them: what a decimal column holds."""

EXPONENT_MAX = 308
"""Of a number: what a double holds; it also bounds what 1e999999999 would take to write down."""

# -- tokens -----------------------------------------------------------------------------------------------

_TOKEN = re.compile(
    rf"""\s*(?:
    (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?!\w))
  | (?P<word>{PLAIN_NAME})
  | (?P<quoted>"(?:[^"]|"")*")
  | (?P<text>'(?:[^']|'')*')
  | (?P<sign>==|!=|<>|<=|>=|[-=<>+*/(),.])
  | (?P<end>\Z))""",
    re.VERBOSE,
)
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


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int

    def is_(self, *texts: str) -> bool:
        """A sign or a keyword; whatever is quoted is neither."""
        return self.kind in ("sign", "word") and self.text.lower() in texts


class _Problem(Exception):
    def __init__(self, what: str, at: int, todo: str) -> None:
        super().__init__(what)
        self.what, self.at, self.todo = what, at, todo


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while True:
        match = _TOKEN.match(text, at)
        if match is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            hint = (
                "put a column's name that starts with a digit in double quotes" if text[at].isdigit() else "remove it"
            )
            raise _Problem("this is no part of a condition", at, _HINTS.get(text[at], hint))
        kind = str(match.lastgroup)
        yield _Token(kind, match[kind], match.start(kind))
        if kind == "end":
            return
        at = match.end()


# -- the parser -------------------------------------------------------------------------------------------

EXAMPLE = "write it like size > 100 and side in ('buy', 'sell') and not is_null(note)"


def parse_condition(text: str, option: str) -> Node:
    """The tree of a condition; `UsageError` says what is wrong, where in the text, and what to write instead."""
    if len(text) > TEXT_MAX:
        raise UsageError(f"the condition has {len(text):,} characters", where=option, todo=f"give at most {TEXT_MAX:,}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError("the condition is not UTF-8", where=option, todo="write it again") from None
    try:
        return _Parser(list(_tokens(text))).condition()
    except _Problem as problem:
        rest = text[problem.at :].strip()
        place = f"at character {problem.at + 1} ({rest[:20]!r})" if rest else "at the end"
        raise UsageError(f"{problem.what}, {place}", where=option, todo=problem.todo) from None


class _Parser:
    """Recursive descent: a method a level of binding, the loosest first."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens, self._next, self._depth = tokens, 0, 0

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._token
        self._next += 1
        return token

    def _accept(self, *texts: str) -> bool:
        found = self._token.is_(*texts)
        self._next += found
        return found

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise _Problem(f"{text} is expected", self._token.at, EXAMPLE)

    def condition(self) -> Node:
        tree = self._either()
        if self._token.kind != "end":
            raise _Problem("and or or is expected between two conditions", self._token.at, EXAMPLE)
        return tree

    def _either(self) -> Node:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise _Problem("too many parentheses within each other", self._token.at, f"use at most {DEPTH_MAX}")
        parts = [self._all()]
        while self._accept("or"):
            parts.append(self._all())
        self._depth -= 1
        return _joined("or", parts)

    def _all(self) -> Node:
        parts = [self._negated()]
        while self._accept("and"):
            parts.append(self._negated())
        return _joined("and", parts)

    def _negated(self) -> Node:
        negations = 0
        while self._accept("not"):
            negations += 1
        tree = self._comparison()
        return Not(tree) if negations % 2 else tree

    def _comparison(self) -> Node:
        left = self._sum()
        if self._token.is_("is"):
            return self._null_test(left)
        at = self._next
        negated = self._accept("not")
        if self._accept("in"):
            found = In(left, self._items())
            return Not(found) if negated else found
        self._next = at
        operands, ops = [left], []
        while self._token.is_("==", "=", "!=", "<>", "<", "<=", ">", ">="):
            op = self._take().text
            ops.append({"=": "==", "<>": "!="}.get(op, op))
            operands.append(self._sum())
        return Chain(tuple(operands), tuple(ops)) if ops else left

    def _null_test(self, left: Node) -> Node:
        self._expect("is")
        function = "is_valid" if self._accept("not") else "is_null"
        self._expect("null")
        return Call(function, left)

    def _items(self) -> tuple[Literal, ...]:
        self._expect("(")
        items = [self._item()]
        while self._accept(","):
            items.append(self._item())
        self._expect(")")
        return tuple(items)

    def _item(self) -> Literal:
        at = self._token.at
        item = self._signed()
        if not isinstance(item, Literal):
            raise _Problem("a list holds texts and numbers only", at, "write in ('buy', 'sell') or in (1, 2)")
        return item

    def _sum(self) -> Node:
        tree = self._product()
        while self._token.is_("+", "-"):
            tree = Arithmetic(self._take().text, tree, self._product())
        return tree

    def _product(self) -> Node:
        tree = self._signed()
        while self._token.is_("*", "/"):
            tree = Arithmetic(self._take().text, tree, self._signed())
        return tree

    def _signed(self) -> Node:
        negative = False
        while self._token.is_("+", "-"):
            negative ^= self._take().text == "-"
        tree = self._atom()
        if not negative:
            return tree
        if isinstance(tree, Literal) and isinstance(tree.value, Decimal):
            return Literal(tree.value.copy_negate())  # a minus sign would round to 28 digits
        return Arithmetic("*", Literal(Decimal(-1)), tree)

    def _atom(self) -> Node:
        token = self._take()
        match token.kind:
            case "number":
                return Literal(_number(token))
            case "text":
                return Literal(token.text[1:-1].replace("''", "'"))
            case "quoted":
                return self._column(token)
        if token.is_("("):
            tree = self._either()
            self._expect(")")
            return tree
        if token.is_("true", "false"):
            return Literal(token.is_("true"))
        if token.is_("null"):
            raise _Problem(
                "nothing is equal to null, or larger or smaller", token.at, "write is_null(x) or is_valid(x)"
            )
        if token.kind != "word" or token.is_(*KEYWORDS):
            self._next -= 1
            raise _Problem("a column, a number or a text is expected", token.at, EXAMPLE)
        return self._call(token) if self._token.is_("(") else self._column(token)

    def _call(self, name: _Token) -> Node:
        if name.text.lower() not in FUNCTIONS:
            like = difflib.get_close_matches(name.text.lower(), FUNCTIONS, n=1)
            todo = f"write {like[0]}(...)" if like else f"the functions are {' and '.join(FUNCTIONS)}"
            raise _Problem(f"there is no function {name.text!r}", name.at, todo)
        self._expect("(")
        argument = self._either()
        self._expect(")")
        return Call(name.text.lower(), argument)

    def _column(self, first: _Token) -> Column:
        path = [_unquoted(first)]
        while self._accept("."):
            token = self._take()
            if token.kind not in ("word", "quoted"):
                raise _Problem("the name of a field is expected after the dot", token.at, "write fees.maker")
            path.append(_unquoted(token))
        if "" in path:
            raise _Problem("a column's name is empty", first.at, 'write "trade id"')
        return Column(tuple(path))


def _joined(op: str, parts: list[Node]) -> Node:
    """`(a and b) and c` is `a and b and c`: one tree, one text."""
    flat: list[Node] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Both) and part.op == op else [part])
    return flat[0] if len(flat) == 1 else Both(op, tuple(flat))


def _number(token: _Token) -> Decimal:
    try:
        value = Decimal(token.text)
    except InvalidOperation:  # an exponent beyond what Decimal takes
        value = Decimal("Infinity")
    digits = "".join(map(str, value.as_tuple().digits)).strip("0")
    if not value.is_finite() or len(digits) > DIGITS_MAX or (value and abs(value.adjusted()) > EXPONENT_MAX):
        raise _Problem("this number is too long or too large", token.at, f"give at most {DIGITS_MAX} digits")
    return value


def _unquoted(token: _Token) -> str:
    return token.text[1:-1].replace('""', '"') if token.kind == "quoted" else token.text
