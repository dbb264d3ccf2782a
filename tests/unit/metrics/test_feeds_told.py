"""Publishers and carriers as the predictor tells of them: heard when, how much, silent or not."""

import pytest

from services.metrics.figures import feeds
from services.metrics.figures.feeds import MOST_NAMED
from tests.unit.metrics.stories import at, counted, fold_all, folded, mark, resumed, series, silent


def test_of_each_publisher_and_carrier_the_latest_event_and_all_events_of_all_partitions() -> None:
    """/shop: 5 events in one partition and 3 in another, the last at 04:00.  dhl: 2 events, at 02:00."""
    figures = counted(
        folded(
            mark("publisher:/shop", 1, events=2),
            mark("publisher:/shop", 4, events=5),
            mark("publisher:/shop", 3, events=3, partition=1),
            mark("carrier:dhl", 2, events=2),
            mark("scans:dhl", 2, events=2),
        )
    )

    assert figures == {
        "care_publisher_events_total{publisher=/shop}": 8,
        "care_publisher_last_event_timestamp_seconds{publisher=/shop}": at(4).timestamp(),
        "care_carrier_events_total{carrier=dhl}": 2,
        "care_carrier_last_event_timestamp_seconds{carrier=dhl}": at(2).timestamp(),
    }


def test_a_feed_that_was_forgotten_and_counts_anew_adds_to_what_it_said_before() -> None:
    told = mark("publisher:/shop", 1, events=7), mark("publisher:/shop", 9, events=2)

    assert counted(folded(*told))["care_publisher_events_total{publisher=/shop}"] == 9


def test_what_was_said_before_and_is_read_again_counts_nothing() -> None:
    told = mark("publisher:/shop", 1, events=2), mark("publisher:/shop", 4, events=5)

    assert counted(folded(*told, *told)) == counted(folded(*told))
    assert counted(folded(*told))["care_publisher_events_total{publisher=/shop}"] == 5


def test_a_feed_is_silent_until_it_is_heard_again() -> None:
    name = "care_feed_silent{feed=carrier:dhl}"

    assert counted(folded(silent("carrier:dhl", 3)))[name] == 1
    assert counted(folded(silent("carrier:dhl", 3), resumed("carrier:dhl", 5))) == {}
    again = silent("carrier:dhl", 3), resumed("carrier:dhl", 5), silent("carrier:dhl", 8)
    assert counted(folded(*again, again[0], again[1]))[name] == 1


def test_publishers_beyond_the_bound_share_one_label_and_lose_no_count() -> None:
    told = [mark(f"publisher:/p{n:03}", n + 1, events=2) for n in range(MOST_NAMED + 5)]
    state = fold_all(told)
    figures = {n: v for n, v in series(state).items() if n.startswith("care_publisher_events")}

    assert sum(figures.values()) == 2 * len(told)
    assert figures["care_publisher_events_total{publisher=other}"] == 10
    assert len(figures) == MOST_NAMED + 1
    # Whoever has a series keeps it.
    later = fold_all([*told, mark("publisher:/a", 99)])
    assert series(later)["care_publisher_events_total{publisher=/p000}"] == 2


def test_many_silent_feeds_are_counted_together() -> None:
    figures = counted(fold_all(silent(f"publisher:{n:03}", 1) for n in range(MOST_NAMED + 5)))

    assert figures["care_feed_silent{feed=other}"] == 5
    assert len(figures) == MOST_NAMED + 1


def test_publishers_who_name_themselves_anew_each_time_fill_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feeds, "MOST_MARKS", MOST_NAMED + 10)
    told = [mark(f"publisher:{n}", n + 1) for n in range(200)]
    told += [mark("publisher:0", 300, events=2)]
    told += [each for n in range(200) for each in (silent(f"f{n}", 1), resumed(f"f{n}", 2))]

    state = fold_all(told)

    assert len(state.feeds.publishers.marks) == MOST_NAMED + 10
    assert len(state.feeds.resumed) == MOST_NAMED + 10
    # Those with a series of their own are counted right all the same.
    assert counted(state)["care_publisher_events_total{publisher=0}"] == 2
