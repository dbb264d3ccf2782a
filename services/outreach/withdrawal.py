"""One problem, one voice: what is queued is taken back when it is solved or the customer wrote first."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from services.contracts.outreach import Suppression, Withdrawal
from services.kit import logs
from services.outreach import ledger, reconciliation
from services.outreach.announce import Send
from services.outreach.decide import reconsider
from services.outreach.gates import not_already_known, problem_open
from services.outreach.knowledge import DueStep, Rules
from services.outreach.memory import knowledge_of
from services.outreach.telling import names_of

_log = logs.get(__name__)

WITHDRAWN_BECAUSE = {
    Suppression.SOLVED: Withdrawal.PROBLEM_CLEARED,
    Suppression.ALREADY_KNOWN: Withdrawal.CUSTOMER_WROTE,
    Suppression.NOT_HELPED: Withdrawal.NOT_HELPED,
}
"""Every other no before a send is a failure, with the gate's name as its reason."""


def withdraw_overtaken(
    connection: Connection, customers: Iterable[str], rules: Rules, now: datetime
) -> int:
    """Take back what no longer needs to be said to these customers, whom the caller has locked.

    Returns:
        How many pending sends were withdrawn.
    """
    known = rules.known_steps
    pending = [
        send
        for send in ledger.pending_of(connection, customers)
        if (send.playbook, send.step) in known
    ]
    # An old database would take back what has long left; who sends asks the same again.
    if not pending or reconciliation.is_needed_until_commit(connection):
        return 0
    knowledge = knowledge_of(
        connection, (s.customer_id for s in pending), (s.problem_id for s in pending), since=now
    )
    withdrawn = 0
    for send in pending:
        gates = (problem_open, not_already_known)
        no = reconsider(due_of(send), knowledge[send.customer_id], rules, now, gates)
        if no is not None and no.suppression is not None:
            why = WITHDRAWN_BECAUSE[no.suppression]
            ledger.withdraw(connection, send, why, now)
            _log.info("outreach_withdrawn", **names_of(send), reason=why.value)
            withdrawn += 1
    return withdrawn


def due_of(send: Send) -> DueStep:
    """Return the step that a send carries out, as the gates know it."""
    return DueStep(
        step_id=send.step_id,
        customer_id=send.customer_id,
        partition=send.partition,
        problem_id=send.problem_id,
        playbook=send.playbook,
        step=send.step,
        triggered_at=send.triggered_at,
        due_at=send.triggered_at,
        trace=send.trace,
    )
