"""Errors that waiting does not cure: brokers that speak another protocol, show or want another certificate, or say that
they are where they are not.

librdkafka tells these apart from an outage only in hints that fit both. So nothing is guessed here: each verdict is
what this machine sees for itself when it connects, once librdkafka has tried in vain.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from replay.errors import UsageError
from replay.kafka.addresses import broker_addresses
from replay.kafka.listener import TIMEOUT_S, Address, Speaks, address_text, who_speaks
from replay.kafka.tls.settings import Settings, uses_tls

UNREACHABLE_S = 5.0
"""An advertised address that has led nowhere for so long is a wrong one: a name is known everywhere by then."""

LOOK_S, LOOK_AGAIN_S = 1.0, 15.0
"""Brokers that say nothing for so long are looked at: a healthy one answers within milliseconds. And again while it
lasts, after twice the time, and at last so seldom: a signal may have to wait for as long as a look takes."""

SOON_LOOKS = 2
"""So many looks come early: on a busy machine the first may see nothing."""

LOOKED_AT_MAX = 3
"""Of many brokers, so many are looked at: what is wrong with a certificate is wrong with all of them, mostly."""

FIRST_CALL_S = 2.0
"""How long a client that has not met its cluster yet waits for the first answer."""


@dataclass(slots=True)
class Prospects:
    """Whether waiting for a cluster can help. Whatever fails once it was reached may heal: certificates are replaced
    while brokers and clients run. `settings` are librdkafka's, with files of secrets read anew."""

    bootstrap_servers: str
    settings: Callable[[], Settings]
    timeout_s: float
    answered: bool = False  # a broker has answered, at an address of `bootstrap_servers` or its own
    reached: bool = False  # a broker was reached at the address that it advertises
    known: Sequence[Address] = ()  # as the cluster has told them
    looks: int = 0
    _looked_s: float = 0.0
    _fault: UsageError | None = None

    def give_up(
        self, waited_s: float, last_error: str, advertised: Callable[[], Iterable[Address]]
    ) -> UsageError | None:
        """Raises `UsageError` if it cannot help. `advertised` asks the cluster once more.

        Once the cluster was reached it raises nothing: what is wrong is given back, as far as a look shows it.
        """
        if waited_s < self._looked_s:  # another call
            self._looked_s, self._fault = 0.0, None
        is_due = waited_s >= max(LOOK_S, min(2 * self._looked_s, self._looked_s + LOOK_AGAIN_S))
        if self.reached:
            if is_due or waited_s >= self.timeout_s:
                self._looked(waited_s)
                self._fault = self._seen([*self.known, *broker_addresses(self.bootstrap_servers)])
            return self._fault
        may_resolve = waited_s < min(UNREACHABLE_S, self.timeout_s / 2)
        if self.answered and (is_due or not may_resolve):
            self._looked(waited_s)
            addresses = list(advertised())
            if (fault := self._seen(addresses)) is not None:
                raise _where_it_is_advertised(self.bootstrap_servers, fault)
            if not may_resolve:
                refuse_advertised(self.bootstrap_servers, addresses)
        elif not self.answered and is_due:
            self._looked(waited_s)
            if (fault := self._seen(broker_addresses(self.bootstrap_servers))) is not None:
                raise fault
            refuse_certificate(last_error)
        return None

    def _looked(self, waited_s: float) -> None:
        self._looked_s = waited_s
        self.looks += 1

    def _seen(self, addresses: Iterable[Address]) -> UsageError | None:
        try:
            settings = self.settings()
            faults = (fault_at(address, settings) for address in [*dict.fromkeys(addresses)][:LOOKED_AT_MAX])
            return next((fault for fault in faults if fault is not None), None)
        except UsageError as error:  # a file of secrets that is being written
            return error


def fault_at(address: Address, settings: Settings) -> UsageError | None:
    """What is wrong between a client with these settings and whatever listens there; None where that cannot be seen,
    or nothing is."""
    protocol = str(settings.get("security.protocol", "PLAINTEXT")).upper()
    wanted = Speaks.TLS if uses_tls(settings) else Speaks.KAFKA
    found = who_speaks(address)
    if found is None:
        return None
    if found is not wanted:
        return _other_protocol(address, found, wanted, protocol)
    from replay.kafka.tls import look as tls  # noqa: PLC0415 - cryptography takes 100 ms, and is needed for bad news only

    if (problem := tls.look(address, settings).problem) is not None:
        return problem
    if not protocol.startswith("SASL") and tls.wants_login(address, settings):
        return UsageError(
            f"this listener wants a login (SASL), but security.protocol is {protocol}",
            where=address_text(address),
            todo="log in with --security scram, plain, oauth or msk-iam (-X security.protocol="
            f"{'SASL_SSL' if wanted is Speaks.TLS else 'SASL_PLAINTEXT'} and sasl.…), or name the port of a listener"
            " without a login",
        )
    return None


def _other_protocol(address: Address, found: Speaks, wanted: Speaks, protocol: str) -> UsageError:
    if found is Speaks.HTTP:
        todo = "name a broker's own address, not that of a proxy, a registry or a console"
    elif wanted is Speaks.TLS:
        todo = "name the port of a TLS listener, or drop --security (-X security.protocol)"
    else:
        todo = "add --security tls (-X security.protocol=SSL or SASL_SSL), or name the port of a listener without TLS"
    return UsageError(
        f"{address_text(address)} speaks {found.value}, but security.protocol is {protocol}",
        where="--bootstrap-servers",
        todo=todo,
    )


def _where_it_is_advertised(bootstrap_servers: str, fault: UsageError) -> UsageError:
    return UsageError(
        f"{fault.what}; the cluster answers at {bootstrap_servers}, and advertises this address (advertised.listeners)",
        where=fault.where,
        todo=fault.todo,
    )


def refuse_certificate(error: str) -> None:
    """Raises `UsageError` if this is what librdkafka says of a certificate that it does not trust. Python's OpenSSL is
    another one, and may take what librdkafka's does not."""
    if "certificate verify failed" in error:
        raise UsageError(
            f"librdkafka does not trust the broker's certificate: {error}",
            where="--bootstrap-servers",
            todo="name the authority with --ca (ssl.ca.location), and the host as the certificate does",
        )


def refuse_advertised(bootstrap_servers: str, advertised: Iterable[Address]) -> None:
    """Raises `UsageError` if none of the addresses that the brokers advertise can be connected to. To be called when
    a broker has just answered: one that answers is alive, so that it is its address that is wrong."""
    reasons = []
    for address in advertised:
        reason = why_unreachable(address)
        if not reason:
            return
        reasons.append(f"{address_text(address)} ({reason})")
    if not reasons:
        return
    raise UsageError(
        f"the cluster answers at {bootstrap_servers}, but what it advertises (advertised.listeners) cannot be reached"
        f" from here: {', '.join(reasons)}",
        where="--bootstrap-servers",
        todo="let the brokers advertise addresses that this machine can reach; or name the listener that is meant for"
        " clients like this one (for a broker in Docker, run replay in its network, or advertise localhost)",
    )


def why_unreachable(address: Address) -> str:
    """Empty where a connection can be made, or could be in a while."""
    try:
        with socket.create_connection(address, TIMEOUT_S):
            return ""
    except socket.gaierror as error:
        return "" if error.errno == socket.EAI_AGAIN else "this name does not resolve"  # else name servers are away
    except UnicodeError:
        return "this is no name of a host"
    except TimeoutError:
        return "no answer"
    except OSError as error:
        return (error.strerror or str(error)).lower()
