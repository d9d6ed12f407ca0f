"""Pages that become gigabytes are told by their headers."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from replay.errors import InputError
from replay.source.files import compact, pages
from replay.source.files.find import find
from replay.source.files.pages import check_pages, page_header
from tests.support import bad_files as bad
from tests.support import hostile_files as hostile

ALL = ["symbol", "price", "event_time", "note"]


def looked_at(path: Path, columns: list[str] = ALL) -> None:
    with pq.ParquetFile(path) as parquet:
        check_pages(find([str(path)])[0], parquet, range(parquet.metadata.num_row_groups), columns)


@pytest.mark.parametrize("dictionary", [True, False], ids=["dictionary", "page"])
def test_a_page_that_becomes_two_gigabytes_is_refused(tmp_path: Path, dictionary: bool) -> None:
    """Broken: seven kilobytes take two gigabytes of memory: Arrow asks for as much as the page's header says."""
    path = hostile.bomb(tmp_path / "x.parquet", 2_000_000_000, dictionary=dictionary)
    assert path.stat().st_size < 50_000
    with pytest.raises(InputError) as raised:
        looked_at(path)
    assert raised.value.where == str(path)
    assert f"a {'dictionary' if dictionary else 'page'} of column 'symbol' becomes 2,000,000,000" in raised.value.what
    looked_at(path, ["price", "event_time"])  # what is not read does no harm


@pytest.mark.parametrize("options", [
    {}, {"data_page_version": "2.0"}, {"compression": "none", "use_dictionary": False}, {"compression": "zstd"},
    {"write_page_checksum": True, "data_page_size": 1_000}, {"write_page_index": True}, {"compression": "gzip"},
])  # fmt: skip
def test_each_page_of_good_files_is_found(
    tmp_path: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: headers are misread, so that the page behind one is never looked at, or a good file is refused."""
    note = [("x" * (row % 1_000)) if row % 7 else None for row in range(20_000)]
    lists = pa.array([[row] * (row % 4) for row in range(20_000)])
    table = bad.trades(20_000, note=note, lists=lists)
    path = bad.write(tmp_path / "x.parquet", table, row_group_size=9_000, **options)
    values: dict[int, int] = {}

    def note_values(file: pa.NativeFile, start: int) -> pages.PageHeader:
        page = found(file, start)
        values[start] = page.values
        return page

    found = pages._header_at
    monkeypatch.setattr(pages, "_header_at", note_values)
    looked_at(path, [*ALL, "lists"])
    chunks = [
        pq.read_metadata(path).row_group(group).column(place)
        for group in range(3)
        for place in range(len(table.column_names))
    ]
    assert sum(values.values()) == sum(chunk.num_values for chunk in chunks)


def test_a_header_with_long_statistics_is_read_to_its_end(tmp_path: Path) -> None:
    """Broken: the header of a page of long texts is taken for damaged, as it does not fit into the first look."""
    table = bad.trades(3, note=["a" * 3_000, "b" * 100_000, "c"])
    looked_at(bad.write(tmp_path / "x.parquet", table, use_dictionary=False, data_page_version="1.0"))


def test_bytes_that_are_no_header_are_refused(tmp_path: Path) -> None:
    """Broken: what Arrow might read as a header, and this does not, hides what comes behind it."""
    path = bad.write(tmp_path / "x.parquet", bad.trades(100))
    chunk = pq.read_metadata(path).row_group(0).column(0)
    bad.patch(path, chunk.dictionary_page_offset, b"\xff" * 16)
    with pytest.raises(InputError, match="not a whole Parquet file"):
        looked_at(path)


def test_random_bytes_are_a_header_or_none() -> None:
    """Broken: some damage ends in a bug report, or hangs."""
    random_ = random.Random(5)
    header = hostile.struct(
        (1, 5, hostile.number(0)), (2, 5, hostile.number(900)), (3, 5, hostile.number(50)),
        (5, 12, hostile.struct((1, 5, hostile.number(7)), (5, 12, hostile.struct((1, 8, hostile.text("abc")))))),
    )  # fmt: skip
    assert page_header(header + b"more") == (len(header), 0, 900, 50, 7)
    for _ in range(20_000):
        data = bytearray(header)
        for _ in range(random_.randrange(1, 4)):
            data[random_.randrange(len(data))] = random_.randrange(256)
        try:
            page = page_header(bytes(data))
            assert min(page) >= 0
        except (compact.BadBytes, IndexError):
            continue
