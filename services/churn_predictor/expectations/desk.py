"""What is expected of the desk: an answer in time, an end that holds, help that is found."""

from collections import defaultdict
from collections.abc import Iterator

from services.churn_predictor.expectations.business_days import (
    business_days_after,
    zone_of_customer,
)
from services.churn_predictor.expectations.watch import Step, Watch, publisher_feed
from services.churn_predictor.facts import (
    NO_ORDER,
    ContactFacts,
    Facts,
    SearchFacts,
    Stamp,
    SurveyFacts,
)
from services.churn_predictor.parcels import first_of, last_of
from services.contracts.problems import ProblemKind, Tier
from services.contracts.tolerances import Tolerances


def desk_watches(facts: Facts, tolerances: Tolerances) -> Iterator[Watch]:
    """Yield contacts, orders that were asked about too often, searches and surveys."""
    zone = zone_of_customer(facts, tolerances.time_zone)
    for contact_id, contact in sorted(facts.contacts.items()):
        yield from _unanswered(contact_id, contact, zone, tolerances)
        yield from _reopened(contact_id, contact)
    yield from _repeated(facts, tolerances)
    for subject, search in sorted(facts.searches.items()):
        yield from _not_found(subject, search, facts, tolerances)
    for survey_id, survey in sorted(facts.surveys.items()):
        yield from _poor(survey_id, survey, facts)


def _unanswered(
    contact_id: str, contact: ContactFacts, zone: str, tolerances: Tolerances
) -> Iterator[Watch]:
    answered = contact.answered
    anchor = contact.waiting[0] if contact.waiting else answered
    if anchor is None:
        return
    feeds = (publisher_feed(anchor.source),)
    days = ((Tier.OVERDUE, tolerances.reply_days), (Tier.LATE, tolerances.reply_late_days))
    steps = tuple(
        Step(tier, business_days_after(anchor.at, number, zone), feeds) for tier, number in days
    )
    yield Watch(
        kind=ProblemKind.CONTACT_UNANSWERED,
        subject=contact_id,
        anchor=anchor,
        steps=steps if contact.waiting else (),
        ended=None if contact.waiting else answered,
        renewed=answered,
        order_id=contact.order_id,
    )


def _reopened(contact_id: str, contact: ContactFacts) -> Iterator[Watch]:
    reopened, resolved = contact.reopened, contact.resolved
    if reopened is None:
        return
    is_over = resolved is not None and resolved > reopened
    yield Watch(
        kind=ProblemKind.CONTACT_REOPENED,
        subject=contact_id,
        anchor=reopened,
        steps=(Step(Tier.OVERDUE, reopened.at),),
        ended=resolved if is_over else None,
        order_id=contact.order_id,
    )


def _repeated(facts: Facts, tolerances: Tolerances) -> Iterator[Watch]:
    by_order: dict[str, list[ContactFacts]] = defaultdict(list)
    for contact in facts.contacts.values():
        if contact.order_id is not None and contact.asked is not None:
            by_order[contact.order_id].append(contact)
    for order_id, contacts in sorted(by_order.items()):
        last = _one_too_many(contacts, tolerances)
        if last is not None:
            yield Watch(
                kind=ProblemKind.CONTACT_REPEATED,
                subject=order_id,
                anchor=last,
                steps=(Step(Tier.OVERDUE, last.at),),
                ended=_all_closed(contacts),
                order_id=order_id,
            )


def _one_too_many(contacts: list[ContactFacts], tolerances: Tolerances) -> Stamp | None:
    opened = sorted(c.asked for c in contacts if c.asked is not None)
    apart = tolerances.contacts_on_one_order - 1
    return next(
        (
            last
            for first, last in zip(opened, opened[apart:], strict=False)
            if last.at - first.at <= tolerances.contacts_within
        ),
        None,
    )


def _all_closed(contacts: list[ContactFacts]) -> Stamp | None:
    ends = [contact.resolved for contact in contacts if _is_closed(contact)]
    return last_of(*ends) if len(ends) == len(contacts) else None


def _is_closed(contact: ContactFacts) -> bool:
    begun = last_of(contact.asked, contact.reopened)
    return contact.resolved is not None and begun is not None and contact.resolved > begun


def _not_found(
    subject: str, search: SearchFacts, facts: Facts, tolerances: Tolerances
) -> Iterator[Watch]:
    helped = last_of(search.found, _last_opened(subject, facts))
    silent = [word for word in search.unfound if helped is None or word > helped]
    anchor = silent[0] if silent else helped
    if anchor is None:
        return
    due = anchor.at + tolerances.help_silence
    yield Watch(
        kind=ProblemKind.HELP_NOT_FOUND,
        subject=subject,
        anchor=anchor,
        steps=(Step(Tier.OVERDUE, due, (publisher_feed(anchor.source),)),) if silent else (),
        ended=None if silent else helped,
        renewed=helped,
        order_id=None if subject == NO_ORDER else subject,
    )


def _last_opened(subject: str, facts: Facts) -> Stamp | None:
    about = (None, subject)
    return last_of(
        *(
            contact.asked
            for contact in facts.contacts.values()
            if subject == NO_ORDER or contact.order_id in about
        )
    )


def _poor(survey_id: str, survey: SurveyFacts, facts: Facts) -> Iterator[Watch]:
    answered = survey.answered
    if answered is None:
        return
    yield Watch(
        kind=ProblemKind.SURVEY_POOR,
        subject=survey_id,
        anchor=answered,
        steps=(Step(Tier.OVERDUE, answered.at),) if survey.is_poor else (),
        ended=better_answer(survey, facts),
        order_id=survey.order_id,
    )


def better_answer(survey: SurveyFacts, facts: Facts) -> Stamp | None:
    """Return the first answer about the same order that is later than this one's and not poor."""
    answered = survey.answered
    if survey.order_id is None or answered is None:
        return None
    return first_of(
        *(
            other.answered
            for other in facts.surveys.values()
            if other.order_id == survey.order_id
            and other.answered is not None
            and other.answered > answered
            and not other.is_poor
        )
    )
