"""librdkafka's own lines: which of them are news, and how loud."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable

from replay.kafka.options import LIBRDKAFKA_LOG
from replay.watch.logs.repeats import Repeats

_QUIET_S = 10.0  # the same line (but for its numbers) is not shown again within this
_PARTITION = re.compile(r"(?:^|\s)[\w.-]+ \[(\d+)\]")  # how librdkafka writes topic and partition
_REPORTED_BY_US = re.compile(
    # Connections that failed: the replay itself says which, since when and for how long it waits, where that matters.
    r"^FAIL |Disconnected"
    # Settings of ours that are meant as they are, and the producer's beginning: the coordinator is asked again.
    r"|CONFWARN|^GETPID .*retrying$|^DRAIN |^REBOOTSTRAP |^(?:INIT|TXN|IDEMPSTATE|PIDBROKER) "
)

Tell = Callable[[int, str, int | None], None]
"""Takes the level (`logging.WARNING`), the text, and the partition that it names, if any."""


def listen(tell: Tell) -> None:
    """From now on `tell` gets librdkafka's lines, and nobody else does."""
    kafka = logging.getLogger(LIBRDKAFKA_LOG)
    kafka.handlers, kafka.propagate = [_Lines(tell)], False
    kafka.setLevel(logging.DEBUG)


class _Lines(logging.Handler):
    """Holds repeats back while a broker is down."""

    def __init__(self, tell: Tell) -> None:
        super().__init__()
        self._tell, self._repeats = tell, Repeats(_QUIET_S)

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if self._repeats.held_back(text, time.monotonic()) is None:
            return
        place = _PARTITION.search(text)
        self._tell(_level(record, text), f"kafka: {text}", int(place[1]) if place else None)


def _level(record: logging.LogRecord, text: str) -> int:
    """Its errors are about one connection, which it retries by itself: for us they are warnings; a retry is news. The
    admin client sees the same brokers as the producer does, and its lines come late: only when it is used."""
    if _REPORTED_BY_US.search(text) or record.name.endswith(".admin"):
        return logging.DEBUG
    if text.endswith("retrying"):
        return logging.INFO
    return logging.WARNING if record.levelno >= logging.WARNING else logging.DEBUG
