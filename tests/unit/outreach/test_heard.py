"""Until when everything published is known, and whether a send may start on that."""

from collections.abc import Mapping
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from services.outreach.heard import HEARD, Bounds, Ends, Watch

CONTACTS, PROBLEMS = HEARD
P = 0
RECENT, PATIENCE = 1.0, 30.0
HALF = 0.5
NEVER_ENDING = 1_000


def ends(at: float, contacts: int, problems: int = 0, partition: int = P) -> Ends:
    return Ends(at, {(CONTACTS, partition): contacts, (PROBLEMS, partition): problems})


def at(contacts: int, problems: int = 0) -> dict[str, int]:
    return {CONTACTS: contacts, PROBLEMS: problems}


def watch(patience: float = PATIENCE) -> Watch:
    return Watch(0.0, (P,), Bounds(RECENT, patience))


def looked(before: Watch, now: float, told: Ends | None, found: Mapping[str, int]) -> Watch:
    return before.looked(now, told, {P: found})


def test_before_the_broker_answered_once_nothing_starts() -> None:
    assert not watch().clearance(P, at(99), 0.0).may_start
    assert watch().lagging(0.0) == 1


def test_what_was_read_to_the_end_lets_a_send_start_for_as_long_as_that_is_recent() -> None:
    seen = looked(watch(), 10.0, ends(10.0, 5), at(5))

    assert seen.clearance(P, at(5), 11.0).may_start
    assert not seen.clearance(P, at(5), 11.01).may_start
    assert seen.clearance(P, at(5), 11.0).heard_until == 10.0


def test_a_contact_or_a_clearing_not_yet_in_the_database_keeps_a_send_back() -> None:
    seen = looked(watch(), 10.0, ends(10.0, 5, 7), at(5, 7))

    assert seen.clearance(P, at(5, 7), 10.0).may_start
    unread = looked(watch(), 10.0, ends(10.0, 5, 7), at(4, 6))
    assert not unread.clearance(P, at(4, 7), 10.0).may_start
    assert not unread.clearance(P, at(5, 6), 10.0).may_start
    # The database has caught up since: no further look is needed.
    assert unread.clearance(P, at(5, 7), 10.0).may_start


def test_partitions_that_are_read_all_the_time_are_not_held_back_by_what_came_just_now() -> None:
    seen = looked(watch(), 10.0, ends(10.0, 5), at(5))
    seen = looked(seen, 10.5, ends(10.5, 8), at(7))

    given_now = seen.clearance(P, at(7), 10.6)
    assert given_now.may_start
    assert given_now.heard_until == 10.0
    assert seen.clearance(P, at(8), 10.6).heard_until == 10.5
    assert not seen.clearance(P, at(7), 11.1).may_start


def test_another_partition_that_lags_delays_nothing() -> None:
    other = 1
    both = Ends(10.0, {(topic, p): 5 for topic in HEARD for p in (P, other)})
    seen = Watch(0.0, (P, other)).looked(10.0, both, {P: at(5, 5), other: at(5, 4)})

    assert seen.open_partitions == {P}
    assert seen.lagging(10.0) == 1


def test_a_partition_without_a_position_is_read_where_nothing_lies_on_it() -> None:
    assert looked(watch(), 10.0, ends(10.0, 0), {}).clearance(P, {}, 10.0).may_start
    assert not looked(watch(), 10.0, ends(10.0, 1), {}).clearance(P, {}, 10.0).may_start


def stuck(seen: Watch, seconds: float) -> Watch:
    """Look every half second at a database that gets no further."""
    start = seen.looked_at
    for n in range(1, int(seconds / HALF) + 1):
        seen = looked(seen, start + n * HALF, ends(start + n * HALF, NEVER_ENDING), at(5))
    return seen


def test_who_waited_for_as_long_as_the_patience_goes_on() -> None:
    seen = stuck(looked(watch(), 10.0, ends(10.0, 5), at(5)), PATIENCE - HALF)
    assert not seen.clearance(P, at(5), seen.looked_at).may_start

    # Half a second was in time before the partition was late.
    seen = stuck(seen, 2 * HALF)
    given_now = seen.clearance(P, at(5), seen.looked_at)
    assert (given_now.may_start, given_now.is_overdue) == (True, True)
    assert given_now.heard_until == 10.0
    assert seen.open_partitions == {P}


def test_patience_begins_anew_once_the_partition_was_read() -> None:
    seen = stuck(watch(), 2 * PATIENCE)
    now = seen.looked_at + HALF
    seen = stuck(looked(seen, now, ends(now, 5), at(5)), 3.0)

    assert not seen.clearance(P, at(5), seen.looked_at).may_start


def test_while_the_broker_does_not_answer_the_same_patience_counts_from_its_last_answer() -> None:
    seen = looked(watch(), 10.0, ends(10.0, 5), at(5))
    seen = looked(seen, 12.5, None, at(5))
    assert not seen.clearance(P, at(5), 12.5).may_start

    for n in range(11):
        seen = looked(seen, 15.0 + 2.5 * n, None, at(5))
    assert seen.clearance(P, at(5), 40.0).is_overdue


def test_who_was_frozen_has_not_waited_meanwhile() -> None:
    seen = looked(watch(), 10.0, ends(10.0, 5), at(5))
    frozen = 500.0

    assert not seen.clearance(P, at(5), frozen).may_start
    seen = looked(seen, frozen, ends(frozen, 6), at(5))
    assert not seen.clearance(P, at(5), frozen).may_start


def test_without_patience_nothing_waits() -> None:
    assert watch(patience=0).clearance(P, {}, 0.0).may_start


def test_only_recent_readings_are_kept() -> None:
    seen = stuck(looked(watch(), 10.0, ends(10.0, 5), at(5)), 60.0)

    assert len(seen.readings) <= 3


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 3), st.floats(0.01, 1.0)),
        min_size=1,
        max_size=40,
    )
)
def test_what_starts_in_time_never_misses_what_was_published_longer_ago_than_the_bound(
    story: list[tuple[int, int, float]],
) -> None:
    """Each step publishes some, reads some and lets time pass; the ends are asked for in each."""
    seen, now, read = watch(), 0.0, 0
    published: list[float] = []
    for new, taken, seconds in story:
        now += seconds
        published += [now] * new
        seen = looked(seen, now, ends(now, len(published)), at(read))
        read = min(len(published), read + taken)
        given_now = seen.clearance(P, at(read), now)
        unread = published[read:]
        if given_now.may_start:
            assert all(now - when <= RECENT for when in unread)
        if given_now.heard_until is not None:
            # What the broker had at that very instant may count as published before or after it.
            assert all(when >= given_now.heard_until for when in unread)


@given(st.lists(st.floats(0.01, 2.0), min_size=1, max_size=60))
def test_no_partition_is_late_for_longer_than_somebody_looked(steps: list[float]) -> None:
    seen = watch()
    for now in accumulate(steps):
        seen = looked(seen, now, None, at(0))

    assert seen.late_for[P] <= sum(steps) + 1e-6
