"""One message as it leaves by another channel than mail.  Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What a channel needs to send one message; what is personal does not show in its `repr`."""

    step_id: UUID
    """The same at every attempt, and of no other message: a receiver's idempotency key."""
    problem_id: UUID
    playbook: str
    step: str
    customer_id: str
    attempt: int
    """The first is 1."""
    recipient: str = field(repr=False)
    """The address as the channel understands it."""
    subject: str = field(repr=False)
    text: str = field(repr=False)
    language: str
    at: datetime
    """When this attempt is made."""
    use_by: datetime
    html: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of a mail: how its reader's program stops such messages by one click."""
    traceparent: str | None = None
    """The trace it is in, for receivers that keep one; None: none is told."""
