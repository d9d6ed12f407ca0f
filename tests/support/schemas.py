"""Schemas of all kinds, small, in several versions."""

from __future__ import annotations

import json

from replay.record.formats.base import Reference, Schema


def avro(**fields: object) -> Schema:
    """A record `com.acme.Trade` with these fields, name to type; of a type with a default: (type, default)."""
    listed = [
        {"name": name, "type": kind[0], "default": kind[1]} if isinstance(kind, tuple) else {"name": name, "type": kind}
        for name, kind in fields.items()
    ]
    body = {"type": "record", "name": "Trade", "namespace": "com.acme", "fields": listed}
    return Schema("AVRO", json.dumps(body), "com.acme.Trade")


def json_schema(**properties: str) -> Schema:
    body = {
        "title": "Trade",
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in properties.items()},
    }
    return Schema("JSON", json.dumps(body), "Trade")


def protobuf(*fields: str, imports: tuple[str, ...] = (), references: tuple[Reference, ...] = ()) -> Schema:
    """A message `com.acme.Trade` with these fields: `string symbol`; numbered in order."""
    lines = ['syntax = "proto3";', "package com.acme;", *(f'import "{name}";' for name in imports), "message Trade {"]
    lines += [f"  {field} = {number};" for number, field in enumerate(fields, 1)]
    return Schema("PROTOBUF", "\n".join([*lines, "}", ""]), "com.acme.Trade", (0,), references)
