"""What outreach says of a step, held against itself: told twice, without an end, without a start."""

import pytest

from services.contracts.outreach import Mode, Outcome
from services.metrics.figures.outreach_steps import KEPT_IN_DOUBT, LONGEST_STORY
from services.metrics.state import State
from tests.unit.metrics.stories import (
    Read,
    at,
    barrier,
    counted,
    decided,
    failed,
    folded,
    net,
    sent,
    started,
    unknown,
    withdrawn,
)

DAYS = 24
"""Hours."""
LONG = LONGEST_STORY.total_seconds() / 3600
TWICE = "care_contacts_told_twice_total{}"
UNEXPLAINED = "care_outreach_unexplained_outcomes_total{}"
WAITING = "care_outreach_waiting_steps{}"
UNFINISHED = "care_outreach_unfinished_steps{}"
SINCE = "care_outreach_unfinished_since_timestamp_seconds{}"


def about(*story: Read) -> dict[str, float]:
    """Return what is counted of these stories, less what was withdrawn; 0 left out."""
    wanted = (TWICE, UNEXPLAINED, WAITING, UNFINISHED, SINCE)
    figures = net(counted(folded(*story, barrier(400 * DAYS))))
    return {name: n for name, n in figures.items() if name in wanted and n}


def of_each_stage(state: State) -> tuple[int, ...]:
    """Return how many steps were decided, started and ended."""
    return tuple(
        state.outreach_steps.counted.of(stage) for stage in ("decided", "started", "ended")
    )


def test_a_whole_story_leaves_nothing_open() -> None:
    assert about(decided("o-1", 1), started("o-1", 2), sent("o-1", 2)) == {}


def test_a_step_waits_then_is_under_way_then_has_ended() -> None:
    """Decided at 01:00; started at 02:00, not taken, started again at 03:00; refused at 03:00."""
    story = decided("o-1", 1), started("o-1", 2), started("o-1", 3, attempt=2)

    assert about(*story[:1]) == {WAITING: 1}
    assert about(*story[:2]) == {UNFINISHED: 1, SINCE: at(2).timestamp()}
    assert about(*story) == {UNFINISHED: 1, SINCE: at(3).timestamp()}
    assert about(*story, failed("o-1", 3, attempt=2)) == {}


def test_the_balance_of_decided_steps() -> None:
    """Five decided: o-1 waits, o-2 is under way, o-3 sent, o-4 withdrawn, o-5 failed before its start."""
    state = folded(
        *(decided(f"o-{n}", 1) for n in range(1, 6)),
        started("o-2", 2),
        started("o-3", 2),
        sent("o-3", 2),
        withdrawn("o-4", 2),
        failed("o-5", 2),
    )

    assert of_each_stage(state) == (5, 2, 3)
    assert (len(state.outreach_steps.waiting), len(state.outreach_steps.unfinished)) == (1, 1)


@pytest.mark.parametrize(
    "decision",
    [
        decided("o-1", 1, mode=Mode.SHADOW),
        decided("o-1", 1, Outcome.DEFERRED),
        decided("o-1", 1, Outcome.HELD_OUT),
        decided("o-1", 1, Outcome.SUPPRESSED),
    ],
)
def test_what_is_not_to_be_sent_is_no_step_to_wait_for(decision: Read) -> None:
    assert about(decision) == {}


def test_two_attempts_that_were_sent_are_told_twice() -> None:
    story = (
        decided("o-1", 1),
        *(started("o-1", 2), sent("o-1", 2)),
        *(started("o-1", 3, attempt=2), sent("o-1", 3, attempt=2)),
    )

    assert about(*story) == {TWICE: 1}
    assert about(*story, sent("o-1", 3, attempt=2)) == {TWICE: 1}


def test_the_first_attempt_of_two_lives_is_told_twice() -> None:
    """A database that was lost and not reconciled: the same attempt leaves again, under the same id."""
    story = decided("o-1", 1), started("o-1", 2), sent("o-1", 2), started("o-1", 9), sent("o-1", 9)

    assert about(*story) == {TWICE: 1}


def test_a_record_published_twice_is_one_message() -> None:
    story = decided("o-1", 1), started("o-1", 2), sent("o-1", 2)

    assert about(*story, *story) == {}


def test_a_doubt_that_is_cleared_is_one_message() -> None:
    """A sender that was taken for dead, or a person, knows better."""
    story = decided("o-1", 1), started("o-1", 2), unknown("o-1", 3)

    assert about(*story, sent("o-1", 9)) == {}


def test_an_end_without_its_start_is_unexplained() -> None:
    assert about(decided("o-1", 1), sent("o-1", 2)) == {UNEXPLAINED: 1}
    assert about(decided("o-1", 1), unknown("o-1", 2)) == {UNEXPLAINED: 1}
    assert about(decided("o-1", 1), started("o-1", 2), sent("o-1", 3, attempt=2)) == {
        UNEXPLAINED: 1
    }


def test_what_was_given_up_before_its_start_is_explained_by_its_decision() -> None:
    assert about(decided("o-1", 1), failed("o-1", 2)) == {}
    assert about(decided("o-1", 1), withdrawn("o-1", 2)) == {}


def test_a_start_that_becomes_known_late_takes_the_alarm_back() -> None:
    """Of a merged customer: the start lies in another partition, and is read later."""
    story = decided("o-1", 1), sent("o-1", 2), barrier(24)

    state = folded(*story, started("o-1", 2, partition=5), barrier(48))

    figures = counted(state)
    assert figures[UNEXPLAINED] == 1
    assert net(figures)[UNEXPLAINED] == 0


def test_no_alarm_before_all_that_was_said_has_been_read() -> None:
    assert UNEXPLAINED not in counted(folded(decided("o-1", 1), sent("o-1", 3), barrier(2)))


def test_an_end_whose_beginning_retention_may_have_taken_is_no_alarm() -> None:
    """The topic begins with the end of o-1.  Nothing else is there of o-2, but all of it would have to be."""
    assert about(sent("o-1", 1), failed("o-3", 1)) == {}
    assert about(sent("o-1", 1), sent("o-2", 2 + LONG)) == {UNEXPLAINED: 1}
    assert about(sent("o-1", 1), failed("o-2", 2 + LONG)) == {UNEXPLAINED: 1}


def test_a_finished_step_is_forgotten_once_nothing_more_can_come_of_it() -> None:
    """Until then a second message is found; a step without an end is never forgotten."""
    finished = decided("o-1", 1), started("o-1", 2), sent("o-1", 2)
    waiting = decided("o-2", 1), decided("o-3", 1), started("o-3", 2)

    early = folded(*finished, *waiting, barrier(1 + LONG))
    late = folded(*finished, *waiting, barrier(3 + LONG))

    assert len(early.outreach_steps.steps) == 3
    assert len(late.outreach_steps.steps) == 2
    assert of_each_stage(late) == of_each_stage(early) == (3, 2, 1)
    assert TWICE in about(*finished, barrier(1 + LONG), sent("o-1", 1 + LONG))


def test_a_step_in_doubt_is_remembered_for_as_long_as_somebody_may_clear_it() -> None:
    story = decided("o-1", 1), started("o-1", 2), unknown("o-1", 3), barrier(9 + LONG)
    for_long = 3 + KEPT_IN_DOUBT.total_seconds() / 3600

    assert about(*story, sent("o-1", 9 + LONG)) == {}
    assert len(folded(*story, barrier(for_long)).outreach_steps.steps) == 1
    assert len(folded(*story, barrier(for_long + 1)).outreach_steps.steps) == 0
