"""What the figures mean: definitions as pure functions of facts.

*Complaint about an order*: the customer opens a contact about the order for one of the contracts'
`COMPLAINT_REASONS`, or gives a poor answer to a survey about it.  Per order the first one
counts.  A contact or answer that names no order is nobody's complaint here.

*Reached first*: our first message about the order left strictly before the first complaint.

*Lead time*: first complaint minus first message about the same order, from either side: positive
when we were earlier, negative when we wrote only after the complaint.  An order without a complaint
is censored: silence is no proof of success, so it has no lead time and is in no count.  A complaint
without any message from us is counted as not reached first and has no lead time.

*Settled*: a complaint is judged only once everything outreach had to say up to that moment has been
read, so that the order in which two topics are read cannot decide who was first.
"""

from datetime import datetime, timedelta

from services.metrics.facts import Judgement, OrderFacts, ProblemFacts

SETTLING_TIME = timedelta(minutes=5)
"""Without barriers: how long after a complaint a message sent before it may take to reach the topic.
An outbox is published within seconds; minutes cover a restart of outreach."""


def complained_at(order: OrderFacts) -> datetime | None:
    """Return when the customer first complained about this order; None: never."""
    poor_answers = [answer.at for answer in order.answers.values() if answer.is_poor]
    contact = [] if order.complaint_contact_at is None else [order.complaint_contact_at]
    return min(contact + poor_answers, default=None)


def is_settled(complaint: datetime, settled_until: datetime | None) -> bool:
    """Return whether who was first can no longer change by what is still unread."""
    return settled_until is not None and complaint <= settled_until


def judge(order: OrderFacts, settled_until: datetime | None) -> Judgement | None:
    """Return what this order's complaint says about care; None: no complaint, or not settled."""
    complaint = complained_at(order)
    if complaint is None or not is_settled(complaint, settled_until):
        return None
    if order.first_sent_at is None:
        return Judgement(reached_first=False, lead=None)
    lead = complaint - order.first_sent_at
    return Judgement(reached_first=lead > timedelta(0), lead=lead)


def detection_to_contact(problem: ProblemFacts) -> timedelta | None:
    """Return the time from the opening of a problem to its first message; None: not both known."""
    opened_at = problem.opened_at or problem.opened_at_as_sent
    if opened_at is None or problem.first_sent_at is None:
        return None
    return problem.first_sent_at - opened_at


def unaccounted(first_offset: int, next_offset: int, total: int) -> int:
    """Return how many records before the reader's position no count explains: 0, or alarm.

    Negative: more was counted than there is.  Holds for partitions written without Kafka
    transactions, whose markers would take up offsets.
    """
    return next_offset - first_offset - total
