"""A playbook of several steps over a real database: each follows the one before, once, and ends with it."""

from dataclasses import replace

import pytest

from services.outreach.playbook import catalogue_of, parse
from tests.component.outreach.desk import NOON, Desk
from tests.factories import DAY, HOUR
from tests.support.outreach import cleared, opened, profile, query, states

pytestmark = pytest.mark.connected

PLAYBOOK = """
name: delivery_late
version: 1
mode: live
message_class: service
trigger: {kind: delivery_delay, tiers: [late]}
steps:
  - {name: notice, action: send, channels: [email], template: delivery_late, use_by_hours: 48}
  - name: again
    action: send
    channels: [email]
    template: delivery_late
    after: {hours: 48}
    use_by_hours: 24
"""


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """A desk whose one playbook writes again after two days."""
    catalogue = catalogue_of([parse(PLAYBOOK, "x")])
    desk.out = replace(desk.out, rules=replace(desk.out.rules, catalogue=catalogue))
    desk.sender._out = desk.out
    return desk


def test_a_step_follows_once_and_by_its_own_name(desk: Desk) -> None:
    desk.learn(profile("c-1", NOON), opened("c-1", NOON))

    assert desk.decide(NOON) == ["contact"]
    assert desk.send(NOON) == 1
    assert desk.decide(NOON + 47 * HOUR) == []
    assert desk.decide(NOON + 48 * HOUR) == ["contact"]
    assert desk.send(NOON + 48 * HOUR) == 2
    assert desk.decide(NOON + 30 * DAY) == []
    steps = query(desk.url, "SELECT step, state FROM sends ORDER BY decided_at")
    assert steps == [("notice", "sent"), ("again", "sent")]


def test_nothing_follows_once_the_problem_is_over(desk: Desk) -> None:
    desk.learn(profile("c-1", NOON), opened("c-1", NOON))
    desk.decide(NOON)
    desk.send(NOON)
    desk.learn(cleared("c-1", NOON + DAY), now=NOON + DAY)

    assert desk.decide(NOON + 48 * HOUR) == ["solved"]
    assert desk.decide(NOON + 30 * DAY) == []
    assert states(desk.url) == {"sent": 1}


def test_a_night_moves_the_step_and_what_follows_it(desk: Desk) -> None:
    late = NOON + 10 * HOUR
    desk.learn(profile("c-1", late), opened("c-1", late), now=late)

    assert desk.decide(late) == ["deferred"]
    morning = NOON + 20 * HOUR
    assert desk.decide(morning) == ["contact"]
    assert desk.decide(morning + 47 * HOUR) == []
    assert desk.decide(morning + 48 * HOUR) == ["contact"]
