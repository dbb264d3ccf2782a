"""Invented customers: where they live, what they allow, how often they buy, how patient they are.  Pure.

A person is drawn anew from the seed whenever needed, so that nobody who is not shopping takes memory.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from services.contracts.people import (
    Channel,
    ConsentChanged,
    ConsentStatus,
    CustomerErased,
    CustomerMerged,
    CustomerUpdated,
    MessageClass,
)
from services.shop.local_time import at_hour
from services.shop.parameters import Home, ShopParameters
from services.shop.premises import Premises
from services.shop.timeline import Publication, publication

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
    orders_per_month: float
    leaves: float
    """The chance to stop buying after an order nothing was wrong with."""


def customer_id_of(number: int) -> str:
    """Return the id of the customer with this number, from 1."""
    return f"c-{number:05d}"


def customer_behind(address: str) -> str:
    """Return the id of the customer with this mail address."""
    return address.partition("@")[0]


def person_of(customer_id: str, premises: Premises) -> Person:
    """Return this customer.  Every address is invented and under `.example` (RFC 2606)."""
    parameters = premises.parameters
    rng = premises.draws(customer_id, "person")
    median, sigma = parameters.patience_hours
    shape = parameters.rhythm_shape
    has_mail = rng.random() >= parameters.no_email
    return Person(
        customer_id=customer_id,
        name=f"{rng.choice(_GIVEN)} {rng.choice(_FAMILY)}",
        email=f"{customer_id}@people.example" if has_mail else None,
        home=rng.choices(parameters.homes, [home.share for home in parameters.homes])[0],
        patience=timedelta(hours=rng.lognormvariate(math.log(median), sigma)),
        orders_per_month=parameters.orders_per_customer_month * rng.gammavariate(shape, 1 / shape),
        leaves=rng.betavariate(*parameters.leaves),
    )


def announce(person: Person, premises: Premises, at: datetime) -> Iterator[Publication]:
    """Yield what the shop publishes about this person: profile and consent, and changes later."""
    parameters = premises.parameters
    rng = premises.draws(person.customer_id, "profile")
    yield _profile(person, at, "0")
    yield from _consents(person, parameters, at, rng)
    if rng.random() < parameters.profile_changed_later:
        later = _some_day(parameters, at, rng, hour=11)
        yield _profile(person, later, "1", name=f"{person.name}-Lange")


def rename(
    person: Person, before: str | None, premises: Premises, at: datetime
) -> Iterator[Publication]:
    """Yield what is said, some day, about who this person is.

    Args:
        person: Of whom.
        before: The id of whoever was announced before them; None: nobody was.
        premises: The shop.
        at: When they are announced.
    """
    parameters = premises.parameters
    rng = premises.draws(person.customer_id, "identity")
    is_merged, is_erased = rng.random() < parameters.merged, rng.random() < parameters.erased
    days = [_some_day(parameters, at, rng, hour=hour) for hour in (13, 14)]
    if is_merged and before is not None:
        yield _identity(CustomerMerged(into=before), person, days[0])
    if is_erased:
        yield _identity(CustomerErased(), person, days[1])


def _identity(fact: CustomerMerged | CustomerErased, person: Person, at: datetime) -> Publication:
    return publication(
        fact,
        source=_PROFILES,
        event_id=f"{person.customer_id}-{fact.TYPE}",
        time=at,
        customer_id=person.customer_id,
    )


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


def _consents(
    person: Person, parameters: ShopParameters, at: datetime, rng: Random
) -> Iterator[Publication]:
    drawn = rng.random()
    if drawn < parameters.consent_granted:
        first, second = ConsentStatus.GRANTED, ConsentStatus.REVOKED
    elif drawn < parameters.consent_granted + parameters.consent_denied:
        first, second = ConsentStatus.DENIED, ConsentStatus.GRANTED
    else:
        return
    yield from _consent(person, at, first)
    if rng.random() < parameters.consent_changed_later:
        yield from _consent(person, _some_day(parameters, at, rng, hour=12), second)


def _consent(person: Person, at: datetime, status: ConsentStatus) -> Iterator[Publication]:
    for message_class in _CARE_CLASSES:
        yield publication(
            ConsentChanged(message_class=message_class, channel=Channel.EMAIL, status=status),
            source=_CONSENTS,
            event_id=f"{person.customer_id}-{message_class}-{status}",
            time=at,
            customer_id=person.customer_id,
        )


def _some_day(parameters: ShopParameters, at: datetime, rng: Random, *, hour: int) -> datetime:
    day = rng.randrange(1, max(2, parameters.days))
    return at_hour(at, parameters.shop_zone, days=day, hour=hour + rng.random())
