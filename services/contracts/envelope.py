"""CloudEvents 1.0 around every fact: one reading for the door (strict), one for inside (tolerant).

`source` + `id` identifies an event; `time` is when the fact happened, with its zone;
`partitionkey` is the customer's id and the record's key on Kafka.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar
from zoneinfo import available_timezones

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field
from pydantic_core import from_json, to_json

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
JSON = "application/json"
BARRIER = "application/vnd.care.barrier+json"
"""Content type of a barrier record, which is no event: it says how far time has got."""

BINARY_PREFIX = "ce_"
"""Kafka headers of binary mode; HTTP spells it `ce-`."""

_FIRST_YEAR, _LAST_YEAR = 1970, 2199
_EXTENSION_NAME = re.compile(r"[a-z0-9]{1,20}")


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        # An offset can carry the first or last day of the calendar out of it.
        raise ValueError("must lie between the years 1 and 9999 in UTC") from None


def _in_our_time(moment: datetime) -> datetime:
    # Rules add days to dates; at the edge of the calendar that would overflow.
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(f"must lie in the years {_FIRST_YEAR} to {_LAST_YEAR}")
    return moment


Instant = Annotated[AwareDatetime, AfterValidator(_to_utc), AfterValidator(_in_our_time)]
"""A point in time, 1970 to 2199; must be given with its zone, is kept in UTC."""


@cache
def _zone_names() -> frozenset[str]:
    # Walks the whole time zone folder (5 ms), which is too slow for every event.
    return frozenset(available_timezones())


def _known_zone(name: str) -> str:
    if name not in _zone_names():
        raise ValueError("must be an IANA time zone, for example Europe/Berlin")
    return name


TimeZone = Annotated[str, Field(max_length=64), AfterValidator(_known_zone)]

Identifier = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\s\x00-\x1f\x7f]+$")]
"""An id of another system: no white space, no control characters."""

CustomerId = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._:~-]+$")]
"""A pseudonymous id; `@` and white space are refused, so that no mail address becomes a key."""

Source = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\s\x00-\x1f\x7f]+$")]
"""CloudEvents `source`: a URI reference naming the publisher, for example `/shop/orders`."""

TraceParent = Annotated[str, Field(pattern=r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")]


class Contract(BaseModel):
    """Base of everything on a topic: frozen, and newer fields are ignored when read inside."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Fact(Contract):
    """The `data` of one event type.  A published version only ever gains optional fields."""

    TYPE: ClassVar[str]


F = TypeVar("F", bound=Fact)


class Event(Contract, Generic[F]):
    """A fact in its CloudEvents envelope."""

    specversion: Literal["1.0"] = "1.0"
    id: Identifier
    """Names the fact, not the attempt to tell it: whatever is sent again keeps it.  No white space."""
    source: Source
    type: Annotated[str, Field(min_length=1, max_length=128)]
    """One of those on this page."""
    time: Instant
    """When the fact happened, not when it is told; 1970 to 2199, kept in UTC."""
    partitionkey: CustomerId
    """The customer's pseudonymous id, the same from every publisher; never a mail address."""
    subject: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """For people and tools on the way; nothing is decided by it."""
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: Annotated[str, Field(max_length=512)] | None = None
    """For tools on the way, for example `urn:care:schema:` and the type."""
    traceparent: TraceParent | None = None
    """W3C Trace Context; kept, and a header of the record too."""
    tracestate: Annotated[str, Field(max_length=512)] | None = None
    """The same."""
    data: F

    @property
    def customer_id(self) -> str:
        """The customer this fact is about."""
        return self.partitionkey

    def encode(self) -> bytes:
        """Return the structured JSON form, without attributes that are not set."""
        return self.model_dump_json(exclude_none=True).encode()


_ATTRIBUTES = frozenset(Event.model_fields)


class Head(Contract):
    """The one attribute needed to choose how to read the rest."""

    type: str


def compose(attributes: Mapping[str, str], body: bytes) -> bytes:
    """Return the structured form of a binary-mode event.

    Args:
        attributes: CloudEvents attributes by their name, without the `ce-` or `ce_` prefix.
        body: The event's data, JSON.

    Raises:
        ValueError: the body is not JSON.
    """
    return to_json({**attributes, "data": from_json(body)})


def split_extensions(event: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the attributes this contract names, and those CloudEvents allows beside them.

    An attribute whose name is not a legal extension name stays among the first, where strict
    reading refuses it.
    """
    if event.keys() <= _ATTRIBUTES:
        return dict(event), {}
    known: dict[str, Any] = {}
    extensions: dict[str, Any] = {}
    for name, value in event.items():
        is_extension = (
            name not in _ATTRIBUTES
            and _EXTENSION_NAME.fullmatch(name) is not None
            and isinstance(value, str | int | bool)
        )
        (extensions if is_extension else known)[name] = value
    return known, extensions
