"""Names of input files: which are taken, what their folders say, how they sort. Pure: no file system is asked.

Local and remote search share these rules, so that a data set found here is the same one found in a bucket.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import cache
from urllib.parse import unquote

from replay.errors import InputError

Keys = tuple[tuple[str, str | None], ...]

# Half-written files of Flink, Hadoop and others, and Hadoop's checksums beside whole ones.
_UNFINISHED = (".crc", ".tmp", ".inprogress", "._copying_")
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"  # how Hive and Spark write null


def natural_key(text: str) -> list[tuple[int, int, str]]:
    """`day-2` before `day-10`: runs of digits compare as numbers."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]


def is_ignored(name: str) -> bool:
    """Whether a file or folder is no data: hidden, `_SUCCESS`-like, unfinished. `_x=1` is a Hive folder."""
    hidden = name.startswith(".") or (name.startswith("_") and "=" not in name)
    return hidden or name.lower().endswith(_UNFINISHED)


def is_pattern(text: str) -> bool:
    return any(letter in text for letter in "*?[")


# -- patterns ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a pattern, between two slashes. `ignored`: it asks for ignored names itself, as `_x*` does."""

    regex: re.Pattern[str]
    ignored: bool = False

    def matches(self, name: str) -> bool:
        return self.regex.match(name) is not None and (self.ignored or not is_ignored(name))


DEEP = None  # `**`: any number of folders, also none
Steps = tuple[Step | None, ...]
FOLDER: Steps = (DEEP, Step(re.compile(r".*\.(parquet|parq|pq)\Z", re.IGNORECASE | re.DOTALL)))
"""A folder named as an input: its Parquet files, however deep."""


def split_pattern(path: str) -> tuple[str, Steps]:
    """The folder a pattern starts from, as far as it is spelled out, and the steps from there."""
    parts = path.split("/")
    fixed = next(at for at, part in enumerate(parts) if is_pattern(part))
    folder = "/".join(parts[:fixed]) or ("/" if path.startswith("/") else "")
    return folder, steps_of(part for part in parts[fixed:] if part not in {"", "."})


def steps_of(parts: Iterable[str]) -> Steps:
    """A pattern's steps. They never end with `**`, nor have two in a row, which would mean the same."""
    steps: list[Step | None] = []
    for part in parts:
        if part != "**":
            steps.append(Step(re.compile(translate(part)), is_ignored(part)))
        elif not steps or steps[-1] is not DEEP:
            steps.append(DEEP)
    if steps and steps[-1] is DEEP:
        steps.append(Step(re.compile(translate("*"))))
    return tuple(steps)


def _tail(steps: Steps) -> tuple[Step, Steps]:
    head, *rest = steps[1:] if steps[0] is DEEP else steps
    assert head is not DEEP  # steps_of() sees to it
    return head, tuple(rest)


def takes(steps: Steps, name: str) -> bool:
    """Whether a file of this name, in the folder where a search has these steps left, is input."""
    step, rest = _tail(steps)
    return not rest and step.matches(name)


def into(steps: Steps, name: str) -> set[Steps]:
    """How a search goes on in the folder of this name; a folder that the whole pattern matches is read as one."""
    step, rest = _tail(steps)
    on = {rest or FOLDER} if step.matches(name) else set()
    if steps[0] is DEEP and not is_ignored(name):
        on.add(steps)
    return on


def selector(steps: Steps) -> Callable[[str], bool]:
    """Tells whether a search with these steps finds a file, by its path below where the search starts."""

    @cache  # files share folders
    def left(folder: str) -> frozenset[Steps]:
        if not folder:
            return frozenset({steps})
        above, _, name = folder.rpartition("/")
        return frozenset(on for each in left(above) for on in into(each, name))

    def selects(path: str) -> bool:
        folder, _, name = path.rpartition("/")
        return any(takes(each, name) for each in left(folder))

    return selects


# -- Hive folders -----------------------------------------------------------------------------------------


def identify(path: str, shown: str) -> tuple[str, Keys]:
    """A file's name on any machine, and its partition keys: its `key=value` folders, wherever above it they are."""
    *folders, file = path.split("/")
    hive = [folder for folder in folders if "=" in folder[1:]]
    return "/".join([*hive, file]), _keys(hive, shown)


def _keys(folders: Sequence[str], shown: str) -> Keys:
    keys: dict[str, str | None] = {}
    for folder in folders:
        key, _, value = folder.partition("=")
        key, value = _decoded(key, shown), _decoded(value, shown)
        if key in keys:
            raise InputError(f"two folders give a value for {key!r}", where=shown, todo="rename one of the folders")
        keys[key] = None if value == _NO_VALUE else value
    return tuple(keys.items())


def _decoded(text: str, shown: str) -> str:
    """Spark and Hive write what a path cannot hold as %2F and the like."""
    try:
        decoded = unquote(text, errors="strict")
        decoded.encode()  # a local path need not be UTF-8, but these become text columns
    except UnicodeError:
        raise InputError(
            f"the folder's {text!r} is not UTF-8 and cannot be a column", where=shown, todo="rename the folder"
        ) from None
    return decoded
