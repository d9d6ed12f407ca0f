"""Which id a schema's records are sent with: found, or registered where that is asked for, and proven. Pure flow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from replay.errors import StateConflict
from replay.record.formats.base import Schema
from replay.registry.canonical import same
from replay.registry.client import Registered, Stored, incompatible
from replay.registry.options import RegistryOptions


class Asks(Protocol):
    """The registry (see `client.Registry`)."""

    def find(self, subject: str, schema: Schema) -> Registered | None: ...
    def text_of(self, schema_id: int, subject: str | None = None) -> Stored: ...
    def check_compatible(self, subject: str, schema: Schema) -> tuple[str, ...]: ...
    def register(self, subject: str, schema: Schema) -> Registered: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """What a registry has to say of a schema: it is registered; or it could be, unless there are reasons against it."""

    registered: Registered | None
    reasons: tuple[str, ...] = ()


def standing(registry: Asks, subject: str, schema: Schema) -> Standing:
    """Changes nothing."""
    if (found := registry.find(subject, schema)) is not None:
        return Standing(found)
    return Standing(None, registry.check_compatible(subject, schema))


def check(registry: Asks, options: RegistryOptions, subject: str, schema: Schema) -> Registered | None:
    """What `settle` gives or raises, before anything is registered; None: it would be."""
    found = standing(registry, subject, schema)
    if found.registered is not None:
        return prove(registry, found.registered, schema)
    if found.reasons or not options.register:
        raise _missing(subject, found.reasons)
    return None


def settle(registry: Asks, options: RegistryOptions, subject: str, schema: Schema) -> Registered:
    """The schema as it is registered under the subject, and proof that its id stands for it.

    Raises `StateConflict` where it is not registered and may not or cannot be, or where another schema has its id.
    """
    found = registry.find(subject, schema)
    if found is None and options.register:
        found = registry.register(subject, schema)  # it is the registry that asks whether it is compatible
    if found is None:
        raise _missing(subject, registry.check_compatible(subject, schema))
    return prove(registry, found, schema)


def prove(registry: Asks, found: Registered, schema: Schema) -> Registered:
    """What was found, with its GUID where the registry has one. Raises `StateConflict` where readers would find another
    schema under that id: after a registry was restored from an old backup, say, or behind a cache."""
    stored = registry.text_of(found.id, found.subject)
    if not same(stored.schema, schema):
        again = registry.find(found.subject, stored.schema)  # it may take for one what is two to us
        if again is None or again.id != found.id:
            raise StateConflict(
                f"the registry says that this schema has id {found.id}, but has another one under that id",
                where=found.subject,
                todo="have the registry put right (ids may have been given again after a restore); nothing was sent",
            )
    return found if found.guid else replace(found, guid=stored.guid)


def _missing(subject: str, reasons: tuple[str, ...]) -> StateConflict:
    if reasons:
        return incompatible(subject, reasons)
    return StateConflict(
        "the schema is not registered (it is compatible with what is)",
        where=subject,
        todo="register it with --schema-register; or have it registered by who may (replay schema prints it);"
        " nothing was sent",
    )
