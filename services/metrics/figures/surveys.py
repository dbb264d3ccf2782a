"""Surveys sent and answered.

*Proactive* is what outreach itself sent; *reactive* is what any other system sent, about a contact or an
order.  An answer is of the origin of its survey, whoever tells it.  Of several answers to one survey the
earliest counts: an earlier one that is told later withdraws the one counted before.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple

from services.contracts import service_metrics
from services.contracts.contacts import SurveyAnswered, SurveyKind, SurveySent
from services.contracts.envelope import Event, Fact
from services.contracts.outreach import SOURCE
from services.metrics.figures.measures import Measured, RevisedTally, Tally
from services.metrics.figures.memory import Ageing, EventId, Recent, heard_at

KEPT = timedelta(days=45)
"""How long after the last news of a survey the same told again is known."""


class Origin(StrEnum):
    """Whose survey it is."""

    PROACTIVE = "proactive"
    REACTIVE = "reactive"


class Answer(NamedTuple):
    """One answer to a survey; the least counts."""

    at: datetime
    event: EventId
    kind: SurveyKind
    score: int


@dataclass(slots=True)
class Answered:
    """What was told of a survey that has an answer."""

    first: Answer
    is_ours: bool
    """Whether outreach sent it, or took the answer."""
    last_heard: datetime
    counted: tuple[str, ...] | None = None
    """The labels that the counts hold it under now."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Kind, score and origin."""
        origin = Origin.PROACTIVE if self.is_ours else Origin.REACTIVE
        return (self.first.kind, str(self.first.score), origin)


@dataclass(slots=True)
class Surveys:
    """The surveys of late."""

    READS: ClassVar[frozenset[type[Fact]]] = frozenset({SurveySent, SurveyAnswered})

    sent: Tally = field(default_factory=Tally)
    answers: RevisedTally = field(default_factory=RevisedTally)
    known_sent: Recent = field(default_factory=Recent)
    ours: Recent = field(default_factory=Recent)
    """Those of them that outreach sent."""
    answered: dict[str, Answered] = field(default_factory=dict)
    ageing: Ageing = field(default_factory=Ageing)
    settled_until: datetime | None = None

    def fold(self, partition: int, event: Event[Any]) -> None:
        """Take in a survey or an answer; see `Figures`."""
        del partition
        match event.data:
            case SurveySent() as told:
                self._sent(event, told)
            case SurveyAnswered() as told:
                self._answered(event, told)

    def settle(self, until: datetime) -> None:
        """Forget surveys of which nothing is heard any more."""
        self.settled_until = until
        self.known_sent.forget(until - KEPT)
        self.ours.forget(until - KEPT)
        for (survey_id,) in list(self.ageing.due(until - KEPT)):
            known = self.answered.get(survey_id)
            if known is not None and known.last_heard + KEPT <= until:
                del self.answered[survey_id]

    def measured(self) -> Iterator[Measured]:
        """Return surveys sent and answers."""
        yield service_metrics.SURVEYS_SENT, self.sent
        yield service_metrics.SURVEY_ANSWERS, self.answers.counted
        yield service_metrics.SURVEY_ANSWERS_WITHDRAWN, self.answers.withdrawn

    def _sent(self, event: Event[Any], told: SurveySent) -> None:
        heard, is_ours = heard_at(event.time, self.settled_until), event.source == SOURCE
        if self.known_sent.is_new(told.survey_id, heard):
            self.sent.add((told.kind, Origin.PROACTIVE if is_ours else Origin.REACTIVE))
        if is_ours:
            self.ours.is_new(told.survey_id, heard)
            known = self.answered.get(told.survey_id)
            if known is not None:
                known.is_ours = True
                self._count(known)

    def _answered(self, event: Event[Any], told: SurveyAnswered) -> None:
        heard = heard_at(event.time, self.settled_until)
        answer = Answer(event.time, EventId(event.source, event.id), told.kind, told.score)
        is_ours = event.source == SOURCE or told.survey_id in self.ours
        known = self.answered.get(told.survey_id)
        if known is None:
            known = self.answered[told.survey_id] = Answered(answer, is_ours, heard)
        known.first = min(known.first, answer)
        known.is_ours |= is_ours
        known.last_heard = max(known.last_heard, heard)
        self.ageing.hear((told.survey_id,), known.last_heard)
        self._count(known)

    def _count(self, known: Answered) -> None:
        self.answers.revise(known.counted, known.labels)
        known.counted = known.labels
