"""Facts on `deliveries`: what was promised and where the parcel is."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from services.contracts.envelope import Fact, Identifier, Instant, TimeZone

Carrier = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9-]+$")]
"""A carrier's slug, for example `dhl`."""


Region = Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]
"""A country or one of its parts, after ISO 3166: `DE`, `BR-SP`."""


class PromiseSource(StrEnum):
    """Who worked the date out.  Whoever it was, it is a promise once the customer was told it."""

    COMPANY = "company"
    CARRIER = "carrier"
    MODEL = "model"


class ShipmentPromised(Fact):
    """The customer was told a date; every re-estimate they were told is one more such fact.

    A date nobody was told is no promise: do not publish it.
    """

    TYPE: ClassVar[str] = "care.shipment.promised.v1"
    shipment_id: Identifier
    order_id: Identifier
    promised_by: Instant
    """The instant from which the customer counts the parcel as overdue."""
    ship_by: Instant | None = None
    """The limit for hand-over to the carrier."""
    promise_source: PromiseSource = PromiseSource.COMPANY
    carrier: Carrier | None = None
    seller_id: Identifier | None = None
    time_zone: TimeZone | None = None
    """The recipient's, in which business days are counted; None: the deployment's default."""
    origin_region: Region | None = None
    destination_region: Region | None = None
    """Where it goes, coarsely; with the origin it names the lane."""


class ShipmentHandedOver(Fact):
    """The carrier has the parcel."""

    TYPE: ClassVar[str] = "care.shipment.handed_over.v1"
    shipment_id: Identifier
    order_id: Identifier
    carrier: Carrier


class CheckpointStatus(StrEnum):
    """Delivery status after AfterShip's published taxonomy; `unknown` keeps its raw code."""

    PENDING = "pending"
    INFO_RECEIVED = "info_received"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    ATTEMPT_FAIL = "attempt_fail"
    AVAILABLE_FOR_PICKUP = "available_for_pickup"
    DELIVERED = "delivered"
    EXCEPTION = "exception"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class ShipmentCheckpoint(Fact):
    """The carrier saw the parcel."""

    TYPE: ClassVar[str] = "care.shipment.checkpoint.v1"
    shipment_id: Identifier
    order_id: Identifier
    carrier: Carrier
    status: CheckpointStatus
    substatus: Annotated[str, Field(pattern=r"^[0-9]{3}$")] | None = None
    """Three digits of the taxonomy, for example `002` with `attempt_fail`: addressee absent."""
    raw_code: Annotated[str, Field(max_length=64)] | None = None


class ShipmentDelivered(Fact):
    """The customer has the parcel."""

    TYPE: ClassVar[str] = "care.shipment.delivered.v1"
    shipment_id: Identifier
    order_id: Identifier
    carrier: Carrier | None = None
