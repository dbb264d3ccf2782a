"""Due index, heard feeds, features."""

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from services.churn_predictor.due import DueIndex
from services.churn_predictor.facts import Facts
from services.churn_predictor.features import features
from services.churn_predictor.learning import learn
from services.churn_predictor.parcels import parcels
from tests.factories import DAY, HOUR, START, promised

plans = st.lists(st.tuples(st.sampled_from("abcd"), st.none() | st.integers(0, 20)), max_size=30)


@given(plans=plans, until=st.integers(0, 20))
def test_the_due_index_agrees_with_a_plain_dictionary(
    plans: list[tuple[str, int | None]], until: int
) -> None:
    index, model = DueIndex(), dict[str, datetime]()
    for customer, hours in plans:
        at = None if hours is None else START + hours * HOUR
        index.plan(customer, at)
        model.pop(customer, None)
        if at is not None:
            model[customer] = at
    now = START + until * HOUR

    assert index.next() == min(model.values(), default=None)
    assert index.take(now) == {customer for customer, at in model.items() if at <= now}
    assert index.next() == min((at for at in model.values() if at > now), default=None)


def test_an_estimate_told_after_the_decision_point_does_not_count_in_it() -> None:
    facts = Facts()
    learn(facts, promised(by=START + 5 * DAY, at=START))
    learn(facts, promised(by=START + 9 * DAY, at=START + 4 * DAY))
    (parcel,) = parcels(facts)

    assert features(parcel, facts, START + 3 * DAY)["estimate_moved_days"] == 0
    assert features(parcel, facts, START + 4 * DAY)["estimate_moved_days"] == 4
