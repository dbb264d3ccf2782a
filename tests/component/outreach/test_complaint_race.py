"""Whoever writes to us at the moment of a notice: it never leaves after their word was committed."""

import pytest

from bench.complaint_race import race

pytestmark = pytest.mark.connected


def test_no_notice_is_started_after_the_complaint_was_committed(url: str) -> None:
    raced = race(url, rounds=150, seed=7)

    assert raced.started_after_a_complaint == 0
    assert raced.started_first + raced.complained_first == raced.rounds
    # Else the race was none.
    assert min(raced.started_first, raced.complained_first) > 0
