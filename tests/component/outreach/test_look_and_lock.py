"""A row is looked up, and its customer locked: nobody becomes another in between."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection

from services.contracts.identities import Merge
from services.contracts.people import Channel
from services.outreach import identities, ledger, returned_mail, returns
from services.outreach.api import settling
from services.outreach.channels.endings import Delivery, Ending
from services.outreach.customer_locks import lock_customers, try_lock_customer
from tests.component.outreach.desk import NOON, Desk
from tests.component.outreach.test_merging import merged
from tests.component.outreach.test_provider_circuit import (
    Hook,
    due,
    equipped,
    sender,
    sends,
)
from tests.support.mail import Manner
from tests.support.outreach import opened, problem_id, profile, query
from tests.support.returned import bounce

pytestmark = pytest.mark.connected


def wait_for_a_waiter(url: str) -> None:
    """Return once somebody waits for a lock of ours."""
    waiting = (
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    for _ in range(2_000):
        if query(url, waiting) != [(0,)]:
            return
        threading.Event().wait(0.01)
    raise AssertionError("nobody waits")


@contextmanager
def begun_while_merging(desk: Desk, begin: Callable[[Connection], Any]) -> Iterator[Any]:
    """Begin this while c-1 becomes c-2; give what came of it, before it is committed."""
    found: list[Any] = []
    with desk.engine.connect() as ours:

        def run() -> None:
            with ours.begin():
                found.append(begin(ours))
                ready.set()
                over.wait(60)

        ready, over = threading.Event(), threading.Event()
        other = threading.Thread(target=run)
        with desk.engine.begin() as theirs:
            identities.hold(theirs, alone=True)
            lock_customers(theirs, ["c-1", "c-2"])
            identities.merge(theirs, Merge("c-1", "c-2", NOON))
            other.start()
            wait_for_a_waiter(desk.url)
        try:
            assert ready.wait(60)
            yield found[0]
        finally:
            over.set()
            other.join()


def is_free(desk: Desk, customer: str) -> bool:
    with desk.engine.begin() as connection:
        return try_lock_customer(connection, customer)


@pytest.fixture
def written(desk: Desk) -> Desk:
    """A desk that has written one mail."""
    desk.learn(profile("c-1"), opened("c-1", NOON))
    desk.decide()
    assert desk.send() == 1
    return desk


def test_what_a_person_says_of_a_task_locks_who_it_is_by_then(written: Desk) -> None:
    def begin(connection: Connection) -> None:
        settling._lock_customer_of(connection, UUID(problem_id("c-1")))

    with begun_while_merging(written, begin):
        assert not is_free(written, "c-2")


def test_what_a_person_says_of_a_send_locks_who_it_is_by_then(written: Desk) -> None:
    ((step,),) = query(written.url, "SELECT step_id FROM sends")

    def begin(connection: Connection) -> Any:
        return settling._locked_send(connection, step)

    with begun_while_merging(written, begin) as row:
        assert row.customer_id == "c-2"
        assert not is_free(written, "c-2")


def test_a_mail_that_comes_back_meanwhile_is_who_stays(written: Desk) -> None:
    raw = bounce(str(written.channel.mails[0]["Message-ID"]), "c-1@example.org")
    returned = returned_mail.read(raw)
    assert returned is not None

    def begin(connection: Connection) -> returns.Fate:
        return returns.take(connection, returned, NOON)

    with begun_while_merging(written, begin) as fate:
        assert fate is returns.Fate.HARD
    assert query(written.url, "SELECT customer_id FROM bounces") == [("c-2",)]


def test_what_became_anothers_is_passed_on_at_the_next_turn(url: str) -> None:
    desk = equipped(url, Manner.TAKES, Hook(Delivery(Ending.TAKEN)))
    by_mail = sender(desk, Channel.EMAIL)
    due(desk, "c-1")
    with desk.engine.begin() as connection:
        (waiting,) = ledger.waiting(connection, desk.out.rules, None, [Channel.EMAIL], NOON)
    desk.learn(merged("c-1", "c-2"))

    assert not by_mail._pass_one_on(waiting, lambda: NOON)
    assert sends(desk) == [("email", "pending", 0)]
