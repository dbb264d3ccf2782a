"""Intake: which events make a step due, however often and in whatever order they come."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts import ids
from services.contracts.envelope import Event
from services.contracts.problems import Clearing, ProblemKind, Tier
from services.outreach.intake import Additions
from services.outreach.knowledge import DueStep
from services.outreach.playbook import catalogue_of, parse
from tests.support.outreach import changed, cleared, opened
from tests.unit.outreach.factories import AT_RISK, HOUR, LATE, NOON

THANKS = LATE.replace("delivery_late", "thanks").replace("[late]", "[late], cleared: [solved]")
CATALOGUE = catalogue_of(parse(text, "x") for text in (LATE, AT_RISK, THANKS))
BEGUN = opened("c-1", NOON, Tier.AT_RISK)
WORSE = changed("c-1", NOON + HOUR)
OVER = cleared("c-1", NOON + 2 * HOUR)


def due(events: Iterable[Event[Any]]) -> dict[str, DueStep]:
    """Return what these events make due, by playbook."""
    additions = Additions()
    for event in events:
        additions.add(event, 3, CATALOGUE)
    return {step.playbook: step for step in additions.due.values()}


def test_an_end_makes_the_thanks_due_at_its_own_time() -> None:
    found = due([BEGUN, WORSE, OVER])

    assert {name: step.due_at for name, step in found.items()} == {
        "delivery_at_risk": NOON,
        "delivery_late": NOON + HOUR,
        "thanks": NOON + 2 * HOUR,
    }
    thanks = found["thanks"]
    assert thanks.triggered_at == NOON + 2 * HOUR
    assert thanks.step_id == ids.step_id(OVER.data.problem_id, "thanks", "notice")
    assert (thanks.customer_id, thanks.partition) == ("c-1", 3)


@pytest.mark.parametrize("clearing", list(Clearing))
def test_only_the_named_ways_of_ending_do(clearing: Clearing) -> None:
    found = due([cleared("c-1", NOON, clearing)])

    assert list(found) == (["thanks"] if clearing is Clearing.SOLVED else [])


def test_an_end_of_another_kind_or_tier_does_not() -> None:
    assert due([cleared("c-1", NOON, kind=ProblemKind.REFUND_OVERDUE)]) == {}
    assert due([cleared("c-1", NOON, tier=Tier.OVERDUE)]) == {}


@given(
    st.lists(st.sampled_from([BEGUN, WORSE, OVER, cleared("c-1", NOON + 3 * HOUR)]), max_size=12)
)
def test_order_and_repetition_do_not_matter(events: list[Event[Any]]) -> None:
    found = due(events)

    assert found == due(sorted(events, key=lambda event: event.time))
    told = {event.time for event in events}
    assert ("delivery_late" in found) is (WORSE.time in told)
    # Of two ends the first counts.
    ends = told & {OVER.time, NOON + 3 * HOUR}
    assert (found["thanks"].due_at if "thanks" in found else None) == min(ends, default=None)
