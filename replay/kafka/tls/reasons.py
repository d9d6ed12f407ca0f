"""Why OpenSSL refuses a certificate, and what a peer's alert says: numbers and names to words. Pure.

Of the broker's and of the registry's connections alike.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from enum import Enum, auto


class Why(Enum):
    """Why the certificate of a peer is refused."""

    SELF_SIGNED = auto()
    UNTRUSTED = auto()
    OTHER_KEY = auto()  # its issuer is known by name, but has signed with another key
    EXPIRED = auto()
    NOT_YET_VALID = auto()
    OTHER_NAME = auto()
    REVOKED = auto()
    NO_REVOCATION_LIST = auto()
    WEAK = auto()
    OTHER = auto()


_WHY = {  # X509_V_ERR_… of OpenSSL's x509_vfy.h
    18: Why.SELF_SIGNED,
    **dict.fromkeys((2, 19, 20, 21), Why.UNTRUSTED),
    7: Why.OTHER_KEY,
    10: Why.EXPIRED,
    9: Why.NOT_YET_VALID,
    **dict.fromkeys((62, 64), Why.OTHER_NAME),
    23: Why.REVOKED,
    **dict.fromkeys((3, 8, 11, 12), Why.NO_REVOCATION_LIST),
    **dict.fromkeys((66, 67, 68), Why.WEAK),
}


def why(error: ssl.SSLCertVerificationError) -> Why:
    return _WHY.get(error.verify_code, Why.OTHER)


def is_alert(error: ssl.SSLError) -> bool:
    """Whether the peer said why it ends the connection (RFC 8446, 6)."""
    return "ALERT" in (error.reason or "")


def is_about_our_certificate(error: ssl.SSLError) -> bool:
    """Whether the alert says that a certificate of ours is missing or refused."""
    reason = error.reason or ""
    return is_alert(error) and any(word in reason for word in ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED"))


def has_no_overlap(error: ssl.SSLError) -> bool:
    """Whether the two sides have no version of TLS, or no cipher, in common."""
    reason = error.reason or ""
    words = ("HANDSHAKE_FAILURE", "PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "INSUFFICIENT_SECURITY", "NO_CIPHERS")
    return any(word in reason for word in words)


def is_other_protocol(error: ssl.SSLError) -> bool:
    """Whether what came back is no TLS at all."""
    words = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")
    return error.reason in words


def spoken(error: ssl.SSLError) -> str:
    """The reason as people say it: `bad certificate`, of SSLV3_ALERT_BAD_CERTIFICATE."""
    reason = error.reason or ""
    return (reason.partition("ALERT_")[2] or reason).replace("_", " ").lower() or str(error)


@dataclass(slots=True)
class Wanted:
    """What a broker says of client certificates while hands are shaken: whether it wants one (or would take one), and
    the names (DER) of the authorities whose it takes. Nothing where that could not be heard."""

    asked: bool = False
    authorities: list[bytes] = field(default_factory=list)


def accepted_authorities(message: bytes, is_tls_1_3: bool) -> list[bytes]:
    """The names (DER) in a CertificateRequest: RFC 5246, 7.4.4; RFC 8446, 4.3.2 and 4.2.4. Empty where it has none."""
    at = 4  # behind type and length
    try:
        if not is_tls_1_3:
            at += 1 + message[at]  # types of certificates
            at += 2 + int.from_bytes(message[at : at + 2])  # signature algorithms
            return _vectors(message[at + 2 : at + 2 + int.from_bytes(message[at : at + 2])])
        at += 1 + message[at]  # context
        at += 2
        while at + 4 <= len(message):
            kind, size = int.from_bytes(message[at : at + 2]), int.from_bytes(message[at + 2 : at + 4])
            if kind == 47:  # certificate_authorities
                return _vectors(message[at + 6 : at + 4 + size])
            at += 4 + size
    except IndexError:
        pass
    return []


def _vectors(data: bytes) -> list[bytes]:
    """Of a row of names, each behind its length in two bytes."""
    found, at = [], 0
    while at + 2 <= len(data):
        size = int.from_bytes(data[at : at + 2])
        found.append(data[at + 2 : at + 2 + size])
        at += 2 + size
    return found
