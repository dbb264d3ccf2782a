"""Events to certify with: the committed examples, told of now and of customers nobody is.  Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from services.contracts import people, schemas
from services.contracts.envelope import Event
from services.contracts.events import FACTS, Unreadable, read_strictly

AGO = timedelta(minutes=1)
"""So long before the door's time the samples happened: its clock may be a little behind."""
MAX_CUSTOMER = 48
"""Characters of the customer's id that one may name: the kit puts words behind it."""
LONGEST_CUSTOMER = 64
LONGEST_ID = 128

Sample = dict[str, Any]

_CARRIER = "care-certification"
"""No carrier's slug: a real one would pass for heard."""
_NOBODYS: Mapping[str, str] = {
    "carrier": _CARRIER,
    "name": "Certification Sample",
    # RFC 2606 keeps `.invalid` for names that lead nowhere, and the number is one of those kept for fiction.
    "email": "nobody@certification.invalid",
    "phone": "+12025550100",
}


@dataclass(frozen=True, slots=True)
class Certification:
    """One run: what tells its events from all others."""

    run: str
    """Put before every id."""
    source: str
    customer: str
    now: datetime
    """The door's time."""

    @property
    def merged(self) -> str:
        """The customer that turns out to be `customer`."""
        return f"{self.customer}-merged"

    @property
    def erased(self) -> str:
        """The customer that is erased as a sample."""
        return f"{self.customer}-erased"

    @property
    def longest(self) -> str:
        """A customer whose id is as long as one may be."""
        return f"{self.customer}-".ljust(LONGEST_CUSTOMER, "x")

    @property
    def customers(self) -> tuple[str, ...]:
        """Everybody the samples are about."""
        return (self.merged, self.erased, self.longest, self.customer)


@cache
def _texts(name: str) -> tuple[tuple[str, str], ...]:
    files = sorted((schemas.EXAMPLES / name).glob("*.json"))
    return tuple((path.stem, path.read_text("utf-8")) for path in files)


def examples(name: str, of: Certification) -> Iterator[tuple[str, Sample]]:
    """Yield name and event of each committed example of a type, as this certification tells it."""
    for stem, text in _texts(name):
        yield stem, retold(json.loads(text), stem, of)


def retold(example: Sample, name: str, of: Certification) -> Sample:
    """Return the event as it happens now, to nobody, under an id that this name gives."""
    happened = datetime.fromisoformat(example["time"])
    shift = of.now - AGO - happened
    told = example | {
        "id": f"{of.run}:{example['type']}:{name}",
        "source": of.source,
        "partitionkey": _customer(example["type"], of),
        "time": (happened + shift).isoformat(),
        "data": harmless(_renamed(example["data"], shift, of), of),
    }
    return told | ({"subject": f"certification/{of.run}"} if "subject" in example else {})


def harmless(data: Sample, of: Certification) -> Sample:
    """Return the data without a consent that holds now: nobody may be written to because of a sample."""
    if data.get("status") != people.ConsentStatus.GRANTED:
        return data
    ended = of.now - timedelta(days=1)
    past = {"valid_from": ended - timedelta(days=1), "valid_until": ended}
    return data | {name: moment.isoformat() for name, moment in past.items()}


def is_readable(event: object) -> bool:
    """Return whether the contract allows it, by the door's own reading."""
    try:
        read_strictly(event)
    except Unreadable:
        return False
    return True


def erasure(customer: str, of: Certification, latest: datetime) -> Sample:
    """Return the event that ends what the samples began.

    Args:
        customer: Whom to forget.
        of: The certification.
        latest: When the last of the samples happened.
    """
    return {
        "specversion": "1.0",
        "id": f"{of.run}:end:{customer}",
        "source": of.source,
        "type": people.CustomerErased.TYPE,
        "time": (latest + timedelta(seconds=1)).astimezone(UTC).isoformat(),
        "partitionkey": customer,
        "data": {},
    }


def optional_fields(event: Sample) -> list[tuple[str, ...]]:
    """Return the path of every optional field that the event names."""
    fact = FACTS[event["type"]]
    top = [(n,) for n, f in Event.model_fields.items() if n in event and not f.is_required()]
    data = event["data"]
    inside = [n for n, f in fact.model_fields.items() if n in data and not f.is_required()]
    return [path for path in top if path != ("specversion",)] + [("data", name) for name in inside]


def _customer(name: str, of: Certification) -> str:
    if name == people.CustomerMerged.TYPE:
        return of.merged
    return of.erased if name == people.CustomerErased.TYPE else of.customer


def _renamed(value: Any, shift: timedelta, of: Certification, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _renamed(member, shift, of, name) for name, member in value.items()}
    if isinstance(value, list):
        return [_renamed(item, shift, of, key) for item in value]
    return _renamed_text(value, shift, of, key) if isinstance(value, str) else value


def _renamed_text(value: str, shift: timedelta, of: Certification, key: str) -> str:
    if key in _NOBODYS:
        return _NOBODYS[key]
    if key == "into":
        return of.customer
    # A category counts for what is bought of it; a made-up one counts for nothing.
    if key.endswith("_id") or key == "category":
        return f"{of.run}.{value}"
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    return (moment + shift).isoformat() if moment.tzinfo else value
