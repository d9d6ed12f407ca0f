"""Which schema a day has, whatever becomes of the registry, the subject or the checkpoint meanwhile."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.support.called import Called, call
from tests.support.process import KILLED, replay_command
from tests.support.readback import compare
from tests.support.registry_front import Answer
from tests.support.scenario import make_trades
from tests.support.third_party import Reader
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Broker
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.process import Jobs
    from tests.support.registry import Registry
    from tests.support.registry_front import Front
    from tests.support.scenario import Trades

ROWS = 600
DAYS = ("2026-11-02", "2026-11-03")
GONE = ("--registry", "http://127.0.0.1:1", "--broker-timeout", "5s")


def avro(*more: object) -> str:
    fields = [
        {"name": "symbol", "type": "string"},
        {"name": "price", "type": "double"},
        {"name": "event_time", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    ]
    return json.dumps({"type": "record", "name": "Trade", "fields": [*fields, *more]})


FIRST, SECOND = avro(), avro({"name": "venue", "type": ["null", "string"], "default": None})
"""Both take the same columns, and their records have other bytes."""


@dataclass
class Nights:
    """Two days of trades into one topic, under the newest schema of a subject."""

    trades: Trades
    registry: Registry
    bootstrap_servers: str
    topic: str
    folder: Path
    jobs: Jobs
    options: list[str] = field(default_factory=list)

    @property
    def subject(self) -> str:
        return f"{self.topic}-value"

    def day(self, day: str, *more: str) -> Called:
        options = ("--format", "avro", "--schema-subject", self.subject, "--linger", "5ms", *self.options, *more)
        inputs = next(self.trades.folder.glob(f"*{day}*"))
        return Called(self.bootstrap_servers, self.topic, inputs, self.folder / f"{day}.json", options)

    def killed(self, night: Called, *more: str, crash: str = "after report 100") -> None:
        """In the middle."""
        command = replay_command([night.inputs], night.topic, night.bootstrap_servers, night.checkpoint, *night.options)
        job = self.jobs.start([*command, "--registry", self.registry.url, *more], crash=crash)
        assert job.wait() == KILLED, job.log

    def ids(self) -> dict[str, set[int]]:
        """Under which schema each day's records are."""
        reader = Reader("avro", self.registry.url, self.topic)
        found: dict[str, set[int]] = {day: set() for day in DAYS}
        for records in self.day(DAYS[0]).records():
            for record in records:
                day = json.loads(reader.as_json(record).value or b"")["event_time"][:10]
                found[day].add(reader.schema_id(record).id)
        return found

    def assert_exact(self, *days: str) -> None:
        """Each row of these days once, in order, and nothing else."""
        reader = Reader("avro", self.registry.url, self.topic)
        read = [[reader.as_json(record) for record in records] for records in self.day(DAYS[0]).records()]
        rows = [row for row in self.trades.rows if json.loads(row.value)["event_time"][:10] in days]
        verdict = compare(rows, read)
        assert verdict.exact, str(verdict)


@pytest.fixture(scope="module")
def trades(tmp_path_factory: pytest.TempPathFactory) -> Trades:
    return make_trades(tmp_path_factory.mktemp("trades") / "in", ROWS)


@pytest.fixture
def nights(
    kafka: KafkaCluster | Broker, registry: Registry, trades: Trades, topic: str, tmp_path: Path, jobs: Jobs
) -> Nights:
    create_topic(kafka.bootstrap_servers, topic, 3, config={"retention.ms": "-1"})
    return Nights(trades, registry, kafka.bootstrap_servers, topic, tmp_path, jobs)


def test_a_subject_that_moves_on_in_the_middle_of_a_day(nights: Nights) -> None:
    """Broken: half a day would be sent under another schema; or the next day under the old one; or a day that is done
    would need a registry, or be done again."""
    one = nights.registry.register(nights.subject, FIRST)
    first, second = nights.day(DAYS[0]), nights.day(DAYS[1])
    nights.killed(first)
    two = nights.registry.register(nights.subject, SECOND)
    first.run(*GONE)
    second.run("--registry", nights.registry.url)
    assert nights.ids() == {DAYS[0]: {one}, DAYS[1]: {two}}
    for night in (first, second):
        assert "--restart sends them again" in night.run(*GONE).err
        assert "--restart sends them again" in night.run().err
    nights.assert_exact(*DAYS)


def test_another_schema_than_the_checkpoint_s(nights: Nights, front: Front, tmp_path: Path) -> None:
    """Broken: the second half of a day would be sent in another form, without a word."""
    nights.registry.register(nights.subject, FIRST)
    nights.registry.register(f"{nights.topic}-other", SECOND)
    (tmp_path / "second.avsc").write_text(SECOND)
    night = nights.day(DAYS[0])
    nights.killed(night)
    front.answer(Answer(503))
    plain = Called(night.bootstrap_servers, night.topic, night.inputs, night.checkpoint)
    where = ("--registry", front.url)
    plain.refused(4, "--format", "avro", "json")
    plain.refused(4, "--format", "avro", "protobuf", more=("--format", "protobuf", *where))
    plain.refused(4, "schema", more=("--format", "avro", "--schema", str(tmp_path / "second.avsc"), *where))
    plain.refused(4, "schema", more=("--format", "avro", "--schema-subject", f"{nights.topic}-other", *where))
    plain.refused(4, "schema", more=("--format", "avro", "--schema-name", "Other", *where))
    night.refused(4, "--schema-id-in", more=("--schema-id-in", "header", *where))
    night.refused(4, "--key-format", more=("--key-format", "avro", *where))
    assert front.asked == []
    night.run(*where)
    assert front.asked == []
    nights.assert_exact(DAYS[0])


def test_a_transactional_replay_whose_checkpoint_is_lost(nights: Nights) -> None:
    """Broken: a job on another machine would double rows; or go on under another schema than the day began with."""
    nights.options += ["--delivery", "transactional", "--transaction-ms", "50", "--rate", "500/s"]
    one = nights.registry.register(nights.subject, FIRST)
    where = ("--registry", nights.registry.url, "--rate", "max")
    first, second = (nights.day(day, "--job", f"{nights.topic}-{day}") for day in DAYS)
    nights.killed(first, crash="after commit 4")
    first.checkpoint.unlink()
    first.run(*where)
    nights.killed(second, crash="after commit 4")
    second.checkpoint.unlink()
    nights.registry.register(nights.subject, SECOND)
    second.refused(4, "schema", "--schema-subject NAME:VERSION", more=where)
    second.run(*where, "--schema-subject", f"{nights.subject}:1")
    nights.assert_exact(*DAYS)
    assert nights.ids() == {day: {one} for day in DAYS}


def test_plan_and_schema_show_what_would_be_sent(nights: Nights) -> None:
    """Broken: nobody could see before the night which schema it needs, and whether it is there."""
    night = nights.day(DAYS[0])
    where = ("--topic", nights.topic, "--bootstrap-servers", nights.bootstrap_servers)
    asked = ("plan", str(night.inputs), "--format", "avro", "--registry", nights.registry.url)
    text = call("schema", str(night.inputs), "--format", "avro").out
    assert json.loads(text) == json.loads(FIRST)
    before = " ".join(call(*asked, *where).out.split())
    assert f"value schema Trade as {nights.subject}; not registered; it is compatible: --schema-register" in before
    assert nights.registry.versions(nights.subject) == []
    schema_id = nights.registry.register(nights.subject, text)
    nights.registry.demand(nights.subject)
    assert f"registered: id {schema_id}, version 1" in " ".join(call(*asked, *where).out.split())
    (shown,) = json.loads(call(*asked, *where, "--output", "json").out)["schemas"]
    assert json.loads(shown["text"]) == json.loads(FIRST)
    assert (shown["subject"], shown["name"]) == (nights.subject, "Trade")
    breaking = nights.folder / "breaking.avsc"
    breaking.write_text(FIRST.replace('"double"', '"string"'))
    assert "price" in call(*asked, *where, "--schema", str(breaking)).err
    renamed = call(*asked, *where, "--rename", "price=cost")
    assert "not compatible" in renamed.out
    by_subject = ("schema", str(night.inputs), "--format", "avro", "--schema-subject", nights.subject)
    assert json.loads(call(*by_subject, "--registry", nights.registry.url).out) == json.loads(FIRST)


def test_a_backfill_and_a_checkpoint_made_again(nights: Nights) -> None:
    """Broken: missed days could not be made up for; or a lost checkpoint would double a day, or end in a trace."""
    inputs = str(nights.trades.folder / "trades-{date}.parquet")
    registry = ("--registry", nights.registry.url)
    where = ("--topic", nights.topic, "--bootstrap-servers", nights.bootstrap_servers, "--format", "avro")
    state = ("--state-dir", str(nights.folder / "state"))
    days = ("--from", DAYS[0], "--to", "2026-11-04")
    filled = call("backfill", inputs, *where, *registry, *state, *days, "--schema-register")
    assert filled.code == 0, filled.err
    nights.assert_exact(*DAYS)
    assert nights.registry.versions(nights.subject) == [1]
    again = call("backfill", inputs, *where, *GONE, *state, *days)
    assert again.code == 0, again.err
    lost = nights.day(DAYS[0])
    made = call("checkpoint", "rebuild", str(lost.inputs), *where, *registry, "--checkpoint", str(lost.checkpoint))
    assert made.code == 0, made.err
    found = sum(json.loads(row.value)["event_time"].startswith(DAYS[0]) for row in nights.trades.rows)
    assert f"rebuilt: {found} of {found} rows" in made.err
    plain = Called(lost.bootstrap_servers, lost.topic, lost.inputs, lost.checkpoint, ("--format", "avro"))
    plain.run(*GONE)
    nights.assert_exact(*DAYS)
