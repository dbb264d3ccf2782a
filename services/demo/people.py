"""Invented customers: where they live, what they allow, how patient they are.  Pure."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from services.contracts.people import (
    Channel,
    ConsentChanged,
    ConsentStatus,
    CustomerUpdated,
    MessageClass,
)
from services.demo.local_time import at_hour
from services.demo.parameters import Home, ShopParameters
from services.demo.timeline import Publication, publication

_GIVEN = ("Ada", "Ben", "Clara", "Duarte", "Elif", "Finn", "Greta", "Hugo", "Inês", "Jonas")
_FAMILY = ("Acker", "Brandt", "Costa", "Doyle", "Egger", "Fischer", "Gruber", "Horta", "Kelly")
_PROFILES = "/shop/profiles"
_CONSENTS = "/shop/consents"
_CARE_CLASSES = (MessageClass.SERVICE, MessageClass.CARE)


@dataclass(frozen=True, slots=True)
class Person:
    """One customer."""

    customer_id: str
    name: str
    email: str | None
    home: Home
    patience: timedelta

    def draws(self, seed: int, purpose: str) -> Random:
        """Return chance of this person's own, whatever happens to anybody else."""
        return Random(f"{seed}/{self.customer_id}/{purpose}")


def populate(parameters: ShopParameters, rng: Random) -> tuple[Person, ...]:
    """Return the shop's customers.  Every address is invented and under `.example` (RFC 2606)."""
    return tuple(_person(number, parameters, rng) for number in range(1, parameters.customers + 1))


def _person(number: int, parameters: ShopParameters, rng: Random) -> Person:
    customer_id = f"c-{number:05d}"
    median, sigma = parameters.patience_hours
    has_mail = rng.random() >= parameters.no_email
    return Person(
        customer_id=customer_id,
        name=f"{rng.choice(_GIVEN)} {rng.choice(_FAMILY)}",
        email=f"{customer_id}@people.example" if has_mail else None,
        home=rng.choices(parameters.homes, [home.share for home in parameters.homes])[0],
        patience=timedelta(hours=rng.lognormvariate(math.log(median), sigma)),
    )


def announce(person: Person, parameters: ShopParameters, rng: Random) -> Iterator[Publication]:
    """Yield what the shop publishes about this person: profile and consent, and changes later."""
    yield _profile(person, parameters.start, "0")
    yield from _consents(person, parameters, rng)
    if rng.random() < parameters.profile_changed_later:
        later = _some_day(parameters, rng, hour=11)
        yield _profile(person, later, "1", name=f"{person.name}-Lange")


def _profile(person: Person, at: datetime, version: str, *, name: str | None = None) -> Publication:
    fact = CustomerUpdated(
        name=name or person.name,
        email=person.email,
        language=person.home.language,
        time_zone=person.home.time_zone,
        country=person.home.country,
    )
    return publication(
        fact,
        source=_PROFILES,
        event_id=f"{person.customer_id}-profile-{version}",
        time=at,
        customer_id=person.customer_id,
    )


def _consents(person: Person, parameters: ShopParameters, rng: Random) -> Iterator[Publication]:
    drawn = rng.random()
    if drawn < parameters.consent_granted:
        yield from _consent(person, parameters.start, ConsentStatus.GRANTED)
        if rng.random() < parameters.consent_revoked_later:
            yield from _consent(person, _some_day(parameters, rng, hour=12), ConsentStatus.REVOKED)
    elif drawn < parameters.consent_granted + parameters.consent_denied:
        yield from _consent(person, parameters.start, ConsentStatus.DENIED)


def _consent(person: Person, at: datetime, status: ConsentStatus) -> Iterator[Publication]:
    for message_class in _CARE_CLASSES:
        yield publication(
            ConsentChanged(message_class=message_class, channel=Channel.EMAIL, status=status),
            source=_CONSENTS,
            event_id=f"{person.customer_id}-{message_class}-{status}",
            time=at,
            customer_id=person.customer_id,
        )


def _some_day(parameters: ShopParameters, rng: Random, *, hour: int) -> datetime:
    day = rng.randrange(1, max(2, parameters.days))
    return at_hour(parameters.start, parameters.shop_zone, days=day, hour=hour + rng.random())
