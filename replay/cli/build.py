"""From a command's declaration to the command that Typer parses: made when it is called or its help is asked for."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from replay.cli import help as helps
from replay.cli.commands import COMMANDS, GROUPS, Command, command
from replay.cli.help_text import text_of
from replay.cli.options.declare import Declared

SETTINGS = {"help_option_names": ["-h", "--help"]}
START = ("replay demo", "replay plan data --rate 5000/s", "replay run data --topic trades --embedded")
EVERYTHING = "replay.help_all"
"""Key of a context's `meta`: the help shows all options."""


class Commands(TyperGroup):
    """A group whose commands are those of the table: of the one that is called `config`, those that begin so."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        self.commands = self.made = _Made(self.name if self.name in GROUPS else "")

    def get_params(self, ctx: Any) -> list[Any]:
        """Flags that were not given are off, and not None: to convert that, Typer imports pydantic."""
        found: list[Any] = super().get_params(ctx)
        for each in found:
            if getattr(each, "is_flag", False) and each.default is None:
                each.default = False
        return found

    def format_help(self, ctx: Any, formatter: Any) -> None:
        records = [each.get_help_record(ctx) for each in self.get_params(ctx)]
        shown = helps.Help(
            f"{ctx.command_path} COMMAND [OPTIONS]",
            self.help or "",
            [
                ("Commands", [helps.Row(name, title) for name, title in self.made.titles()]),
                ("Options", [helps.Row(*record) for record in records if record is not None]),
            ],
            examples=START if self.name not in GROUPS else (),
        )
        formatter.write(text_of(shown, formatter.width))


class _Command(TyperCommand):
    described: Command

    def format_help(self, ctx: Any, formatter: Any) -> None:
        shown = helps.of_command(self.described, ctx.command_path, everything=bool(ctx.meta.get(EVERYTHING)))
        formatter.write(text_of(shown, formatter.width))


class _Made(MutableMapping[str, Any]):
    """Commands by their last word, made when they are asked for: to make all of them takes longer than to run one.

    `prefix` is the first word of those that stand in a group.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._made: dict[str, Any] = {}
        words = [each.words.split() for each in COMMANDS]
        if prefix:
            words = [each[1:] for each in words if each[0] == prefix]
        self._names = list(dict.fromkeys(each[0] for each in words))

    def titles(self) -> list[tuple[str, str]]:
        """Each command and what it does, without making it."""
        return [(name, GROUPS.get(name) or command(self._words(name)).title) for name in self._names]

    def _words(self, name: str) -> str:
        return f"{self._prefix} {name}".strip()

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = _group(name) if name in GROUPS else _made_of(command(self._words(name)))
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __setitem__(self, name: str, made: Any) -> None:
        self._made[name] = made

    def __delitem__(self, name: str) -> None:
        del self._made[name]


def _group(name: str) -> Any:
    made = typer.Typer(
        name=name,
        cls=Commands,
        help=GROUPS[name],
        no_args_is_help=True,
        rich_markup_mode=None,
        add_completion=False,
        context_settings=SETTINGS,
    )
    made.callback()(lambda: None)
    return typer.main.get_command(made)


def _made_of(described: Command) -> Any:
    """As Typer makes it of a function with these parameters."""

    def run(context: typer.Context, **parsed: Any) -> Any:
        parsed.pop("help_all", None)
        return import_module("replay.cli.call").call(described, context, parsed)  # the help did without it

    parameters = [_parameter("context", typer.Context)]
    for each in described.options:
        default = inspect.Parameter.empty if each.required else each.default
        parameters.append(_parameter(each.field, Annotated[each.annotation, _typer_parameter(each)], default))
    if helps.has_more(described):
        parameters.append(_parameter("help_all", Annotated[bool, _HELP_ALL], default=False))
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    alone = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    alone.command(described.name, cls=_Command, help=described.text, context_settings=SETTINGS)(run)
    made: Any = typer.main.get_command(alone)
    made.described = described
    return made


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _typer_parameter(option: Declared) -> Any:
    said = option.option
    shown: dict[str, Any] = {"help": said.text, "metavar": option.metavar or None, "min": said.min, "max": said.max}
    if option.is_argument:
        return typer.Argument(**shown)
    name = f"{option.name}/{option.negative}" if option.negative else option.name
    names = [name, said.short] if said.short else [name]
    # Variables of options with many values hold one a line, which Typer would split at blanks: see `given`.
    return typer.Option(*names, envvar=None if option.many else option.variable, show_envvar=True, **shown)


def _help_all(context: typer.Context, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        context.meta[EVERYTHING] = True
        typer.echo(context.get_help(), color=None)
        raise typer.Exit


_HELP_ALL = typer.Option("--help-all", is_eager=True, callback=_help_all, help="Show all options.")
