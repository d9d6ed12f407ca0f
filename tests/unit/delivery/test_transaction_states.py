"""Which states of a transactional replay may follow which."""

from __future__ import annotations

import itertools

import pytest

from replay.delivery.transaction_states import ALLOWED, TransactionSteps
from replay.delivery.transaction_states import TransactionState as S

STEPS = [pair for pair in itertools.product(S, S) if pair[1] in ALLOWED[pair[0]]]


def at(state: S) -> TransactionSteps:
    transactions = TransactionSteps()
    transactions.state = state
    return transactions


def test_a_new_instance_has_claimed_nothing():
    """Broken: the record of the instance before it is taken for another one's that took over, and the job is locked."""
    assert TransactionSteps().state is S.NEW
    assert not TransactionSteps().has_claimed


@pytest.mark.parametrize(("state", "after"), STEPS, ids=lambda state: state.name)
def test_what_the_table_allows_is_done(state, after):
    """Broken: a replay ends as a bug in the middle of a night, for something that can happen."""
    transactions = at(state)
    transactions.to(after)
    assert transactions.state is after


@pytest.mark.parametrize(
    ("state", "after"), [pair for pair in itertools.product(S, S) if pair not in STEPS], ids=lambda state: state.name
)
def test_nothing_else_is(state, after):
    """Broken: rows that were not committed are taken for committed ones, or a lost producer goes on sending."""
    transactions = at(state)
    with pytest.raises(AssertionError, match=f"from {state.name} to {after.name}"):
        transactions.to(after)
    assert transactions.state is state


@pytest.mark.parametrize("state", [S.NEW, S.CLAIMED, S.ABORTED, S.LOST, S.FENCED])
def test_rows_go_out_in_an_open_transaction_only(state):
    """Broken: rows outside of a transaction are in the topic before their progress record, and twice after a crash."""
    assert S.COMMITTING not in ALLOWED[state]
    assert S.OPEN not in ALLOWED[state] or state is S.CLAIMED
    assert not at(state).is_open


def test_done_is_the_end():
    """Broken: a replay that is done begins again."""
    assert ALLOWED[S.DONE] == frozenset()
    assert [state for state in S if S.DONE in ALLOWED[state]] == [S.CLAIMED]


@pytest.mark.parametrize("state", [S.CLAIMED, S.OPEN, S.COMMITTING, S.ABORTED, S.LOST, S.FENCED])
@pytest.mark.parametrize(("fenced", "after"), [(True, S.FENCED), (False, S.LOST)])
def test_a_lost_producer_leaves_the_claim(state, fenced, after):
    """Broken: an instance that took over meanwhile is not noticed, and the two fence each other for hours."""
    transactions = at(state)
    transactions.lost(fenced=fenced)
    assert transactions.state is after
    assert transactions.has_claimed
    transactions.to(S.CLAIMED)


@pytest.mark.parametrize("fenced", [True, False])
def test_who_never_claimed_is_new_after_its_producer_was_lost_too(fenced):
    """Broken: a first start that finds another instance's record is refused, and --restart is forgotten."""
    transactions = TransactionSteps()
    transactions.lost(fenced=fenced)
    assert transactions.state is S.NEW
