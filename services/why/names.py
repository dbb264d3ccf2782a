"""Under which ids somebody is known.  Pure."""

from collections.abc import Iterable
from typing import Any

from services.contracts.envelope import Event
from services.contracts.people import CustomerMerged


def names(customer_id: str, events: Iterable[Event[Any]]) -> tuple[str, ...]:
    """Return this id and then, sorted, all others of the same person.

    Args:
        customer_id: Any of them.
        events: Those on `identities`.  Of several merges of one id the first counts.
    """
    merges = sorted(
        (event for event in events if isinstance(event.data, CustomerMerged)),
        key=lambda event: (event.time, event.source, event.id),
    )
    into: dict[str, str] = {}
    for event in merges:
        if event.data.into != event.customer_id:
            into.setdefault(event.customer_id, event.data.into)
    found: set[str] = set()
    joined = {customer_id}
    while joined:
        found |= joined
        pairs = [{gone, stays} for gone, stays in into.items()]
        joined = {name for pair in pairs if pair & found for name in pair} - found
    return (customer_id, *sorted(found - {customer_id}))
