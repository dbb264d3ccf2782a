"""What happened to others: histories of sellers, products, categories, lanes and the whole shop.  Pure.

A customer's facts give observations; whoever owns an observation's key counts it; an order asks the
keys it belongs to once, as of its approval, and keeps the answers for the rest of its life.

The counts fade with time.  A sum that is faded again and again depends on the order in which its
parts came, if only in its last digits, and a replay would not decide exactly what was decided.
So nothing is ever faded here: an observation's weight *grows* with its date, counted from a fixed
landmark, as an exact integer, and an answer divides by the weight of its own instant (Cormode,
Shkapenyuk, Srivastava, Xu: "Forward Decay", ICDE 2009).  Integer sums are the same in any order.
"""

import math
from bisect import insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from services.churn_predictor.facts import Facts, Stamp
from services.churn_predictor.parcels import Parcel, first_of, parcels

Histories = Mapping[str, tuple[float, float]]
"""Name → how many observations count and the sum of their values, both faded."""

SHOP = "shop"
"""The one key of everything."""

KEPT = timedelta(days=400)
"""A key, or one of its parts, that was not heard of for so long is forgotten."""

PARTS_KEPT = 1_000
"""Of one key: those heard of last."""

REACH = timedelta(hours=24)
"""How far back behind the newest observation an answer is exact, …"""

RECENT_KEPT = 10_000
"""… unless there are more than so many in that time: then as far back as the newest of them."""

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_LANDMARK = datetime(1970, 1, 1, tzinfo=UTC)
_FRACTION_BITS = 52
_EARLIEST_HANDLING, _LONGEST_HANDLING = timedelta(days=-5), timedelta(days=60)
_LONGEST_TRANSIT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class History:
    """One thing that is counted for every key of a holder."""

    name: str
    kind: str
    """Which observations count."""
    fades: timedelta | None
    """Time in which an observation loses all but 1/e of its weight; None: never."""
    of_part: bool = False
    """Whether it is counted for each part of the key (a seller's product) by itself."""


HISTORIES_OF: Mapping[str, tuple[History, ...]] = {
    "seller": (
        History("seller_bad", "bad", None),
        History("seller_bad_lately", "bad", 120 * _DAY),
        History("product_bad", "bad", None, of_part=True),
        History("seller_late", "late", 45 * _DAY),
        History("seller_handling", "handling", 45 * _DAY),
    ),
    "category": (History("category_bad", "bad", 120 * _DAY),),
    "destination": (
        History("destination_transit", "transit", 45 * _DAY),
        History("lane_transit", "transit", 45 * _DAY, of_part=True),
    ),
    SHOP: (
        History("shop_bad", "bad", 30 * _DAY),
        History("shop_late", "late", 7 * _DAY),
        History("shop_handling", "handling", 45 * _DAY),
        History("shop_transit", "transit", 45 * _DAY),
    ),
}
"""Holder → what its keys count.  The holder is what stands before the colon of a key."""

_KINDS_OF = {
    holder: frozenset(history.kind for history in histories)
    for holder, histories in HISTORIES_OF.items()
}


@dataclass(frozen=True, slots=True)
class Observation:
    """Something that happened, for whoever owns `key`."""

    key: str
    kind: str
    part: str | None
    subject: str
    """On which survey or shipment; with key and kind it names the observation."""
    at: datetime
    """The first instant at which it could be known."""
    value: int
    """Whole seconds, or 1 for yes and 0 for no."""


@dataclass(frozen=True, slots=True)
class Question:
    """What an order asks the owner of `key`."""

    key: str
    part: str | None = None

    @property
    def name(self) -> str:
        """What tells it from all others."""
        return f"{self.key}\x1f{self.part or ''}"

    @staticmethod
    def named(name: str) -> "Question":
        """Return the question of this name."""
        key, _, part = name.partition("\x1f")
        return Question(key, part or None)


def questions(parcel: Parcel) -> tuple[Question, ...]:
    """Return what is to be asked for the order of this parcel; what is unknown is not asked for.

    The seller is whoever the promise names, else that of the dearest line; the product is only that one's.
    """
    basket, promise = parcel.order.basket, parcel.promise
    asked = [Question(SHOP)]
    of_dearest = None if basket is None else basket.seller_id
    seller = promise.seller_id or of_dearest
    if seller is not None:
        product = basket.product_id if basket is not None and seller == of_dearest else None
        asked.append(Question(f"seller:{seller}", product))
    if basket is not None and basket.category is not None:
        asked.append(Question(f"category:{basket.category}"))
    if promise.destination_region is not None:
        key = f"destination:{promise.destination_region}"
        asked.append(Question(key, promise.origin_region))
    return tuple(asked)


def kept(answers: Iterable[tuple[Question, Histories]]) -> dict[str, tuple[float, float]]:
    """Return what an order keeps of the answers to its questions, in the order of these.

    Where several of them ask holders of one kind, as two sellers, the histories of the first have their
    plain names, and those of each further one names of its own.
    """
    found: dict[str, tuple[float, float]] = {}
    holders: set[str] = set()
    for question, histories in answers:
        holder = _holder(question.key)
        if holder in holders:
            # Also where nothing is known: the first one's history is not this one's.
            found |= {
                _own_name(history, question): histories.get(history.name, (0.0, 0.0))
                for history in _counted(question.key)
            }
        else:
            found |= histories
        holders.add(holder)
    return found


def of_parcel(parcel: Parcel) -> Histories:
    """Return what this parcel's order kept of its own seller, lane and so on.

    Where its own were not asked about, as of a parcel promised later, it has those of the first.
    """
    known = parcel.order.histories or {}
    found = dict(known)
    for question in questions(parcel):
        for history in _counted(question.key):
            own = known.get(_own_name(history, question))
            if own is not None:
                found[history.name] = own
    return found


def _own_name(history: History, question: Question) -> str:
    return f"{history.name}\x1f{question.name}"


def observations(facts: Facts) -> Sequence[Observation]:
    """Return what this customer's facts tell about others, as far as it has happened."""
    found: dict[Observation, None] = {}
    for parcel in parcels(facts):
        asked = questions(parcel)
        for seen in (*_seen_by_carrier(parcel), *_answered(parcel, facts)):
            for question in asked:
                if seen.kind in _KINDS_OF[_holder(question.key)]:
                    observation = Observation(question.key, seen.kind, question.part, *seen[1:])
                    found[observation] = None
    # An order of several parcels has one answer.
    return tuple(found)


class _Seen(NamedTuple):
    kind: str
    subject: str
    at: datetime
    value: int


def _answered(parcel: Parcel, facts: Facts) -> Iterator[_Seen]:
    basket = parcel.order.basket
    for survey_id, survey in facts.surveys.items():
        if survey.order_id != parcel.shipment.order_id or survey.answered is None:
            continue
        if survey.kind is not None and survey.score is not None and basket is not None:
            is_bad = survey.is_poor
            at = max(survey.answered.at, basket.placed.at)
            yield _Seen("bad", survey_id, at, int(is_bad))


def _seen_by_carrier(parcel: Parcel) -> Iterator[_Seen]:
    shipment, limit, approved = parcel.shipment, parcel.promise.ship_by, parcel.order.approved
    left = first_of(shipment.handed_over, shipment.first_scan)
    if left is None:
        return
    if limit is not None:
        at = _known(parcel, left)
        yield _Seen("late", parcel.shipment_id, at, int(left.at > limit))
    if approved is not None:
        handling = _within(_EARLIEST_HANDLING, left.at - approved.at, _LONGEST_HANDLING)
        at = _known(parcel, left, approved)
        yield _Seen("handling", parcel.shipment_id, at, handling // _SECOND)
    if shipment.delivered is not None:
        transit = _within(timedelta(0), shipment.delivered.at - left.at, _LONGEST_TRANSIT)
        at = _known(parcel, left, shipment.delivered)
        yield _Seen("transit", parcel.shipment_id, at, transit // _SECOND)


def _known(parcel: Parcel, *stamps: Stamp) -> datetime:
    """Return when all of it was known, and whom it is told of."""
    basket = parcel.order.basket
    placed: tuple[Stamp, ...] = () if basket is None else (basket.placed,)
    return max(stamp.at for stamp in (parcel.promise.told, *stamps, *placed))


def _within(least: timedelta, span: timedelta, most: timedelta) -> timedelta:
    return max(least, min(span, most))


def _holder(key: str) -> str:
    return key.partition(":")[0]


def _counted(key: str) -> tuple[History, ...]:
    return HISTORIES_OF.get(_holder(key), ())


@dataclass(slots=True)
class Sums:
    """Exact sums of weights, and of weights times values."""

    weight: int = 0
    value: int = 0
    latest: datetime = _LANDMARK

    def add(self, weight: int, value: int) -> None:
        """Count one observation; a negative weight takes it out again."""
        self.weight += weight
        self.value += weight * value


@dataclass(slots=True)
class KeyHistory:
    """Everything counted for one key.

    It holds two integers for each history and part, which grow by a bit for each half-life that has
    gone by since 1970, and the observations of the last `REACH`, to answer for an instant before
    them.  `PARTS_KEPT`, `RECENT_KEPT` and `forget` bound it; what they drop is what came first.
    """

    sums: dict[str, Sums] = field(default_factory=dict)
    parts: dict[str, dict[str, Sums]] = field(default_factory=dict)
    """Part → history → sums."""
    recent: list[tuple[datetime, str, str, int]] = field(default_factory=list)
    """Instant, kind, part (empty: none) and value, sorted."""
    latest: datetime = _LANDMARK

    def observe(self, seen: Observation) -> None:
        """Count an observation.  In whatever order they come, the answers are the same.

        One that comes more than `REACH` behind the newest counts for every instant asked from now
        on, also for one before it.
        """
        for history, sums in self._places(seen.key, seen.kind, seen.part):
            sums.add(_weight(seen.at, history.fades), seen.value)
            sums.latest = max(sums.latest, seen.at)
        self.latest = max(self.latest, seen.at)
        insort(self.recent, (seen.at, seen.kind, seen.part or "", seen.value))
        self._shorten()

    def answer(self, asked: Question, at: datetime) -> dict[str, tuple[float, float]]:
        """Return every history of this key as of `at`: what lies later does not count."""
        later = self._after(at)
        return {
            history.name: self._answer(history, asked.part, at, later)
            for history in _counted(asked.key)
            if not history.of_part or asked.part is not None
        }

    def forget(self, now: datetime) -> bool:
        """Drop parts not heard of for `KEPT`; return whether that is true of the key as a whole."""
        for part in [p for p, known in self.parts.items() if _latest(known) < now - KEPT]:
            del self.parts[part]
        return self.latest < now - KEPT

    def _places(self, key: str, kind: str, part: str | None) -> Iterator[tuple[History, Sums]]:
        for history in _counted(key):
            if history.kind != kind:
                continue
            if not history.of_part:
                yield history, self.sums.setdefault(history.name, Sums())
            elif part is not None:
                yield history, self.parts.setdefault(part, {}).setdefault(history.name, Sums())

    def _shorten(self) -> None:
        end = self.latest - REACH
        old = next((n for n, each in enumerate(self.recent) if each[0] >= end), len(self.recent))
        del self.recent[: max(old, len(self.recent) - RECENT_KEPT)]
        if len(self.parts) > PARTS_KEPT:
            del self.parts[min(self.parts, key=lambda p: (_latest(self.parts[p]), p))]

    def _after(self, at: datetime) -> list[tuple[datetime, str, str, int]]:
        first = len(self.recent)
        while first and self.recent[first - 1][0] > at:
            first -= 1
        return self.recent[first:]

    def _answer(
        self,
        history: History,
        part: str | None,
        at: datetime,
        later: list[tuple[datetime, str, str, int]],
    ) -> tuple[float, float]:
        known = self.parts.get(part or "", {}) if history.of_part else self.sums
        if history.name not in known:
            return 0.0, 0.0
        counted = Sums(known[history.name].weight, known[history.name].value)
        for when, kind, its_part, value in later:
            if kind == history.kind and (not history.of_part or its_part == part):
                counted.add(-_weight(when, history.fades), value)
        unit = _weight(at, history.fades)
        return counted.weight / unit, counted.value / unit


def _latest(known: Mapping[str, Sums]) -> datetime:
    return max((sums.latest for sums in known.values()), default=_LANDMARK)


def _weight(at: datetime, fades: timedelta | None) -> int:
    """Return the weight of this instant: it doubles with every half-life since the landmark."""
    if fades is None:
        return 1
    half_lives = (at - _LANDMARK) / (fades * math.log(2))
    whole = math.floor(half_lives)
    return int(math.ldexp(2.0 ** (half_lives - whole), _FRACTION_BITS)) << whole
