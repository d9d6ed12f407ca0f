"""Texts of strangers, from a file and in a header, go through a replay whole, and out of it as plain text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from confluent_kafka import Consumer, Message, TopicPartition

from tests.support.called import call
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Broker
    from tests.support.kafka_cluster import KafkaCluster

HOSTILE = ("<script>alert(1)</script>", "\x1b[2J\x1b]0;owned\x07", "two\nlines\r", "\u202eevil\u2066", "x" * 100_000)
HEADER = "\x1b[31m<b>\u202e\nred"


def test_they_arrive_unchanged_and_are_shown_escaped(kafka: KafkaCluster | Broker, topic: str, tmp_path: Path) -> None:
    """Broken: a symbol or a header moves the cursor, forges a line of the log, makes JSON that nobody can read, floods
    the terminal; or what is escaped for people is escaped in the topic, too."""
    times = pa.array([1_790_000_000_000_000 + n for n in range(len(HOSTILE))], pa.timestamp("us", "UTC"))
    prices = [float(n + 1) for n in range(len(HOSTILE))]
    pq.write_table(pa.table({"symbol": list(HOSTILE), "price": prices, "event_time": times}), tmp_path / "in.parquet")
    create_topic(kafka.bootstrap_servers, topic, 1, config={"retention.ms": "-1"})
    where = [str(tmp_path / "in.parquet"), "--topic", topic, "--bootstrap-servers", kafka.bootstrap_servers]
    state = ["--state-dir", str(tmp_path / "state")]
    report = tmp_path / "report.html"
    ran = call("run", *where, *state, "--header", f"from={HEADER}", "--report", str(report), "--verify")
    assert ran.code == 0, ran.err
    plan = call("plan", *where, "--scan", "--output", "json")
    verified = call("verify", *where, "--output", "json")
    told = call("history", *state, "--output", "json")
    for outcome in (plan, verified, told):
        assert outcome.code == 0, outcome.err
        json.loads(outcome.out)
    for_people = [ran, call("plan", *where, "--scan"), call("history", *state)]
    for text in [text for outcome in (*for_people, plan, verified) for text in (outcome.out, outcome.err)]:
        assert not {"\x1b", "\x07", "\u202e", "\u2066", "\r"} & set(text)
    assert all(len(outcome.out + outcome.err) < 50_000 for outcome in for_people)
    assert "<script>alert" not in report.read_text()
    assert read(kafka.bootstrap_servers, topic) == [(symbol.encode(), HEADER.encode()) for symbol in HOSTILE]


def read(bootstrap_servers: str, topic: str) -> list[tuple[bytes | None, bytes]]:
    """Key and header of each record."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": topic, "log_level": 0})
    consumer.assign([TopicPartition(topic, 0, 0)])
    messages: list[Message] = []
    while len(messages) < len(HOSTILE):
        messages += [message for message in consumer.consume(10, timeout=10) if message.error() is None]
    consumer.close()
    return [(message.key(), message.headers()[0][1]) for message in messages]
