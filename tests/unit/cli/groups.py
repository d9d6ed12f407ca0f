"""Groups of options as a call would be given them."""

from __future__ import annotations

from typing import Any

from replay.cli.given import DEFAULT, Given, Options
from replay.cli.options.declare import declared


def options_of(*groups: Any) -> Options:
    known = [(each, group) for group in groups for each in declared(type(group))]
    return Options({each.field: Given(each, getattr(group, each.field), DEFAULT) for each, group in known})
