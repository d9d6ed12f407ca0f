"""Whether two texts are one schema: a registry keeps a text of its own. Pure.

Two schemas are one if bytes that were written with either are read as the same values with the other. So white space,
comments, the order of attributes, and what only people or other versions read (doc, aliases, defaults) do not count.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from replay.record.formats.base import Schema

_PRIMITIVE = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})

_DEFINING = ("record", "error", "enum", "fixed")


def same(one: Schema, other: Schema) -> bool:
    return one.kind == other.kind and canonical(one) == canonical(other)


def canonical(schema: Schema) -> str:
    """A text that is the same for all texts of one schema; the text itself where it cannot be read."""
    texts = [schema.text, *(each.text for each in sorted(schema.references, key=lambda each: each.name))]
    try:
        if schema.kind == "AVRO":
            return _json(_Avro(json.loads(each.text) for each in schema.references).canonical(json.loads(schema.text)))
        if schema.kind == "JSON":
            return "\n".join(_json(json.loads(text)) for text in texts)
        return "\n".join(_protobuf(text) for text in texts)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return "\n".join(texts)


def _json(node: Any) -> str:
    return json.dumps(node, sort_keys=True, separators=(",", ":"))


class _Avro:
    """Avro's Parsing Canonical Form (specification 1.11, "Transforming into Parsing Canonical Form"), and with it the
    logical types: they decide what the bytes mean. Types of references are written out where they are first used."""

    def __init__(self, references: Iterable[Any]) -> None:
        self._elsewhere: dict[str, Any] = {}
        self._written: set[str] = set()
        for each in references:
            self._learn(each, "")

    def canonical(self, node: Any, space: str = "") -> Any:
        if isinstance(node, str):
            return self._named(node, space)
        if isinstance(node, list):
            return [self.canonical(each, space) for each in node]
        if not isinstance(kind := node["type"], str):
            return self.canonical(kind, space)
        return self._attributed(kind, node, space)

    def _attributed(self, kind: str, node: Any, space: str) -> Any:
        """A type with attributes."""
        if kind in ("array", "map"):
            inner = "items" if kind == "array" else "values"
            return {"type": kind, inner: self.canonical(node[inner], space)}
        if kind in _PRIMITIVE:
            return {"type": kind, **logical} if (logical := _logical(node)) else kind
        return self._defined(node, space) if kind in _DEFINING else self._named(kind, space)

    def _defined(self, node: Any, space: str) -> Any:
        name = _full_name(node["name"], node.get("namespace", space))
        self._written.add(name)
        made = {"name": name, "type": "record" if node["type"] == "error" else node["type"]}
        if node["type"] == "enum":
            return {**made, "symbols": node["symbols"]}
        if node["type"] == "fixed":
            return {**made, "size": int(node["size"]), **_logical(node)}
        inside = name.rpartition(".")[0]
        fields = [{"name": each["name"], "type": self.canonical(each["type"], inside)} for each in node["fields"]]
        return {**made, "fields": fields}

    def _named(self, name: str, space: str) -> Any:
        if name in _PRIMITIVE:
            return name
        name = _full_name(name, space)
        if name in self._written or name not in self._elsewhere:
            return name
        definition, inside = self._elsewhere[name]
        return self._defined(definition, inside)

    def _learn(self, node: Any, space: str) -> None:
        """Every type that is defined in there."""
        if isinstance(node, list):
            for each in node:
                self._learn(each, space)
        elif isinstance(node, dict):
            if node.get("type") in _DEFINING:
                name = _full_name(node["name"], node.get("namespace", space))
                self._elsewhere[name] = (node, node.get("namespace", space))
                space = name.rpartition(".")[0]
            for inner in ("type", "items", "values"):
                self._learn(node.get(inner), space)
            for each in node.get("fields", ()):
                self._learn(each["type"], space)


def _full_name(name: str, space: str) -> str:
    return name if "." in name or not space else f"{space}.{name}"


def _logical(node: Any) -> dict[str, Any]:
    if "logicalType" not in node:
        return {}
    if node["logicalType"] != "decimal":
        return {"logicalType": node["logicalType"]}
    return {"logicalType": "decimal", "precision": node["precision"], "scale": node.get("scale", 0)}


_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)|(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<word>[\w.+-]+)|(?P<mark>.)""",
    re.DOTALL,
)


def _protobuf(text: str) -> str:
    """Its statements without comments, sorted: a registry writes them in an order of its own. Messages stay in order:
    records name a message by its place in the file."""
    tokens = []
    for match in _TOKEN.finditer(text):
        if match["text"]:
            tokens.append(json.dumps(match["text"][1:-1]))
        elif not match["space"]:
            tokens.append(match[0])
    tokens.reverse()
    return _block(tokens)


def _block(tokens: list[str]) -> str:
    """The statements up to the brace that closes them. `tokens` are those left, the next one last."""
    statements: list[str] = []
    messages: list[str] = []
    statement: list[str] = []
    depth = 0
    while tokens:
        token = tokens.pop()
        if token == "}" and not depth and not statement:
            break
        if token == "{" and not depth and statement[:1] != ["option"]:
            (messages if statement[0] == "message" else statements).append(
                f"{' '.join(statement)} {{{_block(tokens)}}}"
            )
            statement = []
        elif token == ";" and not depth:
            if statement:
                statements.append(" ".join(statement))
            statement = []
        else:
            depth += (token in "[{(<") - (token in "]})>")
            statement.append(token)
    return "; ".join(sorted(statements) + messages)
