"""Who is known under several ids."""

from typing import Any

from services.contracts.envelope import Event
from services.contracts.people import CustomerErased, CustomerMerged
from services.why.names import names
from tests.factories import HOUR, START, event


def merged(customer: str, into: str, hours: int = 0) -> Event[Any]:
    return event(CustomerMerged(into=into), customer=customer, at=START + hours * HOUR)


def test_who_was_never_merged_has_one_name() -> None:
    others = [merged("c-2", "c-3"), merged("c-1", "c-1"), event(CustomerErased(), customer="c-1")]

    assert names("c-1", others) == ("c-1",)


def test_both_ids_of_a_merge_are_one_and_chains_and_circles_too() -> None:
    chain = [merged("c-3", "c-1"), merged("c-2", "c-3"), merged("c-8", "c-9")]
    circle = [*chain, merged("c-1", "c-2")]

    assert names("c-2", chain) == ("c-2", "c-1", "c-3")
    assert names("c-1", circle) == ("c-1", "c-2", "c-3")


def test_of_two_merges_of_one_id_the_one_told_first_counts() -> None:
    told = [merged("c-1", "c-2", 2), merged("c-1", "c-3", 1)]

    assert names("c-1", told) == ("c-1", "c-2")
    assert names("c-3", told) == ("c-3",)
