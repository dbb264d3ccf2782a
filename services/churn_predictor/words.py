"""Features in words, for whoever asks why.  A new feature gets one line in `WORDS`.  Pure.

A name that has no line, as that of a feature which an old model used, stands for itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """What a feature is, as a noun, and what one of its values says, as a clause."""

    noun: str
    says: Callable[[float], str]


def in_words(feature: str, value: float | None) -> str:
    """Return what this value of this feature says; None is told as not known."""
    words = WORDS.get(feature)
    if value is None:
        return f"{words.noun if words else feature} is not known"
    return words.says(value) if words else f"{feature} is {number(value)}"


def number(value: float) -> str:
    """Return a number as a person writes it, with at most two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else f"{value:g}"


def counted(count: float, one: str, many: str | None = None) -> str:
    """Return `1 line`, `2 lines`."""
    return f"{number(count)} {one if count == 1 else many or f'{one}s'}"


def days(span: float) -> str:
    """Return so many days in words, as hours below two days; the sign is left out."""
    size = abs(span)
    if size < 1 / 24:
        return "less than an hour"
    if size < 1 or (size < 2 and size != 1):
        return counted(round(size * 24), "hour")
    return counted(round(size, 1), "day")


def _either(yes: str, no: str) -> Callable[[float], str]:
    return lambda value: yes if value > 0.5 else no


def _against(after: str, before: str, at: str) -> Callable[[float], str]:
    """For signed days against a date: templates for after and before it, and the words for just then."""

    def says(value: float) -> str:
        if value == 0:
            return at
        return (after if value > 0 else before).format(days(value))

    return says


def _plain(noun: str, template: str) -> Words:
    return Words(noun, lambda value: template.format(number(value)))


def _many(noun: str, template: str, one: str, many: str | None = None) -> Words:
    return Words(noun, lambda value: template.format(counted(value, one, many)))


def _room(left: str, over: str) -> Words:
    def says(value: float) -> str:
        return (left if value >= 0 else over).format(days(value))

    return Words("the time left to the promise", says)


def _share(noun: str, clause: str) -> Words:
    return Words(noun, lambda value: f"{value:.0%} {clause}")


WORDS: Mapping[str, Words] = {
    # Of a parcel.
    "days_past_promise": Words(
        "the promised date",
        _against(
            "the parcel is {} past its promise",
            "the promise is {} away",
            "the parcel is just due",
        ),
    ),
    "days_past_ship_by": Words(
        "the limit for hand-over",
        _against(
            "the hand-over is {} behind its limit",
            "the hand-over is {} ahead of its limit",
            "the hand-over is at its limit",
        ),
    ),
    "is_with_carrier": Words(
        "whether the carrier has the parcel",
        _either("the carrier has the parcel", "the carrier does not have the parcel yet"),
    ),
    "lines": _many("what was ordered", "the order has {}", "line"),
    "sellers": _many("who sells it", "the order comes from {}", "seller"),
    "estimate_moved_days": Words(
        "the newest date",
        _against(
            "the newest date is {} later than the promise",
            "the newest date is {} earlier than the promise",
            "the date was not moved",
        ),
    ),
    "contacts_about_order": _many(
        "what the customer asked", "the customer made {} about this order", "contact"
    ),
    "promise_days": _many("how far ahead it was promised", "it was promised for {} ahead", "day"),
    "approval_days": Words("the approval", lambda value: f"approval took {days(value)}"),
    "handling_days": Words(
        "the time since approval", lambda value: f"from approval to hand-over: {days(value)} so far"
    ),
    "days_with_carrier": Words(
        "the time with the carrier", lambda value: f"the carrier has had it for {days(value)}"
    ),
    "slack_days": _room("{} are left to the promise", "the promise has been passed by {}"),
    "slack_after_transit_days": _room(
        "{} would be left to the promise after the usual way", "the usual way takes {} too long"
    ),
    "seller_bad_rate": _share(
        "the seller's bad answers", "of the seller's orders were answered badly"
    ),
    "product_bad_rate": _share(
        "the product's bad answers", "of the product's orders were answered badly"
    ),
    "category_bad_rate": _share(
        "the category's bad answers", "of orders of this category were answered badly"
    ),
    "shop_bad_rate": _share("all bad answers", "of all orders lately were answered badly"),
    "seller_late_rate": _share(
        "the seller's late hand-overs", "of the seller's parcels were handed over late"
    ),
    # Of a customer's rhythm.
    "purchases": _many("what was bought", "the customer bought on {}", "day"),
    "recent_purchases": _many(
        "what was bought lately", "the customer bought on {} of the last 60", "day"
    ),
    "purchases_per_month": _many("the pace", "the customer buys {} a month", "time"),
    "age_days": _many("the first purchase", "the first purchase is {} ago", "day"),
    "recency_days": _many("the last purchase", "the last purchase is {} ago", "day"),
    "gap_days": _many(
        "the usual time between purchases", "{} usually lie between purchases", "day"
    ),
    "gap_spread": _plain(
        "how regular the purchases are", "the time between purchases varies by {} times its mean"
    ),
    "recency_in_gaps": _many(
        "the silence", "the silence has lasted {} between purchases", "usual gap"
    ),
    "gap_trend": _plain("the trend of the gaps", "the last gap is {} times the mean"),
    "amount_trend": _plain("the trend of the amounts", "the last purchase is {} times the mean"),
    "experience_balance": _plain(
        "what the customer went through", "good experiences less bad ones come to {}"
    ),
    "unresolved": _many("what went wrong", "{} nobody made good", "bad experience"),
    "strikes_left": _plain("the patience left", "patience left: {} of 3"),
}
"""Feature → its words."""
