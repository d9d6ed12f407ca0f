"""`replay presets`."""

from __future__ import annotations

from rich.table import Table

from replay.cli.call import Call
from replay.source.columns import presets as known


def presets(call: Call) -> None:
    table = Table("name", "what", "columns", "source")
    for row in known.rows():
        table.add_row(*row)
    call.results.show(table)
