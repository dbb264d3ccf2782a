"""The simulated shop: `plan` draws what will happen, `Shop` plays it and reacts to mails.  Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from services.demo.mishaps import beyond_horizon, poisoned, slip, spoiled
from services.demo.parameters import ShopParameters
from services.demo.parcels import Parcel, draw_lanes, life_of, orders_of
from services.demo.people import Person, announce, populate
from services.demo.reactions import Crowd, Feelings, gather, next_moment, react, survey_of
from services.demo.timeline import (
    Batch,
    Mail,
    Poison,
    Publication,
    Reel,
    in_order,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that happens whatever anybody is told, and what people intend."""

    people: tuple[Person, ...]
    parcels: tuple[Parcel, ...]
    publications: tuple[Publication, ...]
    poison: tuple[Poison, ...]
    crowd: Crowd


def plan(parameters: ShopParameters, seed: int) -> Plan:
    """Return the shop that this seed gives.

    Every kind of chance has a generator of its own, so that one more customer or one other
    share does not change everything else.
    """
    people = populate(parameters, Random(f"{seed}/people"))
    lanes = draw_lanes(parameters, Random(f"{seed}/lanes"))
    parcels = tuple(
        parcel
        for person in people
        for parcel in orders_of(person, parameters, lanes, person.draws(seed, "orders"))
    )
    told = in_order(_told(people, parcels, parameters, seed))
    slips = Random(f"{seed}/slips")
    everything = [
        *slip(told, parameters, slips),
        *spoiled(told, parameters, slips),
        *beyond_horizon(told, parameters, slips),
    ]
    return Plan(
        people=people,
        parcels=parcels,
        publications=tuple(p for p in in_order(everything) if p.at <= parameters.end),
        poison=tuple(sorted(poisoned(told, parameters, slips), key=lambda p: p.at)),
        crowd=gather(parcels, parameters, seed),
    )


def _told(
    people: Sequence[Person], parcels: Sequence[Parcel], parameters: ShopParameters, seed: int
) -> Iterator[Publication]:
    for person in people:
        yield from announce(person, parameters, person.draws(seed, "profile"))
    for parcel in parcels:
        for item in (*life_of(parcel, parameters), *survey_of(parcel, parameters, seed)):
            if item.at <= parameters.end:
                yield item


@dataclass(slots=True)
class Shop:
    """A plan being played: hands out what is due and lets people react.  A `World`."""

    parameters: ShopParameters
    plan: Plan
    _feelings: Feelings = field(default_factory=Feelings)
    _reel: Reel = field(init=False)

    def __post_init__(self) -> None:
        """Put the reel at its beginning."""
        self._reel = Reel(self.plan.publications, self.plan.poison)

    @property
    def start(self) -> datetime:
        """When the shop opens."""
        return self.parameters.start

    @property
    def end(self) -> datetime:
        """When the demo is over."""
        return self.parameters.end

    def next_at(self) -> datetime | None:
        """Return the next instant at which something may be said; None: never again."""
        moments = (self._reel.next_at(), next_moment(self.plan.crowd, self._feelings))
        coming = min((m for m in moments if m is not None), default=None)
        return coming if coming is not None and coming <= self.end else None

    def advance(self, until: datetime, mails: Sequence[Mail]) -> Batch:
        """Return everything said up to and including `until`, given the mails that came before."""
        self._feelings, reactions = react(
            self.plan.crowd, self._feelings, mails, until, self.parameters
        )
        due = self._reel.take(until)
        return Batch(in_order((*due.publications, *reactions)), due.poison)


def open_shop(parameters: ShopParameters, seed: int) -> Shop:
    """Return the shop of this seed, before its first hour."""
    return Shop(parameters, plan(parameters, seed))
