"""What people are about to do about an order, and with what chance, told beforehand or not.  Pure.

Everything is drawn when the order is placed, so that one seed gives one shop; whether an intention is
carried out depends only on its draw and on whether a message about it came before its moment.

A message about a late parcel takes away the true effect's part of what the lateness adds to a chance.
A message about an order that came in time is needless: it adds the annoyance.  Neither mends a broken
cup, and nobody asks about a product less because of it.  Whoever waits for the desk writes again less often
where a message about their own contact came first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.contracts.purchases import CancelledBy
from services.shop.local_time import at_hour, awake
from services.shop.orders import Order
from services.shop.parameters import ShopParameters
from services.shop.parcels import Parcel
from services.shop.premises import Premises
from services.shop.truth import Act, IntentionTruth

_DRAWS = 9
_AFTER_A_FAILED_PAYMENT = timedelta(minutes=40)
_CONTENT = "content"
"""One number says who is asked, and the lower part of it who answers."""


@dataclass(frozen=True, slots=True)
class Intention:
    """Somebody will do this at this moment, unless the draw says no."""

    at: datetime
    act: Act
    subject: str
    days_late: int | None
    draw: float
    """Uniform in [0, 1), drawn beforehand; it happens while this is below the chance."""
    chance_without: float
    chance_with: float

    def settle(self, order: Order, *, messaged: bool) -> IntentionTruth:
        """Return what comes of it, now that its moment is there."""
        chance = self.chance_with if messaged else self.chance_without
        return IntentionTruth(
            customer_id=order.person.customer_id,
            order_id=order.order_id,
            subject=self.subject,
            act=self.act,
            at=self.at,
            days_late=self.days_late,
            chance_without=self.chance_without,
            chance_with=self.chance_with,
            draw=self.draw,
            messaged=messaged,
            happened=self.draw < chance,
        )


def intentions_of(order: Order, premises: Premises) -> tuple[Intention, ...]:
    """Return what this order's customer is about to do; the last is to stay or to leave."""
    found = tuple(_before_the_end(order, premises))
    return (*found, _leaving(order, found, premises))


def is_asked(order: Order, premises: Premises) -> bool:
    """Return whether the shop asks this customer how content they are."""
    return premises.uniform(order.order_id, _CONTENT) < premises.parameters.survey_share


def survey_sent_at(order: Order, parameters: ShopParameters) -> datetime:
    """Return ten o'clock on the day after the last delivery, or four days after the promise."""
    if order.finished_at is not None:
        return at_hour(order.finished_at, parameters.shop_zone, days=1, hour=10)
    promised = max(parcel.promised_by for parcel in order.parcels)
    return at_hour(promised, parameters.shop_zone, days=4, hour=10)


def _before_the_end(order: Order, premises: Premises) -> Iterator[Intention]:
    parameters, person = premises.parameters, order.person
    rng = premises.draws(person.customer_id, f"{order.order_id}/intentions")
    draws = [rng.random() for _ in range(_DRAWS)]
    if order.refund is not None and order.refund.is_overdue:
        patient_until = awake(order.refund.promised_by + person.patience, person.home.time_zone)
        if order.refund.paid_at > patient_until:
            subject, chance = order.refund.refund_id, parameters.complains
            yield soothable(
                patient_until, Act.COMPLAIN_OF_REFUND, subject, draws[0], chance, parameters
            )
    if len(order.failed_payments_at) > 1:
        asks_at = order.failed_payments_at[-1] + _AFTER_A_FAILED_PAYMENT
        draw, chance = premises.uniform(order.order_id, "payment"), parameters.asks_about_payment
        yield soothable(asks_at, Act.ASK_ABOUT_PAYMENT, order.order_id, draw, chance, parameters)
    if order.is_cancelled:
        return
    asks_at = awake(order.placed_at + timedelta(hours=20), person.home.time_zone)
    asks = parameters.asks_something
    yield Intention(asks_at, Act.ASK, order.order_id, order.days_late, draws[1], asks, asks)
    for parcel, draw in zip(order.parcels, draws[2:5], strict=False):
        yield from _about_delay(order, parcel, draw, parameters)
    yield from _about_the_product(order, draws[5:7], parameters)
    if premises.uniform(order.order_id, _CONTENT) < parameters.survey_share * parameters.answers:
        thinks = timedelta(hours=2 + 60 * draws[7] * draws[7])
        yield _answer(order, draws[8], thinks, parameters)


def _about_delay(
    order: Order, parcel: Parcel, draw: float, parameters: ShopParameters
) -> Iterator[Intention]:
    patient_until = awake(parcel.promised_by + order.person.patience, order.person.home.time_zone)
    if parcel.delivered_at is None or parcel.delivered_at > patient_until:
        yield soothable(
            patient_until, Act.COMPLAIN_OF_DELAY, parcel.shipment_id, draw,
            parameters.complains, parameters, parcel.days_late,
        )  # fmt: skip


def soothable(
    at: datetime,
    act: Act,
    subject: str,
    draw: float,
    chance: float,
    parameters: ShopParameters,
    days_late: int | None = None,
) -> Intention:
    """Return an intention whose whole chance a message lowers by the true effect."""
    soothed = chance * (1 - parameters.true_effect)
    return Intention(at, act, subject, days_late, draw, chance, soothed)


def _about_the_product(
    order: Order, draws: list[float], parameters: ShopParameters
) -> Iterator[Intention]:
    if order.finished_at is None:
        return
    zone, late = order.person.home.time_zone, order.days_late
    looks_at = awake(order.finished_at + timedelta(hours=3), zone)
    if any(parcel.is_damaged for parcel in order.parcels):
        chance = parameters.complains_of_damage
        act = Act.COMPLAIN_OF_DAMAGE
        yield Intention(looks_at, act, order.order_id, late, draws[0], chance, chance)
    uses_at = awake(looks_at + timedelta(hours=20), zone)
    chance = parameters.dissatisfied
    annoyed = _annoyed(order, chance, parameters)
    act = Act.COMPLAIN_OF_PRODUCT
    yield Intention(uses_at, act, order.order_id, late, draws[1], chance, annoyed)


def _answer(order: Order, draw: float, thinks: timedelta, parameters: ShopParameters) -> Intention:
    at = awake(survey_sent_at(order, parameters) + thinks, order.person.home.time_zone)
    in_time, really = _poor_in_time(order, parameters), _poor(order, parameters)
    chance_with = _soothed(order, in_time, really, parameters)
    act, late = Act.ANSWER_POORLY, order.days_late
    return Intention(at, act, order.order_id, late, draw, really, chance_with)


def _poor_in_time(order: Order, parameters: ShopParameters) -> float:
    """Return the chance of a poor answer, had everything come when it was promised."""
    if any(p.is_damaged and p.delivered_at is not None for p in order.parcels):
        return parameters.poor_when_damaged
    split = parameters.poor_when_split if len(order.parcels) > 1 else 0.0
    return parameters.poor_by_days_late[0] + split


def _poor(order: Order, parameters: ShopParameters) -> float:
    by_days = parameters.poor_by_days_late
    late = order.days_late
    if late is None:
        return max(parameters.poor_when_lost, _poor_in_time(order, parameters))
    return max(by_days[min(late, len(by_days) - 1)], _poor_in_time(order, parameters))


def _leaving(order: Order, before: tuple[Intention, ...], premises: Premises) -> Intention:
    """Return the choice to stay or to leave, a day after everything else about the order."""
    parameters, own = premises.parameters, order.person.leaves
    ends = [order.placed_at, *(i.at for i in before)]
    ends += [p.promised_by for p in order.parcels if not order.is_cancelled]
    ends += [p.delivered_at for p in order.parcels if p.delivered_at and not order.is_cancelled]
    ends += [order.refund.paid_at] if order.refund else []
    in_time = own + (1 - own) * _hurt_by_others(order, parameters)
    really = in_time + (1 - in_time) * _hurt_by_delay(order, parameters)
    draw = premises.draws(order.person.customer_id, f"{order.order_id}/leaving").random()
    with_message = _soothed(order, in_time, really, parameters)
    at, late = max(ends) + timedelta(days=1), order.days_late
    return Intention(at, Act.LEAVE, order.order_id, late, draw, really, with_message)


def _hurt_by_delay(order: Order, parameters: ShopParameters) -> float:
    if order.is_cancelled or order.days_late == 0:
        return 0.0
    return parameters.leaves_when_lost if order.days_late is None else parameters.leaves_when_late


def _hurt_by_others(order: Order, parameters: ShopParameters) -> float:
    """Return the worst of what else went wrong."""
    is_ours = order.is_cancelled and order.cancelled_by is CancelledBy.COMPANY
    is_broken = not order.is_cancelled and any(p.is_damaged for p in order.parcels)
    is_owed = order.refund is not None and order.refund.is_overdue
    hurts = (
        (is_ours and order.approved_at is not None, parameters.leaves_when_cancelled),
        (is_broken, parameters.leaves_when_damaged),
        (is_owed, parameters.leaves_when_refund_overdue),
    )
    return max((weight for is_so, weight in hurts if is_so), default=0.0)


def _soothed(order: Order, in_time: float, really: float, parameters: ShopParameters) -> float:
    """Return the chance after a message about the order: what lateness added is lowered."""
    if order.days_late == 0:
        return _annoyed(order, really, parameters)
    return in_time + (really - in_time) * (1 - parameters.true_effect)


def _annoyed(order: Order, chance: float, parameters: ShopParameters) -> float:
    is_needless = order.days_late == 0
    return min(1.0, chance + parameters.annoyance) if is_needless else chance
