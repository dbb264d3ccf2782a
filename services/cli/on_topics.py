"""The events on a deployment's own topics, as `care train` and `care evaluate` read them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from services.churn_predictor.train.purchases import (
    NothingBought,
    Purchases,
    purchases_in,
)
from services.churn_predictor.train.replay import Case, replay
from services.cli.deployment import Place
from services.contracts import topics as t
from services.contracts.envelope import Event
from services.contracts.events import Unreadable
from services.contracts.tolerances import Tolerances
from services.contracts.topics import MAX_FUTURE_SKEW, Topic
from services.kit.exits import EXIT_USAGE, leave
from services.kit.plurals import counted
from services.kit.progress import Tell
from services.kit.records import read_event

ALL = (t.PURCHASES, t.DELIVERIES, t.CONTACTS)
"""Whose events teach the risk of a complaint; of a lapse, the first of them."""

RETENTION = (
    f"events from outside lie on their topics for {(t.PURCHASES.retention or t.HORIZON).days} days "
    "unless the broker's retention.ms says otherwise"
)


@dataclass(slots=True)
class Counts:
    """What was met while reading."""

    events: int = 0
    unreadable: int = 0
    """Also those too far ahead of the deployment's time."""
    repeated: int = 0

    def __str__(self) -> str:
        return (
            f"{counted(self.events, 'event')} read; {self.unreadable:,} unreadable and "
            f"{counted(self.repeated, 'repeated one')} passed over"
        )


def read_cases(place: Place, tell: Tell, tolerances: Tolerances | None = None) -> Sequence[Case]:
    """Return a case for every promised parcel on the topics; leaves with one line where there is none."""
    counts = Counts()
    cases = replay(_events(place, ALL, counts, tell), tolerances or Tolerances())
    tell(f"{counts}: {len(cases):,} parcels")
    if not cases:
        _nothing("no promised parcel of a known purchase", place, ALL)
    return cases


def read_bought(place: Place, tell: Tell) -> Purchases:
    """Return the purchases on the topics; leaves with one line where there is none."""
    counts = Counts()
    try:
        found = purchases_in(_events(place, ALL[:1], counts, tell))
    except NothingBought:
        _nothing("no order that was not cancelled", place, ALL[:1])
    tell(f"{counts}: {found.count:,} purchases of {len(found.by_customer):,} customers")
    return found


def readable(
    records: Iterable[tuple[Topic, Any]], now: datetime | None, counts: Counts
) -> Iterator[Event[Any]]:
    """Yield the events that the predictor would apply, each once; the others are counted.

    Args:
        records: Topics and what lies on them.
        now: The deployment's time, for telling what lies too far ahead; None: not known.
        counts: Changed in place.
    """
    seen: set[tuple[str, str, str]] = set()
    for topic, record in records:
        try:
            event = read_event(topic, record.key, record.value, record.headers)
        except Unreadable:
            counts.unreadable += 1
            continue
        name = (event.partitionkey, event.source, event.id)
        if now is not None and event.time > now + MAX_FUTURE_SKEW:
            counts.unreadable += 1
        elif name in seen:
            counts.repeated += 1
        else:
            seen.add(name)
            counts.events += 1
            yield event


def _events(
    place: Place, wanted: Sequence[Topic], counts: Counts, tell: Tell
) -> Iterator[Event[Any]]:
    return readable(place.records(wanted, tell), place.latest_tick(), counts)


def _nothing(what: str, place: Place, wanted: Sequence[Topic]) -> NoReturn:
    names = ", ".join(topic.physical(place.prefix) for topic in wanted)
    leave(
        f"{what} lies on {names}: name the deployment's prefix with --prefix; {RETENTION}",
        EXIT_USAGE,
    )
