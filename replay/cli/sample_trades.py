"""Made-up but realistic trades, the same bytes every time: the shipped sample, and big files for tests.

A file is made one row group at a time, so memory depends on `row_group_rows` and never on `rows`.
Times come from a clock per day shared by every symbol (busy hours, bursts, lulls), prices from a random
walk per symbol, and activity between symbols follows Zipf's law.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from math import ceil, log10
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from replay.cli.options.looking import SampleLayout

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SCHEMA = pa.schema([pa.field(name, kind, nullable=False) for name, kind in (
    ("symbol", pa.string()), ("price", pa.float64()), ("event_time", pa.timestamp("us", tz="UTC")),
    ("trade_id", pa.int64()), ("quantity", pa.float64()), ("side", pa.string()),
)])  # fmt: skip

# Opening price and decimals of the tick, most active first: plausible levels, nothing depends on them.
KNOWN: dict[str, tuple[float, int]] = {
    "BTCUSDT": (68_000.0, 2), "ETHUSDT": (3_500.0, 2), "SOLUSDT": (180.0, 2), "XRPUSDT": (0.62, 4),
    "BNBUSDT": (590.0, 1), "DOGEUSDT": (0.16, 5), "ADAUSDT": (0.45, 4), "TRXUSDT": (0.13, 5),
    "AVAXUSDT": (36.0, 2), "LINKUSDT": (15.0, 3), "SUIUSDT": (1.1, 4), "LTCUSDT": (84.0, 2),
    "BCHUSDT": (450.0, 1), "DOTUSDT": (7.0, 3), "UNIUSDT": (9.5, 3), "NEARUSDT": (6.3, 3),
    "APTUSDT": (9.0, 3), "ATOMUSDT": (8.2, 3), "FILUSDT": (5.6, 3), "ETCUSDT": (26.0, 2),
}  # fmt: skip

ZIPF = 1.2  # above 1: the first of 50 symbols alone has nearly a third of the trades, as on real venues
SWEEP = 0.12  # share of trades that fill the same order as the trade before: same symbol, time and price
DAILY_MOVE = 0.03  # a coin's usual day: about 3 %
HALF_SPREAD = 5e-5  # buys print half a basis point above the middle, sells below: prices bounce
NOTIONAL, NOTIONAL_SIGMA = 300.0, 1.5  # median trade in USDT; one in a thousand is a hundred times larger

MINUTES = 24 * 60
STEPS = 6  # 10 s steps a minute: as long as a burst lasts, and a day's clock stays small enough to cache
MINUTE_MARK = 0.02  # share of trades on the exact minute (scheduled orders): ties across symbols and files
PEAK_MINUTE = 15 * 60  # 15:00 UTC, when Europe and America both trade
BURST_ODDS, BURST = 1 / 200, 20.0  # about 43 bursts a day holding about a tenth of the trades
LULLS, LULL_MINUTES, LULL = 6, 5, 0.002  # quiet, not empty: a flat stretch could not be interpolated
MASS_UNIT = 1e6  # clocks are rounded to whole units: the last bit of `cos` or `exp` differs between machines

DAYS_STREAM, CLOCK_STREAM, FILE_STREAM = range(3)  # keeps the independent random streams apart


@dataclass(frozen=True, slots=True)
class SampleSpec:
    """What to make; equal specs make equal files (with the same pyarrow and numpy)."""

    rows: int
    symbols: int
    days: int
    layout: SampleLayout = SampleLayout.BY_DAY
    seed: int = 7  # any fixed number does; a default that varied would make runs impossible to compare
    first_day: date = date(2026, 11, 2)  # fixed, never "today", so that the same command gives the same bytes
    row_group_rows: int = 131_072  # ~6 MB decoded: cheap to hold one per file, big enough to compress well

    def __post_init__(self) -> None:
        for name, least in (("rows", 1), ("symbols", 1), ("days", 1), ("row_group_rows", 1), ("seed", 0)):
            if getattr(self, name) < least:
                option = "--" + name.replace("_", "-")
                raise ValueError(f"{option} is {getattr(self, name)}: give {least} or more")
        for name, need in (("symbols", self.symbols), ("days", self.days)):
            if self.rows < need:
                why = f"--rows {self.rows} is fewer than --{name} {need}, leaving some without a trade"
                raise ValueError(f"{why}: give --rows {need} or more, or fewer --{name}")


def write_sample(out: Path, spec: SampleSpec) -> list[Path]:
    """Write the files of `spec` into `out` and return their paths in order.

    No file is ever overwritten: all names are checked before the first is written, and each appears under its name
    only when complete.
    """
    out.mkdir(parents=True, exist_ok=True)
    market = _opening(spec)
    files = _files(spec, market)
    targets = [out / file.name for file in files]
    if taken := next(filter(Path.exists, targets), None):
        raise FileExistsError(f"{taken} already exists: delete it, or name another folder")
    for index, (file, target) in enumerate(zip(files, targets, strict=True)):
        rng = np.random.default_rng([spec.seed, FILE_STREAM, index])
        _write_whole(target, _tables(spec, file, market, rng))
    return targets


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    members: Ints  # indexes of the symbols it holds
    first_day: date
    per_day: Ints  # rows of the first day, the next, ...


@dataclass(frozen=True, slots=True)
class _Market:
    """One entry per symbol. `log_price` and `traded` are what the next row group goes on from."""

    names: list[str]
    weight: Floats  # of activity, against the other symbols'
    sigma: Floats  # usual step of the log price from one trade to the next
    tick_scale: Floats  # 10 ** decimals: dividing a whole number by it gives the exact nearest double
    lot_scale: Floats
    log_price: Floats
    traded: Ints  # trades so far, so ids run 1, 2, 3, ... and the last id is the count


def _opening(spec: SampleSpec) -> _Market:
    known = [(name, *listing) for name, listing in KNOWN.items()]
    small = [(f"ALT{index + 1:03d}USDT", 0.5 + index % 17, 4) for index in range(len(known), spec.symbols)]
    names, prices, decimals = zip(*(known + small)[: spec.symbols], strict=True)
    weight = np.arange(1.0, spec.symbols + 1) ** -ZIPF
    daily_trades = spec.rows / spec.days * weight / weight.sum()
    return _Market(
        names=list(names),
        weight=weight,
        sigma=DAILY_MOVE / np.sqrt(np.maximum(daily_trades, 1.0)),
        tick_scale=np.array([10.0**places for places in decimals]),
        lot_scale=np.array([10.0 ** ceil(log10(price)) for price in prices]),  # a lot: 1 USDT at most
        log_price=np.log(prices),
        traded=np.zeros(spec.symbols, dtype=np.int64),
    )


def _apportion(total: int, weight: Floats, least: int) -> Ints:
    """`total` in whole parts near `weight`, none below `least`; the parts add up exactly."""
    reached = np.cumsum(weight)
    shares = np.rint(reached / reached[-1] * (total - least * len(weight))).astype(np.int64)
    return np.asarray(np.diff(shares, prepend=0) + least)


def _files(spec: SampleSpec, market: _Market) -> list[_File]:
    day_weight = np.random.default_rng([spec.seed, DAYS_STREAM]).lognormal(sigma=0.2, size=spec.days)
    everyone = np.arange(spec.symbols)
    if spec.layout is SampleLayout.BY_DAY:
        days = [spec.first_day + timedelta(days=index) for index in range(spec.days)]
        rows = _apportion(spec.rows, day_weight, least=1)
        return [_File(f"trades-{day}.parquet", everyone, day, rows[i : i + 1]) for i, day in enumerate(days)]
    shares = [_apportion(n, day_weight, least=0) for n in _apportion(spec.rows, market.weight, least=1)]
    names = [f"{name}.parquet" for name in market.names]
    return [_File(names[i], everyone[i : i + 1], spec.first_day, share) for i, share in enumerate(shares)]


def _write_whole(target: Path, tables: Iterator[pa.Table]) -> None:
    """Write under a temporary name, then rename: the name never shows a part of a file."""
    partial = target.with_name(f".{target.name}.tmp")
    few = ["symbol", "side"]  # a dictionary pays for these; the numbers hardly repeat
    try:
        with pq.ParquetWriter(partial, SCHEMA, compression="zstd", use_dictionary=few) as writer:
            for table in tables:
                writer.write_table(table, row_group_size=table.num_rows)
        with partial.open("rb+") as written:
            os.fsync(written.fileno())  # or a power cut could keep the new name and lose the rows
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)  # there is one only after a failure


def _tables(spec: SampleSpec, file: _File, market: _Market, rng: np.random.Generator) -> Iterator[pa.Table]:
    """The row groups of one file, in order of time."""
    begins = (ends := np.cumsum(file.per_day)) - file.per_day
    for start in range(0, int(ends[-1]), spec.row_group_rows):
        low = np.maximum(start - begins, 0)  # the ranks, within each day, that fall in this row group
        high = np.minimum(start + spec.row_group_rows - begins, file.per_day)
        times = []
        for index in np.flatnonzero(low < high).tolist():
            mass, elapsed = _clock(spec.seed, day := file.first_day + timedelta(days=index))
            within = _times(mass, elapsed, range(low[index], high[index]), file.per_day[index], rng)
            times.append(np.datetime64(day, "us").astype(np.int64) + within)
        yield _trades(np.concatenate(times), file.members, market, rng)


def _times(mass: Floats, elapsed: Floats, ranks: range, rows: int, rng: np.random.Generator) -> Ints:
    """Sorted times since midnight of the trades with these ranks among a day's `rows`."""
    drawn = np.sort(ranks.start + len(ranks) * rng.random(len(ranks))) * (mass[-1] / rows)
    return np.asarray(np.minimum(np.interp(drawn, mass, elapsed), elapsed[-1] - 1).astype(np.int64))


@lru_cache(maxsize=366)  # a year, 160 KB a day: by-symbol comes back to the same days for every symbol
def _clock(seed: int, day: date) -> tuple[Floats, Floats]:
    """A day's activity so far against microseconds elapsed; it jumps at each whole minute."""
    rng = np.random.default_rng([seed, CLOCK_STREAM, day.toordinal()])
    hours = 1.0 + 0.6 * np.cos((np.arange(MINUTES) - PEAK_MINUTE) * (2 * np.pi / MINUTES))
    minutes = hours * rng.lognormal(sigma=0.6, size=MINUTES)
    for begin in rng.integers(0, MINUTES, LULLS):
        minutes[begin : begin + LULL_MINUTES] *= LULL
    rate = minutes[:, None] * np.where(rng.random((MINUTES, STEPS)) < BURST_ODDS, BURST, 1.0)
    mark = MINUTE_MARK * rate.sum(axis=1, keepdims=True)
    mass = np.maximum(np.rint(np.hstack([mark, (1 - MINUTE_MARK) * rate]) * MASS_UNIT), 1.0)
    width = np.tile([0.0] + [60e6 / STEPS] * STEPS, MINUTES)
    return np.append(0.0, np.cumsum(mass)), np.append(0.0, np.cumsum(width))


def _trades(times: Ints, members: Ints, market: _Market, rng: np.random.Generator) -> pa.Table:
    """Give sorted times their symbols, prices, ids, quantities and sides, and move the market on."""
    count = len(times)
    leads = rng.random(count) >= SWEEP
    leader = np.maximum.accumulate(np.where(leads, np.arange(count), 0))  # itself, or whose order it fills
    reached = np.cumsum(market.weight[members])
    symbol = members[np.searchsorted(reached / reached[-1], rng.random(count), side="right")][leader]
    unseen = members[int(market.traded[members].sum()) :][:count]
    symbol[: len(unseen)] = unseen  # the first trades go once round the symbols, so that none is absent
    steps = np.where(leads, rng.standard_normal(count), 0.0) * market.sigma[symbol]
    log_price, trade_id = _move_on(market, symbol, steps)
    sells = (rng.random(count) < 0.5)[leader]
    quote = np.exp(log_price) * np.where(sells, 1.0 - HALF_SPREAD, 1.0 + HALF_SPREAD)
    price = _whole(quote, market.tick_scale[symbol])
    notional = NOTIONAL * np.exp(NOTIONAL_SIGMA * rng.standard_normal(count))
    quantity = _whole(notional / price, market.lot_scale[symbol])
    name = pa.array(market.names).take(pa.array(symbol))
    side = pa.array(["buy", "sell"]).take(pa.array(sells + 0))
    event_time = times[leader].view("datetime64[us]")
    return pa.table([name, price, event_time, trade_id, quantity, side], schema=SCHEMA)


def _move_on(market: _Market, symbol: Ints, steps: Floats) -> tuple[Floats, Ints]:
    """Each trade's log price and id, both running on per symbol from where the market stands."""
    order = np.argsort(symbol.astype(np.min_scalar_type(len(market.names))), kind="stable")  # small: radix
    counts = np.bincount(symbol, minlength=len(market.names))
    begins = (ends := np.cumsum(counts)) - counts
    walk = np.append(0.0, np.cumsum(steps[order]))
    log_price, trade_id = np.empty(len(symbol)), np.empty(len(symbol), dtype=np.int64)
    log_price[order] = walk[1:] + np.repeat(market.log_price - walk[begins], counts)
    trade_id[order] = np.arange(1, len(symbol) + 1) + np.repeat(market.traded - begins, counts)
    market.log_price[:] += walk[ends] - walk[begins]
    market.traded[:] += counts
    return log_price, trade_id


def _whole(value: Floats, scale: Floats) -> Floats:
    """Rounded to whole ticks or lots of 1 / `scale`, and at least one."""
    return np.asarray(np.maximum(np.rint(value * scale), 1.0) / scale)
