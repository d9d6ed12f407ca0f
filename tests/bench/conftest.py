"""Benchmarks run when asked for: `pytest -m bench tests/bench`."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Benchmarks are no tests of the normal run: a busy machine would fail them."""
    if "bench" in config.option.markexpr:
        return
    unasked = [item for item in items if item.path.is_relative_to(HERE)]
    if unasked:
        config.hook.pytest_deselected(items=unasked)
        items[:] = [item for item in items if item not in unasked]
