"""Problems: how many opened, how they ended, how many are open now."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from services.contracts import metric_names as names
from services.contracts.envelope import Event
from services.contracts.problems import (
    Clearing,
    ProblemChanged,
    ProblemCleared,
    ProblemKind,
    ProblemOpened,
    Tier,
)
from services.metrics.figures.measures import Measured, Tally

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

    opened: Tally = field(default_factory=Tally)
    cleared: Tally = field(default_factory=Tally)
    open_now: Tally = field(default_factory=Tally)
    problems: dict[UUID, ProblemFacts] = field(default_factory=dict)

    def fold(self, partition: int, event: Event[Any]) -> None:
        """Take in an opening, a change or an end; see `Figures`."""
        del partition
        told = event.data
        if isinstance(told, ProblemOpened | ProblemChanged | ProblemCleared):
            self._told(told)

    def settle(self, until: datetime) -> None:
        """Nothing here waits: a problem's own records say it all."""

    def measured(self) -> Iterator[Measured]:
        """Return problems opened, cleared and open."""
        yield names.PROBLEMS_OPENED, self.opened
        yield names.PROBLEMS_CLEARED, self.cleared
        yield names.PROBLEMS_OPEN, self.open_now

    def _told(self, told: ProblemFact) -> None:
        problem = self.problems.get(told.problem_id)
        if problem is None:
            problem = self.problems[told.problem_id] = ProblemFacts(told.kind, told.tier)
        else:
            self._count_open(problem, -1)
        problem.kind = told.kind
        problem.tier = max(problem.tier, told.tier, key=_rank)
        if isinstance(told, ProblemOpened) and not problem.is_opened:
            self.opened.add((told.kind,))
            problem.is_opened = True
        if isinstance(told, ProblemCleared) and told.clearing not in problem.clearings:
            self.cleared.add((told.kind, told.clearing))
            problem.clearings.add(told.clearing)
        self._count_open(problem, 1)

    def _count_open(self, problem: ProblemFacts, times: int) -> None:
        if not problem.clearings:
            self.open_now.add((problem.kind, problem.tier), times)


def _rank(tier: Tier) -> int:
    return tier.rank
