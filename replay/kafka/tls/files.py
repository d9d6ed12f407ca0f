"""The files that TLS takes, looked at before any connection."""

from __future__ import annotations

import ssl
from datetime import datetime

from replay.kafka.tls.settings import OURS, Settings, trust, uses_tls


def check_files(settings: Settings, now: datetime) -> None:
    """Raises `UsageError` for a file that is missing, unreadable or not what it should be, a key that does not fit, and
    a certificate of ours that is not valid now. Connects to nothing."""
    if not uses_tls(settings):
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust(context, settings)
    if not any(settings.get(name) for name in OURS):
        return
    from replay.kafka.tls import own_certificate  # noqa: PLC0415 - cryptography takes 100 ms, and few have such files

    own_certificate.good_now(settings, now)
