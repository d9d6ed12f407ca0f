"""What is wrong with a broker's certificate, with ours, or with TLS as such, as errors that say what to do."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

from replay.errors import UsageError
from replay.kafka.listener import Address, address_text
from replay.kafka.tls.certificates import Certificate, from_pem
from replay.kafka.tls.own_certificate import Own, ours_not_now
from replay.kafka.tls.reasons import (
    Wanted,
    Why,
    has_no_overlap,
    is_about_our_certificate,
    is_alert,
    is_other_protocol,
    spoken,
    why,
)
from replay.kafka.tls.settings import CA, CERT, CRL, KEY, OPTIONS, Settings, named_path, system_path

_SHOWN_MAX = 3


def untrusted(
    address: Address, settings: Settings, error: ssl.SSLCertVerificationError, shown: Certificate | None
) -> UsageError:
    reason, now = why(error), datetime.now(UTC)
    whose = (
        f"the broker's certificate ({shown.subject}, issued by {shown.issuer})" if shown else "the broker's certificate"
    )
    where = address_text(address)
    if reason is Why.OTHER_NAME:
        names = ", ".join(shown.names) if shown and shown.names else "no host"
        return UsageError(
            f"{whose} is for {names}, not for {address[0]}",
            where=where,
            todo="name the broker as its certificate does (--bootstrap-servers, and the broker's"
            f" advertised.listeners), or have {address[0]} added to the certificate (subjectAltName)",
        )
    if reason in (Why.EXPIRED, Why.NOT_YET_VALID):
        fault = shown.fault_of_dates(now) if shown else ""
        begins = reason is Why.NOT_YET_VALID
        return UsageError(
            f"{whose} {fault}"
            if fault
            else f"a certificate of an authority between {whose} and {_trusted(settings)} "
            + ("is not valid yet" if begins else "has expired"),
            where=where,
            todo="check the clock of this machine; if it is right, have the broker's certificate renewed"
            if fault
            else f"have that of the authority renewed, in the file, too: {OPTIONS[CA]}",
        )
    if reason is Why.REVOKED:
        return UsageError(
            f"{whose} is revoked: it is on the list {settings.get(CRL)} ({CRL})",
            where=where,
            todo="have a new certificate issued for the broker; do not send it anything before",
        )
    if reason is Why.NO_REVOCATION_LIST:
        return UsageError(
            f"whether {whose} is revoked is not known: {error.verify_message} ({CRL} is {settings.get(CRL)})",
            where=where,
            todo="have the authority's newest list of revoked certificates put there",
        )
    if reason in (Why.SELF_SIGNED, Why.UNTRUSTED, Why.OTHER_KEY):
        return _unknown_authority(where, settings, reason, whose, shown)
    return UsageError(f"{whose} is refused: {error.verify_message}", where=where, todo="have a better one issued")


def _unknown_authority(
    where: str, settings: Settings, reason: Why, whose: str, shown: Certificate | None
) -> UsageError:
    trusted, issuer = _authorities(settings), shown.issuer if shown else "its authority"
    if reason is Why.OTHER_KEY or issuer in trusted:
        what = f"{whose} is signed with another key than that of {issuer} among {_trusted(settings)}"
        todo = f"the authority was renewed, or another has its name: name its own certificate with {OPTIONS[CA]}"
    elif reason is Why.SELF_SIGNED:
        what = f"{whose} is signed by itself, and is not among {_trusted(settings)}"
        todo = f"if it is the right broker, name the file of its certificate with {OPTIONS[CA]}"
    else:
        what = f"{whose} is signed by none of {_trusted(settings)}"
        todo = f"name the file with the certificate of {issuer} with {OPTIONS[CA]}"
    return UsageError(what, where=where, todo=todo)


def _trusted(settings: Settings) -> str:
    """Whom this client trusts, in words."""
    if not (path := named_path(settings)):
        if settings.get("ssl.ca.pem"):
            return "the authorities in ssl.ca.pem"
        return f"the system's authorities ({system_path() or 'there are none'}); no other is named"
    names = _authorities(settings)
    held = f" ({'; '.join(names[:_SHOWN_MAX])}{'; …' * (len(names) > _SHOWN_MAX)})" if names else ""
    return f"the authorities in {path}{held}"


def _authorities(settings: Settings) -> list[str]:
    """The subjects in the file that the user has named; of a folder, or of the system's, none."""
    path = named_path(settings)
    try:
        return [each.subject for each in from_pem(Path(path).read_bytes())] if path else []
    except (OSError, ValueError):
        return []


def refused(address: Address, error: ssl.SSLError, own: Own | None, wanted: Wanted) -> UsageError | None:
    """What an end of the handshake means that is not about the broker's certificate; None where it may pass."""
    where = address_text(address)
    if is_other_protocol(error):
        return UsageError(
            "what answers there does not speak TLS",
            where=where,
            todo="name the port of a TLS listener, or drop --security (security.protocol)",
        )
    # Whoever asks for a certificate has agreed on all else. OpenSSL calls a missing one a handshake failure in TLS 1.2.
    if is_about_our_certificate(error) or (wanted.asked and is_alert(error)):
        return _ours_refused(where, error, own, wanted)
    if has_no_overlap(error):
        return UsageError(
            f"this client and the broker have no version of TLS, or no cipher, in common ({spoken(error)})",
            where=where,
            todo="compare ssl.enabled.protocols and ssl.cipher.suites of the broker's listener with -X"
            " ssl.cipher.suites; this client speaks TLS 1.2 and 1.3",
        )
    return None


def _ours_refused(where: str, error: ssl.SSLError, own: Own | None, wanted: Wanted) -> UsageError:
    if own is None:
        return UsageError(
            f"the broker wants a client certificate, and none is given (TLS alert: {spoken(error)})",
            where=where,
            todo=f"name it with {OPTIONS[CERT]} and {OPTIONS[KEY]} (--security mtls); or name the port of a listener"
            " that wants none",
        )
    if fault := own.certificate.fault_of_dates(datetime.now(UTC)):
        return ours_not_now(own, fault)
    ours = f"our certificate ({own.certificate.subject}, issued by {own.certificate.issuer}) in {own.path}"
    is_foreign = bool(wanted.authorities) and not own.issuers & set(wanted.authorities)
    if is_foreign or "UNKNOWN_CA" in (error.reason or ""):
        what = f"the broker accepts client certificates of other authorities only: {ours} is of none of them"
        todo = (
            f"name a certificate that such an authority has issued with {OPTIONS[CERT]}, or have the broker trust"
            f" {own.certificate.issuer} (its truststore)"
        )
    else:
        what = f"the broker refuses {ours} (TLS alert: {spoken(error)})"
        todo = "it is revoked there, or the broker trusts another authority of that name; its log says which"
    return UsageError(what, where=where, todo=todo)
