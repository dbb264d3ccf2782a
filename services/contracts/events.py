"""Every event type with its topic, and the two readings: strict at the door, tolerant inside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from services.contracts import contacts, deliveries, outreach, people, problems, purchases
from services.contracts import topics as t
from services.contracts.envelope import Event, Fact, Head, split_extensions

TOPIC_OF: Mapping[type[Fact], t.Topic] = {
    purchases.CartAbandoned: t.PURCHASES,
    purchases.PaymentFailed: t.PURCHASES,
    purchases.OrderPlaced: t.PURCHASES,
    purchases.OrderApproved: t.PURCHASES,
    purchases.OrderCancelled: t.PURCHASES,
    purchases.ReturnRequested: t.PURCHASES,
    purchases.RefundPromised: t.PURCHASES,
    purchases.RefundPaid: t.PURCHASES,
    deliveries.ShipmentPromised: t.DELIVERIES,
    deliveries.ShipmentHandedOver: t.DELIVERIES,
    deliveries.ShipmentCheckpoint: t.DELIVERIES,
    deliveries.ShipmentDelivered: t.DELIVERIES,
    contacts.ContactOpened: t.CONTACTS,
    contacts.ContactReplied: t.CONTACTS,
    contacts.ContactResolved: t.CONTACTS,
    contacts.ContactReopened: t.CONTACTS,
    contacts.HelpSearched: t.CONTACTS,
    contacts.SurveySent: t.CONTACTS,
    contacts.SurveyAnswered: t.CONTACTS,
    people.CustomerUpdated: t.CUSTOMERS,
    people.ConsentChanged: t.CONSENTS,
    people.CustomerMerged: t.IDENTITIES,
    people.CustomerErased: t.IDENTITIES,
    problems.ProblemOpened: t.PROBLEMS,
    problems.ProblemChanged: t.PROBLEMS,
    problems.ProblemCleared: t.PROBLEMS,
    problems.RiskAssessed: t.ASSESSMENTS,
    outreach.OutreachDecided: t.OUTREACH,
    outreach.OutreachStarted: t.OUTREACH,
    outreach.OutreachSent: t.OUTREACH,
    outreach.OutreachFailed: t.OUTREACH,
    outreach.OutreachUnknown: t.OUTREACH,
    outreach.OutreachWithdrawn: t.OUTREACH,
    outreach.OutreachCorrected: t.OUTREACH,
    outreach.OutreachJudged: t.OUTREACH,
    outreach.OutreachBounced: t.OUTREACH,
}
"""Which topic each type lives on.  Risk is also on `customer-risks`, the latest only."""

FACTS: Mapping[str, type[Fact]] = {fact.TYPE: fact for fact in TOPIC_OF}

FROM_OUTSIDE = frozenset(fact.TYPE for fact, topic in TOPIC_OF.items() if topic in t.OUTSIDE)
"""Types that publishers may send; ours are never accepted from outside."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an event: where (a JSON pointer, RFC 6901), which kind, and in words."""

    pointer: str
    code: str
    detail: str


@dataclass(eq=False)
class Unreadable(Exception):
    """The event can never be read; retrying will not help."""

    reason: str
    """One word for counters: not_json, not_an_event, unknown_type, invalid, wrong_topic…"""
    faults: tuple[Fault, ...] = field(default_factory=tuple)

    def __str__(self) -> str:
        return "; ".join(f"{f.pointer or '/'}: {f.detail}" for f in self.faults) or self.reason


def _event_of(fact: type[Fact]) -> TypeAdapter[Event[Any]]:
    return TypeAdapter(Event[fact])  # type: ignore[valid-type]


_ADAPTERS: dict[str, TypeAdapter[Event[Any]]] = {name: _event_of(f) for name, f in FACTS.items()}
_HEAD = TypeAdapter(Head)


def read(raw: bytes, type_name: str | None = None) -> Event[Any]:
    """Return the event in structured JSON, ignoring what is newer than this reader.

    Args:
        raw: The event.
        type_name: Its type, where that was read already: an event of another one is invalid.

    Raises:
        Unreadable: not JSON, not an event, a type nobody here knows, or a value of the wrong type.
    """
    name = type_name or _type_of(raw)
    adapter = _ADAPTERS.get(name)
    if adapter is None:
        raise _unknown_type(name)
    try:
        return adapter.validate_json(raw, strict=True)
    except ValidationError as error:
        raise Unreadable("invalid", faults(error)) from None


def read_strictly(event: object) -> Event[Any]:
    """Return the event, refusing every field this contract does not name (the door's reading).

    CloudEvents extension attributes are allowed in the envelope and left out.

    Args:
        event: The parsed JSON of one structured event.

    Raises:
        Unreadable: with one fault, and its JSON pointer, for each thing wrong.
    """
    if not isinstance(event, dict):
        raise Unreadable("not_an_event", (Fault("", "not_an_event", "must be a JSON object"),))
    known, _ = split_extensions(event)
    name = known.get("type")
    adapter = _ADAPTERS.get(name) if isinstance(name, str) else None
    if adapter is None:
        raise _missing_or_unknown_type(name)
    try:
        return adapter.validate_json(to_json(known), strict=True, extra="forbid")
    except ValidationError as error:
        raise Unreadable("invalid", faults(error)) from None


def parse_json(raw: bytes) -> object:
    """Return the JSON value in `raw`.

    Raises:
        Unreadable: not JSON, or a number JSON does not have (NaN, Infinity).
    """
    try:
        value: object = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise Unreadable("not_json", (Fault("", "not_json", str(error)),)) from None
    return value


def pointer(location: tuple[int | str, ...]) -> str:
    """Return the JSON pointer (RFC 6901) of a location inside an event."""
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in location)
    return "".join(f"/{part}" for part in escaped)


def faults(error: ValidationError) -> tuple[Fault, ...]:
    """Return every fault pydantic found.  Values are left out: they may be personal."""
    found = [
        Fault(pointer(item["loc"]), item["type"], item["msg"])
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    return tuple(fault for fault in found if not _follows_from_another(fault, found))


def _follows_from_another(fault: Fault, found: list[Fault]) -> bool:
    """Return whether a list is too short only because pydantic does not count its wrong items."""
    return fault.code == "too_short" and any(
        other.pointer.startswith(f"{fault.pointer}/") for other in found
    )


def _type_of(raw: bytes) -> str:
    try:
        return _HEAD.validate_json(raw, strict=True).type
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        reason = "not_json" if first["type"] == "json_invalid" else "not_an_event"
        raise Unreadable(reason, faults(error)) from None


def _unknown_type(name: str) -> Unreadable:
    shown = name if len(name) <= 128 else f"{name[:128]}…"
    return Unreadable(
        "unknown_type", (Fault("/type", "unknown_type", f"no event type {shown!r} is known"),)
    )


def _missing_or_unknown_type(name: object) -> Unreadable:
    if isinstance(name, str):
        return _unknown_type(name)
    return Unreadable("not_an_event", (Fault("/type", "missing", "must name the event's type"),))
