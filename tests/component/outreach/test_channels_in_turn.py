"""Several channels for one message: the next is tried where this one has surely not taken it, only then."""

from dataclasses import replace

import pytest

from services.contracts.people import Channel
from services.outreach.channels.endings import Delivery, Ending
from services.outreach.channels.outgoing import Outgoing
from services.outreach.playbook import catalogue_of, parse
from services.outreach.routes import Attempt, Route
from services.outreach.sender import Sender
from tests.component.outreach.desk import NOON, Desk
from tests.factories import HOUR
from tests.support.mail import Manner
from tests.support.outreach import consent, opened, profile, query

pytestmark = pytest.mark.connected

PLAYBOOK = """
name: delivery_late
version: 1
mode: live
message_class: service
trigger: {kind: delivery_delay, tiers: [late]}
steps:
  - {name: notice, action: send, channels: [email, webhook], template: delivery_late, use_by_hours: 48}
  - {name: desk, action: escalate, after: {hours: 24}, use_by_hours: 48}
"""


class Hook:
    """Stands in for another channel: keeps what it is given, and ends as it is told."""

    def __init__(self, ending: Ending = Ending.TAKEN) -> None:
        self.ending = ending
        self.taken: list[Outgoing] = []

    def prepare(self, outgoing: Outgoing) -> Attempt:
        def attempt() -> Delivery:
            self.taken.append(outgoing)
            return Delivery(self.ending, "as told")

        return attempt

    def close(self) -> None:
        pass


def equipped(desk: Desk, hook: Hook) -> Desk:
    """Return the desk with a second channel, and a playbook that uses it."""
    routes: dict[Channel, Route] = {**desk.out.routes, Channel.WEBHOOK: hook}
    rules = replace(
        desk.out.rules,
        catalogue=catalogue_of([parse(PLAYBOOK, "x")]),
        channels=frozenset(routes),
    )
    desk.out = replace(desk.out, rules=rules, routes=routes)
    desk.sender = Sender(desk.engine, desk.out, desk.sender._log)
    return desk


def ledger_of(desk: Desk) -> list[tuple[object, ...]]:
    return query(desk.url, "SELECT step, channel, state, attempt FROM sends ORDER BY decided_at")


@pytest.mark.parametrize("manner", [Manner.REFUSES_RECIPIENT, Manner.BUSY_AT_RECIPIENT])
def test_what_mail_has_surely_not_taken_goes_by_the_next_channel(url: str, manner: Manner) -> None:
    hook = Hook()
    desk = equipped(Desk(url, manner), hook)
    desk.learn(profile("c-1"), opened("c-1", NOON))

    assert desk.decide() == ["contact"]
    desk.send()

    assert [(one.recipient, one.step) for one in hook.taken] == [("c-1", "notice")]
    assert [row[:3] for row in ledger_of(desk)] == [("notice", "webhook", "sent")]


def test_what_nobody_can_tell_whether_it_was_taken_goes_no_other_way(url: str) -> None:
    hook = Hook()
    desk = equipped(Desk(url, Manner.TAKES_AND_HANGS), hook)
    desk.learn(profile("c-1"), opened("c-1", NOON))
    desk.decide()
    desk.send()

    assert hook.taken == []
    assert ledger_of(desk) == [("notice", "email", "unknown", 1)]


def test_a_channel_the_customer_denied_is_passed_over(url: str) -> None:
    hook = Hook()
    desk = equipped(Desk(url), hook)
    desk.learn(profile("c-1"), consent("c-1", "denied"), opened("c-1", NOON))
    desk.decide()

    assert desk.send() == 0
    assert len(hook.taken) == 1


def test_a_word_between_decision_and_send_moves_it_to_the_next_channel(url: str) -> None:
    hook = Hook()
    desk = equipped(Desk(url), hook)
    desk.learn(profile("c-1"), opened("c-1", NOON))
    desk.decide()
    desk.learn(consent("c-1", "denied", at=NOON), now=NOON)

    assert desk.send() == 0
    assert len(hook.taken) == 1
    assert ledger_of(desk) == [("notice", "webhook", "sent", 1)]


def test_where_every_channel_refuses_it_has_failed(url: str) -> None:
    desk = equipped(Desk(url, Manner.REFUSES_RECIPIENT), Hook(Ending.REFUSED))
    desk.learn(profile("c-1"), opened("c-1", NOON))
    desk.decide()
    desk.send()

    assert ledger_of(desk) == [("notice", "webhook", "failed", 2)]


def test_a_person_gets_what_follows_and_the_customer_hears_nothing_of_it(url: str) -> None:
    desk = equipped(Desk(url), Hook())
    desk.learn(profile("c-1"), opened("c-1", NOON, complaint_risk=0.5))
    desk.decide()
    desk.send()

    assert desk.decide(NOON + 24 * HOUR) == ["contact"]
    assert desk.send(NOON + 24 * HOUR) == 1
    assert ledger_of(desk)[-1] == ("desk", "human", "sent", 1)


def test_a_sender_for_one_channel_leaves_the_others_alone(url: str) -> None:
    hook = Hook()
    desk = equipped(Desk(url), hook)
    desk.learn(profile("c-1"), opened("c-1", NOON))
    desk.decide()

    by_hook = Sender(desk.engine, desk.out, desk.sender._log, channels=[Channel.WEBHOOK])

    assert by_hook.send_due(None, lambda: NOON) == 0
    assert desk.send() == 1
