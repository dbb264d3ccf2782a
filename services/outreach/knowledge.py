"""What is known when something is decided: the due step, its customer, and the rules.  Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.contracts.outreach import Mode
from services.contracts.people import Channel, MessageClass
from services.contracts.trace_context import TraceContext
from services.outreach.facts import (
    ConsentStatement,
    InboundContact,
    Problem,
    Profile,
    SurveyAnswer,
)
from services.outreach.playbook import (
    Catalogue,
)
from services.outreach.situation import Policy, Volume

StepName = tuple[str, str]
"""A playbook and one of its steps, by name."""


@dataclass(frozen=True, slots=True)
class DueStep:
    """One step of one playbook for one problem, waiting for its instant."""

    step_id: UUID
    customer_id: str
    partition: int
    problem_id: UUID
    playbook: str
    step: str
    triggered_at: datetime
    due_at: datetime
    trace: TraceContext
    """Of what was told of the problem and brought the step about."""

    @property
    def order(self) -> tuple[datetime, str, str, str, str]:
        """The order in which steps are decided; nothing in it depends on arrival."""
        return (self.due_at, self.customer_id, str(self.problem_id), self.playbook, self.step)


@dataclass(frozen=True, slots=True)
class Contacted:
    """One contact that was decided, and not taken back."""

    at: datetime
    mode: Mode
    message_class: MessageClass


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Everything remembered about one customer that a decision may need."""

    problems: Mapping[UUID, Problem]
    """Those that matter now, and every other that is open."""
    contacts: tuple[InboundContact, ...] = ()
    answers: tuple[SurveyAnswer, ...] = ()
    consents: tuple[ConsentStatement, ...] = ()
    profile: Profile | None = None
    contacted: tuple[Contacted, ...] = ()
    told: frozenset[UUID] = frozenset()
    """Of the problems that are over: those about which a message left, or may have."""
    being_told: frozenset[UUID] = frozenset()
    """Of the problems that are over: those about which a message is leaving just now."""
    unhelpful: frozenset[tuple[UUID, str]] = frozenset()
    """The problems and playbooks of messages that were said not to have helped."""
    told_twins: frozenset[UUID] = frozenset()
    """Problems that are one with another: those about which a message left, may have, or is leaving."""


Volumes = Mapping[str, Volume]
"""Playbook → how much it has written of late."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a deployment decides by."""

    catalogue: Catalogue
    policy: Policy
    mode: Mode
    channels: frozenset[Channel] = frozenset({Channel.EMAIL})
    """Those by which anything can go here."""
    listed: Collection[str] = frozenset()
    """The customers who are written to where a mode is limited."""

    @property
    def known_steps(self) -> tuple[StepName, ...]:
        """The steps that can be decided or sent, sorted; others wait for a version that has them."""
        return tuple(
            sorted((p.name, step.name) for p in self.catalogue.values() for step in p.steps)
        )

    def steps_in(self, mode: Mode) -> tuple[StepName, ...]:
        """Return the steps that are decided in this mode, sorted."""
        return tuple(
            (playbook, step)
            for playbook, step in self.known_steps
            if self.catalogue[playbook].mode_in(self.mode) is mode
        )

    def steps_beyond(self, by: Channel) -> tuple[StepName, ...]:
        """Return those of the steps that are sent that may go by another channel where this one fails."""
        return tuple(
            (playbook, name)
            for playbook, name in (*self.steps_in(Mode.LIVE), *self.steps_in(Mode.LIMITED))
            if (step := self.catalogue[playbook].step(name)) is not None and by in step.ways[:-1]
        )

    def mode_for(self, customer_id: str, playbook: str) -> Mode:
        """Return the mode in which this is decided about this customer: who is not listed is in shadow."""
        mode = self.catalogue[playbook].mode_in(self.mode)
        is_left_out = mode is Mode.LIMITED and customer_id not in self.listed
        return Mode.SHADOW if is_left_out else mode
