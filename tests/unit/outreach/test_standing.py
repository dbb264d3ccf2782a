"""Where a send stands by what the topic says: the furthest counts, and repetition changes nothing."""

from datetime import timedelta
from functools import reduce
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.envelope import Event
from services.contracts.outreach import Withdrawal
from services.contracts.people import Channel
from services.contracts.trace_context import of_problem
from services.outreach import announce
from services.outreach.announce import Send
from services.outreach.said import Gap, Span, joined
from services.outreach.standing import Standing, State, after
from tests.factories import HOUR, START

PENDING = Standing(State.PENDING, 0, Channel.EMAIL)


def send(attempt: int) -> Send:
    return Send(
        step_id=UUID(int=1),
        customer_id="c-1",
        partition=0,
        problem_id=UUID(int=2),
        order_id="o-1",
        playbook="delivery_late",
        playbook_version=1,
        step="notice",
        channel=Channel.EMAIL,
        attempt=attempt,
        triggered_at=START,
        use_by=START + 24 * HOUR,
        problem_opened_at=START,
        trace=of_problem(UUID(int=2)),
    )


def life(attempts: int, ending: str) -> list[Event[Any]]:
    """Return what is said of a send that was put back before each attempt but the last."""
    told: list[Event[Any]] = [
        announce.started(send(n), START + n * timedelta(minutes=1)) for n in range(1, attempts + 1)
    ]
    last, at = send(attempts), START + HOUR
    match ending:
        case "sent":
            told.append(announce.sent(last, at))
        case "corrected":
            told += [announce.sent(last, at), announce.corrected(last, at)]
        case "failed":
            told.append(announce.failed(last, at, "550"))
        case "unknown":
            told.append(announce.unknown(last, at))
        case "known after all":
            told += [announce.unknown(last, at), announce.sent(last, at + HOUR)]
        case "withdrawn":
            told.append(announce.withdrawn(last, at, Withdrawal.PROBLEM_CLEARED))
    return told


STATES = {
    "": State.STARTED,
    "sent": State.SENT,
    "corrected": State.SENT,
    "failed": State.FAILED,
    "unknown": State.UNKNOWN,
    "known after all": State.SENT,
    "withdrawn": State.WITHDRAWN,
}

lives = st.builds(life, st.integers(1, 4), st.sampled_from(sorted(STATES)))


@pytest.mark.parametrize("ending", STATES)
def test_the_ending_counts(ending: str) -> None:
    found = reduce(after, life(2, ending), PENDING)

    assert (found.state, found.attempt) == (STATES[ending], 2)


def test_what_was_never_begun_ends_too() -> None:
    withdrawn = announce.withdrawn(send(0), START, Withdrawal.CUSTOMER_WROTE)

    assert after(PENDING, withdrawn).state is State.WITHDRAWN
    assert after(PENDING, announce.failed(send(0), START, "use_by")).state is State.FAILED


@given(lives, st.data())
def test_what_is_published_again_after_a_crash_is_known(
    told: list[Event[Any]], data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, len(told)))
    there = reduce(after, told, PENDING)

    assert reduce(after, told[first:], there) == there
    assert all(after(there, event) == there for event in told)


@given(lives, st.data())
def test_a_backup_at_any_moment_comes_to_stand_where_the_send_stands(
    told: list[Event[Any]], data: st.DataObject
) -> None:
    backup = reduce(after, told[: data.draw(st.integers(0, len(told)))], PENDING)

    assert reduce(after, told, backup) == reduce(after, told, PENDING)


def test_what_the_ledger_has_put_back_is_known_by_its_attempt() -> None:
    put_back = Standing(State.PENDING, 1, Channel.EMAIL)

    assert after(put_back, announce.started(send(1), START)) == put_back
    assert after(put_back, announce.started(send(2), START)).state is State.STARTED


def test_records_one_behind_the_other_are_one_span_and_a_gap_is_found() -> None:
    assert joined({}, [(0, 5), (1, 0), (0, 6)]) == {0: Span(5, 7), 1: Span(0, 1)}
    assert joined({0: Span(1, 5)}, [(0, 5)]) == {0: Span(1, 6)}
    for wrong in ([(0, 5), (0, 7)], [(0, 5), (0, -1)], [(0, 5), (0, 5)]):
        with pytest.raises(Gap):
            joined({}, wrong)
