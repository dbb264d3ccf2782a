"""The policy: each gate says yes or no to one due contact, and why.  Read it from top to bottom.

A gate is a pure function of a situation.  All gates speak, in the order of `GATES`, also after the
first no; the first no decides.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from services.contracts.outreach import GateVerdict, Suppression
from services.contracts.people import Channel, ConsentStatus, MessageClass
from services.contracts.problems import ProblemKind, Tier
from services.outreach.facts import (
    ConsentStatement,
    InboundContact,
    Problem,
    Profile,
    SurveyAnswer,
)
from services.outreach.quiet import QuietHours, ZoneFound, zone_for
from services.outreach.zones import ZONE_OF_COUNTRY

ALLOWED_WITHOUT_RECORD: Mapping[MessageClass, bool] = {
    MessageClass.SAFETY: True,
    MessageClass.SERVICE: True,
    # A care message is kind but not needed to fulfil the order, so we ask before we write.
    MessageClass.CARE: False,
    MessageClass.PROMOTIONAL: False,
}
"""What holds where a customer never said anything about a class on a channel."""

MAY_DISTURB_AT_NIGHT = frozenset({MessageClass.SAFETY})
"""Classes that may not wait for the morning."""

BUDGETED = frozenset({MessageClass.SERVICE, MessageClass.CARE, MessageClass.PROMOTIONAL})
"""Classes that use up a customer's patience; a safety message neither obeys the budget nor counts."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `contacts` in any `window`."""

    contacts: int
    window: timedelta


@dataclass(frozen=True, slots=True)
class Policy:
    """What one deployment allows."""

    quiet_hours: QuietHours
    default_zone: ZoneInfo
    budget: tuple[Limit, ...] = (Limit(1, timedelta(hours=24)), Limit(3, timedelta(days=7)))
    zone_of_country: Mapping[str, str] = field(default_factory=lambda: ZONE_OF_COUNTRY)

    @property
    def longest_window(self) -> timedelta:
        """How far back contacts must be known."""
        return max(limit.window for limit in self.budget)


@dataclass(frozen=True, slots=True)
class Message:
    """What would be sent."""

    message_class: MessageClass
    channel: Channel
    speaks_of: frozenset[Tier]
    """The tiers in which what it says is true."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything known at `now` that a gate may look at."""

    now: datetime
    use_by: datetime
    problem: Problem
    message: Message
    contacts: tuple[InboundContact, ...] = ()
    answers: tuple[SurveyAnswer, ...] = ()
    consents: tuple[ConsentStatement, ...] = ()
    profile: Profile | None = None
    contacted_at: tuple[datetime, ...] = ()
    """When this customer was contacted in a class that counts."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """One gate's verdict, and what follows from a no."""

    verdict: GateVerdict
    suppression: Suppression | None = None
    deferred_until: datetime | None = None


def problem_open(situation: Situation, policy: Policy) -> Ruling:
    """The problem must still be there."""
    ending = situation.problem.ending
    if ending is None:
        return _yes("problem_open", 1, f"open, {situation.problem.stage.tier}")
    return _no("problem_open", 1, f"cleared: {ending.clearing}", Suppression.SOLVED)


def not_already_known(situation: Situation, policy: Policy) -> Ruling:
    """Who wrote to us, or answered a survey poorly, about this order, or about none, needs no notice.

    Where either names no order, it may be the same one.  The very contact or answer that a problem is
    about does not count: that nobody answered it is what the customer is to hear.
    """
    problem = situation.problem
    for contact in situation.contacts:
        if _is_the_problem(contact, problem) or not _about(contact.order_id, problem):
            continue
        if _matters(contact, problem):
            state = "open" if contact.is_open else "since the problem opened"
            because = (
                f"the customer's own contact about {_whose(contact.order_id, problem)}, {state}"
            )
            return _no("not_already_known", 2, because, Suppression.ALREADY_KNOWN)
    for answer in situation.answers:
        if _is_the_problem(answer, problem) or not _about(answer.order_id, problem):
            continue
        if answer.is_poor and answer.answered_at >= problem.opened_at:
            because = f"a poor survey answer about {_whose(answer.order_id, problem)}"
            return _no("not_already_known", 2, because, Suppression.ALREADY_KNOWN)
    return _yes("not_already_known", 2, _unheard(situation))


def consent(situation: Situation, policy: Policy) -> Ruling:
    """The customer's latest word in force, for this class on this channel, must allow it."""
    message = situation.message
    statement = consent_in_force(situation.consents, message, situation.now)
    if statement is None:
        allowed = ALLOWED_WITHOUT_RECORD[message.message_class]
        because = f"no record for {message.message_class} by {message.channel}: default"
    else:
        allowed = statement.status is ConsentStatus.GRANTED
        because = f"{statement.status} for {message.message_class} by {message.channel}"
    if allowed:
        return _yes("consent", 1, because)
    return _no("consent", 1, because, Suppression.CONSENT)


def use_by(situation: Situation, policy: Policy) -> Ruling:
    """What the message says must still be news, and still be true of the problem's tier."""
    tier = situation.problem.stage.tier
    if tier not in situation.message.speaks_of:
        return _no("use_by", 1, f"overtaken: the problem is {tier} by now", Suppression.USE_BY)
    if situation.now > situation.use_by:
        return _no("use_by", 1, f"was useful until {_iso(situation.use_by)}", Suppression.USE_BY)
    return _yes("use_by", 1, f"useful until {_iso(situation.use_by)}")


def quiet_hours(situation: Situation, policy: Policy) -> Ruling:
    """Nobody is disturbed in their own night; what cannot wait until its end is not sent at all."""
    if situation.message.message_class in MAY_DISTURB_AT_NIGHT:
        return _yes("quiet_hours", 1, "this class may not wait")
    found = _zone(situation.profile, policy)
    free_from = policy.quiet_hours.free_from(situation.now, found.zone)
    if free_from == situation.now:
        return _yes("quiet_hours", 1, f"free time; zone from {found.found_in}")
    if free_from > situation.use_by:
        because = f"quiet until after its use-by; zone from {found.found_in}"
        return _no("quiet_hours", 1, because, Suppression.USE_BY)
    verdict = _no("quiet_hours", 1, f"quiet time; zone from {found.found_in}", None).verdict
    return Ruling(verdict, deferred_until=free_from)


def budget(situation: Situation, policy: Policy) -> Ruling:
    """Nobody hears from us too often."""
    if situation.message.message_class not in BUDGETED:
        return _yes("budget", 1, "this class does not obey the budget")
    for limit in policy.budget:
        since = situation.now - limit.window
        used = sum(1 for at in situation.contacted_at if at > since)
        hours = int(limit.window.total_seconds() // 3600)
        if used >= limit.contacts:
            because = f"{used} of {limit.contacts} in {hours} h"
            return _no("budget", 1, because, Suppression.BUDGET)
    return _yes("budget", 1, "room in every window")


def channel(situation: Situation, policy: Policy) -> Ruling:
    """There must be an address to write to."""
    if situation.profile is None or situation.profile.email is None:
        return _no("channel", 1, "no address is known", Suppression.CHANNEL)
    return _yes("channel", 1, "an address is known")


Gate = Callable[[Situation, Policy], Ruling]

GATES: tuple[Gate, ...] = (
    problem_open,
    not_already_known,
    consent,
    use_by,
    quiet_hours,
    budget,
    channel,
)
"""In the order in which a no counts."""

GATES_BEFORE_SENDING: tuple[Gate, ...] = (
    problem_open,
    not_already_known,
    consent,
    use_by,
    quiet_hours,
    channel,
)
"""Asked once more right before a send; the budget was settled when the contact was decided."""


def judge(
    situation: Situation, policy: Policy, gates: tuple[Gate, ...] = GATES
) -> tuple[Ruling, ...]:
    """Return every gate's ruling, in their order."""
    return tuple(gate(situation, policy) for gate in gates)


def first_no(rulings: tuple[Ruling, ...]) -> Ruling | None:
    """Return the ruling that decides against a contact, or None."""
    return next((ruling for ruling in rulings if not ruling.verdict.passed), None)


def consent_in_force(
    statements: tuple[ConsentStatement, ...], message: Message, at: datetime
) -> ConsentStatement | None:
    """Return the last word said among those in force; of two said at once, the stricter."""
    in_force = [
        statement
        for statement in statements
        if statement.message_class is message.message_class
        and statement.channel is message.channel
        and statement.is_in_force(at)
    ]
    return max(
        in_force,
        key=lambda s: (s.said_at, s.status is not ConsentStatus.GRANTED, s.source, s.event_id),
        default=None,
    )


_OF_CONTACTS = frozenset(
    {
        ProblemKind.CONTACT_UNANSWERED,
        ProblemKind.CONTACT_REOPENED,
        ProblemKind.CONTACT_REPEATED,
    }
)
"""Kinds whose trouble is the customer's own contact, or several of them about one order."""


def _is_the_problem(word: InboundContact | SurveyAnswer, problem: Problem) -> bool:
    if isinstance(word, SurveyAnswer):
        return problem.kind is ProblemKind.SURVEY_POOR and word.survey_id == problem.subject
    if problem.kind is ProblemKind.CONTACT_REPEATED and word.order_id is not None:
        return word.order_id == problem.order_id
    return problem.kind in _OF_CONTACTS and word.contact_id == problem.subject


def _about(order_id: str | None, problem: Problem) -> bool:
    return order_id is None or problem.order_id is None or order_id == problem.order_id


def _whose(order_id: str | None, problem: Problem) -> str:
    if order_id is None:
        return "no order"
    return "this order" if problem.order_id else "an order, and the problem names none"


def _unheard(situation: Situation) -> str:
    words: tuple[InboundContact | SurveyAnswer, ...] = (*situation.contacts, *situation.answers)
    if any(_is_the_problem(word, situation.problem) for word in words):
        return "no word from the customer but the one the problem is about"
    return "no word from the customer about it"


def _matters(contact: InboundContact, problem: Problem) -> bool:
    heard = contact.heard_at
    return contact.is_open or (heard is not None and heard >= problem.opened_at)


def _zone(profile: Profile | None, policy: Policy) -> ZoneFound:
    known = (
        (profile.time_zone, profile.country, profile.language) if profile else (None, None, None)
    )
    return zone_for(*known, policy.zone_of_country, policy.default_zone)


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _yes(gate: str, version: int, because: str) -> Ruling:
    return Ruling(GateVerdict(gate=gate, passed=True, rule=f"{gate}/{version}", because=because))


def _no(gate: str, version: int, because: str, suppression: Suppression | None) -> Ruling:
    verdict = GateVerdict(gate=gate, passed=False, rule=f"{gate}/{version}", because=because)
    return Ruling(verdict, suppression)
