"""`replay run` and `replay demo` as a user types them: on a real broker, and on the embedded one."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from confluent_kafka import murmur2

from replay.cli.options.looking import SampleLayout
from tests.support.process import Jobs, checkpoint, replay_command
from tests.support.readback import Record, compare, expected_records, partition_count, read_topic
from tests.support.scenario import Trades, make_trades
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from tests.conftest import Broker
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.process import Job

BINANCE = Path(__file__).parents[1] / "data" / "binance_btcusdt-trades.parquet"
KEEP = {"retention.ms": "-1"}


@pytest.fixture(scope="module")
def trades(tmp_path_factory: pytest.TempPathFactory) -> Trades:
    return make_trades(tmp_path_factory.mktemp("trades") / "in", 3_000)


class Runner:
    """`replay run` into one topic of one broker."""

    def __init__(self, jobs: Jobs, bootstrap_servers: str, topic: str, folder: Path) -> None:
        self.jobs, self.bootstrap_servers, self.topic, self.folder = jobs, bootstrap_servers, topic, folder

    def __call__(self, *inputs: str | Path, options: str = "", code: int = 0) -> Job:
        checkpoint = self.folder / "checkpoint.json"
        command = replay_command(inputs, self.topic, self.bootstrap_servers, checkpoint, *options.split())
        job = self.jobs.start(command)
        assert job.wait() == code, job.log
        return job

    def read(self) -> list[list[Record]]:
        return read_topic(self.bootstrap_servers, self.topic, deadline_s=60)


@pytest.fixture
def run(jobs: Jobs, kafka: KafkaCluster | Broker, topic: str, tmp_path: Path) -> Runner:
    create_topic(kafka.bootstrap_servers, topic, 6, config=KEEP)
    return Runner(jobs, kafka.bootstrap_servers, topic, tmp_path)


@pytest.fixture
def run_without_topic(jobs: Jobs, kafka: KafkaCluster | Broker, topic: str, tmp_path: Path) -> Runner:
    return Runner(jobs, kafka.bootstrap_servers, topic, tmp_path)


def binance() -> pa.Table:
    table = pq.read_table(BINANCE)
    return table.append_column("symbol", pa.array(["BTCUSDT"] * len(table))).rename_columns(
        ["event_time" if name == "timestamp" else name for name in [*table.column_names, "symbol"]]
    )


def test_real_trades_of_an_exchange(run: Runner) -> None:
    """Broken: the first thing a newcomer tries, real trades without a symbol column, would not arrive as told."""
    job = run(BINANCE, options="--symbol BTCUSDT --map event_time=timestamp")
    read = run.read()
    table = binance()
    assert len(table) == 2_001
    verdict = compare(expected_records(table), read)
    assert verdict.exact, str(verdict)
    home = read[murmur2(b"BTCUSDT", 6)]
    assert len(home) == 2_001
    first = home[0]
    assert first.key == b"BTCUSDT"
    times = table["event_time"].cast(pa.int64()).to_pylist()
    assert first.timestamp_ms == times[0]
    value = (first.value or b"").decode()
    price = table["price"][0].as_py()
    form = r'\{"symbol": "BTCUSDT", "price": [0-9.]+, "event_time": "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"\}'
    assert re.fullmatch(form, value), value
    assert json.loads(value)["price"] == price
    assert "2,001 in topic, 0 not selected, 0 bad, of 2,001 rows" in job.output


def test_overlapping_files_become_one_order(run: Runner, tmp_path: Path) -> None:
    """Broken: files with one symbol each would be sent one after the other, hours out of step."""
    trades = make_trades(tmp_path / "by-symbol", 3_000, symbols=7, layout=SampleLayout.BY_SYMBOL)
    run(trades.folder)
    read = run.read()
    verdict = compare(trades.rows, read)
    assert verdict.exact, str(verdict)
    mixed = [partition for partition in read if len({record.key for record in partition}) > 1]
    assert mixed, "this test needs a partition with two symbols"


def test_further_fields(run: Runner, trades: Trades) -> None:
    """Broken: columns asked for would be missing, under other names, or of other rows."""
    run(trades.folder, options="--fields quantity,side,trade_id")
    table = pa.concat_tables([pq.read_table(path) for path in sorted(trades.folder.iterdir())])
    verdict = compare(expected_records(table, ["quantity", "side", "trade_id"]), run.read())
    assert verdict.exact, str(verdict)


def test_order_as_is(run: Runner, tmp_path: Path) -> None:
    """Broken: rows that go back in time would be sorted, or refused, although their order was to be kept;
    or files be taken as 1, 10, 2."""
    times = [5, 3, 4, 1, 2, 0]
    tables = []
    for name in ("1", "2", "10"):
        stamps = pa.array([1_600_000_000_000 + t for t in times], pa.timestamp("ms"))
        prices = pa.array([float(f"{name}.{i}") for i in range(6)])
        tables.append(pa.table({"symbol": ["A"] * 6, "price": prices, "event_time": stamps}))
        pq.write_table(tables[-1], tmp_path / f"part-{name}.parquet")
    inputs = sorted(tmp_path.glob("part-*.parquet"))
    refused = run(*inputs, code=3)
    assert "--order as-is" in refused.log
    assert not any(run.read()), "a refused input sends nothing"
    run(*inputs, options="--order as-is")
    verdict = compare(expected_records(pa.concat_tables(tables)), run.read())
    assert verdict.exact, str(verdict)


def duration_s(job: Job) -> float:
    """What the summary says: `time  3.1 s in all; 2.5 s of it sending, 1,200 rows/s`."""
    found = re.search(r"^time +[\d.]+ s in all; ([\d.]+) (ms|s) of it sending,", job.output, re.MULTILINE)
    assert found, job.output
    return float(found[1]) / (1_000 if found[2] == "ms" else 1)


@pytest.mark.parametrize("pace", ["--rate 1500/s", "--speed 86400x"])
def test_the_pace_is_kept_and_lateness_told(run: Runner, trades: Trades, pace: str) -> None:
    """Broken: a replay would be far faster or slower than asked for, or not say that it is late."""
    began_s = time.monotonic()
    job = run(trades.folder, options=pace)
    assert time.monotonic() - began_s >= 2.0
    # 3,000 rows at 1,500/s, or two days in 2 s; a fresh producer's first ACK comes on top
    assert 1.8 <= duration_s(job) <= 5.0
    assert re.search(r"lateness +p50 [\d.]+ ms, p99 [\d.]+ ms, max [\d.]+ ms", job.output), job.output
    verdict = compare(trades.rows, run.read())
    assert verdict.exact, str(verdict)


def test_a_long_gap_can_be_shortened(run: Runner, tmp_path: Path) -> None:
    """Broken: a replay at event-time speed would sit out a night without trades."""
    stamps = pa.array([1_600_000_000_000 + ms for ms in (0, 100, 3_600_000, 3_600_100)], pa.timestamp("ms"))
    table = pa.table({"symbol": ["A"] * 4, "price": [1.0, 2.0, 3.0, 4.0], "event_time": stamps})
    pq.write_table(table, tmp_path / "gap.parquet")
    job = run(tmp_path / "gap.parquet", options="--speed 1x --max-gap 1s")
    assert 1.0 <= duration_s(job) <= 5.0
    verdict = compare(expected_records(table), run.read())
    assert verdict.exact, str(verdict)


def test_the_topic_can_be_created(run_without_topic: Runner, trades: Trades) -> None:
    """Broken: the topic would get other partitions than asked for, or throw old trades away."""
    run = run_without_topic
    run(trades.folder, options="--create-topic 5:1")
    assert partition_count(run.bootstrap_servers, run.topic) == 5
    verdict = compare(trades.rows, run.read())
    assert verdict.exact, str(verdict)
    again = run(trades.folder, options="--create-topic 7")
    assert "exists with 5 partitions" in again.log


def test_an_unknown_topic_is_not_made_by_mistake(run_without_topic: Runner, trades: Trades) -> None:
    """Broken: a mistyped name would become a topic of its own."""
    run = run_without_topic
    refused = run(trades.folder, code=2)
    assert "there is no topic" in refused.log
    assert "--create-topic" in refused.log
    assert not (run.folder / "checkpoint.json").exists()
    again = run(trades.folder, code=2)
    assert "there is no topic" in again.log, "the first attempt made it"


@pytest.mark.parametrize(
    "setting",
    [
        "acks=1",
        "enable.idempotence=false",
        "message.timeout.ms=300000",
        "max.in.flight=6",
        "partitioner=consistent",
        "transactional.id=me",
    ],
)
def test_a_setting_that_breaks_the_promise_is_refused(run: Runner, trades: Trades, setting: str) -> None:
    """Broken: a well-meant setting would silently turn exactly once into something else."""
    refused = run(trades.folder, options=f"-X {setting}", code=2)
    assert f"{setting.partition('=')[0]} is refused: " in refused.log
    assert not any(run.read()), "nothing may be sent"
    assert checkpoint(run.folder / "checkpoint.json") == {}


def test_another_setting_reaches_librdkafka(run: Runner, trades: Trades) -> None:
    """Broken: -X would be swallowed, and nobody could tune anything."""
    refused = run(trades.folder, options="-X no.such.setting=1", code=2)
    assert "no.such.setting" in refused.log
    run(trades.folder, options="-X batch.num.messages=7 --compression lz4")
    verdict = compare(trades.rows, run.read())
    assert verdict.exact, str(verdict)


# --- nothing but Python -------------------------------------------------------------------------------------


def folders_under(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_the_demo(jobs: Jobs, tmp_path: Path) -> None:
    """Broken: the first command of the README would fail, take long, or show a replay that is not exact."""
    (tmp_path / "tmp").mkdir()
    env = {"TMPDIR": str(tmp_path / "tmp"), "XDG_STATE_HOME": str(tmp_path / "state"), "COLUMNS": "120"}
    began_s = time.monotonic()
    job = jobs.start(["demo"], env=env)
    assert job.wait(60) == 0, job.log
    assert time.monotonic() - began_s < 30
    table = {label.strip(): count for label, count in re.findall(r"│ ([^│]+?) +│ +([\d,]+) +│", job.output)}
    rows = table["in the source"]
    assert table["in the topic"] == rows
    assert [table[label] for label in ("lost", "duplicated", "out of order")] == ["0", "0", "0"], job.output
    counts = {label: int(count.replace(",", "")) for label, count in table.items()}
    assert counts["sent before the kill"] > 0, "there must be a kill in the middle"
    assert counts["of these not in the checkpoint, found in the topic"] > 0, "or the demo shows nothing"
    assert counts["sent before the kill"] + counts["sent after the kill"] == counts["in the source"]
    assert folders_under(tmp_path / "tmp") == []
    assert not (tmp_path / "state").exists()


def test_an_embedded_run_leaves_nothing(jobs: Jobs, trades: Trades, tmp_path: Path) -> None:
    """Broken: a trial run would leave files behind, or a checkpoint that hides rows from the real run."""
    (tmp_path / "tmp").mkdir()
    env: dict[str, Any] = {"TMPDIR": str(tmp_path / "tmp"), "XDG_STATE_HOME": str(tmp_path / "state")}
    job = jobs.start(["run", str(trades.folder), "--topic", "t", "--embedded"], env=env)
    assert job.wait(30) == 0, job.log
    assert "gone when this command ends" in job.log
    assert "3,000 in topic, 0 not selected, 0 bad, of 3,000 rows" in job.output
    assert folders_under(tmp_path / "tmp") == []
    assert not (tmp_path / "state").exists()
    again = jobs.start(["run", str(trades.folder), "--topic", "t", "--embedded"], env=env)
    assert again.wait(30) == 0, again.log
    assert re.search(r"^delivered +3,000 ", again.output, re.MULTILINE), again.output


def test_an_embedded_run_never_touches_a_real_checkpoint(jobs: Jobs, trades: Trades, tmp_path: Path) -> None:
    """Broken: a trial run would mark rows as sent that no real broker has ever seen."""
    real = tmp_path / "checkpoint.json"
    job = jobs.start(["run", str(trades.folder), "--topic", "t", "--embedded", "--checkpoint", str(real)])
    assert job.wait(30) == 2, job.log
    assert not real.exists()
