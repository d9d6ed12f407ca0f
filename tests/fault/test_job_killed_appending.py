"""SIGKILL while rows are appended to a replay that was done, and on the first day that was not empty any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from tests.support.process import KILLED, checkpoint

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from _pytest.mark import ParameterSet

    from tests.conftest import Broker
    from tests.fault.conftest import MakeScenario
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.scenario import Scenario, Trades

MOMENTS = ["before save 1", "after save 1", "after send 1", "after report 1", "after report 900", "before done 1"]
"""Of the run that appends: nothing written; the checkpoint says that there is more; rows nobody knows; and the end."""

WHAT_MOMENTS_DIFFER_IN = ("before save 1", "after save 1", "after report 900")
"""What the input was like is all that a file that grew and an empty day have of their own: the run knows it, and the
checkpoint does not; both know it; rows that both tell of are in the topic. Rows are sent in one and the same way."""


def moments(quick: Sequence[str]) -> list[ParameterSet]:
    """All as parameters; those that are not quick take their turn with `-m soak`."""
    return [pytest.param(each, marks=() if each in quick else pytest.mark.soak) for each in MOMENTS]


def growing(replay: Scenario, trades: Trades, folder: Path) -> list[Path]:
    """The files of the trades, in their order, and a replay of a folder that has none of them yet."""
    folder.mkdir()
    paths = sorted(trades.folder.iterdir())
    replay.trades = type(trades)(folder, trades.rows)
    return paths


def killed_and_finished(replay: Scenario, crash: str) -> None:
    """The run that appends dies, twice; the same command then finishes it."""
    job = replay.run("--when-changed", "append", crash=crash, code=KILLED)
    assert "records behind those of this replay" not in job.log
    replay.run("--when-changed", "append", crash="after send 1", code=0 if crash == "before done 1" else KILLED)
    replay.run("--when-changed", "append", "--rate", "max", code=0)
    replay.assert_exact()


@pytest.mark.parametrize("crash", MOMENTS)
@pytest.mark.parametrize("delivery", ["idempotent", "transactional"])
def test_a_file_more(
    kafka: KafkaCluster | Broker, trades: Trades, scenario: MakeScenario, tmp_path: Path, delivery: str, crash: str
) -> None:
    """Broken: a kill while a late file is appended would lose its rows, or send rows a second time."""
    if (delivery, crash) == ("transactional", "before done 1"):
        crash = "before commit 2"  # the first is the claim
    replay = scenario(trades, kafka.bootstrap_servers, "--delivery", delivery, "--checkpoint-interval", "100ms")
    replay.isolation = "read_committed" if delivery == "transactional" else "read_uncommitted"
    first, *more = growing(replay, trades, tmp_path / "in")
    (replay.trades.folder / first.name).write_bytes(first.read_bytes())
    replay.run("--rate", "max", code=0)
    assert checkpoint(replay.checkpoint)["state"] == "done"
    for path in more:
        (replay.trades.folder / path.name).write_bytes(path.read_bytes())
    killed_and_finished(replay, crash)


@pytest.mark.parametrize("crash", moments(WHAT_MOMENTS_DIFFER_IN))
def test_a_file_that_grew(
    kafka: KafkaCluster | Broker, trades: Trades, scenario: MakeScenario, tmp_path: Path, crash: str
) -> None:
    """Broken: a kill while the rows of a file that was written again are appended would lose or repeat some."""
    replay = scenario(trades, kafka.bootstrap_servers, "--checkpoint-interval", "100ms")
    first, *more = growing(replay, trades, tmp_path / "in")
    whole, there = pq.read_table(first), replay.trades.folder / first.name
    pq.write_table(whole.slice(0, whole.num_rows // 2), there)
    replay.run("--rate", "max", code=0)
    pq.write_table(whole, there)
    for path in more:
        (replay.trades.folder / path.name).write_bytes(path.read_bytes())
    killed_and_finished(replay, crash)


@pytest.mark.parametrize("crash", moments(WHAT_MOMENTS_DIFFER_IN))
def test_a_day_that_was_empty(
    kafka: KafkaCluster | Broker, trades: Trades, scenario: MakeScenario, tmp_path: Path, crash: str
) -> None:
    """Broken: what came after a look at an empty day would be lost, or sent twice, where a kill comes between."""
    replay = scenario(trades, kafka.bootstrap_servers, "--checkpoint-interval", "100ms", "--empty", "ok")
    first, *more = growing(replay, trades, tmp_path / "in")
    schema = pq.read_schema(first)
    pq.write_table(schema.empty_table(), replay.trades.folder / first.name)
    replay.run("--rate", "max", code=0)
    assert checkpoint(replay.checkpoint)["state"] == "empty"
    for path in [first, *more]:
        (replay.trades.folder / path.name).write_bytes(path.read_bytes())
    replay.run(crash=crash, code=KILLED)
    replay.run("--rate", "max", code=0)
    replay.assert_exact()
