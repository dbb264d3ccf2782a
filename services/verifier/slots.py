"""The facts of a customer as slots: recomputed from events, or as the changelog has them.  Pure.

Nothing is added up and nothing depends on the order of arrival: the events of one thing are sorted by
their stamps, and each slot takes the first or the last of those that speak of it.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from services.contracts.deliveries import CheckpointStatus
from services.verifier.evidence import Said, Stamp, Told
from services.verifier.says import (
    CARTS,
    CONTACTS,
    ORDERS,
    REFUNDS,
    SEARCHES,
    SHIPMENTS,
    SURVEYS,
)

Entry = tuple[Stamp, Said]
Slots = dict[str, Any]
"""Slot → value: a stamp's mapping, a promise, an id; slots of which nothing is known are absent."""

Thing = tuple[str, str]
"""Which kind of thing, and its id."""

FORM: Mapping[str, tuple[str, ...]] = {
    ORDERS: ("basket", "approved", "cancelled", "failures"),
    CARTS: ("abandoned", "failures"),
    SHIPMENTS: (
        "order_id",
        "first_promise",
        "latest_promise",
        "first_zone",
        "last_zone",
        "handed_over",
        "carrier_told",
        "scans",
        "delivered",
    ),
    CONTACTS: (
        "opened",
        "opened_by",
        "reason",
        "order_id",
        "replied_by_agent",
        "resolved",
        "reopened",
        "waiting",
        "turns",
    ),
    SEARCHES: ("found", "unfound"),
    SURVEYS: ("sent", "answered", "score", "kind", "order_id", "contact_id"),
    REFUNDS: ("order_id", "promised", "paid"),
}
"""Kind of thing → the slots that are recomputed here."""

FAILURES_KEPT = 8
"""How many failed payments of an order or a cart are known: the earliest."""

TURNS_KEPT = 16
"""How many turns of a conversation are known: the earliest."""

_DELIVERED = CheckpointStatus.DELIVERED.value
_MOMENTS = frozenset({"at", "promised_by", "ship_by"})


def entries(told: Iterable[Told]) -> dict[Thing, list[Entry]]:
    """Return what is said of each thing, sorted by stamp."""
    found: dict[Thing, list[Entry]] = {}
    for each in told:
        if each.says is not None:
            found.setdefault((each.says[0], each.says[1]), []).append((each.stamp, each.says))
    for said in found.values():
        said.sort(key=lambda entry: entry[0])
    return found


def slots(kind: str, said: Sequence[Entry]) -> Slots:
    """Return the slots of one thing from all that is said of it, sorted by stamp."""
    return _filled(_FILLERS[kind](said))


def recorded(facts: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[Thing, Slots]:
    """Return the slots of a customer's facts as the changelog's JSON has them."""
    return {
        (kind, name): _known(fact)
        for kind, things in facts.items()
        for name, fact in things.items()
    }


def unknown_slots(found: Mapping[Thing, Slots]) -> set[str]:
    """Return the slots that only the predictor knows of: nothing here recomputes them."""
    return {
        f"{kind}.{slot}"
        for (kind, _), filled in found.items()
        for slot in filled
        if slot not in FORM.get(kind, ())
    }


def only_known(found: Mapping[Thing, Slots]) -> dict[Thing, Slots]:
    """Return the slots that are recomputed here, of the things that have any."""
    known = {
        thing: {slot: value for slot, value in filled.items() if slot in FORM[thing[0]]}
        for thing, filled in found.items()
        if thing[0] in FORM
    }
    return {thing: filled for thing, filled in known.items() if filled}


def stamps(filled: Any) -> list[datetime]:
    """Return when each event happened that a slot holds, at whatever depth."""
    if isinstance(filled, Mapping):
        if "at" in filled:
            return [filled["at"]]
        return [at for value in filled.values() for at in stamps(value)]
    if isinstance(filled, list):
        return [at for value in filled for at in stamps(value)]
    return []


def stamp_of(slot: Mapping[str, Any]) -> Stamp:
    """Return the stamp in a slot, to be compared with others."""
    return Stamp(slot["at"], slot["source"], slot["id"])


def digest(things: Mapping[Thing, Slots]) -> str:
    """Return SHA-256 of a customer's slots, whatever order they were learned in."""
    plain = {"/".join(thing): filled for thing, filled in things.items()}
    text = json.dumps(plain, sort_keys=True, default=datetime.isoformat)
    return sha256(text.encode()).hexdigest()


def shown(value: Any) -> str:
    """Return a slot's value for a finding: stamps and dates, ids and counts."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return "(" + ", ".join(shown(part) for part in value.values()) + ")"
    if isinstance(value, list):
        return "[" + ", ".join(shown(part) for part in value) + "]"
    return "nothing" if value is None else str(value)


def _filled(value: Mapping[str, Any]) -> Slots:
    return {name: part for name, part in value.items() if part not in (None, [], {})}


def _known(value: Mapping[str, Any]) -> Slots:
    return _filled({name: _moment(name, part) for name, part in value.items()})


def _moment(name: str, part: Any) -> Any:
    if isinstance(part, dict):
        return _known(part)
    if isinstance(part, list):
        return [_moment("", each) for each in part]
    if name in _MOMENTS and part is not None:
        return datetime.fromisoformat(part).astimezone(UTC)
    return part


def _stamp(stamp: Stamp) -> Slots:
    return {"at": stamp.at, "source": stamp.source, "id": stamp.id}


def _of(said: Iterable[Entry], *names: str) -> list[Entry]:
    return [entry for entry in said if entry[1][2] in names]


def _first(said: Iterable[Entry], *names: str) -> Slots | None:
    found = _of(said, *names)
    return _stamp(found[0][0]) if found else None


def _last(said: Iterable[Entry], *names: str) -> Slots | None:
    found = _of(said, *names)
    return _stamp(found[-1][0]) if found else None


def _all(said: Iterable[Entry], *names: str, after: Stamp | None = None) -> list[Slots]:
    found = (stamp for stamp, _ in _of(said, *names))
    return [_stamp(stamp) for stamp in found if after is None or stamp > after]


def _latest(said: Iterable[Entry], *names: str) -> Stamp | None:
    found = _of(said, *names)
    return found[-1][0] if found else None


def _least(said: Iterable[Entry], place: int) -> Any:
    """Return the least of what is named at this place of what was said; None: nothing is."""
    named = (says[place] for _, says in said if len(says) > place)
    return min((name for name in named if name is not None), default=None)


def _order(said: Sequence[Entry]) -> Slots:
    placed = _of(said, "placed")
    basket = {"placed": _stamp(placed[0][0]), **_filled(placed[0][1][3])} if placed else None
    return {
        "basket": basket,
        "approved": _first(said, "approved"),
        "cancelled": _first(said, "cancelled"),
        "failures": _all(said, "failed")[:FAILURES_KEPT],
    }


def _cart(said: Sequence[Entry]) -> Slots:
    return {
        "abandoned": _first(said, "abandoned"),
        "failures": _all(said, "failed")[:FAILURES_KEPT],
    }


def _shipment(said: Sequence[Entry]) -> Slots:
    promises = [_promise(*entry) for entry in _of(said, "promised")]
    zones = [
        {"told": _stamp(stamp), "name": says[6]}
        for stamp, says in _of(said, "promised")
        if says[6] is not None
    ]
    carriers = [
        {"told": _stamp(stamp), "name": says[4]} for stamp, says in said if says[4] is not None
    ]
    scanned = _of(said, "scanned")
    arrived = [entry for entry in scanned if entry[1][5].partition("/")[0] == _DELIVERED]
    return {
        "order_id": min(says[3] for _, says in said),
        "first_promise": promises[0] if promises else None,
        "latest_promise": promises[-1] if promises else None,
        "first_zone": zones[0] if zones else None,
        "last_zone": zones[-1] if zones else None,
        "handed_over": _first(said, "handed_over"),
        "carrier_told": carriers[-1] if carriers else None,
        "scans": _scans(scanned),
        "delivered": min(
            (_stamp(stamp) for stamp, _ in [*arrived, *_of(said, "delivered")]),
            key=stamp_of,
            default=None,
        ),
    }


def _scans(scanned: Iterable[Entry]) -> Slots:
    found: dict[str, list[Stamp]] = {}
    for stamp, says in scanned:
        found.setdefault(says[5], []).append(stamp)
    return {
        name: {"first": _stamp(seen[0]), "last": _stamp(seen[-1])} for name, seen in found.items()
    }


def _promise(stamp: Stamp, says: Said) -> Slots:
    return {"told": _stamp(stamp), **_filled(says[5])}


def _contact(said: Sequence[Entry]) -> Slots:
    opened = _of(said, "opened", "opened_by_agent")
    by_agent = bool(opened) and opened[0][1][2] == "opened_by_agent"
    turns = [entry for entry in said if entry[1][2] != "opened_by_agent"]
    answered = _latest(said, "replied_by_agent", "resolved")
    return {
        "opened": _first(said, "opened", "opened_by_agent"),
        "opened_by": "agent" if by_agent else None,
        "reason": opened[0][1][3] if opened else None,
        "order_id": opened[0][1][4] if opened else None,
        "replied_by_agent": _last(said, "replied_by_agent"),
        "resolved": _last(said, "resolved"),
        "reopened": _last(said, "reopened"),
        "waiting": _all(said, "opened", "reopened", "replied_by_customer", after=answered),
        "turns": [{"said": _stamp(stamp), "kind": says[2]} for stamp, says in turns[:TURNS_KEPT]],
    }


def _search(said: Sequence[Entry]) -> Slots:
    return {
        "found": _last(said, "found"),
        "unfound": _all(said, "unfound", after=_latest(said, "found")),
    }


def _survey(said: Sequence[Entry]) -> Slots:
    answered, sent = _of(said, "answered"), _of(said, "sent")
    return {
        "sent": _first(said, "sent"),
        "answered": _first(said, "answered"),
        "score": answered[0][1][6] if answered else None,
        "kind": answered[0][1][5] if answered else _least(sent, 5),
        "order_id": _least(said, 3),
        "contact_id": _least(said, 4),
    }


def _refund(said: Sequence[Entry]) -> Slots:
    promised = _of(said, "promised")
    first = {"told": _stamp(promised[0][0]), "promised_by": promised[0][1][4]} if promised else None
    return {"order_id": _least(said, 3), "promised": first, "paid": _first(said, "paid")}


_FILLERS: Mapping[str, Callable[[Sequence[Entry]], Slots]] = {
    ORDERS: _order,
    CARTS: _cart,
    SHIPMENTS: _shipment,
    CONTACTS: _contact,
    SEARCHES: _search,
    SURVEYS: _survey,
    REFUNDS: _refund,
}
