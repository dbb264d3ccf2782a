"""What a reconciliation puts back beside the ledger, and where everything it took in belongs by now.

The topic tells of customers under the names they had then.  Meanwhile two ids may be one customer, and
somebody may have been erased: what was taken in goes under who stays, or under nobody.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert

from services.contracts.envelope import Event
from services.contracts.outreach import OutreachBounced, OutreachJudged, Verdict, Withdrawal
from services.outreach import erasure, identities, ledger, positions, rows
from services.outreach.customer_locks import lock_customers
from services.outreach.pages.facts import Verdict as Said
from services.outreach.standing import State
from services.outreach.suppression import Keys, is_opaque
from services.outreach.tables import AGENDA, BOUNCES, FEEDBACK, SENDS

Told = Sequence[tuple[int, Event[Any]]]
"""Events of `outreach`, each with its customer's partition."""


def under_owners(
    connection: Connection, told: Told, owners: Mapping[UUID, str]
) -> list[tuple[int, Event[Any]]]:
    """Return the events as of those under whom their problems are kept by now.

    Args:
        connection: Whose transaction holds the names.
        told: As the topic has them.
        owners: Problem → its customer; an event of any other stays as it is.
    """
    found: list[tuple[int, Event[Any]]] = []
    for partition, event in told:
        owner = owners.get(event.data.problem_id, event.customer_id)
        if owner == event.customer_id:
            found.append((partition, event))
        elif is_opaque(owner):
            nameless = event.data.model_copy(update={"order_id": None})
            changed = {"partitionkey": owner, "data": nameless}
            found.append((partition, event.model_copy(update=changed)))
        else:
            home = positions.home_of(connection, owner)
            found.append((home, event.model_copy(update={"partitionkey": owner})))
    return found


def settle_erased(connection: Connection, told: Told) -> None:
    """Let nothing of who was erased be due, whatever was decided last."""
    steps = {event.data.step_id for _, event in told if is_opaque(event.customer_id)}
    if steps:
        connection.execute(
            update(AGENDA).where(AGENDA.c.step_id.in_(sorted(steps))).values(due_at=None)
        )


def withdraw_erased(connection: Connection, steps: Collection[UUID], now: datetime) -> None:
    """Take back which of these sends, of who was erased, are pending."""
    pending = connection.execute(
        select(SENDS)
        .where(SENDS.c.step_id.in_(sorted(steps)), SENDS.c.state == State.PENDING)
        .order_by(SENDS.c.step_id)
        .with_for_update()
    )
    for row in pending.all():
        ledger.withdraw(connection, rows.send_of(row), Withdrawal.CUSTOMER_ERASED, now)


def recall(connection: Connection, told: Told) -> None:
    """Know again which messages came back, and which were said not to have helped; of sends in the ledger.

    Of who was erased neither is known any more.
    """
    steps = {
        e.data.step_id
        for _, e in told
        if isinstance(e.data, OutreachBounced | OutreachJudged) and not is_opaque(e.customer_id)
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
