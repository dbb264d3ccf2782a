"""Why a customer was, or was not, contacted: decisions as the API shows them."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, literal, select, tuple_

from services.contracts.outreach import GateVerdict, Mode, Outcome
from services.outreach import identities
from services.outreach.api import words
from services.outreach.api.asked import PageAsked
from services.outreach.api.cursors import DecisionCursor
from services.outreach.api.views import Decision, Gate, SendState, Why
from services.outreach.tables import DECISIONS, SENDS

_OF_SEND = ("state", "attempt", "started_at", "finished_at", "reason")
_PLACE = tuple_(DECISIONS.c.decided_at, DECISIONS.c.decision_id)


def why(connection: Connection, customer_id: str, asked: PageAsked) -> Why:
    """Return one page of the decisions about a customer, the latest first.

    Raises:
        WrongCursor: the page asked for is none of this list's.
    """
    known_as = identities.customer_of(connection, customer_id)
    query = _decisions().where(DECISIONS.c.customer_id == known_as)
    cursor = DecisionCursor.read(asked.cursor)
    if cursor is not None:
        query = query.where(
            tuple_(literal(cursor.decided_at), literal(cursor.decision_id)) > _PLACE
        )
    query = query.order_by(DECISIONS.c.decided_at.desc(), DECISIONS.c.decision_id.desc())
    found = connection.execute(query.limit(asked.limit + 1)).all()
    shown = found[: asked.limit]
    is_more = len(found) > asked.limit
    return Why(
        customer_id=known_as,
        items=tuple(_decision(row) for row in shown),
        next_cursor=_cursor(shown[-1]).text() if is_more else None,
    )


def decision(connection: Connection, decision_id: UUID) -> Decision | None:
    """Return one decision, or None."""
    query = _decisions().where(DECISIONS.c.decision_id == decision_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else _decision(row)


def verdicts(row: Row[Any]) -> tuple[GateVerdict, ...]:
    """Return the gates' verdicts in a row of `decisions`."""
    return tuple(GateVerdict.model_validate(verdict) for verdict in row.gates)


def said_no(row: Row[Any]) -> str | None:
    """Return the name of the first gate that said no in a row of `decisions`, or None."""
    no = words.said_no(verdicts(row))
    return None if no is None else no.gate


def in_words(row: Row[Any]) -> str:
    """Return a row of `decisions` as a sentence."""
    step = words.step(row.playbook, row.step, row.channel)
    outcome, mode = Outcome(row.outcome), Mode(row.mode)
    return words.decision(outcome, mode, step, verdicts(row), row.deferred_until)


def _decisions() -> Select[Any]:
    of_send = [SENDS.c[name].label(f"send_{name}") for name in _OF_SEND]
    return select(DECISIONS, *of_send).outerjoin(
        SENDS,
        # By the step too, for which there is an index.
        (SENDS.c.step_id == DECISIONS.c.step_id) & (SENDS.c.decision_id == DECISIONS.c.decision_id),
    )


def _cursor(row: Row[Any]) -> DecisionCursor:
    return DecisionCursor(decided_at=row.decided_at, decision_id=row.decision_id)


def _decision(row: Row[Any]) -> Decision:
    return Decision(
        decision_id=row.decision_id,
        decided_at=row.decided_at,
        step_id=row.step_id,
        problem_id=row.problem_id,
        customer_id=row.customer_id,
        order_id=row.order_id,
        playbook=row.playbook,
        playbook_version=row.playbook_version,
        step=row.step,
        channel=row.channel,
        message_class=row.message_class,
        mode=row.mode,
        outcome=row.outcome,
        suppression=row.suppression,
        deferred_until=row.deferred_until,
        in_words=in_words(row),
        said_no=said_no(row),
        gates=tuple(_gate(verdict) for verdict in verdicts(row)),
        send=_send(row),
    )


def _gate(verdict: GateVerdict) -> Gate:
    return Gate(
        gate=verdict.gate,
        passed=verdict.passed,
        rule=verdict.rule,
        because=verdict.because,
        in_words=words.gate(verdict),
    )


def _send(row: Row[Any]) -> SendState | None:
    if row.send_state is None:
        return None
    return SendState(
        step_id=row.step_id, **{name: getattr(row, f"send_{name}") for name in _OF_SEND}
    )
