"""A provider in trouble, or asked fast enough, is left alone; what is pending stays so, and others go on."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.contracts.people import Channel
from services.kit import logs
from services.outreach import pauses
from services.outreach.channels.breaker import Breaker, Patience, Phase
from services.outreach.channels.endings import Delivery, Ending
from services.outreach.channels.outgoing import Outgoing
from services.outreach.live import LiveLoop
from services.outreach.playbook import catalogue_of, parse
from services.outreach.routes import Attempt, Route
from services.outreach.sender import Sender
from tests.component.outreach.desk import NOON, Desk
from tests.factories import HOUR
from tests.support.mail import Manner
from tests.support.outreach import consent, opened, profile, query
from tests.support.topics import wait_for

pytestmark = pytest.mark.connected

SECOND = timedelta(seconds=1)
BOTH = """
name: delivery_late
version: 1
mode: live
message_class: service
trigger: {kind: delivery_delay, tiers: [late]}
steps:
  - {name: notice, action: send, channels: [email, webhook], template: delivery_late, use_by_hours: 48}
"""
HOOK = BOTH.replace("[email, webhook]", "[webhook]")


class Hook:
    """Stands in for a channel beside mail: ends as it is told."""

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        self.attempts = 0

    def prepare(self, outgoing: Outgoing) -> Attempt:
        def attempt() -> Delivery:
            self.attempts += 1
            return self.delivery

        return attempt

    def close(self) -> None:
        pass


def equipped(url: str, manner: Manner, hook: Hook, playbook: str = BOTH) -> Desk:
    """Return a patient desk that sends by mail and by this hook."""
    desk = Desk(url, manner, patient=True)
    routes: dict[Channel, Route] = {**desk.out.routes, Channel.WEBHOOK: hook}
    catalogue = catalogue_of([parse(playbook, "x")])
    rules = replace(desk.out.rules, catalogue=catalogue, channels=frozenset(routes))
    desk.out = replace(desk.out, rules=rules, routes=routes)
    return desk


def sender(desk: Desk, by: Channel, patience: Patience | None = None) -> Sender:
    provider = Breaker(patience or Patience())
    return Sender(desk.engine, desk.out, logs.get("test"), [by], provider)


def due(desk: Desk, *customers: str) -> None:
    desk.learn(*(profile(c) for c in customers), *(opened(c, NOON) for c in customers))
    assert desk.decide() == ["contact"] * len(customers)


def send(by: Sender, now: datetime = NOON) -> int:
    """Send until nothing changes any more; return how often something did."""
    changes = 0
    while changed := by.send_due(None, lambda: now):
        changes += changed
    return changes


def sends(desk: Desk) -> list[tuple[object, ...]]:
    return query(desk.url, "SELECT channel, state, attempt FROM sends ORDER BY 1, 3, 2")


def test_after_five_in_a_row_the_sixth_is_not_started_until_the_cool_down(url: str) -> None:
    desk = equipped(url, Manner.BUSY_AT_RECIPIENT, Hook(Delivery(Ending.TAKEN)))
    by_mail = sender(desk, Channel.EMAIL)
    due(desk, *(f"c-{n}" for n in range(6)))

    assert send(by_mail) == 5
    assert send(by_mail, NOON + 29 * SECOND) == 0
    assert desk.channel.attempts == 5
    assert sends(desk) == [("email", "pending", 0)] + [("email", "pending", 1)] * 5
    assert desk.told().count("started") == 5
    assert by_mail.held_until(NOON) == NOON + 30 * SECOND

    desk.channel.manner_of = lambda _: Manner.TAKES
    assert by_mail.phase(NOON + 30 * SECOND) is Phase.HALF_OPEN
    assert send(by_mail, NOON + HOUR) == 6
    assert sends(desk) == [("email", "sent", 1)] + [("email", "sent", 2)] * 5
    assert by_mail.phase(NOON + HOUR) is Phase.CLOSED


def test_one_attempt_that_fails_again_leaves_it_alone_for_twice_as_long(url: str) -> None:
    desk = equipped(url, Manner.BUSY_AT_RECIPIENT, Hook(Delivery(Ending.TAKEN)))
    by_mail = sender(desk, Channel.EMAIL)
    due(desk, *(f"c-{n}" for n in range(6)))
    send(by_mail)
    again = NOON + 30 * SECOND

    assert send(by_mail, again) == 1
    assert by_mail.held_until(again) == again + 60 * SECOND


def test_another_channel_goes_on_undisturbed(url: str) -> None:
    hook = Hook(Delivery(Ending.TAKEN))
    desk = equipped(url, Manner.BUSY_AT_RECIPIENT, hook)
    by_mail, by_hook = sender(desk, Channel.EMAIL), sender(desk, Channel.WEBHOOK)
    customers = [f"c-{n}" for n in range(8)]
    desk.learn(*(consent(c, "denied") for c in customers[6:]))
    due(desk, *customers)

    send(by_mail)
    assert by_mail.phase(NOON) is Phase.OPEN
    assert send(by_hook) == 2

    assert hook.attempts == 2
    assert sends(desk)[-2:] == [("webhook", "sent", 1)] * 2


def test_what_is_over_while_a_provider_is_left_alone_another_channels_sender_ends(url: str) -> None:
    desk = equipped(url, Manner.BUSY_AT_RECIPIENT, Hook(Delivery(Ending.TAKEN)), HOOK)
    held = Breaker(failures=5, open_until=NOON + 100 * HOUR)
    by_hook = Sender(desk.engine, desk.out, logs.get("test"), [Channel.WEBHOOK], held)
    due(desk, "c-1")

    assert send(by_hook, NOON + 49 * HOUR) == 0
    assert send(sender(desk, Channel.EMAIL), NOON + 49 * HOUR) == 1
    assert sends(desk) == [("webhook", "failed", 0)]


def test_who_is_to_stop_begins_no_other(url: str) -> None:
    desk = equipped(url, Manner.TAKES, Hook(Delivery(Ending.TAKEN)))
    by_mail = sender(desk, Channel.EMAIL)
    due(desk, "c-1", "c-2", "c-3")

    def is_stopping() -> bool:
        return desk.channel.attempts > 0

    assert by_mail.send_due(None, lambda: NOON, 20, is_stopping) == 1
    assert sends(desk) == [("email", "pending", 0)] * 2 + [("email", "sent", 1)]


NEARLY_OVER = NOON + 48 * HOUR - 50 * SECOND
"""So near to the use-by that a circuit which opens now is half open too late for most."""


def test_what_would_be_over_by_then_goes_by_its_next_channel(url: str) -> None:
    hook = Hook(Delivery(Ending.TAKEN))
    desk = equipped(url, Manner.BUSY_AT_RECIPIENT, hook)
    by_mail, by_hook = sender(desk, Channel.EMAIL), sender(desk, Channel.WEBHOOK)
    due(desk, *(f"c-{n}" for n in range(9)))

    send(by_mail, NEARLY_OVER)
    assert {row[0] for row in sends(desk)} == {"webhook"}
    assert send(by_hook, NEARLY_OVER) == 9

    assert (desk.channel.attempts, hook.attempts) == (5, 9)
    assert sends(desk) == [("webhook", "sent", 1)] * 4 + [("webhook", "sent", 2)] * 5


def test_what_can_go_no_other_way_stays_and_is_looked_at_once(url: str) -> None:
    hook = Hook(Delivery(Ending.TAKEN))
    desk = equipped(url, Manner.TAKES, hook)
    held = Breaker(failures=5, open_until=NEARLY_OVER + HOUR)
    by_mail = Sender(desk.engine, desk.out, logs.get("test"), [Channel.EMAIL], held)
    desk.learn(*(consent(c, "denied", channel="webhook") for c in ("c-1", "c-2")))
    due(desk, "c-1", "c-2", "c-3")

    assert send(by_mail, NEARLY_OVER) == 1
    assert len(by_mail._without_way) == 2
    assert sends(desk) == [("email", "pending", 0)] * 2 + [("webhook", "pending", 0)]
    assert send(by_mail, NEARLY_OVER) == 0


def test_what_has_the_time_waits_for_the_better_channel(url: str) -> None:
    desk = equipped(url, Manner.TAKES, Hook(Delivery(Ending.TAKEN)))
    held = Breaker(failures=5, open_until=NEARLY_OVER - HOUR)
    by_mail = Sender(desk.engine, desk.out, logs.get("test"), [Channel.EMAIL], held)
    due(desk, "c-1")

    assert send(by_mail) == 0
    assert sends(desk) == [("email", "pending", 0)]


def test_what_a_person_has_paused_goes_no_other_way_either(url: str) -> None:
    desk = equipped(url, Manner.TAKES, Hook(Delivery(Ending.TAKEN)))
    held = Breaker(failures=5, open_until=NEARLY_OVER + HOUR)
    by_mail = Sender(desk.engine, desk.out, logs.get("test"), [Channel.EMAIL], held)
    due(desk, "c-1")
    with desk.engine.begin() as connection:
        mail = pauses.Target(pauses.Scope.CHANNEL, "email")
        pauses.pause(connection, pauses.Pause(mail, NOON, "ada", "wrong sender"))

    assert send(by_mail, NEARLY_OVER) == 0
    assert sends(desk) == [("email", "pending", 0)]


def test_no_faster_than_the_pace(url: str) -> None:
    desk = equipped(url, Manner.TAKES, Hook(Delivery(Ending.TAKEN)))
    by_mail = sender(desk, Channel.EMAIL, Patience(interval=2 * SECOND))
    due(desk, "c-1", "c-2", "c-3")

    assert [send(by_mail, NOON + n * SECOND) for n in range(6)] == [1, 0, 1, 0, 1, 0]
    assert by_mail.phase(NOON) is Phase.CLOSED


def test_who_asks_to_wait_is_waited_for_and_so_is_every_other_message(url: str) -> None:
    hook = Hook(Delivery(Ending.DEFERRED, "429", retry_after=HOUR))
    desk = equipped(url, Manner.TAKES, hook, HOOK)
    by_hook = sender(desk, Channel.WEBHOOK)
    due(desk, "c-1", "c-2")

    assert send(by_hook) == 1
    assert query(desk.url, "SELECT next_attempt_at FROM sends WHERE attempt = 1") == [
        (NOON + HOUR,)
    ]
    assert send(by_hook, NOON + HOUR - SECOND) == 0

    hook.delivery = Delivery(Ending.TAKEN)
    assert send(by_hook, NOON + HOUR) == 2


def test_who_asks_to_wait_until_it_would_help_nobody_has_not_taken_it(url: str) -> None:
    hook = Hook(Delivery(Ending.DEFERRED, "429", retry_after=49 * HOUR))
    desk = equipped(url, Manner.TAKES, hook, HOOK)
    due(desk, "c-1")

    assert send(sender(desk, Channel.WEBHOOK)) == 1
    assert query(desk.url, "SELECT state, reason FROM sends") == [
        ("failed", "not taken in 1 attempts: 429")
    ]


def test_nobody_there_any_more_is_told_and_fails_as_refused(url: str) -> None:
    desk = equipped(url, Manner.TAKES, Hook(Delivery(Ending.REFUSED, "410", gone=True)), HOOK)
    due(desk, "c-1")

    with capture_logs() as lines:
        assert send(sender(desk, Channel.WEBHOOK)) == 1

    assert query(desk.url, "SELECT state, reason FROM sends") == [("failed", "410")]
    (line,) = [line for line in lines if line["event"] == "outreach_address_gone"]
    assert line["channel"] == "webhook"
    assert "c-1" not in str(lines)


class Standing:
    """A clock that stands still: no cool-down ever ends."""

    def now(self) -> datetime:
        return NOON


class Nothing:
    """Stands in for Kafka on both sides: nothing comes, and what goes is let go."""

    partitions = (0, 1, 2, 3)

    def publish_all(self) -> None:
        pass

    def publish_now(self) -> None:
        pass


def test_in_real_time_every_channel_heeds_its_own_provider(url: str) -> None:
    hook = Hook(Delivery(Ending.TAKEN))
    kafka: Any = Nothing()
    desk = equipped(url, Manner.BUSY_AT_RECIPIENT, hook)
    customers = [f"c-{n}" for n in range(8)]
    desk.learn(*(consent(c, "denied") for c in customers[6:]))
    due(desk, *customers)

    loop = LiveLoop(desk.engine, kafka, kafka, desk.out, Standing(), logs.get("test"))
    try:
        wait_for(lambda: loop.circuits()[Channel.EMAIL] is Phase.OPEN, "the open circuit")
        wait_for(lambda: hook.attempts == 2, "both webhooks")
    finally:
        loop.close()

    closed = {by for by, phase in loop.circuits().items() if phase is Phase.CLOSED}
    assert closed == {Channel.HUMAN, Channel.WEBHOOK}
    assert sends(desk) == [
        ("email", "pending", 0),
        *[("email", "pending", 1)] * 5,
        *[("webhook", "sent", 1)] * 2,
    ]
