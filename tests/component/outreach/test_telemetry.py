"""What waits for a person shows in the figures, and no longer once a person has looked."""

from dataclasses import replace

import pytest

from services.outreach import breaker, telemetry
from services.outreach.situation import Breaker
from tests.component.outreach.desk import NOON, Desk, execute
from tests.support.outreach import opened, profile

pytestmark = pytest.mark.connected


def shown(desk: Desk, name: str) -> float | None:
    return telemetry.registry_of(desk.engine, lambda: None).get_sample_value(name)


def goes_wrong(desk: Desk, *customers: str) -> None:
    desk.learn(*(profile(customer) for customer in customers))
    desk.learn(*(opened(customer, NOON) for customer in customers))
    desk.decide()


def test_sends_in_doubt_are_counted_until_somebody_says_what_became_of_them(desk: Desk) -> None:
    goes_wrong(desk, "c-1", "c-2")
    assert shown(desk, "care_outreach_unknown_sends") == 0

    execute(desk.url, "UPDATE sends SET state = 'unknown' WHERE customer_id = 'c-1'")
    assert shown(desk, "care_outreach_unknown_sends") == 1

    execute(desk.url, "UPDATE sends SET state = 'sent' WHERE customer_id = 'c-1'")
    assert shown(desk, "care_outreach_unknown_sends") == 0


def test_playbooks_that_the_breaker_holds_are_counted_until_somebody_has_looked(
    desk: Desk,
) -> None:
    policy = replace(desk.out.rules.policy, breaker=Breaker(at_least=1, factor=1))
    desk.out = replace(desk.out, rules=replace(desk.out.rules, policy=policy))
    assert shown(desk, "care_outreach_held_playbooks") == 0

    goes_wrong(desk, "c-1", "c-2")
    assert shown(desk, "care_outreach_held_playbooks") == 1

    with desk.engine.begin() as connection:
        breaker.resolve(connection, "delivery_late", 5, "ada", NOON)
    assert shown(desk, "care_outreach_held_playbooks") == 0
