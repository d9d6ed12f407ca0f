"""SIGKILL to replays that leave rows out or put them into another order; then the same command again.

Rows that have no record still count in positions, so a resume has more ways to go astray than one of all rows.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.process import KILLED, checkpoint_row
from tests.support.readback import Row
from tests.support.scenario import Trades
from tests.support.trades import Trade, iso, jittered, merged, merged_as_they_stand, sent, table, trades

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.conftest import Broker
    from tests.fault.conftest import MakeScenario
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.scenario import Scenario

FILES, ROWS = 4, 12_000
GROUP_ROWS = 400
BAD_EVERY = 23
SECOND_NS = 1_000_000_000
SORTED = [trades("us", ROWS, SECOND_NS)[at::FILES] for at in range(FILES)]
"""Files that overlap from begin to end."""
MANY = [trades("us", ROWS, SECOND_NS)[at::60] for at in range(60)]
"""More than are kept open at the same time."""
LATE = [jittered(file) for file in SORTED]
FROM_NS, TO_NS = SORTED[0][500].ns, SORTED[0][2_500].ns
SELECT = ["--symbols", "BTC*,SOLUSDT", "--from", iso(FROM_NS, 6), "--to", iso(TO_NS, 6)]

NO_TIME = ("event_time", None, "time is null or empty")
BAD: Sequence[tuple[str, Any, str]] = (
    ("price", None, "price is null or empty"),
    ("symbol", None, "symbol is null or empty"),
    ("price", float("nan"), "price is not finite"),
    NO_TIME,
)


def flaw(trade: Trade) -> tuple[str, Any, str] | None:
    """What is wrong with its row in the files with bad rows."""
    return BAD[trade.id // BAD_EVERY % len(BAD)] if trade.id % BAD_EVERY == 0 else None


def is_good(trade: Trade) -> bool:
    return flaw(trade) is None


def is_selected(trade: Trade) -> bool:
    return FROM_NS <= trade.ns < TO_NS and trade.symbol in {"BTCUSDT", "BTCEUR", "SOLUSDT"}


@dataclass(frozen=True)
class Kind:
    """A way to leave rows out or to order them: files, options, the order of all rows, which of them have a record."""

    name: str
    files: Sequence[Sequence[Trade]]
    options: Sequence[str]
    order: Callable[[Sequence[Sequence[Trade]]], list[Trade]] = merged
    has_record: Callable[[Trade], bool] = is_good
    records_max: int = ROWS

    def write(self, folder: Path) -> Trades:
        folder.mkdir()
        for number, made in enumerate(self.files):
            rows = table(made) if self.has_record is is_selected else with_flaws(made)
            pq.write_table(rows, path_of(folder, number), row_group_size=GROUP_ROWS)
        timed = [[trade for trade in made if flaw(trade) != NO_TIME] for made in self.files]
        ordered = self.order(self.files if self.has_record is is_selected else timed)
        records = sent([trade for trade in ordered if self.has_record(trade)][: self.records_max])
        return Trades(folder, [Row(each.key or b"", each.value.encode(), each.timestamp_ms) for each in records])


KINDS = [
    Kind("selected", SORTED, SELECT, has_record=is_selected),
    Kind("limited", SORTED, ["--on-bad-row", "skip", "--limit", "9000"], records_max=9_000),
    Kind("quarantined", SORTED, ["--on-bad-row", "quarantine"]),
    Kind("many files", MANY, ["--on-bad-row", "skip"]),
    Kind("sorted", LATE, ["--unsorted", "sort", "--on-bad-row", "skip"]),
    Kind("kept", LATE, ["--unsorted", "keep", "--on-bad-row", "skip"], order=merged_as_they_stand),
]


def path_of(folder: Path, number: int) -> Path:
    return folder / f"{number}.parquet"


def with_flaws(made: Sequence[Trade]) -> pa.Table:
    rows = table(made).to_pylist()
    for row, trade in zip(rows, made, strict=True):
        if (wrong := flaw(trade)) is not None:
            row[wrong[0]] = wrong[1]
    return pa.Table.from_pylist(rows, schema=table(made).schema)


def put_aside(replay: Scenario) -> list[tuple[str, int, str]]:
    rows = pq.read_table(aside_of(replay)).to_pylist()
    return [(row["_file"], row["_row"], row["_reason"]) for row in rows]


def aside_of(replay: Scenario) -> Path:
    return replay.checkpoint.with_name(replay.checkpoint.name + ".quarantine.parquet")


def all_bad(replay: Scenario) -> list[tuple[str, int, str]]:
    return [
        (str(path_of(replay.trades.folder, number)), row, wrong[2])
        for number, made in enumerate(SORTED)
        for row, trade in enumerate(made)
        if (wrong := flaw(trade)) is not None
    ]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_killed_and_killed_again(
    kafka: KafkaCluster | Broker, scenario: MakeScenario, tmp_path: Path, kind: Kind
) -> None:
    """Broken: a resume among rows that are left out, or in another order, would lose, repeat or swap trades."""
    rng = random.Random(kind.name)
    replay = scenario(kind.write(tmp_path / "in"), kafka.bootstrap_servers, "--rate", "36k/s", *kind.options)
    third = len(replay.trades.rows) // 3
    first, second = rng.randrange(1, third), rng.randrange(1, third)
    replay.run("--checkpoint-interval", "50ms", code=KILLED, crash=f"after report {first}")
    replay.add_foreign()
    resumed = replay.run(
        "--checkpoint-interval", rng.choice(["50ms", "5s"]), code=KILLED, crash=f"after report {second}"
    )
    assert "resuming at row" in resumed.log
    assert checkpoint_row(replay.checkpoint) < ROWS
    replay.finish()
    if kind.name == "quarantined":
        assert put_aside(replay) == all_bad(replay)


def test_killed_while_bad_rows_are_put_aside(
    kafka: KafkaCluster | Broker, scenario: MakeScenario, tmp_path: Path
) -> None:
    """Broken: a quarantine that a kill cut short would pass for the whole, or a resume would add its rows again."""
    kind = KINDS[2]
    replay = scenario(kind.write(tmp_path / "in"), kafka.bootstrap_servers, "--rate", "max", *kind.options)
    replay.run(code=KILLED, crash="after aside 2")
    assert not aside_of(replay).exists()
    replay.run(code=KILLED, crash="cut after finish 1")
    assert put_aside(replay) == all_bad(replay), "a power cut takes what was put aside"
    replay.run(code=KILLED, crash="after report 100")
    whole = aside_of(replay).read_bytes()
    replay.finish()
    assert aside_of(replay).read_bytes() == whole
    assert sorted(path.name for path in replay.checkpoint.parent.glob("*.quarantine*")) == [aside_of(replay).name]
