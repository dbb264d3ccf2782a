"""Which problems need a person, and why; a problem that is worth more comes first.

Worth is the risk of a complaint times how far the problem has got (1 at risk, 2 overdue, 3 late); where
no risk was assessed, the one the policy believes in.  Of two worth the same the older one comes first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Row,
    Select,
    Text,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import distinct_on

from services.contracts.outreach import Outcome
from services.contracts.people import Channel
from services.contracts.problems import Tier
from services.outreach import breaker, identities
from services.outreach.api import deciding, words
from services.outreach.api.actions import What
from services.outreach.api.asked import NeedAsked
from services.outreach.api.cursors import WorthCursor
from services.outreach.api.views import HeldPlaybook, Latest, Need, Waiting, WorkItem, WorkList
from services.outreach.standing import State
from services.outreach.tables import ACTIONS, AGENDA, DECISIONS, PROBLEMS, SENDS

WEIGHT: Mapping[Tier, int] = {tier: tier.rank + 1 for tier in Tier}
"""How much further a problem has got counts."""

_IS_OPEN = PROBLEMS.c.ended_at.is_(None)
_IS_DONE = exists().where(
    ACTIONS.c.what == What.TASK_DONE, ACTIONS.c.target == cast(SENDS.c.step_id, Text)
)
_UNKNOWN = SENDS.c.state == State.UNKNOWN
_FAILED = and_(SENDS.c.state == State.FAILED, _IS_OPEN, ~_IS_DONE)
_TASK = and_(
    SENDS.c.channel == Channel.HUMAN.value, SENDS.c.state == State.SENT, _IS_OPEN, ~_IS_DONE
)
_CONDITIONS: Mapping[Need, ColumnElement[bool]] = {
    Need.UNKNOWN: _UNKNOWN,
    Need.FAILED: _FAILED,
    Need.TASK: _TASK,
}
MAY_NEED = text("(sends.state IN ('unknown', 'failed') OR sends.channel = 'human')")
"""What the partial index holds, in its own words: with parameters PostgreSQL could not use it."""


@dataclass(frozen=True, slots=True)
class _Worth:
    """How problems are put in order."""

    unknown_risk: float

    def column(self) -> ColumnElement[float]:
        weight = case(*((PROBLEMS.c.tier == tier.value, w) for tier, w in WEIGHT.items()), else_=1)
        risk = func.coalesce(PROBLEMS.c.complaint_risk, cast(literal(self.unknown_risk), Float))
        return risk * cast(weight, Float)


def work_list(connection: Connection, asked: NeedAsked, unknown_risk: float) -> WorkList:
    """Return one page of the problems, and all playbooks that the volume breaker holds.

    Raises:
        WrongCursor: the page asked for is none of this list's.
    """
    if asked.customer_id is not None:
        known_as = identities.customer_of(connection, asked.customer_id)
        asked = asked.model_copy(update={"customer_id": known_as})
    value = _Worth(unknown_risk).column().label("value")
    query = _page(select(PROBLEMS, value), asked, value)
    rows = connection.execute(query.limit(asked.limit + 1)).all()
    shown = rows[: asked.limit]
    is_more = len(rows) > asked.limit
    return WorkList(
        items=_items(connection, shown),
        held_playbooks=held(connection),
        next_cursor=_cursor(shown[-1]).text() if is_more else None,
    )


def held(connection: Connection) -> tuple[HeldPlaybook, ...]:
    """Return the playbooks that the volume breaker holds, the oldest first."""
    trips = breaker.trips(connection)
    if not trips:
        return ()
    unsettled = select(AGENDA.c.playbook, func.count().label("steps")).where(
        AGENDA.c.playbook.in_([trip.playbook for trip in trips]), AGENDA.c.due_at.is_not(None)
    )
    found = connection.execute(unsettled.group_by(AGENDA.c.playbook))
    counts: dict[str, int] = {row.playbook: row.steps for row in found}
    return tuple(
        HeldPlaybook(
            playbook=trip.playbook,
            tripped_at=trip.tripped_at,
            decided=trip.decided,
            allowance=trip.allowance,
            steps_waiting=counts.get(trip.playbook, 0),
        )
        for trip in trips
    )


def steps_that_wait(connection: Connection, problem_id: UUID) -> list[UUID]:
    """Return the steps of a problem that somebody may mark as done."""
    query = _waiting(or_(_FAILED, _TASK)).where(SENDS.c.problem_id == problem_id)
    return [row.step_id for row in connection.execute(query)]


def _page(query: Select[Any], asked: NeedAsked, value: ColumnElement[float]) -> Select[Any]:
    wanted = _needing(asked.reason)
    if asked.needs == "all" and asked.reason is None:
        wanted = or_(_IS_OPEN, wanted)
    query = query.where(wanted)
    if asked.kind is not None:
        query = query.where(PROBLEMS.c.kind == asked.kind.value)
    if asked.customer_id is not None:
        query = query.where(PROBLEMS.c.customer_id == asked.customer_id)
    cursor = WorthCursor.read(asked.cursor)
    if cursor is not None:
        query = query.where(_behind(cursor, value))
    return query.order_by(value.desc(), PROBLEMS.c.opened_at, PROBLEMS.c.problem_id)


def _needing(reason: Need | None) -> ColumnElement[bool]:
    chosen = _CONDITIONS.values() if reason is None else [_CONDITIONS[reason]]
    return exists().where(SENDS.c.problem_id == PROBLEMS.c.problem_id, MAY_NEED, or_(*chosen))


def _behind(cursor: WorthCursor, value: ColumnElement[float]) -> ColumnElement[bool]:
    place = tuple_(PROBLEMS.c.opened_at, PROBLEMS.c.problem_id)
    last = tuple_(literal(cursor.opened_at), literal(cursor.problem_id))
    limit = cast(literal(cursor.value), Float)
    return or_(value.element < limit, and_(value.element == limit, place > last))


def _cursor(row: Row[Any]) -> WorthCursor:
    return WorthCursor(value=row.value, opened_at=row.opened_at, problem_id=row.problem_id)


def _items(connection: Connection, found: Sequence[Row[Any]]) -> tuple[WorkItem, ...]:
    needs = _needs_of(connection, found)
    latest = _latest_of(connection, found)
    return tuple(
        WorkItem(
            problem_id=row.problem_id,
            customer_id=row.customer_id,
            kind=row.kind,
            subject=row.subject,
            order_id=row.order_id,
            tier=row.tier,
            actor=row.actor,
            opened_at=row.opened_at,
            ended_at=row.ended_at,
            complaint_risk=row.complaint_risk,
            expected_value=row.value,
            needs=tuple(needs.get(row.problem_id, ())),
            latest_decision=latest.get(row.problem_id),
        )
        for row in found
    )


def _waiting(condition: ColumnElement[bool]) -> Select[Any]:
    need = case(*((is_so, need.value) for need, is_so in _CONDITIONS.items())).label("need")
    return (
        select(SENDS, need)
        .join(PROBLEMS, PROBLEMS.c.problem_id == SENDS.c.problem_id)
        .where(MAY_NEED, condition)
        .order_by(SENDS.c.decided_at, SENDS.c.step_id)
    )


def _needs_of(connection: Connection, found: Sequence[Row[Any]]) -> dict[UUID, list[Waiting]]:
    query = _waiting(or_(*_CONDITIONS.values())).where(SENDS.c.problem_id.in_(_ids(found)))
    needs: dict[UUID, list[Waiting]] = {}
    for row in connection.execute(query):
        why = Need(row.need)
        what = words.step(row.playbook, row.step, row.channel)
        needs.setdefault(row.problem_id, []).append(
            Waiting(
                need=why,
                step_id=row.step_id,
                playbook=row.playbook,
                step=row.step,
                channel=row.channel,
                since=row.finished_at or row.started_at or row.decided_at,
                reason=row.reason,
                in_words=words.need(why, what, row.reason),
            )
        )
    return needs


def _latest_of(connection: Connection, found: Sequence[Row[Any]]) -> dict[UUID, Latest]:
    # By customer too, for which there is an index.
    query = (
        select(DECISIONS)
        .ext(distinct_on(DECISIONS.c.problem_id))
        .where(DECISIONS.c.customer_id.in_(sorted({row.customer_id for row in found})))
        .where(DECISIONS.c.problem_id.in_(_ids(found)))
        .order_by(
            DECISIONS.c.problem_id, DECISIONS.c.decided_at.desc(), DECISIONS.c.decision_id.desc()
        )
    )
    return {row.problem_id: _latest(row) for row in connection.execute(query)}


def _latest(row: Row[Any]) -> Latest:
    return Latest(
        decision_id=row.decision_id,
        decided_at=row.decided_at,
        playbook=row.playbook,
        step=row.step,
        outcome=Outcome(row.outcome),
        suppression=row.suppression,
        said_no=deciding.said_no(row),
        in_words=deciding.in_words(row),
    )


def _ids(found: Iterable[Row[Any]]) -> list[UUID]:
    return [row.problem_id for row in found]
