"""What every channel promises: one message at a time, and one of four endings."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol, TypeVar

MessageT_contra = TypeVar("MessageT_contra", contravariant=True)

UNWRITABLE = "unwritable"
"""Why a message is refused that cannot be put into bytes, by whoever notices first."""


class Ending(StrEnum):
    """How one attempt ended."""

    TAKEN = "taken"
    """The channel is responsible for it now."""
    REFUSED = "refused"
    """It will never be taken."""
    DEFERRED = "deferred"
    """It was surely not taken, and may be later."""
    UNKNOWN = "unknown"
    """Nobody can tell whether it was taken."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The end of one attempt; `reason` holds codes and names of errors, never an address."""

    ending: Ending
    reason: str = ""
    retry_after: timedelta | None = None
    """How long the other side asks to wait, if it was not taken and does."""
    gone: bool = False
    """Whether there is nobody at this address any more."""
    about_recipient: bool = False
    """Whether it says something of this recipient alone: then the other side itself is well."""


class Channel(Protocol[MessageT_contra]):
    """Sends one message at a time.  Raises nothing that belongs to the channel's own trouble."""

    def send(self, message: MessageT_contra, /) -> Delivery:
        """Return how the attempt ended."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...
