"""What the readers of a Shopify order share."""

from dataclasses import dataclass
from datetime import UTC, tzinfo
from enum import StrEnum

from services.ingest.adapters.findings import Publisher

SOURCE = "/adapters/shopify"


class ParcelName(StrEnum):
    """What a parcel is called."""

    TRACKING_NUMBER = "tracking_number"
    """As the carrier and AfterShip call it; a fulfilment has no parcel before it has a number."""
    FULFILLMENT = "fulfillment"
    """As Shopify calls it, for shops whose parcels have no numbers."""


@dataclass(frozen=True, slots=True)
class Options:
    """How this deployment uses Shopify."""

    customer_prefix: str = ""
    """Put before Shopify's customer id, where the shop's own ids have one."""
    parcel_name: ParcelName = ParcelName.TRACKING_NUMBER
    promise_attribute: str | None = None
    """The order attribute that holds the date promised at the checkout."""
    zone: tzinfo = UTC
    """Of that date."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order whose customer is known."""

    body: object
    id: str
    currency: str
    publisher: Publisher
    options: Options
