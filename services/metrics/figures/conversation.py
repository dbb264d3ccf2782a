"""One contact as far as service figures need it, and what follows from it.  Pure; free of order and repeats.

A clock runs per wait, not per contact: it begins with the customer's opening, with each reopening, and in a
contact that an agent opened with the customer's first word; it ends with the first public reply of an agent
after that and before the next beginning.  The first reply of an agent in a contact they opened themselves
is their opening word, never an answer.  What bots say is not even kept.  Messages of outreach are on another
topic and are in no contact.
"""

from bisect import insort
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from services.contracts.contacts import ContactOpened
from services.metrics.figures.memory import EventId


class TurnKind(StrEnum):
    """What happened in a contact after its opening."""

    REPLIED_BY_AGENT = "replied_by_agent"
    REPLIED_BY_CUSTOMER = "replied_by_customer"
    REOPENED = "reopened"
    RESOLVED = "resolved"


TURNS_KEPT: Mapping[TurnKind, int] = {
    TurnKind.REPLIED_BY_AGENT: 32,
    TurnKind.REPLIED_BY_CUSTOMER: 4,
    TurnKind.REOPENED: 32,
    TurnKind.RESOLVED: 32,
}
"""How many of each kind are kept of one contact, the earliest: a long chat must not fill the memory."""


class Turn(NamedTuple):
    """One of these, when it was; told twice it is one."""

    at: datetime
    kind: TurnKind


class Wait(NamedTuple):
    """From when to when a customer waited for a person."""

    begun: datetime
    answered: datetime


class Counted(NamedTuple):
    """A wait, and how much of it lay within the desk's hours."""

    wait: Wait
    in_hours: timedelta


class Resolution(StrEnum):
    """What had become of a customer's contact when its window closed."""

    FIRST_CONTACT = "first_contact"
    REPEATED = "repeated"
    REOPENED = "reopened"
    UNRESOLVED = "unresolved"


class Opening(NamedTuple):
    """When and how a contact began; of several the earliest counts."""

    at: datetime
    event: EventId
    by_customer: bool
    channel: str
    reason: str
    order_id: str | None

    @classmethod
    def of(cls, at: datetime, event: EventId, told: ContactOpened) -> "Opening":
        """Return what an event tells."""
        return cls(at, event, told.is_by_customer, told.channel, told.reason, told.order_id)

    def is_about_the_same_as(self, other: "Opening") -> bool:
        """Whether both have one reason, and one order where both name one."""
        return self.reason == other.reason and (
            self.order_id == other.order_id or None in (self.order_id, other.order_id)
        )


@dataclass(slots=True)
class Conversation:
    """What was told of one contact."""

    opening: Opening | None = None
    turns: list[Turn] = field(default_factory=list)
    """The earliest of each kind, sorted."""
    counted: list[Counted] = field(default_factory=list)
    """The waits that the counts hold now."""
    outcome: Resolution | None = None
    """The outcome that the counts hold now."""
    is_awaited: bool = False
    """Whether the gauge holds it now."""
    handled: list[datetime] = field(default_factory=list)
    """The closings whose handle time was told, so that none is counted twice."""
    unhandled: list[int] = field(default_factory=list)
    """Handle times in seconds that wait for the channel, which the opening tells."""
    last_heard: datetime | None = None
    """When there was news of it: what it is forgotten by."""

    def open(self, opening: Opening) -> None:
        """Take in an opening."""
        if self.opening is None or opening[:2] < self.opening[:2]:
            self.opening = opening

    def turn(self, turn: Turn) -> None:
        """Take in a turn."""
        if turn in self.turns:
            return
        insort(self.turns, turn)
        same = [known for known in self.turns if known.kind is turn.kind]
        for beyond in same[TURNS_KEPT[turn.kind] :]:
            self.turns.remove(beyond)

    def handle(self, closed_at: datetime, seconds: int) -> None:
        """Take in what agents spent on it up to a closing; of one closing once."""
        if closed_at not in self.handled and len(self.handled) < TURNS_KEPT[TurnKind.RESOLVED]:
            self.handled.append(closed_at)
            self.unhandled.append(seconds)

    @property
    def asked_at(self) -> datetime | None:
        """When the customer opened it; None: an agent did, or nobody told."""
        opening = self.opening
        return opening.at if opening is not None and opening.by_customer else None

    def waits(self, until: datetime) -> list[Wait]:
        """Return each wait that was answered up to this instant, the earliest first."""
        begins, replies = self._begins(), self._answers()
        found = []
        for begun, following in zip(begins, [*begins, None][1:], strict=True):
            answered = next((at for at in replies if at > begun), None)
            is_own = following is None or (answered is not None and answered <= following)
            if answered is not None and is_own and answered <= until:
                found.append(Wait(begun, answered))
        return found

    @property
    def awaits_reply(self) -> bool:
        """Whether the customer waits for the first reply since they last began, and it is not closed."""
        begins = self._begins()
        if not begins:
            return False
        ends = [*self._answers(), *self._at(TurnKind.RESOLVED)]
        return all(end <= begins[-1] for end in ends)

    @property
    def is_closed(self) -> bool:
        """Whether it was closed, and not reopened since."""
        closings, begins = list(self._at(TurnKind.RESOLVED)), self._begins()
        return bool(closings) and (not begins or closings[-1] >= begins[-1])

    def resolution(self, window: timedelta, others: Iterable["Conversation"]) -> Resolution | None:
        """Return what had become of it when its window closed; None: the customer did not open it.

        Args:
            window: How long a contact about the same is a repeat, on either side.
            others: The customer's other contacts.
        """
        opening, asked_at = self.opening, self.asked_at
        if opening is None or asked_at is None:
            return None
        if any(is_repeat(opening, other.opening, window) for other in others):
            return Resolution.REPEATED
        closes = asked_at + window
        if any(asked_at < at <= closes for at in self._at(TurnKind.REOPENED)):
            return Resolution.REOPENED
        if any(asked_at <= at <= closes for at in self._at(TurnKind.RESOLVED)):
            return Resolution.FIRST_CONTACT
        return Resolution.UNRESOLVED

    def _at(self, *kinds: TurnKind) -> Iterator[datetime]:
        return (turn.at for turn in self.turns if turn.kind in kinds)

    def _begins(self) -> list[datetime]:
        """Return when the customer began to wait, sorted."""
        begins = list(self._at(TurnKind.REOPENED))
        opening = self.opening
        if opening is not None:
            words = self._at(TurnKind.REPLIED_BY_CUSTOMER)
            first = (
                opening.at
                if opening.by_customer
                else next((at for at in words if at >= opening.at), None)
            )
            begins += [] if first is None else [first]
        return sorted(begins)

    def _answers(self) -> list[datetime]:
        """Return when an agent replied, sorted, without the words with which one opened it."""
        replies = list(self._at(TurnKind.REPLIED_BY_AGENT))
        is_by_agent = self.opening is not None and not self.opening.by_customer
        return replies[1:] if is_by_agent else replies


def is_repeat(one: Opening, other: Opening | None, window: timedelta) -> bool:
    """Return whether the customer opened the other about the same, before this one or after it."""
    return (
        other is not None
        and other.by_customer
        and abs(other.at - one.at) <= window
        and other.is_about_the_same_as(one)
    )
