"""Small shops, played to their end, and what was said in them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from services.contracts import ids
from services.contracts.problems import ProblemKind
from services.shop.parameters import ShopParameters
from services.shop.shop import Shop, open_shop
from services.shop.timeline import Mail, Poison, Publication
from services.shop.truth import Act, IntentionTruth

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

SMALL = ShopParameters(customers=60, days=20, orders_per_customer_month=3)
CAREFUL = replace(
    SMALL, duplicated=0, delayed=0, reordered=0, beyond_horizon=0, spoiled_per_kind=0,
    poison_per_kind=0,
)  # fmt: skip
"""Publishers that never slip."""

PUNCTUAL = tuple(replace(carrier, outages_per_month=0) for carrier in SMALL.carriers)
"""Carriers whose feeds never fall silent."""


@dataclass(frozen=True, slots=True)
class Played:
    """All that was said, in the order of saying."""

    publications: tuple[Publication, ...]
    poison: tuple[Poison, ...]
    truth: tuple[IntentionTruth, ...]

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every event the door would take."""
        return [parsed(p) for p in self.publications if not p.refusable]

    def of_type(self, name: str) -> list[dict[str, Any]]:
        """Events of one type."""
        return [e for e in self.events if e["type"] == f"care.{name}.v1"]

    def happened(self, act: Act) -> list[IntentionTruth]:
        """Intentions of this kind that were carried out."""
        return [t for t in self.truth if t.act is act and t.happened]


class Nobody:
    """Writes no mail."""

    def write(self, said: Sequence[Publication], now: datetime) -> list[Mail]:
        """Return the mails that arrive at `now`, given what was said in the step before."""
        return []


@dataclass(slots=True)
class Carer(Nobody):
    """Writes to each customer about each parcel, so long after the promised day."""

    after: timedelta = timedelta()
    only_late: bool = True
    _promised: dict[str, tuple[datetime, str]] = field(default_factory=dict)

    def write(self, said: Sequence[Publication], now: datetime) -> list[Mail]:
        for item in said:
            if not item.refusable:
                self._note(parsed(item))
        due = [s for s, (at, _) in self._promised.items() if at + self.after <= now]
        return [mail_about(s, self._promised.pop(s)[1], now) for s in sorted(due)]

    def _note(self, event: dict[str, Any]) -> None:
        shipment = event["data"].get("shipment_id", "")
        if event["type"] == "care.shipment.promised.v1" and "ship_by" in event["data"]:
            at = datetime.fromisoformat(event["data"]["promised_by"])
            self._promised.setdefault(shipment, (at, event["partitionkey"]))
        if event["type"] == "care.shipment.delivered.v1" and self.only_late:
            self._promised.pop(shipment, None)


def mail_about(
    subject: str, customer_id: str, at: datetime, kind: ProblemKind = ProblemKind.DELIVERY_DELAY
) -> Mail:
    problem = ids.problem_id(customer_id, subject, kind, 1)
    return Mail(str(problem), "delivery_late/notice", f"{customer_id}@people.example", at)


def played(
    parameters: ShopParameters | Shop = SMALL,
    seed: int = 1,
    *,
    steps: Sequence[timedelta] = (HOUR,),
    writer: Nobody | None = None,
) -> Played:
    """Everything this shop says, in steps that come round again, with the writer's mails."""
    shop = parameters if isinstance(parameters, Shop) else open_shop(parameters, seed)
    writer = writer or Nobody()
    said: list[Publication] = []
    poison: list[Poison] = []
    truth: list[IntentionTruth] = []
    mails: list[Mail] = []
    for now in _instants(shop, steps):
        batch = shop.advance(now, mails)
        mails = writer.write(batch.publications, now)
        said += batch.publications
        poison += batch.poison
        truth += [t for t in batch.truth if isinstance(t, IntentionTruth)]
    return Played(tuple(said), tuple(poison), tuple(truth))


def _instants(shop: Shop, steps: Sequence[timedelta]) -> Iterator[datetime]:
    now, number = shop.start, 0
    while now < shop.end:
        now += steps[number % len(steps)]
        number += 1
        yield now


def parsed(item: Publication) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(item.body)
    return event


def time_of(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["time"])
