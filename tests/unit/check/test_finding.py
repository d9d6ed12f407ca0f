"""Which exit code follows from what was found, and what becomes of errors."""

from __future__ import annotations

import signal

import pytest

from replay.check.finding import Finding, Verdict, away, exit_code, not_told, of_error, refused, told, warning
from replay.errors import BrokerUnavailable, ExitCode, InputError, StateConflict, Stopped, UsageError

FINE = (Finding("a", "b"), warning("a", "b"), not_told("a", "b"))
NO_INPUT = refused("a", "b", exit_code=ExitCode.INPUT)
CONFLICT = refused("a", "b", exit_code=ExitCode.STATE_CONFLICT)


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ((), 0),
        (FINE, 0),
        ((*FINE, away("a", "b")), 5),
        ((*FINE, away("a", "b"), NO_INPUT), 3),
        ((*FINE, NO_INPUT, refused("a", "b"), away("a", "b")), 2),
        ((CONFLICT,), 2),
        ((CONFLICT, away("a", "b"), NO_INPUT), 2),
    ],
)
def test_the_worst_that_was_found_decides(findings, code):
    """Broken: a script goes on although something would be refused, or gives up because a broker restarts."""
    assert exit_code(findings) == code


@pytest.mark.parametrize(
    ("error", "verdict", "code"),
    [
        (UsageError("no", where="--topic", todo="do"), Verdict.REFUSED, 2),
        (InputError("no"), Verdict.REFUSED, 3),
        (StateConflict("no"), Verdict.REFUSED, 4),
        (BrokerUnavailable("no", where="Kafka"), Verdict.NOT_KNOWN, 5),
    ],
)
def test_an_error_is_what_the_replay_would_end_with(error, verdict, code):
    """Broken: what the check says and what the replay does are two things."""
    found = of_error("topic", error)
    assert (found.verdict, found.exit_code) == (verdict, code)
    assert found.found == ("--topic: no" if code == 2 else "no")


def test_an_error_ends_its_own_look_only_and_a_stop_all():
    """Broken: of all that is wrong the first alone is told; or Ctrl-C is a finding."""

    def look():
        yield Finding("a", "one")
        raise UsageError("two")

    assert [each.found for each in told("a", look)] == ["one", "two"]

    def stop():
        raise Stopped(signal.SIGINT, "stopped")
        yield

    with pytest.raises(Stopped):
        list(told("a", stop))
