"""Option values as texts of a replay's identity: different values are different texts. Pure.

Checkpoints hold these texts, and people read them: a plain value stays as it is written on the command line. Where that
could also be another value, it is JSON, which begins as no plain value does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

SCHEMA, REFERENCES = "schema", "schema references"
"""The parts that hold the text of the schema of values, and of those that it names."""

SUBJECT = "--schema-subject"
"""The part that says in which words it was asked for."""

TABLES = "table"
"""The part of an identity that names the states of the lake tables that are read."""


def without_tables(identity: Mapping[str, str]) -> dict[str, str]:
    """The identity without the states of tables. Their files have an identity of their own."""
    return {name: text for name, text in identity.items() if name != TABLES}


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
