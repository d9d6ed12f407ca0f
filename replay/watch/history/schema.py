"""The tables of the history, and how an older version of them becomes the newest."""

from __future__ import annotations

import sqlite3

# Step n (from 1) takes the database from version n - 1 to n: `PRAGMA user_version`. A published step never changes.
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
        # A table of its own: `replay status` may read all runs every minute, and needs none of this.
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


WITH_DETAILS = 2
"""The first version that has the table `details`."""


def migrate(database: sqlite3.Connection) -> None:
    """Raises `sqlite3.NotSupportedError` for a database of a newer replay."""
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise sqlite3.NotSupportedError(f"written by a newer replay (version {version}, known: {len(MIGRATIONS)})")
    for step in MIGRATIONS[version:]:
        for statement in step:
            database.execute(statement)
    if version < len(MIGRATIONS):
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
