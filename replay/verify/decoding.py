"""Records taken apart and decoded, as people read them: what was expected, what is there, and what differs.

It is told which schema the records have, and asks no registry. So what stands under another schema is not decoded, but
shown as hexadecimal digits: read by the wrong schema it would be a wrong value. Any bytes may come, and none raises.
Nothing that is shown holds a control character. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from replay.errors import printable
from replay.model import Headers
from replay.record import framing
from replay.record.formats.base import Schema
from replay.record.formats.chosen import decoded, decoded_key, key_schema
from replay.record.options import Records, SchemaId, SchemaIdIn, ValueFormat
from replay.record.schema_ids import PREFIX_BYTES
from replay.verify.texts import (
    VALUE_MAX,
    change,
    change_of_bytes,
    changes,
    cut,
    hexadecimal,
    json_text,
    moment,
    parsed_json,
)

FIELDS_MAX = 8
"""So many fields that differ are shown of a record."""

_GUID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Record:
    """As it is sent, or read back. `time_ms`: since 1970; None: it is not compared."""

    key: bytes | None
    value: bytes | None
    time_ms: int | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Shown:
    """A record as text. `timestamp` and `headers` only where they are compared."""

    key: str
    value: str
    timestamp: str | None = None
    headers: str | None = None


@dataclass(frozen=True, slots=True)
class _Opened:
    """A key or value taken apart. `under`: the schema it names; "": none. `content` is what it means, if it decodes."""

    payload: bytes | None
    under: str = ""
    content: Any = None
    decodes: bool = False


@dataclass(frozen=True, slots=True)
class _Part:
    """What is known of all keys, or of all values. `text`: what does not decode may be shown as text."""

    name: str
    schema: Schema | None
    schema_id: SchemaId | None
    id_in: SchemaIdIn
    header: str
    decode: Callable[[bytes], Any]
    text: bool

    def opened(self, data: bytes | None, headers: Headers) -> _Opened:
        """Without what frames it."""
        if data is None or self.schema is None or self.schema_id is None:
            return self._read(data, "")
        path = framing.message_path(self.schema.message_indexes)
        if self.id_in is SchemaIdIn.HEADER:
            under = _under_guid(dict(headers).get(self.header))
            return self._read(data, under) if under == self.under else _Opened(data, under)
        if len(data) < PREFIX_BYTES or data[0]:
            return _Opened(data)
        under, rest = f"schema id {int.from_bytes(data[1:PREFIX_BYTES], 'big')}", data[PREFIX_BYTES:]
        if under != self.under:
            return _Opened(rest.removeprefix(path), under)
        if not rest.startswith(path):
            return _Opened(rest, under + ", another message of it")
        return self._read(rest.removeprefix(path), under)

    @property
    def under(self) -> str:
        """The schema that is expected."""
        if self.schema is None or self.schema_id is None:
            return ""
        if self.id_in is SchemaIdIn.HEADER:
            return f"schema {UUID(self.schema_id.guid)}" if self.schema_id.guid else ""
        return f"schema id {self.schema_id.number}"

    def shown(self, opened: _Opened) -> str:
        """As text, whole."""
        if opened.payload is None:
            return "null"
        if opened.decodes:
            return cut(json_text(opened.content))
        if self.text and (text := _text(opened.payload)) is not None:
            return cut(text)
        return hexadecimal(opened.payload)

    def written_under(self, opened: _Opened) -> list[str]:
        """One text where that is another schema than the one that is expected."""
        if opened.payload is None or opened.under == self.under:
            return []
        of_what = "" if self.name == "value" else f"{self.name} "
        wanted = self.under.removeprefix("schema id ").removeprefix("schema ")
        if not opened.under:
            where = f"the header {self.header}" if self.id_in is SchemaIdIn.HEADER else "its bytes"
            return [f"{of_what}written without a schema id in {where}, expected {wanted}"]
        return [f"{of_what}written under {opened.under}, expected {wanted}"]

    def differences(self, found: _Opened, expected: _Opened) -> list[str]:
        """What differs of the bytes, field by field if there are any."""
        if found.payload == expected.payload:
            return []
        if found.payload is None or expected.payload is None:
            return [change(self.name, self.shown(found), self.shown(expected), VALUE_MAX)]
        if found.decodes and expected.decodes:
            same = f"the {self.name} means the same, and is written in other bytes"
            fields = _fields(found.content, expected.content, self.name)
            return fields or [change_of_bytes(same, found.payload, expected.payload)]
        there, wanted = _text(found.payload), _text(expected.payload)
        if self.text and there is not None and wanted is not None:
            return [change(self.name, there, wanted, VALUE_MAX)]
        if found.decodes or expected.decodes:
            return [f"{self.name}: {self.shown(found)}, expected {self.shown(expected)}"]
        return [change_of_bytes(self.name, found.payload, expected.payload)]

    def _read(self, data: bytes | None, under: str) -> _Opened:
        if data is None:
            return _Opened(None, under)
        try:
            return _Opened(data, under, self.decode(data), decodes=True)
        except Exception:  # bytes of strangers: whatever a library makes of them, they are shown
            return _Opened(data, under)


class Decoder:
    """Shows the records of one topic, written as `records` and the schema of values say."""

    def __init__(self, records: Records, schema: Schema | None) -> None:
        ids, id_in = records.schema_ids, records.schema_id_in
        bare = records.value_format is ValueFormat.JSON or records.value_column is not None
        of_keys = key_schema(records)
        self._compared_headers = records.compared_headers
        self._value = _Part(
            "value",
            schema,
            ids.value,
            id_in,
            framing.VALUE_HEADER,
            parsed_json if bare else lambda payload: decoded(records, schema, payload),
            text=bare,
        )
        self._key = _Part(
            "key",
            of_keys,
            ids.key,
            id_in,
            framing.KEY_HEADER,
            _no_content if of_keys is None else lambda payload: decoded_key(records, payload),
            text=of_keys is None,
        )

    def shown(self, record: Record) -> Shown:
        """All of it, cut."""
        key, value = self._opened(record)
        time = None if record.time_ms is None else moment(record.time_ms)
        headers = None if self._compared_headers is None else cut(self._headers(record))
        return Shown(printable(self._key.shown(key)), printable(self._value.shown(value)), time, _safe(headers))

    def of_another_schema(self, found: Record) -> tuple[str, ...]:
        """What says under which schema it was written, where that is not the one that is expected."""
        key, value = self._opened(found)
        return tuple(map(printable, [*self._key.written_under(key), *self._value.written_under(value)]))

    def differences(self, found: Record, expected: Record) -> tuple[str, ...]:
        """One text each: `price: 1.0, expected 2.0`."""
        (key, value), (wanted_key, wanted_value) = self._opened(found), self._opened(expected)
        said = [*self.of_another_schema(found), *self._key.differences(key, wanted_key)]
        said += self._value.differences(value, wanted_value)
        times = (found.time_ms, expected.time_ms)
        if times[0] is not None and times[1] is not None and times[0] != times[1]:
            said.append(change("timestamp", moment(times[0]), moment(times[1])))
        if self._compared_headers is not None:
            headers, wanted_headers = self._headers(found), self._headers(expected)
            if headers != wanted_headers:
                said.append(change("headers", headers, wanted_headers, VALUE_MAX))
        return tuple(map(printable, said))

    def _opened(self, record: Record) -> tuple[_Opened, _Opened]:
        key, value = self._key, self._value
        return key.opened(record.key, record.headers), value.opened(record.value, record.headers)

    def _headers(self, record: Record) -> str:
        """Those that are compared: `[a=1, b=0x00ff, c]`."""
        listed = record.headers[self._compared_headers] if self._compared_headers is not None else []
        texts = [
            name if value is None else f"{name}={hexadecimal(value) if (text := _text(value)) is None else text}"
            for name, value in listed
        ]
        return f"[{', '.join(texts)}]"


def _fields(found: Any, expected: Any, name: str) -> list[str]:
    """Those that differ, the first of many. What is no object is called by its `name`."""
    listed = list(changes(found, expected, "" if isinstance(expected, dict) and isinstance(found, dict) else name))
    left = len(listed) - FIELDS_MAX
    return listed if left <= 0 else [*listed[:FIELDS_MAX], f"and {left:,} more fields"]


def _under_guid(header: bytes | None) -> str:
    if header is None or len(header) <= _GUID_BYTES or header[0] != 1:
        return ""
    return f"schema {UUID(bytes=header[1 : 1 + _GUID_BYTES])}"


def _text(data: bytes) -> str | None:
    """None for bytes that are no text; a NUL is in none."""
    try:
        return data.decode() if b"\0" not in data else None
    except UnicodeDecodeError:
        return None


def _no_content(data: bytes) -> Any:
    """Of keys that are bare: text is what they are."""
    raise ValueError(f"{len(data)} bytes without a format")


def _safe(text: str | None) -> str | None:
    return None if text is None else printable(text)
