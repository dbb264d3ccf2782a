"""Which trace an event of ours is in: that of the event that brought it about, if one did.  Pure.

What time alone brings about was caused by no event, so it is in a trace of its own, derived from what it
is about; the events it rests on are its evidence.  The choice among several causes knows no order in which
they came, so that a replay's records are the same bytes.
"""

from collections.abc import Iterable
from typing import Any

from services.churn_predictor.state import CustomerState, digest
from services.contracts.envelope import Event
from services.contracts.problems import RiskAssessed
from services.contracts.trace_context import TraceContext, derived, from_one_line, of_problem


def cause_of(said: Event[Any], customer: CustomerState) -> TraceContext:
    """Return the trace of the latest event since the last look on which `said` rests, else its own."""
    fact = said.data
    if isinstance(fact, RiskAssessed):
        return _latest(customer, _at_the_point(fact, customer)) or derived(
            "event", said.source, said.id
        )
    rests_on = (digest(ref.source, ref.id) for ref in fact.evidence)
    return _latest(customer, rests_on) or of_problem(fact.problem_id)


def _at_the_point(fact: RiskAssessed, customer: CustomerState) -> Iterable[str]:
    """Return the names of the events of just the instant that was assessed."""
    return (name for name in customer.fresh if customer.seen.get(name) == fact.as_of)


def _latest(customer: CustomerState, names: Iterable[str]) -> TraceContext | None:
    known = [
        # What lies behind the horizon by now is no longer among those seen.
        (customer.seen[name], name)
        for name in names
        if name in customer.fresh and name in customer.seen
    ]
    return from_one_line(customer.fresh[max(known)[1]]) if known else None
