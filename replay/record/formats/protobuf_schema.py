"""Columns as the text of a Protobuf schema: proto3, one file, one message. Pure; needs no package.

| Arrow type | field |
|---|---|
| string; UUID; decimal of any width, with all digits of its scale; price that is text | string |
| int8, int16, int32; int64 | int32; int64 |
| uint8, uint16, uint32; uint64 | uint32; uint64 |
| half float, float; double | float; double |
| bool; binary | bool; bytes |
| timestamp of any unit; duration | google.protobuf.Timestamp; google.protobuf.Duration |
| date; time | google.type.Date; google.type.TimeOfDay |
| decimal, and price that is text, with `DecimalAs.MESSAGE` | google.type.Decimal |
| struct | a message of its own, inside of the one it is in |
| list | repeated; where it is an item or a value itself: a message whose one field is `items` |
| map with keys of text, integers or bool | map; where it is an item or a value itself, as a list |
| null | string, never set |

Symbol, price and event time are always set. Further fields are `optional`, so that null and 0 stay apart. Lists and
maps have no null in Protobuf, nor have their items: see `protobuf_forms.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
from pyarrow import types

from replay.errors import InputError
from replay.record.formats.base import Column, Naming
from replay.record.kinds import is_one_of, is_uuid
from replay.record.options import DecimalAs

ITEMS = "items"
"""The one field of a message that stands for a list or map in a list or map: Protobuf nests neither."""

FIRST = ("symbol", "price", "event_time")
"""The columns that every record has."""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)

_SCALARS = (
    (types.is_string, "string"),
    (is_uuid, "string"),
    (types.is_null, "string"),
    (is_one_of(types.is_int8, types.is_int16, types.is_int32), "int32"),
    (types.is_int64, "int64"),
    (is_one_of(types.is_uint8, types.is_uint16, types.is_uint32), "uint32"),
    (types.is_uint64, "uint64"),
    (is_one_of(types.is_float16, types.is_float32), "float"),
    (types.is_float64, "double"),
    (types.is_boolean, "bool"),
    (types.is_binary, "bytes"),
)

_MESSAGES = (
    (types.is_timestamp, "google.protobuf.Timestamp", "google/protobuf/timestamp.proto"),
    (types.is_duration, "google.protobuf.Duration", "google/protobuf/duration.proto"),
    (types.is_date, "google.type.Date", "google/type/date.proto"),
    (types.is_time, "google.type.TimeOfDay", "google/type/timeofday.proto"),
)

_DECIMAL = ("google.type.Decimal", "google/type/decimal.proto")

_KEYS = frozenset({"string", "int32", "int64", "uint32", "uint64", "bool"})


class Unfit(ValueError):
    """This column has no place in a Protobuf field; the text says why."""


def schema_text(columns: Sequence[Column], naming: Naming, decimal_as: DecimalAs) -> str:
    """The schema. Same columns, same text. Raises `InputError` for a name or type that Protobuf has no form for."""
    _check_names(columns)
    writer = _Writer(decimal_as, "." if _hides_google(naming) else "")
    try:
        body = writer.message(naming.short, [_Field(column.field, column.kind, column) for column in columns])
    except Unfit as why:
        todo = "give the columns other names with --rename"
        raise InputError(f"these columns together are no Protobuf message: {why}", todo=todo) from None
    doc = [f"// {line}".rstrip() for line in naming.doc.splitlines()]
    parts = [['syntax = "proto3";']]
    if naming.namespace:
        parts.append([f"package {naming.namespace};"])
    if writer.imports:
        parts.append([f'import "{path}";' for path in sorted(writer.imports)])
    parts.append(doc + body)
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def key_text(field: str, namespace: str) -> str:
    """The schema of a key: a message with one field of text. Raises `InputError` for a name that is none."""
    if not _IDENTIFIER.fullmatch(field):
        raise InputError(_no_name(field), todo="give it a name of letters, digits and _ with --rename")
    package = f"package {namespace};\n\n" if namespace else ""
    return f'syntax = "proto3";\n\n{package}message Key {{\n  string {field} = 1;\n}}\n'


def json_name(name: str) -> str:
    """What a field is called in Protobuf's JSON; two fields of a message may not share it (protoc)."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def _hides_google(naming: Naming) -> bool:
    """Whether a name of ours stands before the package `google` where a type is looked up from within (protoc looks
    in the innermost scope first)."""
    return naming.short == "google" or "google" in naming.namespace.split(".")[1:]


def _no_name(name: str) -> str:
    return f"{name!r} is no name of a Protobuf field"


def _check_names(columns: Sequence[Column]) -> None:
    seen: dict[str, Column] = {}
    for column in columns:
        todo = f"give it another name with --rename {column.source}=NAME"
        where = f"column {column.source!r}"
        if not _IDENTIFIER.fullmatch(column.field):
            raise InputError(
                f"{_no_name(column.field)}: letters, digits and _, the first no digit", where=where, todo=todo
            )
        other = seen.setdefault(json_name(column.field), column)
        if other is not column:
            what = f"the fields {other.field!r} and {column.field!r} are one in Protobuf's JSON"
            raise InputError(f"{what}: {json_name(column.field)!r}", where=where, todo=todo)


@dataclass(frozen=True, slots=True)
class _Field:
    """`column`: it is that column's own field, not one within a struct."""

    name: str
    kind: pa.DataType
    column: Column | None = None

    @property
    def is_always_set(self) -> bool:
        return self.column is not None and self.column.name in FIRST

    @property
    def is_number(self) -> bool:
        """Whether its exact digits are a number: decimals, and price as text (`convert.to_price`)."""
        is_price = self.column is not None and self.column.name == "price"
        return bool(types.is_decimal(self.kind) or (is_price and types.is_string(self.kind)))


@dataclass
class _Writer:
    """Writes messages; `google` stands before the names of Google's types, `imports` are their files so far."""

    decimal_as: DecimalAs
    google: str
    imports: set[str] = field(default_factory=set)

    def message(self, name: str, fields: Sequence[_Field]) -> list[str]:
        """The lines of a message: first the messages inside of it, then its fields."""
        names = _nested_names(fields)
        nested: list[str] = []
        lines: list[str] = []
        for number, one in enumerate(fields, 1):
            try:
                text, inner = self._declared(one, names[one.name])
            except Unfit as why:
                if one.column is None:
                    raise Unfit(f"{one.name}: {why}") from None
                what = f"it is {one.kind}, and has no Protobuf form ({why})"
                raise InputError(what, where=f"column {one.column.source!r}", todo="leave it out of --fields") from None
            nested += [*inner, ""] if inner else []
            lines.append(f"{text} {one.name} = {number};")
        body = [f"  {line}".rstrip() for line in (*nested, *lines)]
        return [f"message {name} {{", *body, "}"]

    def _declared(self, one: _Field, nested: str) -> tuple[str, list[str]]:
        """Label and type of the field, and the message that is declared for it, if there is one."""
        kind = one.kind
        if types.is_list(kind):
            text, inner = self._type(_Field(one.name, kind.value_type), nested)
            return f"repeated {text}", inner
        if types.is_map(kind):
            return self._map(one, nested)
        text, inner = self._type(one, nested)
        is_scalar = not inner and text.lstrip(".").partition(".")[0] != "google"
        return (f"optional {text}" if is_scalar and not one.is_always_set else text), inner

    def _map(self, one: _Field, nested: str) -> tuple[str, list[str]]:
        key, _ = self._type(_Field(one.name, one.kind.key_type), nested)
        if key not in _KEYS or types.is_null(one.kind.key_type):
            raise Unfit(f"keys of a map are text, integers or bool, and these are {one.kind.key_type}")
        value, inner = self._type(_Field(one.name, one.kind.item_type), nested)
        return f"map<{key}, {value}>", inner

    def _type(self, one: _Field, nested: str) -> tuple[str, list[str]]:
        """The type of one value."""
        kind = one.kind
        if one.is_number:
            return self._imported(*_DECIMAL) if self.decimal_as is DecimalAs.MESSAGE else ("string", [])
        for matches, name in _SCALARS:
            if matches(kind):
                return name, []
        for matches, name, path in _MESSAGES:
            if matches(kind):
                return self._imported(name, path)
        if types.is_struct(kind):
            return nested, self.message(nested, [_Field(inner.name, inner.type) for inner in kind])
        if types.is_list(kind) or types.is_map(kind):
            return nested, self.message(nested, [_Field(ITEMS, kind)])
        raise Unfit(f"{kind} has none")

    def _imported(self, name: str, path: str) -> tuple[str, list[str]]:
        self.imports.add(path)
        return self.google + name, []


def _nested_names(fields: Sequence[_Field]) -> dict[str, str]:
    """What the message of each field would be called: `Legs` for `legs`, with `_` behind it where that is taken.

    Raises `Unfit` for names within a struct that cannot be those of fields.
    """
    names = [one.name for one in fields]
    for name in names:
        if not _IDENTIFIER.fullmatch(name):
            raise Unfit(_no_name(name))
    if twice := _first_twice(map(json_name, names)):
        raise Unfit(f"two of its fields are one in Protobuf's JSON: {twice!r}")
    entries = [f"{_camel(one.name)}Entry" for one in fields if types.is_map(one.kind)]
    if digit := next((name for name in entries if name[0].isdigit()), None):
        raise Unfit(f"Protobuf makes a message {digit!r} of a map, and that is no name of one")
    if twice := _first_twice((*entries, *(name for name in names if name in entries))):
        raise Unfit(f"Protobuf makes a message {twice!r} of a map, and there is another of that name")
    taken = {*names, *entries}
    nested: dict[str, str] = {}
    for name in names:
        choice = _camel(name)
        choice = choice if choice[:1].isalpha() else f"M{choice}"
        while choice in taken:
            choice += "_"
        taken.add(choice)
        nested[name] = choice
    return nested


def _first_twice(names: Iterable[str]) -> str | None:
    return next((name for name, count in Counter(names).items() if count > 1), None)


def _camel(name: str) -> str:
    """As protoc makes the name of a map's entry of that of its field."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))
