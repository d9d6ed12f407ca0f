"""What is a misfit under a given schema, against another judge that goes record by record."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st

from replay.errors import InputError
from replay.record.formats.base import Reference
from replay.record.options import DecimalAs
from tests.unit.record.formats.json_judge import judge
from tests.unit.record.formats.json_rows import Rows

DRAFTS = {
    4: "http://json-schema.org/draft-04/schema#",
    6: "http://json-schema.org/draft-06/schema#",
    7: "http://json-schema.org/draft-07/schema#",
    2019: "https://json-schema.org/draft/2019-09/schema",
    2020: "https://json-schema.org/draft/2020-12/schema",
}

NUMBER = [
    {"minimum": 1}, {"maximum": 1.5}, {"multipleOf": 0.5}, {"multipleOf": 0.01}, {"enum": [1, 1.5, None, "1.5"]},
    {"type": ["integer", "null"]}, {"type": ["number", "null"]}, {"not": {"enum": [1.5]}},
    {"anyOf": [{"minimum": 2}, {"maximum": 0}]}, {"minimum": 0, "maximum": 1},
]  # fmt: skip
TEXT = [
    {"minLength": 2}, {"maxLength": 1}, {"pattern": "^[a-z]*$"}, {"enum": ["a", "ab", None]},
    {"type": ["string", "null"]}, {"type": "string"}, {"enum": ["ä", ""]},
    {"oneOf": [{"minLength": 1}, {"type": "null"}]},
]  # fmt: skip
NESTED = [
    {"items": {"minimum": 1}}, {"minItems": 1}, {"maxItems": 1, "uniqueItems": True}, {"type": ["array", "null"]},
    {"items": {"type": ["integer", "null"]}}, {"not": {"minItems": 2}},
]  # fmt: skip
OBJECT = [
    {"properties": {"p": {"minimum": 1}}}, {"required": ["p"]}, {"required": ["q"]}, {"maxProperties": 0},
    {"additionalProperties": {"minimum": 0}}, {"properties": {"p": {"type": ["integer", "null"]}}},
    {"type": ["object", "null"], "properties": {"p": {}}, "additionalProperties": False},
]  # fmt: skip
RULES = {
    "symbol": TEXT, "price": NUMBER, "event_time": TEXT[:3], "n": NUMBER, "d": NUMBER, "s": TEXT, "l": NESTED,
    "o": OBJECT,
}  # fmt: skip
NAMES = list(RULES)

SMALL = st.sampled_from([0, 1, 2, 3])
VALUES = {
    "n": st.none() | SMALL,
    "d": st.none() | st.sampled_from([Decimal(text) for text in ("0.50", "1.00", "1.50", "1.51", "-3.00")]),
    "s": st.none() | st.sampled_from(["", "a", "ab", "ä", "ABC"]),
    "l": st.none() | st.lists(st.none() | SMALL, max_size=3),
    "o": st.none() | st.fixed_dictionaries({"p": st.none() | SMALL}),
}
KINDS = {
    "n": pa.int16(), "d": pa.decimal128(8, 2), "s": pa.string(), "l": pa.list_(pa.int8()),
    "o": pa.struct([("p", pa.int64())]),
}  # fmt: skip
PRICES = st.sampled_from(
    [
        (pa.float64(), [0.0, 1.5, 1.51, -2.0, 3.0]),
        (pa.float32(), [0.5, 1.5]),
        (pa.int32(), [0, 1, 2]),
        (pa.decimal128(20, 3), [Decimal("1.500"), Decimal("1.515")]),
        (pa.string(), ["1.5", "15e-1", "1.000000000000000000001"]),
    ]
)


@st.composite
def batches(draw: st.DrawFn) -> Rows:
    count = draw(st.integers(1, 5))

    def some(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=count, max_size=count))

    kind, prices = draw(PRICES)
    own = {
        "symbol": pa.array(some(st.sampled_from(["A", "ab", "ä"]))),
        "price": pa.array(some(st.sampled_from(prices)), kind),
        "event_time": pa.array(some(st.integers(1, 2)), pa.timestamp("us")),
    }
    further = {name: pa.array(some(VALUES[name]), KINDS[name]) for name in KINDS}
    return Rows({**own, **further}, draw(st.sampled_from([DecimalAs.NUMBER, DecimalAs.STRING])))


@st.composite
def objects(draw: st.DrawFn, draft: int, others: str, depth: int = 0) -> dict[str, Any]:
    """A schema of records, which looks at some fields alone and at some together. `others` is what it says of further
    fields: the other judge takes what `additionalProperties` has looked at for unevaluated."""

    def inner() -> dict[str, Any]:
        return draw(objects(draft, others, depth + 1))

    node: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True)):
        rule = draw(st.sampled_from(RULES[name]))
        where = draw(st.sampled_from(["properties", "properties", "patternProperties", "$ref", "allOf"]))
        if where == "$ref":
            node.setdefault("properties", {})[name] = {"$ref": f"#/definitions/{name}~1~0%25"}
        elif where == "allOf":
            node.setdefault("allOf", []).append({"properties": {name: rule}})
        else:
            node.setdefault(where, {})[name if where == "properties" else f"^{name}$"] = rule
    if depth > 2:
        return node
    words = ["allOf", "$ref", "more", "anyOf", "oneOf", "not", "if", "needs", "required", others]
    for word in draw(st.lists(st.sampled_from(words), max_size=2, unique=True)):
        if word in ("allOf", "anyOf", "oneOf"):
            node.setdefault(word, []).extend([inner() for _ in range(draw(st.integers(1, 2)))])
        elif word == "$ref":
            node["$ref"] = "#/definitions/whole"
        elif word == "more":
            node["$ref"] = "more.json#/definitions/whole"
        elif word == "not":
            node["not"] = inner()
        elif word == "if":
            node |= {"if": inner(), "then": inner()}
        elif word == "needs":
            node["dependencies" if draft < 2019 else "dependentSchemas"] = {"n": inner(), "absent": inner()}
        elif word == "required":
            node["required"] = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True))
        elif word == "additionalProperties" or depth == 0:
            node[word] = draw(st.sampled_from([{}, {"type": ["string", "number", "null"]}]))
    return node


@st.composite
def schemas(draw: st.DrawFn) -> tuple[str, str]:
    """A schema and another one, `more.json`, that it may refer to."""
    draft = draw(st.sampled_from(list(DRAFTS)))
    others = draw(st.sampled_from(["additionalProperties", "unevaluatedProperties"]))
    texts: list[str] = []
    for _ in range(2):
        single = {f"{name}/~%": draw(st.sampled_from(RULES[name])) for name in NAMES}
        whole = draw(objects(draft, others, 2))
        whole.pop("$ref", None)
        node = draw(objects(draft, others))
        if texts:
            node = {}  # the one that is referred to begins no circle
        marks = {"$schema": DRAFTS[draft]}
        if draw(st.booleans()) and not texts:
            marks["id" if draft == 4 else "$id"] = draw(st.sampled_from(["http://a.example/b/c.json", "c.json"]))
        texts.append(json.dumps({**marks, **node, "definitions": {**single, "whole": whole}}))
    return texts[0], texts[1]


@settings(max_examples=400, deadline=None)
@given(batches(), schemas())
def test_a_row_is_bad_exactly_if_another_judge_takes_its_record_for_wrong(rows, texts):
    """Broken: a record is sent that its schema forbids, or a right row is left out or ends the run."""
    text, more = texts
    note(text)
    base = json.loads(text).get("$id") or json.loads(text).get("id") or ""
    here = f"{base.rpartition('/')[0]}/more.json" if "/" in base else "more.json"
    takes = judge(text, {"more.json": more, here: more})
    try:
        form = rows.bound(text, Reference("more.json", "more", 1, more))
    except InputError as refused:
        note(str(refused))
        assume("of the schema takes" not in str(refused))  # a column of nulls alone might fit all the same
        assert not any(map(takes, rows.bare()))
        return
    note(str(form.row_keywords))
    assert rows.bad(form).tolist() == [not takes(payload) for payload in rows.bare()]
