"""One customer: the state in the changelog beside the one that the events lead to.  Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from pydantic import BaseModel

from services.contracts.ids import problem_id
from services.contracts.topics import HORIZON
from services.verifier import stories
from services.verifier.evidence import Stamp, Told
from services.verifier.happened import Happened, happened
from services.verifier.lives import Lives, lives
from services.verifier.outcomes import Applied
from services.verifier.promises import Course, Expected, Scored, World
from services.verifier.sayings import NOT_RECOMPUTED
from services.verifier.slots import (
    Slots,
    Thing,
    digest,
    only_known,
    recorded,
    shown,
    unknown_slots,
)


@dataclass(slots=True)
class Findings:
    """About customers of one partition."""

    number: int
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)
    scored: list[Scored] = field(default_factory=list)
    happened: Happened = field(default_factory=dict)
    recorded_digests: dict[str, str] = field(default_factory=dict)
    """Customer → digest of the facts in the changelog."""
    recomputed_digests: dict[str, str] = field(default_factory=dict)
    unknown_slots: set[str] = field(default_factory=set)


class State(BaseModel):
    """What the changelog holds of a customer, as far as it is looked at."""

    facts: dict[str, dict[str, dict[str, Any]]]
    seen: dict[str, Any]
    episodes: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Stored:
    seen: dict[str, Any] = field(default_factory=dict)
    things: dict[Thing, Slots] = field(default_factory=dict)
    episodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_there: bool = False


def remembered_as(stamp: Stamp) -> str:
    """Return the name under which the predictor remembers an applied event: 64 bits, per customer."""
    return blake2b(f"{stamp.source}\x1f{stamp.id}".encode(), digest_size=8).hexdigest()


def is_seen_in(changelog: Mapping[bytes, bytes]) -> Callable[[Told], bool]:
    """Return whether an event is remembered as applied in these latest values."""

    def is_seen(told: Told) -> bool:
        state = _stored(told.customer, changelog.get(told.customer.encode()), Findings(0))
        return remembered_as(told.stamp) in state.seen

    return is_seen


def judge_customer(
    customer: str,
    value: bytes | None,
    applied: Sequence[Applied],
    world: World,
    model: stories.Model,
    found: Findings,
    *,
    is_by_tick: bool,
) -> None:
    """Add to `found` what is wrong with one customer, and what should have been said about it.

    Args:
        customer: The id.
        value: The changelog's latest value of it.
        applied: What should have been applied.
        world: Ticks and feeds.
        model: What the model said.
        found: Of the whole partition.
        is_by_tick: Whether what was known at each tick is known.
    """
    life = lives(applied, world.timeline)
    stored = _stored(customer, value, found)
    _judge_seen(customer, stored.seen, life, applied, world, found)
    found.unknown_slots |= unknown_slots(stored.things)
    _judge_facts(customer, only_known(stored.things), life.things, found, is_there=stored.is_there)
    if is_by_tick:
        courses = dict(stories.courses(customer, life, world, model))
        found.happened |= happened(customer, life, world.timeline)
        for each in courses.values():
            found.expected += each.expected
            found.scored += each.scored
        if stored.is_there:
            _judge_episodes(customer, stored.episodes, courses, found)


def _stored(customer: str, value: bytes | None, found: Findings) -> "_Stored":
    if value is None:
        return _Stored()
    try:
        state = State.model_validate_json(value)
        return _Stored(state.seen, recorded(state.facts), state.episodes, is_there=True)
    except ValueError:
        found.wrong.append(f"customer {customer}: the state in the changelog cannot be read")
        return _Stored()


def _judge_seen(
    customer: str,
    seen: Mapping[str, Any],
    life: Lives,
    applied: Iterable[Applied],
    world: World,
    found: Findings,
) -> None:
    last = world.timeline.last_at
    for each in life.events:
        stamp = each.told.stamp
        is_at_horizon = last is not None and stamp.at < last - HORIZON
        if remembered_as(stamp) not in seen and not is_at_horizon:
            found.lost.append(
                f"{each.told.topic}-{found.number}@{each.told.offset} of customer {customer}: "
                f"{stamp.source} {stamp.id} was not applied"
            )
    if len(seen) > len(life.events):
        known = {remembered_as(each.told.stamp) for each in applied}
        found.wrong += [
            f"customer {customer} remembers {name}, which is no event on the topics"
            for name in sorted(set(seen) - known)
        ]


def _judge_facts(
    customer: str,
    stored: dict[Thing, Slots],
    recomputed: dict[Thing, Slots],
    found: Findings,
    *,
    is_there: bool,
) -> None:
    if stored:
        found.recorded_digests[customer] = digest(stored)
    if recomputed:
        found.recomputed_digests[customer] = digest(recomputed)
    if not is_there or stored == recomputed:
        # Of somebody who is not there at all, every event is lost.
        return
    for thing in sorted(stored.keys() | recomputed.keys()):
        ours, theirs = recomputed.get(thing, {}), stored.get(thing, {})
        found.wrong += [
            f"customer {customer} {thing[0]} {thing[1]} {slot}: changelog {shown(theirs.get(slot))}, "
            f"recomputed {shown(ours.get(slot))}"
            for slot in sorted(ours.keys() | theirs.keys())
            if ours.get(slot) != theirs.get(slot)
        ]


def _judge_episodes(
    customer: str,
    stored: Mapping[str, Mapping[str, Any]],
    courses: Mapping[stories.Name, Course],
    found: Findings,
) -> None:
    ours = {
        f"{kind}|{subject}": (
            str(problem_id(customer, subject, kind, each.problem.number)),
            each.problem.tier.value,
            each.problem.is_open,
        )
        for (kind, subject), each in courses.items()
        if each.problem is not None
    }
    theirs = {
        name: (episode.get("problem_id"), episode.get("tier"), episode.get("is_open"))
        for name, episode in stored.items()
        if name.partition("|")[0] not in NOT_RECOMPUTED
    }
    found.wrong += [
        f"customer {customer} problem {name}: changelog {theirs.get(name)}, recomputed {ours.get(name)}"
        for name in sorted(ours.keys() | theirs.keys())
        if ours.get(name) != theirs.get(name)
    ]
