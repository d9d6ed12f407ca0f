"""The help of a command on a terminal: panels in colours."""

from __future__ import annotations

from io import StringIO

from rich.console import Console, Group
from rich.padding import Padding
from rich.panel import Panel as Box
from rich.table import Table
from rich.text import Text

from replay.cli.help import Help, examples


def drawn(shown: Help) -> str:
    """As users of Typer know it."""
    out = StringIO()
    console = Console(file=out, force_terminal=True, highlight=False, emoji=False, markup=False)
    head = Text.assemble(("Usage: ", "yellow"), (shown.usage, "bold"))
    first, _, others = shown.text.partition("\n")
    console.print(Padding(Group(head, "", first, *([Text(others, "dim")] if others else [])), 1))
    for title, rows in shown.sections:
        table = Table(show_header=False, box=None, padding=(0, 1), pad_edge=False, expand=True)
        table.add_column(style="bold cyan", max_width=26)
        if any(row.metavar for row in rows):
            table.add_column(style="bold yellow", max_width=18, overflow="fold")
        table.add_column(ratio=1)
        for row in rows:
            text = Text.assemble(row.text, (f" [{row.more}]" if row.more else "", "dim"))
            metavar = [row.metavar] if len(table.columns) == 3 else []
            table.add_row(row.names, *metavar, text)
        console.print(Box(table, title=title, title_align="left", border_style="dim"))
    if shown.note:
        console.print(Padding(Text(shown.note, "dim"), (0, 1)))
    if shown.examples:
        console.print("", *(f" {line}" for line in examples(shown)), sep="\n", soft_wrap=True)
    return out.getvalue()
