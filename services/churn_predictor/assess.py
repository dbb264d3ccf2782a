"""The complaint risk of parcels at their decision points, and the lapse risk of the silent.  Pure.

Each as of its own instant, and again only where something that counts was told late.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from services.churn_predictor import rhythm
from services.churn_predictor.expectations.rhythm import THE_CUSTOMER, purchases
from services.churn_predictor.experience import Experience, experience
from services.churn_predictor.facts import Facts
from services.churn_predictor.features import Values, features
from services.churn_predictor.ledger import entries
from services.churn_predictor.parcels import Parcel
from services.churn_predictor.rules import Model, Rules
from services.churn_predictor.scoring import Score, Scorecard, expect, score
from services.churn_predictor.state import CUSTOMER, SILENCE, Assessed, CustomerState
from services.contracts.problems import Band, DecisionPoint, FeedEvidence, RiskAssessed, RiskKind
from services.contracts.tolerances import Tolerances

DigestOfFacts = Callable[[], str]
"""Gives `facts_digest` of the customer: it is the same throughout one look, and costs the most there."""


def assess(
    state: CustomerState,
    parcel: Parcel,
    point: DecisionPoint,
    as_of: datetime,
    rules: Rules,
    digest: DigestOfFacts,
    *,
    feed: FeedEvidence | None = None,
    anew: bool = True,
) -> tuple[Assessed, RiskAssessed | None]:
    """Return the assessment of this parcel at this point, and what to say where it is new or another.

    Args:
        state: The customer's.
        parcel: The one to assess.
        point: Where.
        as_of: Its instant, not that of the look at it: the result is the same whenever the tick came.
        rules: The model's.
        digest: Of the facts.
        feed: Why it is believed that nothing had come by the point's deadline.
        anew: Whether facts may have come since it was assessed last.
    """
    key = f"{parcel.shipment_id}|{point}"
    known = state.assessed.get(key)
    if known is not None and not anew:
        return known, None
    values = features(parcel, state.facts, as_of)
    before = _band_before(state, parcel, as_of)
    result = score(rules.complaint.card, point, values, before)
    assessed = _revised(known, Assessed(result.probability, result.band, as_of))
    if assessed == known:
        return assessed, None
    state.assessed[key] = assessed
    fact = RiskAssessed(
        kind=RiskKind.COMPLAINT,
        order_id=parcel.shipment.order_id,
        subject=parcel.shipment_id,
        decision_point=point,
        as_of=as_of,
        revision=assessed.revision,
        **scored(rules.complaint, result, before),
        facts_digest=digest(),
        feed=feed,
    )
    return assessed, fact


def _revised(known: Assessed | None, fresh: Assessed) -> Assessed:
    """Return the known one where the fresh one says the same, else the fresh one with its number."""
    if known is None:
        return fresh
    same = replace(fresh, revision=known.revision)
    return known if same == known else replace(fresh, revision=known.revision + 1)


def assess_silence(
    state: CustomerState, as_of: datetime, rules: Rules, digest: DigestOfFacts
) -> tuple[Assessed, RiskAssessed | None]:
    """Return the one assessment of this customer's silence at a look, and what to say where it is new."""
    key = f"{SILENCE}{as_of.isoformat()}"
    if key in state.assessed:
        return state.assessed[key], None
    went_through = experience_at(state.facts, as_of, rules.tolerances)
    bought = purchases(state.facts, as_of)
    values = rhythm.features(bought, as_of, went_through)
    before = _band_of_silence(state, max(bought).at, as_of) if bought else None
    result = score(rules.lapse.card, DecisionPoint.SILENCE, values, before)
    assessed = state.assessed[key] = Assessed(result.probability, result.band, as_of)
    fact = RiskAssessed(
        kind=RiskKind.LAPSE,
        subject=THE_CUSTOMER,
        decision_point=DecisionPoint.SILENCE,
        as_of=as_of,
        **scored(rules.lapse, result, before),
        **expected(rules.lapse.card, values),
        facts_digest=digest(),
    )
    return assessed, fact


def is_latest(state: CustomerState, fact: RiskAssessed) -> bool:
    """Return whether no parcel was scored as of a later instant: what is said last may be older.

    Of a silence the last word is the latest: a later purchase makes the looks before it void.
    """
    if fact.kind is RiskKind.LAPSE or fact.as_of is None:
        return True
    of_parcels = (a for name, a in state.assessed.items() if not name.startswith(SILENCE))
    return all(assessed.as_of <= fact.as_of for assessed in of_parcels)


def experience_at(facts: Facts, now: datetime, tolerances: Tolerances) -> Experience:
    """Return what the customer's experience ledger says at this instant: nothing later counts."""
    half_life, ratio = tolerances.experience_half_life, tolerances.experience_ratio
    return experience(entries(facts, tolerances), now, half_life, ratio)


def scored(model: Model, result: Score, before: Band | None) -> dict[str, Any]:
    """Return the part of an assessment that the model gives: the same whenever it is asked again."""
    return {
        "probability": result.probability,
        "band": result.band,
        "previous_band": before,
        "model": model.card.name,
        "model_version": model.card.version,
        "model_digest": model.digest,
        "intercept_log_odds": result.intercept,
        "contributions": result.contributions,
    }


def expected(card: Scorecard, values: Values) -> dict[str, Any]:
    """Return the part of an assessment that says how many purchases to expect, where the model does."""
    found = expect(card, values)
    if found is None:
        return {"horizon_days": card.horizon_days}
    return {
        "horizon_days": card.horizon_days,
        "expected_purchases": found.purchases,
        "expected_intercept": found.intercept,
        "expected_contributions": found.contributions,
    }


def _band_before(state: CustomerState, parcel: Parcel, as_of: datetime) -> Band | None:
    """Return the band of the parcel's last assessment before this instant."""
    keys = (f"{parcel.shipment_id}|{point}" for point in DecisionPoint)
    known = [state.assessed[key] for key in keys if key in state.assessed]
    return _latest_band(each for each in known if each.as_of < as_of)


def _band_of_silence(state: CustomerState, since: datetime, as_of: datetime) -> Band | None:
    """Return the band of the last look before this one at the same silence: a purchase begins anew."""
    looks = (a for name, a in state.assessed.items() if name.startswith(SILENCE))
    return _latest_band(each for each in looks if since < each.as_of < as_of)


def _latest_band(assessed: Iterable[Assessed]) -> Band | None:
    last = max(assessed, key=lambda each: each.as_of, default=None)
    return None if last is None else last.band


def facts_digest(state: CustomerState) -> str:
    """Return SHA-256 of the facts, the same whatever order they were learned in."""
    facts = CUSTOMER.dump_python(state, mode="json", include={"facts"})
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
