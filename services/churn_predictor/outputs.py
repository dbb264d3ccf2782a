"""What a partition says, as records to publish.  Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.churn_predictor.assess import is_latest
from services.churn_predictor.state import CustomerState, SourceState
from services.contracts import topics as t
from services.contracts.envelope import Event
from services.contracts.events import TOPIC_OF
from services.contracts.problems import RiskAssessed, RiskKind
from services.contracts.stream import Tick
from services.contracts.topics import Topic


@dataclass(frozen=True, slots=True)
class Output:
    """One record to publish."""

    topic: Topic
    key: bytes | None
    value: bytes
    """Empty: nothing stands under this key any more (a tombstone)."""
    content_type: str | None = None
    partition: int | None = None
    """None: the one that says it."""
    assessment: RiskAssessed | None = None
    """What it says, where it is an assessment: a customer's latest, kept elsewhere, is none anew."""

    @property
    def record_value(self) -> bytes | None:
        """What the record holds; None takes back what stood under its key."""
        return self.value or None


def published(
    customer_id: str, customer: CustomerState, said: Sequence[Event[Any]]
) -> Iterator[Output]:
    """Yield what was said of one customer, and what of it is now the customer's latest risk."""
    key = customer_id.encode()
    latest: dict[bytes, Event[Any]] = {}
    for event in said:
        assessment = event.data if isinstance(event.data, RiskAssessed) else None
        yield Output(TOPIC_OF[type(event.data)], key, event.encode(), assessment=assessment)
        if assessment is not None and is_latest(customer, assessment):
            latest[_risk_key(customer_id, assessment.kind)] = event
    for name, event in latest.items():
        yield Output(t.CUSTOMER_RISKS, name, event.encode())


def forgotten(customer_id: str) -> Iterator[Output]:
    """Yield what takes back the latest risks of a customer of whom nothing is known any more."""
    for kind in RiskKind:
        yield Output(t.CUSTOMER_RISKS, _risk_key(customer_id, kind), b"")


def accounts(sources: Mapping[str, SourceState], partition: int, tick: Tick) -> Iterator[Output]:
    """Yield an account of each source of which more was explained than was last published."""
    for name, source in sorted(sources.items()):
        if source.reported != source.total:
            source.reported = source.total
            account = source.account(name, partition, tick)
            yield Output(t.ACCOUNTS, account.key.encode(), account.model_dump_json().encode())


def _risk_key(customer_id: str, kind: RiskKind) -> bytes:
    """The risk of a complaint is the customer's; a lapse, which lives longer, lies beside it."""
    is_lapse = kind is RiskKind.LAPSE
    return (f"{customer_id}|{RiskKind.LAPSE}" if is_lapse else customer_id).encode()
