"""One customer's watches through the ticks: which facts change which of them.  Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from services.contracts.problems import ProblemKind
from services.verifier import parcels
from services.verifier import watches as w
from services.verifier.evidence import Stamp
from services.verifier.lives import Lives
from services.verifier.parcels import Parcel
from services.verifier.promises import Course, Teller, World
from services.verifier.says import (
    CARTS,
    CONTACTS,
    ORDERS,
    REFUNDS,
    SEARCHES,
    SHIPMENTS,
    SURVEYS,
)
from services.verifier.scores import Scores, Whose
from services.verifier.slots import Slots, Thing, stamp_of
from services.verifier.watches import Measure, Watch

Name = tuple[ProblemKind, str]
"""Kind and subject."""

Model = Mapping[Whose, Scores]
"""What was said of each parcel's risk."""

Found = Iterator[tuple[Name, Watch | None]]


@dataclass(slots=True)
class Picture:
    """What is known of a customer at one tick."""

    things: dict[str, dict[str, Slots]] = field(default_factory=lambda: defaultdict(dict))

    def change(self, thing: Thing, slots: Slots | None) -> None:
        """Take what is known of one thing from here on; None: nothing."""
        if slots is None:
            self.things[thing[0]].pop(thing[1], None)
        else:
            self.things[thing[0]][thing[1]] = slots

    def named(self, kind: str, name: str) -> Slots:
        """Return what is known of one thing; nothing is empty."""
        return self.things[kind].get(name, {})

    @property
    def zone(self) -> str | None:
        """The zone named by the customer's latest promise that names one."""
        parcels = self.things[SHIPMENTS].values()
        zones = (parcel["last_zone"] for parcel in parcels if "last_zone" in parcel)
        latest = max(zones, key=lambda zone: stamp_of(zone["told"]), default=None)
        return None if latest is None else str(latest["name"])

    @property
    def bought(self) -> list[Stamp]:
        """When orders were placed."""
        baskets = (order.get("basket") for order in self.things[ORDERS].values())
        return [stamp_of(basket["placed"]) for basket in baskets if basket is not None]


def courses(
    customer: str, life: Lives, world: World, model: Model
) -> Iterable[tuple[Name, Course]]:
    """Return what each watch over a customer leads to, by kind and subject."""
    tellers: dict[Name, Teller] = {}
    story = _Story(world)
    for index, views in sorted(_by_index(life).items()):
        is_forgotten = any(view is None for view in views.values())
        for name, watch in story.turn(views):
            teller = tellers.get(name)
            if teller is None:
                if watch is None:
                    continue
                teller = tellers[name] = _teller(customer, name, world, model)
            teller.learn(index, watch, is_forgotten=is_forgotten)
    for name, teller in sorted(tellers.items()):
        teller.follow(len(world.timeline))
        yield name, teller.course


def _teller(customer: str, name: Name, world: World, model: Model) -> Teller:
    kind, subject = name
    return Teller(customer, subject, kind, world, model[customer, subject])


def _by_index(life: Lives) -> dict[int, dict[Thing, Slots | None]]:
    found: dict[int, dict[Thing, Slots | None]] = defaultdict(dict)
    for thing, views in life.views.items():
        for index, view in views:
            found[index][thing] = view
    return found


@dataclass(slots=True)
class _Story:
    """Goes from one change of the facts to the next, and tells which watches it concerns."""

    world: World
    picture: Picture = field(default_factory=Picture)
    _zone: str | None = None
    _changed: dict[str, set[str]] = field(default_factory=dict)

    def turn(self, views: dict[Thing, Slots | None]) -> Found:
        """Take what changed at one tick; yield every watch that may have become another one."""
        orders = self._orders_of(views)
        self._changed = defaultdict(set)
        for thing, view in views.items():
            self.picture.change(thing, view)
            self._changed[thing[0]].add(thing[1])
        orders |= self._orders_of(views)
        self._follow_zone()
        yield from self._parcels()
        yield from self._purchases()
        yield from self._contacts(orders)

    def _follow_zone(self) -> None:
        """Where the customer's zone became another one, so may every count of days."""
        zone = self.picture.zone if self._changed[SHIPMENTS] else self._zone
        if zone != self._zone:
            self._zone = zone
            for kind in (SHIPMENTS, CONTACTS):
                self._changed[kind] |= set(self.picture.things[kind])

    def _orders_of(self, views: Iterable[Thing]) -> set[str]:
        """Return the orders that the changed contacts are about."""
        names = (
            self.picture.named(CONTACTS, name).get("order_id")
            for kind, name in views
            if kind == CONTACTS
        )
        return {name for name in names if name is not None}

    def _measure(self, zone: str | None = None) -> Measure:
        tolerances = self.world.tolerances
        return Measure(tolerances, zone or self._zone or tolerances.time_zone)

    def _parcels(self) -> Found:
        concerned = set(self._changed[SHIPMENTS])
        if self._changed[ORDERS]:
            concerned |= {
                name
                for name, parcel in self.picture.things[SHIPMENTS].items()
                if parcel["order_id"] in self._changed[ORDERS]
            }
        for name in sorted(concerned):
            for kind, watch in parcels.watches(self._parcel(name)).items():
                yield (kind, name), watch

    def _parcel(self, name: str) -> Parcel:
        slots = self.picture.named(SHIPMENTS, name)
        order = self.picture.named(ORDERS, slots.get("order_id", ""))
        zone = slots.get("first_zone", {}).get("name")
        return Parcel(slots, w.stamp(order.get("cancelled")), self._measure(zone))

    def _purchases(self) -> Found:
        picture, measure = self.picture, self._measure()
        carts = self._changed[CARTS]
        if self._changed[ORDERS]:
            carts |= set(picture.things[CARTS])
        bought = picture.bought if carts else []
        for name in sorted(self._changed[ORDERS] | carts):
            cart = picture.named(CARTS, name)
            # An order and a cart of one name would be one subject: the order comes first.
            yield (
                (ProblemKind.PAYMENT_FAILED, name),
                w.order_unpaid(name, picture.named(ORDERS, name), measure)
                or w.cart_unpaid(cart, bought, measure),
            )
            yield (ProblemKind.CART_ABANDONED, name), w.cart_abandoned(cart, bought)
        for name in sorted(self._changed[REFUNDS]):
            refund = picture.named(REFUNDS, name)
            yield (ProblemKind.REFUND_OVERDUE, name), w.refund_overdue(refund, measure)

    def _contacts(self, orders: Iterable[str]) -> Found:
        picture, measure = self.picture, self._measure()
        for name in sorted(self._changed[CONTACTS]):
            contact = picture.named(CONTACTS, name)
            yield (ProblemKind.CONTACT_UNANSWERED, name), w.contact_unanswered(contact, measure)
            yield (ProblemKind.CONTACT_REOPENED, name), w.contact_reopened(contact)
        everyone = list(picture.things[CONTACTS].values())
        for name in sorted(orders):
            about = [c for c in everyone if c.get("order_id") == name and w.asked(c) is not None]
            yield (ProblemKind.CONTACT_REPEATED, name), w.contact_repeated(name, about, measure)
        searches = self._changed[SEARCHES]
        if self._changed[CONTACTS]:
            searches |= set(picture.things[SEARCHES])
        for name in sorted(searches):
            search = picture.named(SEARCHES, name)
            found = w.help_not_found(name, search, everyone, measure) if search else None
            yield (ProblemKind.HELP_NOT_FOUND, name), found
        if self._changed[SURVEYS]:
            yield from self._surveys()

    def _surveys(self) -> Found:
        surveys = self.picture.things[SURVEYS]
        for name in sorted(surveys.keys() | self._changed[SURVEYS]):
            survey = self.picture.named(SURVEYS, name)
            yield (ProblemKind.SURVEY_POOR, name), w.survey_poor(survey, surveys.values())
