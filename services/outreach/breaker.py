"""The volume breaker: what a playbook has written of late, and what a person said when it was too much.

A publisher's wrong dates must not write to ten thousand people.  Once a playbook wants to write more than
is usual, all its contacts wait until somebody has looked: time alone lets none of them through.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, text, tuple_, update

from services.contracts.outreach import Mode, Outcome
from services.outreach import gates
from services.outreach.decide import Decision
from services.outreach.knowledge import Rules
from services.outreach.situation import Volume
from services.outreach.tables import BREAKER_TRIPS, DECISIONS

_AS_IT_WRITES = tuple_(DECISIONS.c.playbook, DECISIONS.c.mode)
_CURRENT = 0
"""How many windows ago the one is that ends now."""
_LOCK = 0x6361_7265_6272_6B72
"""Everybody who decides takes it, so that nobody counts what another one is about to add."""


_COUNTED_IN: Mapping[Mode, tuple[Mode, ...]] = {
    Mode.SHADOW: (Mode.SHADOW,),
    # All that would be written: those who are not listed are decided about in shadow.
    Mode.LIMITED: (Mode.SHADOW, Mode.LIMITED),
    Mode.LIVE: (Mode.LIMITED, Mode.LIVE),
}


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
    window = rules.policy.breaker.window
    written = _written(connection, rules, playbooks, now)
    before = _trips_of(connection, playbooks)
    return {
        name: Volume(
            written[name].get(_CURRENT, 0),
            _allowance(rules, name, written[name]) + _approved(before[name], now - window),
            is_tripped=any(trip.resolved_at is None for trip in before[name]),
            rejected_until=max(
                (t.resolved_at for t in before[name] if t.approved == 0), default=None
            ),
        )
        for name in playbooks
    }


def note_trips(connection: Connection, decisions: Iterable[Decision], now: datetime) -> None:
    """Record which playbooks have tripped by these decisions."""
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
    resolved = connection.execute(
        update(BREAKER_TRIPS)
        .where(
            BREAKER_TRIPS.c.playbook == playbook,
            BREAKER_TRIPS.c.tripped_at == waiting.tripped_at,
            # Of two who say something at once, the first counts.
            BREAKER_TRIPS.c.resolved_at.is_(None),
        )
        .values(resolved_at=now, resolved_by=by, approved=contacts)
    )
    if resolved.rowcount == 0:
        raise NothingWaits(playbook)
    return waiting


def _writing(rules: Rules, playbooks: Collection[str]) -> list[tuple[str, str]]:
    """Return each playbook with the modes that count for its own: what reached nobody, or somebody."""
    modes = ((name, rules.catalogue[name].mode_in(rules.mode)) for name in sorted(playbooks))
    return [(name, counted.value) for name, mode in modes for counted in _COUNTED_IN[mode]]


def _allowance(rules: Rules, playbook: str, written: Mapping[int, int]) -> int:
    set_number = rules.catalogue[playbook].contacts_per_day
    if set_number is not None:
        return set_number
    limits = rules.policy.breaker
    busiest = max((count for ago, count in written.items() if ago != _CURRENT), default=0)
    return max(limits.at_least, limits.factor * busiest)


def _written(
    connection: Connection, rules: Rules, playbooks: Collection[str], now: datetime
) -> Mapping[str, Mapping[int, int]]:
    """Return playbook → how many windows ago (0: the one that ends now) → its contacts then."""
    limits = rules.policy.breaker
    age = func.extract("epoch", now - DECISIONS.c.decided_at)
    ago = func.floor(age / limits.window.total_seconds())
    found = connection.execute(
        select(DECISIONS.c.playbook, ago, func.count())
        .where(
            DECISIONS.c.outcome == Outcome.CONTACT.value,
            _AS_IT_WRITES.in_(_writing(rules, playbooks)),
            DECISIONS.c.decided_at > now - limits.usual_over,
            DECISIONS.c.decided_at <= now,
        )
        .group_by(DECISIONS.c.playbook, ago)
    )
    written: dict[str, dict[int, int]] = {name: {} for name in playbooks}
    for playbook, windows_ago, contacts in found:
        written[playbook][int(windows_ago)] = contacts
    return written


def _trips_of(connection: Connection, playbooks: Collection[str]) -> Mapping[str, list[Row[Any]]]:
    found: dict[str, list[Row[Any]]] = {name: [] for name in playbooks}
    query = select(BREAKER_TRIPS).where(BREAKER_TRIPS.c.playbook.in_(sorted(playbooks)))
    for row in connection.execute(query):
        found[row.playbook].append(row)
    return found


def _approved(trips_: Iterable[Row[Any]], since: datetime) -> int:
    return sum(t.approved for t in trips_ if t.resolved_at is not None and t.resolved_at > since)
