"""The volume breaker: what a playbook has written of late, and what a person said when it was too much.

A publisher's wrong dates must not write to ten thousand people.  Once a playbook wants to write more than
is usual, all its contacts wait until somebody has looked: time alone lets none of them through.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, text, tuple_, update

from services.contracts.outreach import Outcome
from services.outreach import gates
from services.outreach.decide import Decision, Rules
from services.outreach.situation import Volume
from services.outreach.tables import BREAKER_TRIPS, DECISIONS

_AS_IT_WRITES = tuple_(DECISIONS.c.playbook, DECISIONS.c.mode)
_LOCK = 0x6361_7265_6272_6B72
"""Everybody who decides takes it, so that nobody counts what another one is about to add."""


class NothingWaits(Exception):
    """There is nothing to approve or to reject."""


@dataclass(frozen=True, slots=True)
class Trip:
    """A playbook that waits for a person."""

    playbook: str
    tripped_at: datetime
    decided: int
    """Contacts within the breaker's window when it tripped."""
    allowance: int


def volumes_of(
    connection: Connection, rules: Rules, playbooks: Collection[str], now: datetime
) -> Mapping[str, Volume]:
    """Return how much each of these playbooks has written; the counts hold until the transaction ends."""
    if not playbooks:
        return {}
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    limits = rules.policy.breaker
    decided = _contacts(connection, rules, playbooks, now - limits.window, now)
    busiest = _busiest(connection, rules, playbooks, now)
    approved = _approved(connection, playbooks, now - limits.window)
    rejected = _rejected(connection, playbooks)
    waiting = {trip.playbook for trip in trips(connection)}
    return {
        name: Volume(
            decided.get(name, 0),
            _allowance(rules, name, busiest.get(name, 0)) + approved.get(name, 0),
            is_tripped=name in waiting,
            rejected_until=rejected.get(name),
        )
        for name in playbooks
    }


def note_trips(connection: Connection, decisions: Iterable[Decision], now: datetime) -> list[str]:
    """Record which playbooks have tripped by these decisions; return their names."""
    new = {
        decision.playbook.name: decision.volume
        for decision in decisions
        if decision.volume is not None and _is_too_much(decision, decision.volume)
    }
    if new:
        connection.execute(
            insert(BREAKER_TRIPS),
            [
                {
                    "playbook": name,
                    "tripped_at": now,
                    "decided": volume.decided,
                    "allowance": volume.allowance,
                }
                for name, volume in sorted(new.items())
            ],
        )
    return sorted(new)


def _is_too_much(decision: Decision, volume: Volume) -> bool:
    """Whether it would have been a contact, but for there being so many, and nobody knows that yet."""
    first_no = next((verdict.gate for verdict in decision.gates if not verdict.passed), None)
    is_rejected = volume.rejects(decision.due.triggered_at)
    is_news = volume.is_full and not volume.is_tripped
    return is_news and not is_rejected and first_no == gates.breaker.__name__


def trips(connection: Connection) -> list[Trip]:
    """Return what waits for a person, the oldest first."""
    found = connection.execute(
        select(BREAKER_TRIPS)
        .where(BREAKER_TRIPS.c.resolved_at.is_(None))
        .order_by(BREAKER_TRIPS.c.tripped_at, BREAKER_TRIPS.c.playbook)
    )
    return [Trip(row.playbook, row.tripped_at, row.decided, row.allowance) for row in found]


def resolve(connection: Connection, playbook: str, contacts: int, by: str, now: datetime) -> Trip:
    """Let so many more contacts of a playbook out, or, with 0, none of those that are due by now.

    Afterwards the playbook writes on its own again, up to what is usual.

    Args:
        connection: In a transaction of the caller's.
        playbook: By its name.
        contacts: How many more.
        by: Who says so, for the record.
        now: The instant.

    Raises:
        NothingWaits: the playbook does not wait for anybody.
    """
    waiting = next((trip for trip in trips(connection) if trip.playbook == playbook), None)
    if waiting is None:
        raise NothingWaits(playbook)
    connection.execute(
        update(BREAKER_TRIPS)
        .where(
            BREAKER_TRIPS.c.playbook == playbook,
            BREAKER_TRIPS.c.tripped_at == waiting.tripped_at,
        )
        .values(resolved_at=now, resolved_by=by, approved=contacts)
    )
    return waiting


def _writing(rules: Rules, playbooks: Collection[str]) -> list[tuple[str, str]]:
    """Return each playbook with its mode: what was decided in another one reached nobody, or somebody."""
    known = ((name, rules.catalogue[name]) for name in sorted(playbooks))
    return [(name, playbook.mode_in(rules.mode).value) for name, playbook in known]


def _allowance(rules: Rules, playbook: str, busiest: int) -> int:
    limits = rules.policy.breaker
    known = rules.catalogue.get(playbook)
    if known is not None and known.contacts_per_day is not None:
        return known.contacts_per_day
    return max(limits.at_least, limits.factor * busiest)


def _contacts(
    connection: Connection,
    rules: Rules,
    playbooks: Collection[str],
    since: datetime,
    until: datetime,
) -> dict[str, int]:
    found = connection.execute(
        select(DECISIONS.c.playbook, func.count())
        .where(
            DECISIONS.c.outcome == Outcome.CONTACT.value,
            _AS_IT_WRITES.in_(_writing(rules, playbooks)),
            DECISIONS.c.decided_at > since,
            DECISIONS.c.decided_at <= until,
        )
        .group_by(DECISIONS.c.playbook)
    )
    return {row[0]: row[1] for row in found}


def _busiest(
    connection: Connection, rules: Rules, playbooks: Collection[str], now: datetime
) -> dict[str, int]:
    """Return the contacts of each playbook's busiest window before the one that ends now."""
    limits = rules.policy.breaker
    seconds = limits.window.total_seconds()
    age = func.extract("epoch", now - DECISIONS.c.decided_at)
    which = func.floor(age / seconds)
    counts = (
        select(DECISIONS.c.playbook, func.count().label("contacts"))
        .where(
            DECISIONS.c.outcome == Outcome.CONTACT.value,
            _AS_IT_WRITES.in_(_writing(rules, playbooks)),
            DECISIONS.c.decided_at > now - limits.usual_over,
            DECISIONS.c.decided_at <= now - limits.window,
        )
        .group_by(DECISIONS.c.playbook, which)
        .subquery()
    )
    found = connection.execute(
        select(counts.c.playbook, func.max(counts.c.contacts)).group_by(counts.c.playbook)
    )
    return {row[0]: row[1] for row in found}


def _approved(
    connection: Connection, playbooks: Collection[str], since: datetime
) -> dict[str, int]:
    found = connection.execute(
        select(BREAKER_TRIPS.c.playbook, func.sum(BREAKER_TRIPS.c.approved))
        .where(BREAKER_TRIPS.c.playbook.in_(sorted(playbooks)), BREAKER_TRIPS.c.resolved_at > since)
        .group_by(BREAKER_TRIPS.c.playbook)
    )
    return {name: int(contacts or 0) for name, contacts in found}


def _rejected(connection: Connection, playbooks: Collection[str]) -> dict[str, datetime]:
    found = connection.execute(
        select(BREAKER_TRIPS.c.playbook, func.max(BREAKER_TRIPS.c.resolved_at))
        .where(BREAKER_TRIPS.c.playbook.in_(sorted(playbooks)), BREAKER_TRIPS.c.approved == 0)
        .group_by(BREAKER_TRIPS.c.playbook)
    )
    return {row[0]: row[1] for row in found}
