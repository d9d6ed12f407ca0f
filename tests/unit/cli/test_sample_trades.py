"""The sample: exact counts, order, the same bytes every time, files that are whole or absent."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from replay.cli.options.looking import SampleLayout
from replay.cli.sample_trades import SCHEMA, SampleSpec, write_sample

SHIPPED = Path(__file__).parents[3] / "data"
LAYOUTS = pytest.mark.parametrize("layout", list(SampleLayout))


def read(paths: list[Path]) -> pa.Table:
    return pa.concat_tables([pq.read_table(path) for path in paths])


def times(table: pa.Table) -> np.ndarray:
    return np.asarray(table["event_time"].cast(pa.int64()))


def spec_of(layout: SampleLayout, **changed) -> SampleSpec:
    return replace(SampleSpec(rows=20_000, symbols=30, days=3, layout=layout), **changed)


SMALL_SPECS = st.builds(
    lambda extra, symbols, days, layout, group: SampleSpec(
        max(symbols, days) + extra, symbols, days, layout, row_group_rows=group
    ),
    extra=st.integers(0, 600),
    symbols=st.integers(1, 25),
    days=st.integers(1, 8),
    layout=st.sampled_from(SampleLayout),
    group=st.integers(1, 200),
)


@settings(max_examples=30, deadline=None)
@given(spec=SMALL_SPECS)
@example(spec=SampleSpec(25, 25, 25, SampleLayout.BY_DAY))
@example(spec=SampleSpec(25, 25, 25, SampleLayout.BY_SYMBOL))
def test_exactly_the_rows_asked_for(tmp_path_factory, spec):
    """Broken: sizes in tests and benchmarks lie, or a symbol or day that was asked for is missing."""
    paths = write_sample(tmp_path_factory.mktemp("out"), spec)
    assert len(paths) == (spec.days if spec.layout is SampleLayout.BY_DAY else spec.symbols)
    assert all(pq.read_metadata(path).num_rows for path in paths)
    table = read(paths)
    assert table.num_rows == spec.rows
    assert len(table["symbol"].unique()) == spec.symbols


@LAYOUTS
def test_every_file_is_sorted_by_time_and_ids_count_up_per_symbol(tmp_path, layout):
    """Broken: replay's input check refuses our own sample, or trade ids no longer tell rows apart."""
    paths = write_sample(tmp_path, spec_of(layout, row_group_rows=1_000))
    for path in paths:
        assert (np.diff(times(pq.read_table(path))) >= 0).all()
    table = read(paths)
    for symbol in table["symbol"].unique():
        ids = table.filter(pc.equal(table["symbol"], symbol))["trade_id"].to_numpy()
        assert ids.tolist() == list(range(1, len(ids) + 1))


@LAYOUTS
def test_schema_groups_and_statistics(tmp_path, layout):
    """Broken: readers meet other types, plain symbols, or row groups they cannot skip by time."""
    for path in write_sample(tmp_path, spec_of(layout, row_group_rows=1_000)):
        file = pq.ParquetFile(path)
        assert file.schema_arrow.equals(SCHEMA)
        sizes = [file.metadata.row_group(index).num_rows for index in range(file.num_row_groups)]
        assert set(sizes[:-1]) <= {1_000}
        assert sizes[-1] <= 1_000
        group = file.metadata.row_group(0)
        assert group.column(0).has_dictionary_page
        assert {group.column(index).compression for index in range(6)} == {"ZSTD"}
        assert group.column(SCHEMA.get_field_index("event_time")).statistics.has_min_max


@LAYOUTS
def test_same_spec_same_bytes_other_seed_other_trades(tmp_path, layout):
    """Broken: two machines or two runs can no longer compare what they replayed."""
    first, again = (write_sample(tmp_path / name, spec_of(layout)) for name in ("first", "again"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    other = write_sample(tmp_path / "other", spec_of(layout, seed=8))
    assert not read(first).equals(read(other))


def test_by_day_files_hold_their_own_day_and_follow_on(tmp_path):
    """Broken: a file named for a day holds another day's trades, or prices jump at midnight."""
    paths = write_sample(tmp_path, spec_of(SampleLayout.BY_DAY, first_day=date(2027, 2, 27)))
    days = [date(2027, 2, 27), date(2027, 2, 28), date(2027, 3, 1)]
    assert [path.name for path in paths] == [f"trades-{day}.parquet" for day in days]
    tables = [pq.read_table(path) for path in paths]
    for day, table in zip(days, tables, strict=True):
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        assert midnight <= table["event_time"][0].as_py()
        assert table["event_time"][-1].as_py() < midnight + timedelta(days=1)
    for before, after in pairwise(tables):
        last, first = (
            table.filter(pc.equal(table["symbol"], "BTCUSDT"))["price"][index].as_py()
            for table, index in ((before, -1), (after, 0))
        )
        assert first == pytest.approx(last, rel=0.01)


def test_by_symbol_files_hold_one_symbol_and_overlap_in_time(tmp_path):
    """Broken: nothing made here would exercise the merge of overlapping files any more."""
    paths = write_sample(tmp_path, spec_of(SampleLayout.BY_SYMBOL))
    assert paths[0].name == "BTCUSDT.parquet"
    tables = [pq.read_table(path) for path in paths]
    assert [table["symbol"].unique().to_pylist() for table in tables] == [[path.stem] for path in paths]
    assert max(times(table)[0] for table in tables) < min(times(table)[-1] for table in tables)


@LAYOUTS
def test_activity_is_very_unequal_and_times_are_irregular(tmp_path, layout):
    """Broken: the sample becomes a metronome, and skewed keys, ties, bursts and gaps go untested."""
    table = read(write_sample(tmp_path, spec_of(layout, rows=60_000)))
    counts = np.sort(table["symbol"].value_counts().field("counts").to_numpy())
    assert counts[-1] > 30 * counts[0] > 0
    moments = np.sort(times(table))
    assert 0.1 < (np.diff(moments) == 0).mean() < 0.25
    per_minute = np.bincount((moments - moments[0]) // 60_000_000)
    assert per_minute.max() > 10 * np.median(per_minute)
    assert np.diff(moments).max() > 60_000_000
    symbols_at = table.group_by("event_time").aggregate([("symbol", "count_distinct")])
    assert pc.max(symbols_at["symbol_count_distinct"]).as_py() > 1
    lookalikes = table.group_by(["symbol", "event_time", "price"]).aggregate([("trade_id", "count")])
    assert pc.max(lookalikes["trade_id_count"]).as_py() > 1


@LAYOUTS
def test_values_are_plausible(tmp_path, layout):
    """Broken: prices off their tick, zero quantities or other sides reach whoever tries the sample."""
    table = read(write_sample(tmp_path, spec_of(layout)))
    bitcoin = table.filter(pc.equal(table["symbol"], "BTCUSDT"))["price"].to_numpy()
    assert (bitcoin == np.round(bitcoin, 2)).all()
    assert 40_000 < bitcoin.min() < bitcoin.max() < 110_000
    assert pc.min(table["price"]).as_py() > 0
    assert pc.min(table["quantity"]).as_py() > 0
    assert set(table["side"].unique().to_pylist()) == {"buy", "sell"}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"rows": 29}, "--rows 29 is fewer than --symbols 30.*--rows 30"),
        ({"rows": 40, "days": 41}, "--rows 40 is fewer than --days 41.*--rows 41"),
        ({"symbols": 0}, "--symbols is 0"),
        ({"days": -1}, "--days is -1"),
        ({"row_group_rows": 0}, "--row-group-rows is 0"),
        ({"seed": -1}, "--seed is -1"),
    ],
)
def test_refuses_what_cannot_be_made(changed, says):
    """Broken: an impossible request gives empty files or a traceback instead of the option to change."""
    with pytest.raises(ValueError, match=says):
        spec_of(SampleLayout.BY_DAY, **changed)


def test_never_overwrites_a_file_and_checks_before_writing_any(tmp_path):
    """Broken: a mistyped folder costs somebody their trades, or leaves half a sample beside them."""
    last = tmp_path / "trades-2026-11-04.parquet"
    last.write_text("precious")
    with pytest.raises(FileExistsError, match=r"trades-2026-11-04\.parquet already exists: delete it"):
        write_sample(tmp_path, spec_of(SampleLayout.BY_DAY))
    assert last.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [last]


def test_a_leftover_of_a_killed_run_is_replaced(tmp_path):
    """Broken: after a kill the same command fails, or leaves a temporary file for ever."""
    clean = write_sample(tmp_path / "clean", spec_of(SampleLayout.BY_DAY))
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / ".trades-2026-11-02.parquet.tmp").write_text("half a file")
    again = write_sample(tmp_path / "again", spec_of(SampleLayout.BY_DAY))
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in clean]
    assert sorted((tmp_path / "again").iterdir()) == again


def test_a_failure_leaves_no_part_of_a_file(tmp_path, monkeypatch):
    """Broken: a full disk or Ctrl-C leaves a name that looks like a complete file, or fills the disk."""

    def stop(*_, **__):
        assert [path.name for path in tmp_path.iterdir()] == [".trades-2026-11-02.parquet.tmp"]
        raise KeyboardInterrupt

    monkeypatch.setattr(pq.ParquetWriter, "write_table", stop)
    with pytest.raises(KeyboardInterrupt):
        write_sample(tmp_path, spec_of(SampleLayout.BY_DAY))
    assert list(tmp_path.iterdir()) == []


def test_the_shipped_sample_is_what_its_command_makes(tmp_path):
    """Broken: data/ and the generator have drifted apart, so the README's command gives other trades."""
    made = write_sample(tmp_path, SampleSpec(rows=20_000, symbols=5, days=2))
    shipped = sorted(SHIPPED.glob("*.parquet"))
    assert [path.name for path in shipped] == [path.name for path in made]
    assert read(shipped).equals(read(made))
    assert sum(path.stat().st_size for path in shipped) < 1_000_000
