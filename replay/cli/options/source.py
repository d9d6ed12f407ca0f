"""All that decides which rows are sent as which records."""

from dataclasses import dataclass

from replay.cli.options.layout import InputLayout
from replay.cli.options.records import Recording
from replay.cli.options.selecting import Selecting


@dataclass(frozen=True)
class Input(Recording, InputLayout, Selecting):
    """Which rows, from which columns, as which records."""
