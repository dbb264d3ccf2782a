"""The door's metrics are read by what they mean."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from services.contracts import metric_names
from services.demo.gather import SENT_AGAIN, read_door_counts
from services.demo.glance import opened
from services.ingest.metering import REASONS
from services.kit import telemetry


def door(events: dict[tuple[str, str], int], reasons: dict[str, int]) -> str:
    registry = CollectorRegistry()
    counted = telemetry.counter(metric_names.INGEST_EVENTS, registry)
    refused = telemetry.counter(metric_names.INGEST_REJECTED, registry)
    for labels, count in events.items():
        counted.labels(*labels).inc(count)
    for reason, count in reasons.items():
        refused.labels(reason, "other").inc(count)
    return generate_latest(registry).decode()


def test_taken_and_refused_are_told_by_topic() -> None:
    text = door(
        {("purchases", "accepted"): 5, ("consents", "accepted"): 2, ("purchases", "rejected"): 1},
        {"invalid": 1},
    )
    taken, refused = read_door_counts(text)
    assert taken == {"purchases": 5, "consents": 2}
    assert refused == {"purchases": 1, "none": 0}


def test_an_unknown_outcome_is_neither() -> None:
    assert read_door_counts(door({("purchases", "unknown"): 3}, {})) == ({}, {"none": 0})


def test_what_was_turned_away_for_now_is_no_refusal() -> None:
    text = door({("none", "rejected"): 5}, {"no_time_yet": 2, "overloaded": 1, "unknown_type": 2})
    assert read_door_counts(text)[1] == {"none": 2}


def test_every_reason_to_come_back_is_one_of_ingests() -> None:
    assert set(REASONS) >= SENT_AGAIN


@pytest.mark.parametrize(("counts", "total"), [({}, 0), ({"a": 2, "b": 3}, 5)])
def test_a_glance_adds_up_problems_of_all_kinds(counts: dict[str, int], total: int) -> None:
    registry = CollectorRegistry()
    series = telemetry.counter(metric_names.PROBLEMS_OPENED, registry)
    for kind, count in counts.items():
        series.labels(kind).inc(count)
    assert opened(generate_latest(registry).decode()) == total
