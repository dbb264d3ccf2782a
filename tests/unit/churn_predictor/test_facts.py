"""Facts end the same whatever way the events came."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.churn_predictor.facts import TURNS_KEPT, Facts, TurnKind, forget_facts
from services.churn_predictor.learning import learn
from services.contracts.contacts import OpenedBy, ReplyBy
from services.contracts.deliveries import CheckpointStatus
from services.contracts.envelope import Event
from tests.factories import (
    DAY,
    HOUR,
    START,
    cancelled,
    delivered,
    handed_over,
    placed,
    promised,
    scanned,
    wrote,
)
from tests.unit.churn_predictor.happenings import reopened, replied, resolved

moments = st.integers(0, 200).map(lambda hours: START + hours * HOUR)
shipments = st.sampled_from(["sh-1", "sh-2"])
sources = st.sampled_from(["/a", "/b"])
any_event = st.one_of(
    st.builds(lambda at, n: placed(lines=n, at=at), moments, st.integers(1, 4)),
    st.builds(lambda at, src: cancelled(at=at, source=src), moments, sources),
    st.builds(lambda at, s, by: promised(s, by=by, at=at), moments, shipments, moments),
    st.builds(
        lambda at, s, c: handed_over(s, carrier=c, at=at),
        moments,
        shipments,
        st.sampled_from(["dhl", "ups"]),
    ),
    st.builds(
        lambda at, s, status: scanned(s, status=status, at=at),
        moments,
        shipments,
        st.sampled_from(CheckpointStatus),
    ),
    st.builds(lambda at, s: delivered(s, at=at), moments, shipments),
    st.builds(
        lambda at, k, by: wrote(k, by=by, at=at),
        moments,
        st.sampled_from(["k-1", "k-2"]),
        st.sampled_from(OpenedBy),
    ),
    st.builds(lambda at: resolved(at=at), moments),
    st.builds(lambda at: reopened(at=at), moments),
    st.builds(lambda at, by: replied(by=by, at=at), moments, st.sampled_from(ReplyBy)),
)


def learned(events: list[Event[Any]]) -> Facts:
    facts = Facts()
    for event in events:
        learn(facts, event)
    return facts


@given(events=st.lists(any_event, max_size=12), data=st.data())
def test_late_shuffled_and_repeated_events_end_in_the_same_facts(
    events: list[Event[Any]], data: st.DataObject
) -> None:
    repeats = data.draw(st.lists(st.sampled_from(events))) if events else []
    shuffled = data.draw(st.permutations(events + repeats))

    assert learned(list(shuffled)) == learned(events)


def test_the_first_promise_is_kept_for_ever_and_the_latest_beside_it() -> None:
    first = promised(by=START + 5 * DAY, at=START)
    moved = promised(by=START + 9 * DAY, at=START + DAY)

    shipment = learned([moved, first]).shipments["sh-1"]

    assert shipment.first_promise is not None
    assert shipment.latest_promise is not None
    assert shipment.first_promise.promised_by == START + 5 * DAY
    assert shipment.latest_promise.promised_by == START + 9 * DAY


def test_a_parcel_without_its_order_is_known_all_the_same() -> None:
    facts = learned([delivered(at=START)])

    assert facts.orders == {}
    assert facts.shipments["sh-1"].delivered is not None


def test_only_what_lies_wholly_before_the_horizon_is_forgotten() -> None:
    facts = learned(
        [
            promised("old", at=START),
            promised("new", at=START),
            delivered("new", at=START + 9 * DAY),
        ]
    )

    assert forget_facts(facts, before=START + DAY) == {("shipments", "old")}
    assert set(facts.shipments) == {"new"}


def test_a_parcel_whose_date_was_moved_is_forgotten_like_any_other() -> None:
    told = [promised(by=START + n * DAY, at=START + n * HOUR) for n in range(3)]

    assert forget_facts(learned(told), before=START + DAY) == {("shipments", "sh-1")}


@given(order=st.permutations(range(12)))
def test_of_many_estimates_the_earliest_are_kept_whatever_came_first(order: list[int]) -> None:
    told = [promised(by=START + n * DAY, at=START + n * HOUR, event_id=f"e-{n}") for n in range(12)]

    shipment = learned([told[n] for n in order]).shipments["sh-1"]

    assert shipment.first_promise is not None
    assert shipment.first_promise.promised_by == START
    assert [each.promised_by for each in shipment.estimates] == [
        START + n * DAY for n in range(1, 9)
    ]


@given(order=st.permutations(range(TURNS_KEPT + 4)))
def test_of_a_long_conversation_the_earliest_turns_are_kept_whatever_came_first(
    order: list[int],
) -> None:
    said = [
        (wrote if n % 2 == 0 else replied)("k-1", at=START + n * HOUR, event_id=f"e-{n}")
        for n in range(TURNS_KEPT + 4)
    ]

    turns = learned([said[n] for n in order]).contacts["k-1"].turns

    assert [each.said.id for each in turns] == [f"e-{n}" for n in range(TURNS_KEPT)]
    assert {each.kind for each in turns[::2]} == {TurnKind.OPENED}
