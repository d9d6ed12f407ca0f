"""The secrets of a client, read from their files each time that one is made."""

from __future__ import annotations

from pathlib import Path

from replay.errors import UsageError
from replay.kafka.security import Secrets
from replay.secrets import remember

_BYTES_MAX = 64 << 10


def read(secrets: Secrets) -> dict[str, str]:
    """As librdkafka's settings. Raises `UsageError` for a file that holds no secret."""
    made = {}
    if secrets.password_file is not None:
        made["sasl.password"] = secret(secrets.password_file, "--password-file")
    if secrets.key_password_file is not None:
        made["ssl.key.password"] = secret(secrets.key_password_file, "--cert-key-password-file")
    return made


def secret(path: str, option: str) -> str:
    """What the file holds, without the line's end. Raises `UsageError` where that is nothing, or cannot be read."""
    file = Path(path)
    try:
        if file.exists() and not file.is_file():
            raise UsageError(
                f"{path} is no regular file", where=option, todo="name a file: it is read again for new connections"
            )
        with file.open("rb") as stream:
            held = stream.read(_BYTES_MAX + 1)
        text = held.decode().rstrip("\r\n")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        todo = "check the path and its rights"
        raise UsageError(f"{path} cannot be read: {reason}", where=option, todo=todo) from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no text", where=option, todo="write the secret into it, in UTF-8") from None
    if not text or len(held) > _BYTES_MAX or "\n" in text:
        what = "is empty" if not text else "holds more than one line"
        raise UsageError(f"{path} {what}", where=option, todo="write the secret into it, and nothing else")
    remember([text])
    return text
