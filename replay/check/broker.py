"""The brokers that a replay is told of: whether they answer, as what, who this client is there, and its certificate.

This machine connects by itself, as the clients would, since librdkafka tells little of this. It sends questions, and a
login.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from replay.check.finding import Finding, away, not_told, of_error, refused, told, warning
from replay.errors import ReplayError
from replay.kafka.access import Account, Resource, Use, lacking, login_refused, needed
from replay.kafka.addresses import broker_addresses
from replay.kafka.listener import Address, address_text
from replay.kafka.login import sasl
from replay.kafka.login.token_source import tokens_of
from replay.kafka.login.tokens import Away
from replay.kafka.options import KafkaOptions
from replay.kafka.reachable import fault_at
from replay.kafka.settings import client_settings
from replay.kafka.tls.certificates import Certificate
from replay.kafka.wire import Connection, LoginRefused, WireError, release

DAYS_LEFT_MIN = 14
"""A certificate that ends sooner is warned of: renewing one takes people some days."""

ANONYMOUS = "User:ANONYMOUS"
"""Who comes without login and certificate (Kafka's KafkaPrincipal)."""


@dataclass
class Broker:
    """`transactional_id`: the right to it is looked at, too. `is_open` once nothing is known that keeps clients out."""

    options: KafkaOptions
    account: Account
    transactional_id: str | None = None
    is_open: bool = False

    def look(self) -> Iterator[Finding]:
        """Every address is tried; the first that answers is looked at closely."""
        settings = client_settings(self.options)
        yield from told("our certificate", lambda: _own(settings))
        silent, answering = [], None
        for address in broker_addresses(self.options.bootstrap_servers):
            reason = why_silent(address)
            if not reason:
                answering = answering or address
            else:
                silent.append((address, reason))
        for address, reason in silent:
            what, todo = f"broker {address_text(address)}", "check --bootstrap-servers, and that the broker runs"
            yield away(what, reason, todo) if answering is None else warning(what, reason, todo)
        if answering is not None:
            yield from self._closely(answering, settings)

    def _closely(self, address: Address, settings: Mapping[str, Any]) -> Iterator[Finding]:
        what = f"broker {address_text(address)}"
        try:
            yield from _tls(address, settings)
            if (fault := fault_at(address, settings)) is not None:
                yield of_error(what, fault)
                return
            with connected(address, settings) as connection:
                yield Finding(what, release(connection.features()))
                yield from self._login(connection, settings)
        except (OSError, WireError) as error:
            yield away(what, str(error), "check that this is the address of a Kafka broker")

    def _login(self, connection: Connection, settings: Mapping[str, Any]) -> Iterator[Finding]:
        account, what = self.account, "login"
        if not account.mechanism:
            self.is_open = True
            yield Finding(what, f"none; {account.principal or ANONYMOUS}")
        else:
            mechanisms = connection.mechanisms(account.mechanism)
            if account.mechanism not in mechanisms:
                todo = f"choose one of them with -X sasl.mechanism={mechanisms[0] if mechanisms else '...'}"
                yield refused(what, f"no {account.mechanism} here: the listener takes {', '.join(mechanisms)}", todo)
                return
            try:
                is_in = self._logged_in(connection, settings)
            except LoginRefused as error:
                yield of_error(what, login_refused(account, str(error)))
                return
            except Away as error:
                yield away(what, str(error), "see that whoever gives tokens is there")
                return
            except (ReplayError, sasl.NotTheBroker) as error:
                yield of_error(what, error) if isinstance(error, ReplayError) else refused(what, str(error))
                return
            self.is_open = True
            others = f"the listener takes {', '.join(mechanisms)}"
            if not is_in:
                yield not_told(what, f"{account.in_words}; librdkafka logs in by itself; {others}")
                yield from self._id_not_told()
                return
            yield Finding(what, f"{account.principal or 'accepted'} by {account.mechanism}; {others}")
        yield from self._id(connection)

    def _logged_in(self, connection: Connection, settings: Mapping[str, Any]) -> bool:
        """False where only librdkafka can: Kerberos, and tokens that it gets by itself."""
        account, say = self.account, connection.authenticate
        password = settings.get("sasl.password")
        if account.mechanism == "PLAIN" and password is not None:
            sasl.log_in_plain(account.user, str(password), say)
        elif account.mechanism == "OAUTHBEARER" and (tokens := tokens_of(self.options)) is not None:
            token = tokens.get()
            sasl.log_in_with_token(token.value, token.extensions, say)
        elif account.mechanism in sasl.SCRAM_HASHES and password is not None:
            sasl.log_in_scram(account.mechanism, account.user, str(password), secrets.token_urlsafe(24), say)
        else:
            return False
        return True

    def _id(self, connection: Connection) -> Iterator[Finding]:
        if self.transactional_id is None:
            return
        what = f"right to transactional id {self.transactional_id}"
        may = connection.may_write_id(self.transactional_id)
        if may is None:
            yield from self._id_not_told()
        elif may:
            yield Finding(what, "Write")
        else:
            rights = needed(Use.TRANSACTIONAL, Resource.TRANSACTIONAL_ID)
            yield of_error(what, lacking(self.account, rights[-1:], self.transactional_id))

    def _id_not_told(self) -> Iterator[Finding]:
        if self.transactional_id is not None:
            yield not_told(f"right to transactional id {self.transactional_id}", "the broker does not tell it")


def why_silent(address: Address) -> str:
    """Empty where a connection can be made."""
    try:
        with socket.create_connection(address, 5.0):
            return ""
    except socket.gaierror as error:
        return f"its name does not resolve: {(error.strerror or str(error)).lower()}"
    except TimeoutError:
        return "no answer to a connection attempt"
    except (OSError, UnicodeError) as error:
        return (getattr(error, "strerror", None) or str(error)).lower()


@contextmanager
def connected(address: Address, settings: Mapping[str, Any]) -> Iterator[Connection]:
    """As a client with these settings connects. Raises `OSError`."""
    from replay.kafka.tls import look as tls  # noqa: PLC0415 - cryptography takes 100 ms

    with tls.connected(address, settings) as connection, Connection(connection) as asked:
        yield asked


def _tls(address: Address, settings: Mapping[str, Any]) -> Iterator[Finding]:
    from replay.kafka.tls import look as tls  # noqa: PLC0415 - cryptography takes 100 ms

    seen = tls.look(address, settings)
    if seen.version:
        yield Finding("TLS", f"{seen.version}, {seen.cipher}")
    if seen.certificate is not None:
        todo = "have the broker's certificate renewed"
        yield certificate_finding("certificate of the broker", seen.certificate, todo, datetime.now(UTC))


def _own(settings: Mapping[str, Any]) -> Iterator[Finding]:
    from replay.kafka.tls import own_certificate  # noqa: PLC0415 - cryptography takes 100 ms

    now = datetime.now(UTC)
    if (own := own_certificate.good_now(settings, now)) is not None:
        yield certificate_finding("our certificate", own.certificate, f"have it renewed ({own.path})", now)


def certificate_finding(what: str, certificate: Certificate, todo: str, now: datetime) -> Finding:
    days = certificate.days_left(now)
    names = f" for {', '.join(certificate.names)}" if certificate.names else ""
    ends = f"ends in {days:,.0f} days ({certificate.not_after:%Y-%m-%d})"
    found = f"{certificate.subject}{names}, issued by {certificate.issuer}; {ends}"
    return warning(what, found, todo) if days < DAYS_LEFT_MIN else Finding(what, found)
