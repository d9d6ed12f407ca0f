"""Replay historical trades from Parquet into Kafka: in order, paced, checkpointed, exactly once.

    from replay import ReplayOptions, replay

    result = replay(
        ReplayOptions(inputs="data", topic="trades", bootstrap_servers="localhost:9092", create_topic=6, rate="5000/s")
    )
    print(result.in_topic, "rows are in the topic")

`replay()` returns once the topic holds what was meant, and raises a `ReplayError` otherwise. Call it again after any
failure: it resumes. Its options are those of the command line; see `ReplayOptions`. Importing this package imports
nothing else: what is named below is imported when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from replay.api.options import ReplayOptions
    from replay.api.result import Outcome, ReplayResult
    from replay.api.run import replay
    from replay.delivery.snapshot import Snapshot
    from replay.errors import (
        BrokerUnavailable,
        CheckpointUnwritable,
        Different,
        ExitCode,
        InputError,
        Locked,
        ProducerFatal,
        ReplayError,
        StateConflict,
        Stopped,
        UsageError,
    )

__version__ = "0.2.0"

__all__ = [
    "BrokerUnavailable",
    "CheckpointUnwritable",
    "Different",
    "ExitCode",
    "InputError",
    "Locked",
    "Outcome",
    "ProducerFatal",
    "ReplayError",
    "ReplayOptions",
    "ReplayResult",
    "Snapshot",
    "StateConflict",
    "Stopped",
    "UsageError",
    "replay",
]

_MODULES = {
    "Outcome": "api.result",
    "ReplayOptions": "api.options",
    "ReplayResult": "api.result",
    "Snapshot": "delivery.snapshot",
    "replay": "api.run",
}
"""Where a name lives; all others are errors."""

if not TYPE_CHECKING:  # type checkers know the names above, and no others

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
