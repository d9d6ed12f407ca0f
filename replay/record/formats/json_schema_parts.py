"""A JSON Schema taken apart by the fields of a record. Pure.

Every record has the same fields. So what a schema asks of the names of fields (`required`, `propertyNames`, …) is
answered once. Most of the rest looks at one field at a time, through any number of `allOf` and `$ref`, and is asked of
each value. What is left are keywords that look at several fields together: they need whole rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from replay.record.formats.json_schema_document import DRAFT_2019, Document, Part

_TOGETHER = {"anyOf", "oneOf", "not", "if", "enum", "const", "dependentSchemas", "$dynamicRef", "$recursiveRef"}
_DYNAMIC = {"$dynamicRef", "$recursiveRef"}
"""What they mean depends on all that stands around them: no part can be looked at by itself."""
_REST = "unevaluatedProperties"


@dataclass(slots=True)
class Parts:
    """What of a schema looks at each field alone, and which of its keywords look at several."""

    of_field: dict[str, list[Part]] = field(default_factory=dict)
    row_keywords: set[str] = field(default_factory=set)

    def add(self, other: Parts) -> None:
        self.row_keywords |= other.row_keywords
        for name, parts in other.of_field.items():
            self.of_field.setdefault(name, []).extend(parts)


def parts_for(names: Sequence[str], document: Document) -> Parts:
    """For a record of these fields."""
    if dynamic := {word for word in _DYNAMIC if any(f'"{word}"' in text for text in document.texts)}:
        return Parts(row_keywords=dynamic)
    return _Taking(document, names).apart(document.root, frozenset())


@dataclass(frozen=True, slots=True)
class _Taking:
    document: Document
    names: Sequence[str]

    def apart(self, part: Part, above: frozenset[str]) -> Parts:
        """One that is within itself (`above`) adds nothing; nor does False, which takes no record at all."""
        content = part.content
        if part.uri in above or not isinstance(content, dict):
            return Parts()
        if part.is_renamed:
            return Parts(row_keywords={"$id"})
        above |= {part.uri}
        found = self._referred(part, above) if "$ref" in content else Parts()
        if "$ref" not in content or part.draft >= DRAFT_2019:
            self._add_own(part, content, found, above)
        return found

    def _add_own(self, part: Part, content: Mapping[str, Any], found: Parts, above: frozenset[str]) -> None:
        found.row_keywords |= _together(content)
        for at in range(len(content.get("allOf", ()))):
            found.add(self.apart(part.child("allOf", at), above))
        found.add(Parts({name: self._named(part, content, name) for name in self.names}))
        if part.draft < DRAFT_2019 or content.get(_REST, True) is True:
            return
        if found.row_keywords:
            found.row_keywords.add(_REST)
        else:  # a field that something has looked at is evaluated, or else it is a misfit by that
            found.add(Parts({name: [part.child(_REST)] for name in self.names if not found.of_field[name]}))

    def _referred(self, part: Part, above: frozenset[str]) -> Parts:
        target = self.document.referent(part)
        return Parts(row_keywords={"$ref"}) if target is None else self.apart(target, above)

    def _named(self, part: Part, content: Mapping[str, Any], name: str) -> list[Part]:
        """What `properties` and its kin have for a field."""
        named = [part.child("properties", name)] if name in content.get("properties", {}) else []
        patterns = (each for each in content.get("patternProperties", {}) if self.document.matches(each, name))
        named += [part.child("patternProperties", pattern) for pattern in patterns]
        if not named and "additionalProperties" in content:
            return [part.child("additionalProperties")]
        return named


def _together(content: Mapping[str, Any]) -> set[str]:
    found = _TOGETHER & content.keys()
    if not {"then", "else"} & content.keys():
        found.discard("if")
    if not all(isinstance(each, list) for each in content.get("dependencies", {}).values()):
        found.add("dependencies")
    return found
