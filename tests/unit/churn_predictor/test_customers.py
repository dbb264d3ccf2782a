"""Customers in memory and in a store are the same, whatever is cached, changed or dropped."""

from hypothesis import given
from hypothesis import strategies as some

from services.churn_predictor import state as st
from services.churn_predictor.customers import PLAN, Customers
from services.churn_predictor.state import CustomerState
from services.kit.stores import MemoryStore
from tests.factories import START

NAMES = some.sampled_from(["c-1", "c-2", "c-3"])
STEPS = some.lists(some.tuples(some.sampled_from(["change", "drop", "commit", "get"]), NAMES))


@given(STEPS)
def test_a_small_cache_shows_the_same_customers_as_none(steps: list[tuple[str, str]]) -> None:
    store = MemoryStore()
    customers = Customers(store, cached=1)
    expected: dict[str, int] = {}
    for number, (what, name) in enumerate(steps):
        if what == "change":
            customers.change(name).seen[str(number)] = START
            expected[name] = expected.get(name, 0) + 1
        elif what == "drop":
            customers.drop(name)
            expected.pop(name, None)
        elif what == "commit":
            store.keep(list(customers.changes()), number)
            customers.settle()
        found = customers.get(name)
        assert (0 if found is None else len(found.seen)) == expected.get(name, 0)
    store.keep(list(customers.changes()), len(steps))
    assert {key.decode() for key, _ in store.items()} == expected.keys()


def test_an_uncommitted_change_survives_a_full_cache() -> None:
    customers = Customers(MemoryStore(), cached=1)
    customers.change("c-1").touched = True
    for n in range(5):
        customers.change(f"other-{n}")

    found = customers.get("c-1")

    assert found is not None
    assert found.touched


def test_the_plan_is_read_out_of_a_customers_bytes() -> None:
    customer = CustomerState(seen={"x": START}, touched=True, due=START)

    plan = PLAN.validate_json(st.CUSTOMER.dump_json(customer))

    assert (plan.touched, plan.due) == (True, START)
