"""Customers who come, go and come back: small stories worked out by hand."""

from typing import ClassVar

from services.contracts.envelope import Event
from services.metrics.figures.customers import Customers
from services.metrics.figures.purchasing import Entries, Purchases
from services.metrics.state import State
from tests.unit.metrics.customer_stories import bought, cancelled, erased, merged, over
from tests.unit.metrics.stories import Read, at, counted, fold_all, folded, net


def customers(*story: Read) -> dict[str, float]:
    """Return what is counted of customers, less what was withdrawn, without the family's prefix."""
    figures = net(counted_with_zeros(folded(*story)))
    return {
        name.removeprefix("care_customers_"): value
        for name, value in figures.items()
        if name.startswith("care_customers_") and value
    }


def counted_with_zeros(state: State) -> dict[str, float]:
    """Return what is counted; with 0 where only something withdrawn is."""
    figures = counted(state)
    kept = {name.replace("_withdrawn", "") for name in figures}
    return dict.fromkeys(kept, 0.0) | figures


def test_a_first_purchase_makes_a_new_and_active_customer() -> None:
    """Two orders of one customer, ten days apart; twenty days after the second."""
    assert customers(bought("o-1", 0), bought("o-2", 10), over(30)) == {
        "new_total{}": 1,
        "active{window=90d}": 1,
        "active{window=180d}": 1,
        "by_rhythm{recency=30d,frequency=2}": 1,
    }


def test_nothing_counts_before_its_hour_is_over() -> None:
    """Bought at 00:30: not judged at 00:59, though that is later; judged at 01:00."""
    order = bought("o-1", 0.5 / 24)

    assert customers(order, over(0.99 / 24)) == {}
    assert customers(order, over(1 / 24))["new_total{}"] == 1


def test_who_buys_nothing_for_longer_than_the_window_has_lapsed() -> None:
    """Bought on day 0 at 00:00.  The 90 days end on day 90 at 00:00, in an hour that is over at 01:00;
    the 180 days likewise."""
    order = bought("o-1", 0)
    end, hour = 90, 1 / 24

    assert "lapsed_total{window=90d}" not in customers(order, over(end))
    assert customers(order, over(end + hour)) == {
        "new_total{}": 1,
        "lapsed_total{window=90d}": 1,
        "active{window=180d}": 1,
        "by_rhythm{recency=180d,frequency=1}": 1,
    }
    assert customers(order, over(2 * end + hour)) == {
        "new_total{}": 1,
        "lapsed_total{window=90d}": 1,
        "lapsed_total{window=180d}": 1,
        "by_rhythm{recency=365d,frequency=1}": 1,
    }
    assert customers(order, over(366)) == {
        "new_total{}": 1,
        "lapsed_total{window=90d}": 1,
        "lapsed_total{window=180d}": 1,
        "by_rhythm{recency=older,frequency=1}": 1,
    }


def test_a_gap_of_exactly_the_window_is_no_lapse() -> None:
    """Days 0 and 90, then 181: a gap of 90 days, which is not longer than 90, and one of 91."""
    found = customers(bought("o-1", 0), bought("o-2", 90), bought("o-3", 181), over(182))

    assert found["lapsed_total{window=90d}"] == found["returned_total{window=90d}"] == 1
    assert "lapsed_total{window=180d}" not in found
    assert found["by_rhythm{recency=30d,frequency=3-5}"] == 1


def test_somebody_may_lapse_and_return_many_times() -> None:
    """Days 0, 100, 300, 310, judged each day: gaps of 100 and 200 days lapse at 90, one of them at 180."""
    orders = [bought(f"o-{day}", day) for day in (0, 100, 300, 310)]
    story = [read for day in range(320) for read in (*orders_of(day, orders), over(day + 0.5))]

    expected = {
        "new_total{}": 1,
        "lapsed_total{window=90d}": 2,
        "returned_total{window=90d}": 2,
        "lapsed_total{window=180d}": 1,
        "returned_total{window=180d}": 1,
        "active{window=90d}": 1,
        "active{window=180d}": 1,
        "by_rhythm{recency=30d,frequency=3-5}": 1,
    }
    assert customers(*story) == expected
    assert not [name for name in counted(fold_all(story)) if "withdrawn" in name]
    assert customers(*orders, over(319)) == expected


def orders_of(day: int, orders: list[Read]) -> list[Read]:
    """Return the orders of this day."""
    return [order for order in orders if order.record == bought(f"o-{day}", day).record]


def test_a_purchase_told_late_takes_back_a_lapse() -> None:
    """Bought on day 0, lapsed on day 90; on day 95 we hear of an order on day 60."""
    state = folded(bought("o-1", 0), over(95), bought("o-2", 60))
    figures = counted(state)

    assert figures["care_customers_lapsed_total{window=90d}"] == 1
    assert figures["care_customers_lapsed_withdrawn_total{window=90d}"] == 1
    assert figures["care_customers_active{window=90d}"] == 1
    assert "care_customers_by_rhythm{recency=180d,frequency=1}" not in figures
    assert (
        counted(fold_all([bought("o-1", 0), bought("o-2", 60), over(95)])).items()
        >= {
            "care_customers_new_total{}": 1,
            "care_customers_active{window=90d}": 1,
            "care_customers_by_rhythm{recency=90d,frequency=2}": 1,
        }.items()
    )


def test_a_cancelled_order_is_no_purchase_whenever_it_is_told() -> None:
    """The only order is cancelled: no customer.  The second of two: one, since the first."""
    story = [bought("o-1", 0), cancelled("o-1", 1), over(5)]

    for told in (story, story[::-1], [story[0], story[2], story[1]]):
        assert customers(*told) == {}
    two = customers(bought("o-1", 0), bought("o-2", 85), over(86), cancelled("o-2", 86), over(91))
    assert two["lapsed_total{window=90d}"] == two["new_total{}"] == 1
    assert two["by_rhythm{recency=180d,frequency=1}"] == 1


def test_an_order_told_twice_is_one_purchase_at_its_earlier_instant() -> None:
    found = customers(bought("o-1", 2), bought("o-1", 1), bought("o-1", 2), over(10))

    assert found["by_rhythm{recency=30d,frequency=1}"] == 1


def test_two_ids_of_one_customer_are_one() -> None:
    """c-1 bought on day 0, c-2 on day 80; both new.  On day 100 they turn out to be one: one is new, and
    the lapse of c-1 on day 90 was none, for the gap is 80 days."""
    story = (bought("o-1", 0, "c-1"), bought("o-2", 80, "c-2"), over(100))

    assert customers(*story)["new_total{}"] == 2
    assert customers(*story)["lapsed_total{window=90d}"] == 1
    expected = {
        "new_total{}": 1,
        "active{window=90d}": 1,
        "active{window=180d}": 1,
        "by_rhythm{recency=30d,frequency=2}": 1,
    }
    merge = merged("c-2", "c-1", 100)
    assert customers(*story, merge) == customers(merge, *story) == expected
    later = bought("o-3", 101, "c-2")
    assert customers(*story, merge, later, over(102))["by_rhythm{recency=30d,frequency=3-5}"] == 1


def test_merges_in_a_circle_or_told_again_are_one_person() -> None:
    merges = (merged("c-1", "c-2", 1), merged("c-2", "c-1", 2), merged("c-1", "c-3", 3))
    orders = (bought("o-1", 0, "c-1"), bought("o-2", 0, "c-2"))

    for told in (merges + orders, orders + merges, merges[:1] * 2 + orders + merges[1:]):
        assert customers(*told, over(4))["new_total{}"] == 1


def test_who_is_erased_is_no_customer_and_stays_counted() -> None:
    """Bought on days 0 and 100, lapsed in between; erased on day 110, forgotten a day later."""
    story = (bought("o-1", 0), bought("o-2", 100), erased("c-1", 110))
    counts = {
        "new_total{}": 1,
        "lapsed_total{window=90d}": 1,
        "returned_total{window=90d}": 1,
    }

    for end in (111, 112, 300, 700):
        assert customers(*story, over(end)) == counts
    state = folded(*story, over(112))
    assert [len(packed) for packed in state.customers.purchases.packed.values()] == [4 + 8]
    assert folded(*story, over(112), over(600)).customers.purchases.packed == {}


def test_what_is_told_of_an_erased_customer_afterwards_counts_nothing() -> None:
    story = (bought("o-1", 0), erased("c-1", 10), over(12))

    assert customers(*story, bought("o-1", 0), bought("o-9", 5), cancelled("o-1", 5), over(20)) == {
        "new_total{}": 1
    }


def test_who_buys_after_an_erasure_is_a_new_customer() -> None:
    """Nobody knows them: no return, although 200 days lie between; new once more."""
    found = customers(bought("o-1", 0), erased("c-1", 10), over(12), bought("o-2", 200), over(201))

    assert found == {
        "new_total{}": 2,
        "active{window=90d}": 1,
        "active{window=180d}": 1,
        "by_rhythm{recency=30d,frequency=1}": 1,
    }


class Watched(Purchases):
    """Purchases that note at whom was looked."""

    looks: ClassVar[list[int]] = []

    def look(self, person: int) -> tuple[int, Entries]:
        """Note it, and look."""
        self.looks.append(person)
        return super().look(person)


def test_settling_looks_at_nobody_for_whom_nothing_changes() -> None:
    """A thousand customers who bought in one hour: once it is over, none is looked at until day 30."""
    state = Customers(purchases=Watched())
    for number in range(1_000):
        fold_into(state, bought(f"o-{number}", 0, f"c-{number}"))
    settle(state, 1)
    Watched.looks.clear()

    for second in range(24 * 29):
        settle(state, 1 + second / 24)
    assert Watched.looks == []
    settle(state, 30 + 1 / 24)
    assert len(set(Watched.looks)) == 1_000


def fold_into(state: Customers, read: Read) -> None:
    """Fold one event into this family alone."""
    assert isinstance(read.record, Event)
    state.fold(0, read.record)


def settle(state: Customers, day: float) -> None:
    """Say that this day has come."""
    state.settle(at(24 * day))
