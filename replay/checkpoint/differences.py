"""Whether a checkpoint belongs to the job at hand, and what differs where it does not. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from replay.checkpoint.content import Checkpoint, JobPrint
from replay.errors import StateConflict
from replay.identity import REFERENCES, SCHEMA, TABLES, kept, without_tables
from replay.position import InputPrint

_SHOWN_MAX = 5  # differences named in one error; the rest is counted


def differences(old: JobPrint, new: JobPrint) -> list[str]:
    """Everything that would change which bytes go where, in words; empty means that the checkpoint fits the job."""
    pairs = [
        ("the topic", old.topic, new.topic),
        ("the cluster id", old.cluster_id, new.cluster_id),
        ("the topic id (it was deleted and created again)", old.topic_id, new.topic_id),
        ("the number of partitions", str(old.partitions), str(new.partitions)),
        ("the partitioner", old.partitioner, new.partitioner),
        ("the encoder", old.encoder, new.encoder),
        *_option_pairs(*(_compared(job, same_inputs=old.inputs == new.inputs) for job in (old, new))),
        *_input_pairs(old.inputs, new.inputs),
    ]
    return [f"{what} was {before or 'none'}, now {now or 'none'}" for what, before, now in pairs if before != now]


def _compared(job: JobPrint, *, same_inputs: bool) -> Mapping[str, str]:
    """A table that has moved on is the same input as long as its files are the same."""
    options = kept(job.options)
    return without_tables(options) if same_inputs else options


def _option_pairs(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name in sorted(set(old) | set(new)):
        yield f"option {name}", _option_text(name, old.get(name, "")), _option_text(name, new.get(name, ""))


def _option_text(name: str, text: str) -> str:
    """A schema is long: a hash tells that it is another one."""
    if name not in (SCHEMA, REFERENCES) or not text:
        return text
    return f"another one (SHA-256 {sha256(text.encode()).hexdigest()[:8]})"


def _input_pairs(old: Sequence[InputPrint], new: Sequence[InputPrint]) -> Iterator[tuple[str, str, str]]:
    if len(old) != len(new):
        yield "the number of input files", str(len(old)), str(len(new))
        shown_old, shown_new = ({each.name: _shown(each) for each in files} for files in (old, new))
        for name in sorted(shown_old.keys() | shown_new.keys()):
            yield f"input file {name}", shown_old.get(name, ""), shown_new.get(name, "")
        return
    for number, (before, now) in enumerate(zip(old, new, strict=True)):
        if before != now:
            yield f"input file {number}", _shown(before), _shown(now)


def _shown(file: InputPrint) -> str:
    return f"{file.name} ({file.rows:,} rows, {file.size_bytes:,} bytes, footer {file.footer_sha256[:8]})"


def places_of(old: Sequence[InputPrint], new: Sequence[InputPrint]) -> tuple[int, ...] | None:
    """Where the old files are among the new ones, in the same order; None where one of them is not."""
    places, at = [], 0
    for each in old:
        while at < len(new) and new[at] != each:
            at += 1
        if at == len(new):
            return None
        places.append(at)
        at += 1
    return tuple(places)


def has_grown(old: Sequence[InputPrint], new: Sequence[InputPrint]) -> bool:
    """Whether nothing went away, as far as names and numbers of rows tell, and something came."""
    if old == new:
        return False
    rows = {each.name: each.rows for each in new}
    return places_of(old, new) is not None or all(rows.get(each.name, -1) >= each.rows for each in old)


def check_same_job(saved: Checkpoint, job: JobPrint, where: str) -> None:
    """Raises `StateConflict` that names what differs, old and new."""
    found = differences(saved.job, job)
    if not found:
        return
    more = f"; and {len(found) - _SHOWN_MAX} more" if len(found) > _SHOWN_MAX else ""
    is_more = has_grown(saved.job.inputs, job.inputs) and not differences(replace(saved.job, inputs=job.inputs), job)
    is_table = any(each.startswith(f"option {TABLES} was ") for each in found)
    raise StateConflict(
        "this checkpoint belongs to another job: " + "; ".join(found[:_SHOWN_MAX]) + more,
        where=where,
        todo=("send what sorts after all that was sent with --when-changed append, " if is_more else "")
        + (f"install what wrote the rows before ({saved.job.encoder}), " if saved.job.encoder != job.encoder else "")
        + ("read the table as it was (--table-version, --snapshot), " if is_table else "")
        + "put back what changed, or name another file with --checkpoint, or start over on purpose with --restart",
    )
