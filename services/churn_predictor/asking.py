"""What one customer tells about others, and asks about them: each once.  Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from services.churn_predictor.histories import Observation, Question, kept, observations, questions
from services.churn_predictor.parcels import Parcel, by_order
from services.churn_predictor.problems import Moment
from services.churn_predictor.state import CustomerState, OpenQuestions
from services.contracts.stream import Answered, Asked

PATIENCE = timedelta(hours=6)
"""How long a score at an event waits for answers.  They take two ticks; it is longer only where the
owner of a key stands still, and half a working day on, a score without them is worth more than none."""

_TICKS = 3
"""How many ticks an answer takes at least: told, answered, applied, however far apart these are."""


def tell(state: CustomerState, now: datetime) -> tuple[Sequence[Observation], datetime | None]:
    """Return what nobody was told yet, noted as told, and when there will be more if no event comes."""
    fresh = [seen for seen in observations(state.facts) if not _is_told(state, seen)]
    known = [seen for seen in fresh if seen.at <= now]
    for seen in known:
        state.told.setdefault(seen.subject, []).append(_told(seen))
    return known, min((seen.at for seen in fresh if seen.at > now), default=None)


def _told(seen: Observation) -> str:
    return f"{seen.kind}|{seen.key}"


def _is_told(state: CustomerState, seen: Observation) -> bool:
    told = state.told.get(seen.subject, ())
    # A kind alone was noted before keys were: whoever was to be told of it then, was.
    return _told(seen) in told or seen.kind in told


def ask(customer_id: str, state: CustomerState, moment: Moment) -> Iterator[Asked]:
    """Yield the questions of every order that is first seen approved, noted as asked.

    One that was over before time began here asks nothing: it is never scored.
    """
    for order_id, order, its in by_order(state.facts):
        approved = order.approved
        if approved is None or approved.at > moment.now or order.histories is not None:
            continue
        if order_id in state.asked or all(_is_over(parcel, moment.since) for parcel in its):
            continue
        asked = dict.fromkeys(question for parcel in its for question in questions(parcel))
        unanswered = {question.name: None for question in asked}
        state.asked[order_id] = OpenQuestions(moment.now, moment.tick, {**unanswered})
        for question in asked:
            yield Asked(customer_id, order_id, question.key, approved.at, question.part)


def collect(state: CustomerState, answered: Answered) -> bool:
    """Take in one answer, once; return whether it was the last: then the order has its histories.

    What was not asked, or is answered already, changes nothing.
    """
    open_questions = state.asked.get(answered.order)
    order = state.facts.orders.get(answered.order)
    name = Question(answered.key, answered.part).name
    if open_questions is None or order is None or name not in open_questions.answers:
        return False
    answers = open_questions.answers
    if answers[name] is None:
        answers[name] = answered.histories
    if any(answer is None for answer in answers.values()):
        return False
    # By the questions' order, not by that of the answers.
    order.histories = kept((Question.named(name), answer or {}) for name, answer in answers.items())
    del state.asked[answered.order]
    return True


def waits_until(state: CustomerState, order_id: str, moment: Moment) -> datetime | None:
    """Return how long a score of this order waits for answers at most; None: it does not wait."""
    asked = state.asked.get(order_id)
    if asked is None:
        return None
    until = asked.at + PATIENCE
    if moment.now < until:
        return until
    return moment.now if moment.tick < asked.tick + _TICKS else None


def _is_over(parcel: Parcel, since: datetime) -> bool:
    return parcel.ended is not None and parcel.ended.at < since
