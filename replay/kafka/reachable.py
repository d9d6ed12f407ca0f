"""Errors that waiting does not cure: brokers that speak another protocol, or advertise addresses that lead nowhere.

librdkafka tells these apart from an outage only in hints that fit both. So nothing is guessed here: each verdict is
what this machine sees for itself when it connects, once librdkafka has tried in vain.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from replay.errors import UsageError
from replay.kafka.addresses import broker_addresses
from replay.kafka.listener import TIMEOUT_S, Address, Speaks, address_text, who_speaks

UNREACHABLE_S = 5.0
"""An advertised address that has led nowhere for so long is a wrong one: a name is known everywhere by then."""

LOOK_S, LOOK_AGAIN_S = 1.0, 15.0
"""Brokers that say nothing for so long are looked at: a healthy one answers within milliseconds. And again while it
lasts: a signal may have to wait for as long as a look takes."""

FIRST_CALL_S = 2.0
"""How long a client that has not met its cluster yet waits for the first answer."""


@dataclass(slots=True)
class Prospects:
    """Whether waiting for a cluster can help. Whatever fails once it was reached is an outage."""

    bootstrap_servers: str
    security_protocol: str
    timeout_s: float
    answered: bool = False  # a broker has answered, at an address of `bootstrap_servers` or its own
    reached: bool = False  # a broker was reached at the address that it advertises
    _looked_s: float = float("-inf")

    def give_up(self, waited_s: float, last_error: str, advertised: Callable[[], Iterable[Address]]) -> None:
        """Raises `UsageError` if it cannot. `advertised` asks the cluster once more."""
        if self.reached:
            return
        if self.answered:
            if waited_s >= min(UNREACHABLE_S, self.timeout_s / 2):
                refuse_advertised(self.bootstrap_servers, advertised())
        elif waited_s >= LOOK_S and waited_s - self._looked_s >= LOOK_AGAIN_S:
            self._looked_s = waited_s
            refuse_certificate(last_error)
            refuse_other_protocol(broker_addresses(self.bootstrap_servers), self.security_protocol)


def refuse_other_protocol(addresses: Iterable[Address], security_protocol: str) -> None:
    """Raises `UsageError` if what answers there is not what the clients speak."""
    wanted = Speaks.TLS if security_protocol.upper().endswith("SSL") else Speaks.KAFKA
    for address in addresses:
        found = who_speaks(address)
        if found in (None, wanted):
            continue
        if found is Speaks.HTTP:
            todo = "name a broker's own address, not that of a proxy, a registry or a console"
        elif wanted is Speaks.TLS:
            todo = "name the port of a TLS listener, or drop -X security.protocol"
        else:
            todo = "add -X security.protocol=SSL (or SASL_SSL), or name the port of a listener without TLS"
        raise UsageError(
            f"{address_text(address)} speaks {found.value}, but security.protocol is {security_protocol.upper()}",
            where="--bootstrap-servers",
            todo=todo,
        )


def refuse_certificate(error: str) -> None:
    """Raises `UsageError` if this is what librdkafka says of a certificate that it does not trust."""
    if "certificate verify failed" in error:
        raise UsageError(
            "the broker's certificate cannot be verified: it is not signed by a known authority, or not for that host",
            where="--bootstrap-servers",
            todo="name the authority with -X ssl.ca.location=ca.pem, and the host as the certificate does",
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
