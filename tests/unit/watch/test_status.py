"""What status says of a checkpoint and its last run, and when a monitor is to be alarmed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from replay.checkpoint.content import JobState, dumps
from replay.position import Position, Progress
from replay.watch.history.database import History
from replay.watch.status import Place, ReplayState, collect, older_than, status
from tests.unit.checkpoint.test_content import checkpoint_at
from tests.unit.watch.history.test_database import T0, run

NOW = T0 + 100
PLACE = Place(Path("/s/nightly/2026-11-22.json"), "nightly", "2026-11-22")
GONE: dict[str, Any] = {"pid": 1, "process_start": "another-start pid:[1] 1"}
"""A process that is not there any more."""


def saved(state=JobState.RUNNING, saved_at_s: float = T0 + 50, **more):
    return replace(checkpoint_at(500), state=state, saved_at_s=saved_at_s, **more)


DONE, CLEAN = JobState.DONE, JobState.CLEAN
FAILED: dict[str, Any] = {"ended_s": T0 + 60, "exit_code": 5, "reason": "no broker"}


@pytest.mark.parametrize(
    ("found", "last", "state", "detail"),
    [
        (saved(), run(), ReplayState.RUNNING, "by "),
        (None, run(), ReplayState.RUNNING, "by "),
        (saved(), run(**GONE), ReplayState.INTERRUPTED, "looks into the topic"),
        (None, run(**GONE), ReplayState.INTERRUPTED, "before its first checkpoint"),
        (saved(DONE), run(**GONE), ReplayState.DONE, ""),  # killed between the last save and the history's end
        (saved(), run(**FAILED), ReplayState.FAILED, "exit 5: no broker"),
        (saved(DONE), run(**{**FAILED, "exit_code": 1}), ReplayState.FAILED, "exit 1"),  # the comparison at the end
        (
            saved(CLEAN),
            run(ended_s=T0 + 60, exit_code=143, reason="stopped by SIGTERM"),
            ReplayState.STOPPED,
            "SIGTERM",
        ),
        (saved(DONE), run(ended_s=T0 + 60, exit_code=0, reason="done"), ReplayState.DONE, ""),
        (None, run(ended_s=T0 + 60, exit_code=0, reason="done"), ReplayState.GONE, "sends all rows again"),
        (None, run(**FAILED), ReplayState.FAILED, "exit 5"),
        ("its CRC does not fit", run(), ReplayState.DAMAGED, "its CRC does not fit"),
        ("its CRC does not fit", None, ReplayState.DAMAGED, "its CRC does not fit"),
        # The checkpoint is newer than the last run that the history knows: a run without history came after it.
        (saved(DONE, T0 + 70), run(**FAILED), ReplayState.DONE, ""),
        (saved(CLEAN, T0 + 70), run(**FAILED), ReplayState.STOPPED, "host"),
        # No history at all
        (saved(DONE), None, ReplayState.DONE, ""),
        (saved(CLEAN), None, ReplayState.STOPPED, "on host"),
        (saved(), None, ReplayState.INTERRUPTED, "on host"),
        (None, None, ReplayState.UNKNOWN, "there is no checkpoint, and no run"),  # `--checkpoint` with a typing error
    ],
)
def test_states(found, last, state, detail):
    """Broken: an operator would wait for a dead replay, or start a second one beside a living one."""
    told = status(PLACE, found, last, NOW)
    assert (told.state, told.job, told.date) == (state, "nightly", "2026-11-22")
    assert detail in told.detail
    assert bool(detail) == bool(told.detail)


def test_without_history_the_process_of_the_checkpoint_tells_unless_its_id_was_used_again():
    """Broken: whichever process has the number by now would pass for the replay."""
    me = f"{socket.gethostname()}:{os.getpid()}"
    assert status(PLACE, saved(instance=me, saved_at_s=time.time()), None, NOW).state is ReplayState.RUNNING
    assert (
        status(PLACE, saved(instance=me, saved_at_s=time.time() - 86_400), None, NOW).state is ReplayState.INTERRUPTED
    )


def test_rows_that_were_never_sent_do_not_count_as_sent():
    """Broken: 1,010 of 1,010 in the topic, which holds 408. What is ahead of the position is in it."""
    position = Position(501, (500, 1), 96, {"price_missing": 30, "time_missing": 6})
    done = replace(saved(DONE), progress=Progress(position, saved().progress.marks), pruned_rows=200)
    told = status(PLACE, done, run(in_topic_rows=7, not_selected_rows=0, bad_rows=0, of_rows=9), NOW)
    assert (told.in_topic_rows, told.not_selected_rows, told.bad_rows, told.of_rows) == (408, 260, 36, 1_210)


def test_figures_of_a_running_replay():
    """Broken: rows, rate, end or age of the last acknowledgement would be wrong where somebody decides on them."""
    told = status(PLACE, saved(), run(done_row=400, rows=1_000, rows_per_s=101.8, acked_s=NOW - 3), NOW)
    assert (told.done_rows, told.rows) == (501, 1_010), "the checkpoint is what is proven"
    assert (told.rows_per_s, told.left_s, told.ack_age_s) == (101.8, 5.0, 3.0)
    assert (told.topic, told.saved_s) == ("trades", T0 + 50)


def test_a_replay_that_stands_still_has_no_end():
    """Broken: a division by zero, or "done in 0 s" in the middle of an outage."""
    for rate in (0.0, None):
        told = status(PLACE, saved(), run(rows_per_s=rate), NOW)
        assert (told.left_s, told.rows_per_s) == (None, rate)


def test_an_ended_run_has_no_rate():
    """Broken: a replay that failed yesterday would seem to have ten minutes left."""
    told = status(PLACE, saved(), run(rows_per_s=100.0, **FAILED), NOW)
    assert (told.rows_per_s, told.left_s) == (None, None)


def test_monitoring_asks_for_the_last_success_of_each_job():
    """Broken: a night that was missed would not be noticed, or one failed date drown the success of the next."""
    ok = status(PLACE, saved(DONE), run(ended_s=T0 + 60, exit_code=0), NOW)
    failed = replace(status(PLACE, saved(), run(**FAILED), NOW), date="2026-11-23")
    other = replace(failed, job="other")
    assert older_than([ok, failed], 40.0, NOW) == {}
    assert older_than([failed, ok], 39.0, NOW) == {"nightly": 40.0}
    assert older_than([ok, other], 40.0, NOW) == {"other": None}
    assert older_than([other], 40.0, NOW, {"other": NOW - 10}) == {}
    assert older_than([], 40.0, NOW) == {}


def test_a_later_failure_of_a_done_date_keeps_its_success():
    """Broken: a re-run of an old date with a typing error would alarm the night watch."""
    failed = status(PLACE, saved(DONE), run(**{**FAILED, "exit_code": 4}), NOW)
    assert failed.state is ReplayState.FAILED
    assert failed.succeeded_s == T0 + 50


def test_json_has_stable_names():
    """Broken: scripts that read it would find nothing under the name they know."""
    (one,) = json.loads(json.dumps([asdict(status(PLACE, saved(), None, NOW))]))
    assert list(one) == [
        "job", "date", "state", "detail", "checkpoint", "topic", "done_rows", "rows", "in_topic_rows",
        "not_selected_rows", "bad_rows", "of_rows", "rows_per_s", "left_s", "ack_age_s", "saved_s",
        "succeeded_s", "exit_code", "run_id", "changed",
    ]  # fmt: skip
    assert one["state"] == "interrupted"


# -- the state folder ---------------------------------------------------------------------------------------


def test_everything_below_the_state_folder_is_found_and_joined(tmp_path):
    """Broken: a replay would be missing in the list, or shown with another one's run."""
    history = History(tmp_path / "history.sqlite")
    dated, plain = tmp_path / "nightly" / "2026-11-22.json", tmp_path / "once.json"
    dated.parent.mkdir()
    dated.write_bytes(dumps(saved(DONE)))
    plain.write_bytes(dumps(saved(CLEAN)))
    plain.with_name("once.json.prev").write_bytes(dumps(saved()))
    plain.with_name("lost.json.prev").write_bytes(dumps(saved()))
    (tmp_path / "torn.json").write_bytes(dumps(saved())[:100])
    (tmp_path / "torn.json.lock").touch()
    elsewhere = tmp_path / "else" / "where" / "mine.json"
    elsewhere.parent.mkdir(parents=True)
    elsewhere.write_bytes(dumps(saved(DONE)))
    history.write(run("a", checkpoint=str(dated), **FAILED), [], [])
    history.write(run("b", job="early", date=None, checkpoint=str(tmp_path / "early.json"), **FAILED), [], [])
    statuses, troubles = collect(tmp_path, history, NOW, [elsewhere])
    assert troubles == []
    assert [(each.job, each.date, each.state, each.run_id) for each in statuses] == [
        ("early", None, ReplayState.FAILED, "b"),
        ("lost", None, ReplayState.DAMAGED, None),
        ("mine", None, ReplayState.DONE, None),
        ("nightly", "2026-11-22", ReplayState.FAILED, "a"),
        ("once", None, ReplayState.STOPPED, None),
        ("torn", None, ReplayState.DAMAGED, None),
    ]
    assert "missing" in statuses[1].detail


def test_other_json_in_the_state_folder_is_no_replay(tmp_path):
    """Broken: `--summary-json summary.json` makes a damaged job of its own, and the container is ill for ever. Once: so
    it was, in an image whose working folder is the state folder."""
    (tmp_path / "nightly").mkdir()
    for name in ("summary.json", "nightly/fonts.json", "nightly/summary-2026-11-22.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "once.json").write_bytes(dumps(saved(DONE)))
    statuses, _ = collect(tmp_path, History(tmp_path / "history.sqlite"), NOW)
    assert [each.job for each in statuses] == ["once"]
    named, _ = collect(tmp_path, History(tmp_path / "history.sqlite"), NOW, [tmp_path / "summary.json"])
    assert {each.job: each.state for each in named}["summary"] is ReplayState.DAMAGED, "it was asked for"


def test_links_to_the_state_folder_make_no_second_replay(tmp_path):
    """Broken: the same checkpoint would be listed twice, once without its run."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    path = tmp_path / "real" / "once.json"
    path.write_bytes(dumps(saved(DONE)))
    history = History(tmp_path / "real" / "history.sqlite")
    history.write(run(checkpoint=str(path), ended_s=T0 + 60, exit_code=0), [], [])
    statuses, _ = collect(tmp_path / "link", history, NOW, [path])
    assert [(each.state, each.run_id) for each in statuses] == [(ReplayState.DONE, "a")]


def test_without_a_readable_history_the_checkpoints_are_shown_and_the_trouble_told(tmp_path):
    """Broken: status would fail in the very moment in which it is needed."""
    (tmp_path / "once.json").write_bytes(dumps(saved(DONE)))
    history = History(tmp_path / "history.sqlite")
    history.path.write_bytes(b"rubbish" * 1_000)
    statuses, (trouble,) = collect(tmp_path, history, NOW)
    assert [each.state for each in statuses] == [ReplayState.DONE]
    assert str(history.path) in trouble
    assert collect(tmp_path / "nowhere", History(tmp_path / "none"), NOW) == ([], [])


def test_it_answers_without_arrays_and_kafka():
    """Broken: status would take a second, which a prompt or a watch loop pays each time."""
    code = (
        "import sys, replay.watch.status, replay.watch.tables, replay.watch.history.database;"
        "print([m for m in sys.modules if '.' not in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "pyarrow", "confluent_kafka"} & set(json.loads(done.stdout.replace("'", '"')))
