"""What stands before the bytes of values and keys, as Confluent's own deserializers read it."""

from __future__ import annotations

from io import BytesIO
from uuid import UUID

import pytest
from confluent_kafka.schema_registry import dual_schema_id_deserializer
from confluent_kafka.schema_registry.serde import SchemaId as Theirs
from confluent_kafka.serialization import MessageField, SerializationContext
from hypothesis import given
from hypothesis import strategies as st

from replay.errors import UsageError
from replay.record.formats.base import Schema
from replay.record.framing import KEY_HEADER, VALUE_HEADER, header, prefix
from replay.record.options import SchemaId, SchemaIdIn

GUID = "89791762-2336-4186-9674-299b90a802e2"
PATHS = st.lists(st.integers(0, 1_000), min_size=1, max_size=4).map(tuple)
AVRO = Schema("AVRO", "{}", "Trade")


@given(st.integers(1, 2**31 - 1), PATHS, st.sampled_from(["AVRO", "PROTOBUF"]), st.sampled_from(list(SchemaIdIn)))
def test_their_deserializers_find_schema_message_and_payload(number, path, kind, id_in):
    """Broken: no consumer of the team can read a single record."""
    schema = Schema(kind, "", "Trade", path if kind == "PROTOBUF" else ())
    schema_id = SchemaId(number, GUID)
    headers = header(VALUE_HEADER, schema, schema_id, id_in)
    theirs = Theirs(kind)
    context = SerializationContext("t", MessageField.VALUE, headers)
    left = dual_schema_id_deserializer(prefix(schema, schema_id, id_in) + b"payload", context, theirs)
    assert left.read() == b"payload"
    if id_in is SchemaIdIn.HEADER:
        assert theirs.guid == UUID(GUID)
    else:
        assert theirs.id == number
    if kind == "PROTOBUF":
        assert theirs.message_indexes == list(path)


def test_the_first_message_of_a_file_is_one_byte():
    """Broken: bytes that differ from those of Confluent's serializers, for which a topic is compared."""
    first = Schema("PROTOBUF", "", "Trade", (0,))
    assert prefix(first, SchemaId(7), SchemaIdIn.PAYLOAD) == b"\0\0\0\0\x07\0"
    assert Theirs("PROTOBUF", 7, None, [0]).id_to_bytes() == b"\0\0\0\0\x07\0"


def test_keys_have_a_header_of_their_own():
    """Broken: a reader takes the schema of the key for that of the value."""
    found = header(KEY_HEADER, AVRO, SchemaId(7, GUID), SchemaIdIn.HEADER)
    theirs = Theirs("AVRO")
    context = SerializationContext("t", MessageField.KEY, found)
    assert dual_schema_id_deserializer(b"key", context, theirs).read() == b"key"
    assert theirs.guid == UUID(GUID)


@pytest.mark.parametrize("guid", ["", "no guid"])
def test_without_a_guid_a_header_cannot_name_the_schema(guid):
    """Broken: records would carry a header that no consumer can read."""
    with pytest.raises(UsageError, match=r"--schema-id-in header: .*no GUID.*\n.*payload"):
        header(VALUE_HEADER, AVRO, SchemaId(7, guid), SchemaIdIn.HEADER)


def test_bare_json_has_nothing_before_it():
    """Broken: a topic of JSON that nobody can parse."""
    for id_in in SchemaIdIn:
        assert (prefix(None, None, id_in), header(VALUE_HEADER, None, None, id_in)) == (b"", [])


def test_their_reader_of_bytes_is_what_it_is_taken_for():
    """Broken: the tests above compare with something else than consumers do."""
    theirs = Theirs("AVRO")
    theirs.from_bytes(BytesIO(prefix(AVRO, SchemaId(258), SchemaIdIn.PAYLOAD)))
    assert theirs.id == 258
