"""Which values, and which rows, a given JSON Schema does not take."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from replay.errors import InputError
from replay.model import SymbolTable
from replay.record.formats import json_schema
from replay.record.options import DecimalAs
from tests.unit.record.formats.json_judge import judge
from tests.unit.record.formats.json_rows import Rows, trades
from tests.unit.record.test_json_text import as_integers

D = Decimal


# -- values ----------------------------------------------------------------------------------------------------

BIG = "0.1234567890123456789012345678901234"
NUMBERS: list[tuple[pa.Array, dict[str, Any] | str, list[bool]]] = [
    (pa.array([67996.61, 0.07, 4.35, 0.005]), '{"multipleOf": 0.01}', [False, False, False, True]),
    (pa.array([D("67996.61"), D("67996.615")], pa.decimal128(20, 3)), '{"multipleOf": 0.01}', [False, True]),
    (pa.array([D(BIG)], pa.decimal128(38, 34)), f'{{"maximum": {BIG}}}', [False]),
    (pa.array([D(BIG)], pa.decimal128(38, 34)), f'{{"exclusiveMaximum": {BIG}}}', [True]),
    (pa.array([D(BIG)], pa.decimal128(38, 34)), f'{{"const": {BIG[:-1]}5}}', [True]),
    (pa.array([0.0, -0.0]), '{"const": 0}', [False, False]),
    (pa.array([0.0, -0.0]), '{"type": "integer"}', [False, False]),
    (pa.array([3.0, 3.5]), '{"type": "integer"}', [False, True]),
    (pa.array([1e300, 1e22, 5e-324]), '{"type": "integer"}', [False, False, True]),
    (pa.array([1e300, 1.7e308, -1e300]), '{"minimum": 0, "exclusiveMaximum": 1e308}', [False, True, True]),
    (pa.array([D("3.00"), D("3.50")]), '{"type": "integer"}', [False, True]),
    (pa.array([D("3.00"), D("3.00")]), '{"$schema": "http://json-schema.org/draft-04/schema#", "type": "integer"}',
     [True, True]),
    (pa.array([3.0, 3.5]), '{"$schema": "http://json-schema.org/draft-04/schema#", "type": "integer"}', [False, True]),
    (pa.array([2**53 + 1, 2**53, -(2**63), 2**63 - 1]), '{"minimum": 9007199254740993}', [False, True, True, False]),
    (pa.array([2**64 - 1, 2**64 - 2], pa.uint64()), '{"const": 18446744073709551615}', [False, True]),
    (pa.array([0.1, 0.30000001192092896], pa.float32()), '{"enum": [0.1, 0.3]}', [False, False]),
    (pa.array([1.5, None], pa.float16()), '{"const": 1.5}', [False, True]),
    (pa.array([float("nan"), float("inf"), 1.0, None]), '{"type": "number"}', [True, True, False, True]),
    (pa.array([float("nan"), 1.0]), '{"type": ["null", "number"]}', [False, False]),
    (pa.array([[D("0.10")], [D("0.15")]], pa.list_(pa.decimal128(5, 2))), '{"items": {"multipleOf": 0.1}}',
     [False, True]),
]  # fmt: skip


@pytest.mark.parametrize(("column", "rule", "bad"), NUMBERS, ids=lambda value: str(getattr(value, "type", value)))
def test_numbers_are_judged_by_the_digits_that_are_sent(column, rule, bad):
    """Broken: a right price is a bad row since a double has other digits, or a wrong one is sent."""
    rows = trades(n=column)
    content = json.loads(rule)
    draft = f'"$schema": "{content.pop("$schema")}", ' if "$schema" in content else ""
    rule = rule.replace('"$schema": "http://json-schema.org/draft-04/schema#", ', "")
    schema = f'{{{draft}"properties": {{"n": {rule}}}}}'
    assert rows.bad(rows.bound(schema)).tolist() == bad
    takes = judge(schema)
    assert [not takes(payload) for payload in rows.bare()] == bad


def test_a_price_that_is_text_is_judged_as_the_number_that_is_sent():
    """Broken: text prices are no numbers to the schema, or lose their digits on the way to it."""
    texts = ["67996.61", f"1{BIG[1:]}", "1e-7", "5", "1e400", "-1e999999999999999999999", "9" * 5_000, "0e99999999999",
             "1e99999999999"]  # fmt: skip
    arrays = {"symbol": pa.array(["A"] * len(texts)), "event_time": pa.array([0] * len(texts), pa.timestamp("us"))}
    rows = Rows({"symbol": arrays["symbol"], "price": pa.array(texts), "event_time": arrays["event_time"]})
    form = rows.bound('{"properties": {"price": {"type": "number", "maximum": 67996.61}}}')
    assert rows.bad(form).tolist() == [False, False, False, False, True, False, True, False, True]
    exact = rows.bound(f'{{"properties": {{"price": {{"const": 1{BIG[1:]}}}}}}}')
    assert rows.bad(exact).tolist() == [True, False, True, True, True, True, True, True, True]
    with pytest.raises(InputError, match="takes string"):
        rows.bound('{"properties": {"price": {"type": "string"}}}')
    rows.decimal_as = DecimalAs.STRING
    quoted = rows.bound('{"properties": {"price": {"type": "string", "pattern": "^[0-9.]*$"}}}')
    assert rows.bad(quoted).tolist() == [False, False, True, False, True, True, False, True, True]


def test_more_values_than_are_looked_at_at_once():
    """Broken: a misfit is told of another row than its own."""
    count = 40_001
    rows = trades(n=pa.array(range(count)))
    form = rows.bound('{"properties": {"n": {"not": {"enum": [16383, 16384, 40000]}}}}')
    assert rows.bad(form).nonzero()[0].tolist() == [16_383, 16_384, 40_000]
    together = '{"not": {"properties": {"n": {"enum": [16383, 16384, 40000]}, "symbol": {"const": "A"}}}}'
    form = rows.bound(together)
    assert form.row_keywords == ("not",)
    assert rows.bad(form).nonzero()[0].tolist() == [16_384, 40_000]
    sliced = form.misfit_rows(rows.batch.slice(16_384, 5))
    assert sliced is not None
    assert sliced.tolist() == [True, False, False, False, False]


def test_of_no_rows_none_is_bad():
    """Broken: an empty row group ends the run."""
    rows = trades(n=pa.array([], pa.int64()), o=pa.array([], pa.struct([("p", pa.int8())])))
    form = rows.bound('{"properties": {"n": {"minimum": 1}, "o": {"maxProperties": 0}}, "anyOf": [{"type": "object"}]}')
    assert form.misfits("n", rows.batch.column("n")) is None
    assert form.misfits("o", rows.batch.column("o")) is None
    assert form.misfit_rows(rows.batch) is None
    assert len(form.payloads(rows.batch)) == 0


NEWEST = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
OWN: dict[str, Any] = {"symbol": True, "price": True, "event_time": True}
FIRST = {"symbol": "A", "price": 1.5, "event_time": "1970-01-01T00:00:00.000000Z", "n": 1}
IS_A: dict[str, Any] = {"properties": {"symbol": {"const": "A"}}}
TOGETHER: list[tuple[dict[str, Any], list[str], list[bool]]] = [
    ({"anyOf": [IS_A, {"properties": {"n": {"minimum": 2}}}]}, ["anyOf"], [False, True, False, False]),
    ({"oneOf": [IS_A, {"properties": {"n": {"minimum": 2}}}]}, ["oneOf"], [False, True, True, False]),
    ({"not": {**IS_A, "required": ["n"]}}, ["not"], [True, False, True, False]),
    ({"if": IS_A, "then": {"properties": {"n": {"maximum": 2}}}}, ["if"], [False, False, True, False]),
    ({"if": IS_A, "else": {"required": ["venue"]}}, ["if"], [False, True, False, True]),
    ({"if": IS_A}, [], [False] * 4),
    ({"const": FIRST}, ["const"], [False, True, True, True]),
    ({"enum": [FIRST, 5]}, ["enum"], [False, True, True, True]),
    ({"dependencies": {"n": IS_A, "symbol": ["n"]}}, ["dependencies"], [False, True, False, True]),
    ({"dependencies": {"venue": IS_A}}, ["dependencies"], [False] * 4),
    ({"dependencies": {"symbol": ["n"]}}, [], [False] * 4),
    ({**NEWEST, "dependentSchemas": {"n": IS_A}}, ["dependentSchemas"], [False, True, False, True]),
    ({**NEWEST, "anyOf": [{"properties": {**OWN, "n": {"minimum": 2}}}, {"properties": OWN}],
      "unevaluatedProperties": {"type": "null"}}, ["anyOf", "unevaluatedProperties"], [True, True, False, False]),
    ({**NEWEST, "allOf": [{"properties": OWN}, {"$ref": "#/$defs/n"}], "unevaluatedProperties": False,
      "$defs": {"n": {"properties": {"n": {"minimum": 2}}}}}, [], [True, True, False, False]),
    ({**NEWEST, "$ref": "#named", "$defs": {"a": {"$anchor": "named", **IS_A}}}, ["$ref"], [False, True, False, True]),
    ({**NEWEST, "allOf": [{"$id": "http://a.example/inner", **IS_A}]}, ["$id"], [False, True, False, True]),
    ({**NEWEST, "$dynamicAnchor": "a", "properties": {"n": {"$dynamicRef": "#b"}},
      "$defs": {"b": {"$dynamicAnchor": "b", "minimum": 2}}}, ["$dynamicRef"], [True, True, False, False]),
    ({**NEWEST, "properties": {"n": {"$ref": "#named"}}, "$defs": {"a": {"$anchor": "named", "minimum": 2}}}, [],
     [True, True, False, False]),
    ({**NEWEST, "$id": "http://a.example/t", "properties": {"n": {"$id": "http://b.example/n", "$ref": "#/$defs/m",
      "$defs": {"m": {"minimum": 2}}}}}, [], [True, True, False, False]),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "words", "bad"), TOGETHER, ids=lambda value: str(value)[:60])
def test_keywords_that_look_at_several_fields_are_told_and_judge_whole_rows(schema, words, bad):
    """Broken: such a keyword is passed over, or every schema is asked row by row."""
    rows = trades(n=pa.array([1, 1, 3, None]))
    form = rows.bound(json.dumps(schema))
    assert list(form.row_keywords) == words
    assert rows.bad(form).tolist() == bad
    takes = judge(json.dumps(schema))
    assert [not takes(payload) for payload in rows.bare()] == bad


TEMPORAL = [
    (as_integers(pa.timestamp("ns"), [1, 10**18]), "date-time", [False, False]),
    (as_integers(pa.date32(), [-719_162, 2_932_896]), "date", [False, False]),
    (as_integers(pa.time64("us"), [0]), "time", [True]),
    (pa.array(["2026-11-22", "2026-02-30", "22.11.2026"]), "date", [False, True, True]),
]


@pytest.mark.parametrize(("column", "form", "bad"), TEMPORAL, ids=lambda value: str(getattr(value, "type", value)))
def test_format_counts_up_to_draft_7_and_is_a_note_from_2019_on(column, form, bad):
    """Broken: a text that is no date is sent under `format: date`; or rows are refused that the draft takes."""
    rows = trades(t=column)
    rule = {"properties": {"t": {"type": "string", "format": form}}}
    assert rows.bad(rows.bound(json.dumps(rule))).tolist() == bad
    newer = {"$schema": "https://json-schema.org/draft/2020-12/schema", **rule}
    assert not rows.bad(rows.bound(json.dumps(newer))).any()


# -- for people ------------------------------------------------------------------------------------------------


def test_a_payload_is_shown_with_all_its_digits():
    """Broken: two prices that differ look the same in the table of differences."""
    payload = (
        '{"a": 0.1, "b": 1.50, "c": 0.10000000000000000001, "d": 123456789012345678901, "e": "Ä", "f": 1e999,'
        ' "g": 1e9999999999999999999}'
    )
    assert json_schema.decoded(None, payload.encode()) == {
        "a": 0.1, "b": 1.5, "c": "0.10000000000000000001", "d": 123456789012345678901, "e": "Ä", "f": "1e999",
        "g": "1e9999999999999999999",
    }  # fmt: skip
    assert json_schema.decoded(None, b"9" * 5_000) == "9" * 5_000
    for bad in (b"", b"{", b"\xff", b"NaN", b"\x00\x00\x00\x00\x01{}", b"[" * 100_000):
        with pytest.raises(ValueError):  # noqa: PT011 - that of json is told as it is
            json_schema.decoded(None, bad)


def test_the_encoder_is_that_of_bare_json():
    """Broken: a replay that goes over to a schema cannot be told from one whose bytes have changed."""
    form = trades().bound("{}")
    assert form.encoder == "json-2"
    assert form.schema is not None
    assert SymbolTable().names == []
