"""Which connections to brokers were lost, by librdkafka's log: the first witness. `statistics.py` has the second.

The promise rests on it: rows that were in flight on a lost connection must not be sent again unseen (`producer.py`).
librdkafka reports a lost connection at once and reliably only in its log: the error callback hears of some. Its
statistics show it within a second, which is still before it sends again (`retry.backoff.ms`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

from replay.kafka.options import LIBRDKAFKA_LOG
from replay.kafka.statistics import LOGIN_STATES, UP_STATES

log = logging.getLogger(f"{LIBRDKAFKA_LOG}.connections")


class LogWatch(logging.Handler):
    """Counts lost connections, and notices a bump of the producer epoch that begins."""

    _LOST = re.compile(rf"/\d+: .*\(after \d+ms in state (?:{'|'.join(UP_STATES)})\b")
    """A connection that worked, to a broker known by its id: bootstrap connections carry no rows."""

    _LOGIN = re.compile(rf"/\d+: .*\(after \d+ms in state (?:{'|'.join(LOGIN_STATES)})\b")
    """A login failed. It may be that of a new connection; or one that worked has logged in again in vain, and is lost.
    The statistics know."""

    _BUMP = "-> DrainBump"
    """All partitions are being drained; what is unacknowledged then gets new numbers, and goes out with them."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lost = 0  # and not dealt with yet
        self.what = ""
        self.bump = False
        self._lines = self._lines_compared = 0  # that report a lost connection, in all
        self._distrusted = False
        self._login_failed = False  # since the statistics were compared

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if self._LOST.search(text):
            self.lost += 1
            self._lines += 1
            self.what = text.rpartition("]: ")[2].split(" (after ")[0]
        elif self._LOGIN.search(text):
            self._login_failed = True
        elif self._BUMP in text:
            self.bump = True

    def compare(self, lost: Iterable[str]) -> None:
        """Count, too, what was lost since the last time by the statistics, and is not in the log."""
        names = list(lost)
        logged, self._lines_compared = self._lines - self._lines_compared, self._lines
        login_failed, self._login_failed = self._login_failed, False
        if len(names) <= logged:
            return
        self.lost += len(names) - logged
        if login_failed:
            self.what = f"{', '.join(names)}: it was to log in again, and was refused"
            return
        self.what = f"{', '.join(names)}: not in the log, but in the statistics"
        if not self._distrusted:
            self._distrusted = True
            log.warning("a lost connection was not in librdkafka's log as expected; its statistics are gone by, too")
