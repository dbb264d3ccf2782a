"""How publishers slip: they repeat, delay and swap events, and some of what they say is unreadable.  Pure.

Whether one event is repeated or delayed is drawn from its own id, so that it does not depend on what
else is said.  Blunders (events to be refused, unreadable records, tales of long ago) are few and befall
the shop as a whole: each has a moment, and the first event fit for it after that moment is copied.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from services.contracts import topics
from services.contracts.deliveries import ShipmentDelivered
from services.shop.parameters import ShopParameters
from services.shop.premises import Premises
from services.shop.timeline import Poison, Publication, publication

_BEYOND_HORIZON = topics.HORIZON + timedelta(days=20)
_AHEAD = topics.MAX_FUTURE_SKEW + timedelta(days=2)
_AGAIN_AFTER = (timedelta(), timedelta(minutes=5), timedelta(hours=4))
_BLUNDERS_END_AFTER = 0.8
"""Part of the shop's time in which blunders happen; each still has to find its event."""


def sendings(item: Publication, premises: Premises) -> Iterator[Publication]:
    """Yield this event as its careless publisher sends it: late, in a burst, twice; never not at all."""
    drawn = premises.uniform(item.event_id, "slip")
    at = item.at
    parameters = premises.parameters
    if drawn < parameters.delayed + parameters.reordered:
        at += _delay(drawn, parameters)
    at = premises.sent_at(item.source, at, item.event_id)
    sent = item if at == item.at else replace(item, at=at)
    yield sent
    if drawn > 1 - parameters.duplicated:
        # The rest of the number says when.
        rest = (1 - drawn) / parameters.duplicated
        again = at + _AGAIN_AFTER[int(rest * len(_AGAIN_AFTER))]
        yield replace(sent, at=premises.sent_at(item.source, again, item.event_id))


def _delay(drawn: float, parameters: ShopParameters) -> timedelta:
    if drawn < parameters.delayed:
        hours = parameters.delay_hours
        return timedelta(hours=hours[int(drawn / parameters.delayed * len(hours))])
    return parameters.reorder_within * ((drawn - parameters.delayed) / parameters.reordered)


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
    # Its time is that of the sending by now: an event told days late would not be ahead of the door.
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


class _Other(StrEnum):
    """Blunders that are no event to be refused."""

    POISON = "poison"
    LONG_AGO = "long-ago"


@dataclass(slots=True)
class Blunders:
    """What goes wrong once in a while, and what has not yet found the event it befalls."""

    _waiting: list[tuple[datetime, str]] = field(default_factory=list)
    """By moment, the next one last."""

    @classmethod
    def planned(cls, premises: Premises) -> "Blunders":
        """Return the blunders of this shop."""
        parameters = premises.parameters
        rng = premises.draws("shop", "blunders")
        kinds = [kind for kind in SPOILS for _ in range(parameters.spoiled_per_kind)]
        kinds += [_Other.POISON] * parameters.poison_per_kind
        kinds += [_Other.LONG_AGO] * parameters.beyond_horizon
        while_open = (parameters.end - parameters.start) * _BLUNDERS_END_AFTER
        planned = [(parameters.start + while_open * rng.random(), kind) for kind in kinds]
        return cls(sorted(planned, reverse=True))

    def befall(self, item: Publication) -> tuple[list[Publication], list[Poison]]:
        """Return what is said wrongly because of this event; mostly nothing."""
        wrong: list[Publication] = []
        poison: list[Poison] = []
        while self._waiting and self._waiting[-1][0] <= item.at and _must_name_order(item):
            _, kind = self._waiting.pop()
            # Several of a kind may befall one event.
            event_id = f"{item.event_id}-{kind}-{len(self._waiting)}"
            if kind == _Other.POISON:
                poison += poisoned(item)
            elif kind == _Other.LONG_AGO:
                wrong.append(long_ago(item, event_id))
            else:
                wrong.append(spoiled(item, kind, event_id))
        return wrong, poison


def _must_name_order(item: Publication) -> bool:
    """Whether the door refuses this event without its order; elsewhere the order is optional."""
    return b'"type":"care.order.' in item.body or b'"type":"care.shipment.' in item.body


def spoiled(victim: Publication, kind: str, event_id: str) -> Publication:
    """Return a copy under this id, with one fault that the door must refuse."""
    event = json.loads(victim.body) | {"id": event_id, "time": victim.at.isoformat()}
    SPOILS[kind](event)
    return Publication(victim.at, event_id, json.dumps(event).encode(), refusable=True)


def poisoned(victim: Publication) -> Iterator[Poison]:
    """Yield records written past the door that no reader can read, one of each kind."""
    key = json.loads(victim.body)["partitionkey"].encode()
    unknown = victim.body.replace(b'"type":"care.', b'"type":"carl.')
    yield Poison(victim.at, topics.PURCHASES, key, b"\xff\xfe not JSON at all")
    yield Poison(victim.at, topics.DELIVERIES, key, unknown)
    yield Poison(victim.at, topics.CONTACTS, key, b'{"specversion":"1.0"}')
    yield Poison(victim.at, topics.DELIVERIES, b"somebody-else", victim.body)
    yield Poison(victim.at, topics.IDENTITIES, key, b"[]")
    yield Poison(victim.at, topics.CUSTOMERS, key, b"a name that must not be kept")
    yield Poison(victim.at, topics.CONSENTS, key, b"yes")


def long_ago(victim: Publication, event_id: str) -> Publication:
    """Return a delivery of long ago, told only now: later than any state reaches back."""
    told = publication(
        ShipmentDelivered(shipment_id=f"{event_id}-s1", order_id=event_id),
        source="/carriers/archive",
        event_id=event_id,
        time=victim.at - _BEYOND_HORIZON,
        customer_id=json.loads(victim.body)["partitionkey"],
    )
    return replace(told, at=victim.at)
