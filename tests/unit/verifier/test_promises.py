"""The rules of one watch, worked out by hand: when a step has passed, and what becomes of an episode."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from services.contracts.problems import Actor, Band, DecisionPoint, ProblemKind, Tier
from services.contracts.stream import Tick
from services.contracts.tolerances import Tolerances
from services.verifier.evidence import Stamp
from services.verifier.heard import Heard, Mark
from services.verifier.promises import Course, Teller, World
from services.verifier.scores import Score, Scores
from services.verifier.timeline import Timeline
from services.verifier.watches import Step, Watch
from tests.factories import DAY, HOUR, SHOP, START
from tests.unit.verifier.telling import constant

DAYS = 80
SCANS, CARRIER, PUBLISHER = "scans:dhl", "carrier:dhl", f"publisher:{SHOP}"
KIND = ProblemKind.DELIVERY_DELAY


def day(number: float) -> datetime:
    return START + number * DAY


def stamp(number: float, name: str = "") -> Stamp:
    return Stamp(day(number), SHOP, name or f"e-{number}")


def step(number: float, tier: Tier = Tier.OVERDUE, feed: str | None = None) -> Step:
    return Step(day(number), tier, () if feed is None else (feed,))


def watch(*steps: Step, anchor: float = 1, **fields: Any) -> Watch:
    return Watch(stamp(anchor), steps, fields.pop("end", None), Actor.US, **fields)


def world(heard: dict[str, list[int]], **tolerances: Any) -> World:
    """One tick a day, its number the day; each feed is heard at the days named."""
    ticks = [Tick(number=n, at=day(n), ends={}, barrier="b") for n in range(DAYS)]
    marks = {feed: [Mark(n, day(n), n + 1) for n in days] for feed, days in heard.items()}
    return World(Timeline(ticks), Heard([marks]), Tolerances(**{"feed_settle": 0} | tolerances))


def told(
    *story: tuple[int, Watch | None],
    heard: dict[str, list[int]] | None = None,
    band: Band = Band.LOW,
    kind: ProblemKind = KIND,
    **tolerances: Any,
) -> Course:
    feeds = {PUBLISHER: list(range(DAYS))} if heard is None else heard
    teller = Teller("c-1", "x", kind, world(feeds, **tolerances), constant(band))
    for index, each in story:
        teller.learn(index, each)
    teller.follow(DAYS)
    return teller.course


def words(found: Course) -> list[tuple[int, str, str]]:
    return [
        (e.step, e.data.get("clearing") or e.type.split(".")[2], e.data["tier"])
        for e in found.expected
    ]


def evidence(found: Course, place: int = -1) -> list[str]:
    return [ref["id"] for ref in found.expected[place].data["evidence"]]


# When a step has passed.


def test_without_a_feed_a_step_passes_at_its_deadline() -> None:
    found = told((1, watch(step(2.5))))

    assert words(found) == [(3, "opened", "overdue"), (63, "expired", "overdue")]
    assert found.expected[0].data["feed"] is None


@pytest.mark.parametrize(
    ("heard", "opened_at", "silent"),
    [
        # Heard at the deadline or later: known one tick after it was said.
        ([5], 6, False),
        ([4, 5], 6, False),
        # Heard too late to be known before the cap: believed in silence, a day behind the deadline.
        ([4], 6, True),
        ([], 6, True),
        ([6], 6, True),
    ],
)
def test_with_a_feed_it_waits_to_be_heard_or_a_day(
    heard: list[int], opened_at: int, silent: bool
) -> None:
    found = told((1, watch(step(5, feed=PUBLISHER))), heard={PUBLISHER: heard})

    assert words(found)[0] == (opened_at, "opened", "overdue")
    assert found.expected[0].data["feed"]["silent"] is silent


def test_heard_at_the_deadline_it_may_still_have_to_tell_what_lay_before() -> None:
    late = told(
        (1, watch(step(5, feed=PUBLISHER))),
        heard={PUBLISHER: [5, 7]},
        feed_settle=0.5 * DAY,
        feed_cap=9 * DAY,
    )

    assert words(late)[0] == (8, "opened", "overdue")
    assert late.expected[0].data["feed"]["silent"] is False


@pytest.mark.parametrize(
    ("ours", "theirs", "opened_at", "named", "silent"),
    [
        ([5], [7], 8, PUBLISHER, False),
        ([7], [5], 8, CARRIER, False),
        ([5], [4], 10, CARRIER, True),
        ([], [7], 10, PUBLISHER, True),
        ([4], [], 10, CARRIER, True),
    ],
)
def test_of_two_feeds_both_must_have_been_heard_and_the_weaker_one_is_named(
    ours: list[int], theirs: list[int], opened_at: int, named: str, silent: bool
) -> None:
    both = Step(day(5), Tier.OVERDUE, (PUBLISHER, CARRIER))
    found = told((1, watch(both)), heard={PUBLISHER: ours, CARRIER: theirs}, feed_cap=5 * DAY)

    assert words(found)[0] == (opened_at, "opened", "overdue")
    feed = found.expected[0].data["feed"]
    assert (feed["feed"], feed["silent"]) == (named, silent)


def test_how_long_a_feed_is_waited_for_is_a_tolerance() -> None:
    found = told((1, watch(step(5, feed=PUBLISHER))), heard={}, feed_cap=3 * DAY)

    assert words(found)[0][0] == 8


@pytest.mark.parametrize(
    ("heard", "opened_at"),
    [
        ([], None),
        # Never heard proves nothing; once heard, the cap counts from the deadline.
        ([2], 6),
        ([9], 10),
        ([2, 5], 6),
    ],
)
def test_scans_that_were_never_heard_prove_nothing(heard: list[int], opened_at: int | None) -> None:
    found = told((1, watch(step(5, feed=SCANS))), heard={SCANS: heard, PUBLISHER: [5]})

    assert [line[0] for line in words(found)[:1]] == ([] if opened_at is None else [opened_at])


def test_scans_heard_only_before_the_deadline_are_silent_after_the_cap() -> None:
    found = told((1, watch(step(5, feed=SCANS))), heard={SCANS: [2]})

    assert found.expected[0].data["feed"] == {
        "feed": SCANS,
        "silent": True,
        "heard_at": day(2).isoformat().replace("+00:00", "Z"),
    }


def test_nothing_is_looked_at_behind_what_has_not_passed() -> None:
    # The first of the two waits for its feed; the second would need none.
    waits = watch(step(2, Tier.AT_RISK, SCANS), step(3, Tier.OVERDUE))

    assert told((1, waits), heard={}).expected == []
    assert words(told((1, waits), heard={SCANS: [5]}))[0] == (6, "opened", "overdue")


def test_the_worst_of_several_is_where_it_stands() -> None:
    both = watch(step(2, Tier.LATE), step(3, Tier.OVERDUE))

    assert words(told((1, both)))[:2] == [(2, "opened", "late"), (62, "expired", "late")]


def test_a_deadline_before_the_first_tick_is_passed_over() -> None:
    old = watch(step(-1), step(2, Tier.LATE), anchor=-2)

    assert words(told((0, old)))[:1] == [(2, "opened", "late")]


def test_a_point_is_scored_once_it_has_passed_and_a_low_risk_does_not_count() -> None:
    point = DecisionPoint.BEFORE_PROMISE
    steps = (
        Step(day(2), Tier.AT_RISK, (), point),
        Step(day(5), Tier.OVERDUE, (), DecisionPoint.PROMISE),
    )
    calm, risky = told((1, watch(*steps))), told((1, watch(*steps)), band=Band.ELEVATED)

    assert words(calm)[0] == (5, "opened", "overdue")
    assert words(risky)[:2] == [(2, "opened", "at_risk"), (5, "changed", "overdue")]
    assert [(s.step, s.point) for s in calm.scored] == [(2, point), (5, DecisionPoint.PROMISE)]
    assert risky.scored == calm.scored
    assert risky.expected[1].data["previous_tier"] == "at_risk"
    assert risky.expected[1].data["complaint_risk"] == 0.5


def test_a_risk_that_something_told_late_shows_never_was_is_taken_back() -> None:
    point = DecisionPoint.BEFORE_PROMISE
    steps = (Step(day(2), Tier.AT_RISK, (), point), Step(day(9), Tier.OVERDUE))
    told_late = Scores({point: [Score(2, 0.6, Band.HIGH), Score(4, 0.1, Band.LOW)]})
    teller = Teller("c-1", "x", KIND, world({PUBLISHER: list(range(DAYS))}), told_late)

    teller.learn(1, watch(*steps))
    teller.follow(DAYS)

    assert words(teller.course)[:3] == [
        (2, "opened", "at_risk"),
        (4, "retracted", "at_risk"),
        (9, "opened", "overdue"),
    ]


# What becomes of an episode: the rules, in their order.


@pytest.mark.parametrize(
    ("ended", "how"), [(2.0, "retracted"), (1.5, "retracted"), (2.5, "solved")]
)
def test_1_an_end_solves_it_or_shows_that_it_never_was(ended: float, how: str) -> None:
    plain = watch(step(2))
    found = told((1, plain), (5, replace(plain, end=stamp(ended, "end"))))

    assert words(found) == [(2, "opened", "overdue"), (5, how, "overdue")]
    assert evidence(found) == ["e-1", "end"]


def test_1_an_end_that_lies_ahead_ends_it_when_it_has_come() -> None:
    plain = watch(step(2))

    assert words(told((1, plain), (3, replace(plain, end=stamp(7)))))[-1][:2] == (7, "solved")


def test_1_comes_before_all_others() -> None:
    # Ended, renewed, expired and without steps, all at once: the end is what is told.
    gone = watch(anchor=69, end=stamp(68, "end"), renewed_by=stamp(67, "renewal"))
    found = told((1, watch(step(20))), (79, gone), expiry=59 * DAY)

    assert words(found) == [(20, "opened", "overdue"), (79, "solved", "overdue")]
    assert evidence(found) == ["e-1", "end"]


def test_1_what_has_ended_is_not_scored_and_opens_nothing() -> None:
    over = replace(watch(Step(day(2), Tier.OVERDUE, (), DecisionPoint.PROMISE)), end=stamp(1.5))

    assert told((1, over)) == Course()


@pytest.mark.parametrize(("renewed", "how"), [(2.0, "retracted"), (2.5, "solved")])
def test_2_a_later_anchor_clears_and_may_open_again_in_the_same_look(
    renewed: float, how: str
) -> None:
    again = watch(step(4), anchor=3, renewed_by=stamp(renewed, "renewal"))
    found = told((1, watch(step(2))), (5, again))

    assert words(found)[:3] == [
        (2, "opened", "overdue"),
        (5, how, "overdue"),
        (5, "opened", "overdue"),
    ]
    # All that is said of an episode rests on what it was opened with.
    assert evidence(found, 1) == ["e-1", "renewal"]
    assert evidence(found, 2) == ["e-3"]
    assert [e.data["episode"] for e in found.expected[:3]] == [1, 1, 2]


def test_2_where_nothing_else_renewed_it_the_anchor_did() -> None:
    found = told((1, watch(step(2))), (5, watch(anchor=3)))

    assert words(found) == [(2, "opened", "overdue"), (5, "solved", "overdue")]
    assert evidence(found) == ["e-1", "e-3"]


def test_2_comes_before_expiry() -> None:
    found = told((1, watch(step(2))), (62, watch(step(61), anchor=60)))

    assert words(found)[1:3] == [(62, "solved", "overdue"), (62, "opened", "overdue")]


def test_2_an_earlier_anchor_changes_nothing() -> None:
    found = told((3, watch(step(4), anchor=3)), (6, watch(step(4), anchor=2)))

    assert words(found)[:2] == [(4, "opened", "overdue"), (64, "expired", "overdue")]


def test_3_nobody_heard_of_it_for_its_kinds_time() -> None:
    usual = told((1, watch(step(2))))
    sooner = told((1, watch(step(2))), kind=ProblemKind.SURVEY_POOR)
    other = told((1, watch(step(2))), expiry=5 * DAY)

    assert [words(each)[-1][:2] for each in (usual, sooner, other)] == [
        (62, "expired"),
        (32, "expired"),
        (7, "expired"),
    ]
    assert evidence(usual) == ["e-1"]


def test_3_what_expired_opens_again_only_where_something_newer_is_wrong() -> None:
    plain = watch(step(2))
    same = told((1, plain), (70, replace(plain, promised_by=day(2))))
    as_old = told((1, plain), (70, watch(step(3), anchor=3)))
    newer = told((1, plain), (70, watch(step(69), anchor=69)))

    assert words(same) == words(as_old) == [(2, "opened", "overdue"), (62, "expired", "overdue")]
    assert words(newer)[-1] == (70, "opened", "overdue")
    assert newer.expected[-1].data["episode"] == 2


def test_3_what_nobody_was_told_in_time_is_no_news() -> None:
    assert words(told((61, watch(step(2))))) == [
        (61, "opened", "overdue"),
        (62, "expired", "overdue"),
    ]
    assert told((62, watch(step(2)))).expected == []


def test_3_the_step_where_it_stands_counts_else_the_episodes_own_deadline() -> None:
    # News moved the deadline: earlier, later, and to where nothing is believed.
    earlier = told((1, watch(step(10))), (12, watch(step(5))))
    later = told((1, watch(step(10))), (30, watch(step(25))))
    nowhere = told((1, watch(step(10))), (12, watch(step(5, feed=SCANS))))

    assert [words(each)[-1] for each in (earlier, nowhere)] == [
        (65, "expired", "overdue"),
        (70, "expired", "overdue"),
    ]
    assert words(later) == [(10, "opened", "overdue")]


def test_3_comes_before_a_change() -> None:
    found = told((20, watch(step(20))), (70, watch(step(2, Tier.LATE))))

    assert words(found) == [(20, "opened", "overdue"), (70, "expired", "overdue")]


def test_3_comes_before_retraction() -> None:
    assert words(told((1, watch(step(2))), (62, watch(step(75)))))[1] == (62, "expired", "overdue")


def test_4_it_is_retracted_where_no_deadline_has_come() -> None:
    moved = told((1, watch(step(2))), (5, watch(step(9))))
    gone = told((1, watch(step(2))), (5, watch()))

    assert words(moved)[:3] == [
        (2, "opened", "overdue"),
        (5, "retracted", "overdue"),
        (9, "opened", "overdue"),
    ]
    assert words(gone) == [(2, "opened", "overdue"), (5, "retracted", "overdue")]
    assert evidence(moved, 1) == ["e-1"]
    assert moved.expected[2].data["episode"] == 2


def test_4_a_deadline_that_has_come_and_is_not_believed_keeps_it_open() -> None:
    found = told((1, watch(step(2))), (5, watch(step(3, feed=SCANS))))

    assert words(found) == [(2, "opened", "overdue"), (62, "expired", "overdue")]


def test_5_it_gets_worse_and_never_better() -> None:
    found = told(
        (1, watch(step(2), step(4, Tier.LATE), rests_on=(stamp(1), stamp(2)))),
        (6, watch(step(5), anchor=1)),
    )

    assert words(found) == [
        (2, "opened", "overdue"),
        (4, "changed", "late"),
        (65, "expired", "late"),
    ]
    assert found.expected[1].data["deadline"] == day(4).isoformat().replace("+00:00", "Z")
    assert evidence(found, 1) == ["e-1", "e-2"]


@pytest.mark.parametrize(("gone_at", "how"), [(61, "retracted"), (62, "expired")])
def test_6_a_watch_that_exists_no_longer_is_retracted_by_nothing(gone_at: int, how: str) -> None:
    # Expiry comes before, as it stands before it.
    found = told((1, watch(step(2))), (gone_at, None))

    assert words(found) == [(2, "opened", "overdue"), (gone_at, how, "overdue")]
    assert evidence(found) == ["e-1"]
    assert found.expected[-1].data["actor"] == "nobody"


def test_6_its_number_goes_on_where_it_comes_back() -> None:
    found = told((1, watch(step(2))), (5, None), (7, watch(step(2))))

    assert [line[:2] for line in words(found)[1:3]] == [(5, "retracted"), (7, "opened")]
    assert [e.data["episode"] for e in found.expected[:3]] == [1, 1, 2]


def test_what_the_horizon_took_takes_its_closed_episode_along() -> None:
    teller = Teller("c-1", "x", KIND, world({}), Scores())
    teller.learn(1, watch(step(2)))
    teller.learn(3, watch(step(2), end=stamp(3)))
    teller.learn(5, None, is_forgotten=True)
    teller.learn(6, watch(step(2)))

    assert [e.data["episode"] for e in teller.course.expected] == [1, 1, 1]


def test_ticks_behind_the_last_are_never_looked_at() -> None:
    teller = Teller("c-1", "x", KIND, world({}), Scores())
    teller.learn(DAYS, watch(step(2)))
    teller.follow(DAYS)

    assert teller.course == Course()


def test_a_deadline_between_two_ticks_is_seen_at_the_second() -> None:
    assert words(told((1, watch(Step(day(2) + HOUR, Tier.OVERDUE)))))[0][0] == 3
