"""--delivery transactional on a real Kafka: whatever ends the job or the broker, a read_committed reader gets every row
once and in order, and Kafka itself says where to go on."""

from __future__ import annotations

import json
import random
import signal
import time
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from tests.fault.conftest import own_cluster, seeds
from tests.support.process import KILLED, checkpoint, checkpoint_row
from tests.support.scenario import make_trades
from tests.support.topics import create_topic
from tests.support.transactions import (
    Watcher,
    assert_committed_exact,
    committed_rows,
    forget_checkpoint,
    progress_records,
    wait_committed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fault.conftest import MakeScenario
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.scenario import Scenario, Trades

TRANSACTION_TIMEOUT_S = 10
"""The least that replay sets; it follows --broker-timeout."""

OPTIONS = ("--delivery", "transactional", "--broker-timeout", f"{TRANSACTION_TIMEOUT_S}s")
PACED = ("--rate", "16k/s", "--transaction-ms", "50", "--checkpoint-interval", "50ms")
"""A replay takes 1 s, in some 10 transactions."""

RARELY_SAVED = ("--rate", "8k/s", "--transaction-ms", "100", "--checkpoint-interval", "30s")
"""The local checkpoint stays at row 0 while Kafka's progress goes on."""

SOME_ROWS = 3_000

STARTING_OVER = "starting over from what Kafka has committed"

FIRST_RUN = [
    "before commit 1",  # the claim is in the log, undecided
    "after commit 1",  # claimed, and no checkpoint was ever written
    "before commit 4",  # rows and progress record are in the log, undecided
    "after commit 4",  # committed, and the file does not know
    "before done 1",  # everything committed
]
RESUMED_RUN = [
    "after init 1",  # fenced everybody, claimed nothing
    "amid read 1",  # some progress records seen, not all
    "after commit 1",  # claimed
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """A broker that looks for dead transactions every half second, not every ten."""
    config = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "500"}
    with own_cluster(tmp_path_factory.mktemp("kafka-transactional"), config=config) as cluster:
        yield cluster


@pytest.fixture
def transactional(scenario: MakeScenario, cluster: KafkaCluster, trades: Trades) -> Callable[..., Scenario]:
    """A replay of `trades` with these options."""
    return lambda *options: scenario(trades, cluster.bootstrap_servers, *OPTIONS, *(options or PACED))


def kill_in_the_middle(replay: Scenario) -> None:
    """SIGKILL once some rows are committed; slow enough that seconds are left."""
    job = replay.start("--rate", "1500/s")
    wait_committed(replay, job, SOME_ROWS // 3)
    job.kill()
    assert job.exit_code == KILLED, job.log


def finish(replay: Scenario, *more: str) -> None:
    """The rest at full speed, and the comparison."""
    replay.run("--rate", "max", *more, code=0)
    assert_committed_exact(replay)


# --- undisturbed --------------------------------------------------------------------------------------------


def test_a_run_without_trouble(transactional: Callable[..., Scenario]) -> None:
    """Broken: transactional delivery would not even be exact when nothing happens, or would send again when done."""
    replay = transactional("--rate", "max")
    first = replay.run(code=0)
    assert_committed_exact(replay)
    assert "16,000 in topic, 0 not selected, 0 bad, of 16,000 rows" in first.output
    saved = checkpoint(replay.checkpoint)
    assert (saved["state"], saved["next_row"]) == ("done", 16_000)
    assert "nothing to do" in replay.run(code=0).log
    forget_checkpoint(replay)
    replay.run(code=0)  # Kafka says that it is done
    assert_committed_exact(replay)
    assert checkpoint(replay.checkpoint)["state"] == "done"


def test_a_transaction_ends_after_so_many_rows(transactional: Callable[..., Scenario]) -> None:
    """Broken: --transaction-rows would be ignored: a replay at full speed is one endless transaction."""
    name = f"progress-{time.time_ns()}"
    rows_max = 5_000
    bounds = ("--transaction-rows", str(rows_max), "--transaction-ms", "600000")
    replay = transactional("--rate", "max", *bounds, "--progress-topic", name)
    replay.run(code=0)
    assert_committed_exact(replay)
    rows = [record.next_row for record in progress_records(replay.bootstrap_servers, name, replay.topic)]
    assert rows == sorted(rows)
    assert (rows[0], rows[-1]) == (0, 16_000)
    assert max(later - row for row, later in pairwise(rows)) <= rows_max
    assert len(rows) <= 1 + 16_000 // (rows_max - 4_096) + 1


def test_a_transaction_may_be_smaller_than_a_burst(transactional: Callable[..., Scenario]) -> None:
    """Broken: a small --transaction-rows would be taken for a suggestion at full speed."""
    name = f"progress-{time.time_ns()}"
    bounds = ("--transaction-rows", "1000", "--transaction-ms", "600000")
    replay = transactional("--rate", "max", *bounds, "--progress-topic", name)
    replay.run(code=0)
    assert_committed_exact(replay)
    rows = [record.next_row for record in progress_records(replay.bootstrap_servers, name, replay.topic)]
    assert max(later - row for row, later in pairwise(rows)) <= 1_000


def test_a_transaction_ends_after_so_long(transactional: Callable[..., Scenario]) -> None:
    """Broken: --transaction-ms would be ignored, or the progress records would not be where --progress-topic says."""
    name = f"progress-{time.time_ns()}"
    replay = transactional("--rate", "8k/s", "--transaction-ms", "200", "--progress-topic", name)
    replay.run(code=0)
    assert_committed_exact(replay)
    records = progress_records(replay.bootstrap_servers, name, replay.topic)
    gaps_ms = sorted(later.timestamp_ms - record.timestamp_ms for record, later in pairwise(records[1:]))
    assert 4 <= len(gaps_ms) <= 11, "2 s in transactions of 200 to 300 ms"
    assert gaps_ms[len(gaps_ms) // 2] < 450
    last = records[-1].content
    assert last["job"] == replay.topic
    assert last["next_row"] == 16_000
    assert last["topic_id"] == checkpoint(replay.checkpoint)["topic_id"]
    config = AdminClient({"bootstrap.servers": replay.bootstrap_servers, "log_level": 0}).list_topics(name, 5)
    assert len(config.topics[name].partitions) == 1


def test_readers_wait_no_longer_than_a_transaction(transactional: Callable[..., Scenario]) -> None:
    """Broken: a slow replay would hold read_committed readers back until enough rows have come together."""
    replay = transactional("--rate", "50/s", "--transaction-ms", "300", "--linger", "5ms")
    job = replay.start()
    servers, topic = replay.bootstrap_servers, replay.topic
    with Watcher(servers, topic, "read_uncommitted") as sent, Watcher(servers, topic) as committed:
        sent.wait(1, job)
        end_s = time.monotonic() + 3
        while time.monotonic() < end_s:
            sent.look(0.01)
            committed.look(0.01)
        committed.wait(len(sent.seen_s) - 40, job, 5)
    late_s = sorted(seen_s - sent.seen_s[place] for place, seen_s in committed.seen_s.items() if place in sent.seen_s)
    assert len(late_s) > 80
    assert late_s[len(late_s) * 3 // 4] < 0.3 + 0.1 + 0.4, "--transaction-ms, the tick of the job, and the rest"
    assert late_s[len(late_s) // 2] < 0.4
    job.signal(signal.SIGTERM)
    assert job.wait(30) == 143, job.log


# --- the job is killed --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", seeds(5, (0, 1)))
def test_killed_at_a_random_moment(transactional: Callable[..., Scenario], seed: int) -> None:
    """Broken: a kill -9 would lose or duplicate rows; or, where the machine was lost (odd seeds), its checkpoint
    would have been needed."""
    rng = random.Random(seed)
    replay = transactional()
    job = replay.start()
    wait_committed(replay, job, rng.randrange(1, 12_000))
    time.sleep(rng.uniform(0, 0.2))
    job.kill()
    assert job.exit_code in (KILLED, 0), job.log  # on a busy machine it may be through
    if seed % 2:
        forget_checkpoint(replay)
    finish(replay)


@pytest.mark.parametrize("crash", FIRST_RUN)
def test_killed_at_an_exact_place(transactional: Callable[..., Scenario], crash: str) -> None:
    """Broken: a crash right there would leave a state from which a resume goes wrong."""
    replay = transactional()
    replay.run(crash=crash, code=KILLED)
    finish(replay)


@pytest.mark.parametrize("crash", RESUMED_RUN)
def test_a_resume_killed_at_an_exact_place(transactional: Callable[..., Scenario], crash: str) -> None:
    """Broken: a crash of the resume itself would make the run after it lose or repeat what the first had committed."""
    replay = transactional()
    replay.run(crash="before commit 4", code=KILLED)
    replay.run(crash=crash, code=KILLED)
    finish(replay)


def test_stopped_in_the_middle_of_a_transaction(transactional: Callable[..., Scenario]) -> None:
    """Broken: SIGTERM would leave a transaction open that holds every reader back, or throw acknowledged rows away
    and not say so."""
    replay = transactional("--rate", "8k/s", "--transaction-ms", "600000", "--transaction-rows", "1M")
    job = replay.start()
    wait_committed(replay, job, SOME_ROWS, "read_uncommitted")
    job.signal(signal.SIGTERM)
    assert job.wait(30) == 143, job.log
    saved = checkpoint(replay.checkpoint)
    started_s = time.monotonic()
    assert committed_rows(replay) == saved["next_row"] >= SOME_ROWS
    assert time.monotonic() - started_s < TRANSACTION_TIMEOUT_S / 2, "no transaction is left open"
    assert saved["state"] == "clean"
    finish(replay)


# --- more than one instance ---------------------------------------------------------------------------------


def test_two_instances_of_one_job(transactional: Callable[..., Scenario]) -> None:
    """Broken: a second machine that starts the same job would double every row, or neither would finish. Which of them
    takes over in the end is up to them (test_instances.py decides it): the other is fenced, or finds all done."""
    first = transactional("--rate", "6k/s", "--transaction-ms", "100", "--checkpoint-interval", "50ms")
    second = replace(first, checkpoint=first.checkpoint.with_name("second.json"))
    jobs = [first.start()]
    wait_committed(first, jobs[0], SOME_ROWS)
    jobs.append(second.start())
    codes = [job.wait() for job in jobs]
    assert sorted(codes) in ([0, 6], [0, 0]), first.jobs.logs()
    assert_committed_exact(first)


def test_a_zombie_is_fenced(transactional: Callable[..., Scenario]) -> None:
    """Broken: an instance that was frozen, and replaced in the meantime, would add its rows when it wakes up."""
    frozen = transactional()
    other = replace(frozen, checkpoint=frozen.checkpoint.with_name("other.json"))
    job = frozen.start()
    wait_committed(frozen, job, SOME_ROWS)
    job.signal(signal.SIGSTOP)
    finish(other)
    job.signal(signal.SIGCONT)
    assert job.wait(30) == 6, job.log
    assert "took over" in job.log
    assert_committed_exact(frozen)


def test_frozen_for_longer_than_its_transaction_lives(transactional: Callable[..., Scenario]) -> None:
    """Broken: a laptop that slept would lose the rows of the transaction that Kafka had ended, or send them twice, or
    blame an instance that there is not."""
    replay = transactional(*PACED, "--broker-timeout", "60s", "-X", "transaction.timeout.ms=2000")
    job = replay.start(crash=f"stop after report {SOME_ROWS}")  # others of the open transaction are on their way
    job.wait_stopped()
    time.sleep(3.5)
    job.signal(signal.SIGCONT)
    assert job.wait(30) == 0, job.log
    assert STARTING_OVER in job.log, "the transaction had not ended: this proves nothing"
    assert_committed_exact(replay)


# --- the broker ---------------------------------------------------------------------------------------------


def test_a_broker_that_is_killed_and_comes_back(node: KafkaCluster, transactional: Callable[..., Scenario]) -> None:
    """Broken: a crash of the broker, and of its transaction coordinator, would end a replay that may wait for it; or
    one that may not, or that is told to stop, would wait for ever for a commit or an abort; or any of them would lose
    or double the rows of the transaction that was open."""
    slow = ("--rate", "6k/s", "--transaction-ms", "100")
    patient = transactional(*slow, "--broker-timeout", "60s")

    def another(name: str, *more: str) -> Scenario:
        topic, file = f"{patient.topic}-{name}", patient.checkpoint.with_name(f"{name}.json")
        create_topic(node.bootstrap_servers, topic, 6, config={"retention.ms": "-1"})
        return replace(patient, topic=topic, checkpoint=file, options=(*OPTIONS, *slow, *more))

    impatient = another("impatient", "--broker-timeout", "3s")
    stopped = another("stopped", "--broker-timeout", "60s", "--drain-timeout", "1s")
    replays = (patient, impatient, stopped)
    waiting, ending, stopping = jobs = [replay.start() for replay in replays]
    for replay, job in zip(replays, jobs, strict=True):
        wait_committed(replay, job, SOME_ROWS // 3)
    node.kill_node(0)
    stopping.signal(signal.SIGTERM)
    assert ending.wait(40) == 5, ending.log
    assert "run" in ending.log.rpartition("->")[2], "it says to run it again"
    assert stopping.wait(40) == 143, stopping.log
    assert waiting.exit_code is None, waiting.log
    node.start()
    finish(impatient)
    finish(stopped)
    assert waiting.wait() == 0, waiting.log
    assert_committed_exact(patient)


# --- Kafka's progress and the local file --------------------------------------------------------------------


@pytest.mark.parametrize("how", ["another job", "progress topic deleted"])
def test_a_checkpoint_without_its_progress_record(transactional: Callable[..., Scenario], how: str) -> None:
    """Broken: a job whose record is not found would start at row 0 again, on top of the rows that it has committed,
    although its own checkpoint is there (at row 0, for it is saved rarely)."""
    name = f"progress-{time.time_ns()}"
    replay = transactional(*RARELY_SAVED, "--progress-topic", name)
    kill_in_the_middle(replay)
    assert checkpoint_row(replay.checkpoint) == 0, "this test needs a checkpoint that knows nothing"
    more = ("--job", "B") if how == "another job" else ()
    if not more:
        admin = AdminClient({"bootstrap.servers": replay.bootstrap_servers, "log_level": 0})
        admin.delete_topics([name])[name].result(10)
        while name in admin.list_topics(timeout=5).topics:
            time.sleep(0.1)
    refused = replay.run(*more, code=4)
    assert "has no record of it" in refused.log
    assert "--progress-topic" in refused.log


def test_a_progress_record_that_cannot_be_right(transactional: Callable[..., Scenario]) -> None:
    """Broken: a progress topic that was put back to an older state, or that another tool writes to, would have rows
    sent again, or end the run with a traceback."""
    name = f"progress-{time.time_ns()}"
    replay = transactional(*PACED, "--progress-topic", name)
    replay.run(crash="after commit 5", code=KILLED)
    known = checkpoint_row(replay.checkpoint)
    assert known > 0
    first = progress_records(replay.bootstrap_servers, name, replay.topic)[0]
    assert first.next_row == 0
    before = replay.checkpoint.read_bytes()
    for value, says in (
        (json.dumps(dict(first.content)), f"knows {known:,} committed rows, Kafka's progress record only 0"),
        ("[1, 2", "is not one of replay's"),
    ):
        producer = Producer({"bootstrap.servers": replay.bootstrap_servers, "log_level": 0})
        producer.produce(name, value, replay.topic)
        assert producer.flush(10) == 0
        refused = replay.run(code=4)
        assert says in refused.log
        assert name in refused.log
        assert replay.checkpoint.read_bytes() == before


def test_an_appended_file_before_kafka_s_position(
    transactional: Callable[..., Scenario], tmp_path: Path, trades: Trades
) -> None:
    """Broken: --allow-appended would be checked against the local checkpoint (row 0) only, and a file whose trades
    belong before those that are committed would be sent behind them."""
    base = transactional(*RARELY_SAVED)
    replay = replace(base, trades=make_trades(tmp_path / "in", len(trades.rows)))
    kill_in_the_middle(replay)
    assert checkpoint_row(replay.checkpoint) == 0, "this test needs a checkpoint that knows nothing"
    first = min(replay.trades.folder.iterdir())
    added = replay.trades.folder / "zz.parquet"
    pq.write_table(pq.read_table(first).slice(0, 5), added)
    refused = replay.run("--allow-appended", code=4)
    assert "begins before rows that were" in refused.log
    assert "zz.parquet" in refused.log


def test_an_appended_file_behind_all_others(
    transactional: Callable[..., Scenario], tmp_path: Path, trades: Trades
) -> None:
    """Broken: --allow-appended would be refused or go wrong where only Kafka, not the file, says where to go on."""
    whole = make_trades(tmp_path / "in", len(trades.rows))
    last = max(whole.folder.iterdir())
    last.rename(tmp_path / "later")
    replay = replace(transactional(), trades=whole)
    kill_in_the_middle(replay)
    forget_checkpoint(replay)
    (tmp_path / "later").rename(last)
    refused = replay.run(code=4)
    assert refused.exit_code == 4
    finish(replay, "--allow-appended")


def test_first_offsets_survive_the_machine(transactional: Callable[..., Scenario]) -> None:
    """Broken: a checkpoint made anew would say that the replay began where the topic ended on that day, and
    `replay verify --checkpoint` would look past the rows before."""
    replay = transactional()
    replay.add_foreign()
    kill_in_the_middle(replay)
    before = [each["first_offset"] for each in checkpoint(replay.checkpoint)["partitions"]]
    assert sum(before) == replay.foreign.total()
    forget_checkpoint(replay)
    replay.run("--rate", "max", code=0)
    assert [each["first_offset"] for each in checkpoint(replay.checkpoint)["partitions"]] == before


@pytest.mark.parametrize(
    ("partitions", "config", "says"),
    [(1, {"cleanup.policy": "delete"}, "cleanup.policy is delete"), (2, {}, "exactly one partition")],
)
def test_a_progress_topic_that_would_forget(
    transactional: Callable[..., Scenario], partitions: int, config: dict[str, str], says: str
) -> None:
    """Broken: progress records would be deleted after a week, or be looked for in the wrong partition."""
    name = f"progress-{time.time_ns()}"
    replay = transactional("--progress-topic", name)
    create_topic(replay.bootstrap_servers, name, partitions, config=config)
    refused = replay.run(code=2)
    assert says in refused.log
    assert f"--progress-topic {name}" in refused.log
    assert replay.records() == 0


def test_switching_the_delivery(transactional: Callable[..., Scenario]) -> None:
    """Broken: the other mode would take rows that it knows nothing of for missing."""
    replay = transactional()
    replay.run(crash="after commit 3", code=KILLED)
    refused = replay.run("--delivery", "idempotent", code=4)
    assert "option --delivery was transactional, now idempotent" in refused.log
