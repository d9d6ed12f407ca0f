"""The `replay` command. No work is done here, and none decided: see `commands` for what there is."""

from __future__ import annotations

from typing import Annotated

import typer

from replay import __version__
from replay.cli.build import OF_A_GROUP, Commands

app = typer.Typer(
    name="replay",
    cls=Commands,
    help="Replay historical trades from Parquet into Kafka: in order, paced, checkpointed, resumed without duplicates.",
    pretty_exceptions_enable=False,
    **OF_A_GROUP,
)


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    if version:
        typer.echo(f"replay {__version__}")
        raise typer.Exit


def main() -> None:
    """The `replay` command."""
    app(prog_name="replay")
