"""The volume breaker over a real database: more than is usual waits for a person, and for nothing else."""

from dataclasses import replace
from datetime import datetime

import pytest

from services.contracts.outreach import Mode
from services.outreach import breaker
from services.outreach.breaker import NothingWaits, Trip
from services.outreach.situation import Breaker
from tests.component.outreach.desk import NOON, Desk
from tests.factories import DAY, HOUR
from tests.support.outreach import opened, profile, query

pytestmark = pytest.mark.connected

PLAYBOOK = "delivery_late"


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """A desk whose breaker believes ten contacts, or twice the usual."""
    limits = Breaker(at_least=10, factor=2)
    policy = replace(desk.out.rules.policy, breaker=limits)
    desk.out = replace(desk.out, rules=replace(desk.out.rules, policy=policy))
    return desk


def goes_wrong(desk: Desk, count: int, at: datetime, first: int = 0) -> None:
    """So many customers' parcels are late, all at once."""
    names = [f"c-{first + n}" for n in range(count)]
    desk.learn(*(profile(name, at) for name in names), now=at)
    desk.learn(*(opened(name, at) for name in names), now=at)


def resolve(desk: Desk, contacts: int, now: datetime) -> Trip:
    with desk.engine.begin() as connection:
        return breaker.resolve(connection, PLAYBOOK, contacts, "ada", now)


def waiting(desk: Desk) -> list[Trip]:
    with desk.engine.begin() as connection:
        return breaker.trips(connection)


def test_what_is_beyond_the_usual_waits_until_a_person_has_looked(desk: Desk) -> None:
    goes_wrong(desk, 25, NOON)

    assert sorted(desk.decide(NOON)) == ["contact"] * 10 + ["deferred"] * 15
    assert waiting(desk) == [Trip(PLAYBOOK, NOON, 10, 10)]
    # An hour later it is asked again; a day later the window is empty, and it waits all the same.
    for later in (NOON + HOUR, NOON + 25 * HOUR):
        assert desk.decide(later) == ["deferred"] * 15
    assert waiting(desk) == [Trip(PLAYBOOK, NOON, 10, 10)]
    # What is no news any more is given up, with the breaker's own word.
    assert desk.decide(NOON + 47 * HOUR + HOUR / 2) == ["breaker"] * 15


def test_an_approval_lets_so_many_out_and_no_more(desk: Desk) -> None:
    goes_wrong(desk, 25, NOON)
    desk.decide(NOON)

    assert resolve(desk, 12, NOON + HOUR / 2).playbook == PLAYBOOK
    assert sorted(desk.decide(NOON + HOUR)) == ["contact"] * 12 + ["deferred"] * 3
    assert [trip.decided for trip in waiting(desk)] == [22]
    with pytest.raises(NothingWaits):
        resolve_other(desk)
    told = query(desk.url, "SELECT resolved_by, approved FROM breaker_trips ORDER BY tripped_at")
    assert told == [("ada", 12), (None, None)]


def resolve_other(desk: Desk) -> None:
    with desk.engine.begin() as connection:
        breaker.resolve(connection, "delivery_at_risk", 5, "ada", NOON)


def test_what_was_rejected_never_goes_out_and_what_comes_later_does(desk: Desk) -> None:
    goes_wrong(desk, 12, NOON)
    desk.decide(NOON)

    resolve(desk, 0, NOON + HOUR / 2)

    assert desk.decide(NOON + HOUR) == ["breaker"] * 2
    assert waiting(desk) == []
    goes_wrong(desk, 3, NOON + 25 * HOUR, first=500)
    assert desk.decide(NOON + 25 * HOUR) == ["contact"] * 3


def test_what_was_usual_is_believed_a_few_times_over(desk: Desk) -> None:
    for day in range(3):
        goes_wrong(desk, 10, NOON + day * 2 * DAY, first=100 * day)
        desk.decide(NOON + day * 2 * DAY)
    at = NOON + 6 * DAY
    goes_wrong(desk, 25, at, first=900)

    # Ten at once were usual: twice that is believed.
    assert sorted(desk.decide(at)) == ["contact"] * 20 + ["deferred"] * 5


def test_a_number_that_was_set_counts_instead(desk: Desk) -> None:
    catalogue = dict(desk.out.rules.catalogue)
    catalogue[PLAYBOOK] = catalogue[PLAYBOOK].model_copy(update={"contacts_per_day": 3})
    desk.out = replace(desk.out, rules=replace(desk.out.rules, catalogue=catalogue))
    goes_wrong(desk, 5, NOON)

    assert sorted(desk.decide(NOON)) == ["contact"] * 3 + ["deferred"] * 2


def test_what_was_decided_in_shadow_is_not_what_is_usual(desk: Desk) -> None:
    live = desk.out
    desk.out = replace(live, rules=replace(live.rules, mode=Mode.SHADOW))
    goes_wrong(desk, 10, NOON)
    assert desk.decide(NOON) == ["contact"] * 10
    desk.out = live
    goes_wrong(desk, 12, NOON, first=500)

    assert sorted(desk.decide(NOON + HOUR)) == ["contact"] * 10 + ["deferred"] * 2
