"""What stands around a run: each way of telling its end, whatever becomes of the others and of the run."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from loguru import logger

from replay.delivery.snapshot import Snapshot
from replay.delivery.tally import Tally
from replay.errors import BrokerUnavailable, Different, ExitCode
from replay.watch.around import WatchOptions, watching, write_page
from replay.watch.history.database import History
from replay.watch.logs.lines import fields_of
from replay.watch.metrics.export import MetricsOptions
from replay.watch.notify import Notify
from replay.watch.report import page as html_report
from replay.watch.run import NotifyOn, RunInfo
from tests.unit.fakes import FakeClock, Told

INFO = RunInfo("nightly", "2026-11-22", "run", "trades", "/s/nightly/2026-11-22.json", {"--rate": "10/s"})


class Display(Told):
    """A terminal, as far as it is asked for here; its warnings are logged."""

    last: Snapshot | None = None

    def progress(self, snapshot: Snapshot) -> None:
        self.last = snapshot

    def warning(self, message: str) -> None:
        super().warning(message)
        logger.warning("{}", message)


@pytest.fixture
def options(tmp_path: Path) -> WatchOptions:
    """Everything is to be told."""
    note = tmp_path / "note.json"
    return WatchOptions(
        MetricsOptions(),
        summary_json=str(tmp_path / "summary.json"),
        report=tmp_path / "report.html",
        zone=ZoneInfo("Asia/Tokyo"),
        notify=Notify("tee", command=("tee", str(note)), on=NotifyOn.ALWAYS),
    )


def told_of(
    tmp_path: Path, options: WatchOptions, error: Exception | None, verdict: dict[str, Any] | None = None
) -> Display:
    """A run that ends so; what was told on its terminal."""
    display = Display()
    with suppress(BrokerUnavailable, Different):
        with watching(options, History(tmp_path / "h.sqlite"), INFO, display, FakeClock()) as watched:
            watched.reporter.progress(Tally(10, done_rows=10).view())
            if verdict is not None:
                watched.recorder.verified(verdict)
            if error is not None:
                raise error
        assert error is None, "it goes on to whoever runs the run"
    return display


VERDICT = {
    "exact": False, "topic": "trades", "isolation": "read_committed", "rows": 10, "records": 11, "found": 10, "lost": 0,
    "duplicated": 1, "out_of_order": 0, "changed": 0, "misplaced": 0, "foreign": 0, "starts": [0], "ends": [11],
    "examples": [{"kind": "duplicated", "row": 7, "partition": 0, "offset": 10}],
}  # fmt: skip


def test_all_that_tell_of_a_run_tell_what_the_comparison_found(tmp_path, options):
    """Broken: the process exits 1, and history, summary, report and the note to the operator all say done."""
    display = told_of(tmp_path, options, Different("1 duplicated", where="trades"), VERDICT)
    (run,) = History(tmp_path / "h.sqlite").runs()
    summary = json.loads((tmp_path / "summary.json").read_text())
    note = json.loads((tmp_path / "note.json").read_text())
    page = (tmp_path / "report.html").read_text()
    assert (run.exit_code, run.reason) == (ExitCode.DIFFERENT, "trades: 1 duplicated")
    for document in (summary, note):
        assert (document["exit_code"], document["outcome"], document["verdict"]["duplicated"]) == (1, "failed", 1)
    assert "DIFFERS from the source" in page
    assert "All times are Asia/Tokyo" in page
    assert "Failed, exit 1" in page
    assert not display.warnings


@pytest.mark.parametrize("error", [None, BrokerUnavailable("no answer", where="a:9092")])
def test_a_page_that_cannot_be_drawn_is_a_warning_and_nothing_else(tmp_path, options, monkeypatch, error):
    """Broken: a new matplotlib turns a good night into exit 70; or the page is missing and nobody hears of it."""

    def fails(*_):
        raise AttributeError("module 'matplotlib' has no attribute 'rc_context'")

    monkeypatch.setattr(html_report, "render", fails)
    display = told_of(tmp_path, options, error)
    (warning,) = display.warnings
    assert warning.startswith("the report is not written: AttributeError: module 'matplotlib'")
    assert not (tmp_path / "report.html").exists()
    assert json.loads((tmp_path / "note.json").read_text())["exit_code"] == (5 if error else 0), "the others are told"


def test_what_cannot_be_written_names_its_place(tmp_path, options):
    """Broken: "the report is not written", and the operator guesses which of three files it was."""
    display = told_of(tmp_path, replace(options, report=tmp_path / "none" / "report.html"), None)
    (warning,) = display.warnings
    assert str(tmp_path / "none") in warning


def test_warnings_about_the_end_are_of_this_run(tmp_path, options):
    """Broken: a log collector cannot tell which job's report was not written."""
    seen = []
    sink = logger.add(lambda message: seen.append(message.record["extra"]), level="WARNING")
    try:
        told_of(tmp_path, replace(options, report=tmp_path / "none" / "report.html"), None)
    finally:
        logger.remove(sink)
    assert [(each["job"], each["date"], each["run_id"]) for each in seen] == [("nightly", "2026-11-22", INFO.run_id)]


def test_an_error_that_goes_on_is_of_this_run(tmp_path, options):
    """Broken: the last line of a failed night, the one that says why, belongs to no job for a log collector."""
    error = BrokerUnavailable("no answer", where="a:9092")
    told_of(tmp_path, options, error)
    assert fields_of(error) == {"job": "nightly", "date": "2026-11-22", "run_id": INFO.run_id, "row": 10}


def test_the_page_afterwards_is_the_page_of_the_end(tmp_path, options):
    """Broken: `replay report` a day later knows less than --report did, so the one page that was not asked for in time
    is lost."""
    told_of(tmp_path, options, None, {**VERDICT, "exact": True, "duplicated": 0, "examples": []})
    now_s = FakeClock().now()
    write_page(History(tmp_path / "h.sqlite"), "nightly", "2026-11-22", tmp_path / "later.html", now_s, options.zone)
    assert (tmp_path / "later.html").read_bytes() == (tmp_path / "report.html").read_bytes()
