"""Where the schema registry is, and how its subjects are named. Light: no client is imported."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from replay.errors import UsageError


class SubjectName(StrEnum):
    """After what a subject is named: the topic, the record, or both."""

    TOPIC = "topic"
    RECORD = "record"
    TOPIC_RECORD = "topic-record"


@dataclass(frozen=True, slots=True)
class RegistryOptions:
    """`urls` are asked in turn; `config` has settings of the client. Both may hold a password. `register`: a schema
    that is not there is registered. `source` is the registry that the schema ids of a topic's dump come from. A single
    attempt takes `attempt_s` at most, unless `config` has a `timeout`."""

    urls: tuple[str, ...] = field(default=(), repr=False)
    config: Mapping[str, str] = field(default_factory=dict, repr=False)
    subject_name: SubjectName = SubjectName.TOPIC
    register: bool = False
    source: RegistryOptions | None = None
    attempt_s: float = 5.0


_SUBJECT = re.compile(r"(?P<name>.*?[^:])(?::(?P<version>[1-9]\d*|latest))?", re.ASCII)


def subject_version(text: str) -> tuple[str, int | None]:
    """`trades-value:3`: a subject, and the version that is meant (None: the newest). Raises `UsageError` for what
    is neither."""
    found = _SUBJECT.fullmatch(text)
    if found is None:
        raise UsageError(
            f"{text[:60]!r} is no subject", where="--schema-subject", todo="write trades-value, or trades-value:3"
        )
    return found["name"], int(found["version"]) if found["version"] not in (None, "latest") else None


def subject(name: SubjectName, topic: str, record: str, *, is_key: bool) -> str:
    """As Confluent's TopicNameStrategy, RecordNameStrategy and TopicRecordNameStrategy name it. Raises `UsageError` for
    a record without a name, where that is needed: a JSON Schema may have no title."""
    if name is SubjectName.TOPIC:
        return f"{topic}-{'key' if is_key else 'value'}"
    if not record:
        raise UsageError(
            "the schema does not name its record, and the subject would be named after it",
            where="--subject-name",
            todo="give the schema a title, or name the subject after the topic (--subject-name topic)",
        )
    return record if name is SubjectName.RECORD else f"{topic}-{record}"
