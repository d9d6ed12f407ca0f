"""Footers that harm whoever reads them, and the process that looks at them first."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from replay.errors import InputError
from replay.source.files import footers
from replay.source.files.find import find
from replay.source.files.footers import Looker
from replay.source.files.parquet_file import open_file
from tests.support import bad_files as bad
from tests.support import hostile_files as hostile


@pytest.fixture
def looker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Looker]:
    """Its process has seen nothing before."""
    monkeypatch.setattr(footers, "_known", set())
    made = Looker()
    yield made
    made.stop()


def opened(path: Path, looker: Looker) -> int:
    return open_file(find([str(path)])[0], ["event_time", "symbol"], looker).rows


def process_of(looker: Looker) -> int:
    assert looker._process is not None
    return looker._process.pid


def test_a_footer_that_makes_arrow_abort_ends_another_process_and_is_named(tmp_path: Path, looker: Looker) -> None:
    """Broken: one damaged file ends the whole replay with SIGABRT, and nobody says which file it was."""
    with pytest.raises(InputError) as raised:
        opened(hostile.aborting(tmp_path / "x.parquet"), looker)
    assert raised.value.where == str(tmp_path / "x.parquet")
    assert "its footer makes Arrow end its process (SIGABRT)" in raised.value.what
    assert opened(bad.write(tmp_path / "good.parquet", bad.trades(7)), looker) == 7


def test_the_process_is_there_for_all_files_and_not_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: each of 10,000 files costs a tenth of a second; or each run leaves a process behind."""
    monkeypatch.setattr(footers, "_known", set())
    with footers.looking() as looker:
        pids = set()
        for rows in range(1, 6):
            opened(bad.write(tmp_path / f"{rows}.parquet", bad.trades(rows)), looker)
            pids.add(process_of(looker))
    assert len(pids) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(pids.pop(), 0)
    with footers.looking() as again:  # the same files: another look would tell nothing new
        opened(tmp_path / "1.parquet", again)
        assert again._process is None


def test_whoever_else_ends_the_process_says_nothing_of_the_file(tmp_path: Path, looker: Looker) -> None:
    """Broken: a good file is called damaged since the system, short of memory, or an operator killed a process."""
    opened(bad.write(tmp_path / "a.parquet", bad.trades(1)), looker)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(process_of(looker), number)
    before = process_of(looker)
    assert opened(bad.write(tmp_path / "b.parquet", bad.trades(2)), looker) == 2
    assert process_of(looker) == before, "a signal for the group ended it"
    os.kill(before, signal.SIGKILL)
    assert opened(bad.write(tmp_path / "c.parquet", bad.trades(3)), looker) == 3


def test_a_footer_that_is_not_read_in_time_is_refused(
    tmp_path: Path, looker: Looker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: a file that keeps Arrow busy for ever hangs the replay."""
    opened(bad.write(tmp_path / "a.parquet", bad.trades(1)), looker)
    stuck = process_of(looker)
    os.kill(stuck, signal.SIGSTOP)
    monkeypatch.setattr(footers, "ANSWER_S", 0.3)
    began_s = time.monotonic()
    with pytest.raises(InputError, match=r"its footer cannot be read within 0\.3 s"):
        opened(bad.write(tmp_path / "b.parquet", bad.trades(2)), looker)
    assert time.monotonic() - began_s < 5
    with pytest.raises(ProcessLookupError):
        os.kill(stuck, 0)


def test_the_process_knows_no_secrets(tmp_path: Path, looker: Looker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: a process that reads what strangers wrote holds the password of the cluster."""
    monkeypatch.setenv("REPLAY_LIBRDKAFKA", "sasl.password=hunter2")
    opened(bad.write(tmp_path / "a.parquet", bad.trades(1)), looker)
    for about in ("environ", "cmdline"):
        assert b"hunter2" not in Path(f"/proc/{process_of(looker)}/{about}").read_bytes()


def test_a_million_columns_are_counted_before_anything_is_made_of_them(tmp_path: Path, looker: Looker) -> None:
    """Broken: 14 MB of names become a gigabyte, and half a minute of work."""
    path = hostile.with_columns(tmp_path / "x.parquet", 1_000_000)
    with pytest.raises(InputError, match=r"the file has 1,000,000 columns.*at most 10,000 are read"):
        opened(path, looker)
    assert looker._process is None, "they were counted without it"


def test_row_groups_without_end_are_refused(tmp_path: Path, looker: Looker) -> None:
    """Broken: a megabyte of empty row groups becomes hundreds of megabytes, for each file, for as long as it runs."""
    empty = hostile.struct((1, 9, hostile.structs([])), (2, 6, b"\0"), (3, 6, b"\0"))
    footer = hostile.footer([hostile.group_of("r", 1), hostile.column("c")], [empty] * 200_000)
    with pytest.raises(InputError, match=r"200,000 row groups; at most 100,000 are read|not a whole Parquet file"):
        opened(hostile.whole(tmp_path / "x.parquet", footer), looker)


def test_a_footer_that_needs_too_much_memory_ends_another_process(tmp_path: Path, looker: Looker) -> None:
    """Broken: some megabytes of column chunks that say nothing become gigabytes in the replay itself."""
    group = hostile.struct(
        (1, 9, hostile.structs([hostile.struct((2, 6, b"\0"))] * 900_000)), (2, 6, b"\0"), (3, 6, b"\0")
    )
    footer = hostile.footer([hostile.group_of("r", 1), hostile.column("c")], [group] * 4)
    with pytest.raises(InputError, match="more than 512 MiB of memory"):
        opened(hostile.whole(tmp_path / "x.parquet", footer), looker)


def test_a_long_footer_is_not_read_at_all(tmp_path: Path, looker: Looker) -> None:
    """Broken: a file says that its footer has half a gigabyte, and the replay takes it all into memory."""
    with pytest.raises(InputError, match=r"its footer has 500,000,008 bytes; at most 67,108,864 are read"):
        opened(hostile.long_footer(tmp_path / "x.parquet", 500_000_000), looker)


def test_columns_with_names_of_a_megabyte_are_read(tmp_path: Path, looker: Looker) -> None:
    """Broken: bounds refuse what does no harm; lists, structs and as many columns as anyone has are read."""
    columns = {f"c{place}": [[{"a": place}]] for place in range(2_000)}
    table = bad.trades(1, **columns, **{"n" * (1 << 20): [1]})
    assert opened(bad.write(tmp_path / "x.parquet", table), looker) == 1
