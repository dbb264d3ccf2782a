"""What the metrics service remembers: families of figures, and how far time is known."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, get_type_hints

from services.contracts import metric_names as names
from services.contracts.envelope import Event, Fact
from services.metrics.figures.complaints import Complaints
from services.metrics.figures.customers import Customers
from services.metrics.figures.feeds import Feeds
from services.metrics.figures.measures import Figures, Latest, Measured
from services.metrics.figures.orders import Orders
from services.metrics.figures.outreach_steps import OutreachSteps
from services.metrics.figures.pipeline import Pipeline
from services.metrics.figures.problems import Problems
from services.metrics.figures.promptness import Promptness
from services.metrics.figures.saves import SAVE_WINDOW
from services.metrics.figures.sending import Sending
from services.metrics.figures.service import Service, ServiceRules
from services.metrics.figures.surveys import Surveys
from services.metrics.figures.trials import TRIAL_WINDOW
from services.metrics.figures.usefulness import Usefulness
from services.metrics.figures.wismo import Wismo


@dataclass(frozen=True, slots=True)
class Rules:
    """By what a deployment measures."""

    service: ServiceRules = field(default_factory=ServiceRules)
    save: timedelta = SAVE_WINDOW
    """Within what a customer at risk must have bought to be saved."""
    trial: timedelta = TRIAL_WINDOW
    """How long after a decision a complaint counts against its arm."""


@dataclass(slots=True)
class State:
    """Everything folded from the topics.  A new family needs a field here, with a default."""

    marks: dict[int, datetime] = field(default_factory=dict)
    """Partition number → the latest instant said to be over there."""
    settled: datetime | None = None
    """The instant judged up to."""
    pipeline: Pipeline = field(default_factory=Pipeline)
    problems: Problems = field(default_factory=Problems)
    sending: Sending = field(default_factory=Sending)
    promptness: Promptness = field(default_factory=Promptness)
    complaints: Complaints = field(default_factory=Complaints)
    orders: Orders = field(default_factory=Orders)
    wismo: Wismo = field(default_factory=Wismo)
    service: Service = field(default_factory=Service)
    surveys: Surveys = field(default_factory=Surveys)
    outreach_steps: OutreachSteps = field(default_factory=OutreachSteps)
    feeds: Feeds = field(default_factory=Feeds)
    customers: Customers = field(default_factory=Customers)
    usefulness: Usefulness = field(default_factory=Usefulness)

    def families(self) -> tuple[Figures, ...]:
        """Return the families that fold events."""
        return tuple(getattr(self, name) for name in FAMILIES)

    def measured(self) -> Iterator[Measured]:
        """Return each metric with what is counted under it."""
        yield names.METRICS_SETTLED, Latest({} if self.settled is None else {(): self.settled})
        yield from self.pipeline.measured()
        yield from self.feeds.measured()
        for family in self.families():
            yield from family.measured()

    def over(self, partitions: int) -> datetime | None:
        """Return the instant that every partition says is over; None while one has said nothing."""
        marks = [self.marks.get(partition) for partition in range(partitions)]
        known = [mark for mark in marks if mark is not None]
        return min(known) if len(known) == partitions else None

    def measure_by(self, rules: Rules) -> None:
        """Measure by these rules from now on; what is counted stays as it was counted."""
        self.service.rules = rules.service
        self.customers.saves.window = self.customers.trials.lapse_window = rules.save
        self.customers.trials.window = rules.trial

    def fold(self, partition: int, event: Event[Any]) -> None:
        """Let the families that look into this fact take it in."""
        for name in READERS.get(type(event.data), ()):
            getattr(self, name).fold(partition, event)

    def settle(self, until: datetime) -> None:
        """Judge what waited for this instant to be over; everything said up to it has been folded."""
        self.settled = until
        for family in self.families():
            family.settle(until)


_TYPES = get_type_hints(State)
FAMILIES = tuple(each.name for each in fields(State) if hasattr(_TYPES[each.name], "READS"))
"""The fields that are families of figures."""

READERS: Mapping[type[Fact], tuple[str, ...]] = {
    fact: tuple(name for name in FAMILIES if fact in _TYPES[name].READS)
    for name in FAMILIES
    for fact in _TYPES[name].READS
}
"""Fact → the families that look into it.  Of all others nothing but the envelope is read."""
