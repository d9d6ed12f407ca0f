"""From a command's declaration to the command that Typer parses: made when it is called or its help is asked for."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from replay.cli import help as helps
from replay.cli.commands import COMMANDS, GROUPS, Command, command
from replay.cli.options.declare import Declared

SETTINGS = {"help_option_names": ["-h", "--help"]}
OF_A_GROUP: dict[str, Any] = {"no_args_is_help": True, "rich_markup_mode": None, "context_settings": SETTINGS}
START = ("replay demo", "replay plan data --rate 5000/s", "replay run data --topic trades --embedded")
EVERYTHING = "replay.help_all"
"""Key of a context's `meta`: the help shows all options."""


class Commands(TyperGroup):
    """A group whose commands are those of the table: of the one that is called `config`, those that begin so.

    They are made when they are asked for: to make all of them takes longer than to run one.
    """

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        self._prefix = f"{self.name} " if self.name in GROUPS else ""
        words = [each.words.removeprefix(self._prefix) for each in COMMANDS if each.words.startswith(self._prefix)]
        names: Any = dict.fromkeys(each.split()[0] for each in words)
        self.commands = names

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in self.commands and self.commands[cmd_name] is None:
            words = self._prefix + cmd_name
            self.commands[cmd_name] = _group(words) if words in GROUPS else _made_of(command(words))
        return super().get_command(ctx, cmd_name)

    def get_params(self, ctx: Any) -> list[Any]:
        return _off_by_default(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        records = [each.get_help_record(ctx) for each in self.get_params(ctx)]
        titles = [(name, GROUPS.get(name) or command(self._prefix + name).title) for name in self.commands]
        shown = helps.Help(
            f"{ctx.command_path} COMMAND [OPTIONS]",
            self.help or "",
            [
                ("Commands", [helps.Row(*each) for each in titles]),
                ("Options", [helps.Row(*record) for record in records if record is not None]),
            ],
            examples=START if self.name not in GROUPS else (),
        )
        formatter.write(helps.text_of(shown, formatter.width))


def _off_by_default(parameters: list[Any]) -> list[Any]:
    """Flags that were not given are off, and not None: to convert that, Typer imports pydantic."""
    for each in parameters:
        if getattr(each, "is_flag", False) and each.default is None:
            each.default = False
    return parameters


class _Command(TyperCommand):
    described: Command

    def get_params(self, ctx: Any) -> list[Any]:
        return _off_by_default(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        shown = helps.of_command(self.described, ctx.command_path, everything=bool(ctx.meta.get(EVERYTHING)))
        formatter.write(helps.text_of(shown, formatter.width))


def _group(name: str) -> Any:
    made = typer.Typer(name=name, cls=Commands, help=GROUPS[name], add_completion=False, **OF_A_GROUP)
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
    declared = {each.field: each for each in described.options}
    for parameter in made.params:
        if parameter.name in declared:
            parameter.process_value = _converting(declared[parameter.name], parameter.process_value)
    return made


def _converting(option: Declared, convert: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Typer imports pydantic for any conversion, a tenth of a second at each start. Defaults, texts and the names of
    choices need none."""

    def process_value(context: Any, value: Any) -> Any:
        if value is None or value == option.default:
            return convert(context, value) if option.required else option.default
        if option.kind is str:
            return list(value) if option.many else value
        if value in option.choices:
            return option.kind(value)
        return convert(context, value)

    return process_value


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
