"""Steps that wait for something are brought forward in the transaction in which it becomes known."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, tuple_, update

from services.outreach import rows
from services.outreach.facts import Problem
from services.outreach.knowledge import DueStep, StepName
from services.outreach.playbook import Catalogue
from services.outreach.tables import AGENDA
from services.outreach.waiting import worsened_for


def bring_forward(
    connection: Connection, problem_id: UUID, steps: Iterable[StepName], now: datetime
) -> list[DueStep]:
    """Make those of these steps due that wait for a later instant; return them.

    The caller has locked the customer.
    """
    waiting = list(steps)
    if not waiting:
        return []
    moved = connection.execute(
        update(AGENDA)
        .where(
            AGENDA.c.problem_id == problem_id,
            tuple_(AGENDA.c.playbook, AGENDA.c.step).in_(waiting),
            AGENDA.c.due_at > now,
        )
        .values(due_at=now, triggered_at=now)
        .returning(AGENDA)
    )
    return [rows.due_of(row) for row in moved]


def hasten_worsened(
    connection: Connection, problems: Iterable[Problem], catalogue: Catalogue, now: datetime
) -> list[DueStep]:
    """Make due what waits for these problems to get worse, where they have; return it."""
    return [
        step
        for problem in problems
        for step in bring_forward(
            connection, problem.problem_id, worsened_for(problem, catalogue), now
        )
    ]
