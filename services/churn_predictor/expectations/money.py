"""What is expected about money: that it comes back when promised, and that paying works."""

from collections.abc import Iterator

from services.churn_predictor.expectations.watch import Step, Watch, publisher_feed
from services.churn_predictor.facts import CartFacts, Facts, OrderFacts, Stamp
from services.churn_predictor.parcels import first_of
from services.contracts.problems import Actor, ProblemKind, Tier
from services.contracts.tolerances import Tolerances


def money_watches(facts: Facts, tolerances: Tolerances) -> Iterator[Watch]:
    """Yield every refund that was promised, and every order or cart that could not be paid."""
    yield from _refunds(facts, tolerances)
    placed = sorted(o.basket.placed for o in facts.orders.values() if o.basket is not None)
    for order_id, order in sorted(facts.orders.items()):
        yield from _unpaid_order(order_id, order, tolerances)
    for cart_id, cart in sorted(facts.carts.items()):
        yield from _unpaid_cart(cart_id, cart, placed, tolerances)
        yield from _given_up(cart_id, cart, placed)


def _refunds(facts: Facts, tolerances: Tolerances) -> Iterator[Watch]:
    for refund_id, refund in sorted(facts.refunds.items()):
        if refund.promised is None:
            continue
        told, by = refund.promised.told, refund.promised.promised_by
        feeds = (publisher_feed(told.source),)
        late = by + tolerances.refund_late_after
        yield Watch(
            kind=ProblemKind.REFUND_OVERDUE,
            subject=refund_id,
            anchor=told,
            steps=(Step(Tier.OVERDUE, by, feeds), Step(Tier.LATE, late, feeds)),
            ended=refund.paid,
            order_id=refund.order_id,
            promised_by=by,
        )


def _unpaid_order(order_id: str, order: OrderFacts, tolerances: Tolerances) -> Iterator[Watch]:
    if len(order.failures) >= tolerances.payment_failures:
        ended = first_of(order.approved, order.cancelled)
        yield _unpaid(order_id, order.failures, tolerances, ended, order_id)


def _unpaid_cart(
    cart_id: str, cart: CartFacts, placed: list[Stamp], tolerances: Tolerances
) -> Iterator[Watch]:
    if len(cart.failures) >= tolerances.payment_failures:
        last = cart.failures[tolerances.payment_failures - 1]
        yield _unpaid(cart_id, cart.failures, tolerances, _next(placed, last), None)


def _unpaid(
    subject: str,
    failures: list[Stamp],
    tolerances: Tolerances,
    ended: Stamp | None,
    order_id: str | None,
) -> Watch:
    last = failures[tolerances.payment_failures - 1]
    return Watch(
        kind=ProblemKind.PAYMENT_FAILED,
        subject=subject,
        anchor=last,
        steps=(Step(Tier.OVERDUE, last.at),),
        ended=ended,
        order_id=order_id,
        actor=Actor.CUSTOMER,
    )


def _given_up(cart_id: str, cart: CartFacts, placed: list[Stamp]) -> Iterator[Watch]:
    abandoned = cart.abandoned
    if abandoned is None:
        return
    has_failed = bool(cart.failures) and cart.failures[0] < abandoned
    # Whoever bought after the trouble got over it, however late the shop gives the cart up.
    since = cart.failures[0] if has_failed else abandoned
    yield Watch(
        kind=ProblemKind.CART_ABANDONED,
        subject=cart_id,
        anchor=abandoned,
        steps=(Step(Tier.OVERDUE, abandoned.at),) if has_failed else (),
        ended=_next(placed, since),
        actor=Actor.CUSTOMER,
    )


def _next(placed: list[Stamp], after: Stamp) -> Stamp | None:
    return next((stamp for stamp in placed if stamp > after), None)
