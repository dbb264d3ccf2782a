"""Problems: how many opened, how they ended, how many are open now, and what was so of each at its opening.

*Detection lag*: from the deadline to the opening, of what was noticed because something did not come.  The
opening's time is that of the tick at which it was said, so this holds what the absence waited for its feed
(`docs/expectations.md`, "When a step has passed") and how far time stood behind; not how late the services
were to say it.  A deadline of an earlier tier that was passed over is not looked at.

*Retracted while the feed was silent*: the absence had been believed because its feed had been silent for
too long, not because the feed was heard and said nothing.

*Experience*: the customer's balance as the opening carries it; openings without one are not counted.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeAlias
from uuid import UUID

from services.contracts import customer_metrics
from services.contracts import metric_names as names
from services.contracts.envelope import Event, Fact
from services.contracts.problems import (
    Clearing,
    ProblemChanged,
    ProblemCleared,
    ProblemKind,
    ProblemOpened,
    Tier,
)
from services.metrics.figures.measures import Distributions, Measured, Tally

ABSENCES = (
    ProblemKind.DELIVERY_DELAY,
    ProblemKind.HANDOVER_OVERDUE,
    ProblemKind.FIRST_SCAN_MISSING,
    ProblemKind.SCAN_STALLED,
    ProblemKind.ATTEMPT_FAILED,
    ProblemKind.PICKUP_WAITING,
    ProblemKind.REFUND_OVERDUE,
    ProblemKind.CONTACT_UNANSWERED,
    ProblemKind.HELP_NOT_FOUND,
)
"""Kinds that may open because something did not come; those of which an opening names a feed."""

ProblemFact: TypeAlias = ProblemOpened | ProblemChanged | ProblemCleared


@dataclass(slots=True)
class ProblemFacts:
    """What matters of one problem."""

    kind: ProblemKind
    tier: Tier
    is_opened: bool = False
    """Whether its opening was read; retention or another order may leave the rest alone."""
    clearings: set[Clearing] = field(default_factory=set)


@dataclass(slots=True)
class Problems:
    """Every problem heard of, and the counts that follow."""

    READS: ClassVar[frozenset[type[Fact]]] = frozenset(
        {ProblemOpened, ProblemChanged, ProblemCleared}
    )

    opened: Tally = field(default_factory=Tally)
    cleared: Tally = field(default_factory=Tally)
    open_now: Tally = field(default_factory=Tally)
    retracted: Tally = field(default_factory=Tally)
    """By kind and whether its feed was silent."""
    detection_lag: Distributions = field(default_factory=Distributions)
    experience: Distributions = field(default_factory=Distributions)
    problems: dict[UUID, ProblemFacts] = field(default_factory=dict)

    def fold(self, partition: int, event: Event[Any]) -> None:
        """Take in an opening, a change or an end; see `Figures`."""
        del partition
        told = event.data
        if isinstance(told, ProblemOpened | ProblemChanged | ProblemCleared):
            self._told(told, event.time)

    def settle(self, until: datetime) -> None:
        """Nothing here waits: a problem's own records say it all."""

    def measured(self) -> Iterator[Measured]:
        """Return problems opened, cleared and open, and what was so of them."""
        yield names.PROBLEMS_OPENED, self.opened
        yield names.PROBLEMS_CLEARED, self.cleared
        yield names.PROBLEMS_OPEN, self.open_now
        yield customer_metrics.PROBLEMS_RETRACTED, self.retracted
        yield customer_metrics.DETECTION_LAG, self.detection_lag
        yield customer_metrics.EXPERIENCE_BALANCE, self.experience

    def _told(self, told: ProblemFact, at: datetime) -> None:
        problem = self.problems.get(told.problem_id)
        if problem is None:
            problem = self.problems[told.problem_id] = ProblemFacts(told.kind, told.tier)
        else:
            self._count_open(problem, -1)
        problem.kind = told.kind
        problem.tier = max(problem.tier, told.tier, key=_rank)
        if isinstance(told, ProblemOpened) and not problem.is_opened:
            self._opened(told, at)
            problem.is_opened = True
        if isinstance(told, ProblemCleared) and told.clearing not in problem.clearings:
            self._cleared(told)
            problem.clearings.add(told.clearing)
        self._count_open(problem, 1)

    def _opened(self, told: ProblemOpened, at: datetime) -> None:
        self.opened.add((told.kind,))
        if told.feed is not None:
            self.detection_lag.add(customer_metrics.DETECTION_LAG, (told.kind,), at - told.deadline)
        if told.experience is not None:
            # A balance has no unit; as so many seconds it adds up exactly, whatever the order.
            balance = timedelta(seconds=told.experience.balance)
            self.experience.add(customer_metrics.EXPERIENCE_BALANCE, (), balance)

    def _cleared(self, told: ProblemCleared) -> None:
        self.cleared.add((told.kind, told.clearing))
        if told.clearing is Clearing.RETRACTED:
            was_silent = told.feed is not None and told.feed.silent
            self.retracted.add((told.kind, str(was_silent).lower()))

    def _count_open(self, problem: ProblemFacts, times: int) -> None:
        if not problem.clearings:
            self.open_now.add((problem.kind, problem.tier), times)


def _rank(tier: Tier) -> int:
    return tier.rank
