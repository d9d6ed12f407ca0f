"""How long a resume waits before it believes the watermarks, with a clock that nobody waits for."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from replay.checkpoint.resume import SETTLE_GAP_S
from replay.delivery import idempotent
from replay.errors import BrokerUnavailable
from replay.model import Resync
from tests.unit.fakes import FakeClock, run_options


@dataclass
class Surfacing:
    """A partition in which what a hanging replica holds back shows after `hidden_s`: 7 records instead of 3. From
    `too_few_s` on there are too few replicas in sync, until `enough_s`, when the wait for what is hidden begins."""

    clock: FakeClock
    hidden_s: float
    too_few_s: float = 0.0
    enough_s: float = 0.0
    began_s: float = field(init=False)
    asked: set[bool] = field(init=False, default_factory=set)
    """Whether each replica was to be asked."""

    def __post_init__(self) -> None:
        self.began_s = self.clock.time_s

    def high_watermarks(self, _topic: Any) -> list[int]:
        return [7 if self.clock.time_s - self.began_s >= self.enough_s + self.hidden_s else 3]

    def wait_in_sync(self, _topic: Any, *, ask_each: bool) -> bool:
        self.asked.add(ask_each)
        waited = False
        while self.too_few_s <= self.clock.time_s - self.began_s < self.enough_s:
            self.clock.sleep(0.25)
            waited = True
        return waited


def settled(
    replication: int, hidden_s: float, settle_s: float | None = None, **too_few: float
) -> tuple[list[int], float]:
    """What a resume takes for the watermarks, one interval after the last save, and how long it waited for that."""
    return settled_on(Surfacing(FakeClock(), hidden_s, **too_few), replication, settle_s)


def settled_on(cluster: Surfacing, replication: int, settle_s: float | None = None) -> tuple[list[int], float]:
    clock = cluster.clock
    ready: Any = SimpleNamespace(
        options=SimpleNamespace(settle_s=settle_s),
        topic=SimpleNamespace(replication=replication, replica_lag_max_s=30.0),
        cluster=cluster,
        clock=clock,
        sleep=clock.sleep,
        report=SimpleNamespace(info=lambda _: None),
    )
    saved: Any = SimpleNamespace(saved_at_s=clock.now(), interval_s=1.0)
    began_s = clock.time_s
    watermarks = idempotent._settled_watermarks(ready, saved)
    return watermarks, clock.time_s - began_s


@pytest.mark.parametrize("hidden_s", [0.0, 20.0, 45.0])
def test_with_replicas_it_waits_until_none_can_hold_rows_back(hidden_s):
    """Broken: rows that a hanging replica keeps below the high watermark surface after the resume has looked, and are
    sent a second time."""
    watermarks, waited_s = settled(3, hidden_s)
    assert watermarks == [7]
    assert 45 <= waited_s < 47


@pytest.mark.parametrize(
    ("replication", "settle_s", "asked"), [(3, None, {True}), (3, 60.0, {False}), (1, None, set())]
)
def test_each_replica_is_asked_but_for_settle(replication, settle_s, asked):
    """Broken: what a hanging replica hides for longer than the wait is sent again; or --settle waits for it."""
    cluster = Surfacing(FakeClock(), 0.0)
    settled_on(cluster, replication, settle_s)
    assert cluster.asked == asked


@pytest.mark.parametrize("too_few_s", [0.0, 10.0, 45.0])
@pytest.mark.parametrize("hidden_s", [0.0, 20.0, 44.0])
def test_with_too_few_in_sync_the_wait_begins_when_there_are_enough(too_few_s, hidden_s):
    """Broken: below min.insync.replicas a leader hides what it has appended, however long that lasts (KIP-966): rows
    surface minutes after the resume has looked, and are sent a second time."""
    watermarks, waited_s = settled(3, hidden_s, too_few_s=too_few_s, enough_s=200.0)
    assert watermarks == [7]
    assert 245 <= waited_s < 247


def test_with_one_replica_two_equal_looks_are_enough():
    """Broken: a request that was in the broker's socket when the job died is appended behind the resume's back."""
    watermarks, waited_s = settled(1, SETTLE_GAP_S / 2)
    assert watermarks == [7]
    assert waited_s == pytest.approx(2 * SETTLE_GAP_S, abs=0.01)


def test_who_knows_better_says_so():
    """Broken: --settle would not be listened to."""
    watermarks, waited_s = settled(3, 119.0, settle_s=120.0)
    assert watermarks == [7]
    assert waited_s >= 120


def test_producers_that_get_no_further_end_at_the_broker_deadline(monkeypatch):
    """Broken: whatever goes wrong again with each new producer is tried again without end, night after night."""
    clock = FakeClock()
    warnings: list[str] = []
    started: list[float] = []

    class Failing:
        def __init__(self, *_: Any) -> None:
            started.append(clock.time_s)

        def run(self) -> None:
            clock.sleep(20.0)
            raise Resync("the producer's epoch changed inside the run")

    progress = SimpleNamespace(position=SimpleNamespace(row=7))
    ready: Any = SimpleNamespace(
        clock=clock,
        tally=SimpleNamespace(first_row=0, done_rows=0, begins=lambda _: None),
        report=SimpleNamespace(warning=warnings.append),
        watch=SimpleNamespace(confirm=lambda: None),
        cluster=SimpleNamespace(log_in=lambda: None),
        options=run_options(broker_timeout_s=50.0),
    )
    for name, instead in (
        ("Session", Failing), ("KafkaSink", lambda _: None), ("Flight", lambda *_: None),
        ("ByCheckpoint", lambda *_: None), ("_reload", lambda _: None), ("_resume", lambda *_: progress),
    ):  # fmt: skip
        monkeypatch.setattr(idempotent, name, instead)
    begun_s = clock.time_s
    with pytest.raises(BrokerUnavailable, match=r"no producer got any further for 60 s \(the producer's epoch"):
        idempotent.deliver(ready, saved=ready)
    assert clock.time_s - begun_s == pytest.approx(80.0), "the deadline counts from the first failure"
    assert len(started) == 4
    assert len(warnings) == 3
