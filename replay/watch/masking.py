"""What may be shown of a configuration. A secret is recognized by the name of what holds it. Pure.

In doubt a value is hidden: a path to a key is masked as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

MASK = "***"

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

_ASSIGNMENT = re.compile(r"\s*(?P<name>[\w.-]+)\s*=(?!=)", re.ASCII)
_USER = re.compile(r"(?<=://)(?:[^/\s:]*:(?:(?!,\w+://)\S)*|[^/\s]*)@")
"""User and password of a URI, up to the last @: a password may hold slashes and the like that should have been %XX."""

_PARAMETER = re.compile(rf"([\w.-]*(?:{_WORDS}|sig)[\w.-]*=)[^&\s'\"]+", re.IGNORECASE | re.ASCII)


def is_secret(name: str) -> bool:
    """Whether the value under this name is never shown."""
    return name.lstrip("-").replace("-", "_") not in _NOT_SECRET and _SECRET_NAME.search(name) is not None


def masked(name: str, value: object, *, secret: bool = False) -> str:
    """The value as text, without secrets. `secret`: it came by reference, so that the whole value is a secret."""
    if value is None:
        return ""
    if secret or is_secret(name):
        return MASK
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={masked(str(key), each)}" for key, each in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_without_secrets(str(each)) for each in value)
    return _without_secrets(str(value))


def _without_secrets(text: str) -> str:
    """Without what is assigned to a secret name (`-X sasl.password=…`), and without user and password of a URI."""
    assignment = _ASSIGNMENT.match(text)
    if assignment is not None and is_secret(assignment["name"]):
        return assignment[0] + MASK
    return _PARAMETER.sub(rf"\1{MASK}", _USER.sub(f"{MASK}@", text))
