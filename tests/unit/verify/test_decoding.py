"""Records decoded for people: of each form of framing, and of bytes that are none."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.record.formats import chosen
from replay.record.formats.base import Schema
from replay.record.options import KeyFormat, Records, SchemaId, SchemaIdIn, SchemaIds, ValueFormat
from replay.verify import decoding
from replay.verify.decoding import Decoder, Record

GUID, OTHER_GUID = UUID(int=7), UUID(int=9)
AVRO = Schema("AVRO", "{}", "Trade")
MESSAGE = Schema("PROTOBUF", "", "Trade", (1, 0))
FRAMED = Records(value_format=ValueFormat.AVRO, schema_ids=SchemaIds(SchemaId(7, str(GUID))))
IN_HEADER = replace(FRAMED, schema_id_in=SchemaIdIn.HEADER)
DUMP = Records(value_column="value", headers_column="headers")


class Made:
    """Stands for the modules of the formats: a payload is JSON of its own."""

    @staticmethod
    def decoded(schema: Schema, payload: bytes) -> object:
        assert schema is not None
        if payload == b"?":
            raise ZeroDivisionError("as a library may stumble")
        return json.loads(payload)

    @staticmethod
    def key_schema() -> Schema:
        return Schema("AVRO", '"string"', "Key")


@pytest.fixture(autouse=True)
def _formats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chosen, "_module", lambda _: Made)


def record(value: bytes | None, **changes) -> Record:
    return replace(Record(b"BTC", value, 1_000, []), **changes)


def framed(payload: bytes, schema_id: int = 7, path: bytes = b"") -> Record:
    return record(b"\0" + schema_id.to_bytes(4, "big") + path + payload)


def in_header(payload: bytes, guid: UUID | None = GUID) -> Record:
    return record(payload, headers=[] if guid is None else [("__value_schema_id", b"\1" + guid.bytes)])


JSON, AVRO_IDS, AVRO_HEADER = Decoder(Records(), None), Decoder(FRAMED, AVRO), Decoder(IN_HEADER, AVRO)
AS_IT_IS = Decoder(DUMP, None)
ONE, TWO = b'{"s": "BTC", "price": 1.0}', b'{"s": "BTC", "price": 2.0}'


@pytest.mark.parametrize(
    ("decoder", "made"), [(JSON, record), (AVRO_IDS, framed), (AVRO_HEADER, in_header), (AS_IT_IS, record)]
)
def test_of_a_changed_record_the_fields_that_differ_are_told(decoder: Decoder, made) -> None:
    """Broken: the reader sees bytes, or the whole of both records."""
    assert decoder.differences(made(ONE), made(TWO)) == ("price: 1.0, expected 2.0",)
    assert decoder.shown(made(ONE)).value == ONE.decode()


def test_what_is_around_the_value_is_told() -> None:
    """Broken: a record differs, and nothing of it does."""
    wanted = record(ONE)
    assert JSON.differences(replace(wanted, time_ms=2_001), wanted) == (
        "timestamp: 1970-01-01T00:00:02.001Z, expected 1970-01-01T00:00:01.000Z",
    )
    assert JSON.differences(replace(wanted, key=None), wanted) == ("key: null, expected BTC",)
    assert JSON.differences(replace(wanted, key=b"\0"), replace(wanted, key=b"\xff")) == ("key: 0x00, expected 0xff",)
    assert JSON.differences(record(None), wanted) == (f"value: null, expected {ONE.decode()}",)
    assert JSON.differences(replace(wanted, headers=[("a", b"b")]), wanted) == ()
    headers = [("a", b"1"), ("b", None), ("c", b"\xff")]
    assert AS_IT_IS.differences(replace(wanted, headers=headers), wanted) == ("headers: [a=1, b, c=0xff], expected []",)


def test_other_bytes_of_the_same_fields_are_told_as_bytes() -> None:
    """Broken: a change of white space looks like none."""
    assert JSON.differences(record(b'{"a":1}'), record(b'{"a": 1}')) == (
        "the value means the same, and is written in other bytes: 0x7b2261223a317d, expected 0x7b2261223a20317d",
    )


def test_another_schema_is_named_and_what_it_is_of_is_not_guessed() -> None:
    """Broken: a record of another schema is read by this one, and shows values it does not have."""
    assert AVRO_IDS.differences(framed(ONE, 9), framed(ONE)) == ("written under schema id 9, expected 7",)
    told = AVRO_IDS.differences(framed(ONE, 9), framed(TWO))
    assert told[0] == "written under schema id 9, expected 7"
    assert told[1] == f"value: 0x{ONE.hex()}, expected {TWO.decode()}"
    assert AVRO_IDS.of_another_schema(framed(ONE, 9)) == ("written under schema id 9, expected 7",)
    assert AVRO_IDS.of_another_schema(framed(ONE)) == ()
    assert AVRO_IDS.of_another_schema(record(b"else")) == ("written without a schema id in its bytes, expected 7",)
    assert AVRO_IDS.shown(record(b"else")).value == "0x656c7365"


def test_the_header_names_the_schema() -> None:
    """Broken: with the id in a header, another schema is not noticed, or the bytes are cut as if it stood there."""
    told = (f"written under schema {OTHER_GUID}, expected {GUID}",)
    assert AVRO_HEADER.differences(in_header(ONE, OTHER_GUID), in_header(ONE)) == told
    (without,) = AVRO_HEADER.of_another_schema(in_header(ONE, None))
    assert without == f"written without a schema id in the header __value_schema_id, expected {GUID}"


def test_the_path_of_a_message_is_no_part_of_it() -> None:
    """Broken: Protobuf is decoded with its message index, or another message of the file as this one."""
    decoder = Decoder(replace(FRAMED, value_format=ValueFormat.PROTOBUF), MESSAGE)
    path = b"\x04\x02\x00"
    assert decoder.differences(framed(ONE, 7, path), framed(TWO, 7, path)) == ("price: 1.0, expected 2.0",)
    other = framed(ONE, 7, b"\0")
    assert decoder.of_another_schema(other) == ("written under schema id 7, another message of it, expected 7",)


def test_keys_have_schemas_too() -> None:
    """Broken: keys of Avro are shown as bytes."""
    ids = SchemaIds(SchemaId(7), SchemaId(3))
    decoder = Decoder(replace(FRAMED, key_format=KeyFormat.AVRO, schema_ids=ids), AVRO)
    wanted = replace(framed(ONE), key=b'\0\0\0\0\3"BTC"')
    assert decoder.shown(wanted).key == '"BTC"'
    told = decoder.differences(replace(wanted, key=b'\0\0\0\0\4"ETH"'), wanted)
    assert told == ("key written under schema id 4, expected 3", 'key: 0x2245544822, expected "BTC"')


def test_records_as_they_are_are_text_or_digits() -> None:
    """Broken: a dump of anything but JSON shows nothing."""
    assert AS_IT_IS.shown(record("größer".encode())).value == "größer"
    assert AS_IT_IS.shown(record(b"\0\0\0\0\7x")).value == "0x000000000778"
    assert AS_IT_IS.shown(record(None)).value == "null"
    assert AS_IT_IS.differences(record(b"one"), record(b"two")) == ("value: one, expected two",)
    assert AS_IT_IS.differences(record(b"\xff\1"), record(b"\xff\2")) == ("value: 0xff01, expected 0xff02",)


@pytest.mark.parametrize("decoder", [JSON, AVRO_IDS, AVRO_HEADER, AS_IT_IS])
@given(key=st.binary() | st.none(), value=st.binary() | st.none(), header=st.binary() | st.none(), time=st.integers())
def test_any_bytes_are_shown_and_none_reach_the_terminal(decoder, key, value, header, time) -> None:
    """Broken: a stranger's record ends `verify` in a trace, or writes into the reader's terminal."""
    odd = Record(key, value, time, [("a\x1b", header), ("__value_schema_id", header)])
    shown = decoder.shown(odd)
    texts = [shown.key, shown.value, shown.timestamp, shown.headers or "", *decoder.of_another_schema(odd)]
    texts += [*decoder.differences(odd, framed(ONE)), *decoder.differences(framed(b"?"), odd)]
    assert all(text.isprintable() for text in texts)


@pytest.mark.parametrize(
    "value", [b'"\x7f\xc2\x9b31m"', b'"\\ud800"', b"[" * 100_000, b"\x1b[31m", b"1" * 10_000, b"NaN"]
)
def test_what_json_may_hold_harms_nobody(value: bytes) -> None:
    """Broken: colours, half characters and depth without end reach the reader, or a trace does."""
    for text in (JSON.shown(record(value)).value, *JSON.differences(record(value), record(ONE))):
        assert text.isprintable()
        assert len(text) < 900


def test_many_fields_are_cut() -> None:
    """Broken: a wide table fills the screens."""
    one, two = (json.dumps({f"f{n}": n + add for n in range(40)}).encode() for add in (0, 1))
    told = JSON.differences(record(one), record(two))
    assert len(told) == decoding.FIELDS_MAX + 1
    assert told[-1] == "and 32 more fields"
