"""The documents the API shows, as others may rely on them (and as OpenAPI shows them).  No name of a
customer, no address and no text of theirs is in any of them: customers are known by their ids.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from services.contracts.outreach import Mode, Outcome, Suppression
from services.contracts.people import Channel, MessageClass
from services.contracts.problems import Actor, ProblemKind, Tier
from services.outreach.pauses import Scope
from services.outreach.playbook import Action, After
from services.outreach.standing import State


class View(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Page(View):
    """One page of a list."""

    next_cursor: str | None
    """Asks for the next page; null: there is none."""


class Need(StrEnum):
    """Why a problem needs a person."""

    TASK = "task"
    """A playbook gave it to a person, and nobody has said that it is done."""
    UNKNOWN = "unknown"
    """Nobody can tell whether a message was sent; it is never sent again by itself."""
    FAILED = "failed"
    """A message was given up, and the problem is still there."""


class Gate(View):
    """One gate's verdict."""

    gate: str
    passed: bool
    rule: str
    """The rule's version, for example `quiet_hours/1`."""
    because: str
    """What was compared."""
    in_words: str


class SendState(View):
    """What became of the message that was decided."""

    step_id: UUID
    state: State
    attempt: int
    started_at: datetime | None
    finished_at: datetime | None
    reason: str | None
    """Why it stands so, in the channel's or a gate's word."""


class Decision(View):
    """What was decided about one step at one instant, and why."""

    decision_id: UUID
    decided_at: datetime
    step_id: UUID
    problem_id: UUID
    customer_id: str
    order_id: str | None
    playbook: str
    playbook_version: int
    step: str
    channel: Channel
    message_class: MessageClass
    mode: Mode
    outcome: Outcome
    suppression: Suppression | None
    """Why it was suppressed; null where it was not."""
    deferred_until: datetime | None
    in_words: str
    said_no: str | None
    """The first gate that said no; null: none did."""
    gates: tuple[Gate, ...]
    send: SendState | None
    """Null: nothing was queued because of it."""


class Latest(View):
    """The latest decision about a problem."""

    decision_id: UUID
    decided_at: datetime
    playbook: str
    step: str
    outcome: Outcome
    suppression: Suppression | None
    said_no: str | None
    in_words: str


class Waiting(View):
    """One thing that waits for a person."""

    need: Need
    step_id: UUID
    playbook: str
    step: str
    channel: Channel
    since: datetime
    reason: str | None
    in_words: str


class WorkItem(View):
    """One problem, and why it needs a person."""

    problem_id: UUID
    customer_id: str
    kind: ProblemKind
    subject: str
    """What it is about, by its id: a shipment, refund, order, contact or survey; or `customer`."""
    order_id: str | None
    tier: Tier
    actor: Actor
    """Who can do something about it."""
    opened_at: datetime
    ended_at: datetime | None
    """Null: it is open.  What ended is listed only while a send about it is unknown."""
    complaint_risk: float | None
    """0 to 1; null: not assessed."""
    expected_value: float
    """What the list is put in order by: the risk of a complaint (where none was assessed, what the policy
    believes of such orders), times 1 at risk, 2 overdue, 3 late."""
    needs: tuple[Waiting, ...]
    latest_decision: Latest | None


class HeldPlaybook(View):
    """A playbook that the volume breaker holds: all its contacts wait until a person has looked."""

    playbook: str
    tripped_at: datetime
    decided: int
    """Contacts within the breaker's window when it tripped."""
    allowance: int
    """How many were usual, or set."""
    steps_waiting: int
    """Steps of it that are not settled: those that wait for the breaker, and those that wait otherwise."""


class WorkList(Page):
    """The problems, the one worth most first; of two alike the older one."""

    items: tuple[WorkItem, ...]
    held_playbooks: tuple[HeldPlaybook, ...]
    """All of them, on every page."""


class Done(View):
    """What was marked as done."""

    problem_id: UUID
    changed: bool
    """False: all of it was done before."""
    steps_done: tuple[UUID, ...]
    """Steps of this problem that are done, now or before."""


class Became(StrEnum):
    """What a person says became of a send that nobody could tell of."""

    SENT = "sent"
    NOT_SENT = "not_sent"


class Resolved(View):
    """What is on record about a send."""

    step_id: UUID
    changed: bool
    """False: the same was said before."""
    became: Became
    state: State


class Why(Page):
    """Every decision about one customer, the latest first."""

    customer_id: str
    items: tuple[Decision, ...]


class Step(View):
    """One step of a playbook."""

    name: str
    action: Action
    channels: tuple[Channel, ...]
    template: str | None
    use_by_hours: int
    after: After | None


class Playbook(View):
    """A playbook as this replica knows it, and how it stands."""

    name: str
    version: int
    mode: Mode
    """What the playbook is ready for."""
    mode_in_force: Mode
    """The more careful of the playbook's mode and the deployment's."""
    message_class: MessageClass
    kind: ProblemKind
    """Of the problems that make it due."""
    tiers: tuple[Tier, ...]
    contacts_per_day: int | None
    """A set number; null: several times more than is usual waits for a person."""
    steps: tuple[Step, ...]
    paused: bool
    """By a pause of its own, or of everything."""
    held: HeldPlaybook | None
    """Null: the volume breaker does not hold it."""


class Playbooks(View):
    """All playbooks, by name."""

    items: tuple[Playbook, ...]


class Pause(View):
    """What somebody paused."""

    pause_id: UUID
    scope: Scope
    name: str | None
    """Of the playbook or the channel; null where all are meant."""
    since: datetime
    by: str
    because: str
    resumed_at: datetime | None
    """Null: it is in force."""
    resumed_by: str | None


class Pauses(View):
    """Pauses, the oldest first."""

    items: tuple[Pause, ...]


class Paused(View):
    """What is paused by now."""

    pause: Pause
    known: bool
    """Whether this replica has a playbook of that name; true for everything else."""


class Resumed(View):
    """What goes on by now."""

    pause: Pause
    changed: bool
    """False: it was resumed before."""


class Breaker(View):
    """What waits for a person, the oldest first."""

    items: tuple[HeldPlaybook, ...]


class Released(View):
    """What was said to a playbook that waited."""

    playbook: str
    tripped_at: datetime
    approved: int
    """How many more contacts; 0: none of those due by then."""
