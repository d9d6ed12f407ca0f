"""What a replay saw of its inputs, kept beside its checkpoint. A later look needs no Parquet to see whether anything is
new. It is only a hint: without it the replay itself looks. Light.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from replay.atomic_file import replace_file
from replay.checkpoint.content import Checkpoint
from replay.own_files import read_own
from replay.source.files import paths

if TYPE_CHECKING:
    from replay.source.files.input_path import InputPath

_MAGIC_BYTES, _LENGTH_BYTES = 4, 4  # with which a Parquet file ends: the footer's length, and PAR1
_SHOWN_MAX = 3


@dataclass(frozen=True, slots=True)
class SeenFile:
    """`mtime_ns` is None for a file that is not on this machine; `footer_sha256` is "" for one that holds no row of the
    replay."""

    path: str
    size_bytes: int
    mtime_ns: int | None
    footer_sha256: str = ""

    @property
    def stamp(self) -> tuple[str, int, int | None]:
        """What tells it from another, or a later, file without a look into it."""
        return self.path, self.size_bytes, self.mtime_ns


@dataclass(frozen=True, slots=True)
class Seen:
    """`inputs` are what was named, absolute; none where that may hold secrets. `saved_at_s` is that of the checkpoint
    that it belongs to. `by_time`: the replay picks its rows by event time, so that other files may well come."""

    inputs: tuple[str, ...]
    files: tuple[SeenFile, ...]
    by_time: bool
    saved_at_s: float = 0.0


def place_beside(checkpoint: Path) -> Path:
    target = Path(os.path.realpath(checkpoint))
    return target.with_name(target.name + ".inputs")


def save(checkpoint: Path, seen: Seen) -> None:
    """Raises `OSError`."""
    replace_file(place_beside(checkpoint), json.dumps(asdict(seen), indent=1).encode())


def load(checkpoint: Path, saved: Checkpoint) -> Seen | None:
    """None where there is none for this generation of the checkpoint, or it cannot be read."""
    try:
        body = json.loads(read_own(place_beside(checkpoint)))
        files = tuple(SeenFile(**each) for each in body["files"])
        seen = Seen(tuple(body["inputs"]), files, bool(body["by_time"]), float(body["saved_at_s"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return seen if seen.saved_at_s == saved.saved_at_s else None


def absolute(inputs: Sequence[str]) -> tuple[str, ...]:
    """What was named, so that it is the same from any folder; nothing where it might hold a secret."""
    if any("://" in each and ("?" in each or "@" in each.partition("://")[2].partition("/")[0]) for each in inputs):
        return ()
    return tuple(each if "://" in each else os.path.abspath(each) for each in inputs)


def is_same(seen: Seen, now: Sequence[SeenFile]) -> bool:
    """Whether the same files are there, as far as name, size and time of change tell."""
    before = {each.stamp for each in seen.files}
    return bool(before) and before == {each.stamp for each in now}


def described(path: InputPath, footer_sha256: str = "") -> SeenFile:
    """A file as it is now; one that is gone meanwhile has no time of change."""
    shown, mtime_ns = path.shown, None
    if not path.is_remote:
        shown = os.path.abspath(shown)
        with suppress(OSError):
            mtime_ns = os.stat(shown).st_mtime_ns
    return SeenFile(shown, path.size_bytes, mtime_ns, footer_sha256)


def changed_since(checkpoint: Path, saved: Checkpoint) -> str:
    """What of the local inputs is not as it was when the replay was done; "" where nothing is known to have changed.

    New files count where the replay takes whatever its folders and patterns hold: of one that picks rows by event time,
    only its next run can tell.
    """
    if not saved.state.has_ended:
        return ""
    seen = load(checkpoint, saved)
    if seen is None:
        return ""
    found = [*_changed_files(seen), *([] if seen.by_time else _new_files(seen))]
    more = f" and {len(found) - _SHOWN_MAX} more" if len(found) > _SHOWN_MAX else ""
    return ", ".join(found[:_SHOWN_MAX]) + more


def _changed_files(seen: Seen) -> Iterator[str]:
    for each in seen.files:
        if not each.footer_sha256 or each.mtime_ns is None:
            continue
        name = os.path.basename(each.path)
        try:
            status = os.stat(each.path)
            if (status.st_size, status.st_mtime_ns) != (each.size_bytes, each.mtime_ns) and (
                _footer_sha256(each.path) != each.footer_sha256
            ):
                yield f"{name} is another"
        except FileNotFoundError:
            yield f"{name} is gone"
        except OSError:  # whoever cannot read it cannot tell
            continue


def _footer_sha256(path: str) -> str:
    """As the checkpoint has it: of the footer, its length and the magic."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        tail_bytes = _LENGTH_BYTES + _MAGIC_BYTES
        if size < tail_bytes:
            return ""
        file.seek(size - tail_bytes)
        footer_bytes = int.from_bytes(file.read(_LENGTH_BYTES), "little") + tail_bytes
        if footer_bytes > size:
            return ""
        file.seek(size - footer_bytes)
        return hashlib.sha256(file.read(footer_bytes)).hexdigest()


def _new_files(seen: Seen) -> Iterator[str]:
    known = {each.path for each in seen.files}
    for given in seen.inputs:
        if "://" in given or given in known:
            continue
        yield from (f"{os.path.basename(path)} is new" for path in sorted(_there(given, known)) if path not in known)


def _there(given: str, known: set[str]) -> Iterator[str]:
    """Files that the input names now, in the folders in which it named some."""
    is_folder = os.path.isdir(given)
    folders = {os.path.dirname(path) for path in known if path.startswith(given.rstrip("/") + "/") or not is_folder}
    pattern = "*" if is_folder else os.path.basename(given)
    for folder in sorted(folders | ({given} if is_folder else set())):
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                taken = paths.takes(paths.FOLDER, entry.name) if is_folder else fnmatchcase(entry.name, pattern)
                if taken and not paths.is_ignored(entry.name) and entry.is_file():
                    yield entry.path
