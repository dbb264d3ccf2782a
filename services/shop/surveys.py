"""Surveys about orders: content (CSAT, answered as somebody feels by then) and recommending (NPS).  Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.contracts.contacts import SurveyAnswered, SurveyKind, SurveySent
from services.contracts.envelope import Fact
from services.shop.intentions import is_asked, survey_sent_at
from services.shop.local_time import awake
from services.shop.orders import Order
from services.shop.premises import Premises
from services.shop.timeline import Publication, said
from services.shop.truth import IntentionTruth

SURVEYS = "/shop/surveys"

_RECOMMENDING = (10, 10, 9, 9, 9, 8, 8, 7, 6, 3)
_AFTER_A_DELAY = (9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
"""NPS scores, drawn evenly."""


@dataclass(frozen=True, slots=True)
class Asking:
    """The shop asks about an order at this moment."""

    at: datetime
    kind: SurveyKind


def askings_of(order: Order, premises: Premises) -> Iterator[Asking]:
    """Yield the surveys the shop sends about this order."""
    if order.is_cancelled:
        return
    sent_at = survey_sent_at(order, premises.parameters)
    if is_asked(order, premises):
        yield Asking(sent_at, SurveyKind.CSAT)
    share = premises.parameters.recommend_survey_share
    if premises.uniform(order.order_id, "recommend") < share:
        yield Asking(sent_at + timedelta(days=3), SurveyKind.NPS)


def ask(asking: Asking, order: Order, premises: Premises) -> Iterator[Publication]:
    """Yield the survey; of one about recommending, the answer too."""
    survey_id = survey_id_of(order, asking.kind)
    sent = SurveySent(survey_id=survey_id, kind=asking.kind, order_id=order.order_id)
    yield _say(order, sent, asking.at, survey_id)
    if asking.kind is SurveyKind.NPS:
        yield from _recommend(asking, order, premises)


def _recommend(asking: Asking, order: Order, premises: Premises) -> Iterator[Publication]:
    rng = premises.draws(order.person.customer_id, f"{order.order_id}/recommend")
    if rng.random() < premises.parameters.recommend_answers:
        at = asking.at + timedelta(hours=rng.uniform(1, 60))
        score = rng.choice(_RECOMMENDING if order.days_late == 0 else _AFTER_A_DELAY)
        yield _answer(order, SurveyKind.NPS, score, awake(at, order.person.home.time_zone))


def answer(truth: IntentionTruth, order: Order) -> Publication:
    """Return the answer to "how content are you", poor where it happened so."""
    if truth.happened:
        score = 1 if truth.draw < truth.chance_with * 0.7 else 2
    else:
        score = 5 if truth.draw > 0.5 else 4
    return _answer(order, SurveyKind.CSAT, score, truth.at)


def _answer(order: Order, kind: SurveyKind, score: int, at: datetime) -> Publication:
    survey_id = survey_id_of(order, kind)
    fact = SurveyAnswered(survey_id=survey_id, kind=kind, score=score, order_id=order.order_id)
    return _say(order, fact, at, survey_id)


def survey_id_of(order: Order, kind: SurveyKind) -> str:
    """Return the id of this order's survey of this kind."""
    return f"{order.order_id}-{kind}"


def _say(order: Order, fact: Fact, at: datetime, about: str) -> Publication:
    customer_id = order.person.customer_id
    return said(fact, source=SURVEYS, time=at, customer_id=customer_id, about=about)
