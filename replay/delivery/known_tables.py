"""Which state of a lake table a resume reads: the one that its checkpoint names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from replay.checkpoint.content import Checkpoint
from replay.checkpoint.file import CheckpointFile
from replay.errors import ReplayError
from replay.identity import TABLES
from replay.source.options import SourceOptions
from replay.source.tables.states import known_from


def as_known(options: SourceOptions, checkpoint: Path) -> SourceOptions:
    """The options with the tables as they were when this replay began, however they have moved on since.

    A replay that has come to its end, done or empty, is compared with the newest state. A checkpoint that cannot be
    read is no matter here: whoever goes by it says so.
    """
    try:
        saved = CheckpointFile(checkpoint).load()
    except ReplayError:
        return options
    return options if saved is None or saved.state.has_ended else as_of(options, saved)


def as_of(options: SourceOptions, saved: Checkpoint) -> SourceOptions:
    """The options with the tables as this checkpoint names them."""
    return replace(options, known_tables=known_from(saved.job.options.get(TABLES, "")))
