"""What a client says to log in with a password: PLAIN (RFC 4616) and SCRAM (RFC 5802, 7677). Pure.

Names and passwords go as they are, in UTF-8: neither Java's client nor librdkafka prepares them otherwise.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping

Say = Callable[[bytes], bytes]
"""Sends one message of the login; gives back what the broker answers."""

SCRAM_HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}


ITERATIONS_MAX = 1_000_000
"""Kafka allows 16,384. Whoever asks for many more keeps this machine busy, and learns no password by it."""


class NotTheBroker(Exception):
    """Whoever answers does not know the password, or speaks otherwise."""


def log_in_plain(user: str, password: str, say: Say) -> None:
    say(f"\0{user}\0{password}".encode())


def log_in_with_token(token: str, extensions: Mapping[str, str], say: Say) -> None:
    """OAUTHBEARER (RFC 7628). What is wrong comes as an answer, and its acknowledgement ends the login (3.2.3)."""
    more = "".join(f"\1{key}={value}" for key, value in extensions.items())
    if say(f"n,,\1auth=Bearer {token}{more}\1\1".encode()):
        say(b"\1")
        raise NotTheBroker("the broker does not take the token")


def log_in_scram(mechanism: str, user: str, password: str, nonce: str, say: Say) -> None:
    """`nonce`: printable text that was never used before. Raises `NotTheBroker` where the broker cannot prove that it
    knows the password."""
    name = SCRAM_HASHES[mechanism]
    first = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={nonce}"
    asked = say(f"n,,{first}".encode())
    said = _attributes(asked)
    salt, iterations = _salt(said, nonce)
    salted = hashlib.pbkdf2_hmac(name, password.encode(), salt, iterations)
    without_proof = f"c=biws,r={said['r']}"
    signed = b",".join((first.encode(), asked, without_proof.encode()))
    client_key = hmac.digest(salted, b"Client Key", name)
    signature = hmac.digest(hashlib.new(name, client_key).digest(), signed, name)
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    proven = _attributes(say(f"{without_proof},p={b64encode(proof).decode()}".encode()))
    wanted = b64encode(hmac.digest(hmac.digest(salted, b"Server Key", name), signed, name)).decode()
    if not hmac.compare_digest(proven.get("v", "").encode(), wanted.encode()):
        raise NotTheBroker("whoever answers does not know the password")


def _salt(said: Mapping[str, str], nonce: str) -> tuple[bytes, int]:
    try:
        salt, iterations = b64decode(said["s"]), int(said["i"])
    except (KeyError, ValueError):
        raise NotTheBroker("the answer to the login is not SCRAM's") from None
    if not said.get("r", "").startswith(nonce) or not 1 <= iterations <= ITERATIONS_MAX:
        raise NotTheBroker("the answer to the login is not SCRAM's")
    return salt, iterations


def _attributes(message: bytes) -> dict[str, str]:
    return dict(part.split("=", 1) for part in message.decode("utf-8", "replace").split(",") if "=" in part)
