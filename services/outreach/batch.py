"""A batch of Kafka records: read, told apart, and committed as one transaction with its positions."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from services.contracts.envelope import BARRIER, CustomerId, Event
from services.contracts.events import Fault, Unreadable
from services.contracts.moved import is_moved
from services.contracts.topics import (
    CONSENTS,
    CONTACTS,
    CUSTOMERS,
    IDENTITIES,
    MAX_FUTURE_SKEW,
    PERSONAL,
    PROBLEMS,
    Topic,
    dead_letter,
)
from services.contracts.trace_context import of_headers
from services.kit import dead_letters
from services.kit.kafka_clients import partition_of
from services.kit.records import read_event
from services.outreach import erasure, identities, memory, outbox
from services.outreach.changes import Change, change, is_of_the_past, named_in
from services.outreach.customer_locks import lock_customers
from services.outreach.facts import Profile
from services.outreach.haste import hasten_worsened
from services.outreach.intake import Additions, consent_of, profile_of
from services.outreach.knowledge import DueStep, Rules
from services.outreach.persons import Standing
from services.outreach.positions import Counts, Move, Source, advance
from services.outreach.suppression import Keys
from services.outreach.withdrawal import withdraw_overtaken

SERVICE = "outreach"

SOURCES: dict[str, Topic] = {
    t.name: t for t in (PROBLEMS, CONTACTS, CUSTOMERS, CONSENTS, IDENTITIES)
}
"""What outreach reads, by logical name."""

_CUSTOMER_ID: TypeAdapter[str] = TypeAdapter(CustomerId)


class KafkaRecord(Protocol):
    """What kafka-python gives, as far as it is used here."""

    offset: int
    timestamp: int
    """Milliseconds since 1970; negative where the publisher gave none."""
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@dataclass(slots=True)
class Batch:
    """What some records say, and where that leaves their partitions."""

    now: datetime
    rules: Rules
    keys: Keys | None = None
    """Of the hashes of who was erased; None: nobody may be."""
    changes: list[tuple[Source, Event[Any]]] = field(default_factory=list)
    heard: list[tuple[Source, Event[Any]]] = field(default_factory=list)
    """Of problems and of customers' contacts."""
    consents: list[tuple[Source, Event[Any]]] = field(default_factory=list)
    profiles: list[tuple[Source, Profile]] = field(default_factory=list)
    taken: list[tuple[Source, KafkaRecord]] = field(default_factory=list)
    dead: list[outbox.Record] = field(default_factory=list)
    moves: dict[Source, Move] = field(default_factory=dict)

    def read(self, source: Source, expected: int, records: Iterable[KafkaRecord]) -> None:
        """Add the records of one source partition, whose stored position is `expected`."""
        for record in records:
            counts = self._move(source, expected, record.offset + 1)
            self.taken.append((source, record))
            try:
                self._add(source, record, counts)
            except Unreadable as error:
                self._put_aside(source, record, error)

    def pass_over(self, source: Source, expected: int, offset: int) -> None:
        """Move a position past a record that is no event; after `write`."""
        self._move(source, expected, offset + 1).applied += 1

    def reach(self, source: Source, expected: int, offset: int) -> None:
        """Move a position up to an offset before which no record is left; nothing is counted.

        There lie markers of transactions, aborted records, and what retention took away.
        """
        self._move(source, expected, offset)

    def write(self, connection: Connection) -> list[DueStep]:
        """Write what the records say in the caller's transaction; return the steps that became due.

        Nothing of it may be committed without `advance` in the same transaction.  A record the
        database will not take is put aside, and the others are written.
        """
        if not self.taken:
            return []
        # Outside the savepoint, whose end would give them back.
        identities.hold(connection, alone=bool(self.changes))
        lock_customers(connection, self._customers(connection))
        try:
            with connection.begin_nested():
                return self._write(connection)
        except (DataError, IntegrityError):
            return self._write_one_by_one(connection)

    def _customers(self, connection: Connection) -> set[str]:
        """Return whose story may change."""
        heard = {event.customer_id for _, event in self.heard}
        standing = identities.standing_of(connection, heard, None)
        customers = {standing.customer(name) for name in heard}
        return customers | identities.linked(connection, named_in(e for _, e in self.changes))

    def _write(self, connection: Connection) -> list[DueStep]:
        changed = self._commit_changes(connection)
        names = {e.customer_id for _, e in (*self.heard, *self.consents)}
        names |= {profile.customer_id for _, profile in self.profiles}
        standing = identities.standing_of(connection, names, self.keys)
        additions = self._fold(connection, standing)
        due = memory.remember(connection, additions)
        due += hasten_worsened(
            connection, additions.problems.values(), self.rules.catalogue, self.now
        )
        self._commit_consents(connection, standing)
        self._commit_profiles(connection, standing)
        customers = additions.customers | changed
        if customers:
            withdraw_overtaken(connection, customers, self.rules, self.now)
        outbox.put(connection, self.dead)
        return due

    def _write_one_by_one(self, connection: Connection) -> list[DueStep]:
        due: list[DueStep] = []
        self.dead = []
        for move in self.moves.values():
            move.counts = Counts()
        for source, record in self.taken:
            one = Batch(self.now, self.rules, self.keys)
            one.read(source, record.offset, [record])
            try:
                with connection.begin_nested():
                    due += one._write(connection)
            except (DataError, IntegrityError) as error:
                one = Batch(self.now, self.rules)
                one._move(source, record.offset, record.offset + 1)
                one._put_aside(source, record, _unstorable(error))
                one._write(connection)
            self.dead += one.dead
            self.moves[source].counts.add(one.moves[source].counts)
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

    def _put_aside(self, source: Source, record: KafkaRecord, error: Unreadable) -> None:
        self.moves[source].counts.dead_lettered += 1
        self.dead.append(_dead_record(source, record, error))

    def _add(self, source: Source, record: KafkaRecord, counts: Counts) -> None:
        topic = SOURCES[source[0]]
        if topic is PROBLEMS and is_barrier(record):
            counts.applied += 1
            return
        if topic is CUSTOMERS and record.value is None and is_moved(record.headers):
            counts.duplicate += 1
            return
        if topic is CUSTOMERS and record.value is None and record.key:
            # A tombstone: the customer's profile is to be forgotten.
            forgotten = Profile.forgotten(_customer_of(record.key), _written_at(record, self.now))
            self.profiles.append((source, forgotten))
            return
        event = read_event(topic, record.key, record.value, record.headers)
        self._refuse_future(event)
        if topic is CUSTOMERS:
            self.profiles.append((source, profile_of(event)))
        elif topic is CONSENTS:
            self.consents.append((source, event))
        elif topic is IDENTITIES:
            self.changes.append((source, event))
        elif topic is PROBLEMS:
            self.heard.append((source, in_its_trace(event, record)))
        else:
            self.heard.append((source, event))

    def _refuse_future(self, event: Event[Any]) -> None:
        if event.time > self.now + MAX_FUTURE_SKEW:
            detail = (
                f"more than {int(MAX_FUTURE_SKEW.total_seconds() // 3600)} h ahead of the clock"
            )
            raise Unreadable("future", (Fault("/time", "future", detail),))

    def _commit_changes(self, connection: Connection) -> set[str]:
        """Put together who is one customer, and forget who is to be; return whose story changed."""
        changed: set[str] = set()
        for source, event in self.changes:
            counts = self.moves[source].counts
            outcome = change(connection, event, self.keys, self.now)
            counts.applied += outcome is Change.NEWS
            counts.duplicate += outcome is Change.KNOWN
            counts.late += outcome is Change.LATE
            if outcome is Change.NEWS:
                changed.add(identities.customer_of(connection, event.customer_id))
        return changed

    def _fold(self, connection: Connection, standing: Standing) -> Additions:
        """Return what is new of problems and contacts, under the names that stay."""
        additions = Additions()
        owners = self._owners(connection, standing)
        for source, event in self.heard:
            counts = self.moves[source].counts
            if is_of_the_past(event, standing, owners, additions.problems):
                counts.late += 1
                continue
            counts.applied += 1
            under, partition = standing.under(event), source[1]
            if under is not event:
                partition = partition_of(under.customer_id.encode(), standing.partitions)
            additions.add(under, partition, self.rules.catalogue)
        return additions

    def _owners(self, connection: Connection, standing: Standing) -> Mapping[UUID, str]:
        """Return under whom problems are kept that may have been an erased customer's."""
        doubtful = {
            event.data.problem_id
            for _, event in self.heard
            if event.customer_id in standing.erased and hasattr(event.data, "problem_id")
        }
        return erasure.owners_of(connection, doubtful) if doubtful else {}

    def _commit_consents(self, connection: Connection, standing: Standing) -> None:
        known = [(s, e) for s, e in self.consents if not standing.is_past(e.customer_id, e.time)]
        for source, event in self.consents:
            self.moves[source].counts.late += standing.is_past(event.customer_id, event.time)
        new = memory.remember_consents(connection, [consent_of(event) for _, event in known])
        for source, event in known:
            counts = self.moves[source].counts
            if (event.source, event.id) in new:
                new.discard((event.source, event.id))
                counts.applied += 1
            else:
                counts.duplicate += 1

    def _commit_profiles(self, connection: Connection, standing: Standing) -> None:
        customers = sorted({profile.customer_id for _, profile in self.profiles})
        known = memory.profiles_of(connection, customers)
        changed: dict[str, Profile] = {}
        for source, profile in self.profiles:
            counts, before = self.moves[source].counts, known.get(profile.customer_id)
            after = profile
            if self._is_past(profile, before, standing):
                counts.late += not profile.is_forgotten
                counts.applied += profile.is_forgotten
                self._suppress(connection, profile, standing)
                continue
            if before is not None and profile.is_forgotten:
                # It takes away what stands before it on the topic, whatever the clocks say.
                left = erasure.hashes_of(before, self.keys)
                as_of = max(profile.as_of, before.as_of)
                after = replace(profile, as_of=as_of, address_hashes=left)
            elif before is not None and profile.order <= before.order:
                # The same snapshot again, or one that a newer has replaced already.
                counts.duplicate += profile.order == before.order
                counts.late += profile.order < before.order
                continue
            counts.applied += 1
            known[after.customer_id] = changed[after.customer_id] = after
        memory.remember_profiles(connection, self._marked(connection, changed.values()))

    def _is_past(self, profile: Profile, before: Profile | None, standing: Standing) -> bool:
        """Whether it is from before its customer was erased, or takes away what is gone already."""
        if profile.is_forgotten:
            return before is None and profile.customer_id in standing.erased
        return standing.is_past(profile.customer_id, profile.as_of)

    def _suppress(self, connection: Connection, profile: Profile, standing: Standing) -> None:
        """Remember the addresses of who was erased before anybody here had heard of them."""
        if self.keys is not None and profile.addresses:
            until = standing.erased[profile.customer_id]
            erasure.suppress_addresses(connection, [profile], until, self.keys)

    def _marked(self, connection: Connection, profiles: Collection[Profile]) -> list[Profile]:
        """Return the profiles, those marked that have an address of somebody erased."""
        if self.keys is None:
            return list(profiles)
        since = erasure.suppressed_since(connection, profiles, self.keys)
        return [replace(p, suppressed_since=since.get(p.customer_id)) for p in profiles]


def in_its_trace(event: Event[Any], record: KafkaRecord) -> Event[Any]:
    """Return the event in the trace that its record names, if it names one."""
    trace = of_headers(record.headers)
    if trace is None:
        return event
    named = {"traceparent": trace.traceparent, "tracestate": trace.tracestate}
    return event.model_copy(update=named)


def is_barrier(record: KafkaRecord) -> bool:
    """Whether this is a barrier and no event."""
    return dead_letters.read_header(record.headers, "content-type") == BARRIER


def _customer_of(key: bytes) -> str:
    try:
        return _CUSTOMER_ID.validate_python(key.decode())
    except (UnicodeDecodeError, ValidationError):
        detail = "the record's key must be a customer's id"
        raise Unreadable("wrong_key", (Fault("", "wrong_key", detail),)) from None


def _written_at(record: KafkaRecord, now: datetime) -> datetime:
    """Return when a record without an event was written, never later than `now`.

    In simulated time records carry the machine's time, which usually is ahead of the simulated one.
    """
    if not 0 <= record.timestamp <= now.timestamp() * 1000:
        return now
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)


def _unstorable(error: DataError | IntegrityError) -> Unreadable:
    # Only the error's name: its words may repeat what the record holds.
    detail = f"the database refused it: {type(error.orig).__name__}"
    return Unreadable("unstorable", (Fault("", "unstorable", detail),))


def _kept_key(topic: Topic, key: bytes | None) -> bytes | None:
    """Return the key to keep: as the bytes, it may be personal where it is no customer's id."""
    if topic not in PERSONAL or key is None:
        return key
    try:
        return _customer_of(key).encode()
    except Unreadable:
        return None


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
        key=_kept_key(topic, record.key),
        value=dead_letters.body_for(topic, record.value),
        headers=tuple(headers),
    )
