"""A given JSON Schema: read, checked and compiled, with the schemas that it refers to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urldefrag, urljoin

from replay.errors import UsageError, install_extra
from replay.record.formats.base import Schema
from replay.record.formats.json_schema_types import Node
from replay.record.formats.json_values import exact_number

DRAFT_7 = "http://json-schema.org/draft-07/schema#"
DRAFT_4 = 4
DRAFT_2019 = 19
"""2019-09, the first draft in which what stands beside a `$ref` counts, and `unevaluatedProperties` is known."""
_BASE = "http://schema.invalid/"
"""Where a schema without an `$id` is, and what it refers to by a relative name (RFC 2606: nothing else ever is)."""
_DRAFTS = re.compile(r"https?://json-schema\.org/(draft-0[467]|draft/2019-09|draft/2020-12)/schema#?")
_MISSING = re.compile(r"Resource '([^']*)' is not present")
_TODO = "correct the schema; drafts 4, 6, 7, 2019-09 and 2020-12 are understood"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a schema: where it is, as a validator finds it, what it is, and its draft (4, 6, 7, 19, 20)."""

    uri: str
    content: Node
    draft: int

    def child(self, *keys: str | int) -> Part:
        content: Any = self.content
        for key in keys:
            content = content[key]
        steps = (quote(str(key).replace("~", "~0").replace("/", "~1"), safe="~") for key in keys)
        return Part("/".join([self.uri, *steps]), content, self.draft)

    @property
    def is_renamed(self) -> bool:
        """Whether it goes by another name than the document that it is in: places in it begin elsewhere."""
        document, own = urldefrag(self.uri)[0], _own_id(self.content, self.draft)
        return own is not None and urldefrag(urljoin(document, own))[0] != document


class Document:
    """Raises `UsageError` for what is no schema, or refers to what is not there."""

    def __init__(self, schema: Schema) -> None:
        self._library = library = _library()
        content = _with_draft(loads(schema.text))
        own = _own_id(content, DRAFT_4 if "draft-04" in str(content["$schema"]) else DRAFT_2019)
        uri = urldefrag(urljoin(_BASE, own or "given"))[0]
        others = {urldefrag(urljoin(uri, each.name))[0]: _with_draft(loads(each.text)) for each in schema.references}
        known = {uri: content, **others}
        try:
            for each in known.values():
                library.meta.validate(each)
            self._draft: Any = library.validator_cls_for(content)
            self._registry: Any = library.Registry(known.items(), retriever=_nowhere)
            found = self._registry.resolver(uri).lookup("#")
            self.root = Part(f"{uri}#", found.contents, found.draft)
            self.validator([self.root])
        except (library.ValidationError, library.ReferencingError, ValueError) as error:
            raise UsageError(f"this is no schema: {_told(error)}", where="--schema", todo=_TODO) from None
        self.texts = [schema.text, *(each.text for each in schema.references)]

    def validator(self, parts: Iterable[Part]) -> Any:
        """Of lists: `is_valid([VALUE…])` says whether all parts take every value in it."""
        return self._compiled({"items": {"allOf": [{"$ref": part.uri} for part in parts]}})

    def errors(self, record: dict[str, Any]) -> list[Any]:
        """What the schema has against a record: `kind`, `message` and paths, as the library has them."""
        return list(self._compiled({"$ref": self.root.uri}).iter_errors(record))

    def matches(self, pattern: str, name: str) -> bool:
        """Whether `patternProperties` has this field under this pattern."""
        return not self._draft({"patternProperties": {pattern: {"not": {}}}}).is_valid({name: None})

    def referent(self, part: Part) -> Part | None:
        """What the `$ref` of a part refers to; None where that is by a name and not by a place, or beside one."""
        content: Any = part.content
        uri, fragment = urldefrag(content["$ref"])
        uri = urljoin(urldefrag(part.uri)[0], uri) if uri else urldefrag(part.uri)[0]
        if part.is_renamed or (fragment and not fragment.startswith("/")):
            return None
        try:
            found = self._registry.resolver(uri).lookup(f"#{fragment}")
        except self._library.ReferencingError:  # the validator finds it by other rules than ours
            return None
        target = Part(f"{uri}#{fragment}", found.contents, found.draft)
        return None if target.is_renamed or found.resolver.base_uri != uri else target

    def followed(self, part: Part) -> Part:
        """What a part that is nothing but a reference refers to."""
        seen: set[str] = set()
        while isinstance(part.content, dict) and "$ref" in part.content and part.uri not in seen:
            seen.add(part.uri)
            target = self.referent(part)
            if target is None or (part.draft >= DRAFT_2019 and len(part.content) > 1):
                break
            part = target
        return part

    def _compiled(self, schema: dict[str, Any]) -> Any:
        return self._draft(schema, registry=self._registry, offline=True, mask="the record")


def loads(text: str) -> Any:
    """Strict JSON; numbers with more digits than a double keeps have all of them. Raises `UsageError`."""
    try:
        return json.loads(text, parse_float=_number, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the schema is not JSON: {error}", where="--schema", todo=_TODO) from None


def _number(text: str) -> float | Decimal:
    exact = exact_number(text)
    return number if Decimal(repr(number := float(text))) == exact else exact


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _with_draft(content: Any) -> dict[str, Any]:
    """A schema that does not name its draft is of draft-07: so registries read it (Confluent's `JsonSchema`)."""
    if isinstance(content, bool):
        return {"$schema": DRAFT_7, "allOf": [content]}
    if not isinstance(content, dict):
        raise UsageError("a JSON Schema is an object", where="--schema", todo=_TODO)
    draft = content.get("$schema", DRAFT_7)
    if not isinstance(draft, str) or not _DRAFTS.fullmatch(draft):
        raise UsageError(f"the schema is of an unknown draft, {draft!r}", where="--schema", todo=_TODO)
    return {"$schema": DRAFT_7, **content}


def _own_id(content: Any, draft: int) -> str | None:
    """What a schema calls itself; a mere anchor is no such name."""
    own = content.get("id" if draft == DRAFT_4 else "$id") if isinstance(content, dict) else None
    return own if isinstance(own, str) and not own.startswith("#") else None


def _told(error: Any) -> str:
    """The first line of what the library says, and which place of the schema that is about."""
    path = "/".join(map(str, getattr(error, "instance_path", ())))
    message = getattr(error, "message", str(error)).partition("\n")[0]
    if missing := _MISSING.search(message):
        return f"it refers to {missing[1].removeprefix(_BASE)!r}, which is not among its references"
    return f"at #/{path}: {message}" if path else message


def _nowhere(uri: str) -> Any:
    raise LookupError(uri)


def _library() -> Any:
    try:
        import jsonschema_rs  # noqa: PLC0415 - an extra
    except ImportError:
        what = "JSON Schema needs jsonschema-rs, which is not installed"
        raise UsageError(what, where="--format json-schema", todo=install_extra("json-schema")) from None
    return jsonschema_rs
