"""Well-known layouts of trade files, by name: which columns hold symbol, price and time, and in which units. Pure data.

Most providers ship CSV; these are the columns as their documentation names them, and as they stay when such files are
converted to Parquet. `source` is where a layout is published. The headers of binance's futures, bitmex, bybit, nautilus
and okx, which no page spells out, are as public programs that read these files have them (looked up in November 2026).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from replay.source.columns.symbol_pattern import symbol_pattern

INT64_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Preset:
    """A layout. Where it is one of several spellings of the same, they share a name and the first that fits is taken.

    Without a `symbol` column the symbol is a Hive key of the folder (`hive_symbol`) or in the file's name (any of
    `symbol_from`, in the form of `--symbol-from`). `time_unit` is of integer times (s, ms, us, ns); "" where their
    magnitude has to tell; times that are timestamps or texts need none. An integer price is multiplied by
    `price_scale`; `price_undefined` stands for no price.
    """

    name: str
    what: str
    event_time: str
    source: str
    price: str = "price"
    symbol: str | None = None
    hive_symbol: str | None = None
    symbol_from: tuple[str, ...] = ()
    time_unit: str = ""
    price_scale: str | None = None
    price_undefined: int | None = None
    fields: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    """Of the `fields`, those without which a file may still be of this layout."""
    marks: tuple[str, ...] = ()
    """Columns beside them without which it is not: they tell it from others."""
    named_too: bool = False
    """The columns alone say too little: the file's name has to fit `symbol_from` as well."""

    def needed(self) -> frozenset[str]:
        """The columns that a file of this layout has."""
        own = (self.symbol, self.price, self.event_time, *self.fields, *self.marks)
        return frozenset(column for column in own if column is not None and column not in self.optional)

    def symbol_of(self, path: str) -> str | None:
        """The symbol in the file's name, where the layout has it there."""
        found = (symbol_pattern(pattern, f"preset {self.name}").symbol(path) for pattern in self.symbol_from)
        return next((symbol for symbol in found if symbol is not None), None)

    def columns_text(self) -> str:
        """What is read from where, for people."""
        symbol = self.symbol or (f"{self.hive_symbol}=… in the path" if self.hive_symbol else "in the file name")
        unit = f" ({self.time_unit})" if self.time_unit else ""
        scale = f" (times {self.price_scale} where it is an integer)" if self.price_scale else ""
        return f"symbol: {symbol}; price: {self.price}{scale}; event_time: {self.event_time}{unit}"


_BINANCE = Preset(
    name="binance",
    what="Binance public data, trades",
    event_time="time",
    source="https://github.com/binance/binance-public-data",
    symbol_from=("{symbol}-trades-*",),
    fields=("id", "qty", "quote_qty", "is_buyer_maker"),
    optional=("quote_qty",),
)

PRESETS: tuple[Preset, ...] = (
    # Integer times are in ms, those of spot files since 2025-01-01 in us: the magnitude tells. The documentation
    # writes the columns as "trade Id, price, qty, quoteQty, time, isBuyerMaker, isBestMatch"; the header row of the
    # futures' files is id,price,qty,quote_qty,time,is_buyer_maker.
    _BINANCE,
    replace(_BINANCE, fields=("trade_id", *_BINANCE.fields[1:])),
    replace(_BINANCE, fields=("qty", "quoteQty", "isBuyerMaker"), optional=("quoteQty",)),
    Preset(
        name="binance-agg",
        what="Binance public data, aggTrades",
        event_time="transact_time",
        source=_BINANCE.source,
        symbol_from=("{symbol}-aggTrades-*",),
        fields=("agg_trade_id", "quantity", "is_buyer_maker"),
    ),
    # The files' times are texts such as 2024-01-01D00:00:01.000000000: no ISO form, so they have to be converted.
    Preset(
        name="bitmex",
        what="BitMEX public data, trades (with times converted to timestamps)",
        symbol="symbol",
        event_time="timestamp",
        source="https://public.bitmex.com",
        fields=("side", "size", "trdMatchID"),
        marks=("tickDirection", "trdType"),
    ),
    # Its times are seconds with a fraction: as CSV readers take them, floats.
    Preset(
        name="bybit",
        what="Bybit public trading history, derivatives",
        symbol="symbol",
        event_time="timestamp",
        time_unit="s",
        source="https://public.bybit.com/trading/",
        fields=("side", "size", "trdMatchID"),
        marks=("tickDirection",),
    ),
    Preset(
        name="bybit-spot",
        what="Bybit public trading history, spot",
        event_time="timestamp",
        time_unit="ms",
        source="https://public.bybit.com/spot/",
        symbol_from=("{symbol}_????-??-??.*",),
        fields=("id", "volume", "side"),
        named_too=True,
    ),
    Preset(
        name="coinapi",
        what="CoinAPI flat files, trades",
        event_time="time_exchange",
        source="https://docs.coinapi.io/flat-files-api/data-types/trades",
        symbol_from=("IDDI-*+SC-{symbol}+S-*",),
        fields=("guid", "base_amount", "taker_side"),
        marks=("time_coinapi",),
    ),
    Preset(
        name="coinmetrics",
        what="Coin Metrics, market trades",
        symbol="market",
        event_time="time",
        source="https://docs.coinmetrics.io/market-data/market-trades",
        fields=("coin_metrics_id", "amount", "side"),
        optional=("side",),
    ),
    Preset(
        name="cryptolake",
        what="Crypto Lake, trades as they lie in its bucket",
        hive_symbol="symbol",
        event_time="timestamp",
        time_unit="ns",
        source="https://crypto-lake.com/data/ and github.com/crypto-lake/lake-api, lakeapi/main.py",
        fields=("trade_id", "side", "quantity"),
        marks=("receipt_timestamp",),
    ),
    Preset(
        name="cryptolake",
        what="Crypto Lake, trades as its client loads them",
        symbol="symbol",
        event_time="origin_time",
        time_unit="ns",
        source="https://crypto-lake.com/data/ and github.com/crypto-lake/lake-api, lakeapi/main.py",
        fields=("trade_id", "side", "quantity"),
        marks=("received_time",),
    ),
    # DBNStore.to_parquet writes floats unless told price_type="fixed": then integers of 1e-9, 2**63 - 1 for none.
    Preset(
        name="databento",
        what="Databento, schema trades",
        symbol="symbol",
        event_time="ts_event",
        time_unit="ns",
        price_scale="1e-9",
        price_undefined=INT64_MAX,
        source="https://databento.com/docs/schemas/trades and …/api-historical/helpers/dbn-store-to-parquet",
        fields=("size", "side", "sequence", "publisher_id"),
        optional=("sequence",),
        marks=("rtype", "instrument_id"),
    ),
    Preset(
        name="kaiko",
        what="Kaiko, all trades",
        symbol="symbol",
        event_time="date",
        time_unit="ms",
        source="https://docs.kaiko.com/kaiko-csv-data/data-feeds/level-1-tick-level/all-trades",
        fields=("id", "exchange", "amount", "sell"),
    ),
    Preset(
        name="nautilus",
        what="NautilusTrader's sample trades of Binance",
        event_time="timestamp",
        source="github.com/nautechsystems/nautilus_trader, test data binance/*-trades.csv",
        symbol_from=("binance_{symbol}-trades*", "binance/{symbol}-trades*"),
        fields=("trade_id", "quantity", "buyer_maker"),
    ),
    Preset(
        name="okx",
        what="OKX historical data, trades",
        symbol="instrument_name",
        event_time="created_time",
        time_unit="ms",
        source="https://www.okx.com/historical-data",
        fields=("trade_id", "side", "size"),
    ),
    Preset(
        name="polygon",
        what="Polygon (Massive) flat files, stocks and options trades",
        symbol="ticker",
        event_time="sip_timestamp",
        time_unit="ns",
        source="https://polygon.io/flat-files/stocks-trades",
        fields=("size", "exchange", "conditions"),
    ),
    Preset(
        name="tardis",
        what="Tardis.dev downloadable files, trades",
        symbol="symbol",
        event_time="timestamp",
        time_unit="us",
        source="https://docs.tardis.dev/downloadable-csv-files",
        fields=("exchange", "id", "side", "amount"),
        marks=("local_timestamp",),
    ),
)
