"""A given schema: its text to descriptors, which message of it, and what is told of a text that is no schema."""

from __future__ import annotations

import importlib.util
import sys
import tempfile

import pytest

from replay.errors import UsageError
from replay.record.formats import protobuf, protobuf_compile
from replay.record.formats.base import Reference

NESTED = """
edition = "2023";
package com.acme;
message First { message Inner { message Deep { int32 a = 1; } } }
message Second {
  map<string, int32> before = 1;
  message One { int32 a = 1; }
  map<string, int32> between = 2;
  message Two { int32 a = 1; message Last { int32 b = 1; } }
  One one = 3;
}
"""


@pytest.mark.parametrize(
    ("message", "name", "indexes"),
    [
        (None, "com.acme.First", (0,)),
        ("First", "com.acme.First", (0,)),
        ("com.acme.Second", "com.acme.Second", (1,)),
        ("First.Inner.Deep", "com.acme.First.Inner.Deep", (0, 0, 0)),
        ("com.acme.Second.One", "com.acme.Second.One", (1, 0)),
        ("Second.Two.Last", "com.acme.Second.Two.Last", (1, 1, 0)),
    ],
)
def test_a_message_is_found_and_its_path_is_that_of_registries(message, name, indexes):
    """Broken: consumers would read records as another message. Confluent's registry does not count what protoc makes of
    maps (ProtobufSchema.toMessageIndexes)."""
    schema = protobuf.parsed(NESTED, message=message)
    assert (schema.name, schema.message_indexes, schema.text) == (name, indexes, NESTED)


@pytest.mark.parametrize("message", ["Third", "acme.First", "Second.BeforeEntry", ""])
def test_a_message_that_there_is_not_is_told_with_those_there_are(message):
    """Broken: whoever mistypes a name is left to guess, or records are written as another message."""
    with pytest.raises(UsageError, match=r"only: com\.acme\.First, com\.acme\.First\.Inner") as error:
        protobuf.parsed(NESTED, message=message)
    assert "Entry" not in error.value.what.partition("only")[2]
    assert error.value.where == "--schema"


BROKEN = 'syntax = "proto3";\nmessage Trade {\n  int32 a = 1\n  int32 b = 2;\n}\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BROKEN, 'line 4, column 3: Expected ";".'),
        ('syntax = "proto3"; import "x/y.proto"; message A {}', 'line 1, column 20: Import "x/y.proto" was not found'),
        ('syntax = "proto3"; message A { Price p = 1; }', '"Price" is not defined'),
        ('syntax = "proto3"; message A { int32 a = 1; int32 b = 1; }', "Field number 1 has already been used"),
        ('syntax = "proto3"; message A { map<string, int32> _1 = 1; }', "path components must start with a letter"),
        ('syntax = "proto3"; enum Side { NONE = 0; }', "it has no message"),
        ("", "it has no message"),
        ('{"type": "record", "name": "Trade"}', "line 1, column 1"),
        ("message \xff\x00 {}", "line 1, column 9"),
        ('syntax = "proto3"; message A { x = 1; y = 1; }; z; u; v; w;', "more)"),
    ],
)
def test_a_text_that_is_no_schema_is_told_by_line_and_column_without_paths(text, told):
    """Broken: the line to correct would be unknown; or paths of the machine end up in logs."""
    with pytest.raises(UsageError, match="this is no Protobuf schema") as error:
        protobuf.parsed(text)
    assert told in error.value.what
    assert error.value.where == "--schema"
    for path in (tempfile.gettempdir(), sys.prefix, "site-packages", "replay-schema.proto"):
        assert path not in str(error.value)


COMMON = (
    'syntax = "proto3"; package com.acme; import "acme/side.proto"; message Price { double amount = 1; Side side = 2; }'
)
SIDE = 'syntax = "proto3"; package com.acme; enum Side { NONE = 0; BUY = 1; }'
TRADE = 'syntax = "proto3"; package com.acme; import "acme/common.proto"; message Trade { Price price = 1; }'
REFERENCES = (Reference("acme/side.proto", "side", 1, SIDE), Reference("acme/common.proto", "common", 3, COMMON))


def test_references_are_found_by_name():
    """Broken: a schema that imports others, as registries keep them, could not be used."""
    schema = protobuf.parsed(TRADE, REFERENCES)
    assert schema.references == REFERENCES
    payload = b"\x0a\x0b\x09" + bytes(6) + b"\xf8\x3f\x10\x01"
    assert protobuf.decoded(schema, payload) == {"price": {"amount": 1.5, "side": "BUY"}}


def test_tags_of_a_registry_are_known():
    """Broken: a schema whose fields have tags, as Confluent's registry keeps it, would be no schema."""
    tagged = '[(confluent.field_meta) = { doc: "px", tags: "PII", params: [{ key: "scale", value: "2" }] }]'
    text = f'syntax = "proto3"; import "confluent/meta.proto"; message Trade {{ double price = 1 {tagged}; }}'
    assert protobuf.decoded(protobuf.parsed(text), b"\x09" + bytes(6) + b"\xf8\x3f") == {"price": 1.5}


def test_a_reference_that_is_broken_is_told_by_its_name():
    """Broken: the line told would be looked for in the wrong file."""
    with pytest.raises(UsageError, match=r"acme/common\.proto, line 1, column 1: Expected"):
        protobuf.parsed(TRADE, (REFERENCES[0], Reference("acme/common.proto", "common", 3, "?")))


@pytest.mark.parametrize("name", ["../above.proto", "/tmp/there.proto", "a/../../b.proto", "replay-schema.proto"])
def test_a_reference_is_never_written_outside_of_the_folder(name):
    """Broken: a registry could make replay overwrite files of the machine."""
    with pytest.raises(UsageError, match="a reference cannot be named"):
        protobuf.parsed(TRADE, (Reference(name, "evil", 1, SIDE),))


def test_a_reference_is_no_python(tmp_path):
    """Broken: a registry could make replay run code of its own."""
    evil = f"open({str(tmp_path / 'ran')!r}, 'w')"
    names = ("grpc_tools/__init__.py", "grpc_tools.py", "site.py", "importlib.py")
    protobuf.parsed('syntax = "proto3"; message Evil {}', tuple(Reference(name, "evil", 1, evil) for name in names))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("module", "package"),
    [("google.protobuf", "protobuf"), ("grpc_tools", "grpcio-tools"), ("google.type", "googleapis-common-protos")],
)
def test_a_package_that_is_missing_is_told_with_the_extra(module, package, monkeypatch):
    """Broken: a traceback where one command helps."""
    monkeypatch.setattr(
        protobuf_compile, "find_spec", lambda name: None if name == module else importlib.util.find_spec(name)
    )
    with pytest.raises(UsageError, match=f"the package {package}, which is not installed") as error:
        protobuf.parsed(f'syntax = "proto3"; message No{package.replace("-", "")} {{}}')
    assert "'.[protobuf]'" in error.value.todo
