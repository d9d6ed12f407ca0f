"""Folders of table formats are noticed, wherever they are named from, and nothing else is taken for one."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from replay.errors import ExitCode, InputError, exit_code
from replay.source.files.find import find
from replay.source.tables.marks import roots_of

MARKS = {
    "Delta": "_delta_log/00000000000000000000.json",
    "Iceberg": "metadata/00001-5fa4c1de.metadata.json",
    "Iceberg (gzip)": "metadata/v3.gz.metadata.json",
    "Iceberg (gzip, old)": "metadata/v3.metadata.json.gz",
    "Hudi (0.x)": ".hoodie/20261122000000000.commit",
    "Hudi (1.x)": ".hoodie/timeline/20261122000000000_20261122000001000.commit",
}


def make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"a": [1]}), path)


@pytest.fixture(autouse=True)
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for path in ("lake/x/trades/d=1/p.parquet", "lake/x/trades/d=2/p.parquet", "lake/y/p.parquet"):
        make(tmp_path / path)
    (tmp_path / "lake/y/metadata").mkdir()
    (tmp_path / "lake/y/metadata/note.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "lake/x/trades"


@pytest.mark.parametrize("format", MARKS)
@pytest.mark.parametrize(
    "given",
    ["lake", ".", "lake/x/*", "lake/x/trades/d=1", "lake/x/trades/d=1/*.parquet",
     "lake/x/*/d=*", "lake/x/trades/d=1/p.parquet", "**/*.parquet", "linked", "linked/p.parquet", "file.parquet"],
)  # fmt: skip
def test_a_table_is_noticed_from_wherever_it_is_named(lake, format, given):
    """Broken: a rewritten table's old files are sent beside the new ones, and deleted rows come back."""
    (lake / MARKS[format]).parent.mkdir(parents=True)
    (lake / MARKS[format]).write_text("{}")
    Path("linked").symlink_to(lake / "d=1")
    Path("file.parquet").symlink_to(lake / "d=1/p.parquet")
    with pytest.raises(InputError, match=f"{format.partition(' ')[0]} table {lake}") as caught:
        find([given])
    assert exit_code(caught.value) == ExitCode.INPUT
    remedy = "plain Parquet files" if format.startswith("Hudi") else f"name the table's own folder, {lake}"
    assert remedy in str(caught.value.todo)


def test_a_table_of_hudi_is_refused(lake):
    """Broken: all versions of its file groups are sent."""
    (lake / ".hoodie").mkdir()
    with pytest.raises(InputError, match="Hudi table") as caught:
        find([str(lake)])
    assert "plain Parquet files" in str(caught.value.todo)


def test_a_relative_name_from_inside_is_noticed(lake, monkeypatch):
    """Broken: who has gone into the folder first gets all generations."""
    (lake / "_delta_log").mkdir()
    monkeypatch.chdir(lake / "d=1")
    with pytest.raises(InputError, match="Delta table"):
        find(["."])


def test_a_partition_of_hudi_that_was_copied_alone_is_noticed(tmp_path):
    """Broken: all versions of its file groups are sent."""
    make(tmp_path / "copy/p.parquet")
    (tmp_path / "copy/.hoodie_partition_metadata").write_text("x")
    with pytest.raises(InputError, match="Hudi"):
        find(["copy"])


def test_what_only_resembles_a_table_is_read(lake):
    """Broken: a folder of Parquet files beside a table, or with a folder `metadata`, is refused."""
    (lake / "_delta_log").mkdir()
    assert [path.shown for path in find(["lake/y", "lake/y/*.parquet"])] == ["lake/y/p.parquet"]
    os.mkdir("lake/y/delta_log")
    assert len(find(["lake/y"])) == 1


def test_tables_are_told_from_a_listing():
    """Broken: of a bucket that is listed once, a nested table is not seen."""
    listed = ["a/_delta_log/0.json", "b", "b/c/metadata/v1.metadata.json", "d/.hoodie", "e/metadata/x.json"]
    assert roots_of([*listed, "_delta_log"]) == {"a": "Delta", "b/c": "Iceberg", "d": "Hudi", "": "Delta"}
    assert roots_of(["metadata/v1.metadata.json", "f/metadata/v1.metadata.json/x"]) == {"": "Iceberg"}
