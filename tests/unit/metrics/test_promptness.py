"""From a problem to its first message: which of them could have been written at once."""

import pytest

from services.contracts.outreach import Mode, Outcome, Suppression
from services.contracts.problems import Clearing
from tests.unit.metrics.stories import (
    Read,
    barrier,
    changed,
    cleared,
    counted,
    decided,
    folded,
    net,
    opened,
    sent,
)

SOON = 10 / 3600
"""Ten seconds, in hours."""
NAME = "care_problem_to_contact_seconds"


def told(*story: Read) -> dict[str, float]:
    """Return the label `held` of what was counted → seconds in all."""
    figures = net(counted(folded(*story, barrier(48))))
    return {
        held: figures[f"{NAME}_sum{{held={held}}}"]
        for held in ("false", "true")
        if figures.get(f"{NAME}_count{{held={held}}}")
    }


def test_what_nothing_stood_in_the_way_of_speaks_for_us() -> None:
    """Opened at 06:00, decided and sent ten seconds later."""
    story = opened("o-1", 6), decided("o-1", 6 + SOON), sent("o-1", 6 + SOON)

    assert told(*story) == {"false": pytest.approx(10)}


def test_a_message_whose_decision_was_deferred_was_held() -> None:
    """Opened at 02:00, deferred for the night, sent at 08:00: 6 h."""
    story = (
        opened("o-1", 2),
        decided("o-1", 2, Outcome.DEFERRED),
        decided("o-1", 8),
        sent("o-1", 8),
    )

    assert told(*story) == {"true": 6 * 3600}


def test_a_slow_channel_is_our_own_slowness() -> None:
    """Decided at once, not taken by the channel until 3 h later, when the problem is worse by far."""
    story = opened("o-1", 6), decided("o-1", 6), changed("o-1", 8), sent("o-1", 9)

    assert told(*story) == {"false": 3 * 3600}


def test_a_decision_that_came_late_is_our_own_slowness() -> None:
    story = opened("o-1", 6), decided("o-1", 9), sent("o-1", 9)

    assert told(*story) == {"false": 3 * 3600}


@pytest.mark.parametrize("turn", [changed("o-1", 30), cleared("o-1", 30, Clearing.SOLVED)])
def test_a_message_about_what_became_of_the_problem_could_not_come_with_its_opening(
    turn: Read,
) -> None:
    """At risk at 06:00, about which nobody writes; late a day later, about which somebody does."""
    story = opened("o-1", 6), turn, decided("o-1", 30 + SOON), sent("o-1", 30 + SOON)

    assert told(*story) == {"true": pytest.approx(24 * 3600 + 10)}


def test_a_later_step_of_a_playbook_had_to_wait_for_its_turn() -> None:
    """The first step, by 06:00, was suppressed; the second is due 4 h later."""
    story = (
        opened("o-1", 6),
        decided("o-1", 6, Outcome.SUPPRESSED, Suppression.BUDGET),
        decided("o-1", 10, name="again"),
        sent("o-1", 10, name="again"),
    )

    assert told(*story) == {"true": 4 * 3600}


def test_another_playbooks_decision_holds_nobody() -> None:
    story = (
        opened("o-1", 6),
        decided("o-1", 6, Outcome.SUPPRESSED, Suppression.BUDGET, by="thanks"),
        decided("o-1", 7, Outcome.DEFERRED, by="thanks", mode=Mode.SHADOW),
        decided("o-1", 8),
        sent("o-1", 8),
    )

    assert told(*story) == {"false": 2 * 3600}


def test_a_deferral_learnt_of_late_takes_back_what_was_counted() -> None:
    story = [opened("o-1", 2), decided("o-1", 8), sent("o-1", 8), barrier(24)]
    assert told(*story) == {"false": 6 * 3600}

    assert told(*story, decided("o-1", 2, Outcome.DEFERRED)) == {"true": 6 * 3600}
