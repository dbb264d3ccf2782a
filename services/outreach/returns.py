"""Notes what came back in the database, with what is told of it; once, and only what the ledger knows."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from services.contracts.outreach import BounceKind
from services.contracts.people import Channel, MessageClass
from services.outreach import announce, identities, ledger, memory, outbox, rows
from services.outreach.announce import Send
from services.outreach.pages.storage import stop_writing
from services.outreach.returned_mail import Kind, Returned
from services.outreach.tables import BOUNCES, SENDS

_MAY_HAVE_LEFT = ("started", "sent", "unknown")
"""States of a send in which a mail may be on its way."""

_COMPLAINED_ABOUT = tuple(
    (each, Channel.EMAIL) for each in MessageClass if each is not MessageClass.SAFETY
)
"""What who calls a mail spam gets no more of: all mail, but warnings about safety."""


class Fate(StrEnum):
    """What became of a report."""

    HARD = "hard"
    """Noted: no mail goes to that address any more."""
    SOFT = "soft"
    """Noted, and no more than that."""
    COMPLAINT = "complaint"
    """Noted as the customer's no."""
    REPEATED = "repeated"
    """Noted before."""
    UNKNOWN = "unknown"
    """It names no mail that left here."""
    OTHER_ADDRESS = "other_address"
    """It speaks of another address than the customer has now."""


def take(connection: Connection, returned: Returned, now: datetime) -> Fate:
    """Note one report in the caller's transaction, and tell it."""
    identities.lock_owner(connection, ledger.owner_of(returned.step_id))
    found = connection.execute(
        select(SENDS).where(
            SENDS.c.step_id == returned.step_id,
            SENDS.c.message_id == returned.message_id,
            SENDS.c.channel == Channel.EMAIL.value,
            SENDS.c.state.in_(_MAY_HAVE_LEFT),
        )
    ).one_or_none()
    if found is None:
        return Fate.UNKNOWN
    send = rows.send_of(found)
    if returned.kind is Kind.COMPLAINT:
        is_new = stop_writing(connection, send, _COMPLAINED_ABOUT, now)
        return Fate.COMPLAINT if is_new else Fate.REPEATED
    profile = memory.profile_of(connection, send.customer_id)
    address = None if profile is None or profile.email is None else profile.email.lower()
    if address not in returned.recipients:
        return Fate.OTHER_ADDRESS
    if not _keep(connection, send, returned, found.started_at, now):
        return Fate.REPEATED
    event = announce.bounced(send, BounceKind(returned.kind.value), returned.status or "", now)
    outbox.put(connection, [outbox.event_record(event, send.partition, send.trace)])
    return Fate(returned.kind.value)


def _keep(
    connection: Connection, send: Send, returned: Returned, sent_at: datetime, now: datetime
) -> bool:
    """Keep a bounce; return whether it is the first of its kind of this mail."""
    values = {
        "step_id": send.step_id,
        "kind": returned.kind.value,
        "customer_id": send.customer_id,
        "status": returned.status,
        "sent_at": sent_at,
        "noted_at": now,
    }
    statement = insert(BOUNCES).on_conflict_do_nothing().returning(BOUNCES.c.step_id)
    return connection.execute(statement, values).one_or_none() is not None
