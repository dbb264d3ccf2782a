"""What a partition says, as records to publish.  Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.churn_predictor.assess import is_latest
from services.churn_predictor.causes import cause_of
from services.churn_predictor.state import CustomerState, SourceState
from services.contracts import topics as t
from services.contracts.envelope import STRUCTURED, Event
from services.contracts.events import TOPIC_OF
from services.contracts.problems import RiskAssessed, RiskKind
from services.contracts.stream import Tick
from services.contracts.topics import Topic
from services.contracts.trace_context import TraceContext


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
    said: Event[Any] | None = None
    """The event that it is; None: it is none, or a customer's latest, which is none anew."""
    trace: TraceContext | None = None
    """Of what brought it about; None: it is no event."""

    @property
    def headers(self) -> tuple[tuple[str, bytes], ...]:
        """The record's headers."""
        kind = ("content-type", (self.content_type or STRUCTURED).encode())
        return (kind,) if self.trace is None else (kind, *self.trace.headers)

    @property
    def record_value(self) -> bytes | None:
        """What the record holds; None takes back what stood under its key."""
        return self.value or None


def published(
    customer_id: str, customer: CustomerState, said: Sequence[Event[Any]]
) -> Iterator[Output]:
    """Yield what was said of one customer, and what of it is now the customer's latest risk."""
    key = customer_id.encode()
    latest: dict[bytes, Output] = {}
    for event in said:
        topic, trace = TOPIC_OF[type(event.data)], cause_of(event, customer)
        output = Output(topic, key, event.encode(), said=event, trace=trace)
        yield output
        fact = event.data
        if isinstance(fact, RiskAssessed) and is_latest(customer, fact):
            latest[_risk_key(customer_id, fact.kind)] = output
    for name, output in latest.items():
        yield Output(t.CUSTOMER_RISKS, name, output.value, trace=output.trace)


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
