"""What is asked of the schema registry, through Confluent's API: one URL after the other, again until the deadline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, cast

from replay.errors import RegistryUnavailable, StateConflict, UsageError, install_extra
from replay.kafka.patience import NotYet, Patience, Service
from replay.kafka.trouble import Trouble
from replay.model import Clock
from replay.record.formats.base import Reference, Schema
from replay.registry.faults import Refusal
from replay.registry.options import RegistryOptions
from replay.registry.settings import path_of, places
from replay.reporter import Reporter

AVRO = "AVRO"


@dataclass(frozen=True, slots=True)
class Registered:
    """A schema as the registry has it. `guid`: registries that have none give none."""

    id: int
    version: int | None
    guid: str | None
    subject: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What stands under an id. The schema is not parsed: it has no name."""

    schema: Schema
    guid: str | None = None


class Asked(Protocol):
    """One address of the registry (see `address.py`)."""

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None, check_stop: Callable[[], None]
    ) -> Mapping[str, Any] | str | UsageError:
        """The answer, or why it may come later, or why it never will. Raises `Refusal`."""


class Registry:
    """All methods raise `RegistryUnavailable` past the deadline, and `UsageError` where waiting would not help."""

    def __init__(self, addresses: Sequence[Asked], patience: Patience, check_stop: Callable[[], None]) -> None:
        self._addresses, self._patience, self._check_stop = addresses, patience, check_stop

    def answers(self, subject: str) -> None:
        """Returns once it does, whatever it says of the subject."""
        with suppress(Refusal):
            self._ask("look whether it is there", "GET", f"subjects/{path_of(subject)}/versions/latest")

    def find(self, subject: str, schema: Schema) -> Registered | None:
        """What the schema is registered as under this subject. First the very text is asked for, then what it is once
        the registry has normalized it: a schema that was registered as it was need not have the normal form."""
        for normalized in ("false", "true"):
            try:
                answer = self._ask(
                    f"look up the schema of {subject}",
                    "POST",
                    f"subjects/{path_of(subject)}?normalize={normalized}",
                    _body(schema),
                )
            except Refusal as refusal:
                if refusal.there_is_none:
                    continue
                raise _invalid(subject, refusal) from None
            return _registered(answer, subject)
        return None

    def fetch(self, subject: str, version: int | None = None) -> tuple[Schema, Registered]:
        """That version under the subject, or the newest one, with what it refers to. Raises `StateConflict` where there
        is none."""
        answer = self._version(subject, version)
        return self._schema(answer), _registered(answer, subject)

    def text_of(self, schema_id: int, subject: str | None = None) -> Stored:
        """What stands under this id, asked anew each time. A registry of several parts has ids of its own in each, and
        the subject says which. Raises `StateConflict` where nothing does."""
        path = f"schemas/ids/{schema_id}" + (f"?subject={path_of(subject)}" if subject else "")
        try:
            answer = self._ask(f"read schema {schema_id}", "GET", path)
        except Refusal as refusal:
            raise StateConflict(
                f"there is no schema with id {schema_id}: {refusal.words}",
                where=f"schema {schema_id}",
                todo="check that --registry is the registry in which it was registered",
            ) from None
        return Stored(self._schema(answer), answer.get("guid"))

    def check_compatible(self, subject: str, schema: Schema) -> tuple[str, ...]:
        """Why the schema could not be registered after those that are there; empty: it could. Under a new subject it
        always can."""
        path = f"compatibility/subjects/{path_of(subject)}/versions?verbose=true"
        try:
            answer = self._ask(f"ask whether the schema of {subject} is compatible", "POST", path, _body(schema))
        except Refusal as refusal:
            if refusal.there_is_none:
                return ()
            if refusal.status == 409:
                return (refusal.words,)
            raise _invalid(subject, refusal) from None
        if answer.get("is_compatible", False):
            return ()
        reasons = tuple(str(each) for each in answer.get("messages") or ())
        return reasons or (f"the registry gives no reason{self._level(subject)}",)

    def register(self, subject: str, schema: Schema) -> Registered:
        """Registers it, or finds it registered. Raises `StateConflict` where it is not compatible."""
        path = f"subjects/{path_of(subject)}/versions"
        try:
            answer = self._ask(f"register the schema of {subject}", "POST", path, _body(schema))
        except Refusal as refusal:
            if found := self.find(subject, schema):
                return found  # another job was faster
            if refusal.status == 409:
                raise incompatible(subject, (refusal.words,)) from None
            raise _invalid(subject, refusal) from None
        made = _registered(answer, subject)
        found = self.find(subject, schema)
        return found if found is not None and found.id == made.id else made

    def _level(self, subject: str) -> str:
        """What the registry demands of schemas under the subject, in words."""
        try:
            answer = self._ask("ask for the rule", "GET", f"config/{path_of(subject)}?defaultToGlobal=true")
        except (Refusal, UsageError):  # who may ask about schemas need not see the rules
            return ""
        level = answer.get("compatibilityLevel")
        return f"; its rule for {subject} is {level}" if level else ""

    def _version(self, subject: str, version: int | None) -> Mapping[str, Any]:
        wanted = "latest" if version is None else str(version)
        try:
            return self._ask(
                f"read the schema {subject}:{wanted}", "GET", f"subjects/{path_of(subject)}/versions/{wanted}"
            )
        except Refusal as refusal:
            raise StateConflict(
                f"there is no schema {subject}:{wanted}: {refusal.words}",
                where=subject,
                todo="check subject and version, and that --registry is the right one",
            ) from None

    def _schema(self, answer: Mapping[str, Any]) -> Schema:
        references: dict[tuple[str, int], Reference] = {}
        self._collect(answer, references, direct=True)
        return Schema(answer.get("schemaType") or AVRO, answer["schema"], "", references=tuple(references.values()))

    def _collect(self, answer: Mapping[str, Any], found: dict[tuple[str, int], Reference], *, direct: bool) -> None:
        """What a schema refers to, each behind what it refers to itself."""
        for each in answer.get("references") or ():
            key = (each["subject"], each["version"])
            if key in found and not (direct and not found[key].direct):
                continue
            text = self._version(*key)
            self._collect(text, found, direct=False)
            found[key] = Reference(each["name"], *key, text["schema"], direct)

    def _ask(self, what: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """What the registry answers. `what` completes "cannot …". Raises `Refusal` where it says no."""

        def attempt() -> Mapping[str, Any] | Refusal | NotYet:
            reasons, refused = [], []
            for address in self._addresses:
                try:
                    answer = address.ask(method, path, body, self._check_stop)
                except Refusal as refusal:
                    return refusal  # an answer, too: it is back
                if isinstance(answer, str):
                    reasons.append(answer)
                elif isinstance(answer, UsageError):
                    refused.append(answer)
                else:
                    return answer
            if reasons:
                return NotYet("; ".join(reasons))
            raise refused[0]

        answer = cast("Mapping[str, Any] | Refusal", self._patience.until(what, attempt))
        if isinstance(answer, Refusal):
            raise answer
        return answer


def connect(
    options: RegistryOptions, timeout_s: float, report: Reporter, clock: Clock, check_stop: Callable[[], None]
) -> Registry:
    """Asks nothing yet. The registry is waited for so long (--broker-timeout). Raises `UsageError` for settings that
    cannot work."""
    chosen = places(options)
    try:
        from replay.registry.address import Address  # noqa: PLC0415 - its packages are an extra
    except ImportError as error:
        raise UsageError(
            f"a schema registry needs packages that are not installed ({error.name})",
            where="--registry",
            todo=install_extra("registry"),
        ) from None
    addresses = [Address.of(place) for place in chosen]
    service = Service("Registry", "schema registry", "--registry", RegistryUnavailable)
    trouble = Trouble(report, clock, who=service.name)
    patience = Patience(clock, timeout_s, check_stop, trouble, service=service)
    return Registry(addresses, patience, check_stop)


def incompatible(subject: str, reasons: Sequence[str]) -> StateConflict:
    return StateConflict(
        f"the schema is not compatible with those registered: {'; '.join(reasons)}",
        where=subject,
        todo="give new fields defaults, name another schema (--schema) or subject, or have the subject's rule changed;"
        " nothing was sent",
    )


def _invalid(subject: str, refusal: Refusal) -> UsageError:
    return UsageError(
        f"the registry refuses the schema (HTTP {refusal.status}): {refusal.words or 'it gives no reason'}",
        where=subject,
        todo="correct the schema, or the setting of the registry that it names",
    )


def _body(schema: Schema) -> dict[str, Any]:
    """As registries take it, and those that know nothing but Avro as well."""
    body: dict[str, Any] = {"schema": schema.text}
    if schema.kind != AVRO:
        body["schemaType"] = schema.kind
    if direct := [each for each in schema.references if each.direct]:
        body["references"] = [{"name": each.name, "subject": each.subject, "version": each.version} for each in direct]
    return body


def _registered(answer: Mapping[str, Any], subject: str) -> Registered:
    return Registered(int(answer["id"]), answer.get("version"), answer.get("guid"), subject)
