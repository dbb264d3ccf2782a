"""The kill switch: what a person has paused is not sent, in any replica, until a person resumes it.

Decisions go on meanwhile and are recorded; what they want sent stays pending, and is judged once more
when its turn comes after all.

No send is started after a pause is committed.  Whoever starts one holds a shared lock from before it
reads the pauses until its start is committed; whoever pauses holds the same lock alone.  So either the
start is committed first, and the pause comes after it; or the pause is, and is read.  PostgreSQL lets
nobody pass who asks later, so from the moment somebody asks for a pause no further send is started.

The lock is the last one a sender takes, and who pauses holds nothing else: nobody waits in a circle.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from services.contracts import ids
from services.contracts.people import Channel
from services.outreach.tables import DECISIONS, PAUSES, SENDS

_LOCK = 0x6361_7265_7061_7573  # any number, as long as every replica uses the same
_IS_OPEN = PAUSES.c.resumed_at.is_(None)


class Scope(StrEnum):
    """What sort of sends a pause holds."""

    ALL = "all"
    PLAYBOOK = "playbook"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True)
class Target:
    """The sends that are paused together."""

    scope: Scope
    name: str | None = None
    """Of the playbook or the channel; None where all are meant."""

    def __str__(self) -> str:
        return "everything" if self.name is None else f"{self.scope} {self.name}"


EVERYTHING = Target(Scope.ALL)


@dataclass(frozen=True, slots=True)
class Pause:
    """What somebody paused, and who let it go on."""

    target: Target
    since: datetime
    by: str
    because: str
    resumed_at: datetime | None = None
    """None: it is in force."""
    resumed_by: str | None = None

    @property
    def pause_id(self) -> UUID:
        """By what it is called; nothing is paused twice at one instant."""
        return ids.derive("pause", str(self.target), self.since.astimezone(UTC).isoformat())


@dataclass(frozen=True, slots=True)
class Pauses:
    """All that is paused at one instant."""

    targets: frozenset[Target]

    def holds(self, playbook: str, channel: Channel) -> bool:
        """Return whether a message of this playbook by this channel must not leave."""
        concerned = {
            EVERYTHING,
            Target(Scope.PLAYBOOK, playbook),
            Target(Scope.CHANNEL, channel.value),
        }
        return not concerned.isdisjoint(self.targets)


class AlreadyPaused(Exception):
    """The same is paused already; another pause would end with its resumption."""

    def __init__(self, found: Pause) -> None:
        super().__init__(f"{found.target} is paused already")
        self.found = found


class NotPaused(Exception):
    """There is nothing to resume."""

    def __init__(self, target: Target) -> None:
        super().__init__(f"{target} is not paused")


def pauses_in_force(connection: Connection) -> Pauses:
    """Return what is paused; nobody can pause anything more until the transaction ends.

    To be asked in the transaction that writes the start, with READ COMMITTED, which `open_engine` sees
    to: a snapshot taken before the lock would not show what was paused while waiting for it.
    """
    hold_against_pauses(connection)
    return Pauses(frozenset(pause.target for pause in open_pauses(connection)))


def hold_against_pauses(connection: Connection) -> None:
    """Let nobody stop what is sent until the transaction ends: what is read afterwards holds so long."""
    connection.execute(select(func.pg_advisory_xact_lock_shared(_LOCK)))


def let_no_start_begin(connection: Connection) -> None:
    """Wait for the starts that are being written, and let none begin until the transaction ends."""
    connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def open_pauses(connection: Connection) -> list[Pause]:
    """Return what is paused, the oldest first; for those who look and send nothing."""
    return _read(connection, select(PAUSES).where(_IS_OPEN))


def history(connection: Connection) -> list[Pause]:
    """Return every pause there was, the oldest first."""
    return _read(connection, select(PAUSES))


def locked(connection: Connection, pause_id: UUID) -> Pause | None:
    """Return this pause, which nobody else ends until the transaction does; None: there is none."""
    query = select(PAUSES).where(PAUSES.c.pause_id == pause_id).with_for_update()
    found = connection.execute(query).one_or_none()
    return None if found is None else _pause_of(found)


def pause(connection: Connection, new: Pause) -> None:
    """Pause something, as soon as the caller's transaction commits.

    Waits for the starts that are being written, as long as they take: milliseconds, or 20 seconds where
    a replica is frozen in the middle of one.  Nobody begins another meanwhile.

    Raises:
        AlreadyPaused: the same is paused already.
    """
    let_no_start_begin(connection)
    found = next((one for one in open_pauses(connection) if one.target == new.target), None)
    if found is not None:
        raise AlreadyPaused(found)
    connection.execute(
        insert(PAUSES).values(
            pause_id=new.pause_id,
            scope=new.target.scope.value,
            name=new.target.name,
            since=new.since,
            by=new.by,
            because=new.because,
        )
    )


def resume(connection: Connection, target: Target, by: str, now: datetime) -> None:
    """Let this go on; what else is paused stays so.

    Raises:
        NotPaused: it is not paused itself.
    """
    name = PAUSES.c.name.is_not_distinct_from(target.name)
    resumed = connection.execute(
        update(PAUSES)
        .where(_IS_OPEN, PAUSES.c.scope == target.scope.value, name)
        .values(resumed_at=now, resumed_by=by)
    )
    if resumed.rowcount == 0:
        raise NotPaused(target)


def is_held() -> ColumnElement[bool]:
    """Return whether a row of `sends` is paused, as a condition."""
    return or_(
        exists().where(_IS_OPEN, PAUSES.c.scope == Scope.ALL.value),
        SENDS.c.playbook.in_(_open_names(Scope.PLAYBOOK)),
        SENDS.c.channel.in_(_open_names(Scope.CHANNEL)),
    )


def has_decided(connection: Connection, playbook: str) -> bool:
    """Return whether a playbook of this name ever decided to contact somebody."""
    found = exists().where(DECISIONS.c.playbook == playbook, DECISIONS.c.outcome == "contact")
    return bool(connection.execute(select(found)).scalar_one())


def count_by_scope(pauses: Iterable[Pause]) -> dict[Scope, int]:
    """Return how many pauses there are of each sort."""
    counts = Counter(pause.target.scope for pause in pauses)
    return {scope: counts[scope] for scope in Scope}


def _open_names(scope: Scope) -> Select[tuple[str | None]]:
    return select(PAUSES.c.name).where(_IS_OPEN, PAUSES.c.scope == scope.value)


def _read(connection: Connection, query: Select[Any]) -> list[Pause]:
    ordered = query.order_by(PAUSES.c.since, PAUSES.c.pause_id)
    return [_pause_of(row) for row in connection.execute(ordered)]


def _pause_of(row: Row[Any]) -> Pause:
    return Pause(
        target=Target(Scope(row.scope), row.name),
        since=row.since,
        by=row.by,
        because=row.because,
        resumed_at=row.resumed_at,
        resumed_by=row.resumed_by,
    )
