"""Who is whom, with all names, by the one rule."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.identities import Merge, that_count, who_stays
from services.outreach.persons import Person, people_of, person_among
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
        ("b>a a>b", (Person("a", {"b": at(0)}),)),
        ("a>b a>c", (Person("b", {"a": at(0)}),)),
        ("a>b c>d", (Person("b", {"a": at(0)}), Person("d", {"c": at(1)}))),
        ("a>b a>b", (Person("b", {"a": at(0)}),)),
    ],
)
def test_who_stays_and_since_when(words: str, expected: tuple[Person, ...]) -> None:
    assert people_of(told(words)) == expected


@given(MERGES)
def test_everybody_named_is_exactly_one_customer_the_one_who_stays(merges: list[Merge]) -> None:
    people, counting = people_of(merges), that_count(merges)

    for name in NAMES:
        person = person_among(people, name)
        assert person.customer_id == who_stays(name, counting)
        assert person.customer_id not in person.others
        assert name in person.names
    assert sum(len(person.names) for person in people) == len({n for p in people for n in p.names})
