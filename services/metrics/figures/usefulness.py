"""Were our messages any use?

*Useful*: the problem was real, and the customer had not written about it before us.  *Noise*: the problem
was retracted, or the customer had written already: opened a contact about the problem's order after the
problem's deadline, from which on it could be known, and no later than our message.

A message is judged once its problem has ended, or 14 days after it left; what is told later moves it.  Left
out is what tells of an end (thanks, corrections): it left when the problem was over; and what is given to a
person of ours.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from services.contracts import customer_metrics as names
from services.contracts.contacts import ContactOpened
from services.contracts.envelope import Event, Fact
from services.contracts.outreach import OutreachSent
from services.contracts.problems import Clearing, ProblemCleared, ProblemOpened
from services.metrics.figures.agenda import SLACK, Agenda, hour_of, hours_over
from services.metrics.figures.measures import Labels, Measured, RevisedTally, earlier, labels_of

JUDGED_AFTER = timedelta(days=14)


USEFUL, NOISE = WORTHS = ("useful", "noise")


class Ending(NamedTuple):
    """When a problem ended, and how; of several the earliest."""

    at: datetime
    clearing: Clearing


@dataclass(slots=True)
class Course:
    """What matters of one problem, and the messages about it."""

    deadline: datetime | None = None
    """Of its opening."""
    ending: Ending | None = None
    steps: set[UUID] = field(default_factory=set)


@dataclass(slots=True)
class Message:
    """One message that left."""

    at: datetime
    since: datetime
    """From when on the customer may have known, should the opening be unread: when it was, it says."""
    problem_id: UUID
    order_id: str | None
    counted: Labels | None = None
    """What the counts hold of it now."""


@dataclass(slots=True)
class Written:
    """When customers wrote about one order, and which messages were about it."""

    contacts: set[datetime] = field(default_factory=set)
    steps: set[UUID] = field(default_factory=set)


@dataclass(slots=True)
class Usefulness:
    """Messages, and what they are judged by, until nothing told late can change it."""

    READS: ClassVar[frozenset[type[Fact]]] = frozenset(
        {
            OutreachSent,
            ProblemOpened,
            ProblemCleared,
            ContactOpened,
        }
    )

    told: RevisedTally = field(default_factory=RevisedTally)
    messages: dict[UUID, Message] = field(default_factory=dict)
    courses: dict[UUID, Course] = field(default_factory=dict)
    orders: dict[str, Written] = field(default_factory=dict)
    due: Agenda[UUID] = field(default_factory=Agenda)
    """Messages to be looked at."""
    fading_courses: Agenda[UUID] = field(default_factory=Agenda)
    fading_orders: Agenda[str] = field(default_factory=Agenda)
    over: int = 0
    """The hours below this one are over and judged."""

    def fold(self, partition: int, event: Event[Any]) -> None:
        """Take in a message, what became of a problem, or a contact; see `Figures`."""
        del partition
        if self._has_faded(event.time):
            return
        match event.data:
            case OutreachSent(is_to_customer=True) as sent:
                self._sent(sent, event.time)
            case ProblemOpened() as told:
                course = self.courses.setdefault(told.problem_id, Course())
                course.deadline = earlier(course.deadline, told.deadline)
                self._judge(course.steps)
            case ProblemCleared() as told:
                course = self.courses.setdefault(told.problem_id, Course())
                ending = Ending(event.time, told.clearing)
                course.ending = min(course.ending or ending, ending)
                self.fading_courses.add(hour_of(event.time + JUDGED_AFTER + SLACK), told.problem_id)
                self._look_after(course)
                self._judge(course.steps)
            case ContactOpened(order_id=str(order_id), is_by_customer=True):
                written = self._order(order_id, event.time)
                written.contacts.add(event.time)
                self._judge(written.steps)

    def settle(self, until: datetime) -> None:
        """Judge the hours that are over, and forget what can no longer change."""
        over = hours_over(until)
        if over <= self.over:
            return
        self.over = over
        for step_id in self.due.take(over):
            self._judge({step_id} & self.messages.keys())
            self._forget_message(step_id)
        for problem_id in self.fading_courses.take(over):
            self._forget_course(problem_id)
        for order_id in self.fading_orders.take(over):
            self._forget_contacts(order_id)

    def measured(self) -> Iterator[Measured]:
        """Return messages by worth."""
        yield names.PROACTIVE_CONTACTS, self.told.counted
        yield names.PROACTIVE_CONTACTS_WITHDRAWN, self.told.withdrawn

    def _sent(self, sent: OutreachSent, at: datetime) -> None:
        since = sent.problem_opened_at or at
        message = self.messages.setdefault(
            sent.step_id, Message(at, since, sent.problem_id, sent.order_id)
        )
        message.at = min(message.at, at)
        course = self.courses.setdefault(sent.problem_id, Course())
        course.steps.add(sent.step_id)
        if sent.order_id is not None:
            self._order(sent.order_id, at).steps.add(sent.step_id)
        for look in (at + JUDGED_AFTER, at + JUDGED_AFTER + SLACK):
            self.due.add(hour_of(look), sent.step_id)
        self._look_after(course)
        self._judge({sent.step_id})

    def _look_after(self, course: Course) -> None:
        """Ask to look at the messages about a problem that ends in an hour that is not over."""
        if course.ending is not None and hour_of(course.ending.at) >= self.over:
            for step_id in sorted(course.steps):
                self.due.add(hour_of(course.ending.at), step_id)

    def _order(self, order_id: str, at: datetime) -> Written:
        self.fading_orders.add(hour_of(at + JUDGED_AFTER + SLACK), order_id)
        return self.orders.setdefault(order_id, Written())

    def _judge(self, steps: Iterable[UUID]) -> None:
        for step_id in steps:
            message = self.messages[step_id]
            worth = self._worth(message)
            now = labels_of(worth)
            self.told.revise(message.counted, now)
            message.counted = now

    def _worth(self, message: Message) -> str | None:
        course = self.courses[message.problem_id]
        ending = course.ending
        if ending is not None and ending.at <= message.at:
            return None
        has_ended = ending is not None and hour_of(ending.at) < self.over
        if not has_ended and hour_of(message.at + JUDGED_AFTER) >= self.over:
            return None
        was_void = has_ended and ending is not None and ending.clearing is Clearing.RETRACTED
        return NOISE if was_void or self._was_known(message, course) else USEFUL

    def _was_known(self, message: Message, course: Course) -> bool:
        """Return whether the customer wrote before us, since there was something to write about."""
        if message.order_id is None:
            return False
        since = course.deadline or message.since
        contacts = self.orders[message.order_id].contacts
        return any(since < at <= message.at for at in contacts)

    def _forget_message(self, step_id: UUID) -> None:
        message = self.messages.get(step_id)
        if message is None or not self._has_faded(message.at):
            return
        del self.messages[step_id]
        self.courses[message.problem_id].steps.discard(step_id)
        self._forget_course(message.problem_id)
        if message.order_id is not None:
            self.orders[message.order_id].steps.discard(step_id)
            self._forget_contacts(message.order_id)

    def _forget_course(self, problem_id: UUID) -> None:
        """Forget a problem that ended long ago, or of which nothing but messages was known."""
        course = self.courses.get(problem_id)
        if course is None or course.steps:
            return
        is_open = course.ending is None and course.deadline is not None
        if not is_open and (course.ending is None or self._has_faded(course.ending.at)):
            del self.courses[problem_id]

    def _forget_contacts(self, order_id: str) -> None:
        written = self.orders.get(order_id)
        if written is not None and not written.steps:
            written.contacts = {at for at in written.contacts if not self._has_faded(at)}
            if not written.contacts:
                del self.orders[order_id]

    def _has_faded(self, at: datetime) -> bool:
        """Return whether what happened then can no longer change what is counted."""
        return hour_of(at + JUDGED_AFTER + SLACK) < self.over
