"""Fates and masks of whole columns, as numpy arrays. Pure."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from replay.fate import Fate
from replay.model import Bools, Bytes


def all_sent(rows: int) -> Bytes:
    """A fate for each of so many rows: nothing is wrong with them."""
    return np.zeros(rows, dtype=np.int8)


def where(mask: Bools, fate: Fate) -> Bytes:
    """This fate for the rows of the mask; nothing is wrong with the rest."""
    return np.where(mask, np.int8(fate), np.int8(Fate.SENT))


def mask(booleans: pa.Array) -> Bools:
    """Arrow's booleans, which have no nulls."""
    return np.asarray(booleans.to_numpy(zero_copy_only=False), dtype=bool)
