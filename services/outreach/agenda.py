"""The agenda: which steps are due, and what was decided about them, in one transaction with the ledger."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, insert, select, tuple_, update

from services.contracts.outreach import Outcome
from services.kit import logs
from services.outreach import announce, breaker, ledger, outbox, reconciliation, rows
from services.outreach.customer_locks import lock_customers
from services.outreach.decide import Decision, decide_all, step_following
from services.outreach.knowledge import DueStep, Knowledge, Rules, StepName
from services.outreach.memory import add_to_agenda, knowledge_of
from services.outreach.tables import AGENDA, DECISIONS

AT_ONCE = 200
"""Steps decided in one transaction."""

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose steps: those of these partitions."""

    partitions: tuple[int, ...]
    steps: tuple[StepName, ...]
    """Steps this version knows; any other waits until somebody does."""


def next_due(connection: Connection, scope: Scope) -> datetime | None:
    """Return when the next step is due, or None."""
    found: datetime | None = connection.execute(
        _in_scope(select(func.min(AGENDA.c.due_at)), scope)
    ).scalar_one()
    return found


def unknown(connection: Connection, steps: Collection[StepName]) -> int:
    """Return how many undecided steps wait for a version that knows them."""
    return int(
        connection.execute(
            select(func.count())
            .select_from(AGENDA)
            .where(
                AGENDA.c.due_at.is_not(None),
                tuple_(AGENDA.c.playbook, AGENDA.c.step).not_in(steps),
            )
        ).scalar_one()
    )


def decide_due(
    connection: Connection, scope: Scope, rules: Rules, now: datetime, limit: int | None = None
) -> tuple[Decision, ...]:
    """Decide what is due at `now`, record it, queue what is to be sent; return the decisions.

    Nothing is decided while the database has to be reconciled.

    Two callers at once decide nothing twice: the second waits for the customers' locks and then
    finds the rows settled.
    """
    due = _due(connection, scope, now, limit)
    if not due or reconciliation.is_needed_until_commit(connection):
        return ()
    knowledge = knowledge_of(
        connection,
        (step.customer_id for step in due),
        (step.problem_id for step in due),
        since=now - rules.policy.remembered,
    )
    due = _about_known_problems(connection, due, knowledge)
    volumes = breaker.volumes_of(connection, rules, {step.playbook for step in due}, now)
    decisions = decide_all(due, knowledge, rules, now, volumes)
    if decisions:
        _record(connection, decisions)
    breaker.note_trips(connection, decisions, now)
    return decisions


def _due(connection: Connection, scope: Scope, now: datetime, limit: int | None) -> list[DueStep]:
    candidates = _in_scope(select(AGENDA.c.step_id, AGENDA.c.customer_id), scope)
    found = connection.execute(
        candidates.where(AGENDA.c.due_at <= now)
        .order_by(AGENDA.c.due_at, AGENDA.c.customer_id)
        .limit(limit)
    ).all()
    if not found:
        return []
    lock_customers(connection, (row.customer_id for row in found))
    # Read again: what was due a moment ago may be settled by now.
    locked = connection.execute(
        select(AGENDA)
        .where(AGENDA.c.step_id.in_([row.step_id for row in found]))
        .where(AGENDA.c.due_at <= now)
        # Who became another's name meanwhile is not locked: the next turn asks for them.
        .where(AGENDA.c.customer_id.in_({row.customer_id for row in found}))
    )
    return [rows.due_of(row) for row in locked]


def _about_known_problems(
    connection: Connection, due: Sequence[DueStep], knowledge: Mapping[str, Knowledge]
) -> list[DueStep]:
    """Return the steps whose problem is their customer's; no other may be due for ever, or hold these up."""
    known = [step for step in due if step.problem_id in knowledge[step.customer_id].problems]
    lost = {step.step_id for step in due} - {step.step_id for step in known}
    for step_id in sorted(lost):
        _log.error("outreach_not_decided", step_id=str(step_id), reason="problem_gone")
    if lost:
        connection.execute(
            update(AGENDA).where(AGENDA.c.step_id.in_(sorted(lost))).values(due_at=None)
        )
    return known


def _in_scope(query: Select[Any], scope: Scope) -> Select[Any]:
    return query.where(
        AGENDA.c.due_at.is_not(None),
        AGENDA.c.partition.in_(scope.partitions),
        tuple_(AGENDA.c.playbook, AGENDA.c.step).in_(scope.steps),
    )


def _record(connection: Connection, decisions: Sequence[Decision]) -> None:
    connection.execute(insert(DECISIONS), [rows.decision_row(decision) for decision in decisions])
    connection.execute(
        update(AGENDA)
        .where(AGENDA.c.step_id == bindparam("settled_step"))
        .values(due_at=bindparam("next_due_at")),
        [
            {
                "settled_step": decision.due.step_id,
                "next_due_at": decision.deferred_until
                if decision.outcome is Outcome.DEFERRED
                else None,
            }
            for decision in decisions
        ],
    )
    following = (step_following(decision) for decision in decisions)
    add_to_agenda(connection, [step for step in following if step is not None])
    ledger.queue(connection, [decision for decision in decisions if decision.is_to_be_sent])
    outbox.put(
        connection,
        (
            outbox.event_record(
                announce.decided(decision), decision.due.partition, decision.due.trace
            )
            for decision in decisions
        ),
    )
