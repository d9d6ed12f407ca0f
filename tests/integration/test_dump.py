"""Topics that were dumped into Parquet go back byte for byte, on a real broker; and what would be lost is refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.support.dumps import (
    AS_IT_IS,
    Kept,
    Restored,
    by_partition,
    kept_of,
    made_up,
    produce,
    produce_unreadable,
    write_dump,
)
from tests.support.process import KILLED, Jobs, checkpoint, replay_command
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from tests.conftest import Broker
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.process import Job

PARTITIONS = 5
KEEP = {"retention.ms": "-1"}
RECORDS = made_up(3_000, PARTITIONS)
ISOLATION = {"idempotent": "read_uncommitted", "transactional": "read_committed"}


class Replays:
    """`replay` between dumps and topics of one broker."""

    def __init__(self, jobs: Jobs, bootstrap_servers: str, topic: str, folder: Path) -> None:
        self.jobs, self.bootstrap_servers, self.topic, self.folder = jobs, bootstrap_servers, topic, folder

    def run(self, *inputs: Path, options: Sequence[str] = AS_IT_IS, code: int = 0) -> Job:
        command = replay_command(inputs, self.topic, self.bootstrap_servers, self.folder / "checkpoint.json", *options)
        return self.ended(command, code)

    def verify(self, *inputs: Path, options: Sequence[str] = AS_IT_IS, code: int = 0) -> Job:
        where = ["--topic", self.topic, "--bootstrap-servers", self.bootstrap_servers]
        return self.ended(["verify", *map(str, inputs), *where, *options], code)

    def ended(self, command: Sequence[str], code: int) -> Job:
        job = self.jobs.start(command)
        assert job.wait() == code, job.log
        return job

    def restored(self, records: Sequence[Kept], isolation: str = "read_uncommitted") -> Restored:
        wanted = by_partition(records, PARTITIONS)
        return Restored(self.bootstrap_servers, self.topic, wanted, self.jobs, isolation)


@pytest.fixture
def make(jobs: Jobs, kafka: KafkaCluster | Broker, topic: str, tmp_path: Path) -> Callable[..., Replays]:
    def made(**config: str) -> Replays:
        create_topic(kafka.bootstrap_servers, topic, PARTITIONS, config={**KEEP, **config})
        return Replays(jobs, kafka.bootstrap_servers, topic, tmp_path)

    return made


@pytest.mark.parametrize("delivery", ISOLATION)
def test_a_topic_goes_back_byte_for_byte(make: Callable[..., Replays], delivery: str) -> None:
    """Broken: a topic that is restored has lost tombstones, headers, keys, times or its order."""
    replays = make()
    dump = write_dump(replays.folder / "dump.parquet", RECORDS)
    options = [*AS_IT_IS, "--delivery", delivery, "--verify"]
    job = replays.run(dump, options=options)
    replays.restored(RECORDS, ISOLATION[delivery]).assert_exact()
    assert "3,000 in topic, 0 not selected, 0 bad, of 3,000 rows" in job.output
    again = replays.run(dump, options=options)
    assert "nothing was sent" in again.log or "done" in again.output
    replays.restored(RECORDS, ISOLATION[delivery]).assert_exact()
    replays.verify(dump)


def test_a_dump_of_each_partition_keeps_the_order_of_each(make: Callable[..., Replays]) -> None:
    """Broken: of files for each partition, as Kafka Connect writes them, partitions are swapped, or records reordered.
    Here the partition is only in the folder's name."""
    replays = make()
    folder = replays.folder / "topics" / "t"
    for partition, records in enumerate(by_partition(RECORDS, PARTITIONS)):
        half = len(records) // 2
        for offset, part in ((0, records[:half]), (half, records[half:])):
            path = folder / f"partition={partition}" / f"t+{partition}+{offset:010}.snappy.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_dump(path, part)
            pq.write_table(pq.ParquetFile(path).read().drop_columns(["partition"]), path)
    replays.run(folder)
    replays.restored(RECORDS).assert_exact()
    replays.verify(folder)


def test_a_dump_of_the_rival_goes_back(make: Callable[..., Replays], kafka: KafkaCluster | Broker) -> None:
    """Broken: a dump that kafka-replay-cli has written cannot be replayed, or not as it was. It keeps no headers."""
    replays = make()
    tool = Path(sys.executable).with_name("kafka-replay-cli")
    if not tool.exists():
        pytest.skip("kafka-replay-cli is not installed")
    origin, dump = f"{replays.topic}-origin", replays.folder / "dump.parquet"
    create_topic(kafka.bootstrap_servers, origin, PARTITIONS, config=KEEP)
    records = [replace(each, headers=()) for each in RECORDS]
    produce(kafka.bootstrap_servers, origin, records)
    where = ["--topic", origin, "--bootstrap-servers", kafka.bootstrap_servers, "--output", str(dump)]
    subprocess.run(
        [str(tool), "dump", *where, "--max-messages", str(len(records))],
        env={**os.environ, "TZ": "UTC"},
        check=True,
        timeout=60,
        capture_output=True,
    )
    assert pq.read_metadata(dump).num_rows == len(records)
    refused = replays.run(dump, options=["--preset", "kafka-replay-cli"], code=3)
    assert "goes back in time" in refused.log, "it reads one partition after the other"
    assert "--unsorted keep" in refused.log
    options = ["--preset", "kafka-replay-cli", "--unsorted", "keep"]
    replays.run(dump, options=options)
    replays.restored(records).assert_exact()
    assert kept_of(kafka.bootstrap_servers, origin) == kept_of(kafka.bootstrap_servers, replays.topic)
    replays.verify(dump, options=options)


CHANGES: dict[str, Callable[[Kept], Kept]] = {
    "value": lambda one: replace(one, value=(one.value or b"") + b"!"),
    "key": lambda one: replace(one, key=(one.key or b"") + b"!"),
    "header": lambda one: replace(one, headers=(*one.headers, ("more", None))),
    "time": lambda one: replace(one, timestamp_ms=one.timestamp_ms + 1),
}


def test_one_changed_byte_is_found(make: Callable[..., Replays]) -> None:
    """Broken: `replay verify` says of a topic that it is as its dump, and a byte of it is not."""
    replays = make()
    replays.run(write_dump(replays.folder / "dump.parquet", RECORDS))
    at = next(number for number, one in enumerate(RECORDS) if one.value and one.key and one.headers and number > 1_500)
    for name, change in CHANGES.items():
        records = [*RECORDS[:at], change(RECORDS[at]), *RECORDS[at + 1 :]]
        other = write_dump(replays.folder / f"{name}.parquet", records)
        found = json.loads(replays.verify(other, options=[*AS_IT_IS, "--output", "json"], code=1).output)
        counts = {kind: found[kind] for kind in ("found", "changed", "lost", "foreign", "duplicated")}
        whole = {"found": len(RECORDS) - 1, "changed": 1, "lost": 0, "foreign": 0, "duplicated": 0}
        if name == "key":  # nothing but the value is the same, and that may be of any record
            whole |= {"changed": 0, "lost": 1, "foreign": 1}
        assert counts == whole, name
    tombstone = next(number for number, one in enumerate(RECORDS) if one.value is None)
    empty = [*RECORDS[:tombstone], replace(RECORDS[tombstone], value=b""), *RECORDS[tombstone + 1 :]]
    replays.verify(write_dump(replays.folder / "empty.parquet", empty), code=1)


def test_a_lost_checkpoint_is_made_again(make: Callable[..., Replays]) -> None:
    """Broken: records with headers or without a value are not found in the topic, and are sent a second time."""
    replays = make()
    dump = write_dump(replays.folder / "dump.parquet", RECORDS)
    replays.run(dump, options=[*AS_IT_IS, "--limit", "2000"])
    file = replays.folder / "checkpoint.json"
    file.unlink()
    where = ["--topic", replays.topic, "--bootstrap-servers", replays.bootstrap_servers, "--checkpoint", str(file)]
    replays.ended(["checkpoint", "rebuild", str(dump), *where, *AS_IT_IS], 0)
    assert checkpoint(file)["state"] == "running"
    replays.run(dump)
    replays.restored(RECORDS).assert_exact()


def test_a_record_of_others_with_a_header_that_cannot_be_read(make: Callable[..., Replays]) -> None:
    """Broken: the client's error about it ends a resume, and each one after it."""
    replays = make()
    dump = write_dump(replays.folder / "dump.parquet", RECORDS)
    job = replays.jobs.start(
        replay_command([dump], replays.topic, replays.bootstrap_servers, replays.folder / "checkpoint.json", *AS_IT_IS),
        "after report 2000",
    )
    assert job.wait() == KILLED, job.log
    produce_unreadable(replays.bootstrap_servers, replays.topic, 2)
    replays.run(dump)
    found = json.loads(replays.verify(dump, options=[*AS_IT_IS, "--output", "json"], code=1).output)
    counts = {kind: found[kind] for kind in ("found", "foreign", "lost", "changed", "duplicated")}
    assert counts == {"found": len(RECORDS), "foreign": 1, "lost": 0, "changed": 0, "duplicated": 0}


def test_a_part_of_a_dump_by_time_condition_and_number(make: Callable[..., Replays]) -> None:
    """Broken: a selection of a dump takes other records, or the parts of others."""
    replays = make()
    dump = write_dump(replays.folder / "dump.parquet", RECORDS)
    options = ["--from", "2023-11-14T22:13:20.100Z", "--where", "partition != 3", "--limit", "700"]
    replays.run(dump, options=[*AS_IT_IS, *options])
    picked = [one for one in RECORDS if one.timestamp_ms >= 1_700_000_000_100 and one.partition != 3][:700]
    replays.restored(picked).assert_exact()


def test_ids_of_another_registry_are_told(make: Callable[..., Replays]) -> None:
    """Broken: what is restored into another cluster names schemas that its registry does not have."""
    replays = make()
    framed = [replace(one, value=b"\0\0\0\0" + bytes([5 + n % 2]) + b"x") for n, one in enumerate(RECORDS[:300])]
    framed += [replace(one, value=None) for one in RECORDS[300:310]]
    dump = write_dump(replays.folder / "dump.parquet", framed)
    half = [*AS_IT_IS, "--translate-schema-ids", "5=300"]
    refused = replays.run(dump, options=half, code=3)
    assert "begins with a schema id that --translate-schema-ids does not name ('id 6')" in refused.log
    replays.run(dump, options=[*half, "--translate-schema-ids", "6=6"])
    wanted = [
        one if one.value is None or one.value[4] == 6 else replace(one, value=b"\0\0\0\x01\x2cx") for one in framed
    ]
    replays.restored(wanted).assert_exact()


# -- what would be lost is refused before the first record ---------------------------------------------------


def without(column: str, *, options: Sequence[str] = AS_IT_IS) -> list[str]:
    at = options.index(f"--{column}-column")
    return [*options[:at], *options[at + 2 :]]


def test_a_compacted_topic_takes_no_record_without_a_key(make: Callable[..., Replays]) -> None:
    """Broken: the broker refuses one in the middle of the run (exit 7), with a part of the topic restored."""
    replays = make(**{"cleanup.policy": "compact"})
    dump = write_dump(replays.folder / "dump.parquet", RECORDS)
    refused = replays.run(dump, code=2)
    assert "is compacted: it takes no record without a key" in refused.log
    assert not any(kept_of(replays.bootstrap_servers, replays.topic))
    with_keys = [one for one in RECORDS if one.key is not None]
    replays.run(dump, options=[*AS_IT_IS, "--where", "key is not null"])
    found = {(one.partition, one.key): one for one in with_keys}
    last = [one for part in kept_of(replays.bootstrap_servers, replays.topic) for one in part]
    assert {(one.partition, one.key): one for one in last} == found


def test_a_record_for_no_partition_is_refused(make: Callable[..., Replays]) -> None:
    """Broken: the dump of a topic with more partitions ends in the middle."""
    replays = make()
    records = [*RECORDS[:500], replace(RECORDS[500], partition=PARTITIONS)]
    refused = replays.run(write_dump(replays.folder / "dump.parquet", records), code=3)
    assert f"its partition is {PARTITIONS}, and the topic has {PARTITIONS}" in refused.log
    assert not any(kept_of(replays.bootstrap_servers, replays.topic))


@pytest.mark.parametrize("part", ["value", "key", "header"])
def test_a_record_over_the_limit_is_refused(make: Callable[..., Replays], part: str) -> None:
    """Broken: a record that the client does not take ends the run in the middle."""
    replays, large = make(), b"x" * 1_000_000
    one = replace(RECORDS[500], value=b"v", key=b"k", headers=())
    too_large = {"value": replace(one, value=large), "key": replace(one, key=large)}
    too_large["header"] = replace(one, headers=(("h", large),))
    dump = write_dump(replays.folder / "dump.parquet", [*RECORDS[:500], too_large[part], *RECORDS[501:600]])
    refused = replays.run(dump, code=3)
    assert re.search(r"row 500 .*the record of this row has 1,000,0\d\d bytes", refused.log), refused.log
    assert not any(kept_of(replays.bootstrap_servers, replays.topic))


def test_records_without_a_key_need_a_partition(make: Callable[..., Replays]) -> None:
    """Broken: records without a key go somewhere, and nobody knows where."""
    replays = make()
    dump = write_dump(replays.folder / "dump.parquet", RECORDS)
    refused = replays.run(dump, options=without("partition"), code=3)
    assert "is null, and nothing else says which partition the record is for" in refused.log
    keyless = replays.run(dump, options=without("key", options=without("partition")), code=2)
    assert "nothing says which partition a record is for" in keyless.log
    quarantined = [*without("partition"), "--on-bad-row", "quarantine", "--bad-rows-max", "90%"]
    replays.run(dump, options=quarantined)
    aside = pq.read_table(replays.folder / "checkpoint.json.quarantine.parquet")
    bad = [one for one in RECORDS if one.key is None]
    assert aside["value"].to_pylist() == [one.value for one in bad]
    assert pc.all(pc.match_substring(aside["_reason"], "key is null")).as_py()
    read = [one for part in kept_of(replays.bootstrap_servers, replays.topic) for one in part]
    assert len(read) == len(RECORDS) - len(bad)
    assert all(one.key is not None for one in read)


def test_a_plan_counts_a_dump_by_partition(make: Callable[..., Replays]) -> None:
    """Broken: the plan shows how records would spread by a symbol that none has."""
    replays = make()
    dump = write_dump(replays.folder / "dump.parquet", RECORDS)
    where = ["--topic", replays.topic, "--bootstrap-servers", replays.bootstrap_servers]
    plan = replays.ended(["plan", str(dump), *where, *AS_IT_IS, "--scan", "--output", "json"], 0)
    found = json.loads(plan.output)
    assert found["partitions"] == [len(part) for part in by_partition(RECORDS, PARTITIONS)]
    assert (found["scan"]["symbols"], found["problems"]) == ({}, [])


def test_on_the_embedded_broker(jobs: Jobs, tmp_path: Path) -> None:
    """Broken: trying it out without a broker fails on the first tombstone."""
    dump = write_dump(tmp_path / "dump.parquet", made_up(500, 4))
    job = jobs.start(["run", str(dump), "--topic", "t", "--embedded", "--verify", *AS_IT_IS])
    assert job.wait() == 0, job.log
    assert "500 in topic" in job.output


def test_a_file_of_trades_may_have_keys_and_headers_of_its_own(make: Callable[..., Replays]) -> None:
    """Broken: only dumps may say what a record is beside its value."""
    replays = make()
    table = pq.read_table(write_dump(replays.folder / "dump.parquet", RECORDS[:200]))
    count = pa.array(range(200), pa.int64())
    table = table.append_column("symbol", pa.array(["A", "B"] * 100)).append_column("price", count)
    path = replays.folder / "trades.parquet"
    pq.write_table(table.append_column("event_time", table["timestamp"]), path)
    columns = ("key", "headers", "partition", "timestamp")
    options = [each for name in columns for each in (f"--{name}-column", name)]
    replays.run(path, options=options)
    read = kept_of(replays.bootstrap_servers, replays.topic)
    wanted = by_partition(RECORDS[:200], PARTITIONS)
    assert [[(one.key, one.headers, one.timestamp_ms) for one in part] for part in read] == [
        [(one.key, one.headers, one.timestamp_ms) for one in part] for part in wanted
    ]
    assert all(json.loads(one.value or b"")["symbol"] in ("A", "B") for part in read for one in part)
    replays.verify(path, options=options)
