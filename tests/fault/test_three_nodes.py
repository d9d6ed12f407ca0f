"""Replication 3, two in sync needed: nodes stop, die, hang and come back while replays run.

Both deliveries go through each fault at once, each with a topic of its own, and both topics are read back.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import ElectionType, Producer, murmur2
from confluent_kafka.admin import AdminClient

from tests.fault.conftest import PARTITIONS, again_and_again, own_cluster, quick_and_soak, under_way
from tests.support.process import KILLED
from tests.support.scenario import make_trades
from tests.support.topics import leader_of, set_topic_config, wait_in_sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fault.conftest import MakeBoth, Tell
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.scenario import Scenario, Trades

SLOW = ("--rate", "5k/s", "--checkpoint-interval", "200ms", "--transaction-ms", "100")
"""A replay takes 3.2 s."""

SOME_ROWS = 3_000

PAST_THE_SESSION_S = 3.0
"""Longer than the cluster takes to let go of a node (broker.session.timeout.ms of tests/support/kafka_cluster.py)."""


@pytest.fixture(scope="module")
def kafka3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """A short replica.lag.time.max.ms: a resume after a crash has to wait for half as long again. The coordinators' log
    is there: to make it takes the first transactional replay longer than the other one takes in all."""
    with own_cluster(tmp_path_factory.mktemp("kafka3"), 3, {"replica.lag.time.max.ms": "2000"}) as cluster:
        settings = {"bootstrap.servers": cluster.bootstrap_servers, "transactional.id": "first", "log_level": 0}
        Producer(settings).init_transactions(30)
        yield cluster


@pytest.fixture(autouse=True)
def _all_back(kafka3: KafkaCluster) -> Iterator[None]:
    """The next test finds all nodes up, and the coordinators' log in sync: two more deaths would be one too many."""
    yield
    for i in range(3):
        kafka3.thaw_node(i)
    kafka3.start()
    all_in_sync(kafka3, [])


@pytest.fixture
def make(kafka3: KafkaCluster, both: MakeBoth, trades: Trades) -> Callable[..., list[Scenario]]:
    """`trades` in both deliveries, with these options or slowly."""
    return lambda *options: both(trades, kafka3.bootstrap_servers, *(options or SLOW), replication=3)


def busiest_leader(kafka3: KafkaCluster, replay: Scenario) -> int:
    """The node that leads the partition of the first symbol, which has most of the trades: in both topics, as long as
    nobody has died."""
    partition = murmur2(replay.trades.rows[0].key, PARTITIONS)
    return kafka3.node_of(leader_of(kafka3.bootstrap_servers, replay.topic, partition))


def coordinator(kafka3: KafkaCluster, replay: Scenario) -> int:
    """The node that decides on the replay's transactions: the leader of its transactional.id's partition, by Java's
    hash of the text."""
    code = 0
    for character in f"replay.{replay.topic}.{replay.topic}".encode():
        code = (31 * code + character) & 0xFFFFFFFF
    partition = (code & 0x7FFFFFFF) % 4  # transaction.state.log.num.partitions of tests/support/kafka_cluster.py
    return kafka3.node_of(leader_of(kafka3.bootstrap_servers, "__transaction_state", partition))


def all_in_sync(kafka3: KafkaCluster, replays: list[Scenario]) -> None:
    for replay in replays:
        wait_in_sync(kafka3.bootstrap_servers, replay.topic, PARTITIONS, 3)
    wait_in_sync(kafka3.bootstrap_servers, "__transaction_state", 4, 3)


# --- the replays go on by themselves ------------------------------------------------------------------------


def stop_the_leader(kafka3: KafkaCluster, replays: list[Scenario]) -> None:
    leader = busiest_leader(kafka3, replays[0])
    kafka3.stop_node(leader)
    kafka3.start_node(leader)


def kill_the_leader(kafka3: KafkaCluster, replays: list[Scenario]) -> None:
    leader = busiest_leader(kafka3, replays[0])
    kafka3.kill_node(leader)
    time.sleep(1.5)
    kafka3.start_node(leader)


def freeze_the_leader(kafka3: KafkaCluster, replays: list[Scenario], seconds: float = 5.0) -> None:
    leader = busiest_leader(kafka3, replays[0])
    kafka3.freeze_node(leader)
    time.sleep(seconds)
    kafka3.thaw_node(leader)


def freeze_the_leader_for_long(kafka3: KafkaCluster, replays: list[Scenario]) -> None:
    freeze_the_leader(kafka3, replays, 30.0)


def kill_one_after_the_other(kafka3: KafkaCluster, replays: list[Scenario]) -> None:
    for node in range(3):
        kafka3.kill_node(node)
        time.sleep(0.5)
        kafka3.start_node(node)
        kafka3.wait_ready()
        all_in_sync(kafka3, replays)


def kill_two(kafka3: KafkaCluster, replays: list[Scenario]) -> None:
    """Neither two copies in sync nor a quorum of controllers."""
    leader = busiest_leader(kafka3, replays[0])
    kafka3.kill_node(leader)
    kafka3.kill_node((leader + 1) % 3)
    time.sleep(PAST_THE_SESSION_S)
    kafka3.start()


def kill_a_follower_of_three_that_are_needed(kafka3: KafkaCluster, replays: list[Scenario]) -> None:
    """The leader lives and refuses: some rows before they are appended, some after that."""
    for replay in replays:
        set_topic_config(replay.bootstrap_servers, replay.topic, "min.insync.replicas", "3")
    follower = (busiest_leader(kafka3, replays[0]) + 1) % 3
    kafka3.kill_node(follower)
    time.sleep(PAST_THE_SESSION_S)
    kafka3.start_node(follower)


def kill_the_coordinator_in_a_commit(kafka3: KafkaCluster, replays: list[Scenario]) -> None:
    """It hangs first, for many times --transaction-ms: so a commit is on its way to it, and stays there."""
    node = coordinator(kafka3, replays[-1])
    kafka3.freeze_node(node)
    time.sleep(0.8)
    kafka3.kill_node(node)
    time.sleep(0.5)
    kafka3.start_node(node)


RATES: dict[Callable[[KafkaCluster, list[Scenario]], None], str] = {
    stop_the_leader: "5k/s",
    kill_the_leader: "5k/s",
    freeze_the_leader: "5k/s",
    kill_one_after_the_other: "1k/s",
    kill_two: "5k/s",
    kill_a_follower_of_three_that_are_needed: "5k/s",
    kill_the_coordinator_in_a_commit: "5k/s",
}
"""Each with a rate at which the replays are still under way when it ends."""

QUICK = [kill_the_leader, kill_two, kill_the_coordinator_in_a_commit]


@pytest.mark.parametrize("fault", quick_and_soak(QUICK, list(RATES)))
def test_nodes_that_come_back(
    kafka3: KafkaCluster, make: Callable[..., list[Scenario]], fault: Callable[[KafkaCluster, list[Scenario]], None]
) -> None:
    """Broken: a new leader would get rows twice, or without the ones that the old one had, or not be found at all."""
    replays = make("--rate", RATES[fault], *SLOW[2:])
    jobs = under_way(replays, SOME_ROWS)
    fault(kafka3, replays)
    for job in jobs:
        assert job.wait() == 0, job.log
    kafka3.wait_ready()
    for replay in replays:
        replay.assert_exact()


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("fault", [*RATES, freeze_the_leader_for_long], ids=lambda fault: fault.__name__)
def test_nodes_that_come_back_many_times(
    kafka3: KafkaCluster,
    both: MakeBoth,
    many_trades: Trades,
    fault: Callable[[KafkaCluster, list[Scenario]], None],
    rounds: int,
    tell: Tell,
) -> None:
    """Broken: as above, but so rarely that one fault of each kind would miss it."""
    rng = random.Random(rounds)
    replays: list[Scenario] = []

    def fresh() -> list[Scenario]:
        replays[:] = both(many_trades, kafka3.bootstrap_servers, *SLOW, replication=3)
        return replays

    def once() -> bool:
        time.sleep(rng.uniform(0.2, 3.0))
        fault(kafka3, replays)
        kafka3.wait_ready()
        all_in_sync(kafka3, replays)
        return True

    what = f"three nodes: {fault.__name__.replace('_', ' ')}"
    again_and_again(tell, what, max(1, rounds // 20), fresh, once)


# --- many partitions: librdkafka issue 4953 -----------------------------------------------------------------


MANY_PARTITIONS, MANY_SYMBOLS = 60, 200


@pytest.fixture(scope="module")
def scattered_trades(tmp_path_factory: pytest.TempPathFactory) -> Trades:
    return make_trades(tmp_path_factory.mktemp("scattered-trades") / "in", 40_000, MANY_SYMBOLS)


def move_leaders(kafka3: KafkaCluster, bootstrap_servers: str, rng: random.Random) -> None:
    """A node loses what it leads, dead or hanging, and gets it back by an election."""
    node = rng.randrange(3)
    if rng.random() < 0.5:
        kafka3.kill_node(node)
        time.sleep(rng.uniform(0.2, 3.0))
        kafka3.start_node(node)
    else:
        kafka3.freeze_node(node)
        time.sleep(rng.uniform(PAST_THE_SESSION_S, PAST_THE_SESSION_S + 2))
        kafka3.thaw_node(node)
    kafka3.wait_ready()
    time.sleep(1)
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    admin.elect_leaders(ElectionType.PREFERRED).result(20)


@pytest.mark.soak
def test_leaders_of_many_partitions_move(kafka3: KafkaCluster, both: MakeBoth, scattered_trades: Trades) -> None:
    """Broken: what one partition's recovery does to the numbers of another's retries would leave copies."""
    options = ("--rate", "4k/s", *SLOW[2:])  # long enough that both are under way on a busy machine
    replays = both(scattered_trades, kafka3.bootstrap_servers, *options, partitions=MANY_PARTITIONS, replication=3)
    jobs = under_way(replays, SOME_ROWS)
    move_leaders(kafka3, kafka3.bootstrap_servers, random.Random(1))
    for job in jobs:
        assert job.wait() == 0, job.log
    for replay in replays:
        replay.assert_exact()


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_leaders_of_many_partitions_move_many_times(
    kafka3: KafkaCluster, both: MakeBoth, scattered_trades: Trades, rounds: int, tell: Tell
) -> None:
    """Broken: as above, but so rarely that one move would miss it."""
    rng, servers = random.Random(rounds), kafka3.bootstrap_servers
    options = ("--rate", "3k/s", *SLOW[2:])
    replays: list[Scenario] = []

    def fresh() -> list[Scenario]:
        replays[:] = both(scattered_trades, servers, *options, partitions=MANY_PARTITIONS, replication=3)
        return replays

    def once() -> bool:
        move_leaders(kafka3, servers, rng)
        return True

    again_and_again(tell, f"leaders of {MANY_PARTITIONS} partitions move", max(1, rounds // 4), fresh, once)
    seen = replays[0].jobs.logs()
    print(f"\nepoch changes noticed: {seen.count('epoch changed')}, other resumes: {seen.count('with a new producer')}")


# --- they do not --------------------------------------------------------------------------------------------


@pytest.mark.soak
def test_all_nodes_down_for_too_long(kafka3: KafkaCluster, make: Callable[..., list[Scenario]]) -> None:
    """Broken: a cluster that lost its power would be waited for without end, or what its nodes had on disk before it
    went down would be sent again."""
    replays = make(*SLOW, "--broker-timeout", "3s")
    jobs = under_way(replays, SOME_ROWS)
    kafka3.kill_all()
    for job in jobs:
        assert job.wait(40) == 5, job.log
    kafka3.start()
    all_in_sync(kafka3, replays)
    for replay in replays:
        replay.run("--rate", "max", "--broker-timeout", "60s", code=0)
        replay.assert_exact()


def test_jobs_killed_and_resumed_below_min_isr(kafka3: KafkaCluster, both: MakeBoth, trades: Trades) -> None:
    """Broken: rows that were appended when a follower died stay hidden until enough replicas are in sync again, however
    long that takes. A resume that looks before would send them again. One partition: whose leader changes says nothing
    of its offsets meanwhile, and that alone would hold the resume up."""
    replays = both(trades, kafka3.bootstrap_servers, *SLOW, partitions=1, replication=3)
    for replay in replays:
        set_topic_config(replay.bootstrap_servers, replay.topic, "min.insync.replicas", "3")
    jobs = under_way(replays, SOME_ROWS)
    follower = (kafka3.node_of(leader_of(kafka3.bootstrap_servers, replays[0].topic, 0)) + 1) % 3
    kafka3.kill_node(follower)
    time.sleep(PAST_THE_SESSION_S)
    for job in jobs:
        job.kill()
        assert job.exit_code == KILLED, job.log
    again = [replay.start() for replay in replays]
    time.sleep(8)  # longer than a resume waits for a replica that hangs
    kafka3.start_node(follower)
    for job in again:
        assert job.wait() == 0, job.log
    for replay in replays:
        replay.assert_exact()
    # Where that node was the controller, a resume does not get as far as to doubt.
    assert "Broker unreachable" in again[0].log or "Cannot " in again[0].log
    if "Cannot be sure that no replica hides rows" in again[0].log:
        assert "min.insync.replicas is 3" in again[0].log


# Fails now and then (exit 4, "the high watermark is -1,001") while `Cluster._offsets` takes OFFSET_INVALID (-1001),
# which list_offsets gives for a partition without an answer, for a watermark.
@pytest.mark.parametrize("who", [pytest.param("leader", marks=pytest.mark.soak), "follower"])
def test_jobs_killed_and_resumed_while_a_node_hangs(
    kafka3: KafkaCluster, make: Callable[..., list[Scenario]], who: str
) -> None:
    """Broken: rows that a hanging replica keeps below the high watermark would surface after the resume has
    looked, and be there twice; or, if they are of an open transaction, be there although it was aborted."""
    replays = make()
    jobs = under_way(replays, SOME_ROWS)
    leader = busiest_leader(kafka3, replays[0])
    node = leader if who == "leader" else (leader + 1) % 3
    kafka3.freeze_node(node)
    time.sleep(0.8)
    for job in jobs:
        job.kill()
        assert job.exit_code == KILLED, job.log
    again = [replay.start() for replay in replays]
    time.sleep(PAST_THE_SESSION_S + 1)
    kafka3.thaw_node(node)
    for job in again:
        assert job.wait() == 0, job.log
    for replay in replays:
        replay.assert_exact()
