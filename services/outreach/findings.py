"""What a reconciliation found: what was said and not known, and where the sends stand now.  Pure."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from services.contracts.envelope import Event
from services.outreach.standing import State

NOT_ON_TOPICS = (
    "pauses and resumptions since the backup: `care pause list`, and set them again",
    "approvals and rejections of the volume breaker since the backup: `care breaker list`",
    "comments in surveys since the backup: lost",
    "sends put back among the pending ones after a refusal for now: such a start is unknown",
)
"""What a backup loses that no topic tells."""


@dataclass(slots=True)
class Findings:
    """Counts, and the sends concerned."""

    read_events: int = 0
    learnt: Counter[str] = field(default_factory=Counter)
    """Events that the database did not know, by type."""
    problems: int = 0
    """Events of problems that the backup had not read."""
    first: datetime | None = None
    """Of what was not known."""
    last: datetime | None = None
    without_problem: int = 0
    """Events about problems nobody tells of any more: passed over, and never due again."""
    without_decision: int = 0
    """Events of sends whose decision is no longer on the topic: their steps are settled."""
    sends: dict[UUID, State] = field(default_factory=dict)
    """Where the sends stand that the database knew otherwise, or not."""

    def read(self, _: Event[Any]) -> None:
        """Count an event."""
        self.read_events += 1

    def learn(self, event: Event[Any]) -> None:
        """Count an event that was not known."""
        self.learnt[event.type] += 1
        self.first = min(filter(None, (self.first, event.time)))
        self.last = max(filter(None, (self.last, event.time)))

    def stands(self, step: UUID, state: State) -> None:
        """Note where a send stands by now."""
        self.sends[step] = state

    @property
    def doubtful(self) -> list[UUID]:
        """The steps of which nobody can tell whether their message left."""
        return sorted(step for step, state in self.sends.items() if state is State.UNKNOWN)

    def as_object(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "read": self.read_events,
            "learnt": dict(sorted(self.learnt.items())),
            "problems": self.problems,
            "first": None if self.first is None else self.first.isoformat(),
            "last": None if self.last is None else self.last.isoformat(),
            "without_problem": self.without_problem,
            "without_decision": self.without_decision,
            "sends": dict(sorted(Counter(s.value for s in self.sends.values()).items())),
            "unknown": [str(step) for step in self.doubtful],
        }
