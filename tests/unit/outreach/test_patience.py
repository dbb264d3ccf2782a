"""Caps by classes by windows, and what room means where calendars and clocks differ."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.people import MessageClass
from services.outreach.patience import OBEYING, WEIGHTS, Calendar, Limit, Patience, Spent
from tests.unit.outreach.factories import DAY, HOUR, NOON

SAFETY, SERVICE, CARE, PROMOTIONAL = MessageClass
BERLIN = ZoneInfo("Europe/Berlin")


def has_room(patience: Patience, spent: Sequence[Spent], one_more: Spent) -> bool:
    return patience.exceeded(spent, one_more, BERLIN) is None


@pytest.mark.parametrize(
    ("before", "asked", "window"),
    list(product(MessageClass, MessageClass, (timedelta(days=1), Calendar.DAY, Calendar.WEEK))),
)
def test_one_contact_of_each_class_before_one_of_each_in_each_window(
    before: MessageClass, asked: MessageClass, window: timedelta | Calendar
) -> None:
    """A safety message neither needs room nor takes any; of the others one fills a window of one."""
    patience = Patience((Limit(1, window),))

    is_free = SAFETY in (before, asked)
    assert has_room(patience, [Spent(NOON - HOUR, before)], Spent(NOON, asked)) is is_free


@pytest.mark.parametrize(
    ("spent", "asked", "contacts", "is_free"),
    [
        ([], PROMOTIONAL, 1, True),
        ([PROMOTIONAL], SERVICE, 2, False),
        ([PROMOTIONAL], SERVICE, 3, True),
        ([SERVICE], PROMOTIONAL, 2, False),
        ([SERVICE], PROMOTIONAL, 3, True),
        ([SAFETY] * 9, SERVICE, 1, True),
        ([CARE, SERVICE], CARE, 3, True),
        ([CARE, SERVICE, CARE], SERVICE, 3, False),
    ],
)
def test_contacts_weigh_by_their_class(
    spent: list[MessageClass], asked: MessageClass, contacts: int, is_free: bool
) -> None:
    past = [Spent(NOON - HOUR, one) for one in spent]

    assert has_room(Patience((Limit(contacts, DAY),)), past, Spent(NOON, asked)) is is_free


def test_a_limit_of_some_classes_neither_binds_nor_counts_the_others() -> None:
    patience = Patience((Limit(1, DAY, frozenset({CARE})),))
    past = [Spent(NOON - HOUR, SERVICE)]

    assert has_room(patience, past, Spent(NOON, CARE))
    assert has_room(patience, [*past, Spent(NOON - HOUR, CARE)], Spent(NOON, SERVICE))
    assert not has_room(patience, [Spent(NOON - HOUR, CARE)], Spent(NOON, CARE))


def test_a_class_may_count_and_not_obey_or_obey_and_not_count() -> None:
    counted = Patience((Limit(1, DAY),), obeying=OBEYING - {SERVICE})
    uncounted = Patience((Limit(1, DAY),), weights={**WEIGHTS, SERVICE: 0})
    service, care = Spent(NOON - HOUR, SERVICE), Spent(NOON, CARE)

    assert not has_room(counted, [service], care)
    assert has_room(counted, [service], Spent(NOON, SERVICE))
    assert has_room(uncounted, [service], care)


@pytest.mark.parametrize(
    ("window", "past", "now", "is_free"),
    [
        # In Berlin the day begins at 23:00 UTC, in winter.
        (Calendar.DAY, "2026-03-02T22:59Z", "2026-03-02T23:00Z", True),
        (Calendar.DAY, "2026-03-02T23:00Z", "2026-03-03T22:59Z", False),
        # A week begins on Monday: the 2nd of March 2026 is one.
        (Calendar.WEEK, "2026-03-01T22:59Z", "2026-03-01T23:00Z", True),
        (Calendar.WEEK, "2026-03-01T23:00Z", "2026-03-08T22:59Z", False),
        # The day on which clocks are put forward has 23 hours, the other one 25.
        (Calendar.DAY, "2026-03-28T23:00Z", "2026-03-29T21:59Z", False),
        (Calendar.DAY, "2026-03-28T23:00Z", "2026-03-29T22:00Z", True),
        (Calendar.DAY, "2026-10-24T22:00Z", "2026-10-25T22:59Z", False),
        (Calendar.DAY, "2026-10-24T22:00Z", "2026-10-25T23:00Z", True),
    ],
)
def test_calendar_windows_begin_at_the_customers_midnight(
    window: Calendar, past: str, now: str, is_free: bool
) -> None:
    patience = Patience((Limit(1, window),))
    before, after = (Spent(datetime.fromisoformat(at), SERVICE) for at in (past, now))

    assert has_room(patience, [before], after) is is_free


zones = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
moments = st.integers(0, 15 * 365 * 24 * 60).map(
    lambda minutes: NOON - 5 * 365 * DAY + timedelta(minutes=minutes)
)


@given(zones, moments, st.sampled_from(Calendar))
def test_a_calendar_window_is_no_longer_than_it_says(
    zone: ZoneInfo, at: datetime, window: Calendar
) -> None:
    limit = Limit(1, window)

    begins = limit.begins(at, zone)

    assert begins < at
    # Some zones once left out, or put in, a whole day; none of late.
    assert at - begins <= limit.length + timedelta(hours=1)


@given(
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from(MessageClass)), max_size=12),
    st.sampled_from(MessageClass),
)
def test_more_contacts_never_make_room(
    past: list[tuple[int, MessageClass]], asked: MessageClass
) -> None:
    patience = Patience((Limit(1, DAY), Limit(3, Calendar.WEEK), Limit(5, 14 * DAY)))
    spent = [Spent(NOON - hours * HOUR, one) for hours, one in past]
    rooms = [has_room(patience, spent[:n], Spent(NOON, asked)) for n in range(len(spent) + 1)]

    assert rooms == sorted(rooms, reverse=True)
