"""A password that changes while a client lives: read again from its file, for the connections that come.

librdkafka logs in anew where a connection is lost, and where the broker wants it (KIP-368); it takes the password that
it has then. A thread gives it the file's, since the job itself may be waiting in a call into librdkafka for just that.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

from replay.errors import UsageError
from replay.kafka.login.credentials import secret
from replay.kafka.options import KafkaOptions

LOOK_S = 1.0
"""How often the file is read. A refused client tries again more often than that."""


class Renewal:
    """For one client, from when it is made until it is closed. Does nothing without one, or where the password is in no
    file."""

    def __init__(self, client: Any, options: KafkaOptions, look_s: float = LOOK_S) -> None:
        self._client, self._look_s = client, look_s
        self._user, self._file = options.settings.get("sasl.username", ""), options.secrets.password_file
        self._ended = threading.Event()
        if client is not None and self._file is not None:
            threading.Thread(target=self._run, name="password", daemon=True).start()

    def close(self) -> None:
        self._ended.set()

    def _run(self) -> None:
        known = None
        while not self._ended.wait(self._look_s):
            with suppress(UsageError):  # it is being written: the old one counts until it is there
                now = secret(str(self._file), "--password-file")
                if now != known:  # the first time, too: it may have changed since the client was made
                    self._client.set_sasl_credentials(self._user, now)
                    known = now
