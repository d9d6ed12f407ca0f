"""The schema registry, asked for real: what it finds, keeps, refuses and registers."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient

from replay.errors import StateConflict, UsageError
from replay.model import SystemClock
from replay.record.formats.base import Reference, Schema
from replay.registry.client import Registry, connect
from replay.registry.lookup import prove, settle, standing
from replay.registry.options import RegistryOptions
from tests.support.schemas import avro, json_schema, protobuf
from tests.unit.fakes import Told

if TYPE_CHECKING:
    from tests.support.registry import Registry as Server
    from tests.support.registry_front import Front

ONE, NEXT, BREAKING = avro(a="string"), avro(a="string", b=("int", 0)), avro(a="string", b="int")
KINDS = [ONE, json_schema(a="string"), protobuf("string a")]


def ask(url: str, **config: str) -> Registry:
    return connect(RegistryOptions((url,), config), 10, Told(), SystemClock(), lambda: None)


def options(*, register: bool = False) -> RegistryOptions:
    return RegistryOptions(register=register)


@pytest.mark.parametrize("schema", KINDS, ids=lambda each: each.kind)
def test_a_schema_is_registered_once_and_found_from_then_on(registry: Server, topic: str, schema: Schema) -> None:
    """Broken: a nightly job would not find its schema, or would make a version each night."""
    asked = ask(registry.url)
    made = settle(asked, options(register=True), topic, schema)
    assert made.version == 1
    assert settle(asked, options(register=True), topic, schema) == made
    assert settle(asked, options(), topic, schema) == made
    assert registry.versions(topic) == [1]
    assert asked.text_of(made.id).schema.text == schema.text
    assert asked.fetch(topic) == (replace(schema, name="", message_indexes=()), made)


@pytest.mark.parametrize("schema", KINDS, ids=lambda each: each.kind)
def test_without_the_option_nothing_is_registered(registry: Server, front: Front, topic: str, schema: Schema) -> None:
    """Broken: a surprise in a registry that others depend on."""
    with pytest.raises(StateConflict, match=r"not registered .it is compatible.*\n.*--schema-register"):
        settle(ask(front.url), options(), topic, schema)
    assert registry.versions(topic) == []
    assert front.writes == []


def test_another_spelling_of_the_schema_is_found(registry: Server, topic: str) -> None:
    """Broken: a schema that somebody registered by hand, with white space of his own, would not be found."""
    spelled = {
        kind.kind: replace(kind, text=json.dumps(json.loads(kind.text), indent=3))
        for kind in (ONE, json_schema(a="string"))
    }
    spelled["PROTOBUF"] = replace(KINDS[2], text="// Trades.\n" + KINDS[2].text.replace("\n", "\n  "))
    for schema in KINDS:
        subject = f"{topic}-{schema.kind}"
        schema_id = registry.register(subject, spelled[schema.kind].text, schema.kind)
        assert settle(ask(registry.url), options(), subject, schema).id == schema_id


@pytest.mark.parametrize(
    ("first", "breaking"),
    [(ONE, BREAKING), (KINDS[1], json_schema(a="integer")), (KINDS[2], protobuf("int32 a"))],
    ids=lambda each: each.kind,
)
def test_a_schema_that_is_not_compatible_is_refused(registry: Server, topic: str, first, breaking) -> None:
    """Broken: consumers of the topic would meet records that they cannot read."""
    registry.register(topic, first.text, first.kind)
    registry.demand(topic, "BACKWARD")
    asked = ask(registry.url)
    with pytest.raises(StateConflict, match=r"not compatible .*its rule for .* is BACKWARD"):
        settle(asked, options(), topic, breaking)
    with pytest.raises(StateConflict, match=r"not compatible .*: Incompatible artifact: .*diff") as refused:
        settle(asked, options(register=True), topic, breaking)
    assert "io.apicurio" not in str(refused.value)
    assert registry.versions(topic) == [1]


def test_a_compatible_schema_becomes_the_next_version(registry: Server, topic: str) -> None:
    """Broken: a new column would need hands in the registry, in spite of --schema-register."""
    registry.register(topic, ONE.text)
    registry.demand(topic, "BACKWARD")
    asked = ask(registry.url)
    assert standing(asked, topic, NEXT).reasons == ()
    assert settle(asked, options(register=True), topic, NEXT).version == 2
    assert standing(asked, topic, ONE).registered == asked.fetch(topic, 1)[1]


def test_a_registry_s_own_reasons_are_shown(front: Front, topic: str) -> None:
    """Broken: the operator would have to ask the registry's owner why. (Confluent's gives reasons, Apicurio none.)"""
    front.change(
        lambda asked, body: (
            {"is_compatible": False, "messages": ["READER_FIELD_MISSING_DEFAULT_VALUE: b", "second"]}
            if "/compatibility/" in asked.path
            else body
        )
    )
    front_asked = ask(front.url)
    settle(front_asked, options(register=True), topic, ONE)
    with pytest.raises(StateConflict, match="READER_FIELD_MISSING_DEFAULT_VALUE: b; second"):
        settle(front_asked, options(), topic, BREAKING)


def test_an_invalid_schema_is_the_schema_s_fault(registry: Server, topic: str) -> None:
    """Broken: a mistake in a schema file would look like trouble with the registry."""
    with pytest.raises(UsageError, match=r"refuses the schema .HTTP 422.: "):
        settle(ask(registry.url), options(register=True), topic, replace(ONE, text='{"type":"recor"}'))


def test_references_are_read_to_the_end_and_sent_as_they_were(registry: Server, topic: str) -> None:
    """Broken: a schema of several files could not be used, or would be registered without its parts."""
    side = 'syntax = "proto3";\npackage com.acme;\nmessage Side { string name = 1; }\n'
    book = 'syntax = "proto3";\npackage com.acme;\nimport "side.proto";\nmessage Book { Side side = 1; }\n'
    registry.register(f"{topic}-side", side, "PROTOBUF")
    to_side = {"name": "side.proto", "subject": f"{topic}-side", "version": 1}
    registry.register(f"{topic}-book", book, "PROTOBUF", [to_side])
    to_book = {"name": "book.proto", "subject": f"{topic}-book", "version": 1}
    trade = protobuf("Book book", imports=("book.proto",)).text
    schema_id = registry.register(topic, trade, "PROTOBUF", [to_book])
    asked = ask(registry.url)
    schema, registered = asked.fetch(topic)
    assert registered.id == schema_id
    assert schema.references == (
        Reference("side.proto", f"{topic}-side", 1, side, direct=False),
        Reference("book.proto", f"{topic}-book", 1, book),
    )
    assert settle(asked, options(), topic, schema) == registered
    moved = settle(asked, options(register=True), f"{topic}-moved", schema)
    assert moved.id == schema_id
    with pytest.raises(StateConflict, match="not registered"):
        settle(asked, options(), topic, replace(schema, references=()))


def test_subjects_may_hold_anything(registry: Server, topic: str) -> None:
    """Broken: a subject with a slash would ask another question."""
    subject = f"{topic}/ü 100%?x=1#y:z"
    made = settle(ask(registry.url), options(register=True), subject, ONE)
    assert made.subject == subject
    assert registry.versions(subject) == [1]


def test_what_is_missing_is_named(registry: Server, topic: str) -> None:
    """Broken: a mistyped subject would look like trouble with the registry."""
    registry.register(topic, ONE.text)
    asked = ask(registry.url)
    with pytest.raises(StateConflict, match=f"there is no schema {topic}:7"):
        asked.fetch(topic, 7)
    with pytest.raises(StateConflict, match=f"there is no schema {topic}x:latest"):
        asked.fetch(f"{topic}x")
    with pytest.raises(StateConflict, match="there is no schema with id 99999"):
        asked.text_of(99999)


@pytest.mark.parametrize("other", [BREAKING, avro(a="bytes")], ids=["registered, too", "unknown"])
def test_another_schema_under_the_same_id_is_refused(registry: Server, front: Front, topic: str, other: Schema) -> None:
    """Broken: consumers would read a night's records with another schema: wrong values, or none."""
    schema_id = registry.register(topic, ONE.text)
    registry.register(topic, BREAKING.text)
    front.swap(schema_id, other.text)
    with pytest.raises(StateConflict, match=f"has id {schema_id}, but has another one under that id"):
        settle(ask(front.url), options(), topic, ONE)


def test_an_id_that_was_given_again_after_a_loss_is_refused(own_registry: Server) -> None:
    """Broken: a job that knows its id from before would go on under a schema that has it now."""
    asked = ask(own_registry.url)
    before = settle(asked, options(register=True), "t", ONE)
    own_registry.kill()
    own_registry.wipe()
    own_registry.start()
    assert own_registry.register("other", BREAKING.text) == before.id
    with pytest.raises(StateConflict, match="another one under that id"):
        prove(asked, before, ONE)


def test_two_jobs_that_register_at_once_get_one_id(registry: Server, topic: str) -> None:
    """Broken: two jobs of one night would send under two ids, or one of them would fail."""
    script = (
        "import sys, time\n"
        "from replay.registry.lookup import settle\n"
        "from tests.integration.test_registry import ask, options, BREAKING, ONE, NEXT\n"
        "asked = ask(sys.argv[1]); print(flush=True); sys.stdin.readline()\n"
        "for at in range(10):\n"
        "    for schema in (ONE, NEXT, BREAKING):\n"
        "        print(settle(asked, options(register=True), f'{sys.argv[2]}-{at}', schema).id, end=' ')\n"
    )
    command = [sys.executable, "-c", script, registry.url, topic]
    root = Path(__file__).parents[2]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": root}
    jobs = [subprocess.Popen(command, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    for job in jobs:
        job.stdout.readline()
    for job in jobs:
        job.stdin.write("\n")
        job.stdin.flush()
    told = [job.communicate(timeout=60)[0].split() for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0]
    assert told[0] == told[1]
    assert len(set(told[0])) == 3
    assert all(registry.versions(f"{topic}-{at}") == [1, 2, 3] for at in range(10))


def test_a_guid_is_told_where_there_is_one(registry: Server, front: Front, topic: str) -> None:
    """Broken: a header would name a schema that nobody finds, or a job would end in a trace."""
    made = settle(ask(registry.url), options(register=True), topic, ONE)
    assert made.guid is None
    front.give_guids()
    found = settle(ask(front.url), options(), topic, ONE)
    assert found == replace(made, guid=found.guid)
    theirs = SchemaRegistryClient({"url": front.url}).get_schema_by_guid(found.guid)  # as their deserializers do
    assert theirs.schema_str == ONE.text
    front.change(lambda asked, body: {**body, "guid": None} if asked.method == "POST" else body)
    assert settle(ask(front.url), options(), topic, ONE).guid == found.guid
