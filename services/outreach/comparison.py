"""Compares what lies on `outreach` with what this database knows, before anything is decided or sent.

A crash between publishing and noting it leaves records that the ledger knows, and so does another replica
at work.  What it does not know was said by a database that is gone: this one was restored, or is new.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Engine, select

from services.contracts.envelope import Event
from services.contracts.events import Unreadable
from services.contracts.outreach import OutreachDecided
from services.contracts.people import Channel
from services.contracts.topics import OUTREACH
from services.kit.batches import batches
from services.kit.clock import SystemClock
from services.kit.kafka_admin import check_topics
from services.kit.records import read_event
from services.kit.topic_reader import Progress, TopicReader
from services.outreach import reconciliation, said
from services.outreach.batch import in_its_trace, is_barrier
from services.outreach.said import Position
from services.outreach.standing import Standing, State, after
from services.outreach.tables import DECISIONS, SENDS

_AT_ONCE = 2_000
ADVICE = "nothing is decided and nothing is sent until it is: run `care reconcile`"


Bounds = Mapping[int, tuple[int, int]]
"""Partition → the first offset that it still has, and its end."""


@dataclass(frozen=True, slots=True)
class SaidTopic:
    """Where one deployment's `outreach` is."""

    bootstrap: str
    prefix: str
    partitions: int

    def topic_id(self) -> UUID:
        """Return its id, which changes when it is made anew; raises `Unavailable`."""
        found = check_topics(
            self.bootstrap, [OUTREACH], partitions=self.partitions, prefix=self.prefix
        )
        return found[OUTREACH.name].topic_id

    def bounds(self) -> Bounds:
        """Return where each partition begins and ends now; raises `Unavailable`."""
        with closing(self.reader()) as reader:
            return reader.bounds(OUTREACH)

    def events(
        self, since: Mapping[int, int], progress: Progress = lambda *_: None
    ) -> Iterator[tuple[int, Event[Any]]]:
        """Yield the events from these offsets on, with their partitions; raises `Unavailable`.

        What is no event of a kind known here is passed over: it changes nothing in the ledger.
        """
        with closing(self.reader()) as reader:
            for _, record in reader.records([OUTREACH], since=since, progress=progress):
                event = _event_in(record)
                if event is not None:
                    yield int(record.partition), event

    def reader(self) -> TopicReader:
        """Return a reader of this deployment's topics, to be closed."""
        return TopicReader(self.bootstrap, prefix=self.prefix, partitions=self.partitions)


def _event_in(record: Any) -> Event[Any] | None:
    if is_barrier(record):
        return None
    try:
        return in_its_trace(read_event(OUTREACH, record.key, record.value, record.headers), record)
    except Unreadable:
        return None


def trust(topic_id: UUID, known: Mapping[int, Position], bounds: Bounds) -> str | None:
    """Return why these positions do not belong to this topic as it is; None: they do."""
    for partition, at in sorted(known.items()):
        begin, end = bounds.get(partition, (0, 0))
        if at.topic_id != topic_id:
            return "the topic outreach was made anew"
        if end < at.next_offset:
            return "the topic outreach is shorter than what this database knows of it"
        if 0 < at.next_offset < begin:
            return "the topic outreach has lost records that this database was not told of"
    return None


def since(topic_id: UUID, known: Mapping[int, Position], bounds: Bounds) -> dict[int, int]:
    """Return partition → the offset from which the topic has to be read."""
    offsets: dict[int, int] = {}
    for partition, (begin, end) in bounds.items():
        at = known.get(partition)
        is_of_it = at is not None and at.topic_id == topic_id and at.next_offset <= end
        offsets[partition] = max(begin, at.next_offset) if at is not None and is_of_it else begin
    return offsets


class Comparison:
    """Finds out whether this database knows all that was said, and stops everything where it does not."""

    def __init__(
        self, engine: Engine, topic: SaidTopic, log: structlog.typing.FilteringBoundLogger
    ) -> None:
        self._engine = engine
        self._topic = topic
        self._log = log

    def run(self) -> bool:
        """Do what `find` does, and log what is to be done; return whether everything is known."""
        because = self.find()
        if because is not None:
            self._log.error("outreach_must_be_reconciled", because=because, do=ADVICE)
        return because is None

    def find(self) -> str | None:
        """Return why the database must be reconciled, having noted it; None: all on the topic is known.

        Raises:
            Unavailable: the broker does not answer, or the topic is missing.
        """
        topic_id, bounds = self._topic.topic_id(), self._topic.bounds()
        with self._engine.begin() as connection:
            said.begin(connection, self._topic.partitions, topic_id)
            known = said.positions(connection)
            is_needed = reconciliation.is_needed(connection)
        because = (
            "it was not finished"
            if is_needed
            else trust(topic_id, known, bounds) or self._unknown(since(topic_id, known, bounds))
        )
        if because is None:
            self._note(known, bounds)
        else:
            with self._engine.begin() as connection:
                reconciliation.need(connection, because, SystemClock().now())
        return because

    def _unknown(self, offsets: Mapping[int, int]) -> str | None:
        """Return what is not known, in words; None: everything is."""
        events = (event for _, event in self._topic.events(offsets))
        for some in batches(events, _AT_ONCE):
            # After it was read: what lies on the topic was committed before.
            with self._engine.connect() as connection:
                found = unknown(connection, some)
            if found:
                # One is enough; how many there are `care reconcile` says.
                return "the topic outreach tells of what this database does not know"
        return None

    def _note(self, known: Mapping[int, Position], bounds: Bounds) -> None:
        with self._engine.begin() as connection:
            for partition, (_, end) in bounds.items():
                if end > known[partition].next_offset:
                    said.pass_over(connection, partition, known[partition].next_offset, end)


def unknown(connection: Connection, events: Sequence[Event[Any]]) -> list[Event[Any]]:
    """Return those of these events that the decisions and the ledger do not know."""
    decided = known_decisions(connection, events)
    standings = standings_of(connection, {event.data.step_id for event in events})
    return [event for event in events if not _is_known(event, decided, standings)]


def _is_known(event: Event[Any], decided: set[UUID], standings: Mapping[UUID, Standing]) -> bool:
    if isinstance(event.data, OutreachDecided):
        return event.data.decision_id in decided
    before = standings.get(event.data.step_id)
    return before is not None and after(before, event) == before


def known_decisions(connection: Connection, events: Iterable[Event[Any]]) -> set[UUID]:
    """Return the ids of those decisions told of that are recorded."""
    told = [e.data.decision_id for e in events if isinstance(e.data, OutreachDecided)]
    query = select(DECISIONS.c.decision_id).where(DECISIONS.c.decision_id.in_(told))
    return set(connection.execute(query).scalars()) if told else set()


def standings_of(connection: Connection, steps: Iterable[UUID]) -> dict[UUID, Standing]:
    """Return where the sends of these steps stand in the ledger."""
    found = connection.execute(select(SENDS).where(SENDS.c.step_id.in_(list(steps))))
    return {
        row.step_id: Standing(
            State(row.state),
            row.attempt,
            Channel(row.channel),
            row.started_at,
            row.finished_at,
            row.reason,
        )
        for row in found
    }
