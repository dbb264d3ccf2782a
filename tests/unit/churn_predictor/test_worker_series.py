"""How many series a worker shows at most."""

from services.churn_predictor.scoring import POINTS_OF
from services.churn_predictor.telemetry import SILENT_NAMED, Telemetry
from tests.support.series import MOST_SERIES, OF_EVERY_PROCESS, service_of, shown
from tests.unit.churn_predictor.stream import RULES


def test_a_worker_shows_fewer_series_than_a_pod_may_and_what_every_process_tells() -> None:
    """Every feature of both models at every point of its kind, and as many silent feeds as are named."""
    telemetry = Telemetry()
    telemetry.scores_with(RULES)
    drift = sum(len(RULES.features) * len(points) for points in POINTS_OF.values())

    assert len(shown(telemetry.registry)) + drift + SILENT_NAMED < MOST_SERIES
    assert set(shown(telemetry.registry)) >= OF_EVERY_PROCESS
    assert service_of(telemetry.registry) == {"churn_predictor"}
