"""How publishers slip: they repeat, delay and swap events, and some of what they say is unreadable.  Pure."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from services.contracts import topics
from services.contracts.deliveries import ShipmentDelivered
from services.demo.parameters import ShopParameters
from services.demo.timeline import Poison, Publication, publication

_BEYOND_HORIZON = topics.HORIZON + timedelta(days=20)
_AHEAD = topics.MAX_FUTURE_SKEW + timedelta(days=2)


def slip(
    publications: Sequence[Publication], parameters: ShopParameters, rng: Random
) -> Iterator[Publication]:
    """Yield the publications as careless publishers send them; no event is lost."""
    for item in publications:
        sent = replace(item, at=item.at + _delay(parameters, rng))
        yield sent
        if rng.random() < parameters.duplicated:
            yield replace(sent, at=sent.at + timedelta(minutes=rng.choice((0, 5, 240))))


def _delay(parameters: ShopParameters, rng: Random) -> timedelta:
    drawn = rng.random()
    if drawn < parameters.delayed:
        return timedelta(hours=rng.choice(parameters.delay_hours))
    if drawn < parameters.delayed + parameters.reordered:
        return parameters.reorder_within * rng.random()
    return timedelta()


def _without(*path: str) -> Callable[[dict[str, Any]], None]:
    def spoil(event: dict[str, Any]) -> None:
        *parents, last = path
        for name in parents:
            event = event[name]
        event.pop(last, None)

    return spoil


def _with(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    def spoil(event: dict[str, Any]) -> None:
        event[name] = value

    return spoil


def _from_the_future(event: dict[str, Any]) -> None:
    event["time"] = (datetime.fromisoformat(event["time"]) + _AHEAD).isoformat()


SPOILS: Mapping[str, Callable[[dict[str, Any]], None]] = {
    "no-order": _without("data", "order_id"),
    "no-customer": _without("partitionkey"),
    "unknown-type": _with("type", "care.parrot.bought.v1"),
    "no-zone": _with("time", "2026-03-02T10:00:00"),
    "address-as-key": _with("partitionkey", "someone@people.example"),
    "future": _from_the_future,
}
"""What the door must refuse, by name."""


def spoiled(
    publications: Sequence[Publication], parameters: ShopParameters, rng: Random
) -> Iterator[Publication]:
    """Yield copies of some publications, each with one fault that the door must refuse."""
    about_orders = [p for p in publications if b'"order_id"' in p.body]
    for kind, spoil in SPOILS.items():
        for victim in _some(about_orders, parameters.spoiled_per_kind, rng):
            event = json.loads(victim.body)
            event["id"] = event_id = f"{victim.event_id}-{kind}"
            spoil(event)
            yield Publication(victim.at, event_id, json.dumps(event).encode(), refusable=True)


def poisoned(
    publications: Sequence[Publication], parameters: ShopParameters, rng: Random
) -> Iterator[Poison]:
    """Yield records written past the door that no reader can read, one of each kind at a time."""
    for victim in _some(list(publications), parameters.poison_per_kind, rng):
        key = json.loads(victim.body)["partitionkey"].encode()
        unknown = victim.body.replace(b'"type":"care.', b'"type":"carl.')
        yield Poison(victim.at, topics.PURCHASES, key, b"\xff\xfe not JSON at all")
        yield Poison(victim.at, topics.DELIVERIES, key, unknown)
        yield Poison(victim.at, topics.CONTACTS, key, b'{"specversion":"1.0"}')
        yield Poison(victim.at, topics.DELIVERIES, b"somebody-else", victim.body)
        yield Poison(victim.at, topics.IDENTITIES, key, b"[]")
        yield Poison(victim.at, topics.CUSTOMERS, key, b"a name that must not be kept")
        yield Poison(victim.at, topics.CONSENTS, key, b"yes")


def beyond_horizon(
    publications: Sequence[Publication], parameters: ShopParameters, rng: Random
) -> Iterator[Publication]:
    """Yield deliveries of long ago, told only now: later than any state reaches back."""
    for victim in _some(list(publications), parameters.beyond_horizon, rng):
        order_id = f"{victim.event_id}-long-ago"
        told = publication(
            ShipmentDelivered(shipment_id=f"{order_id}-s1", order_id=order_id),
            source="/carriers/archive",
            event_id=order_id,
            time=victim.at - _BEYOND_HORIZON,
            customer_id=json.loads(victim.body)["partitionkey"],
        )
        yield replace(told, at=victim.at)


def _some(items: list[Publication], count: int, rng: Random) -> list[Publication]:
    return rng.sample(items, min(count, len(items)))
