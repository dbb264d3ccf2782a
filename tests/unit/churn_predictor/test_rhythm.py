"""What purchases tell, and when silence is worth a look."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.churn_predictor.experience import Experience
from services.churn_predictor.rhythm import (
    BETWEEN_LOOKS,
    EXPERIENCE_FEATURES,
    FEATURES,
    LOOK_AT_GAPS,
    LOOKED_AT,
    REACH,
    RHYTHM_FEATURES,
    Purchase,
    features,
    looks,
)
from tests.factories import DAY, HOUR, START

NOW = START + 300 * DAY

histories = st.lists(
    st.builds(
        lambda hours, amount: Purchase(NOW - hours * HOUR, amount),
        st.integers(-24 * 40, 24 * 500),
        st.floats(0.01, 1000),
    ),
    max_size=12,
)


def bought(*days_ago: float, amount: float = 10.0) -> list[Purchase]:
    return [Purchase(NOW - days * DAY, amount) for days in days_ago]


def looks_after(purchases: Sequence[Purchase], now: datetime) -> list[datetime]:
    known = [purchase for purchase in purchases if purchase.at <= now]
    return [look for look in looks(known) if look > now]


def next_look(purchases: Sequence[Purchase], now: datetime) -> datetime | None:
    return next(iter(looks_after(purchases, now)), None)


@given(purchases=histories, shuffle=st.randoms(use_true_random=False))
def test_the_order_in_which_purchases_are_known_does_not_matter(
    purchases: list[Purchase], shuffle: Random
) -> None:
    shuffled = list(purchases)
    shuffle.shuffle(shuffled)

    assert features(shuffled, NOW) == features(purchases, NOW)
    assert next_look(shuffled, NOW) == next_look(purchases, NOW)


@given(purchases=histories)
def test_what_comes_later_or_lies_out_of_reach_is_not_known(purchases: list[Purchase]) -> None:
    known = [p for p in purchases if NOW - REACH <= p.at <= NOW]

    assert features(purchases, NOW) == features(known, NOW)
    assert next_look(purchases, NOW) == next_look(known, NOW)


@given(purchases=histories)
def test_it_does_not_matter_whether_amounts_are_pounds_or_pence(purchases: list[Purchase]) -> None:
    pence = [Purchase(p.at, p.amount * 100) for p in purchases]

    assert features(pence, NOW) == pytest.approx(features(purchases, NOW), nan_ok=False)


def test_a_history_is_told_in_days_and_in_its_own_gaps() -> None:
    history = [*bought(100, 60), *bought(40, amount=20.0)]

    assert features(history, NOW) == pytest.approx(
        {
            "purchases": 3.0,
            "recent_purchases": 2.0,
            "purchases_per_month": 3 * 30 / (100 + 60),
            "age_days": 100.0,
            "recency_days": 40.0,
            "gap_days": 30.0,
            "gap_spread": 1 / 3,
            "recency_in_gaps": 40 / ((60 + 60) / 3),
            "gap_trend": 2 / 3,
            "amount_trend": 1.5,
            **dict.fromkeys(EXPERIENCE_FEATURES, None),
        }
    )


def test_of_one_purchase_no_gap_is_known() -> None:
    known = features(bought(30), NOW)

    unknown = {name for name in RHYTHM_FEATURES if known[name] is None}
    assert unknown == {"gap_days", "gap_spread", "gap_trend", "amount_trend"}
    assert known["recency_in_gaps"] == 0.5


def test_purchases_of_one_day_are_one() -> None:
    morning = NOW - 10 * DAY

    split = [Purchase(morning, 4.0), Purchase(morning + 9 * HOUR, 6.0), *bought(40)]

    assert features(split, NOW) == features(bought(10, 40), NOW)


def test_without_a_purchase_only_the_experience_is_known() -> None:
    known = features([], NOW, Experience(balance=-11.0, unresolved=1, strikes_left=2))

    assert {name: value for name, value in known.items() if value is not None} == {
        "experience_balance": -11.0,
        "unresolved": 1.0,
        "strikes_left": 2.0,
    }


@given(purchases=histories)
def test_every_feature_has_its_value_and_no_other(purchases: list[Purchase]) -> None:
    assert tuple(features(purchases, NOW)) == FEATURES


@given(purchases=histories)
def test_looks_are_few_and_a_week_apart(purchases: list[Purchase]) -> None:
    past = [purchase for purchase in purchases if purchase.at <= NOW]

    found = looks_after(past, NOW)

    assert len(found) <= len(LOOK_AT_GAPS)
    assert all(later - look >= BETWEEN_LOOKS for look, later in pairwise(found))
    assert all(NOW < look <= max(past).at + LOOKED_AT for look in found)


@given(days_ago=st.integers(0, 399))
def test_nobody_with_one_purchase_is_looked_at_more_often_than_monthly(days_ago: int) -> None:
    purchase = Purchase(NOW - days_ago * DAY, 1.0)

    found = [purchase.at, *looks([purchase])]

    assert [(look - purchase.at) / DAY for look in found] == [0, 90, 120, 180]
    assert all(later - look >= 30 * DAY for look, later in pairwise(found))


def test_who_buys_monthly_is_looked_at_after_two_months() -> None:
    # Of the last 200 days seven purchases count, and one gap of 60 days that is taken for granted.
    monthly = bought(*range(0, 361, 30))
    gap = timedelta(days=(180 + 60) / 7)

    assert looks_after(monthly, NOW) == [NOW + gaps * gap for gaps in (1.5, 2.0, 3.0, 4.0)]


@given(purchases=histories)
def test_looks_do_not_move_when_old_purchases_are_forgotten(purchases: list[Purchase]) -> None:
    past = [purchase for purchase in purchases if purchase.at <= NOW]
    planned = looks_after(past, NOW)

    for look in planned:
        kept = [purchase for purchase in past if purchase.at >= look - REACH]
        assert looks_after(kept, look) == [later for later in planned if later > look]


def test_who_buys_daily_is_left_alone_for_a_week_and_a_half() -> None:
    found = looks_after(bought(*range(120)), NOW)

    assert [(look - NOW) / DAY for look in found] == [10.5, 17.5, 24.5, 31.5, 42.0]


def test_a_new_purchase_begins_anew() -> None:
    silent = bought(200, 100)
    back = [*silent, *bought(1)]

    assert next_look(silent, NOW) == NOW - 100 * DAY + 1.5 * 80 * DAY
    assert next_look(back, NOW) == NOW - 1 * DAY + 1.5 * timedelta(days=(199 + 60) / 3)


def test_nobody_is_looked_at_who_never_bought_or_long_ago() -> None:
    assert next_look([], NOW) is None
    assert next_look(bought(201), NOW) is None
    assert next_look(bought(1, 361), NOW - 370 * DAY) is None
