"""What the metrics service remembers: families of figures, and how far time is known."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.metrics.figures.complaints import Complaints
from services.metrics.figures.customers import Customers
from services.metrics.figures.measures import Figures, Measured
from services.metrics.figures.pipeline import Pipeline
from services.metrics.figures.problems import Problems
from services.metrics.figures.promptness import Promptness
from services.metrics.figures.sending import Sending
from services.metrics.figures.usefulness import Usefulness


@dataclass(slots=True)
class State:
    """Everything folded from the topics.  A new family needs a field here, with a default."""

    marks: dict[int, datetime] = field(default_factory=dict)
    """Partition number → the latest instant said to be over there."""
    pipeline: Pipeline = field(default_factory=Pipeline)
    problems: Problems = field(default_factory=Problems)
    sending: Sending = field(default_factory=Sending)
    promptness: Promptness = field(default_factory=Promptness)
    complaints: Complaints = field(default_factory=Complaints)
    customers: Customers = field(default_factory=Customers)
    usefulness: Usefulness = field(default_factory=Usefulness)

    def look_for(self, *, save: timedelta, trial: timedelta) -> None:
        """Set the windows by which save attempts and trials are judged from now on."""
        self.customers.saves.window = self.customers.trials.lapse_window = save
        self.customers.trials.window = trial

    def families(self) -> tuple[Figures, ...]:
        """Return the families that fold events."""
        return (
            self.problems,
            self.sending,
            self.promptness,
            self.complaints,
            self.customers,
            self.usefulness,
        )

    def measured(self) -> Iterator[Measured]:
        """Return each metric with what is counted under it."""
        yield from self.pipeline.measured()
        for family in self.families():
            yield from family.measured()

    def over(self, partitions: int) -> datetime | None:
        """Return the instant that every partition says is over; None while one has said nothing."""
        marks = [self.marks.get(partition) for partition in range(partitions)]
        known = [mark for mark in marks if mark is not None]
        return min(known) if len(known) == partitions else None

    def settle(self, until: datetime) -> None:
        """Judge what waited for this instant to be over; everything said up to it has been folded."""
        for family in self.families():
            family.settle(until)
