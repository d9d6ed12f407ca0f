"""Which replay this is: its job, its logical date, and the place of its state. Light: `replay status` asks for it."""

from __future__ import annotations

import os
import re
import zlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from platformdirs import user_state_path

from replay import dates
from replay.errors import UsageError

JOB_CHARACTERS_MAX = 500

_JOB = re.compile(r"(?<!\{)\{job\}(?!\})")


@dataclass(frozen=True, slots=True)
class JobName:
    """`day` is the logical date, where there is one. `folder` is the state folder, where one was named."""

    job: str | None
    day: date | None
    folder: Path | None
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        if self.job is not None and len(self.job) > JOB_CHARACTERS_MAX:
            raise UsageError(
                f"the name of the job has {len(self.job):,} characters; at most {JOB_CHARACTERS_MAX} fit into logs,"
                " metrics and file names",
                where="--job",
                todo="give it a shorter name",
            )

    @property
    def state_dir(self) -> Path:
        """Raises `UsageError` where none was named and the user has none. What needs no state does not ask."""
        return state_folder(self.folder)

    @property
    def has_state_dir(self) -> bool:
        return self.folder is not None or user_state_dir() is not None

    def dated(self, text: str, option: str) -> str:
        """`{date}` and `{date:%Y/%m/%d}` become the logical date; a text without them stays what it is."""
        if not dates.has_date(text):
            return text
        if self.day is None:
            raise UsageError(f"{text} depends on the date", where=option, todo="give one: --date 2026-11-22")
        return dates.expand(text, self.day, option)

    def placed(self, text: str, option: str, topic: str | None) -> str:
        """The path of a file to write: `{job}` becomes the job's name, as it fits into a path, `{date}` the date."""
        return self.dated(_JOB.sub(safe_name(self.job or topic or "job"), text), option)

    def of(self, topic: str) -> str:
        """As Kafka's progress records know it: each date is a replay of its own."""
        return (self.job or topic) + (f".{self.day}" if self.day is not None else "")

    def checkpoint(self, topic: str, named: str = "") -> Path:
        """The file that is named, else `JOB/DATE.json` in the state folder; without a date `JOB.json`. The job's
        default name is the topic's."""
        if named:
            return Path(self.dated(named, "--checkpoint"))
        topic = self.dated(topic, "--topic")
        job = safe_name(self.job or topic)
        return self.state_dir / (f"{job}.json" if self.day is None else f"{job}/{self.day}.json")


def is_for_each_job(path: str) -> bool:
    """Whether jobs that are given the same path write files of their own."""
    return _JOB.search(path) is not None or path.endswith("/") or Path(path).is_dir()


def safe_name(name: str) -> str:
    """As the name of a file: those end at 255 bytes, and hold no slash."""
    plain = re.sub(r"[^\w.-]", "_", name, flags=re.ASCII).lstrip(".") or "_"
    if plain == name and len(name) <= 200:
        return name
    return f"{plain[:180]}-{zlib.crc32(name.encode(errors='surrogatepass')):08x}"


def state_folder(named: str | Path | None) -> Path:
    """The folder that is named, or the user's own; a `UsageError` where this user has none."""
    found = Path(named) if named else user_state_dir()
    if found is None:
        raise UsageError(
            "this user has no home folder (HOME is not set, or no folder that may be entered), so there is no place for"
            " checkpoints and the history of runs",
            where="--state-dir",
            todo="name a folder with --state-dir or REPLAY_STATE_DIR; or set HOME or XDG_STATE_HOME",
        )
    return found


def user_state_dir() -> Path | None:
    """`~/.local/state/replay`, or what XDG_STATE_HOME says; None for a user without a home folder, as in a container or
    under cron: nothing is made at the root of the disk or in the current folder instead."""
    named = os.environ.get("XDG_STATE_HOME", "").strip()
    if not os.path.isabs(named):
        # HOME, or what the system knows of this user; "~" where neither is set; container engines give a stranger /.
        home = "" if os.environ.get("HOME") == "" else os.path.realpath(os.path.expanduser("~"))
        if home in ("", "/", os.path.realpath("~")) or not os.path.isdir(home) or not os.access(home, os.X_OK):
            return None
    return user_state_path("replay")
