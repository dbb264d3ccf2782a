"""Every number of the simulated shop, in one place.  Set by judgement, not measured anywhere."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """One carrier, and how it slips."""

    slug: str
    share: float
    """Part of all parcels."""
    transit_days: tuple[int, ...] = (1, 2, 2, 3)
    """Drawn evenly: days from hand-over to delivery on a good lane."""
    slow_lanes: float = 0.25
    """Part of its lanes (destination countries) that are slow."""
    slow_extra_days: tuple[int, ...] = (0, 2, 3, 5)
    lost: float = 0.01
    """Part of its parcels that never arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where some customers live."""

    country: str
    time_zone: str
    language: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopParameters:
    """The shop of the demo.  Shares are probabilities from 0 to 1."""

    customers: int = 500
    days: int = 30
    start: datetime = datetime(2026, 3, 2, tzinfo=UTC)
    """A Monday; the European clocks change within the four weeks that follow."""
    shop_zone: str = "Europe/Berlin"

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

    # Profile and consent.
    no_email: float = 0.04
    consent_granted: float = 0.78
    consent_denied: float = 0.08
    """The rest never said anything: the documented default of the message class holds."""
    consent_revoked_later: float = 0.04
    """Of those who granted."""
    profile_changed_later: float = 0.04

    # Orders.
    orders_per_customer_month: float = 1.6
    multi_line_share: float = 0.25
    cancelled: float = 0.03
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

    # What people do when a parcel is overdue.
    patience_hours: tuple[float, float] = (40.0, 0.6)
    """Median and sigma of a log-normal: from the promise to the first word."""
    complains: float = 0.6
    """Chance that somebody whose parcel is still missing when patience ends complains."""
    soothed: float = 0.25
    """Factor on that chance, and on a poor answer, once a message about the parcel had arrived."""
    damaged: float = 0.012
    asks_something: float = 0.03
    """Of orders: an unrelated question that is no complaint."""

    # Surveys.
    survey_share: float = 0.5
    answers: float = 0.3
    poor_when_on_time: float = 0.05
    poor_when_late: float = 0.6

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
