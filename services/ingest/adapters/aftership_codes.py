"""AfterShip's statuses and sub-statuses, and what they are in our contract.

Sources, both of AfterShip: "Delivery Sub-statuses" of its Tracking API, version 2026-07
(https://www.aftership.com/docs/tracking/2026-07/enum/delivery-sub-statuses), and "Learn About
Delivery Sub-Status" for those added on 27 March 2026.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from services.contracts.deliveries import CheckpointStatus

STATUSES: Mapping[str, CheckpointStatus] = {
    "Pending": CheckpointStatus.PENDING,
    "InfoReceived": CheckpointStatus.INFO_RECEIVED,
    "InTransit": CheckpointStatus.IN_TRANSIT,
    "OutForDelivery": CheckpointStatus.OUT_FOR_DELIVERY,
    "AttemptFail": CheckpointStatus.ATTEMPT_FAIL,
    "AvailableForPickup": CheckpointStatus.AVAILABLE_FOR_PICKUP,
    "Delivered": CheckpointStatus.DELIVERED,
    "Exception": CheckpointStatus.EXCEPTION,
    "Expired": CheckpointStatus.EXPIRED,
}
"""By AfterShip's `tag`."""


def _codes(*numbers: int) -> frozenset[str]:
    return frozenset(f"{number:03}" for number in numbers)


SUBSTATUSES: Mapping[CheckpointStatus, frozenset[str]] = {
    CheckpointStatus.PENDING: _codes(*range(1, 7)),
    CheckpointStatus.INFO_RECEIVED: _codes(1),
    CheckpointStatus.IN_TRANSIT: _codes(*range(1, 10)),
    CheckpointStatus.OUT_FOR_DELIVERY: _codes(1, 3, 4),
    CheckpointStatus.ATTEMPT_FAIL: _codes(1, 2, 3),
    CheckpointStatus.AVAILABLE_FOR_PICKUP: _codes(1),
    CheckpointStatus.DELIVERED: _codes(*range(1, 6)),
    CheckpointStatus.EXCEPTION: _codes(*range(1, 14), *range(16, 22)),
    CheckpointStatus.EXPIRED: _codes(1),
}
"""The three digits that each status is published with."""


@dataclass(frozen=True, slots=True)
class Code:
    """A status as our contract has it; `raw` is set where a part of it is not in the taxonomy."""

    status: CheckpointStatus
    substatus: str | None = None
    raw: str | None = None


def code_of(tag: str | None, subtag: str | None) -> Code:
    """Return what AfterShip's codes mean.

    A status that is not in the taxonomy stays `unknown`; a new sub-status of one that is keeps the
    status alone.  Either way the raw code goes along.
    """
    named, _, digits = (subtag or "").partition("_")
    status = STATUSES.get(tag or named)
    raw = (subtag or tag or "")[:64] or None
    if status is None:
        return Code(CheckpointStatus.UNKNOWN, raw=raw)
    if subtag is None:
        return Code(status)
    if STATUSES.get(named) is not status or digits not in SUBSTATUSES[status]:
        return Code(status, raw=raw)
    return Code(status, digits)
