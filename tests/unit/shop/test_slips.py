"""Publishers repeat, delay, swap and spoil, a given number of times, and nothing else is ever wrong."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from services.contracts.events import Unreadable, read_strictly
from services.contracts.topics import HORIZON, MAX_FUTURE_SKEW
from services.kit.records import read_event
from services.shop.mishaps import SPOILS
from services.shop.parameters import Outage
from services.shop.premises import feed_of, merged
from services.shop.timeline import Publication
from tests.unit.shop.playing import (
    CAREFUL,
    DAY,
    HOUR,
    PUNCTUAL,
    SMALL,
    Played,
    parsed,
    played,
    time_of,
)

LONGEST_STEP = MAX_FUTURE_SKEW / 2
LATE = replace(SMALL, delayed=1, delay_hours=(72,))


def is_refused(item: Publication) -> bool:
    """Whether a door would refuse it whose clock is one step behind."""
    try:
        event = read_strictly(parsed(item))
    except Unreadable:
        return True
    return event.time > item.at + MAX_FUTURE_SKEW + LONGEST_STEP


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_door_takes_what_it_should_and_refuses_what_it_should(seed: int) -> None:
    said = played(SMALL, seed).publications
    assert len(said) > 500
    for item in said:
        assert is_refused(item) == item.refusable, item.body


def test_an_event_that_is_late_anyway_is_spoiled_as_well() -> None:
    spoiled = [p for p in played(LATE).publications if p.refusable]
    assert len(spoiled) == SMALL.spoiled_per_kind * len(SPOILS)
    assert all(is_refused(item) for item in spoiled)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_kind_of_blunder_comes_as_often_as_asked(seed: int) -> None:
    clumsy = replace(SMALL, spoiled_per_kind=7, poison_per_kind=5, beyond_horizon=4)
    shop = played(clumsy, seed)
    spoiled = [p.event_id for p in shop.publications if p.refusable]
    for kind in SPOILS:
        assert sum(f"-{kind}-" in event_id for event_id in spoiled) == 7
    assert len(set(spoiled)) == len(spoiled)
    assert len(shop.poison) == 5 * 7
    assert len({e["id"] for e in _old(shop)}) == 4


def test_the_default_demo_has_each_of_them() -> None:
    """As few customers as the command takes without slips would be no demo."""
    shop = played(replace(SMALL, customers=30))
    assert any(p.refusable for p in shop.publications)
    assert shop.poison
    assert _old(shop)


def test_no_poison_can_be_read() -> None:
    poison = played(SMALL).poison
    assert poison
    for record in poison:
        with pytest.raises(Unreadable):
            read_event(record.topic, record.key, record.value, [])


def test_ids_are_unique_apart_from_repeats() -> None:
    said = played(replace(SMALL, duplicated=0.1)).publications
    times = Counter(p.event_id for p in said)
    assert max(times.values()) == 2
    assert len(said) - len(times) > 50
    bodies = {(p.event_id, p.body) for p in said}
    assert len(bodies) == len(times)


def test_publishers_delay_and_swap() -> None:
    careless = replace(SMALL, carriers=PUNCTUAL, delayed=0.1, reordered=0.1, duplicated=0)
    shop = played(careless)
    kept = [p for p in shop.publications if not p.refusable and "long-ago" not in p.event_id]
    waits = [p.at - time_of(parsed(p)) for p in kept]
    assert {w / HOUR for w in waits if w > careless.reorder_within} == {2, 8, 30, 72}
    assert sum(timedelta() < w < careless.reorder_within for w in waits) > 50
    assert sum(w == timedelta() for w in waits) > 0.7 * len(waits)
    assert any(b < a for a, b in pairwise(time_of(parsed(p)) for p in kept))


def test_careful_publishers_do_none_of_it() -> None:
    shop = played(replace(CAREFUL, carriers=PUNCTUAL))
    assert len({p.event_id for p in shop.publications}) == len(shop.publications) > 500
    assert all(p.at == time_of(parsed(p)) for p in shop.publications)
    assert shop.poison == ()
    assert [(p.at, p.event_id) for p in shop.publications] == sorted(
        (p.at, p.event_id) for p in shop.publications
    )


def test_a_feed_that_fails_tells_all_of_it_afterwards_and_nothing_meanwhile() -> None:
    """Also what is delayed or repeated into the silence."""
    clumsy = replace(SMALL, carriers=PUNCTUAL, delayed=0.2, duplicated=0.2, customers=150)
    begins, lasts = 8 * DAY, 30 * HOUR
    silent = replace(clumsy, outages=(Outage("swift-parcel", begins, lasts),))
    feed = feed_of(PUNCTUAL[0])
    calm, shop = ([p for p in played(s).publications if p.source == feed] for s in (clumsy, silent))
    opens, closes = SMALL.start + begins, SMALL.start + begins + lasts
    assert sum(opens <= p.at < closes for p in calm) > 10
    assert not [p for p in shop if opens <= p.at < closes]
    assert Counter(p.event_id for p in shop) == Counter(p.event_id for p in calm)
    held = [p for p in shop if opens <= time_of(parsed(p)) < closes]
    assert any(closes <= p.at <= closes + timedelta(minutes=10) for p in held)


def test_carriers_fall_silent_by_themselves() -> None:
    """What happened meanwhile is held back, of carriers alone, and never for longer than they last."""
    shaky = tuple(replace(carrier, outages_per_month=4) for carrier in PUNCTUAL)
    shop = played(replace(CAREFUL, carriers=shaky, customers=200))
    held = [p for p in shop.publications if p.at > time_of(parsed(p))]
    assert len(held) > 5
    assert {p.source.split("/")[1] for p in held} == {"carriers"}
    longest = max(p.at - time_of(parsed(p)) for p in held)
    # Two that touch are one.
    assert HOUR < longest <= (2 * max(SMALL.outage_hours) + 1) * HOUR


def test_silences_that_touch_are_one() -> None:
    at = SMALL.start
    apart = (at + 9 * HOUR, at + 10 * HOUR)
    touching = [(at + 2 * HOUR, at + 3 * HOUR), (at, at + 2 * HOUR)]
    assert merged(iter([apart, *touching])) == ((at, at + 3 * HOUR), apart)


def _old(shop: Played) -> list[dict[str, object]]:
    return [
        parsed(p)
        for p in shop.publications
        if not p.refusable and p.at - time_of(parsed(p)) > HORIZON
    ]
