"""How a run is watched: metrics, summary, report, notification. Light: nothing that sends or draws is imported."""

from __future__ import annotations

from enum import StrEnum


class NotifyOn(StrEnum):
    """FAILURE is every end but `done`: also a stop by a signal."""

    FAILURE = "failure"
    SUCCESS = "success"
    ALWAYS = "always"
