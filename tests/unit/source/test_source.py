"""Input: what cannot be replayed is named by file, row and column before anything is sent; the rest is read once."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from replay.errors import InputError, UsageError
from replay.model import Position
from replay.source import source as source_module
from replay.source.choices import OnBadRow, Order
from replay.source.options import Columns, SourceOptions
from replay.source.selection.select import Selection
from replay.source.source import Source
from tests.unit.source.trades import read, source_of, write

T0 = datetime(2026, 1, 1, tzinfo=UTC)
US = pa.timestamp("us", "UTC")
NAN, INF = float("nan"), float("inf")


def replaced(values: list[Any], row: int, value: Any) -> list[Any]:
    return [*values[:row], value, *values[row + 1 :]]


def test_a_preset_without_a_name_is_refused(tmp_path: Path) -> None:
    """Broken: a script's variable is not set, and the columns of no preset are sent with exit 0."""
    path = write(tmp_path / "a.parquet")
    with pytest.raises(UsageError, match="there is no preset ''"):
        source_of(path, preset="")


# -- rows that cannot be replayed -------------------------------------------------------------------------

SYMBOLS: list[Any] = ["A"] * 10
PRICES: list[Any] = [1.0] * 10
TIMES: list[Any] = [1_767_225_600_000_000 + n for n in range(10)]

BAD = {
    "null symbol": ("symbol", pa.array(replaced(SYMBOLS, 7, None)), "is null or empty"),
    "empty symbol": ("symbol", pa.array(replaced(SYMBOLS, 7, "")), "is null or empty"),
    "null in a dictionary": ("symbol", pa.array(replaced(SYMBOLS, 7, None)).dictionary_encode(), "is null"),
    "null price": ("price", pa.array(replaced(PRICES, 7, None)), "is null"),
    "NaN price": ("price", pa.array(replaced(PRICES, 7, NAN)), "is not finite"),
    "infinite price": ("price", pa.array(replaced(PRICES, 7, INF)), "is not finite"),
    "minus infinite price": ("price", pa.array(replaced(PRICES, 7, -INF), pa.float32()), "is not finite"),
    "null decimal price": ("price", pa.array(replaced([1] * 10, 7, None), pa.decimal128(9, 2)), "is null"),
    "null time": ("event_time", pa.array(replaced(TIMES, 7, None), US), "is null"),
    "goes back": ("event_time", pa.array(replaced(TIMES, 7, TIMES[0]), US), "goes back in time"),
}
BAD_TIMES = {
    "time 0": (US, 0, "is not after 1970"),
    "time below a millisecond": (US, 999, "is not after 1970"),
    "nanoseconds below one": (pa.timestamp("ns"), 999_999, "is not after 1970"),
    "seconds 0": (pa.timestamp("s"), 0, "is not after 1970"),
    "before 1970": (US, -1, "is not after 1970"),
    "far too late": (pa.timestamp("ms"), 2**62, "is beyond the year 2262"),
}


@pytest.mark.parametrize(("column", "values", "what"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("batch_rows", [3, 65_536])
def test_a_bad_row_is_named_by_file_row_and_column(tmp_path, monkeypatch, column, values, what, batch_rows):
    """Sent, it would be a record that no consumer can read; unnamed, nobody finds it among millions."""
    monkeypatch.setattr(source_module, "BATCH_ROWS_MAX", batch_rows)
    path = write(tmp_path / "bad.parquet", **{column: values})
    with pytest.raises(InputError, match=what) as caught:
        list(source_of(path).checked())
    assert f"{path}, row 7" in caught.value.where
    assert repr(column) in caught.value.what
    with pytest.raises(InputError, match=what):
        read(source_of(path))


@pytest.mark.parametrize(("kind", "value", "what"), BAD_TIMES.values(), ids=BAD_TIMES)
def test_a_time_that_kafka_takes_for_now_or_refuses_is_named(tmp_path, kind, value, what):
    """Kafka reads a timestamp of 0 as "now": the record would be dated today."""
    good = 3_000_000
    times = [value] * 5 if value <= good else [good] * 3 + [value] * 2
    at = 0 if value <= good else 3
    path = write(tmp_path / "bad.parquet", rows=5, event_time=pa.array(times, kind))
    if kind == pa.timestamp("ms"):
        table = pa.table({"symbol": ["A"] * 5, "price": [1.0] * 5, "event_time": pa.array(times, pa.timestamp("ms"))})
        pq.write_table(table, path)
    with pytest.raises(InputError, match=what) as caught:
        list(source_of(path).checked())
    assert f"row {at} " in caught.value.where
    assert "'event_time'" in caught.value.what


def test_rows_that_go_back_across_batches_are_noticed(tmp_path, monkeypatch):
    """The merge relies on sorted files: it would hand rows on in another order than it promises."""
    monkeypatch.setattr(source_module, "BATCH_ROWS_MAX", 2)
    times = [*range(5_000, 5_006), *range(4_000, 4_004)]
    path = write(tmp_path / "a.parquet", event_time=pa.array(times, US))
    with pytest.raises(InputError, match="goes back") as caught:
        list(source_of(path).checked())
    assert "row 6 " in caught.value.where
    assert [time for *_, time in read(source_of(path, order=Order.AS_IS))] == times


def test_text_that_is_not_utf8_is_named(tmp_path):
    bad = pa.array([b"A", b"\xff\xfe", b"C"], pa.binary()).view(pa.string())
    path = write(tmp_path / "a.parquet", rows=3, note=bad)
    with pytest.raises(InputError, match="not valid UTF-8") as caught:
        list(source_of(path, fields=("note",)).checked())
    assert "row 1 " in caught.value.where


# -- files and columns that cannot be replayed ------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ({"symbol": ...}, "no column 'symbol'"),
        ({"price": ...}, "no column 'price'"),
        ({"event_time": ...}, "no column 'event_time'"),
        ({"symbol": pa.array(range(10))}, "'symbol' has type int64"),
        ({"price": pa.array([True] * 10)}, "'price' has type bool"),
        ({"event_time": pa.array(range(10))}, "the unit of these times cannot be told"),
    ],
)
def test_a_missing_or_wrong_column_is_named_with_its_file(tmp_path, columns, what):
    path = write(tmp_path / "a.parquet", **columns)
    with pytest.raises(InputError, match=what) as caught:
        source_of(path)
    assert caught.value.where == str(path)


def test_a_column_that_is_there_twice_is_refused(tmp_path):
    """Which of the two prices is the price is not ours to guess."""
    good = pq.read_table(write(tmp_path / "a.parquet"))
    pq.write_table(good.append_column("price", good["price"]), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="2 columns named 'price'"):
        source_of(tmp_path / "a.parquet")


def test_a_further_field_that_is_missing_or_has_no_json_form_is_refused(tmp_path):
    twice = pa.StructArray.from_arrays([pa.array(range(10))] * 2, names=["x", "x"])
    path = write(tmp_path / "a.parquet", raw=twice)
    with pytest.raises(InputError, match="no column 'size'"):
        source_of(path, fields=("size",))
    with pytest.raises(InputError, match="'raw' has type struct"):
        source_of(path, fields=("raw",))


def test_files_with_different_types_are_refused(tmp_path):
    """Rows of one would be written unlike those of the other: 5 here, 5.00 there."""
    write(tmp_path / "a.parquet")
    write(tmp_path / "b.parquet", price=pa.array([1] * 10))
    with pytest.raises(InputError, match="'price' has type int64, but double"):
        source_of(tmp_path)


@pytest.mark.parametrize(
    ("data", "what"),
    [(b"", "is empty"), (b"PAR1", "not a whole Parquet"), (b"symbol,price\nA,1\n" * 50, "not a whole Parquet")],
)
def test_a_file_that_is_no_parquet_is_named(tmp_path, data, what):
    path = tmp_path / "a.parquet"
    path.write_bytes(data)
    with pytest.raises(InputError, match=what) as caught:
        source_of(path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize("left", [10, 200, -1, -8])
def test_a_truncated_file_is_named(tmp_path, left):
    """Half a download must not be half a replay."""
    path = write(tmp_path / "a.parquet")
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(InputError, match="not a whole Parquet"):
        source_of(path)


def test_damaged_pages_are_named(tmp_path):
    path = write(tmp_path / "a.parquet", rows=5_000, group=5_000)
    data = bytearray(path.read_bytes())
    data[4:60] = b"\xff" * 56
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        list(source_of(path).checked())
    assert str(path) in caught.value.where


@pytest.mark.parametrize("when", ["before the first row", "between check and replay"])
def test_a_file_that_changes_after_the_start_is_refused(tmp_path, when):
    """Its rows would not be those of the checkpoint: some lost, some twice."""
    path = write(tmp_path / "a.parquet")
    source = source_of(path)
    if when == "before the first row":
        write(path, rows=11)
    else:
        list(source.checked())
        write(path, rows=12)
    with pytest.raises(InputError, match="changed"):
        read(source)
    path.unlink()
    with pytest.raises(InputError):
        read(source)


def test_no_rows_at_all_is_an_error_and_empty_files_among_others_are_not(tmp_path):
    write(tmp_path / "0.parquet", rows=0)
    with pytest.raises(InputError, match="no rows"):
        source_of(tmp_path)
    write(tmp_path / "1.parquet")
    write(tmp_path / "2.parquet", rows=0)
    assert len(read(source_of(tmp_path))) == 10


def of_day(folder: Path, day: datetime, **options: Any) -> Source:
    first_ns = int(day.timestamp()) * 1_000_000_000
    selection = Selection(from_ns=first_ns, to_ns=first_ns + 86_400_000_000_000)
    return Source(SourceOptions((str(folder),), selection=selection, **options))


def days_file(path: Path, day: datetime, kind: pa.DataType = US, **options: Any) -> None:
    start_us = int(day.timestamp()) * 1_000_000
    times = pa.array([start_us + n for n in range(3)], US).cast(kind)
    columns = {"symbol": ["A"] * 3, "price": [1.0, 2.0, 3.0], "event_time": times, **options.pop("columns", {})}
    pq.write_table(pa.table(columns), path, **options)


@pytest.mark.parametrize("statistics", ["statistics", "no statistics", "INT96"])
def test_a_file_of_other_days_is_no_part_of_a_day(tmp_path, statistics):
    """Broken: with each night's new file, all nights before it are other jobs, and are refused."""
    how = {"INT96": {"use_deprecated_int96_timestamps": True}, "no statistics": {"write_statistics": False}}
    days_file(tmp_path / "1.parquet", T0, **how.get(statistics, {}))
    before = of_day(tmp_path, T0, columns=Columns(fields=("*",)))
    days_file(tmp_path / "0.parquet", T0 - timedelta(days=1), **how.get(statistics, {}))
    more = {"columns": {"size": [1, 2, 3]}}
    days_file(
        tmp_path / "2.parquet", T0 + timedelta(days=1), pa.timestamp("ns", "UTC"), **how.get(statistics, {}), **more
    )
    after = of_day(tmp_path, T0, columns=Columns(fields=("*",)))
    assert [file.print for file in after.files] == [file.print for file in before.files]
    assert after.identity() == before.identity()
    assert (after.label, after.end, after.files_all) == (before.label, before.end, 3)
    assert read(after) == read(before) != []
    days_file(tmp_path / "3.parquet", T0 + timedelta(hours=1), **how.get(statistics, {}))
    assert len(of_day(tmp_path, T0).files) == 2


def test_a_file_whose_times_are_bad_belongs_to_every_day(tmp_path):
    """Broken: bad rows in a file without statistics would be left out of all days, and nobody told."""
    days_file(tmp_path / "1.parquet", T0)
    columns = {"event_time": pa.array([None, int(T0.timestamp() * 1e6) - 86_400_000_000, None], US)}
    days_file(tmp_path / "2.parquet", T0, columns=columns, write_statistics=False)
    assert len(of_day(tmp_path, T0, on_bad_row=OnBadRow.SKIP).files) == 2


# -- reading ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())], ids=str
)
def test_symbols_of_any_text_type_are_the_same_symbols(tmp_path, kind):
    names = ["A", "B", "A", "Ä", "B"] * 2
    path = write(tmp_path / "a.parquet", symbol=pa.array(names).cast(kind))
    source = source_of(path)
    assert [name for name, *_ in read(source)] == names
    assert sorted(source.symbols.names) == ["A", "B", "Ä"]


def test_times_with_a_zone_are_the_same_moments_in_utc(tmp_path):
    """Taken for local time, every event would be hours off."""
    moment = [TIMES[0]] * 10
    zones = {"utc": US, "new-york": pa.timestamp("us", "America/New_York"), "none": pa.timestamp("us")}
    for name, kind in zones.items():
        path = write(tmp_path / f"{name}.parquet", event_time=pa.array(moment, kind))
        assert [time for *_, time in read(source_of(path))] == moment


def test_mapped_columns_and_a_constant_symbol(tmp_path):
    path = write(
        tmp_path / "a.parquet",
        symbol=...,
        price=...,
        event_time=...,
        p=pa.array([1.5] * 10),
        t=pa.array(TIMES, US),
        s=pa.array(["X"] * 10),
    )
    assert read(source_of(path, symbol="s", price="p", event_time="t"))[0] == ("X", 1.5, TIMES[0])
    assert read(source_of(path, price="p", event_time="t", constant_symbol="BTC"))[0] == ("BTC", 1.5, TIMES[0])


def test_the_symbol_column_can_be_a_further_field_as_well(tmp_path):
    path = write(tmp_path / "a.parquet", sym=pa.array(["X"] * 10))
    source = source_of(path, symbol="sym", fields=("sym",))
    assert [x for batch in source.batches(source.start) for x in batch.table.column("sym").to_pylist()] == ["X"] * 10


def test_a_resume_does_not_read_the_row_groups_before_it(tmp_path, monkeypatch):
    """Hours of a large replay would be read again for nothing."""
    path = write(tmp_path / "a.parquet", rows=100, group=10)
    asked: list[list[int]] = []
    real = pq.ParquetFile.iter_batches

    def spy(self: Any, batch_size: int, row_groups: list[int], **more: Any) -> Any:
        asked.append(list(row_groups))
        return real(self, batch_size, row_groups=row_groups, **more)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", spy)
    source = source_of(path)
    rest = read(source, Position(57, (57,)))
    assert asked == [[5, 6, 7, 8, 9]]
    assert [price for _, price, _ in rest] == [100.0 + n for n in range(57, 100)]


def test_a_place_is_told_by_file_and_row(tmp_path):
    for n in (0, 1):
        times = [TIMES[0] + 2 * k + n for k in range(10)]
        write(tmp_path / f"{n}.parquet", event_time=pa.array(times, US))
    source = source_of(tmp_path)
    at = 0
    for batch in source.batches(source.start):
        for row in range(len(batch)):
            assert source.where(batch, row).startswith(f"{tmp_path / str(at % 2)}.parquet, row {at // 2} ")
            at += 1
    assert at == 20


@pytest.mark.parametrize("encoding", ["PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"])
def test_symbols_of_any_encoding(tmp_path, encoding):
    """Broken: symbols that Arrow cannot read as a dictionary (duckdb and others write such) would be refused."""
    plain = write(tmp_path / "a.parquet", symbol=pa.array(["A", "BB", "A", "C", "BB"] * 2))
    other = tmp_path / "b.parquet"
    pq.write_table(pq.read_table(plain), other, use_dictionary=["price"], column_encoding={"symbol": encoding})
    assert read(source_of(other)) == read(source_of(plain))


def test_the_first_event_is_known_without_statistics_too(tmp_path):
    """The warning about retention depends on it, and whether files that follow each other are chained."""
    path = write(tmp_path / "a.parquet")
    span_ns = source_of(path).event_span_ns
    assert span_ns is not None
    assert span_ns[0] == int(T0.timestamp()) * 10**9
    pq.write_table(pq.read_table(path), tmp_path / "b.parquet", write_statistics=False)
    assert source_of(tmp_path).event_span_ns == span_ns


def test_the_print_of_a_file_changes_with_its_content_and_not_with_its_folder(tmp_path):
    """A resume with other rows would match nothing; a moved folder is still the same job."""
    a = write(tmp_path / "x" / "a.parquet")
    moved = tmp_path / "y" / "a.parquet"
    moved.parent.mkdir()
    moved.write_bytes(a.read_bytes())
    os.utime(moved, (1, 1))
    other = write(tmp_path / "z" / "a.parquet", price=pa.array([7.0] * 10))
    first, second, third = (source_of(path).files[0].print for path in (a, moved, other))
    assert first == second
    assert first != third


def test_a_further_time_that_has_no_form_is_named(tmp_path):
    from replay.record.encoder import Encoder
    from tests.support.formats import bare_json

    far = pa.array([2**61] * 10, pa.timestamp("ms"))
    path = write(tmp_path / "a.parquet", far=far)
    source = source_of(path, fields=("far",))
    encoder = Encoder(source.symbols, bare_json(source.symbols, "far"), lambda _: 0)
    with pytest.raises(InputError):
        list(map(encoder.encode, source.batches(source.start)))
