"""What a file that cannot be read is told as."""

from __future__ import annotations

import pyarrow as pa
import pytest

from replay.errors import InputError
from replay.source.files.unreadable import unreadable


def test_too_little_memory_is_not_the_file_s_fault():
    """Broken: a file would be called damaged because the machine is short of memory; or a damaged length, which asks
    for more than there is, would be called a lack of memory."""
    short = pa.ArrowMemoryError("malloc of size 16384000 failed")
    with pytest.raises(MemoryError) as raised:
        unreadable("a.parquet", short)
    assert raised.value is short
    absurd = unreadable("a.parquet", pa.ArrowMemoryError("malloc of size 9223372036854775744 failed"))
    assert isinstance(absurd, InputError)
    assert "not a whole Parquet file" in str(absurd)


def test_what_arrow_has_not_learnt_is_told_as_that():
    """Broken: the owner of a good file would be told to fetch it again, and again."""
    told = unreadable("a.parquet", pa.ArrowNotImplementedError("DecodeArrow of DictAccumulator\nmore"))
    assert str(told).startswith("a.parquet: Arrow cannot read this file: DecodeArrow of DictAccumulator\n")
