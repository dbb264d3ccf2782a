"""The customers of one partition, and what must be known of each before it is looked at."""

from dataclasses import dataclass, field
from datetime import datetime

from pydantic import TypeAdapter

from services.churn_predictor import state as st
from services.churn_predictor.keyed import Keyed, Values
from services.churn_predictor.state import CustomerState

CACHED = 5_000
"""Customers kept decoded beside those that changed: about 6 kB each."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What of a customer must be known before it is looked at."""

    touched: bool
    due: datetime | None
    waits: dict[str, datetime] = field(default_factory=dict)


PLAN: TypeAdapter[Plan] = TypeAdapter(Plan)
"""Reads just these out of a customer's bytes, at a small part of the cost of all."""


class Customers(Keyed[CustomerState]):
    """Everybody of one partition, by id."""

    def __init__(self, values: Values, cached: int = CACHED) -> None:
        super().__init__(values, st.CUSTOMER, CustomerState, cached)
