"""What is known about one customer: a set of facts keyed by business id.

Every slot holds what is the same whatever order events came in: the least or greatest stamp it was
ever offered, or all of those on one side of another slot.  `learning.py` fills them.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from enum import StrEnum

from services.contracts.contacts import OpenedBy, SurveyKind, is_poor_answer

TURNS_KEPT = 16
"""Of one conversation."""


@dataclass(frozen=True, slots=True, order=True)
class Stamp:
    """When something happened, and which event said so."""

    at: datetime
    source: str
    id: str


@dataclass(frozen=True, slots=True)
class Promise:
    """A date that was given to the customer for a shipment."""

    told: Stamp
    promised_by: datetime
    ship_by: datetime | None = None
    carrier: str | None = None
    origin_region: str | None = None
    destination_region: str | None = None
    seller_id: str | None = None


@dataclass(frozen=True, slots=True)
class ZoneTold:
    """A recipient's time zone, and the promise that named it."""

    told: Stamp
    name: str


@dataclass(frozen=True, slots=True)
class CarrierTold:
    """A carrier, and the event that named it."""

    told: Stamp
    name: str


@dataclass(frozen=True, slots=True)
class Basket:
    """What was bought, as far as risk needs it; product, seller and category of the dearest line."""

    placed: Stamp
    lines: int
    sellers: int
    total_minor: int
    freight_minor: int
    product_id: str | None = None
    seller_id: str | None = None
    category: str | None = None


@dataclass(slots=True)
class OrderFacts:
    """One order."""

    basket: Basket | None = None
    approved: Stamp | None = None
    cancelled: Stamp | None = None
    failures: list[Stamp] = field(default_factory=list)
    """The earliest payments that failed, sorted."""
    histories: dict[str, tuple[float, float]] | None = None
    """What was known of others when it was approved, as `histories.kept` names it; None: nobody was
    asked yet."""


@dataclass(slots=True)
class CartFacts:
    """One cart that never became an order, as far as known."""

    abandoned: Stamp | None = None
    failures: list[Stamp] = field(default_factory=list)
    """The earliest payments that failed and named no order, sorted."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """When a parcel was first and last seen in one status."""

    first: Stamp
    last: Stamp


@dataclass(slots=True)
class ShipmentFacts:
    """One parcel.  The first promise is kept for ever; the latest one beside it."""

    order_id: str
    first_promise: Promise | None = None
    latest_promise: Promise | None = None
    estimates: list[Promise] = field(default_factory=list)
    """The earliest promises but the first, sorted: what was estimated at any instant."""
    first_zone: ZoneTold | None = None
    last_zone: ZoneTold | None = None
    handed_over: Stamp | None = None
    carrier_told: CarrierTold | None = None
    """The last: whoever has the parcel now is the one to be heard."""
    scans: dict[str, Sighting] = field(default_factory=dict)
    """`status` or `status/sub-status` → when it was seen; only where the carrier had it in hand."""
    delivered: Stamp | None = None

    @property
    def carrier(self) -> str | None:
        """Who has it, as far as known."""
        return None if self.carrier_told is None else self.carrier_told.name

    @property
    def first_scan(self) -> Stamp | None:
        """When the carrier first showed that it has the parcel."""
        return min((seen.first for seen in self.scans.values()), default=None)


class TurnKind(StrEnum):
    """Who said what in a conversation."""

    OPENED = "opened"
    REOPENED = "reopened"
    REPLIED_BY_CUSTOMER = "replied_by_customer"
    REPLIED_BY_AGENT = "replied_by_agent"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, order=True)
class Turn:
    """One turn of a conversation."""

    said: Stamp
    kind: TurnKind


@dataclass(slots=True)
class ContactFacts:
    """One conversation."""

    opened: Stamp | None = None
    opened_by: OpenedBy | None = None
    """None: the customer, as far as is known; what was kept before agents' openings were told says so too."""
    reason: str | None = None
    order_id: str | None = None
    replied_by_agent: Stamp | None = None
    resolved: Stamp | None = None
    reopened: Stamp | None = None
    waiting: list[Stamp] = field(default_factory=list)
    """The customer's words that nobody has answered yet, sorted."""
    turns: list[Turn] = field(default_factory=list)
    """The earliest `TURNS_KEPT`, sorted: how the conversation stood at any instant up to the last."""

    @property
    def asked(self) -> Stamp | None:
        """When the customer began it; None: an agent did, or nobody told."""
        return None if self.opened_by is OpenedBy.AGENT else self.opened

    @property
    def answered(self) -> Stamp | None:
        """The latest reply of an agent, or the latest closing."""
        stamps = (self.replied_by_agent, self.resolved)
        return max((stamp for stamp in stamps if stamp is not None), default=None)


@dataclass(slots=True)
class SearchFacts:
    """What a customer looked for about one order, or about none."""

    found: Stamp | None = None
    unfound: list[Stamp] = field(default_factory=list)
    """Fruitless searches later than the last fruitful one, sorted."""


@dataclass(slots=True)
class SurveyFacts:
    """One survey; the first answer counts."""

    sent: Stamp | None = None
    answered: Stamp | None = None
    score: int | None = None
    kind: SurveyKind | None = None
    order_id: str | None = None
    contact_id: str | None = None

    @property
    def is_poor(self) -> bool:
        """Whether the first answer is a poor one of its kind."""
        kind, score = self.kind, self.score
        return kind is not None and score is not None and is_poor_answer(kind, score)


@dataclass(frozen=True, slots=True)
class RefundPromise:
    """A date that was given for money to come back."""

    told: Stamp
    promised_by: datetime


@dataclass(slots=True)
class RefundFacts:
    """One sum of money that goes back."""

    order_id: str
    promised: RefundPromise | None = None
    paid: Stamp | None = None


@dataclass(slots=True)
class Facts:
    """Everything known about one customer, by business id."""

    orders: dict[str, OrderFacts] = field(default_factory=dict)
    carts: dict[str, CartFacts] = field(default_factory=dict)
    shipments: dict[str, ShipmentFacts] = field(default_factory=dict)
    contacts: dict[str, ContactFacts] = field(default_factory=dict)
    searches: dict[str, SearchFacts] = field(default_factory=dict)
    """By the order's id, or `NO_ORDER`."""
    surveys: dict[str, SurveyFacts] = field(default_factory=dict)
    refunds: dict[str, RefundFacts] = field(default_factory=dict)


NO_ORDER = "help"
"""Stands for the order's id where a search was about none."""


Named = tuple[str, str]
"""A group of facts, as `Facts` calls it, and an id in it."""


def forget_facts(facts: Facts, before: datetime, kept: Collection[Named] = ()) -> set[Named]:
    """Drop everything whose last news lies before; return what is gone.

    What `kept` names stays whatever its age.
    """
    gone: set[Named] = set()
    for group in fields(facts):
        known = getattr(facts, group.name)
        old = [name for name, fact in known.items() if _is_older(fact, before)]
        for name in old:
            if (group.name, name) not in kept:
                del known[name]
                gone.add((group.name, name))
    return gone


def _is_older(fact: object, before: datetime) -> bool:
    return all(stamp.at < before for stamp in stamps_in(fact))


def stamps_in(fact: object) -> Iterator[Stamp]:
    """Yield every stamp in a fact, however deep."""
    if isinstance(fact, Stamp):
        yield fact
    elif isinstance(fact, list | dict):
        for value in fact.values() if isinstance(fact, dict) else fact:
            yield from stamps_in(value)
    elif is_dataclass(fact):
        for slot in fields(fact):
            yield from stamps_in(getattr(fact, slot.name))
