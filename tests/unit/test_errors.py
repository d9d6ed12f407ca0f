"""Exit codes are what scripts and monitors depend on."""

from __future__ import annotations

import pytest

from replay import errors, secrets
from replay.errors import ExitCode, ReplayError, Stopped, as_told, exit_code, printable

PUBLISHED = [
    (errors.Different, 1),
    (errors.UsageError, 2),
    (errors.InputError, 3),
    (errors.StateConflict, 4),
    (errors.BrokerUnavailable, 5),
    (errors.Locked, 6),
    (errors.ProducerFatal, 7),
    (errors.CheckpointUnwritable, 8),
]


@pytest.mark.parametrize(("kind", "code"), PUBLISHED)
def test_each_error_has_its_published_exit_code(kind, code):
    """A monitor would take a conflict for an outage and start the job again and again."""
    assert exit_code(kind("x")) == code


def test_no_error_of_ours_is_without_a_code_of_its_own():
    ours = [kind for kind in ReplayError.__subclasses__() if kind is not Stopped]
    assert {kind for kind, _ in PUBLISHED} == set(ours)
    assert len({kind.exit_code for kind in ours}) == len(ours)


@pytest.mark.parametrize(
    ("outcome", "code"),
    [(None, 0), (Stopped(2, "x"), 130), (Stopped(15, "x"), 143), (KeyboardInterrupt(), 130)],
)
def test_ends_that_are_no_failures(outcome, code):
    assert exit_code(outcome) == code


@pytest.mark.parametrize("bug", [ValueError("x"), OSError("x"), ReplayError("x"), SystemExit(0)])
def test_anything_else_is_a_bug_and_never_an_outcome(bug):
    assert exit_code(bug) == ExitCode.BUG
    assert ExitCode.BUG not in {code for _, code in PUBLISHED} | {0, 1}


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ReplayError("it broke"), "it broke"),
        (ReplayError("it broke", where="a.parquet"), "a.parquet: it broke"),
        (ReplayError("it broke", todo="mend it"), "it broke\n  -> mend it"),
        (ReplayError("it broke", where="a.parquet", todo="mend it"), "a.parquet: it broke\n  -> mend it"),
    ],
)
def test_the_message_says_what_where_and_what_to_do(error, text):
    assert str(error) == text


@pytest.mark.parametrize("error", [MemoryError(), MemoryError("malloc of size 77632 failed")])
def test_too_little_memory_is_no_bug(error):
    """Broken: whoever gives the job too little memory would be asked to report a bug, with a code of its own."""
    assert exit_code(error) == ExitCode.USAGE
    told = str(as_told(error))
    assert "out of memory" in told
    assert str(error) in told
    assert "run again: it resumes" in told


HOSTILE = "a\x1b[2J\n2026-01-01 00:00:00.000 INFO    all is well\r\x9b31m\u202eevil\u2066\u200b\u061c\0"


def test_texts_from_outside_are_printable_wherever_they_stand_in_an_error():
    """Broken: a symbol or a broker's message clears the screen, forges a line of the log, or turns what follows it."""
    told = str(ReplayError(HOSTILE, where=HOSTILE, todo=HOSTILE))
    assert told.replace("\n  -> ", "").isprintable()
    for shown in ("\\x1b[2J", "\\n2026", "\\r", "\\x9b31m", "\\u202eevil", "\\u2066\\u200b\\u061c\\x00"):
        assert told.count(shown) == 3, shown


@pytest.mark.parametrize("character", ["x", "\x1b", "\u202e"])
def test_a_text_of_a_megabyte_is_cut_and_that_is_said(character):
    """Broken: one symbol of a megabyte floods the terminal, the log, the history and every notification."""
    told = str(ReplayError("begins " + character * (1 << 20) + " ends", where="a.parquet", todo="mend it"))
    assert len(told) < 6 * errors.TEXT_MAX + 200
    assert "begins" in told
    assert " ends" in told
    assert "1,044,588 characters left out" in told
    assert told.endswith("mend it")


def test_a_secret_is_hidden_before_a_text_is_cut(monkeypatch):
    """Broken: half of a password is shown, where the text was cut in the middle of it."""
    monkeypatch.setattr(secrets, "_known", {})
    secrets.remember(["hunter2-hunter2-hunter2"])
    for before in range(errors.TEXT_MAX * 3 // 4 - 30, errors.TEXT_MAX * 3 // 4 + 1):
        assert "hunter2" not in printable("x" * before + "hunter2-hunter2-hunter2" + "y" * 5_000)
