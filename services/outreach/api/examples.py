"""What each operation is answered with, and asked with, by example; all of one invented customer."""

from collections.abc import Mapping
from typing import Any

_PROBLEM = "5b0f3c52-6f0e-5c4e-9a55-0f6f1d3c2a10"
_STEP = "0d9f6c0e-3a39-5a9e-8a71-5f0f7f1f7c11"
_DECISION = "7a3e9a44-1c7f-57f5-9a0c-2f4d8f6b1e12"
_PAUSE = "c1c7a3de-7d8e-5d0a-b6a8-1b8f6e0d9a13"
_CUSTOMER = "c-1042"
_DECIDED_AT = "2026-03-02T09:30:05Z"
_WORDS = "Decided to carry out delivery_late/notice by email; live."
_DOUBT = (
    "Nobody can tell whether delivery_late/notice by email was sent (the sender ended before it knew); "
    "it is not sent again by itself."
)
_NAMED = {"playbook": "delivery_late", "step": "notice"}

_HELD = {
    "playbook": "delivery_at_risk",
    "tripped_at": "2026-03-02T08:00:00Z",
    "decided": 100,
    "allowance": 100,
    "steps_waiting": 312,
}
_ITEM = {
    "problem_id": _PROBLEM,
    "customer_id": _CUSTOMER,
    "kind": "delivery_delay",
    "subject": "sh-77",
    "order_id": "o-77",
    "tier": "late",
    "actor": "us",
    "opened_at": "2026-03-02T09:30:00Z",
    "ended_at": None,
    "complaint_risk": 0.4,
    "expected_value": 1.2,
    "needs": [
        {
            "need": "unknown",
            "step_id": _STEP,
            **_NAMED,
            "channel": "email",
            "since": "2026-03-02T09:31:00Z",
            "reason": "the sender ended before it knew",
            "in_words": _DOUBT,
        }
    ],
    "latest_decision": {
        "decision_id": _DECISION,
        "decided_at": _DECIDED_AT,
        **_NAMED,
        "outcome": "contact",
        "suppression": None,
        "said_no": None,
        "in_words": _WORDS,
    },
}
_SEND = {
    "step_id": _STEP,
    "state": "sent",
    "attempt": 1,
    "started_at": "2026-03-02T09:30:10Z",
    "finished_at": "2026-03-02T09:30:11Z",
    "reason": None,
}
_GATE = {
    "gate": "still_open",
    "passed": True,
    "rule": "still_open/1",
    "because": "it is open",
    "in_words": "still open said yes: it is open.",
}
_DECIDED = {
    "decision_id": _DECISION,
    "decided_at": _DECIDED_AT,
    "step_id": _STEP,
    "problem_id": _PROBLEM,
    "customer_id": _CUSTOMER,
    "order_id": "o-77",
    "playbook_version": 1,
    **_NAMED,
    "channel": "email",
    "message_class": "service",
    "mode": "live",
    "outcome": "contact",
    "suppression": None,
    "deferred_until": None,
    "in_words": _WORDS,
    "said_no": None,
    "gates": [_GATE],
    "send": _SEND,
}
_OPENED = {
    "at": "2026-03-02T09:30:00Z",
    "in_words": "Delivery delay about sh-77.",
    "type": "problem_opened",
    "problem_id": _PROBLEM,
    "kind": "delivery_delay",
    "subject": "sh-77",
    "order_id": "o-77",
    "tier": "late",
    "complaint_risk": 0.4,
}
_ANSWERED = {
    "at": "2026-03-04T18:00:00Z",
    "in_words": "The customer answered 4 (csat).",
    "type": "survey_answered",
    "survey_id": "s-9",
    "order_id": "o-77",
    "kind": "csat",
    "score": 4,
}
_PLAYBOOK = {
    "name": "delivery_late",
    "version": 1,
    "mode": "live",
    "mode_in_force": "live",
    "message_class": "service",
    "kind": "delivery_delay",
    "tiers": ["late"],
    "contacts_per_day": None,
    "steps": [
        {
            "name": "notice",
            "action": "send",
            "channels": ["email"],
            "template": "delivery_late",
            "use_by_hours": 48,
            "after": None,
        }
    ],
    "paused": False,
    "held": None,
}
_PAUSED = {
    "pause_id": _PAUSE,
    "scope": "playbook",
    "name": "delivery_late",
    "since": "2026-03-02T10:00:00Z",
    "by": "ada",
    "because": "wrong dates from the carrier",
    "resumed_at": None,
    "resumed_by": None,
}
_RESUMED = {**_PAUSED, "resumed_at": "2026-03-02T11:00:00Z", "resumed_by": "ada"}
_RELEASED = {"playbook": "delivery_at_risk", "tripped_at": "2026-03-02T08:00:00Z", "approved": 500}

EXAMPLES: Mapping[str, Any] = {
    "Saying": [{"by": "ada"}],
    "Resolving": [{"by": "ada", "became": "not_sent"}],
    "Approving": [{"by": "ada", "contacts": 500}],
    "Pausing": [
        {
            "by": "ada",
            "scope": "playbook",
            "name": "delivery_late",
            "because": "wrong dates from the carrier",
        },
        {"by": "ada", "scope": "all", "because": "wrong dates from the carrier"},
    ],
    "list_problems": {"items": [_ITEM], "held_playbooks": [_HELD], "next_cursor": None},
    "finish_problem": {"problem_id": _PROBLEM, "changed": True, "steps_done": [_STEP]},
    "resolve_send": {"step_id": _STEP, "changed": True, "became": "not_sent", "state": "failed"},
    "show_timeline": {
        "customer_id": _CUSTOMER,
        "items": [_OPENED, _ANSWERED],
        "next_cursor": None,
    },
    "explain_customer": {"customer_id": _CUSTOMER, "items": [_DECIDED], "next_cursor": None},
    "show_decision": _DECIDED,
    "list_playbooks": {"items": [_PLAYBOOK]},
    "show_playbook": _PLAYBOOK,
    "list_pauses": {"items": [_PAUSED]},
    "pause": {"pause": _PAUSED, "known": True},
    "resume": {"pause": _RESUMED, "changed": True},
    "list_held": {"items": [_HELD]},
    "approve": _RELEASED,
    "reject": {**_RELEASED, "approved": 0},
}
"""By operation the answer; by the name of a body the bodies."""
