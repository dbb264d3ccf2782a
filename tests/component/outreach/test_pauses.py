"""The kill switch over a real database: nothing is started once a pause is committed, and nothing is lost."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError

from services.contracts.people import Channel
from services.outreach import ledger, pauses, telemetry
from services.outreach.pauses import (
    EVERYTHING,
    AlreadyPaused,
    NotPaused,
    Pause,
    Pauses,
    Scope,
    Target,
)
from services.outreach.sender import Sender
from services.outreach.situation import Breaker
from tests.component.outreach.desk import NIGHT, NOON, OTHER, Desk, execute
from tests.component.outreach.test_channels_in_turn import Hook, equipped
from tests.component.outreach.test_untoward import RENAMED_PLAYBOOK, without_it
from tests.factories import HOUR
from tests.support.mail import Manner
from tests.support.outreach import cleared, consent, opened, profile, query, states
from tests.support.topics import wait_for

pytestmark = pytest.mark.connected

OURS, ELSE = Target(Scope.PLAYBOOK, "delivery_late"), Target(Scope.PLAYBOOK, "delivery_at_risk")
MAIL, HOOK = Target(Scope.CHANNEL, "email"), Target(Scope.CHANNEL, "webhook")


def pause(desk: Desk, target: Target = EVERYTHING, at: datetime = NOON) -> None:
    with desk.engine.begin() as connection:
        pauses.pause(connection, Pause(target, at, "ada", "wrong dates"))


def resume(desk: Desk, target: Target = EVERYTHING, at: datetime = NOON) -> None:
    with desk.engine.begin() as connection:
        pauses.resume(connection, target, "bob", at)


def goes_wrong(desk: Desk, *customers: str, at: datetime = NOON) -> None:
    desk.learn(*(profile(name) for name in customers))
    desk.learn(*(opened(name, at) for name in customers), now=at)


def waiting(desk: Desk, now: datetime) -> list[ledger.Waiting]:
    with desk.engine.begin() as connection:
        return ledger.waiting(connection, desk.out.rules, None, list(Channel), now)


def next_attempt(desk: Desk) -> datetime | None:
    with desk.engine.begin() as connection:
        return ledger.next_attempt(connection, desk.out.rules, [0])


def use_by_of(desk: Desk) -> datetime:
    found: datetime = query(desk.url, "SELECT use_by FROM sends")[0][0]
    return found


@pytest.mark.parametrize("target", [EVERYTHING, OURS, MAIL], ids=str)
def test_it_is_decided_while_it_is_paused_and_sent_once_it_is_resumed(
    desk: Desk, target: Target
) -> None:
    pause(desk, target)
    goes_wrong(desk, "c-1")

    assert desk.decide() == ["contact"]
    assert desk.send(NOON + HOUR) == 0
    assert states(desk.url) == {"pending": 1}
    assert desk.told() == ["decided"]

    resume(desk, target)
    assert desk.send(NOON + HOUR) == 1
    assert states(desk.url) == {"sent": 1}


@pytest.mark.parametrize("target", [ELSE, HOOK], ids=str)
def test_what_is_not_meant_is_sent(desk: Desk, target: Target) -> None:
    pause(desk, target)
    goes_wrong(desk, "c-1")
    desk.decide()

    assert desk.send() == 1


def test_a_pause_between_the_look_and_the_start_is_seen(desk: Desk) -> None:
    goes_wrong(desk, "c-1")
    desk.decide()
    (found,) = waiting(desk, NOON)

    pause(desk)

    assert not desk.sender.attempt(found, lambda: NOON)
    assert states(desk.url) == {"pending": 1}
    assert waiting(desk, NOON) == []
    assert desk.told() == ["decided"]


def test_what_is_put_back_after_an_attempt_is_not_tried_again_while_it_is_paused(url: str) -> None:
    desk = Desk(url, Manner.BUSY_AT_RECIPIENT, patient=True)
    goes_wrong(desk, "c-1")
    desk.decide()
    desk.send()
    pause(desk)

    assert waiting(desk, NOON + HOUR) == []
    desk.send(NOON + HOUR)
    assert desk.channel.attempts == 1
    resume(desk)
    desk.send(NOON + HOUR)
    assert desk.channel.attempts == 2
    desk.engine.dispose()


def test_every_gate_is_asked_again_once_it_is_resumed(desk: Desk) -> None:
    goes_wrong(desk, "c-1", "c-2", "c-3")
    desk.decide()
    pause(desk)
    desk.learn(consent("c-1", "denied", at=NOON), cleared("c-2", NOON))
    # Whose problem is over is not kept waiting for the end of the pause.
    assert states(desk.url) == {"pending": 2, "withdrawn": 1}

    resume(desk)

    assert desk.send(NIGHT) == 0
    told = query(desk.url, "SELECT customer_id, state, reason FROM sends ORDER BY 1")
    assert [row[:2] for row in told] == [
        ("c-1", "failed"),
        ("c-2", "withdrawn"),
        ("c-3", "pending"),
    ]
    assert told[2][2] == "quiet_hours"


def test_what_is_paused_until_its_use_by_fails_and_is_looked_at_no_sooner(desk: Desk) -> None:
    goes_wrong(desk, "c-1")
    desk.decide()
    use_by = use_by_of(desk)
    assert next_attempt(desk) == NOON
    pause(desk)

    # Simulated time goes on to its use-by; a turn in the past would bring it back here for ever.
    assert next_attempt(desk) == use_by
    assert waiting(desk, use_by - timedelta(seconds=1)) == []
    assert desk.send(use_by) == 0

    assert query(desk.url, "SELECT state, reason FROM sends") == [("failed", "use_by")]
    assert desk.told() == ["decided", "failed"]
    assert next_attempt(desk) is None


def test_what_nobody_knows_any_more_fails_as_that_though_it_is_paused(desk: Desk) -> None:
    goes_wrong(desk, "c-1")
    desk.decide()
    other = without_it(desk, RENAMED_PLAYBOOK)
    pause(desk)

    other.send(use_by_of(desk))

    assert query(desk.url, "SELECT state, reason FROM sends") == [("failed", "playbook_gone")]
    other.engine.dispose()


def test_what_mail_refused_does_not_go_by_a_channel_that_is_paused(url: str) -> None:
    hook = Hook()
    desk = equipped(Desk(url, Manner.REFUSES_RECIPIENT), hook)
    goes_wrong(desk, "c-1")
    desk.decide()
    pause(desk, HOOK)
    desk.send()

    assert hook.taken == []
    assert query(url, "SELECT channel, state FROM sends") == [("webhook", "pending")]
    resume(desk, HOOK)
    desk.send()
    assert len(hook.taken) == 1
    desk.engine.dispose()


def test_what_is_paused_takes_no_place_from_what_is_not(url: str) -> None:
    desk = equipped(Desk(url), Hook())
    goes_wrong(desk, *(f"c-{n}" for n in range(4)))
    desk.decide()
    execute(url, "UPDATE sends SET channel = 'webhook' WHERE customer_id = 'c-3'")
    pause(desk, MAIL)

    assert desk.sender.send_due(None, lambda: NOON, limit=1) == 1
    assert states(url) == {"pending": 3, "sent": 1}
    desk.engine.dispose()


def test_each_is_resumed_by_itself_and_nothing_is_forgotten(desk: Desk) -> None:
    pause(desk)
    pause(desk, MAIL, NOON + HOUR)
    with pytest.raises(AlreadyPaused, match="channel email is paused already") as caught:
        pause(desk, MAIL, NOON + 2 * HOUR)
    assert caught.value.found == Pause(MAIL, NOON + HOUR, "ada", "wrong dates")
    resume(desk, at=NOON + 2 * HOUR)
    with pytest.raises(NotPaused, match="everything is not paused"):
        resume(desk)

    goes_wrong(desk, "c-1")
    desk.decide()
    assert desk.send() == 0
    pause(desk, at=NOON + 3 * HOUR)
    with desk.engine.begin() as connection:
        kept = [(str(one.target), one.resumed_by) for one in pauses.history(connection)]
    assert kept == [("everything", "bob"), ("channel email", None), ("everything", None)]


@pytest.mark.parametrize(
    "row",
    [
        "'all', NULL, now(), 'x', 'x', NULL, NULL",
        "'channel', 'email', now(), 'x', 'x', NULL, NULL",
        "'playbook', NULL, now(), 'x', 'x', NULL, NULL",
        "'all', 'email', now(), 'x', 'x', now(), 'x'",
        "'some', 'email', now(), 'x', 'x', now(), 'x'",
        "'all', NULL, now(), 'x', 'x', now(), NULL",
    ],
)
def test_the_table_takes_no_second_pause_of_the_same_and_none_of_nothing(
    desk: Desk, row: str
) -> None:
    pause(desk)
    pause(desk, MAIL)
    with pytest.raises(IntegrityError), desk.engine.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO pauses VALUES (gen_random_uuid(), {row})")


def test_what_is_paused_is_counted_by_its_sort(desk: Desk) -> None:
    pause(desk)
    pause(desk, MAIL)
    resume(desk)
    pause(desk, HOOK)
    registry = telemetry.registry_of(desk.engine, lambda: None)

    values = {
        kind: registry.get_sample_value("care_outreach_pauses_open", {"kind": kind})
        for kind in ("all", "playbook", "channel")
    }
    assert values == {"all": 0, "playbook": 0, "channel": 2}


def test_who_starts_and_who_pauses_wait_for_each_other(desk: Desk) -> None:
    """The start that is being written comes first; whoever asks after the pause was asked for does not."""
    goes_wrong(desk, "c-1", "c-2")
    desk.decide()
    first, second = waiting(desk, NOON)
    other = Desk(desk.url, owner=OTHER)
    in_the_middle, go_on = threading.Event(), threading.Event()

    def slowly() -> datetime:
        in_the_middle.set()
        assert go_on.wait(60)
        return NOON

    with beside(lambda: desk.sender.attempt(first, slowly)):
        assert in_the_middle.wait(60)
        with beside(lambda: pause(other)):
            wait_for(lambda: waiting_for_locks(desk.url) == 1, "the one who pauses")
            with beside(lambda: other.sender.attempt(second, lambda: NOON)):
                wait_for(lambda: waiting_for_locks(desk.url) == 2, "the other sender")
                assert query(desk.url, "SELECT count(*) FROM pauses") == [(0,)]
                go_on.set()

    assert states(desk.url) == {"sent": 1, "pending": 1}
    assert query(desk.url, "SELECT count(*) FROM pauses") == [(1,)]
    other.engine.dispose()


def test_a_pause_that_was_waited_for_is_seen_whatever_the_server_isolates(url: str) -> None:
    name = url.rsplit("/", 1)[1]
    execute(url, f"ALTER DATABASE {name} SET default_transaction_isolation TO 'serializable'")
    desk = Desk(url)
    goes_wrong(desk, "c-1")
    desk.decide()
    (found,) = waiting(desk, NOON)

    with desk.engine.begin() as connection:
        pauses.pause(connection, Pause(EVERYTHING, NOON, "ada", "wrong dates"))
        sending = threading.Thread(target=lambda: desk.sender.attempt(found, lambda: NOON))
        sending.start()
        wait_for(lambda: waiting_for_locks(url) == 1, "the sender")
    sending.join()

    assert states(url) == {"pending": 1}
    desk.engine.dispose()


def test_two_replicas_start_nothing_after_a_pause_however_they_meet_it(desk: Desk) -> None:
    limits = Breaker(at_least=10_000, factor=2)
    policy = replace(desk.out.rules.policy, breaker=limits)
    desk.out = replace(desk.out, rules=replace(desk.out.rules, policy=policy))
    goes_wrong(desk, *(f"c-{n}" for n in range(400)))
    assert desk.decide() == ["contact"] * 400
    replicas = [Desk(desk.url, owner=UUID(int=n << 64)) for n in (7, 8)]
    chance, cut_short = random.Random(7), 0

    for n in range(50):
        before = pending(desk)
        left = interrupted(desk, replicas, chance.uniform(0, 0.02), NOON + n * timedelta(seconds=1))
        # All that was started was so by the time the pause was committed.
        assert pending(desk) == left
        cut_short += 0 < left < before
        resume(desk)

    assert cut_short > 0
    for replica in replicas:
        replica.send()
        replica.engine.dispose()
    assert states(desk.url) == {"sent": 400}


def interrupted(desk: Desk, replicas: list[Desk], after: float, at: datetime) -> int:
    """Let them send, and pause it after so many seconds; return what was pending right then."""

    def send(sender: Sender) -> None:
        while sender.send_due(None, lambda: NOON, limit=5):
            pass

    threads = [threading.Thread(target=send, args=(replica.sender,)) for replica in replicas]
    for thread in threads:
        thread.start()
    threading.Event().wait(after)
    pause(desk, at=at)
    left = pending(desk)
    for thread in threads:
        thread.join()
    return left


def pending(desk: Desk) -> int:
    return states(desk.url).get("pending", 0)


@contextmanager
def beside(work: Callable[[], Any]) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join()


def waiting_for_locks(url: str) -> int:
    statement = """
        SELECT count(*) FROM pg_locks JOIN pg_database ON oid = database
        WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted
    """
    return int(query(url, statement)[0][0])


@pytest.mark.parametrize(
    ("targets", "held"),
    [
        ([], False),
        ([EVERYTHING], True),
        ([OURS], True),
        ([MAIL], True),
        ([ELSE, HOOK], False),
        ([Target(Scope.CHANNEL, "delivery_late"), Target(Scope.PLAYBOOK, "email")], False),
    ],
)
def test_it_holds_what_is_named(targets: list[Target], held: bool) -> None:
    assert Pauses(frozenset(targets)).holds("delivery_late", Channel.EMAIL) is held
