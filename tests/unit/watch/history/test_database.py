"""The history: what is written is read back, whole or not at all, whoever else writes and whoever is killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from replay.counts import ByName
from replay.errors import UsageError
from replay.watch.history import database as module
from replay.watch.history import schema
from replay.watch.history.database import History, HistoryDamaged, HistoryUnreadable
from replay.watch.history.process import this_process
from replay.watch.history.records import Details, RunRecord, SampleRecord, SpanRecord
from replay.watch.history.schema import MIGRATIONS
from tests.support.history_writer import SAMPLES
from tests.support.process import ROOT

T0 = 1.8e9


def run(run_id: str = "a", **more: Any) -> RunRecord:
    me = this_process()
    made = RunRecord(run_id, "nightly", "2026-11-22", "run", "trades", "/s/nightly/2026-11-22.json",
                     {"--rate": "5000/s"}, me.host, me.pid, me.start, T0, T0 + 5)  # fmt: skip
    return replace(made, **more)


SAMPLE = SampleRecord(1.5, "replaying", 700, 20, 0.001, 0.002, 0.003, 0.004, 0.005, True, 0.006)
DETAILS = Details(
    ("a.parquet", "b.parquet"), 14, 1.5, 2.5, ByName({"BTCUSDT": 7, "ETHUSDT": 3}, 5, 9), ByName({"0": 19}),
    {"exact": False, "lost": 3, "examples": [{"kind": "lost", "row": 4}]}, {"--rate": "command line"},
)  # fmt: skip
SPAN = SpanRecord("outage", 0.5, None, "connection refused")


def test_what_is_written_is_read_back_field_by_field(tmp_path):
    """Broken: a report would show one figure under the name of another."""
    history = History(tmp_path / "state" / "history.sqlite")
    whole = run(
        acked_s=1.0,
        ended_s=2.0,
        exit_code=5,
        reason="no broker",
        rows=10,
        start_row=1,
        done_row=9,
        sent_rows=7,
        already_there_rows=6,
        left_out={"not_selected": 4},
        bad={"price_missing": 3},
        outages=2,
        outages_s=8.0,
        shifted_s=0.25,
        rows_per_s=11.0,
        lateness_p50_s=0.1,
        lateness_p99_s=0.2,
        lateness_max_s=0.3,
        ack_p50_s=0.4,
        ack_p99_s=0.5,
        ack_max_s=0.6,
        in_topic_rows=12,
        not_selected_rows=13,
        bad_rows=14,
        of_rows=39,
        delivered_rows=15,
        resent_rows=16,
    )
    history.write(whole, [SAMPLE], [SPAN], DETAILS)
    assert history.runs() == [whole]
    assert history.samples("a") == [SAMPLE]
    assert history.spans("a") == [SPAN]
    assert history.details("a") == DETAILS
    assert history.details("b") == Details()


def test_writing_again_replaces_and_adds(tmp_path):
    """Broken: an attempt that is made again would double a run, or a closed outage stay open."""
    history = History(tmp_path / "h.sqlite")
    history.write(run(), [SAMPLE], [SPAN])
    later = replace(SAMPLE, at_s=2.5)
    history.write(run(done_row=5), [SAMPLE, later], [replace(SPAN, end_s=4.0)])
    assert [each.done_row for each in history.runs()] == [5]
    assert history.samples("a") == [SAMPLE, later]
    assert history.spans("a") == [replace(SPAN, end_s=4.0)]


def test_a_path_of_any_bytes_can_be_written(tmp_path):
    """Broken: a folder whose name is not UTF-8 would end the writer, and with it every later record."""
    history = History(tmp_path / "h.sqlite")
    history.write(run(checkpoint=os.fsdecode(b"/s/B\xf6rse.json")), [], [])
    assert history.runs()[0].checkpoint == "/s/B\\udcf6rse.json"


def test_questions(tmp_path):
    """Broken: status would show an older run as the last one, or another job's."""
    history = History(tmp_path / "h.sqlite")
    assert history.runs() == []
    assert history.last_of_each() == []
    history.write(run("old", started_s=T0, ended_s=T0 + 1, exit_code=0), [], [])
    history.write(run("new", started_s=T0 + 10, ended_s=T0 + 11, exit_code=5), [], [])
    other = {"job": "other", "date": None, "checkpoint": "/s/other.json"}
    history.write(run("else", started_s=T0 + 5, ended_s=T0 + 6, exit_code=0, **other), [], [])
    assert [each.run_id for each in history.runs()] == ["new", "else", "old"]
    assert [each.run_id for each in history.runs(job="nightly", date="2026-11-22", limit=1)] == ["new"]
    assert history.runs(job="nightly", date="2026-11-23") == []
    assert [each.run_id for each in history.last_of_each()] == ["new", "else"]
    assert history.last_successes() == {"nightly": T0 + 1, "other": T0 + 6}


def test_old_samples_go_and_the_runs_stay(tmp_path):
    """Broken: years of nightly runs would fill the disk with points that nobody plots any more."""
    history = History(tmp_path / "h.sqlite")
    history.write(run("old", started_s=T0 - 91 * 86_400), [SAMPLE], [SPAN])
    history.write(run("new"), [SAMPLE], [SPAN])
    history.forget_old_samples(T0)
    assert (history.samples("old"), history.spans("old")) == ([], [])
    assert (history.samples("new"), history.spans("new")) == ([SAMPLE], [SPAN])
    assert len(history.runs()) == 2


def test_the_journal_is_one_that_network_folders_can_do(tmp_path):
    """Broken: WAL corrupts a database that two hosts write on one network folder."""
    history = History(tmp_path / "h.sqlite")
    history.write(run(), [], [])
    with closing(sqlite3.connect(history.path)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert database.execute("PRAGMA synchronous").fetchone() == (2,), "FULL: it outlives a power cut"


# -- versions ---------------------------------------------------------------------------------------------


def test_an_older_database_is_brought_up_to_date_and_keeps_its_runs(tmp_path, monkeypatch):
    """Broken: a new version of replay would lose the past, or could not write at all."""
    history = History(tmp_path / "h.sqlite")
    history.write(run(), [], [])
    step = ("ALTER TABLE runs ADD COLUMN colour TEXT DEFAULT 'red'",)
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, step))
    history.write(run("b"), [], [])
    assert {each.run_id for each in history.runs()} == {"a", "b"}
    with closing(sqlite3.connect(history.path)) as database:
        assert database.execute("SELECT colour FROM runs").fetchall() == [("red",)] * 2
        assert database.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)


def test_the_first_version_is_read_as_it_is_and_brought_up_to_date(tmp_path):
    """Broken: after an upgrade status ends in a traceback, or the first night's history is not written."""
    history = History(tmp_path / "h.sqlite")
    with closing(sqlite3.connect(history.path, isolation_level=None)) as database:
        for statement in MIGRATIONS[0]:
            database.execute(statement)
        database.execute("PRAGMA user_version = 1")
        first = {row[1] for row in database.execute("PRAGMA table_info(runs)")}
        known = {name: value for name, value in module._by_name(run()).items() if name in first}
        database.execute(
            f"INSERT INTO runs ({', '.join(known)}) VALUES ({', '.join(f':{name}' for name in known)})", known
        )
        database.execute("INSERT INTO samples VALUES ('a', 1.5, 'replaying', 700, 20, .1, .2, .3, .4, .5, 1)")
    assert history.runs() == [run()]
    assert [(each.ack_p99_s, each.ack_max_s) for each in history.samples("a")] == [(0.5, None)]
    assert history.details("a") == Details()
    history.write(run("b"), [SAMPLE], [SPAN], DETAILS)
    assert {each.run_id for each in history.runs()} == {"a", "b"}
    assert (history.samples("b"), history.details("b"), history.details("a")) == ([SAMPLE], DETAILS, Details())
    assert [each.ack_max_s for each in history.samples("a")] == [None]


def test_a_migration_that_fails_leaves_the_old_version_whole(tmp_path, monkeypatch):
    """Broken: half a migration would be neither version, and every later write fail."""
    history = History(tmp_path / "h.sqlite")
    history.write(run(), [], [])
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, ("ALTER TABLE runs ADD COLUMN x TEXT", "NONSENSE")))
    with pytest.raises(sqlite3.Error):
        history.write(run("b"), [], [])
    monkeypatch.undo()
    history.write(run("b"), [], [])
    assert len(history.runs()) == 2


def test_a_newer_database_is_left_alone(tmp_path):
    """Broken: an old replay would write rows that the new one cannot read."""
    history = History(tmp_path / "h.sqlite")
    history.write(run(), [], [])
    with closing(sqlite3.connect(history.path)) as database:
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = history.path.read_bytes()
    with pytest.raises(sqlite3.Error, match="newer replay"):
        history.write(run("b"), [], [])
    assert history.path.read_bytes() == before


# -- damage -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["not a database at all" * 100, "head", "tail"])
def test_a_damaged_one_is_moved_aside_whole_and_a_new_one_begun(tmp_path, damage):
    """Broken: one bad sector would end every record for good, or what can be rescued would be overwritten."""
    history = History(tmp_path / "h.sqlite")
    for number in range(60):
        history.write(run(f"{number}"), [SAMPLE], [replace(SPAN, what="x" * 500)])
    content = bytearray(history.path.read_bytes())
    if damage == "head":
        content[:100] = bytes(100)
    elif damage == "tail":
        content[4_096:] = os.urandom(len(content) - 4_096)
    else:
        content = bytearray(damage.encode())
    history.path.write_bytes(content)
    with pytest.raises(HistoryDamaged):
        history.write(run("new"), [], [])
    with pytest.raises(HistoryUnreadable):
        history.runs()
    assert history.last_successes() == {}
    aside = history.move_aside()
    assert aside is not None
    assert aside.read_bytes() == content
    history.write(run("new"), [], [])
    assert [each.run_id for each in history.runs()] == ["new"]
    assert history.move_aside() is None, "it is whole: another process has begun it anew"
    assert len(history.runs()) == 1


def test_no_journal_of_the_damaged_file_meets_the_new_one(tmp_path):
    """Broken: the new database would be "rolled back" to pages of the damaged one."""
    history = History(tmp_path / "h.sqlite")
    history.write(run("old"), [], [])
    with closing(sqlite3.connect(history.path, isolation_level=None)) as database:
        database.execute("BEGIN")
        database.execute("PRAGMA cache_spill = 1")
        database.execute("PRAGMA cache_size = 1")
        database.executemany("INSERT INTO spans VALUES ('x', ?, 0, 0, ?)", [(f"{n}", "x" * 4_000) for n in range(50)])
        journal = (tmp_path / "h.sqlite-journal").read_bytes()
    assert journal, "a real one, of a writer that was killed"
    (tmp_path / "h.sqlite-journal").write_bytes(journal)
    history.path.write_bytes(b"damaged" * 10_000)
    while history.move_aside() is not None:
        history.write(run("new"), [], [])
    assert not (tmp_path / "h.sqlite-journal").exists()
    assert [each.run_id for each in history.runs()] in (["new"], ["old"])
    check_whole(history.path)


# -- other processes --------------------------------------------------------------------------------------


def writer(path: Path, job: str, runs: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.support.history_writer", str(path), job, str(runs)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)


def check_whole(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_several_jobs_write_at_once_and_nothing_is_lost(tmp_path):
    """Broken: two nightly jobs of one machine would lose each other's runs."""
    path = tmp_path / "h.sqlite"
    writers = [writer(path, f"job{number}", 10) for number in range(4)]
    assert [each.wait(60) for each in writers] == [0] * 4
    history = History(path)
    assert len(history.runs()) == 40
    assert all(len(history.samples(each.run_id)) == SAMPLES for each in history.runs())
    check_whole(path)


def test_a_kill_in_the_middle_of_writes_leaves_whole_runs_only(tmp_path):
    """Broken: kill -9 would leave half a run, or a database that nobody can open."""
    path, random, killed = tmp_path / "h.sqlite", Random(6), 0
    for number in range(8):
        process = writer(path, f"job{number}", 100_000)
        assert process.stdout is not None
        with process.stdout:
            for _ in range(random.randrange(1, 12)):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
            told = [int(line) for line in process.stdout]
        assert process.wait(10) == -signal.SIGKILL
        history = History(path)
        runs = history.runs(job=f"job{number}")
        numbers = sorted(int(each.exit_code or 0) for each in runs)
        assert numbers == list(range(len(runs))), "without a gap"
        assert len(runs) >= (max(told, default=0) + 1), "what was written is there"
        assert all(len(history.samples(each.run_id)) == SAMPLES for each in runs), "each whole"
        assert not any(each.is_running(each.alive_s) for each in runs)
        killed += len(runs)
    assert killed > 8
    check_whole(path)


# -- is it running ----------------------------------------------------------------------------------------


def test_a_run_is_running_as_long_as_its_process_lives():
    """Broken: a killed run would be shown as running for ever, or a living one as interrupted."""
    assert run().is_running(T0 + 1e6), "however long ago the last sign was"
    assert not run(ended_s=T0 + 6).is_running(T0 + 6)
    process = subprocess.Popen(["sleep", "60"])
    other = run(pid=process.pid, process_start="")
    from replay.watch.history.process import _start

    alive = replace(other, process_start=_start(process.pid) or "")
    assert alive.is_running(T0 + 1e6)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet waited for
    assert not alive.is_running(T0 + 5), "a zombie is dead"
    process.wait()
    assert not alive.is_running(T0 + 5)


def test_another_process_under_the_same_id_is_not_the_run():
    """Broken: after a restart of the machine any process could stand for a run that is long gone."""
    boot, namespace, ticks = this_process().start.split()
    assert not run(process_start=f"{boot} {namespace} {int(ticks) - 1}").is_running(T0 + 5)
    assert not run(process_start=f"another-start {namespace} {ticks}").is_running(T0 + 5)


@pytest.mark.parametrize("elsewhere", ["host", "container"])
def test_on_another_host_a_recent_sign_of_life_counts(elsewhere):
    """Broken: status on a shared folder would call every other host's run interrupted, or a dead one running."""
    boot, _, ticks = this_process().start.split()
    there = run(host="another") if elsewhere == "host" else run(process_start=f"{boot} pid:[1] {ticks}")
    assert there.is_running(there.alive_s + 60)
    assert not there.is_running(there.alive_s + 600)


@pytest.mark.parametrize("end", ["", ".lock", "-journal"])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_a_history_that_is_no_plain_file_is_refused(tmp_path, end, kind):
    """Broken: a link in the state folder leads what is written to any file; or a pipe hangs `replay status`."""
    victim, place = tmp_path / "victim", tmp_path / f"history.sqlite{end}"
    victim.write_bytes(b"")
    if kind == "link":
        place.symlink_to(victim)
    else:
        (os.mkfifo if kind == "pipe" else os.mkdir)(place)
    history = History(tmp_path / "history.sqlite")
    for ask in (history.check, history.runs):
        with pytest.raises(UsageError, match=f"the history is a {'named pipe' if kind == 'pipe' else kind}"):
            ask()
    if not end:
        with pytest.raises(OSError, match="no plain file"):
            history.forget_old_samples(0.0)
    assert victim.read_bytes() == b""
