"""Which ids are one customer, and who was erased.  Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.contracts.envelope import Event
from services.contracts.identities import Merge, that_count, who_stays


@dataclass(frozen=True, slots=True)
class Person:
    """A customer with all names."""

    customer_id: str
    """The one that stays."""
    others: Mapping[str, datetime] = field(default_factory=dict)
    """Other name → when it became one."""

    @property
    def names(self) -> frozenset[str]:
        """Every id of theirs."""
        return frozenset((self.customer_id, *self.others))


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of some ids."""

    survivors: Mapping[str, str] = field(default_factory=dict)
    """Other name → the one that stays."""
    erased: Mapping[str, datetime] = field(default_factory=dict)
    """Id → until when everything about it is forgotten."""
    partitions: int = 1
    """Of every topic; only known where there are survivors."""

    def customer(self, name: str) -> str:
        """Return the id under which everything of this one is kept."""
        return self.survivors.get(name, name)

    def is_past(self, name: str, at: datetime) -> bool:
        """Whether what happened at this instant to the customer of this id is forgotten."""
        until = self.erased.get(name)
        return until is not None and at <= until

    def under(self, event: Event[Any]) -> Event[Any]:
        """Return the event as one of the customer who stays."""
        customer = self.customer(event.customer_id)
        if customer == event.customer_id:
            return event
        return event.model_copy(update={"partitionkey": customer})


def people_of(merges: Iterable[Merge]) -> tuple[Person, ...]:
    """Return everybody with several names, by the rule of `contracts.identities`.

    Args:
        merges: Those of one id in the order in which they were told.
    """
    counting = that_count(merges)
    others: dict[str, dict[str, datetime]] = {}
    for name, merge in counting.items():
        if (customer := who_stays(name, counting)) != name:
            others.setdefault(customer, {})[name] = merge.at
    return tuple(Person(customer, others[customer]) for customer in sorted(others))


def person_among(people: Iterable[Person], name: str) -> Person:
    """Return who has this name; nobody of several names: a customer of this one."""
    return next((person for person in people if name in person.names), Person(name))
