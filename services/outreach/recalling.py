"""What a reconciliation puts back beside the ledger, and where everything it took in belongs by now.

The topic tells of customers under the names they had then.  Meanwhile two ids may be one customer, and
somebody may have been erased: what was taken in goes under who stays, or under nobody.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from services.contracts.envelope import Event
from services.contracts.outreach import OutreachBounced, OutreachJudged, Verdict
from services.outreach import erasure, identities
from services.outreach.customer_locks import lock_customers
from services.outreach.pages.facts import Verdict as Said
from services.outreach.suppression import Keys
from services.outreach.tables import BOUNCES, FEEDBACK, SENDS


def recall(connection: Connection, told: Sequence[tuple[int, Event[Any]]]) -> None:
    """Know again which messages came back, and which were said not to have helped; of sends in the ledger."""
    steps = {
        e.data.step_id for _, e in told if isinstance(e.data, OutreachBounced | OutreachJudged)
    }
    if not steps:
        return
    query = select(SENDS.c.step_id, SENDS.c.started_at).where(SENDS.c.step_id.in_(steps))
    began = {row.step_id: row.started_at for row in connection.execute(query)}
    for partition, event in told:
        match event.data:
            case OutreachBounced(step_id=step) if step in began:
                values = _bounce(event, began[step] or event.time)
                connection.execute(insert(BOUNCES).values(values).on_conflict_do_nothing())
            case OutreachJudged(step_id=step, verdict=Verdict.NOT_HELPED) if step in began:
                values = _feedback(event, partition)
                connection.execute(insert(FEEDBACK).values(values).on_conflict_do_nothing())


def put_under_names_of_today(
    connection: Connection, names: Iterable[str], keys: Keys | None, now: datetime
) -> None:
    """Put what lies under these names under who stays, and under nobody what was erased."""
    wanted = sorted(set(names))
    identities.hold(connection, alone=True)
    lock_customers(connection, identities.linked(connection, wanted))
    if keys is not None:
        standing = identities.standing_of(connection, wanted, keys)
        for name, until in sorted(standing.erased.items()):
            erasure.erase(connection, name, until, keys, now)
    identities.gather(connection, wanted)


def _bounce(event: Event[Any], began: datetime) -> dict[str, Any]:
    fact = event.data
    return {
        "step_id": fact.step_id,
        "kind": fact.kind.value,
        "customer_id": event.customer_id,
        "status": fact.status,
        "sent_at": began,
        "noted_at": event.time,
    }


def _feedback(event: Event[Any], partition: int) -> dict[str, Any]:
    return {
        "step_id": event.data.step_id,
        "verdict": Said.DID_NOT_HELP.value,
        "customer_id": event.customer_id,
        "partition": partition,
        "said_at": event.time,
    }
