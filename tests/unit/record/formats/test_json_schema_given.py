"""A JSON Schema that is given: texts that are none, what it refers to, and columns that can never fit it."""

from __future__ import annotations

import json
import socket
import sys

import pyarrow as pa
import pytest

from replay.errors import InputError, UsageError
from replay.record.formats import json_schema
from replay.record.formats.base import Column, Naming, Reference
from replay.record.options import DecimalAs
from tests.unit.record.formats.json_judge import judge
from tests.unit.record.formats.json_rows import trades

# -- a text that is given ------------------------------------------------------------------------------------

NO_SCHEMA = [
    ("{", "not JSON"),
    ('{"minimum": NaN}', "NaN is no number of JSON"),
    ("[" * 100_000, "not JSON"),
    ("[]", "an object"),
    ('"string"', "an object"),
    ('{"type": "strin"}', 'at #/type: "strin" is not valid'),
    ('{"properties": {"n": {"minimum": "1"}}}', 'at #/properties/n/minimum: "1" is not of type "number"'),
    ('{"properties": {"n": {"pattern": "("}}}', "at #/properties/n/pattern"),
    ('{"properties": {"n": {"$ref": "#/definitions/no"}}}', "'/definitions/no' does not exist"),
    ('{"properties": {"n": {"$ref": "more.json#/definitions/n"}}}', "refers to 'more.json', which is not among"),
    ('{"$schema": "http://json-schema.org/draft-03/schema#"}', "unknown draft, 'http://json-schema.org/draft-03"),
    ('{"$schema": "http://127.0.0.1:9/own"}', "unknown draft"),
    ('{"$schema": 7}', "unknown draft, 7"),
]


@pytest.mark.parametrize(("text", "what"), NO_SCHEMA, ids=lambda value: value[:40])
def test_what_is_no_schema_is_refused_with_its_reason(text, what):
    """Broken: a schema with a slip of the pen takes everything, or ends in a traceback."""
    with pytest.raises(UsageError) as caught:
        trades(n=pa.array([1])).bound(text)
    assert what in str(caught.value)
    assert caught.value.where == "--schema"


def test_the_record_is_called_after_the_title():
    """Broken: the subject of a record's name is another one than that of other producers."""
    assert json_schema.parsed('{"title": "com.acme.Trade"}').name == "com.acme.Trade"
    assert [json_schema.parsed(text).name for text in ("{}", "true", '{"title": 5}')] == ["", "", ""]
    references = (Reference("a.json", "a", 3, "{}"),)
    assert json_schema.parsed("{}", references).references == references
    with pytest.raises(UsageError, match="no messages"):
        json_schema.parsed("{}", (), "Trade")


def test_without_the_package_it_says_how_to_install_it(monkeypatch):
    """Broken: a traceback about an import."""
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    with pytest.raises(UsageError, match="jsonschema-rs") as caught:
        trades().bound("{}")
    assert "[json-schema]" in caught.value.todo


DRAFT_4 = {"$schema": "http://json-schema.org/draft-04/schema#"}
REFERRED = [
    ({}, "more.json", "more.json", "last.json"),
    ({"id": "http://a.example/x/"}, "more.json", "more.json", "last.json"),
    ({"$id": "http://a.example/x/t.json"}, "more.json", "more.json", "last.json"),
    ({"$id": "http://a.example/x/t.json"}, "more.json", "http://a.example/x/more.json", "http://a.example/x/last.json"),
    (
        {"$id": "http://a.example/x/t.json"},
        "http://b.example/more",
        "http://b.example/more",
        "http://b.example/last.json",
    ),
    ({**DRAFT_4, "id": "http://a.example/x/t.json"}, "more.json", "http://a.example/x/more.json", "last.json"),
]


@pytest.mark.parametrize(("own", "ref", "more", "last"), REFERRED, ids=str)
def test_a_schema_refers_to_others_by_the_names_that_the_registry_has_for_them(own, ref, more, last):
    """Broken: a schema of several files is refused, or a part of it is not asked for."""
    fields = {"n": {"$ref": f"{ref}#/definitions/n"}, "s": {"$ref": "#/definitions/s"}}
    schema = {**own, "properties": fields, "definitions": {"s": {"minLength": 2}}}
    texts = {last: {"definitions": {"m": {"minimum": 5}}},
             more: {"definitions": {"n": {"allOf": [{"$ref": "last.json#/definitions/m"}]}}}}  # fmt: skip
    rows = trades(n=pa.array([1, 5, 5]), s=pa.array(["xy", "xy", "x"]))
    form = rows.bound(json.dumps(schema), *(Reference(name, "s", 1, json.dumps(text)) for name, text in texts.items()))
    assert rows.bad(form).tolist() == [True, False, True]
    assert form.row_keywords == ()


def test_nothing_is_fetched_from_anywhere():
    """Broken: a schema makes each run depend on a server, and reaches what is inside of a network."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        there = f"http://127.0.0.1:{server.getsockname()[1]}/s.json"
        for text in (f'{{"properties": {{"n": {{"$ref": "{there}"}}}}}}', f'{{"$schema": "{there}"}}',
                     f'{{"$id": "{there}", "$ref": "other.json"}}', '{"$ref": "file:///etc/hostname"}'):  # fmt: skip
            with pytest.raises(UsageError):
                trades(n=pa.array([1])).bound(text)
        with pytest.raises(BlockingIOError):
            server.accept()


# -- columns that do not fit ---------------------------------------------------------------------------------

WITHOUT = {"n": pa.array([1]), "s": pa.array(["x"])}
FITS_NOT = [
    ({"required": ["symbol", "venue"]}, "--schema", "requires the field 'venue'"),
    ({"allOf": [{"$ref": "#/definitions/r"}], "definitions": {"r": {"required": ["venue"]}}}, "--schema", "'venue'"),
    ({"dependencies": {"n": ["venue"]}}, "--schema", "requires the field 'venue'"),
    ({"properties": {"symbol": {}, "price": {}, "event_time": {}, "n": {}}, "additionalProperties": False},
     "column 'in s'", "no field 's', and permits no further ones"),
    ({"properties": {"n": {"type": "string"}}}, "column 'in n'",
     "the field 'n' of the schema takes string, and its type int64 is integer or null in JSON"),
    ({"properties": {"n": {"type": ["string", "null"]}}}, "column 'in n'", "takes null or string"),
    ({"properties": {"s": {"$ref": "#/definitions/n"}}, "definitions": {"n": {"type": "number"}}}, "column 'in s'",
     "takes number, and its type string"),
    ({"properties": {"event_time": {"type": "integer"}}}, "column 'in event_time'", "timestamp[us] is string in JSON"),
    ({"properties": {"n": False}}, "column 'in n'", "forbids the field 'n'"),
    ({"patternProperties": {"^[a-n]$": False}}, "column 'in n'", "forbids the field 'n'"),
    ({"type": "array"}, "--schema", "no record of these fields"),
    ({"minProperties": 6}, "--schema", "less than 6 properties"),
    ({"propertyNames": {"minLength": 2}}, "--schema", '"n" is shorter than 2'),
    (False, "--schema", "no record of these fields"),
    ({"$schema": "https://json-schema.org/draft/2020-12/schema", "properties": {"symbol": {}},
      "allOf": [{"properties": {"price": {}, "event_time": {}, "s": {}}}], "unevaluatedProperties": False},
     "column 'in n'", "forbids the field 'n'"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "where", "what"), FITS_NOT, ids=lambda value: str(value)[:50])
def test_a_column_or_field_that_can_never_fit_is_refused_before_the_first_row(schema, where, what):
    """Broken: a night's run makes every row a bad one, instead of saying which column is wrong."""
    rows = trades(**WITHOUT)
    assert not any(map(judge(json.dumps(schema)), rows.bare())), "indeed no record fits"
    with pytest.raises(InputError) as caught:
        rows.bound(json.dumps(schema))
    assert caught.value.where == where
    assert what in caught.value.what


def test_a_field_is_named_after_the_record_not_after_the_column():
    """Broken: --rename is without effect on what a schema is asked for."""
    rows = trades(n=pa.array([1, 9]))
    rows.columns[-1] = Column("n", "size", pa.int64(), nullable=True, source="qty")
    form = rows.bound('{"properties": {"size": {"maximum": 5}, "n": {"type": "string"}}}')
    assert rows.bad(form).tolist() == [False, True]
    with pytest.raises(InputError) as caught:
        rows.bound('{"properties": {"size": {"type": "string"}}}')
    assert caught.value.where == "column 'qty'"
    assert json.loads(json_schema.generated(rows.columns, Naming(), DecimalAs.NUMBER).text)["properties"]["size"] == {
        "type": ["integer", "null"]
    }
