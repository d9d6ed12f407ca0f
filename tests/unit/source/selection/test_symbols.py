"""Which symbols: by name, pattern and list, and the sample of them."""

from __future__ import annotations

from collections import Counter

import pytest

from replay.errors import UsageError
from replay.source.selection.select import Selection
from replay.source.selection.symbols import parse_symbols, symbol_hash


def test_a_list_from_a_file(tmp_path):
    """Broken: a list in a file loses a line, keeps a carriage return, or its absence is a traceback."""
    path = tmp_path / "symbols.txt"
    path.write_bytes(b"\xef\xbb\xbfETHUSDT\r\n\r\n  A,B \nBTC*")
    assert parse_symbols(f"@{path}", "--symbols") == ("A,B", "BTC*", "ETHUSDT")
    path.write_bytes(b"\xff")
    for text in (f"@{path}", f"@{tmp_path}", "@nowhere"):
        with pytest.raises(UsageError) as caught:
            parse_symbols(text, "--symbols")
        assert caught.value.where == text
        assert "one symbol a line" in caught.value.todo


@pytest.mark.parametrize(
    ("symbols", "exclude", "wanted"),
    [
        (("BTCUSDT",), (), {"BTCUSDT"}),
        (("BTC*",), (), {"BTCUSDT", "BTC-PERP"}),
        (("*USDT", "BTC-*"), ("ETH*",), {"BTCUSDT", "BTC-PERP"}),
        ((), ("*USDT",), {"BTC-PERP", "btcusdt"}),
        (("?TC*",), (), {"BTCUSDT", "BTC-PERP"}),
        (("[BE]*USDT",), (), {"BTCUSDT", "ETHUSDT"}),
        (("BTCUSDT",), ("BTCUSDT",), set()),
    ],
)
def test_names(symbols, exclude, wanted):
    """Broken: another symbol is sent than was named, or upper and lower case are one."""
    selection = Selection(symbols, exclude)
    assert {name for name in ("BTCUSDT", "BTC-PERP", "ETHUSDT", "btcusdt") if selection.wants(name)} == wanted


def test_names_that_nothing_fits():
    """Broken: a misspelt symbol goes unnoticed."""
    selection = Selection(("BTCUSD", "ETH*", "XRP*"))
    assert selection.unmatched(["BTCUSDT", "ETHUSDT"]) == ["BTCUSD (did you mean BTCUSDT?)", "XRP*"]
    assert selection.unmatched(["BTCUSD", "ETHUSDT", "XRPUSDT"]) == []


# -- the sample -------------------------------------------------------------------------------------------


def test_the_sample_is_the_same_for_good():
    """Broken: a resume, another machine or another version samples other symbols."""
    assert symbol_hash("BTCUSDT") == 0x19AA16AED07F38E9  # printf BTCUSDT | sha256sum
    assert symbol_hash("Ж") == 0xAF01DE547C2D86E9
    kept = [n for n in range(1_000) if Selection(sample=(1, 100)).wants(f"S{n}")]
    assert kept == [9, 54, 135, 192, 242, 310, 409, 512, 527, 934, 939]


def test_the_sample_is_even_and_grows():
    """Broken: 1/10 of the symbols is another part than a tenth, or a larger sample drops symbols of a smaller one."""
    names = [f"{base}{quote}" for base in map(str, range(2_000)) for quote in ("USDT", "BTC", "EUR", "-PERP", "/USD")]
    tenth, hundredth = Selection(sample=(1, 10)), Selection(sample=(1, 100))
    kept = {name for name in names if tenth.wants(name)}
    assert 900 <= len(kept) <= 1_100  # 10,000 names: three standard deviations are 90
    assert {name for name in names if hundredth.wants(name)} <= kept
    assert all(Selection(sample=(1, 1)).wants(name) for name in names)
    buckets = Counter(symbol_hash(name) * 16 >> 64 for name in names)
    assert len(buckets) == 16
    assert all(525 <= count <= 725 for count in buckets.values())  # 625 each; four standard deviations are 97
