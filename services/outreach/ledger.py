"""The contact ledger: pending → started → sent, failed or unknown; pending → withdrawn.

`started` is committed before the channel is called.  A start without an outcome becomes `unknown`
and is never sent again by itself: at most one message per step, and every doubt is visible.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    any_,
    case,
    func,
    insert,
    literal,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from services.contracts.envelope import Event
from services.contracts.outreach import Mode, Withdrawal
from services.contracts.people import Channel
from services.outreach import announce, outbox, pauses, rows
from services.outreach.announce import Send
from services.outreach.decide import Decision
from services.outreach.knowledge import Rules, StepName
from services.outreach.standing import State
from services.outreach.tables import SENDS

_STEP = tuple_(SENDS.c.playbook, SENDS.c.step)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A pending send, before its customer is locked."""

    step_id: UUID
    customer_id: str


def queue(connection: Connection, decisions: Sequence[Decision]) -> None:
    """Add a pending row for each decision to contact."""
    if not decisions:
        return
    connection.execute(
        insert(SENDS),
        [{**rows.send_row(decision), "state": State.PENDING} for decision in decisions],
    )


def waiting(
    connection: Connection,
    rules: Rules,
    partitions: Sequence[int] | None,
    channels: Collection[Channel],
    now: datetime,
    limit: int | None = None,
) -> list[Waiting]:
    """Return what has its next turn at `now`, in the order in which it was decided.

    A step that these rules do not know has its turn at its use-by: until then a version that knows
    it may come back, and afterwards nobody may send it any more.  So it is with what is paused.
    """
    query = (
        select(SENDS.c.step_id, SENDS.c.customer_id)
        .where(
            SENDS.c.state == State.PENDING,
            # What no replica can send any more has its last turn behind its use-by.
            SENDS.c.channel.in_([channel.value for channel in channels]) | (SENDS.c.use_by < now),
            _turn(rules) <= now,
        )
        .order_by(SENDS.c.next_attempt_at, SENDS.c.decided_at, SENDS.c.customer_id, SENDS.c.step_id)
        .limit(limit)
    )
    if partitions is not None:
        query = query.where(SENDS.c.partition.in_(partitions))
    return [Waiting(row.step_id, row.customer_id) for row in connection.execute(query)]


def without_time(
    connection: Connection,
    steps: Collection[StepName],
    partitions: Sequence[int] | None,
    by: Channel,
    until: datetime,
) -> list[Waiting]:
    """Return what waits for this channel and has its use-by before `until`, the most urgent first.

    Of these steps alone, and nothing that is paused.
    """
    query = (
        select(SENDS.c.step_id, SENDS.c.customer_id)
        .where(
            SENDS.c.state == State.PENDING,
            SENDS.c.channel == by.value,
            SENDS.c.use_by < until,
            _STEP.in_(steps),
            ~pauses.is_held(),
        )
        .order_by(SENDS.c.use_by, SENDS.c.step_id)
    )
    if partitions is not None:
        query = query.where(SENDS.c.partition.in_(partitions))
    return [Waiting(row.step_id, row.customer_id) for row in connection.execute(query)]


def next_attempt(
    connection: Connection, rules: Rules, partitions: Sequence[int]
) -> datetime | None:
    """Return when the next pending send has its turn, or None."""
    found: datetime | None = connection.execute(
        select(func.min(_turn(rules))).where(
            SENDS.c.state == State.PENDING, SENDS.c.partition.in_(partitions)
        )
    ).scalar_one()
    return found


def unknown(connection: Connection, steps: Collection[StepName]) -> int:
    """Return how many pending sends wait for a version that knows their step."""
    return int(
        connection.execute(
            select(func.count())
            .select_from(SENDS)
            .where(SENDS.c.state == State.PENDING, _STEP.not_in(steps))
        ).scalar_one()
    )


def in_doubt(connection: Connection) -> int:
    """Return how many sends are unknown and wait for a person to say what became of them."""
    # In the words of the partial index: with parameters PostgreSQL could not use it.
    is_unknown = text("state = 'unknown'")
    return int(
        connection.execute(select(func.count()).select_from(SENDS).where(is_unknown)).scalar_one()
    )


def pending_of(connection: Connection, customers: Iterable[str]) -> list[Send]:
    """Return what is pending for these customers, whom the caller has locked."""
    found = connection.execute(
        select(SENDS)
        .where(SENDS.c.state == State.PENDING, SENDS.c.customer_id.in_(sorted(set(customers))))
        .order_by(SENDS.c.decided_at, SENDS.c.step_id)
        .with_for_update()
    )
    return [rows.send_of(row) for row in found]


def take(connection: Connection, step_id: UUID) -> Send | None:
    """Return this send if it is still pending and nobody else holds it, locked until commit."""
    row = connection.execute(
        select(SENDS)
        .where(SENDS.c.step_id == step_id, SENDS.c.state == State.PENDING)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    return None if row is None else rows.send_of(row)


def owner_of(step_id: UUID) -> Select[str]:
    """Return the query for the customer of the send of this step."""
    return select(SENDS.c.customer_id).where(SENDS.c.step_id == step_id)


def as_it_is(connection: Connection, send: Send) -> Send:
    """Return a send that was under way as one of the customer whose it is by now, locked until commit."""
    query = select(SENDS).where(SENDS.c.step_id == send.step_id).with_for_update()
    now = rows.send_of(connection.execute(query).one())
    return replace(
        send, customer_id=now.customer_id, partition=now.partition, order_id=now.order_id
    )


def send_of_customer(connection: Connection, step_id: UUID, customer_id: str) -> Send | None:
    """Return the send of this step where it went to this customer; None: there is none."""
    row = connection.execute(
        select(SENDS).where(SENDS.c.step_id == step_id, SENDS.c.customer_id == customer_id)
    ).one_or_none()
    return None if row is None else rows.send_of(row)


def open_steps(connection: Connection) -> dict[str, int]:
    """Return how many sends are not over: `waiting` to be started, or started and `unfinished`."""
    # One state at a time: each has an index of its own, over those few rows alone.
    pending = select(func.count(), func.count().filter(SENDS.c.attempt > 0)).where(
        SENDS.c.state == State.PENDING
    )
    started = select(func.count()).where(SENDS.c.state == State.STARTED)
    waiting, tried = connection.execute(pending).one()
    under_way = connection.execute(started).scalar_one()
    return {"waiting": waiting - tried, "unfinished": tried + under_way}


def start(connection: Connection, send: Send, owner: UUID, message_id: str, now: datetime) -> Send:
    """Mark a taken send started by `owner`, say so, and return it with its attempt's number."""
    begun = replace(send, attempt=send.attempt + 1)
    _change(
        connection,
        send,
        state=State.STARTED,
        attempt=begun.attempt,
        owner=owner,
        message_id=message_id,
        started_at=now,
    )
    _say(connection, begun, announce.started(begun, now))
    return begun


def postpone(connection: Connection, send: Send, until: datetime, reason: str) -> None:
    """Leave a send pending until `until`."""
    _change(connection, send, state=State.PENDING, next_attempt_at=until, reason=reason)


def withdraw(connection: Connection, send: Send, why: Withdrawal, now: datetime) -> None:
    """Take a pending send back, and say so."""
    _change(connection, send, state=State.WITHDRAWN, finished_at=now, reason=why.value)
    _say(connection, send, announce.withdrawn(send, now, why))


def fail(connection: Connection, send: Send, reason: str, now: datetime) -> bool:
    """Mark a send failed for good, and say so; False where it has an outcome already."""
    return _finish(connection, send, State.FAILED, announce.failed(send, now, reason), now, reason)


def succeed(connection: Connection, send: Send, now: datetime) -> bool:
    """Mark a send taken by the channel, and say so; False where it has an outcome already."""
    return _finish(connection, send, State.SENT, announce.sent(send, now), now, None)


def correct(connection: Connection, send: Send, now: datetime) -> bool:
    """Mark a correction taken by the channel, and say that it was sent and what it is; see `succeed`."""
    has_changed = succeed(connection, send, now)
    if has_changed:
        _say(connection, send, announce.corrected(send, now))
    return has_changed


def doubt(connection: Connection, send: Send, reason: str, now: datetime) -> bool:
    """Mark a send unknown, and say so; False where it has an outcome already."""
    return _finish(connection, send, State.UNKNOWN, announce.unknown(send, now), now, reason)


def retry(connection: Connection, send: Send, at: datetime, reason: str) -> bool:
    """Put a send that was surely not taken back among the pending ones."""
    values = {"state": State.PENDING, "next_attempt_at": at, "reason": reason}
    return _change(connection, send, expected=(State.STARTED,), **values)


def reroute(connection: Connection, send: Send, by: Channel, at: datetime, reason: str) -> bool:
    """Let a send that was surely not taken go by another channel, from `at` on."""
    values = {
        "state": State.PENDING,
        "channel": by.value,
        "next_attempt_at": at,
        "reason": reason,
    }
    return _change(connection, send, expected=(State.PENDING, State.STARTED), **values)


def doubt_abandoned(
    connection: Connection, owner: UUID, partitions: Sequence[int], now: datetime
) -> int:
    """Mark unknown what others started in partitions that are ours alone; return how many."""
    query = _abandoned(owner).where(SENDS.c.partition.in_(partitions))
    return _doubt_rows(connection, connection.execute(query).all(), now)


def doubt_ownerless(connection: Connection, owner: UUID, now: datetime) -> int:
    """Mark unknown what was started by a replica that is gone; return how many.

    A living replica holds the lock of its own id (`Presence`), so getting it shows it is gone.
    """
    gone = [
        row
        for row in connection.execute(_abandoned(owner)).all()
        if connection.execute(
            text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": presence_key(row.owner)}
        ).scalar_one()
    ]
    return _doubt_rows(connection, gone, now)


def presence_key(owner: UUID) -> int:
    """Return the advisory lock that this replica holds while it lives."""
    return int.from_bytes(owner.bytes[:8], "big", signed=True)


def _turn(rules: Rules) -> ColumnElement[datetime]:
    """When a pending send is looked at next; null: not while its playbook is in shadow for its customer.

    What is paused is looked at no sooner than at its use-by, when it can only fail.
    """
    listed = literal(sorted(rules.listed), ARRAY(Text))
    is_open = _STEP.in_(rules.steps_in(Mode.LIVE)) | (
        _STEP.in_(rules.steps_in(Mode.LIMITED)) & (SENDS.c.customer_id == any_(listed))
    )
    return case(
        (is_open & pauses.is_held(), SENDS.c.use_by),
        (is_open, SENDS.c.next_attempt_at),
        (_STEP.not_in(rules.known_steps), SENDS.c.use_by),
    )


def _abandoned(owner: UUID) -> Any:
    return (
        select(SENDS)
        .where(SENDS.c.state == State.STARTED, SENDS.c.owner != owner)
        .order_by(SENDS.c.started_at, SENDS.c.step_id)
        .with_for_update(skip_locked=True)
    )


def _doubt_rows(connection: Connection, found: Sequence[Any], now: datetime) -> int:
    for row in found:
        doubt(connection, rows.send_of(row), "the sender ended before it knew", now)
    return len(found)


def _finish(
    connection: Connection,
    send: Send,
    state: State,
    event: Event[Any],
    now: datetime,
    reason: str | None,
) -> bool:
    # A sender that was taken for dead still knows better than the doubt raised about it.
    expected = [State.PENDING, State.STARTED]
    if state is not State.UNKNOWN:
        expected.append(State.UNKNOWN)
    changed = _change(
        connection, send, expected=tuple(expected), state=state, finished_at=now, reason=reason
    )
    if changed:
        _say(connection, send, event)
    return changed


def _change(
    connection: Connection,
    send: Send,
    *,
    expected: tuple[State, ...] = (State.PENDING,),
    **values: Any,
) -> bool:
    result = connection.execute(
        update(SENDS)
        .where(SENDS.c.step_id == send.step_id, SENDS.c.state.in_(expected))
        .values(**values)
    )
    return result.rowcount == 1


def _say(connection: Connection, send: Send, event: Event[Any]) -> None:
    outbox.put(connection, [outbox.event_record(event, send.partition, send.trace)])
