"""Facts end the same whatever the order, and however often each event comes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.contracts import ids
from services.contracts.contacts import (
    ContactOpened,
    ContactReopened,
    ContactReplied,
    ContactResolved,
    SurveyAnswered,
    SurveySent,
)
from services.contracts.envelope import Event
from services.contracts.people import Channel
from services.contracts.problems import ProblemChanged, ProblemCleared, ProblemOpened, Tier
from services.outreach.facts import Profile, address_of
from services.outreach.intake import Additions
from tests.factories import CUSTOMER, START, event
from tests.unit.outreach.factories import rules

PROBLEM = {
    "problem_id": ids.problem_id(CUSTOMER, "sh-1", "delivery_delay", 1),
    "kind": "delivery_delay",
    "subject": "sh-1",
    "order_id": "o-1",
    "episode": 1,
    "deadline": START,
    "promised_by": START,
    "actor": "us",
}

minutes = st.integers(0, 40).map(lambda n: START + timedelta(minutes=n))
tiers = st.sampled_from(Tier)
risks = st.none() | st.sampled_from([0.1, 0.5])
orders = st.sampled_from([None, "o-1", "o-2"])
promises = st.none() | st.just(START)
zones = st.none() | st.sampled_from(["Europe/Berlin", "America/Manaus"])


def added_by(told: Iterable[tuple[Event[Any], int]]) -> Additions:
    """Return the additions of these events, each with its partition."""
    additions = Additions()
    for said, partition in told:
        additions.add(said, partition, rules().catalogue)
    return additions


def problem_events() -> st.SearchStrategy[Any]:
    named = st.builds(
        lambda order, by, zone: {
            **PROBLEM,
            "order_id": order,
            "promised_by": by,
            "destination_time_zone": zone,
        },
        orders,
        promises,
        zones,
    )
    opened = st.builds(
        lambda n, t, r: ProblemOpened(**n, tier=t, complaint_risk=r), named, tiers, risks
    )
    changed = st.builds(
        lambda n, t, r: ProblemChanged(**n, tier=t, complaint_risk=r, previous_tier=Tier.AT_RISK),
        named,
        tiers,
        risks,
    )
    cleared = st.builds(
        lambda n, t, how: ProblemCleared(**n, tier=t, clearing=how),
        named,
        tiers,
        st.sampled_from(["solved", "retracted", "expired"]),
    )
    return opened | changed | cleared


def contact_events() -> st.SearchStrategy[Any]:
    names = st.sampled_from(["k-1", "k-2"])
    return (
        st.builds(
            lambda k, o, by: ContactOpened(
                contact_id=k, channel="chat", reason="other", order_id=o, opened_by=by
            ),
            names,
            orders,
            st.sampled_from(["customer", "agent"]),
        )
        | st.builds(lambda k: ContactReopened(contact_id=k), names)
        | st.builds(lambda k: ContactResolved(contact_id=k), names)
        | st.builds(
            lambda k, by: ContactReplied(contact_id=k, by=by),
            names,
            st.sampled_from(["customer", "agent", "bot"]),
        )
        | st.builds(
            lambda s, n, o: SurveyAnswered(survey_id=s, kind="csat", score=n, order_id=o),
            st.sampled_from(["s-1", "s-2"]),
            st.integers(1, 5),
            orders,
        )
        | st.just(SurveySent(survey_id="s-1", kind="csat"))
    )


events = st.lists(
    st.builds(lambda data, at: event(data, at=at), problem_events() | contact_events(), minutes),
    max_size=12,
)


@dataclass
class Known:
    """What a database would hold after these batches."""

    problems: dict[Any, Any]
    contacts: dict[Any, Any]
    answers: dict[Any, Any]
    due: set[Any]


def remember(batches: list[list[Event[Any]]]) -> Known:
    known = Known({}, {}, {}, set())
    for batch in batches:
        additions = added_by((e, 0) for e in batch)
        for held, added in (
            (known.problems, additions.problems),
            (known.contacts, additions.contacts),
            (known.answers, additions.answers),
        ):
            for key, fact in added.items():
                held[key] = held[key].merge(fact) if key in held else fact
        known.due |= set(additions.due)
    return known


@given(events, st.data())
def test_shuffled_and_repeated_events_end_in_the_same_facts(
    told: list[Event[Any]], data: st.DataObject
) -> None:
    repeats = data.draw(st.lists(st.sampled_from(told), max_size=5)) if told else []
    shuffled = data.draw(st.permutations(told + repeats))

    assert remember([shuffled]) == remember([told])


@given(events, st.data())
def test_it_does_not_matter_how_events_fall_into_batches(
    told: list[Event[Any]], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(told)))

    assert remember([told[cut:], told[:cut]]) == remember([told])


def test_a_clearing_that_comes_first_still_ends_the_problem() -> None:
    opened = event(ProblemOpened(**PROBLEM, tier="late"), at=START)
    cleared = event(ProblemCleared(**PROBLEM, tier="late", clearing="solved"), at=START)

    additions = added_by([(cleared, 0), (opened, 0)])

    (problem,) = additions.problems.values()
    assert problem.ending is not None
    assert problem.opened_at == START


def test_a_clearing_makes_nothing_due() -> None:
    cleared = event(ProblemCleared(**PROBLEM, tier="late", clearing="solved"))

    assert added_by([(cleared, 0)]).due == {}


def test_a_problem_that_rises_makes_the_later_playbook_due_as_well() -> None:
    opened = event(ProblemOpened(**PROBLEM, tier="at_risk"), at=START)
    changed = event(
        ProblemChanged(**PROBLEM, tier="late", previous_tier="overdue"),
        at=START + timedelta(days=4),
    )

    due = added_by([(changed, 2), (opened, 2)]).due.values()

    assert {(d.playbook, d.due_at, d.partition) for d in due} == {
        ("delivery_at_risk", START, 2),
        ("delivery_late", START + timedelta(days=4), 2),
    }


def test_what_an_agent_began_is_no_word_of_the_customers_and_waits_for_nobody() -> None:
    """Until the customer writes: then it is open until it is resolved."""
    names = {"contact_id": "k-1", "channel": "chat", "reason": "complaint", "order_id": "o-1"}
    begun = event(ContactOpened(**names, opened_by="agent"), at=START)
    answer = event(ContactReplied(contact_id="k-1", by="agent"), at=START)
    word = event(ContactReplied(contact_id="k-1", by="customer"), at=START + timedelta(hours=1))
    end = event(ContactResolved(contact_id="k-1"), at=START + timedelta(hours=2))

    def known(*told: Event[Any]) -> Any:
        (contact,) = added_by((each, 0) for each in told).contacts.values()
        return contact

    silent = known(begun, answer)
    assert (silent.order_id, silent.heard_at, silent.is_open) == ("o-1", None, False)
    assert known(begun, answer, word).is_open
    assert not known(begun, answer, word, end).is_open


def test_an_empty_batch_touches_nobody() -> None:
    assert Additions().customers == set()


@given(st.sampled_from(Channel))
def test_an_address_of_a_channel_is_that_channels_own_and_goes_with_the_profile(
    by: Channel,
) -> None:
    ways: dict[str, Any] = {
        "email": "by email",
        "phone": "by sms",
        "push_id": "by push",
        "chat_id": "by chat",
    }
    known = Profile("c-1", START, "/crm", "p-1", **ways)
    by_id = {Channel.WEBHOOK, Channel.HUMAN}

    assert address_of(known, by, "c-1") == ("c-1" if by in by_id else f"by {by}")
    for nobody in (None, Profile.forgotten("c-1", START)):
        assert address_of(nobody, by, "c-1") == ("c-1" if by in by_id else None)
