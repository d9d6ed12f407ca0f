"""Whether a replay that is done is still done with the inputs as they are now. No broker is asked, and no Parquet is
read if nothing has moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from replay.checkpoint.content import Checkpoint, JobState
from replay.checkpoint.differences import differences
from replay.checkpoint.file import CheckpointFile, readable
from replay.delivery import seen
from replay.delivery.job_print import as_now
from replay.delivery.options import RunOptions
from replay.errors import NoInput, ReplayError
from replay.reporter import Reporter
from replay.source.files.find import find
from replay.source.files.input_path import InputPath
from replay.source.source import Source

WAIT_S = 10.0
"""How long a broker is waited for that could only say again that nothing is to be done: it answers within a second."""


def is_settled(options: RunOptions, source: Source, saved: Checkpoint) -> bool:
    """Whether it was done with these very inputs and options."""
    return saved.state is JobState.DONE and not differences(saved.job, as_now(options, source, saved))


def has_lost_its_files(options: RunOptions, source: Source, saved: Checkpoint) -> bool:
    """Whether it was done, and not a single file of it is there any more: an archive that was cleared away. What is in
    the topic stays there."""
    if saved.state is not JobState.DONE or source.files or not saved.job.inputs:
        return False
    names = {path.name for path in source.paths}
    now = replace(as_now(options, source, saved), inputs=saved.job.inputs)
    return not any(each.name in names for each in saved.job.inputs) and not differences(saved.job, now)


# -- what was seen, for a quick look the next time ---------------------------------------------------------


def look_at(source: Source) -> seen.Seen:
    """The inputs as they are now, before a row of them is read."""
    used = {file.shown: file.footer_sha256 for file in source.files}
    return seen.Seen(
        inputs=seen.absolute(source.options.inputs),
        files=_described(source.paths, used),
        by_time=source.options.selection.has_range,
    )


def remember(file: CheckpointFile, looked: seen.Seen, report: Reporter) -> None:
    """What a replay that has come to its end was looking at. A hint, so that no failure counts."""
    try:
        saved = file.load()
        if saved is not None and saved.state.has_ended:
            seen.save(file.path, replace(looked, saved_at_s=saved.saved_at_s))
    except (OSError, ReplayError) as error:
        report.warning(f"what the inputs are like is not noted beside the checkpoint: {error}")


def is_unchanged(checkpoint: Path) -> bool:
    """Whether a replay that has come to its end would find nothing new, by the names, sizes and times of change of its
    files alone. In doubt, no: its own run looks closely, and tells."""
    saved = readable(checkpoint)
    if saved is None or not saved.state.has_ended:
        return False
    noted = seen.load(checkpoint, saved)
    if noted is None or not noted.inputs:
        return False
    try:
        return seen.is_same(noted, _described(find(noted.inputs)))
    except NoInput:
        return saved.state is JobState.DONE  # an archive that was cleared away; what is in the topic stays there
    except ReplayError:
        return False


def _described(paths: Sequence[InputPath], used: Mapping[str, str] | None = None) -> tuple[seen.SeenFile, ...]:
    return tuple(seen.described(path, (used or {}).get(path.shown, "")) for path in paths)
