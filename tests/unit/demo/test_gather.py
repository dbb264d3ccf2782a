"""The door's metrics are read by what they mean."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from services.contracts import metric_names
from services.demo.gather import read_door_counts
from services.demo.glance import opened
from services.ingest.answers import turned_away
from services.ingest.documents import ProblemKind
from services.ingest.metering import Meter
from services.kit import telemetry


def door(events: dict[tuple[str, str], int]) -> str:
    registry = CollectorRegistry()
    counted = telemetry.counter(metric_names.INGEST_EVENTS, registry)
    for labels, count in events.items():
        counted.labels(*labels).inc(count)
    return generate_latest(registry).decode()


def test_taken_and_refused_are_told_by_topic() -> None:
    text = door(
        {("purchases", "accepted"): 5, ("consents", "accepted"): 2, ("purchases", "rejected"): 1}
    )
    taken, refused = read_door_counts(text)
    assert taken == {"purchases": 5, "consents": 2}
    assert refused == {"purchases": 1}


def test_an_unknown_outcome_is_neither() -> None:
    assert read_door_counts(door({("purchases", "unknown"): 3})) == ({}, {})


def test_what_was_turned_away_for_now_is_no_refusal() -> None:
    meter = Meter(lambda: 0)
    for kind in (ProblemKind.NO_TIME_YET, ProblemKind.PAUSED, ProblemKind.TOO_SLOW):
        meter.count(turned_away(kind, "detail"), 0.1)
    for kind in (ProblemKind.TOO_LARGE, ProblemKind.UNSUPPORTED_MEDIA_TYPE):
        meter.count(turned_away(kind, "detail"), 0.1)

    _, refused = read_door_counts(generate_latest(meter.registry).decode())

    assert {topic: count for topic, count in refused.items() if count} == {"none": 2}


@pytest.mark.parametrize(("counts", "total"), [({}, 0), ({"a": 2, "b": 3}, 5)])
def test_a_glance_adds_up_problems_of_all_kinds(counts: dict[str, int], total: int) -> None:
    registry = CollectorRegistry()
    series = telemetry.counter(metric_names.PROBLEMS_OPENED, registry)
    for kind, count in counts.items():
        series.labels(kind).inc(count)
    assert opened(generate_latest(registry).decode()) == total
