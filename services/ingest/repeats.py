"""Publishing each event once: a repeat is told where the first one lies, another body is refused.

A promise stands over this: nobody is told `duplicate` of an event that the broker has not
acknowledged with the same body.  Who comes while the first is under way waits for its outcome.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from services.ingest.admission import Admission
from services.ingest.memory import Memory, Remembered, digest_of, name_of
from services.ingest.reading import Readable
from services.ingest.records import (
    Acknowledged,
    Conflict,
    Duplicate,
    Outcome,
    Publisher,
    Record,
    Told,
    Unknown,
    record_of,
)

_FIRST_IS_UNKNOWN = "the first of this id is not known"


@dataclass(slots=True)
class _First:
    """An event under way; others of its id wait for what becomes of it."""

    name: bytes
    digest: bytes
    record: Record
    outcome: Outcome | None = None
    _waited_for: asyncio.Future[Outcome] | None = None
    """Made by who waits: hardly anybody does."""

    def settle(self, outcome: Outcome) -> None:
        if self.outcome is None:
            self.outcome = outcome
            if self._waited_for is not None:
                self._waited_for.set_result(outcome)

    async def finished(self) -> Outcome:
        if self.outcome is not None:
            return self.outcome
        if self._waited_for is None:
            self._waited_for = asyncio.get_running_loop().create_future()
        # One who gives up must not end the waiting of the others.
        return await asyncio.shield(self._waited_for)


@dataclass(frozen=True, slots=True)
class _Repeat:
    """An event whose id is under way already."""

    digest: bytes
    size: int
    first: _First


_Plan = _First | _Repeat | Duplicate | Conflict


class Repeats:
    """Publishes what was not published lately.  For the event loop's thread only."""

    def __init__(
        self,
        publisher: Publisher,
        memory: Memory,
        admission: Admission,
        now: Callable[[], float],
    ) -> None:
        """Know of nothing under way.

        Args:
            publisher: Where events go that are not known.
            memory: What is known of earlier ones.
            admission: Room for repeats while they wait; the publisher takes its own.
            now: Seconds that never run backwards.
        """
        self._publisher = publisher
        self._memory = memory
        self._admission = admission
        self._now = now
        self._under_way: dict[bytes, _First] = {}

    async def publish(self, events: Sequence[Readable]) -> list[Told]:
        """Return what to tell of each event, in their order, within a bounded time.

        Raises:
            Overloaded: no room; nothing was sent.
        """
        if not self._memory.is_on:
            return list(
                await self._publisher.publish(
                    [record_of(e.event, e.topic, e.trace) for e in events]
                )
            )
        # Until here nothing waits: of two requests one has planned before the other begins.
        plans = [self._plan(event) for event in events]
        firsts = [plan for plan in plans if isinstance(plan, _First)]
        try:
            with self._room(plan for plan in plans if isinstance(plan, _Repeat)):
                self._settle(firsts, await self._publisher.publish([f.record for f in firsts]))
                return [await _told(plan) for plan in plans]
        finally:
            self._let_go(firsts)

    def known(self, source: str, event_id: str) -> Remembered | None:
        """Return what this replica remembers of an event; None: nothing, which says nothing."""
        return self._memory.find(name_of(source, event_id), self._now())

    def _plan(self, readable: Readable) -> _Plan:
        event = readable.event
        record = record_of(event, readable.topic, readable.trace)
        name, digest = name_of(event.source, event.id), digest_of(event, record.value)
        known = self._memory.find(name, self._now())
        if known is not None and known.place is not None:
            return _again(digest, known.digest, known.place)
        first = self._under_way.get(name)
        if first is not None:
            return _Repeat(digest, record.size, first)
        self._under_way[name] = planned = _First(name, digest, record)
        return planned

    @contextmanager
    def _room(self, repeats: Iterable[_Repeat]) -> Iterator[None]:
        sizes = [repeat.size for repeat in repeats]
        self._admission.enter(len(sizes), sum(sizes))
        try:
            yield
        finally:
            self._admission.leave(len(sizes), sum(sizes))

    def _settle(self, firsts: Sequence[_First], outcomes: Sequence[Outcome]) -> None:
        for first, outcome in zip(firsts, outcomes, strict=True):
            place = outcome if isinstance(outcome, Acknowledged) else None
            remembered = Remembered(first.digest, first.record.topic, place)
            self._memory.keep(first.name, remembered, self._now())
            first.settle(outcome)

    def _let_go(self, firsts: Sequence[_First]) -> None:
        for first in firsts:
            # However it ended: without an outcome nobody may be told that the broker has it.
            first.settle(Unknown(_FIRST_IS_UNKNOWN))
            self._under_way.pop(first.name, None)


async def _told(plan: _Plan) -> Told:
    if isinstance(plan, _First):
        return plan.outcome or Unknown(_FIRST_IS_UNKNOWN)
    if isinstance(plan, _Repeat):
        outcome = await plan.first.finished()
        if isinstance(outcome, Acknowledged):
            return _again(plan.digest, plan.first.digest, outcome)
        return Unknown(_FIRST_IS_UNKNOWN)
    return plan


def _again(digest: bytes, first: bytes, place: Acknowledged) -> Duplicate | Conflict:
    return Duplicate(place.partition, place.offset) if digest == first else Conflict()
