"""Programs that a test looks through: where one is missing the test is skipped, but not where somebody counts on it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def need(*programs: str) -> None:
    """Skip without these programs; fail where REPLAY_TEST_TOOLS=required (CI): a run without them proves nothing."""
    if missing := [name for name in programs if shutil.which(name) is None]:
        without(f"not on PATH: {', '.join(missing)}")


def need_file(path: Path, package: str) -> None:
    if not path.exists():
        without(f"{path} is missing (Debian package {package})")


def need_root(what_for: str) -> None:
    if os.geteuid() != 0:
        without(f"needs root, for {what_for}")


def without(reason: str) -> None:
    """Skip or fail for this reason."""
    if os.environ.get("REPLAY_TEST_TOOLS") == "required":
        pytest.fail(reason)
    pytest.skip(reason)
