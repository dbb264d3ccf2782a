"""Slices are cut fairly; a partition number whose topics went different ways is refused."""

import pytest
from faust.types import TP

from services.kit.slices import SLICE, TornApart, cut, numbers

TOPICS = frozenset({"a", "b"})


def test_slices_take_turns_over_the_partitions() -> None:
    long, short = TP("a", 0), TP("a", 1)

    pieces = list(cut({long: list(range(2 * SLICE + 1)), short: [7]}))

    assert [(tp, len(records)) for tp, records in pieces] == [
        (long, SLICE),
        (short, 1),
        (long, SLICE),
        (long, 1),
    ]
    assert [record for tp, records in pieces if tp == long for record in records] == list(
        range(2 * SLICE + 1)
    )


def test_whole_numbers_are_owned() -> None:
    assert numbers({TP(t, n) for t in TOPICS for n in (0, 3)}, TOPICS) == {0, 3}
    assert numbers(set(), TOPICS) == frozenset()


def test_a_number_whose_topics_went_different_ways_is_refused() -> None:
    with pytest.raises(TornApart):
        numbers({TP("a", 0), TP("b", 1), TP("b", 0)}, TOPICS)
