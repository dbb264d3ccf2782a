"""One replica's parts over a real database, driven by hand."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Engine, select

from services.contracts.envelope import Event
from services.contracts.outreach import Mode
from services.contracts.people import Channel, CustomerErased, CustomerMerged
from services.contracts.topics import CONSENTS, CONTACTS, CUSTOMERS, IDENTITIES, PROBLEMS
from services.kit import logs
from services.kit.kafka_admin import FoundTopic
from services.outreach import agenda, positions
from services.outreach.agenda import Scope
from services.outreach.backoff import AT_ONCE, PATIENT
from services.outreach.batch import SOURCES, Batch
from services.outreach.database import open_engine
from services.outreach.routes import MailRoute, PersonRoute, Route
from services.outreach.sender import Outbound, Sender
from services.outreach.settings import Settings
from services.outreach.tables import OUTBOX
from services.outreach.worker import outbound_of
from tests.factories import HOUR, START
from tests.support.mail import FakeChannel, Manner
from tests.support.outreach import query

NOON = START + 12 * HOUR
NIGHT = START + 23 * HOUR
REVISIONS = [
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0010",
    "0011",
    "0012",
]
"""Of the schema, in their order."""
ME, OTHER = UUID(int=1), UUID(int=2 << 64)
FOUND = {name: FoundTopic(name, 4, UUID(int=n)) for n, name in enumerate(SOURCES)}

SAID = UUID(int=99)
"""The id of the topic on which everything is said."""


@cache
def _outbound(mode: Mode) -> Outbound:
    """Return what every desk sends with; once, for all templates are looked through each time."""
    settings = Settings(database_url="none", kafka_bootstrap_servers="none", mode=mode)
    channel = FakeChannel(lambda _: Manner.TAKES)
    routes: dict[Channel, Route] = {
        Channel.EMAIL: MailRoute(channel, settings.from_address),
        Channel.HUMAN: PersonRoute(),
    }
    return outbound_of(settings, ME, routes)


class Desk:
    """One replica's parts, driven by hand."""

    def __init__(
        self,
        url: str,
        manner: Manner = Manner.TAKES,
        mode: Mode = Mode.LIVE,
        owner: UUID = ME,
        patient: bool = False,
    ) -> None:
        self.url = url
        self.owner = owner
        self.engine: Engine = open_engine(url)
        self.channel = FakeChannel(lambda _: manner)
        made = _outbound(mode)
        self.out: Outbound = replace(
            made,
            owner=owner,
            routes={**made.routes, Channel.EMAIL: MailRoute(self.channel, made.sender_address)},
            backoff=PATIENT if patient else AT_ONCE,
        )
        self.sender = Sender(self.engine, self.out, logs.get("test"))
        self.offsets: dict[tuple[str, int], int] = {}

    def learn(self, *events: Event[Any], now: datetime = NOON) -> Batch:
        """Take these events in, each on its own topic, partition 0."""
        batch = Batch(now, self.out.rules, self.out.keys)
        for event in events:
            source = (topic_of(event), 0)
            expected = self.offsets.get(source, 0)
            batch.read(source, expected, [record(event, self.next_offset(source))])
        with self.engine.begin() as connection:
            batch.write(connection)
            batch.advance(connection, self.owner)
        return batch

    def next_offset(self, source: tuple[str, int]) -> int:
        offset = self.offsets.get(source, 0)
        self.offsets[source] = offset + 1
        return offset

    def decide(self, now: datetime = NOON) -> list[str]:
        """Decide what is due; return the outcomes."""
        scope = Scope((0, 1, 2, 3), self.out.rules.known_steps)
        with self.engine.begin() as connection:
            decisions = agenda.decide_due(connection, scope, self.out.rules, now)
        return [d.suppression.value if d.suppression else d.outcome.value for d in decisions]

    def send(self, now: datetime = NOON) -> int:
        """Send until nothing waits; return how many mails the channel has by now."""
        while self.sender.send_due(None, lambda: now):
            pass
        return len(self.channel.mails)

    def told(self) -> list[str]:
        """Return the types of events in the outbox, in order."""
        with self.engine.connect() as connection:
            values = connection.execute(select(OUTBOX.c.value).order_by(OUTBOX.c.seq)).scalars()
            return [Event[Any].model_validate_json(v).type.split(".")[2] for v in values]


class FakeRecord:
    def __init__(
        self, offset: int, key: bytes | None, value: bytes | None, at: datetime | None = None
    ) -> None:
        self.offset, self.key, self.value = offset, key, value
        self.timestamp = int(at.timestamp() * 1000) if at else -1
        self.headers: Sequence[tuple[str, bytes | None]] = ()


def record(event: Event[Any], offset: int = 0) -> FakeRecord:
    return FakeRecord(offset, event.partitionkey.encode(), event.encode())


def topic_of(event: Event[Any]) -> str:
    if event.type in (CustomerMerged.TYPE, CustomerErased.TYPE):
        return IDENTITIES.name
    noun = event.type.split(".")[1]
    names = {"problem": PROBLEMS, "contact": CONTACTS, "survey": CONTACTS, "customer": CUSTOMERS}
    return names.get(noun, CONSENTS).name


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def claim(engine: Engine, owner: UUID) -> dict[tuple[str, int], int]:
    with engine.begin() as connection:
        return positions.claim(connection, owner, [(name, 0) for name in SOURCES])


def counts(url: str, topic: str) -> tuple[int, ...]:
    statement = (
        "SELECT next_offset, applied, duplicate, late, dead_lettered FROM source_positions"
        " WHERE topic = %s AND partition = 0"
    )
    (row,) = query(url, statement, topic)
    assert row[0] == sum(row[1:])
    return row[1:]
