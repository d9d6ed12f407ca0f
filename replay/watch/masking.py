"""What may be shown of a configuration. A secret is recognized by the name of what holds it. Pure.

In doubt a value is hidden: a path to a key is masked as well.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from replay.secrets import MASK

_WORDS = (
    "password|passwd|passphrase|secret|token|key|credential|private|jaas|oauthbearer.config|signature|\\.pem"
    "|user\\.info"  # user and password of a schema registry
)
_SECRET_NAME = re.compile(_WORDS, re.IGNORECASE)
_NOT_SECRET = frozenset(
    {
        "key", "key_format", "key_column",
        "cert_key", "cert_key_password_file", "password_file",
        "oauth_token_url", "oauth_token_file", "oauth_client_secret_file",
    }
)  # fmt: skip
"""Options about the record's key, and paths of files that hold secrets."""

_HEADER, _NOTIFY = "header", "notify"
_IS_MASKED = re.compile(rf"[^=]*={re.escape(MASK)}(?:, [^=]*={re.escape(MASK)})*")
_SECRET_FILE = re.compile(r"_file$|^cert_key$")
_IS_PATH = re.compile(r"\.(?:location|file)$", re.IGNORECASE | re.ASCII)

_ASSIGNMENT = re.compile(r"\s*(?P<name>[\w.-]+)\s*=(?!=)", re.ASCII)
_USER = re.compile(r"(?<=://)(?:[^/\s:]*:(?:(?!,\w+://)\S)*|[^/\s]*)@")
"""User and password of a URI, up to the last @: a password may hold slashes and the like that should have been %XX."""

_PARAMETER = re.compile(rf"([\w.-]{{0,64}}(?:{_WORDS}|sig)[\w.-]{{0,64}}=)([^&\s'\"]+)", re.IGNORECASE | re.ASCII)
"""Bounded, or the time that it takes would grow with the square of the text's length."""


def is_secret(name: str) -> bool:
    """Whether the value under this name is never shown."""
    return _plain(name) not in _NOT_SECRET and _SECRET_NAME.search(name) is not None


def masked(name: str, value: object, *, secret: bool = False) -> str:
    """The value as text, without secrets. `secret`: it came by reference, so that the whole value is a secret.

    Of `--header` the names are shown, of `--notify` the host of a webhook or the first word of a command.
    """
    if value is None:
        return ""
    if secret or is_secret(name):
        return MASK
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={masked(str(key), each)}" for key, each in value.items())
    without_secrets = {_HEADER: _header, _NOTIFY: notified}.get(_plain(name), _without_secrets)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(without_secrets(str(each)) for each in value)
    return without_secrets(str(value))


def notified(text: str) -> str:
    """What may be shown of `--notify`: the path of a webhook is a key to it, and a command has its arguments."""
    if re.match(r"\w+://", text):
        try:
            parts = urlsplit(text)
            return f"{parts.scheme}://{parts.hostname or ''}/…"
        except ValueError:
            return MASK
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    return f"{words[0]} …" if len(words) > 1 else text


def secrets_in(name: str, value: object) -> Iterator[str]:
    """What `masked` takes out, for whoever looks for the same values elsewhere (`replay/secrets.py`). Headers are not
    among them: theirs are ordinary words. Nor are paths: an error says which file is missing."""
    if value is None or isinstance(value, bool) or _plain(name) == _HEADER:
        return
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from secrets_in(str(key), each)
        return
    for each in [str(value)] if isinstance(value, str) or not isinstance(value, Sequence) else map(str, value):
        yield from _secrets_of_text(name, each)


def secret_paths_in(name: str, value: object) -> Iterator[str]:
    """Files of secrets that an option, or a setting in it, names."""
    if not value:
        return
    if _plain(name) in _NOT_SECRET and _SECRET_FILE.search(_plain(name)):
        yield str(value)
    for text in value if isinstance(value, list) else ():
        setting, sign, path = str(text).partition("=")
        if sign and is_secret(setting.strip()) and _IS_PATH.search(setting.strip()):
            yield path.strip()


def _secrets_of_text(name: str, text: str) -> Iterator[str]:
    assignment = _ASSIGNMENT.match(text)
    if assignment is not None and not is_secret(name):
        name, text = assignment["name"], text[assignment.end() :].strip()
    if is_secret(name):
        if not _IS_PATH.search(name):
            yield text
        if name.endswith("user.info"):
            yield text.partition(":")[2]
        if name.endswith("oauthbearer.config"):  # librdkafka repeats what it cannot read to the end, or one value
            words = text.split(" ")
            yield from (" ".join(words[at:]) for at in range(1, len(words)))
            yield from (word.partition("=")[2] for word in words if word.startswith("extension_"))
        return
    if _plain(name) == _NOTIFY and (url := re.match(r"\w+://[^/?#]*(.*)", text, re.DOTALL)):
        yield url[1]
        yield url[1].rpartition("/")[2]
    for found in _USER.finditer(text[: text.rfind("@") + 1]):
        yield found[0][:-1].partition(":")[2]
    for found in _PARAMETER.finditer(text):
        yield found[2]


def _plain(name: str) -> str:
    return name.lstrip("-").replace("-", "_")


def _header(text: str) -> str:
    if _IS_MASKED.fullmatch(text):
        return text
    name, sign, _ = text.partition("=")
    return f"{name}={MASK}" if sign else MASK


def _without_secrets(text: str) -> str:
    """Without what is assigned to a secret name (`-X sasl.password=…`), and without user and password of a URI."""
    assignment = _ASSIGNMENT.match(text)
    if assignment is not None and is_secret(assignment["name"]):
        return assignment[0] + MASK
    upto, at, rest = text.rpartition("@")  # a text without one has no user, however many addresses are in it
    return _PARAMETER.sub(rf"\1{MASK}", _USER.sub(f"{MASK}@", upto + at) + rest)
