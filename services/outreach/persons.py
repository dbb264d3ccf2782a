"""Which ids are one customer, and who was erased: the same in whatever order it was heard.  Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.contracts.envelope import Event


@dataclass(frozen=True, slots=True)
class Merge:
    """The word of somebody that two ids are one customer."""

    goes: str
    stays: str
    at: datetime


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
    """Return everybody with several names.

    Ids that are linked by any merges are one customer.  The one that stays is the one that goes nowhere;
    of several, or where merges go round in a circle, the one that was last said to stay.
    """
    told = sorted((m for m in merges if m.goes != m.stays), key=lambda m: (m.at, m.stays, m.goes))
    groups: dict[str, list[Merge]] = {}
    for merge in told:
        one, other = groups.get(merge.goes, []), groups.get(merge.stays, [])
        joined = [merge, *one, *(other if other is not one else ())]
        for name in {name for m in joined for name in (m.goes, m.stays)}:
            groups[name] = joined
    unique = {id(group): group for group in groups.values()}
    people = (_person(sorted(g, key=lambda m: (m.at, m.stays, m.goes))) for g in unique.values())
    return tuple(sorted(people, key=lambda person: person.customer_id))


def _person(merges: list[Merge]) -> Person:
    going = {merge.goes for merge in merges}
    staying = [merge.stays for merge in merges if merge.stays not in going]
    customer = staying[-1] if staying else merges[-1].stays
    others: dict[str, datetime] = {}
    for merge in merges:
        # Who is said to go counts as gone from the last time on; who only lost, from when it was named.
        others[merge.goes] = merge.at
        if merge.stays not in going:
            others[merge.stays] = merge.at
    return Person(customer, {name: at for name, at in others.items() if name != customer})
