"""Everything the database knows about one customer, under every name."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from services.outreach import identities
from services.outreach.erasure import OF_CUSTOMERS
from services.outreach.persons import Person
from services.outreach.standing import State
from services.outreach.suppression import CUSTOMER
from services.outreach.tables import MERGES, SENDS, SOURCE_POSITIONS, SUPPRESSIONS

_NOT_ABOUT_THEM = frozenset({"owner", "address_hashes"})
"""Columns that say something about us, or nothing to anybody."""


def everything_about(connection: Connection, customer: str) -> dict[str, Any]:
    """Return what is known, ready for JSON but for dates and ids: the names, and the rows of each table."""
    person = identities.person_of(connection, customer)
    names = sorted(person.names)
    found: dict[str, Any] = {
        "customer_id": person.customer_id,
        "names": names,
        "merges": _rows(connection, MERGES, MERGES.c.goes.in_(names) | MERGES.c.stays.in_(names)),
    }
    for table in OF_CUSTOMERS:
        found[table.name] = _rows(connection, table, table.c.customer_id.in_(names))
    return found


def rows_about(connection: Connection, person: Person) -> int:
    """Return how many rows name this customer."""
    return sum(
        int(
            connection.execute(
                select(func.count())
                .select_from(table)
                .where(table.c.customer_id.in_(sorted(person.names)))
            ).scalar_one()
        )
        for table in OF_CUSTOMERS
    )


def pending_about(connection: Connection, person: Person) -> int:
    """Return how many messages wait to be sent to this customer."""
    query = select(func.count()).where(
        SENDS.c.customer_id.in_(sorted(person.names)), SENDS.c.state == State.PENDING
    )
    return int(connection.execute(query).scalar_one())


def read_until(connection: Connection, topic: str) -> Mapping[int, int]:
    """Return partition → the offset up to which outreach has applied this topic."""
    query = select(SOURCE_POSITIONS).where(SOURCE_POSITIONS.c.topic == topic)
    return {row.partition: row.next_offset for row in connection.execute(query)}


def erasures_at(connection: Connection) -> frozenset[datetime]:
    """Return until when customers were forgotten; whose instant it is nobody can tell without the key."""
    query = select(SUPPRESSIONS.c.erased_at).where(SUPPRESSIONS.c.kind == CUSTOMER).distinct()
    return frozenset(connection.execute(query).scalars())


def _rows(connection: Connection, table: Any, condition: Any) -> list[dict[str, Any]]:
    query = select(table).where(condition).order_by(*table.primary_key.columns)
    found = connection.execute(query)
    return [
        {name: value for name, value in row._mapping.items() if name not in _NOT_ABOUT_THEM}
        for row in found
    ]
