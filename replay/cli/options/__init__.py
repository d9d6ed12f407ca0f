"""The options of the command line, in groups. To add one:

1. Add a field to the group it belongs to: `max_gap: str | None = pace(None, "What it does.", ...)`. That
   holds all there is to say: type and default, the text, the panel of the help, the bounds or the form of its text,
   whether it is an everyday option, and whether it is part of the replay's identity. The name is that of the field:
   `--max-gap`.
2. Use it in `replay.cli.resolve`, where texts become what the layers below take.
3. Write the table of all options anew: `replay options --markdown > replay/cli/README.md`.

The variable (REPLAY_MAX_GAP), the key in a job file (max-gap), the line in the help, in `config show` and in the table
come by themselves. A group stands in a command's help once the command names it in `replay.cli.commands`.

The modules here are only data. They import neither Typer nor what an option is for. They do without
`from __future__ import annotations`, so that a field's type is at hand as it stands.
"""
