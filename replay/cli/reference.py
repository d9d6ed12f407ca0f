"""The reference of all options of all commands, made of their declarations."""

from __future__ import annotations

from collections.abc import Sequence

from replay.cli.commands import COMMANDS, Command
from replay.cli.help import Help, option_row
from replay.cli.options.declare import Declared, Panel

HEAD = """\
# All options

Made by `replay options --markdown`; a test fails when this page is not what that prints.

An option is given in one of four ways. The first of these that names it wins:

1. on the command line: `--max-gap 5s`
2. by a variable: `REPLAY_MAX_GAP=5s`
3. in a job file (`--config FILE`, in TOML), in the job's table `[job]` or `[jobs.NAME]`: `max-gap = "5s"`
4. in a job file, outside all tables: it counts for all jobs of the file.

Without any of them the default counts. `replay config show` shows every option of a run and where it came from.

- An option that may be repeated is a list in a job file: `header = ["source=archive", "desk=7"]`. A table does as well
  for those with a name and a value: `map = { event_time = "ts" }`. Its variable holds one value a line.
- A flag is `true` or `false` in a job file, and `1` or `0` in a variable.
- Settings of librdkafka (`-X`) stand in the table `[kafka]` of a job file: `"security.protocol" = "SASL_SSL"`.
- Settings of the schema registry's client (`--registry-config`) stand in the table `[registry]`, and `--registry` there
  as `url`.
- A job file takes the options of every command that reads one; each command takes those that it has.
- Where two commands call different things by one name, the variable of the lesser one begins with its command:
  `REPLAY_HISTORY_LIMIT`.
- A value may be a reference in a job file: `${env:NAME}` or `${file:/run/secrets/kafka}`; it is never shown.
"""


PANELS: dict[Panel, str] = {panel: str(panel) for panel in Panel if panel is not Panel.OWN}
PANELS[Panel.OWN] = "Options of single commands"
TABLE = ("| Option | Meaning | Default | Variable | Key |", "| --- | --- | --- | --- | --- |")


def markdown() -> str:
    lines = [HEAD]
    for panel, title in PANELS.items():
        lines.append(f"## {title}\n")
        for commands, options in _by_commands(panel):
            has_key = any(each.reads_job_file for each in commands)
            lines += [f"{_of(commands)}\n", *TABLE, *(_line(option, has_key=has_key) for option in options), ""]
    return "\n".join(lines)


def listed() -> Help:
    """The same as a list for a terminal."""
    sections = []
    for panel, title in PANELS.items():
        for commands, options in _by_commands(panel):
            sections.append((f"{title} ({_of(commands, mark='')})", [option_row(each) for each in options]))
    return Help("replay COMMAND [OPTIONS]", "All options of all commands, by what they answer.", sections)


def _by_commands(panel: Panel) -> list[tuple[tuple[Command, ...], list[Declared]]]:
    """The options of a panel, those of the same commands together, in the order of the table of commands."""
    users: dict[Declared, list[Command]] = {}
    for command in COMMANDS:
        for option in command.options:
            if option.option.panel is panel:
                users.setdefault(option, []).append(command)
    found: dict[tuple[Command, ...], list[Declared]] = {}
    for option, commands in users.items():
        found.setdefault(tuple(commands), []).append(option)
    return list(found.items())


def _of(commands: Sequence[Command], mark: str = "`") -> str:
    if len(commands) == len(COMMANDS):
        return "All commands"
    return ", ".join(f"{mark}{each.words}{mark}" for each in commands)


def _line(option: Declared, *, has_key: bool) -> str:
    metavar = f" {option.metavar}" if option.metavar and not option.is_argument else ""
    bounds = f" ({option.bounds_text})" if option.bounds_text else ""
    default = f"`{option.default_text}`" if option.default_text and not option.option.otherwise else option.default_text
    variable = f"`{option.variable}`" if option.variable else ""
    key = f"`{option.key.replace('_', '-')}`" if has_key and option.key != "config" else ""
    cells = (f"`{option.names}{metavar}`", option.option.text + bounds, default, variable, key)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
