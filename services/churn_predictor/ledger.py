"""The entries of a customer's experience ledger, as their facts tell them.  Pure.

Entries may lie ahead of the instant asked about; `experience` leaves those out.  Each lies at the first
instant at which it is known, and so does what made it good: nothing that happens later changes what
the ledger said.  Where facts do not keep by time what a rule of the watches asks for, another rule holds
here: of the zones named for one parcel the first counts, and of a conversation the first `TURNS_KEPT`
turns, by the last of which whatever stands is let go.  One thing cannot be known: to which order a
parcel or a survey belonged before an event named a lesser id for it.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from services.churn_predictor.expectations.business_days import business_days_after
from services.churn_predictor.expectations.desk import better_answer
from services.churn_predictor.expectations.money import money_watches
from services.churn_predictor.experience import Entry, EntryKind
from services.churn_predictor.facts import (
    TURNS_KEPT,
    ContactFacts,
    Facts,
    Stamp,
    SurveyFacts,
    Turn,
    TurnKind,
)
from services.churn_predictor.parcels import Parcel, parcels
from services.contracts.contacts import SurveyKind
from services.contracts.problems import ProblemKind
from services.contracts.tolerances import Tolerances

GOOD_FROM = {SurveyKind.CSAT: 4, SurveyKind.CES: 5, SurveyKind.NPS: 9}
"""The least score of each kind that is a good answer; of NPS: a promoter."""

_WORDS = (TurnKind.OPENED, TurnKind.REOPENED, TurnKind.REPLIED_BY_CUSTOMER)
_ANSWERS = (TurnKind.REPLIED_BY_AGENT, TurnKind.RESOLVED)
_OF_MONEY = {
    ProblemKind.PAYMENT_FAILED: EntryKind.PAYMENT_FAILED,
    ProblemKind.REFUND_OVERDUE: EntryKind.REFUND_LATE,
}


def entries(facts: Facts, tolerances: Tolerances) -> Iterator[Entry]:
    """Yield everything that went well or badly for this customer.

    What went badly is always there; where it ended in time it was made good before it counts.
    """
    for parcel in parcels(facts):
        yield from _delivery(parcel, tolerances)
    for survey in facts.surveys.values():
        yield from _survey(survey, facts)
    due = _reply_limit(facts, tolerances)
    for contact in facts.contacts.values():
        yield from _contact(contact, due)
    yield from _money(facts, tolerances)


def _delivery(parcel: Parcel, tolerances: Tolerances) -> Iterator[Entry]:
    """In time, or a day too late; what lies between is nearly forgiven."""
    delivered, promise = parcel.shipment.delivered, parcel.promise
    if delivered is not None and delivered.at <= promise.promised_by:
        yield Entry(max(delivered.at, promise.told.at), EntryKind.PROMISE_KEPT)
    broken_at = max(promise.promised_by + tolerances.late_after_promise, promise.told.at)
    yield Entry(broken_at, EntryKind.PROMISE_BROKEN, resolved_at=_at(parcel.ended))


def _survey(survey: SurveyFacts, facts: Facts) -> Iterator[Entry]:
    if survey.answered is None or survey.kind is None or survey.score is None:
        return
    if survey.is_poor:
        mended = _at(better_answer(survey, facts))
        yield Entry(survey.answered.at, EntryKind.SURVEY_POOR, resolved_at=mended)
    elif survey.score >= GOOD_FROM[survey.kind]:
        yield Entry(survey.answered.at, EntryKind.SURVEY_GOOD)


def _contact(contact: ContactFacts, due: Callable[[datetime], datetime]) -> Iterator[Entry]:
    waits = _spans(contact.turns, _WORDS, _ANSWERS)
    for number, wait in enumerate(waits):
        late_at = due(wait.begun)
        yield Entry(late_at, EntryKind.CONTACT_UNANSWERED, resolved_at=wait.over)
        if number == 0 and wait.is_met and wait.over is not None and wait.over <= late_at:
            yield Entry(wait.over, EntryKind.CONTACT_ANSWERED)
    for again in _spans(contact.turns, (TurnKind.REOPENED,), (TurnKind.RESOLVED,)):
        yield Entry(again.begun, EntryKind.CONTACT_REOPENED, resolved_at=again.over)


class _Span(NamedTuple):
    begun: datetime
    over: datetime | None = None
    is_met: bool = False
    """Whether a turn ended it, and not the end of what is kept."""


def _spans(
    turns: Sequence[Turn], begins: Collection[TurnKind], ends: Collection[TurnKind]
) -> Iterator[_Span]:
    """Yield every time that begins with one kind of turn and ends with the next of another."""
    begun: datetime | None = None
    for turn in turns:
        if turn.kind in ends and begun is not None:
            yield _Span(begun, turn.said.at, is_met=True)
            begun = None
        elif turn.kind in begins and begun is None:
            begun = turn.said.at
    if begun is not None:
        # Beyond what is kept nobody knows whether it ended.
        yield _Span(begun, turns[-1].said.at if len(turns) == TURNS_KEPT else None)


def _reply_limit(facts: Facts, tolerances: Tolerances) -> Callable[[datetime], datetime]:
    """Return what gives the limit of an answer to a word: in the customer's zone as named by then."""
    first = (shipment.first_zone for shipment in facts.shipments.values())
    zones = sorted((each.told, each.name) for each in first if each is not None)

    def limit(word: datetime) -> datetime:
        known = [name for told, name in zones if told.at <= word]
        zone = known[-1] if known else tolerances.time_zone
        return business_days_after(word, tolerances.reply_days, zone)

    return limit


def _money(facts: Facts, tolerances: Tolerances) -> Iterator[Entry]:
    """As the problems about money have it: once it is at its worst, until it ends."""
    for watch in money_watches(facts, tolerances):
        kind = _OF_MONEY.get(watch.kind)
        if kind is not None and watch.steps:
            worst_at = max(watch.steps[-1].deadline, watch.anchor.at)
            yield Entry(worst_at, kind, resolved_at=_at(watch.ended))


def _at(stamp: Stamp | None) -> datetime | None:
    return None if stamp is None else stamp.at
