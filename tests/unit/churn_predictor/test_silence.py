"""Silences: what is usual is learned, what is not is said once, and it does not matter who looked when."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.churn_predictor.feed_rhythm import WEEKS, Rhythm
from services.churn_predictor.feeds import MAX_FEEDS, Forgotten
from services.churn_predictor.silence import Listener, Notice, Rhythms
from services.churn_predictor.state import PARTITION, PartitionState
from services.contracts.stream import FeedResumed, FeedSilent, Tick
from services.contracts.tolerances import Tolerances
from services.contracts.topics import HORIZON
from tests.factories import DAY, HOUR

FEED = "carrier:dhl"
MONDAY = datetime.fromisoformat("2026-03-02T00:00:00+00:00")
MINUTE = timedelta(minutes=1)
WEEK = 7 * DAY
EVERYWHERE = Listener(0, lambda feed: True, Tolerances())


def office_hours(first: datetime, days: int) -> list[datetime]:
    """Return a moment in every hour from 8 to 18 of every day but Sunday."""
    hours = (first + day * DAY + hour * HOUR for day in range(days) for hour in range(8, 18))
    return [at + 20 * MINUTE for at in hours if at.weekday() != 6]


def without(moments: Iterable[datetime], begins: datetime, lasts: timedelta) -> list[datetime]:
    """Return the moments outside an outage."""
    return [at for at in moments if not begins <= at < begins + lasts]


def looks(begins: datetime, ends: datetime, step: timedelta) -> list[datetime]:
    """Return the times of ticks."""
    return [begins + n * step for n in range((ends - begins) // step + 1)]


def notices(said: Iterable[Notice | Forgotten]) -> list[Notice]:
    return [each for each in said if not isinstance(each, Forgotten)]


def listen(
    moments: Sequence[datetime],
    ticks: Sequence[datetime],
    *,
    listener: Listener = EVERYWHERE,
    rhythms: Rhythms | None = None,
    feed: str = FEED,
    keep: Callable[[Rhythms], Rhythms] = lambda rhythms: rhythms,
) -> list[Notice]:
    """Return what is said of a feed heard at these moments: each tick knows what the one before did."""
    rhythms = {} if rhythms is None else rhythms
    said: list[Notice] = []
    for number, (before, at) in enumerate(pairwise(ticks), start=1):
        known = bisect_right(moments, before)
        heard = {feed: moments[known - 1]} if known else {}
        tick = Tick(number=number, at=at, ends={})
        said += notices(listener.listen(rhythms, heard, before, tick))
        rhythms = keep(rhythms)
    return said


def test_an_outage_on_a_weekday_is_said_once_with_what_would_have_been_usual() -> None:
    outage = MONDAY + 4 * WEEK + 2 * DAY + 10 * HOUR
    moments = without(office_hours(MONDAY, 42), outage, 12 * HOUR)

    silent, resumed = listen(moments, looks(MONDAY, MONDAY + 6 * WEEK, HOUR))

    assert silent == FeedSilent(
        feed=FEED,
        partition=0,
        tick=silent.tick,
        # Of an hour always heard in, beside others such, four weeks know 12: one in 13 is silent by
        # chance, and 13 to the power of 4 is more than 10,000.  It is known at one tick, said at the next.
        at=outage + 5 * HOUR,
        heard_at=outage - 40 * MINUTE,
        silent_from=outage + 4 * HOUR,
        usual_gap_seconds=(4 * HOUR + 40 * MINUTE).total_seconds(),
    )
    assert resumed == FeedResumed(
        feed=FEED,
        partition=0,
        tick=resumed.tick,
        at=outage + 24 * HOUR,
        heard_at=outage + 22 * HOUR + 20 * MINUTE,
        silent_since=silent.heard_at,
    )


def test_nights_and_sundays_are_no_news() -> None:
    assert listen(office_hours(MONDAY, 70), looks(MONDAY, MONDAY + 10 * WEEK, HOUR)) == []


def test_nothing_is_said_before_two_weeks_are_known() -> None:
    moments = office_hours(MONDAY, 70)
    too_early = without(moments, MONDAY + 13 * DAY, 40 * HOUR)
    early = without(moments, MONDAY + 14 * DAY, 40 * HOUR)
    ticks = looks(MONDAY, MONDAY + 4 * WEEK, HOUR)
    knowing_more = replace(EVERYWHERE, tolerances=Tolerances(silence_learning=15 * DAY))

    assert listen(too_early, ticks) == []
    # The first hour is the one it was first heard in.
    assert listen(without(moments, MONDAY + 14 * DAY + 9 * HOUR, 40 * HOUR), ticks) != []
    assert listen(early, ticks, listener=knowing_more) == []


def test_a_shorter_way_to_ten_thousand_is_taken_where_odds_are_lower() -> None:
    outage = MONDAY + 4 * WEEK + 2 * DAY + 10 * HOUR
    moments = without(office_hours(MONDAY, 42), outage, 12 * HOUR)
    eager = replace(EVERYWHERE, tolerances=Tolerances(silence_odds=100))

    first, *_ = listen(moments, looks(MONDAY, MONDAY + 6 * WEEK, HOUR), listener=eager)

    assert isinstance(first, FeedSilent)
    assert first.silent_from == outage + 2 * HOUR


def test_a_rare_feed_needs_longer() -> None:
    """Once a day: a missed day is no news; four are, and more so than three."""
    daily = [MONDAY + day * DAY + 9 * HOUR for day in range(60)]
    outage = MONDAY + 35 * DAY
    ticks = looks(MONDAY, MONDAY + 60 * DAY, HOUR)

    assert listen(without(daily, outage, 3 * DAY), ticks) == []
    silent, _ = listen(without(daily, outage, 12 * DAY), ticks)
    assert 4 * DAY < silent.at - outage < 8 * DAY


def test_an_outage_teaches_nothing() -> None:
    first, second = (MONDAY + weeks * WEEK + 2 * DAY for weeks in (4, 5))
    moments = without(office_hours(MONDAY, 49), first, 24 * HOUR)
    moments = without(moments, second, 24 * HOUR)

    said = listen(moments, looks(MONDAY, MONDAY + 7 * WEEK, HOUR))

    begins = [notice.silent_from for notice in said if isinstance(notice, FeedSilent)]
    assert begins == [first + 12 * HOUR, second + 12 * HOUR]


def test_a_rhythm_that_changed_is_usual_after_some_weeks() -> None:
    """No Saturdays any more: each of the first is reported, and the rest are not."""
    changes = MONDAY + 8 * WEEK
    moments = [at for at in office_hours(MONDAY, 20 * 7) if at < changes or at.weekday() != 5]

    said = listen(moments, looks(MONDAY, MONDAY + 20 * WEEK, HOUR))

    reported = [notice.at for notice in said if isinstance(notice, FeedSilent)]
    assert 2 <= len(reported) <= WEEKS
    assert max(reported) < changes + WEEKS * WEEK
    assert all(at.weekday() == 5 for at in reported)


def test_clocks_put_forward_or_back_are_no_news() -> None:
    for shift in (-HOUR, HOUR):
        moments = office_hours(MONDAY, 35)
        moments += [at + shift for at in office_hours(MONDAY + 5 * WEEK, 35)]

        assert listen(moments, looks(MONDAY, MONDAY + 10 * WEEK, HOUR)) == []


@pytest.mark.parametrize(
    ("feed", "is_told"),
    [
        ("carrier:dhl", True),
        ("publisher:/shop/orders", True),
        ("publisher:/care/outreach", False),
        ("scans:dhl", False),
    ],
)
def test_whose_silence_is_reported(feed: str, is_told: bool) -> None:
    moments, ticks = office_hours(MONDAY, 28), looks(MONDAY, MONDAY + 6 * WEEK, HOUR)
    rhythms: Rhythms = {}

    said = listen(moments, ticks, feed=feed, rhythms=rhythms)

    assert [notice.feed for notice in said] == [feed] * is_told
    assert rhythms[feed].heard_at == moments[-1]
    assert EVERYWHERE.next_at(rhythms) is None


def test_only_the_owner_of_the_name_learns_and_reports() -> None:
    stranger = replace(EVERYWHERE, owns=lambda feed: feed != FEED)
    rhythms: Rhythms = {}

    said = listen(
        office_hours(MONDAY, 28),
        looks(MONDAY, MONDAY + 6 * WEEK, HOUR),
        listener=stranger,
        rhythms=rhythms,
    )

    assert (said, rhythms) == ([], {})


def test_while_a_partition_is_behind_nothing_is_said() -> None:
    """What it has not read may hold the feed's events."""
    moments = office_hours(MONDAY, 28)
    rhythms: Rhythms = {}
    listen(moments, looks(MONDAY, moments[-1] + HOUR, HOUR), rhythms=rhythms)
    tick = Tick(number=10**6, at=moments[-1] + 3 * DAY, ends={})
    heard = {FEED: moments[-1]}

    assert list(EVERYWHERE.listen(rhythms, heard, None, tick)) == []
    assert list(EVERYWHERE.listen(rhythms, heard, moments[-1] + HOUR, tick)) == []
    (silent,) = notices(EVERYWHERE.listen(rhythms, heard, moments[-1] + 3 * DAY, tick))
    assert (silent.at, silent.heard_at) == (tick.at, moments[-1])


def test_time_must_stop_where_a_silence_may_have_to_be_reported() -> None:
    moments = office_hours(MONDAY, 28)
    rhythms: Rhythms = {}
    listen(moments, looks(MONDAY, moments[-1] + 2 * HOUR, HOUR), rhythms=rhythms)
    due = EVERYWHERE.next_at(rhythms)
    assert due is not None

    def told(known_at: datetime) -> list[Notice]:
        tick = Tick(number=1, at=known_at + HOUR, ends={})
        return notices(EVERYWHERE.listen(rhythms, {FEED: moments[-1]}, known_at, tick))

    assert told(due - MINUTE) == []
    assert EVERYWHERE.next_at(rhythms) == due
    assert len(told(due)) == 1
    assert EVERYWHERE.next_at(rhythms) is None
    assert told(due + DAY) == []


def test_a_feed_of_long_ago_is_forgotten_and_not_taken_up_again() -> None:
    moments = office_hours(MONDAY, 28)
    rhythms: Rhythms = {}
    assert listen(moments, looks(MONDAY, moments[-1] + 3 * DAY, HOUR), rhythms=rhythms)
    tick = Tick(number=1, at=moments[-1] + 2 * HORIZON, ends={})

    for known_at, taken_back in (
        (moments[-1] + HORIZON + HOUR, [Forgotten(f"state|{FEED}")]),
        (moments[-1] + HORIZON + 2 * HOUR, []),
    ):
        said = list(EVERYWHERE.listen(rhythms, {FEED: moments[-1]}, known_at, tick))
        assert (said, rhythms) == (taken_back, {})


def test_nothing_is_taken_back_of_a_feed_of_which_nothing_was_said() -> None:
    moments = office_hours(MONDAY, 28)
    rhythms: Rhythms = {}
    listen(moments, looks(MONDAY, moments[-1] + 2 * HOUR, HOUR), rhythms=rhythms)
    known_at = moments[-1] + HORIZON + HOUR
    tick = Tick(number=1, at=known_at, ends={})

    assert list(EVERYWHERE.listen(rhythms, {}, known_at, tick)) == []
    assert rhythms == {}


def test_of_too_many_feeds_the_least_lately_heard_are_not_known_and_nothing_is_taken_back() -> None:
    heard = {f"carrier:{n}": MONDAY + n * MINUTE for n in range(MAX_FEEDS + 3)}
    rhythms: Rhythms = {}

    for number in (1, 2):
        tick = Tick(number=number, at=MONDAY + 30 * DAY, ends={})
        assert list(EVERYWHERE.listen(rhythms, heard, tick.at, tick)) == []
        assert rhythms.keys() == heard.keys() - {"carrier:0", "carrier:1", "carrier:2"}


def test_memory_of_a_feed_is_bounded() -> None:
    once = [MONDAY + n * 40 * MINUTE for n in range(30 * 24 * 14)]
    rhythms: Rhythms = {}
    listen(once, looks(MONDAY, once[-1] + HOUR, HOUR), rhythms=rhythms)
    listen(
        [once[-1] + 3 * 365 * DAY], looks(once[-1], once[-1] + 1096 * DAY, 548 * DAY), rhythms={}
    )

    bits = WEEKS * 168
    assert rhythms[FEED].hours == bits
    assert rhythms[FEED].heard.bit_length() <= bits
    assert len(PARTITION.dump_json(PartitionState(rhythms=rhythms))) < 1500


# Laws.

gaps = st.one_of(
    st.integers(1, 50), st.integers(30, 300), st.sampled_from([60 * 13, 60 * 40, 60 * 24 * 9])
)
stories = st.lists(gaps, min_size=10, max_size=40)
"""Minutes between the moments at which a feed is heard."""


def lived(gaps_in_minutes: list[int]) -> list[datetime]:
    """Return three weeks of a steady feed, and then this."""
    moments = [MONDAY + n * 50 * MINUTE for n in range(21 * 24 * 60 // 50)]
    for gap in gaps_in_minutes:
        moments.append(moments[-1] + gap * MINUTE)
    return moments


def state_of(moments: list[datetime], ticks: list[datetime]) -> tuple[Rhythms, list[Notice]]:
    rhythms: Rhythms = {}
    said = listen(moments, ticks, rhythms=rhythms)
    return rhythms, said


def only_where_due(moments: list[datetime], end: datetime) -> tuple[list[datetime], list[Notice]]:
    """Let time pass as a replayer does, over every stretch in which nothing is due.

    What was heard at one tick is known at the next: that one is needed, too.
    """
    rhythms: Rhythms = {}
    said: list[Notice] = []
    ticks = [moments[0] - MINUTE]
    while ticks[-1] < end:
        before = ticks[-1]
        known = bisect_right(moments, before)
        due = [*moments[known : known + 1], EVERYWHERE.next_at(rhythms), end]
        if len(ticks) > 1 and known > bisect_right(moments, ticks[-2]):
            due.append(before)
        ticks.append(max(before + MINUTE, min(at for at in due if at is not None)))
        heard = {FEED: moments[known - 1]} if known else {}
        tick = Tick(number=len(ticks), at=ticks[-1], ends={})
        said += notices(EVERYWHERE.listen(rhythms, heard, before, tick))
    return ticks, said


@settings(max_examples=25, deadline=None)
@given(story=stories, more=st.sets(st.integers(0, 60 * 24 * 40), max_size=200))
def test_how_often_is_looked_does_not_matter_as_long_as_it_is_where_something_is_due(
    story: list[int], more: set[int]
) -> None:
    moments = lived(story)
    end = moments[-1] + 9 * DAY
    sparse, said = only_where_due(moments, end)
    span = (end - moments[0]) // MINUTE
    dense = sorted({*sparse, *(moments[0] + n % span * MINUTE for n in more)})

    rhythms, _ = state_of(moments, sparse)
    rhythms_again, said_again = state_of(moments, dense)

    assert rhythms_again == rhythms
    # Seldom looked, later said; but the same.
    assert [content(notice) for notice in said_again] == [content(notice) for notice in said]


def content(notice: Notice) -> dict[str, object]:
    return notice.model_dump(exclude={"at", "tick"})


@settings(max_examples=30, deadline=None)
@given(story=stories)
def test_silent_and_resumed_take_turns_and_each_silence_is_said_once(story: list[int]) -> None:
    moments = lived(story)

    _, said = state_of(moments, looks(MONDAY, moments[-1] + 20 * DAY, HOUR))

    assert [notice.kind for notice in said[::2]] == ["silent"] * len(said[::2])
    assert [notice.kind for notice in said[1::2]] == ["resumed"] * len(said[1::2])
    for silent, resumed in zip(said[::2], said[1::2], strict=False):
        assert isinstance(silent, FeedSilent)
        assert isinstance(resumed, FeedResumed)
        assert resumed.silent_since == silent.heard_at < resumed.heard_at
    for notice in said:
        if isinstance(notice, FeedSilent):
            assert notice.silent_from - notice.heard_at >= HOUR
            assert notice.silent_from <= notice.at


@settings(max_examples=30, deadline=None)
@given(story=stories)
def test_going_on_from_the_changelog_is_as_if_nothing_had_happened(story: list[int]) -> None:
    moments = lived(story)
    ticks = looks(MONDAY + 20 * DAY, moments[-1] + 2 * DAY, HOUR)

    def reread(rhythms: Rhythms) -> Rhythms:
        written = PARTITION.dump_json(PartitionState(rhythms=rhythms))
        return PARTITION.validate_json(written).rhythms

    whole = listen(moments, ticks)
    assert listen(moments, ticks, keep=reread) == whole


@settings(max_examples=30, deadline=None)
@given(story=stories, back=st.integers(1, 5000))
def test_what_is_heard_late_or_again_changes_nothing(story: list[int], back: int) -> None:
    moments = lived(story)
    rhythms, _ = state_of(moments, [*moments, moments[-1] + HOUR])
    before = {feed: replace(rhythm) for feed, rhythm in rhythms.items()}
    tick = Tick(number=1, at=moments[-1] + MINUTE, ends={})

    for at in (moments[-1], moments[-1] - back * MINUTE):
        assert list(EVERYWHERE.listen(rhythms, {FEED: at}, moments[-1], tick)) == []
        assert rhythms == before


def test_the_first_hours_of_a_feed_are_no_rhythm_yet() -> None:
    rhythm = Rhythm(MONDAY)
    rhythm.hear(MONDAY + 3 * HOUR, 10_000)

    assert not rhythm.has_learned(14 * DAY)
    assert (rhythm.heard, rhythm.known, rhythm.hours) == (0b1001, 0b1111, 4)
