"""What a step waits for: what is accepted of it, and what comes of it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.contracts.outreach import Outcome, Suppression
from services.contracts.people import Channel
from services.contracts.problems import Tier
from services.outreach.decide import decide, step_following
from services.outreach.knowledge import Knowledge, Rules
from services.outreach.playbook import Playbook, WrongPlaybook, catalogue_of, parse
from services.outreach.signals import Signal
from services.outreach.waiting import come, waiting_for, worsened_for
from tests.unit.outreach.factories import AT_RISK, HOUR, NOON, due, knowledge, problem, rules

DESK = "{name: desk, action: escalate, after: {hours: 48, once: not_helped}, use_by_hours: 72}"
WORSE = "{name: desk, action: escalate, after: {hours: 48, once: worsened}, use_by_hours: 72}"
AGAIN = (
    "{name: again, action: send, channels: [email], template: x, use_by_hours: 9,"
    " after: {hours: 2, when: not_contacted}}"
)


def playbook(*steps: str, text: str = AT_RISK) -> Playbook:
    return parse(
        text.rstrip().removesuffix("]") + "".join(f", {step}" for step in steps) + "]", "x"
    )


def knowing(*playbooks: Playbook) -> Rules:
    ways = frozenset({Channel.EMAIL, Channel.HUMAN})
    return replace(rules(), catalogue=catalogue_of(playbooks), channels=ways)


def known(*, is_unhelpful: bool) -> Knowledge:
    said = {(problem().problem_id, "delivery_at_risk")} if is_unhelpful else set()
    at_risk = problem(tier=Tier.AT_RISK)
    return replace(knowledge(), problems={at_risk.problem_id: at_risk}, unhelpful=frozenset(said))


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (DESK.replace("not_helped", "nothing"), "after.once"),
        (DESK.replace("once: not_helped", "once: worsened, unless: worsened"), "not both"),
        (AGAIN.replace("hours: 2", "hours: 2, once: not_helped"), "escalate"),
        (AGAIN.replace("hours: 2", "hours: 2, unless: not_helped"), "every message"),
    ],
)
def test_what_makes_no_sense_is_refused(step: str, said: str) -> None:
    with pytest.raises(WrongPlaybook, match=said):
        playbook(step)


def test_what_can_never_come_is_refused() -> None:
    with pytest.raises(WrongPlaybook, match="nothing is worse than late"):
        playbook(WORSE, text=AT_RISK.replace("[at_risk]", "[at_risk, late]"))


def test_a_problem_has_worsened_where_it_is_beyond_what_makes_the_playbook_due() -> None:
    waiting = playbook(WORSE)

    assert come(problem(tier=Tier.AT_RISK), waiting, frozenset()) == frozenset()
    assert come(problem(tier=Tier.LATE), waiting, frozenset()) == {Signal.WORSENED}
    assert worsened_for(problem(), {"x": waiting}) == (("delivery_at_risk", "desk"),)
    assert worsened_for(problem(tier=Tier.AT_RISK), {"x": waiting}) == ()
    assert waiting_for(Signal.NOT_HELPED, [waiting]) == ()


def test_what_did_not_help_ends_every_message_of_the_playbook_and_no_escalation() -> None:
    rules_ = knowing(playbook(DESK))
    notice = due(problem(), "delivery_at_risk")
    desk = replace(notice, step="desk")

    assert decide(notice, known(is_unhelpful=False), rules_, NOON).outcome is Outcome.CONTACT
    unhelpful = known(is_unhelpful=True)
    assert decide(notice, unhelpful, rules_, NOON).suppression is Suppression.NOT_HELPED
    assert decide(desk, unhelpful, rules_, NOON).outcome is Outcome.CONTACT


def test_a_step_whose_signal_has_not_come_ends_and_the_next_one_goes_on() -> None:
    rules_ = knowing(playbook(DESK, AGAIN))
    desk = replace(due(problem(), "delivery_at_risk"), step="desk")

    decision = decide(desk, known(is_unhelpful=False), rules_, NOON)
    following = step_following(decision)

    assert decision.suppression is Suppression.AWAITED
    assert following is not None
    assert (following.step, following.due_at) == ("again", NOON + 2 * HOUR)


def test_a_step_whose_signal_has_come_already_is_due_at_once() -> None:
    rules_ = knowing(playbook(WORSE))
    notice = due(problem(), "delivery_at_risk")
    contacted = decide(notice, known(is_unhelpful=False), rules_, NOON)

    later = step_following(contacted)
    at_once = step_following(replace(contacted, signals=frozenset({Signal.WORSENED})))

    assert later is not None
    assert later.due_at == NOON + timedelta(hours=48)
    assert at_once is not None
    assert at_once.due_at == NOON


def test_a_step_is_needless_once_what_it_names_has_come() -> None:
    unless = WORSE.replace("once: worsened", "unless: worsened")
    rules_ = knowing(playbook(unless))
    desk = replace(due(problem(), "delivery_at_risk"), step="desk")
    worse = replace(knowledge(), problems={problem().problem_id: problem()})

    assert decide(desk, known(is_unhelpful=False), rules_, NOON).outcome is Outcome.CONTACT
    assert decide(desk, worse, rules_, NOON).suppression is Suppression.AWAITED
