"""The `replay` command: its commands, each made when it is called or its help is asked for. No work is done here."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, MutableMapping
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from replay import __version__
from replay.cli.call import call
from replay.cli.commands import COMMANDS, GROUPS, Command, command
from replay.cli.options.declare import Declared

SETTINGS = {"help_option_names": ["-h", "--help"]}


class _Made(MutableMapping[str, Any]):
    """Commands by their last word, made when they are asked for: to make all of them takes longer than to run one.

    `prefix` is the first word of those that stand in a group.
    """

    def __init__(self, prefix: str) -> None:
        words = [each.words.split() for each in COMMANDS]
        if prefix:
            words = [each[1:] for each in words if each[0] == prefix]
        self._prefix = prefix
        self._names = list(dict.fromkeys(each[0] for each in words))
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._made:
            words = f"{self._prefix} {name}".strip()
            self._made[name] = _group(name) if name in GROUPS else _command(command(words))
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __setitem__(self, name: str, made: Any) -> None:
        self._made[name] = made

    def __delitem__(self, name: str) -> None:
        del self._made[name]


class _Group(TyperGroup):
    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        self.commands = _Made(self.name if self.name in GROUPS else "")


app = typer.Typer(
    name="replay",
    cls=_Group,
    help="Replay historical trades from Parquet into Kafka: in order, paced, checkpointed, resumed without duplicates.",
    epilog="Start with:  replay demo  |  Then look before you send:  replay plan data --rate 5000/s",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=SETTINGS,
)


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    if version:
        typer.echo(f"replay {__version__}")
        raise typer.Exit


def main() -> None:
    """The `replay` command."""
    app(prog_name="replay")


def _group(name: str) -> Any:
    made = typer.Typer(
        name=name, cls=_Group, help=GROUPS[name], no_args_is_help=True, rich_markup_mode=None, add_completion=False
    )
    made.callback()(lambda: None)
    return typer.main.get_command(made)


def _command(made_of: Command) -> Any:
    """As Typer makes it of a function with these parameters."""

    def run(context: typer.Context, **parsed: Any) -> Any:
        return call(made_of, context, parsed)

    parameters = [inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)]
    parameters += [
        inspect.Parameter(
            each.field,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if each.required else each.default,
            annotation=Annotated[each.annotation, _typer_parameter(each)],
        )
        for each in made_of.options
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    alone = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    alone.command(
        made_of.name,
        cls=TyperCommand,
        help=made_of.text,
        epilog="Example:  " + "  |  ".join(made_of.examples),
        context_settings=SETTINGS,
    )(run)
    return typer.main.get_command(alone)


def _typer_parameter(option: Declared) -> Any:
    said = option.option
    shown: dict[str, Any] = {"help": said.text, "metavar": option.metavar or None, "min": said.min, "max": said.max}
    if option.is_argument:
        return typer.Argument(**shown)
    names = [
        name for name in (f"{option.name}/{option.negative}" if option.negative else option.name, said.short) if name
    ]
    # Variables of options with many values hold one a line, which Typer would split at blanks: see `given`.
    return typer.Option(*names, envvar=None if option.many else option.variable, show_envvar=True, **shown)
