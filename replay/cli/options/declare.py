"""How an option is declared, and what follows from the declaration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, MISSING, dataclass, field, fields
from enum import StrEnum
from functools import partial
from types import UnionType
from typing import Any, get_args, get_origin

from replay import units

PREFIX = "REPLAY_"
REQUIRED: Any = MISSING
"""As the default of what every call has to give."""

_SAID = "option"


class Panel(StrEnum):
    """The question of a user that an option answers, in the order of the help."""

    OWN = "This command"
    WHAT = "What to send"
    WHERE = "Where to"
    PACE = "How fast"
    FAILS = "When it fails"
    NIGHTS = "Every night"
    WATCH = "Watching it"
    FILES = "Files and formats"


@dataclass(frozen=True, slots=True)
class Form:
    """How the text of an option is written, and what reads it: text and option name to value, or `UsageError`."""

    metavar: str
    read: Callable[[str, str], Any]


def duration(bounds: units.Bounds = units.ANY) -> Form:
    """Seconds; the bounds are in seconds."""
    return Form("DURATION", lambda text, option: units.parse_duration_s(text, option, bounds))


def row_count(bounds: units.Bounds = units.ANY) -> Form:
    return Form("ROWS", lambda text, option: units.parse_rows(text, option, bounds))


def byte_size(bounds: units.Bounds = units.ANY) -> Form:
    """Bytes."""
    return Form("SIZE", lambda text, option: units.parse_bytes(text, option, bounds))


def _offsets(text: str, option: str) -> list[int]:
    units.matched(text, r"\d+(\s*,\s*\d+)*", option, "0,0,12 (an offset for each partition)")
    return [int(part) for part in text.split(",")]


OFFSETS = Form("OFFSETS", _offsets)


@dataclass(frozen=True, slots=True)
class Option:
    """What is said of an option beside its type and its default, which are those of its field.

    `name` is for fields that are called otherwise. `otherwise` says what counts where nothing is given, if the default
    is no value that says so.
    `variable` is for a name that other commands use for something else.

    A resume compares the option, under its own name in `Source.identity()`; `identity` is the name of what it decides,
    where that is compared instead. `harmless` says why it need not be compared: it changes neither the rows nor the
    bytes sent. No option of a group that is `Harmless` does.
    """

    text: str
    panel: Panel
    _: KW_ONLY
    name: str = ""
    short: str = ""
    metavar: str = ""
    form: Form | None = None
    min: float | None = None
    max: float | None = None
    otherwise: str = ""
    everyday: bool = False
    variable: str = ""
    identity: str = ""
    harmless: str = ""


def option(panel: Panel, default: Any, text: str, **more: Any) -> Any:
    """A field of a group: its default, and what `Option` takes. The functions below are this one, by panel."""
    return same(default, Option(text, panel, **more))


own = partial(option, Panel.OWN)
what = partial(option, Panel.WHAT)
where = partial(option, Panel.WHERE)
pace = partial(option, Panel.PACE)
fails = partial(option, Panel.FAILS)
nights = partial(option, Panel.NIGHTS)
watch = partial(option, Panel.WATCH)
files = partial(option, Panel.FILES)


def same(default: Any, said: Option) -> Any:
    """A field for which another group has said it."""
    return field(default=default, metadata={_SAID: said})


class Harmless:
    """A group none of whose options changes the rows or the bytes that are sent."""


@dataclass(frozen=True, slots=True)
class Declared:
    """An option of a group, with what its field says. `kind` is the type of one value."""

    field: str
    option: Option
    kind: Any
    annotation: Any
    many: bool
    default: Any
    required: bool

    @property
    def is_argument(self) -> bool:
        return bool(self.option.name) and not self.option.name.startswith("-")

    @property
    def is_flag(self) -> bool:
        return self.kind is bool

    @property
    def name(self) -> str:
        """As errors call it: `--max-gap`, `-X`, `INPUT`."""
        return self.option.name or "--" + self.field.replace("_", "-")

    @property
    def names(self) -> str:
        """All that it may be written as."""
        return ", ".join(filter(None, (self.option.short, self.name, self.negative)))

    @property
    def shown(self) -> str:
        """As lists of options call it: an argument by its key."""
        return self.field if self.is_argument else self.name

    @property
    def negative(self) -> str:
        """What turns off a flag that is on by default."""
        return f"--no-{self.name[2:]}" if self.is_flag and self.default is True else ""

    @property
    def key(self) -> str:
        """As a job file names it, with underscores."""
        return self.field if self.is_argument else self.name.lstrip("-").replace("-", "_")

    @property
    def variable(self) -> str:
        """Empty for an argument that every call gives anew."""
        if self.is_argument and self.required:
            return ""
        return PREFIX + (self.option.variable or self.key.upper())

    @property
    def choices(self) -> tuple[str, ...]:
        is_choice = isinstance(self.kind, type) and issubclass(self.kind, StrEnum)
        return tuple(map(str, self.kind)) if is_choice else ()

    @property
    def metavar(self) -> str:
        """What stands for the value in the help; empty for a flag."""
        if self.is_flag:
            return ""
        form = self.option.form.metavar if self.option.form is not None else ""
        kind = "|".join(self.choices) or ("NUMBER" if self.kind in (int, float) else "TEXT")
        return self.option.metavar or form or kind

    @property
    def bounds_text(self) -> str:
        """Of a number, and of a text with a unit that has bounds."""
        least, most = self.option.min, self.option.max
        if least is None and most is None:
            return ""
        return f"at least {least:g}" if most is None else f"{least or 0:g} to {most:g}"

    @property
    def default_text(self) -> str:
        """Empty where there is none, and for a flag that is off."""
        if self.option.otherwise:
            return self.option.otherwise
        if self.default is None or self.default is False or self.default == "":
            return ""
        if self.default is True:
            return self.name.removeprefix("--")
        return f"{self.default:g}" if self.kind is float else str(self.default)


_KNOWN: dict[type, tuple[Declared, ...]] = {}


def declared(group: type) -> tuple[Declared, ...]:
    """The options of a group, in their order."""
    if group not in _KNOWN:
        _KNOWN[group] = tuple(_declared(each) for each in fields(group))
    return _KNOWN[group]


def _declared(field: Any) -> Declared:
    kind = field.type
    kinds = [each for each in (get_args(kind) if isinstance(kind, UnionType) else (kind,)) if each is not type(None)]
    many = get_origin(kinds[0]) is list
    required = field.default is MISSING
    default = None if required else field.default
    return Declared(field.name, field.metadata[_SAID], str if many else kinds[0], kind, many, default, required)
