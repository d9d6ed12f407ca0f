"""What is selected; and that no row group is left out that holds a wanted row."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from replay.errors import UsageError
from replay.source.selection.condition import parse as parse_where
from replay.source.selection.parse import parse_selection, parse_symbols
from replay.source.selection.select import Selection, can_match, symbol_hash

DAY_NS = 86_400_000_000_000
NOON_NS = 1_795_305_600_000_000_000  # 2026-11-22T00:00:00Z


def test_from_texts():
    """Broken: an option's text is another selection than it says."""
    selection = parse_selection(
        " ETH*, BTCUSDT,,BTCUSDT", "ETHBTC", "2026-11-22", "2026-11-23T02:00+02:00", " 2 / 200 ", "size>1", 10
    )
    where = parse_where("size > 1")
    assert selection == Selection(
        ("BTCUSDT", "ETH*"), ("ETHBTC",), NOON_NS, NOON_NS + DAY_NS, (2, 200), where, 10, ("--from",)
    )
    assert selection.utc_assumed == ("--from",)
    assert selection.identity() == {
        "--symbols": "BTCUSDT,ETH*",
        "--exclude-symbols": "ETHBTC",
        "--from": "2026-11-22T00:00:00Z",
        "--to": "2026-11-23T00:00:00Z",
        "--sample": "1/100",
        "--where": "size > 1",
        "--limit": "10",
    }


def test_the_empty_selection():
    """Broken: without any option something is left out, or a checkpoint without selection does not fit."""
    selection = parse_selection()
    assert selection == Selection()
    assert set(selection.identity().values()) == {""}
    assert selection.wants("") is True
    assert selection.takes_all
    assert can_match(selection, None, None, None, None)
    assert can_match(selection, 1, 2, "a", "b")


def test_identity_does_not_depend_on_how_it_is_written():
    """Broken: the same list in another order cannot be resumed; or another list can."""
    assert parse_selection("A,B").identity() == parse_selection("B, A").identity()
    assert Selection(("A", "B")).identity() == Selection(("B", "A", "A")).identity()
    assert Selection(("A,B",)).identity() != Selection(("A", "B")).identity()
    assert Selection(('"A,B"',)).identity() != Selection(("A,B",)).identity()
    many = tuple(f"S{n}" for n in range(1_000))
    text = Selection(many).identity()["--symbols"]
    assert text.startswith("1,000 symbols, SHA-256 ")
    assert text != Selection((*many[1:], "S1000")).identity()["--symbols"]


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"symbols": ""}, "--symbols"),
        ({"exclude": " , "}, "--exclude-symbols"),
        ({"symbols": "a\udcff"}, "--symbols"),
        ({"sample": "0/10"}, "--sample"),
        ({"sample": "2/1"}, "--sample"),
        ({"sample": "1/0"}, "--sample"),
        ({"sample": "1%"}, "--sample"),
        ({"from_": "1969-12-31"}, "--from"),
        ({"to": "2262-04-12"}, "--to"),
        ({"from_": "2026-11-22", "to": "2026-11-22"}, "--to"),
        ({"from_": "tomorrow"}, "--from"),
        ({"where": "size >"}, "--where"),
    ],
)
def test_what_cannot_be_selected(options, where):
    """Broken: an option that can select nothing, or cannot be read, starts a replay."""
    with pytest.raises(UsageError) as caught:
        parse_selection(**options)
    assert caught.value.where == where
    assert caught.value.todo


# -- row groups that are left out -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbols", "smallest", "largest", "possible"),
    [
        (("B",), "A", "C", True),
        (("B",), "B", "B", True),
        (("B",), "C", "D", False),
        (("B",), "A", "AZ", False),
        (("BTCUSDT",), "A", "BTC", True),  # the largest may be cut off: BTCUSDT is beyond BTC, but begins with it
        (("BTC*",), "BTCA", "BTCZ", True),
        (("BTC*",), "A", "BT", True),
        (("BTC*",), "BTD", "C", False),
        (("BTC*",), "A", "BSZ", False),
        (("*USDT",), "Y", "Z", True),
        (("?", "[A]"), "Y", "Z", True),
        (("B",), "Z", "A", True),  # statistics that cannot be are none
        (("B",), None, "A", True),
        (("B",), "C", None, True),
        (("\U0001f600",), "\uffff", "\U0001ffff", True),
    ],
)
def test_symbols_in_statistics(symbols, smallest, largest, possible):
    """Broken: a row group with wanted symbols is left out; or none ever is."""
    assert can_match(Selection(symbols), None, None, smallest, largest) is possible
    assert can_match(Selection(symbols), None, None, smallest, largest, same_case=False)


@pytest.mark.parametrize(
    ("first", "last", "possible"),
    [(0, 9_000, False), (0, 10_000, True), (19_000, 50_000, True), (21_000, 50_000, False), (None, 9_000, False),
     (21_000, None, False), (None, None, True), (0, 9_999, False), (19_999, 50_000, True), (20_000, 50_000, False)],
)  # fmt: skip
def test_times_in_statistics(first, last, possible):
    """Broken: a row group with the first or last moment of the range is left out; or none ever is."""
    selection = Selection(from_ns=10_000, to_ns=20_000)
    assert can_match(selection, first, last, None, None) is possible


SYMBOLS = ["A", "AB", "ABC", "b", "", "ÄB", "😀", "BTCUSDT", "BTC", None]
NAMES = ["A", "AB", "ABC", "ÄB", "😀", "BTCUSDT", "A*", "*B", "?", "[AB]*", "BTC*", "[!A]*", "😀*", "BTC?SDT"]
ROWS = 240
SELECTIONS = 400


def range_of(group: Any, unit_ns: int) -> tuple[int | None, int | None]:
    """Of the times, from the numbers that are stored."""
    found = group.column(1).statistics
    if found is None or not found.has_min_max:
        return None, None
    return found.min_raw * unit_ns, found.max_raw * unit_ns


def symbols_of(group: Any, cut: int) -> tuple[str | None, str | None]:
    """Smallest and largest symbol, as writers tell that cut them off."""
    found = group.column(0).statistics
    return (found.min[:cut], found.max[:cut]) if found is not None and found.has_min_max else (None, None)


def some_selection(dice: random.Random, unit_ns: int) -> Selection:
    """Names half of the time; a start and an end two thirds of the time each."""
    symbols = dice.sample(NAMES, dice.choice([0, 0, 1, 2]))
    exclude = dice.sample(NAMES, dice.choice([0, 0, 1]))
    first, last = (dice.choice([None, dice.randrange(ROWS), dice.randrange(ROWS)]) for _ in range(2))
    return Selection(
        tuple(symbols),
        tuple(exclude),
        None if first is None else first * unit_ns,
        None if last is None else last * unit_ns,
    )


@pytest.mark.parametrize("statistics", [True, False])
@pytest.mark.parametrize("group_rows", [1, 3])
@pytest.mark.parametrize(("unit", "unit_ns"), [("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1)])
@pytest.mark.parametrize("cut", [1, 2, 100])
def test_no_wanted_row_is_left_out_with_its_row_group(tmp_path, unit, unit_ns, group_rows, cut, statistics):
    """Broken: a row of the selection is never sent, since the statistics of its row group were misread."""
    dice = random.Random(f"{unit} {group_rows} {cut}")
    step = 250 if unit == "ns" else 1  # four times in a microsecond
    times = sorted(dice.randrange(ROWS) for _ in range(ROWS))
    rows = [(dice.choice(SYMBOLS), None if dice.random() < 0.1 else time * step) for time in times]
    table = pa.table(
        {
            "symbol": pa.array([symbol for symbol, _ in rows], pa.string()),
            "event_time": pa.array([time for _, time in rows], pa.timestamp(unit)),
        }
    )
    pq.write_table(table, tmp_path / "a", row_group_size=group_rows, write_statistics=statistics)
    metadata = pq.read_metadata(tmp_path / "a")
    stored_ns = 10**6 if unit == "s" else unit_ns  # Parquet has no seconds
    groups = [
        (range_of(group, stored_ns) + symbols_of(group, cut), rows[index * group_rows : (index + 1) * group_rows])
        for index, group in enumerate(map(metadata.row_group, range(metadata.num_row_groups)))
    ]
    left_out = 0
    for _ in range(SELECTIONS):
        selection = some_selection(dice, unit_ns * step)
        wanted_names = {symbol for symbol in SYMBOLS if symbol is not None and selection.wants(symbol)}
        first, last = selection.from_ns or 0, 2**63 if selection.to_ns is None else selection.to_ns
        for known, inside in groups:
            if not can_match(selection, *known):
                left_out += 1
                wanted = [t for s, t in inside if s in wanted_names and t is not None and first <= t * unit_ns < last]
                assert not wanted, (selection, known, inside)
    assert (left_out > SELECTIONS) is statistics


# -- symbols: by name, pattern and list, and the sample of them ----------------------------------------------


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
