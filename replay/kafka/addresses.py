"""Broker addresses as texts: checked before a client is made of them. Pure."""

from __future__ import annotations

import re

from replay.errors import UsageError

SECURITY_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")


_PORT = 9092  # Kafka's, where none is named

_SERVER = re.compile(
    r"\s*(?:(?P<scheme>[^:/\s]+)://)?(?P<host>\[[0-9a-fA-F:.]+(?:%[\w.-]+)?\]|[^:/\s\[\]]+)(?::(?P<port>\d{1,5}))?\s*",
    re.ASCII,
)


def check_bootstrap_servers(servers: str, security_protocol: str) -> str:
    """`host:port` pairs, comma-separated; a missing port is Kafka's 9092.

    A scheme before an address, as listeners are written (`SASL_SSL://host:9093`), must be the security.protocol that
    the clients use: librdkafka would leave such an address out, and then look for a broker in vain.
    """
    for server in servers.split(","):
        match = _SERVER.fullmatch(server)
        if match is None or not 1 <= int(match["port"] or _PORT) <= 65535:
            raise UsageError(
                f"{server.strip()!r} is no broker address",
                where="--bootstrap-servers",
                todo="write host:port[,host:port…] with ports from 1 to 65535",
            )
        if match["scheme"] is not None:
            _check_scheme(match["scheme"], server.strip(), security_protocol)
    return servers


def _check_scheme(scheme: str, server: str, security_protocol: str) -> None:
    bare = server.partition("://")[2]
    if scheme.upper() not in SECURITY_PROTOCOLS:
        raise UsageError(
            f"{server!r}: {scheme} is no protocol of Kafka's",
            where="--bootstrap-servers",
            todo=f"write {bare}; TLS and logins are asked for with --security (or -X security.protocol=…)",
        )
    if scheme.upper() != security_protocol.upper():
        raise UsageError(
            f"{server!r} asks for {scheme.upper()}, but security.protocol is {security_protocol.upper()}",
            where="--bootstrap-servers",
            todo=f"choose it with --security (or -X security.protocol={scheme.upper()}), or write {bare}",
        )


def broker_addresses(servers: str) -> list[tuple[str, int]]:
    """Host and port of each, of servers that `check_bootstrap_servers` took."""
    found = filter(None, map(_SERVER.fullmatch, servers.split(",")))
    return [(match["host"].strip("[]"), int(match["port"] or _PORT)) for match in found]
