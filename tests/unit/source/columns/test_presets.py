"""The table of layouts: each is recognized by its documented columns, and by nothing else."""

from __future__ import annotations

import pyarrow as pa
import pytest

from replay.source.columns.dumps import DUMPS
from replay.source.columns.preset_data import PRESETS
from replay.source.columns.presets import fitting, names, rows, suggest

LAYOUTS = [
    ("binance", "id,price,qty,quote_qty,time,is_buyer_maker", "BTCUSDT-trades-2026-11-22.parquet", "BTCUSDT"),
    (
        "binance",
        "trade_id,price,qty,quote_qty,time,is_buyer_maker,is_best_match",
        "ETHUSDT-trades-2026-11.parquet",
        "ETHUSDT",
    ),
    ("binance", "trade Id,price,qty,quoteQty,time,isBuyerMaker,isBestMatch", "x.parquet", None),
    (
        "binance-agg",
        "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker",
        "BTCUSDT-aggTrades-2026-11-22.parquet",
        "BTCUSDT",
    ),
    (
        "bitmex",
        "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional,trdType",
        "20261122.parquet",
        None,
    ),
    (
        "bybit",
        "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional",
        "BTCUSDT2026-11-22.parquet",
        None,
    ),
    ("bybit-spot", "id,timestamp,price,volume,side,rpi", "BTCUSDT_2026-11-22.parquet", "BTCUSDT"),
    (
        "coinapi",
        "time_exchange,time_coinapi,guid,price,base_amount,taker_side",
        "IDDI-1234+SC-BINANCE_SPOT_ETH_USDT+S-ETH-USDT.parquet",
        "BINANCE_SPOT_ETH_USDT",
    ),
    ("coinmetrics", "market,time,coin_metrics_id,amount,price,side,database_time", "x.parquet", None),
    ("cryptolake", "side,quantity,price,trade_id,timestamp,receipt_timestamp", "1.snappy.parquet", None),
    ("cryptolake", "side,quantity,price,trade_id,origin_time,received_time,symbol,exchange", "x.parquet", None),
    (
        "databento",
        "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,price,size,flags,ts_in_delta,sequence,symbol",
        "x.parquet",
        None,
    ),
    ("kaiko", "id,exchange,symbol,date,price,amount,sell", "x.parquet", None),
    ("nautilus", "timestamp,trade_id,price,quantity,buyer_maker", "binance_btcusdt-trades.parquet", "btcusdt"),
    ("okx", "instrument_name,trade_id,side,price,size,created_time", "BTC-USDT-SWAP-trades-2026-11-22.parquet", None),
    (
        "polygon",
        "ticker,conditions,correction,exchange,id,participant_timestamp,price,sequence_number,sip_timestamp,size,tape",
        "2026-11-20.parquet",
        None,
    ),
    ("tardis", "exchange,symbol,timestamp,local_timestamp,id,side,price,amount", "x.parquet", None),
]


def schema_of(header: str) -> pa.Schema:
    return pa.schema([(name, pa.string()) for name in header.split(",")])


@pytest.mark.parametrize(("name", "header", "file", "symbol"), LAYOUTS)
def test_a_layout_is_recognized(name, header, file, symbol):
    """Broken: a file is taken for another provider's, or its symbol is not found in its name."""
    preset = suggest(schema_of(header), file)
    assert preset is not None
    assert preset.name == name
    assert preset.symbol_of(f"/data/{file}") == symbol
    assert fitting(name, header.split(",")) is preset
    assert {preset.price, preset.event_time, *preset.fields} <= set(header.split(","))


def test_every_layout_has_its_example():
    """Broken: a layout is in the table that no test has seen."""
    seen = {id(suggest(schema_of(header), file)) for _, header, file, _ in LAYOUTS}
    assert seen == {id(preset) for preset in PRESETS}


@pytest.mark.parametrize(
    ("header", "file"),
    [
        ("symbol,price,event_time", "BTCUSDT-trades-1.parquet"),
        ("id,timestamp,price,volume,side", "trades.parquet"),
        ("timestamp,price", "BTCUSDT_2026-11-22.parquet"),
        ("a", "binance.parquet"),
    ],
)
def test_other_files_look_like_nothing(header, file):
    """Broken: the default layout, or a file of anybody's, is said to be a provider's."""
    assert suggest(schema_of(header), file) is None


def test_a_preset_that_does_not_fit():
    """Broken: a preset is used for a file without its columns."""
    assert fitting("binance", ["price", "time"]) is None
    assert fitting("nobody", ["price", "time"]) is None


def test_the_table():
    """Broken: a layout is listed twice or without where it was taken from; or one could not give a symbol or a time."""
    assert names() == sorted(set(names()))
    assert [row[0] for row in rows()] == names() + [dump.name for dump in DUMPS]
    assert all("https://" in dump.source for dump in DUMPS)
    assert all(all(row) for row in rows())
    for preset in PRESETS:
        assert preset.symbol or preset.hive_symbol or preset.symbol_from
        assert preset.time_unit in ("", "s", "ms", "us", "ns")
        assert "https://" in preset.source or "github.com/" in preset.source
    assert {row[0]: row[2] for row in rows()}["databento"] == (
        "symbol: symbol; price: price (times 1e-9 where it is an integer); event_time: ts_event (ns)"
    )
