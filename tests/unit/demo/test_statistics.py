"""Quantiles and intervals against values worked out elsewhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.demo.statistics import quantile, wilson


def test_quantiles_lie_between_the_order_statistics() -> None:
    assert quantile([4, 1, 3, 2], 0.5) == 2.5
    assert quantile([5], 0.9) == 5
    assert quantile([0, 10], 0.1) == pytest.approx(1)
    assert quantile([], 0.5) is None


def test_wilson_gives_the_published_interval() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263 gives 0.2553 to 0.3662.
    interval = wilson(81, 263)
    assert interval is not None
    assert interval == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 0) is None


@given(st.integers(0, 200), st.integers(1, 200))
def test_an_interval_holds_its_share_and_stays_within_zero_and_one(hits: int, more: int) -> None:
    trials = hits + more
    interval = wilson(hits, trials)
    assert interval is not None
    assert 0 <= interval[0] <= hits / trials <= interval[1] <= 1
