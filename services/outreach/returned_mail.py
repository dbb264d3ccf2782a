"""What a mail that came back tells: a delivery status (RFC 3464), or a complaint (RFC 5965).  Pure.

Whoever can put a mail where it is read may have written it: nothing in it is believed before the ledger
knows the message that it names.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, message_from_string
from email.message import Message
from enum import StrEnum
from uuid import UUID

MAX_BYTES = 5_000_000
"""Longer ones are not looked at."""

_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_MESSAGE_ID = re.compile(r"<([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})@[^<>@\s]{1,253}>")
"""As ours are named: by their step."""


class Kind(StrEnum):
    """Why a mail came back."""

    HARD = "hard"
    """It can never be delivered there: a status of 5.x.x."""
    SOFT = "soft"
    """It was given up after temporary trouble: 4.x.x."""
    COMPLAINT = "complaint"
    """Its recipient calls it spam."""


@dataclass(frozen=True, slots=True)
class Returned:
    """One mail of ours that came back."""

    kind: Kind
    message_id: str
    """As ours was named, with its angle brackets."""
    step_id: UUID
    """That it was named by."""
    status: str | None = None
    """RFC 3463; None: of a complaint."""
    recipients: frozenset[str] = field(default=frozenset(), repr=False)
    """To whom it had gone, in lower case; empty: not told."""


def read(raw: bytes) -> Returned | None:
    """Return what a mail tells of one of ours; None: it is no such report, or says nothing for good.

    A delay, after which the mail may still arrive, says nothing for good.
    """
    if len(raw) > MAX_BYTES:
        return None
    try:
        return _read(message_from_bytes(raw))
    except Exception:  # noqa: BLE001 - the standard library fails in many ways at what is no mail
        return None


def _read(mail: Message) -> Returned | None:
    if mail.get_content_type() != "multipart/report" or not mail.is_multipart():
        return None
    parts = [part for part in mail.get_payload() if isinstance(part, Message)]
    found = next(filter(None, map(_original, parts)), None)
    if found is None:
        return None
    original = (found.group(), UUID(found.group(1)))
    match str(mail.get_param("report-type", "")).lower():
        case "delivery-status":
            return _of_delivery(parts, original)
        case "feedback-report" if any(_is_abuse(part) for part in parts):
            return Returned(Kind.COMPLAINT, *original)
    return None


def _original(part: Message) -> re.Match[str] | None:
    """Return the name of the mail of ours that is sent back within this part, or its headers are."""
    match part.get_content_type():
        case "message/rfc822":
            payload = part.get_payload()
            inner = _first(payload)
        case "text/rfc822-headers":
            content = part.get_payload(decode=True)
            text = content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
            inner = message_from_string(text)
        case _:
            inner = None
    return None if inner is None else _MESSAGE_ID.fullmatch(_value(inner, "Message-ID"))


def _of_delivery(parts: list[Message], original: tuple[str, UUID]) -> Returned | None:
    for block in _blocks(parts):
        status = _STATUS.match(_value(block, "Status"))
        if _value(block, "Action").lower() != "failed" or status is None:
            continue
        names = (_value(block, name) for name in ("Original-Recipient", "Final-Recipient"))
        recipients = frozenset(name.rpartition(";")[2].strip().lower() for name in names if name)
        kind = Kind.HARD if status.group().startswith("5") else Kind.SOFT
        return Returned(kind, *original, status.group(), recipients)
    return None


def _blocks(parts: list[Message]) -> Iterator[Message]:
    """Yield the groups of fields in which a report speaks of one recipient each."""
    for part in parts:
        payload = part.get_payload()
        if part.get_content_type() == "message/delivery-status" and isinstance(payload, list):
            yield from (block for block in payload if isinstance(block, Message))


def _is_abuse(part: Message) -> bool:
    """Whether this part says that somebody complained."""
    if part.get_content_type() != "message/feedback-report":
        return False
    payload = part.get_payload()
    fields = _first(payload) or message_from_string(str(payload))
    return _value(fields, "Feedback-Type").lower() == "abuse"


def _first(payload: object) -> Message | None:
    """Return the mail that another one holds."""
    found = payload[0] if isinstance(payload, list) and payload else None
    return found if isinstance(found, Message) else None


def _value(fields: Message, name: str) -> str:
    return str(fields.get(name, "")).strip()
