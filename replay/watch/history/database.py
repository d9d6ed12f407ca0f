"""The history: which replays ran, how they went, how they ended. An SQLite database in the state folder.

No replay depends on it: the truth about rows is in the checkpoint and in the topic. It is light: `replay status` reads
it and has to answer at once.

It has a rollback journal, not a WAL. A WAL needs memory that all processes share, which a network folder does not have;
a rollback journal needs only locks and fsync. After a kill -9 or a power cut during a write, the next process that
opens the database rolls the journal back. Every write is one short transaction on a connection of its own. So nothing
is held between two writes, and a file that was moved away is not written to.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any

from replay import own_files
from replay.counts import ByName
from replay.errors import StateConflict
from replay.watch.history.records import Details, RunRecord, SampleRecord, SpanRecord
from replay.watch.history.schema import WITH_DETAILS, migrate
from replay.watch.run import utf8

_BUSY_S = 5.0  # how long a write waits for another job's: theirs take milliseconds
_ASK_S = 1.0  # the same for a question: a person or a monitor waits for the answer
_KEEP_SAMPLES_S = 90 * 86_400.0
"""Samples of older runs are deleted: a run has a few thousand, for plots soon after it. The runs themselves stay."""

_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


_Record = RunRecord | SampleRecord | SpanRecord


class HistoryUnreadable(StateConflict):
    """The history cannot be read. No replay depends on it."""


class HistoryDamaged(Exception):
    """The file is not a whole database."""


class History:
    """The database at this path. It and its folder are made with the first write."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def in_folder(cls, state_dir: Path) -> History:
        return cls(state_dir / "history.sqlite")

    def check(self) -> None:
        """Raises `UsageError` where the database, or a file beside it, is no plain file."""
        ends = ("", ".lock", "-journal", "-wal", "-shm")
        own_files.check([self.path.with_name(self.path.name + end) for end in ends], "the history")

    # -- writing: raises `sqlite3.Error`, `OSError`, or `HistoryDamaged` ---------------------------------------------

    def write(
        self,
        run: RunRecord,
        samples: Sequence[SampleRecord],
        spans: Sequence[SpanRecord],
        details: Details | None = None,
    ) -> None:
        """All of it or nothing. It replaces what was written of this run, so that a write may be tried again."""
        with self._changing() as database:
            _put(database, "runs", run.run_id, [run])
            _put(database, "samples", run.run_id, samples)
            _put(database, "spans", run.run_id, spans)
            if details is not None:
                body = json.dumps(asdict(details))
                database.execute("INSERT OR REPLACE INTO details VALUES (?, ?)", (run.run_id, body))

    def forget_old_samples(self, now_s: float) -> None:
        with self._changing() as database:
            for table in ("samples", "spans"):
                database.execute(
                    f"DELETE FROM {table} WHERE run_id IN (SELECT run_id FROM runs WHERE started_s < ?)",
                    (now_s - _KEEP_SAMPLES_S,),
                )

    def move_aside(self) -> Path | None:
        """Makes room for a new one, and returns the old one's path. None: another process has done so."""
        with self.path.with_name(self.path.name + ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # of processes that find the damage at once, only one may move the file
            if not self._is_damaged():
                return None
            stamp = time.strftime("%Y%m%d-%H%M%S")
            aside = self.path.with_name(f"{self.path.stem}-damaged-{stamp}-{os.getpid()}{self.path.suffix}")
            self.path.rename(aside)  # the check has rolled back any journal, so that none meets the new database
            return aside

    def _is_damaged(self) -> bool:
        try:
            with self._changing() as database:
                return bool(database.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
        except HistoryDamaged:
            return True

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.is_symlink() or (self.path.exists() and not self.path.is_file()):  # since the run began
            raise OSError(None, "the history is no plain file any more", str(self.path))
        with _if_damaged(), closing(sqlite3.connect(self.path, _BUSY_S, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")  # two writers that first read-lock could wait for each other
            try:
                migrate(database)
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise

    # -- questions: all but `last_successes` raise `HistoryUnreadable` ----------------------------------------

    def runs(self, job: str | None = None, date: str | None = None, limit: int | None = None) -> list[RunRecord]:
        """The newest first."""
        where = " AND ".join(f"{name} = ?" for name, value in (("job", job), ("date", date)) if value is not None)
        given = [value for value in (job, date) if value is not None]
        return self._ask(
            f"SELECT * FROM runs {'WHERE ' + where if where else ''} ORDER BY started_s DESC, rowid DESC LIMIT ?",
            [*given, -1 if limit is None else limit],
            partial(_of, RunRecord),
        )

    def last_of_each(self) -> list[RunRecord]:
        """The newest run of each checkpoint."""
        return self._ask(
            "SELECT *, max(started_s) AS newest FROM runs GROUP BY checkpoint ORDER BY job, date",
            [],
            partial(_of, RunRecord),
        )

    def last_successes(self) -> dict[str, float]:
        """When each job last came to its end, in seconds since 1970; of all its dates. None is known where the history
        cannot be read."""
        try:
            return dict(self._ask("SELECT job, max(ended_s) FROM runs WHERE exit_code = 0 GROUP BY job", [], tuple))
        except HistoryUnreadable:
            return {}

    def samples(self, run_id: str) -> list[SampleRecord]:
        return self._ask("SELECT * FROM samples WHERE run_id = ? ORDER BY at_s", [run_id], partial(_of, SampleRecord))

    def spans(self, run_id: str) -> list[SpanRecord]:
        return self._ask("SELECT * FROM spans WHERE run_id = ? ORDER BY begin_s", [run_id], partial(_of, SpanRecord))

    def details(self, run_id: str) -> Details:
        """Empty where none were kept."""
        found = self._ask("SELECT body FROM details WHERE run_id = ?", [run_id], _details, since=WITH_DETAILS)
        return found[0] if found else Details()

    def _ask(self, question: str, given: Sequence[Any], make: Any, *, since: int = 1) -> list[Any]:
        """`since`: the first version of the database that holds what is asked for."""
        try:
            self.check()
            if not self.path.exists():
                return []
            # Not read-only: what a killed writer left half-written has to be rolled back first.
            address = f"{self.path.absolute().as_uri()}?mode=rw"
            with _if_damaged(), closing(sqlite3.connect(address, _ASK_S, isolation_level=None, uri=True)) as database:
                database.row_factory = sqlite3.Row
                if database.execute("PRAGMA user_version").fetchone()[0] < since:
                    return []  # nothing was written yet, or by an older version of replay
                return [make(row) for row in database.execute(question, given)]
        except (sqlite3.Error, OSError, HistoryDamaged, ValueError, TypeError) as error:
            raise HistoryUnreadable(
                f"the history cannot be read: {error}",
                where=str(self.path),
                todo="try again; if it is damaged, move it away: it is begun anew, and no replay depends on it",
            ) from None


@contextmanager
def _if_damaged() -> Iterator[None]:
    """Raises `HistoryDamaged` for SQLite's errors that say so."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE:
            raise HistoryDamaged(str(error)) from None
        raise


def _put(database: sqlite3.Connection, table: str, run_id: str, records: Sequence[_Record]) -> None:
    rows = [{"run_id": run_id, **_by_name(each)} for each in records]
    if rows:
        names = ", ".join(rows[0])
        values = ", ".join(f":{name}" for name in rows[0])
        database.executemany(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({values})", rows)


def _by_name(record: _Record) -> dict[str, Any]:
    """Fields and columns have the same names."""
    return {each.name: _stored(getattr(record, each.name)) for each in fields(record)}


def _stored(value: Any) -> Any:
    if isinstance(value, Mapping):
        return json.dumps(dict(value))
    return utf8(value) if isinstance(value, str) else value


def _read(name: str, value: Any) -> Any:
    if name in ("left_out", "bad", "options"):
        return json.loads(value or "{}")
    return bool(value) if name == "outage" else value


def _of(kind: type[_Record], row: sqlite3.Row) -> Any:
    """Columns that an older version did not write get their defaults."""
    known = {each.name for each in fields(kind)}.intersection(row.keys())
    return kind(**{name: _read(name, row[name]) for name in known})


def _details(row: sqlite3.Row) -> Details:
    body = json.loads(row["body"])
    counts = {name: ByName(**body[name]) for name in ("symbols", "partitions")}
    return Details(**{**body, **counts, "inputs": tuple(body["inputs"])})
