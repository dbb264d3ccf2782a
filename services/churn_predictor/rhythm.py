"""How regularly a customer buys, and when silence is worth a look: for the stream and for training.

Nothing here counts money: every amount is set against the customer's own, so it does not matter
whether a file tells pounds and the stream pence.
"""

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from statistics import fmean, pstdev

from services.churn_predictor.experience import Experience
from services.churn_predictor.features import Values

REACH = timedelta(days=400)
"""How far back purchases count: as far as the stream remembers them."""

LOOKED_AT = REACH / 2
"""How far before the latest purchase its gaps are counted, and how long after it silence is looked
at.  Both together lie in `REACH`, so looks do not move when an old purchase falls out of it."""

ASSUMED_GAP_DAYS = 60.0
"""What one gap is taken to be before any was seen; it weighs as much as one gap seen."""
SHORTEST_GAP_DAYS = 7.0
"""Somebody who buys every day is not silent after a day and a half."""

LOOK_AT_GAPS = (1.5, 2.0, 3.0, 4.0, 6.0)
"""After how many usual gaps of silence it is worth looking; then no more."""
BETWEEN_LOOKS = timedelta(days=7)

_RECENT_DAYS = 60
_MONTH_DAYS = 30.0

RHYTHM_FEATURES = (
    "purchases",
    "recent_purchases",
    "purchases_per_month",
    "age_days",
    "recency_days",
    "gap_days",
    "gap_spread",
    "recency_in_gaps",
    "gap_trend",
    "amount_trend",
)
"""What purchases alone tell."""
EXPERIENCE_FEATURES = ("experience_balance", "unresolved", "strikes_left")
"""What became of promises, surveys and contacts."""
FEATURES = (*RHYTHM_FEATURES, *EXPERIENCE_FEATURES)
"""Names a model of lapse risk may use."""


@dataclass(frozen=True, slots=True, order=True)
class Purchase:
    """One purchase that was not taken back."""

    at: datetime
    amount: float
    """In one unit for all purchases of a customer, whichever it is."""


def features(
    purchases: Iterable[Purchase], now: datetime, experience: Experience | None = None
) -> Values:
    """Return the value of each feature as of `now`; None where it cannot be known.

    All purchases of one calendar day (UTC) are one.  Those later than `now`, or out of `REACH`, do
    not count; with none left only the experience is known.  Days are whole days between dates.
    """
    spent = _by_day(purchases, now)
    rhythm = _rhythm(spent, now) if spent else dict.fromkeys(RHYTHM_FEATURES)
    return {**rhythm, **_experience(experience)}


def looks(purchases: Iterable[Purchase]) -> tuple[datetime, ...]:
    """Return every instant at which silence after the latest of these purchases is worth scoring.

    They lie `LOOK_AT_GAPS` usual gaps after it, each at least `BETWEEN_LOOKS` behind the one before,
    and within `LOOKED_AT`.
    """
    found = list(purchases)
    if not found:
        return ()
    return tuple(_looks(max(found).at, usual_gap({_day(purchase.at) for purchase in found})))


def usual_gap(days: Collection[date]) -> timedelta:
    """Return the usual time between purchases on these days, of which there is one at least.

    The mean of the gaps seen and one assumed gap: two purchases in one week make no weekly buyer.
    """
    last = max(days)
    recent = [day for day in days if last - day < LOOKED_AT]
    seen = (last - min(recent)).days
    return timedelta(days=max(SHORTEST_GAP_DAYS, (seen + ASSUMED_GAP_DAYS) / len(recent)))


def _looks(last: datetime, gap: timedelta) -> Iterator[datetime]:
    earliest = last
    for gaps in LOOK_AT_GAPS:
        look = max(last + gaps * gap, earliest)
        if look > last + LOOKED_AT:
            return
        yield look
        earliest = look + BETWEEN_LOOKS


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()


def _by_day(purchases: Iterable[Purchase], now: datetime) -> list[tuple[date, float]]:
    spent: dict[date, list[float]] = {}
    for purchase in purchases:
        if now - REACH <= purchase.at <= now:
            spent.setdefault(_day(purchase.at), []).append(purchase.amount)
    return sorted((day, math.fsum(amounts)) for day, amounts in spent.items())


def _rhythm(spent: list[tuple[date, float]], now: datetime) -> dict[str, float | None]:
    days = [day for day, _ in spent]
    age, recency = (_days(now, days[0]), _days(now, days[-1]))
    gaps = [float((later - day).days) for day, later in pairwise(days)]
    return {
        "purchases": float(len(days)),
        "recent_purchases": float(sum(_days(now, day) <= _RECENT_DAYS for day in days)),
        # One assumed gap is added to the age, so that nobody new buys at a breathtaking pace.
        "purchases_per_month": len(days) * _MONTH_DAYS / (age + ASSUMED_GAP_DAYS),
        "age_days": age,
        "recency_days": recency,
        "gap_days": fmean(gaps) if gaps else None,
        "gap_spread": pstdev(gaps) / fmean(gaps) if len(gaps) > 1 else None,
        "recency_in_gaps": recency / (usual_gap(days) / timedelta(days=1)),
        "gap_trend": gaps[-1] / fmean(gaps) if len(gaps) > 1 else None,
        "amount_trend": _trend([amount for _, amount in spent]),
    }


def _days(now: datetime, day: date) -> float:
    return float((_day(now) - day).days)


def _trend(amounts: list[float]) -> float | None:
    """Return the latest against the mean of all; None with one, or with nothing spent."""
    mean = fmean(amounts)
    return amounts[-1] / mean if len(amounts) > 1 and mean > 0 else None


def _experience(experience: Experience | None) -> dict[str, float | None]:
    if experience is None:
        return dict.fromkeys(EXPERIENCE_FEATURES)
    return {
        "experience_balance": experience.balance,
        "unresolved": float(experience.unresolved),
        "strikes_left": float(experience.strikes_left),
    }
