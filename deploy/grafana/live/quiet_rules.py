"""Recording rules that may be without a number while all is well, and why; panels say it of themselves.

What rests on one of them may be empty for the same reason, and is not listed.
"""

from collections.abc import Mapping

from deploy.grafana.spec import EmptyIsGood, RealTimeOnly, Silence

_NOBODY_HELD_OUT = EmptyIsGood(
    "no shipped playbook holds anybody out: there is nobody to compare with"
)
_TOO_SHORT = EmptyIsGood(
    "a fear of losing somebody is judged 30 days later, and the demo lasts no longer"
)
_ALL_NEW = EmptyIsGood(
    "everybody in the demo's shop is new: nobody was there who could be lost or kept"
)

QUIET_RULES: Mapping[str, Silence] = {
    "care:prevented_contact:ratio": _NOBODY_HELD_OUT,
    "care:prevented_contact:margin95": _NOBODY_HELD_OUT,
    "care:trial_purchases:ratio": _TOO_SHORT,
    "care:trial_purchases:adjusted": _TOO_SHORT,
    "care:save_attempts:ratio": _TOO_SHORT,
    "window:churn:ratio_rate28d": _ALL_NEW,
    "window:retention:ratio_rate28d": _ALL_NEW,
    "channel:handle_seconds:mean_rate7d": EmptyIsGood(
        "the demo's desk does not tell what its agents spend on a contact"
    ),
    "care:event_to_decision_seconds:p99_rate5m": RealTimeOnly(
        "in simulated time hours pass between two looks: the delay is not the services'"
    ),
}
"""Rule → what allows it to be empty."""
