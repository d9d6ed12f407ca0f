"""A week of nights on a real broker, as the resident scheduler lives it: the clock of its processes is moved.

Berlin, 24 March to 2 April 2026. `equities` has a folder for each trading day; `crypto` never closes, and its days are
picked by event time out of one folder that grows every night.

| night of | what happens |
|---|---|
| Wed 25 March | the first night: that of the crypto is clean, the equities are late |
| Thu 26 | Tuesday's equities first; then the broker is away for longer than the deadline, and a retry finishes |
| Fri 27 | the equities of Thursday are late |
| Sat 28 | they are there, and come first |
| Sun 29 | a weekend; and 02:30 does not exist, since the clock goes forward |
| Mon 30 | a weekend; the day before had 23 hours |
| Tue 31 | a holiday; and Friday has got a second file since |
| Wed 1, Thu 2 | the machine is off; it is started on Thursday morning, and makes good for both |

In the end the topics, status, history, metrics, report and verify tell the same.
"""

from __future__ import annotations

import json
import re
import signal
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.fault.conftest import own_cluster
from tests.support import clock
from tests.support.need import need
from tests.support.readback import compare, expected_records, read_topic
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.process import Job, Jobs

BERLIN = ZoneInfo("Europe/Berlin")
EQUITIES, CRYPTO = "equities", "crypto"
BEFORE = timedelta(seconds=6)
"""The scheduler is started so long before it fires: on a busy machine its start takes a few seconds."""

EQUITY_ROWS = 3_000
MINUTES = 24 * 60


def march(day: int) -> date:
    """`march(32)` is 1 April."""
    return date(2026, 3, 1) + timedelta(days=day - 1)


def table(start: datetime, rows: int, step_s: float) -> pa.Table:
    start_us = int(start.timestamp() * 1e6)
    return pa.table(
        {
            "symbol": pa.array([f"S{n % 5}" for n in range(rows)]),
            "price": pa.array([100.0 + n % 97 for n in range(rows)]),
            "event_time": pa.array([start_us + int(n * step_s * 1e6) for n in range(rows)], pa.timestamp("us", "UTC")),
        }
    )


class Week:
    """The job file, the folders, and what was written into them."""

    def __init__(self, folder: Path, bootstrap_servers: str, jobs: Jobs, library: Path, topics: dict[str, str]) -> None:
        self.folder, self.jobs, self.library, self.topics = folder, jobs, library, topics
        self.bootstrap_servers = bootstrap_servers
        self.equities: dict[date, list[pa.Table]] = {}
        self.crypto: dict[date, pa.Table] = {}
        for name in ("equities", "crypto"):
            (folder / name).mkdir()
        (folder / "holidays").write_text("sat\nsun\n2026-03-30\n")
        self.file = folder / "nightly.toml"
        self.file.write_text(
            f"""
            state-dir = "{folder}/state"
            timezone = "Europe/Berlin"
            cron = "30 2 * * *"
            broker-timeout = "3s"
            checkpoint-interval = "200ms"
            retry-wait = "1s"
            metrics-textfile = "{folder}/{{job}}.prom"
            notify = "sh -c 'cat >>{folder}/notified; echo >>{folder}/notified'"
            [jobs.{EQUITIES}]
            inputs = "{folder}/equities/{{date}}/*.parquet"
            topic = "{topics[EQUITIES]}"
            calendar = "{folder}/holidays"
            when-changed = "append"
            rate = "1k/s"
            [jobs.{CRYPTO}]
            inputs = "{folder}/crypto"
            topic = "{topics[CRYPTO]}"
            [kafka]
            "bootstrap.servers" = "{bootstrap_servers}"
            """
        )

    def write_equities(self, day: date, name: str = "a", hour: int = 14) -> None:
        """`hour`: in UTC; a file holds 50 minutes."""
        made = table(datetime(day.year, day.month, day.day, hour, tzinfo=UTC), EQUITY_ROWS, 1.0)
        self.equities.setdefault(day, []).append(made)
        folder = self.folder / "equities" / str(day)
        folder.mkdir(exist_ok=True)
        pq.write_table(made, folder / f"{name}.parquet")

    def write_crypto(self, day: date) -> None:
        """A file for each day in UTC: in Berlin a day's trades lie in two of them."""
        self.crypto[day] = table(datetime(day.year, day.month, day.day, tzinfo=UTC), MINUTES, 60.0)
        pq.write_table(self.crypto[day], self.folder / "crypto" / f"{day}.parquet")

    def schedule(self, moment: datetime) -> Job:
        """The scheduler, started at this time in Berlin."""
        moved = clock.at(self.library, moment.replace(tzinfo=BERLIN))
        return self.jobs.start(["schedule", "--config", str(self.file)], env=moved)

    def night(self, day: date, hour: int = 2, minute: int = 30) -> Job:
        """The scheduler, started a moment before 02:30 of that day; where it was not up by then, it is started anew."""
        moment = datetime(day.year, day.month, day.day, hour, minute)
        job = self.schedule(moment - BEFORE)
        job.wait_log(f"{EQUITIES}: next at ", timeout_s=60)
        if f"{EQUITIES}: next at {day} " in job.log:
            return job
        end(job)
        return self.schedule(moment - 5 * BEFORE)

    def look(self, command: str, *more: str) -> Any:
        job = self.jobs.start([command, "--state-dir", str(self.folder / "state"), "--output", "json", *more])
        assert job.wait() == 0, job.log
        return json.loads(job.output)

    def metric(self, job: str, name: str) -> dict[str, float]:
        """Value by logical date."""
        text = (self.folder / f"{job}.prom").read_text()
        found = re.findall(rf"^{name}{{([^}}]*)}} (\S+)$", text, re.MULTILINE)
        assert found, (name, text)
        return {re.findall(r'date="([^"]*)"', labels)[0]: float(value) for labels, value in found}

    def notified(self) -> list[tuple[str, str, int]]:
        path = self.folder / "notified"
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [(each["job"], each["date"], each["exit_code"]) for each in lines]


def done(job: Job, *names: str) -> None:
    """Wait until each `JOB DATE` is done, then end the scheduler as systemd would."""
    for name in names:
        job.wait_log(f"{name}: done", timeout_s=90)
    end(job)


def end(job: Job) -> None:
    job.signal(signal.SIGTERM)
    assert job.wait(40) == 143, job.log


@pytest.mark.timeout(600)
def test_a_week_of_nights(tmp_path_factory: Any, tmp_path: Path, topic: str, jobs: Jobs) -> None:
    """Broken: a night would be lost, doubled, or sent out of order, or the operator told another story."""
    need("gcc")
    with own_cluster(tmp_path_factory.mktemp("kafka")) as cluster:
        topics = {EQUITIES: f"{topic}-e", CRYPTO: f"{topic}-c"}
        for each in topics.values():
            create_topic(cluster.bootstrap_servers, each, 4, config={"retention.ms": "-1"})
        library = clock.compiled(tmp_path_factory.mktemp("clock"))
        week = Week(tmp_path, cluster.bootstrap_servers, jobs, library, topics)
        for day in (23, 24):
            week.write_crypto(march(day))
        first_night(week)
        night_without_broker(week, cluster)
        late_file(week)
        weekend_and_lost_hour(week)
        holiday_and_growing_day(week)
        two_nights_off(week)
        the_topics(week)
        the_story(week)


def first_night(week: Week) -> None:
    """No checkpoint tells of equities that were late on the very first night."""
    job = week.night(march(25))
    job.wait_log(f"{march(24)} has no file", timeout_s=60)
    done(job, f"{CRYPTO} {march(24)}")
    week.write_equities(march(24))


def night_without_broker(week: Week, cluster: KafkaCluster) -> None:
    week.write_equities(march(25))
    week.write_crypto(march(25))
    job = week.night(march(26))
    job.wait_row(week.folder / "state" / EQUITIES / f"{march(25)}.json", 500, timeout_s=60)
    cluster.kill_node(0)
    job.wait_log(f"{EQUITIES} {march(25)}: exit 5 (broker unavailable), trying again", timeout_s=60)
    assert week.metric(EQUITIES, "replay_exit_code")[str(march(25))] == 5
    cluster.start()
    done(job, f"{EQUITIES} {march(24)}", f"{EQUITIES} {march(25)}", f"{CRYPTO} {march(25)}")


def late_file(week: Week) -> None:
    """Thursday's equities come a day late: nothing is sent in their place, somebody is told, and they come first."""
    week.write_crypto(march(26))
    job = week.night(march(27))
    job.wait_log(f"{march(26)} has no file", timeout_s=60)
    done(job, f"{CRYPTO} {march(26)}")
    week.write_equities(march(26))
    week.write_equities(march(27))
    week.write_crypto(march(27))
    job = week.night(march(28))
    done(job, f"{EQUITIES} {march(26)}", f"{EQUITIES} {march(27)}", f"{CRYPTO} {march(27)}")
    log = job.log
    assert log.index(f"{EQUITIES} {march(26)}: done") < log.index(f"{EQUITIES} {march(27)}: done")


def weekend_and_lost_hour(week: Week) -> None:
    """Without equities nothing fails; the firing of a time that does not exist comes when the clock has moved."""
    week.write_crypto(march(28))
    job = week.night(march(29), hour=2, minute=0)  # at 02:00 it is 03:00
    done(job, f"{CRYPTO} {march(28)}", f"{EQUITIES} {march(28)}")
    assert "has no file" not in job.log.replace("is a day off and has no file", "")
    week.write_crypto(march(29))
    done(week.night(march(30)), f"{CRYPTO} {march(29)}", f"{EQUITIES} {march(29)}")


def holiday_and_growing_day(week: Week) -> None:
    """Friday is done, and has got trades since: they are appended, and nothing else is sent again."""
    week.write_equities(march(27), "b", hour=20)
    week.write_crypto(march(30))
    job = week.night(march(31))
    done(job, f"{CRYPTO} {march(30)}", f"{EQUITIES} {march(27)}", f"{EQUITIES} {march(30)}")


def two_nights_off(week: Week) -> None:
    for day in (31, 32):
        week.write_equities(march(day))
        week.write_crypto(march(day))
    job = week.schedule(datetime(2026, 4, 2, 9, 0))
    done(job, *(f"{name} {march(day)}" for name in (EQUITIES, CRYPTO) for day in (31, 32)))


def trading_days(week: Week) -> list[date]:
    return sorted(week.equities)


def crypto_of(week: Week, day: date) -> pa.Table:
    """What a day in Berlin holds, by the test's own reckoning."""
    first, last = (
        int(datetime(each.year, each.month, each.day, tzinfo=BERLIN).timestamp() * 1e6)
        for each in (day, day + timedelta(days=1))
    )
    whole = pa.concat_tables([week.crypto[each] for each in sorted(week.crypto)])
    times = whole["event_time"].cast(pa.int64()).to_pylist()
    return whole.filter(pa.array([first <= time < last for time in times]))


def the_topics(week: Week) -> None:
    """Every row once, each symbol in order, and nothing else."""
    equities = [each for day in trading_days(week) for each in week.equities[day]]
    crypto = [crypto_of(week, march(day)) for day in range(24, 33)]
    assert crypto[5].num_rows == 23 * 60, "the day on which the clock went forward"
    for name, tables in ((EQUITIES, equities), (CRYPTO, crypto)):
        read = read_topic(week.bootstrap_servers, week.topics[name], deadline_s=60)
        verdict = compare(expected_records(pa.concat_tables(tables)), read)
        assert verdict.exact, f"{name}: {verdict}\n{week.jobs.logs()}"


def the_story(week: Week) -> None:
    rows = {(EQUITIES, str(day)): sum(map(len, week.equities[day])) for day in trading_days(week)}
    rows |= {(CRYPTO, str(march(day))): len(crypto_of(week, march(day))) for day in range(24, 33)}
    status = {(each["job"], each["date"]): each for each in week.look("status")}
    off = {(EQUITIES, str(march(day))): 0 for day in (28, 29, 30)}
    assert {key: each["state"] for key, each in status.items()} == {
        **dict.fromkeys(rows, "done"), **dict.fromkeys(off, "empty"),
    }  # fmt: skip
    assert {key: status[key]["in_topic_rows"] for key in rows} == rows

    history = week.look("history", "--limit", "1000")
    delivered = dict.fromkeys(rows, 0)
    for run in history:
        if (key := (run["job"], run["date"])) in delivered:
            delivered[key] = max(delivered[key], run["in_topic_rows"] or 0)
    assert delivered == rows
    failed = {(run["job"], run["date"], run["exit_code"]) for run in history if run["exit_code"]}
    assert (EQUITIES, str(march(25)), 5) in failed
    assert {(job, day) for job, day, _ in failed} <= {(EQUITIES, str(march(25))), (CRYPTO, str(march(25)))}

    told = set(week.notified())
    for late in (24, 26):
        assert (EQUITIES, str(march(late)), 3) in told, "a day without a file"
    assert (EQUITIES, str(march(25)), 5) in told, "an outage past the deadline"
    assert {(job, day) for job, day, _ in told} <= {
        *((EQUITIES, str(march(day))) for day in (24, 25, 26)), (CRYPTO, str(march(25))),
    }  # fmt: skip

    for name in (EQUITIES, CRYPTO):
        assert week.metric(name, "replay_exit_code") == {str(march(32)): 0}
        assert week.metric(name, "replay_rows_in_topic") == {str(march(32)): rows[name, str(march(32))]}

    for name, day in ((EQUITIES, march(25)), (EQUITIES, march(27)), (CRYPTO, march(29))):
        checked = week.jobs.start(
            ["verify", "--config", str(week.file), "--job", name, "--date", str(day), "--output", "json",
             "--isolation", "read_uncommitted"]
        )  # fmt: skip
        assert checked.wait() == 0, (name, day, checked.log, checked.output)
        verdict = json.loads(checked.output)
        assert (verdict["found"], verdict["foreign"]) == (rows[name, str(day)], 0)

    page = week.folder / "page.html"
    job = week.jobs.start(
        ["report", EQUITIES, "--date", str(march(25)), "--out", str(page), "--state-dir", str(week.folder / "state")]
    )
    assert job.wait() == 0, job.log
    for words in ("Broker unavailable", str(march(25)), f"{EQUITY_ROWS:,}"):
        assert words in page.read_text(), words
