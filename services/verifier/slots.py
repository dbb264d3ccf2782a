"""The facts of a customer as slots: recomputed from events, or as the changelog has them.  Pure.

Nothing is added up and nothing depends on the order of arrival: the events of one thing are sorted by
their stamps, and each slot takes the first or the last of those that speak of it.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from services.verifier.evidence import Said, Stamp, Told
from services.verifier.says import CONTACTS, ORDERS, SHIPMENTS, SURVEYS

Entry = tuple[Stamp, Said]
Slots = dict[str, Any]
"""Slot → value: a stamp's mapping, a promise, an id; slots of which nothing is known are absent."""

Thing = tuple[str, str]
"""Which kind of thing, and its id."""

FORM: Mapping[str, tuple[str, ...]] = {
    ORDERS: ("basket", "approved", "cancelled"),
    SHIPMENTS: (
        "order_id",
        "first_promise",
        "latest_promise",
        "handed_over",
        "carrier",
        "first_scan",
        "latest_scan",
        "delivered",
    ),
    CONTACTS: ("opened", "reason", "order_id", "replied_by_agent", "resolved", "reopened"),
    SURVEYS: ("sent", "answered", "score", "order_id"),
}
"""Kind of thing → the slots that are recomputed here."""

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
    filled = _FILLERS[kind](said)
    return {slot: value for slot, value in filled.items() if value is not None}


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
    """Return the slots that are recomputed here."""
    return {
        thing: {slot: value for slot, value in filled.items() if slot in FORM[thing[0]]}
        for thing, filled in found.items()
        if thing[0] in FORM
    }


def stamps(filled: Slots) -> list[datetime]:
    """Return when each event happened that a slot holds."""
    inside = (v for v in filled.values() if isinstance(v, dict))
    found = (v.get("at") or (v.get("told") or v.get("placed") or {}).get("at") for v in inside)
    return [at for at in found if at is not None]


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
    return "nothing" if value is None else str(value)


def _known(value: Mapping[str, Any]) -> Slots:
    return {name: _moment(name, part) for name, part in value.items() if part is not None}


def _moment(name: str, part: Any) -> Any:
    if isinstance(part, dict):
        return _known(part)
    if name in _MOMENTS:
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


def _order(said: Sequence[Entry]) -> Slots:
    placed = _of(said, "placed")
    basket = {"placed": _stamp(placed[0][0]), **placed[0][1][3]} if placed else None
    return {
        "basket": basket,
        "approved": _first(said, "approved"),
        "cancelled": _first(said, "cancelled"),
    }


def _shipment(said: Sequence[Entry]) -> Slots:
    promises = [_promise(*entry) for entry in _of(said, "promised")]
    return {
        "order_id": min(says[3] for _, says in said),
        "first_promise": promises[0] if promises else None,
        "latest_promise": promises[-1] if promises else None,
        "handed_over": _first(said, "handed_over"),
        "carrier": min((says[4] for _, says in said if says[4] is not None), default=None),
        "first_scan": _first(said, "scanned", "scanned_delivered"),
        "latest_scan": _last(said, "scanned", "scanned_delivered"),
        "delivered": _first(said, "delivered", "scanned_delivered"),
    }


def _promise(stamp: Stamp, says: Said) -> Slots:
    return {"told": _stamp(stamp), **{k: v for k, v in says[5].items() if v is not None}}


def _contact(said: Sequence[Entry]) -> Slots:
    opened = _of(said, "opened")
    return {
        "opened": _first(said, "opened"),
        "reason": opened[0][1][3] if opened else None,
        "order_id": opened[0][1][4] if opened else None,
        "replied_by_agent": _last(said, "replied_by_agent"),
        "resolved": _last(said, "resolved"),
        "reopened": _last(said, "reopened"),
    }


def _survey(said: Sequence[Entry]) -> Slots:
    answered = _of(said, "answered")
    return {
        "sent": _first(said, "sent"),
        "answered": _first(said, "answered"),
        "score": answered[0][1][4] if answered else None,
        "order_id": min((says[3] for _, says in said if says[3] is not None), default=None),
    }


_FILLERS: Mapping[str, Callable[[Sequence[Entry]], Slots]] = {
    ORDERS: _order,
    SHIPMENTS: _shipment,
    CONTACTS: _contact,
    SURVEYS: _survey,
}
