"""The resident scheduler, with APScheduler's own clock and real replays: firings, failures, interruptions, kill -9."""

from __future__ import annotations

import threading
import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from replay.nightly.children import Children
from replay.nightly.cron import Cron
from replay.nightly.due import Retries
from replay.nightly.missing import Policy
from replay.nightly.schedule import CronTrigger, ScheduledJob, Scheduler, dates_known
from tests.support import clock
from tests.support.process import KILLED, Jobs, checkpoint
from tests.support.readback import read_topic
from tests.support.topics import create_topic
from tests.unit.fakes import Told

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Broker
    from tests.support.kafka_cluster import KafkaCluster

ROWS = 6_000
TODAY = datetime.now(UTC).date()


def write_day(folder: Path, day: date) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    start_us = int(datetime.combine(day, datetime.min.time(), UTC).timestamp()) * 1_000_000
    columns = {
        "symbol": pa.array([f"S{n % 5}" for n in range(ROWS)]),
        "price": pa.array([1.0 + n for n in range(ROWS)]),
        "event_time": pa.array([start_us + n for n in range(ROWS)], pa.timestamp("us", "UTC")),
    }
    pq.write_table(pa.table(columns), folder / f"{day}.parquet")


class EveryTwoSeconds(Cron):
    """A schedule that a test need not wait a minute for."""

    def after(self, moment: datetime) -> datetime:
        return datetime.fromtimestamp((moment.timestamp() // 2 + 1) * 2, UTC)

    def newest(self, moment: datetime) -> datetime:
        return datetime.fromtimestamp(moment.timestamp() // 2 * 2, UTC)


def rows_in(bootstrap: str, topic: str) -> int:
    return sum(map(len, read_topic(bootstrap, topic, deadline_s=60)))


def wait_for(reached: Any, timeout_s: float, told: Any = "") -> None:
    deadline = time.monotonic() + timeout_s
    while not reached():
        assert time.monotonic() < deadline, told
        time.sleep(0.05)


def test_each_job_fires_and_one_that_fails_stops_no_other(
    kafka: KafkaCluster | Broker, topic: str, tmp_path: Path
) -> None:
    """Broken: a bad file of one job would end the nights of all, or a date be replayed at every firing."""
    create_topic(kafka.bootstrap_servers, topic, 2, config={"retention.ms": "-1"})
    write_day(tmp_path / "in", TODAY)

    def job(name: str, folder: Path) -> ScheduledJob:
        def args(day: date) -> list[str]:
            return ["run", str(folder / f"{day}.parquet"), "--topic", topic, "--job", name, "--date", str(day),
                    "--bootstrap-servers", kafka.bootstrap_servers, "--state-dir", str(tmp_path / "state")]  # fmt: skip

        return ScheduledJob(
            name,
            CronTrigger(EveryTwoSeconds("", UTC)),
            "today",
            args,
            tmp_path / "state" / name,
            7,
            Retries(0, 1.0, 1.0),
            False,
            lambda _: True,
            Policy(),
        )

    told, children = Told(), Children()
    scheduler = Scheduler([job("bad", tmp_path / "none"), job("good", tmp_path / "in")], children, told)
    ended: list[int] = []
    thread = threading.Thread(target=lambda: ended.append(scheduler.run()))
    thread.start()
    try:
        wait_for(lambda: dates_known(tmp_path / "state" / "good").get(TODAY), 30, told.warnings)
        wait_for(lambda: sum("bad" in warning for warning in told.warnings) >= 2, 30, told.warnings)
    finally:
        children.stop(15)
        thread.join(30)
    assert ended == [143]
    assert sum(f"good {TODAY}: replaying" in info for info in told.infos) == 1
    assert rows_in(kafka.bootstrap_servers, topic) == ROWS


def test_killed_in_the_middle_of_a_night_and_started_again(
    kafka: KafkaCluster | Broker, topic: str, tmp_path: Path, jobs: Jobs
) -> None:
    """Broken: a date that was interrupted would stay half, or its rows be sent twice."""
    create_topic(kafka.bootstrap_servers, topic, 2, config={"retention.ms": "-1"})
    day = TODAY - timedelta(days=1)
    write_day(tmp_path / "in", day)
    common = [str(tmp_path / "in" / "{date}.parquet"), "--topic", topic, "--job", "nightly",
              "--bootstrap-servers", kafka.bootstrap_servers, "--state-dir", str(tmp_path / "state"),
              "--rate", "4k/s", "--checkpoint-interval", "200ms"]  # fmt: skip
    path = tmp_path / "state" / "nightly" / f"{day}.json"
    interrupted = jobs.start(["run", *common, "--date", str(day), "--checkpoint", str(path)], crash="after report 900")
    assert interrupted.wait() == KILLED, interrupted.log
    assert checkpoint(path)["state"] == "running"
    first = jobs.start(["schedule", *common, "--cron", "0 0 1 1 *"])
    first.wait_log(f"nightly {day}: replaying")
    first.wait_row(path, 2_000)
    first.kill()  # its replay lives on, and holds the lock until it is done
    second = jobs.start(["schedule", *common, "--cron", "0 0 1 1 *"])
    wait_for(lambda: checkpoint(path)["state"] == "done", 60, second.log)
    second.kill()
    assert rows_in(kafka.bootstrap_servers, topic) == ROWS


def test_a_day_that_grew_is_looked_at_and_holds_no_other_back(
    kafka: KafkaCluster | Broker, topic: str, tmp_path: Path
) -> None:
    """Broken: a file that comes late for a date that is done is never seen; or that date's refusal ends the nights
    after it; or a date without trades is replayed at each firing, or never again."""
    create_topic(kafka.bootstrap_servers, topic, 2, config={"retention.ms": "-1"})
    yesterday, state = TODAY - timedelta(days=1), tmp_path / "state"
    write_day(tmp_path / "in", yesterday)
    appends: list[str] = []

    def args(day: date) -> list[str]:
        return ["run", str(tmp_path / "in"), "--topic", topic, "--job", "j", "--date", str(day), "--empty", "ok",
                *appends, "--bootstrap-servers", kafka.bootstrap_servers, "--state-dir", str(state)]  # fmt: skip

    trigger = CronTrigger(EveryTwoSeconds("", UTC))
    job = ScheduledJob(
        "j", trigger, "today", args, state / "j", 7, Retries(0, 1.0, 1.0), False, lambda _: True, Policy()
    )

    def firing() -> Told:
        told = Told()
        Scheduler([job], Children(), told)._fire(job)
        return told

    def state_of(day: date) -> Any:
        return checkpoint(state / "j" / f"{day}.json").get("state")

    assert Children().run(args(yesterday)) == 0
    assert not any(str(yesterday) in info for info in firing().infos), "nothing has moved"
    assert (state_of(yesterday), state_of(TODAY)) == ("done", "empty")
    assert not any("replaying" in info for info in firing().infos), "there is still nothing to send"
    write_day(tmp_path / "in", TODAY)
    firing()
    assert (state_of(TODAY), rows_in(kafka.bootstrap_servers, topic)) == ("done", 2 * ROWS)
    firing()  # of the day before, too: the new file was none of its own
    assert not any("replaying" in info for info in firing().infos)
    late = pq.read_table(tmp_path / "in" / f"{TODAY}.parquet").slice(0, 10)
    start_us = int(datetime.combine(yesterday, datetime.min.time(), UTC).timestamp() + 3600) * 1_000_000
    times = pa.array([start_us + n for n in range(10)], pa.timestamp("us", "UTC"))
    pq.write_table(late.set_column(2, "event_time", times), tmp_path / "in" / "late.parquet")
    (state / "j" / f"{TODAY}.json").unlink()
    (state / "j" / f"{TODAY}.json.prev").unlink()
    told = firing()
    assert any(f"{yesterday}: exit 4" in warning for warning in told.warnings), told.warnings
    assert state_of(TODAY) == "done", "the date after it was replayed all the same"
    appends[:] = ["--when-changed", "append"]
    before = rows_in(kafka.bootstrap_servers, topic)
    firing()
    assert (rows_in(kafka.bootstrap_servers, topic), state_of(yesterday)) == (before + 10, "done")


def test_the_range_of_the_command_line_holds_for_every_night(
    kafka: KafkaCluster | Broker, topic: str, tmp_path: Path, jobs: Jobs
) -> None:
    """Broken: `schedule --from` is taken and then passed over, and each night sends the whole day."""
    create_topic(kafka.bootstrap_servers, topic, 2, config={"retention.ms": "-1"})
    night = datetime(TODAY.year, TODAY.month, TODAY.day, 2, 30, tzinfo=UTC)
    day = TODAY - timedelta(days=1)
    write_day(tmp_path / "in", day)
    job = jobs.start(
        ["schedule", str(tmp_path / "in" / "{date}.parquet"), "--topic", topic, "--job", "nightly",
         "--cron", "30 2 * * *", "--bootstrap-servers", kafka.bootstrap_servers, "--state-dir", str(tmp_path / "state"),
         "--from", f"{day}T00:00:00.002Z"],
        env=clock.at(clock.compiled(tmp_path), night - timedelta(seconds=6)),  # a busy machine takes a while
    )  # fmt: skip
    path = tmp_path / "state" / "nightly" / f"{day}.json"
    wait_for(lambda: path.exists() and checkpoint(path)["state"] == "done", 60, job.log)
    job.kill()
    assert rows_in(kafka.bootstrap_servers, topic) == ROWS - 2_000
