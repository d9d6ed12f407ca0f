"""A date without any file: for run, backfill and schedule, from the command line and from a job file."""

from __future__ import annotations

import json
import re
import signal
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Broker
from tests.support.kafka_cluster import KafkaCluster
from tests.support.night_folder import NightFolder, replay
from tests.support.process import Job, Jobs, checkpoint

TODAY = datetime.now(UTC).date()
DATED = "{date}.parquet"


@pytest.fixture
def nights(tmp_path: Path, kafka: KafkaCluster | Broker, topic: str) -> NightFolder:
    """Files of 1, 2 and 4 November 2026: that of the 3rd, a Tuesday, is missing."""
    made = NightFolder(tmp_path, kafka.bootstrap_servers, topic)
    for day in (1, 2, 4):
        made.write(f"2026-11-0{day}.parquet", f"2026-11-0{day}T10:00:00+00:00")
    return made


RANGE = ("--from", "2026-11-01", "--to", "2026-11-06")


def notified(nights: NightFolder) -> tuple[tuple[str, ...], Path]:
    """Options that keep what is notified in a file."""
    path = nights.folder / "notified"
    return ("--notify", f"sh -c 'cat >>{path}; echo >>{path}'"), path


def said(path: Path) -> list[tuple[str, str, int]]:
    lines: list[Any] = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [(each["job"], each["date"], each["exit_code"]) for each in lines]


def test_a_missing_day_fails_is_told_in_one_line_and_somebody_is_notified(nights: NightFolder) -> None:
    """Broken: a backfill ends at the first gap and nobody hears of it."""
    options, path = notified(nights)
    done = nights.go("backfill", *RANGE, *options, inputs=str(nights.inputs / DATED), code=3)
    assert "2026-11-03 has no file; 2 later dates wait for it. Add the file, or" in " ".join(done.stderr.split())
    assert nights.per_day() == {"2026-11-01": 5, "2026-11-02": 5}
    assert said(path) == [("j", "2026-11-03", 3)]


def test_run_notifies_of_a_missing_day_as_well(nights: NightFolder) -> None:
    options, path = notified(nights)
    nights.go("run", "--date", "2026-11-03", *options, inputs=str(nights.inputs / DATED), code=3)
    assert said(path) == [("j", "2026-11-03", 3)]


@pytest.mark.parametrize("option", ["--missing skip", "--calendar"])
def test_days_passed_over_hold_nobody_up(nights: NightFolder, option: str) -> None:
    """Broken: nothing comes after a weekend."""
    off = nights.folder / "off"
    off.write_text("tue\n2026-11-05\n2026-11-01\n")  # the 1st has a file all the same: its rows are sent
    options = option.split() if " " in option else [option, str(off)]
    done = nights.go("backfill", *RANGE, *options, inputs=str(nights.inputs / DATED))
    assert nights.per_day() == {"2026-11-01": 5, "2026-11-02": 5, "2026-11-04": 5}
    assert done.stdout.count("no file, passed over" if " " in option else "a day off") == 2


def test_run_on_a_day_off_is_a_success_that_monitors_see(nights: NightFolder) -> None:
    """Broken: every Sunday alarms, as the last success is older than 26 hours."""
    off, metrics = nights.folder / "off", nights.folder / "j.prom"
    off.write_text("tue\n")
    done = nights.go(
        "run", "--date", "2026-11-03", "--calendar", str(off), "--metrics-textfile", str(metrics),
        inputs=str(nights.inputs / DATED),
    )  # fmt: skip
    assert "2026-11-03 is a day off and has no file" in done.stderr
    assert re.search(r'^replay_exit_code{.*"2026-11-03".*} 0', metrics.read_text(), re.MULTILINE)
    assert "replay_last_success_timestamp_seconds{" in metrics.read_text()
    assert not (nights.state / "j" / "2026-11-03.json").exists(), "it is no day that was done"
    status = replay("status", "--state-dir", str(nights.state), "--output", "json", "--fail-if-older-than", "26h")
    assert (status.returncode, [each["state"] for each in json.loads(status.stdout)]) == (0, ["empty"])
    nights.write("2026-11-03.parquet", "2026-11-03T10:00:00+00:00")
    nights.go("run", "--date", "2026-11-03", "--calendar", str(off), inputs=str(nights.inputs / DATED))
    assert nights.per_day() == {"2026-11-03": 5}


def test_a_day_off_in_files_of_many_days_is_no_failure(nights: NightFolder) -> None:
    """Broken: without {date} in INPUT a weekend fails for want of rows, and nothing comes after it."""
    off = nights.folder / "off"
    off.write_text("tue\n")
    nights.go("backfill", "--from", "2026-11-01", "--to", "2026-11-05", "--calendar", str(off))
    assert nights.per_day() == {"2026-11-01": 5, "2026-11-02": 5, "2026-11-04": 5}
    off.write_text("mon\n")
    assert "--empty ok" in nights.go("run", "--date", "2026-11-03", "--calendar", str(off), code=3).stderr


@pytest.mark.parametrize("command", ["run", "backfill"])
def test_a_file_that_comes_late_is_waited_for(nights: NightFolder, jobs: Jobs, command: str) -> None:
    """Broken: a file that is ten minutes late costs the night, or is never looked for again."""
    which = ["--date", "2026-11-03"] if command == "run" else ["--from", "2026-11-03", "--to", "2026-11-05"]
    job = start(jobs, nights, command, *which, "--missing", "wait", "--missing-every", "1s")
    job.wait_log("2026-11-03 has no file" + ("" if command == "run" else "; 1 later date waits for it"))
    nights.write("part", "2026-11-03T10:00:00+00:00").rename(nights.inputs / "2026-11-03.parquet")
    assert job.wait() == 0, job.log
    per_day = {"2026-11-03": 5} | ({} if command == "run" else {"2026-11-04": 5})
    assert nights.per_day() == per_day


@pytest.mark.parametrize("command", ["run", "backfill"])
def test_waiting_is_stopped_at_once(nights: NightFolder, jobs: Jobs, command: str) -> None:
    """Broken: whoever waits for a file can only be killed."""
    which = ["--date", "2026-11-03"] if command == "run" else RANGE
    job = start(jobs, nights, command, *which, "--missing", "wait", "--missing-every", "1h")
    job.wait_log("2026-11-03 has no file")
    job.signal(signal.SIGTERM)
    assert job.wait(10) == 143, job.log


def test_waiting_ends(nights: NightFolder) -> None:
    """Broken: with a limit to its patience it waits for ever."""
    options, path = notified(nights)
    wait = ("--missing", "wait", "--missing-every", "1s", "--missing-for", "2s", *options)
    nights.go("run", "--date", "2026-11-03", *wait, inputs=str(nights.inputs / DATED), code=3)
    assert said(path) == [("j", "2026-11-03", 3)]


def start(jobs: Jobs, nights: NightFolder, command: str, *options: str) -> Job:
    return jobs.start(
        [command, str(nights.inputs / DATED), "--topic", nights.topic, "--job", "j", "--bootstrap-servers",
         nights.bootstrap, "--state-dir", str(nights.state), "--create-topic", "2", *options]
    )  # fmt: skip


def day_before(days: int) -> date:
    return TODAY - timedelta(days=days)


def scheduled(jobs: Jobs, nights: NightFolder, *lines: str) -> Job:
    """A scheduler with a job file; yesterday and the day before are missed, the day before that is done."""
    for days in (1, 3):
        nights.write(f"{day_before(days)}.parquet", f"{day_before(days)}T10:00:00+00:00")
    file = nights.folder / "jobs.toml"
    file.write_text(
        f'[jobs.j]\ninputs = "{nights.inputs}/{{date}}.parquet"\ntopic = "{nights.topic}"\ncron = "0 0 * * *"\n'
        + "\n".join(lines)
        + f'\n[kafka]\n"bootstrap.servers" = "{nights.bootstrap}"\n'
    )
    nights.go("run", "--date", str(day_before(3)), inputs=str(nights.inputs / DATED))
    return jobs.start(["schedule", "--config", str(file), "--state-dir", str(nights.state)])


def is_done(nights: NightFolder, days: int) -> bool:
    return checkpoint(nights.state / "j" / f"{day_before(days)}.json").get("state") == "done"


def test_the_scheduler_says_what_waits_for_a_missing_day_and_notifies(nights: NightFolder, jobs: Jobs) -> None:
    """Broken: one missing day stops all later ones, and neither log nor anybody says so."""
    options, path = notified(nights)
    job = scheduled(jobs, nights, f"notify = '''{options[1]}'''")
    job.wait_log(f"{day_before(2)} has no file; 1 later date waits for it")
    assert said(path) == [("j", str(day_before(2)), 3)]
    job.signal(signal.SIGTERM)
    assert job.wait() == 143
    assert not is_done(nights, 1)


@pytest.mark.parametrize("line", ['missing = "skip"', 'calendar = "OFF"'])
def test_the_scheduler_goes_on_after_days_that_are_passed_over(nights: NightFolder, jobs: Jobs, line: str) -> None:
    off = nights.folder / "off"
    off.write_text(f"{day_before(2)}\n")
    job = scheduled(jobs, nights, line.replace("OFF", str(off)))
    job.wait_log(f"j {day_before(1)}: done")
    assert is_done(nights, 1)
    assert f"{day_before(2)}: replaying" not in job.log


def test_the_scheduler_waits_and_then_does_what_is_due(nights: NightFolder, jobs: Jobs) -> None:
    job = scheduled(jobs, nights, 'missing = "wait"', 'missing-every = "1s"')
    job.wait_log(f"{day_before(2)} has no file; 1 later date waits for it")
    nights.write("part", f"{day_before(2)}T10:00:00+00:00").rename(nights.inputs / f"{day_before(2)}.parquet")
    job.wait_log(f"j {day_before(1)}: done")
    assert is_done(nights, 2)
    assert is_done(nights, 1)
    job.signal(signal.SIGTERM)
    assert job.wait() == 143


def test_a_policy_that_is_none_is_refused_before_the_night(nights: NightFolder, jobs: Jobs) -> None:
    job = scheduled(jobs, nights, 'missing = "skp"')
    assert job.wait() == 2
    assert "skp" in job.log
