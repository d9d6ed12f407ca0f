"""Days whose files came, grew or went after they were sent: "done" is said of the inputs as they are now."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Broker
from tests.support.kafka_cluster import KafkaCluster
from tests.support.night_folder import NightFolder

DAY, NEXT = "2026-11-01", "2026-11-02"
ALL = ("--from", DAY, "--to", "2026-11-03")


@pytest.fixture
def nights(tmp_path: Path, kafka: KafkaCluster | Broker, topic: str) -> NightFolder:
    made = NightFolder(tmp_path, kafka.bootstrap_servers, topic)
    made.write("a.parquet", f"{DAY}T10:00:00+00:00")
    return made


def test_a_late_day_is_sent_when_it_comes(nights: NightFolder) -> None:
    """Broken: the day whose file was late is done with no row, its rows are never sent, by whatever command."""
    nights.go("backfill", *ALL, code=3)
    assert nights.per_day() == {DAY: 5}
    nights.go("backfill", *ALL, "--empty", "ok")
    assert nights.per_day() == {DAY: 5}
    nights.write("b.parquet", f"{NEXT}T10:00:00+00:00")
    nights.go("backfill", *ALL)
    assert nights.per_day() == {DAY: 5, NEXT: 5}
    for date in (DAY, NEXT):
        assert "nothing to do" in nights.go("run", "--date", date).stderr


@pytest.mark.parametrize("command", ["run", "backfill"])
def test_a_file_more_of_a_day_is_told_or_appended(nights: NightFolder, command: str) -> None:
    """Broken: a day with more rows than it was sent with stays "was done"; or a late file is sent though it belongs
    before what was sent."""
    which = ("--date", DAY) if command == "run" else ("--from", DAY, "--to", NEXT)
    nights.go("run", "--date", DAY)
    nights.write("b.parquet", f"{DAY}T11:00:00+00:00")
    told = nights.go(command, *which, code=4).stderr
    assert "input file b.parquet was none, now b.parquet (5 rows" in told
    assert "--when-changed append" in told
    nights.go(command, *which, "--when-changed", "append")
    times = nights.in_topic()
    assert (len(times), times) == (10, sorted(times))
    assert "done" in nights.go(command, *which).stdout + nights.go("run", "--date", DAY).stderr
    nights.write("c.parquet", f"{DAY}T10:30:00+00:00")
    told = nights.go(command, *which, "--when-changed", "append", code=4).stderr
    assert "c.parquet: the added file begins before rows that were" in told
    assert nights.in_topic() == times


def test_a_file_that_grew_is_told_or_appended(nights: NightFolder) -> None:
    """Broken: a file that was written again with more rows stays "was done", its new rows are never sent; or all of it
    is sent again; or rows are appended that belong before those that were sent."""
    nights.go("run", "--date", DAY)
    nights.write("a.parquet", f"{DAY}T10:00:00+00:00", rows=8, group_rows=3)
    told = nights.go("run", "--date", DAY, code=4).stderr
    assert "was a.parquet (5 rows" in told
    assert "now a.parquet (8 rows" in told
    nights.go("backfill", "--from", DAY, "--to", NEXT, "--when-changed", "append")
    times = nights.in_topic()
    assert times == [f"{DAY}T10:00:0{n}.000000Z" for n in range(8)]
    assert "nothing to do" in nights.go("run", "--date", DAY).stderr
    nights.write("a.parquet", f"{DAY}T09:00:00+00:00", f"{DAY}T10:00:00+00:00", rows=8)
    told = nights.go("run", "--date", DAY, "--when-changed", "append", code=4).stderr
    assert "a.parquet: files were written again" in told
    assert nights.in_topic() == times


def test_a_file_that_is_gone_or_shorter_is_told(nights: NightFolder) -> None:
    """Broken: a day whose file vanished or shrank after it was sent is as good as done, or is "appended"."""
    nights.write("b.parquet", f"{DAY}T11:00:00+00:00")
    nights.go("run", "--date", DAY)
    nights.write("b.parquet", f"{DAY}T11:00:00+00:00", rows=3)
    assert "now b.parquet (3 rows" in nights.go("run", "--date", DAY, "--when-changed", "append", code=4).stderr
    (nights.inputs / "b.parquet").unlink()
    for command in (("run", "--date", DAY), ("backfill", "--from", DAY, "--to", NEXT)):
        told = nights.go(*command, "--when-changed", "append", code=4).stderr
        assert "input file b.parquet was b.parquet (5 rows" in told
        assert "--when-changed" not in told.partition("->")[2]
    assert len(nights.in_topic()) == 10


def test_the_next_nights_file_changes_nothing(nights: NightFolder) -> None:
    """Broken: each new file in the folder makes all earlier dates another job."""
    nights.go("backfill", "--from", DAY, "--to", NEXT)
    nights.write("b.parquet", f"{NEXT}T10:00:00+00:00")
    nights.write("0.parquet", "2026-10-31T10:00:00+00:00")
    assert "was done" in nights.go("backfill", "--from", DAY, "--to", NEXT).stdout
    assert "nothing to do" in nights.go("run", "--date", DAY).stderr
    assert nights.per_day() == {DAY: 5}
    nights.go("verify", "--date", DAY)


def test_appended_with_transactions(nights: NightFolder) -> None:
    """Broken: what Kafka knows of a job, its progress record, does not go with files that were added."""
    kind = (*nights.by("transactional"), "--date", DAY)
    nights.go("run", *kind)
    nights.write("b.parquet", f"{DAY}T11:00:00+00:00")
    nights.go("run", *kind, code=4)
    nights.go("run", *kind, "--when-changed", "append")
    times = nights.in_topic()
    assert (len(times), times) == (10, sorted(times))
    nights.go("run", *kind)
    nights.write("a.parquet", f"{DAY}T10:00:00+00:00", rows=8)
    assert "now a.parquet (8 rows" in nights.go("run", *kind, "--when-changed", "append", code=4).stderr
    assert nights.in_topic() == times


def status_of(nights: NightFolder, date: str) -> dict[str, Any]:
    found = json.loads(nights.go_light("status", "--output", "json").stdout)
    (one,) = [each for each in found if each["date"] == date]
    return dict(one)


def test_status_tells_what_changed_since(nights: NightFolder) -> None:
    """Broken: `status` calls a day done though its file was written again, went away, or another one came."""
    by_path = str(nights.inputs / "{date}")
    for name in ("a", "b"):
        nights.write(f"{DAY}/{name}.parquet", f"{DAY}T10:00:00+00:00")
    nights.go("run", "--date", DAY, inputs=by_path)
    file = nights.inputs / DAY / "b.parquet"
    assert (status_of(nights, DAY)["state"], status_of(nights, DAY)["changed"]) == ("done", None)
    os.utime(file, (1, 1))
    assert status_of(nights, DAY)["changed"] is None, "a copy of the same file is the same"
    nights.write(f"{DAY}/c.parquet", f"{DAY}T10:00:00+00:00")
    nights.write(f"{DAY}/b.parquet", f"{DAY}T11:00:00+00:00", rows=3)
    (nights.inputs / DAY / "a.parquet").unlink()
    assert status_of(nights, DAY)["changed"] == "a.parquet is gone, b.parquet is another, c.parquet is new"
    assert "changed since: a.parquet" in " ".join(nights.go_light("status", columns="250").stdout.split())


def test_status_waits_for_the_next_run_where_days_share_a_folder(nights: NightFolder) -> None:
    """Broken: each night's new file is said to have changed all days before."""
    nights.go("run", "--date", DAY)
    nights.write("b.parquet", f"{NEXT}T10:00:00+00:00")
    assert status_of(nights, DAY)["changed"] is None
    nights.write("a.parquet", f"{DAY}T10:00:00+00:00", rows=6)
    assert status_of(nights, DAY)["changed"] == "a.parquet is another"


def test_days_whose_files_were_cleared_away_stay_done(nights: NightFolder) -> None:
    """Broken: an archive that keeps a week of files makes each older day fail."""
    nights.go("run", "--date", DAY)
    (nights.inputs / "a.parquet").unlink()
    nights.write("b.parquet", f"{NEXT}T10:00:00+00:00")
    assert "the files are gone since" in nights.go("run", "--date", DAY).stderr
    assert "was done" in nights.go("backfill", "--from", DAY, "--to", NEXT).stdout
    assert nights.per_day() == {DAY: 5}


@pytest.mark.parametrize("delivery", ["idempotent", "transactional"])
def test_a_date_is_verified_by_what_it_wrote(nights: NightFolder, delivery: str) -> None:
    """Broken: the records of all other dates in the topic are foreign, so that no night can be verified."""
    nights.write("b.parquet", f"{NEXT}T10:00:00+00:00")
    nights.go("backfill", *ALL, *nights.by(delivery))
    for date in (DAY, NEXT):
        nights.go("verify", "--date", date)
    nights.write("c.parquet", f"{DAY}T11:00:00+00:00")
    if delivery == "idempotent":
        assert "records behind those" in nights.go("run", "--date", DAY, "--when-changed", "append").stderr
        nights.go("verify", "--date", DAY)
    (nights.inputs / "b.parquet").unlink()
    nights.write("b.parquet", f"{NEXT}T10:00:00+00:00", rows=4)
    assert "foreign" in nights.go("verify", "--date", NEXT, code=1).stdout


def test_done_stays_done_while_the_broker_is_away(nights: NightFolder) -> None:
    """Broken: a finished date that is run again during an outage turns "failed", fires the alert, and loses its
    position."""
    nights.go("run", "--date", DAY)
    before = status_of(nights, DAY)
    away = replace(nights, bootstrap="127.0.0.1:1")
    notes = nights.folder / "notes"
    done = away.go(
        "run", "--date", DAY, "--broker-timeout", "1s", "--notify", f"tee -a {notes}", "--metrics-textfile",
        str(nights.folder / "m.prom"),
    )  # fmt: skip
    assert "not re-checked" in done.stderr
    after = status_of(nights, DAY)
    for field in ("state", "done_rows", "in_topic_rows", "exit_code"):
        assert after[field] == before[field], field
    assert (after["state"], after["in_topic_rows"]) == ("done", 5)
    assert not notes.exists()
    told = [line for line in (nights.folder / "m.prom").read_text().splitlines() if line.startswith("replay_exit_code")]
    assert [line.rpartition(" ")[2] for line in told] in (["0"], ["0.0"])
    nights.write("b.parquet", f"{DAY}T11:00:00+00:00")
    away.go("run", "--date", DAY, "--broker-timeout", "1s", code=5)
