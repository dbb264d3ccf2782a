"""Under which ids somebody is known.  Pure."""

from collections.abc import Iterable
from typing import Any

from services.contracts.envelope import Event
from services.contracts.identities import Merge, that_count, who_stays
from services.contracts.people import CustomerMerged


def names(customer_id: str, events: Iterable[Event[Any]]) -> tuple[str, ...]:
    """Return this id and then, sorted, all others of the same person.

    Args:
        customer_id: Any of them.
        events: Those on `identities`, each partition's in its order.
    """
    merges = (e for e in events if isinstance(e.data, CustomerMerged))
    counting = that_count(Merge(e.customer_id, e.data.into, e.time) for e in merges)
    customer = who_stays(customer_id, counting)
    found = {name for name in counting if who_stays(name, counting) == customer} | {customer}
    return (customer_id, *sorted(found - {customer_id}))
