"""What is expected of parcels: that they leave, are seen, move, arrive, and are brought again."""

from collections.abc import Container, Iterable, Iterator
from typing import Any

from services.churn_predictor.expectations.business_days import (
    business_days_after,
    zone_of_customer,
    zone_of_shipment,
)
from services.churn_predictor.expectations.watch import (
    Step,
    Watch,
    carrier_feed,
    publisher_feed,
    scans_feed,
)
from services.churn_predictor.facts import Facts, Sighting, Stamp
from services.churn_predictor.parcels import Parcel, first_of, last_of, parcels
from services.contracts.deliveries import CheckpointStatus
from services.contracts.problems import Actor, DecisionPoint, ProblemKind, Tier
from services.contracts.tolerances import Tolerances

ACTOR_OF_EXCEPTION = {
    **{f"exception/{code}": Actor.CUSTOMER for code in ("002", "006", "007", "008")},
    **{f"exception/{code}": Actor.US for code in ("009", "012", "013", "018")},
}
"""Who can act, by status and sub-status (AfterShip's taxonomy); in all others, as once it is over: nobody."""

_MOVING = (CheckpointStatus.IN_TRANSIT, CheckpointStatus.OUT_FOR_DELIVERY)


def delivery_watches(
    facts: Facts, tolerances: Tolerances, settled: Container[str] = frozenset()
) -> Iterator[Watch]:
    """Yield what every promised parcel owes its customer; the `settled`, by id, are left out."""
    home = zone_of_customer(facts, tolerances.time_zone)
    for parcel in parcels(facts):
        if parcel.shipment_id in settled:
            continue
        yield _delivery(parcel, tolerances)
        yield from _hand_over(parcel, tolerances)
        if parcel.shipment.carrier is not None:
            carried = _Carried(
                parcel,
                scans_feed(parcel.shipment.carrier),
                zone_of_shipment(parcel.shipment, home),
                tolerances,
            )
            yield from carried.watches()


def _delivery(parcel: Parcel, tolerances: Tolerances) -> Watch:
    promised_by, feeds = parcel.promise.promised_by, _feeds(parcel, tolerances)
    before = promised_by - tolerances.at_risk_before_promise
    after = promised_by + tolerances.late_after_promise
    return _watch(
        parcel,
        ProblemKind.DELIVERY_DELAY,
        anchor=parcel.promise.told,
        steps=_ahead(
            parcel,
            Step(Tier.AT_RISK, before, feeds, DecisionPoint.BEFORE_PROMISE),
            Step(Tier.OVERDUE, promised_by, feeds, DecisionPoint.PROMISE),
            Step(Tier.LATE, after, feeds, DecisionPoint.AFTER_PROMISE),
        ),
        actor=Actor.NOBODY if parcel.is_with_carrier else Actor.US,
        grounds=(parcel.promise.told, parcel.shipment.handed_over),
    )


def _hand_over(parcel: Parcel, tolerances: Tolerances) -> Iterator[Watch]:
    limit = parcel.promise.ship_by
    if limit is None:
        return
    feeds = _tell_hand_over(parcel, tolerances)
    yield _watch(
        parcel,
        ProblemKind.HANDOVER_OVERDUE,
        anchor=parcel.promise.told,
        steps=_ahead(parcel, Step(Tier.OVERDUE, limit, feeds, DecisionPoint.HANDOVER_LIMIT)),
        ended=first_of(parcel.ended, parcel.shipment.handed_over, parcel.shipment.first_scan),
        actor=Actor.NOBODY if parcel.is_with_carrier else Actor.US,
        grounds=(parcel.promise.told, parcel.shipment.handed_over),
    )


def _ahead(parcel: Parcel, *steps: Step) -> tuple[Step, ...]:
    """A date that had passed when it was promised is none: who buys for tomorrow is not at risk today."""
    return tuple(step for step in steps if step.deadline > parcel.promise.told.at)


def _feeds(parcel: Parcel, tolerances: Tolerances) -> tuple[str, ...]:
    """Once the carrier has it, the carrier must have been heard."""
    if parcel.is_with_carrier and parcel.shipment.carrier is not None:
        return (carrier_feed(parcel.shipment.carrier),)
    return _tell_hand_over(parcel, tolerances)


def _tell_hand_over(parcel: Parcel, tolerances: Tolerances) -> tuple[str, ...]:
    """Whoever promised may tell it, or the carrier that is to take it: which of them does not show."""
    ours = publisher_feed(parcel.promise.told.source)
    carrier = parcel.shipment.carrier or parcel.promise.carrier
    if carrier is None or not tolerances.carriers_tell_hand_overs:
        return (ours,)
    return (ours, carrier_feed(carrier))


def _watch(parcel: Parcel, kind: ProblemKind, **more: Any) -> Watch:
    known: dict[str, Any] = {
        "kind": kind,
        "subject": parcel.shipment_id,
        "order_id": parcel.shipment.order_id,
        "promised_by": parcel.promise.promised_by,
        "ended": parcel.ended,
        "parcel": parcel,
    }
    return Watch(**(known | more))


class _Carried:
    """What a carrier that has the parcel owes, told by its checkpoints."""

    def __init__(self, parcel: Parcel, feed: str, zone: str, tolerances: Tolerances) -> None:
        self._parcel, self._feed, self._zone, self._tolerances = parcel, feed, zone, tolerances

    def watches(self) -> Iterator[Watch]:
        """Yield the first scan; then progress, exceptions, attempts and waiting in a shop."""
        shipment = self._parcel.shipment
        if shipment.handed_over is not None:
            days = self._tolerances.first_scan_days
            yield _watch(
                self._parcel,
                ProblemKind.FIRST_SCAN_MISSING,
                anchor=shipment.handed_over,
                steps=(self._absence(Tier.OVERDUE, shipment.handed_over, days),),
                ended=first_of(self._parcel.ended, shipment.first_scan),
                actor=Actor.NOBODY,
            )
        if shipment.scans:
            name, seen = max(shipment.scans.items(), key=lambda item: item[1].last)
            yield from self._since_scanned(name, seen, run_begin(shipment.scans, name))

    def _since_scanned(self, name: str, seen: Sighting, begun: Stamp) -> Iterator[Watch]:
        status = name.partition("/")[0]
        tolerances = self._tolerances
        yield self._after_scan(
            ProblemKind.SCAN_STALLED, seen.last, self._stalls(status, seen.last), Actor.NOBODY
        )
        yield self._in_status(
            ProblemKind.DELIVERY_EXCEPTION,
            status == CheckpointStatus.EXCEPTION,
            seen,
            begun,
            (Step(Tier.OVERDUE, begun.at),),
            ACTOR_OF_EXCEPTION.get(name, Actor.NOBODY),
        )
        yield self._in_status(
            ProblemKind.ATTEMPT_FAILED,
            status == CheckpointStatus.ATTEMPT_FAIL,
            seen,
            begun,
            (
                Step(Tier.AT_RISK, begun.at),
                self._absence(Tier.OVERDUE, seen.last, tolerances.next_attempt_days),
            ),
            Actor.CUSTOMER,
        )
        yield self._in_status(
            ProblemKind.PICKUP_WAITING,
            status == CheckpointStatus.AVAILABLE_FOR_PICKUP,
            seen,
            begun,
            (
                self._absence(Tier.OVERDUE, begun, tolerances.pickup_days),
                self._absence(Tier.LATE, begun, tolerances.pickup_late_days),
            ),
            Actor.CUSTOMER,
        )

    def _stalls(self, status: str, last: Stamp) -> tuple[Step, ...]:
        if status not in _MOVING:
            return ()
        is_out = status == CheckpointStatus.OUT_FOR_DELIVERY
        days = self._tolerances.progress_days
        days = self._tolerances.out_for_delivery_days if is_out else days
        return (self._absence(Tier.OVERDUE, last, days),)

    def _in_status(
        self,
        kind: ProblemKind,
        is_now: bool,
        seen: Sighting,
        begun: Stamp,
        steps: tuple[Step, ...],
        actor: Actor,
    ) -> Watch:
        """While it lasts the clock runs from its begin; whatever is seen next ends it."""
        if is_now:
            return self._after_scan(kind, begun, steps, actor)
        return self._after_scan(kind, seen.last, (), actor)

    def _after_scan(
        self, kind: ProblemKind, anchor: Stamp, steps: tuple[Step, ...], actor: Actor
    ) -> Watch:
        return _watch(self._parcel, kind, anchor=anchor, steps=steps, actor=actor)

    def _absence(self, tier: Tier, since: Stamp, days: int) -> Step:
        return Step(tier, business_days_after(since.at, days, self._zone), (self._feed,))


def run_begin(scans: dict[str, Sighting], name: str) -> Stamp:
    """Return since when the parcel has been in its current status.

    Its first stamp; where something else was seen later than that, the last stamp of the others.
    """
    others: Iterable[Stamp] = (seen.last for other, seen in scans.items() if other != name)
    begun = last_of(scans[name].first, *others)
    assert begun is not None
    return begun
