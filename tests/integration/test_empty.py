"""Nothing to send: refused before anything is made, unless somebody said that it is fine; never done with exit 0."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from tests.conftest import Broker
from tests.support.kafka_cluster import KafkaCluster
from tests.support.night_folder import NightFolder

DAY, NEXT = "2026-11-01", "2026-11-02"


@pytest.fixture
def nights(tmp_path: Path, kafka: KafkaCluster | Broker, topic: str) -> NightFolder:
    made = NightFolder(tmp_path, kafka.bootstrap_servers, topic)
    made.write("a.parquet", f"{DAY}T10:00:00+00:00", symbol="BTCUSDT", rows=500)
    return made


def topic_exists(nights: NightFolder) -> bool:
    topics = AdminClient({"bootstrap.servers": nights.bootstrap, "log_level": 0}).list_topics(timeout=20).topics
    return nights.topic in topics


def checkpoints(nights: NightFolder) -> list[str]:
    return sorted(path.name for path in nights.state.rglob("*.json"))


def state_of(nights: NightFolder) -> str:
    done = nights.go_light("status", "--output", "json")
    return str(json.loads(done.stdout)[0]["state"])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--symbols", "BTCUSD"), "there is no BTCUSD (did you mean BTCUSDT?)"),
        (("--symbols", "btcusdt"), "there is no btcusdt (did you mean BTCUSDT?)"),
        (("--symbols", "BTCUSDT,ETHUSDT"), "no row is selected of ETHUSDT"),
        (("--symbols", "BTC*,XRP*"), "no row is selected of XRP*"),
        (("--from", "2027-01-01"), "no row is selected of 500"),
        (("--where", "price < 0"), "no row is selected of 500"),
        (("--symbols", "BTCUSD", "--no-check"), "did you mean BTCUSDT?"),
    ],
    ids=["typing error", "case", "one of two", "pattern", "range", "condition", "unchecked"],
)
def test_a_selection_without_a_row_makes_nothing_and_the_corrected_command_goes_well(
    nights: NightFolder, options: tuple[str, ...], told: str
) -> None:
    """Broken: a typing error creates the topic, sends nothing, is "done" with exit 0, and takes the checkpoint, so that
    the corrected command is refused."""
    failed = nights.go("run", *options, code=3)
    assert told in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not topic_exists(nights)
    assert checkpoints(nights) == []
    nights.go("run", "--symbols", "BTCUSDT")
    assert len(nights.in_topic()) == 500


@pytest.mark.parametrize("delivery", ["idempotent", "transactional"])
def test_what_only_the_end_can_tell_is_told_then(nights: NightFolder, delivery: str) -> None:
    """Broken: with --no-check, a condition that no row fulfils, or a symbol that is not there, is done with exit 0; or
    the corrected command is refused."""
    kind = (*nights.by(delivery), "--no-check")
    assert "no row is selected" in nights.go("run", "--where", "price < 0", *kind, code=3).stderr
    for _ in range(2):  # also when it is run again, though there is nothing left to read
        told = nights.go("run", "--symbols", "BTC*,ETHUSDT", *kind, code=3).stderr
        assert "no row is selected of ETHUSDT" in told
    assert len(nights.in_topic()) == 500
    nights.go("run", "--symbols", "BTC*,ETHUSDT", *kind, "--allow-empty")
    assert (nights.checkpoint_of("j.json")["state"], len(nights.in_topic())) == ("done", 500)


def test_a_rebuilt_checkpoint_knows_whether_the_rows_were_looked_at(nights: NightFolder) -> None:
    """Broken: after a rebuild with --no-check, a symbol that is not there is never missed: the run is done with exit 0;
    or a rebuild that looks at every row passes over it."""
    meant = ("--symbols", "BTC*,ETHUSDT")
    nights.go("run", *meant, "--no-check", code=3)
    for path in nights.state.glob("j.json*"):
        path.unlink()
    assert "no row is selected of ETHUSDT" in nights.go("checkpoint rebuild", *meant, code=3).stderr
    assert checkpoints(nights) == []
    nights.go("checkpoint rebuild", *meant, "--no-check")
    told = nights.go("run", *meant, "--no-check", code=3).stderr
    assert "no row is selected of ETHUSDT" in told
    assert len(nights.in_topic()) == 500


def test_allowed_symbols_may_be_missing_and_a_sample_expects_nothing(nights: NightFolder) -> None:
    """Broken: a list of symbols of which one did not trade can never be replayed; or --sample refuses what it leaves
    out itself."""
    nights.go("run", "--symbols", "BTCUSDT,ETHUSDT", "--allow-empty")
    assert len(nights.in_topic()) == 500
    nights.go("run", "--symbols", "BTCUSDT,ETHUSDT", "--exclude-symbols", "ETHUSDT", "--date", DAY)
    assert len(nights.in_topic()) == 1_000


def test_an_empty_day_fails_or_is_remembered_as_empty_and_looked_at_again(nights: NightFolder) -> None:
    """Broken: a day whose file is late is done with no row; when the file comes, its rows are never sent."""
    told = nights.go("run", "--date", NEXT, code=3).stderr
    assert f"event times of {NEXT} (UTC)" in told
    assert "--empty ok" in told
    assert checkpoints(nights) == []
    assert not topic_exists(nights)
    told = nights.go("run", "--date", NEXT, "--empty", "ok").stderr
    assert "nothing to send" in told
    assert (nights.checkpoint(NEXT)["state"], state_of(nights), topic_exists(nights)) == ("empty", "empty", False)
    assert nights.go("run", "--date", NEXT, code=3).returncode == 3, "it is not done"
    nights.write("b.parquet", f"{NEXT}T10:00:00+00:00")
    nights.go("run", "--date", NEXT, "--empty", "ok")
    assert nights.per_day() == {NEXT: 5}
    assert (nights.checkpoint(NEXT)["state"], state_of(nights)) == ("done", "done")


def test_an_empty_day_does_not_hide_a_typing_error(nights: NightFolder) -> None:
    """Broken: --empty ok, which is about days without trades, takes a wrong symbol for one."""
    assert (
        "did you mean BTCUSDT?"
        in nights.go("run", "--date", DAY, "--symbols", "BTCUSD", "--empty", "ok", code=3).stderr
    )
    nights.go("run", "--date", NEXT, "--symbols", "BTCUSDT", "--empty", "ok")


def test_a_file_without_any_row_is_an_empty_day(nights: NightFolder) -> None:
    """Broken: a holiday's empty file ends the night, or its day is done for good."""
    nights.write(f"{NEXT}.parquet", f"{NEXT}T10:00:00+00:00", rows=0)
    by_path = str(nights.inputs / "{date}.parquet")
    assert "no rows" in nights.go("run", "--date", NEXT, code=3, inputs=by_path).stderr
    nights.go("run", "--date", NEXT, "--empty", "ok", "--verify", inputs=by_path)
    nights.write(f"{NEXT}.parquet", f"{NEXT}T10:00:00+00:00")
    nights.go("run", "--date", NEXT, "--empty", "ok", "--verify", inputs=by_path)
    assert nights.per_day() == {NEXT: 5}


def test_bad_rows_are_found_before_a_topic_is_made(nights: NightFolder) -> None:
    """Broken: a replay that is refused for its rows leaves a topic behind."""
    assert "--on-bad-row" in nights.go("run", "--map", "price=symbol", code=3).stderr
    assert not topic_exists(nights)
    assert checkpoints(nights) == []


def test_verify_takes_no_row_for_no_proof(nights: NightFolder) -> None:
    """Broken: `verify` of a mistyped symbol finds no difference between nothing and nothing: exit 0."""
    nights.go("run")
    told = nights.go("verify", "--symbols", "BTCUSD", "--allow-foreign", code=3).stderr
    assert "did you mean BTCUSDT?" in told
    nights.go("verify", "--symbols", "BTCUSD", "--allow-foreign", "--allow-empty")


def test_what_was_refused_was_no_run_and_is_told_all_the_same(nights: NightFolder) -> None:
    """Broken: typing errors fill the history of runs, and are the last word in `status`; or nobody hears of them."""
    nights.go("run", "--date", DAY)
    notes, metrics = nights.folder / "notes", nights.folder / "m.prom"
    told = ("--notify", f"tee -a {notes}", "--metrics-textfile", str(metrics), "--summary-json", "-")
    for options, code in (
        (("--date", DAY, "--fields", "nothing"), 3),
        (("--date", DAY, "--header", "a=1"), 4),
        (("--date", NEXT, "--symbols", "BTCUSD"), 3),
        (("--create-topic", "2:99", "--topic", f"{nights.topic}-2"), 2),
    ):
        nights.go("run", *options, *told, code=code)
    assert re.findall(r'"exit_code": (\d+)', notes.read_text()) == ["3", "4", "3", "2"]
    (line,) = [line for line in metrics.read_text().splitlines() if line.startswith("replay_exit_code")]
    assert float(line.rpartition(" ")[2]) == 2
    runs = json.loads(nights.go_light("history", "--output", "json").stdout)
    assert [run["exit_code"] for run in runs] == [0]
    assert state_of(nights) == "done"


def test_an_outage_from_the_start_is_a_failed_run(nights: NightFolder) -> None:
    """Broken: a night in which no broker was to be had leaves no trace in the history."""
    away = replace(nights, bootstrap="127.0.0.1:1")
    away.go("run", "--broker-timeout", "1s", code=5)
    (run,) = json.loads(nights.go_light("history", "--output", "json").stdout)
    assert run["exit_code"] == 5


@pytest.mark.parametrize(
    "options", [("--symbols", "BTCUSD"), ("--where", "price < 0")], ids=["statistics", "looked at"]
)
def test_rows_of_which_none_is_selected_are_all_told_as_that(nights: NightFolder, options: tuple[str, ...]) -> None:
    """Broken: "0 of 0 rows", or "0 of 500 rows" as if 500 were still to come: status and summary tell of two things."""
    done = nights.go("run", *options, "--allow-empty", "--summary-json", "-")
    status = json.loads(nights.go_light("status", "--output", "json").stdout)[0]
    for document in (json.loads(done.stdout), status):
        told = [document[f"{name}_rows"] for name in ("in_topic", "not_selected", "bad", "of")]
        assert told == [0, 500, 0, 500]
