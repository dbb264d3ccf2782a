"""What a webhook comes to: events, and why a part of it became none.  No I/O, no clock.

Values never leave through a reason: they may be personal.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter, ValidationError

from services.contracts.envelope import CustomerId, Event, Fact
from services.contracts.events import Unreadable, read_strictly
from services.contracts.ids import derive
from services.ingest.adapters.payload import id_of

Headers = Mapping[str, str]
"""Of a request, by lower-case name."""


class Reason(StrEnum):
    """Why something became no event; one word for counters and logs."""

    NOT_MAPPED = "not_mapped"
    """It concerns nothing we watch; nobody has to do anything."""
    NOT_CONFIRMED = "not_confirmed"
    """The body itself does not bear out what its topic says, or says that it has not happened yet."""
    NO_CUSTOMER = "no_customer"
    MAIL_AS_CUSTOMER = "mail_as_customer"
    BAD_CUSTOMER_ID = "bad_customer_id"
    NO_ORDER = "no_order"
    NO_SHIPMENT = "no_shipment"
    NO_CARRIER = "no_carrier"
    NO_TIME = "no_time"
    NO_AMOUNT = "no_amount"
    INVALID = "invalid"
    TOO_FAR_AHEAD = "too_far_ahead"


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing that concerns us; all is well."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that concerns us and cannot be an event; the detail says what to do about it."""

    reason: Reason
    detail: str


Finding = Event[Any] | Ignored | Refused

_CUSTOMER_ID: TypeAdapter[str] = TypeAdapter(CustomerId)


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who says it, and about whom: what all events of one webhook share."""

    source: str
    customer: str

    def event(
        self, fact: type[Fact], ids: tuple[str, ...], time: datetime | None, **data: object
    ) -> Finding:
        """Return the event, or why it would break its contract.

        Args:
            fact: Its type.
            ids: What names this one fact for good: a repeated webhook gives the same.
            time: When it happened, with its zone.
            data: Of the fact; None is left out.
        """
        if time is None:
            return Refused(
                Reason.NO_TIME, f"{fact.TYPE}: the webhook does not say when it happened"
            )
        draft = {
            "specversion": "1.0",
            "id": str(derive(self.source, fact.TYPE, *ids)),
            "source": self.source,
            "type": fact.TYPE,
            "time": time.isoformat(),
            "partitionkey": self.customer,
            "data": {name: value for name, value in data.items() if value is not None},
        }
        try:
            return read_strictly(draft)
        except Unreadable as error:
            faults = ", ".join(f"{fault.pointer} {fault.code}" for fault in error.faults[:5])
            return Refused(Reason.INVALID, f"{fact.TYPE} would break its contract: {faults}")


def customer_of(value: object, where: str, prefix: str = "") -> str | Refused:
    """Return the customer's id, or why this value is none.  A mail address never is one.

    Args:
        value: What the webhook holds.
        where: The name of that member, for the reason.
        prefix: Put before the id.
    """
    found = id_of(value)
    if found is None:
        return Refused(Reason.NO_CUSTOMER, f"{where} is empty: it must hold the customer's id")
    if "@" in found:
        detail = f"{where} holds a mail address: put the customer's pseudonymous id there"
        return Refused(Reason.MAIL_AS_CUSTOMER, detail)
    try:
        return _CUSTOMER_ID.validate_python(f"{prefix}{found}", strict=True)
    except ValidationError:
        detail = f"{where} must hold an id of 1 to 64 letters, digits and any of . _ : ~ -"
        return Refused(Reason.BAD_CUSTOMER_ID, detail)


def events_in(findings: list[Finding]) -> Iterator[Event[Any]]:
    """Yield the events among the findings, in their order."""
    for finding in findings:
        if isinstance(finding, Event):
            yield finding


def unmapped(what: str, instead: str = "") -> Ignored:
    """Return that nothing here is made of this."""
    return Ignored(Reason.NOT_MAPPED, f"{what} is not mapped{instead}")
