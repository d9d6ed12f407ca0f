"""Option values as texts of a replay's identity: different values are different texts. Pure.

Checkpoints hold these texts, and people read them: a plain value stays as it is written on the command line. Where that
could also be another value, it is JSON, which begins as no plain value does.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence

SCHEMA, REFERENCES = "schema", "schema references"
"""The parts that hold the text of the schema of values, and of those that it names."""

SUBJECT = "--schema-subject"
"""The part that says in which words it was asked for."""

HEADERS = "--header"
"""The part that names the headers of every record. A value may be a secret: it is kept as a hash."""

_DIGEST = re.compile(r"SHA-256 [0-9a-f]{16}")

TABLES = "table"
"""The part of an identity that names the states of the lake tables that are read."""


def without_tables(identity: Mapping[str, str]) -> dict[str, str]:
    """The identity without the states of tables. Their files have an identity of their own."""
    return {name: text for name, text in identity.items() if name != TABLES}


def kept(identity: Mapping[str, str]) -> dict[str, str]:
    """As a checkpoint keeps it: without the values of headers. What is kept so already stays as it is, so that a
    checkpoint of an older version, which has the values, is compared like any other."""
    text = identity.get(HEADERS, "")
    if not text:
        return dict(identity)
    listed = json.loads(text) if text.startswith("[") else [text.split("=", 1)]
    hashed = [(name, value if _DIGEST.fullmatch(value) else _digest(value)) for name, value in listed]
    return {**identity, HEADERS: pairs_text(hashed)}


def _digest(value: str) -> str:
    return f"SHA-256 {hashlib.sha256(value.encode(errors='surrogatepass')).hexdigest()[:16]}"


def text_of(value: str | None) -> str:
    """One value; "" where it is not given."""
    if value is None:
        return ""
    return value if value and not value.startswith('"') else _json(value)


def list_text(values: Sequence[str]) -> str:
    """`a,b`; "" for none."""
    plain = all(value and "," not in value and not value.startswith("[") for value in values)
    return ",".join(values) if plain else _json(list(values))


def pairs_text(pairs: Sequence[tuple[str, str]]) -> str:
    """`name=value` of one pair, JSON of several: with commas between them, they would read as one with a comma in its
    value."""
    if not pairs:
        return ""
    (name, value), *more = pairs
    if more or "," in value or "=" in name or name.startswith("["):
        return _json([list(pair) for pair in pairs])
    return f"{name}={value}"


def mapping_text(values: Mapping[str, str]) -> str:
    """`a=x,b=y`, of names that are ours."""
    plain = not any("," in value for value in values.values())
    return ",".join(f"{name}={value}" for name, value in values.items()) if plain else _json(dict(values))


def parts_text(parts: Sequence[tuple[str, str, str]]) -> str:
    """`name=column type` of each part of an event, as `price=px double, event_time=ts timestamp[us]`."""
    plain = all(name and not set("=, [") & set(name) and not set(", ") & set(column) for name, column, _ in parts)
    return ", ".join(f"{name}={column} {kind}" for name, column, kind in parts) if plain else _json(list(parts))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
