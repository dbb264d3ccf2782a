"""Two ids of one customer: one story, one voice, the strictest word."""

from collections.abc import Sequence
from datetime import datetime
from itertools import permutations
from typing import Any

import pytest

from services.contracts.envelope import Event
from services.contracts.people import CustomerMerged
from services.kit.kafka_clients import partition_of
from services.outreach import ledger
from tests.component.outreach.desk import NOON, Desk, counts
from tests.component.outreach.visitor import CUSTOMER, Visitor
from tests.factories import DAY, HOUR, START, event, wrote
from tests.support.outreach import cleared, consent, opened, problem_id, profile, query

pytestmark = pytest.mark.connected

PARTITIONS = 4
STORIES = ("problems", "inbound_contacts", "survey_answers", "agenda", "decisions", "sends")


def merged(goes: str, stays: str, at: datetime = START + HOUR) -> Event[Any]:
    name = f"merged-{goes}-{stays}-{at.isoformat()}"
    return event(CustomerMerged(into=stays), at=at, customer=goes, source="/crm", event_id=name)


def of_the_same(goes: str, stays: str, **fields: Any) -> tuple[Event[Any], Event[Any]]:
    """One parcel in trouble, noticed under both ids."""
    about: dict[str, Any] = {"subject": "sh-1", "order_id": "o-1", **fields}
    return opened(goes, NOON - HOUR, **about), opened(stays, NOON - HOUR, **about)


def whose(desk: Desk) -> set[str]:
    """Return every customer that a table of stories names."""
    union = " UNION ".join(f"SELECT customer_id FROM {table}" for table in STORIES)
    return {customer for (customer,) in query(desk.url, union)}


def test_what_one_did_is_the_others(desk: Desk) -> None:
    desk.learn(profile("c-1"), opened("c-1", NOON - HOUR), wrote(customer="c-1", order="o-9"))
    desk.decide()

    desk.learn(merged("c-1", "c-2"))

    assert whose(desk) == {"c-2"}
    home = partition_of(b"c-2", PARTITIONS)
    for table in ("agenda", "decisions", "sends"):
        assert query(desk.url, f"SELECT DISTINCT partition FROM {table}") == [(home,)]
    assert desk.send() == 1
    assert desk.channel.mails[0]["To"] == "c-1@example.org"


def test_what_was_queued_for_both_is_sent_once(desk: Desk) -> None:
    for told in (profile("c-1"), profile("c-2"), *of_the_same("c-1", "c-2")):
        desk.learn(told)
    assert desk.decide() == ["contact", "contact"]

    desk.learn(merged("c-1", "c-2"))

    assert desk.send() == 1
    assert query(desk.url, "SELECT state FROM sends ORDER BY state") == [("sent",), ("withdrawn",)]


def test_what_one_was_told_is_not_told_to_the_other(desk: Desk) -> None:
    first, second = of_the_same("c-1", "c-2")
    desk.learn(profile("c-1"), profile("c-2"), first)
    desk.decide()
    assert desk.send() == 1

    desk.learn(merged("c-1", "c-2"))
    desk.learn(second)

    assert desk.decide() == ["already_known"]


def test_the_next_episode_is_told_although_the_last_one_was(desk: Desk) -> None:
    desk.learn(profile("c-1"), merged("c-0", "c-1"), opened("c-1", NOON - HOUR))
    desk.decide()
    desk.learn(cleared("c-1", NOON - HOUR / 2))
    again: dict[str, Any] = {"problem_id": "00000000-0000-0000-0000-000000000009", "episode": 2}
    desk.learn(opened("c-1", NOON + DAY, **again), now=NOON + DAY)

    assert desk.decide(NOON + DAY) == ["contact"]


def test_both_use_up_one_budget_and_another_order_is_no_known_one(desk: Desk) -> None:
    desk.learn(profile("c-1"), opened("c-1", NOON))
    desk.decide()
    desk.send()
    desk.learn(merged("c-1", "c-2"), opened("c-2", NOON))

    assert desk.decide() == ["budget"]


@pytest.mark.parametrize("denied_by", ["c-1", "c-2"])
def test_the_strictest_word_holds_until_another_is_said(desk: Desk, denied_by: str) -> None:
    other = {"c-1": "c-2", "c-2": "c-1"}[denied_by]
    desk.learn(profile("c-2"), consent(denied_by, "denied", START))
    desk.learn(consent(other, "granted", START + HOUR / 2), merged("c-1", "c-2"))
    desk.learn(opened("c-2", NOON))
    assert desk.decide() == ["consent"]

    desk.learn(consent("c-2", "granted", NOON))
    desk.learn(opened("c-1", NOON))

    assert desk.decide() == ["contact"]


def test_the_profile_is_the_one_of_who_stays(desk: Desk) -> None:
    desk.learn(merged("c-1", "c-2"), profile("c-1", START + HOUR, email="old@example.org"))
    desk.learn(opened("c-1", NOON))
    desk.decide()
    desk.send()
    desk.learn(profile("c-2", START, email="new@example.org"), opened("c-2", NOON + DAY))
    desk.decide(NOON + DAY)
    desk.send(NOON + DAY)

    assert [mail["To"] for mail in desk.channel.mails] == ["old@example.org", "new@example.org"]


CHAIN: tuple[Event[Any], ...] = (
    merged("c-1", "c-2", START + HOUR),
    merged("c-2", "c-3", START + 2 * HOUR),
    merged("c-3", "c-3", START + 3 * HOUR),
    opened("c-1", NOON),
    wrote(customer="c-2", order="o-c-1", at=NOON, event_id="w-1"),
)


@pytest.mark.parametrize("order", list(permutations(range(len(CHAIN))))[::31])
def test_in_any_order_and_twice_it_is_one_story(desk: Desk, order: Sequence[int]) -> None:
    for n in (*order, *order):
        desk.learn(CHAIN[n])

    assert whose(desk) == {"c-3"}
    aliases = query(desk.url, "SELECT customer_id, survivor FROM aliases ORDER BY 1")
    assert aliases == [("c-1", "c-3"), ("c-2", "c-3")]
    assert query(desk.url, "SELECT DISTINCT partition FROM agenda") == [
        (partition_of(b"c-3", PARTITIONS),)
    ]
    assert desk.decide() == ["already_known"]
    assert counts(desk.url, "identities") == (2, 4, 0, 0)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_round_in_a_circle_the_least_id_stays(desk: Desk, order: Sequence[int]) -> None:
    circle = merged("c-1", "c-2", START), merged("c-2", "c-1", START + HOUR)
    desk.learn(opened("c-1", NOON), opened("c-2", NOON, subject="sh-2"))
    for n in order:
        desk.learn(circle[n])

    assert whose(desk) == {"c-1"}


def test_of_two_merges_of_one_id_the_one_told_first_counts(desk: Desk) -> None:
    desk.learn(opened("c-1", NOON), opened("c-3", NOON, subject="sh-3"))
    desk.learn(merged("c-1", "c-2", START + HOUR), merged("c-1", "c-3", START))

    assert whose(desk) == {"c-2", "c-3"}
    assert query(desk.url, "SELECT customer_id, survivor FROM aliases") == [("c-1", "c-2")]
    assert counts(desk.url, "identities") == (1, 1, 0, 0)


def test_a_problem_that_goes_on_under_the_other_id_before_the_merge_is_heard_of(desk: Desk) -> None:
    about: dict[str, Any] = {"problem_id": problem_id("c-1")}
    desk.learn(profile("c-2"), opened("c-1", NOON - HOUR, **about))
    # The predictor has heard of the merge, and outreach has not.
    desk.learn(cleared("c-2", NOON, "expired", **about))
    assert desk.decide() == ["solved"]
    desk.learn(merged("c-1", "c-2"))

    assert whose(desk) == {"c-2"}


def test_the_same_contact_under_both_ids_is_one(desk: Desk) -> None:
    desk.learn(wrote("k-1", "o-1", customer="c-1", at=START))
    desk.learn(wrote("k-1", None, customer="c-2", at=START + DAY))
    desk.learn(merged("c-1", "c-2"))

    rows = query(
        desk.url, "SELECT customer_id, contact_id, order_id, heard_at FROM inbound_contacts"
    )
    assert rows == [("c-2", "k-1", "o-1", START + DAY)]


def test_a_link_that_names_the_former_id_stops_the_one_that_stays(
    desk: Desk, visitor: Visitor
) -> None:
    desk.learn(profile("c-2"), merged(CUSTOMER, "c-2"), opened("c-2", NOON))
    desk.decide()

    answer = visitor.http.post(visitor.unsubscribe(), data={"List-Unsubscribe": "One-Click"})

    assert answer.status_code == 200
    assert query(desk.url, "SELECT customer_id FROM consents") == [("c-2",)]
    assert query(desk.url, "SELECT customer_id FROM feedback") == [("c-2",)]
    desk.send()
    assert query(desk.url, "SELECT state, reason FROM sends") == [("failed", "consent")]


def test_a_survey_of_the_former_id_is_answered_once(desk: Desk, visitor: Visitor) -> None:
    visitor.http.post(visitor.survey(), data={"score": "2", "comment": "first"})
    desk.learn(merged(CUSTOMER, "c-2"))
    visitor.http.post(visitor.survey(), data={"score": "5"})

    rows = query(desk.url, "SELECT customer_id, first_score, latest_score, comment FROM surveys")
    assert rows == [("c-2", 2, 5, "first")]
    assert query(desk.url, "SELECT customer_id, score FROM survey_answers") == [("c-2", 2)]


def test_what_became_anothers_between_the_look_and_the_lock_waits_for_the_next_turn(
    desk: Desk,
) -> None:
    desk.learn(profile("c-1"), opened("c-1", NOON))
    desk.decide()
    (waiting,) = _waiting(desk)
    desk.learn(merged("c-1", "c-2"))

    assert not desk.sender.attempt(waiting, lambda: NOON)
    assert desk.send() == 1


def _waiting(desk: Desk) -> list[Any]:
    with desk.engine.begin() as connection:
        return ledger.waiting(connection, desk.out.rules, None, desk.out.routes, NOON)
