"""A file of tolerances: what it leaves out keeps its default, and what cannot be meant is refused."""

from datetime import timedelta

import pytest

from services.contracts.problems import ProblemKind
from services.contracts.tolerances import Tolerances, UnusableTolerances, read_tolerances

DAY = timedelta(days=1)


def test_the_expiry_of_one_kind_leaves_those_of_the_others_alone() -> None:
    found = read_tolerances(b'{"expiry_of": {"survey_poor": "P10D", "refund_overdue": "P90D"}}')

    assert found.expires_after(ProblemKind.SURVEY_POOR) == 10 * DAY
    assert found.expires_after(ProblemKind.REFUND_OVERDUE) == 90 * DAY
    for kind in set(ProblemKind) - {ProblemKind.SURVEY_POOR, ProblemKind.REFUND_OVERDUE}:
        assert found.expires_after(kind) == Tolerances().expires_after(kind)


def test_tolerances_survive_their_file() -> None:
    found = Tolerances(expiry_of={ProblemKind.LAPSE_RISK: 90 * DAY}, expiry=20 * DAY)

    assert read_tolerances(found.model_dump_json().encode()) == found


@pytest.mark.parametrize(
    ("content", "first", "second"),
    [
        (b'{"reply_days": 5, "reply_late_days": 2}', "reply_days", "reply_late_days"),
        (b'{"reply_days": 2}', "reply_days", "reply_late_days"),
        (b'{"pickup_days": 7}', "pickup_days", "pickup_late_days"),
        (b'{"pickup_late_days": 3}', "pickup_days", "pickup_late_days"),
    ],
)
def test_steps_of_one_watch_that_do_not_rise_are_refused(
    content: bytes, first: str, second: str
) -> None:
    with pytest.raises(UnusableTolerances, match=f"{first} must lie below {second}, but"):
        read_tolerances(content)


def test_steps_that_rise_are_taken() -> None:
    assert read_tolerances(b'{"reply_days": 5, "reply_late_days": 6}').reply_days == 5


@pytest.mark.parametrize(("settle", "cap"), [("PT2H", "PT2H"), ("PT3H", "PT2H")])
def test_a_feed_must_settle_before_its_silence_is_believed_anyway(settle: str, cap: str) -> None:
    content = f'{{"feed_settle": "{settle}", "feed_cap": "{cap}"}}'.encode()

    with pytest.raises(UnusableTolerances, match="feed_settle must lie below feed_cap"):
        read_tolerances(content)


def test_feeds_that_tell_in_order_need_no_time_to_settle() -> None:
    assert read_tolerances(b'{"feed_settle": 0}').feed_settle.total_seconds() == 0


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(UnusableTolerances) as caught:
        read_tolerances(b'{"reply_day": 1, "time_zone": "Mars"}')

    assert "/reply_day: " in str(caught.value)
    assert "/time_zone: " in str(caught.value)
