"""The broker refuses a record for good, in the middle of others that it takes: the run ends there, and the next one,
once the broker takes it, completes the topic. Both deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fault.conftest import under_way
from tests.support.process import checkpoint_row
from tests.support.readback import compare, read_topic
from tests.support.scenario import make_trades, with_notes
from tests.support.topics import set_topic_config

if TYPE_CHECKING:
    from tests.conftest import Broker
    from tests.fault.conftest import MakeBoth
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.scenario import Trades

SLOW = ("--rate", "4k/s", "--checkpoint-interval", "200ms", "--transaction-ms", "100", "--linger", "5ms")
SOME_ROWS = 3_000

MARKER_BYTES = 120
"""Less than a row needs. Below 78, the broker could not write the marker that ends a transaction, and gets stuck."""

LIMIT_BYTES, LONG_BYTES = 100_000, 200_000
LONG_ROW, ROWS = 3_000, 8_000


@pytest.fixture(scope="module")
def one_long_trade(tmp_path_factory: pytest.TempPathFactory) -> Trades:
    """Trades of one symbol with a short text each, and one with a long one."""
    made = make_trades(tmp_path_factory.mktemp("one-long-trade") / "in", ROWS, symbols=1)
    return with_notes(made, lambda _, row: LONG_BYTES if row == LONG_ROW else 1)


def test_a_record_that_the_broker_refuses(kafka: KafkaCluster | Broker, trades: Trades, both: MakeBoth) -> None:
    """Broken: a failed delivery report would be overlooked: the row lost, and its successors sent before it."""
    replays = both(trades, kafka.bootstrap_servers, *SLOW)
    jobs = under_way(replays, SOME_ROWS)
    for replay in replays:
        set_topic_config(kafka.bootstrap_servers, replay.topic, "max.message.bytes", str(MARKER_BYTES))
    for replay, job in zip(replays, jobs, strict=True):
        assert job.wait(40) == 7, job.log
        assert checkpoint_row(replay.checkpoint) >= SOME_ROWS
        set_topic_config(kafka.bootstrap_servers, replay.topic, "max.message.bytes", "1048588")
        replay.finish()


def test_nothing_goes_past_a_record_that_the_broker_refuses(
    kafka: KafkaCluster | Broker, one_long_trade: Trades, both: MakeBoth
) -> None:
    """Broken: at full speed, thousands of rows wait in librdkafka behind the refused one. It would give that one up and
    send them before anybody here has heard of it: the topic has a gap, which a resume fills in the wrong place."""
    options = ("--rate", "max", "--batch-rows", "20", "--linger", "5ms", "--fields", "note")
    for replay in both(one_long_trade, kafka.bootstrap_servers, *options, partitions=1):
        set_topic_config(kafka.bootstrap_servers, replay.topic, "max.message.bytes", str(LIMIT_BYTES))
        refused = replay.run(code=7)
        assert "larger" in refused.log or "too large" in refused.log, refused.log
        read = read_topic(replay.bootstrap_servers, replay.topic, replay.isolation, deadline_s=60)
        verdict = compare(one_long_trade.rows[: len(read[0])], read)
        assert verdict.exact, f"a gap: {verdict}"
        assert len(read[0]) <= LONG_ROW
        set_topic_config(kafka.bootstrap_servers, replay.topic, "max.message.bytes", "1048588")
        replay.finish()
