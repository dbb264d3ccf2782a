"""The policy: each gate says yes or no to one due contact, and why.  Read it from top to bottom.

A gate is a pure function of a situation.  All gates speak, in the order of `GATES`, also after the
first no; the first no decides.
"""

from collections.abc import Callable
from datetime import datetime

from services.contracts.outreach import Suppression
from services.contracts.people import Channel, ConsentStatus, MessageClass
from services.contracts.problems import TIERS_OF, ProblemKind
from services.outreach.consent import ALLOWED_WITHOUT_RECORD, consent_in_force, is_suppressed
from services.outreach.correction import NOT_WITHHELD, is_correction, where_told
from services.outreach.facts import (
    InboundContact,
    Problem,
    SurveyAnswer,
    address_of,
)
from services.outreach.patience import Spent
from services.outreach.situation import Policy, Ruling, Situation, no, not_before, yes
from services.outreach.waiting import awaited, not_helped, was_not_helped
from services.outreach.worth import net_value as value_of

MAY_DISTURB_AT_NIGHT = frozenset({MessageClass.SAFETY})
"""Classes that may not wait for the morning."""


NOBODY_IS_TOLD = "the customer hears nothing of it"
"""Why a step that gives the problem to a person passes what protects the customer."""


def problem_open(situation: Situation, policy: Policy) -> Ruling:
    """The problem must still be there; or, where the message is about its end, have ended that way.

    What is only for who was told of it asks besides whether they were.
    """
    ending, after = situation.problem.ending, situation.message.after
    if after is None and ending is None:
        return yes("problem_open", 3, f"open, {situation.problem.stage.tier}")
    if ending is None:
        return no("problem_open", 3, "it has not ended", Suppression.SOLVED)
    because = f"cleared: {ending.clearing}"
    # Nobody is told of the end of what nobody ever heard begin.
    if after is None or ending.clearing not in after or situation.problem.opened_at >= ending.at:
        return no("problem_open", 3, because, Suppression.SOLVED)
    if situation.message.told:
        return where_told("problem_open", 3, situation, policy, because)
    return yes("problem_open", 3, because)


def not_already_known(situation: Situation, policy: Policy) -> Ruling:
    """Who wrote to us, or answered a survey poorly, about this order, or about none, needs no notice.

    Where either names no order, it may be the same one; what a customer of two ids was told under one of
    them is known under both.  The very contact or answer that a problem is
    about does not count: that nobody answered it is what the customer is to hear.
    """
    problem = situation.problem
    if situation.twin_told:
        because = "told already, under another id of the customer"
        return no("not_already_known", 5, because, Suppression.ALREADY_KNOWN)
    for contact in situation.contacts:
        if _is_the_problem(contact, problem) or not _about(contact.order_id, problem):
            continue
        if _matters(contact, situation):
            state = "open" if contact.is_open else "since the problem opened"
            because = (
                f"the customer's own contact about {_whose(contact.order_id, problem)}, {state}"
            )
            return no("not_already_known", 5, because, Suppression.ALREADY_KNOWN)
    for answer in situation.answers:
        if _is_the_problem(answer, problem) or not _about(answer.order_id, problem):
            continue
        if answer.is_poor and answer.answered_at >= problem.opened_at:
            because = f"a poor survey answer about {_whose(answer.order_id, problem)}"
            return no("not_already_known", 5, because, Suppression.ALREADY_KNOWN)
    return yes("not_already_known", 5, _unheard(situation))


def message_class(situation: Situation, policy: Policy) -> Ruling:
    """The deployment must send messages of this class at all."""
    if not situation.message.reaches_customer:
        return yes("message_class", 1, NOBODY_IS_TOLD)
    asked = situation.message.message_class
    if asked in policy.classes:
        return yes("message_class", 1, f"{asked} is sent here")
    return no("message_class", 1, f"{asked} is not sent here", Suppression.MESSAGE_CLASS)


def consent(situation: Situation, policy: Policy) -> Ruling:
    """The customer's latest word in force must allow this class on one of the channels at least."""
    if not situation.message.reaches_customer:
        return yes("consent", 3, NOBODY_IS_TOLD)
    told = [(by, *_allows(situation, by)) for by in situation.message.channels]
    because = "; ".join(f"{words} by {by}" for by, _, words in told)
    if any(is_allowed for _, is_allowed, _ in told):
        return yes("consent", 3, because)
    return no("consent", 3, because, Suppression.CONSENT)


def use_by(situation: Situation, policy: Policy) -> Ruling:
    """What the message says must still be news, and still be true of the problem's tier."""
    tier = situation.problem.stage.tier
    if tier not in situation.message.speaks_of:
        return no("use_by", 1, f"overtaken: the problem is {tier} by now", Suppression.USE_BY)
    if situation.now > situation.use_by:
        return no("use_by", 1, f"was useful until {_iso(situation.use_by)}", Suppression.USE_BY)
    return yes("use_by", 1, f"useful until {_iso(situation.use_by)}")


def quiet_hours(situation: Situation, policy: Policy) -> Ruling:
    """Nobody is disturbed in their own night; what cannot wait until its end is not sent at all."""
    if not situation.message.reaches_customer:
        return yes("quiet_hours", 2, NOBODY_IS_TOLD)
    if situation.message.message_class in MAY_DISTURB_AT_NIGHT:
        return yes("quiet_hours", 2, "this class may not wait")
    found = situation.zone(policy)
    free_from = policy.quiet_hours.free_from(situation.now, found.zone)
    if free_from == situation.now:
        return yes("quiet_hours", 2, f"free time; zone from {found.found_in}")
    if free_from > situation.use_by:
        because = f"quiet until after its use-by; zone from {found.found_in}"
        return no("quiet_hours", 2, because, Suppression.USE_BY)
    return not_before("quiet_hours", 2, f"quiet time; zone from {found.found_in}", free_from)


def budget(situation: Situation, policy: Policy) -> Ruling:
    """Nobody hears from us too often."""
    if exempt := _needs_no_room(situation, policy):
        return yes("budget", 3, exempt)
    this = Spent(situation.now, situation.message.message_class)
    full = policy.patience.exceeded(situation.spent, this, situation.zone(policy).zone)
    if full is None:
        return yes("budget", 3, "room in every window")
    limit, used = full
    return no("budget", 3, f"{used} used of {limit}", Suppression.BUDGET)


def reserved(situation: Situation, policy: Policy) -> Ruling:
    """What is likely to get worse will have to be told: a lesser message leaves room for that one.

    Room is looked for where the worse message would fall: a day's window may be free again by then.
    """
    if exempt := _needs_no_room(situation, policy):
        return yes("reserved", 2, exempt)
    this = Spent(situation.now, situation.message.message_class)
    zone = situation.zone(policy).zone
    spent = (*situation.spent, this)
    for problem in (situation.problem, *situation.others):
        at = _worse_at(problem, situation, policy)
        worse = None if at is None else Spent(at, MessageClass.SERVICE)
        full = None if worse is None else policy.patience.exceeded(spent, worse, zone)
        if worse is not None and full is not None:
            limit, used = full
            because = f"{problem.kind} may get worse by {_iso(worse.at)}: {used} used of {limit}"
            return no("reserved", 2, because, Suppression.RESERVED)
    return yes("reserved", 2, "room for whatever is likely to come")


def net_value(situation: Situation, policy: Policy) -> Ruling:
    """It must be expected to do more good than it costs, the customer's patience included."""
    if is_correction(situation):
        return yes("net_value", 3, NOT_WITHHELD)
    if was_not_helped(situation) and not situation.message.reaches_customer:
        return yes("net_value", 3, "the customer said that a message did not help")
    asked, worth = situation.message.message_class, policy.worth
    if asked is MessageClass.SAFETY:
        return yes("net_value", 3, "this class is sent whatever it costs")
    since = situation.now - worth.fatigue_window
    recent = sum(1 for contact in situation.spent if contact.at > since)
    by = chosen_channel(situation) or situation.message.channels[0]
    value = value_of(worth, asked, by, situation.problem.stage.complaint_risk, recent)
    because = (
        f"{value.total:.3f} complaints: avoids {value.gain:.3f}, "
        f"costs {value.cost:.3f}, tires {value.fatigue:.3f}"
    )
    if value.total > 0:
        return yes("net_value", 3, because)
    return no("net_value", 3, because, Suppression.NET_VALUE)


def breaker(situation: Situation, policy: Policy) -> Ruling:
    """So many at once may be somebody's mistake: more than is usual waits for a person's word."""
    if not situation.message.reaches_customer:
        return yes("breaker", 1, NOBODY_IS_TOLD)
    volume = situation.volume
    if volume is not None and volume.rejects(situation.triggered_at):
        return no("breaker", 1, "a person rejected what was due by then", Suppression.BREAKER)
    if volume is None or not volume.is_full:
        # How many there were depends on who was decided about first: it is no reason for this one.
        return yes("breaker", 1, "no more than is usual")
    because = f"{volume.decided} where {volume.allowance} are allowed"
    again = situation.now + policy.breaker.recheck
    if again > situation.use_by:
        return no("breaker", 1, f"{because}, and no approval in time", Suppression.BREAKER)
    return not_before("breaker", 1, f"{because}: waits for an approval", again)


def channel(situation: Situation, policy: Policy) -> Ruling:
    """One of the channels the customer allows must be open and have an address."""
    by = chosen_channel(situation)
    if by is not None:
        return yes("channel", 2, f"{by}: an address is known")
    shut = [c for c in situation.message.channels if c in situation.closed]
    because = "no address is known" if not shut else f"closed: {', '.join(sorted(shut))}"
    return no("channel", 2, because, Suppression.CHANNEL)


def holdout(situation: Situation, policy: Policy) -> Ruling:
    """Some would be held out, to measure what writing is worth; for now nobody is."""
    return yes("holdout", 1, "nobody is held out")


Gate = Callable[[Situation, Policy], Ruling]

GATES: tuple[Gate, ...] = (
    problem_open,
    not_already_known,
    not_helped,
    awaited,
    message_class,
    consent,
    use_by,
    quiet_hours,
    budget,
    reserved,
    net_value,
    breaker,
    channel,
    holdout,
)
"""In the order in which a no counts."""

GATES_BEFORE_SENDING: tuple[Gate, ...] = (
    problem_open,
    not_already_known,
    not_helped,
    message_class,
    consent,
    use_by,
    quiet_hours,
    channel,
)
"""Asked once more right before a send; the others were settled when the contact was decided."""


def judge(
    situation: Situation, policy: Policy, gates: tuple[Gate, ...] = GATES
) -> tuple[Ruling, ...]:
    """Return every gate's ruling, in their order."""
    return tuple(gate(situation, policy) for gate in gates)


def first_no(rulings: tuple[Ruling, ...]) -> Ruling | None:
    """Return the ruling that decides against a contact, or None."""
    return next((ruling for ruling in rulings if not ruling.verdict.passed), None)


def chosen_channel(situation: Situation) -> Channel | None:
    """Return the first channel that is allowed, open, and has an address; None: there is none."""
    return next(
        (
            by
            for by in situation.message.channels
            if by not in situation.closed
            and address_of(situation.profile, by, situation.problem.customer_id) is not None
            and (not situation.message.reaches_customer or _allows(situation, by)[0])
        ),
        None,
    )


def _allows(situation: Situation, by: Channel) -> tuple[bool, str]:
    """Return whether the customer allows this class by this channel, and what was looked at."""
    asked = situation.message.message_class
    statement = consent_in_force(situation.consents, asked, by, situation.now)
    since = situation.profile.suppressed_since if situation.profile else None
    if is_suppressed(asked, since, statement):
        return False, f"erased at their wish, and no consent since for {asked}"
    if statement is None:
        return ALLOWED_WITHOUT_RECORD[asked], f"no record for {asked}, so its default"
    return statement.status is ConsentStatus.GRANTED, f"{statement.status} for {asked}"


def _needs_no_room(situation: Situation, policy: Policy) -> str | None:
    """Return why a message goes out however much was sent before; None: it needs room."""
    if not situation.message.reaches_customer:
        return NOBODY_IS_TOLD
    if is_correction(situation):
        return NOT_WITHHELD
    if situation.message.message_class not in policy.patience.obeying:
        return "this class does not obey the budget"
    return None


def _worse_at(problem: Problem, situation: Situation, policy: Policy) -> datetime | None:
    """Return when a likely and worse message about this problem would be due, or None."""
    risk, promised_by = problem.stage.complaint_risk, problem.stage.promised_by
    is_likely = risk is not None and risk >= policy.reserve_from_risk
    tiers = TIERS_OF[problem.kind]
    if promised_by is None or not is_likely or problem.stage.tier is tiers[-1]:
        return None
    is_lesser = (
        situation.message.message_class is not MessageClass.SERVICE
        or tiers[-1].rank > situation.problem.stage.tier.rank
    )
    at = promised_by + policy.worse_after
    return at if is_lesser and at > situation.now else None


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


def _matters(contact: InboundContact, situation: Situation) -> bool:
    """Whether the customer hears of it in that contact anyway.

    Of a problem's end nothing was said in what was answered before it.
    """
    if contact.is_open or situation.message.after is not None:
        return contact.is_open
    return contact.heard_at is not None and contact.heard_at >= situation.problem.opened_at


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
