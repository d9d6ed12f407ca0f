"""Which files with secrets are warned of."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from replay.secret_files import readable_by_others, warnings


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "kafka-password"
    path.write_text("hunter2")
    path.chmod(0o600)
    return path


def test_a_file_for_its_owner_alone_is_in_order(secret: Path) -> None:
    """Broken: every run warns of a file that is as it is to be, and nobody reads warnings any more."""
    assert warnings([str(secret)]) == []


@pytest.mark.parametrize(("mode", "who"), [(0o644, "every user"), (0o640, "its group"), (0o604, "every user")])
def test_a_file_that_others_may_read_is_named_with_what_helps(secret: Path, mode: int, who: str) -> None:
    """Broken: a password lies open on a shared machine, and nobody says so; or it is said without what to do."""
    secret.chmod(mode)
    (text,) = warnings([str(secret), str(secret)])
    assert who in text
    assert text.endswith(f"chmod 600 {secret}")
    assert "hunter2" not in text
    assert readable_by_others(str(secret)) == text


def test_what_root_wrote_for_a_service(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: who follows the advice locks the service out of its own password."""
    monkeypatch.setattr(os, "geteuid", lambda: secret.stat().st_uid + 1)
    secret.chmod(0o640)
    assert readable_by_others(str(secret)) == ""
    secret.chmod(0o644)
    assert readable_by_others(str(secret)).endswith(f"have its owner run chmod o= {secret}")


def test_a_secret_of_kubernetes(tmp_path: Path) -> None:
    """Broken: each pod warns of what is ordinary there, and cannot be changed."""
    inner = tmp_path / "..2026_11_02_00_00_00.1"
    inner.mkdir()
    (inner / "kafka-password").write_text("hunter2")
    (inner / "kafka-password").chmod(0o644)
    (tmp_path / "..data").symlink_to(inner.name)
    (tmp_path / "kafka-password").symlink_to("..data/kafka-password")
    assert readable_by_others(str(tmp_path / "kafka-password")) == ""


def test_what_is_no_file(tmp_path: Path) -> None:
    """Broken: a warning hides the error that the file is missing."""
    assert warnings([str(tmp_path / "none"), str(tmp_path), "/dev/null"]) == []
