"""The complaint risk of parcels at their decision points: each once, as of its own instant.  Pure."""

from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from typing import Any

from services.churn_predictor.facts import Stamp
from services.churn_predictor.features import features
from services.churn_predictor.parcels import Parcel
from services.churn_predictor.rules import Rules
from services.churn_predictor.scoring import Score, Scorecard, score
from services.churn_predictor.state import CUSTOMER, Assessed, CustomerState
from services.contracts.problems import Band, DecisionPoint, RiskAssessed, RiskKind


def events_to_score(parcel: Parcel) -> Iterator[tuple[DecisionPoint, Stamp]]:
    """Yield the decision points that an event brings, as far as they have come."""
    found = (
        (DecisionPoint.APPROVAL, parcel.order.approved),
        (DecisionPoint.HANDOVER, parcel.shipment.handed_over),
        (DecisionPoint.DELIVERY, parcel.shipment.delivered),
    )
    for point, stamp in found:
        if stamp is not None:
            yield point, stamp


def assess(
    state: CustomerState, parcel: Parcel, point: DecisionPoint, as_of: datetime, rules: Rules
) -> tuple[Assessed, RiskAssessed | None]:
    """Return the one assessment of this parcel at this point, and what to say where it is new."""
    key = f"{parcel.shipment_id}|{point}"
    if key in state.assessed:
        return state.assessed[key], None
    # As of the deadline, not of the look at it: the same whenever the tick came.
    values = features(parcel, state.facts, as_of)
    before = _band_before(state, parcel, as_of)
    result = score(rules.complaint, point, values, before)
    assessed = state.assessed[key] = Assessed(result.probability, result.band, as_of)
    fact = RiskAssessed(
        kind=RiskKind.COMPLAINT,
        order_id=parcel.shipment.order_id,
        subject=parcel.shipment_id,
        decision_point=point,
        as_of=as_of,
        **scored(rules.complaint, rules.complaint_digest, result, before),
        facts_digest=facts_digest(state),
    )
    return assessed, fact


def scored(card: Scorecard, digest: str, result: Score, before: Band | None) -> dict[str, Any]:
    """Return the part of an assessment that the model gives: the same whenever it is asked again."""
    return {
        "probability": result.probability,
        "band": result.band,
        "previous_band": before,
        "model": card.name,
        "model_version": card.version,
        "model_digest": digest,
        "intercept_log_odds": result.intercept,
        "contributions": result.contributions,
    }


def _band_before(state: CustomerState, parcel: Parcel, as_of: datetime) -> Band | None:
    """Return the band of the parcel's last assessment before this instant."""
    keys = (f"{parcel.shipment_id}|{point}" for point in DecisionPoint)
    known = [state.assessed[key] for key in keys if key in state.assessed]
    before = [each for each in known if each.as_of < as_of]
    return max(before, key=lambda each: each.as_of).band if before else None


def facts_digest(state: CustomerState) -> str:
    """Return SHA-256 of the facts, the same whatever order they were learned in."""
    facts = CUSTOMER.dump_python(state, mode="json", include={"facts"})
    return sha256(repr(_sorted(facts)).encode()).hexdigest()


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return [(key, _sorted(value[key])) for key in sorted(value)]
    return value
