"""Rows spilled to disk: they come back as they were, and the disk is given back."""

from __future__ import annotations

import os

import numpy as np
import pyarrow as pa
import pytest

from replay.errors import InputError
from replay.source.order import spill as spill_module
from replay.source.order.spill import SpillFiles
from tests.support.open_files import open_files


def rows(first: int, count: int = 100) -> pa.RecordBatch:
    numbers = np.arange(first, first + count)
    venues = pa.DictionaryArray.from_arrays(pa.array(numbers % 2, pa.int32()), [f"x{first}", "é"])
    prices = pa.array([None if n % 7 == 0 else n / 3 for n in numbers])
    times = pa.array(numbers).view(pa.timestamp("us"))
    return pa.RecordBatch.from_pydict({"venue": venues, "price": prices, "event_time": times})


def test_rows_come_back_as_they_were_in_any_order(tmp_path):
    """Broken: a merge hands on rows of another place, or loses what is null or in a dictionary."""
    tables = [rows(first) for first in range(0, 1_000, 100)] + [rows(50).slice(13, 20)]
    with SpillFiles(tmp_path) as spill:
        pieces = [spill.put(table) for table in tables]
        assert [piece.rows for piece in pieces] == [100] * 10 + [20]
        assert (pieces[1].first_ns, pieces[1].last_ns) == (100_000, 199_000)
        for at in np.random.default_rng(1).permutation(len(pieces)):
            assert spill.take(pieces[at]).equals(tables[at])


@pytest.mark.parametrize("by", ["take", "drop"])
def test_the_disk_is_given_back_as_rows_are_taken(tmp_path, monkeypatch, by):
    """Broken: a merge of 1,000 files fills the disk with all their rows, however few of them wait at a time."""
    monkeypatch.setattr(spill_module, "SEGMENT_BYTES", 20_000)
    with SpillFiles(tmp_path) as spill:
        waiting = [spill.put(rows(n)) for n in range(20)]
        most = len(open_files(tmp_path))
        for n in range(20, 200):
            getattr(spill, by)(waiting.pop(0))
            waiting.append(spill.put(rows(n)))
            assert len(open_files(tmp_path)) <= most + 1
        assert most > 1
        assert spill.take(waiting[-1]).equals(rows(199))
        while waiting[:-1]:
            getattr(spill, by)(waiting.pop(0))
        assert len(open_files(tmp_path)) <= 1
        assert os.listdir(tmp_path) == [], "it has a name: a kill -9 leaves it behind"
    assert len(open_files(tmp_path)) == 0


def test_rows_that_the_disk_does_not_give_back_are_one_clear_error(tmp_path, monkeypatch):
    """Broken: a traceback, or rows that are silently missing from the topic."""
    with SpillFiles(tmp_path) as spill:
        piece = spill.put(rows(0))
        monkeypatch.setattr(os, "preadv", lambda *_: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        with pytest.raises(InputError, match="written to disk for sorting: Input/output error") as caught:
            spill.take(piece)
    assert caught.value.where == str(tmp_path)
