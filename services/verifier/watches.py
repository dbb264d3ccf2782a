"""What one watch is: what may go wrong, by when, and what ends it; and those about anything but a parcel.

Each is a function of the facts alone, as `docs/expectations.md` words it.  Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.contracts.contacts import POOR_UP_TO, SurveyKind
from services.contracts.problems import Actor, DecisionPoint, Tier
from services.contracts.tolerances import Tolerances
from services.verifier.evidence import Stamp
from services.verifier.heard import publisher_feed
from services.verifier.says import HELP
from services.verifier.slots import Slots, stamp_of
from services.verifier.weekdays import business_days_after


@dataclass(frozen=True, slots=True)
class Step:
    """When a tier is reached, unless something happened."""

    at: datetime
    tier: Tier
    feeds: tuple[str, ...] = ()
    """Whose silence would explain that nothing was heard; none: an event is the trouble."""
    point: DecisionPoint | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """One thing that may go wrong, as far as the facts of one moment tell."""

    anchor: Stamp
    steps: tuple[Step, ...]
    """By rising deadline."""
    end: Stamp | None
    actor: Actor
    renewed_by: Stamp | None = None
    """What renewed it where its anchor became a later one; None: the anchor itself."""
    order_id: str | None = None
    promised_by: datetime | None = None
    destination_zone: str | None = None
    """Of a parcel: what its latest promise that names a zone named."""
    rests_on: tuple[Stamp, ...] = ()
    """The evidence; empty: the anchor."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What is tolerated, and the zone in which the customer's days are counted."""

    tolerances: Tolerances
    zone: str

    def days(self, since: Stamp, days: int) -> datetime:
        """Return so many business days after this."""
        return business_days_after(since.at, days, self.zone)


def stamp(slot: Slots | None) -> Stamp | None:
    """Return the stamp in a slot, if there is one."""
    return None if slot is None else stamp_of(slot)


def earliest(*stamps: Stamp | None) -> Stamp | None:
    """Return the earliest of those that are known."""
    return min((each for each in stamps if each is not None), default=None)


def latest(*stamps: Stamp | None) -> Stamp | None:
    """Return the latest of those that are known."""
    return max((each for each in stamps if each is not None), default=None)


def by_deadline(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return the steps in the order in which they are looked at."""
    return tuple(sorted(steps, key=lambda step: (step.at, step.tier.rank)))


def at_once(anchor: Stamp) -> tuple[Step, ...]:
    """Return the one step of what is wrong from the moment it happened."""
    return (Step(anchor.at, Tier.OVERDUE),)


def refund_overdue(refund: Slots, measure: Measure) -> Watch | None:
    """Return the watch over a promised refund."""
    promised = refund.get("promised")
    if promised is None:
        return None
    anchor, by = stamp_of(promised["told"]), promised["promised_by"]
    feeds = (publisher_feed(anchor.source),)
    steps = (
        Step(by, Tier.OVERDUE, feeds),
        Step(by + measure.tolerances.refund_late_after, Tier.LATE, feeds),
    )
    return Watch(
        anchor,
        steps,
        stamp(refund.get("paid")),
        Actor.US,
        order_id=refund.get("order_id"),
        promised_by=by,
    )


def order_unpaid(order_id: str, order: Slots, measure: Measure) -> Watch | None:
    """Return the watch over an order that could not be paid for."""
    failures = order.get("failures", [])
    if len(failures) < measure.tolerances.payment_failures:
        return None
    anchor = stamp_of(failures[measure.tolerances.payment_failures - 1])
    end = earliest(stamp(order.get("approved")), stamp(order.get("cancelled")))
    return Watch(anchor, at_once(anchor), end, Actor.CUSTOMER, order_id=order_id)


def cart_unpaid(cart: Slots, bought: Sequence[Stamp], measure: Measure) -> Watch | None:
    """Return the watch over a cart that could not be paid for.

    Args:
        cart: What is known of it.
        bought: When the customer's orders were placed.
        measure: What is tolerated.
    """
    failures = cart.get("failures", [])
    if len(failures) < measure.tolerances.payment_failures:
        return None
    anchor = stamp_of(failures[measure.tolerances.payment_failures - 1])
    return Watch(anchor, at_once(anchor), _next(bought, anchor), Actor.CUSTOMER)


def cart_abandoned(cart: Slots, bought: Sequence[Stamp]) -> Watch | None:
    """Return the watch over a cart that was given up after money had failed."""
    anchor, failed = stamp(cart.get("abandoned")), cart.get("failures", ())
    if anchor is None or all(stamp_of(failure) > anchor for failure in failed):
        return None
    return Watch(anchor, at_once(anchor), _next(bought, stamp_of(failed[0])), Actor.CUSTOMER)


def _next(stamps: Iterable[Stamp], after: Stamp) -> Stamp | None:
    return earliest(*(each for each in stamps if each > after))


def asked(contact: Slots) -> Stamp | None:
    """Return when the customer began this contact; None: an agent did, or nobody told."""
    return stamp(contact.get("opened")) if contact.get("opened_by") is None else None


def contact_unanswered(contact: Slots, measure: Measure) -> Watch | None:
    """Return the watch over what the customer is to be told."""
    answered = latest(stamp(contact.get("replied_by_agent")), stamp(contact.get("resolved")))
    waiting = contact.get("waiting", [])
    order_id = contact.get("order_id")
    if not waiting:
        if answered is None:
            return None
        return Watch(answered, (), answered, Actor.US, answered, order_id)
    since = stamp_of(waiting[0])
    feeds, tolerances = (publisher_feed(since.source),), measure.tolerances
    steps = (
        Step(measure.days(since, tolerances.reply_days), Tier.OVERDUE, feeds),
        Step(measure.days(since, tolerances.reply_late_days), Tier.LATE, feeds),
    )
    return Watch(since, by_deadline(steps), None, Actor.US, answered, order_id)


def contact_reopened(contact: Slots) -> Watch | None:
    """Return the watch over a contact that had been closed too early."""
    anchor, resolved = stamp(contact.get("reopened")), stamp(contact.get("resolved"))
    if anchor is None:
        return None
    end = resolved if resolved is not None and resolved > anchor else None
    return Watch(anchor, at_once(anchor), end, Actor.US, order_id=contact.get("order_id"))


def contact_repeated(order_id: str, about: Sequence[Slots], measure: Measure) -> Watch | None:
    """Return the watch over an order about which a customer must write again and again.

    Args:
        order_id: The order's.
        about: The contacts that the customer opened about it.
        measure: What is tolerated.
    """
    openings = sorted(stamp_of(contact["opened"]) for contact in about)
    many, within = measure.tolerances.contacts_on_one_order, measure.tolerances.contacts_within
    anchor = next(
        (
            last
            for first, last in zip(openings, openings[many - 1 :], strict=False)
            if last.at - first.at <= within
        ),
        None,
    )
    if anchor is None:
        return None
    return Watch(anchor, at_once(anchor), _all_closed(about), Actor.US, order_id=order_id)


def _all_closed(about: Iterable[Slots]) -> Stamp | None:
    """Return the latest closing where each is closed for good."""
    closings = []
    for contact in about:
        closed, came = (
            stamp(contact.get("resolved")),
            latest(stamp(contact.get("opened")), stamp(contact.get("reopened"))),
        )
        if closed is None or (came is not None and closed <= came):
            return None
        closings.append(closed)
    return latest(*closings)


def help_not_found(
    subject: str, search: Slots, contacts: Iterable[Slots], measure: Measure
) -> Watch | None:
    """Return the watch over a customer who looked for help and found none.

    Args:
        subject: The order searched about, or `HELP`.
        search: What is known of the searches about it.
        contacts: The customer's.
        measure: What is tolerated.
    """
    order_id = None if subject == HELP else subject
    openings = [
        asked(contact)
        for contact in contacts
        if order_id is None or contact.get("order_id") in (None, order_id)
    ]
    helped = latest(stamp(search.get("found")), *openings)
    fruitless = (stamp_of(each) for each in search.get("unfound", ()))
    since = next((each for each in fruitless if helped is None or each > helped), None)
    if since is None:
        return None if helped is None else Watch(helped, (), helped, Actor.US, helped, order_id)
    overdue = Step(
        since.at + measure.tolerances.help_silence, Tier.OVERDUE, (publisher_feed(since.source),)
    )
    return Watch(since, (overdue,), None, Actor.US, helped, order_id)


def survey_poor(survey: Slots, surveys: Iterable[Slots]) -> Watch | None:
    """Return the watch over a poor answer.

    Args:
        survey: What is known of the one.
        surveys: The customer's.
    """
    if not _is_answered(survey):
        return None
    anchor, order_id = stamp_of(survey["answered"]), survey.get("order_id")
    better = (
        stamp_of(other["answered"])
        for other in surveys
        if _is_answered(other) and not _is_poor(other) and other.get("order_id") == order_id
    )
    end = None if order_id is None else _next(better, anchor)
    steps = at_once(anchor) if _is_poor(survey) else ()
    return Watch(anchor, steps, end, Actor.US, order_id=order_id)


def _is_answered(survey: Mapping[str, object]) -> bool:
    return "answered" in survey


def _is_poor(survey: Slots) -> bool:
    return bool(survey["score"] <= POOR_UP_TO[SurveyKind(survey["kind"])])
