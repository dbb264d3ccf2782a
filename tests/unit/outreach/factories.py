"""Situations in which everything allows a contact, to be varied by one thing at a time."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from services.contracts import ids
from services.contracts.outreach import Mode
from services.contracts.people import Channel, ConsentStatus, MessageClass
from services.contracts.problems import Actor, ProblemKind, Tier
from services.contracts.trace_context import of_problem
from services.outreach.channels.outgoing import Outgoing
from services.outreach.facts import ConsentStatement, InboundContact, Problem, Profile, Stage
from services.outreach.knowledge import DueStep, Knowledge, Rules
from services.outreach.messages import Envelope, Text, compose
from services.outreach.playbook import Playbook, catalogue_of, parse
from services.outreach.quiet import QuietHours
from services.outreach.situation import Message, Policy, Situation

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
CUSTOMER = "c-1"
POLICY = Policy(QuietHours(time(20), time(8)), ZoneInfo("UTC"))

LATE = """
name: delivery_late
version: 3
mode: live
message_class: service
trigger: {kind: delivery_delay, tiers: [late]}
steps: [{name: notice, action: send, channels: [email], template: delivery_late, use_by_hours: 48}]
"""
AT_RISK = LATE.replace("delivery_late", "delivery_at_risk").replace("[late]", "[at_risk]")


def playbooks() -> tuple[Playbook, ...]:
    return parse(LATE, "late"), parse(AT_RISK, "at_risk")


def rules(mode: Mode = Mode.LIVE) -> Rules:
    return Rules(catalogue_of(playbooks()), POLICY, mode)


def problem(order: str = "o-1", tier: Tier = Tier.LATE, **changes: Any) -> Problem:
    stage = Stage(tier, NOON, NOON - DAY, Actor.US, 0.4)
    made = Problem(
        problem_id=ids.problem_id(CUSTOMER, f"sh-{order}", "delivery_delay", 1),
        customer_id=CUSTOMER,
        kind=ProblemKind.DELIVERY_DELAY,
        subject=f"sh-{order}",
        order_id=order,
        opened_at=NOON - HOUR,
        stage=stage,
    )
    return replace(made, **changes)


def profile(**changes: Any) -> Profile:
    return replace(Profile(CUSTOMER, NOON - DAY, "/crm", "p-1", email="a@example.org"), **changes)


def situation(**changes: Any) -> Situation:
    made = Situation(
        now=NOON,
        triggered_at=NOON - HOUR,
        use_by=NOON + 2 * DAY,
        problem=problem(),
        message=Message(MessageClass.SERVICE, (Channel.EMAIL,), frozenset({Tier.LATE})),
        profile=profile(),
    )
    return replace(made, **changes)


def message(message_class: MessageClass) -> Message:
    return Message(message_class, (Channel.EMAIL,), frozenset({Tier.LATE}))


def contact(order: str | None = "o-1", **changes: Any) -> InboundContact:
    made = InboundContact(CUSTOMER, "k-1", order, heard_at=NOON, opened_at=NOON)
    return replace(made, **changes)


def statement(status: ConsentStatus, said_at: datetime, **changes: Any) -> ConsentStatement:
    made = ConsentStatement(
        "/crm",
        f"s-{said_at.isoformat()}-{status}",
        CUSTOMER,
        MessageClass.SERVICE,
        Channel.EMAIL,
        status,
        said_at,
    )
    return replace(made, **changes)


def due(of: Problem, playbook: str = "delivery_late", **changes: Any) -> DueStep:
    made = DueStep(
        step_id=ids.step_id(of.problem_id, playbook, "notice"),
        customer_id=of.customer_id,
        partition=0,
        problem_id=of.problem_id,
        playbook=playbook,
        step="notice",
        triggered_at=NOON,
        due_at=NOON,
        trace=of_problem(of.problem_id),
    )
    return replace(made, **changes)


def knowledge(*problems: Problem, **changes: Any) -> Knowledge:
    by_id: dict[UUID, Problem] = {p.problem_id: p for p in problems or (problem(),)}
    return replace(Knowledge(by_id, profile=profile()), **changes)


def outgoing(**changes: Any) -> Outgoing:
    """Return a message on its way, to be varied."""
    made = Outgoing(
        step_id=UUID(int=7),
        problem_id=UUID(int=8),
        playbook="delivery_late",
        step="notice",
        customer_id=CUSTOMER,
        attempt=1,
        recipient=CUSTOMER,
        subject="Late",
        text="Hello",
        language="en",
        at=NOON,
        use_by=NOON + DAY,
    )
    return replace(made, **changes)


def mail(recipient: str = "ada@example.org", plain: str = "Hello") -> EmailMessage:
    envelope = Envelope("care@example.org", recipient, "<1@care>", "p-1", "late/notice", NOON)
    return compose(Text("Subject", plain, "<p>Hello</p>"), envelope)
