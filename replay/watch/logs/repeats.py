"""Messages that were shown a moment ago are held back."""

from __future__ import annotations

import re
import threading

_SHAPES_MAX = 1_000  # messages remembered; a replay has a few dozen


class Repeats:
    """Holds a message back for `quiet_s` after it was shown. Messages that differ only in numbers count as the same."""

    def __init__(self, quiet_s: float) -> None:
        self._quiet_s = quiet_s
        self._lock = threading.Lock()  # warnings come from the threads beside the replay as well
        self._seen: dict[str, tuple[float, int]] = {}  # when it was shown, how many were held back since

    def held_back(self, text: str, now_s: float) -> int | None:
        """None: hold it back. Otherwise show it; so many like it were held back since it was last shown."""
        shape = re.sub(r"\d[\d.,]*", "#", text)
        with self._lock:
            shown_s, held = self._seen.get(shape, (float("-inf"), 0))
            if now_s - shown_s < self._quiet_s:
                self._seen[shape] = (shown_s, held + 1)
                return None
            if len(self._seen) > _SHAPES_MAX:
                self._seen.clear()
            self._seen[shape] = (now_s, 0)
            return held
