"""A logical date without `{date}` in INPUT: every command picks the same day, by event time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Broker
from tests.support.kafka_cluster import KafkaCluster
from tests.support.night_folder import NightFolder


@pytest.fixture
def nights(tmp_path: Path, kafka: KafkaCluster | Broker, topic: str) -> NightFolder:
    made = NightFolder(tmp_path, kafka.bootstrap_servers, topic)
    made.write("a.parquet", "2026-11-01T10:00:00+00:00")
    made.write("b.parquet", "2026-11-02T10:00:00+00:00")
    return made


def test_each_date_sends_its_own_day_once(nights: NightFolder) -> None:
    """Broken: each date sends the whole folder: two nights of five trades are twenty records."""
    for date in ("2026-11-01", "2026-11-02"):
        done = nights.go("run", "--date", date)
        assert f"picked are event times of {date} (UTC): from {date}T00:00:00Z" in " ".join(done.stderr.split())
    assert nights.per_day() == {"2026-11-01": 5, "2026-11-02": 5}


def test_one_rule_for_run_backfill_plan_and_rebuild(nights: NightFolder) -> None:
    """Broken: a day that backfill has sent is another job for `run` (exit 4), or for the checkpoint that is rebuilt."""
    nights.go("backfill", "--from", "2026-11-01", "--to", "2026-11-03")
    assert nights.per_day() == {"2026-11-01": 5, "2026-11-02": 5}
    for date in ("2026-11-01", "2026-11-02"):
        assert "nothing to do" in nights.go("run", "--date", date).stderr
        plan = nights.go("plan", "--date", date).stdout
        assert f"event times of {date} (UTC)" in plan
        assert "done" in plan
    (nights.state / "j" / "2026-11-01.json").unlink()
    (nights.state / "j" / "2026-11-01.json.prev").unlink()
    nights.go("checkpoint rebuild", "--date", "2026-11-01")
    nights.go("run", "--date", "2026-11-01")
    assert nights.checkpoint("2026-11-01")["state"] == "done"
    assert nights.per_day() == {"2026-11-01": 5, "2026-11-02": 5}


def test_the_day_is_that_of_the_zone_also_when_clocks_change(nights: NightFolder) -> None:
    """Broken: the night's first hours count to the day before, or an hour is lost or sent twice where a day has 25."""
    nights.write("c.parquet", "2026-10-24T21:59:50+00:00", "2026-10-25T22:59:50+00:00", rows=20)
    zone = ("--timezone", "Europe/Berlin")
    nights.go("run", "--date", "2026-10-25", *zone)  # from 22:00 to 23:00 in UTC, 25 hours
    times = nights.in_topic()
    assert (times[0], times[-1], len(times)) == ("2026-10-24T22:00:00.000000Z", "2026-10-25T22:59:59.000000Z", 20)
    nights.go("run", "--date", "2026-10-24", *zone)
    nights.go("run", "--date", "2026-10-26", *zone)
    assert len(set(nights.in_topic())) == len(nights.in_topic()) == 40


def test_a_range_beside_the_date_is_what_both_pick(nights: NightFolder) -> None:
    """Broken: --from on top of --date picks other days, or --date is ignored."""
    nights.go("run", "--date", "2026-11-01", "--from", "2026-11-01T10:00:02Z", "--to", "2026-11-05")
    assert nights.per_day() == {"2026-11-01": 3}
    told = nights.go("run", "--date", "2026-11-02", "--to", "2026-11-02", code=2).stderr
    assert "no moment of 2026-11-02" in told


def test_days_that_would_share_a_checkpoint_are_refused(nights: NightFolder, tmp_path: Path) -> None:
    """Broken: the second day finds the first one's checkpoint, is taken for done and never sent: exit 0."""
    days = ("--from", "2026-11-01", "--to", "2026-11-03")
    told = nights.go("backfill", *days, "--checkpoint", str(tmp_path / "c.json"), code=2).stderr
    assert "--checkpoint: all days would share one checkpoint" in " ".join(told.split())
    assert not (tmp_path / "c.json").exists()
    nights.go("backfill", *days, "--checkpoint", str(tmp_path / "{date}.json"))
    assert nights.per_day() == {"2026-11-01": 5, "2026-11-02": 5}
