"""Another judge of records under a JSON Schema: the package `jsonschema`, record by record, numbers by their digits."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from jsonschema import FormatChecker, ValidationError, validators
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7


def loads(text: str | bytes) -> Any:
    """Numbers as they are written."""
    return json.loads(text, parse_float=Decimal)


def judge(schema: str, references: Mapping[str, str] | None = None) -> Callable[[bytes], bool]:
    """Whether a payload is right under the schema. Without a draft it is of draft-07."""
    content = loads(schema)
    named = {
        name: Resource.from_contents(loads(text), default_specification=DRAFT7)
        for name, text in (references or {}).items()
    }
    base = validators.validator_for(content, default=validators.Draft7Validator)
    base.check_schema(json.loads(schema))
    old = base in (validators.Draft4Validator, validators.Draft6Validator, validators.Draft7Validator)
    is_old_integer = base is validators.Draft4Validator
    checker = base.TYPE_CHECKER.redefine("integer", lambda _, value: _is_integer(value, is_old_integer))
    own = validators.extend(base, {"multipleOf": _multiple_of}, type_checker=checker)
    registry: Any = Registry().with_resources(named.items())
    judging = own(content, registry=registry, format_checker=FormatChecker() if old else None)
    return lambda payload: bool(judging.is_valid(loads(payload)))


def _is_integer(value: Any, written: bool) -> bool:
    """Draft 4 goes by how a number is written, later ones by what it is."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return False
    return isinstance(value, int) or (not written and value == value.to_integral_value())


def _multiple_of(validator: Any, factor: Any, value: Any, _schema: Any) -> Any:
    if validator.is_type(value, "number") and Fraction(value) % Fraction(factor):
        yield ValidationError(f"{value} is not a multiple of {factor}")
