"""Which of several ids is the customer."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.identities import Merge, that_count, who_stays
from tests.factories import START

NAMES = "abcdef"
MERGES = st.lists(
    st.builds(Merge, st.sampled_from(NAMES), st.sampled_from(NAMES), st.just(START)), max_size=9
)


def all_who_stay(merges: list[Merge]) -> dict[str, str]:
    counting = that_count(merges)
    return {name: who_stays(name, counting) for name in NAMES}


@pytest.mark.parametrize(
    ("words", "stays"),
    [
        ("", "a"),
        ("a>a", "a"),
        ("a>b b>c", "c"),
        ("b>c a>b", "c"),
        # The second word about an id counts for nothing.
        ("a>b a>c", "b"),
        ("a>c a>b", "c"),
        ("a>a a>b", "b"),
        # A circle, and a way that leads into one.
        ("a>b b>a", "a"),
        ("b>a a>b", "a"),
        ("c>d d>b b>c a>c", "b"),
        # What is told of who stays in a circle is no first word either.
        ("a>b b>a a>c", "a"),
    ],
)
def test_who_stays(words: str, stays: str) -> None:
    pairs = (word.split(">") for word in words.split())
    merges = [Merge(goes, into, START) for goes, into in pairs]

    assert all_who_stay(merges)["a"] == stays


@given(MERGES, st.randoms())
def test_only_the_order_of_what_is_told_of_one_id_matters_and_repeating_does_not(
    merges: list[Merge], chance: Random
) -> None:
    queues = {name: [m for m in merges if m.goes == name] for name in NAMES}
    order = [m.goes for m in merges]
    chance.shuffle(order)
    mixed = [queues[goes].pop(0) for goes in order]

    assert all_who_stay([*mixed, *merges]) == all_who_stay(merges)


@given(MERGES)
def test_every_way_ends_at_one_who_stays_themselves(merges: list[Merge]) -> None:
    stay = all_who_stay(merges)

    for name, customer in stay.items():
        assert stay[customer] == customer
        assert name == customer or name in that_count(merges)
    for merge in that_count(merges).values():
        assert stay[merge.goes] == stay[merge.stays]
