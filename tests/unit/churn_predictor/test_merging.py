"""Merging two customers' facts gives what their events would have taught one; erasing leaves the later."""

from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.churn_predictor.erasing import cut, erase
from services.churn_predictor.facts import Facts, Stamp, stamps_in
from services.churn_predictor.merging import merge, merge_into
from services.churn_predictor.state import CUSTOMER, Assessed, CustomerState, Episode
from services.contracts.contacts import SurveyKind, SurveySent
from services.contracts.envelope import Event
from services.contracts.ids import problem_id
from services.contracts.problems import Band, ProblemKind, Tier
from tests.factories import DAY, HOUR, START, event, promised
from tests.unit.churn_predictor.happenings import (
    abandoned,
    answered,
    approved,
    payment_failed,
    promised_to,
    refund_paid,
    refund_promised,
    searched,
)
from tests.unit.churn_predictor.test_facts import any_event as of_parcels_and_contacts
from tests.unit.churn_predictor.test_facts import learned, moments

two = st.sampled_from(["x-1", "x-2"])
any_event = st.one_of(
    of_parcels_and_contacts,
    st.builds(lambda at: approved(at=at), moments),
    st.builds(lambda at: payment_failed(at=at), moments),
    st.builds(lambda at: payment_failed(None, "cart-1", at=at), moments),
    st.builds(lambda at, cart: abandoned(cart, at=at), moments, two),
    st.builds(lambda at, by, r: refund_promised(by, r, at=at), moments, moments, two),
    st.builds(lambda at, r: refund_paid(r, at=at), moments, two),
    st.builds(lambda at, found: searched(found=found, at=at), moments, st.booleans()),
    st.builds(
        lambda at, score, kind, order: answered(score, kind=kind, order=order, at=at),
        moments,
        st.integers(1, 5),
        st.sampled_from(SurveyKind),
        st.sampled_from(["o-1", "o-2", None]),
    ),
    st.builds(
        lambda at, kind: event(SurveySent(survey_id="v-1", kind=kind), at=at),
        moments,
        st.sampled_from(SurveyKind),
    ),
    st.builds(
        lambda at, by, zone: promised_to(zone, by, at=at),
        moments,
        moments,
        st.sampled_from(["Europe/Berlin", "Europe/Lisbon"]),
    ),
)
told = st.lists(st.tuples(any_event, st.integers(0, 2)), max_size=40)


def split(events: list[tuple[Event[Any], int]]) -> list[Facts]:
    """Return what three ids have learned of these events, each told of one of them."""
    return [learned([each for each, of in events if of == n]) for n in range(3)]


@given(told)
def test_facts_split_over_ids_and_merged_are_those_of_one(
    events: list[tuple[Event[Any], int]],
) -> None:
    one, two, three = split(events)
    whole = learned([each for each, _ in events])

    assert merge(merge(one, two), three) == whole
    assert merge(one, merge(two, three)) == whole
    assert merge(three, merge(two, one)) == whole
    assert merge(whole, two) == whole


@given(told, st.lists(any_event, max_size=10))
def test_what_is_learned_after_a_merge_is_learned_as_if_there_had_been_none(
    events: list[tuple[Event[Any], int]], later: list[Event[Any]]
) -> None:
    one, two, three = split(events)
    merged = deepcopy(merge(merge(one, two), three))
    late = learned(later)

    assert merge(merged, late) == learned([*(each for each, _ in events), *later])


def test_more_promises_than_are_kept_end_in_the_same_estimates() -> None:
    told = [(promised(by=START + n * DAY, at=START + n * HOUR), n % 3) for n in range(30)]

    one, two, three = split(told)

    assert merge(merge(three, one), two) == learned([each for each, _ in told])


@given(st.lists(any_event, max_size=40), moments)
def test_nothing_dated_up_to_an_erasure_is_left(events: list[Event[Any]], until: Any) -> None:
    facts = learned(events)
    cut(facts, until)

    assert [stamp for stamp in stamps_in(facts) if stamp.at <= until] == []


@given(st.lists(any_event, max_size=40), moments)
def test_what_is_told_after_an_erasure_is_known_as_of_a_new_customer(
    events: list[Event[Any]], until: Any
) -> None:
    facts = learned([each for each in events if each.time <= until])
    cut(facts, until)
    later = [each for each in events if each.time > until]

    assert facts == Facts()
    assert merge(facts, learned(later)) == learned(later)


@given(st.lists(any_event, max_size=40))
def test_an_erasure_before_everything_forgets_nothing(events: list[Event[Any]]) -> None:
    facts = learned(events)
    cut(facts, START - HOUR)

    assert facts == learned(events)


def test_of_one_thing_what_was_told_later_stays() -> None:
    facts = learned(
        [
            promised(by=START + 9 * DAY, at=START),
            promised(by=START + 8 * DAY, at=START + 2 * HOUR),
            answered(1, at=START),
        ]
    )
    cut(facts, START + HOUR)

    shipment = facts.shipments["sh-1"]
    assert shipment.first_promise == shipment.latest_promise
    assert shipment.first_promise is not None
    assert shipment.first_promise.promised_by == START + 8 * DAY
    assert facts.surveys == {}


def episode(customer: str, number: int = 1, hours: int = 0, is_open: bool = True) -> Episode:
    return Episode(
        problem_id=problem_id(customer, "sh-1", ProblemKind.DELIVERY_DELAY, number),
        kind=ProblemKind.DELIVERY_DELAY,
        subject="sh-1",
        order_id="o-1",
        number=number,
        anchor=Stamp(START, "/a", "1"),
        tier=Tier.LATE,
        deadline=START,
        promised_by=START,
        opened_at=START + hours * HOUR,
        is_open=is_open,
    )


def having(*episodes: Episode, **more: Any) -> CustomerState:
    return CustomerState(episodes={f"{e.kind}|{e.subject}": e for e in episodes}, **more)


def test_an_open_problem_goes_on_under_its_own_id() -> None:
    state, moved = having(), having(episode("a"))

    assert merge_into(state, moved) == []
    assert state.episodes == moved.episodes


def test_of_two_open_problems_on_one_thing_the_first_stays_and_the_other_is_over() -> None:
    for first, second in ((episode("a"), episode("b", 4, 1)), (episode("b"), episode("a", 4, 1))):
        for state, moved in ((having(first), having(second)), (having(second), having(first))):
            assert merge_into(state, moved) == [second]
            assert list(state.episodes.values()) == [replace(first, number=4)]


def test_an_open_problem_stays_before_one_that_is_over() -> None:
    was, still = episode("a", 3, is_open=False), episode("b", 1, 5)
    state = having(was)

    assert merge_into(state, having(still)) == []
    assert list(state.episodes.values()) == [replace(still, number=3)]


def test_what_was_said_and_told_is_known_of_both() -> None:
    score = Assessed(0.2, Band.LOW, START)
    state = CustomerState(
        assessed={"sh-1|approval": score}, told={"sh-1": ["x|k"]}, seen={"1": START}
    )
    moved = CustomerState(
        assessed={"sh-1|approval": replace(score, revision=1)},
        told={"sh-1": ["a|k", "x|k"]},
        seen={"2": START},
    )
    merge_into(state, moved)

    assert state.assessed == {"sh-1|approval": replace(score, revision=1)}
    assert state.told == {"sh-1": ["a|k", "x|k"]}
    assert state.seen == {"1": START, "2": START}
    assert state.touched


def test_erasing_ends_every_problem_and_remembers_its_number() -> None:
    state = having(episode("a", 3))
    state.seen = {"1": START, "2": START + HOUR}
    state.assessed = {"sh-1|approval": Assessed(0.2, Band.LOW, START)}
    state.told = {"sh-1": ["x|k"]}

    assert erase(state, START) == [episode("a", 3)]
    assert state == CustomerState(seen={"2": START + HOUR}, numbered=3, touched=True)


@given(told)
def test_a_merged_customer_is_written_and_read_as_it_is(
    events: list[tuple[Event[Any], int]],
) -> None:
    one, two, three = split(events)
    state = CustomerState(facts=merge(merge(one, two), three), seen={"1": START + timedelta(1)})

    assert CUSTOMER.validate_json(CUSTOMER.dump_json(state)) == state
