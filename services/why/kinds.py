"""Kinds of problem, decision points and feeds in words.  Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.contracts.problems import DecisionPoint, ProblemKind, RiskKind, Tier

_AT_RISK, _OVERDUE, _LATE = Tier.AT_RISK, Tier.OVERDUE, Tier.LATE


@dataclass(frozen=True, slots=True)
class KindWords:
    """A kind of problem; `{}` stands for its subject."""

    about: str
    """What it is about, as a noun."""
    expected: str
    """What should have happened."""
    tiers: Mapping[Tier, str]
    """What is wrong, as a sentence, at each tier."""


KINDS: Mapping[ProblemKind, KindWords] = {
    ProblemKind.DELIVERY_DELAY: KindWords(
        "the delivery of parcel {}",
        "the parcel with the customer by the promised date",
        {
            _AT_RISK: "parcel {} may miss its promise",
            _OVERDUE: "parcel {} is past its promise",
            _LATE: "parcel {} is long past its promise",
        },
    ),
    ProblemKind.HANDOVER_OVERDUE: KindWords(
        "the hand-over of parcel {}",
        "the parcel with the carrier by the limit for hand-over",
        {_OVERDUE: "parcel {} was not handed over in time"},
    ),
    ProblemKind.FIRST_SCAN_MISSING: KindWords(
        "the first scan of parcel {}",
        "a first scan soon after the hand-over",
        {_OVERDUE: "the carrier was given parcel {} and has not scanned it"},
    ),
    ProblemKind.SCAN_STALLED: KindWords(
        "the way of parcel {}",
        "the next scan within a few business days",
        {_OVERDUE: "parcel {} has not moved for too long"},
    ),
    ProblemKind.DELIVERY_EXCEPTION: KindWords(
        "an exception of parcel {}",
        "a parcel on its way without an exception",
        {_OVERDUE: "the carrier tells of an exception with parcel {}"},
    ),
    ProblemKind.ATTEMPT_FAILED: KindWords(
        "the delivery attempts of parcel {}",
        "a parcel that is handed out, or soon tried again",
        {
            _AT_RISK: "an attempt to deliver parcel {} failed",
            _OVERDUE: "nobody tried again in time to deliver parcel {}",
        },
    ),
    ProblemKind.PICKUP_WAITING: KindWords(
        "the pick-up of parcel {}",
        "the parcel picked up within a few business days",
        {
            _OVERDUE: "parcel {} waits to be picked up",
            _LATE: "parcel {} has waited long and may go back",
        },
    ),
    ProblemKind.REFUND_OVERDUE: KindWords(
        "refund {}",
        "the money paid by the promised date",
        {_OVERDUE: "refund {} is past its date", _LATE: "refund {} is long past its date"},
    ),
    ProblemKind.PAYMENT_FAILED: KindWords(
        "the payment for {}",
        "a payment that goes through",
        {_OVERDUE: "the payment for {} failed, and not for the first time"},
    ),
    ProblemKind.CART_ABANDONED: KindWords(
        "cart {}",
        "an order after the failed payment",
        {_OVERDUE: "cart {} was given up after a failed payment"},
    ),
    ProblemKind.CONTACT_UNANSWERED: KindWords(
        "the answer in contact {}",
        "an answer to the customer's word",
        {
            _OVERDUE: "the customer waits for an answer in contact {}",
            _LATE: "the customer has waited long for an answer in contact {}",
        },
    ),
    ProblemKind.CONTACT_REOPENED: KindWords(
        "contact {}",
        "a closed contact that stays closed",
        {_OVERDUE: "the customer came back to contact {}, which was closed"},
    ),
    ProblemKind.CONTACT_REPEATED: KindWords(
        "the contacts about {}",
        "one contact that settles it",
        {_OVERDUE: "the customer turns to us again and again about {}"},
    ),
    ProblemKind.HELP_NOT_FOUND: KindWords(
        "the search about {}",
        "an answer found, or a contact with us",
        {_OVERDUE: "the customer searched about {}, found nothing and fell silent"},
    ),
    ProblemKind.SURVEY_POOR: KindWords(
        "the answer to survey {}",
        "a customer who is satisfied",
        {_OVERDUE: "survey {} was answered poorly"},
    ),
    ProblemKind.LAPSE_RISK: KindWords(
        "the customer's own rhythm",
        "another purchase by the customer's own rhythm",
        {_AT_RISK: "the customer may not buy again"},
    ),
}
"""Kind → its words."""

POINTS: Mapping[DecisionPoint, str] = {
    DecisionPoint.APPROVAL: "when its payment was accepted",
    DecisionPoint.HANDOVER_LIMIT: "at the limit for its hand-over",
    DecisionPoint.HANDOVER: "when it was handed over",
    DecisionPoint.BEFORE_PROMISE: "ahead of its promise",
    DecisionPoint.PROMISE: "at its promise",
    DecisionPoint.AFTER_PROMISE: "after its promise",
    DecisionPoint.DELIVERY: "when it was delivered",
    DecisionPoint.SILENCE: "after a silence",
}
"""Decision point → when it was scored."""

RISKS: Mapping[RiskKind, str] = {
    RiskKind.COMPLAINT: "Risk of a complaint about parcel {}",
    RiskKind.LAPSE: "Risk that the customer will not buy again",
}
"""Kind of risk → what the probability is of; `{}` stands for the subject."""


def feed_in_words(feed: str) -> str:
    """Return a feed as words: `carrier:dhl` as `the carrier dhl`."""
    what, _, name = feed.partition(":")
    found = {"carrier": "the carrier {}", "scans": "the scans of {}", "publisher": "{}"}
    return found[what].format(name) if what in found else feed
