"""What a customer may get as of now, and the words that stop it for good.  Pure."""

from collections.abc import Iterable
from datetime import datetime

from services.contracts import ids
from services.contracts.outreach import SOURCE
from services.contracts.people import ConsentChanged, ConsentStatus
from services.outreach.consent import ALLOWED_WITHOUT_RECORD, consent_in_force
from services.outreach.facts import ConsentStatement
from services.outreach.pages.reading import Stop

Statements = tuple[ConsentStatement, ...]


def is_allowed(statements: Statements, stop: Stop, now: datetime) -> bool:
    """Return whether we may write in this class on this channel, as the gate of consent sees it."""
    found = _in_force(statements, stop, now)
    if found is None:
        return ALLOWED_WITHOUT_RECORD[stop[0]]
    return found.status is ConsentStatus.GRANTED


def denials(
    statements: Statements, stops: Iterable[Stop], customer_id: str, now: datetime
) -> Statements:
    """Return what has to be said so that none of these is allowed from now on; empty where nothing has.

    Args:
        statements: Everything this customer has said.
    """
    return tuple(
        _denial(statements, stop, customer_id, now)
        for stop in stops
        if not _is_stopped_for_good(statements, stop, now)
    )


def _is_stopped_for_good(statements: Statements, stop: Stop, now: datetime) -> bool:
    found = _in_force(statements, stop, now)
    if found is None or found.status is ConsentStatus.GRANTED or found.valid_until is not None:
        return False
    # A yes that was said later and begins later would count again from its beginning.
    return all(
        s.said_at <= found.said_at
        for s in _about(statements, stop)
        if s.status is ConsentStatus.GRANTED
    )


def _denial(
    statements: Statements, stop: Stop, customer_id: str, now: datetime
) -> ConsentStatement:
    # The last word counts, and of two at one time the no: another system's clock may be ahead.
    said_at = max((now, *(s.said_at for s in _about(statements, stop))))
    message_class, channel = stop
    spoken = (customer_id, message_class.value, channel.value, said_at.isoformat())
    return ConsentStatement(
        source=SOURCE,
        event_id=str(ids.derive("outreach", ConsentChanged.TYPE, *spoken)),
        customer_id=customer_id,
        message_class=message_class,
        channel=channel,
        status=ConsentStatus.DENIED,
        said_at=said_at,
        valid_from=None if said_at == now else now,
    )


def _in_force(statements: Statements, stop: Stop, now: datetime) -> ConsentStatement | None:
    return consent_in_force(statements, *stop, now)


def _about(statements: Statements, stop: Stop) -> Iterable[ConsentStatement]:
    return (s for s in statements if (s.message_class, s.channel) == stop)
