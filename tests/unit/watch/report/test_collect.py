"""From the history to the report."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from replay.counts import ByName, RowCounts
from replay.errors import UsageError
from replay.watch.figures import Quantiles
from replay.watch.history.database import History
from replay.watch.history.process import this_process
from replay.watch.history.records import Details, RunRecord, SampleRecord, SpanRecord
from replay.watch.report.collect import collect
from replay.watch.report.data import MarkKind, RunState, Sample
from replay.watch.report.page import render

NOW_S = 1_800_000_000.0
PROCESS = this_process()


def recorded(run_id: str, started_s: float, **more) -> RunRecord:
    plain = RunRecord(
        run_id, "nightly", "2026-11-22", "run", "trades", "/s/nightly/2026-11-22.json",
        {"--rate": "5000/s", "--bootstrap-servers": "kafka:9092", "-X": "sasl.password=hunter2"},
        "night-1", 4711, "", started_s, started_s + 60,
    )  # fmt: skip
    return replace(plain, **more)


def sample(at_s: float, done_row: int, **more: Any) -> SampleRecord:
    none = dict.fromkeys(("lateness_p50_s", "lateness_p99_s", "lateness_max_s", "ack_p50_s", "ack_p99_s"))
    return SampleRecord(at_s, "replaying", done_row, 0, **{**none, **more}, outage=False)


@pytest.fixture
def history(tmp_path) -> History:
    """The second night: killed, then refused (locked), then finished."""
    kept = History(tmp_path / "history.sqlite")
    first = recorded("a", NOW_S - 5_000, rows=100, start_row=0, done_row=40, sent_rows=50, outages=1, outages_s=58.0,
                     left_out={"not_selected": 3, "price_missing": 2}, bad={"price_missing": 2})  # fmt: skip
    kept.write(first, [sample(1.0, 20), sample(2.0, 40)], [SpanRecord("outage", 2.0, None, "refused")])
    kept.write(recorded("b", NOW_S - 4_000, ended_s=NOW_S - 3_999, exit_code=6, reason="locked"), [], [])
    last = recorded("c", NOW_S - 100, ended_s=NOW_S - 40, exit_code=0, reason="done", rows=100, start_row=40,
                    done_row=100, sent_rows=50, already_there_rows=10, in_topic_rows=94, delivered_rows=54,
                    not_selected_rows=4, bad_rows=2, of_rows=100, left_out={"not_selected": 4, "price_missing": 2},
                    bad={"price_missing": 2})  # fmt: skip
    looks = [
        sample(0.5, 0, delivered_rows=0),
        sample(1.5, 100, delivered_rows=54, event_s=7.5, lateness_p50_s=0.1, lateness_p99_s=0.2, lateness_max_s=0.3),
    ]
    kept.write(last, looks, [SpanRecord("resume", 0.0, 0.7, "at row 40")])
    kept.write(recorded("d", NOW_S - 10, date="2026-11-23"), [], [])
    kept.write(recorded("e", NOW_S - 10, date=None), [], [])
    return kept


def test_the_runs_of_a_date_and_no_others(history):
    """Broken: the report mixes nights, or tells them in the wrong order."""
    data = collect(history, "nightly", "2026-11-22", NOW_S)
    assert [run.state for run in data.runs] == [RunState.INTERRUPTED, RunState.FAILED, RunState.DONE]
    assert [run.exit_code for run in data.runs] == [None, 6, 0]
    assert len(collect(history, "nightly", None, NOW_S).runs) == 1
    assert (data.counts, data.topic, data.cluster, data.pace) == (
        RowCounts(100, 94, 4, {"price_missing": 2}), "trades", "kafka:9092", "rate 5000/s",
    )  # fmt: skip


def test_times_and_rows_are_those_of_the_clock_and_the_replay(history):
    """Broken: samples lie at the epoch, or a resumed run is drawn as if it had sent all rows before it at once."""
    first, refused, last = collect(history, "nightly", "2026-11-22", NOW_S).runs
    assert (first.begun_s, first.last_s) == (NOW_S - 5_000, NOW_S - 4_940)  # its last sign of life
    assert (refused.first_rows, refused.done_rows) == (40, 40)
    assert list(last.samples) == [
        Sample(NOW_S - 99.5, 40),
        Sample(NOW_S - 98.5, 94, Quantiles(0.1, 0.2, 0.3), event_s=7.5),
    ]


def test_what_went_wrong_is_told(history):
    """Broken: bad rows are lost on the way, or an outage that a kill cut off has no end and cannot be drawn."""
    data = collect(history, "nightly", "2026-11-22", NOW_S)
    assert data.counts.not_selected == 4
    assert [run.outages_s for run in data.runs] == [58.0, 0.0, 0.0]
    assert data.bad_rows == {"price is null or empty": 2}
    marks = [(span.kind, span.from_s - NOW_S, span.to_s - NOW_S) for span in data.all_marks()]
    assert marks[0] == (MarkKind.OUTAGE, -4_998, -4_940)
    assert [mark for mark, _, _ in marks] == [MarkKind.OUTAGE, MarkKind.PAUSE, MarkKind.PAUSE, MarkKind.RESUME]


def test_a_run_that_goes_on_reaches_to_now(tmp_path):
    """Broken: a report of a running replay calls it interrupted, or ends at its last sample."""
    history = History(tmp_path / "history.sqlite")
    alive = recorded(
        "a", NOW_S - 50, host=PROCESS.host, pid=PROCESS.pid, process_start=PROCESS.start, alive_s=NOW_S - 2
    )
    history.write(alive, [], [])
    (run,) = collect(history, "nightly", "2026-11-22", NOW_S).runs
    assert (run.state, run.last_s) == (RunState.RUNNING, NOW_S)


def test_a_page_of_it(history):
    """Broken: what the history gives cannot be drawn, or its options are shown with their secrets."""
    page = render(collect(history, "nightly", "2026-11-22", NOW_S))
    assert "hunter2" not in page
    assert "Failed, exit 6" in page
    assert page.count("<svg") == 8  # no ACK latency was measured
    assert "pyarrow" in page


def kept(**more) -> Details:
    return replace(
        Details(
            ("day.parquet",), 3, 100.0, 200.0, ByName({"BTC": 40, "ETH": 8}, 5, 2), ByName({"0": 50}),
            {"exact": False}, {"--rate": "old.toml, rate"},
        ),
        **more,
    )  # fmt: skip


def test_what_all_runs_sent_is_one_sum_and_the_last_verdict_counts(history):
    """Broken: rows by symbol are those of the last run alone, or a verdict is told of rows that were sent after it."""
    for run_id, details in (
        ("a", kept()),
        ("b", Details()),  # refused before it looked
        ("c", kept(symbols=ByName({"ETH": 50}), first_event_s=190.0, last_event_s=300.0, verdict={"exact": True},
                   partitions=ByName({"0": 10, "1": 40}), origins={"--rate": "nightly.toml, rate"})),
    ):  # fmt: skip
        run = next(each for each in history.runs() if each.run_id == run_id)
        history.write(run, [], [], details)
    data = collect(history, "nightly", "2026-11-22", NOW_S)
    assert data.symbols == ByName({"ETH": 58, "BTC": 40}, 5, 2)
    assert data.partitions == ByName({"0": 60, "1": 40})
    assert (data.inputs, data.files) == (("day.parquet",), 3)
    assert (data.first_event_s, data.last_event_s) == (100.0, 300.0)
    assert data.verdict == {"exact": True}
    assert {name: origin for name, _, origin in data.settings}["--rate"] == "nightly.toml, rate"


def test_a_run_after_the_verdict_takes_it_back(history):
    """Broken: the page says verified of a topic to which rows went since."""
    first = history.runs()[-1]
    history.write(first, [], [], kept(verdict={"exact": True}))
    assert collect(history, "nightly", "2026-11-22", NOW_S).verdict is None


def test_a_job_that_never_ran(history):
    """Broken: a mistyped job makes an empty page instead of an error."""
    with pytest.raises(UsageError, match="no run of nightli for 2026-11-22 is on record"):
        collect(history, "nightli", "2026-11-22", NOW_S)


def test_a_look_at_a_night_that_is_done_changes_nothing_of_what_is_told(history):
    """Broken: the catch-up of the next evening, which finds nothing to do, hides the pace and verdict of the night."""
    whole = {"exact": True, "rows": 94}
    done = recorded("c2", NOW_S - 38, ended_s=NOW_S - 35, exit_code=0, reason="done", sent_rows=3, in_topic_rows=94,
                    not_selected_rows=4, bad_rows=2, of_rows=100, delivered_rows=3,
                    options={"--rate": "7/s"})  # fmt: skip
    history.write(done, [], [], Details(verdict=whole, cluster_id="x7Kq"))
    noop = replace(done, run_id="c3", started_s=NOW_S - 30, sent_rows=0, delivered_rows=0, options={"--rate": "9/s"})
    history.write(noop, [], [], Details())
    data = collect(history, "nightly", "2026-11-22", NOW_S)
    assert (data.pace, data.verdict, data.counts.in_topic, data.runs[-1].found_nothing_to_do) == (
        "rate 7/s", whole, 94, True,
    )  # fmt: skip
    assert data.cluster.startswith("id x7Kq")
    history.write(replace(noop, run_id="c4", started_s=NOW_S - 20, sent_rows=1), [], [], Details())
    assert collect(history, "nightly", "2026-11-22", NOW_S).verdict is None, "it says nothing of what was sent since"
