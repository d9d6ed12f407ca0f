"""A look at the first rows of a file, where its footer says too little to decide on types."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pyarrow as pa

from replay.source.columns.text_times import needs_ns
from replay.source.columns.unify import plain, widen
from replay.source.files.parquet_file import FOOTERS_AT_ONCE, InputFile, open_parquet, unreadable

ROWS = 1_024
"""Rows read of each file. A writer that has nanoseconds writes some within so many rows."""


def text_units(files: Sequence[InputFile], column: str) -> dict[str, str]:
    """ "ns" for each file, by its name for people, whose first texts in this column of times have more than six digits
    of a second. What later rows have then, and these have not, is refused by the reader, never rounded."""
    with ThreadPoolExecutor(FOOTERS_AT_ONCE) as pool:
        found = list(pool.map(partial(_has_ns, column=column), files))
    return {file.shown: "ns" for file, has_ns in zip(files, found, strict=True) if has_ns}


def _has_ns(file: InputFile, column: str) -> bool:
    if column in file.keys or not file.rows:
        return False
    with open_parquet(file.path) as (parquet, _):
        try:
            for batch in parquet.iter_batches(ROWS, columns=[column], use_threads=False):
                array = batch.column(column)
                return needs_ns(widen(array, plain(array.type)))
        except (UnicodeError, OSError, pa.ArrowException) as error:
            raise unreadable(file.shown, error) from None
    return False
