"""Simulated time: everything due at a barrier is decided, sent and published before it is echoed.

A barrier's transaction holds all its step's records, so nothing depends on the order in which
topics were polled.  A crash anywhere before the echo is committed reads the barrier again and
goes on: decided steps are settled, sent ones are in the ledger.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import Connection, Engine

from services.contracts.envelope import Instant
from services.contracts.people import Channel
from services.contracts.stream import Barrier
from services.contracts.topics import PROBLEMS
from services.outreach import agenda, identities, ledger, outbox, positions, reconciliation
from services.outreach.agenda import Scope
from services.outreach.batch import SOURCES, Batch, KafkaRecord, is_barrier
from services.outreach.channels.breaker import Phase
from services.outreach.decide import Decision
from services.outreach.group import Membership
from services.outreach.outbox import NotPublished, Publisher
from services.outreach.positions import Superseded
from services.outreach.said import Gap
from services.outreach.sender import Outbound, Sender
from services.outreach.telling import log_decisions, span_of_decisions

_POLL_MS = 100


@dataclass(slots=True)
class Shelf:
    """What was read of one partition and waits for its barrier."""

    records: dict[str, deque[KafkaRecord]] = field(
        default_factory=lambda: {topic: deque() for topic in SOURCES}
    )

    def barrier(self) -> tuple[int, Barrier] | None:
        """Return the first barrier with its offset, or None."""
        for record in self.records[PROBLEMS.name]:
            if is_barrier(record):
                return record.offset, Barrier.model_validate_json(record.value or b"")
        return None

    def take(self, topic: str, end: int) -> list[KafkaRecord]:
        """Take the records of this topic before the offset `end` off the shelf."""
        waiting, taken = self.records[topic], []
        while waiting and waiting[0].offset < end:
            taken.append(waiting.popleft())
        return taken


@dataclass(slots=True)
class _Desk:
    """What the loop remembers of one partition between barriers."""

    shelf: Shelf = field(default_factory=Shelf)
    is_fresh: bool = True
    """Just taken over: a former owner may have left sends behind."""
    next_due: Instant | None = None
    decided: Sequence[Decision] = ()
    """At this barrier, until that is committed and told."""
    is_waiting: bool = False
    """Sends were left pending: paused ones go out at the first barrier after they are resumed."""


class TickedLoop:
    """Turns barriers on `problems` into decisions, mails and echoes.  For one thread."""

    def __init__(
        self,
        engine: Engine,
        membership: Membership,
        publisher: Publisher,
        outbound: Outbound,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._engine = engine
        self._membership = membership
        self._publisher = publisher
        self._out = outbound
        self._sender = Sender(
            engine, outbound, log, publish=lambda: publisher.publish_of(membership.partitions)
        )
        self._log = log
        self._generation = -1
        self._desks: dict[int, _Desk] = {}
        self._has_several_names = False
        """Whether any customer has: then what is due may have come from another partition."""
        self.decided_until: datetime | None = None

    def turn(self) -> None:
        """Poll once, and finish every barrier that is complete."""
        polled = self._membership.poll(_POLL_MS)
        try:
            self._follow_assignment()
            for (topic, partition), records in polled.items():
                self._desks[partition].shelf.records[topic].extend(records)
            # While the database has to be reconciled time stands still: no barrier is echoed.
            if not self._is_behind():
                self._finish_barriers()
        except Superseded:
            self._membership.rejoin()
        except Gap:
            # Read again what was rolled back; what lies on the topic is looked at first.
            self._publisher.reset()
            self._membership.rejoin()
        except NotPublished:
            if not self._is_behind():
                raise
            self._membership.rejoin()

    def _finish_barriers(self) -> None:
        while rounds := [p for p in self._membership.partitions if self._finish_barrier(p)]:
            self._publish(rounds)

    def _is_behind(self) -> bool:
        with self._engine.connect() as connection:
            return reconciliation.is_needed(connection)

    def _follow_assignment(self) -> None:
        if self._generation == self._membership.generation:
            return
        self._generation = self._membership.generation
        self._desks = {p: _Desk() for p in self._membership.partitions}
        # A former owner may have committed what it did not live to publish.
        if self._membership.partitions and not self._is_behind():
            self._publisher.publish_of(self._membership.partitions)

    def _publish(self, partitions: list[int] | tuple[int, ...]) -> None:
        if partitions:
            with self._engine.connect() as connection:
                self._publisher.publish_partitions(connection, partitions)

    def _finish_barrier(self, partition: int) -> bool:
        """Do all that is due at the first barrier of this partition; False where it is not complete."""
        shelf = self._desks[partition].shelf
        found = shelf.barrier()
        if found is None or not self._has_all(partition, found[1].ends):
            return False
        offset, barrier = found
        batch = self._read(partition, offset, barrier)
        if self._decide(partition, offset, barrier, batch):
            self._send_and_echo(partition, offset, barrier)
        shelf.take(PROBLEMS.name, offset + 1)
        self.decided_until = barrier.at
        return True

    def _has_all(self, partition: int, ends: Mapping[str, int]) -> bool:
        shelf = self._desks[partition].shelf
        for topic, end in ends.items():
            if topic not in SOURCES:
                continue
            waiting = shelf.records[topic]
            known = (
                waiting[-1].offset + 1 if waiting else self._membership.positions[topic, partition]
            )
            if known < end and self._membership.position((topic, partition)) < end:
                return False
        return True

    def _read(self, partition: int, offset: int, barrier: Barrier) -> Batch:
        shelf = self._desks[partition].shelf
        batch = Batch(barrier.at, self._out.rules, self._out.keys)
        for topic in SOURCES:
            end = offset if topic == PROBLEMS.name else barrier.ends.get(topic, 0)
            source = (topic, partition)
            batch.read(source, self._membership.positions[source], shelf.take(topic, end))
        return batch

    def _decide(self, partition: int, offset: int, barrier: Barrier, batch: Batch) -> bool:
        """Commit the step's facts and decisions; True where sends have to be finished first.

        Without sends the echo goes into the same transaction: one commit for most barriers.
        """
        desk, begun = self._desks[partition], self._out.spans.begin()
        desk.decided = ()
        with self._engine.begin() as connection:
            forgotten = self._publisher.forget(connection)
            due = batch.write(connection)
            self._has_several_names |= bool(batch.changes)
            is_to_send = self._decide_due(
                connection, partition, barrier.at, [d.due_at for d in due]
            )
            if not is_to_send:
                source = (PROBLEMS.name, partition)
                batch.pass_over(source, self._membership.positions[source], offset)
                self._put_echo(
                    connection, partition, barrier, self._own_due(connection, desk, batch)
                )
            batch.advance(connection, self._out.owner)
        self._publisher.forgotten(forgotten)
        self._membership.moved(batch.moves.values())
        desk.is_fresh = False
        if decided := desk.decided:
            self._out.spans.end(begun, lambda: span_of_decisions(decided))
            log_decisions(self._log, decided)
        return is_to_send

    def _decide_due(
        self, connection: Connection, partition: int, now: datetime, new: list[datetime]
    ) -> bool:
        desk, scope = self._desks[partition], self._scope(partition)
        if desk.is_fresh:
            ledger.doubt_abandoned(connection, self._out.owner, [partition], now)
            self._has_several_names |= identities.are_there_any(connection)
        if desk.is_fresh or self._has_several_names:
            desk.next_due = agenda.next_due(connection, scope)
        desk.next_due = min(filter(None, (desk.next_due, *new)), default=None)
        is_to_send = desk.is_fresh or desk.is_waiting
        if desk.next_due is not None and desk.next_due <= now:
            decisions = agenda.decide_due(connection, scope, self._out.rules, now)
            is_to_send |= any(decision.is_to_be_sent for decision in decisions)
            desk.next_due = agenda.next_due(connection, scope)
            desk.decided = decisions
        return is_to_send

    def _own_due(self, connection: Connection, desk: _Desk, batch: Batch) -> datetime | None:
        """Return when there is work again: after a merge also in a partition that has echoed already."""
        if not batch.changes:
            return desk.next_due
        everywhere = tuple(range(positions.partitions_in(connection) or 1))
        return agenda.next_due(connection, Scope(everywhere, self._out.rules.known_steps))

    def _send_and_echo(self, partition: int, offset: int, barrier: Barrier) -> None:
        # What is put back is tried again at once: simulated time stands still until the echo.
        while self._sender.send_due([partition], lambda: barrier.at):
            pass
        batch = Batch(barrier.at, self._out.rules)
        source = (PROBLEMS.name, partition)
        batch.pass_over(source, self._membership.positions[source], offset)
        with self._engine.begin() as connection:
            pending = ledger.next_attempt(connection, self._out.rules, [partition])
            self._desks[partition].is_waiting = pending is not None
            dues = filter(None, (self._desks[partition].next_due, pending))
            self._put_echo(connection, partition, barrier, min(dues, default=None))
            batch.advance(connection, self._out.owner)
        self._membership.moved(batch.moves.values())

    def _put_echo(
        self, connection: Connection, partition: int, barrier: Barrier, own_due: datetime | None
    ) -> None:
        next_due = min(filter(None, (barrier.next_due, own_due)), default=None)
        echo = barrier.model_copy(update={"partition": partition, "next_due": next_due})
        outbox.put(connection, [outbox.barrier_record(echo)])

    def circuits(self) -> Mapping[Channel, Phase]:
        """Return nothing: simulated time does not pass while a provider recovers."""
        return {}

    def close(self) -> None:
        """Delete what was published, so that the next start does not say it again."""
        # Behind a gap nothing is deleted: the next start looks at what lies there.
        with suppress(Gap), self._engine.begin() as connection:
            self._publisher.forget(connection)

    def _scope(self, partition: int) -> Scope:
        return Scope((partition,), self._out.rules.known_steps)
