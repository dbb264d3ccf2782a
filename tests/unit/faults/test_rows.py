"""Which rows there are, and that each disturbance strikes as it says."""

from random import Random

import pytest

from tests.faults.disturbances import DISTURBANCES
from tests.faults.loads import FULL, QUICK
from tests.faults.rows import STORES, UnknownRow, asked, planned
from tests.faults.strikes import Moment, spread

ALONE = {
    "none", "kill", "terminate", "empty_store", "deadly_record", "freeze_worker",
    "broker_restart", "broker_kill", "broker_freeze", "remade_topic",
}  # fmt: skip
TOGETHER = {"join", "leave", "kill_one", "freeze_one", "joins_and_kills", "scale"}


def test_every_disturbance_meets_every_store_with_three_seeds_where_workers_share() -> None:
    found = {(row.disturbance, row.store, row.seed) for row in planned(FULL)}

    alone = {(name, store, 1) for name in ALONE for store in STORES}
    together = {(name, store, n) for name in TOGETHER for store in STORES for n in (1, 2, 3)}
    assert found == alone | together
    assert len(planned(FULL)) == len(found)


def test_the_quick_rows_are_some_of_the_full_ones_with_both_stores() -> None:
    quick = {(row.disturbance, row.store, row.seed) for row in planned(QUICK)}

    assert quick < {(row.disturbance, row.store, row.seed) for row in planned(FULL)}
    assert {store for _, store, _ in quick} == set(STORES)
    assert {row.load for row in planned(QUICK)} == {QUICK}


def test_a_row_is_asked_for_by_name_store_and_seed() -> None:
    (row,) = asked("kill_one/rocksdb", 7, FULL)
    assert (row.disturbance, row.store, row.seed) == ("kill_one", "rocksdb", 7)
    assert [(r.store, r.seed) for r in asked("kill", None, FULL)] == [("memory", 1), ("rocksdb", 1)]
    assert len(asked("join", None, FULL)) == 6


@pytest.mark.parametrize(
    ("name", "hint"), [("earthquake", "kill_one"), ("kill/paper", "memory, rocksdb")]
)
def test_an_unknown_row_is_told_with_what_there_is(name: str, hint: str) -> None:
    with pytest.raises(UnknownRow, match=hint):
        asked(name, None, FULL)


def test_rows_have_folders_of_their_own() -> None:
    rows = [*planned(FULL), *planned(QUICK)]
    assert len({row.name for row in rows}) == len(rows)


@pytest.mark.parametrize(
    ("name", "times"),
    [("none", 0), ("kill", 5), ("terminate", 4), ("kill_one", 5), ("scale", 10), ("leave", 1)],
)
def test_strikes_fall_as_often_as_promised_and_leave_time_to_recover(name: str, times: int) -> None:
    for seed in range(20):
        strikes = DISTURBANCES[name].plan(Random(seed))
        assert len(strikes) == times
        assert all(0.0 < strike.share < 0.81 for strike in strikes)


def test_two_workers_are_killed_in_turn() -> None:
    strikes = DISTURBANCES["kill_one"].plan(Random(1))
    assert [strike.what.split()[-1] for strike in strikes] == [
        "churn_predictor",
        "churn_predictor-2",
    ] * 2 + ["churn_predictor"]


def test_only_who_is_struck_is_held_still_before() -> None:
    for name in ("kill", "kill_one", "terminate", "empty_store"):
        for strike in DISTURBANCES[name].plan(Random(2)):
            assert set(strike.pent_up) <= {strike.what.split()[-1]}
            assert bool(strike.pent_up) == (strike.moment is Moment.TICK)


def test_strikes_are_spread_one_in_each_stretch() -> None:
    shares = spread(Random(3), 5, first=0.0, last=1.0)
    assert [int(share * 5) for share in shares] == [0, 1, 2, 3, 4]
