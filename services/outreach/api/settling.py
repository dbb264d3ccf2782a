"""What a person says became of a task or of a send in doubt: recorded once, and never sent again."""

from uuid import UUID

from sqlalchemy import Connection, Row, Text, cast, select

from services.outreach import identities, ledger, rows
from services.outreach.api import actions, worklist
from services.outreach.api.actions import Actor, What
from services.outreach.api.faults import Kind, Refusal
from services.outreach.api.views import Became, Done, Resolved
from services.outreach.knowledge import Rules
from services.outreach.standing import State
from services.outreach.tables import ACTIONS, PROBLEMS, SENDS

NOT_SENT = "a person found that it was not sent"


def done(connection: Connection, problem_id: UUID, actor: Actor) -> Done:
    """Mark as done what of a problem was handed to a person or given up.

    Raises:
        Refusal: there is no such problem, or nothing of it waits or was ever done.
    """
    _lock_customer_of(connection, problem_id)
    new = [
        step
        for step in worklist.steps_that_wait(connection, problem_id)
        if actions.settle(connection, actor, What.TASK_DONE, str(step))
    ]
    steps = _steps_done(connection, problem_id)
    if not steps:
        raise Refusal(Kind.NOTHING_TO_DO)
    return Done(problem_id=problem_id, changed=bool(new), steps_done=tuple(steps))


def resolve(
    connection: Connection, step_id: UUID, became: Became, actor: Actor, rules: Rules
) -> Resolved:
    """Note what became of a send that nobody could tell of.

    `sent` counts as sent from now on; `not_sent` as failed, so the problem still needs a person while it
    is open.  Either way nothing is sent again.

    Raises:
        Refusal: there is no such send, it is not in doubt, or somebody said the opposite before.
    """
    row = _locked_send(connection, step_id)
    before = actions.detail_of(connection, What.SEND_RESOLVED, str(step_id))
    if before is not None:
        return _as_before(Became(before["became"]), became, row)
    if row.state != State.UNKNOWN:
        raise Refusal(
            Kind.NOT_IN_DOUBT, f"The send is {row.state}; only an unknown one is resolved."
        )
    actions.settle(connection, actor, What.SEND_RESOLVED, str(step_id), became=became.value)
    state = _end(connection, row, became, actor, rules)
    return Resolved(step_id=step_id, changed=True, became=became, state=state)


def _as_before(said: Became, became: Became, row: Row[tuple[object, ...]]) -> Resolved:
    if said is not became:
        raise Refusal(
            Kind.RESOLVED_OTHERWISE, f"It was resolved as {said} before; the first word counts."
        )
    return Resolved(step_id=row.step_id, changed=False, became=said, state=State(row.state))


def _end(
    connection: Connection,
    row: Row[tuple[object, ...]],
    became: Became,
    actor: Actor,
    rules: Rules,
) -> State:
    send = rows.send_of(row)
    if became is Became.NOT_SENT:
        ledger.fail(connection, send, NOT_SENT, actor.at)
        return State.FAILED
    playbook = rules.catalogue.get(send.playbook)
    is_correction = playbook is not None and playbook.trigger.corrects
    (ledger.correct if is_correction else ledger.succeed)(connection, send, actor.at)
    return State.SENT


def _lock_customer_of(connection: Connection, problem_id: UUID) -> None:
    owner = select(PROBLEMS.c.customer_id).where(PROBLEMS.c.problem_id == problem_id)
    if identities.lock_owner(connection, owner) is None:
        raise Refusal(Kind.NOT_FOUND, "There is no problem of this id.")


def _locked_send(connection: Connection, step_id: UUID) -> Row[tuple[object, ...]]:
    if identities.lock_owner(connection, ledger.owner_of(step_id)) is None:
        raise Refusal(Kind.NOT_FOUND, "There is no send of this step.")
    query = select(SENDS).where(SENDS.c.step_id == step_id)
    return connection.execute(query.with_for_update()).one()


def _steps_done(connection: Connection, problem_id: UUID) -> list[UUID]:
    query = (
        select(SENDS.c.step_id)
        .join(ACTIONS, ACTIONS.c.target == cast(SENDS.c.step_id, Text))
        .where(SENDS.c.problem_id == problem_id, ACTIONS.c.what == What.TASK_DONE)
        .order_by(ACTIONS.c.seq)
    )
    # Without an index of its own on the problem: the partial one covers what may need a person.
    return [row.step_id for row in connection.execute(query.where(worklist.MAY_NEED))]
