"""The record of what people did through the API: only added to, in the transaction of what was done."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy.dialects.postgresql import insert as insert_or_pass

from services.kit.api_keys import Key
from services.outreach.tables import ACTIONS


class What(StrEnum):
    """What was done."""

    TASK_DONE = "task_done"
    SEND_RESOLVED = "send_resolved"
    PAUSED = "paused"
    RESUMED = "resumed"
    BREAKER_APPROVED = "breaker_approved"
    BREAKER_REJECTED = "breaker_rejected"


SETTLING = (What.TASK_DONE, What.SEND_RESOLVED)
"""Said of a step once, and for good."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and when."""

    key: Key
    by: str
    at: datetime


def record(connection: Connection, actor: Actor, what: What, target: str, **detail: Any) -> None:
    """Add to the record."""
    connection.execute(insert(ACTIONS).values(_row(actor, what, target, detail)))


def settle(connection: Connection, actor: Actor, what: What, target: str, **detail: Any) -> bool:
    """Add what is said of a step once; False where it was said before."""
    statement = insert_or_pass(ACTIONS).on_conflict_do_nothing().returning(ACTIONS.c.seq)
    row = _row(actor, what, target, detail)
    return connection.execute(statement, row).one_or_none() is not None


def detail_of(connection: Connection, what: What, target: str) -> Mapping[str, Any] | None:
    """Return what was said of a step, or None where nobody has."""
    found: Mapping[str, Any] | None = connection.execute(
        select(ACTIONS.c.detail).where(ACTIONS.c.what == what, ACTIONS.c.target == target)
    ).scalar_one_or_none()
    return found


def _row(actor: Actor, what: What, target: str, detail: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "at": actor.at,
        "key_id": actor.key.key_id,
        "client": actor.key.client,
        "by": actor.by,
        "what": what.value,
        "target": target,
        "detail": dict(detail),
    }
