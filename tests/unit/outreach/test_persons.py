"""Who is whom, whatever was heard first and however often."""

from datetime import datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.outreach.persons import Merge, Person, people_of
from tests.unit.outreach.factories import DAY, NOON

NAMES = "abcdef"
MERGES = st.lists(
    st.builds(
        Merge,
        st.sampled_from(NAMES),
        st.sampled_from(NAMES),
        st.integers(0, 9).map(lambda days: NOON + days * DAY),
    ),
    max_size=8,
)


def told(words: str) -> list[Merge]:
    """Return merges from `a>b b>c`, each a day after the last."""
    pairs = (word.split(">") for word in words.split())
    return [Merge(goes, stays, at(n)) for n, (goes, stays) in enumerate(pairs)]


def at(days: int) -> datetime:
    return NOON + days * DAY


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", ()),
        ("a>a", ()),
        ("a>b", (Person("b", {"a": at(0)}),)),
        ("a>b b>c", (Person("c", {"a": at(0), "b": at(1)}),)),
        ("b>c a>b", (Person("c", {"b": at(0), "a": at(1)}),)),
        ("a>b b>a", (Person("a", {"b": at(1)}),)),
        ("b>a a>b", (Person("b", {"a": at(1)}),)),
        ("a>b a>c", (Person("c", {"a": at(1), "b": at(0)}),)),
        ("a>b c>d", (Person("b", {"a": at(0)}), Person("d", {"c": at(1)}))),
        ("a>b a>b", (Person("b", {"a": at(1)}),)),
    ],
)
def test_who_stays_and_since_when(words: str, expected: tuple[Person, ...]) -> None:
    assert people_of(told(words)) == expected


@given(MERGES, st.randoms())
def test_it_does_not_matter_in_which_order_and_how_often(
    merges: list[Merge], chance: Random
) -> None:
    again = [*merges, *merges]
    chance.shuffle(again)

    assert people_of(again) == people_of(merges)


@given(MERGES)
def test_everybody_named_is_exactly_one_customer_and_linked_ids_are_the_same(
    merges: list[Merge],
) -> None:
    people = people_of(merges)
    whose = {name: person.customer_id for person in people for name in person.names}

    assert sum(len(person.names) for person in people) == len(whose)
    for merge in merges:
        if merge.goes != merge.stays:
            assert whose[merge.goes] == whose[merge.stays]


@given(MERGES)
def test_who_goes_nowhere_stays(merges: list[Merge]) -> None:
    going = {merge.goes for merge in merges if merge.goes != merge.stays}
    for person in people_of(merges):
        if person.names - going:
            assert person.customer_id not in going
