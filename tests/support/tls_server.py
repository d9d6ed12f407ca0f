"""Something that speaks TLS as it is told, and answers Kafka's smallest question: what a look sees of a certificate
does not depend on the rest of a broker."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.pki import Issued


def server_context(
    shown: Issued, clients_of: Path | None = None, version: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    """Shows this certificate. With `clients_of` (PEM), wants one that such an authority has issued."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown.certificate, shown.key)
    if clients_of is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients_of)
    if version is not None:
        context.maximum_version = version
    return context


@contextmanager
def serving(context: ssl.SSLContext) -> Iterator[tuple[str, int]]:
    """Its address: localhost, and a port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, context), daemon=True)
        thread.start()
        yield "localhost", listener.getsockname()[1]
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # ends `accept`
        thread.join()


def _serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            raw, _ = listener.accept()
        except OSError:
            return
        raw.settimeout(1)
        with raw, suppress(OSError), context.wrap_socket(raw, server_side=True) as connection:
            request = connection.recv(1_024)
            connection.sendall(b"\0\0\0\6" + request[8:12] + b"\0\x22")  # and there is no login (ILLEGAL_SASL_STATE)
