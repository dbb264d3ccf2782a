"""A database older than what was said: nothing is decided and nothing sent until it is reconciled.

It is heeded like a pause, under the same lock (`pauses`): once the need is committed no send is started
and no decision made, in no replica.  Reading goes on, and what is published waits.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, exists, insert, select, update

from services.contracts import ids
from services.outreach import pauses
from services.outreach.tables import RECONCILIATIONS

_IS_OPEN = RECONCILIATIONS.c.reconciled_at.is_(None)


def is_needed(connection: Connection) -> bool:
    """Return whether this database must be reconciled; for those who look, and change nothing by it."""
    return bool(connection.execute(select(exists().where(_IS_OPEN))).scalar_one())


def is_needed_until_commit(connection: Connection) -> bool:
    """Return whether it must be, with an answer that holds until the transaction ends.

    To be asked after the customers are locked, with READ COMMITTED, as `pauses_in_force` is.
    """
    pauses.hold_against_pauses(connection)
    return is_needed(connection)


def need(connection: Connection, because: str, now: datetime) -> bool:
    """Stop deciding and sending as soon as the caller's transaction commits; False: it is stopped."""
    pauses.let_no_start_begin(connection)
    if is_needed(connection):
        return False
    since = now.astimezone(UTC)
    connection.execute(
        insert(RECONCILIATIONS).values(
            reconciliation_id=ids.derive("reconciliation", since.isoformat()),
            needed_since=since,
            because=because,
        )
    )
    return True


def finish(connection: Connection, by: str, now: datetime, found: dict[str, Any]) -> None:
    """Let deciding and sending go on as soon as the caller's transaction commits."""
    pauses.let_no_start_begin(connection)
    connection.execute(
        update(RECONCILIATIONS)
        .where(_IS_OPEN)
        .values(reconciled_at=now, reconciled_by=by, found=found)
    )
