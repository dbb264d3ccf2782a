"""What outreach says on `outreach`: every decision with every gate, and what became of each contact."""

from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from services.contracts.envelope import Contract, Fact, Identifier, Instant
from services.contracts.people import Channel, MessageClass

SOURCE = "/care/outreach"
"""CloudEvents `source` of all that outreach says, on whichever topic: what has it is care's own doing."""


class Outcome(StrEnum):
    """What was decided."""

    CONTACT = "contact"
    SUPPRESSED = "suppressed"
    DEFERRED = "deferred"
    HELD_OUT = "held_out"


class Suppression(StrEnum):
    """Why nobody is contacted; one word per gate that can say no."""

    SOLVED = "solved"
    ALREADY_KNOWN = "already_known"
    NOT_HELPED = "not_helped"
    AWAITED = "awaited"
    MESSAGE_CLASS = "message_class"
    CONSENT = "consent"
    USE_BY = "use_by"
    BUDGET = "budget"
    RESERVED = "reserved"
    NET_VALUE = "net_value"
    BREAKER = "breaker"
    CHANNEL = "channel"


class Mode(StrEnum):
    """Whether a playbook really sends."""

    SHADOW = "shadow"
    LIMITED = "limited"
    """Sent to listed customers.  A decision about anybody else is said to be in shadow."""
    LIVE = "live"


class GateVerdict(Contract):
    """One gate's word on one decision."""

    gate: str
    passed: bool
    rule: str
    """The rule's version, for example `quiet_hours/1`."""
    because: str
    """What was compared, without personal data."""


class _StepFact(Fact):
    step_id: UUID
    """Derived from problem, playbook and step: at most one send ever carries it."""
    problem_id: UUID
    playbook: str
    playbook_version: Annotated[int, Field(ge=1)]
    step: str
    channel: Channel | None = None


class OutreachDecided(_StepFact):
    """A due contact passed the gates, or did not.  A deferred one is decided again later."""

    TYPE: ClassVar[str] = "care.outreach.decided.v1"
    decision_id: UUID
    outcome: Outcome
    suppression: Suppression | None = None
    deferred_until: Instant | None = None
    mode: Mode
    message_class: MessageClass
    gates: tuple[GateVerdict, ...]
    order_id: Identifier | None = None


class _AttemptFact(_StepFact):
    attempt: Annotated[int, Field(ge=1)] = 1
    order_id: Identifier | None = None


class OutreachStarted(_AttemptFact):
    """Committed before the send; without a later outcome the contact is unknown."""

    TYPE: ClassVar[str] = "care.outreach.started.v1"


class OutreachSent(_AttemptFact):
    """The channel took it."""

    TYPE: ClassVar[str] = "care.outreach.sent.v1"
    problem_opened_at: Instant | None = None

    @property
    def is_to_customer(self) -> bool:
        """Whether it left for the customer, and was not given to a person of ours."""
        return self.channel is not Channel.HUMAN


class OutreachFailed(_AttemptFact):
    """The channel refused it for good."""

    TYPE: ClassVar[str] = "care.outreach.failed.v1"
    reason: Annotated[str, Field(max_length=200)]


class OutreachUnknown(_AttemptFact):
    """A crash left it undecided: shown to a person, never sent again by itself."""

    TYPE: ClassVar[str] = "care.outreach.unknown.v1"


class Withdrawal(StrEnum):
    """Why a queued contact was taken back."""

    PROBLEM_CLEARED = "problem_cleared"
    CUSTOMER_WROTE = "customer_wrote"
    NOT_HELPED = "not_helped"
    """The customer said that a message of the same playbook about the same problem did not help."""
    CUSTOMER_ERASED = "customer_erased"


class OutreachWithdrawn(_StepFact):
    """Queued, and taken back before it was sent."""

    TYPE: ClassVar[str] = "care.outreach.withdrawn.v1"
    reason: Withdrawal
    order_id: Identifier | None = None


class OutreachCorrected(_AttemptFact):
    """The message just sent, of this very step, took back what was sent before and shown to be wrong.

    Said beside `sent`, so that whoever counts what was sent counts it too.
    """

    TYPE: ClassVar[str] = "care.outreach.corrected.v1"


class Verdict(StrEnum):
    """What the customer says of a message."""

    HELPED = "helped"
    NOT_HELPED = "not_helped"


class OutreachJudged(_StepFact):
    """The customer said whether the message of this step helped; the first of each verdict is told."""

    TYPE: ClassVar[str] = "care.outreach.judged.v1"
    verdict: Verdict
    order_id: Identifier | None = None


class BounceKind(StrEnum):
    """Whether a mail can ever be delivered there."""

    HARD = "hard"
    SOFT = "soft"


class OutreachBounced(_StepFact):
    """A mail that the mail server took came back undelivered; each kind is told once."""

    TYPE: ClassVar[str] = "care.outreach.bounced.v1"
    kind: BounceKind
    status: Annotated[str, Field(pattern=r"^[245]\.[0-9]{1,3}\.[0-9]{1,3}$")]
    """RFC 3463, as the other side's mail server put it."""
    order_id: Identifier | None = None
