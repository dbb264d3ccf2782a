"""What all customers of one shop share: its numbers, its seed, the carriers' lanes and outages.  Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from services.shop.chance import draws, uniform
from services.shop.parameters import Carrier, ShopParameters

_MONTH = timedelta(days=30)
_BURST = timedelta(minutes=10)
"""How long a feed that is back takes to tell what it held."""

Silence = tuple[datetime, datetime]
"""From, up to and without."""


@dataclass(frozen=True, slots=True)
class Premises:
    """One shop, before its first customer."""

    parameters: ShopParameters
    seed: int
    slow_lanes: frozenset[tuple[str, str]]
    """Carrier and country."""
    silences: Mapping[str, tuple[Silence, ...]]
    """Publisher (`/carriers/<slug>`) → when its feed is silent, in order, none touching another."""

    def draws(self, owner: str, purpose: str) -> Random:
        """Return the generator of this owner for this purpose."""
        return draws(self.seed, owner, purpose)

    def uniform(self, owner: str, purpose: str) -> float:
        """Return this owner's one number in [0, 1) for this purpose."""
        return uniform(self.seed, owner, purpose)

    def sent_at(self, source: str, at: datetime, event_id: str) -> datetime:
        """Return when the publisher can send what it has to say at `at`: later in an outage."""
        for begins, ends in self.silences.get(source, ()):
            if begins <= at < ends:
                return ends + _BURST * self.uniform(event_id, "burst")
        return at


def open_premises(parameters: ShopParameters, seed: int) -> Premises:
    """Return the premises of this seed.

    Raises:
        ValueError: a planned outage names a carrier the shop does not have.
    """
    slugs = {carrier.slug for carrier in parameters.carriers}
    for outage in parameters.outages:
        if outage.carrier not in slugs:
            raise ValueError(f"no carrier {outage.carrier!r}: {', '.join(sorted(slugs))}")
    return Premises(
        parameters=parameters,
        seed=seed,
        slow_lanes=frozenset(_slow_lanes(parameters, draws(seed, "shop", "lanes"))),
        silences={
            feed_of(carrier): merged(_silences(carrier, parameters, seed))
            for carrier in parameters.carriers
        },
    )


def feed_of(carrier: Carrier) -> str:
    """Return the `source` of this carrier's events."""
    return f"/carriers/{carrier.slug}"


def merged(silences: Iterator[Silence]) -> tuple[Silence, ...]:
    """Return them in order, those that touch made one."""
    whole: list[Silence] = []
    for begins, ends in sorted(silences):
        # A feed that is back needs its burst before it can fall silent again.
        if whole and begins <= whole[-1][1] + _BURST:
            whole[-1] = (whole[-1][0], max(whole[-1][1], ends))
        else:
            whole.append((begins, ends))
    return tuple(whole)


def _slow_lanes(parameters: ShopParameters, rng: Random) -> Iterator[tuple[str, str]]:
    for carrier in parameters.carriers:
        for home in parameters.homes:
            if rng.random() < carrier.slow_lanes:
                yield carrier.slug, home.country


def _silences(carrier: Carrier, parameters: ShopParameters, seed: int) -> Iterator[Silence]:
    for outage in parameters.outages:
        if outage.carrier == carrier.slug:
            begins = parameters.start + outage.starts
            yield begins, begins + outage.lasts
    if not carrier.outages_per_month:
        return
    rng = draws(seed, carrier.slug, "outages")
    begins = parameters.start
    while True:
        begins += _MONTH * rng.expovariate(carrier.outages_per_month)
        if begins >= parameters.end:
            return
        yield begins, begins + timedelta(hours=rng.choice(parameters.outage_hours))
