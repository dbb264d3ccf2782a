"""What a parcel looks like at an instant, and that nothing later shows in it."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.churn_predictor.facts import Facts
from services.churn_predictor.features import FEATURES, Values, features
from services.churn_predictor.learning import learn
from services.churn_predictor.parcels import parcels
from services.contracts.contacts import OpenedBy
from services.contracts.envelope import Event
from services.contracts.purchases import OrderApproved
from tests.factories import (
    DAY,
    HOUR,
    START,
    cancelled,
    delivered,
    handed_over,
    placed,
    promised,
    scanned,
    wrote,
)
from tests.unit.churn_predictor.happenings import approved

PROMISE = START + 10 * DAY
LIMIT = START + 3 * DAY


def learned(*events: Event[Any]) -> Facts:
    facts = Facts()
    for each in events:
        learn(facts, each)
    return facts


def seen(*events: Event[Any], at: datetime, histories: Any = None) -> Values:
    facts = learned(promised(by=PROMISE, ship_by=LIMIT, at=START), *events)
    if histories is not None:
        facts.orders["o-1"].histories = histories
    (parcel,) = parcels(facts)
    return features(parcel, facts, at)


moments = st.integers(0, 400).map(lambda hours: START + hours * HOUR)
any_event = st.one_of(
    st.builds(lambda at, n: placed(lines=n, sellers=n, at=at), moments, st.integers(1, 4)),
    st.builds(lambda at: approved(at=at), moments),
    st.builds(lambda at, by: promised(by=by, ship_by=by - 5 * DAY, at=at), moments, moments),
    st.builds(lambda at: handed_over(at=at), moments),
    st.builds(lambda at: scanned(at=at), moments),
    st.builds(lambda at: delivered(at=at), moments),
    st.builds(lambda at: cancelled(at=at), moments),
    st.builds(
        lambda at, k, by: wrote(k, by=by, at=at),
        moments,
        st.sampled_from(["k-1", "k-2"]),
        st.sampled_from(OpenedBy),
    ),
)


def test_only_what_the_customer_asked_counts_as_a_contact_about_the_order() -> None:
    asked, called = wrote("k-1", at=START), wrote("k-2", by=OpenedBy.AGENT, at=START)

    assert seen(asked, called, at=START + DAY)["contacts_about_order"] == 1.0


@given(
    events=st.lists(any_event, max_size=12),
    later=st.lists(any_event, max_size=12),
    at=moments,
    asked=st.booleans(),
)
def test_what_happens_later_never_changes_what_was_seen(
    events: list[Event[Any]], later: list[Event[Any]], at: datetime, asked: bool
) -> None:
    first = promised(by=PROMISE, ship_by=LIMIT, at=START)
    answers = {"shop_bad": (50.0, 25.0), "lane_transit": (9.0, 1e6)} if asked else None
    before = seen(first, *(e for e in events if e.time <= at), placed(at=START), at=at)
    after = seen(first, *events, *(e for e in later if e.time > at), placed(at=START), at=at)
    assert before == after

    # The histories of an order come with its approval, and not before.
    if all(each.time > at for each in events if isinstance(each.data, OrderApproved)):
        assert after == seen(first, *events, placed(at=START), at=at, histories=answers)


def test_every_feature_has_a_value_or_none() -> None:
    assert set(seen(at=START)) == set(FEATURES)
    assert set(seen(placed(at=START), at=START)) == set(FEATURES)


def test_an_order_on_its_way() -> None:
    found = seen(
        placed(lines=3, sellers=2, at=START - DAY),
        approved(at=START),
        handed_over(at=START + 4 * DAY),
        at=START + 7 * DAY,
    )

    assert found["lines"] == 3
    assert found["sellers"] == 2
    assert found["promise_days"] == 11
    assert found["approval_days"] == 1
    assert found["handling_days"] == 4
    assert found["days_past_ship_by"] == 1
    assert found["days_past_promise"] == -3
    assert found["is_with_carrier"] == 1
    assert found["days_with_carrier"] == 3
    # The promised day ends 11 days after the start, and it left after 4.
    assert found["slack_days"] == 7
    assert found["slack_after_transit_days"] == 7 - 10


def test_what_is_not_known_yet_has_no_value() -> None:
    found = seen(at=START)

    unknown = {name for name, value in found.items() if value is None}
    assert unknown == {"lines", "sellers", "approval_days", "handling_days", "days_with_carrier"}


def test_before_it_leaves_the_usual_handling_is_still_to_come() -> None:
    fresh = seen(approved(at=START), at=START)
    waiting = seen(approved(at=START), at=START + 2 * DAY)
    overdue = seen(approved(at=START), at=START + 5 * DAY)

    assert fresh["slack_after_transit_days"] == 11 - 10 - 3
    assert waiting["slack_after_transit_days"] == 9 - 10 - 1
    assert overdue["slack_after_transit_days"] == 6 - 10


def test_the_histories_of_an_order_show_in_its_rates() -> None:
    known = {"shop_bad": (80.0, 40.0), "lane_transit": (95.0, 95 * 20 * 86400.0)}
    found = seen(approved(at=START), at=START, histories=known)

    assert found["shop_bad_rate"] == found["seller_bad_rate"] == (40 + 20 * 0.15) / 100
    assert found["slack_after_transit_days"] == pytest.approx(11 - (95 * 20 + 5 * 10) / 100 - 3)


def test_what_is_far_off_is_cut() -> None:
    found = seen(approved(at=START), handed_over(at=START + DAY), at=START + 900 * DAY)

    assert found["days_past_promise"] == 60
    assert found["days_with_carrier"] == 90
    assert found["handling_days"] == 1


def test_an_estimate_counts_from_when_it_was_told_until_the_next() -> None:
    moved = [
        promised(by=PROMISE + n * DAY, at=START + n * DAY, event_id=f"e-{n}") for n in (2, 4, 1)
    ]

    assert [
        seen(*moved, at=START + n * DAY)["estimate_moved_days"] for n in (0, 1, 2, 3, 4, 99)
    ] == [0, 1, 2, 2, 4, 4]
