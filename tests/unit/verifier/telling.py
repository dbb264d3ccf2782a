"""A customer's events at chosen ticks, and what the verifier makes of them: no predictor here."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.contracts.envelope import Event
from services.contracts.events import TOPIC_OF
from services.contracts.problems import Band, DecisionPoint, ProblemKind
from services.contracts.stream import Tick
from services.contracts.tolerances import Tolerances
from services.contracts.topics import PREDICTOR_SOURCES
from services.verifier.collect import collect
from services.verifier.evidence import Record
from services.verifier.heard import Heard, Mark, marks
from services.verifier.lives import Lives, lives
from services.verifier.outcomes import outcomes
from services.verifier.promises import Course, World
from services.verifier.scores import Score, Scores, Whose
from services.verifier.stories import Name, courses
from services.verifier.timeline import Timeline
from tests.factories import CUSTOMER, DAY, START

Arriving = Mapping[int, Iterable[Event[Any]]]
"""Tick → the events that are first known at it."""

Line = tuple[int, str, str]
"""Tick, word and tier; of a clearing the word is how."""


def daily(count: int, begin: datetime = START, every: timedelta = DAY) -> list[datetime]:
    """Return the times of so many ticks."""
    return [begin + n * every for n in range(count)]


@dataclass(frozen=True)
class Telling:
    """What became of one customer's events."""

    life: Lives
    world: World
    courses: dict[Name, Course] = field(default_factory=dict)

    def lines(self, kind: ProblemKind, subject: str) -> list[Line]:
        """Return what is said of one watch, each record as one line."""
        found = self.courses.get((kind, subject), Course())
        return [
            (each.step, _word(each.type, each.data), each.data["tier"]) for each in found.expected
        ]

    def said(self, kind: ProblemKind, subject: str) -> list[dict[str, Any]]:
        """Return the data of what is said of one watch."""
        return [each.data for each in self.courses[kind, subject].expected]


def _word(type_: str, data: Mapping[str, Any]) -> str:
    return str(data.get("clearing") or type_.split(".")[2])


def timeline_of(arriving: Arriving, ats: Iterable[datetime]) -> tuple[list[Record], Timeline]:
    """Return the events as records, and ticks that cover them as was asked for."""
    ends = dict.fromkeys((topic.name for topic in PREDICTOR_SOURCES), 0)
    records, ticks = [], []
    for number, at in enumerate(ats):
        for event in arriving.get(number, ()):
            topic = TOPIC_OF[type(event.data)].name
            key, value = event.partitionkey.encode(), event.encode()
            records.append(Record(topic, 0, ends[topic], key, value))
            ends[topic] += 1
        ticks.append(Tick(number=number, at=at, ends=dict(ends), barrier=f"b-{number}"))
    return records, Timeline(ticks)


def tell(
    arriving: Arriving,
    ats: Iterable[datetime],
    *,
    heard: Mapping[str, Iterable[datetime]] | None = None,
    tolerances: Tolerances | None = None,
    band: Band = Band.LOW,
) -> Telling:
    """Return what becomes of these events.

    Args:
        arriving: The events.
        ats: The times of the ticks.
        heard: Feed → when it was heard besides, each told at the first tick from then on.
        tolerances: None: the defaults.
        band: Of every assessment.
    """
    records, timeline = timeline_of(arriving, ats)
    became = outcomes(
        collect(records, 1).partitions[0], timeline, lambda told: False, lockstep=True
    )
    besides = {
        feed: [
            Mark(timeline.numbers[index], at, 1)
            for at in moments
            if (index := timeline.first_from(at)) < len(timeline)
        ]
        for feed, moments in (heard or {}).items()
    }
    world = World(
        timeline, Heard([marks(became.heard, timeline), besides]), tolerances or Tolerances()
    )
    life = lives(became.customers[CUSTOMER], timeline)
    return Telling(life, world, dict(courses(CUSTOMER, life, world, of_all(constant(band)))))


def constant(band: Band) -> Scores:
    """Return scores that were this band from the beginning, at every point."""
    score = Score(0, 0.5, band)
    return Scores({point: [score] for point in DecisionPoint})


def of_all(scores: Scores) -> Mapping[Whose, Scores]:
    """Return these scores for everybody."""
    return defaultdict(lambda: scores)
