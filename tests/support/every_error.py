"""One error for each exit code of a replay."""

from __future__ import annotations

import signal

from replay.errors import (
    BrokerUnavailable,
    CheckpointUnwritable,
    Different,
    InputError,
    Locked,
    NoInput,
    ProducerFatal,
    ReplayError,
    StateConflict,
    Stopped,
    UsageError,
)

EVERY_ERROR: list[ReplayError] = [
    *(
        kind("what happened")
        for kind in (
            UsageError, InputError, NoInput, StateConflict, BrokerUnavailable, Locked, ProducerFatal,
            CheckpointUnwritable, Different,
        )
    ),
    Stopped(signal.SIGTERM, "stopped by the caller"),
]  # fmt: skip
