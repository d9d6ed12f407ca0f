"""Well-known layouts: which one a file has, and what it says of the columns. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from replay.errors import InputError, UsageError
from replay.source.columns import dumps
from replay.source.columns.preset_data import PRESETS, Preset
from replay.source.options import Columns

if TYPE_CHECKING:
    import pyarrow as pa

    from replay.source.files.parquet_file import InputFile


def with_preset(columns: Columns, file: InputFile) -> Columns:
    """The columns of a well-known layout, in the spelling of this file, where the options do not say otherwise."""
    assert columns.preset is not None
    if columns.preset not in names():
        close = difflib.get_close_matches(columns.preset, [*names(), *(dump.name for dump in dumps.DUMPS)], n=1)
        raise UsageError(
            f"there is no preset {columns.preset!r}" + (f" (did you mean {close[0]}?)" if close else ""),
            where="--preset",
            todo="see them all with: replay presets",
        )
    preset = fitting(columns.preset, file.schema.names)
    if preset is None:
        raise InputError(
            f"this is not the layout {columns.preset}; the file has: {', '.join(map(repr, file.schema.names))}",
            where=file.shown,
            todo="see the columns of each layout with: replay presets; or name them with --map",
        )
    default = Columns()
    symbol = preset.symbol or preset.hive_symbol
    says: dict[str, Any] = {
        "price": preset.price,
        "event_time": preset.event_time,
        "time_unit": preset.time_unit or None,
        "price_scale": None if preset.price_scale is None else -Decimal(preset.price_scale).adjusted(),
        "price_undefined": preset.price_undefined,
        "fields": tuple(field for field in preset.fields if field in file.schema.names),
    }
    if columns.has_symbol_column:  # nothing was said of symbols
        says |= {"symbol": symbol or default.symbol, "symbol_from": () if symbol else preset.symbol_from}
    return replace(columns, **{k: v for k, v in says.items() if getattr(columns, k) == getattr(default, k)})


def fitting(name: str, columns: Sequence[str]) -> Preset | None:
    """The spelling of the layout `name` whose columns are all there; None where none fits."""
    return next((p for p in PRESETS if p.name == name and p.needed() <= set(columns)), None)


def suggest(schema: pa.Schema, file_name: str) -> Preset | None:
    """The layout a file looks like: all its columns are there; of several the one that names most of them."""
    columns = set(schema.names)
    fits = [p for p in PRESETS if p.needed() <= columns and not (p.named_too and p.symbol_of(file_name) is None)]
    return max(fits, key=lambda preset: len(preset.needed()), default=None)


def names() -> list[str]:
    return list(dict.fromkeys(preset.name for preset in PRESETS))


def rows() -> list[tuple[str, str, str, str]]:
    """Name, what it is, its columns, its source: a row a layout, dumps of topics last."""
    first = {name: next(preset for preset in PRESETS if preset.name == name) for name in names()}
    found = [(name, preset.what, preset.columns_text(), preset.source) for name, preset in first.items()]
    return found + [(dump.name, dump.what, dump.columns_text(), dump.source) for dump in dumps.DUMPS]
