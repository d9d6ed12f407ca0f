"""What lies between a replay and its broker: connections that break half-way, dawdle, fall silent or lose answers.

Both deliveries go through it at once, each with a topic of its own, and both topics are read back.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from tests.fault.conftest import again_and_again, proxied_node, quick_and_soak, under_way
from tests.support.proxy import END_TXN, LIE_S, PRODUCE, Proxy
from tests.support.scenario import make_trades

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fault.conftest import MakeBoth, Tell
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.scenario import Trades

PACED = ("--rate", "5k/s", "--checkpoint-interval", "200ms", "--transaction-ms", "100")
"""A replay takes 3.2 s."""

SOME_ROWS = 3_000


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[KafkaCluster, Proxy, str]]:
    """A broker that looks for dead transactions every half second, not every ten."""
    config = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "500"}
    with proxied_node(tmp_path_factory.mktemp("kafka-behind-a-proxy"), config) as place:
        yield place


@pytest.fixture
def proxy(place: tuple[KafkaCluster, Proxy, str]) -> Iterator[Proxy]:
    yield place[1]
    place[1].heal()


@pytest.fixture
def address(place: tuple[KafkaCluster, Proxy, str]) -> str:
    return place[2]


def reset_in_a_request(proxy: Proxy) -> bool:
    proxy.reset_in(PRODUCE)
    return proxy.met.wait(10)


def reset_in_a_commit(proxy: Proxy) -> bool:
    proxy.reset_in(END_TXN)
    return proxy.met.wait(10)


def lose_answers(proxy: Proxy) -> bool:
    proxy.swallow_answers()
    time.sleep(0.7)
    proxy.cut()
    return True


def fall_silent(proxy: Proxy) -> bool:
    """A firewall that forgot the connection: nothing comes, nothing goes, nobody is told."""
    proxy.go_silent()
    met = proxy.met.wait(10)
    time.sleep(4)
    proxy.cut()
    return met


QUICK = [reset_in_a_request, reset_in_a_commit]
FAULTS = [*QUICK, lose_answers, fall_silent]


@pytest.mark.parametrize("fault", quick_and_soak(QUICK, FAULTS))
def test_a_connection_that_breaks(
    proxy: Proxy, address: str, trades: Trades, both: MakeBoth, fault: Callable[[Proxy], bool]
) -> None:
    """Broken: rows whose fate is unknown would be sent again without a look at the topic, or given up as lost; half a
    request would be taken for a whole one, or the replay would hang on a connection that is none."""
    replays = both(trades, address, *PACED)
    jobs = under_way(replays, SOME_ROWS)
    assert fault(proxy), "nobody was there: this proves nothing"
    proxy.heal()
    for replay, job in zip(replays, jobs, strict=True):
        assert job.wait() == 0, job.log
        replay.assert_exact()
        rows = f"{len(trades.rows):,}"
        assert f"{rows} in topic, 0 not selected, 0 bad, of {rows} rows" in job.output
        assert f"{rows} by this run, which began at row 0" in job.output, "what was sent again was delivered once"
        assert "unconfirmed" not in job.output
    if fault is reset_in_a_request:
        assert any("that were lost on their way; none is in the topic twice" in job.output for job in jobs)


def test_latency_and_jitter(proxy: Proxy, address: str, trades: Trades, both: MakeBoth) -> None:
    """Broken: a slow network would be taken for an outage, or rows would overtake each other while many wait."""
    replays = both(trades, address, "--rate", "max", "--batch-rows", "500", "--transaction-rows", "4000")
    proxy.delay(0.005, 0.03)
    for job in [replay.start() for replay in replays]:
        assert job.wait() == 0, job.log
        assert "Broker unreachable since" not in job.log
        assert "going on with a new producer" not in job.log
    proxy.heal()
    for replay in replays:
        replay.assert_exact()


@pytest.mark.parametrize("delivery", [pytest.param(0, id="idempotent"), pytest.param(1, id="transactional")])
def test_answers_that_make_the_producer_change_its_epoch(
    proxy: Proxy, address: str, tmp_path: Path, both: MakeBoth, delivery: int
) -> None:
    """Broken: rows would get new numbers and be sent again, and the broker, which had appended them, would take them
    twice (librdkafka issue 4953). Or, transactional: its transaction has failed, so librdkafka purges what waits
    and never reports the rest, for which the replay would wait until the broker deadline."""
    few = make_trades(tmp_path / "in", 2_000)
    # Batches of one row: librdkafka sends a partition's next request before the answer to the last one only as long as
    # fewer than five rows are on their way, and it takes two requests to be out of order.
    options = ("--rate", "1k/s", "--batch-rows", "1", *PACED[2:])
    replay = both(few, address, *options, partitions=1)[delivery]
    (job,) = under_way([replay], 300)
    proxy.delay(0.1, 0.1)
    time.sleep(0.5)
    proxy.lie()
    assert proxy.met.wait(10), "one request at a time: this proves nothing"
    time.sleep(LIE_S)
    proxy.heal()
    assert job.wait() == 0, job.log
    replay.assert_exact()
    if replay.isolation == "read_uncommitted":
        assert "the producer's epoch changed inside the run" in job.log


@pytest.mark.soak
def test_a_connection_that_stays_silent_ends_the_run_and_the_next_one_goes_on(
    proxy: Proxy, address: str, trades: Trades, both: MakeBoth
) -> None:
    """Broken: a run would wait for ever on a connection that nobody answers, or what it had sent would be repeated."""
    replays = both(trades, address, *PACED, "--broker-timeout", "3s")
    jobs = under_way(replays, SOME_ROWS)
    proxy.go_silent()
    for job in jobs:
        assert job.wait(40) == 5, job.log
        assert "run" in job.log.rpartition("->")[2], "it says to run it again"
    proxy.cut()
    proxy.heal()
    for replay in replays:
        replay.finish()


def test_a_commit_that_arrives_after_its_transaction_has_timed_out(
    proxy: Proxy, address: str, trades: Trades, both: MakeBoth
) -> None:
    """Broken: rows of a transaction that Kafka had ended meanwhile would be taken for committed, and be lost."""
    _, replay = both(trades, address, *PACED, "-X", "transaction.timeout.ms=2000")
    (job,) = under_way([replay], SOME_ROWS)
    proxy.hold(END_TXN)
    assert proxy.met.wait(10), "no commit came: this proves nothing"
    time.sleep(3.5)
    proxy.heal()
    assert job.wait(60) == 0, job.log
    assert "starting over from what Kafka has committed" in job.log
    replay.assert_exact()


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_connections_that_break_many_times(
    proxy: Proxy, address: str, many_trades: Trades, both: MakeBoth, rounds: int, tell: Tell
) -> None:
    """Broken: as above, but so rarely that one fault of each kind would miss it."""
    rng = random.Random(rounds)

    def fault() -> bool:
        time.sleep(rng.uniform(0.2, 3.0))
        proxy.delay(0, rng.choice([0, 0.02]))
        happened = rng.choice(FAULTS)(proxy)
        proxy.heal()
        return happened

    what = "connection reset in a request or a commit, silent, or without answers"
    again_and_again(tell, what, max(1, rounds // 4), lambda: both(many_trades, address, *PACED), fault)
