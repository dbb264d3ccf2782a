"""Metrics are made from the contract, and probes say what they found."""

from collections.abc import Callable, Iterator
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from services.contracts import metric_names
from services.contracts.metric_names import Metric
from services.kit import telemetry
from services.kit.health import HealthServer, Verdict


def test_a_counter_is_named_once_as_in_the_contract() -> None:
    registry = CollectorRegistry()
    telemetry.counter(metric_names.INGEST_REJECTED, registry).labels("invalid", "other").inc()

    assert (
        'care_ingest_rejected_total{reason="invalid",source="other"} 1.0'
        in generate_latest(registry).decode()
    )


def test_a_gauge_and_a_histogram_have_the_contracts_labels_and_buckets() -> None:
    registry = CollectorRegistry()
    telemetry.gauge(metric_names.LAG_SECONDS, registry).labels("outreach", "contacts").set(3)
    telemetry.histogram(metric_names.INGEST_SECONDS, registry).labels("202").observe(0.02)
    text = generate_latest(registry).decode()

    assert 'care_lag_seconds{service="outreach",topic="contacts"} 3.0' in text
    assert 'care_ingest_request_seconds_bucket{le="0.01",status="202"} 0.0' in text
    assert 'care_ingest_request_seconds_bucket{le="0.025",status="202"} 1.0' in text


def test_many_durations_at_once_are_counted_as_one_at_a_time_would_be() -> None:
    """Also on a bound: an objective of 5 s counts 5 s as kept."""
    metric = metric_names.PREDICTOR_DECISION_SECONDS
    at_once, one_by_one = CollectorRegistry(), CollectorRegistry()
    given = [(0.25, 2), (5.0, 3), (7.5, 1), (1e9, 4)]

    telemetry.Durations(metric, at_once).add(given)
    single = telemetry.histogram(metric, one_by_one)
    for seconds, times in given:
        for _ in range(times):
            single.observe(seconds)

    def told(registry: CollectorRegistry) -> list[str]:
        lines = generate_latest(registry).decode().splitlines()
        return [line for line in lines if "_created" not in line]

    assert told(at_once) == told(one_by_one)


@pytest.mark.parametrize(
    ("make", "metric"),
    [
        (telemetry.counter, metric_names.LAG_SECONDS),
        (telemetry.gauge, metric_names.EVENTS),
        (telemetry.histogram, metric_names.LAG_SECONDS),
        (telemetry.Durations, metric_names.LAG_SECONDS),
    ],
)
def test_another_kind_than_the_contracts_is_refused(
    make: Callable[[Metric, CollectorRegistry], object], metric: Metric
) -> None:
    with pytest.raises(ValueError, match=metric.name):
        make(metric, CollectorRegistry())


class Probes:
    """Verdicts a test can change."""

    def __init__(self) -> None:
        self.live = self.ready = self.exposing = Verdict(True)


@pytest.fixture
def probes() -> Probes:
    """Verdicts, all of them good."""
    return Probes()


@pytest.fixture
def server(probes: Probes) -> Iterator[HealthServer]:
    """A server that answers with them."""
    registry = CollectorRegistry()
    telemetry.gauge(metric_names.OUTREACH_OUTBOX, registry).set(5)
    found = HealthServer(
        registry,
        lambda: probes.live,
        lambda: probes.ready,
        "127.0.0.1",
        0,
        exposing=lambda: probes.exposing,
    ).start()
    yield found
    found.close()


def get(server: HealthServer, path: str) -> tuple[int, str]:
    """Return status and body."""
    host, port = server.address
    try:
        with urlopen(f"http://{host}:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def test_probes_and_metrics_answer(server: HealthServer) -> None:
    assert get(server, "/livez") == (200, '{"ok": true, "because": "ok"}\n')
    assert get(server, "/readyz")[0] == 200
    assert "care_outreach_outbox_records 5.0" in get(server, "/metrics")[1]
    assert get(server, "/healthz")[0] == 404


def test_each_probe_fails_alone_and_says_why(server: HealthServer, probes: Probes) -> None:
    probes.ready = Verdict(False, "reading")
    assert get(server, "/readyz") == (503, '{"ok": false, "because": "reading"}\n')
    assert (get(server, "/livez")[0], get(server, "/metrics")[0]) == (200, 200)

    probes.exposing = Verdict(False, "too early")
    assert get(server, "/metrics") == (503, '{"ok": false, "because": "too early"}\n')
    assert get(server, "/livez")[0] == 200


def test_without_a_check_metrics_are_always_exposed() -> None:
    def never() -> Verdict:
        return Verdict(False)

    server = HealthServer(CollectorRegistry(), never, never, "127.0.0.1", 0).start()
    try:
        assert get(server, "/metrics")[0] == 200
    finally:
        server.close()
