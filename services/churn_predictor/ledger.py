"""The entries of a customer's experience ledger, as their facts tell them.  Pure.

Entries may lie ahead of the instant asked about; `experience` leaves those out.
"""

from collections.abc import Iterator

from services.churn_predictor.expectations.business_days import (
    business_days_after,
    zone_of_customer,
)
from services.churn_predictor.expectations.desk import is_poor
from services.churn_predictor.experience import Entry, EntryKind
from services.churn_predictor.facts import ContactFacts, Facts, SurveyFacts
from services.churn_predictor.parcels import Parcel, parcels
from services.contracts.contacts import SurveyKind
from services.contracts.tolerances import Tolerances

GOOD_FROM = {SurveyKind.CSAT: 4, SurveyKind.CES: 5, SurveyKind.NPS: 9}
"""The least score of each kind that is a good answer; of NPS: a promoter."""


def entries(facts: Facts, tolerances: Tolerances) -> Iterator[Entry]:
    """Yield everything that went well or badly for this customer."""
    for parcel in parcels(facts):
        yield from _delivery(parcel, tolerances)
    for survey in facts.surveys.values():
        yield from _survey(survey)
    zone = zone_of_customer(facts, tolerances.time_zone)
    for contact in facts.contacts.values():
        yield from _contact(contact, zone, tolerances)
    yield from _money(facts, tolerances)


def _delivery(parcel: Parcel, tolerances: Tolerances) -> Iterator[Entry]:
    """In time, or a day too late; what lies between is nearly forgiven."""
    delivered, cancelled = parcel.shipment.delivered, parcel.order.cancelled
    by = parcel.promise.promised_by
    broken_at = by + tolerances.late_after_promise
    if delivered is not None and delivered.at <= by:
        yield Entry(delivered.at, EntryKind.PROMISE_KEPT)
    ends = [end.at for end in (delivered, cancelled) if end is not None]
    if not any(end <= broken_at for end in ends):
        yield Entry(
            broken_at, EntryKind.PROMISE_BROKEN, resolved_at=None if not ends else min(ends)
        )


def _survey(survey: SurveyFacts) -> Iterator[Entry]:
    if survey.answered is None or survey.kind is None or survey.score is None:
        return
    if is_poor(survey):
        yield Entry(survey.answered.at, EntryKind.SURVEY_POOR)
    elif survey.score >= GOOD_FROM[survey.kind]:
        yield Entry(survey.answered.at, EntryKind.SURVEY_GOOD)


def _contact(contact: ContactFacts, zone: str, tolerances: Tolerances) -> Iterator[Entry]:
    if contact.waiting:
        late_at = business_days_after(contact.waiting[0].at, tolerances.reply_days, zone)
        yield Entry(late_at, EntryKind.CONTACT_UNANSWERED)
    elif contact.answered is not None:
        yield Entry(contact.answered.at, EntryKind.CONTACT_ANSWERED)
    if contact.reopened is not None:
        again = contact.resolved
        is_over = again is not None and again > contact.reopened
        yield Entry(
            contact.reopened.at,
            EntryKind.CONTACT_REOPENED,
            resolved_at=again.at if again is not None and is_over else None,
        )


def _money(facts: Facts, tolerances: Tolerances) -> Iterator[Entry]:
    for order in facts.orders.values():
        if len(order.failures) >= tolerances.payment_failures:
            failed = order.failures[tolerances.payment_failures - 1].at
            paid = None if order.approved is None else order.approved.at
            yield Entry(failed, EntryKind.PAYMENT_FAILED, resolved_at=paid)
    for refund in facts.refunds.values():
        if refund.promised is None:
            continue
        late_at = refund.promised.promised_by + tolerances.refund_late_after
        paid = None if refund.paid is None else refund.paid.at
        if paid is None or paid > late_at:
            yield Entry(late_at, EntryKind.REFUND_LATE, resolved_at=paid)
