"""A recorded assessment made again from its own inputs, with the code the stream uses.  Pure.

Its inputs are what it holds: feature values, previous band, decision point, as-of time, facts digest
and ids, and the model its digest names.  What cannot be seen from them: an input that was changed to
another with the same result, as a value within the same bin of its table.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from services.churn_predictor.assess import expected, scored
from services.churn_predictor.decide import risk_event
from services.churn_predictor.features import Values
from services.churn_predictor.rules import Model
from services.churn_predictor.scoring import FEATURES_OF, Link, Scorecard, score
from services.contracts.envelope import Event
from services.contracts.problems import RiskAssessed, RiskKind

SUM_TOLERANCE = 1e-9
"""How far intercept plus contributions may lie from the recorded probability."""

FORM = "form"
"""Where only the writing differs: the order of fields, white space."""

_ABSENT = "absent"


class Outcome(StrEnum):
    """What became of making it again."""

    SAME = "same"
    """Byte for byte."""
    DIFFERS = "differs"
    MODEL_MISSING = "model_missing"
    """Nobody can say: the model file is not at hand."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of the event, by its dotted path, as recorded and as made again, both as JSON."""

    path: str
    recorded: str
    again: str


@dataclass(frozen=True, slots=True)
class Rerun:
    """How a recorded assessment compares with itself made again."""

    outcome: Outcome
    differences: tuple[Difference, ...]
    adds_up: bool
    """Whether intercept plus contributions give the probability; without its model, by any link."""
    link: Link | None
    """What the contributions add up to; None: the model is not at hand."""


def rerun(event: Event[RiskAssessed], recorded: bytes, models: Mapping[str, Scorecard]) -> Rerun:
    """Return how `recorded`, which was read as `event`, compares with itself made again.

    Args:
        event: The assessment.
        recorded: Its bytes.
        models: Known models by the digest of their file.
    """
    fact = event.data
    card = models.get(fact.model_digest or "")
    if card is None:
        return Rerun(Outcome.MODEL_MISSING, (), _adds_up(fact, *Link), None)
    sheet = card.points.get(fact.decision_point)
    if sheet is None:
        # No model scores at a point it has no sheet for: somebody else wrote this.
        point = Difference("data.decision_point", json.dumps(fact.decision_point), _ABSENT)
        return Rerun(Outcome.DIFFERS, (point,), _adds_up(fact, *Link), None)
    differences = tuple(_compare(recorded, _again(event, card).encode()))
    outcome = Outcome.DIFFERS if differences else Outcome.SAME
    return Rerun(outcome, differences, _adds_up(fact, sheet.link), sheet.link)


def _again(event: Event[RiskAssessed], card: Scorecard) -> Event[Any]:
    fact = event.data
    values = _recorded(fact, card)
    result = score(card, fact.decision_point, values, fact.previous_band)
    again = RiskAssessed(
        kind=card.kind,
        order_id=fact.order_id,
        subject=fact.subject,
        decision_point=fact.decision_point,
        as_of=fact.as_of,
        tick=fact.tick,
        revision=fact.revision,
        **scored(Model(card, fact.model_digest or ""), result, fact.previous_band),
        **(_expected(fact, card, values) if card.kind is RiskKind.LAPSE else {}),
        facts_digest=fact.facts_digest,
        feed=fact.feed,
    )
    return risk_event(event.customer_id, again, event.time)


def _expected(fact: RiskAssessed, card: Scorecard, values: Values) -> dict[str, Any]:
    found = expected(card, values)
    if fact.expected_intercept is None:
        # From before it was told.
        found.pop("expected_intercept", None)
    return found


def _recorded(fact: RiskAssessed, card: Scorecard) -> Values:
    """Return the recorded value of every feature the model looks at; None where there is none."""
    parts = (*fact.contributions, *(fact.expected_contributions or ()))
    recorded = {part.feature: part.value for part in parts}
    return {feature: recorded.get(feature) for feature in FEATURES_OF[card.kind]}


def _adds_up(fact: RiskAssessed, *links: Link) -> bool:
    parts = (part.log_odds for part in fact.contributions)
    total = math.fsum([fact.intercept_log_odds, *parts])
    return any(abs(link.probability(total) - fact.probability) <= SUM_TOLERANCE for link in links)


def _compare(recorded: bytes, again: bytes) -> Iterator[Difference]:
    if recorded == again:
        return
    found = tuple(_differing("", json.loads(recorded), json.loads(again)))
    yield from found or (Difference(FORM, _ABSENT, _ABSENT),)


def _differing(path: str, recorded: Any, again: Any) -> Iterator[Difference]:
    """Yield what differs between two JSON values, as deep inside as can be told."""
    left, right = _members(recorded), _members(again)
    if left is None or right is None or isinstance(recorded, list) != isinstance(again, list):
        if json.dumps(recorded) != json.dumps(again):
            yield Difference(path, json.dumps(recorded), json.dumps(again))
        return
    for name in [*left, *(name for name in right if name not in left)]:
        inner = f"{path}.{name}" if path else name
        if name in left and name in right:
            yield from _differing(inner, left[name], right[name])
        else:
            yield Difference(inner, _written(left, name), _written(right, name))


def _members(value: Any) -> dict[str, Any] | None:
    if isinstance(value, dict):
        return value
    return {str(n): each for n, each in enumerate(value)} if isinstance(value, list) else None


def _written(members: Mapping[str, Any], name: str) -> str:
    return json.dumps(members[name]) if name in members else _ABSENT
