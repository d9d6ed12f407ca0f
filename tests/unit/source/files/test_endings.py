"""Files of a folder that are left out because of their endings: said, and counted rightly."""

from __future__ import annotations

from pathlib import Path

import pytest

from replay.errors import NoInput
from replay.source.files.endings import OtherEndings, ending_of
from replay.source.files.find import find
from tests.unit.fakes import Told


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("trades.parquet.gzip", ".parquet.gzip"),
        ("trades-2026.11.22.parquet.gz", ".parquet.gz"),
        ("trades", ""),
        ("part-00000-1.2", ""),
        ("a.csv", ".csv"),
        ("README.md", ".md"),
        ("v1.0.snappy.parquet_old", ".snappy.parquet_old"),
        (".hidden", ""),
    ],
)
def test_what_a_name_ends_in(name, ending):
    assert ending_of(name) == ending


def test_half_of_a_folder_is_told_in_one_line(tmp_path):
    """Broken: a folder of which half the files are named otherwise passes for the whole."""
    make(tmp_path, "a.parquet", "b.parquet.gzip", "c.parquet.gzip", "sub/d", "_SUCCESS", ".e.parquet.crc", "f.tmp")
    others = OtherEndings()
    assert [path.shown for path in find([str(tmp_path)], others)] == [str(tmp_path / "a.parquet")]
    assert others.looks_like_input
    assert others.line(1) == (
        f"{tmp_path} and 1 more: 3 files do not end in .parquet, .parq or .pq (2 in .parquet.gzip, 1 in nothing):"
        f" left out, 1 read; to read all whatever their ending, name {tmp_path}/*"
    )


def test_what_is_named_is_not_left_out(tmp_path):
    """Broken: files that are read are said to be left out."""
    make(tmp_path, "a.parquet", "b.gzip")
    for inputs in (["", "/b.gzip"], ["/*"], ["/*.parquet"], ["/a.parquet"]):
        others = OtherEndings()
        find([f"{tmp_path}{each}" for each in inputs], others)
        assert others.line(1) == ""


def test_what_is_surely_something_else_is_no_alarm(tmp_path):
    """Broken: a README beside the data is a warning every night."""
    make(tmp_path, "a.parquet", "README.md", "sums.csv")
    others = OtherEndings()
    find([str(tmp_path)], others)
    assert not others.looks_like_input
    assert others.line(1).endswith(
        "2 files do not end in .parquet, .parq or .pq (1 in .md, 1 in .csv): left out, 1 read"
    )


def test_a_readme_beside_the_trades_is_not_worth_a_line(tmp_path):
    """Broken: the demo, and every night of a folder with a README, would tell of it."""
    told = Told()
    make(tmp_path, "a.parquet", "README.md")
    others = OtherEndings()
    find([str(tmp_path)], others)
    others.report(1, told)
    assert not told.infos
    make(tmp_path, "sums.csv")
    find([str(tmp_path)], others)
    others.report(1, told)
    assert len(told.infos) == 1


def test_a_folder_with_nothing_but_other_endings(tmp_path):
    """Broken: "no Parquet file here" of a folder full of them, without a word on why or what to do."""
    make(tmp_path, "a.parquet.gzip", "b")
    with pytest.raises(NoInput) as raised:
        find([str(tmp_path)])
    text = str(raised.value)
    assert (
        "no Parquet file here: 2 files do not end in .parquet, .parq or .pq (1 in .parquet.gzip, 1 in nothing)" in text
    )
    assert f"name the files whatever their ending: {tmp_path}/*" in text
    assert len(find([f"{tmp_path}/*"])) == 2
