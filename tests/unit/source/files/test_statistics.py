"""Statistics decide which row groups are read, and the order of files: whatever a writer noted, no row is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.errors import InputError
from replay.fate import Fate
from replay.model import Batch
from replay.source.choices import OnBadRow, Order, Unsorted
from replay.source.files import trust
from replay.source.files.statistics import Sort, believed, leaf_of, may_be_named, writer
from replay.source.options import Columns, SourceOptions
from replay.source.selection.parse import parse_selection
from replay.source.source import Source
from tests.support.engines import by_datafusion, by_duckdb, by_fastparquet, by_polars, by_pyarrow
from tests.support.footers import change_footer, chunk_statistics, created_by, only_deprecated, say
from tests.unit.source.test_left_out import SELECTIONS, messy_file

T0_US = 1_767_225_600_000_000
HOUR_US = 3_600_000_000
US = pa.timestamp("us", "UTC")
STRING, NONE, TIME = {"Type": "String"}, {"Type": "None"}, {"Type": "Timestamp", "timeUnit": "microseconds"}
UINT = {"Type": "Int", "bitWidth": 64, "isSigned": False}


def moment(us: int) -> str:
    return datetime.fromtimestamp((T0_US + us) / 1e6, UTC).isoformat()


def trades(symbols: list[Any], times: list[Any], **more: Any) -> pa.Table:
    return pa.table(
        {
            "symbol": pa.array(symbols, pa.string()),
            "price": pa.array([float(n) for n in range(len(symbols))]),
            "event_time": pa.array([None if time is None else T0_US + time for time in times], US),
            **more,
        }
    )


def write(path: Path, table: pa.Table, group: int = 2, **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=group, **more)
    return path


def options_of(*paths: Path, selection: dict[str, Any] | None = None, **more: Any) -> SourceOptions:
    chosen = parse_selection(**(selection or {}))
    return SourceOptions(tuple(map(str, paths)), selection=chosen, **more)


def as_sent(source: Source) -> list[float]:
    """The prices, which tell the rows apart, of what is sent, in order."""
    found = []
    for batch in source.batches(source.start):
        prices = batch.table.column("price").to_pylist()
        fates = [0] * len(prices) if batch.fates is None else batch.fates.tolist()
        found += [price for price, fate in zip(prices, fates, strict=True) if fate == Fate.SENT]
    return found


def begun(options: SourceOptions) -> tuple[Source, list[str]]:
    """As a new replay begins: looked at, and begun again without what turned out to be wrong."""
    warned: list[str] = []

    def look(given: SourceOptions) -> Source:
        source = Source(given)
        source.ruled_out.check()
        for _ in source.checked():
            pass
        return source

    return trust.until_true(options, look, warned.append), warned


# -- whose statistics are believed ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "physical", "logical", "sort"),
    [
        ("parquet-cpp-arrow version 26.0.1", "BYTE_ARRAY", STRING, Sort.TEXT),
        ("parquet-mr version 1.12.3 (build f8dced182c4c1fbdec6ccb3185537b5a01e6ed6b)", "BYTE_ARRAY", STRING, Sort.TEXT),
        ("parquet-mr version 1.10.0 (build x)", "BYTE_ARRAY", STRING, Sort.TEXT),
        ("parquet-mr version 1.9.0 (build x)", "BYTE_ARRAY", STRING, None),  # compared as signed bytes
        ("parquet-mr version 1.7.0", "BYTE_ARRAY", STRING, None),  # PARQUET-251
        ("parquet-mr version 1.9.0", "INT64", TIME, Sort.SIGNED),
        ("parquet-mr version 1.9.0", "INT64", UINT, None),
        ("parquet-cpp version 1.2.0", "BYTE_ARRAY", STRING, None),
        ("parquet-cpp version 1.2.0", "INT64", NONE, Sort.SIGNED),
        ("parquet-cpp version 1.5.1-SNAPSHOT", "BYTE_ARRAY", STRING, Sort.TEXT),
        ("parquet-rs version 53.2.0", "BYTE_ARRAY", STRING, Sort.TEXT),
        ("parquet-rs version 4.1.0", "INT64", UINT, None),
        ("DuckDB version v1.4.2 (build 68d7555f68)", "BYTE_ARRAY", STRING, Sort.TEXT),
        ("fastparquet-python version 2024.11.0 (build 0)", "BYTE_ARRAY", STRING, Sort.TEXT),
        ("Polars", "BYTE_ARRAY", STRING, None),  # which one?
        ("impala version 2.9.0", "BYTE_ARRAY", STRING, None),
        ("parquet-cpp-arrow", "BYTE_ARRAY", STRING, None),
        ("", "BYTE_ARRAY", STRING, None),
        (None, "BYTE_ARRAY", STRING, None),
        (None, "INT64", TIME, Sort.SIGNED),
        ("parquet-cpp-arrow version 26.0.1", "BYTE_ARRAY", NONE, None),
        ("parquet-cpp-arrow version 26.0.1", "BYTE_ARRAY", {"Type": "Decimal"}, None),
        ("parquet-cpp-arrow version 26.0.1", "INT64", {"Type": "Decimal", "precision": 18, "scale": 3}, None),
        ("parquet-cpp-arrow version 26.0.1", "INT64", UINT, Sort.UNSIGNED),
        ("parquet-cpp-arrow version 26.0.1", "INT64", {"Type": "Time", "timeUnit": "microseconds"}, None),
        ("parquet-cpp-arrow version 26.0.1", "INT32", {"Type": "Int", "bitWidth": 32, "isSigned": True}, Sort.SIGNED),
        ("parquet-cpp-arrow version 26.0.1", "INT32", TIME, None),
        ("parquet-cpp-arrow version 26.0.1", "INT96", NONE, None),
        ("parquet-cpp-arrow version 26.0.1", "DOUBLE", NONE, None),
        ("parquet-cpp-arrow version 26.0.1", "FIXED_LEN_BYTE_ARRAY", STRING, None),
        ("parquet-cpp-arrow version 26.0.1", "INT64", {"Type": "Timestamp", "timeUnit": "picoseconds"}, None),
    ],
)
def test_whose_statistics_of_which_columns_are_believed(by, physical, logical, sort):
    """Broken: rows are lost by what a writer is known to note wrongly; or no row group is ever left out."""
    assert believed(by, physical, logical) is sort


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("parquet-mr version 1.8.1 (build 4aba4dae7bb0d4edbcf7923ae1339f28fd3f7fcf)", ("parquet-mr", (1, 8, 1))),
        ("parquet-mr version 1.8.1-SNAPSHOT", ("parquet-mr", (1, 8, 1))),
        ("DuckDB version v1.4.2 (build 68d7555f68)", ("duckdb", (1, 4, 2))),
        ("parquet-mr (build abc)", ("", ())),
        ("version 1.2", ("", ())),
        ("", ("", ())),
        (None, ("", ())),
    ],
)
def test_what_a_writer_says_of_itself(text, told):
    assert writer(text) == told


@given(st.text(max_size=40))
def test_no_text_of_a_writer_is_too_strange(text):
    """Broken: a file with a strange `created_by` ends in a traceback, or passes for one of a known writer."""
    application, version = writer(text)
    assert bool(application) == bool(version)


# -- of which column they are -----------------------------------------------------------------------------------


def test_a_leaf_is_known_by_its_place_not_by_its_spelling():
    paths = [["event", "time"], ["event.time"], ["x"], ["x"], ["l", "list", "element"], ["a"], ["a", "b"]]
    assert [leaf_of(paths, name) for name in ("event.time", "x", "event", "a", "l", "nothing")] == [
        1, None, None, 5, None, None,
    ]  # fmt: skip
    assert [may_be_named(paths, name) for name in ("event.time", "x", "a")] == [False, False, True]


def clashing(flat_first: bool, rows: int = 8) -> tuple[pa.Table, list[int]]:
    """Flat columns "event.time" and "sym.bol", and structs whose fields are spelled so, with other values."""
    times = [n * HOUR_US for n in range(rows)]
    symbols = [f"S{n // 2}" for n in range(rows)]
    flat = {"sym.bol": pa.array(symbols), "event.time": pa.array([T0_US + time for time in times], US)}
    others = [{"time": T0_US + (1_000 + n) * HOUR_US} for n in range(rows)]
    nested = {
        "event": pa.array(others, pa.struct([("time", US)])),
        "sym": pa.array([{"bol": "ZZZ"}] * rows, pa.struct([("bol", pa.string())])),
    }
    price = {"price": pa.array([float(n) for n in range(rows)])}
    return pa.table({**flat, **price, **nested} if flat_first else {**nested, **price, **flat}), times


@pytest.mark.parametrize("flat_first", [True, False])
@pytest.mark.parametrize("encoding", ["PLAIN", "DELTA_BYTE_ARRAY"])
@pytest.mark.parametrize(
    ("selection", "rows"),
    [
        ({"from_": moment(2 * HOUR_US), "to": moment(5 * HOUR_US)}, [2.0, 3.0, 4.0]),
        ({"symbols": "S1"}, [2.0, 3.0]),
        ({"where": "\"event.time\" >= '2026-01-01T06:00:00Z'"}, [6.0, 7.0]),
        ({"where": "event.time >= '2026-01-01T06:00:00Z'"}, [float(n) for n in range(8)]),
        ({"where": "sym.bol == 'ZZZ' and \"sym.bol\" == 'S3'"}, [6.0, 7.0]),
    ],
)
def test_a_struct_s_field_does_not_stand_for_a_column_of_its_spelling(tmp_path, flat_first, encoding, selection, rows):
    """Broken: row groups are left out by another column's statistics, and their rows are lost."""
    table, _ = clashing(flat_first)
    more: dict[str, Any] = (
        {"use_dictionary": False, "column_encoding": {"sym.bol": encoding}} if encoding != "PLAIN" else {}
    )
    path = write(tmp_path / "a.parquet", table, **more)
    columns = Columns(symbol="sym.bol", event_time="event.time")
    source = Source(options_of(path, selection=selection, columns=columns))
    assert as_sent(source) == rows
    if "where" not in selection:
        assert source.rows < 8, "its own statistics do leave row groups out"


def test_two_columns_of_one_name_have_no_statistics(tmp_path):
    """Broken: the second one's would be taken for those of the first."""
    table = trades(["A"] * 4, [0, 1, 2, 3])
    table = table.append_column("twice", pa.array([1] * 4)).append_column("twice", pa.array([9] * 4))
    from replay.source.files.find import find
    from replay.source.files.parquet_file import open_file

    (path,) = find([str(write(tmp_path / "a.parquet", table))])
    file = open_file(path, ["twice", "symbol"])
    assert [sorted(group.ranges) for group in file.groups] == [["symbol"], ["symbol"]]


# -- statistics that lie ------------------------------------------------------------------------------------------

SYMBOL, EVENT_TIME = 0, 2
"""Columns of `trades`, by place."""

HOURS = [n * HOUR_US for n in range(8)]
NAMES = ["AAA", "AAB", "BBB", "BBC", "CCC", "CCD", "DDD", "DDE"]
LIES: dict[str, tuple[Callable[[Path], object], dict[str, Any], list[float]]] = {
    "times of another day": (
        lambda path: say(path, EVENT_TIME, T0_US - 9 * HOUR_US, T0_US - 8 * HOUR_US),
        {"from_": moment(2 * HOUR_US), "to": moment(5 * HOUR_US)},
        [2.0, 3.0, 4.0],
    ),
    "one row group's times too late": (
        lambda path: say(path, EVENT_TIME, T0_US + 99 * HOUR_US, T0_US + 99 * HOUR_US, groups=range(1, 2)),
        {"to": moment(5 * HOUR_US)},
        [0.0, 1.0, 2.0, 3.0, 4.0],
    ),
    "a last time too early": (
        lambda path: say(path, EVENT_TIME, T0_US, T0_US, groups=range(3, 4)),
        {"from_": moment(7 * HOUR_US)},
        [7.0],
    ),
    "symbols of another file": (lambda path: say(path, SYMBOL, b"X", b"Z"), {"symbols": "BBB,DD*"}, [2.0, 6.0, 7.0]),
    "symbols in one row group": (
        lambda path: say(path, SYMBOL, b"X", b"Z", groups=range(1, 2)),
        {"symbols": "BBB"},
        [2.0],
    ),
    "both": (
        lambda path: (say(path, SYMBOL, b"X", b"Z"), say(path, EVENT_TIME, 1, 2)),
        {"symbols": "BB*", "from_": moment(0), "to": moment(3 * HOUR_US)},
        [2.0],
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_no_row_is_lost_by_statistics_that_lie(tmp_path, lie):
    """Broken: the rows that the selection asks for are never sent, and nobody is told."""
    spoil, selection, rows = LIES[lie]
    path = write(tmp_path / "a.parquet", trades(NAMES, HOURS))
    spoil(path)
    source, warned = begun(options_of(path, selection=selection))
    assert as_sent(source) == rows
    (told,) = warned
    assert str(path) in told
    assert "parquet-cpp-arrow version" in told
    if lie != "one row group's times too late":
        trusting = Source(options_of(path, selection=selection, trust_statistics=True))
        assert as_sent(trusting) != rows, "the lie would show"


def test_a_unit_inferred_from_a_lie_hides_no_row(tmp_path):
    """Broken: seconds taken for nanoseconds lie in 1970, out of every range, and nobody looks again."""
    times = pa.array([T0_US // 10**6 + n * 3_600 for n in range(8)], pa.int64())
    path = write(tmp_path / "a.parquet", trades(NAMES, HOURS).set_column(EVENT_TIME, "event_time", times))
    say(path, EVENT_TIME, T0_US * 1_000 - 10**15, T0_US * 1_000 - 10**14)
    options = options_of(path, selection={"from_": moment(0), "to": moment(3 * HOUR_US)})
    with pytest.raises(InputError, match="the unit of these times cannot be told"):
        begun(options)
    source, _ = begun(replace(options, columns=Columns(time_unit="s")))
    assert as_sent(source) == [0.0, 1.0, 2.0]


def test_a_resume_takes_the_decision_from_the_checkpoint(tmp_path):
    """Broken: positions of a replay that reads all row groups would be taken for those of one that does not."""
    liar = say(write(tmp_path / "a.parquet", trades(NAMES, HOURS)), SYMBOL, b"X", b"Z", groups=range(1, 2))
    write(tmp_path / "b.parquet", trades(NAMES, HOURS))
    options = options_of(tmp_path, selection={"symbols": "BBB"})
    source, _ = begun(options)
    again = Source(trust.as_decided(options, source.identity()))
    assert again.identity() == source.identity() != Source(options).identity()
    assert (again.rows, again.end) == (source.rows, source.end)
    assert again.rows == 8 + 2, f"all of {liar}, and of the other file the row group that may hold it"
    assert trust.as_decided(options, Source(options).identity()) == options


def test_rows_that_are_read_contradict_statistics_of_order(tmp_path):
    """Broken: files would be merged in a wrong order, or the night would end with an error that no option mends."""
    write(tmp_path / "a.parquet", trades(["A"] * 4, [n * HOUR_US for n in (0, 2, 4, 6)]))
    b = write(tmp_path / "b.parquet", trades(["A"] * 4, [n * HOUR_US for n in (1, 3, 5, 7)]))
    say(b, EVENT_TIME, T0_US + 90 * HOUR_US, T0_US + 99 * HOUR_US)
    with pytest.raises(InputError, match="statistics"):
        as_sent(Source(options_of(tmp_path)))
    source, warned = begun(options_of(tmp_path))
    assert as_sent(source) == [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
    assert len(warned) == 1
    assert "b.parquet: row 0" in warned[0]


def test_a_lie_about_rows_that_nobody_asked_for_is_no_error(tmp_path):
    """Broken: the first row that is selected seems to go back behind a start that is none."""
    path = write(tmp_path / "a.parquet", trades(["B", "A", "B", "A"], [5, 6, 7, 8]))
    say(path, EVENT_TIME, T0_US + HOUR_US, T0_US + 2 * HOUR_US)
    source, warned = begun(options_of(path, selection={"symbols": "A"}))
    assert as_sent(source) == [1.0, 3.0]
    assert len(warned) == 1


@pytest.mark.parametrize("lie", LIES)
def test_who_verifies_expects_what_the_rows_say(tmp_path, lie):
    """Broken: `verify` leaves out what a run left out by trusting, and calls the topic exact."""
    spoil, selection, rows = LIES[lie]
    path = write(tmp_path / "a.parquet", trades(NAMES, HOURS))
    spoil(path)

    def look(given: SourceOptions) -> list[float]:
        source = Source(given, judges=True)
        source.ruled_out.check()
        return as_sent(source)

    trusting = options_of(path, selection=selection, trust_statistics=True)
    assert trust.until_true(trusting, look, lambda _: None) == rows


@settings(max_examples=150, deadline=None)
@given(
    files=st.integers(1, 4),
    unsorted=st.sampled_from(Unsorted),
    order=st.sampled_from(Order),
    selection=st.sampled_from([each for each in SELECTIONS if each is not None]),
    seed=st.integers(0, 2**32),
)
def test_what_is_left_out_by_statistics_changes_nothing_that_is_sent(
    tmp_path_factory: pytest.TempPathFactory,
    files: int,
    unsorted: Unsorted,
    order: Order,
    selection: dict[str, Any],
    seed: int,
) -> None:
    """Broken: rows are lost with their row groups; or bad rows count or not as their row groups happen to be cut."""
    random, folder = Random(seed), tmp_path_factory.mktemp("in")
    for number in range(files):
        messy_file(folder / f"{number}.parquet", random, is_sorted=unsorted is Unsorted.FAIL)
    options = options_of(folder, selection=selection, order=order, unsorted=unsorted, on_bad_row=OnBadRow.SKIP)

    def told(source: Source) -> tuple[list[Any], Counter[Any]]:
        sent, bad = [], Counter[Any]()
        for batch in source.batches(source.start):
            names, rows = (batch.table.column(name).to_pylist() for name in ("symbol", "event_time"))
            for at, fate in enumerate(fates_of(batch)):
                if fate == Fate.SENT:
                    sent.append((source.symbols.names[names[at]], rows[at]))
                elif fate > Fate.NOT_SELECTED and "limit" not in selection:
                    bad[fate] += 1
        return sent, bad

    by_statistics = Source(options)
    by_statistics.ruled_out.check()
    footers = frozenset(file.footer_sha256 for file in Source(SourceOptions((str(folder),))).files)
    all_read = Source(replace(options, without_statistics=footers))
    if unsorted is not Unsorted.KEEP:
        assert told(by_statistics) == told(all_read)
    elif "limit" not in selection:  # kept as they are, rows that are not selected have a part in the order, too
        assert [sorted(each) for each in told(by_statistics)] == [sorted(each) for each in told(all_read)]


# -- what else statistics may be ------------------------------------------------------------------------------------


def test_signed_bytes_of_old_writers_rule_nothing_out(tmp_path):
    """Broken: "CÉ" lies behind "CZ", the largest by signed bytes, and its rows are lost."""
    path = write(tmp_path / "a.parquet", trades(["CA", "CÉ", "CÉ", "CZ"], [0, 1, 2, 3]), group=4)
    only_deprecated(path, SYMBOL, b"CA", b"CZ")
    for by in ("parquet-mr version 1.8.1 (build x)", "impala version 2.9.0", "", None):
        created_by(path, by)
        assert as_sent(Source(options_of(path, selection={"symbols": "CÉ"}))) == [1.0, 2.0], by


@pytest.mark.parametrize(
    "by", ["parquet-mr version 1.12.3 (build x)", "parquet-cpp-arrow version 26.0.1", "parquet-rs version 53"]
)
def test_a_writer_that_says_it_is_another_loses_no_row(tmp_path, by):
    """Broken: a file that was merged by a tool, which put its own name on what others wrote, loses rows."""
    path = write(tmp_path / "a.parquet", trades(["CA", "CÉ", "CÉ", "CZ"], [0, 1, 2, 3]), group=4)
    created_by(only_deprecated(path, SYMBOL, b"CA", b"CZ"), by)
    source, _ = begun(options_of(path, selection={"symbols": "CÉ"}))
    assert as_sent(source) == [1.0, 2.0]
    created_by(say(write(path, trades(NAMES, HOURS)), SYMBOL, b"DDE", b"DDE"), by)
    source, (told,) = begun(options_of(path, selection={"symbols": "BBB"}))
    assert as_sent(source) == [2.0]
    assert by in told


def test_a_buffer_that_was_used_again_rules_nothing_out(tmp_path):
    """PARQUET-251: smallest and largest are the last value seen, whatever lies between."""
    path = write(tmp_path / "a.parquet", trades(["AAA", "BBB", "CCC", "DDD"], [0, 1, 2, 3]), group=4)
    created_by(say(path, SYMBOL, b"DDD", b"DDD"), "parquet-mr version 1.6.0")
    assert as_sent(Source(options_of(path, selection={"symbols": "BBB"}))) == [1.0]


@pytest.mark.parametrize(("cut", "last"), [(b"BTC", b"BTC"), (b"BTC", b"BTD"), (b"B", b"C")])
def test_texts_cut_off_rule_out_only_what_is_beyond_them(tmp_path, cut, last):
    """Broken: a largest symbol that was cut off, rounded up or not, hides longer ones."""
    path = write(tmp_path / "a.parquet", trades(["BTCUSDA", "BTCUSDZ", "XRP", "XRP"], [0, 1, 2, 3]))
    say(path, SYMBOL, cut, last, groups=range(1))
    source, warned = begun(options_of(path, selection={"symbols": "BTCUSDZ"}))
    assert (as_sent(source), warned, source.rows) == ([1.0], [], 2)


def test_unsigned_times_are_compared_without_a_sign(tmp_path):
    """Broken: times beyond 2**63 look negative, and their row groups lie before all others."""
    late = 2**63 + 5
    table = trades(["A"] * 4, [0] * 4).set_column(2, "event_time", pa.array([T0_US, T0_US + 1, 7, late], pa.uint64()))
    path = write(tmp_path / "a.parquet", table)
    options = options_of(path, columns=Columns(time_unit="us"), on_bad_row=OnBadRow.SKIP)
    (first, second) = Source(options).files[0].groups
    assert (first.range_of("event_time").first, first.range_of("event_time").last) == (T0_US, T0_US + 1)
    assert (second.range_of("event_time").first, second.range_of("event_time").last) == (7, late)


@pytest.mark.parametrize(
    ("first", "last"),
    [(T0_US + 5, T0_US), (2**63 - 1, 2**63 - 1), (b"\xff" * 8, b"\xff" * 8)],
    ids=["upside down", "the last of all", "minus one"],
)
def test_bytes_that_are_no_statistics_lose_no_row(tmp_path, first, last):
    """Broken: a footer with nonsense in it ends in a traceback, or leaves rows out."""
    path = say(write(tmp_path / "a.parquet", trades(NAMES, HOURS)), EVENT_TIME, first, last)
    source, _ = begun(options_of(path, selection={"from_": moment(2 * HOUR_US), "to": moment(4 * HOUR_US)}))
    assert as_sent(source) == [2.0, 3.0]


@pytest.mark.parametrize("side", ["min_value", "max_value"])
def test_one_end_alone_rules_nothing_out(tmp_path, side):
    """Broken: the other end is taken for 0, or for the last of all times."""
    path = write(tmp_path / "a.parquet", trades(NAMES, HOURS))

    def forget(metadata: Any) -> None:
        for group in range(4):
            told = chunk_statistics(metadata, group, EVENT_TIME)
            told.min, told.max = None, None
            setattr(told, side, None)

    source, warned = begun(options_of(change_footer(path, forget), selection={"from_": moment(2 * HOUR_US)}))
    assert (as_sent(source), warned, source.rows) == ([2.0, 3.0, 4.0, 5.0, 6.0, 7.0], [], 8)


@pytest.mark.parametrize("selection", [{"symbols": "A"}, {"from_": moment(6 * HOUR_US)}])
@pytest.mark.parametrize("hole", ["symbol", "event_time"])
@pytest.mark.parametrize("counted", [True, False])
def test_a_bad_row_is_one_wherever_its_row_group_ends(tmp_path, selection, hole, counted):
    """Broken: whether a file with a row without symbol or time is refused depends on how it was cut."""
    symbols: list[Any] = ["A", "A", "Z", "Z"]
    times: list[Any] = [6 * HOUR_US, 7 * HOUR_US, 8 * HOUR_US, 9 * HOUR_US]
    if selection.get("from_"):
        symbols, times = ["A"] * 4, [0, HOUR_US, 6 * HOUR_US, 7 * HOUR_US]
    (symbols if hole == "symbol" else times)[3 if "symbols" in selection else 1] = None
    found = set()
    for group in (1, 2, 4):
        path = write(tmp_path / "a.parquet", trades(symbols, times), group)
        if not counted:
            for column in (SYMBOL, EVENT_TIME):
                for number in range(4 // group):
                    uncounted(path, number, column)
        source = Source(options_of(path, selection=selection, on_bad_row=OnBadRow.SKIP))
        fates = Counter(fate for batch in source.batches(source.start) for fate in fates_of(batch))
        found.add((fates[Fate.SENT], fates[Fate.SYMBOL_MISSING], fates[Fate.TIME_MISSING]))
    assert len(found) == 1, found


def fates_of(batch: Batch) -> list[int]:
    assert batch.fates is not None
    found: list[int] = batch.fates.tolist()
    return found


def uncounted(path: Path, group: int, column: int) -> None:
    change_footer(path, lambda metadata: setattr(chunk_statistics(metadata, group, column), "null_count", None))


ENGINES = {
    "pyarrow": lambda table: by_pyarrow(table, row_group_size=10),
    "pyarrow int96": lambda table: by_pyarrow(table, row_group_size=10, use_deprecated_int96_timestamps=True),
    "pyarrow 1.0": lambda table: by_pyarrow(table, row_group_size=10, version="1.0"),
    "polars": lambda table: by_polars(table, row_group_size=10),
    "duckdb": lambda table: by_duckdb(table, row_group_size="10"),
    "fastparquet": lambda table: by_fastparquet(table, row_group_offsets=10),
    "datafusion": lambda table: by_datafusion(table, max_row_group_size=10),
}


@pytest.mark.parametrize("engine", ENGINES)
def test_selections_of_every_writer_s_files(tmp_path, engine):
    """Broken: rows of some writer's files are lost by a selection, since its statistics mean something else."""
    dice = Random(engine)
    names = ["A", "AB", "a", "É", "ÄB", "😀", "BTCUSDT", "Z" * 300]
    times = sorted(dice.randrange(600) for _ in range(60))
    symbols = sorted((dice.choice(names) for _ in times), reverse=dice.random() < 0.5)
    table = trades(symbols, [time * HOUR_US for time in times])
    path = tmp_path / "a.parquet"
    ENGINES[engine](table)(path)
    others = 0
    for _ in range(40):
        some = dice.sample([*names, "B*", "?", "Z*"], 2)
        low, high = sorted(dice.sample(range(600), 2))
        for selection in ({"symbols": ",".join(some)}, {"from_": moment(low * HOUR_US), "to": moment(high * HOUR_US)}):
            chosen = parse_selection(**selection)  # type: ignore[arg-type]
            wanted = [
                float(row)
                for row, (symbol, time) in enumerate(zip(symbols, times, strict=True))
                if chosen.wants(symbol) and ("from_" not in selection or low <= time < high)
            ]
            options = options_of(path, selection=selection)
            source = Source(options)
            source.ruled_out.check()
            assert as_sent(source) == wanted
            others += 60 - source.rows
    assert (others > 0) is (engine != "duckdb"), "whose row groups have 2,048 rows at least"


def test_only_what_statistics_rule_out_is_looked_at(tmp_path):
    """Broken: a new replay reads every file twice; or a row group is left out that nobody looked at."""
    path = write(tmp_path / "a.parquet", trades(NAMES, HOURS))
    source, looked = Source(options_of(path, selection={"from_": moment(5 * HOUR_US)})), Counter[str]()
    source.ruled_out.check(lambda rows: looked.update({"rows": rows}))
    assert (source.rows, looked["rows"]) == (4, 4)
    everything = Source(options_of(path))
    everything.ruled_out.check(lambda rows: looked.update({"rows": rows}))
    assert looked["rows"] == 4
