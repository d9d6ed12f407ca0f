"""A checkpoint that does not fit any more is refused with what differs; what may go wrong is said before the start;
and `replay checkpoint` shows, forgets and makes checkpoints again. Idempotent delivery, on a real Kafka."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from tests.support.bad_files import edit_checkpoint
from tests.support.called import Outcome, call
from tests.support.process import KILLED, Jobs, checkpoint, checkpoint_row
from tests.support.readback import compare, expected_records, read_topic
from tests.support.scenario import Scenario, make_trades
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Broker
    from tests.support.kafka_cluster import KafkaCluster

ROWS = 3_000
STOP_AT = 1_000
"""Where the first run of most tests is stopped: a third, in the first of two files."""

PUT_BACK = "put back what changed, or name another file with --checkpoint, or start over on purpose with --restart"


@dataclass
class Place(Scenario):
    """A scenario whose commands, but for those that get killed, run in this process: that is faster."""

    def replay(self, *more: str, code: int = 0) -> Outcome:
        """`replay run` with the usual options and `more`, to its end, which must be `code`."""
        outcome = call(*self.command, *more)
        assert outcome.code == code, outcome.err
        return outcome

    def half(self, *more: str) -> None:
        """Killed in the middle, with a checkpoint that knows some of the rows sent."""
        paced = ("--rate", "6k/s", "--checkpoint-interval", "50ms")
        self.run(*paced, *more, crash=f"after report {STOP_AT}", code=KILLED)

    def refused(self, *says: str, more: tuple[str, ...] = (), remedy: str = PUT_BACK) -> None:
        """Exit 4 that says all of this and a remedy, sends nothing, and leaves the checkpoint as it is."""
        records, before = self.records(), self.checkpoint.read_bytes()
        outcome = self.replay(*more, code=4)
        for text in (*says, str(self.checkpoint.name), remedy):
            assert text in outcome.err, f"the message does not say {text!r}:\n{outcome.err}"
        assert "Traceback" not in outcome.err
        assert self.records() == records, "a refused run sends nothing"
        assert self.checkpoint.read_bytes() == before

    @property
    def files(self) -> list[Path]:
        return sorted(self.trades.folder.iterdir())


@pytest.fixture
def place(kafka: KafkaCluster | Broker, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A topic, inputs of its own, and a replay of one into the other."""
    for name in [name for name in os.environ if name.startswith("REPLAY_") and not name.startswith("REPLAY_TEST")]:
        monkeypatch.delenv(name)
    create_topic(kafka.bootstrap_servers, topic, 6, config={"retention.ms": "-1"})
    trades = make_trades(tmp_path / "in", ROWS)
    with Jobs(tmp_path / "jobs") as jobs:
        yield Place(trades, kafka.bootstrap_servers, topic, tmp_path / "checkpoint.json", jobs, ("--linger", "5ms"))


# --- inputs that changed ------------------------------------------------------------------------------------


def edit(files: list[Path]) -> tuple[str, ...]:
    """One price in the second file."""
    table = pq.read_table(files[1])
    prices = table["price"].to_pylist()
    prices[-1] += 1
    at = table.column_names.index("price")
    pq.write_table(table.set_column(at, "price", pa.array(prices)), files[1])
    return "input file 1 was", f"now {files[1].name}", "footer"


def rename(files: list[Path]) -> tuple[str, ...]:
    """Nothing but a name."""
    files[1].rename(files[1].with_name("zz.parquet"))
    return f"input file 1 was {files[1].name}", "now zz.parquet"


def reorder(files: list[Path]) -> tuple[str, ...]:
    """The same names, the other way round."""
    first, second = files
    aside = first.with_name("aside")
    first.rename(aside)
    second.rename(first)
    aside.rename(second)
    return "input file 0 was", "input file 1 was"


def truncate(files: list[Path]) -> tuple[str, ...]:
    """Half of the second file's rows."""
    rows = pq.read_metadata(files[1]).num_rows
    pq.write_table(pq.read_table(files[1]).slice(0, rows // 2), files[1])
    return f"input file 1 was {files[1].name} ({rows:,} rows", f"now {files[1].name} ({rows // 2:,} rows"


def remove(files: list[Path]) -> tuple[str, ...]:
    """The second file is gone."""
    files[1].unlink()
    return ("the number of input files was 2, now 1",)


@pytest.mark.parametrize("change", [edit, rename, reorder, truncate, remove])
def test_inputs_that_changed(place: Place, change: Callable[[list[Path]], tuple[str, ...]]) -> None:
    """Broken: the rest of a replay would come from other rows than its beginning."""
    place.half()
    place.refused(*change(place.files))


def test_a_touched_and_moved_folder_is_the_same(place: Place, tmp_path: Path) -> None:
    """Broken: a copy of the very same files, somewhere else and with other dates, would be refused."""
    place.half()
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(place.trades.folder, elsewhere, copy_function=shutil.copyfile)
    place = replace(place, trades=replace(place.trades, folder=elsewhere))
    place.replay()
    place.assert_exact()


@pytest.mark.parametrize("state", ["killed", "done"])
def test_a_file_that_was_added(place: Place, tmp_path: Path, state: str) -> None:
    """Broken: a file that comes after all others would be taken without asking, refused although it was allowed, or
    sent wrongly: also where the replay was done already."""
    last = place.files[-1]
    last.rename(tmp_path / last.name)
    if state == "done":
        place.replay()
    else:
        place.half()
    (tmp_path / last.name).rename(last)
    place.refused(
        "the number of input files was 1, now 2",
        f"input file {last.name} was none, now {last.name}",
        remedy="send what sorts after all that was sent with --when-changed append, put back",
    )
    outcome = place.replay("--allow-appended")
    assert "1 file(s) were added" in outcome.err
    place.assert_exact()
    assert "nothing to do" in place.replay().err


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("zz.parquet", ("begins before rows that were", "zz.parquet")),
        ("a.parquet", ("begins before rows that were", "a.parquet")),
    ],
)
def test_a_file_that_belongs_before(place: Place, name: str, says: tuple[str, ...]) -> None:
    """Broken: with --allow-appended, trades of an earlier time, or a file that sorts before the others by its name,
    would be sent behind the later ones or shift every position."""
    place.half()
    assert name < place.files[0].name or name > place.files[-1].name
    pq.write_table(pq.read_table(place.files[0]).slice(0, 5), place.trades.folder / name)
    records, before = place.records(), place.checkpoint.read_bytes()
    outcome = place.replay("--allow-appended", code=4)
    for text in (*says, "\n  -> "):
        assert text in outcome.err
    assert place.records() == records
    assert place.checkpoint.read_bytes() == before


def test_a_file_that_belongs_into_the_tail(place: Place) -> None:
    """Broken: after a crash, --allow-appended would take a file that belongs before rows of the tail: they are not
    recognized any more, and sent again."""
    place.half("--checkpoint-interval", "30s")
    assert checkpoint_row(place.checkpoint) == 0, "this test needs a tail that the checkpoint does not know"
    pq.write_table(pq.read_table(place.files[0]).slice(5, 5), place.trades.folder / "zz.parquet")
    records = place.records()
    outcome = call(*place.command, "--allow-appended")
    assert place.records() == records, f"{place.records() - records:,} records sent\n{outcome.err}"
    assert outcome.code == 4


def test_a_done_replay_whose_input_changed(place: Place) -> None:
    """Broken: "nothing to do" would be said of rows that were never sent."""
    place.replay()
    place.refused(*edit(place.files))


# --- options and versions -----------------------------------------------------------------------------------


OPTIONS = {
    "price=price,event_time=event_time, now symbol=symbol,price=quantity,event_time=event_time": (
        "--map",
        "price=quantity",
    ),
    "option --fields was none, now side,quantity": ("--fields", "side,quantity"),
    "option --symbol was none, now BTC": ("--symbol", "BTC"),
    "option --order was event-time, now as-is": ("--order", "as-is"),
    "option --delivery was idempotent, now transactional": ("--delivery", "transactional"),
}


def test_options_that_change_the_rows(place: Place) -> None:
    """Broken: half of the topic would be in one format, order or symbol, and half in another."""
    place.half()
    for says, more in OPTIONS.items():
        place.refused(says, more=more)


def test_options_that_were_the_same_text(place: Place) -> None:
    """Broken: a resume goes on with two headers where the run before sent one, and nobody notices."""
    place.half("--header", "a=1,b=2")
    two = ("--header", "a=1", "--header", "b=2")
    place.refused("option --header was", 'now [["a", "SHA-256 ', more=two)
    place.replay("--header", "a=1,b=2")
    partitions = read_topic(place.bootstrap_servers, place.topic)
    headers = {record.headers for records in partitions for record in records}
    assert headers == {(("a", b"1,b=2"),)}


@pytest.mark.parametrize("option", ["--key", "--row-header"])
def test_a_name_that_is_empty(place: Place, option: str) -> None:
    """Broken: an unset variable of a script ends in a traceback, or is the default without a word."""
    outcome = place.replay(option, "", code=2)
    assert f"{option}: the name is empty" in outcome.err
    assert "Traceback" not in outcome.err


def test_another_version_or_cluster(place: Place) -> None:
    """Broken: after an upgrade, rows in the tail would not be recognized and be sent again; or a replay would go on
    in a cluster that does not have its beginning."""
    place.half()
    whole = place.checkpoint.read_bytes()
    for field, value, says in (
        ("encoder", "json-0", "the encoder was json-0, now json-2"),
        ("partitioner", "crc32", "the partitioner was crc32, now murmur2"),
        ("cluster_id", "another", "the cluster id was another, now "),
    ):
        edit_checkpoint(place.checkpoint, **{field: value})
        place.refused(says)
        place.checkpoint.write_bytes(whole)


def test_options_that_do_not_change_the_rows(place: Place) -> None:
    """Broken: whoever resumes with another rate, compression or batch size would be refused."""
    place.half("--rate", "20k/s")
    place.replay("--rate", "max", "--compression", "lz4", "--batch-rows", "100", "--checkpoint-interval", "5s")
    place.assert_exact()


def test_one_checkpoint_for_two_topics(place: Place) -> None:
    """Broken: a second replay would go on in the middle with the checkpoint of the first, or overwrite it."""
    place.half()
    other = replace(place, topic=f"{place.topic}-2")
    create_topic(place.bootstrap_servers, other.topic, 6)
    other.refused(f"the topic was {place.topic}, now {other.topic}", "the topic id")
    place.replay()
    place.assert_exact()


def test_a_topic_made_anew_that_others_have_filled(place: Place) -> None:
    """Broken: a topic that was deleted and created again, and has as many records as before, would get the rest of a
    replay without its beginning."""
    place.half()
    ends = [mark["next_offset"] for mark in checkpoint(place.checkpoint)["partitions"]]
    admin = AdminClient({"bootstrap.servers": place.bootstrap_servers, "log_level": 0})
    admin.delete_topics([place.topic])[place.topic].result(10)
    while place.topic in admin.list_topics(timeout=5).topics:
        time.sleep(0.05)
    create_topic(place.bootstrap_servers, place.topic, 6, config={"retention.ms": "-1"})
    producer = Producer({"bootstrap.servers": place.bootstrap_servers, "log_level": 0})
    for partition, end in enumerate(ends):
        for _ in range(end + 1):
            producer.produce(place.topic, b"another's", b"key", partition)
    assert producer.flush(30) == 0
    place.refused("the topic id (it was deleted and created again) was ")


def test_offsets_beyond_the_topic_s_end(place: Place) -> None:
    """Broken: a topic that lost its end would get the rest of a replay, without the rows in between."""
    place.half()
    partitions = checkpoint(place.checkpoint)["partitions"]
    busy = max(range(len(partitions)), key=lambda p: partitions[p]["next_offset"])
    high = len(read_topic(place.bootstrap_servers, place.topic)[busy])
    partitions[busy]["next_offset"] = high + 7
    edit_checkpoint(place.checkpoint, partitions=partitions)
    records, before = place.records(), place.checkpoint.read_bytes()
    outcome = place.replay(code=4)
    for text in (
        f"{place.topic}, partition {busy}: acknowledged rows are gone",
        f"the high watermark is {high:,}",
        f"up to offset {high + 6:,}",
        "--restart",
    ):
        assert text in outcome.err
    assert (place.records(), place.checkpoint.read_bytes()) == (records, before)


# --- warnings before the start ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"retention.ms": "604800000"}, "keeps records for 7 days by event time, and the oldest trade is"),
        ({"cleanup.policy": "compact"}, "is compacted: only the last record of each key will be kept"),
        ({"message.timestamp.type": "LogAppendTime"}, "replaces event times by the broker's time (LogAppendTime)"),
        ({"max.message.bytes": "50000"}, "refuses batches over 50,000 bytes (max.message.bytes), and --batch-size is"),
        ({"retention.ms": "-1"}, ""),
    ],
)
def test_a_topic_that_would_not_keep_the_trades(place: Place, config: dict[str, str], says: str) -> None:
    """Broken: a nightly replay would be gone in the morning, or carry the wrong times, and nobody was told; or a topic
    that is as it should be would be warned about."""
    other = replace(place, topic=f"{place.topic}-2")
    create_topic(place.bootstrap_servers, other.topic, 6, config={"retention.ms": "-1", **config})
    log = other.run(crash="before send 1", code=KILLED).log
    warnings = [line for line in log.splitlines() if " WARNING " in line]
    assert [other.topic in line and says in line for line in warnings] == [True] * bool(says), log


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"message.timestamp.before.max.ms": "86400000"}, "refuses records older than 1 days, and the oldest trade is"),
        ({"min.insync.replicas": "2"}, "wants 2 replicas in sync (min.insync.replicas) and has 1: it takes no record"),
    ],
)
def test_a_topic_that_would_refuse_the_trades(place: Place, config: dict[str, str], says: str) -> None:
    """Broken: what is certain before the start would be found out in the middle (exit 7), or after five minutes of
    waiting for a broker that is there (exit 5)."""
    other = replace(place, topic=f"{place.topic}-2")
    create_topic(place.bootstrap_servers, other.topic, 6, config={"retention.ms": "-1", **config})
    outcome = other.replay(code=2)
    for text in (other.topic, says, "change the topic's configuration"):
        assert text in outcome.err
    assert not other.checkpoint.exists()
    assert other.records() == 0


def test_a_topic_that_would_refuse_trades_that_are_left_out(place: Place) -> None:
    """Broken: a replay would be refused for trades that it does not send; or let go, and end in the middle, since it
    does not send all of them."""
    other = replace(place, topic=f"{place.topic}-2")
    oldest_ms, newest_ms = (pick(row.timestamp_ms for row in place.trades.rows) for pick in (min, max))
    middle_ms = (oldest_ms + newest_ms) // 2
    limit_ms = int(time.time() * 1_000) - middle_ms
    create_topic(
        place.bootstrap_servers, other.topic, 6,
        config={"retention.ms": "-1", "message.timestamp.before.max.ms": str(limit_ms)},
    )  # fmt: skip
    early, late = (datetime.fromtimestamp(ms / 1_000, UTC).isoformat() for ms in (oldest_ms, middle_ms + 3_600_000))
    assert "and the oldest trade is" in other.replay("--from", early, "--limit", "100000000", code=2).err
    assert other.records() == 0
    other.replay("--from", late)
    assert 0 < other.records() < len(place.trades.rows)
    aside = replace(place, topic=other.topic, checkpoint=other.checkpoint.with_name("now.json"))
    before = other.records()
    aside.replay("--timestamp", "now")  # the event times do not count then
    assert aside.records() == before + len(place.trades.rows)


def test_killed_and_resumed_with_the_broker_s_times(place: Place) -> None:
    """Broken: with LogAppendTime no record of the tail has the time of its row, and each would be sent again."""
    other = replace(place, topic=f"{place.topic}-2")
    config = {"retention.ms": "-1", "message.timestamp.type": "LogAppendTime"}
    create_topic(place.bootstrap_servers, other.topic, 6, config=config)
    other.half("--checkpoint-interval", "30s")
    assert checkpoint_row(other.checkpoint) == 0, "this test needs a tail that the checkpoint does not know"
    other.replay()
    timeless = [
        [replace(record, timestamp_ms=0) for record in records]
        for records in read_topic(other.bootstrap_servers, other.topic)
    ]
    verdict = compare([replace(row, timestamp_ms=0) for row in other.trades.rows], timeless)
    assert verdict.exact, str(verdict)


# --- replay checkpoint show | reset | rebuild ---------------------------------------------------------------


def test_show_each_state(place: Place) -> None:
    """Broken: an operator would be told another state than the one a resume goes by."""
    path = str(place.checkpoint)
    missing = call("checkpoint", "show", path)
    assert missing.code == 2
    assert "there is no checkpoint" in missing.err
    place.half()
    running = call("checkpoint", "show", path)
    assert running.code == 0
    row = checkpoint_row(place.checkpoint)
    for text in (
        "running, or stopped without a word",
        f"{row:,} of 3,000",
        f"{place.topic} (id ",
        "json-2, partitioner murmur2 over 6 partitions",
        f"{place.files[0].name}: next row ",
    ):
        assert text in running.out, running.out
    job = place.start("--rate", "500/s", "--checkpoint-interval", "50ms")
    job.wait_row(place.checkpoint, row + 100)
    while_running = call("checkpoint", "show", path)
    assert while_running.code == 0, "looking does not need the lock"
    job.signal(signal.SIGTERM)
    assert job.wait() == 143, job.log
    assert "stopped cleanly: no row behind the position" in call("checkpoint", "show", path).out
    place.replay()
    done = call("checkpoint", "show", path).out
    assert "3,000 of 3,000" in done
    assert done.splitlines()[0].split() == ["state", "done"]
    place.checkpoint.write_bytes(place.checkpoint.read_bytes()[:-40])
    damaged = call("checkpoint", "show", path)
    assert damaged.code == 4
    assert "copy it over" in damaged.err
    place.assert_exact()


def test_reset(place: Place) -> None:
    """Broken: a running replay would lose its checkpoint; or a reset would leave the older generation behind, which a
    new run refuses to start beside."""
    path = str(place.checkpoint)
    assert call("checkpoint", "reset", path, "--yes").code == 2
    job = place.start("--rate", "500/s", "--checkpoint-interval", "50ms")
    job.wait_row(place.checkpoint, 50)
    held = call("checkpoint", "reset", path, "--yes")
    assert held.code == 6
    assert f":{job.pid}" in held.err, "it says who"
    rebuild = call("checkpoint", "rebuild", *rebuild_args(place))
    assert rebuild.code == 6, rebuild.err
    assert checkpoint_row(place.checkpoint) >= 50
    job.signal(signal.SIGTERM)
    assert job.wait() == 143, job.log
    declined = call("checkpoint", "reset", path)  # nobody answers
    assert declined.code == 1
    assert place.checkpoint.exists()
    sent = place.records()
    assert call("checkpoint", "reset", path, "--yes").code == 0
    left = {each.name for each in place.checkpoint.parent.glob(place.checkpoint.name + "*")}
    assert left == {place.checkpoint.name + ".lock"}
    place.replay()
    assert place.records() == sent + ROWS, "a new job sends every row"


def rebuild_args(place: Place) -> list[str]:
    where = ["--topic", place.topic, "--bootstrap-servers", place.bootstrap_servers]
    return [str(place.trades.folder), *where, "--checkpoint", str(place.checkpoint)]


def forget(place: Place) -> None:
    for path in place.checkpoint.parent.glob(place.checkpoint.name + "*"):
        path.unlink()


@pytest.mark.parametrize("sent", ["nothing", "some", "all"])
def test_rebuild(place: Place, sent: str) -> None:
    """Broken: after a lost disk, the rebuilt checkpoint would have rows sent again or left out, among the records of
    others."""
    place.add_foreign()
    if sent == "some":
        place.half()
    elif sent == "all":
        place.replay()
    place.add_foreign()
    ours = place.records()
    assert (ours == 0, ours == ROWS) == (sent == "nothing", sent == "all")
    forget(place)
    rebuilt = call("checkpoint", "rebuild", *rebuild_args(place))
    assert rebuilt.code == 0, rebuilt.err
    assert f"rebuilt: {ours:,} of 3,000 rows are in topic" in rebuilt.err
    assert checkpoint(place.checkpoint)["state"] == "running"
    twice = call("checkpoint", "rebuild", *rebuild_args(place))
    assert twice.code == 4
    assert "replay checkpoint reset" in twice.err
    place.replay()
    assert place.records() == ROWS
    place.assert_exact()


def test_rebuild_from_where_this_replay_began(place: Place) -> None:
    """Broken: without --first-offsets an earlier replay of the same rows would be taken for this one's, and its rows
    never be sent; or with it, offsets would be counted from the wrong end."""
    place.replay()  # yesterday
    forget(place)
    firsts = [len(records) for records in read_topic(place.bootstrap_servers, place.topic)]
    place.half()
    now = place.records()
    assert ROWS < now < 2 * ROWS
    forget(place)
    wrong = call("checkpoint", "rebuild", *rebuild_args(place), "--first-offsets", "1,2")
    assert wrong.code == 2
    assert "6 partitions, and 2 offsets were given" in wrong.err
    assert not place.checkpoint.exists()
    offsets = ",".join(map(str, firsts))
    rebuilt = call("checkpoint", "rebuild", *rebuild_args(place), "--first-offsets", offsets)
    assert rebuilt.code == 0, rebuilt.err
    assert f"rebuilt: {now - ROWS:,} of 3,000 rows" in rebuilt.err
    assert [each["first_offset"] for each in checkpoint(place.checkpoint)["partitions"]] == firsts
    place.replay()
    place.assert_exact(copies=2)


def test_rebuild_of_a_job_with_options_of_its_own(place: Place) -> None:
    """Broken: a rebuild would not know the job's --fields and --order, find nothing, and have all rows sent again."""
    options = ("--fields", "side,quantity", "--order", "as-is")
    place.half(*options)
    forget(place)
    args = [*rebuild_args(place), *options]
    assert call("checkpoint", "rebuild", *args).code == 0
    place.replay(*options)
    table = pa.concat_tables([pq.read_table(path) for path in place.files])
    read = read_topic(place.bootstrap_servers, place.topic)
    verdict = compare(expected_records(table, ["side", "quantity"]), read)
    assert verdict.exact, str(verdict)


def test_rebuild_heeds_the_delivery_of_the_job_file(place: Place, tmp_path: Path) -> None:
    """Broken: the rebuilt file of a transactional job claims progress that Kafka itself records, and others' aborted
    copies count as delivered."""
    file = tmp_path / "jobs.toml"
    file.write_text('[job]\ndelivery = "transactional"\n')
    refused = call("checkpoint", "rebuild", *rebuild_args(place), "--config", str(file))
    assert refused.code == 2, refused.err
    assert f"{file}, [job] delivery: Kafka itself holds the progress" in refused.err
    assert not place.checkpoint.exists()


def test_verify_finds_the_checkpoint_of_a_date(place: Place, tmp_path: Path) -> None:
    """Broken: `--checkpoint '{date}.json'` is looked for by that very name, and the other dates of the topic are taken
    for foreign records."""
    with_date = str(tmp_path / "{date}.json")
    inputs = [str(place.trades.folder), "--topic", place.topic, "--bootstrap-servers", place.bootstrap_servers]
    for day in ("2026-11-02", "2026-11-03"):
        ran = call("run", *inputs, "--checkpoint", with_date, "--date", day)
        assert ran.code == 0, ran.err
    seen = call("verify", *inputs, "--checkpoint", with_date, "--date", "2026-11-03", "--output", "json")
    verdict = json.loads(seen.out)
    assert (seen.code, verdict["foreign"], verdict["lost"]) == (0, 0, 0), seen.out + seen.err
    gone = call("verify", *inputs, "--checkpoint", with_date, "--date", "2026-11-04")
    assert (gone.code, "2026-11-04.json: there is no checkpoint" in gone.err) == (2, True), gone.err
