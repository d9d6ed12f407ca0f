"""Which names are input, what folders say, and how names sort."""

from __future__ import annotations

import os

import pytest

from replay.errors import InputError
from replay.source.files.paths import FOLDER, identify, is_ignored, natural_key, selector, split_pattern


@pytest.mark.parametrize(
    ("first", "second"), [("2", "10"), ("a2b10", "a10b2"), ("2a", "a"), ("x1", "x01y"), ("day-2/b", "day-10/a")]
)
def test_natural_order(first, second):
    """Broken: with --order as-is, day 10 is sent before day 2."""
    assert natural_key(first) < natural_key(second)


def test_any_name_has_a_place_in_natural_order():
    """Broken: a digit that is no number ends a replay as a bug."""
    assert natural_key("1²3") != natural_key("1")


@pytest.mark.parametrize(
    ("name", "ignored"),
    [("a.parquet", False), (".a.parquet", True), ("_SUCCESS", True), ("_temporary", True), ("_metadata", True),
     ("_day=3", False), ("a.parquet.crc", True), ("a.parquet.tmp", True), ("a.inprogress", True), ("a.TMP", True),
     ("a.parquet._COPYING_", True), ("tmp.parquet", False), ("date=2026-11-22", False)],
)  # fmt: skip
def test_what_is_nobodys_data(name, ignored):
    """Broken: a half-written file is replayed, or a whole one is left out."""
    assert is_ignored(name) is ignored


@pytest.mark.parametrize(
    ("path", "found"),
    [("a.parquet", True), ("x/y=1/a.PARQUET", True), ("a.parq", True), ("a.pq", True),
     ("out.parquet/part-0.parquet", True),
     ("_day=3/a.parquet", True), ("note.txt", False), ("parquet", False),
     ("_temporary/0/a.parquet", False),
     ("x/.git/a.parquet", False), ("x/_a.parquet", False), ("x.tmp/a.parquet", False), ("a.parquet.crc", False)],
)  # fmt: skip
def test_what_a_folder_holds(path, found):
    """Broken: a folder's files are left out, or what lies beside them is replayed."""
    assert selector(FOLDER)(path) is found


@pytest.mark.parametrize(
    ("pattern", "path", "found"),
    [
        ("*.parquet", "a.parquet", True),
        ("*.parquet", "x/a.parquet", False),
        ("*.parquet", "out.parquet/part-0.parquet", True),
        ("*.parquet", "out.parquet/_SUCCESS", False),
        ("*/a.parquet", "x/a.parquet", True),
        ("*/a.parquet", "a.parquet", False),
        ("*/a.parquet", "x/y/a.parquet", False),
        ("symbol=[AB]/*", "symbol=A/000000_0", True),
        ("symbol=[AB]/*", "symbol=C/000000_0", False),
        ("symbol=[!A]", "symbol=B/day=1/x.parquet", True),
        ("day-?.parquet", "day-1.parquet", True),
        ("day-?.parquet", "day-10.parquet", False),
        ("**/a.parquet", "a.parquet", True),
        ("**/a.parquet", "x/y/z/a.parquet", True),
        ("**/a.parquet", "x/_temporary/a.parquet", False),
        ("**/**/a.parquet", "x/a.parquet", True),
        ("**/x/**/a.parquet", "x/a.parquet", True),
        ("**/x/**/a.parquet", "1/x/2/a.parquet", True),
        ("**/x/**/a.parquet", "1/2/a.parquet", False),
        ("**", "x/y/000000_0", True),
        ("*", ".hidden", False),
        ("*", "a.crc", False),
        ("_*", "_a.parquet", True),
        ("*.tmp", "a.tmp", True),
        ("*/_old/*.parquet", "x/_old/a.parquet", True),
        ("*.parquet", "A.PARQUET", False),
    ],
)
def test_what_a_pattern_finds(pattern, path, found):
    """Broken: a pattern replays files that it does not match, or not those it does."""
    folder, steps = split_pattern(pattern)
    assert folder == ""
    assert selector(steps)(path) is found


@pytest.mark.parametrize(
    ("pattern", "folder", "steps"),
    [("a/b/*.parquet", "a/b", 1), ("/*/x", "/", 2), ("/a/**", "/a", 2), ("*", "", 1), ("a/*//./x", "a", 2)],
)
def test_a_search_starts_as_deep_as_the_pattern_is_spelled_out(pattern, folder, steps):
    """Broken: `s3://bucket/2026/*` lists the whole bucket."""
    found = split_pattern(pattern)
    assert (found[0], len(found[1])) == (folder, steps)


@pytest.mark.parametrize(
    ("path", "name", "keys"),
    [
        ("trades.parquet", "trades.parquet", ()),
        ("/data/x/trades.parquet", "trades.parquet", ()),
        ("/d/symbol=BTCUSDT/date=2026-11-22/p.parquet", "symbol=BTCUSDT/date=2026-11-22/p.parquet",
         (("symbol", "BTCUSDT"), ("date", "2026-11-22"))),
        ("d/symbol=A/out.parquet/p.parquet", "symbol=A/p.parquet", (("symbol", "A"),)),
        ("d/symbol=__HIVE_DEFAULT_PARTITION__/p", "symbol=__HIVE_DEFAULT_PARTITION__/p", (("symbol", None),)),
        ("d/symbol=BTC%2FUSDT/p", "symbol=BTC%2FUSDT/p", (("symbol", "BTC/USDT"),)),
        ("d/my%20key=%C3%A9%3D1/p", "my%20key=%C3%A9%3D1/p", (("my key", "é=1"),)),
        ("d/a=b=c/p", "a=b=c/p", (("a", "b=c"),)),
        ("d/a=/p", "a=/p", (("a", ""),)),
        ("d/=x/p", "p", ()),
        ("d/a=1.parquet", "a=1.parquet", ()),
        (f"d/{os.fsdecode(bytes([0xff]))}/p", "p", ()),
    ],
)  # fmt: skip
def test_a_file_is_known_by_its_hive_folders(path, name, keys):
    """Broken: a symbol is lost or wrong, or a data set moved to another machine is another one."""
    assert identify(path, path) == (name, keys)


@pytest.mark.parametrize(
    ("path", "what"), [("a=1/a=2/p", "two folders"), ("a=%FF/p", "not UTF-8"), ("a=\udcff/p", "not UTF-8")]
)
def test_folders_that_make_no_column_are_refused(path, what):
    """Broken: two symbols become one, or a column cannot be made when rows are on their way."""
    with pytest.raises(InputError, match=what) as caught:
        identify(path, path)
    assert caught.value.where == path
