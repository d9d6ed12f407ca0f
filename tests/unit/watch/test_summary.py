"""The end of a run for machines: stable names, right values, a whole file or none."""

from __future__ import annotations

import io
import json
import os

import pytest

from replay.errors import BrokerUnavailable, UsageError
from replay.watch.around import check_place
from replay.watch.figures import figures
from replay.watch.run import RunInfo, RunOutcome, outcome_of
from replay.watch.summary import summary, write
from tests.unit.fakes import Told
from tests.unit.watch.metrics.test_export import full_tally

INFO = RunInfo("nightly", "2026-11-22", "run", "trades", "/s/x.json", {"-X": "sasl.password=***"}, "an-id")
DONE = RunOutcome(0, "done")


def document(outcome: RunOutcome = DONE):
    shown = full_tally()
    shown.sending_s = 8.0
    verdict = {"exact": outcome is DONE, "lost": 0, "starts": (1, 2), "ends": (3, 4), "examples": ({"row": 5},)}
    return summary(INFO, outcome, shown.view(), verdict, 100.0, 110.0)


def test_names_and_values_are_stable():
    """Broken: scripts that read it would find nothing, or another figure, under the name they know."""
    found = document()
    lateness, latency = found.pop("lateness"), found.pop("ack_latency")
    assert found.pop("replay_version")
    assert found == {
        "run_id": "an-id", "job": "nightly", "date": "2026-11-22", "command": "run", "topic": "trades",
        "checkpoint": "/s/x.json", "outcome": "done", "exit_code": 0, "reason": "done", "started_s": 100.0,
        "ended_s": 110.0, "rows": 1_000, "start_row": 100, "done_row": 600, "sent_rows": 450, "acked_rows": 400,
        "already_there_rows": 50, "resent_rows": 43, "in_topic_rows": 550, "not_selected_rows": 230, "bad_rows": 20,
        "of_rows": 1_200, "left_out": {"not_selected": 230, "price_missing": 20}, "bad": {"price_missing": 20},
        "shifted_s": 2.5, "outages": 1, "outages_s": 12.0, "elapsed_s": 10.0, "sending_s": 8.0, "rows_per_s": 50.0,
        "verdict": {"exact": True, "lost": 0},
    }  # fmt: skip
    assert lateness == {"p50_s": pytest.approx(0.001, rel=0.1), "p99_s": 0.5, "max_s": 0.5}
    assert latency["p50_s"] == pytest.approx(0.02, rel=0.1)


def test_a_run_that_knew_nothing_of_its_rows_has_the_same_names():
    """Broken: a script that reads .rows would stumble over the one case that it should report."""
    error = BrokerUnavailable("cannot read the topic within 300 s", where="Kafka")
    found = summary(INFO, outcome_of(error), None, None, 100.0, 400.0)
    assert found.keys() == document().keys()
    assert (found["outcome"], found["exit_code"], found["rows"]) == ("failed", 5, None)
    assert found["reason"] == "Kafka: cannot read the topic within 300 s"


def test_committed_rows_are_what_counts_with_transactions():
    """Broken: rows that are acknowledged and not committed would be reported as done."""
    shown = full_tally()
    shown.committed_row = 550
    assert figures(shown.view())["done_row"] == 550


@pytest.mark.parametrize(
    ("code", "word"), [(0, "done"), (1, "failed"), (130, "stopped"), (143, "stopped"), (70, "failed")]
)
def test_outcomes(code, word):
    """Broken: a stop on purpose would be told from a failure nowhere."""
    assert document(RunOutcome(code, ""))["outcome"] == word


def test_options_and_their_secrets_are_not_in_it():
    """Broken: a password, were it not masked, would be mailed around."""
    assert "sasl" not in json.dumps(document())


def test_the_file_is_whole_or_the_old_one(tmp_path):
    """Broken: a reader gets half an object."""
    path, told = tmp_path / "end.json", Told()
    check_place("--summary-json", str(path))
    write(str(path), document(), told)
    assert json.loads(path.read_text()) == document()
    assert [each.name for each in tmp_path.iterdir()] == ["end.json"]
    assert told.warnings == []


def test_standard_output(capsys):
    """Broken: a pipe into jq gets more than the one object."""
    write("-", document(), Told())
    assert json.loads(capsys.readouterr().out) == document()


@pytest.mark.parametrize("target", ["nowhere/end.json", ".", ""])
def test_a_target_that_cannot_work_is_refused_before_the_run(tmp_path, monkeypatch, target):
    """Broken: found out hours later, when the run is over."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        check_place("--summary-json", target)


def test_a_failure_to_write_is_a_warning(tmp_path):
    """Broken: a replay that is done would end with a traceback, and be taken for a failed one."""
    told = Told()
    write(str(tmp_path / "gone" / "end.json"), document(), told)
    (warning,) = told.warnings
    assert "end.json" in warning


def test_a_reader_that_went_away_is_a_warning(monkeypatch):
    """Broken: `replay run --summary-json - | true` would end with a traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    told = Told()
    with io.TextIOWrapper(os.fdopen(writer, "wb", buffering=0), write_through=True) as closed:
        monkeypatch.setattr("sys.stdout", closed)
        write("-", document(), told)
        print("more", file=closed)  # goes nowhere, without an error
    assert "summary" in told.warnings[0]
