"""Exit codes are what scripts and monitors depend on."""

from __future__ import annotations

import pytest

from replay import errors
from replay.errors import ExitCode, ReplayError, Stopped, as_told, exit_code

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
