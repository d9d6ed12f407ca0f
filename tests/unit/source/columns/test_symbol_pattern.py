"""The symbol from a file's name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.errors import UsageError
from replay.source.columns.symbol_pattern import symbol_pattern


@pytest.mark.parametrize(
    ("pattern", "path", "symbol"),
    [
        ("{symbol}-trades-*.parquet", "/data/x/BTCUSDT-trades-2026-11-22.parquet", "BTCUSDT"),
        ("{symbol}-trades-*.parquet", "BTCUSDT-trades-2026.csv", None),
        ("{symbol}-trades-*.parquet", "-trades-2026.parquet", None),
        ("{symbol}-trades-*.parquet", "/ETH-trades-x/BTC.parquet", None),
        ("{symbol}.parquet", "s3://bucket/BTC-USD.parquet", "BTC-USD"),
        ("{symbol}", "a/BTC", "BTC"),
        ("trades/{symbol}/*.parquet", "s3://b/trades/BTC/2026.parquet", "BTC"),
        ("trades/{symbol}/*.parquet", "s3://b/quotes/BTC/2026.parquet", None),
        ("trades/{symbol}/*.parquet", "BTC/2026.parquet", None),
        ("{symbol}/*/*.parquet", "x/BTC/2026/11.parquet", "BTC"),
        ("*_{symbol}_????-??-??.*", "bybit_BTCUSDT_2026-11-22.parquet", "BTCUSDT"),
        ("E-*+SC-{symbol}+S-*", "E-1+SC-A_B+S-A.parquet", "A_B"),
        ("[{symbol}].parquet", "[Ж].parquet", "Ж"),
    ],
)
def test_symbols(pattern, path, symbol):
    """Broken: rows go out under another symbol, or a file that does not fit gets one."""
    assert symbol_pattern(pattern).symbol(path) == symbol


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("{symbol}-trades-*", "A-trades-B-trades-C"),
        ("*_{symbol}.parquet", "a_b_C.parquet"),
        ("{symbol}-*.parquet", "BTC-USD-2026.parquet"),
    ],
)
def test_two_symbols_fit(pattern, path):
    """Broken: of two ways to read a name one is taken in silence."""
    with pytest.raises(UsageError) as caught:
        symbol_pattern(pattern).symbol(path)
    assert caught.value.where == f"--symbol-from, {path}"
    assert "two ways" in caught.value.what


@pytest.mark.parametrize(
    "pattern", ["", "*.parquet", "{symbol}-{symbol}", "{symbol}-{date}.parquet", "{Symbol}", "{symbol}*", "*{symbol}-x"]
)
def test_what_is_no_pattern(pattern):
    """Broken: a pattern without a symbol, or with one of no definite end, is taken."""
    with pytest.raises(UsageError) as caught:
        symbol_pattern(pattern, "--symbol-from")
    assert caught.value.where == "--symbol-from"
    assert "{symbol}" in caught.value.todo


@given(st.text("ab-_.", min_size=1), st.text("-_.X", max_size=3), st.text("-_.X", max_size=3))
def test_what_is_put_in_is_found(symbol, before, after):
    """Broken: a symbol with the pattern's own letters in it is cut short."""
    pattern = symbol_pattern(f"{before}{{symbol}}{after}")
    assert pattern.symbol(f"x/{before}{symbol}{after}") == symbol
