"""Save attempts: who seemed about to leave, what we did, and whether they bought again.

*Churn intent*: a problem of the kind `lapse_risk` opened.  *Saved*: a purchase within the window after the
opening; else *lost*.  Counted once the window has closed.

*Arm*, by what became of it within the window: a message that left is `treated`, whoever was to get one and
was held out is `held_out`, everybody else `untold`: suppressed, in shadow, failed, given to a person of
ours.  These arms are no experiment: who is suppressed is another kind of customer, and who buys at once is
never told.  What care adds is the trials' to say.

Somebody erased before the window closed is not counted.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.contracts import customer_metrics as names
from services.contracts.envelope import Event
from services.contracts.outreach import Mode, Outcome, OutreachDecided, OutreachSent
from services.contracts.problems import ProblemKind, ProblemOpened
from services.metrics.figures.agenda import SLACK, Agenda, hour_of
from services.metrics.figures.measures import Labels, Measured, RevisedTally, earlier
from services.metrics.figures.purchasing import Purchases

SAVE_WINDOW = timedelta(days=30)
TREATED, HELD_OUT, UNTOLD = ARMS = ("treated", "held_out", "untold")
SAVED, LOST = OUTCOMES = ("saved", "lost")


@dataclass(slots=True)
class Attempt:
    """What matters of one problem, should it be a risk of a lapse."""

    opened_at: datetime | None = None
    """None: its opening was not read, or it is a problem of another kind."""
    sent_at: datetime | None = None
    held_out_at: datetime | None = None
    counted: Labels | None = None
    """What the counts hold of it now."""

    def begin(self) -> datetime:
        """Return the instant from which its window runs, as far as is known."""
        known = (self.sent_at, self.held_out_at)
        return self.opened_at or min(at for at in known if at is not None)

    def arm(self, by: datetime) -> str:
        """Return what had been done by this instant."""
        if self.sent_at is not None and self.sent_at <= by:
            return TREATED
        if self.held_out_at is not None and self.held_out_at <= by:
            return HELD_OUT
        return UNTOLD

    def join(self, other: "Attempt") -> None:
        """Take over what is known of the same problem under another id of the customer."""
        for name in ("opened_at", "sent_at", "held_out_at"):
            told = getattr(other, name)
            if told is not None:
                setattr(self, name, earlier(getattr(self, name), told))


@dataclass(slots=True)
class Saves:
    """Person → problem → attempt, until nothing told late can change it."""

    window: timedelta = SAVE_WINDOW
    told: RevisedTally = field(default_factory=RevisedTally)
    attempts: dict[int, dict[UUID, Attempt]] = field(default_factory=dict)
    due: Agenda[tuple[int, UUID]] = field(default_factory=Agenda)

    def fold(self, person: int, event: Event[Any], purchases: Purchases, over: int) -> None:
        """Take in an opening, a decision or a message about this person."""
        match event.data:
            case ProblemOpened(kind=ProblemKind.LAPSE_RISK) as told:
                fact = Attempt(opened_at=event.time)
            case OutreachDecided(outcome=Outcome.HELD_OUT) as told if told.mode is not Mode.SHADOW:
                fact = Attempt(held_out_at=event.time)
            case OutreachSent(is_to_customer=True) as told:
                fact = Attempt(sent_at=event.time)
            case _:
                return
        if hour_of(event.time + self.window + SLACK) >= over:
            self._join(person, told.problem_id, fact, purchases, over)

    def is_lapse(self, person: int, problem_id: UUID) -> bool:
        """Return whether this problem is known as the risk of a lapse."""
        attempt = self.attempts.get(person, {}).get(problem_id)
        return attempt is not None and attempt.opened_at is not None

    def look_again(self, person: int, purchases: Purchases, over: int) -> None:
        """Judge this person's attempts anew: something was told of their purchases."""
        for attempt in self.attempts.get(person, {}).values():
            self._judge(person, attempt, purchases, over)

    def settle(self, purchases: Purchases, over: int) -> None:
        """Judge what has closed, and forget what can no longer change."""
        for told_of, problem_id in self.due.take(over):
            person = purchases.people.who(told_of)
            attempt = self.attempts.get(person, {}).get(problem_id)
            if attempt is None:
                continue
            self._judge(person, attempt, purchases, over)
            if hour_of(attempt.begin() + self.window + SLACK) < over:
                self._drop(person, problem_id)

    def merge(self, goes: int, stays: int) -> None:
        """Keep under the second number what is known under the first; `look_again` follows."""
        for problem_id, attempt in self.attempts.pop(goes, {}).items():
            known = self.attempts.setdefault(stays, {}).setdefault(problem_id, attempt)
            if known is not attempt:
                self.told.revise(attempt.counted, None)
                known.join(attempt)

    def forget(self, person: int, until: int) -> None:
        """Forget what began up to this second; what was counted of it stays counted."""
        for problem_id, attempt in list(self.attempts.get(person, {}).items()):
            if attempt.begin() < datetime.fromtimestamp(until + 1, UTC):
                self._drop(person, problem_id)

    def measured(self) -> Iterator[Measured]:
        """Return the attempts."""
        yield names.SAVE_ATTEMPTS, self.told.counted
        yield names.SAVE_ATTEMPTS_WITHDRAWN, self.told.withdrawn

    def _join(
        self, person: int, problem_id: UUID, fact: Attempt, purchases: Purchases, over: int
    ) -> None:
        attempt = self.attempts.setdefault(person, {}).setdefault(problem_id, Attempt())
        attempt.join(fact)
        closing = attempt.begin() + self.window
        for hour in (hour_of(closing), hour_of(closing + SLACK)):
            if hour >= over:
                self.due.add(hour, (person, problem_id))
        self._judge(person, attempt, purchases, over)

    def _judge(self, person: int, attempt: Attempt, purchases: Purchases, over: int) -> None:
        now = self._labels(person, attempt, purchases, over)
        self.told.revise(attempt.counted, now)
        attempt.counted = now

    def _labels(
        self, person: int, attempt: Attempt, purchases: Purchases, over: int
    ) -> Labels | None:
        opened_at = attempt.opened_at
        if opened_at is None or hour_of(opened_at + self.window) >= over:
            return None
        by = opened_at + self.window
        if purchases.was_erased(person, opened_at, by):
            return None
        outcome = SAVED if purchases.bought(person, opened_at, by) else LOST
        return attempt.arm(by), outcome

    def _drop(self, person: int, problem_id: UUID) -> None:
        of = self.attempts[person]
        del of[problem_id]
        if not of:
            del self.attempts[person]
