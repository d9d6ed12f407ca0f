"""Rows that are left out, moved or kept: whatever the options, a row has its place for good, and a resume is exact."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.errors import InputError
from replay.fate import Fate
from replay.model import Position
from replay.record.options import Records
from replay.source.choices import OnBadRow, Order, Unsorted
from replay.source.options import Columns, SourceOptions
from replay.source.rows.reader import BadRows
from replay.source.selection.parse import parse_selection
from replay.source.source import Source

T0_US = 1_767_225_600_000_000
US = pa.timestamp("us", "UTC")
GARBAGE = [None, 0, -1, 999, 2**62]
"""Times that no record can have."""


def write(path: Path, symbols: list[Any], prices: list[Any], times: list[Any], group: int = 3, **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {
        "symbol": pa.array(symbols, pa.string()),
        "price": pa.array(prices, pa.float64()),
        "event_time": pa.array(times, US),
        "row": pa.array(range(len(symbols)), pa.int64()),
    }
    pq.write_table(pa.table(columns), path, row_group_size=group, **more)
    return path


def source_of(*paths: Path, **options: Any) -> Source:
    return Source(SourceOptions(tuple(map(str, paths)), **options))


Seen = tuple[int, int, str | None, int, int]
"""Replay row, fate, symbol and time (of a row that is sent), left out so far."""


def seen(source: Source, start: Position | None = None) -> list[Seen]:
    rows: list[Seen] = []
    for batch in source.batches(start or source.start):
        fates = batch.fates.tolist() if batch.fates is not None else [0] * len(batch)
        ids = batch.table.column("symbol").to_pylist()
        times = batch.table.column("event_time").view(pa.int64()).to_pylist()
        for at, (fate, symbol, time_us) in enumerate(zip(fates, ids, times, strict=True)):
            sent = fate == Fate.SENT
            position = batch.position_after(at)
            name = source.symbols.names[symbol] if sent else None
            rows.append((position.row, fate, name, time_us if sent else 0, position.left_out))
    return rows


def messy_file(path: Path, random: Random, *, is_sorted: bool) -> None:
    rows = random.randint(1, 30)
    times: list[Any] = [T0_US + random.randint(0, 60) for _ in range(rows)]
    if is_sorted:
        times.sort()
    times = [random.choice(GARBAGE) if random.random() < 0.2 else time for time in times]
    symbols = [random.choice(["A", "B", "C", "", None]) if random.random() < 0.3 else "A" for _ in range(rows)]
    prices = [random.choice([1.0, 2.5, None, float("nan"), float("inf")]) for _ in range(rows)]
    write(path, symbols, prices, times, random.randint(1, 9), write_statistics=random.random() < 0.7)


SELECTIONS = [
    None,
    {"symbols": "A"},
    {"exclude": "A"},
    {"from_": "2026-01-01T00:00:00.000010Z", "to": "2026-01-01T00:00:00.000040Z"},
    {"where": "price > 1"},
    {"limit": 7},
    {"symbols": "A,C", "limit": 3, "where": "row >= 2"},
]


@settings(max_examples=150, deadline=None)
@given(
    files=st.integers(1, 4),
    unsorted=st.sampled_from(Unsorted),
    order=st.sampled_from(Order),
    selection=st.sampled_from(SELECTIONS),
    seed=st.integers(0, 2**32),
)
def test_from_any_position_exactly_the_remaining_rows_follow(
    tmp_path_factory: pytest.TempPathFactory,
    files: int,
    unsorted: Unsorted,
    order: Order,
    selection: dict[str, Any] | None,
    seed: int,
) -> None:
    """Broken: a resume in the middle of bad or unselected rows would repeat some rows and lose others."""
    random, folder = Random(seed), tmp_path_factory.mktemp("in")
    for number in range(files):
        messy_file(folder / f"{number}.parquet", random, is_sorted=unsorted is Unsorted.FAIL)
    options: dict[str, Any] = {
        "unsorted": unsorted,
        "order": order,
        "on_bad_row": OnBadRow.SKIP,
        "selection": parse_selection(**(selection or {})),
    }
    source = source_of(folder, **options)
    if not source.rows:
        return
    whole = seen(source)
    assert [row[0] for row in whole] == list(range(len(whole)))
    positions = [batch.position_after(n) for batch in source.batches(source.start) for n in range(len(batch) + 1)]
    for position in random.sample(positions, min(6, len(positions))):
        again = source_of(folder, **options)
        assert seen(again, position) == whole[position.row :]
    limit = (selection or {}).get("limit")
    sent = sum(fate == Fate.SENT for _, fate, *_ in whole)
    assert sent <= (limit or sent)
    if limit is None:
        assert len(whole) == source.rows


def test_a_file_of_nothing_but_times_beyond_all_times(tmp_path: Path) -> None:
    """Broken: rows that are left out would end the run, since they are ordered before what statistics promise."""
    write(tmp_path / "a.parquet", ["A", "A"], [1.0, 2.0], [T0_US, T0_US + 1])
    write(tmp_path / "b.parquet", ["A"], [3.0], [2**62])
    fates = [fate for _, fate, *_ in seen(source_of(tmp_path, on_bad_row=OnBadRow.SKIP))]
    assert fates == [Fate.SENT, Fate.SENT, Fate.TIME_TOO_LATE]


def test_a_bad_row_nobody_asked_for_is_not_bad(tmp_path: Path) -> None:
    """Broken: a replay of one symbol would fail over another's broken prices."""
    path = write(tmp_path / "a.parquet", ["A", "B", "A"], [1.0, None, 2.0], [T0_US, T0_US + 1, T0_US + 2])
    with pytest.raises(InputError, match="'price' is null"):
        seen(source_of(path))
    rows = seen(source_of(path, selection=parse_selection(symbols="A")))
    assert [fate for _, fate, *_ in rows] == [Fate.SENT, Fate.NOT_SELECTED, Fate.SENT]


def test_bad_rows_are_handed_over_with_all_their_columns(tmp_path: Path) -> None:
    """Broken: the quarantine would hold other rows than those left out, or not the columns that tell why."""
    path = write(tmp_path / "a.parquet", ["A", None, "A", "B"], [1.0, 2.0, None, 4.0], [T0_US + n for n in range(4)])
    source = source_of(path, on_bad_row=OnBadRow.QUARANTINE)
    found: list[BadRows] = []
    list(source.checked(found.append))
    rows = [(int(row), Fate(fate)) for each in found for row, fate in zip(each.rows, each.fates, strict=True)]
    assert rows == [(1, Fate.SYMBOL_MISSING), (2, Fate.PRICE_MISSING)]
    assert pa.concat_tables([pa.table(each.raw) for each in found]).column("row").to_pylist() == [1, 2]


def test_kept_order_is_the_file_s_and_the_merge_goes_by_the_largest_time_so_far(tmp_path: Path) -> None:
    """Broken: --unsorted keep would change places inside a file, or hold the other files back."""
    a = write(tmp_path / "a.parquet", ["A"] * 3, [1.0] * 3, [T0_US, T0_US + 10, T0_US + 5])
    b = write(tmp_path / "b.parquet", ["B"] * 2, [1.0] * 2, [T0_US + 7, T0_US + 11])
    rows = seen(source_of(a, b, unsorted=Unsorted.KEEP))
    assert [(name, time - T0_US) for _, _, name, time, _ in rows] == [
        ("A", 0),
        ("B", 7),
        ("A", 10),
        ("A", 5),
        ("B", 11),
    ]


def test_rows_that_go_back_are_counted_and_named(tmp_path: Path) -> None:
    """Broken: nobody would learn that the archive is unsorted, or where."""
    path = write(tmp_path / "a.parquet", ["A"] * 5, [1.0] * 5, [T0_US + n for n in (0, 9, 3, 4, 1)])
    source = source_of(path, unsorted=Unsorted.KEEP)
    list(source.checked())
    assert source.unsorted == {0: (3, 2)}


def test_row_groups_that_cannot_match_are_not_read(tmp_path: Path) -> None:
    """Broken: an hour out of a year would cost reading the year; or rows would be numbered as if it had been read."""
    path = write(tmp_path / "a.parquet", ["A"] * 9, [1.0] * 9, [T0_US + n for n in range(9)], group=3)
    selection = parse_selection(from_="2026-01-01T00:00:00.000004Z", to="2026-01-01T00:00:00.000006Z")
    source = source_of(path, selection=selection)
    assert [group.number for group in source.files[0].groups] == [1]
    assert source.rows == 3
    rows = seen(source)
    assert [(time - T0_US, fate) for _, fate, _, time, _ in rows if fate == Fate.SENT] == [(4, 0), (5, 0)]
    batch = next(iter(source.batches(source.start)))
    assert source.where(batch, 1) == f"{path}, row 4 (the first is 0)"


def with_note(path: Path, note: pa.Array, **options: Any) -> Source:
    columns = {"symbol": ["A"] * len(note), "price": [1.0] * len(note)}
    times = pa.array([T0_US + n for n in range(len(note))], US)
    pq.write_table(pa.table({**columns, "event_time": times, "note": note}), path)
    return source_of(path, on_bad_row=OnBadRow.SKIP, **options)


def broken_text() -> pa.Array:
    return pa.Array.from_buffers(pa.string(), 3, pa.array([b"ok", b"\xff", b"x"], pa.binary()).buffers())


@pytest.mark.parametrize(
    "note",
    [
        broken_text(),
        pa.StructArray.from_arrays([broken_text()], names=["a"]),
        pa.ListArray.from_arrays([0, 1, 2, 3], broken_text()),
    ],
    ids=["text", "struct", "list"],
)
def test_text_that_is_none_is_found_wherever_it_is(tmp_path: Path, note: pa.Array) -> None:
    """Broken: bytes that no JSON reader takes would be sent, or end the run as a bug."""
    source = with_note(tmp_path / "a.parquet", note, columns=Columns(fields=("note",)))
    assert [fate for _, fate, *_ in seen(source)] == [Fate.SENT, Fate.FIELD_NOT_TEXT, Fate.SENT]


@pytest.mark.parametrize("kind", [pa.uint64(), pa.int8(), pa.int64()], ids=str)
def test_a_partition_of_any_integer_type(tmp_path: Path, kind: pa.DataType) -> None:
    """Broken: a column of unsigned numbers would end the run as a bug, or a wrong number would."""
    wrong = {pa.uint64(): 2**63 + 5, pa.int8(): -1, pa.int64(): 2**31}[kind]
    source = with_note(
        tmp_path / "a.parquet", pa.array([3, wrong, None], kind), records=Records(partitioner="column:note")
    )
    assert [fate for _, fate, *_ in seen(source)] == [Fate.SENT, Fate.PARTITION_WRONG, Fate.PARTITION_WRONG]


def test_files_without_rows_contradict_nobody(tmp_path: Path) -> None:
    """Broken: an empty file, as some writers leave it for a day without trades, would refuse a year."""
    write(tmp_path / "a.parquet", ["A"], [1.0], [T0_US])
    nothing = {name: pa.nulls(0) for name in ("symbol", "price", "event_time")}
    pq.write_table(pa.table(nothing), tmp_path / "b.parquet")
    integers = {**nothing, "event_time": pa.array([], pa.int64())}
    pq.write_table(pa.table(integers), tmp_path / "c.parquet")
    assert len(seen(source_of(tmp_path))) == 1
