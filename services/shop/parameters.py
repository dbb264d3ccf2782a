"""Every number of the simulated shop, in one place.

Set by judgement, except where a comment names the public data it follows: the Olist marketplace
(100,000 orders with reviews) for lateness and poor answers.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.contracts.contacts import ContactChannel


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """One carrier, and how it slips.  Parts are of its parcels unless something else is said."""

    slug: str
    share: float
    """Part of all parcels."""
    transit_days: tuple[int, ...] = (1, 2, 2, 3)
    """Drawn evenly: days from hand-over to the first attempt on a good lane."""
    slow_lanes: float = 0.25
    """Part of its lanes (destination countries) that are slow."""
    slow_extra_days: tuple[int, ...] = (0, 2, 3, 5)
    held_up: float = 0.03
    """An exception on the way: customs, weather, a wrong label."""
    held_up_days: tuple[int, ...] = (1, 1, 2, 4)
    wrong_address: float = 0.005
    """An exception that the customer can mend; it waits until they do."""
    unpaid_duties: float = 0.004
    """Another one."""
    mended_after_days: tuple[int, ...] = (2, 3, 5)
    scans_stop: float = 0.008
    """Seen once, then by nobody for more than a working week; it arrives after all."""
    scans_stop_days: tuple[int, ...] = (7, 8, 10)
    first_scan_late: float = 0.01
    """Taken over, and not seen for days."""
    first_scan_late_days: tuple[int, ...] = (4, 5)
    absent: float = 0.04
    """The first attempt finds nobody."""
    to_pick_up: float = 0.4
    """Of those: waits in a shop instead of being brought again."""
    fetched_late: float = 0.25
    """Of those in a shop: somebody forgets them there."""
    fetched_late_days: tuple[int, ...] = (6, 7, 9)
    brought_again_late: float = 0.12
    """Of the others: not on the next day."""
    brought_again_late_days: tuple[int, ...] = (4, 5)
    lost: float = 0.01
    """Never arrives; the carrier says so late."""
    damaged: float = 0.012
    damage_seen: float = 0.4
    """Of those: the carrier sees it on the way, says so, and brings it all the same."""
    outages_per_month: float = 0.4
    """How often its feed stops for some hours; what happened meanwhile comes in a burst."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where some customers live."""

    country: str
    time_zone: str
    language: str
    share: float


@dataclass(frozen=True, slots=True)
class Outage:
    """A carrier's feed is silent, from so long after the shop's start, for so long."""

    carrier: str
    starts: timedelta
    lasts: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopParameters:
    """The shop of the demo: lively, so that a month shows something.  Shares are from 0 to 1."""

    customers: int = 500
    days: int = 30
    start: datetime = datetime(2026, 3, 2, tzinfo=UTC)
    """A Monday; the European clocks change within the four weeks that follow."""
    shop_zone: str = "Europe/Berlin"
    arrivals_per_hour: int | None = None
    """How many customers the shop announces in an hour; None: all of them before anything else."""

    homes: tuple[Home, ...] = (
        Home(country="DE", time_zone="Europe/Berlin", language="de", share=0.62),
        Home(country="AT", time_zone="Europe/Vienna", language="de", share=0.10),
        Home(country="IE", time_zone="Europe/Dublin", language="en", share=0.14),
        Home(country="PT", time_zone="Europe/Lisbon", language="pt", share=0.14),
    )
    carriers: tuple[Carrier, ...] = (
        Carrier(slug="swift-parcel", share=0.55, slow_lanes=0.0),
        Carrier(slug="green-mile", share=0.30, slow_lanes=0.5),
        Carrier(slug="old-post", share=0.15, slow_lanes=0.75, lost=0.03),
    )
    outages: tuple[Outage, ...] = ()
    """Planned ones, beside those that each carrier draws."""
    outage_hours: tuple[int, ...] = (3, 5, 8)

    # Profile and consent.
    no_email: float = 0.04
    consent_granted: float = 0.78
    consent_denied: float = 0.08
    """The rest never said anything: the documented default of the message class holds."""
    consent_changed_later: float = 0.04
    """Of those who said something: granted becomes revoked, denied becomes granted."""
    profile_changed_later: float = 0.04
    merged: float = 0.0
    """Of all but the first: turn out, some day, to be whoever was announced before them."""
    erased: float = 0.0
    """Want to be forgotten, some day; if they come again they are somebody new."""

    # Rhythm: each customer buys at a rate of their own and may stop after any order (BG/NBD).
    orders_per_customer_month: float = 1.6
    """The mean of everybody's rates."""
    rhythm_shape: float = 2.0
    """Of the gamma distribution of rates; the smaller, the more unequal."""
    leaves: tuple[float, float] = (0.6, 9.4)
    """Beta distribution of everybody's chance to stop after an order nothing was wrong with."""

    # Orders.
    abandoned: float = 0.15
    """Of visits: a cart is filled and left."""
    payment_fails: float = 0.04
    payment_fails_again: float = 0.35
    """Of those: the next attempt too."""
    pays_again: float = 0.8
    """Of all of those in the end; the rest of the orders end unpaid."""
    asks_about_payment: float = 0.3
    """Of those whose payment failed twice."""
    cart_payment_fails: float = 0.06
    """Of carts left behind: because the money did not come through."""
    sellers: tuple[float, ...] = (0.85, 0.12, 0.03)
    """Shares of orders with one, two, three sellers; each sends a parcel of its own."""
    seller_countries: tuple[tuple[str, float], ...] = (
        ("DE", 0.74), ("NL", 0.12), ("PL", 0.10), ("CN", 0.04),
    )  # fmt: skip
    """Where sellers send from; shares of sellers."""
    multi_line_share: float = 0.2
    """Of a seller's parcels: two products in it."""
    cancelled: float = 0.03
    cancelled_by_company: float = 0.4
    """Of those: the company had to."""
    promise_days: tuple[int, ...] = (5, 6, 7)
    """From purchase to the promised day."""
    promise_hour: int = 16
    """Local to the shop: the instant from which a parcel of that day is overdue."""
    ship_by_days: int = 2
    ship_by_hour: int = 16
    late_handover: float = 0.08
    late_handover_days: tuple[int, ...] = (1, 2, 4)
    re_estimated: float = 0.15
    """Of slow parcels: the carrier names a new date on the way."""

    # Returns and money back.
    returned: float = 0.05
    returned_when_damaged: float = 0.6
    refund_days: int = 7
    """From the promise of a refund to its date."""
    refund_overdue: float = 0.15
    refund_overdue_days: tuple[int, ...] = (2, 3, 6)

    # What people do when something is wrong, and what a message that came first changes.
    patience_hours: tuple[float, float] = (40.0, 0.6)
    """Median and sigma of a log-normal: from the promise to the first word."""
    complains: float = 0.6
    """Chance that somebody whose parcel or money is still missing when patience ends complains."""
    complains_of_damage: float = 0.7
    dissatisfied: float = 0.02
    """Of delivered orders, on time or not: the product was not what it should be."""
    asks_something: float = 0.03
    """Of orders: an unrelated question that is no complaint."""
    true_effect: float = 0.75
    """By how much a message about a late parcel, before the moment, lowers the chance that its
    customer complains, answers poorly or stays away because of it: 0 nothing, 1 entirely."""
    annoyance: float = 0.01
    """What a message about a parcel that came in time adds to the same chances."""

    # Poor answers (1 or 2 of 5) by days late; the last for parcels that never came.  After Olist.
    poor_by_days_late: tuple[float, ...] = (0.09, 0.20, 0.42, 0.42, 0.68)
    poor_when_lost: float = 0.78
    poor_when_damaged: float = 0.6
    poor_when_split: float = 0.12
    """Added where an order came in several parcels: its parts arrive apart."""

    # Staying away: added to the own chance of leaving.
    leaves_when_late: float = 0.10
    leaves_when_lost: float = 0.30
    leaves_when_damaged: float = 0.15
    leaves_when_refund_overdue: float = 0.20
    leaves_when_cancelled: float = 0.15
    """By the company."""

    # Talking to the desk.
    channels: tuple[tuple[ContactChannel, float], ...] = (
        (ContactChannel.EMAIL, 0.34),
        (ContactChannel.CHAT, 0.27),
        (ContactChannel.PHONE, 0.22),
        (ContactChannel.SELF_SERVICE, 0.09),
        (ContactChannel.SOCIAL, 0.05),
        (ContactChannel.STORE, 0.03),
    )
    searches_first: float = 0.4
    finds: float = 0.35
    """Of searches; an answer found spares the desk a question, never a complaint."""
    goes_without: float = 0.4
    """Of fruitless searches for an answer: whoever searched asks nobody."""
    search_names_order: float = 0.8
    """Of searches; elsewhere the place cannot tell."""
    reopens: float = 0.1
    answered_late: float = 0.05
    """Of contacts: after more than a working day."""
    answered_late_days: tuple[int, ...] = (2, 3, 4)
    """Working days."""
    forgotten: float = 0.015
    """Of contacts: nobody ever answers."""
    writes_again: float = 0.06
    """Of contacts that came to an end: another one about the same order, some days later."""
    writes_again_unheard: float = 0.6
    """Of contacts without an answer after a day or two."""
    keeps_writing: float = 0.45
    """Of those who wrote twice: a third time."""

    # Surveys.
    survey_share: float = 0.5
    """Of finished orders: how content are you (CSAT)?"""
    answers: float = 0.3
    effort_survey_share: float = 0.3
    """Of resolved contacts: how easy was it (CES)?"""
    effort_answers: float = 0.2
    recommend_survey_share: float = 0.04
    """Of orders: would you recommend us (NPS)?"""
    recommend_answers: float = 0.2

    # Publishers' slips, as shares of all events.
    duplicated: float = 0.015
    delayed: float = 0.015
    delay_hours: tuple[int, ...] = (2, 8, 30, 72)
    reordered: float = 0.02
    reorder_within: timedelta = timedelta(minutes=90)
    spoiled_per_kind: int = 2
    """Events of each kind of fault that the door must refuse."""
    poison_per_kind: int = 1
    """Unreadable records of each kind written past the door."""
    beyond_horizon: int = 1
    """Events older than the horizon."""

    @property
    def end(self) -> datetime:
        """When the demo is over."""
        return self.start + timedelta(days=self.days)
