"""What is known of a run from three sides: the mail server, the ledger, and the topic."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.faults.outreach.server import Mail
from tests.support.outreach import Company, query
from tests.support.topics import is_barrier

_LEDGER = """
    SELECT step_id::text, problem_id::text, playbook || '/' || step, customer_id, channel, state,
           attempt, message_id, coalesce(reason, ''), finished_at
    FROM sends ORDER BY decided_at, step_id
"""
_TYPE = "care.outreach.{}.v1"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A step that must come to an end."""

    problem: str
    step: str
    customer: str
    at: datetime
    """When its problem was published."""

    @property
    def name(self) -> tuple[str, str]:
        """Problem and step."""
        return self.problem, self.step


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the ledger."""

    step_id: str
    problem: str
    step: str
    customer: str
    channel: str
    state: str
    attempt: int
    message_id: str | None
    reason: str
    finished_at: datetime | None

    @property
    def name(self) -> tuple[str, str]:
        """Problem and step."""
        return self.problem, self.step


@dataclass(frozen=True, slots=True)
class Said:
    """One record of ours on the topic, in the order of its partition."""

    event_id: str
    kind: str
    """`decided`, `started`, `sent` …"""
    step_id: str
    attempt: int
    outcome: str
    """Of a decision; of anything else empty."""
    digest: str
    """Of its bytes: what is published again must be the same."""


@dataclass(frozen=True, slots=True)
class Hook:
    """One webhook as its receiver knows it."""

    step_id: str
    customer: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything about one run."""

    wanted: Sequence[Wanted]
    mails: Sequence[Mail]
    ledger: Sequence[Entry]
    said: Sequence[Said]
    hooks: Sequence[Hook] = ()
    outbox: int = 0
    """Records that were not published."""

    def entry_of(self) -> dict[tuple[str, str], Entry]:
        """Return the ledger by problem and step."""
        return {entry.name: entry for entry in self.ledger}


def ledger_of(database: str) -> list[Entry]:
    """Return the whole ledger."""
    return [Entry(*row) for row in query(database, _LEDGER)]


def outbox_of(database: str) -> int:
    """Return how many records wait to be published."""
    ((count,),) = query(database, "SELECT count(*) FROM outbox")
    return int(count)


def said_by(company: Company) -> list[Said]:
    """Return what is on the topic, repetitions included."""
    return [said_in(record.value) for record in company.heard() if not is_barrier(record)]


def said_in(value: bytes) -> Said:
    """Return what the judge needs to know of one event."""
    event: dict[str, Any] = json.loads(value)
    about = event["data"]
    return Said(
        event_id=event["id"],
        kind=event["type"].removeprefix("care.outreach.").removesuffix(".v1"),
        step_id=about["step_id"],
        attempt=about.get("attempt", 0),
        outcome=about.get("outcome", ""),
        digest=hashlib.sha256(value).hexdigest(),
    )
