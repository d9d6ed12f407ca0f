"""Secrets of this process: what hides them in texts, and arguments that no list of processes shows.

Whoever shows a configuration masks it by its names (`watch/masking.py`). What libraries and services say has no names:
an error may repeat a password, and so may a line of librdkafka's debug output. So the values are remembered here, and
whoever writes a line hides them. It is the second lock, not the first.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote, unquote

MASK = "***"

LENGTH_MIN = 6
"""Characters. A shorter value is no secret that can be kept: hidden, it would take words out of every line, and those
who see where would know it."""

ARGUMENTS, ON_STDIN = "REPLAY__ARGUMENTS", "stdin"
"""The variable, and its value, by which a child process is told to read its arguments from standard input, as JSON."""

_BASE64 = re.compile(r"[\w+/-]{8,}={0,2}", re.ASCII)

_known: dict[str, None] = {}


class HiddenArgument(str):
    """An argument of a command. `shown` is what a list of processes may say in its place."""

    __slots__ = ("shown",)
    shown: str

    @classmethod
    def of(cls, text: str, shown: str) -> str:
        """The text itself, where all of it may be shown."""
        if text == shown:
            return text
        made = cls(text)
        made.shown = shown
        return made


def shown_arguments(arguments: Sequence[str]) -> list[str]:
    """As a list of processes may show them."""
    return [each.shown if isinstance(each, HiddenArgument) else each for each in arguments]


def remember(values: Iterable[str]) -> None:
    """From now on `hidden` hides these. Of a text of many lines (a key) each line by itself, too."""
    for value in values:
        for part in (value, *value.splitlines()):
            if len(part.strip()) >= LENGTH_MIN and not part.startswith("-----"):
                _known.update(dict.fromkeys(_forms(part.strip())))


def hidden(text: str) -> str:
    """The text without any secret that is remembered, as it is or inside Base64 (RFC 7617: HTTP's Basic)."""
    for secret in sorted(_known, key=len, reverse=True):  # one may be a part of another
        if secret in text:
            text = text.replace(secret, MASK)
    return _BASE64.sub(_without_secret, text) if _known else text


def _without_secret(found: re.Match[str]) -> str:
    text = found[0].rstrip("=").replace("-", "+").replace("_", "/")
    try:
        inside = base64.b64decode(text + "=" * (-len(text) % 4)).decode(errors="replace")
    except ValueError:
        return found[0]
    return MASK if any(secret in inside for secret in _known) else found[0]


def _forms(value: str) -> set[str]:
    """As written, as meant, in a URL, in JSON."""
    forms = {value, unquote(value), quote(value), quote(value, ""), json.dumps(value)[1:-1]}
    return {form for form in forms if len(form) >= LENGTH_MIN}
