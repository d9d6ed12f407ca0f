"""What a call of a command is given for each option: on the command line, by a variable, by a job file, by default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from replay import secret_files, secrets
from replay.cli.commands import Command, command, job_keys
from replay.cli.options.declare import Declared
from replay.errors import UsageError
from replay.kafka.security import sent_in_clear
from replay.nightly import jobfile
from replay.watch.masking import masked, secret_paths_in, secrets_in

G = TypeVar("G")

if TYPE_CHECKING:
    import typer  # the Python API does without

DEFAULT = "default"
COMMAND_LINE = "command line"
OF_DATES = ("date", "missing", "missing_every", "missing_for")
"""`backfill` and `schedule` decide these for each date. They are not passed on to the replays that they start."""


OF_ALL_JOBS = ("check", "schedule")
"""Commands that take each job of a file by itself."""


@dataclass(frozen=True, slots=True)
class Given:
    """An option's value and its origin: `default`, `command line`, the name of a variable, or the file and its key.
    `secret`: it came by reference, and is never shown."""

    option: Declared
    value: Any
    origin: str
    secret: bool = False

    @property
    def text(self) -> str:
        """For people, secrets masked."""
        return masked(self.option.key, self.value, secret=self.secret)

    @property
    def is_default(self) -> bool:
        return self.origin == DEFAULT


@dataclass(frozen=True, slots=True)
class Options:
    """All that a call is given, by field. `file` is what its job file says, also of options that this command does not
    have, by key; `secret_files` are those that it refers to."""

    by_field: Mapping[str, Given]
    file: Mapping[str, jobfile.Value] = field(default_factory=dict)
    secret_files: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Any:
        return self.by_field[name].value

    def read(self, name: str) -> Any:
        """The value as the form of its option reads it; None where there is none."""
        given = self.by_field[name]
        form = given.option.option.form
        assert form is not None, f"{name} has no form"
        return None if given.value is None else form.read(given.value, given.option.name)

    def changed(self, **values: Any) -> Options:
        """With other values for these fields."""
        changed = {name: replace(self.by_field[name], value=value) for name, value in values.items()}
        return replace(self, by_field={**self.by_field, **changed})

    def of(self, group: type[G]) -> G:
        """The options of a group."""
        assert is_dataclass(group)
        return group(**{each.name: self.by_field[each.name].value for each in fields(group)})

    def texts(self) -> dict[str, str]:
        """Those that are not as they are by default, for people, secrets masked."""
        return {each.option.shown: each.text for each in self.listed() if not each.is_default}

    def origins(self) -> dict[str, str]:
        """Where each of `texts` came from."""
        return {each.option.shown: each.origin for each in self.listed() if not each.is_default}

    def listed(self) -> list[Given]:
        """Every option, in the order of the help."""
        return list(self.by_field.values())

    def arguments(self, *own: str) -> list[str]:
        """What the command line said, as arguments for `replay run`. Left out are options that `run` does not have,
        those of `OF_DATES`, and the fields in `own`. Variables and the job file reach that command by themselves.
        An argument with a secret is a `HiddenArgument`."""
        known = {option.field for option in command("run").options} - {*OF_DATES, *own}
        options: list[str] = []
        positional: list[str] = []
        for name, given in self.by_field.items():
            if name not in known or given.origin != COMMAND_LINE:
                continue
            if given.option.is_argument:
                positional += [_argument(given.option, each) for each in given.value]
            elif given.option.is_flag:
                options.append(given.option.name if given.value else given.option.negative)
            else:
                for each in given.value if given.option.many else [given.value]:
                    options += [given.option.name, _argument(given.option, each)]
        return [*options, *(["--", *positional] if positional else [])]


def warnings(options: Options) -> list[str]:
    """What to tell of secrets: files that others may read, of those that the options name and those that a job file
    refers to; and a server that is sent one without TLS."""
    named = [path for given in options.listed() for path in secret_paths_in(given.option.key, given.value)]
    told = secret_files.warnings([*named, *options.secret_files])
    token_url = options.by_field.get("oauth_token_url")  # not every command has it
    if token_url is not None and token_url.value and (in_clear := sent_in_clear(token_url.value)):
        told.append(in_clear)
    return told


def _argument(option: Declared, value: Any) -> str:
    return secrets.HiddenArgument.of(str(value), masked(option.key, str(value)))


def from_call(of: Command, context: typer.Context, parsed: Mapping[str, Any]) -> Options:
    """What the command line and variables say. Typer has read all variables but those that hold many values."""
    return remembered(Options({option.field: _given(option, context, parsed[option.field]) for option in of.options}))


def remembered(options: Options) -> Options:
    """The same options. No line that this process writes from now on shows a secret of theirs."""
    for given in options.listed():
        secrets.remember(secrets_in(given.option.key, given.value))
    return options


def _given(option: Declared, context: typer.Context, value: Any) -> Given:
    source = context.get_parameter_source(option.field)
    if source is not None and source.name == "COMMANDLINE":
        return Given(option, value, COMMAND_LINE)
    if source is not None and source.name == "ENVIRONMENT":
        return Given(option, value, option.variable)
    if option.many and (text := os.environ.get(option.variable, "")):
        return Given(option, [line.strip() for line in text.splitlines() if line.strip()], option.variable)
    return Given(option, value, DEFAULT)


def with_job_file(of: Command, options: Options) -> Options:
    """With what the job file says of options that neither the command line nor a variable does."""
    if "config" not in options.by_field or options["config"] is None:
        return options
    file = jobfile.read(Path(options["config"]))
    if options["job"] is None and len(file.jobs) > 1 and of.words in OF_ALL_JOBS:
        return options
    return of_job(options, file, options["job"])


def of_job(options: Options, file: jobfile.JobFile, job: str | None) -> Options:
    """With what the file says of this job."""
    values = file.values(job, sorted(job_keys()))
    said = dict(options.by_field)
    for name, given in options.by_field.items():
        if given.is_default and (value := values.get(given.option.key)) is not None:
            said[name] = Given(given.option, typed(given.option, value), value.where, value.secret)
    read = list(values.values())
    for table, *options_of_it in _TABLES:
        settings = file.settings(table)
        read += settings.values()
        _add_table(said, settings, f"{file.path}, [{table}]", *options_of_it)
    return remembered(Options(said, values, tuple(path for value in read for path in value.secret_files)))


_TABLES = (
    # table of a job file, its key that is an option by itself, that option, the option of the other keys
    (jobfile.KAFKA, jobfile.BOOTSTRAP, "bootstrap_servers", "settings"),
    (jobfile.REGISTRY, jobfile.URL, "registry", "registry_config"),
)


def _add_table(
    said: dict[str, Given], table: Mapping[str, jobfile.Value], where: str, place: str, of_place: str, rest: str
) -> None:
    """What a table of settings says that neither the command line nor a variable does."""
    settings = dict(table)
    address = settings.pop(place, None)
    if address is not None and of_place in said and said[of_place].is_default:
        option = said[of_place].option
        said[of_place] = Given(option, typed(option, address), address.where, address.secret)
    if settings and rest in said:
        given = said[rest]
        named = {text.partition("=")[0].strip() for text in given.value or []}
        more = [f"{name}={_setting(each.value)}" for name, each in settings.items() if name not in named]
        said[rest] = Given(
            given.option,
            [*(given.value or []), *more],
            f"{given.option.option.short or given.option.name} and {where}" if given.value else where,
            any(each.secret for each in settings.values()),
        )


def _setting(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def typed(option: Declared, value: jobfile.Value) -> Any:
    """The value as the command line would hand it over. Raises `UsageError` for one that does not fit."""
    plain, name = value.value, option.key
    if option.many:
        return jobfile.texts(plain)
    if isinstance(plain, list | dict) or option.is_flag != isinstance(plain, bool):
        needs = "true or false" if option.is_flag else "one value"
        raise UsageError(f"{name} takes {needs}", where=value.where, todo="see the option with --help")
    try:
        made = plain if option.is_flag else option.kind(str(plain))
    except ValueError:
        shown = "its value" if value.secret else repr(plain)
        choices = f": give {', '.join(option.choices)}" if option.choices else ""
        raise UsageError(f"{shown} does not fit {name}", where=value.where, todo=f"see --help{choices}") from None
    least, most = option.option.min, option.option.max
    if least is not None and made < least:
        raise UsageError(f"{plain} is too small for {name}", where=value.where, todo=f"give at least {least}")
    if most is not None and made > most:
        raise UsageError(f"{plain} is too large for {name}", where=value.where, todo=f"give at most {most}")
    return made
