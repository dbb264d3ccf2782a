"""The watches over one parcel, as its facts and the end of its order tell.  Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from services.contracts.deliveries import CheckpointStatus
from services.contracts.problems import Actor, DecisionPoint, ProblemKind, Tier
from services.verifier.evidence import Stamp
from services.verifier.heard import carrier_feed, publisher_feed, scans_feed
from services.verifier.slots import Slots, stamp_of
from services.verifier.watches import Measure, Step, Watch, by_deadline, earliest, stamp

_IN_TRANSIT = CheckpointStatus.IN_TRANSIT
_OUT_FOR_DELIVERY = CheckpointStatus.OUT_FOR_DELIVERY
_EXCEPTION = CheckpointStatus.EXCEPTION
_ATTEMPT_FAIL = CheckpointStatus.ATTEMPT_FAIL
_PICKUP = CheckpointStatus.AVAILABLE_FOR_PICKUP

_ACTOR_OF_EXCEPTION = {
    **dict.fromkeys(("002", "006", "007", "008"), Actor.CUSTOMER),
    **dict.fromkeys(("009", "012", "013", "018"), Actor.US),
}
"""Sub-status → who can act; of all others nobody."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One kind of checkpoint of a parcel."""

    status: str
    substatus: str
    first: Stamp
    last: Stamp


@dataclass(frozen=True)
class Parcel:
    """What is known of one parcel; `measure` is in its recipient's zone."""

    slots: Slots
    cancelled: Stamp | None
    measure: Measure

    @cached_property
    def promise(self) -> Slots | None:
        """The first promise."""
        found: Slots | None = self.slots.get("first_promise")
        return found

    @cached_property
    def seen(self) -> list[Seen]:
        """Its checkpoints in the carrier's hands, the current one last."""
        found = []
        for name, scan in self.slots.get("scans", {}).items():
            status, _, substatus = name.partition("/")
            found.append(Seen(status, substatus, stamp_of(scan["first"]), stamp_of(scan["last"])))
        return sorted(found, key=lambda each: each.last)

    @property
    def current(self) -> Seen:
        """The checkpoint that says where it is."""
        return self.seen[-1]

    @property
    def run_begins(self) -> Stamp:
        """Since when it has been there, as far as first and last stamps tell."""
        others = self.seen[:-1]
        return max(self.current.first, others[-1].last) if others else self.current.first

    @property
    def first_scan(self) -> Stamp | None:
        """The first checkpoint."""
        return earliest(*(each.first for each in self.seen))

    @property
    def handed_over(self) -> Stamp | None:
        """When the carrier took it."""
        return stamp(self.slots.get("handed_over"))

    @property
    def is_with_carrier(self) -> bool:
        """Whether the carrier has it, as far as known."""
        return self.handed_over is not None or bool(self.seen)

    @property
    def carrier(self) -> str | None:
        """Who carries it."""
        told = self.slots.get("carrier_told")
        return None if told is None else told["name"]

    def is_in(self, *statuses: CheckpointStatus) -> bool:
        """Whether the current checkpoint is one of these."""
        return self.current.status in statuses

    def end(self, *more: Stamp | None) -> Stamp | None:
        """Return what ends everything about it, or one of these."""
        return earliest(stamp(self.slots.get("delivered")), self.cancelled, *more)

    def watch(
        self,
        anchor: Stamp,
        steps: Iterable[Step],
        actor: Actor,
        *ends: Stamp | None,
        rests_on: tuple[Stamp, ...] = (),
    ) -> Watch:
        """Return a watch over this parcel."""
        return Watch(
            anchor,
            by_deadline(steps),
            self.end(*ends),
            actor,
            order_id=self.slots["order_id"],
            promised_by=None if self.promise is None else self.promise["promised_by"],
            destination_zone=self.slots.get("last_zone", {}).get("name"),
            rests_on=rests_on,
        )


def watches(parcel: Parcel) -> dict[ProblemKind, Watch | None]:
    """Return the watches over a parcel; None: there is none of this kind."""
    return {kind: over(parcel) if parcel.promise else None for kind, over in _OVER.items()}


def _delivery_delay(parcel: Parcel) -> Watch | None:
    """Is it there by the promised day?"""
    assert parcel.promise is not None
    by, tolerances = parcel.promise["promised_by"], parcel.measure.tolerances
    feeds = _before_it_goes(parcel)
    if parcel.is_with_carrier and parcel.carrier is not None:
        feeds = (carrier_feed(parcel.carrier),)
    tiers = (
        (-tolerances.at_risk_before_promise, Tier.AT_RISK, DecisionPoint.BEFORE_PROMISE),
        (timedelta(), Tier.OVERDUE, DecisionPoint.PROMISE),
        (tolerances.late_after_promise, Tier.LATE, DecisionPoint.AFTER_PROMISE),
    )
    steps = [Step(by + off, tier, feeds, point) for off, tier, point in tiers]
    return _over_promise(parcel, steps)


def _handover_overdue(parcel: Parcel) -> Watch | None:
    """Has the carrier got it by the limit?"""
    assert parcel.promise is not None
    limit = parcel.promise.get("ship_by")
    if limit is None:
        return None
    step = Step(limit, Tier.OVERDUE, _before_it_goes(parcel), DecisionPoint.HANDOVER_LIMIT)
    return _over_promise(parcel, [step], parcel.handed_over, parcel.first_scan)


def _over_promise(parcel: Parcel, steps: Iterable[Step], *ends: Stamp | None) -> Watch:
    anchor, handed_over = _promised(parcel), parcel.handed_over
    steps = [step for step in steps if step.at > anchor.at]
    rests_on = (anchor,) if handed_over is None else (anchor, handed_over)
    actor = Actor.NOBODY if parcel.is_with_carrier else Actor.US
    return parcel.watch(anchor, steps, actor, *ends, rests_on=rests_on)


def _promised(parcel: Parcel) -> Stamp:
    assert parcel.promise is not None
    return stamp_of(parcel.promise["told"])


def _before_it_goes(parcel: Parcel) -> tuple[str, ...]:
    """That a parcel has left is told by whoever promised it, or by the carrier it was promised with."""
    assert parcel.promise is not None
    carrier = parcel.carrier or parcel.promise.get("carrier")
    ours = publisher_feed(_promised(parcel).source)
    if carrier is None or not parcel.measure.tolerances.carriers_tell_hand_overs:
        return (ours,)
    return ours, carrier_feed(carrier)


def _first_scan_missing(parcel: Parcel) -> Watch | None:
    """Did the carrier scan what it took?"""
    anchor = parcel.handed_over
    if anchor is None or parcel.carrier is None:
        return None
    at = parcel.measure.days(anchor, parcel.measure.tolerances.first_scan_days)
    step = Step(at, Tier.OVERDUE, (scans_feed(parcel.carrier),))
    return parcel.watch(anchor, [step], Actor.NOBODY, parcel.first_scan)


def _scan_stalled(parcel: Parcel) -> Watch | None:
    """Does it go on?"""
    if not parcel.seen or parcel.carrier is None:
        return None
    since, tolerances, steps = parcel.current.last, parcel.measure.tolerances, []
    if parcel.is_in(_IN_TRANSIT, _OUT_FOR_DELIVERY):
        is_on_its_way = parcel.is_in(_IN_TRANSIT)
        days = tolerances.progress_days if is_on_its_way else tolerances.out_for_delivery_days
        at = parcel.measure.days(since, days)
        steps = [Step(at, Tier.OVERDUE, (scans_feed(parcel.carrier),))]
    return parcel.watch(since, steps, Actor.NOBODY)


def _delivery_exception(parcel: Parcel) -> Watch | None:
    """Did something go wrong on the way?"""
    if not parcel.seen or parcel.carrier is None:
        return None
    if not parcel.is_in(_EXCEPTION):
        return parcel.watch(parcel.current.last, (), Actor.NOBODY)
    begun = parcel.run_begins
    actor = _ACTOR_OF_EXCEPTION.get(parcel.current.substatus, Actor.NOBODY)
    return parcel.watch(begun, [Step(begun.at, Tier.OVERDUE)], actor)


def _attempt_failed(parcel: Parcel) -> Watch | None:
    """Was nobody at home, and is there another attempt?"""
    if not parcel.seen or parcel.carrier is None:
        return None
    if not parcel.is_in(_ATTEMPT_FAIL):
        return parcel.watch(parcel.current.last, (), Actor.CUSTOMER)
    begun, days = parcel.run_begins, parcel.measure.tolerances.next_attempt_days
    again = parcel.measure.days(parcel.current.last, days)
    steps = [
        Step(begun.at, Tier.AT_RISK),
        Step(again, Tier.OVERDUE, (scans_feed(parcel.carrier),)),
    ]
    return parcel.watch(begun, steps, Actor.CUSTOMER)


def _pickup_waiting(parcel: Parcel) -> Watch | None:
    """Is it fetched?"""
    if not parcel.seen or parcel.carrier is None:
        return None
    if not parcel.is_in(_PICKUP):
        return parcel.watch(parcel.current.last, (), Actor.CUSTOMER)
    begun, measure, feeds = parcel.run_begins, parcel.measure, (scans_feed(parcel.carrier),)
    steps = [
        Step(measure.days(begun, measure.tolerances.pickup_days), Tier.OVERDUE, feeds),
        Step(measure.days(begun, measure.tolerances.pickup_late_days), Tier.LATE, feeds),
    ]
    return parcel.watch(begun, steps, Actor.CUSTOMER)


_OVER: Mapping[ProblemKind, Callable[[Parcel], Watch | None]] = {
    ProblemKind.DELIVERY_DELAY: _delivery_delay,
    ProblemKind.HANDOVER_OVERDUE: _handover_overdue,
    ProblemKind.FIRST_SCAN_MISSING: _first_scan_missing,
    ProblemKind.SCAN_STALLED: _scan_stalled,
    ProblemKind.DELIVERY_EXCEPTION: _delivery_exception,
    ProblemKind.ATTEMPT_FAILED: _attempt_failed,
    ProblemKind.PICKUP_WAITING: _pickup_waiting,
}
