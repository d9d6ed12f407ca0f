"""Keys, partitions, timestamps and headers: what a record is beside its value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from confluent_kafka import Producer, murmur2

from replay.errors import InputError
from replay.fate import Fate
from replay.kafka.partitioner import partitioner
from replay.model import KEY, NOW_MS, PARTITION, Batch, Encoded, Position, SymbolTable
from replay.record.encoder import Encoder, refuse_records
from replay.record.options import Records, Timestamp
from tests.support.formats import bare_json
from tests.unit.record.encoding import values_of


def encode_as(
    records: Records, partitioner_name: str = "murmur2", left_out: tuple[int, ...] = (), **more: Any
) -> Encoded:
    """Three rows of symbols A, B, A, from row 100 of a replay on."""
    table = SymbolTable()
    ids = pa.array([table.id_of(symbol) for symbol in "ABA"], pa.int32())
    columns = {
        "symbol": ids,
        "price": pa.array([1.0, 2.0, 3.0]),
        "event_time": pa.array([5_000] * 3, pa.timestamp("us")),
    }
    fates = np.zeros(3, dtype=np.int8)
    fates[list(left_out)] = Fate.NOT_SELECTED
    batch = Batch(Position(100, (100,)), pa.RecordBatch.from_pydict({**columns, **more}), 0, fates)
    encoder = Encoder(table, bare_json(table), partitioner(partitioner_name, 6), records, "abcd")
    return encoder.encode(batch, 0, 3)


def test_a_key_of_its_own_decides_the_partition():
    """Broken: a consumer that reads by that key finds its records spread over all partitions."""
    keys = pa.array(["x", "y", "x"])
    encoded = encode_as(Records(key="account"), **{KEY: keys})
    assert encoded.keys == [b"x", b"y", b"x"]
    assert encoded.partitions.tolist() == [murmur2(key, 6) for key in (b"x", b"y", b"x")]
    assert encoded.record_bytes.tolist() == [len(value) + 1 for value in values_of(encoded)]


def test_without_keys_a_symbol_still_has_one_partition():
    """Broken: with --key none the order of a symbol's trades would be lost."""
    encoded = encode_as(Records(key="none"))
    assert encoded.keys == [None] * 3
    assert encoded.partitions.tolist() == [murmur2(key, 6) for key in (b"A", b"B", b"A")]


def test_crc32_is_librdkafka_s(embedded: Any):
    """Broken: records would be apart from those that librdkafka's clients write with the same key."""
    at: dict[bytes, int] = {}
    producer = Producer({"bootstrap.servers": embedded.bootstrap_servers, "partitioner": "consistent", "log_level": 0})
    keys = [b"A", b"B", b"BTCUSDT", b"\xff", b"x" * 300]
    for key in keys:
        producer.produce("crc", b"v", key, on_delivery=lambda _, m: at.update({m.key(): m.partition()}))
    assert producer.flush(10) == 0
    assert [at[key] for key in keys] == [partitioner("crc32", 4)(key) for key in keys]


def test_a_column_can_say_the_partition():
    encoded = encode_as(Records(partitioner="column:shard"), **{PARTITION: pa.array([5, 0, 7], pa.int64())})
    assert encoded.partitions.tolist() == [5, 0, 7]
    with pytest.raises(InputError, match="its partition is 7") as caught:
        refuse_records(encoded, 10**6, 6, lambda row: f"row {row}")
    assert caught.value.where == "row 2"


def test_now_is_left_to_the_moment_of_sending():
    encoded = encode_as(Records(timestamp=Timestamp.NOW))
    assert encoded.timestamps_ms == [NOW_MS] * 3
    assert encoded.event_times_ns.tolist() == [5_000_000] * 3, "pacing goes by event time all the same"


def test_headers_for_all_and_a_row_s_own():
    """Broken: a consumer that drops what it has seen would drop the wrong rows: numbers are those of the replay."""
    assert encode_as(Records(headers=(("feed", "x"),))).headers == [[("feed", b"x")]] * 3
    encoded = encode_as(Records(headers=(("feed", "x"),), row_header="row"), left_out=(1,))
    assert encoded.headers == [[("feed", b"x"), ("row", b"abcd:100")], [("feed", b"x"), ("row", b"abcd:102")]]
    assert (encoded.record_bytes > [len(value) + 1 for value in values_of(encoded)]).all(), "headers count"


def test_rows_that_are_left_out_have_no_record():
    encoded = encode_as(Records(), left_out=(0, 2))
    assert (encoded.keys, encoded.rows.tolist() if encoded.rows is not None else None) == ([b"B"], [1])
    assert encoded.slice_rows == 3
