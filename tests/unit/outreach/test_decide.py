"""From situations to decisions: one per due step, in one order, each with every gate."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts import outreach as contract
from services.contracts.outreach import Mode, Outcome, Suppression
from services.contracts.people import Channel, ConsentStatus, MessageClass
from services.contracts.problems import Clearing, Tier
from services.outreach.announce import decided
from services.outreach.decide import Decision, decide, decide_all, reconsider, step_following
from services.outreach.facts import Ending
from services.outreach.gates import GATES, GATES_BEFORE_SENDING, NOBODY_IS_TOLD
from services.outreach.knowledge import Contacted, Knowledge, Rules
from services.outreach.playbook import catalogue_of, parse
from tests.unit.outreach.factories import (
    CUSTOMER,
    DAY,
    HOUR,
    LATE,
    NOON,
    POLICY,
    contact,
    due,
    knowledge,
    problem,
    profile,
    rules,
    statement,
)


def test_a_late_parcel_is_a_contact() -> None:
    decision = decide(due(problem()), knowledge(), rules(), NOON)

    assert decision.outcome is Outcome.CONTACT
    assert decision.is_to_be_sent
    assert decision.use_by == NOON + 2 * DAY


def test_in_shadow_the_same_is_decided_and_nothing_is_to_be_sent() -> None:
    shadow = decide(due(problem()), knowledge(), rules(Mode.SHADOW), NOON)

    assert shadow.outcome is Outcome.CONTACT
    assert shadow.mode is Mode.SHADOW
    assert not shadow.is_to_be_sent


def test_a_deferred_step_says_until_when() -> None:
    night = NOON + 10 * HOUR

    decision = decide(due(problem()), knowledge(), rules(), night)

    assert decision.outcome is Outcome.DEFERRED
    assert decision.deferred_until == NOON + 20 * HOUR
    assert decision.suppression is None


def test_of_two_problems_at_once_the_second_finds_the_budget_used_up() -> None:
    both = (problem("o-1"), problem("o-2"))

    decisions = decide_all([due(p) for p in both], {CUSTOMER: knowledge(*both)}, rules(), NOON)

    assert [d.outcome for d in decisions] == [Outcome.CONTACT, Outcome.SUPPRESSED]
    assert decisions[1].suppression is Suppression.BUDGET


def test_a_contact_in_shadow_takes_no_room_from_a_real_one() -> None:
    past = knowledge(contacted=(Contacted(NOON - HOUR, Mode.SHADOW, MessageClass.SERVICE),))

    assert decide(due(problem()), past, rules(Mode.LIVE), NOON).outcome is Outcome.CONTACT
    assert decide(due(problem()), past, rules(Mode.SHADOW), NOON).outcome is Outcome.SUPPRESSED


def test_where_the_mode_is_limited_only_who_is_listed_is_written_to() -> None:
    listed = replace(rules(Mode.LIMITED), listed=frozenset({CUSTOMER}))

    decision = decide(due(problem()), knowledge(), listed, NOON)
    other = decide(due(problem()), knowledge(), rules(Mode.LIMITED), NOON)

    assert (decision.mode, decision.is_to_be_sent) == (Mode.LIMITED, True)
    assert (other.mode, other.is_to_be_sent) == (Mode.SHADOW, False)
    assert other.outcome is Outcome.CONTACT


@pytest.mark.parametrize("mode", [Mode.LIMITED, Mode.LIVE])
def test_a_contact_in_limited_mode_takes_room_like_any_that_left(mode: Mode) -> None:
    past = knowledge(contacted=(Contacted(NOON - HOUR, Mode.LIMITED, MessageClass.SERVICE),))
    listed = replace(rules(mode), listed=frozenset({CUSTOMER}))

    assert decide(due(problem()), past, listed, NOON).suppression is Suppression.BUDGET


def test_a_step_that_was_overtaken_is_of_no_more_use() -> None:
    at_risk = due(problem(), "delivery_at_risk")

    decision = decide(at_risk, knowledge(), rules(), NOON)

    assert decision.suppression is Suppression.USE_BY


def test_a_decision_made_again_at_another_instant_has_another_id() -> None:
    one = decide(due(problem()), knowledge(), rules(), NOON)
    other = decide(due(problem()), knowledge(), rules(), NOON + HOUR)

    assert one.decision_id != other.decision_id
    assert one.due.step_id == other.due.step_id


def test_before_sending_the_budget_is_not_asked_again() -> None:
    used_up = knowledge(contacted=(Contacted(NOON - HOUR, Mode.LIVE, MessageClass.SERVICE),))

    assert reconsider(due(problem()), used_up, rules(), NOON, GATES) is not None
    assert reconsider(due(problem()), used_up, rules(), NOON, GATES_BEFORE_SENDING) is None


def test_the_published_record_holds_every_gate() -> None:
    decision = decide(due(problem()), knowledge(contacts=(contact(),)), rules(), NOON)

    published = decided(decision)

    assert isinstance(published.data, contract.OutreachDecided)
    assert [verdict.gate for verdict in published.data.gates] == [g.__name__ for g in GATES]
    assert published.data.suppression is Suppression.ALREADY_KNOWN
    assert published.time == NOON
    assert published.customer_id == CUSTOMER
    assert published.id == str(decision.decision_id)


orders = st.sampled_from(["o-1", "o-2", "o-3"])
endings = st.none() | st.just(Ending(NOON, Clearing.SOLVED))
known_problems = st.lists(
    st.builds(
        lambda order, tier, ending: problem(order, tier, ending=ending),
        orders,
        st.sampled_from(Tier),
        endings,
    ),
    min_size=1,
    unique_by=lambda p: p.problem_id,
)
worlds = st.builds(
    lambda problems, contacts, refused, address: knowledge(
        *problems,
        contacts=tuple(contacts),
        consents=(statement(ConsentStatus.DENIED, NOON - DAY),) if refused else (),
        profile=address,
    ),
    known_problems,
    st.lists(orders.map(contact), max_size=2),
    st.booleans(),
    st.sampled_from([None, profile(), profile(time_zone="Asia/Tokyo")]),
)


@given(worlds, st.integers(0, 90), st.data())
def test_every_due_step_gets_one_decision_and_the_same_one_in_any_order(
    known: Knowledge, hours: int, data: st.DataObject
) -> None:
    steps = [
        due(p, playbook)
        for p in known.problems.values()
        for playbook in ("delivery_late", "delivery_at_risk")
    ]
    shuffled = data.draw(st.permutations(steps))
    now = NOON + hours * HOUR

    decisions = decide_all(steps, {CUSTOMER: known}, rules(), now)

    assert decide_all(shuffled, {CUSTOMER: known}, rules(), now) == decisions
    assert {d.due.step_id for d in decisions} == {s.step_id for s in steps}
    assert sum(1 for d in decisions if says_one_thing(d)) == len(steps)
    assert sum(d.outcome is Outcome.CONTACT for d in decisions) <= 1


def says_one_thing(decision: Decision) -> bool:
    is_suppressed = decision.suppression is not None
    is_deferred = decision.deferred_until is not None
    expected: dict[Any, tuple[bool, bool]] = {
        Outcome.CONTACT: (False, False),
        Outcome.SUPPRESSED: (True, False),
        Outcome.DEFERRED: (False, True),
    }
    return expected[decision.outcome] == (is_suppressed, is_deferred)


def test_a_customers_zone_decides_and_not_the_servers() -> None:
    in_tokyo = replace(knowledge(), profile=profile(time_zone="Asia/Tokyo"))

    assert decide(due(problem()), in_tokyo, rules(), NOON).outcome is Outcome.DEFERRED


FOLLOWED = LATE.replace(
    "use_by_hours: 48}]",
    "use_by_hours: 48}, {name: again, action: send, channels: [email], template: delivery_late, "
    "after: {hours: 24, when: WHEN}, use_by_hours: 48}, "
    "{name: desk, action: escalate, after: {hours: 1, when: either}, use_by_hours: 72}]",
)


def followed(when: str = "contacted") -> Rules:
    open_channels = frozenset({Channel.EMAIL, Channel.HUMAN})
    catalogue = catalogue_of([parse(FOLLOWED.replace("WHEN", when), "x")])
    return Rules(catalogue, POLICY, Mode.LIVE, open_channels)


@pytest.mark.parametrize(
    ("when", "known", "follows"),
    [
        ("contacted", {}, True),
        ("not_contacted", {}, False),
        ("either", {}, True),
        ("contacted", {"profile": None}, False),
        ("not_contacted", {"profile": None}, True),
        # The customer knows: whatever the step says, that ends it.
        ("either", {"contacts": (contact(),)}, False),
    ],
)
def test_a_step_follows_by_how_the_one_before_has_gone(
    when: str, known: dict[str, Any], follows: bool
) -> None:
    decision = decide(due(problem()), knowledge(**known), followed(when), NOON)

    following = step_following(decision)

    assert (following is not None) is follows
    if following is not None:
        assert (following.step, following.due_at) == ("again", NOON + 24 * HOUR)
        assert following.step_id != decision.due.step_id


def test_a_problem_that_is_over_ends_the_playbook_and_the_last_step_has_none_behind_it() -> None:
    solved = problem(ending=Ending(NOON, Clearing.SOLVED))
    over = decide(due(solved), knowledge(solved), followed("either"), NOON)
    last = decide(replace(due(problem()), step="desk"), knowledge(), followed(), NOON)

    assert step_following(over) is None
    assert (last.outcome, last.channel) == (Outcome.CONTACT, Channel.HUMAN)
    assert step_following(last) is None


def test_what_waits_for_the_morning_has_nothing_behind_it_yet() -> None:
    night = NOON + 10 * HOUR

    decision = decide(due(problem()), knowledge(), followed("either"), night)

    assert decision.outcome is Outcome.DEFERRED
    assert step_following(decision) is None


def test_who_gives_a_problem_to_a_person_disturbs_nobody() -> None:
    """Neither a denied consent, nor the night, nor a used-up budget stands against it."""
    tired = knowledge(
        contacted=(Contacted(NOON - HOUR, Mode.LIVE, MessageClass.SERVICE),),
        consents=(statement(ConsentStatus.DENIED, NOON - DAY),),
        profile=None,
    )
    at_night = replace(due(problem()), step="desk", triggered_at=NOON + 10 * HOUR)

    decision = decide(at_night, tired, followed(), NOON + 10 * HOUR)

    assert decision.outcome is Outcome.CONTACT
    quiet = {g.gate for g in decision.gates if g.because == NOBODY_IS_TOLD}
    assert quiet == {
        "message_class", "consent", "quiet_hours", "budget", "reserved", "breaker",
    }  # fmt: skip


def test_a_follow_up_may_speak_of_what_became_of_it() -> None:
    """Written about a parcel at risk, followed up when it is late."""
    catalogue = catalogue_of(
        [parse(FOLLOWED.replace("[late]", "[at_risk]").replace("WHEN", "contacted"), "x")]
    )
    rules = Rules(catalogue, POLICY, Mode.LIVE)
    first, second = due(problem()), replace(due(problem()), step="again")

    assert decide(first, knowledge(), rules, NOON).suppression is Suppression.USE_BY
    assert decide(second, knowledge(), rules, NOON).outcome is Outcome.CONTACT
