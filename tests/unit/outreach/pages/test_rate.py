"""No link is used without a bound, and what is remembered has one too."""

from hypothesis import given
from hypothesis import strategies as st

from services.outreach.pages.rate import Rate


def test_a_link_is_taken_so_often_in_a_window_and_then_told_when_again() -> None:
    rate = Rate(limit=2, window_seconds=60)

    assert [rate.wait("a", at) for at in (0, 10, 20, 59.5)] == [0, 0, 40, 1]
    assert rate.wait("b", 20) == 0
    assert rate.wait("a", 60) == 0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30)), max_size=60))
def test_no_window_takes_more_than_the_limit(uses: list[tuple[str, int]]) -> None:
    rate, at, taken = Rate(limit=3, window_seconds=60), 0, dict[str, list[int]]()
    for key, pause in uses:
        at += pause
        if rate.wait(key, at) == 0:
            taken.setdefault(key, []).append(at)

    for times in taken.values():
        # Two windows may touch, so in any span of one window's length there are at most two windows' uses.
        assert all(sum(end - 60 < each <= end for each in times) <= 6 for end in times)


def test_who_is_told_to_wait_is_taken_then() -> None:
    rate = Rate(limit=1, window_seconds=60)
    rate.wait("a", 0.25)

    pause = rate.wait("a", 30.5)

    assert rate.wait("a", 30.5 + pause) == 0


def test_so_many_links_are_remembered_and_no_more() -> None:
    rate = Rate(limit=1, window_seconds=60, most_keys=3)
    for number in range(100):
        rate.wait(number, number / 10)

    assert len(rate._windows) == 3
    assert rate.wait(99, 10) > 0
