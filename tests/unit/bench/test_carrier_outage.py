"""What counts as false, what as later, and what an outage brings in a small shop."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import services.outreach
from bench.carrier_outage import (
    Alarm,
    Hour,
    Played,
    Plays,
    delays,
    figures,
    happened,
    is_contact,
    is_false,
    play,
    play_all,
)
from services.contracts.envelope import Event
from services.contracts.outreach import Mode
from services.outreach.worker import load_playbooks
from services.shop.parameters import Outage
from services.shop.presets import PRESETS
from tests.factories import DAY, HOUR, START, delivered, handed_over, placed, promised, scanned

PLAYBOOKS = load_playbooks(Path(services.outreach.__file__).parent / "playbooks")
PROMISE = START + 5 * DAY
BEGINS = PROMISE - 4 * HOUR


def carrier(say: Callable[..., Event[Any]], **envelope: Any) -> Event[Any]:
    return say(source="/carriers/dhl", **envelope)


def life(came: timedelta, heard: timedelta, others_until: timedelta) -> list[Hour]:
    """Return a parcel that comes after its promise, is told of later, and the carrier's other parcels."""
    told: list[tuple[datetime, Event[Any]]] = [
        (START, placed(at=START)),
        (START, promised(by=PROMISE, at=START)),
        (START + DAY, carrier(handed_over, at=START + DAY)),
        (START + 2 * DAY, carrier(scanned, at=START + 2 * DAY)),
        (PROMISE + heard, carrier(delivered, at=PROMISE + came)),
    ]
    for hour in range(9 * 24):
        at = START + hour * HOUR
        if at < BEGINS or at > PROMISE + others_until:
            scan = carrier(scanned, at=at, customer="c-2", shipment="sh-2", order="o-2")
            told.append((at, scan))
    return [
        Hour(
            START + hour * HOUR,
            [event for at, event in told if -HOUR < at - (START + hour * HOUR) <= timedelta()],
        )
        for hour in range(9 * 24)
    ]


def plays(hours: list[Hour]) -> Plays:
    both = {rule: play(hours, with_rule=rule) for rule in (True, False)}
    return Plays(
        Outage("dhl", BEGINS - START, 12 * HOUR),
        BEGINS,
        START + 9 * DAY,
        {(True, rule): both[rule] for rule in both} | {(False, r): Played() for r in both},
        happened(hours),
        frozenset({"sh-1"}),
    )


def of_tier(alarms: list[Alarm], tier: str) -> list[Alarm]:
    return [
        a
        for a in alarms
        if (a.fact.kind, a.fact.subject, a.fact.tier) == ("delivery_delay", "sh-1", tier)
    ]


def test_without_the_rule_a_parcel_that_came_in_the_outage_is_missed_for_nothing() -> None:
    # Brought an hour before the promise, told eight hours after it, in the burst.
    found = plays(life(came=-HOUR, heard=8 * HOUR, others_until=8 * HOUR))
    early, late = found.played[True, False], found.played[True, True]

    (alarm,) = of_tier(early.alarms, "overdue")
    assert alarm.at == PROMISE
    assert is_false(alarm, early, found.when)
    assert of_tier(late.alarms, "overdue") == []
    assert len(of_tier(found.caused(with_rule=False), "overdue")) == 1
    assert found.caused(with_rule=True) == []


def test_what_is_missing_for_certain_is_said_once_the_feed_is_heard_again() -> None:
    found = plays(life(came=2 * DAY, heard=2 * DAY, others_until=8 * HOUR))
    early, late = found.played[True, False], found.played[True, True]

    (at_once,), (later,) = of_tier(early.alarms, "overdue"), of_tier(late.alarms, "overdue")

    assert not is_false(at_once, early, found.when)
    assert not is_false(later, late, found.when)
    # Heard in the ninth hour, known at the tick behind it, believed at the next.
    assert later.at - at_once.at == 10 * HOUR
    assert delays(found)["silent"].hours == [10.0]


def test_what_came_before_it_was_said_is_no_true_alarm_of_that_play() -> None:
    found = plays(life(came=2 * HOUR, heard=10 * HOUR, others_until=8 * HOUR))

    silent = delays(found)["silent"]

    assert (silent.hours, silent.false_by_then + silent.never) == ([], 1)


def test_the_shipped_playbooks_say_what_is_a_contact() -> None:
    found = plays(life(came=2 * DAY, heard=2 * DAY, others_until=8 * HOUR))
    early = found.played[True, False]

    assert [is_contact(a, PLAYBOOKS) for a in of_tier(early.alarms, "overdue")] == [False]
    assert [is_contact(a, PLAYBOOKS) for a in of_tier(early.alarms, "late")] == [True]
    # One that only decides reaches nobody.
    shadows = {n: p.model_copy(update={"mode": Mode.SHADOW}) for n, p in PLAYBOOKS.items()}
    assert [is_contact(a, shadows) for a in of_tier(early.alarms, "late")] == [False]


@pytest.mark.parametrize("seed", [1, 2])
def test_an_outage_brings_false_alarms_where_every_absence_is_believed(seed: int) -> None:
    shop = PRESETS["demo"]
    calm = tuple(replace(each, outages_per_month=0.0) for each in shop.carriers)
    shop = replace(shop, customers=60, days=12, carriers=calm)
    outage = Outage("swift-parcel", 6 * DAY + 8 * HOUR, 3 * DAY)

    found = figures(play_all(shop, outage, seed), PLAYBOOKS)

    caused = {rule: sum(kinds.values()) for rule, kinds in found["caused"].items()}
    assert caused["with the rule"] < caused["without it"]
    assert found["notices"]["no outage"] == []
