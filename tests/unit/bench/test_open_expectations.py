"""A small town: whose turn it is, and nobody else, is looked at; what is open is counted."""

from bench.open_expectations import Cost, Hosted, Town, at_turn, compare, index_bytes, summary
from tests.factories import HOUR

TOWN = Town(customers=60, parcels=3, due=5, rounds=4)


def filled() -> tuple[Hosted, int]:
    hosted = Hosted()
    return hosted, hosted.settle_in(TOWN, range(TOWN.customers))


def test_every_parcel_and_every_rhythm_is_open() -> None:
    hosted, opened = filled()

    assert opened == 60 * (3 + 1)
    assert len(hosted.begun_anew().stream.partition.due) == 60
    assert len(hosted.stream.partition.waiting) == 4, "one of ten, of those who have no turn"


def test_a_parcel_that_has_come_is_not_open_any_more() -> None:
    town = Town(customers=60, parcels=3, due=5, rounds=4)
    hosted, _ = filled()
    at_end = at_turn(town.rounds)

    for number in range(town.rounds):
        assert hosted.tick(at_turn(number) - HOUR / 2) == 0
        assert hosted.tick(at_turn(number)) == town.due
    assert hosted.tick(at_end) == 0


def test_a_restart_forgets_nothing_and_decodes_nobody() -> None:
    hosted, _ = filled()
    anew = hosted.begun_anew()

    assert anew.tick(at_turn(0)) == hosted.tick(at_turn(0)) == 5
    assert dict(anew.store.items()) == dict(hosted.store.items())
    assert index_bytes(anew.store) > 60 * 100


def test_both_partitions_look_at_the_same_number_in_each_round() -> None:
    full, _ = filled()
    alone = []
    for number in range(TOWN.rounds):
        small = Hosted()
        small.settle_in(TOWN, TOWN.turn(number))
        alone.append(small)

    found = summary(compare(full, alone))

    assert found["looked_at"] == {
        "nobody full": [0], "nobody alone": [0], "due full": [5], "due alone": [5],
    }  # fmt: skip


def test_the_ratio_is_that_of_the_medians() -> None:
    def taken(*seconds: float) -> list[Cost]:
        return [Cost(each, 1) for each in seconds]

    found = summary(
        {
            "due full": taken(1, 4, 100),
            "due alone": taken(2, 2, 2),
            "nobody full": taken(1),
            "nobody alone": taken(1),
        }
    )

    assert found["median_milliseconds"]["due full"] == 4000
    assert found["ratio"] == {"due": 2.0, "nobody": 1.0}
