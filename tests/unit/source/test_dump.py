"""A topic's dump as records: each part from its column, to the byte, whatever else the file has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from confluent_kafka import murmur2

from replay.cli.options.schemas import Schemas
from replay.cli.options.source import Input
from replay.cli.resolve import source_options
from replay.delivery.job_name import JobName
from replay.delivery.slices import encoder_for
from replay.errors import InputError
from replay.fate import Fate
from replay.model import Encoded, Position
from replay.record.options import KEY_NONE, Records
from replay.source.choices import OnBadRow, Order, Unsorted
from replay.source.options import Columns, SourceOptions
from replay.source.source import Source
from tests.unit.cli.groups import options_of

T0_MS = 1_700_000_000_000
MS = pa.timestamp("ms")
HEADERS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))
PARTITIONS = 6

DUMP = {
    "value": pa.array([b"v0", None, b"", b"\xff\0"], pa.binary()),
    "key": pa.array([b"k0", b"k1", None, b"\xff"], pa.binary()),
    "partition": pa.array([2, 0, 5, 2], pa.int32()),
    "timestamp": pa.array([T0_MS, T0_MS + 1, T0_MS + 1, T0_MS + 2], MS),
    "headers": pa.array(
        [None, [{"key": "a", "value": None}, {"key": "a", "value": b"1"}], [], [{"key": "ä", "value": b""}]], HEADERS
    ),
}
AS_IT_IS = Records(
    key=KEY_NONE,
    value_column="value",
    own_key_column="key",
    partitioner="column:partition",
    headers_column="headers",
)
OF_DUMP = Columns(event_time="timestamp", constant_symbol="records", has_symbol=False)


def write(path: Path, **columns: Any) -> Path:
    """A dump, or one with other columns; `...` leaves a column out."""
    table = pa.table({name: column for name, column in {**DUMP, **columns}.items() if column is not ...})
    pq.write_table(table, path, row_group_size=2)
    return path


def source_of(*paths: Path, columns: Columns = OF_DUMP, records: Records = AS_IT_IS, **options: Any) -> Source:
    return Source(SourceOptions(tuple(map(str, paths)), columns, records, **options))


def encoded(source: Source, start: Position | None = None) -> list[Encoded]:
    encoder = encoder_for(source, PARTITIONS)
    return [encoder.encode(batch) for batch in source.batches(start or source.start)]


def joined(source: Source, part: str, start: Position | None = None) -> list[Any]:
    """One part of all records."""
    parts = [getattr(portion, part) for portion in encoded(source, start)]
    return [each for part in parts for each in (part.tolist() if isinstance(part, np.ndarray) else part)]


def test_each_part_of_a_record_is_what_its_column_holds(tmp_path: Path) -> None:
    """Broken: a topic that is restored is not what it was."""
    source = source_of(write(tmp_path / "a.parquet"))
    assert joined(source, "values") == [b"v0", None, b"", b"\xff\0"]
    assert joined(source, "keys") == [b"k0", b"k1", None, b"\xff"]
    assert joined(source, "partitions") == [2, 0, 5, 2]
    assert joined(source, "timestamps_ms") == [T0_MS, T0_MS + 1, T0_MS + 1, T0_MS + 2]
    assert joined(source, "headers") == [[], [("a", None), ("a", b"1")], [], [("ä", b"")]]
    assert joined(source, "record_bytes") == [4, 2 + 2 * 11 + 1, 0, 3 + 12]
    assert source.layout.price is None, "nothing is read that no record has"


TWO_BYTES = [b"ab", None, b"cd", b"\xff\0"]


@pytest.mark.parametrize("kind", [pa.large_binary(), pa.binary(2), pa.binary_view()], ids=str)
@pytest.mark.parametrize("encoded", [False, True])
def test_bytes_of_any_type_come_out_of_files_as_they_are(tmp_path: Path, kind: pa.DataType, encoded: bool) -> None:
    """Broken: the dumps of one writer go back with other bytes."""
    column = pa.array(TWO_BYTES, kind)
    if encoded:
        if kind == pa.binary_view():
            pytest.skip("Arrow writes no dictionary of them")
        column = column.dictionary_encode()
    source = source_of(write(tmp_path / "a.parquet", value=column, key=column))
    assert (joined(source, "values"), joined(source, "keys")) == (TWO_BYTES, TWO_BYTES)


def test_from_any_row_on_the_records_are_the_same(tmp_path: Path) -> None:
    """Broken: after a crash a record has the headers or the key of another row."""
    source = source_of(write(tmp_path / "a.parquet"))
    for row in range(5):
        start = Position(row, (row,))
        for part in ("values", "keys", "headers", "partitions"):
            assert joined(source, part, start) == joined(source, part)[row:], part


def test_a_row_that_is_left_out_takes_its_headers_with_it(tmp_path: Path) -> None:
    """Broken: with --on-bad-row skip, headers slip to the next record."""
    bad = pa.array([2, None, 5, 2], pa.int32())
    source = source_of(write(tmp_path / "a.parquet", partition=bad), on_bad_row=OnBadRow.SKIP)
    assert joined(source, "values") == [b"v0", b"", b"\xff\0"]
    assert joined(source, "headers") == [[], [], [("ä", b"")]]


def test_headers_of_the_column_come_before_those_for_all(tmp_path: Path) -> None:
    """Broken: what a replay adds stands where consumers look for the record's own; or the row's own is compared."""
    records = replace(AS_IT_IS, headers=(("replayed", "yes"),), row_header="row")
    source = source_of(write(tmp_path / "a.parquet"), records=records)
    (first, second, *_) = joined(source, "headers")
    label = source.label.encode()
    assert first == [("replayed", b"yes"), ("row", label + b":0")]
    assert second == [("a", None), ("a", b"1"), ("replayed", b"yes"), ("row", label + b":1")]
    assert joined(source, "contents")[1] == (None, (("a", None), ("a", b"1"), ("replayed", b"yes")))


def test_without_a_column_of_partitions_keys_decide(tmp_path: Path) -> None:
    """Broken: consumers that expect a key in Java's partition do not find it."""
    path = write(tmp_path / "a.parquet", key=pa.array([b"k0", b"k1", b"\0\xff", b"k0"]))
    source = source_of(path, records=replace(AS_IT_IS, partitioner="murmur2"))
    assert joined(source, "partitions") == [murmur2(key, PARTITIONS) for key in (b"k0", b"k1", b"\0\xff", b"k0")]


def test_a_record_without_a_key_goes_to_the_partition_of_its_symbol(tmp_path: Path) -> None:
    """Broken: the order of the rows of a symbol that have no key is lost."""
    path = write(tmp_path / "a.parquet", symbol=pa.array(["A", "B", "A", "B"]), key=pa.array([b"A", None, None, b"x"]))
    by_symbol = Columns(event_time="timestamp")
    source = source_of(path, columns=by_symbol, records=replace(AS_IT_IS, partitioner="murmur2"))
    assert joined(source, "keys") == [b"A", None, None, b"x"]
    assert joined(source, "partitions") == [murmur2(key, PARTITIONS) for key in (b"A", b"B", b"A", b"x")]


def test_a_row_that_nothing_gives_a_partition_is_bad(tmp_path: Path) -> None:
    """Broken: records without a key pile up in one partition, and nobody asked for it."""
    with pytest.raises(InputError, match="is null, and nothing else says which partition") as refused:
        joined(source_of(write(tmp_path / "a.parquet"), records=replace(AS_IT_IS, partitioner="murmur2")), "keys")
    assert "row 2" in str(refused.value)
    assert "column 'key'" in str(refused.value)


def test_a_schema_id_is_told_to_be_another(tmp_path: Path) -> None:
    """Broken: consumers of the other cluster ask its registry for ids that mean another schema there."""
    values = pa.array([b"\0\0\0\0\x05x", None, b"\0\0\0\0\x07y", b"{}"])
    keys = pa.array([b"\0\0\0\0\x01", b"\0\0\0\0\x01", b"k", None])
    path = write(tmp_path / "a.parquet", value=values, key=keys)
    records = replace(AS_IT_IS, value_ids=((5, 300), (7, 7)), key_ids=((1, 2),))
    source = source_of(path, records=records)
    assert joined(source, "values") == [b"\0\0\0\x01\x2cx", None, b"\0\0\0\0\x07y", b"{}"]
    assert joined(source, "keys") == [b"\0\0\0\0\x02", b"\0\0\0\0\x02", b"k", None]
    with pytest.raises(InputError, match=r"schema id that --translate-schema-ids does not name \('id 7'\)"):
        joined(source_of(path, records=replace(records, value_ids=((5, 300),))), "values")


def test_keys_that_are_told_another_id_are_partitioned_by_it(tmp_path: Path) -> None:
    """Broken: partitions follow from a key that is in no record."""
    path = write(tmp_path / "a.parquet", key=pa.array([b"\0\0\0\0\x01a"] * 4))
    source = source_of(path, records=replace(AS_IT_IS, partitioner="murmur2", key_ids=((1, 2),)))
    assert joined(source, "partitions") == [murmur2(b"\0\0\0\0\x02a", PARTITIONS)] * 4


# -- times and order ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "times",
    [
        pa.array([T0_MS + n for n in range(4)]),
        pa.array([T0_MS + n for n in range(4)], pa.timestamp("ms", "UTC")),
        pa.array([(T0_MS + n) * 1_000_000 for n in range(4)], pa.timestamp("ns")),
        pa.array([f"2023-11-14T22:13:20.00{n}Z" for n in range(4)]),
    ],
    ids=lambda times: str(times.type),
)
def test_timestamps_of_any_form(tmp_path: Path, times: pa.Array) -> None:
    """Broken: a dump goes back with times of another unit, or of now."""
    source = source_of(write(tmp_path / "a.parquet", timestamp=times))
    assert joined(source, "timestamps_ms") == [T0_MS + n for n in range(4)]


def test_files_of_partitions_become_one_order(tmp_path: Path) -> None:
    """Broken: a replay of a dump at the speed of its times sends one partition after the other."""
    one = write(tmp_path / "t+0+0000.parquet", timestamp=pa.array([T0_MS, T0_MS + 4, T0_MS + 5, T0_MS + 9], MS))
    two = write(tmp_path / "t+1+0000.parquet", timestamp=pa.array([T0_MS + 1, T0_MS + 2, T0_MS + 6, T0_MS + 7], MS))
    source = source_of(one, two)
    assert joined(source, "timestamps_ms") == [T0_MS + ms for ms in (0, 1, 2, 4, 5, 6, 7, 9)]
    assert joined(source, "headers")[2] == [("a", None), ("a", b"1")]


def test_a_dump_that_goes_back_in_time_is_told_to_keep_its_order(tmp_path: Path) -> None:
    """Broken: whoever sorts a dump by time, as trades are, changes the order of a partition."""
    times = pa.array([T0_MS + 5, T0_MS, T0_MS + 1, T0_MS + 9], MS)
    path = write(tmp_path / "a.parquet", timestamp=times)
    with pytest.raises(InputError, match="goes back in time") as refused:
        joined(source_of(path), "values")
    assert refused.value.todo.index("--unsorted keep") < refused.value.todo.index("--unsorted sort")
    for options in ({"unsorted": Unsorted.KEEP}, {"order": Order.AS_IS}):
        assert joined(source_of(path, **options), "timestamps_ms") == times.cast(pa.int64()).to_pylist()
    sorted_ms = joined(source_of(path, unsorted=Unsorted.SORT, sort_memory_bytes=16 << 20), "timestamps_ms")
    assert sorted_ms == sorted(times.cast(pa.int64()).to_pylist())


def test_a_large_dump_is_sorted_on_disk(tmp_path: Path) -> None:
    """Broken: headers or tombstones do not come back from the disk, or to another row."""
    count = 3_000
    times = pa.array([T0_MS + (n * 7_919) % count for n in range(count)], MS)
    headers = pa.array([None if n % 3 else [{"key": "n", "value": b"%d" % n}] for n in range(count)], HEADERS)
    values = pa.array([None if n % 2 else b"%d" % n for n in range(count)], pa.binary())
    rest = {"key": pa.nulls(count, pa.binary()), "partition": pa.array([n % 6 for n in range(count)])}
    path = write(tmp_path / "a.parquet", timestamp=times, headers=headers, value=values, **rest)
    source = source_of(path, unsorted=Unsorted.SORT, sort_memory_bytes=1)
    order = sorted(range(count), key=lambda n: (n * 7_919) % count)
    assert joined(source, "values") == [None if n % 2 else b"%d" % n for n in order]
    assert joined(source, "headers") == [[] if n % 3 else [("n", b"%d" % n)] for n in order]
    assert joined(source, "partitions") == [n % 6 for n in order]


def test_a_dump_of_spark_is_replayed_by_its_name(tmp_path: Path) -> None:
    """Broken: Spark writes INT96, which have no statistics, and headers only where it is asked to."""
    table = pa.table(
        {
            **{name: DUMP[name] for name in ("key", "value")},
            "topic": pa.array(["t"] * 4),
            "partition": DUMP["partition"],
            "offset": pa.array(range(4), pa.int64()),
            "timestamp": DUMP["timestamp"],
            "timestampType": pa.array([0] * 4, pa.int32()),
            "headers": DUMP["headers"],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet", use_deprecated_int96_timestamps=True)
    pq.write_table(table.drop_columns(["headers"]), tmp_path / "b.parquet", use_deprecated_int96_timestamps=True)
    given = options_of(Input(inputs=[str(tmp_path)], preset="spark-kafka", order=Order.AS_IS), Schemas())
    source = Source(source_options(given, JobName("j", None, tmp_path)))
    assert joined(source, "values") == [b"v0", None, b"", b"\xff\0"] * 2
    assert joined(source, "headers")[:4] == [[], [("a", None), ("a", b"1")], [], [("ä", b"")]]
    assert joined(source, "headers")[4:] == [[]] * 4
    assert joined(source, "timestamps_ms")[:4] == [T0_MS, T0_MS + 1, T0_MS + 1, T0_MS + 2]


def test_a_dump_that_is_taken_for_trades_is_told_to_be_one(tmp_path: Path) -> None:
    """Broken: whoever replays a dump for the first time reads that there is no column 'symbol'."""
    path = write(tmp_path / "a.parquet", offset=pa.array(range(4)), headers=...)
    with pytest.raises(InputError) as refused:
        source_of(path, columns=Columns(), records=Records())
    assert "--preset kafka-replay-cli" in refused.value.todo


def test_timestamps_may_have_a_column_of_their_own(tmp_path: Path) -> None:
    """Broken: records have the time that rows are ordered by; or the unit of one column is the other's."""
    sent = pa.array([T0_MS - 7, T0_MS - 9, T0_MS - 8, T0_MS - 7])
    path = write(tmp_path / "a.parquet", sent=sent)
    source = source_of(path, records=replace(AS_IT_IS, timestamp_column="sent"))
    assert joined(source, "timestamps_ms") == sent.to_pylist()
    assert [ns // 10**6 - T0_MS for ns in joined(source, "event_times_ns")] == [0, 1, 1, 2]
    assert source.record_span_ns == ((T0_MS - 9) * 10**6, (T0_MS - 7) * 10**6)
    assert source.identity()["timestamp units"] == "ms"


def test_a_bad_timestamp_of_its_own_is_a_bad_row(tmp_path: Path) -> None:
    """Broken: a record without a time gets that of the moment it is sent."""
    path = write(tmp_path / "a.parquet", sent=pa.array([T0_MS, None, 0, T0_MS], MS))
    source = source_of(path, records=replace(AS_IT_IS, timestamp_column="sent"), on_bad_row=OnBadRow.SKIP)
    (batch, *_) = list(source.batches(source.start))
    assert batch.fates is not None
    assert batch.fates.tolist()[:2] == [0, Fate.TIME_MISSING]
    assert joined(source, "values") == [b"v0", b"\xff\0"]


def test_parts_of_records_may_have_columns_where_values_are_made_of_others(tmp_path: Path) -> None:
    """Broken: keys, headers and timestamps of trades have to come from the event."""
    table = {"symbol": pa.array(["A", "B", "A", "B"]), "price": pa.array([1.0, 2.0, 3.0, 4.0])}
    path = write(tmp_path / "a.parquet", **table, value=...)
    records = Records(own_key_column="key", headers_column="headers", timestamp_column="timestamp")
    columns = Columns(event_time="timestamp")
    source = source_of(path, columns=columns, records=replace(records, timestamp_column=None))
    values = joined(source, "values")
    assert values[0] == b'{"symbol": "A", "price": 1, "event_time": "2023-11-14T22:13:20.000000Z"}'
    assert joined(source, "keys") == [b"k0", b"k1", None, b"\xff"]
    assert joined(source, "headers")[3] == [("ä", b"")]


# -- files that are not as told -----------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["value", "key", "partition", "timestamp", "headers"])
def test_a_missing_column_is_named_with_the_option_that_wants_it(tmp_path: Path, column: str) -> None:
    """Broken: the message speaks of trades, or of an option that nobody gave."""
    with pytest.raises(InputError, match=f"there is no column '{column}'") as refused:
        source_of(write(tmp_path / "a.parquet", **{column: ...}))
    assert f"--{column}-column" in refused.value.todo


@pytest.mark.parametrize(
    ("column", "wrong", "needs"),
    [
        ("value", pa.array([1, 2, 3, 4]), "value needs binary or text"),
        ("key", pa.array([1, 2, 3, 4]), "key needs binary or text"),
        ("partition", pa.array([0.0] * 4), "partition needs an integer"),
        ("headers", pa.array(["a"] * 4), "headers needs a list of structs"),
    ],
)
def test_a_column_of_another_type_is_refused_before_a_row_is_read(
    tmp_path: Path, column: str, wrong: pa.Array, needs: str
) -> None:
    """Broken: an error in the middle of the run, with a part of the topic restored."""
    with pytest.raises(InputError, match=needs) as refused:
        source_of(write(tmp_path / "a.parquet", **{column: wrong}))
    assert f"--{column}-column" in refused.value.todo


def test_headers_of_a_layout_are_taken_where_there_are_some(tmp_path: Path) -> None:
    """Broken: Spark writes headers only where it is asked to; files without are refused, or those of others lost."""
    records = replace(AS_IT_IS, headers_optional=True)
    without, with_them = write(tmp_path / "a.parquet", headers=...), write(tmp_path / "b.parquet")
    assert joined(source_of(without, records=records), "headers") == [[]] * 4
    assert joined(source_of(without, with_them, records=records, order=Order.AS_IS), "headers") == [
        *[[]] * 4,
        *joined(source_of(with_them), "headers"),
    ]


def test_files_may_hold_the_same_as_text_and_as_bytes(tmp_path: Path) -> None:
    """Broken: a dump whose writer changed its mind cannot be replayed."""
    texts = pa.array(["v0", None, "", "ä"]).dictionary_encode()
    one, two = write(tmp_path / "a.parquet"), write(tmp_path / "b.parquet", value=texts)
    values = joined(source_of(one, two, order=Order.AS_IS), "values")
    assert values[4:] == [b"v0", None, b"", "ä".encode()]


def test_other_columns_are_another_replay(tmp_path: Path) -> None:
    """Broken: a resume goes on with other bytes, keys, headers or times, and nobody notices."""
    path = write(tmp_path / "a.parquet", more=DUMP["value"], h2=DUMP["headers"], sent=DUMP["timestamp"])
    others = [
        replace(AS_IT_IS, value_column="more"),
        replace(AS_IT_IS, own_key_column="more"),
        replace(AS_IT_IS, headers_column="h2"),
        replace(AS_IT_IS, headers_column=None),
        replace(AS_IT_IS, timestamp_column="sent"),
        replace(AS_IT_IS, value_ids=((1, 2),)),
        replace(AS_IT_IS, key_ids=((1, 2),)),
    ]
    found = [source_of(path, records=each).identity() for each in (AS_IT_IS, *others)]
    assert all(a != b for at, a in enumerate(found) for b in found[:at])
    named = source_of(path, columns=replace(OF_DUMP, has_symbol=True)).identity()
    assert named != found[0], "a symbol that is given decides on partitions"
    assert source_of(path).format.encoder == "payload-1"
