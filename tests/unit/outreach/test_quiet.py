"""Quiet hours in every zone there is: never inside, no longer than needed."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.outreach.quiet import QuietHours, zone_for
from services.outreach.zones import ZONE_OF_COUNTRY

ZONES = sorted(available_timezones() - {"localtime", "Factory"})
BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = QuietHours(time(20), time(8))

moments = st.integers(
    int(datetime(1995, 1, 1, tzinfo=UTC).timestamp()),
    int(datetime(2040, 1, 1, tzinfo=UTC).timestamp()),
).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
minutes = st.integers(0, 24 * 60 - 1)


@given(moments, st.sampled_from(ZONES), minutes, minutes)
def test_a_release_is_never_inside_the_quiet_hours_of_any_zone(
    moment: datetime, zone_name: str, start: int, end: int
) -> None:
    if start == end:
        return
    quiet = QuietHours(time(start // 60, start % 60), time(end // 60, end % 60))
    zone = ZoneInfo(zone_name)

    released = quiet.free_from(moment, zone)

    assert released >= moment
    assert not quiet.contain(released, zone)
    assert (released == moment) is (not quiet.contain(moment, zone))


@given(moments, st.sampled_from(ZONES))
def test_nobody_waits_longer_than_a_night(moment: datetime, zone_name: str) -> None:
    zone = ZoneInfo(zone_name)

    released = NIGHT.free_from(moment, zone)

    # A night of twelve hours, and what clocks that are put back add to it; a zone that moved over
    # the date line had a day less or more.
    assert released - moment <= timedelta(hours=12 + 24)
    step = timedelta(minutes=30)
    earlier = moment
    while earlier < released:
        assert NIGHT.contain(earlier, zone)
        earlier += step


@pytest.mark.parametrize(
    ("now", "released"),
    [
        ("2026-03-02T19:59:59+01:00", "2026-03-02T19:59:59+01:00"),
        ("2026-03-02T20:00:00+01:00", "2026-03-03T08:00:00+01:00"),
        ("2026-03-03T05:30:00+01:00", "2026-03-03T08:00:00+01:00"),
        ("2026-03-03T08:00:00+01:00", "2026-03-03T08:00:00+01:00"),
        # The night in which clocks are put forward is an hour shorter, the other an hour longer.
        ("2026-03-28T22:00:00+01:00", "2026-03-29T08:00:00+02:00"),
        ("2026-10-24T22:00:00+02:00", "2026-10-25T08:00:00+01:00"),
    ],
)
def test_a_night_over_midnight_ends_at_eight_on_the_local_clock(now: str, released: str) -> None:
    assert NIGHT.free_from(datetime.fromisoformat(now), BERLIN) == datetime.fromisoformat(released)


def test_an_end_in_the_hour_that_comes_twice_ends_where_the_clock_first_shows_it() -> None:
    quiet = QuietHours(time(22), time(2, 30))
    first = datetime.fromisoformat("2026-10-25T01:00:00+02:00")
    again = datetime.fromisoformat("2026-10-25T02:10:00+01:00")

    assert quiet.free_from(first, BERLIN) == datetime.fromisoformat("2026-10-25T02:30:00+02:00")
    assert quiet.free_from(again, BERLIN) == datetime.fromisoformat("2026-10-25T02:30:00+01:00")


def test_an_end_that_the_clock_skips_comes_after_the_change() -> None:
    quiet = QuietHours(time(22), time(2, 30))
    night = datetime.fromisoformat("2026-03-29T01:00:00+01:00")

    assert quiet.free_from(night, BERLIN) == datetime.fromisoformat("2026-03-29T03:30:00+02:00")


def test_quiet_hours_that_end_when_they_start_are_refused() -> None:
    with pytest.raises(ValueError, match="must not start when they end"):
        QuietHours(time(8), time(8))


@pytest.mark.parametrize(
    ("told", "country", "language", "zone", "found_in"),
    [
        (("Asia/Tokyo", "Europe/Rome"), "DE", "pt-BR", "Asia/Tokyo", "profile"),
        ((None, "Europe/Rome"), "DE", "pt-BR", "Europe/Rome", "shipment"),
        (None, "DE", "pt-BR", "Europe/Berlin", "country"),
        (None, None, "pt-BR", "America/Sao_Paulo", "language"),
        (None, "US", "pt-BR", "America/Sao_Paulo", "language"),
        (None, None, "zh-Hans-CN", "Asia/Shanghai", "language"),
        (None, None, "pt", "UTC", "default"),
        (None, "US", None, "UTC", "default"),
        (None, None, None, "UTC", "default"),
    ],
)
def test_the_zone_is_the_profiles_the_parcels_the_countrys_the_languages_or_the_default(
    told: tuple[str | None, str | None] | None,
    country: str | None,
    language: str | None,
    zone: str,
    found_in: str,
) -> None:
    time_zone, destination = told or (None, None)
    found = zone_for(time_zone, country, language, ZONE_OF_COUNTRY, ZoneInfo("UTC"), destination)

    assert (found.zone.key, found.found_in) == (zone, found_in)


def test_every_country_has_a_zone_that_exists() -> None:
    assert set(ZONE_OF_COUNTRY.values()) <= available_timezones()
