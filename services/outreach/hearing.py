"""Sends wait while what customers said is unread: the broker is asked again and again where its topics end.

Any replica may send for any partition, whoever reads it: so nothing here looks at what this replica
itself has read.  What counts is what the broker has, and what the database has.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from sqlalchemy import Connection, Engine

from services.contracts.topics import CONTACTS
from services.kit.clock import epoch_seconds, monotonic
from services.outreach import positions
from services.outreach.announce import Send
from services.outreach.batch import KafkaRecord
from services.outreach.heard import HEARD, Clearance, Ends, Watch
from services.outreach.positions import Source
from services.outreach.telemetry import StartMeter
from services.outreach.telling import names_of

LOOK_EVERY_SECONDS = 0.5
_ANSWER_MS = 2_000
"""How long one question may take: for as long as nobody looks, nobody's patience runs out either."""


class Ears(Protocol):
    """What a sender asks before it starts something."""

    def open_partitions(
        self, connection: Connection, wanted: Sequence[int] | None
    ) -> Sequence[int] | None:
        """Return those of the wanted partitions (None: all) of which a send may start now."""

    def clearance(self, connection: Connection, partition: int) -> Clearance:
        """Return whether a send of this partition may start, in the transaction that would start it."""

    def started(self, send: Send, clearance: Clearance) -> None:
        """Take note that a send was started on this clearance, once that is committed."""


class AllHeard:
    """Nothing is ever unread: so it is in simulated time, where barriers see to it."""

    def open_partitions(
        self, connection: Connection, wanted: Sequence[int] | None
    ) -> Sequence[int] | None:
        """Return all that are wanted."""
        return wanted

    def clearance(self, connection: Connection, partition: int) -> Clearance:
        """Return that a send may start."""
        return Clearance(may_start=True)

    def started(self, send: Send, clearance: Clearance) -> None:
        """Do nothing."""


class Hearing:
    """Compares broker and database.  `look` is for one thread, as its consumer is; the rest for any."""

    def __init__(
        self,
        consumer: KafkaConsumer,
        engine: Engine,
        watch: Watch,
        prefix: str,
        meter: StartMeter,
        log: structlog.typing.FilteringBoundLogger,
        now: Callable[[], float] = monotonic,
    ) -> None:
        """Take over a consumer that reads committed records only and is in no group."""
        self._consumer = consumer
        self._engine = engine
        self._watch = watch
        self._meter = meter
        self._log = log
        self._now = now
        self._sources = {
            TopicPartition(f"{prefix}{topic}", p): (topic, p)
            for topic in HEARD
            for p in watch.partitions
        }
        self._is_answered = True
        meter.watch(self.lagging)

    def look(self) -> bool:
        """Ask broker and database; return whether a send may start now that had to wait before."""
        ends = self._ask()
        with self._engine.connect() as connection:
            found = positions.standing(connection, HEARD)
        before, self._watch = self._watch, self._watch.looked(self._now(), ends, found)
        return not self._watch.open_partitions <= before.open_partitions

    def taken_in(self, polled: Mapping[Source, Iterable[KafkaRecord]]) -> None:
        """Measure how long each contact among these was on its way; right after their commit."""
        now = epoch_seconds()
        for (topic, _), records in polled.items():
            if topic == CONTACTS.name:
                for record in records:
                    self._meter.taken_in(record.timestamp, now)

    def lagging(self) -> int:
        """Return of how many partitions something older than the bound may be unread."""
        return self._watch.lagging(self._now())

    def open_partitions(
        self, connection: Connection, wanted: Sequence[int] | None
    ) -> Sequence[int] | None:
        """Return those of the wanted partitions (None: all) of which a send may start now."""
        found, watch, now = positions.standing(connection, HEARD), self._watch, self._now()
        return [
            p
            for p in (watch.partitions if wanted is None else wanted)
            if watch.clearance(p, found.get(p, {}), now).may_start
        ]

    def clearance(self, connection: Connection, partition: int) -> Clearance:
        """Return whether a send of this partition may start, in the transaction that would start it.

        The customer must be locked: whatever of theirs lies before the positions is then committed,
        and nothing more of theirs is until the transaction ends.
        """
        found = positions.standing(connection, HEARD, partition)
        return self._watch.clearance(partition, found.get(partition, {}), self._now())

    def started(self, send: Send, clearance: Clearance) -> None:
        """Measure how far back the knowledge lies on which a send was started; right after its commit."""
        if clearance.heard_until is not None:
            self._meter.started(self._now() - clearance.heard_until)
        if clearance.is_overdue:
            self._meter.started_unheard()
            self._log.warning(
                "outreach_started_unheard", **names_of(send), partition=send.partition
            )

    def _ask(self) -> Ends | None:
        asked_at = self._now()
        try:
            found = self._consumer.end_offsets(list(self._sources), timeout_ms=_ANSWER_MS)
            offsets = {source: int(found[place]) for place, source in self._sources.items()}
        except (KafkaError, KeyError) as error:
            # KeyError: the client does not know yet who leads a partition, and has asked by now.
            self._note_answer(is_answered=False, error=type(error).__name__)
            return None
        self._note_answer(is_answered=True)
        return Ends(asked_at, offsets)

    def _note_answer(self, *, is_answered: bool, **more: str) -> None:
        if is_answered is not self._is_answered:
            event = "outreach_ends_known" if is_answered else "outreach_ends_unknown"
            self._log.warning(event, **more)
        self._is_answered = is_answered
