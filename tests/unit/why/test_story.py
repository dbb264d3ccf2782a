"""A story holds what belongs to it, in time order, and finds every assessment that is not the same."""

from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.churn_predictor.rerun import Outcome
from services.contracts import events, ids
from services.contracts.contacts import ReplyBy
from services.contracts.envelope import Event
from services.contracts.problems import (
    Actor,
    EventRef,
    ProblemKind,
    ProblemOpened,
    Tier,
)
from services.why.story import Found, Story, tell
from tests.factories import CUSTOMER, DAY, HOUR, SHOP, START, event, placed, promised, wrote
from tests.unit.churn_predictor.test_rerun import MODELS, assessed, change
from tests.unit.why.events import decided, replied, sent

PROBLEM = ids.problem_id(CUSTOMER, "sh-1", "delivery_delay", 1)


def opened(**envelope: Any) -> Event[Any]:
    fact = ProblemOpened(
        problem_id=PROBLEM,
        kind=ProblemKind.DELIVERY_DELAY,
        subject="sh-1",
        order_id="o-1",
        episode=1,
        tier=Tier.OVERDUE,
        deadline=START + 5 * DAY,
        actor=Actor.US,
        evidence=(EventRef(source=SHOP, id="the-promise"),),
    )
    return event(fact, source="/care/churn-predictor", **envelope)


def found(*given: Event[Any] | bytes) -> list[Found]:
    """These events, or bytes, as the customer's records."""
    records = []
    for offset, one in enumerate(given):
        value = one if isinstance(one, bytes) else one.encode()
        read = events.read(value)
        topic = events.TOPIC_OF[type(read.data)].name
        records.append(Found(topic, offset, value, read))
    return records


WHOLE = found(
    placed(at=START),
    promised(at=START, event_id="the-promise"),
    placed("o-2", at=START + HOUR),
    wrote("k-1", "o-1", at=START + DAY),
    wrote("k-2", None, at=START + DAY),
    wrote("k-3", "o-2", at=START + DAY),
    replied("k-1", ReplyBy.AGENT, at=START + 2 * DAY),
    replied("k-3", ReplyBy.AGENT, at=START + 2 * DAY),
    assessed(),
    opened(at=START + 5 * DAY),
    decided(PROBLEM, at=START + 5 * DAY),
    sent(PROBLEM, at=START + 6 * DAY),
    decided(UUID(int=1), at=START + 6 * DAY),
)


def types(story: Story) -> list[str]:
    return [entry.event.type.split(".", 1)[1].removesuffix(".v1") for entry in story.entries]


@given(order=st.permutations(range(len(WHOLE))), again=st.lists(st.sampled_from(WHOLE)))
def test_whatever_the_order_and_however_often_the_story_is_the_same(
    order: list[int], again: list[Found]
) -> None:
    story = tell(CUSTOMER, [*(WHOLE[n] for n in order), *again], MODELS)

    times = [entry.event.time for entry in story.entries]
    assert times == sorted(times)
    assert len(story.entries) == len(WHOLE)


def test_what_is_said_in_one_instant_follows_what_led_to_it() -> None:
    same = [decided(PROBLEM, at=START), opened(at=START), promised(at=START), placed(at=START)]

    assert types(tell(CUSTOMER, found(*same), {})) == [
        "order.placed",
        "shipment.promised",
        "problem.opened",
        "outreach.decided",
    ]


def test_what_comes_later_than_asked_for_is_left_out() -> None:
    until = START + 5 * DAY

    story = tell(CUSTOMER, WHOLE, MODELS, at=until)

    assert max(entry.event.time for entry in story.entries) == until
    assert "outreach.sent" not in types(story)
    assert all(event.time <= until for event in story.happened.values())


def test_one_problem_is_told_with_all_that_belongs_to_it_and_nothing_else() -> None:
    story = tell(CUSTOMER, WHOLE, MODELS, problem_id=PROBLEM)

    assert types(story) == [
        "order.placed",
        "shipment.promised",
        "risk.assessed",
        "contact.opened",
        "contact.opened",
        "contact.replied",
        "problem.opened",
        "outreach.decided",
        "outreach.sent",
    ]
    told = {getattr(entry.event.data, "contact_id", None) for entry in story.entries}
    assert told == {None, "k-1", "k-2"}


def test_evidence_about_something_else_belongs_to_the_problem_too() -> None:
    elsewhere = promised("sh-9", "o-9", at=START, event_id="the-promise")

    story = tell(CUSTOMER, found(elsewhere, opened(at=START)), {}, problem_id=PROBLEM)

    assert types(story) == ["shipment.promised", "problem.opened"]


def test_an_unknown_problem_has_no_story() -> None:
    story = tell(CUSTOMER, WHOLE, MODELS, problem_id=UUID(int=9))

    assert story.entries == ()
    assert story.is_good


def test_every_assessment_is_made_again() -> None:
    honest, lying = assessed(), change(assessed(), "data.band", "low")

    good = tell(CUSTOMER, found(honest), MODELS)
    bad = tell(CUSTOMER, found(honest, lying), MODELS)
    lost = tell(CUSTOMER, found(honest), {})

    assert (good.is_good, good.count(Outcome.SAME)) == (True, 1)
    # Both bear one id: the second must not hide behind the first.
    assert (bad.is_good, bad.count(Outcome.SAME), bad.count(Outcome.DIFFERS)) == (False, 1, 1)
    assert (lost.is_good, lost.count(Outcome.MODEL_MISSING)) == (False, 1)


def test_an_assessment_nobody_can_read_is_not_good_and_a_purchase_is_the_publishers_affair() -> (
    None
):
    torn = [Found("assessments", 3, b"{", None, "not_json")]
    theirs = [Found("purchases", 3, b"{", None, "not_json")]

    assert not tell(CUSTOMER, torn, MODELS).is_good
    assert tell(CUSTOMER, theirs, MODELS).is_good
    assert tell(CUSTOMER, theirs, MODELS).unreadable == tuple(theirs)
