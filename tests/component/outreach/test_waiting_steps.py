"""Steps that wait for something, over a real database: it counts in the transaction in which it is known."""

from dataclasses import replace
from uuid import UUID

import pytest

from services.contracts.outreach import OutreachJudged, Verdict
from services.contracts.problems import Tier
from services.outreach.outbox import waiting
from services.outreach.pages import facts
from services.outreach.pages.storage import Storage
from services.outreach.playbook import catalogue_of, parse
from services.outreach.signals import Signal
from services.outreach.waiting import waiting_for
from tests.component.outreach.desk import NOON, Desk
from tests.component.outreach.visitor import PARTITIONS, told
from tests.factories import HOUR
from tests.support.outreach import changed, opened, profile, query

pytestmark = pytest.mark.connected

PLAYBOOK = """
name: delivery_at_risk
version: 1
mode: live
message_class: service
trigger: {kind: delivery_delay, tiers: [at_risk]}
steps:
  - {name: notice, action: send, channels: [email], template: delivery_at_risk, use_by_hours: 48}
  - {name: desk, action: escalate, after: {hours: 48, once: not_helped}, use_by_hours: 72}
  - name: again
    action: send
    channels: [email]
    template: delivery_at_risk
    after: {hours: 1, when: not_contacted}
    use_by_hours: 24
"""


def with_playbook(desk: Desk, text: str) -> Desk:
    catalogue = catalogue_of([parse(text, "x")])
    desk.out = replace(desk.out, rules=replace(desk.out.rules, catalogue=catalogue))
    desk.sender._out = desk.out
    return desk


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """A desk whose one playbook has written to a customer."""
    with_playbook(desk, PLAYBOOK)
    desk.learn(profile("c-1", NOON), opened("c-1", NOON, Tier.AT_RISK))
    assert desk.decide(NOON) == ["contact"]
    assert desk.send(NOON) == 1
    return desk


def storage(desk: Desk) -> Storage:
    steps = waiting_for(Signal.NOT_HELPED, desk.out.rules.catalogue.values())
    return Storage(desk.engine, PARTITIONS, steps)


def step_of(desk: Desk, step: str = "notice") -> UUID:
    found: UUID = query(desk.url, "SELECT step_id FROM sends WHERE step = %s", step)[0][0]
    return found


def say_not_helped(desk: Desk, customer: str = "c-1") -> bool:
    return storage(desk).judge(customer, step_of(desk), facts.Verdict.DID_NOT_HELP, NOON + HOUR)


def test_what_did_not_help_is_told_once_and_goes_to_a_person_at_once(desk: Desk) -> None:
    with desk.engine.begin() as connection:
        before = waiting(connection)

    assert say_not_helped(desk)
    assert not say_not_helped(desk)

    *_, (topic, _, key, event) = told(desk.url)
    assert (topic, key, event.time) == ("outreach", "c-1", NOON + HOUR)
    assert isinstance(event.data, OutreachJudged)
    assert event.data.verdict is Verdict.NOT_HELPED
    assert (event.data.step_id, event.data.step) == (step_of(desk), "notice")
    with desk.engine.begin() as connection:
        assert waiting(connection) == before + 1
    assert desk.decide(NOON + HOUR) == ["contact"]
    desk.send(NOON + HOUR)
    assert query(desk.url, "SELECT channel, state FROM sends WHERE step = 'desk'") == [
        ("human", "sent")
    ]
    assert desk.decide(NOON + 100 * HOUR) == []


def test_where_it_helped_or_nobody_said_the_next_message_follows(desk: Desk) -> None:
    assert desk.decide(NOON + 47 * HOUR) == []
    assert desk.decide(NOON + 48 * HOUR) == ["awaited"]
    assert desk.decide(NOON + 49 * HOUR) == ["contact"]
    assert desk.send(NOON + 49 * HOUR) == 2


def test_a_message_that_waits_is_withdrawn_when_the_one_before_did_not_help(desk: Desk) -> None:
    desk.decide(NOON + 48 * HOUR)
    desk.decide(NOON + 49 * HOUR)
    assert say_not_helped(desk)

    assert desk.send(NOON + 50 * HOUR) == 1
    assert query(desk.url, "SELECT state, reason FROM sends WHERE step = 'again'") == [
        ("withdrawn", "not_helped")
    ]


def test_a_word_on_somebody_elses_message_is_told_to_nobody(desk: Desk) -> None:
    before = desk.told()

    assert say_not_helped(desk, "c-2")

    assert desk.told() == before
    assert desk.decide(NOON + HOUR) == []


def test_a_problem_that_gets_worse_makes_due_what_waits_for_it(desk: Desk) -> None:
    """The message of another customer, whose problem does not, waits on."""
    with_playbook(desk, PLAYBOOK.replace("once: not_helped", "once: worsened"))
    desk.learn(profile("c-2", NOON), opened("c-2", NOON, Tier.AT_RISK))
    desk.decide(NOON)

    desk.learn(changed("c-1", NOON + HOUR, Tier.LATE, complaint_risk=0.6), now=NOON + HOUR)

    assert desk.decide(NOON + HOUR) == ["contact"]
    assert query(desk.url, "SELECT customer_id FROM sends WHERE step = 'desk'") == [("c-1",)]
