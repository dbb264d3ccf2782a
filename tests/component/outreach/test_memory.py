"""Outreach over a real PostgreSQL, with a channel and a broker that only pretend."""

import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import select

from services.contracts.envelope import Event
from services.contracts.moved import HEADER
from services.contracts.outreach import Mode
from services.contracts.people import Channel
from services.contracts.problems import Tier
from services.contracts.topics import CONTACTS, CUSTOMERS
from services.kit.exits import Unavailable
from services.kit.kafka_admin import FoundTopic
from services.outreach import ledger, migrate, positions, rows
from services.outreach.batch import Batch
from services.outreach.database import open_engine
from services.outreach.memory import knowledge_of
from services.outreach.outbox import Publisher, Record, put, waiting
from services.outreach.positions import Superseded
from services.outreach.presence import Presence
from services.outreach.tables import DECISIONS, METADATA, SENDS
from tests.component.outreach.desk import (
    FOUND,
    ME,
    NIGHT,
    NOON,
    OTHER,
    REVISIONS,
    Desk,
    FakeRecord,
    claim,
    counts,
    record,
)
from tests.factories import DAY, HOUR, START, wrote
from tests.support.mail import Manner
from tests.support.outreach import changed, cleared, consent, opened, profile, query, states, step
from tests.support.topics import wait_for

pytestmark = pytest.mark.connected


def test_the_migrations_make_exactly_the_tables_declared(fresh_database: str) -> None:
    assert migrate.upgrade(fresh_database) == REVISIONS
    assert migrate.upgrade(fresh_database) == []

    engine = open_engine(fresh_database)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


def test_two_who_migrate_at_once_do_not_get_in_each_others_way(fresh_database: str) -> None:
    applied: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: applied.append(migrate.upgrade(fresh_database)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(applied) == [[], [], REVISIONS]


def test_without_the_schema_the_service_says_what_to_run(fresh_database: str) -> None:
    engine = open_engine(fresh_database)
    with pytest.raises(Unavailable, match="care db upgrade"):
        migrate.check(engine)
    engine.dispose()


def test_one_problem_is_one_mail_and_every_word_about_it_is_said_in_order(desk: Desk) -> None:
    desk.learn(profile("c-1", language="pt-BR"), opened("c-1", NOON))

    assert desk.decide() == ["contact"]
    assert desk.send() == 1
    assert desk.told() == ["decided", "started", "sent"]
    assert desk.channel.mails[0]["X-Care-Problem"] == step("c-1")[0]
    assert "atrasado" in str(desk.channel.mails[0]["Subject"])
    assert states(desk.url) == {"sent": 1}


def test_a_problem_told_again_is_neither_decided_nor_sent_again(desk: Desk) -> None:
    desk.learn(profile("c-1"), opened("c-1", NOON))
    desk.decide()
    desk.send()

    desk.learn(opened("c-1", NOON), changed("c-1", NOON + HOUR))

    assert desk.decide(NOON + 2 * HOUR) == []
    assert desk.send(NOON + 2 * HOUR) == 1


def test_at_night_where_the_parcel_goes_nobody_is_disturbed(desk: Desk) -> None:
    """Also where what came last of the problem names no zone."""
    desk.learn(
        profile("c-1", time_zone=None), opened("c-1", NOON, destination_time_zone="Asia/Tokyo")
    )
    desk.learn(changed("c-1", NOON), now=NOON)

    assert desk.decide() == ["deferred"]
    (gates,) = query(desk.url, "SELECT gates FROM decisions")[0]
    (quiet,) = (gate for gate in gates if gate["gate"] == "quiet_hours")
    assert quiet["because"] == "quiet time; zone from shipment"
    assert desk.decide(NOON + 11 * HOUR) == ["contact"]


def test_in_shadow_everything_is_decided_and_nothing_is_sent(url: str) -> None:
    desk = Desk(url, mode=Mode.SHADOW)
    desk.learn(profile("c-1"), opened("c-1", NOON))

    assert desk.decide() == ["contact"]
    assert desk.send() == 0
    assert query(url, "SELECT mode, outcome FROM decisions") == [("shadow", "contact")]
    assert states(url) == {}
    desk.engine.dispose()


def test_what_was_queued_live_waits_while_the_deployment_is_in_shadow(desk: Desk, url: str) -> None:
    desk.learn(profile("c-1"), opened("c-1", NOON))
    desk.decide()
    shadow = Desk(url, mode=Mode.SHADOW)

    assert shadow.send() == 0
    assert states(url) == {"pending": 1}
    shadow.engine.dispose()


@pytest.mark.parametrize(
    ("manner", "state", "mails", "attempts"),
    [
        (Manner.TAKES, "sent", 1, 1),
        (Manner.REFUSES_RECIPIENT, "failed", 0, 1),
        (Manner.BUSY_AT_RECIPIENT, "failed", 0, 3),
        (Manner.TAKES_AND_HANGS, "unknown", 1, 1),
    ],
)
def test_each_ending_has_its_state_and_none_is_sent_twice(
    url: str, manner: Manner, state: str, mails: int, attempts: int
) -> None:
    desk = Desk(url, manner)
    desk.learn(profile("c-1"), opened("c-1", NOON))
    desk.decide()

    for _ in range(3):
        assert desk.send() == mails

    assert states(url) == {state: 1}
    assert desk.channel.attempts == attempts
    assert desk.told()[-1] == state
    assert desk.told().count("started") == attempts
    desk.engine.dispose()


def test_in_real_time_a_busy_server_is_tried_again_later_and_within_the_use_by(url: str) -> None:
    desk = Desk(url, Manner.BUSY_AT_RECIPIENT, patient=True)
    desk.learn(profile("c-1"), opened("c-1", NOON))
    desk.decide()
    desk.send()

    assert states(url) == {"pending": 1}
    assert desk.channel.attempts == 1
    desk.channel.manner_of = lambda _: Manner.TAKES
    assert desk.send(NOON + timedelta(minutes=1)) == 1
    desk.engine.dispose()


def test_what_is_still_pending_after_its_use_by_fails(url: str) -> None:
    desk = Desk(url, Manner.BUSY_AT_RECIPIENT, patient=True)
    desk.learn(profile("c-1"), opened("c-1", NOON))
    desk.decide()
    desk.send()
    desk.send(NOON + 3 * DAY)

    assert query(url, "SELECT state, reason FROM sends") == [("failed", "use_by")]
    desk.engine.dispose()


def test_a_retry_that_falls_into_the_night_waits_for_the_morning(url: str) -> None:
    desk = Desk(url, Manner.BUSY_AT_RECIPIENT, patient=True)
    desk.learn(profile("c-1"), opened("c-1", NOON))
    desk.decide()
    desk.send()
    desk.channel.manner_of = lambda _: Manner.TAKES

    assert desk.send(NIGHT) == 0
    assert desk.send(START + DAY + 7 * HOUR) == 1  # 08:00 in Berlin


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (cleared("c-1", NOON), "problem_cleared"),
        (cleared("c-1", NOON, "retracted"), "problem_cleared"),
        (wrote(order="o-c-1", at=NOON), "customer_wrote"),
        (wrote(order=None, at=NOON), "customer_wrote"),
    ],
)
def test_what_is_queued_is_withdrawn_when_there_is_nothing_left_to_say(
    desk: Desk, told: Event[Any], reason: str
) -> None:
    desk.learn(profile("c-1"), opened("c-1", NOON))
    desk.decide()

    desk.learn(told)

    assert query(desk.url, "SELECT state, reason FROM sends") == [("withdrawn", reason)]
    assert desk.told() == ["decided", "withdrawn"]
    assert desk.send() == 0


def test_a_word_about_another_order_withdraws_nothing(desk: Desk) -> None:
    desk.learn(profile("c-1"), opened("c-1", NOON))
    desk.decide()

    desk.learn(wrote(order="o-other", at=NOON))

    assert desk.send() == 1


def test_a_consent_taken_back_while_queued_keeps_it_from_leaving(desk: Desk) -> None:
    desk.learn(profile("c-1"), opened("c-1", NOON))
    desk.decide()

    desk.learn(consent("c-1", "revoked", NOON))

    assert desk.send() == 0
    assert query(desk.url, "SELECT state, reason FROM sends") == [("failed", "consent")]


def test_a_deferred_step_passes_every_gate_again_when_it_is_released(desk: Desk) -> None:
    desk.learn(profile("c-1"), opened("c-1", NIGHT), profile("c-2"), opened("c-2", NIGHT))
    assert desk.decide(NIGHT) == ["deferred", "deferred"]
    assert desk.decide(NIGHT + HOUR) == []

    desk.learn(cleared("c-2", NIGHT + HOUR), now=NIGHT)

    morning = START + DAY + 7 * HOUR
    assert sorted(desk.decide(morning)) == ["contact", "solved"]
    assert desk.send(morning) == 1


def test_the_rise_of_a_problem_is_another_step_and_the_budget_counts_both(desk: Desk) -> None:
    desk.learn(profile("c-1"), opened("c-1", NOON, Tier.AT_RISK))
    assert desk.decide() == ["contact"]

    desk.learn(changed("c-1", NOON + 4 * DAY), now=NOON + 4 * DAY)

    assert desk.decide(NOON + 4 * DAY) == ["contact"]
    assert desk.send(NOON + 4 * DAY) == 1  # the first is overtaken by now
    assert states(desk.url) == {"failed": 1, "sent": 1}


def test_a_contact_that_failed_uses_up_no_budget(url: str) -> None:
    desk = Desk(url, Manner.REFUSES_RECIPIENT)
    desk.learn(profile("c-1"), opened("c-1", NOON))
    desk.decide()
    desk.send()
    with desk.engine.connect() as connection:
        known = knowledge_of(connection, ["c-1"], [], since=START)
    assert known["c-1"].contacted == ()
    desk.engine.dispose()


def test_two_who_decide_at_once_decide_nothing_twice(desk: Desk, url: str) -> None:
    customers = [f"c-{n}" for n in range(30)]
    desk.learn(*(profile(c) for c in customers), *(opened(c, NOON) for c in customers))
    others = [Desk(url, owner=UUID(int=n)) for n in (7, 8, 9)]
    outcomes: list[str] = []

    in_parallel([lambda d=d: outcomes.extend(d.decide()) for d in others])

    assert outcomes == ["contact"] * 30
    assert query(url, "SELECT count(*) FROM decisions") == [(30,)]
    for other in others:
        other.engine.dispose()


def test_two_who_send_at_once_send_nothing_twice(desk: Desk, url: str) -> None:
    customers = [f"c-{n}" for n in range(30)]
    desk.learn(*(profile(c) for c in customers), *(opened(c, NOON) for c in customers))
    desk.decide()
    others = [Desk(url, owner=UUID(int=n)) for n in (7, 8, 9)]

    in_parallel([lambda d=d: d.send() for d in others])

    mails = [str(m["X-Care-Problem"]) for other in others for m in other.channel.mails]
    assert sorted(mails) == sorted(step(c)[0] for c in customers)
    for other in others:
        other.engine.dispose()


def start_one(desk: Desk) -> None:
    """Begin a send and stop, as a process does that is killed in the middle of it."""
    desk.learn(profile("c-1"), opened("c-1", NOON))
    desk.decide()
    with desk.engine.begin() as connection:
        (waiting_send,) = ledger.waiting(connection, desk.out.rules, None, [Channel.EMAIL], NOON)
        send = ledger.take(connection, waiting_send.step_id)
        assert send is not None
        ledger.start(connection, send, desk.owner, "<1@care>", NOON)


def test_a_start_without_an_outcome_is_unknown_and_never_sent_by_itself(
    desk: Desk, url: str
) -> None:
    start_one(desk)
    successor = Desk(url, owner=OTHER)
    with successor.engine.begin() as connection:
        assert ledger.doubt_abandoned(connection, OTHER, [1, 2, 3], NOON) == 0
        assert ledger.doubt_abandoned(connection, OTHER, [0], NOON) == 1
        assert ledger.doubt_abandoned(connection, OTHER, [0], NOON) == 0

    assert states(url) == {"unknown": 1}
    assert successor.send() == 0
    assert successor.told() == ["decided", "started", "unknown"]
    successor.engine.dispose()


def test_who_is_slow_is_not_taken_for_dead_and_who_is_dead_is(desk: Desk, url: str) -> None:
    start_one(desk)
    presence = Presence(desk.engine, ME)
    successor = Desk(url, owner=OTHER)

    with successor.engine.begin() as connection:
        assert ledger.doubt_ownerless(connection, OTHER, NOON) == 0
    presence.close()

    def is_found_dead() -> bool:
        with successor.engine.begin() as connection:
            return ledger.doubt_ownerless(connection, OTHER, NOON) == 1

    # The server frees the lock once it has noticed that the connection is gone.
    wait_for(is_found_dead, "the lock of the dead", 10)
    assert states(url) == {"unknown": 1}
    successor.engine.dispose()


def test_a_sender_that_was_taken_for_dead_still_knows_better(desk: Desk, url: str) -> None:
    start_one(desk)
    with desk.engine.begin() as connection:
        ledger.doubt_abandoned(connection, OTHER, [0], NOON)
        row = connection.execute(select(SENDS)).one()
        send = rows.send_of(row)
        assert not ledger.retry(connection, send, NOON, "busy")
        assert ledger.succeed(connection, send, NOON)
        assert not ledger.doubt(connection, send, "late", NOON)

    assert states(url) == {"sent": 1}


def test_instants_come_back_in_utc_whatever_zone_the_server_has(desk: Desk) -> None:
    desk.learn(profile("c-1"), opened("c-1", NOON))
    desk.decide()

    with desk.engine.connect() as connection:
        due_at = connection.execute(select(SENDS.c.use_by)).scalar_one()
        assert str(due_at.tzinfo) == "UTC"
        gates = connection.execute(select(DECISIONS.c.gates)).scalar_one()
    assert "useful until 2026-01-03T12:00:00+00:00" in str(gates)


def test_a_zombies_write_fails_with_everything_that_came_with_it(desk: Desk) -> None:
    claim(desk.engine, OTHER)

    with pytest.raises(Superseded):
        desk.learn(profile("c-1"), opened("c-1", NOON))

    assert query(desk.url, "SELECT count(*) FROM problems") == [(0,)]
    assert query(desk.url, "SELECT count(*) FROM profiles") == [(0,)]


def test_a_position_that_moved_meanwhile_is_not_moved_again(desk: Desk) -> None:
    desk.learn(profile("c-1"))
    desk.offsets.clear()

    with pytest.raises(Superseded):
        desk.learn(profile("c-2"))

    assert query(desk.url, "SELECT customer_id FROM profiles") == [("c-1",)]


def test_a_topic_made_anew_is_refused(desk: Desk) -> None:
    anew = {**FOUND, "contacts": FoundTopic("x-contacts", 4, UUID(int=99))}

    positions.check_topic_ids(desk.engine, FOUND)
    with pytest.raises(Unavailable, match="x-contacts was made anew"):
        positions.check_topic_ids(desk.engine, anew)


def test_a_tombstone_that_only_says_moved_takes_no_profile_away(desk: Desk) -> None:
    desk.learn(profile("c-1"))
    batch = Batch(NOON, desk.out.rules)
    moved = FakeRecord(1, b"c-1", None)
    moved.headers = ((HEADER, b"8"),)
    batch.read(("customers", 0), 1, [moved])
    with desk.engine.begin() as connection:
        batch.write(connection)
        batch.advance(connection, desk.owner)

    assert query(desk.url, "SELECT email FROM profiles") == [("c-1@example.org",)]
    (counts,) = (move.counts for move in batch.moves.values())
    assert (counts.applied, counts.duplicate) == (0, 1)


def test_every_profile_record_is_accounted_for(desk: Desk) -> None:
    first = profile("c-1", START)
    second = profile("c-1", START + HOUR, email="new@example.org")
    desk.learn(second, first, second)
    desk.learn(second)
    batch = Batch(NOON, desk.out.rules)
    source = (CUSTOMERS.name, 0)
    bad = FakeRecord(4, b"c-1", b'{"email": "secret@example.org"')
    tombstone = FakeRecord(5, b"c-2", None)
    batch.read(source, 4, [bad, tombstone])
    with desk.engine.begin() as connection:
        batch.write(connection)
        batch.advance(connection, ME)

    assert counts(desk.url, "customers") == (2, 2, 1, 1)
    emails = query(desk.url, "SELECT customer_id, email FROM profiles ORDER BY 1")
    assert emails == [("c-1", "new@example.org"), ("c-2", None)]
    # Bytes that may be personal do not leave the topic they came on.
    assert query(desk.url, "SELECT topic, value FROM outbox") == [("customers-dlq", None)]


def test_whoever_is_forgotten_is_reached_nowhere_any_more(desk: Desk) -> None:
    ways = {"email": "a@example.org", "phone": "+4915112345678", "push_id": "p", "chat_id": "c"}
    columns = f"SELECT {', '.join(ways)} FROM profiles"
    desk.learn(profile("c-1", START, **ways))
    assert query(desk.url, columns) == [tuple(ways.values())]

    batch = Batch(NOON, desk.out.rules)
    batch.read((CUSTOMERS.name, 0), 1, [FakeRecord(1, b"c-1", None)])
    with desk.engine.begin() as connection:
        batch.write(connection)

    assert query(desk.url, columns) == [(None,) * len(ways)]


def test_every_consent_is_kept_once(desk: Desk) -> None:
    said = consent("c-1", "granted")
    desk.learn(said, said, consent("c-1", "revoked", NOON))
    desk.learn(said)

    assert counts(desk.url, "consents") == (2, 2, 0, 0)
    assert query(desk.url, "SELECT count(*) FROM consents") == [(2,)]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (FakeRecord(0, b"c-1", b"{"), "not_json"),
        (FakeRecord(0, b"c-1", None), "empty"),
        (FakeRecord(0, b"c-1", opened("c-1", NOON).encode()), "wrong_topic"),
        (FakeRecord(0, b"c-2", wrote(at=NOON, customer="c-1").encode()), "wrong_key"),
        (record(wrote(at=NOON + 25 * HOUR)), "future"),
    ],
)
def test_what_cannot_be_read_is_put_aside_and_the_next_is_read(
    desk: Desk, record: FakeRecord, reason: str
) -> None:
    batch = Batch(NOON, desk.out.rules)
    good = wrote("k-2", at=NOON + 23 * HOUR)
    batch.read((CONTACTS.name, 0), 0, [record, FakeRecord(1, b"c-1", good.encode())])
    with desk.engine.begin() as connection:
        batch.write(connection)
        batch.advance(connection, ME)

    assert counts(desk.url, "contacts") == (1, 0, 0, 1)
    assert query(desk.url, "SELECT contact_id FROM inbound_contacts") == [("k-2",)]
    (letter,) = batch.dead
    headers = dict(letter.headers)
    assert headers["care-dead-letter-reason"] == reason.encode()
    assert letter.value == record.value


class FakeProducer:
    """Takes records until it is told to fail, each partition's one behind the other."""

    def __init__(self, fail_after: int | None = None) -> None:
        self.sent: list[tuple[str, int, bytes | None]] = []
        self._fail_after = fail_after

    def send(self, topic: str, *, partition: int, value: bytes | None, **_: Any) -> "Acknowledged":
        offset = sum(each[1] == partition for each in self.sent)
        self.sent.append((topic, partition, value))
        fails = self._fail_after is not None and len(self.sent) > self._fail_after
        return Acknowledged(offset, fails)


@dataclass
class Acknowledged:
    offset: int
    fails: bool

    def get(self, timeout: float) -> "Acknowledged":
        if self.fails:
            raise ConnectionError("no acknowledgement")
        return self


def test_what_was_not_acknowledged_is_published_again_in_the_same_order(desk: Desk) -> None:
    records = [Record("outreach", n % 2, b"k", str(n).encode(), ()) for n in range(5)]
    with desk.engine.begin() as connection:
        put(connection, records)
    broken, working = FakeProducer(fail_after=3), FakeProducer()

    with pytest.raises(ConnectionError):
        Publisher(desk.engine, broken, "x-").publish_all()
    with desk.engine.connect() as connection:
        assert waiting(connection) == 5

    assert Publisher(desk.engine, working, "x-").publish_all() == 5
    assert working.sent == [("x-outreach", r.partition, r.value) for r in records]
    with desk.engine.connect() as connection:
        assert waiting(connection) == 0


def in_parallel(works: list[Any]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
