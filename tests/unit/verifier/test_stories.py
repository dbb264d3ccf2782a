"""Going from turn to turn tells what looking at everything at every tick would tell."""

from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.contracts.deliveries import ShipmentPromised
from services.contracts.envelope import Event
from services.contracts.problems import Actor, Band, ProblemKind
from services.verifier.lives import Lives
from services.verifier.promises import Course, Teller, World
from services.verifier.scores import Score, Scores
from services.verifier.stories import Model, Name, _Story, courses
from tests.factories import CUSTOMER, DAY, HOUR, START, cancelled, event, promised, scanned
from tests.unit.verifier.telling import constant, daily, of_all, tell
from tests.unit.verifier.test_agreement import happenings

bands = st.sampled_from(Band)


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[dict[int, list[Event[Any]]], list[datetime]]:
    """Events of one customer at some ticks, and the ticks; nothing falls behind the horizon."""
    gaps = draw(st.lists(st.integers(1, 60), min_size=20, max_size=40))
    ats = [START]
    for hours in [*gaps, 24 * 30, 24 * 31, 24 * 31]:
        ats.append(ats[-1] + hours * HOUR)
    arriving: dict[int, list[Event[Any]]] = {}
    for number, one in enumerate(draw(st.lists(happenings(), min_size=3, max_size=30))):
        moment = max(one.time, START - DAY)
        named = {"partitionkey": CUSTOMER, "time": moment, "id": f"{one.type}-{number}"}
        index = draw(st.integers(0, len(gaps)))
        arriving.setdefault(index, []).append(one.model_copy(update=named))
    return arriving, ats


def every_tick(life: Lives, world: World, model: Model) -> dict[Name, Course]:
    """Compute every watch anew at every tick, and look at it."""
    tellers: dict[Name, Teller] = {}
    for index in range(len(world.timeline)):
        views = {
            thing: known[-1]
            for thing, views in life.views.items()
            if (known := [view for since, view in views if since <= index])
        }
        for name, watch in _Story(world).turn(views):
            kind, subject = name
            fresh = Teller(CUSTOMER, subject, kind, world, model[CUSTOMER, subject])
            teller = tellers.setdefault(name, fresh)
            teller._watch = watch
            teller._actor = Actor.NOBODY if watch is None else watch.actor
            teller._look(index)
    return {name: teller.course for name, teller in tellers.items() if teller.course != Course()}


@settings(max_examples=150, deadline=None)
@given(story=arrivals(), band=bands, later=bands, revised=st.integers(0, 20))
def test_from_turn_to_turn_is_as_good_as_every_tick(
    story: tuple[dict[int, list[Event[Any]]], list[datetime]],
    band: Band,
    later: Band,
    revised: int,
) -> None:
    arriving, ats = story
    found = tell({**arriving, 0: [*arriving.get(0, ()), scanned("sh-9")]}, ats)

    again = Score(found.world.timeline.numbers[revised % len(ats)], 0.4, later)
    said = constant(band).said
    model = of_all(Scores({point: [*said[point], again] for point in said}))

    jumped = {
        name: course
        for name, course in courses(CUSTOMER, found.life, found.world, model)
        if course != Course()
    }

    assert jumped == every_tick(found.life, found.world, model)


# What concerns which watch.


def test_a_cancellation_told_alone_concerns_the_orders_parcels() -> None:
    found = tell({1: [promised(by=START + 5 * DAY)], 9: [cancelled(at=START + 8 * DAY)]}, daily(20))

    assert found.lines(ProblemKind.DELIVERY_DELAY, "sh-1")[-1] == (9, "solved", "late")


def test_another_parcels_promise_may_change_the_zone_of_all() -> None:
    stalled = scanned(at=START + DAY)
    zoned = ShipmentPromised(
        shipment_id="sh-2",
        order_id="o-2",
        promised_by=START + 70 * DAY,
        time_zone="Pacific/Kiritimati",
    )
    arriving = {1: [promised(by=START + 70 * DAY), stalled]}
    ticks = daily(24 * 15, START, HOUR)
    kind = ProblemKind.SCAN_STALLED
    plain = tell(arriving, ticks, heard={"scans:dhl": ticks})
    later = tell({**arriving, 30: [event(zoned, at=START)]}, ticks, heard={"scans:dhl": ticks})

    # From Friday midnight in UTC, Friday afternoon on Kiritimati: the same days, the same time of day.
    assert plain.said(kind, "sh-1")[0]["deadline"] == "2026-01-08T00:00:00Z"
    assert later.said(kind, "sh-1")[0]["deadline"] == "2026-01-08T00:00:00Z"

    # Eleven hours later it is Saturday there.
    weekend = scanned(at=START + DAY + 11 * HOUR)
    arriving = {1: [promised(by=START + 70 * DAY)], 40: [weekend]}
    moved = tell({**arriving, 50: [event(zoned, at=START)]}, ticks, heard={"scans:dhl": ticks})
    assert moved.said(kind, "sh-1")[0]["deadline"] == "2026-01-07T11:00:00Z"


def test_what_the_horizon_took_is_gone_with_its_problem() -> None:
    early = promised(by=START + 5 * DAY, at=START)
    late = promised("sh-2", "o-2", by=START + 500 * DAY, at=START + 380 * DAY)
    ticks = [*daily(10), *daily(30, START + 380 * DAY)]
    found = tell({1: [early], 11: [late]}, ticks)
    name = (ProblemKind.DELIVERY_DELAY, "sh-1")

    assert found.lines(*name)[-1] == (10, "expired", "late")
    assert found.courses[name].problem is None
    assert ("shipments", "sh-2") in found.life.things
    assert ("shipments", "sh-1") not in found.life.things
