"""A batch of Kafka records: read, told apart, and committed as one transaction with its positions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Connection

from services.contracts.envelope import BARRIER, Event
from services.contracts.events import Fault, Unreadable
from services.contracts.topics import (
    CONSENTS,
    CONTACTS,
    CUSTOMERS,
    MAX_FUTURE_SKEW,
    PROBLEMS,
    Topic,
    dead_letter,
)
from services.kit import dead_letters
from services.kit.records import read_event
from services.outreach import memory, outbox
from services.outreach.decide import DueStep, Rules
from services.outreach.facts import Profile
from services.outreach.intake import Additions, consent_of, profile_of
from services.outreach.positions import Counts, Move, Source, advance
from services.outreach.withdrawal import withdraw_overtaken

SERVICE = "outreach"

SOURCES: dict[str, Topic] = {t.name: t for t in (PROBLEMS, CONTACTS, CUSTOMERS, CONSENTS)}
"""What outreach reads, by logical name."""


class KafkaRecord(Protocol):
    """What kafka-python gives, as far as it is used here."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@dataclass(slots=True)
class Batch:
    """What some records say, and where that leaves their partitions."""

    now: datetime
    rules: Rules
    additions: Additions = field(default_factory=Additions)
    consents: list[tuple[Source, Event[Any]]] = field(default_factory=list)
    profiles: list[tuple[Source, str, Event[Any] | None]] = field(default_factory=list)
    dead: list[outbox.Record] = field(default_factory=list)
    moves: dict[Source, Move] = field(default_factory=dict)

    def read(self, source: Source, expected: int, records: Iterable[KafkaRecord]) -> None:
        """Add the records of one source partition, whose stored position is `expected`."""
        for record in records:
            counts = self._move(source, expected, record.offset + 1)
            try:
                self._add(source, record, counts)
            except Unreadable as error:
                counts.dead_lettered += 1
                self.dead.append(_dead_record(source, record, error))

    def pass_over(self, source: Source, expected: int, offset: int) -> None:
        """Move a position past a record that is no event."""
        self._move(source, expected, offset + 1).applied += 1

    def write(self, connection: Connection) -> list[DueStep]:
        """Write what the records say in the caller's transaction; return the steps that became due.

        Nothing of it may be committed without `advance` in the same transaction.
        """
        customers = self.additions.customers
        memory.lock_customers(connection, customers)
        due = memory.remember(connection, self.additions)
        self._commit_consents(connection)
        self._commit_profiles(connection)
        if customers:
            withdraw_overtaken(connection, customers, self.rules, self.now)
        outbox.put(connection, self.dead)
        return due

    def advance(self, connection: Connection, owner: UUID) -> None:
        """Move the positions, as the last thing in the caller's transaction.

        Raises:
            Superseded: a position is no longer ours to move; roll back.
        """
        advance(connection, owner, self.moves.values())

    def _move(self, source: Source, expected: int, next_offset: int) -> Counts:
        move = self.moves.setdefault(source, Move(source, expected, expected))
        move.next_offset = next_offset
        return move.counts

    def _add(self, source: Source, record: KafkaRecord, counts: Counts) -> None:
        topic = SOURCES[source[0]]
        if topic is PROBLEMS and is_barrier(record):
            counts.applied += 1
            return
        if topic is CUSTOMERS and record.value is None and record.key:
            # A tombstone: the customer's profile is to be forgotten.
            self.profiles.append((source, record.key.decode("utf-8", "replace"), None))
            return
        event = read_event(topic, record.key, record.value, record.headers)
        self._refuse_future(event)
        if topic is CUSTOMERS:
            self.profiles.append((source, event.customer_id, event))
        elif topic is CONSENTS:
            self.consents.append((source, event))
        else:
            counts.applied += 1
            self.additions.add(event, source[1], self.rules.catalogue)

    def _refuse_future(self, event: Event[Any]) -> None:
        if event.time > self.now + MAX_FUTURE_SKEW:
            detail = (
                f"more than {int(MAX_FUTURE_SKEW.total_seconds() // 3600)} h ahead of the clock"
            )
            raise Unreadable("future", (Fault("/time", "future", detail),))

    def _commit_consents(self, connection: Connection) -> None:
        statements = [consent_of(event) for _, event in self.consents]
        new = memory.remember_consents(connection, statements)
        for source, event in self.consents:
            counts = self.moves[source].counts
            if (event.source, event.id) in new:
                new.discard((event.source, event.id))
                counts.applied += 1
            else:
                counts.duplicate += 1

    def _commit_profiles(self, connection: Connection) -> None:
        known: dict[str, Profile | None] = dict(
            memory.profiles_of(connection, sorted({customer for _, customer, _ in self.profiles}))
        )
        changed: dict[str, Profile | None] = {}
        for source, customer, event in self.profiles:
            counts = self.moves[source].counts
            snapshot = None if event is None else profile_of(event)
            before = known.get(customer)
            if snapshot is not None and before is not None and snapshot.order <= before.order:
                # The same snapshot again, or one that a newer has replaced already.
                counts.duplicate += snapshot.order == before.order
                counts.late += snapshot.order < before.order
                continue
            counts.applied += 1
            known[customer] = changed[customer] = snapshot
        memory.remember_profiles(connection, changed)


def is_barrier(record: KafkaRecord) -> bool:
    """Whether this is a barrier and no event."""
    return dead_letters.read_header(record.headers, "content-type") == BARRIER


def _dead_record(source: Source, record: KafkaRecord, error: Unreadable) -> outbox.Record:
    topic, partition = SOURCES[source[0]], source[1]
    headers = dead_letters.headers_for(
        service=SERVICE,
        reason=error.reason,
        detail=str(error),
        topic=topic,
        partition=partition,
        offset=record.offset,
        original=record.headers,
    )
    return outbox.Record(
        topic=dead_letter(topic).name,
        partition=partition,
        key=record.key,
        value=dead_letters.body_for(topic, record.value),
        headers=tuple(headers),
    )
