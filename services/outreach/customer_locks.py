"""One at a time decides, sends or learns about a customer: advisory locks until a transaction ends."""

from collections.abc import Iterable
from hashlib import blake2b

from sqlalchemy import Connection, text


def lock_customers(connection: Connection, customers: Iterable[str]) -> None:
    """Let nobody else decide, send or learn about these customers until the transaction ends.

    Everybody takes these locks first and in one order, so that nobody waits in a circle.
    """
    keys = sorted(_lock_key(customer) for customer in set(customers))
    if keys:
        connection.execute(
            text("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key"),
            {"keys": keys},
        )


def try_lock_customer(connection: Connection, customer: str) -> bool:
    """Do the same for one customer, or return False at once where somebody else has them."""
    taken: bool = connection.execute(
        text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _lock_key(customer)}
    ).scalar_one()
    return taken


def _lock_key(customer: str) -> int:
    return int.from_bytes(blake2b(customer.encode(), digest_size=8).digest(), "big", signed=True)
