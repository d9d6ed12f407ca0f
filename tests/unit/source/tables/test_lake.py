"""Lake tables are read as one state of them: real tables, made by deltalake and pyiceberg."""

from __future__ import annotations

import gzip
import json
import shutil
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyiceberg.manifest import DataFileContent
from pyiceberg.table import Table as IcebergTable
from pyiceberg.types import StringType

from replay.delivery.job_print import as_known
from replay.errors import ExitCode, ReplayError, exit_code
from replay.fate import Fate
from replay.identity import TABLES
from replay.source.choices import OnBadRow, Unsorted
from replay.source.options import Columns, SourceOptions
from replay.source.selection.parse import parse_selection
from replay.source.source import Source
from replay.source.tables import iceberg as ours
from replay.source.tables import states as tables
from tests.support import lake_tables as lake
from tests.support.lake_tables import trades


def source(path: str | Path, table_version: int | None = None, snapshot: int | None = None, **options: Any) -> Source:
    """Sorted: compaction puts the files of a table together in any order."""
    asked = tables.AskedState(table_version, snapshot)
    return Source(SourceOptions((str(path),), unsorted=Unsorted.SORT, table_state=asked, **options))


def rows(read: Source) -> list[tuple[str, float]]:
    found = []
    for batch in read.batches(read.start):
        names = [read.symbols.names[at] for at in batch.table.column("symbol").to_pylist()]
        sent = [True] * len(batch) if batch.fates is None else [fate == Fate.SENT for fate in batch.fates.tolist()]
        prices = batch.table.column("price").to_pylist()
        found += [(name, price) for name, price, is_sent in zip(names, prices, sent, strict=True) if is_sent]
    return found


def values(read: Source, column: str) -> list[object]:
    return [value for batch in read.batches(read.start) for value in batch.table.column(column).to_pylist()]


def of(table: pa.Table) -> list[tuple[str, float]]:
    table = table.sort_by("price")
    return list(zip(table["symbol"].to_pylist(), table["price"].to_pylist(), strict=True))


def refused(path: str | Path, told: str, code: ExitCode = ExitCode.INPUT, **options: Any) -> ReplayError:
    with pytest.raises(ReplayError) as caught:
        source(path, **options)
    assert exit_code(caught.value) == code, str(caught.value)
    assert told in str(caught.value)
    return caught.value


# -- Delta ------------------------------------------------------------------------------------------------


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """Version 0 has rows 0 to 9, version 1 has 20 in all, version 2 is compacted, version 3 is without symbol B."""
    folder = tmp_path / "delta" / "trades"
    lake.delta(folder, trades(10))
    write_deltalake(folder, trades(10, first=10), mode="append")
    table = DeltaTable(folder)
    table.optimize.compact()
    table.delete("symbol = 'B'")
    assert table.version() == 3
    return folder


def test_a_delta_table_is_its_newest_version(moved):
    """Broken: the rows of rewritten files come twice, and deleted ones come back."""
    expected = [row for row in of(trades(20)) if row[0] != "B"]
    assert rows(source(moved)) == expected
    assert source(moved).rows == len(expected) == 15
    assert source(f"file://{moved}").tables == f"Delta {DeltaTable(moved).metadata().id} version 3"


@pytest.mark.parametrize(("version", "expected"), [(0, of(trades(10))), (1, of(trades(20))), (2, of(trades(20)))])
def test_a_delta_table_as_it_was(moved, version, expected):
    """Broken: --table-version is passed over, or mixes the files of several versions."""
    assert rows(source(moved, table_version=version)) == expected


def test_another_version_is_another_job_but_a_compaction_of_other_days_is_not(moved):
    """Broken: a resume reads another version unnoticed; or each night's commit undoes what earlier nights have done."""
    assert source(moved).identity()[TABLES] != source(moved, table_version=2).identity()[TABLES]
    assert "version 2" in source(moved, table_version=2).identity()[TABLES]


def test_partition_columns_that_only_the_log_has_are_columns(tmp_path):
    """Broken: the symbol, a partition column, is null in all rows; or an escaped or null value is another one."""
    names = ["A/B c", "ü=1", None, "A/B c"]
    table = trades(4).set_column(0, "symbol", pa.array(names, pa.string()))
    table = table.append_column("day", pa.array([date(2026, 11, 22)] * 4)).append_column(
        "n", pa.array([7] * 4, pa.int32())
    )
    folder = lake.delta(tmp_path / "t", table, partition_by=["symbol", "day", "n"])
    read = source(folder, columns=Columns(fields=("day", "n")), on_bad_row=OnBadRow.SKIP)
    assert rows(read) == [("A/B c", 0.0), ("ü=1", 1.0), ("A/B c", 3.0)]
    assert set(values(read, "day")) == {"2026-11-22"}
    assert set(values(read, "n")) == {"7"}
    only = source(
        folder,
        selection=parse_selection(None, None, None, None, where="day == '2026-11-23'"),
        on_bad_row=OnBadRow.SKIP,
    )
    assert rows(only) == []


def test_a_column_that_was_added_later_is_null_in_older_files(tmp_path):
    """Broken: a table whose schema grew cannot be read, or older rows get another column's values."""
    folder = lake.delta(tmp_path / "t", trades(3))
    write_deltalake(folder, trades(2, first=3, side=["buy", "sell"]), mode="append", schema_mode="merge")
    read = source(folder, columns=Columns(fields=("side",)))
    assert rows(read) == of(trades(5))
    assert values(read, "side") == [None, None, None, "buy", "sell"]
    where = parse_selection(None, None, None, None, where="side == 'sell'")
    assert rows(source(folder, selection=where)) == [("A", 4.0)]


def test_deletion_vectors_are_refused_by_name(tmp_path):
    """Broken: deleted rows come back."""
    folder = tmp_path / "t"
    lake.delta(folder, trades(10))
    lake.delete_by_vector(folder, [1, 3])
    refused(folder, "deletion vectors")
    assert rows(source(folder, table_version=0)) == of(trades(10))


def test_a_feature_that_is_not_honoured_is_refused_by_name(tmp_path):
    """Broken: columns are taken for others, or rows that the feature takes away are sent."""
    folder = tmp_path / "mapped"
    lake.delta(folder, trades(3))
    lake.with_mapped_columns(folder)
    refused(folder, "column mapping")
    folder = tmp_path / "future"
    lake.delta(folder, trades(3))
    lake.with_features(folder, "someNewFeature")
    refused(folder, "someNewFeature")


def test_a_shallow_clone_is_refused(tmp_path):
    """Broken: its files are looked for at the wrong place, or taken for vacuumed."""
    folder = tmp_path / "t"
    lake.delta(folder, trades(3))
    add = lake.actions(folder, "add")[0]
    lake.commit(folder, {"add": {**add, "path": f"file://{tmp_path}/other/{add['path']}"}})
    refused(folder, "shallow clone")


def test_files_that_were_vacuumed_are_a_state_conflict(moved):
    """Broken: an old version is replayed without the rows that are gone, or the error says nothing of vacuum."""
    DeltaTable(moved).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert len(rows(source(moved))) == 15
    error = refused(moved, "vacuum", ExitCode.STATE_CONFLICT, table_version=1)
    assert "version 1" in error.what


def test_a_version_that_is_not_there(moved):
    """Broken: another version is read instead."""
    refused(moved, "there is no version 9 of this table (the newest is 3)", table_version=9)
    (moved / "_delta_log" / "00000000000000000000.json").unlink()
    (moved / "_delta_log" / "00000000000000000001.json").unlink()
    with pytest.raises(ReplayError):
        source(moved, table_version=1)


def test_an_empty_table_has_no_input(tmp_path):
    """Broken: a table without rows is an empty success."""
    folder = tmp_path / "t"
    lake.delta(folder, trades(3))
    DeltaTable(folder).delete()
    refused(folder, "has no rows")


# -- Iceberg ----------------------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path: Path) -> Iterator[IcebergTable]:
    """Three snapshots: rows 0 to 9, 20 in all, and without symbol B."""
    made = lake.iceberg(tmp_path / "wh", trades(10))
    made.append(trades(10, first=10))
    made.delete("symbol = 'B'")
    yield made
    made.catalog.close()


def test_an_iceberg_table_is_its_current_snapshot(table):
    """Broken: the rows of rewritten files come twice, and deleted ones come back."""
    assert rows(source(lake.folder_of(table))) == [row for row in of(trades(20)) if row[0] != "B"]
    current = table.current_snapshot()
    assert source(lake.folder_of(table)).tables == f"Iceberg {table.metadata.table_uuid} snapshot {current.snapshot_id}"


def test_an_iceberg_table_as_it_was(table):
    """Broken: --snapshot is passed over, or mixes the files of several snapshots."""
    first, second = (each.snapshot_id for each in table.snapshots()[:2])
    assert rows(source(lake.folder_of(table), snapshot=first)) == of(trades(10))
    assert rows(source(lake.folder_of(table), snapshot=second)) == of(trades(20))
    refused(lake.folder_of(table), "there is no snapshot 77", ExitCode.STATE_CONFLICT, snapshot=77)


def test_a_metadata_file_is_the_table_that_a_catalog_points_to(table):
    """Broken: a commit that failed, whose metadata file lies there, is read as if the catalog had it."""
    at = Path(table.metadata_location.removeprefix("file://"))
    before = sorted(at.parent.glob("*.metadata.json"))[2]
    assert rows(source(before)) == of(trades(20))
    shutil.copy(at, at.with_name(at.name[:5] + "-race.metadata.json"))
    error = refused(lake.folder_of(table), "only the catalog knows")
    assert "metadata.json" in str(error.todo)
    assert len(rows(source(at))) == 15


def test_two_states_of_one_table_are_refused(table, moved):
    """Broken: a glob over metadata files sends most rows twice."""
    names = sorted(map(str, (Path(lake.folder_of(table)) / "metadata").glob("*.metadata.json")))
    with pytest.raises(ReplayError, match="two states of one table"):
        Source(SourceOptions((names[2], names[-1])))
    assert Source(SourceOptions((str(moved), f"{moved}/", lake.folder_of(table)))).rows == 30


def test_the_newest_metadata_file_is_the_one_with_the_highest_number():
    """Broken: version 9 is taken for newer than version 10, or a compressed one is not seen."""
    assert ours.newest(["v9.metadata.json", "v10.metadata.json"], "t") == "v10.metadata.json"
    assert ours.newest(["00009-a.metadata.json", "00010-b.gz.metadata.json"], "t") == "00010-b.gz.metadata.json"
    assert ours.newest(["v3.metadata.json.gz", "v2.metadata.json"], "t") == "v3.metadata.json.gz"
    with pytest.raises(ReplayError, match="cannot be told"):
        ours.newest(["x.metadata.json"], "t")


def test_a_compressed_metadata_file_is_read(table):
    """Broken: a table whose metadata is compressed cannot be read."""
    at = Path(table.metadata_location.removeprefix("file://"))
    at.with_name("00099-x.gz.metadata.json").write_bytes(gzip.compress(at.read_bytes()))
    assert len(rows(source(lake.folder_of(table)))) == 15


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (DataFileContent.POSITION_DELETES, "position delete files"),
        (DataFileContent.EQUALITY_DELETES, "equality delete files"),
    ],
)
def test_delete_files_are_refused_by_name(tmp_path, kind, told):
    """Broken: deleted rows come back; or the delete file itself is read as trades."""
    made = lake.iceberg(tmp_path / "wh", trades(10))
    lake.delete_by_file(made, [1, 2], kind)
    refused(lake.folder_of(made), told)
    before = made.snapshots()[0].snapshot_id
    assert rows(source(lake.folder_of(made), snapshot=before)) == of(trades(10))
    made.catalog.close()


def test_partitions_and_their_folders(tmp_path):
    """Broken: the folder of a transform (event_time_day=…) becomes a column; an identity partition is lost."""
    made = lake.iceberg(tmp_path / "wh", trades(4, day=["x", "x", "y/z", None]), partition="day")
    read = source(lake.folder_of(made), columns=Columns(fields=("day",)))
    assert rows(read) == of(trades(4))
    assert values(read, "day") == ["x", "x", "y/z", None]
    made.catalog.close()


def test_columns_that_changed_their_name_are_refused(tmp_path):
    """Broken: older rows are sent with null, or with the values of a column that had that name before."""
    made = lake.iceberg(tmp_path / "wh", trades(4, side=["a", "b", "c", "d"], size=[1, 2, 3, 4]))
    with made.update_schema() as schema:
        schema.add_column("note", StringType())
    made.append(trades(1, first=4, side=["e"], size=[5], note=["new"]))
    read = source(lake.folder_of(made), columns=Columns(fields=("note",)))
    assert values(read, "note") == [None] * 4 + ["new"]
    where = parse_selection(None, None, None, None, where="is_null(note) or note == 'new'")
    assert rows(source(lake.folder_of(made), selection=where)) == of(trades(5))
    with made.update_schema() as schema:
        schema.rename_column("side", "way")
    made.append(trades(1, first=5, way=["f"], size=[6], note=["new"]))
    refused(lake.folder_of(made), "a renamed column ('side' is now 'way')")
    with made.update_schema(allow_incompatible_changes=True) as schema:
        schema.delete_column("way")
        schema.delete_column("size")
    made.append(trades(1, first=6, note=["new"]))
    assert rows(source(lake.folder_of(made))) == of(trades(7))
    with made.update_schema() as schema:
        schema.add_column("size", StringType())
    made.append(trades(1, first=7, note=["new"], size=["many"]))
    refused(lake.folder_of(made), "a column 'size' that replaced one of the same name")
    made.catalog.close()


def test_files_of_an_expired_snapshot_are_a_state_conflict(table):
    """Broken: it is replayed without the rows that are gone."""
    (task, *_) = table.scan(snapshot_id=table.snapshots()[0].snapshot_id).plan_files()
    Path(task.file.file_path.removeprefix("file://")).unlink()
    refused(lake.folder_of(table), "is gone", ExitCode.STATE_CONFLICT, snapshot=table.snapshots()[0].snapshot_id)


# -- both -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("package", "extra"), [("deltalake", "delta"), ("pyiceberg.table", "iceberg")])
def test_without_the_extra_the_error_names_it(moved, table, monkeypatch, package, extra):
    """Broken: a traceback, or files read as they lie there, where the package is missing."""
    monkeypatch.setitem(sys.modules, package, None)
    error = refused(moved if extra == "delta" else lake.folder_of(table), "is not installed")
    assert f"pip install '.[{extra}]'" in str(error.todo)


@pytest.mark.parametrize(("option", "value"), [("table_version", 1), ("snapshot", 1)])
def test_an_option_for_tables_needs_one(tmp_path, moved, table, option, value):
    """Broken: --table-version of plain files, or of a table of the other format, is passed over."""
    (tmp_path / "plain").mkdir()
    pa.parquet.write_table(trades(3), tmp_path / "plain" / "p.parquet")
    other = lake.folder_of(table) if option == "table_version" else moved
    for path in (tmp_path / "plain", other):
        refused(path, "no input is a table of", ExitCode.USAGE, **{option: value})


def test_the_states_of_a_checkpoint_are_read_again():
    """Broken: a resume takes the newest state instead of the one that it began with."""
    states = [tables.TableState("Delta", "3f2a-1", 5), tables.TableState("Iceberg", "77-b", 12_345_678_901_234_567)]
    assert dict(tables.known_from(tables.text_of(states))) == {"3f2a-1": 5, "77-b": 12_345_678_901_234_567}
    assert tables.known_from("") == ()


def test_a_checkpoint_that_cannot_be_read_decides_nothing(tmp_path):
    """Broken: a damaged checkpoint is a traceback before it is told as that."""
    options = SourceOptions(("x",))
    assert as_known(options, tmp_path / "none.json") == options
    (tmp_path / "bad.json").write_text(json.dumps({"magic": "no"}))
    assert as_known(options, tmp_path / "bad.json") == options
