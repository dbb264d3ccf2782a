"""Trials: customers as the holdout drew them, and what became of them.

*Unit*: a customer and a playbook, once, with the first decision in which a message was to leave: `contact`
(arm `treated`) or `held_out`.  By intention to treat: what became of the message does not matter.  Left out
is what draws no lot: decisions in shadow, messages of the class `safety`, and what is given to a person of
ours.

*Outcome*, once the window after that decision has closed: `complained` if the customer complained within
it (see `complaints.py`) about the problem's order, or, where the problem is about none, about anything; else
`quiet`.  Of a risk of a lapse `bought` or `not_bought`, within the window of `saves.py`.

Somebody erased before the window closed is not counted.  A merged customer is one, with the first decision
about either id.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from services.contracts import customer_metrics as names
from services.contracts.contacts import ContactOpened, SurveyAnswered, SurveyKind
from services.contracts.envelope import Event
from services.contracts.outreach import Mode, Outcome, OutreachDecided
from services.contracts.people import Channel, MessageClass
from services.contracts.problems import ProblemKind, ProblemOpened
from services.contracts.topics import HORIZON
from services.metrics.figures.agenda import HOUR_SECONDS, SLACK, Agenda, hour_of
from services.metrics.figures.complaints import Answer
from services.metrics.figures.measures import Labels, Measured, RevisedTally
from services.metrics.figures.memory import EventId
from services.metrics.figures.purchasing import Purchases
from services.metrics.figures.saves import HELD_OUT, SAVE_WINDOW, TREATED, Saves

TRIAL_WINDOW = timedelta(days=14)
ARMS = (TREATED, HELD_OUT)
COMPLAINED, QUIET = COMPLAINT_OUTCOMES = ("complained", "quiet")
BOUGHT, NOT_BOUGHT = LAPSE_OUTCOMES = ("bought", "not_bought")

_ARM_OF = {Outcome.CONTACT: TREATED, Outcome.HELD_OUT: HELD_OUT}


class Drawn(NamedTuple):
    """The decision by which a customer came into a trial; of several the first."""

    at: datetime
    event: EventId
    arm: str
    problem_id: UUID
    order_id: str | None


@dataclass(slots=True)
class Trial:
    """One customer in one playbook's trial."""

    drawn: Drawn
    is_lapse: bool = False
    counted: Labels | None = None
    """What the counts hold of it now."""


@dataclass(slots=True)
class Voice:
    """What one customer complained about, and answered, as long as it may matter."""

    contacts: set[tuple[datetime, str | None]] = field(default_factory=set)
    answers: dict[str, tuple[Answer, str | None]] = field(default_factory=dict)
    """Survey → its first answer, and the order it is about."""

    def complained(self, after: datetime, by: datetime, order_id: str | None) -> bool:
        """Return whether there was a complaint about this order in this time; None: about anything."""
        poor = {(answer.at, order) for answer, order in self.answers.values() if answer.is_poor}
        return any(
            after < at <= by and order_id in (None, order) for at, order in self.contacts | poor
        )

    def answered(self, survey_id: str, told: tuple[Answer, str | None]) -> None:
        """Take in an answer; the first to a survey counts."""
        known = self.answers.get(survey_id, told)
        self.answers[survey_id] = min(known, told, key=lambda each: each[0])

    def join(self, other: "Voice") -> None:
        """Take over what the same customer said under another id."""
        self.contacts |= other.contacts
        for survey_id, told in other.answers.items():
            self.answered(survey_id, told)

    def forget(self, before: datetime) -> None:
        """Forget what is older."""
        self.contacts = {told for told in self.contacts if told[0] >= before}
        kept = {survey: told for survey, told in self.answers.items() if told[0].at >= before}
        self.answers = kept


@dataclass(slots=True)
class Trials:
    """Person → playbook → trial, until nothing told late can change it; then only that there was one."""

    window: timedelta = TRIAL_WINDOW
    lapse_window: timedelta = SAVE_WINDOW
    told: RevisedTally = field(default_factory=RevisedTally)
    trials: dict[int, dict[str, Trial]] = field(default_factory=dict)
    ended: dict[int, dict[str, int]] = field(default_factory=dict)
    """Person → playbook in whose trial they were → the hour up to which that is remembered."""
    voices: dict[int, Voice] = field(default_factory=dict)
    due: Agenda[tuple[int, str]] = field(default_factory=Agenda)
    fading: Agenda[int] = field(default_factory=Agenda)
    """When something somebody said can matter no more."""

    def fold(
        self, person: int, event: Event[Any], beside: Purchases, saves: Saves, over: int
    ) -> None:
        """Take in a decision, a complaint, or the opening of a risk of a lapse."""
        if hour_of(event.time + self._kept()) < over:
            return
        match event.data:
            case OutreachDecided() as decision if _draws(decision):
                is_lapse = saves.is_lapse(person, decision.problem_id)
                self._draw(
                    person, decision.playbook, Trial(_drawn(decision, event), is_lapse), over
                )
            case ContactOpened(is_complaint=True) as contact:
                self._voice(person, event.time).contacts.add((event.time, contact.order_id))
            case SurveyAnswered(kind=SurveyKind.CSAT) as survey:
                answer = Answer(event.time, EventId(event.source, event.id), survey.is_poor)
                told = (answer, survey.order_id)
                self._voice(person, event.time).answered(survey.survey_id, told)
            case ProblemOpened(kind=ProblemKind.LAPSE_RISK) as problem:
                for trial in self.trials.get(person, {}).values():
                    trial.is_lapse |= trial.drawn.problem_id == problem.problem_id
            case _:
                return
        self.look_again(person, beside, over)

    def look_again(self, person: int, beside: Purchases, over: int) -> None:
        """Judge this person's trials anew."""
        for playbook, trial in self.trials.get(person, {}).items():
            self._judge(person, playbook, trial, beside, over)

    def settle(self, beside: Purchases, over: int) -> None:
        """Judge what has closed, and forget what can no longer change."""
        for told_of, playbook in self.due.take(over):
            person = beside.people.who(told_of)
            trial = self.trials.get(person, {}).get(playbook)
            if trial is not None:
                self._judge(person, playbook, trial, beside, over)
                self._end(person, playbook, trial, over)
            else:
                self._forget_ended(person, playbook, over)
        kept_from = datetime.fromtimestamp(over * HOUR_SECONDS, UTC) - self._kept()
        for told_of in self.fading.take(over):
            self._fade(beside.people.who(told_of), kept_from)

    def merge(self, goes: int, stays: int) -> None:
        """Keep under the second number what is known under the first; `look_again` follows."""
        if goes in self.voices:
            self.voices.setdefault(stays, Voice()).join(self.voices.pop(goes))
        for playbook, hour in self.ended.pop(goes, {}).items():
            known = self.ended.setdefault(stays, {})
            known[playbook] = max(known.get(playbook, hour), hour)
        of_both = [self.trials.pop(each, {}) for each in (goes, stays)]
        for playbook, trial in (pair for each in of_both for pair in each.items()):
            self._join(stays, playbook, trial)

    def forget(self, person: int, until: int) -> None:
        """Forget what began up to this second; what was counted of it stays counted."""
        after = datetime.fromtimestamp(until + 1, UTC)
        self._fade(person, after)
        self.ended.pop(person, None)
        kept = {
            playbook: trial
            for playbook, trial in self.trials.pop(person, {}).items()
            if trial.drawn.at >= after
        }
        if kept:
            self.trials[person] = kept

    def measured(self) -> Iterator[Measured]:
        """Return the trials that are over."""
        yield names.TRIAL_CUSTOMERS, self.told.counted
        yield names.TRIAL_CUSTOMERS_WITHDRAWN, self.told.withdrawn

    def _kept(self) -> timedelta:
        """Return for how long what is told may change what is counted."""
        return max(self.window, self.lapse_window) + SLACK

    def _draw(self, person: int, playbook: str, trial: Trial, over: int) -> None:
        self._join(person, playbook, trial)
        closings = [trial.drawn.at + window for window in (self.window, self.lapse_window)]
        for at in (*closings, trial.drawn.at + self._kept()):
            if hour_of(at) >= over:
                self.due.add(hour_of(at), (person, playbook))

    def _join(self, person: int, playbook: str, trial: Trial) -> None:
        """Keep the trial with the first decision; one that is over was drawn before any other."""
        if playbook in self.ended.get(person, {}):
            self.told.revise(trial.counted, None)
            return
        known = self.trials.setdefault(person, {}).setdefault(playbook, trial)
        first = min(known, trial, key=_drawn_at)
        if known is not trial:
            other = trial if first is known else known
            if first.counted is not None:
                self.told.revise(other.counted, None)
            else:
                first.counted = other.counted
        self.trials[person][playbook] = first

    def _voice(self, person: int, at: datetime) -> Voice:
        self.fading.add(hour_of(at + self._kept()), person)
        return self.voices.setdefault(person, Voice())

    def _judge(
        self, person: int, playbook: str, trial: Trial, beside: Purchases, over: int
    ) -> None:
        outcome = self._outcome(person, trial, beside, over)
        now = None if outcome is None else (playbook, trial.drawn.arm, outcome)
        self.told.revise(trial.counted, now)
        trial.counted = now

    def _outcome(self, person: int, trial: Trial, beside: Purchases, over: int) -> str | None:
        after = trial.drawn.at
        by = after + (self.lapse_window if trial.is_lapse else self.window)
        if hour_of(by) >= over or beside.was_erased(person, after, by):
            return None
        if trial.is_lapse:
            return BOUGHT if beside.bought(person, after, by) else NOT_BOUGHT
        voice = self.voices.get(person, Voice())
        return COMPLAINED if voice.complained(after, by, trial.drawn.order_id) else QUIET

    def _end(self, person: int, playbook: str, trial: Trial, over: int) -> None:
        """Keep no more of a trial than that there was one, once nothing can change it."""
        if hour_of(trial.drawn.at + self._kept()) >= over:
            return
        del self.trials[person][playbook]
        if not self.trials[person]:
            del self.trials[person]
        if hour_of(trial.drawn.at + HORIZON) >= over:
            until = hour_of(trial.drawn.at + HORIZON)
            self.ended.setdefault(person, {})[playbook] = until
            self.due.add(until, (person, playbook))

    def _forget_ended(self, person: int, playbook: str, over: int) -> None:
        ended = self.ended.get(person, {})
        if playbook in ended and ended[playbook] < over:
            del ended[playbook]
            if not ended:
                del self.ended[person]

    def _fade(self, person: int, before: datetime) -> None:
        voice = self.voices.get(person)
        if voice is not None:
            voice.forget(before)
            if not voice.contacts and not voice.answers:
                del self.voices[person]


def _drawn_at(trial: Trial) -> tuple[datetime, EventId]:
    return trial.drawn.at, trial.drawn.event


def _draws(decision: OutreachDecided) -> bool:
    """Return whether this decision says in which arm the customer is."""
    return (
        decision.outcome in _ARM_OF
        and decision.mode is not Mode.SHADOW
        and decision.message_class is not MessageClass.SAFETY
        and decision.channel is not Channel.HUMAN
    )


def _drawn(decision: OutreachDecided, event: Event[Any]) -> Drawn:
    identity = EventId(event.source, event.id)
    arm = _ARM_OF[decision.outcome]
    return Drawn(event.time, identity, arm, decision.problem_id, decision.order_id)
