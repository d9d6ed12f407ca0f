"""Bad rows put aside: all of them, with their columns, as one whole file or none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from replay.errors import CheckpointUnwritable
from replay.source.choices import OnBadRow
from replay.source.options import SourceOptions
from replay.source.rows.quarantine import Quarantine, is_of, place_beside
from replay.source.source import Source
from tests.unit.source.test_left_out import T0_US, US, write


def put_aside(folder: Path, checkpoint: Path) -> tuple[Path, Source]:
    source = Source(SourceOptions((str(folder),), on_bad_row=OnBadRow.QUARANTINE))
    place = place_beside(checkpoint)
    quarantine = Quarantine(place, source.files, source.label)
    for _ in source.checked(quarantine.add):
        pass
    quarantine.finish()
    return place, source


def test_what_is_put_aside(tmp_path: Path) -> None:
    """Broken: whoever mends the archive would not find the rows, or not see what is wrong with them."""
    times = [T0_US + n for n in range(4)]
    write(tmp_path / "in" / "a.parquet", ["A", "", "A", "B"], [1.0, 2.0, float("nan"), 4.0], times)
    write(tmp_path / "in" / "b.parquet", ["A", "A"], [1.0, 2.0], [T0_US, None])
    place, _ = put_aside(tmp_path / "in", tmp_path / "job.json")
    assert place.name == "job.json.quarantine.parquet"
    rows = pq.read_table(place).to_pylist()
    assert [(Path(row["_file"]).name, row["_row"], row["_reason"]) for row in rows] == [
        ("a.parquet", 1, "symbol is null or empty"),
        ("a.parquet", 2, "price is not finite"),
        ("b.parquet", 1, "time is null or empty"),
    ]
    assert [row["row"] for row in rows] == [1, 2, 1]
    assert [row["symbol"] for row in rows] == ["", "A", "A"]


def test_files_that_contradict_each_other_are_put_aside_as_text(tmp_path: Path) -> None:
    """Broken: two files with different further columns could not be put into one quarantine."""
    folder = tmp_path / "in"
    folder.mkdir()
    broken = pa.Array.from_buffers(pa.string(), 2, pa.array([b"\xff", b"ok"], pa.binary()).buffers())
    for name, note in (("a", pa.array([1, 2])), ("b", broken), ("c", pa.array([{"x": 1}, None]))):
        columns: dict[str, Any] = {
            "symbol": ["A", "A"],
            "price": [None, 1.0],
            "event_time": pa.array([T0_US, T0_US + 1], US),
            "note": note,
        }
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    place, _ = put_aside(folder, tmp_path / "job.json")
    assert pq.read_table(place).column("note").to_pylist() == ["1", "\\xff", "{'x': 1}"]


def test_it_belongs_to_its_inputs(tmp_path: Path) -> None:
    """Broken: after the input changed, the old quarantine would pass for the new one."""
    write(tmp_path / "in" / "a.parquet", ["", "A"], [1.0, 2.0], [T0_US, T0_US])
    place, source = put_aside(tmp_path / "in", tmp_path / "job.json")
    assert is_of(place, source.label)
    write(tmp_path / "in" / "b.parquet", ["A"], [1.0], [T0_US])
    assert not is_of(place, Source(SourceOptions((str(tmp_path / "in"),))).label)
    place.write_bytes(place.read_bytes()[:50])
    assert not is_of(place, source.label)
    assert not is_of(tmp_path / "none", source.label)


def test_until_it_is_whole_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: a kill in the middle would leave a half quarantine that a resume takes for the whole."""
    write(tmp_path / "in" / "a.parquet", ["", "A"], [1.0, 2.0], [T0_US, T0_US])
    seen: list[bool] = []
    real = os.replace

    def replace(old: Path, new: Path) -> None:
        seen.append(Path(new).exists())
        real(old, new)

    monkeypatch.setattr(os, "replace", replace)
    place, _ = put_aside(tmp_path / "in", tmp_path / "job.json")
    assert seen == [False]
    assert place.exists()


def test_a_place_that_takes_no_file_is_said(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.parquet", [""], [1.0], [T0_US])
    with pytest.raises(CheckpointUnwritable, match="quarantine file"):
        put_aside(tmp_path / "in", tmp_path / "missing" / "job.json")


def test_too_little_memory_is_no_fault_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: whoever runs out of memory is asked to repair a sound folder, or rows are written twice."""

    def fails(*_: object) -> None:
        raise pa.ArrowMemoryError("malloc of size 77632 failed")

    write(tmp_path / "in" / "a.parquet", ["", "A"], [1.0, 2.0], [T0_US, T0_US])
    place, source = put_aside(tmp_path / "in", tmp_path / "job.json")
    monkeypatch.setattr(pq, "read_metadata", fails)
    with pytest.raises(MemoryError):
        is_of(place, source.label)
    monkeypatch.setattr(pq.ParquetWriter, "write_table", fails)
    with pytest.raises(MemoryError):
        put_aside(tmp_path / "in", tmp_path / "job.json")


def test_columns_of_one_name_are_all_put_aside(tmp_path: Path) -> None:
    """Broken: files of a join that kept both columns end in a traceback, or one of the two is lost."""
    columns = [pa.array(["", "A"]), pa.array([1.0, 2.0]), pa.array([T0_US, T0_US + 1], US)]
    columns += [pa.array([10, 11]), pa.array(["x", "y"]), pa.array([20, 21]), pa.array(["f", "g"]), pa.array([30, 31])]
    names = ["symbol", "price", "event_time", "value", "value", "value_2", "_file", "value"]
    (tmp_path / "in").mkdir()
    pq.write_table(pa.Table.from_arrays(columns, names), tmp_path / "in" / "a.parquet")
    pq.write_table(pa.Table.from_arrays(columns[:4], names[:4]), tmp_path / "in" / "b.parquet")
    place, _ = put_aside(tmp_path / "in", tmp_path / "job.json")
    rows = pq.read_table(place).to_pylist()
    assert [Path(row["_file"]).name for row in rows] == ["a.parquet", "b.parquet"]
    wanted = ("value", "value_3", "value_2", "value_4", "_file_2")
    assert [tuple(row[name] for name in wanted) for row in rows] == [
        (10, "x", 20, 30, "f"),
        (10, None, None, None, None),
    ]
