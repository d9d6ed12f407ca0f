"""What goes into the history while a replay runs, and that nothing about it ever stops the replay."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from replay.counts import ByName, RowCounts
from replay.delivery.snapshot import BEGINNING, RESUMING, SETTLING
from replay.delivery.tally import Tally
from replay.errors import BrokerUnavailable, Different
from replay.fate import Fate
from replay.model import PartitionMark, Position, Progress, SystemClock
from replay.watch.history import recorder as module
from replay.watch.history.database import History
from replay.watch.history.details import NAME_MAX
from replay.watch.history.recorder import Recorder, recording
from replay.watch.history.records import SpanRecord
from replay.watch.run import RunInfo, RunOutcome
from tests.support.process import ROOT
from tests.unit.fakes import FakeClock, Told

INFO = RunInfo("nightly", "2026-11-22", "run", "trades", "/s/nightly/2026-11-22.json", {"--rate": "10/s"})


class Watched:
    """A recorder on a clock that stands still, written only when asked."""

    def __init__(self, path: Path) -> None:
        self.clock, self.told, self.history = FakeClock(), Told(), History(path)
        self.recorder = Recorder(self.history, INFO, self.told, self.clock, lambda: None)
        self.shown = Tally(1_000)

    def step(self, seconds: float, done_rows: int) -> None:
        self.clock.sleep(seconds)
        self.shown.done_rows, self.shown.sent_rows = done_rows, done_rows + 5
        self.recorder.progress(self.shown.view())

    @property
    def run(self):
        self.recorder.write()
        (run,) = self.history.runs()
        return run

    @property
    def spans(self):
        self.recorder.write()
        return [(span.kind, span.begin_s, span.end_s) for span in self.history.spans(INFO.run_id)]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "history.sqlite")


def test_a_run_is_there_from_its_beginning_and_tells_how_far_it_is(watched):
    """Broken: status would know nothing of a running replay, nor when it last moved."""
    assert (watched.run.job, watched.run.date, watched.run.rows) == ("nightly", "2026-11-22", None)
    watched.shown.proven(Progress(Position(10, (10,), 5, {"price_missing": 2}), (PartitionMark(5),)))
    watched.step(1, 100)
    watched.step(1, 200)
    moved_s = watched.clock.now()
    watched.step(3, 200)
    run = watched.run
    assert (run.rows, run.done_row, run.sent_rows) == (1_000, 200, 205)
    assert (dict(run.left_out), dict(run.bad)) == ({"not_selected": 3, "price_missing": 2}, {"price_missing": 2})
    assert run.counts == RowCounts(1_000, 5, 3, {"price_missing": 2})
    assert (run.acked_s, run.alive_s) == (moved_s, watched.clock.now())
    assert run.rows_per_s == pytest.approx(100 / 4, rel=0.01)
    assert run.ended_s is None
    assert run.options == {"--rate": "10/s"}


def test_the_checkpoint_is_known_under_one_name(tmp_path, monkeypatch):
    """Broken: status, asked from another folder or by another link, would not find the run of a checkpoint."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path)
    history = History(tmp_path / "h.sqlite")
    with recording(history, replace(INFO, checkpoint="link/once.json"), Told(), SystemClock()):
        pass
    (run,) = history.runs()
    assert run.checkpoint == os.path.realpath(tmp_path / "real" / "once.json")


def test_everything_is_handed_on(watched):
    """Broken: the display would stand still as soon as there is a history."""
    watched.recorder.info("i")
    watched.recorder.warning("w")
    watched.recorder.phase("checking", 1, 2)
    shown = watched.shown.view()
    watched.recorder.progress(shown)
    assert (watched.told.infos, watched.told.warnings, watched.told.shown) == (["i"], ["w"], [shown])


def test_samples_are_of_the_time_between_them(watched):
    """Broken: the plot would show the worst moment of the run for the rest of it."""
    watched.shown.lateness.add(np.full(100, 2.0))
    watched.shown.ack_latency.add(np.full(100, 0.5))
    watched.step(1, 10)
    watched.shown.lateness.add(np.full(10, 0.001))
    watched.step(1, 20)
    watched.step(1, 30)
    watched.recorder.write()
    first, second, third = watched.history.samples(INFO.run_id)
    assert first.lateness_p99_s == pytest.approx(2.0, rel=0.1)
    assert first.ack_p50_s == pytest.approx(0.5, rel=0.1)
    assert second.lateness_max_s == pytest.approx(0.001, rel=0.1)
    assert (second.ack_p50_s, third.lateness_p50_s) == (None, None), "nothing was measured"
    assert [round(each.at_s) for each in (first, second, third)] == [1, 2, 3]
    assert watched.run.lateness_max_s == 2.0, "of the whole run"


def test_samples_become_fewer_the_longer_a_run_is(watched):
    """Broken: a day's replay would fill the database, or a short one have no curve."""
    for _ in range(100):
        watched.step(0.1, 1)
    watched.recorder.write()
    assert 40 <= len(watched.history.samples(INFO.run_id)) <= 60
    for _ in range(24 * 3_600):
        watched.step(1.0, 1)
    watched.recorder.write()
    assert 1_000 <= len(watched.history.samples(INFO.run_id)) <= 5_000


def test_an_outage_is_one_span_from_when_it_began_to_when_it_ended(watched):
    """Broken: the report would mark one outage many times, or not at all."""
    watched.step(10, 100)
    since_s = watched.clock.now()
    for _ in range(5):
        watched.shown.outage_since_s = since_s + 1e-4 * _  # computed anew each time, so it is never quite the same
        watched.step(1, 100)
    assert watched.spans == [("outage", pytest.approx(10, abs=0.01), None)]
    watched.shown.outage_since_s = None
    watched.step(1, 150)
    watched.step(1, 160)
    assert watched.spans == [("outage", pytest.approx(10, abs=0.01), pytest.approx(16, abs=0.01))]


def test_resumes_are_spans(watched):
    """Broken: the report could not show where a run went on, nor how long finding out took."""
    watched.recorder.phase("reading the topic's tail", 0, 10)
    watched.shown.first_row = 100
    watched.step(2, 100)
    watched.step(2, 200)
    watched.clock.sleep(3)
    watched.recorder.phase("reading the topic's tail", 1, 2)
    watched.clock.sleep(1)
    watched.recorder.phase("reading the topic's tail", 2, 2)
    watched.step(1, 200)
    assert [(kind, round(begin), round(end)) for kind, begin, end in watched.spans] == [
        ("resume", 0, 2), ("resume", 7, 9)
    ]  # fmt: skip


@pytest.mark.parametrize("phase", sorted(RESUMING))
def test_whatever_a_new_producer_waits_for_is_part_of_the_resume(watched, phase):
    """Broken: 45 seconds of settling, or a transaction's restart, would look like a broker that is slow."""
    watched.recorder.phase("checking", 50, 100)
    watched.clock.sleep(3)
    watched.recorder.phase(phase, 0, 100)  # also of a run that was killed before its first acknowledgement
    watched.clock.sleep(45)
    watched.step(1, 0)
    watched.step(1, 10)
    watched.recorder.write()
    (span,) = watched.history.spans(INFO.run_id)
    assert (span.kind, round(span.begin_s), round(span.end_s)) == ("resume", 3, 49)
    assert span.what == f"at row 0, {phase}"


def test_a_resume_that_a_kill_cut_off_is_on_record(watched):
    """Broken: a job that is killed while it settles, again and again, would leave no trace of why nothing moves."""
    watched.recorder.phase(SETTLING, 0, 100)
    assert watched.spans == [("resume", 0, None)]


def test_what_a_report_tells_is_kept(watched):
    """Broken: the report of yesterday's night has no symbols, no inputs, no times, and no word of the comparison."""
    watched.shown.inputs = ("a.parquet", "b.parquet")
    watched.shown.symbol_names = ["BTC", "ETH"]
    watched.shown.sent.add(np.array([0, 0, 1]), np.array([3, 3, 0]), np.array([5, 9, 7]) * 1_000_000_000)
    watched.step(1, 3)
    watched.recorder.write()
    kept = watched.history.details(INFO.run_id)
    assert (kept.inputs, kept.files) == (("a.parquet", "b.parquet"), 2)
    assert (kept.symbols, kept.partitions) == (ByName({"BTC": 2, "ETH": 1}), ByName({"3": 2, "0": 1}))
    assert (kept.first_event_s, kept.last_event_s, kept.verdict) == (5.0, 9.0, None)
    watched.recorder.verified({"exact": True, "lost": 0, "starts": [0] * 1_000, "ends": [9] * 1_000})
    watched.recorder.close(RunOutcome(0, "done"))
    watched.recorder.write()
    assert watched.history.details(INFO.run_id).verdict == {"exact": True, "lost": 0, "examples": []}


def test_a_run_that_ends_before_its_first_row_is_kept_with_its_options(tmp_path):
    """Broken: the report of a refused run does not say where a wrong option came from."""
    history = History(tmp_path / "h.sqlite")
    info = replace(INFO, origins={"--rate": "nightly.toml, rate"})
    with recording(history, info, Told(), SystemClock()):
        pass
    assert history.details(INFO.run_id).origins == {"--rate": "nightly.toml, rate"}


def test_what_is_kept_of_a_run_is_bounded(watched):
    """Broken: a replay of a hundred thousand symbols in as many files fills the state folder."""
    many = 20_000
    watched.shown.inputs = tuple(f"{n}.parquet" for n in range(many))
    watched.shown.symbol_names = [f"{n:06}" + "x" * 1_000 for n in range(many)]
    watched.shown.sent.add(np.repeat(np.arange(many), 2), np.arange(2 * many), np.arange(2 * many))
    watched.shown.sent.add(np.full(9, many - 1), np.zeros(9, dtype=np.int64), np.zeros(9, dtype=np.int64))
    watched.step(1, many)
    watched.recorder.verified({"exact": False, "examples": [{"kind": "lost", "symbol": "y" * 5_000}] * 500})
    watched.recorder.close(RunOutcome(1, "many lost"))
    watched.recorder.write()
    kept = watched.history.details(INFO.run_id)
    assert (kept.files, kept.symbols.names, kept.partitions.names) == (many, many, 2 * many)
    assert next(iter(kept.symbols.rows.items())) == (f"{many - 1:06}" + "x" * (NAME_MAX - 7) + "…", 11)
    assert sum(kept.symbols.rows.values()) + kept.symbols.others_rows == 2 * many + 9
    assert len(json.dumps(asdict(kept))) < 200_000


def test_what_follows_the_last_row_is_no_resume(watched):
    """Broken: the comparison at the end (run --verify) would look like a resume."""
    watched.step(1, 1_000)
    watched.recorder.phase("comparing", 0, 1_000)
    assert watched.spans == []


# -- the end ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raised", "outcome"),
    [
        (None, RunOutcome(0, "done")),
        (BrokerUnavailable("no answer for 300 s", where="a:9092"), RunOutcome(5, "a:9092: no answer for 300 s")),
        (KeyboardInterrupt(), RunOutcome(130, "stopped by SIGINT")),
        (ZeroDivisionError("oh"), RunOutcome(70, "a bug in replay: ZeroDivisionError: oh")),
        (Different("3 rows are lost"), RunOutcome(1, "3 rows are lost")),
    ],
)
def test_the_end_is_written_and_the_error_goes_on(tmp_path, raised, outcome):
    """Broken: a failed night would show as done or running, or its error would be swallowed."""
    history, shown = History(tmp_path / "h.sqlite"), Tally(10)
    others = set(threading.enumerate())  # a disk that hangs, in another test, holds its thread for a while
    caught: BaseException | None = None
    try:
        with recording(history, INFO, Told(), SystemClock()) as recorder:
            recorder.phase(BEGINNING, 0, 10)
            recorder.progress(shown.view())
            shown.done_rows = 7
            recorder.progress(shown.view())
            if raised is not None:
                raise raised
    except BaseException as error:
        caught = error
    assert caught is raised
    (run,) = history.runs()
    assert (run.exit_code, run.reason, run.done_row) == (outcome.exit_code, outcome.reason, 7)
    assert run.ended_s is not None
    new = set(threading.enumerate()) - others
    assert not any(thread.name == "history" for thread in new), "nothing goes on behind it"


def test_a_killed_run_shows_as_interrupted(tmp_path):
    """Broken: after kill -9 status would say running until somebody looks at the machine."""
    path = tmp_path / "h.sqlite"
    code = (
        "import sys, time; from pathlib import Path; from replay.watch.history.recorder import recording;"
        "from replay.watch.history.database import History;"
        "from tests.unit.watch.history.test_recorder import BEGINNING, INFO, SystemClock, Told\n"
        "with recording(History(Path(sys.argv[1])), INFO, Told(), SystemClock()) as recorder:\n"
        " recorder.phase(BEGINNING, 0, 1); print('begun', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
        (run,) = History(path).runs()
        assert run.is_running(run.alive_s)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    (run,) = History(path).runs()
    assert not run.is_running(run.alive_s)
    assert run.ended_s is None


# -- a history that cannot be written -----------------------------------------------------------------------


def written_again(watched: Watched) -> None:
    watched.step(1, 500)
    assert watched.run.done_row == 500
    assert [round(each.at_s) for each in watched.history.samples(INFO.run_id)] == [1, 2, 3], "nothing is missing"


def fails_twice(watched: Watched) -> None:
    watched.step(1, 10)
    watched.recorder.write()
    watched.step(1, 20)
    watched.recorder.write()
    (warning,) = watched.told.warnings
    assert str(watched.history.path) in warning
    assert "goes on" in warning


def test_a_locked_one_is_a_warning_once_and_written_later(watched, monkeypatch):
    """Broken: somebody who looks into the database would end a replay, or flood its log."""
    monkeypatch.setattr("replay.watch.history.database._BUSY_S", 0.01)
    watched.recorder.write()
    with closing(sqlite3.connect(watched.history.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        fails_twice(watched)
    written_again(watched)


def test_an_unusable_folder_is_a_warning_once_and_written_later(watched):
    """Broken: a full or read-only folder would end a replay whose checkpoint is fine."""
    watched.history.path = watched.history.path.parent / "file" / "history.sqlite"
    watched.history.path.parent.write_text("not a folder")
    fails_twice(watched)
    watched.history.path.parent.unlink()
    written_again(watched)


def test_a_full_disk_is_a_warning_once_and_written_later(watched, monkeypatch):
    """Broken: the same, where it is the disk that is full."""
    watched.recorder.write()
    real = sqlite3.connect

    def small(*args, **more):
        database = real(*args, **more)
        database.execute("PRAGMA max_page_count = 1")
        return database

    with monkeypatch.context() as full:
        full.setattr(sqlite3, "connect", small)
        monkeypatch.setattr(watched.recorder, "_is_tidied", True)
        watched.recorder._open["outage"] = SpanRecord("outage", 1.0, None, "x" * 100_000)
        fails_twice(watched)
    written_again(watched)


def test_a_damaged_one_is_begun_anew_and_the_warning_names_the_old_one(watched):
    """Broken: the operator would not hear that the past is gone, nor where it is."""
    watched.history.path.write_bytes(b"rubbish" * 1_000)
    watched.step(1, 10)
    assert watched.run.done_row == 10
    (warning,) = watched.told.warnings
    (aside,) = watched.history.path.parent.glob("history-damaged-*")
    assert str(aside) in warning


def test_a_writer_that_hangs_holds_nothing_up(tmp_path, monkeypatch):
    """Broken: a network folder that does not answer would stop rows from going out, and the process from ending."""
    hangs = threading.Event()
    monkeypatch.setattr(History, "write", lambda *_: hangs.wait(30))
    monkeypatch.setattr(module, "BEGIN_WAIT_S", 0.01)
    monkeypatch.setattr(module, "END_WAIT_S", 0.01)
    told = Told()
    with recording(History(tmp_path / "h.sqlite"), INFO, told, SystemClock()) as recorder:
        recorder.phase(BEGINNING, 0, 100)
        for done in range(100):
            recorder.progress(Tally(100, done_rows=done).view())
    hangs.set()
    (warning,) = told.warnings
    assert "slow" in warning


def test_the_thread_does_not_touch_what_the_replay_changes(watched):
    """Broken: a counter that grows while it is written would raise in the writer ("changed size during iteration")."""
    stop, failures = threading.Event(), []

    def write() -> None:
        while not stop.is_set():
            try:
                watched.recorder.write()
            except Exception as error:
                failures.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    for number in range(300):
        bad = {Fate(2 + n).key: 1 for n in range(number % 13)}
        watched.shown.proven(Progress(Position(300, (300,), 20, bad), (PartitionMark(280),)))
        watched.step(1, number)
    stop.set()
    thread.join(10)
    assert not failures
    assert watched.told.warnings == []
    assert watched.run.done_row == 299
    assert os.getpid() == watched.run.pid
