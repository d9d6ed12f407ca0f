"""Symbols become ids: each distinct text once, whatever its encoding, over all batches of a file."""

from __future__ import annotations

import pyarrow as pa
import pytest

from replay.fate import Fate
from replay.model import SymbolTable
from replay.source.choices import SymbolCase
from replay.source.columns.symbols import NO_SYMBOL, SymbolIds, cased
from replay.source.options import Columns


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_one_id_for_one_symbol_over_all_batches(kind):
    """Broken: rows of one symbol get two keys, or those of two symbols the same."""
    table = SymbolTable()
    ids = SymbolIds(table, Columns())
    batches = [["A", "B"], ["A", "B"], ["B", "C", "A"], [None, "C", ""]]
    found = [ids.of(pa.array(batch).cast(kind)) for batch in batches]
    assert [each.to_pylist() for each, _ in found] == [[0, 1], [0, 1], [1, 2, 0], [NO_SYMBOL, 2, NO_SYMBOL]]
    assert found[3][1].tolist() == [Fate.SYMBOL_MISSING, Fate.SENT, Fate.SYMBOL_MISSING]
    assert table.names == ["A", "B", "C"]


def test_a_symbol_that_is_no_text_is_bad_where_it_is_used():
    """Broken: a key of bytes that no consumer can read."""
    bad = pa.DictionaryArray.from_arrays(
        pa.array([0, 1, 0], pa.int32()), pa.array([b"A", b"\xff"], pa.binary()).view(pa.string()), safe=False
    )
    ids, fates = SymbolIds(SymbolTable(), Columns()).of(bad)
    assert ids.to_pylist() == [0, NO_SYMBOL, 0]
    assert fates.tolist() == [Fate.SENT, Fate.SYMBOL_NOT_TEXT, Fate.SENT]


def test_a_symbol_of_all_rows_counts_as_one_of_a_column():
    """Broken: the same symbol, from a file's name and from a column, gets two ids."""
    ids = SymbolIds(SymbolTable(), Columns(symbol_case=SymbolCase.UPPER))
    assert ids.of(pa.array(["btc"]))[0].to_pylist() == [0]
    assert ids.of_all("BTC", 2)[0].to_pylist() == [0, 0]


@pytest.mark.parametrize(("case", "expected"), [("keep", "bTc"), ("upper", "BTC"), ("lower", "btc")])
def test_symbols_are_cased_as_asked_for(case, expected):
    """Broken: --symbol-case has no effect, or another one."""
    assert cased("bTc", Columns(symbol_case=SymbolCase(case))) == expected
