"""What was known of each thing of a customer after each tick, until it fell behind the horizon.  Pure.

One thing is not followed: what has a problem still open when it falls behind the horizon stays, with its
order, until that ends.  With the default tolerances it takes a parcel or a refund promised nearly 400 days
ahead, or a poor answer of nearly 400 days ago that is told after a newer one to the same survey; such a
thing is found to be wrong.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.contracts.topics import HORIZON
from services.verifier.outcomes import Applied
from services.verifier.slots import Entry, Slots, Thing, entries, slots, stamps
from services.verifier.timeline import Timeline

_STRICTLY = timedelta(seconds=1)
"""A customer is looked at again this long after its oldest event has reached the horizon."""


@dataclass(slots=True)
class Lives:
    """One customer."""

    views: dict[Thing, list[tuple[int, Slots | None]]] = field(default_factory=dict)
    """Thing → what was known of it from each tick's index on; None: forgotten."""
    things: dict[Thing, Slots] = field(default_factory=dict)
    """What is known in the end."""
    events: list[Applied] = field(default_factory=list)
    """What is remembered as applied in the end."""


def lives(applied: Sequence[Applied], timeline: Timeline) -> Lives:
    """Return the lives of one customer's things.

    Args:
        applied: What was applied, by tick; what no tick covers is known at the end.
        timeline: The partition's ticks.
    """
    last = timeline.last_at
    is_all_kept = last is None or all(a.told.stamp.at >= last - HORIZON for a in applied)
    return _kept(applied) if is_all_kept else _forgetting(applied, timeline)


def _kept(applied: Sequence[Applied]) -> Lives:
    indices: dict[Thing, set[int]] = defaultdict(set)
    index_of = {}
    for each in applied:
        index_of[each.told.stamp] = each.index
        if each.told.says is not None:
            indices[each.told.says[0], each.told.says[1]].add(each.index)
    found = Lives(events=list(applied))
    for thing, said in entries(a.told for a in applied).items():
        found.views[thing] = [
            (index, slots(thing[0], [e for e in said if index_of[e[0]] <= index]))
            for index in sorted(indices[thing])
        ]
        found.things[thing] = _last(found.views[thing])
    return found


def _last(views: Sequence[tuple[int, Slots | None]]) -> Slots:
    return views[-1][1] or {}


def _forgetting(applied: Sequence[Applied], timeline: Timeline) -> Lives:
    found = Lives()
    remembered: list[Applied] = []
    known: dict[Thing, list[Entry]] = {}
    by_index: dict[int, list[Applied]] = defaultdict(list)
    for each in applied:
        by_index[each.index].append(each)
    for index in _looks(applied, timeline):
        remembered += by_index[index]
        changed = _learn(known, by_index[index])
        if index < len(timeline):
            before = timeline.ats[index] - HORIZON
            if any(a.told.stamp.at < before for a in remembered):
                remembered = [a for a in remembered if a.told.stamp.at >= before]
                for thing in _outlived(known, before):
                    del known[thing]
                    changed.add(thing)
        for thing in changed:
            view = slots(thing[0], known[thing]) if thing in known else None
            found.views.setdefault(thing, []).append((index, view))
    found.things = {thing: slots(thing[0], said) for thing, said in known.items()}
    found.events = remembered
    return found


def _looks(applied: Iterable[Applied], timeline: Timeline) -> list[int]:
    """Return the indices at which something is learned or may be forgotten."""
    applied = list(applied)
    expiries = (timeline.first_from(a.told.stamp.at + HORIZON + _STRICTLY) for a in applied)
    forgotten = {index for index in expiries if index < len(timeline)}
    return sorted({a.index for a in applied} | forgotten)


def _learn(known: dict[Thing, list[Entry]], news: Iterable[Applied]) -> set[Thing]:
    told = entries(a.told for a in news)
    for thing, said in told.items():
        known[thing] = sorted([*known.get(thing, ()), *said], key=lambda entry: entry[0])
    return set(told)


def _outlived(known: Mapping[Thing, Sequence[Entry]], before: datetime) -> list[Thing]:
    """Return the things of which every slot's event lies before this moment."""
    return [
        thing
        for thing, said in known.items()
        if all(at < before for at in stamps(slots(thing[0], said)))
    ]
