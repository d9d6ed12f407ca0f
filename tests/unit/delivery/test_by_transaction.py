"""Transactions with a fake clock and a fake producer: what is in one, when it is committed, what is left of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from confluent_kafka import KafkaError

from replay.checkpoint.content import JobPrint, JobState
from replay.delivery.by_transaction import ByTransaction
from replay.delivery.options import Pace, Transactions
from replay.delivery.progress_record import loads
from replay.delivery.session import Session
from replay.delivery.transaction_states import TransactionState, TransactionSteps
from replay.errors import ProducerFatal, Stopped
from replay.model import Fenced, Resync
from tests.unit.fakes import Bench, Error, FakeSink, run_options, trades

JOB = JobPrint("cluster", "trades", "id-1", 2, "murmur2", "json-1", {}, ())


@dataclass
class FakeTransactionalSink(FakeSink):
    """Notes each step: `begin`, `progress 12`, `commit`, `abort`, and how many records were sent before it."""

    steps: list[tuple[str, int]] = field(default_factory=list)
    fails: dict[str, Exception] = field(default_factory=dict)
    unanswered_s: Iterable[float] = ()
    """So long a commit of rows waits for its answer, each time that it says so."""

    def begin(self) -> None:
        self._step("begin")

    def send_progress(self, topic: str, key: bytes, value: bytes) -> None:
        assert (topic, key) == ("replay-progress", b"nightly")
        self._step(f"progress {loads(value, topic).next_row}")

    def commit(self, still_waits: Callable[[float], None] = lambda _: None) -> None:
        assert not self.waiting, "rows are not acknowledged"
        self._step("commit")
        if self.sent:
            for waited_s in self.unanswered_s:
                still_waits(waited_s)

    def abort(self) -> None:
        self._step("abort")

    def _step(self, name: str) -> None:
        self.steps.append((name, len(self.sent)))
        if name in self.fails:
            raise self.fails[name]


class TransactionBench(Bench):
    """A transactional session and everything around it."""

    job, first_offsets = JOB, (0, 0)

    def __init__(self, rows: int, pace: Pace | None = None, rows_max: int = 100, **more: Any) -> None:
        bounds = Transactions("nightly", "replay-progress", rows_max, 1_000.0)
        super().__init__(trades(rows), replace(run_options(pace), transactions=bounds), **more)
        self.sink: FakeTransactionalSink = FakeTransactionalSink(self.clock, [[], []])
        self.transactions = TransactionSteps()

    def run(self) -> TransactionBench:
        sink: Any = self.sink
        ready, flight = self.ready, self.flight
        by_transaction = ByTransaction(ready, sink, flight, self.transactions, "replay-progress", "host:1:abcd")
        session = Session(ready, sink, flight, by_transaction, self.options.transactions.rows_max)
        self.tally.begins(flight.progress)
        by_transaction.claim()
        session.run()
        return self

    def save(self, progress: Any, state: JobState) -> None:
        super().save(progress, state)
        self.sink.steps.append((f"save {progress.position.row}", len(self.sink.sent)))

    @property
    def steps(self) -> list[str]:
        return [name for name, _ in self.sink.steps]


def test_the_claim_comes_before_the_first_file_and_the_first_row():
    """Broken: a kill leaves a file that says more than Kafka, and the next run is refused; or rows without a claim."""
    bench = TransactionBench(10).run()
    assert bench.sink.steps[:4] == [("begin", 0), ("progress 0", 0), ("commit", 0), ("save 0", 0)]
    assert bench.steps[4:] == ["begin", "progress 10", "commit", "save 10"]
    assert bench.last.state is JobState.DONE
    assert bench.transactions.state is TransactionState.DONE
    assert bench.sink.topic == bench.source.records(2)


def test_a_transaction_has_so_many_rows_at_most_and_its_record_is_its_last_word():
    """Broken: --transaction-rows is ignored; or a record counts rows of a transaction that is not committed yet."""
    bench = TransactionBench(1_000, rows_max=300).run()
    begun = [sent for name, sent in bench.sink.steps if name == "begin"][1:]
    assert begun == [0, 300, 600, 900]
    assert [name for name in bench.steps if name.startswith("progress")] == [
        f"progress {row}" for row in (0, 300, 600, 900, 1_000)
    ]
    for at, name in enumerate(bench.steps):
        if name.startswith("progress"):
            assert bench.steps[at + 1] == "commit"


def test_a_slow_replay_commits_by_time():
    """Broken: readers at read_committed wait for hours for what was sent."""
    bench = TransactionBench(300, Pace(rows_per_s=100), rows_max=10_000).run()
    rows = [int(name.split()[1]) for name in bench.steps if name.startswith("progress")]
    assert rows == [0, pytest.approx(100, abs=15), pytest.approx(200, abs=30), 300]


def test_rows_that_are_left_out_at_the_end_are_committed_too():
    """Broken: Kafka's record stands before the end, and each night finds the replay of the night before unfinished."""
    bench = TransactionBench(10, left_out=(8, 9)).run()
    assert bench.last.progress.position == bench.source.end
    nothing = TransactionBench(10, left_out=range(10)).run()
    assert nothing.steps[-4:] == ["begin", "progress 10", "commit", "save 10"]


def stopping(bench: TransactionBench, at_rows: int) -> TransactionBench:
    def look() -> None:
        if len(bench.sink.sent) >= at_rows and not bench.stop.signals:
            bench.stop.request(15)

    bench.sink.hook = look
    return bench


def test_a_stop_commits_what_is_acknowledged_and_the_file_is_clean():
    """Broken: a stop takes back what was sent in the last second, or leaves it open until it times out."""
    bench = stopping(TransactionBench(3_000, Pace(rows_per_s=100), rows_max=10_000), 250)
    with pytest.raises(Stopped) as caught:
        bench.run()
    assert caught.value.is_clean
    assert bench.steps[-2:] == ["commit", f"save {len(bench.sink.sent)}"]
    assert bench.last.state is JobState.CLEAN
    assert bench.transactions.state is TransactionState.CLAIMED


def test_a_stop_does_not_wait_for_a_commit_that_nobody_answers():
    """Broken: a replay that is told to stop stays for a minute after its broker has gone."""
    bench = TransactionBench(10)
    bench.options = replace(bench.options, drain_timeout_s=5.0)
    heard: list[float] = []

    def waits() -> Iterator[float]:
        for waited_s in (0.0, 1.0, 4.0, 9.0, 60.0):
            if waited_s == 1.0:
                bench.stop.request(15)
            heard.append(waited_s)
            yield waited_s

    bench.sink.unanswered_s = waits()
    with pytest.raises(Resync, match="told to stop"):
        bench.run()
    assert heard == [0.0, 1.0, 4.0, 9.0]
    assert bench.last.progress.position.row == 0


def test_a_stop_without_acknowledgements_takes_the_rows_back():
    """Broken: rows are committed that were not acknowledged, so that some of them are lost."""
    bench = stopping(TransactionBench(3_000, Pace(rows_per_s=100), rows_max=10_000), 250)
    real = bench.sink.hook

    def look() -> None:
        bench.sink.down = len(bench.sink.sent) >= 245
        real()

    bench.sink.hook = look
    with pytest.raises(Stopped) as caught:
        bench.run()
    assert not caught.value.is_clean
    assert bench.steps[-2] == "abort"
    assert bench.last.progress.position.row < 245
    assert bench.last.state is JobState.RUNNING
    assert bench.transactions.state is TransactionState.ABORTED


@pytest.mark.parametrize("reason", [Resync("timed out"), Fenced("fenced")])
@pytest.mark.parametrize("step", ["commit", "progress 100"])
def test_an_outcome_that_is_not_proven_counts_for_nothing(reason, step):
    """Broken: a commit that failed counts as done, and a hundred rows are missing in the morning."""
    bench = TransactionBench(300, rows_max=100)
    claimed = [False]

    def fail_later(rows: int) -> None:
        if rows == 50 and not claimed[0]:
            claimed[0] = True
            bench.sink.fails = {step: reason}

    bench.sink.on_send = fail_later
    with pytest.raises(type(reason)):
        bench.run()
    assert bench.last.progress.position.row == 0
    assert bench.steps[-2] == "abort"
    assert bench.transactions.state is TransactionState.ABORTED
    assert bench.sink.closed


def test_a_claim_that_fails_leaves_the_instance_new():
    """Broken: the record of who was there before is taken for one that took over, and the job is refused as locked."""
    bench = TransactionBench(10)
    bench.sink.fails = {"commit": Fenced("fenced")}
    with pytest.raises(Fenced):
        bench.run()
    assert bench.transactions.state is TransactionState.NEW
    assert bench.saves == []


@pytest.mark.parametrize(
    ("code", "raised"),
    [
        (KafkaError.INVALID_RECORD, ProducerFatal),
        (KafkaError.INVALID_PRODUCER_EPOCH, Fenced),
        (KafkaError.UNKNOWN_PRODUCER_ID, Resync),
    ],
)
def test_a_record_that_fails_ends_the_job_only_where_it_would_fail_again(code, raised):
    """Broken: a transaction that timed out ends the night, or a record that Kafka never takes is tried for hours."""
    bench = TransactionBench(300)
    bench.sink.outcome = lambda one: Error(code, "said the broker") if one.number == 50 else None
    with pytest.raises(raised) as caught:
        bench.run()
    assert type(caught.value) is raised
    assert bench.last.progress.position.row == 0
    assert "abort" in bench.steps
