"""The two ways to write Avro: which of them is taken, and that both write the same."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replay.errors import UsageError
from replay.record.formats import avro, avro_write
from replay.record.formats.avro_bare import arrow_type, record_type
from replay.record.formats.base import Naming
from replay.record.options import DecimalAs
from tests.unit.record.formats import avro_rows as rows
from tests.unit.record.formats.avro_oracle import column, logical

FLAT = ["null", "boolean", "int", "long", "float", "double", "string", "bytes", {"type": "fixed", "size": 3}]


def nullable(inner: st.SearchStrategy) -> st.SearchStrategy:
    present = inner.filter(lambda bare: bare != "null" and not isinstance(bare, list))
    return inner | present.map(lambda bare: ["null", bare]) | present.map(lambda bare: [bare, "null"])


BARE = st.recursive(
    nullable(st.sampled_from(FLAT)),
    lambda inner: nullable(
        st.one_of(
            inner.map(lambda bare: {"type": "array", "items": bare}),
            inner.map(lambda bare: {"type": "map", "values": bare}),
            st.lists(inner, max_size=3).map(record_type),
        )
    ),
    max_leaves=6,
)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(BARE, min_size=1, max_size=4), st.integers(0, 3))
def test_both_write_the_same_bytes_of_all_types(fields, start):
    """Broken: a resume on a machine with the other library doubles rows, if nothing refuses it."""
    fast, kept = avro_write.column_wise(fields), avro_write.row_wise(fields)
    if fast is None:
        assert any(avro_write._holds_fixed(field) and not avro_write._is_fixed(field) for field in fields)
        return
    assert avro_write._same_bytes(fields, fast, kept)
    samples = [list(avro_write._samples(field)) for field in fields]
    columns = [
        pa.array(own * (40 // len(own)), arrow_type(field))[:10] for own, field in zip(samples, fields, strict=True)
    ]
    columns = [cut(values, start) for values in columns]
    assert fast(columns).equals(kept(columns))
    assert len(fast([values[:0] for values in columns])) == 0


def cut(values: pa.Array, start: int) -> pa.Array:
    """A slice; structs are never one here, for `Fit.convert` makes them."""
    return values.take(pa.array(range(start, len(values)))) if pa.types.is_struct(values.type) else values[start:]


def a_form(node: object = "int", kind: pa.DataType | None = None) -> avro.AvroFormat:
    return rows.bind(rows.given({"name": "x", "type": node}), x=kind or pa.int32())


def test_columns_are_written_by_columns():
    """Broken: 5 µs a row in the place of 0.1."""
    for node, kind in (
        ("bytes", pa.binary()),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, pa.string()),
        ({**logical("fixed", "decimal"), "name": "D", "size": 5, "precision": 10, "scale": 2}, pa.decimal128(10, 2)),
        (["null", {"type": "fixed", "name": "F", "size": 1}], pa.binary()),
        ([{"type": "fixed", "name": "F", "size": 3}, "null"], pa.binary()),
        ({"type": "array", "items": {**logical("bytes", "decimal"), "precision": 9}}, pa.list_(pa.decimal128(9, 0))),
    ):
        assert a_form(node, kind).encoder == "avro-1 pyruhvro 0.4.0"


def test_a_fixed_inside_of_others_is_written_by_rows():
    """Broken: the replay fails, or pyruhvro writes bytes that it does not know how to write."""
    node = {"type": "array", "items": {"type": "fixed", "name": "F", "size": 2}}
    form = a_form(node, pa.list_(pa.binary()))
    assert form.encoder == "avro-1 fastavro 1.13.1"
    payload = form.payloads(rows.rows_of(x=pa.array([[b"ab", b"cd"]])))[0].as_py()
    assert payload.endswith(b"\x04abcd\x00")


def test_without_pyruhvro_rows_are_written_all_the_same(monkeypatch):
    """Broken: the format needs a young package that has no build for the machine."""
    batch, by_columns = rows.rows_of(x=pa.array([1, 2], pa.int32())), a_form()
    monkeypatch.setitem(sys.modules, "pyruhvro", None)
    by_rows = a_form()
    assert by_rows.encoder.startswith("avro-1 fastavro ")
    assert by_rows.payloads(batch).equals(by_columns.payloads(batch))


class PanicException(BaseException):
    """As that of pyo3."""


@pytest.mark.parametrize("answer", ["wrong", "error", "panic"])
def test_a_pyruhvro_that_writes_other_bytes_is_not_used(monkeypatch, answer):
    """Broken: a later release of it changes the bytes of a night's second half."""

    def serialize(batch: pa.RecordBatch, _schema: str, _chunks: int) -> list[pa.Array]:
        if answer == "error":
            raise ValueError("fast_encode: unsupported schema")
        if answer == "panic":
            raise PanicException
        return [pa.array([b""] * batch.num_rows, pa.binary())]

    monkeypatch.setitem(sys.modules, "pyruhvro", SimpleNamespace(serialize_record_batch=serialize))
    assert a_form().encoder.startswith("avro-1 fastavro ")


def test_without_fastavro_the_extra_is_named(monkeypatch):
    """Broken: a traceback in the place of what to install."""
    monkeypatch.setitem(sys.modules, "fastavro", None)
    for call in (a_form, lambda: avro.parsed('"string"')):
        with pytest.raises(UsageError, match="fastavro") as error:
            call()
        assert ".[avro]" in error.value.todo


def test_many_rows_are_written_by_rows_in_order(monkeypatch):
    """Broken: rows are Python objects a thousand at a time, and those of the second thousand are lost."""
    monkeypatch.setitem(sys.modules, "pyruhvro", None)
    count = 2 * avro_write._ROWS_AT_ONCE + 1
    payloads = a_form().payloads(rows.rows_of(x=pa.array(range(count), pa.int32())))
    assert len(payloads) == count
    assert len(set(payloads.to_pylist())) == count


def test_the_environment_is_left_as_it_was(monkeypatch):
    """Broken: other programs that are started get fewer threads, or an operator's own setting is lost."""
    for before in (None, "3"):
        if before is None:
            monkeypatch.delenv(avro_write._WORKERS, raising=False)
        else:
            monkeypatch.setenv(avro_write._WORKERS, before)
        a_form()
        assert os.environ.get(avro_write._WORKERS) == before


def test_a_value_of_many_megabytes():
    """Broken: lengths are cut, or a long text is refused."""
    texts = pa.array(["ä" * 5_000_000, "", "x"])
    schema = avro.generated(rows.columns_of(x=pa.string()), Naming(), DecimalAs.NUMBER)
    form = rows.bind(schema, x=pa.string())
    payloads = form.payloads(rows.rows_of(x=texts))
    assert len(payloads[0].as_py()) > 10_000_000
    assert [avro.decoded(schema, payload.as_py())["x"] for payload in payloads] == texts.to_pylist()


def test_no_rows():
    """Broken: a batch of which all rows are bad ends the replay."""
    form = rows.bind(rows.given({"name": "x", "type": "int", "default": 1}))
    batch = rows.rows_of(x=pa.array([1])).drop_columns("x")
    assert form.payloads(batch[:0]).to_pylist() == []
    assert form.misfits("price", batch[:0].column("price")) is None
    empty = a_form({"type": "array", "items": {**logical("bytes", "decimal"), "precision": 9}}, pa.list_(pa.int64()))
    assert empty.payloads(rows.rows_of(x=column(pa.list_(pa.int64()), [[1]]))[:0]).to_pylist() == []
