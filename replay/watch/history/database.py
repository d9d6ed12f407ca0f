"""The history: which replays ran, how they went, how they ended. An SQLite database in the state folder.

It is never the truth about rows (that is the checkpoint, and the topic): losing it loses no row, and whoever writes it
goes on without it. It is light: `replay status` reads it and has to answer at once.

A rollback journal, not WAL: WAL needs memory that all processes share, which a network folder does not have, while the
rollback journal needs locks and fsync only. After a kill -9 or a power cut in mid-write the next process that opens it
rolls the journal back. Every write is one short transaction on a connection of its own, so that nothing is held between
two writes and a file that was moved away is not written to.
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
from pathlib import Path
from typing import Any

from replay.counts import ByName
from replay.errors import StateConflict
from replay.watch.history.records import Details, RunRecord, SampleRecord, SpanRecord
from replay.watch.run import utf8

_BUSY_S = 5.0  # how long a write waits for another job's: theirs take milliseconds
_ASK_S = 1.0  # the same for a question: somebody waits for the answer
_KEEP_SAMPLES_S = 90 * 86_400.0
"""Samples of older runs are dropped: a few thousand a run, wanted for plots soon after it. Runs themselves stay."""

_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

# Each step takes the database from the version before it to its own number (counted from 1): `PRAGMA user_version`.
# A published step never changes; a change is a new one.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE runs (
            run_id TEXT PRIMARY KEY, job TEXT NOT NULL, date TEXT, command TEXT NOT NULL, topic TEXT NOT NULL,
            checkpoint TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL, process_start TEXT NOT NULL,
            started_s REAL NOT NULL, alive_s REAL NOT NULL, acked_s REAL, ended_s REAL, exit_code INTEGER, reason TEXT,
            rows INTEGER, start_row INTEGER, done_row INTEGER, sent_rows INTEGER, already_there_rows INTEGER,
            left_out TEXT, bad TEXT, outages INTEGER, outages_s REAL, shifted_s REAL, rows_per_s REAL,
            lateness_p50_s REAL, lateness_p99_s REAL, lateness_max_s REAL, ack_p50_s REAL, ack_p99_s REAL,
            ack_max_s REAL, options TEXT NOT NULL)""",
        "CREATE INDEX runs_of_a_job ON runs (job, date, started_s)",
        """CREATE TABLE samples (
            run_id TEXT NOT NULL, at_s REAL NOT NULL, phase TEXT NOT NULL, done_row INTEGER NOT NULL,
            in_flight_rows INTEGER NOT NULL, lateness_p50_s REAL, lateness_p99_s REAL, lateness_max_s REAL,
            ack_p50_s REAL, ack_p99_s REAL, outage INTEGER NOT NULL, PRIMARY KEY (run_id, at_s)) WITHOUT ROWID""",
        """CREATE TABLE spans (
            run_id TEXT NOT NULL, kind TEXT NOT NULL, begin_s REAL NOT NULL, end_s REAL, what TEXT NOT NULL,
            PRIMARY KEY (run_id, kind, begin_s)) WITHOUT ROWID""",
    ),
    (
        # A table of its own: `replay status` reads all runs every minute, and none of this.
        "CREATE TABLE details (run_id TEXT PRIMARY KEY, body TEXT NOT NULL)",
        "ALTER TABLE samples ADD COLUMN ack_max_s REAL",
    ),
    (
        "ALTER TABLE runs ADD COLUMN in_topic_rows INTEGER",
        "ALTER TABLE runs ADD COLUMN not_selected_rows INTEGER",
        "ALTER TABLE runs ADD COLUMN bad_rows INTEGER",
        "ALTER TABLE runs ADD COLUMN of_rows INTEGER",
        "ALTER TABLE runs ADD COLUMN delivered_rows INTEGER",
        "ALTER TABLE runs ADD COLUMN resent_rows INTEGER",
    ),
    (
        "ALTER TABLE samples ADD COLUMN delivered_rows INTEGER",
        "ALTER TABLE samples ADD COLUMN event_s REAL",
    ),
)
_WITH_DETAILS = 2  # version


class HistoryUnreadable(StateConflict):
    """The history cannot be read. Nothing depends on it but what tells of the past."""


class Damaged(Exception):
    """The file is not a whole database."""


class History:
    """The database at this path. It and its folder are made with the first write."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def in_folder(cls, state_dir: Path) -> History:
        return cls(state_dir / "history.sqlite")

    # -- writing: raises `sqlite3.Error`, `OSError`, or `Damaged` ---------------------------------------------

    def write(
        self,
        run: RunRecord,
        samples: Sequence[SampleRecord],
        spans: Sequence[SpanRecord],
        details: Details | None = None,
    ) -> None:
        """All of it or nothing. What is there already is replaced, so that a write may be tried again."""
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
        """Out of the way of a new one, unless another process has seen to it; where it is then."""
        with self.path.with_name(self.path.name + ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two processes find the damage at once: only one may move
            if not self._is_damaged():
                return None
            stamp = time.strftime("%Y%m%d-%H%M%S")
            aside = self.path.with_name(f"{self.path.stem}-damaged-{stamp}-{os.getpid()}{self.path.suffix}")
            self.path.rename(aside)  # looking at it has used up any journal, so that none meets the new database
            return aside

    def _is_damaged(self) -> bool:
        try:
            with self._changing() as database:
                return bool(database.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
        except Damaged:
            return True

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with _damage_told(), closing(sqlite3.connect(self.path, _BUSY_S, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")  # with a lock for reading first, two writers could wait for each other
            try:
                _migrate(database)
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise

    # -- questions: raise `HistoryUnreadable` -----------------------------------------------------------------

    def runs(self, job: str | None = None, date: str | None = None, limit: int | None = None) -> list[RunRecord]:
        """The newest first."""
        where = " AND ".join(f"{name} = ?" for name, value in (("job", job), ("date", date)) if value is not None)
        given = [value for value in (job, date) if value is not None]
        return self._ask(
            f"SELECT * FROM runs {'WHERE ' + where if where else ''} ORDER BY started_s DESC, rowid DESC LIMIT ?",
            [*given, -1 if limit is None else limit],
            _run,
        )

    def last_of_each(self) -> list[RunRecord]:
        """The newest run of each checkpoint."""
        return self._ask(
            "SELECT *, max(started_s) AS newest FROM runs GROUP BY checkpoint ORDER BY job, date", [], _run
        )

    def last_successes(self) -> dict[str, float]:
        """When each job last came to its end, whatever date it was."""
        found = self._ask("SELECT job, max(ended_s) AS at_s FROM runs WHERE exit_code = 0 GROUP BY job", [], tuple)
        return dict(found)

    def samples(self, run_id: str) -> list[SampleRecord]:
        return self._ask("SELECT * FROM samples WHERE run_id = ? ORDER BY at_s", [run_id], _sample)

    def spans(self, run_id: str) -> list[SpanRecord]:
        return self._ask("SELECT * FROM spans WHERE run_id = ? ORDER BY begin_s", [run_id], _span)

    def details(self, run_id: str) -> Details:
        """Empty where none were kept."""
        found = self._ask("SELECT body FROM details WHERE run_id = ?", [run_id], _details, since=_WITH_DETAILS)
        return found[0] if found else Details()

    def _ask(self, question: str, given: Sequence[Any], make: Any, *, since: int = 1) -> list[Any]:
        """`since`: the version of the database that knows what is asked for."""
        try:
            if not self.path.exists():
                return []
            # Not read-only: what a killed writer left half-way has to be rolled back before anything is read.
            address = f"{self.path.absolute().as_uri()}?mode=rw"
            with _damage_told(), closing(sqlite3.connect(address, _ASK_S, isolation_level=None, uri=True)) as database:
                database.row_factory = sqlite3.Row
                if database.execute("PRAGMA user_version").fetchone()[0] < since:
                    return []  # made, and nothing was written yet; or by an older replay
                return [make(row) for row in database.execute(question, given)]
        except (sqlite3.Error, OSError, Damaged, ValueError, TypeError) as error:
            raise HistoryUnreadable(
                f"the history cannot be read: {error}",
                where=str(self.path),
                todo="try again; if it is damaged, move it away: it is begun anew, and no replay depends on it",
            ) from None


def _migrate(database: sqlite3.Connection) -> None:
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise sqlite3.NotSupportedError(f"written by a newer replay (version {version}, known: {len(MIGRATIONS)})")
    for step in MIGRATIONS[version:]:
        for statement in step:
            database.execute(statement)
    if version < len(MIGRATIONS):
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE:
            raise Damaged(str(error)) from None
        raise


def _put(
    database: sqlite3.Connection, table: str, run_id: str, records: Sequence[RunRecord | SampleRecord | SpanRecord]
) -> None:
    rows = [{"run_id": run_id, **_by_name(each)} for each in records]
    if rows:
        names = ", ".join(rows[0])
        values = ", ".join(f":{name}" for name in rows[0])
        database.executemany(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({values})", rows)


def _by_name(record: RunRecord | SampleRecord | SpanRecord) -> dict[str, Any]:
    """Fields and columns have the same names."""
    return {each.name: _stored(getattr(record, each.name)) for each in fields(record)}


def _stored(value: Any) -> Any:
    if isinstance(value, Mapping):
        return json.dumps(dict(value))
    return utf8(value) if isinstance(value, str) else value


def _of(row: sqlite3.Row, kind: type[RunRecord | SampleRecord | SpanRecord]) -> dict[str, Any]:
    """Columns that an older replay did not write are left to their defaults."""
    known = set(row.keys())
    return {each.name: row[each.name] for each in fields(kind) if each.name in known}


def _run(row: sqlite3.Row) -> RunRecord:
    found = _of(row, RunRecord)
    return RunRecord(**{**found, **{name: json.loads(found[name] or "{}") for name in ("left_out", "bad", "options")}})


def _details(row: sqlite3.Row) -> Details:
    body = json.loads(row["body"])
    counts = {name: ByName(**body[name]) for name in ("symbols", "partitions")}
    return Details(**{**body, **counts, "inputs": tuple(body["inputs"])})


def _sample(row: sqlite3.Row) -> SampleRecord:
    return SampleRecord(**{**_of(row, SampleRecord), "outage": bool(row["outage"])})


def _span(row: sqlite3.Row) -> SpanRecord:
    return SpanRecord(**_of(row, SpanRecord))
