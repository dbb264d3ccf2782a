"""Outreach: what was decided, why not, and what became of each contact."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, TypeAlias

from services.contracts import metric_names as names
from services.contracts.envelope import Event, Fact
from services.contracts.outreach import (
    OutreachDecided,
    OutreachFailed,
    OutreachSent,
    OutreachUnknown,
    OutreachWithdrawn,
)
from services.metrics.figures.measures import Measured, Tally
from services.metrics.figures.memory import EventId, Memory

NO_CHANNEL = "none"

OutcomeFact: TypeAlias = OutreachSent | OutreachFailed | OutreachUnknown | OutreachWithdrawn
_OUTCOMES: dict[type[Fact], str] = {
    OutreachSent: "sent",
    OutreachFailed: "failed",
    OutreachUnknown: "unknown",
    OutreachWithdrawn: "withdrawn",
}
CONTACT_OUTCOMES = tuple(_OUTCOMES.values())


@dataclass(slots=True)
class Sending:
    """Decisions and outcomes; each is counted by its identity."""

    READS: ClassVar[frozenset[type[Fact]]] = frozenset({OutreachDecided, *_OUTCOMES})

    decisions: Tally = field(default_factory=Tally)
    suppressed: Tally = field(default_factory=Tally)
    contacts: Tally = field(default_factory=Tally)
    memory: Memory = field(default_factory=Memory)

    def fold(self, partition: int, event: Event[Any]) -> None:
        """Take in a decision or an outcome; see `Figures`."""
        match event.data:
            case OutreachDecided() as decision if self._is_new(partition, event):
                self.decisions.add((decision.playbook, decision.outcome))
                if decision.suppression is not None:
                    self.suppressed.add((decision.playbook, decision.suppression))
            case (
                OutreachSent() | OutreachFailed() | OutreachUnknown() | OutreachWithdrawn()
            ) as contact if self._is_new(partition, event):
                channel = NO_CHANNEL if contact.channel is None else contact.channel.value
                self.contacts.add((contact.playbook, channel, _OUTCOMES[type(contact)]))

    def settle(self, until: datetime) -> None:
        """Nothing here waits: each record is counted for itself."""

    def measured(self) -> Iterator[Measured]:
        """Return decisions, suppressions and contacts."""
        yield names.DECISIONS, self.decisions
        yield names.SUPPRESSED, self.suppressed
        yield names.CONTACTS, self.contacts

    def _is_new(self, partition: int, event: Event[Any]) -> bool:
        return self.memory.is_new(partition, EventId(event.source, event.id))
