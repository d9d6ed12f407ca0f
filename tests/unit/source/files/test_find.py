"""Finding local files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from replay.errors import InputError
from replay.source.files.find import find


def make(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def shown(*given: object) -> list[str]:
    return [path.shown for path in find([str(each) for each in given])]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_files_come_in_natural_order_of_all_that_is_named():
    """Broken: with --order as-is, day 10 is sent before day 2."""
    for name in ("d/day-10", "d/day-2", "d/day-1", "d/sub/day-3", "e/a"):
        make(Path(f"{name}.parquet"))
    expected = ["d/day-1.parquet", "d/day-2.parquet", "d/day-10.parquet", "d/sub/day-3.parquet", "e/a.parquet"]
    assert shown("e/a.parquet", "d/") == expected
    assert shown("d", "e/*") == expected


def test_what_is_found_says_all_about_a_file():
    """Broken: messages, columns or the checkpoint's identity are wrong."""
    make(Path("d/symbol=A%2FB/x.parquet"), b"12345")
    (found,) = find(["d"])
    assert (found.shown, found.name) == ("d/symbol=A%2FB/x.parquet", "symbol=A%2FB/x.parquet")
    assert (found.keys, found.size_bytes) == ((("symbol", "A/B"),), 5)


def test_keys_count_from_wherever_the_search_starts(here, monkeypatch):
    """Broken: a file named from inside its Hive folder has no symbol, and another identity."""
    make(Path("symbol=A/date=1/x.parquet"))
    far = find(["symbol=A"])
    monkeypatch.chdir(here / "symbol=A/date=1")
    near = find(["x.parquet"])
    assert [path.name for path in near] == [path.name for path in far] == ["symbol=A/date=1/x.parquet"]
    assert near[0].keys == far[0].keys


def test_each_file_counts_once_however_it_is_named(here):
    """Broken: rows are sent twice."""
    make(Path("d/a.parquet"))
    make(Path("d/b.parquet"))
    Path("d/0-link.parquet").symlink_to("a.parquet")
    Path("other").symlink_to("d")
    every = ["d", "d/", "./d//a.parquet", "d/../d/a.parquet", here / "d", "d/*.parquet", "**/a.parquet",
             "other", "other/b.parquet", "d/0-link.parquet",
             f"file://{here}/d/a.parquet", f"file://localhost{here}/d"]  # fmt: skip
    assert shown(*every) == ["d/a.parquet", "d/b.parquet"]
    assert shown("d/0-link.parquet") == ["d/0-link.parquet"]


def test_copies_are_different_files():
    """Broken: identical trades in two files are taken for one, and rows are lost."""
    make(Path("a.parquet"))
    make(Path("b.parquet"))
    os.link("a.parquet", "c.parquet")
    assert shown(".") == ["./a.parquet", "./b.parquet", "./c.parquet"]


def test_links_to_folders_are_followed_and_loops_end():
    """Broken: data on another disk is silently left out, or a loop of links is searched for ever."""
    make(Path("d/1/a.parquet"))
    make(Path("disk2/b.parquet"))
    Path("d/2").symlink_to("../disk2")
    Path("d/1/up").symlink_to("..")
    Path("d/self").symlink_to("self")
    Path("disk2/back").symlink_to("../d")
    expected = ["d/1/a.parquet", "d/2/b.parquet"]
    assert shown("d") == shown("d/**/*.parquet") == expected


def test_a_folder_named_like_a_file_is_a_folder():
    """Broken: Spark's output cannot be replayed."""
    make(Path("x.parquet/part-0.parquet"))
    make(Path("x.parquet/_SUCCESS"))
    make(Path("x.parquet/.part-0.parquet.crc"))
    for given in (".", "x.parquet", "*.parquet", "**/*.parquet"):
        assert [Path(path).name for path in shown(given)] == ["part-0.parquet"], given


def test_names_that_need_care_are_found(here):
    """Broken: a file whose name holds a wildcard, a space, a %, a colon or bytes that are no UTF-8 is not found."""
    odd = [
        "a[1].parquet",
        "a *?.parquet",
        "50%25.parquet",
        "file:x.parquet",
        os.fsdecode(b"tr\xe4des.parquet"),
        "n\nl.parquet",
    ]
    for name in odd:
        make(Path(name))
        assert shown(name) == [name]
        assert shown(f"{here}/{name}") == [f"{here}/{name}"]
    assert len(shown(".")) == len(odd)
    assert shown(f"file://{here}/50%2525.parquet", f"file://{here}/tr%E4des.parquet") == [
        f"{here}/50%25.parquet", f"{here}/{odd[4]}"]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "where", "what"),
    [
        ("", "INPUT", "empty"),
        ("missing.parquet", "missing.parquet", "no such file"),
        ("missing/*.parquet", "missing", "no such file"),
        ("note.txt/x.parquet", "note.txt/x.parquet", "no such file"),
        ("*.parquet", "*.parquet", "no Parquet file"),
        (".", ".", "no Parquet file"),
        ("pipe.parquet", "pipe.parquet", "read twice"),
        ("a\0b", "a\0b", "null byte"),
        ("x" * 300, "x" * 300, "File name too long"),
        ("file://server/x.parquet", "file://server/x.parquet", "no file of this machine"),
        ("gone", "gone/link.parquet", "vanished"),
        ("loop", "loop/me.parquet", "Too many levels"),
    ],
)
def test_an_input_that_names_nothing_is_an_error(given, where, what):
    """Broken: a replay of nothing, or of a part, is a success."""
    make(Path("note.txt"))
    os.mkfifo("pipe.parquet")
    for folder in ("gone", "loop", "hidden/_temporary"):
        Path(folder).mkdir(parents=True)
    make(Path("hidden/_temporary/x.parquet"))
    Path("gone/link.parquet").symlink_to("nothing")
    Path("loop/me.parquet").symlink_to("me.parquet")
    if given in {".", "*.parquet"}:  # these two find what the others are about
        for folder in ("gone", "loop"):
            Path(folder).rename(f".{folder}")
    with pytest.raises(InputError, match=what) as caught:
        find([given])
    assert caught.value.where == where
    assert caught.value.todo


def test_a_folder_that_cannot_be_listed_is_an_error(monkeypatch):
    """Broken: the part of a data set that cannot be read is left out of it."""
    make(Path("d/a.parquet"))
    Path("d/locked").mkdir()
    listed = os.scandir

    def denied(path):  # as root, who may list everything, sees it
        if path == "d/locked":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(InputError, match="Permission denied") as caught:
        find(["d"])
    assert caught.value.where == "d/locked"


def test_many_files_cost_a_look_each(monkeypatch):
    """Broken: 100,000 files take minutes to find, most of it look-ups of their folders."""
    for name in range(300):
        make(Path(f"d/symbol={name % 3}/{name}.parquet"))
    looked: list[object] = []
    lstat = os.lstat

    def noted(path):
        looked.append(path)
        return lstat(path)

    monkeypatch.setattr(os, "lstat", noted)
    assert len(find(["d"])) == 300
    assert len(looked) < 30  # realpath() of the start: its folders, once
