"""What became of the rows, as everything tells it that tells of rows: the same numbers, and those that the topic holds.

Half of each input is never sent: row groups that statistics rule out, rows that are not selected, bad rows.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.fault.conftest import ISOLATION
from tests.support.process import KILLED
from tests.support.readback import read_topic
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.conftest import Broker
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.process import Job, Jobs

ROWS, GROUP_ROWS, FIRST_S = 2_000, 100, 1_790_000_000
SELECTED = ("--symbols", "A", "--from", "2026-09-21T14:21:40Z", "--to", "2026-09-21T14:38:20Z")
"""Rows 500 to 1,499, half of them: the other row groups are ruled out by their statistics."""


def at(row: int) -> int:
    return (FIRST_S + row) * 1_000_000


def is_bad(row: int) -> bool:
    return row % 50 == 0


def write_input(folder: Path) -> None:
    folder.mkdir()
    price = [None if is_bad(row) else float(row) for row in range(ROWS)]
    columns = {
        "symbol": pa.array(["AB"[row % 2] for row in range(ROWS)]),
        "price": pa.array(price, pa.float64()),
        "event_time": pa.array([at(row) for row in range(ROWS)], pa.timestamp("us")),
    }
    pq.write_table(pa.table(columns), folder / "t.parquet", row_group_size=GROUP_ROWS)


@dataclass(frozen=True)
class Told:
    """In topic, not selected, bad, of rows."""

    in_topic: int
    not_selected: int
    bad: int
    of_rows: int = ROWS

    @property
    def text(self) -> str:
        left_out = f"{self.not_selected:,} not selected, {self.bad} bad"
        return f"{self.in_topic:,} in topic, {left_out}, of {self.of_rows:,} rows"


KINDS = {
    "bad": (("--on-bad-row", "skip"), Told(1_960, 0, 40)),
    "selected": (("--on-bad-row", "skip", *SELECTED), Told(480, 1_500, 20)),
    "limited": (("--on-bad-row", "quarantine", "--limit", "900"), Told(900, 1_081, 19)),
}
CASES = [
    pytest.param((delivery, options), expected, id=f"{name}-{delivery}")
    for name, (options, expected) in KINDS.items()
    for delivery in ISOLATION
]


@dataclass
class Replay:
    """The same command again and again, and what is told of it."""

    folder: Path
    servers: str
    topic: str
    delivery: str
    options: Sequence[str]
    jobs: Jobs

    @property
    def state(self) -> list[str]:
        return ["--state-dir", str(self.folder / "state")]

    def run(self, *more: str, crash: str | None = None, code: int = 0, servers: str | None = None) -> Job:
        command = ["run", str(self.folder / "in"), "--topic", self.topic, "--delivery", self.delivery, *self.state]
        command += ["--bootstrap-servers", servers or self.servers, *self.options]
        command += [
            "--checkpoint-interval",
            "50ms",
            "--transaction-ms",
            "50",
            "--checkpoint",
            str(self.folder / "state" / "c.json"),
        ]
        command += ["--metrics-textfile", str(self.folder / "m.prom"), *more]
        job = self.jobs.start(command, crash)
        assert job.wait() == code, job.log
        return job

    def look(self, command: str) -> Any:
        job = self.jobs.start([command, *self.state, "--output", "json"])
        assert job.wait() == 0, job.log
        return json.loads(job.output)[0]

    def records(self, *, decided: bool = False) -> int:
        return sum(map(len, read_topic(self.servers, self.topic, ISOLATION[self.delivery], decided=decided)))

    def summary(self, *more: str, code: int = 0, servers: str | None = None) -> dict[str, Any]:
        path = self.folder / "end.json"
        path.unlink(missing_ok=True)
        self.run("--summary-json", str(path), *more, code=code, servers=servers)
        found: dict[str, Any] = json.loads(path.read_text())
        return found


def told_in(document: dict[str, Any]) -> Told:
    return Told(*(document[f"{name}_rows"] for name in ("in_topic", "not_selected", "bad", "of")))


def told_by_metrics(path: Path) -> Told:
    names = ("in_topic", "not_selected", "bad")
    found = [re.search(rf"^replay_rows_{name}{{[^}}]*}} (\S+)$", path.read_text(), re.MULTILINE) for name in names]
    of_rows = re.search(r"^replay_rows{[^}]*} (\S+)$", path.read_text(), re.MULTILINE)
    return Told(*(int(float(each[1])) for each in [*found, of_rows] if each))


@pytest.fixture
def replay(kafka: KafkaCluster | Broker, topic: str, jobs: Jobs, tmp_path: Path, request: Any) -> Replay:
    write_input(tmp_path / "in")
    create_topic(kafka.bootstrap_servers, topic, 3, config={"retention.ms": "-1"})
    delivery, options = request.param
    return Replay(tmp_path, kafka.bootstrap_servers, topic, delivery, options, jobs)


@pytest.mark.parametrize(("replay", "expected"), CASES, indirect=["replay"])
def test_all_displays_tell_what_the_topic_holds(replay: Replay, expected: Told) -> None:
    """Broken: rows that were never sent count as sent: 1,000 of 1,000, where the topic holds 910. Or a run that goes on
    after a kill, or finds nothing to do, tells the rows of its own process and not those of the replay."""
    replay.run("--rate", "2k/s", "--in-flight-rows", "100", crash="after report 300", code=KILLED)
    cut = told_in(replay.look("status"))
    assert 0 < cut.in_topic <= replay.records(decided=True) < expected.in_topic
    assert cut.of_rows == ROWS

    done = replay.summary("--rate", "max")
    assert replay.records() == expected.in_topic, "or this test expects the wrong thing"
    for _ in range(2):
        assert told_in(done) == expected
        assert told_in(replay.look("status")) == expected
        assert told_in(replay.look("history")) == expected
        assert told_by_metrics(replay.folder / "m.prom") == expected
        assert done["left_out"].get("price_missing", 0) == done["bad"].get("price_missing", 0) == expected.bad
        done = replay.summary()  # there is nothing to do, and nothing else to tell
        assert (done["acked_rows"], done["sent_rows"], done["rows_per_s"]) == (0, 0, None)
    assert expected.text in replay.run().output, "the summary for people"
    command = ["verify", str(replay.folder / "in"), "--topic", replay.topic, "--bootstrap-servers", replay.servers]
    verdict = replay.jobs.start([*command, "--output", "json", *replay.options])
    assert verdict.wait() == 0, verdict.log
    found = json.loads(verdict.output)
    assert found["rows"] == found["found"] == expected.in_topic


@pytest.mark.parametrize(
    "replay", [pytest.param((each, ["--on-bad-row", "skip"]), id=each) for each in ISOLATION], indirect=True
)
def test_a_resume_that_never_reached_the_broker_tells_what_the_checkpoint_knows(replay: Replay) -> None:
    """Broken: history and summary tell "0 of 2,000" of a replay that is half in the topic, and status falls back."""
    replay.run("--rate", "2k/s", crash="after report 300", code=KILLED)
    known = told_in(replay.look("status"))
    failed = replay.summary("--broker-timeout", "2s", code=5, servers="127.0.0.1:9")
    assert told_in(failed) == told_in(replay.look("history")) == told_in(replay.look("status")) == known
    assert (failed["acked_rows"], failed["sent_rows"]) == (0, 0)
    assert failed["done_row"] == failed["start_row"] > 0
    assert failed["elapsed_s"] == pytest.approx(failed["ended_s"] - failed["started_s"])
    assert failed["elapsed_s"] > 2, "the time that the user waited"
    assert told_in(replay.summary("--rate", "max")) == Told(1_960, 0, 40)
