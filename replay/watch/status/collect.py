"""Every replay that the state folder, the history or the caller knows, and how it stands. Light."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from replay.checkpoint.content import Checkpoint
from replay.checkpoint.file import CheckpointFile
from replay.delivery import seen
from replay.errors import StateConflict
from replay.watch.history.database import History, HistoryUnreadable
from replay.watch.history.records import RunRecord
from replay.watch.status.states import Place, ReplayState, Status, status


def collect(
    state_dir: Path, history: History, now_s: float, named: Sequence[Path] = ()
) -> tuple[list[Status], list[str]]:
    """Every replay that the state folder, the history or the caller knows; and what could not be looked at."""
    troubles: list[str] = []
    last: dict[str, RunRecord] = {}
    try:
        last = {run.checkpoint: run for run in history.last_of_each()}
    except HistoryUnreadable as error:
        troubles.append(str(error))
    places = {place.key: place for place in _places(state_dir)}
    known = {place.key: place for place in (Place(path, path.stem, None) for path in named)}
    known |= {key: places.get(key, Place(Path(run.checkpoint), run.job, run.date)) for key, run in last.items()}
    found = {key: (place, _load(place.path)) for key, place in {**places, **known}.items()}
    # The folder may hold other JSON, such as a summary. What cannot be read counts only where a replay left traces.
    statuses = [
        _with_changes(status(place, checkpoint, last.get(key), now_s), checkpoint, place.path)
        for key, (place, checkpoint) in found.items()
        if key in known or not isinstance(checkpoint, str) or CheckpointFile(place.path).has_traces
    ]
    return sorted(statuses, key=lambda each: (each.job, each.date or "", each.checkpoint)), troubles


def _with_changes(made: Status, found: Checkpoint | str | None, path: Path) -> Status:
    """With the files that came or went since a replay was done or empty. It reads no Parquet."""
    if not isinstance(found, Checkpoint) or made.state not in (ReplayState.DONE, ReplayState.EMPTY):
        return made
    changed = seen.changed_since(path, found)
    if not changed:
        return made
    return replace(made, changed=changed, detail=", ".join(filter(None, (f"changed since: {changed}", made.detail))))


def _places(state_dir: Path) -> Iterator[Place]:
    """`JOB.json` and `JOB/DATE.json`, also where only their previous generation is left."""
    for pattern in ("*.json", "*.json.prev", "*/*.json", "*/*.json.prev"):
        for path in state_dir.glob(pattern):
            whole = path.with_suffix("") if path.suffix == ".prev" else path
            if whole.name.startswith(".") or (whole != path and whole.exists()):
                continue
            if whole.parent == state_dir:
                yield Place(whole, whole.stem, None)
            else:
                yield Place(whole, whole.parent.name, whole.stem)


def _load(path: Path) -> Checkpoint | str | None:
    try:
        return CheckpointFile(path).load()
    except StateConflict as error:
        return error.what
