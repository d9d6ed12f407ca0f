"""Records by the eyes of third parties: confluent_kafka's own deserializers, with schemas as the registry gives them.

Imports nothing from the tool under test.
"""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
from confluent_kafka.schema_registry import (
    SchemaRegistryClient,
    dual_schema_id_deserializer,
    topic_subject_name_strategy,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
from confluent_kafka.schema_registry.serde import SchemaId
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.type import date_pb2
from grpc_tools import protoc
from pyarrow import types

from tests.support.registry import ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.readback import Record

KINDS = {"avro": "AVRO", "protobuf": "PROTOBUF", "json-schema": "JSON"}
"""Each `--format`, and what registries call it."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
ALL_FIELDS = {"subject.name.strategy": topic_subject_name_strategy}
"""Of the client's settings: its default strategy asks what some registries answer with 404."""


@dataclass(frozen=True)
class Reader:
    """Reads the records of a topic that were written with `--format`, or `--key-format`."""

    format: str
    url: str
    topic: str

    def value(self, record: Record) -> Any:
        """What a consumer gets: a dict (Avro, JSON), or a message."""
        return self._read(record.value, MessageField.VALUE, record)

    def key(self, record: Record) -> Any:
        return self._read(record.key, MessageField.KEY, record)

    def schema_id(self, record: Record, part: MessageField = MessageField.VALUE) -> SchemaId:
        """What the record says that its schema is: `id`, or `guid`; and `message_indexes`."""
        found = SchemaId(KINDS[self.format])
        dual_schema_id_deserializer(_bytes(record, part), self._context(record, part), found)
        return found

    def as_json(self, record: Record) -> Record:
        """The record with its value as JSON, as `readback.expected_records` writes the row."""
        read = self.value(record)
        symbol, price = _get(read, "symbol"), float(_get(read, "price"))
        at = EPOCH + timedelta(microseconds=as_value(_get(read, "event_time"), pa.timestamp("us")) // 1000)
        moment = at.replace(tzinfo=None).isoformat("T", "microseconds")
        value = {"symbol": symbol, "price": price, "event_time": f"{moment}Z"}
        return replace(record, value=json.dumps(value).encode())

    def _read(self, data: bytes | None, part: MessageField, record: Record) -> Any:
        context = self._context(record, part)
        if self.format == "protobuf":
            found = self.schema_id(record, part)
            place = f"ids/{found.id}" if found.guid is None else f"guids/{found.guid}"
            return _protobuf(self.url, place, tuple(found.message_indexes))(data, context)
        read = _reader(self.format, self.url)(data, context)
        if self.format == "json-schema":  # it has judged the value, and lost the digits of decimals
            return json.loads(_payload(_bytes(record, part), context), parse_float=Decimal)
        return read

    def _context(self, record: Record, part: MessageField) -> SerializationContext:
        return SerializationContext(self.topic, part, list(record.headers))


def _payload(data: bytes, context: SerializationContext) -> bytes:
    return bytes(dual_schema_id_deserializer(data, context, SchemaId("JSON")).read())


def _bytes(record: Record, part: MessageField) -> bytes:
    data = record.value if part == MessageField.VALUE else record.key
    assert data is not None
    return data


@lru_cache
def _reader(format_: str, url: str) -> Callable[[bytes | None, SerializationContext], Any]:
    client = SchemaRegistryClient({"url": url, "timeout": 10})
    if format_ == "avro":
        read: Any = AvroDeserializer(client, conf=ALL_FIELDS)
    else:
        read = JSONDeserializer(None, schema_registry_client=client, conf=ALL_FIELDS)
    return read  # type: ignore[no-any-return]


@lru_cache
def _protobuf(url: str, place: str, indexes: tuple[int, ...]) -> Callable[[bytes | None, SerializationContext], Any]:
    """Its deserializer wants the class, which protoc makes of the registry's text. (With a client it would ask for a
    form of the text that Apicurio does not give.)"""
    answer = ask(url, "GET", f"/schemas/{place}")
    assert answer["schemaType"] == "PROTOBUF"
    texts = {"default.proto": answer["schema"]}
    _collect(url, answer, texts)
    read: Any = ProtobufDeserializer(message_class(texts, indexes), {"use.deprecated.format": False})
    return read  # type: ignore[no-any-return]


def _collect(url: str, answer: Any, texts: dict[str, str]) -> None:
    for each in answer.get("references") or ():
        found = ask(url, "GET", f"/subjects/{each['subject']}/versions/{each['version']}")
        texts[each["name"]] = found["schema"]
        _collect(url, found, texts)


def message_class(texts: dict[str, str], indexes: tuple[int, ...] = (0,)) -> Any:
    """The class of a message of the first file, by its place in there."""
    main, *_ = texts
    with TemporaryDirectory() as folder:
        for name, text in texts.items():
            file = Path(folder, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        made = Path(folder, "made")
        own, google = files("grpc_tools") / "_proto", Path(date_pb2.__file__).parents[2]
        places = [f"-I{place}" for place in (folder, own, google)]
        assert not protoc.main(["protoc", *places, "--include_imports", f"--descriptor_set_out={made}", main])
        described = FileDescriptorSet.FromString(made.read_bytes())
    pool = DescriptorPool()
    for each in described.file:
        pool.Add(each)
    place = next(each for each in described.file if each.name == main)
    name, messages = place.package, place.message_type
    for index in indexes:
        name = f"{name}.{messages[index].name}".lstrip(".")
        messages = messages[index].nested_type
    return GetMessageClass(pool.FindMessageTypeByName(name))


# -- what was read, as values to compare ------------------------------------------------------------------


def wanted(column: pa.ChunkedArray) -> list[Any]:
    """A column's values, exactly: moments and durations as nanoseconds, maps as dicts."""
    return [_wanted(scalar) for chunk in column.chunks for scalar in chunk]


def _wanted(scalar: Any) -> Any:
    kind = scalar.type
    if not scalar.is_valid:
        return None
    if types.is_struct(kind):
        return {field.name: _wanted(scalar[field.name]) for field in kind}
    if types.is_map(kind):
        keys, items = scalar.values.flatten()
        return dict(zip(map(_wanted, keys), map(_wanted, items), strict=True))
    if types.is_list(kind):
        return [_wanted(item) for item in scalar.values]
    if types.is_timestamp(kind) or types.is_duration(kind) or types.is_time(kind):
        return scalar.cast(pa.int32() if kind.bit_width == 32 else pa.int64()).as_py() * NS[kind.unit]
    return scalar.as_py()


def field_of(read: Any, name: str, kind: pa.DataType) -> Any:
    """The field of what a consumer got, as `wanted` has the value that it was made of. None: it is not set."""
    if isinstance(read, dict):
        return as_value(read[name], kind)
    field = read.DESCRIPTOR.fields_by_name[name]
    if field.has_presence and not read.HasField(name):
        return None
    return as_value(getattr(read, name), kind)


def as_value(read: Any, kind: pa.DataType) -> Any:
    if read is None:
        return None
    return next((make(read, kind) for matches, make in _VALUES if matches(kind)), read)


def _get(read: Any, name: str) -> Any:
    return read[name] if isinstance(read, dict) else getattr(read, name)


def _ns(since: timedelta) -> int:
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000


def _moment(read: Any, _: pa.DataType) -> int:
    if isinstance(read, datetime):
        return _ns(read - EPOCH)
    if isinstance(read, str):
        whole, _, digits = read.removesuffix("Z").partition(".")
        return _ns(datetime.fromisoformat(f"{whole}+00:00") - EPOCH) + int(digits.ljust(9, "0") or 0)
    return int(read) if isinstance(read, int) else int(read.seconds * 10**9 + read.nanos)


def _clock(read: Any, kind: pa.DataType) -> int:
    if isinstance(read, str):
        whole, _, digits = read.partition(".")
        read = time.fromisoformat(whole)
        return _clock(read, kind) + int(digits.ljust(9, "0") or 0)
    if isinstance(read, time):
        return (read.hour * 3600 + read.minute * 60 + read.second) * 10**9 + read.microsecond * 1000
    if isinstance(read, int):
        return read
    return int((read.hours * 3600 + read.minutes * 60 + read.seconds) * 10**9 + read.nanos)


def _duration(read: Any, _: pa.DataType) -> int:
    if not isinstance(read, str):
        return int(read.seconds * 10**9 + read.nanos)
    sign, seconds = -1 if read.startswith("-") else 1, read.removeprefix("-")
    assert seconds.startswith("PT"), read
    return int(sign * Decimal(seconds[2:-1]) * 10**9)


def _date(read: Any, _: pa.DataType) -> date:
    if isinstance(read, (date, str)):
        return date.fromisoformat(read) if isinstance(read, str) else read
    return date(read.year, read.month, read.day)


def _decimal(read: Any, _: pa.DataType) -> Decimal:
    return Decimal(getattr(read, "value", read))


def _binary(read: Any, _: pa.DataType) -> bytes:
    return b64decode(read, validate=True) if isinstance(read, str) else bytes(read)


def _list(read: Any, kind: pa.DataType) -> list[Any]:
    return [as_value(item, kind.value_type) for item in getattr(read, "items", read)]


def _map(read: Any, kind: pa.DataType) -> dict[Any, Any]:
    if isinstance(read, list):  # pairs: of JSON lists, of Avro records
        pairs = [each.values() if isinstance(each, dict) else each for each in read]
    else:
        pairs = [(key, read[key]) for key in read]
    return {as_value(key, kind.key_type): as_value(item, kind.item_type) for key, item in pairs}


def _struct(read: Any, kind: pa.DataType) -> dict[str, Any]:
    return {field.name: field_of(read, field.name, field.type) for field in kind}


def _float(read: Any, kind: pa.DataType) -> Any:
    return pa.scalar(float(read), pa.float64()).cast(kind, safe=False).as_py()


def _is_uuid(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.UuidType)


_VALUES: list[tuple[Callable[[pa.DataType], bool], Callable[[Any, pa.DataType], Any]]] = [
    (types.is_struct, _struct),
    (types.is_map, _map),
    (types.is_list, _list),
    (types.is_timestamp, _moment),
    (types.is_time, _clock),
    (types.is_duration, _duration),
    (types.is_date, _date),
    (types.is_decimal, _decimal),
    (types.is_binary, _binary),
    (types.is_floating, _float),
    (types.is_integer, lambda read, _: int(read)),
    (_is_uuid, lambda read, _: read if isinstance(read, UUID) else UUID(read)),
]
