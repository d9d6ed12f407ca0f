"""Which schemas a checkpoint says that a replay has, and what becomes of them."""

from __future__ import annotations

from dataclasses import replace

from replay.delivery.schema_ids import anew, as_of, texts
from replay.record.options import (
    GivenSchema,
    KeyFormat,
    Records,
    Reference,
    SchemaId,
    SchemaIds,
    ValueFormat,
)
from replay.source.identity import references_text

AVRO = Records(value_format=ValueFormat.AVRO, key_format=KeyFormat.AVRO)
IDS = SchemaIds(SchemaId(7, "89791762-2336-4186-9674-299b90a802e2"), SchemaId(3))
REFERENCES = (Reference("acme.Side", "side", 2, '"string"'),)


def test_what_a_checkpoint_says_is_read_back():
    """Broken: the second half of a day is written under another schema, or the resume asks a registry that is away."""
    written = texts(replace(AVRO, schema_ids=IDS))
    assert as_of(AVRO, written).schema_ids == IDS
    assert as_of(AVRO, texts(replace(AVRO, schema_ids=SchemaIds()))).schema_ids == SchemaIds()


def test_a_schema_of_a_subject_is_the_one_that_the_replay_began_with():
    """Broken: the registry moves on while a day is half done, and its second half has another schema."""
    began = {"schema": "{}", "schema references": references_text(REFERENCES)}
    subject = replace(AVRO, subject="trades-value")
    assert as_of(subject, began).schema == GivenSchema("{}", "trades-value", REFERENCES)
    own = replace(AVRO, schema=GivenSchema("[]", "trade.avsc"))
    assert as_of(own, began).schema == own.schema, "a file is compared, and not replaced"


def test_ids_that_were_translated_stay():
    """Broken: a dump is half under the ids of one registry, half under those of another."""
    began = {"--translate-schema-ids": "5=17,6=18"}
    assert as_of(Records(translates=True), began).value_ids == ((5, 17), (6, 18))
    assert as_of(Records(value_ids=((5, 1),)), began).value_ids == ((5, 1),), "those of the option are compared"


def test_bare_json_has_no_ids():
    """Broken: checkpoints of before would be another job's."""
    assert texts(Records()) == {}


def test_what_counts_no_more_is_forgotten():
    """Broken: after a run that sent nothing the schema is changed, and is written under the id of the old one."""
    known = replace(AVRO, schema_ids=IDS, subject="trades-value", schema=GivenSchema("{}", "trades-value"))
    assert anew(known) == replace(AVRO, subject="trades-value")
    own = replace(AVRO, schema=GivenSchema("[]", "trade.avsc"), value_ids=((5, 1),))
    assert anew(replace(own, schema_ids=IDS)) == own
    assert anew(Records(translates=True, value_ids=((5, 1),))).value_ids == ()
