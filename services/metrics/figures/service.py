"""The desk: how soon it answers, what becomes of contacts, and what they take.

Each figure is defined in docs/kpis.md; `conversation.py` says what follows from one contact.  A wait is
counted once everything said up to its answer has been read, an outcome once its window is over; what becomes
known later is withdrawn and counted anew, so that no counter ever falls.

A contact is known by its customer and its id.  One that was closed is forgotten some weeks after the last
news of it, one that was not after some months.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Any, ClassVar, NamedTuple

from services.contracts import service_metrics
from services.contracts.contacts import (
    ContactOpened,
    ContactReopened,
    ContactReplied,
    ContactResolved,
    OpenedBy,
    ReplyBy,
)
from services.contracts.envelope import Event, Fact
from services.contracts.metric import Metric
from services.metrics.figures.business_hours import BusinessHours
from services.metrics.figures.conversation import (
    Conversation,
    Counted,
    Opening,
    Resolution,
    Turn,
    TurnKind,
    is_repeat,
)
from services.metrics.figures.measures import (
    Distributions,
    Measured,
    RevisedTally,
    Tally,
    labels_of,
)
from services.metrics.figures.memory import Ageing, EventId, heard_at

CALENDAR, BUSINESS = "calendar", "business"

SLACK = timedelta(days=14)
"""How long after its window an outcome may still be judged anew; then it stands."""
OPEN_KEPT = timedelta(days=90)
"""How long one is kept that nobody closed and nobody hears of."""


@dataclass(frozen=True, slots=True)
class ServiceRules:
    """By what a deployment measures its desk."""

    hours: BusinessHours = field(default_factory=BusinessHours)
    repeat_window: timedelta = timedelta(days=7)
    """How long after a contact another about the same, or its reopening, shows that it solved nothing."""

    @property
    def kept(self) -> timedelta:
        """How long a closed contact is kept: until no other's outcome rests on it any more."""
        return 2 * self.repeat_window + SLACK


class Place(NamedTuple):
    """Where a contact is found."""

    customer: str
    contact: str


@dataclass(slots=True)
class Service:
    """The contacts of late, and the counts that follow."""

    READS: ClassVar[frozenset[type[Fact]]] = frozenset(
        {
            ContactOpened,
            ContactReplied,
            ContactReopened,
            ContactResolved,
        }
    )

    rules: ServiceRules = field(default_factory=ServiceRules)
    inbound: Tally = field(default_factory=Tally)
    response: Distributions = field(default_factory=Distributions)
    response_withdrawn: Distributions = field(default_factory=Distributions)
    awaiting: Tally = field(default_factory=Tally)
    matured: RevisedTally = field(default_factory=RevisedTally)
    handled: Distributions = field(default_factory=Distributions)
    contacts: dict[str, dict[str, Conversation]] = field(default_factory=dict)
    """Customer → contact → what was told of it."""
    waiting: set[Place] = field(default_factory=set)
    """Those with turns that nobody may count yet."""
    maturing: list[tuple[datetime, Place]] = field(default_factory=list)
    """A heap: when windows close."""
    ageing: Ageing = field(default_factory=Ageing)
    settled_until: datetime | None = None

    def fold(self, partition: int, event: Event[Any]) -> None:
        """Take in what happened in a contact; see `Figures`."""
        del partition
        told = event.data
        match told:
            case ContactOpened():
                self._opened(event, told)
            case ContactReplied(by=ReplyBy.AGENT):
                self._turned(event, TurnKind.REPLIED_BY_AGENT)
            case ContactReplied(by=ReplyBy.CUSTOMER):
                self._turned(event, TurnKind.REPLIED_BY_CUSTOMER)
            case ContactReopened():
                self._turned(event, TurnKind.REOPENED)
            case ContactResolved():
                if told.handle_seconds is not None:
                    self._of(event).handle(event.time, told.handle_seconds)
                self._turned(event, TurnKind.RESOLVED)

    def settle(self, until: datetime) -> None:
        """Count the answers up to this instant, and the outcomes of windows that closed by then."""
        self.settled_until = until
        for place in list(self.waiting):
            self._revise(place)
        while self.maturing and self.maturing[0][0] <= until:
            _, place = heappop(self.maturing)
            self._judge(place)
        self._forget(until)

    def measured(self) -> Iterator[Measured]:
        """Return contacts, first responses, outcomes and handle times."""
        yield service_metrics.INBOUND_CONTACTS, self.inbound
        yield service_metrics.FIRST_RESPONSE, self.response
        yield service_metrics.FIRST_RESPONSE_WITHDRAWN, self.response_withdrawn
        yield service_metrics.AWAITING_FIRST_RESPONSE, self.awaiting
        yield service_metrics.CONTACTS_MATURED, self.matured.counted
        yield service_metrics.CONTACTS_MATURED_WITHDRAWN, self.matured.withdrawn
        yield service_metrics.HANDLE_TIME, self.handled

    # What is told

    def _opened(self, event: Event[Any], told: ContactOpened) -> None:
        place, conversation = _place(event), self._of(event)
        if conversation.opening is None:
            by = OpenedBy.CUSTOMER if told.is_by_customer else OpenedBy.AGENT
            self.inbound.add((told.channel, told.reason, by))
        before = conversation.opening
        conversation.open(Opening.of(event.time, EventId(event.source, event.id), told))
        if conversation.opening != before:
            heappush(self.maturing, (event.time + self.rules.repeat_window, place))
            self._judge_others(place, before)
        self._revise(place)

    def _turned(self, event: Event[Any], kind: TurnKind) -> None:
        self._of(event).turn(Turn(event.time, kind))
        self._revise(_place(event))

    def _of(self, event: Event[Any]) -> Conversation:
        place = _place(event)
        known = self.contacts.setdefault(place.customer, {})
        conversation = known.setdefault(place.contact, Conversation())
        heard = heard_at(event.time, self.settled_until)
        if conversation.last_heard is None or heard > conversation.last_heard:
            conversation.last_heard = heard
            self.ageing.hear(place, heard)
        return conversation

    # What follows

    def _revise(self, place: Place) -> None:
        """Bring every count in line with what is now known of this contact."""
        conversation = self.contacts[place.customer][place.contact]
        self._count_waits(conversation)
        self._count_handled(conversation)
        if conversation.is_awaited != conversation.awaits_reply:
            conversation.is_awaited = not conversation.is_awaited
            self.awaiting.add((), 1 if conversation.is_awaited else -1)
        self._judge(place)
        until = self.settled_until
        if any(until is None or turn.at > until for turn in conversation.turns):
            self.waiting.add(place)
        else:
            self.waiting.discard(place)

    def _count_waits(self, conversation: Conversation) -> None:
        until = self.settled_until
        waits = [] if until is None else conversation.waits(until)
        for gone in [known for known in conversation.counted if known.wait not in waits]:
            _add(self.response_withdrawn, service_metrics.FIRST_RESPONSE_WITHDRAWN, gone)
            conversation.counted.remove(gone)
        known_waits = {known.wait for known in conversation.counted}
        for wait in [wait for wait in waits if wait not in known_waits]:
            new = Counted(wait, self.rules.hours.within(*wait))
            _add(self.response, service_metrics.FIRST_RESPONSE, new)
            conversation.counted.append(new)

    def _count_handled(self, conversation: Conversation) -> None:
        if conversation.opening is not None:
            for seconds in conversation.unhandled:
                labels = (conversation.opening.channel,)
                self.handled.add(service_metrics.HANDLE_TIME, labels, timedelta(seconds=seconds))
            conversation.unhandled.clear()

    def _judge_others(self, place: Place, before: Opening | None) -> None:
        """Judge those anew of which this contact is, or was, a repeat."""
        known, window = self.contacts[place.customer], self.rules.repeat_window
        openings = [each for each in (before, known[place.contact].opening) if each is not None]
        for contact, other in known.items():
            if any(is_repeat(opening, other.opening, window) for opening in openings):
                self._judge(Place(place.customer, contact))

    def _judge(self, place: Place) -> None:
        """Count what had become of a contact, or count it anew."""
        conversation = self.contacts.get(place.customer, {}).get(place.contact)
        if conversation is None:
            return
        outcome = self._outcome(place, conversation)
        self.matured.revise(labels_of(conversation.outcome), labels_of(outcome))
        conversation.outcome = outcome

    def _outcome(self, place: Place, conversation: Conversation) -> Resolution | None:
        window, asked_at = self.rules.repeat_window, conversation.asked_at
        if self.settled_until is None or asked_at is None:
            return None
        if asked_at + window > self.settled_until:
            return None
        is_final = asked_at + window + SLACK < self.settled_until
        if is_final and conversation.outcome is not None:
            return conversation.outcome
        known = self.contacts[place.customer]
        others = (other for contact, other in known.items() if contact != place.contact)
        return conversation.resolution(window, others)

    def _forget(self, until: datetime) -> None:
        """Forget what nothing changes any more; what nobody closed is kept for longer."""
        kept = self.rules.kept
        for name in list(self.ageing.due(until - kept)):
            place = Place(*name)
            conversation = self.contacts.get(place.customer, {}).get(place.contact)
            if conversation is None or conversation.last_heard is None:
                continue
            goes_at = conversation.last_heard + (kept if conversation.is_closed else OPEN_KEPT)
            if goes_at > until:
                self.ageing.hear(place, goes_at - kept)
            else:
                self._drop(place, conversation)

    def _drop(self, place: Place, conversation: Conversation) -> None:
        if conversation.is_awaited:
            self.awaiting.add((), -1)
        self.waiting.discard(place)
        del self.contacts[place.customer][place.contact]
        if not self.contacts[place.customer]:
            del self.contacts[place.customer]


def _place(event: Event[Any]) -> Place:
    return Place(event.customer_id, event.data.contact_id)


def _add(distributions: Distributions, metric: Metric, counted: Counted) -> None:
    distributions.add(metric, (CALENDAR,), counted.wait.answered - counted.wait.begun)
    distributions.add(metric, (BUSINESS,), counted.in_hours)
