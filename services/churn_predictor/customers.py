"""The customers of one partition: whoever changed lies open in memory, all others in a store's bytes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from cachetools import LRUCache
from pydantic import TypeAdapter

from services.churn_predictor import state as st
from services.churn_predictor.state import CustomerState

CACHED = 5_000
"""Customers kept decoded beside those that changed: about 6 kB each."""


class Values(Protocol):
    """Where a customer's committed bytes are."""

    def get(self, key: bytes) -> bytes | None:
        """Return the latest committed value of this key, if it has one."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What of a customer must be known before it is looked at."""

    touched: bool
    due: datetime | None
    waits: dict[str, datetime] = field(default_factory=dict)


PLAN: TypeAdapter[Plan] = TypeAdapter(Plan)
"""Reads just these out of a customer's bytes, at a small part of the cost of all."""


class Customers:
    """Hands out customers, and remembers which of them changed since the last `settle`."""

    def __init__(self, values: Values, cached: int = CACHED) -> None:
        self._values = values
        self._changed: dict[str, CustomerState | None] = {}
        """None: nothing is left of it."""
        self._recent: LRUCache[str, CustomerState] = LRUCache(cached)

    def get(self, customer_id: str) -> CustomerState | None:
        """Return this customer for looking at, or None where nothing is known of it."""
        if customer_id in self._changed:
            return self._changed[customer_id]
        known = self._recent.get(customer_id)
        if known is None:
            value = self._values.get(customer_id.encode())
            if value is None:
                return None
            known = self._recent[customer_id] = st.CUSTOMER.validate_json(value)
        return known

    def change(self, customer_id: str) -> CustomerState:
        """Return this customer for changing; a new one where nothing is known of it."""
        customer = self._changed.get(customer_id)
        if customer is None:
            customer = self.get(customer_id) or CustomerState()
            self._changed[customer_id] = customer
        return customer

    def drop(self, customer_id: str) -> None:
        """Keep nothing of this customer."""
        self._changed[customer_id] = None

    def changes(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield key and value of everybody who changed since the last `settle`, by key."""
        for customer_id, customer in sorted(self._changed.items(), key=lambda item: item[0]):
            value = None if customer is None else st.CUSTOMER.dump_json(customer)
            yield customer_id.encode(), value

    def settle(self) -> None:
        """Count all changes as committed: from now on the store has them."""
        for customer_id, customer in self._changed.items():
            if customer is None:
                self._recent.pop(customer_id, None)
            else:
                self._recent[customer_id] = customer
        self._changed.clear()

    def forget(self, customer_id: str) -> None:
        """Look this customer up anew the next time: the store was changed by somebody else."""
        self._recent.pop(customer_id, None)
