"""Playbooks: reviewed YAML that says when to write, what, and until when it is worth it.

Parsing only; where the files lie is the shell's business.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import combinations
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.contracts.contacts import SurveyKind
from services.contracts.outreach import Mode
from services.contracts.people import Channel, MessageClass
from services.contracts.problems import TIERS_OF, Actor, Clearing, ProblemKind, Tier
from services.outreach.correction import takes_back
from services.outreach.signals import Signal

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""Lower-case words joined by `_`: it becomes part of ids, file names and labels."""


class WrongPlaybook(Exception):
    """A playbook cannot be used; the message names the file, the place and the fault."""


class _Part(BaseModel):
    # What is said of a field here is what an editor shows of it.
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Trigger(_Part):
    """Which problems, and how far along, make this playbook due: begun or worsened, or over."""

    kind: ProblemKind
    tiers: Annotated[frozenset[Tier], Field(min_length=1)]
    """Due when the problem reaches one of them; with `cleared`, when it ends in one of them."""
    cleared: Annotated[frozenset[Clearing], Field(min_length=1)] | None = None
    """None: due while the problem is there.  Else only when it ends, in one of these ways."""
    told: bool = False
    """Only with `cleared`: written only where a message of ours about the problem was really sent."""
    minimum_complaint_risk: Annotated[float, Field(ge=0, le=1)] | None = None
    """None: whatever the risk is, and also where it is not known."""
    actors: frozenset[Actor] | None = None
    """None: whoever can act."""

    @model_validator(mode="after")
    def _tiers_are_reached(self) -> Self:
        unknown = self.tiers - set(TIERS_OF[self.kind])
        if unknown:
            raise ValueError(f"{self.kind} never reaches {', '.join(sorted(unknown))}")
        return self

    @model_validator(mode="after")
    def _told_is_asked_of_an_end(self) -> Self:
        if self.told and self.cleared is None:
            raise ValueError("told is only asked when a problem is over: say `cleared` too")
        return self

    @property
    def corrects(self) -> bool:
        """Whether this is due where what we told was shown to be wrong."""
        return takes_back(self.cleared, told=self.told)


class Action(StrEnum):
    """What a step does."""

    SEND = "send"
    """Write to the customer."""
    ESCALATE = "escalate"
    """Give the problem to a person; the customer hears nothing of it."""


class Course(StrEnum):
    """How the step before has gone."""

    CONTACTED = "contacted"
    NOT_CONTACTED = "not_contacted"
    EITHER = "either"


class After(_Part):
    """When a step follows the one before it, unless the problem is over or the customer wrote by then."""

    hours: Annotated[int, Field(ge=1, le=30 * 24)]
    """How long after that was decided."""
    when: Course = Course.CONTACTED
    once: Signal | None = None
    """Due as soon as this comes, within `hours`; where it does not come, not at all."""
    unless: Signal | None = None
    """Due after `hours`, and not at all where this has come by then."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.once is not None and self.unless is not None:
            raise ValueError("say `once` or `unless`, not both: put them into two steps")
        return self


class Step(_Part):
    """One step of a playbook."""

    name: Name
    action: Action
    channels: tuple[Channel, ...] = ()
    """By which a message may go, the best one first: the next is tried where one has not taken it."""
    template: Name | None = None
    survey: Literal[SurveyKind.CSAT] | None = None
    """Only with `send`: the message asks this of the customer, behind the link `survey_url`."""
    use_by_hours: Annotated[int, Field(ge=1, le=30 * 24)]
    """Counted from when the step became due; later it would help nobody."""
    after: After | None = None
    """None: the problem itself makes it due."""

    @model_validator(mode="after")
    def _fits_its_action(self) -> Self:
        if self.action is Action.ESCALATE and (self.template is not None or self.channels):
            raise ValueError("escalate takes neither a template nor channels")
        if self.action is Action.ESCALATE and self.survey is not None:
            raise ValueError("escalate asks the customer nothing: leave `survey` out")
        is_whole = self.template is not None and self.channels
        if self.action is Action.SEND and (not is_whole or Channel.HUMAN in self.channels):
            raise ValueError("send takes a template, and channels other than human")
        if len(set(self.channels)) < len(self.channels):
            raise ValueError("a channel is named twice")
        return self

    @property
    def ways(self) -> tuple[Channel, ...]:
        """By which it may go: what is escalated goes to a person."""
        return (Channel.HUMAN,) if self.action is Action.ESCALATE else self.channels

    @property
    def use_by(self) -> timedelta:
        """How long after it became due the step is worth carrying out."""
        return timedelta(hours=self.use_by_hours)


def _fits_not_helped(step: Step, after: After) -> None:
    if after.once is not None and step.action is not Action.ESCALATE:
        raise ValueError(f"{step.name}: who was not helped gets no more messages: escalate")
    if after.unless is not None and step.action is Action.SEND:
        raise ValueError(f"{step.name}: leave `unless: not_helped` out: it holds for every message")


_BY_CARE = (Mode.SHADOW, Mode.LIMITED, Mode.LIVE)
"""The most careful one first."""


class Playbook(_Part):
    """One named procedure.  A change that matters raises the version."""

    name: Name
    version: Annotated[int, Field(ge=1)]
    mode: Mode = Mode.SHADOW
    """What the playbook is ready for; the deployment's mode may hold it back, never push it.
    `limited`: sent to the customers on the deployment's list, and as in `shadow` for everybody else."""
    message_class: MessageClass
    trigger: Trigger
    contacts_per_day: Annotated[int, Field(ge=1)] | None = None
    """More than so many in 24 hours wait for a person; None: several times more than is usual do."""
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=8)]

    @model_validator(mode="after")
    def _steps_follow_each_other(self) -> Self:
        names = [step.name for step in self.steps]
        if len(set(names)) < len(names):
            raise ValueError("two steps have the same name")
        if self.steps[0].after is not None:
            raise ValueError(f"{names[0]}: the first step follows none: leave `after` out")
        lost = [step.name for step in self.steps[1:] if step.after is None]
        if lost:
            raise ValueError(f"{lost[0]}: say `after` how many hours it follows the step before it")
        return self

    @model_validator(mode="after")
    def _what_is_awaited_may_come(self) -> Self:
        last = TIERS_OF[self.trigger.kind][-1]
        for step in self.steps:
            awaited = {step.after.once, step.after.unless} if step.after is not None else set()
            if Signal.WORSENED in awaited and last in self.trigger.tiers:
                raise ValueError(f"{step.name}: worsened never comes: nothing is worse than {last}")
            if Signal.NOT_HELPED in awaited and step.after is not None:
                _fits_not_helped(step, step.after)
        return self

    @model_validator(mode="after")
    def _correction_is_one_message(self) -> Self:
        if self.trigger.corrects and len(self.steps) > 1:
            raise ValueError("a correction is one message: leave every step but the first out")
        if self.trigger.corrects and self.steps[0].action is not Action.SEND:
            raise ValueError("a correction is for the customer: its step is to send")
        return self

    def step(self, name: str) -> Step | None:
        """Return the step of this name, or None."""
        return next((step for step in self.steps if step.name == name), None)

    def step_after(self, name: str) -> Step | None:
        """Return the step behind the one of this name, or None."""
        names = [step.name for step in self.steps]
        behind = names.index(name) + 1 if name in names else len(names)
        return self.steps[behind] if behind < len(names) else None

    def mode_in(self, deployment: Mode) -> Mode:
        """Return the more careful of the playbook's mode and the deployment's."""
        return min(self.mode, deployment, key=_BY_CARE.index)


@dataclass(frozen=True, slots=True)
class Reached:
    """A problem has reached a tier, or has ended in it: what one event says."""

    at: datetime
    kind: ProblemKind
    tier: Tier
    complaint_risk: float | None
    actor: Actor
    clearing: Clearing | None = None
    """None: it was opened or changed, and is not over."""


Catalogue = Mapping[str, Playbook]


def parse(text: str, name: str) -> Playbook:
    """Return the playbook in this YAML text.

    Args:
        name: Where the text comes from, for messages.

    Raises:
        WrongPlaybook: not YAML, or not a playbook.
    """
    try:
        return Playbook.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise WrongPlaybook(f"{name}: not YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        faults = (
            f"{'.'.join(str(part) for part in item['loc']) or 'playbook'}: {item['msg']}"
            for item in error.errors(include_url=False)
        )
        raise WrongPlaybook(f"{name}: {'; '.join(faults)}") from None


def catalogue_of(playbooks: Iterable[Playbook]) -> Catalogue:
    """Return the playbooks by name.

    Raises:
        WrongPlaybook: two share a name, so their steps would share ids; or correct the same.
    """
    catalogue: dict[str, Playbook] = {}
    for playbook in playbooks:
        if playbook.name in catalogue:
            raise WrongPlaybook(f"two playbooks are called {playbook.name}")
        catalogue[playbook.name] = playbook
    for one, other in corrected_twice(catalogue.values()):
        raise WrongPlaybook(f"{one.name} and {other.name} {CORRECT_THE_SAME}")
    return catalogue


CORRECT_THE_SAME = "correct the same problems, of which each is corrected once: keep one of them"


def corrected_twice(playbooks: Iterable[Playbook]) -> Iterator[tuple[Playbook, Playbook]]:
    """Yield each two playbooks that would both correct what was told of one problem."""
    correcting = [playbook for playbook in playbooks if playbook.trigger.corrects]
    for one, other in combinations(correcting, 2):
        if one.trigger.kind is other.trigger.kind and one.trigger.tiers & other.trigger.tiers:
            yield one, other


def triggered_by(reached: Reached, catalogue: Catalogue) -> tuple[Playbook, ...]:
    """Return the playbooks that this makes due, by name."""
    return tuple(
        catalogue[name] for name in sorted(catalogue) if _matches(catalogue[name].trigger, reached)
    )


def _matches(trigger: Trigger, reached: Reached) -> bool:
    return (
        trigger.kind is reached.kind
        and reached.tier in trigger.tiers
        and _ended_so(trigger.cleared, reached.clearing)
        and (trigger.actors is None or reached.actor in trigger.actors)
        and _risky_enough(trigger.minimum_complaint_risk, reached.complaint_risk)
    )


def _ended_so(cleared: frozenset[Clearing] | None, clearing: Clearing | None) -> bool:
    return clearing is None if cleared is None else clearing in cleared


def _risky_enough(minimum: float | None, risk: float | None) -> bool:
    return minimum is None or (risk is not None and risk >= minimum)
