"""Python's garbage collection, made rare: there are millions of objects, and no cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_ALLOCATIONS = 1_000_000
"""Between two searches: records make no cycles, and with Python's 700 a third of all CPU time is spent on looking."""


@contextmanager
def rarely_collected() -> Iterator[None]:
    """For a while that holds many records."""
    before = gc.get_threshold()
    gc.set_threshold(_ALLOCATIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
