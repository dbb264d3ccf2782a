"""What must not stop outreach: a message nobody can write, a step that is gone, a record no table takes."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from services.contracts.envelope import Event
from services.kit import logs
from services.outreach import ledger
from services.outreach.batch import Batch
from services.outreach.customer_locks import lock_customers
from services.outreach.sender import Sender
from services.outreach.settings import Settings
from services.outreach.worker import Worker
from tests.component.outreach.desk import (
    ME,
    NIGHT,
    NOON,
    Desk,
    FakeRecord,
    counts,
    execute,
    record,
    topic_of,
)
from tests.factories import DAY, HOUR, START, wrote
from tests.support.outreach import consent, opened, profile, query, states

pytestmark = pytest.mark.connected


@pytest.mark.parametrize(
    "spoilt",
    [
        "UPDATE profiles SET email = 'a@[' WHERE customer_id = 'c-1'",
        "UPDATE problems SET promised_by = '0001-01-01 00:00+00' WHERE customer_id = 'c-1'",
    ],
)
def test_a_message_that_cannot_be_written_fails_alone(desk: Desk, spoilt: str) -> None:
    desk.learn(*(profile(f"c-{n}", time_zone="America/Sao_Paulo") for n in (1, 2)))
    desk.learn(opened("c-1", NOON), opened("c-2", NOON))
    execute(desk.url, spoilt)
    desk.decide()

    assert desk.send() == 1
    told = query(desk.url, "SELECT customer_id, state, reason FROM sends ORDER BY 1")
    assert told == [("c-1", "failed", "unwritable"), ("c-2", "sent", None)]
    assert sorted(desk.told()) == ["decided", "decided", "failed", "sent", "started"]


RENAMED_PLAYBOOK = {"name": "delivery_very_late"}
RENAMED_STEP = {"steps": [{"name": "letter"}]}


def without_it(desk: Desk, changes: dict[str, Any]) -> Desk:
    """Return a desk of a version in which that playbook, or its step, has another name."""
    catalogue = dict(desk.out.rules.catalogue)
    old = catalogue.pop("delivery_late")
    steps = tuple(
        step.model_copy(update=change)
        for step, change in zip(old.steps, changes.get("steps", [{}]), strict=True)
    )
    new = old.model_copy(update={**changes, "steps": steps})
    catalogue[new.name] = new
    other = Desk(desk.url)
    other.out = replace(desk.out, rules=replace(desk.out.rules, catalogue=catalogue))
    other.sender = Sender(other.engine, other.out, logs.get("test"))
    other.offsets = desk.offsets
    return other


@pytest.mark.parametrize("changes", [RENAMED_PLAYBOOK, RENAMED_STEP])
def test_what_is_queued_for_a_step_that_is_gone_waits_until_its_use_by_and_then_fails(
    desk: Desk, changes: dict[str, Any]
) -> None:
    desk.learn(profile("c-1"), opened("c-1", NOON))
    desk.decide()
    other = without_it(desk, changes)
    (use_by,) = query(desk.url, "SELECT use_by FROM sends")[0]

    other.learn(wrote(order="o-c-1", at=NOON))
    assert other.send(use_by - HOUR) == 0
    assert states(desk.url) == {"pending": 1}
    with other.engine.connect() as connection:
        assert ledger.next_attempt(connection, other.out.rules, [0]) == use_by
        assert ledger.unknown(connection, other.out.rules.known_steps) == 1

    assert other.send(use_by) == 0
    assert query(desk.url, "SELECT state, reason FROM sends") == [("failed", "playbook_gone")]
    assert other.told() == ["decided", "failed"]
    other.engine.dispose()


@pytest.mark.parametrize("changes", [RENAMED_PLAYBOOK, RENAMED_STEP])
def test_what_is_due_for_a_step_that_is_gone_waits_for_a_version_that_knows_it(
    desk: Desk, changes: dict[str, Any]
) -> None:
    desk.learn(profile("c-1"), opened("c-1", NIGHT), now=NIGHT)
    assert desk.decide(NIGHT) == ["deferred"]
    other, morning = without_it(desk, changes), START + DAY + 7 * HOUR

    assert other.decide(morning) == []
    said: Any = Spoken()
    Worker(
        Settings(database_url=desk.url, kafka_bootstrap_servers="none"), ME, said
    )._tell_of_unknown_steps(other.engine, other.out.rules)
    assert said.lines == [("outreach_unknown_steps", {"undecided": 1, "unsent": 0})]

    assert desk.decide(morning) == ["contact"]
    assert desk.send(morning) == 1
    other.engine.dispose()


class Spoken:
    """A log that remembers its warnings."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def warning(self, event: str, **more: Any) -> None:
        self.lines.append((event, more))


def take(desk: Desk, topic: str, *records: FakeRecord, now: datetime = NOON) -> Batch:
    """Take records in as they are, whatever they hold; give each its offset."""
    source = (topic, 0)
    batch = Batch(now, desk.out.rules)
    for each in records:
        expected = desk.offsets.get(source, 0)
        each.offset = desk.next_offset(source)
        batch.read(source, expected, [each])
    with desk.engine.begin() as connection:
        batch.write(connection)
        batch.advance(connection, ME)
    return batch


def emails(desk: Desk) -> list[tuple[Any, ...]]:
    return query(desk.url, "SELECT name, email, time_zone FROM profiles ORDER BY customer_id")


NOTHING = (None, None, None)


def test_a_tombstone_takes_the_profile_away_and_there_is_no_address_left(desk: Desk) -> None:
    desk.learn(profile("c-1", name="Ada"), opened("c-1", NOON))
    take(desk, "customers", FakeRecord(0, b"c-1", None, NOON))

    assert emails(desk) == [NOTHING]
    assert desk.decide() == ["channel"]


@pytest.mark.parametrize("known", [True, False])
def test_after_a_tombstone_an_older_snapshot_is_late_and_a_newer_one_counts(
    desk: Desk, known: bool
) -> None:
    first = profile("c-1", START + HOUR)
    if known:
        desk.learn(first)
    take(desk, "customers", FakeRecord(0, b"c-1", None, NOON - HOUR))

    desk.learn(profile("c-1", NOON - 2 * HOUR, email="late@example.org"), first)
    assert emails(desk) == [NOTHING]
    assert counts(desk.url, "customers") == (1 + known, 0, 2, 0)

    desk.learn(profile("c-1", NOON, email="back@example.org"))
    assert query(desk.url, "SELECT email FROM profiles") == [("back@example.org",)]


def test_a_tombstone_counts_whatever_the_clocks_say(desk: Desk) -> None:
    ahead = profile("c-1", NOON + HOUR)
    desk.learn(ahead)
    take(desk, "customers", FakeRecord(0, b"c-1", None, NOON - DAY))
    desk.learn(ahead)

    assert emails(desk) == [NOTHING]
    assert counts(desk.url, "customers") == (2, 0, 1, 0)


@pytest.mark.parametrize("written_at", [None, NOON + 300 * DAY])
def test_a_tombstone_from_ahead_of_the_clock_counts_as_of_now(
    desk: Desk, written_at: datetime | None
) -> None:
    take(desk, "customers", FakeRecord(0, b"c-1", None, written_at))

    assert query(desk.url, "SELECT as_of FROM profiles") == [(NOON,)]


@pytest.mark.parametrize("key", [b"c\x00", b"\xff", b"ada@example.org", b"c" * 65])
def test_a_tombstone_under_what_is_no_customers_id_is_put_aside_without_its_key(
    desk: Desk, key: bytes
) -> None:
    batch = take(desk, "customers", FakeRecord(0, key, None), record(profile("c-1")))

    assert counts(desk.url, "customers") == (1, 0, 0, 1)
    (letter,) = batch.dead
    assert dict(letter.headers)["care-dead-letter-reason"] == b"wrong_key"
    assert (letter.key, letter.value) == (None, None)


@pytest.mark.parametrize(
    "rule",
    [
        "ALTER TABLE inbound_contacts ALTER contact_id TYPE varchar(9)",  # DataError
        "ALTER TABLE inbound_contacts ADD CHECK (contact_id <> 'k-too-long')",  # IntegrityError
    ],
)
def test_what_the_database_refuses_is_put_aside_and_everything_beside_it_is_kept(
    desk: Desk, rule: str
) -> None:
    execute(desk.url, rule)
    batch, known = Batch(NOON, desk.out.rules), profile("c-1")
    everything: list[Event[Any]] = [
        known, known, opened("c-1", NOON), consent("c-1", "granted"),
        wrote("k-1", at=NOON), wrote("k-too-long", at=NOON), wrote("k-2", at=NOON, order="o-else"),
    ]  # fmt: skip
    for event in everything:
        source = (topic_of(event), 0)
        expected = desk.offsets.get(source, 0)
        batch.read(source, expected, [record(event, desk.next_offset(source))])
    with desk.engine.begin() as connection:
        due = batch.write(connection)
        batch.advance(connection, ME)

    assert len(due) == 1
    assert counts(desk.url, "contacts") == (2, 0, 0, 1)
    assert counts(desk.url, "customers") == (1, 1, 0, 0)
    assert counts(desk.url, "consents") == (1, 0, 0, 0)
    assert counts(desk.url, "problems") == (1, 0, 0, 0)
    assert query(desk.url, "SELECT contact_id FROM inbound_contacts ORDER BY 1") == [
        ("k-1",), ("k-2",),
    ]  # fmt: skip
    (letter,) = batch.dead
    assert dict(letter.headers)["care-dead-letter-reason"] == b"unstorable"
    assert letter.value == everything[5].encode()
    assert query(desk.url, "SELECT topic, count(*) FROM outbox GROUP BY 1") == [("contacts-dlq", 1)]


def test_a_customer_whom_a_replica_that_stands_still_has_holds_up_nobody_else(desk: Desk) -> None:
    desk.learn(*(profile(f"c-{n}") for n in (1, 2)), opened("c-1", NOON), opened("c-2", NOON))
    desk.decide()
    sender = Sender(desk.engine, desk.out, logs.get("test"), is_patient=False)

    with desk.engine.begin() as standing_still:
        lock_customers(standing_still, ["c-1"])
        assert sender.send_due(None, lambda: NOON) == 1
        assert query(desk.url, "SELECT customer_id, state FROM sends ORDER BY 1") == [
            ("c-1", "pending"),
            ("c-2", "sent"),
        ]
    assert sender.send_due(None, lambda: NOON) == 1

    assert states(desk.url) == {"sent": 2}
