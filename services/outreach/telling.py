"""What outreach tells of its decisions and sends: one log line each, and spans where they are collected."""

from collections.abc import Iterable, Mapping, Sequence

import structlog

from services.contracts.topics import PROBLEMS
from services.kit import span_names as n
from services.kit.tracing import Kind, Span
from services.outreach.announce import Send
from services.outreach.channels.endings import Delivery, Ending
from services.outreach.decide import Decision

_NOT_TAKEN = frozenset({Ending.REFUSED, Ending.UNKNOWN, Ending.DEFERRED})


def names_of(send: Send) -> Mapping[str, str]:
    """Return the ids by which a line about a send is found."""
    return {
        "step_id": str(send.step_id),
        "problem_id": str(send.problem_id),
        "trace_id": send.trace.trace_id,
    }


def log_decisions(
    log: structlog.typing.FilteringBoundLogger, decisions: Iterable[Decision]
) -> None:
    """Log each decision, once it is committed."""
    for decision in decisions:
        due, until, no = decision.due, decision.deferred_until, decision.suppression
        log.info(
            "outreach_decided",
            decision_id=str(decision.decision_id),
            step_id=str(due.step_id),
            problem_id=str(due.problem_id),
            playbook=due.playbook,
            step=due.step,
            mode=decision.mode.value,
            outcome=decision.outcome.value,
            **({} if no is None else {"suppression": no.value}),
            **({} if until is None else {"deferred_until": until.isoformat()}),
            trace_id=due.trace.trace_id,
        )


def span_of_decisions(decisions: Sequence[Decision]) -> Span:
    """Return the span of deciding what was due at once: linked to what each came from."""
    attributes: dict[str, str | int] = {
        n.SYSTEM: n.KAFKA,
        n.OPERATION_NAME: "decide",
        n.OPERATION_TYPE: n.PROCESS,
        n.DESTINATION: PROBLEMS.name,
        n.BATCH: len(decisions),
    }
    for decision in decisions:
        name = f"{n.OUTCOME}.{decision.outcome.value}"
        attributes[name] = int(attributes.get(name, 0)) + 1
    links = (decision.due.trace for decision in decisions)
    return Span(f"decide {PROBLEMS.name}", Kind.CONSUMER, attributes, links=links)


def span_of_send(send: Send, delivery: Delivery) -> Span:
    """Return the span of one attempt, in the trace of what it is sent for."""
    attributes: dict[str, str | int] = {
        n.STEP_ID: str(send.step_id),
        n.PROBLEM_ID: str(send.problem_id),
        n.PLAYBOOK: send.playbook,
        n.CHANNEL: send.channel.value,
        n.ATTEMPT: send.attempt,
        n.OUTCOME: delivery.ending.value,
    }
    error = delivery.ending.value if delivery.ending in _NOT_TAKEN else None
    return Span(
        f"{n.SEND} {send.channel.value}", Kind.CLIENT, attributes, parent=send.trace, error=error
    )
