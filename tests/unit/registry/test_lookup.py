"""Found, or compatible, or registered; and always proven."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from replay.errors import StateConflict
from replay.record.formats.base import Schema
from replay.registry.client import Registered, Stored
from replay.registry.lookup import Standing, settle, standing
from replay.registry.options import RegistryOptions
from tests.support.schemas import avro

ONE, OTHER = avro(a="string"), avro(b="string")
GUID = "6f0c7a5e-0b0e-4f5e-8d6f-0123456789ab"


@dataclass
class FakeRegistry:
    """What it has: text to id. `stands` is what it says stands under an id."""

    has: dict[str, int] = field(default_factory=dict)
    stands: dict[int, Schema] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list)
    guid: str | None = None

    def find(self, subject: str, schema: Schema) -> Registered | None:
        self.asked.append("find")
        found = self.has.get(schema.text)
        return None if found is None else Registered(found, 1, None, subject)

    def text_of(self, schema_id: int, subject: str | None = None) -> Stored:
        assert subject == "s"
        self.asked.append("text_of")
        return Stored(self.stands[schema_id], self.guid)

    def check_compatible(self, subject: str, schema: Schema) -> tuple[str, ...]:
        del subject, schema
        self.asked.append("check_compatible")
        return self.reasons

    def register(self, subject: str, schema: Schema) -> Registered:
        self.asked.append("register")
        self.has[schema.text] = 7
        self.stands[7] = schema
        return Registered(7, 1, None, subject)


def of(register: bool) -> RegistryOptions:
    return RegistryOptions(register=register)


@pytest.mark.parametrize("register", [False, True])
def test_what_is_registered_is_taken_and_nothing_is_written(register):
    """Broken: a job that may register would write each night, or one that may not would fail."""
    fake = FakeRegistry({ONE.text: 3}, {3: ONE})
    assert settle(fake, of(register), "s", ONE).id == 3
    assert fake.asked == ["find", "text_of"]


def test_what_is_missing_is_registered_where_that_is_asked_for():
    """Broken: --schema-register would do nothing, or what it made would not be proven."""
    fake = FakeRegistry(reasons=("never asked for: the registry itself refuses",))
    assert settle(fake, of(True), "s", ONE).id == 7
    assert fake.asked == ["find", "register", "text_of"]


def test_what_is_missing_is_an_error_that_tells_whether_it_would_fit():
    """Broken: the operator would not know whether registering it would help."""
    fake = FakeRegistry()
    with pytest.raises(
        StateConflict, match=r"not registered .it is compatible.*\n.*--schema-register.*nothing was sent"
    ):
        settle(fake, of(False), "s", ONE)
    fake.reasons = ("b has no default", "c is gone")
    with pytest.raises(StateConflict, match=r"not compatible .*b has no default; c is gone\n.*nothing was sent"):
        settle(fake, of(False), "s", ONE)
    assert "register" not in fake.asked


def test_looking_changes_nothing():
    """Broken: a plan would register a schema."""
    fake = FakeRegistry(reasons=("no",))
    assert standing(fake, "s", ONE) == Standing(None, ("no",))
    fake.has[ONE.text] = 3
    assert standing(fake, "s", ONE) == Standing(Registered(3, 1, None, "s"))
    assert set(fake.asked) == {"find", "check_compatible"}


@pytest.mark.parametrize("has_other", [{}, {OTHER.text: 4}], ids=["unknown", "under another id"])
def test_another_schema_under_the_id_is_refused(has_other):
    """Broken: readers would take the records for another schema's."""
    fake = FakeRegistry({ONE.text: 3, **has_other}, {3: OTHER})
    with pytest.raises(StateConflict, match="id 3, but has another one"):
        settle(fake, of(True), "s", ONE)
    assert "register" not in fake.asked


def test_what_the_registry_takes_for_one_is_one():
    """Broken: a normal form of a registry that we do not know would stop every night."""
    fake = FakeRegistry({ONE.text: 3, OTHER.text: 3}, {3: OTHER})
    assert settle(fake, of(False), "s", ONE).id == 3


def test_a_guid_is_taken_from_where_it_is():
    """Broken: a registry that tells it only with the text would count as one without."""
    fake = FakeRegistry({ONE.text: 3}, {3: ONE}, guid=GUID)
    assert settle(fake, of(False), "s", ONE).guid == GUID
