"""Opening input files and reading their footers."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from replay.errors import ExitCode, InputError, exit_code
from replay.source.files.find import find
from replay.source.files.input_path import InputPath, read_footer


def make(path: Path, content: bytes = b"x") -> Path:
    path.write_bytes(content)
    return path


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def parquet(path: str = "t.parquet", columns: int = 1) -> InputPath:
    """A whole file; more columns make a longer footer."""
    pq.write_table(pa.table({f"column-{i}": [1, 2, 3] for i in range(columns)}), path)
    return find([path])[0]


@pytest.mark.parametrize("columns", [1, 2000])
def test_a_footer_is_read_whole_and_is_enough_for_its_metadata(columns):
    """Broken: a long footer is cut off, or a change in it goes unnoticed."""
    path = parquet(columns=columns)
    with path.open() as file:
        footer = read_footer(path, file)
    assert Path("t.parquet").read_bytes().endswith(footer)
    assert footer.endswith((len(footer) - 8).to_bytes(4, "little") + b"PAR1")
    assert (len(footer) > 64 << 10) is (columns > 1)  # else both read it the same way
    assert pq.ParquetFile(pa.BufferReader(b"PAR1" + footer)).metadata.num_columns == columns


def test_a_path_that_is_not_utf8_opens():
    """Broken: an old file name ends a replay as a bug."""
    name = os.fsdecode(b"tr\xe4des.parquet")
    parquet().open().close()
    Path("t.parquet").rename(name)
    (path,) = find([name])
    with path.open() as file:
        assert pq.ParquetFile(file).metadata.num_rows == 3


@pytest.mark.parametrize(
    ("content", "what", "todo"),
    [
        (b"", "the file is empty", "still being written"),
        (b"PAR1", "its end is missing", "still being written"),
        (b"PAR1" + b"x" * 500, "its end is missing", "still being written"),
        (b"PAR1" + b"\0" * 500, "its end is missing", "still being written"),
        (b"symbol,price\n" * 9, "neither begins nor ends", "fetch it again"),
        (b"PAR1" + b"x" * 50 + b"\xff\xff\xff\x7fPAR1", "contradicts itself", "damaged"),
        (b"PAR1" + b"x" * 50 + b"\0\0\0\0PAR1", "contradicts itself", "damaged"),
        (b"PARE" + b"x" * 50 + b"\x10\0\0\0PARE", "encrypted", "decrypted"),
        (b"PAR1" + b"x" * 50 + b"\x10\0\0\0PARE", "encrypted", "decrypted"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(content, what, todo):
    """Broken: half a file is replayed, or fails with words nobody understands."""
    make(Path("t.parquet"), content)
    (path,) = find(["t.parquet"])
    with path.open() as file, pytest.raises(InputError, match=what) as caught:
        read_footer(path, file)
    assert caught.value.where == "t.parquet"
    assert todo in caught.value.todo


def test_a_file_that_loses_its_last_byte_is_refused():
    """Broken: a copy that is about to end is taken for whole."""
    parquet()
    whole = Path("t.parquet").read_bytes()
    for size in {*range(0, len(whole), 25), *range(len(whole) - 20, len(whole))}:
        make(Path("t.parquet"), whole[:size])
        (path,) = find(["t.parquet"])
        with path.open() as file, pytest.raises(InputError, match=r"whole Parquet file|is empty"):
            read_footer(path, file)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda path: path.write_bytes(b"x" * 9), r"had 1 bytes and now has 9"),
        (lambda path: path.unlink(), "no such file"),
        (lambda path: (path.unlink(), path.mkdir()), "is a directory"),
    ],
)
def test_a_file_that_changes_after_it_was_found_is_refused(change, what):
    """Broken: a file that still grows is replayed up to where it was."""
    (path,) = find([str(make(Path("t.parquet")))])
    change(Path("t.parquet"))
    with pytest.raises(InputError, match=what) as caught:
        path.open()
    assert caught.value.where == "t.parquet"


def test_a_read_that_fails_is_an_error_of_ours():
    """Broken: a disk error is a traceback, or does not say in which file."""
    (path,) = find([str(make(Path("t.parquet")))])
    error = path.place.refusal(OSError(5, "Input/output error"))
    assert (error.what, error.where) == ("Input/output error", "t.parquet")


class OutOfMemory:
    """A file of which nothing can be read, for want of memory."""

    def read_at(self, nbytes: int, _offset: int) -> bytes:
        raise pa.ArrowMemoryError(f"malloc of size {nbytes} failed")


def test_too_little_memory_is_no_fault_of_the_file():
    """Broken: whoever runs out of memory is told to check path and rights of a file that is whole."""
    make(Path("a.parquet"), b"12345")
    (found,) = find(["a.parquet"])
    with pytest.raises(MemoryError) as raised:
        read_footer(found, OutOfMemory())
    assert exit_code(raised.value) == ExitCode.USAGE
