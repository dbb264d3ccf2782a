"""Facts recomputed from sets of events: what each slot takes, and that order and repetition do not matter."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.contacts import (
    ContactReplied,
    ContactResolved,
    ReplyBy,
    SurveyAnswered,
    SurveyKind,
)
from services.contracts.deliveries import CheckpointStatus
from services.contracts.envelope import Event
from services.contracts.events import TOPIC_OF
from services.contracts.stream import Tick
from services.contracts.topics import HORIZON
from services.verifier.collect import collect
from services.verifier.evidence import PartitionEvidence, Record
from services.verifier.lives import Lives, lives
from services.verifier.outcomes import outcomes
from services.verifier.timeline import Timeline
from tests.factories import (
    DAY,
    HOUR,
    SHOP,
    START,
    cancelled,
    delivered,
    event,
    handed_over,
    placed,
    promised,
    scanned,
    wrote,
)
from tests.unit.verifier.test_agreement import happenings


def gathered(*events: Event[Any]) -> PartitionEvidence:
    records = [
        Record(TOPIC_OF[type(e.data)].name, 0, n, e.partitionkey.encode(), e.encode())
        for n, e in enumerate(events)
    ]
    return collect(records, 1).partitions[0]


def known(*events: Event[Any], ticks: tuple[Tick, ...] = ()) -> dict[str, Lives]:
    """Return what is known of each customer, as nobody's memory is asked."""
    timeline = Timeline(ticks)
    found = outcomes(gathered(*events), timeline, lambda told: False, lockstep=True)
    return {customer: lives(applied, timeline) for customer, applied in found.customers.items()}


def things(*events: Event[Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return known(*events)["c-1"].things


def stamp(at: datetime, name: str) -> dict[str, Any]:
    return {"at": at, "source": SHOP, "id": name}


def test_an_order_keeps_its_first_telling() -> None:
    found = things(
        placed(lines=3, sellers=2, at=START + HOUR, event_id="later"),
        placed(lines=1, at=START, event_id="first"),
        cancelled(at=START + DAY, event_id="x-2"),
        cancelled(at=START + HOUR, event_id="x-1"),
    )

    assert found == {
        ("orders", "o-1"): {
            "basket": {
                "placed": stamp(START, "first"),
                "lines": 1,
                "sellers": 1,
                "total_minor": 1000,
                "freight_minor": 0,
            },
            "cancelled": stamp(START + HOUR, "x-1"),
        }
    }


def test_a_parcel_keeps_both_promises_both_scans_and_the_least_of_what_should_be_one() -> None:
    found = things(
        promised(order="o-2", by=START + 2 * DAY, at=START + HOUR, event_id="s-2"),
        promised(order="o-1", by=START + DAY, at=START, event_id="s-1"),
        scanned(carrier="ups", status=CheckpointStatus.INFO_RECEIVED, at=START, event_id="c-0"),
        scanned(carrier="ups", at=START + 3 * HOUR, event_id="c-2"),
        scanned(carrier="ups", at=START + 2 * HOUR, event_id="c-1"),
        handed_over(carrier="dhl", at=START + DAY, event_id="h"),
        scanned(status=CheckpointStatus.DELIVERED, at=START + 2 * DAY, event_id="c-3"),
        delivered(carrier=None, at=START + 3 * DAY, event_id="d"),
    )[("shipments", "sh-1")]

    assert found == {
        "order_id": "o-1",
        "first_promise": {"told": stamp(START, "s-1"), "promised_by": START + DAY},
        "latest_promise": {"told": stamp(START + HOUR, "s-2"), "promised_by": START + 2 * DAY},
        "handed_over": stamp(START + DAY, "h"),
        "carrier": "dhl",
        "first_scan": stamp(START + 2 * HOUR, "c-1"),
        "latest_scan": stamp(START + 2 * DAY, "c-3"),
        "delivered": stamp(START + 2 * DAY, "c-3"),
    }


def test_a_contact_and_a_survey() -> None:
    survey = {"survey_id": "y", "kind": SurveyKind.CSAT}
    found = things(
        wrote("k", "o-9", at=START, event_id="k-1"),
        event(ContactReplied(contact_id="k", by=ReplyBy.BOT), at=START + DAY),
        event(ContactReplied(contact_id="k", by=ReplyBy.AGENT), at=START + HOUR, event_id="r-1"),
        event(ContactResolved(contact_id="k"), at=START + HOUR, event_id="z-1"),
        event(ContactResolved(contact_id="k"), at=START + DAY, event_id="z-2"),
        event(SurveyAnswered(**survey, score=5), at=START + DAY, event_id="a-2"),
        event(SurveyAnswered(**survey, score=1, order_id="o-9"), at=START, event_id="a-1"),
    )

    assert found == {
        ("contacts", "k"): {
            "opened": stamp(START, "k-1"),
            "reason": "where_is_my_order",
            "order_id": "o-9",
            "replied_by_agent": stamp(START + HOUR, "r-1"),
            "resolved": stamp(START + DAY, "z-2"),
        },
        ("surveys", "y"): {"answered": stamp(START, "a-1"), "score": 1, "order_id": "o-9"},
    }


@given(told=st.lists(happenings(), max_size=25), data=st.data())
def test_neither_order_nor_repetition_changes_the_facts(
    told: list[Event[Any]], data: st.DataObject
) -> None:
    # One name, one content: which of two contents counts is a matter of who came first.
    once = list({(e.partitionkey, e.source, e.id): e for e in told}.values())
    repeated = data.draw(st.lists(st.sampled_from(once))) if once else []
    shuffled = data.draw(st.permutations(once + repeated))

    plain = {customer: life.things for customer, life in known(*once).items()}
    assert {customer: life.things for customer, life in known(*shuffled).items()} == plain


@pytest.mark.parametrize(("later", "is_kept"), [(timedelta(), True), (timedelta(seconds=2), False)])
def test_what_falls_behind_the_horizon_is_forgotten(later: timedelta, is_kept: bool) -> None:
    old = placed("o-old", at=START, event_id="old")
    new = placed("o-new", at=START + DAY, event_id="new")
    ticks = [
        Tick(number=0, at=START, ends={}, barrier="b-0"),
        Tick(number=1, at=START + DAY, ends={"purchases": 2}, barrier="b-1"),
        Tick(number=2, at=START + HORIZON + later, ends={"purchases": 2}, barrier="b-2"),
    ]

    life = known(old, new, ticks=tuple(ticks))["c-1"]

    assert (("orders", "o-old") in life.things) is is_kept
    assert ("orders", "o-new") in life.things
    assert len(life.events) == 1 + is_kept
