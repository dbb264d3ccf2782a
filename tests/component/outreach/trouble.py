"""Customers in every sort of trouble at once, for what looks at them; with canaries that must not be seen."""

from dataclasses import replace
from typing import Any

from services.outreach.playbook import catalogue_of, parse
from services.outreach.situation import Breaker
from tests.component.outreach.desk import NOON, Desk
from tests.factories import DAY
from tests.support.mail import Manner
from tests.support.outreach import opened, profile

CANARY = "Canary"
"""Is in every name, address and comment, and in nothing else."""
LATER = NOON + 2 * DAY

_LATE = """
name: delivery_late
version: 1
mode: live
message_class: service
trigger: {kind: delivery_delay, tiers: [late]}
steps:
  - {name: notice, action: send, channels: [email], template: delivery_late, use_by_hours: 48}
  - {name: call, action: escalate, after: {hours: 48, when: either}, use_by_hours: 240}
"""
_AT_RISK = """
name: delivery_at_risk
version: 2
mode: live
message_class: service
trigger: {kind: delivery_delay, tiers: [at_risk]}
contacts_per_day: 1
steps: [{name: notice, action: send, channels: [email], template: delivery_at_risk, use_by_hours: 48}]
"""
_MANNERS = {"unknown": Manner.TAKES_AND_HANGS, "refused": Manner.REFUSES_RECIPIENT}


def prepared(desk: Desk) -> Desk:
    """Return the desk with a playbook that gives up to a person, and a provider of many manners."""
    catalogue = catalogue_of([parse(_LATE, "late"), parse(_AT_RISK, "at_risk")])
    policy = replace(desk.out.rules.policy, breaker=Breaker(at_least=100))
    rules = replace(desk.out.rules, catalogue=catalogue, policy=policy)
    desk.channel.manner_of = _manner
    desk.out = replace(desk.out, rules=rules)
    desk.sender._out = desk.out
    return desk


def _manner(recipient: str) -> Manner:
    return next((m for name, m in _MANNERS.items() if name in recipient), Manner.TAKES)


def happen(desk: Desk, customer: str, risk: float | None = 0.5, **fields: Any) -> None:
    """One customer's parcel is late, and whoever is to be written to is."""
    known = {"name": f"{CANARY} {customer}", "email": f"{CANARY}.{customer}@example.org"}
    desk.learn(profile(customer, NOON, **known))
    desk.learn(opened(customer, NOON, complaint_risk=risk, **fields))
    desk.decide(NOON)
    desk.send(NOON)


def escalate(desk: Desk) -> None:
    """Two days pass, and what a playbook gives to a person is given."""
    desk.decide(LATER)
    desk.send(LATER)
