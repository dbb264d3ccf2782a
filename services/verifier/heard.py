"""When each feed was last heard in any partition, as of each tick: recomputed from the events.  Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.contracts.topics import HORIZON
from services.verifier.evidence import Told
from services.verifier.outcomes import Applied
from services.verifier.timeline import Timeline

_SCANS = "scans:"


def carrier_feed(carrier: str) -> str:
    """Return the name of a carrier's feed."""
    return f"carrier:{carrier}"


def publisher_feed(source: str) -> str:
    """Return the name of a publisher's feed."""
    return f"publisher:{source}"


def scans_feed(carrier: str) -> str:
    """Return the name of the feed of a carrier's scans alone."""
    return f"{_SCANS}{carrier}"


def is_scans_feed(feed: str) -> bool:
    """Return whether a feed is one of scans: a carrier may have none of them."""
    return feed.startswith(_SCANS)


@dataclass(frozen=True, slots=True)
class Mark:
    """One feed in one partition after one tick."""

    number: int
    heard_at: datetime
    events: int
    voices: tuple[str, ...] = ()
    """For whom a publisher spoke; of several the least two."""


def marks(heard: Iterable[Applied], timeline: Timeline) -> dict[str, list[Mark]]:
    """Return feed → its marks in this partition, by tick.

    A date ahead of the tick counts as the tick's time: it was heard now.
    """
    found: dict[str, list[Mark]] = {}
    known: dict[str, Mark] = {}
    for feed, (index, newest, events, voices) in _sums(heard):
        if index >= len(timeline):
            continue
        at, before = timeline.ats[index], known.get(feed)
        if before is None or is_forgotten(before, timeline.at_before(index)):
            before = Mark(0, newest, 0)
        latest = min(max(newest, before.heard_at), at)
        least = tuple(sorted(voices.union(before.voices)))[:2]
        known[feed] = Mark(timeline.numbers[index], latest, events + before.events, least)
        if not is_forgotten(known[feed], at):
            found.setdefault(feed, []).append(known[feed])
    return found


def is_forgotten(mark: Mark, at: datetime | None) -> bool:
    """Return whether nothing is remembered any more of a feed heard so long before this moment."""
    return at is not None and mark.heard_at < at - HORIZON


_Voices = frozenset[str]
_NOBODY: _Voices = frozenset()


def _sums(heard: Iterable[Applied]) -> list[tuple[str, tuple[int, datetime, int, _Voices]]]:
    """Return for each feed and tick the newest event, how many there were and for whom, by tick."""
    sums: dict[tuple[int, str], tuple[datetime, int, _Voices]] = {}
    for each in heard:
        at = each.told.stamp.at
        for feed, voices in _feeds(each.told):
            newest, events, others = sums.get((each.index, feed), (at, 0, _NOBODY))
            sums[each.index, feed] = (max(newest, at), events + 1, others | voices)
    return [(feed, (index, *sums[index, feed])) for index, feed in sorted(sums)]


def _feeds(told: Told) -> Iterable[tuple[str, _Voices]]:
    voices = _NOBODY if told.voice is None else frozenset({told.voice})
    yield publisher_feed(told.stamp.source), voices
    if told.carrier:
        yield carrier_feed(told.carrier), _NOBODY
        if told.is_scan:
            yield scans_feed(told.carrier), _NOBODY


class Heard:
    """All partitions' marks together; answers for a tick."""

    def __init__(self, partitions: Iterable[Mapping[str, Iterable[Mark]]]) -> None:
        """Take the marks of every partition."""
        gathered: dict[str, list[tuple[int, Mark]]] = {}
        self.partitions = 0
        for found in partitions:
            for feed, of_feed in found.items():
                gathered.setdefault(feed, []).extend((self.partitions, mark) for mark in of_feed)
            self.partitions += 1
        self._rises = {feed: _rises(m for _, m in placed) for feed, placed in gathered.items()}
        self._carriers = {feed: _carriers(placed) for feed, placed in gathered.items()}

    @property
    def feeds(self) -> Iterable[str]:
        """Every feed that was ever heard."""
        return self._rises

    def latest(self, feed: str) -> list[tuple[int, datetime]]:
        """Return each tick by which a feed was heard later than before, and when by then."""
        return list(dict(zip(*self._rises[feed], strict=True)).items())

    def as_of(self, feed: str, number: int) -> datetime | None:
        """Return when this feed was last heard by all that was said up to this tick; None: never."""
        numbers, moments = self._rises.get(feed, ([], []))
        found = bisect_right(numbers, number)
        return moments[found - 1] if found else None

    def is_relay(self, feed: str, number: int) -> bool:
        """Return whether a feed says nothing that a carrier's name does not, as known at this tick.

        So it is where a publisher only passed on what one carrier says, as long as that carrier was
        not heard later through anybody else.
        """
        numbers, carriers = self._carriers.get(feed, ([], []))
        found = bisect_right(numbers, number)
        carrier = carriers[found - 1] if found else None
        if carrier is None:
            return False
        ours, theirs = self.as_of(feed, number), self.as_of(carrier_feed(carrier), number)
        return ours is None or theirs is None or theirs <= ours

    def first_number(self, feed: str, moment: datetime | None = None) -> int | None:
        """Return the number of the tick by which the feed was heard at or after a moment; None: at all."""
        numbers, moments = self._rises.get(feed, ([], []))
        found = 0 if moment is None else bisect_left(moments, moment)
        return numbers[found] if found < len(numbers) else None


def _rises(of_feed: Iterable[Mark]) -> tuple[list[int], list[datetime]]:
    numbers: list[int] = []
    moments: list[datetime] = []
    for mark in sorted(of_feed, key=lambda m: (m.number, m.heard_at)):
        if not moments or mark.heard_at > moments[-1]:
            numbers.append(mark.number)
            moments.append(mark.heard_at)
    return numbers, moments


def _carriers(placed: Iterable[tuple[int, Mark]]) -> tuple[list[int], list[str | None]]:
    """Return the ticks, in order, and for which carrier alone a publisher had spoken by each."""
    numbers: list[int] = []
    carriers: list[str | None] = []
    latest: dict[int, tuple[str, ...]] = {}
    for partition, mark in sorted(placed, key=lambda p: p[1].number):
        latest[partition] = mark.voices
        voices = {voice for of_partition in latest.values() for voice in of_partition}
        numbers.append(mark.number)
        # Nobody's name is empty: a publisher that speaks for itself alone is none either.
        carriers.append((voices.pop() or None) if len(voices) == 1 else None)
    return numbers, carriers
